"""Packages of networks that keep state: a self-test in a state of its own, and an example that gives its label."""

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pytest
from tests.firmware.classifier.built import Built
from tests.firmware.compiler.networks import NetworkWriter

from edgecnn_firmware import numerics
from edgecnn_firmware.boards.firmware import firmware_image
from edgecnn_firmware.bundle import Bundle, BundleWriter, Vectors, read_bundle
from edgecnn_firmware.classifier.bundled import compile_for_bundle
from edgecnn_firmware.classifier.results import window_result
from edgecnn_firmware.classifier.write import write_classifier
from edgecnn_firmware.compiler.compile import compile_model
from edgecnn_firmware.compiler.oracle import Oracle
from edgecnn_firmware.errors import MissingDependency, ModelError
from edgecnn_firmware.numerics import Int8
from edgecnn_firmware.packages.formats import find_format
from edgecnn_firmware.packages.product import Product, make_product
from edgecnn_firmware.packages.write import write_package

from .conftest import run, wrist_card

OK = 0
FORMATS = ("arduino", "cmake", "esp-idf", "makefile", "platformio", "stm32", "zephyr")


def stateful_model() -> bytes:
    """A window of 4 x 2 added to what is remembered, to three probabilities; remembers the window."""
    net = NetworkWriter()
    handle = net.variable("memory", np.full((1, 8), -3, np.int8), 0.1, -3)
    window, flat, remembered, both = (net.tensor(shape, 0.1, -3) for shape in ((1, 4, 2), (1, 8), (1, 8), (1, 8)))
    scores, chances = net.tensor((1, 3), 0.2, 5), net.tensor((1, 3), 1 / 256, -128)
    net.op("READ_VARIABLE", [handle], [remembered])
    net.op("RESHAPE", [window, net.const(np.array([1, 8], np.int32))], [flat], newShape=[1, 8])
    net.op("ADD", [flat, remembered], [both], potScaleInt16=False)
    weights = net.const(np.random.default_rng(3).integers(-100, 100, (3, 8)).astype(np.int8), 0.01)
    net.op("FULLY_CONNECTED", [both, weights, net.const(np.zeros(3, np.int32), 0.001)], [scores])
    net.op("SOFTMAX", [scores], [chances], beta=1.0)
    net.op("ASSIGN_VARIABLE", [handle, flat], [])
    return net.bytes([window], [chances])


def in_order(model: bytes, inputs: Int8) -> Int8:
    """The outputs of windows one after the other."""
    oracle = Oracle(compile_model(model, "m", "m").graph)
    return np.stack([oracle.run(window[np.newaxis])[0].reshape(-1) for window in inputs])


def alone(model: bytes, inputs: Int8) -> Int8:
    """The outputs of windows, each from the first state."""
    return np.concatenate([in_order(model, window[np.newaxis]) for window in inputs])


@pytest.fixture(scope="module")
def stateful_bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    card, model = wrist_card(), stateful_model()
    windows = np.random.default_rng(4).normal(0, 1, (12, 4, 2)).astype(np.float32) / np.array([1.7, 0.003], np.float32)
    inputs = numerics.quantize(numerics.normalize(windows, card.normalization), card.quantization.input)
    outputs = alone(model, inputs)
    folder = tmp_path_factory.mktemp("stateful") / "wrist"
    with BundleWriter(folder) as bundle:
        bundle.add("model.tflite", model)
        bundle.add_vectors(Vectors(windows, outputs.argmax(axis=1), np.array(["one"] * 12), inputs, outputs))
        bundle.commit(card)
    return read_bundle(folder)


@pytest.fixture(scope="module")
def stateful(stateful_bundle: Bundle) -> Product:
    return make_product(stateful_bundle)


def test_it_keeps_state_and_has_a_selftest(stateful: Product, stateful_bundle: Bundle) -> None:
    vectors = stateful_bundle.vectors()
    assert stateful.classifier.network.state_bytes == 8
    assert stateful.has_selftest
    # State matters: one after the other the same windows give other outputs.
    assert not np.array_equal(in_order(stateful_bundle.model_bytes, vectors.inputs), vectors.outputs)


@pytest.mark.parametrize("key", FORMATS)
def test_readmes_promise_what_there_is(key: str, stateful: Product, product: Product) -> None:
    """They say the same as for other networks, and the function is there."""
    files, plain = find_format(key).files(stateful), find_format(key).files(product)
    readmes = [name for name in files if name.endswith("README.md")]
    assert readmes
    assert [files[name] for name in readmes] == [plain[name] for name in readmes]
    header = next(data for name, data in files.items() if name.endswith("/wrist.h"))
    assert b"int wrist_selftest(void);" in header
    assert b"and a state of its own" in header


@pytest.mark.skipif(shutil.which("make") is None or shutil.which("gcc") is None, reason="make or gcc is not installed")
def test_the_example_runs(stateful: Product, tmp_path: Path) -> None:
    folder = write_package(find_format("makefile"), stateful, tmp_path)
    flags = "-O2 -Wall -Wextra -Wconversion -Wshadow -Wpedantic -Werror"
    on_host = run(["make", "-s", "check"], folder, CFLAGS=flags)
    label = stateful.card.labels[stateful.example.label]
    assert on_host.startswith(f"self-test passed; window is {label}, margin ")
    pytest.importorskip("unicorn", reason="unicorn is not installed")
    pytest.importorskip("elftools", reason="pyelftools is not installed")
    try:
        found = firmware_image(stateful, "cortex-m0plus", work=tmp_path)
    except MissingDependency as error:
        pytest.skip(str(error))
    assert (found.text, found.status) == (on_host, 0)


def test_the_live_state_is_not_disturbed(stateful: Product, stateful_bundle: Bundle, tmp_path: Path) -> None:
    vectors = stateful_bundle.vectors()
    model, golden = stateful_bundle.model_bytes, (vectors.inputs, vectors.outputs)
    built = Built(model, stateful.card, tmp_path, golden=golden)
    assert built.call("init") == OK
    for window, outputs in zip(vectors.inputs, in_order(model, vectors.inputs), strict=True):
        assert built.call("selftest") == OK
        assert built.call("classify_q", window) == OK
        assert built.fields() == dataclasses.astuple(window_result(outputs, stateful.card))


def test_a_wrong_state_is_seen(stateful: Product, stateful_bundle: Bundle, tmp_path: Path) -> None:
    """A self-test that did not begin at the first state would fail the second time."""
    vectors = stateful_bundle.vectors()
    change = ("wrist_network_selftest.c", "    wrist_network_init(&state);\n", "")
    model, golden = stateful_bundle.model_bytes, (vectors.inputs, vectors.outputs)
    built = Built(model, stateful.card, tmp_path, golden=golden, change=change)
    assert [built.call("selftest") for _ in range(2)] != [OK, OK]


def test_outputs_of_windows_in_order_are_refused(stateful: Product, stateful_bundle: Bundle) -> None:
    vectors, model = stateful_bundle.vectors(), stateful_bundle.model_bytes
    with pytest.raises(ModelError, match="self-test: window 1 gives other bytes"):
        write_classifier(model, stateful.card, (vectors.inputs, in_order(model, vectors.inputs)))


def test_a_bundle_has_the_selftest_and_no_console(stateful: Product, stateful_bundle: Bundle) -> None:
    vectors = stateful_bundle.vectors()
    files, compiled, reason = compile_for_bundle(
        stateful_bundle.model_bytes, stateful.card, vectors.inputs, vectors.outputs
    )
    assert reason == ""
    assert compiled is not None
    assert "firmware/c/wrist_network_selftest.c" in files
    assert not [name for name in files if "console" in name]


@pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is not installed")
def test_one_header_holds_it_too(stateful: Product, tmp_path: Path) -> None:
    """Where all files become one, names of the self-test meet those of the classifier."""
    folder = write_package(find_format("single-header"), stateful, tmp_path)
    main = next(folder.rglob("main.c"))
    strict = ("-std=c99", "-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Wpedantic", "-Werror")
    run(["gcc", *strict, f"-I{folder}", main.name, "-o", str(tmp_path / "example")], main.parent)
    assert "self-test passed" in run([str(tmp_path / "example")], tmp_path)
