"""Packages of classifiers whose network takes a hop a call: every format has them, and they give the same results."""

import json
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from tests.firmware.classifier.test_sliding import Mirror
from tests.firmware.classifier.windows import conv_model, window_card

from edgecnn_firmware import numerics
from edgecnn_firmware.boards.firmware import classify_image, firmware_image
from edgecnn_firmware.boards.harness import INPUT, OUTPUT, Harness
from edgecnn_firmware.boards.image import build_image
from edgecnn_firmware.boards.machine import run as run_image
from edgecnn_firmware.boards.program import KERNELS_OF_BOARD
from edgecnn_firmware.boards.run import Run
from edgecnn_firmware.boards.targets import target_named
from edgecnn_firmware.boards.toolchain import find_toolchain
from edgecnn_firmware.bundle import Bundle
from edgecnn_firmware.classifier.results import window_result
from edgecnn_firmware.classifier.stream import Stream
from edgecnn_firmware.errors import MissingDependency, ModelError
from edgecnn_firmware.packages.formats import FORMATS, find_format
from edgecnn_firmware.packages.prebuilt import this_machine
from edgecnn_firmware.packages.product import Product, make_product
from edgecnn_firmware.packages.write import write_package, write_packages

from .conftest import run, write_bundle
from .test_micropython import add_stub
from .test_rust import Cargo, cargo, needs_cargo, needs_clippy, needs_rustfmt, ok
from .test_wasm import needs_node, node

__all__ = ["cargo"]
OK = 0
WINDOW, HOP, CHANNELS = 40, 12, 3
STRICT = ("-O1", "-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Wconversion", "-Werror")


@pytest.fixture(scope="module")
def window_bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    card = window_card(WINDOW, HOP, CHANNELS, smoothing="majority", results=3)
    return write_bundle(tmp_path_factory.mktemp("windows") / "wrist", card, conv_model(WINDOW, CHANNELS))


@pytest.fixture(scope="module")
def sliding(window_bundle: Bundle) -> Product:
    return make_product(window_bundle, sliding=True)


@pytest.fixture(scope="module")
def whole(window_bundle: Bundle) -> Product:
    return make_product(window_bundle)


def streamed(bundle: Bundle) -> "list[tuple[int, list[int]] | None]":
    """Label and outputs after each sample of all windows one after the other."""
    stream = Stream(bundle.card, Mirror(bundle.model_bytes, bundle.card).network)
    found = [stream.push(sample) for sample in bundle.vectors().windows.reshape(-1, CHANNELS)]
    return [None if result is None else (result.label, list(result.outputs)) for result in found]


def test_every_format_has_it(window_bundle: Bundle, sliding: Product, tmp_path: Path) -> None:
    missing: dict[str, str] = {}
    written = write_packages(window_bundle, FORMATS, tmp_path, sliding=True, missing=missing)
    assert set(written) | set(missing) == set(FORMATS)
    assert sliding.is_sliding
    header = sliding.headers["wrist.h"]
    assert f"runs every {HOP} samples on these alone" in header


@pytest.mark.parametrize("key", FORMATS)
def test_readmes_say_the_same(key: str, sliding: Product, whole: Product) -> None:
    """But for the one that stands in the header's place."""
    try:
        files, plain = find_format(key).files(sliding), find_format(key).files(whole)
    except MissingDependency as error:
        pytest.skip(str(error))
    readmes = {name for name in files if name.endswith("README.md")}
    others = {name for name in readmes if files[name] != plain[name]}
    assert readmes
    assert others == ({"README.md"} if key == "micropython" else set())
    if others:
        assert b"`wrist.classify` empties the window of `wrist.push`" in files["README.md"]


@pytest.mark.skipif(shutil.which("make") is None or shutil.which("gcc") is None, reason="make or gcc is not installed")
@pytest.mark.parametrize("board", ["cortex-m4", "cortex-m0plus"])
def test_the_example_runs(board: str, window_bundle: Bundle, sliding: Product, tmp_path: Path) -> None:
    folder = write_package(find_format("makefile"), sliding, tmp_path)
    on_host = run(["make", "-s", "check"], folder, CFLAGS=" ".join(("-std=c99", *STRICT)))
    label = sliding.card.labels[sliding.example.label]
    assert on_host.startswith(f"self-test passed; window is {label}, margin ")
    need_board()
    product = make_product(window_bundle, KERNELS_OF_BOARD.get(board, "portable"), sliding=True)
    try:
        found = firmware_image(product, board, work=tmp_path)
    except MissingDependency as error:
        pytest.skip(str(error))
    assert (found.text, found.status, found.faults) == (on_host, 0, ())
    # The self-test has a state of its own.
    network = product.classifier.network
    assert found.ram_bytes >= network.arena.bytes + 2 * network.state_bytes


def need_board() -> None:
    pytest.importorskip("unicorn", reason="unicorn is not installed")
    pytest.importorskip("elftools", reason="pyelftools is not installed")


def test_windows_on_a_virtual_board(window_bundle: Bundle, tmp_path: Path) -> None:
    need_board()
    product = make_product(window_bundle, "armv7e-m", sliding=True)
    try:
        image = classify_image(product, "cortex-m4", work=tmp_path)
    except MissingDependency as error:
        pytest.skip(str(error))
    vectors = window_bundle.vectors()
    for window, outputs in zip(vectors.windows, vectors.outputs, strict=True):
        found = image.call(window.astype("<f4").tobytes())
        assert (found.status, found.result, found.faults) == (OK, window_result(outputs, product.card), ())
        assert found.stack_bytes < int(re.findall(r"about (\d+) bytes of stack", product.headers["wrist.h"])[0])


_STREAMED = """\
#include <stdint.h>
#include "wrist.h"
/* The outputs of each result, one behind the other. */
static void streamed(const int8_t *samples, int32_t count, int8_t *to) {
    wrist_result result;
    for (int32_t i = 0; i < count; ++i)
        if (wrist_push_q(samples + i * WRIST_CHANNELS, &result) == WRIST_NEW_RESULT)
            for (int32_t k = 0; k < WRIST_OUTPUTS; ++k) *to++ = result.outputs[k];
}
"""


def pushed(product: Product, samples: "np.ndarray", work: Path) -> tuple[Run, int]:
    """All samples through `push_q` on a virtual Cortex-M4; and the bytes of variables."""
    sources = work / "sources"
    sources.mkdir(parents=True, exist_ok=True)
    for name, text in (product.classifier.files | {"streamed.h": _STREAMED}).items():
        (sources / name).write_text(text, encoding="utf-8")
    given, outputs = product.card.input, product.card.output_count
    results = 1 + (len(samples) - given.window_samples) // given.hop_samples
    invoke = f"streamed((const int8_t *){INPUT}, {len(samples)}, (int8_t *){OUTPUT});"
    harness = Harness("streamed.h", invoke, samples.size, outputs * results, 0)
    target = target_named("cortex-m4")
    files = [sources / name for name in product.sources if "selftest" not in name]
    toolchain = find_toolchain(target, "auto")
    image = build_image(target, toolchain, files, [sources], ("-O2",), harness=harness, work=work)
    return run_image(image, samples.tobytes()), image.ram_bytes


def test_streams_on_a_virtual_board(window_bundle: Bundle, tmp_path: Path) -> None:
    need_board()
    card = window_bundle.card
    windows = window_bundle.vectors().windows
    inputs = numerics.quantize(numerics.normalize(windows, card.normalization), card.quantization.input)
    samples = inputs.reshape(-1, CHANNELS)
    instructions = {}
    for is_sliding in (False, True):
        product = make_product(window_bundle, "armv7e-m", sliding=is_sliding)
        try:
            found, _ = pushed(product, samples, tmp_path / str(is_sliding))
        except MissingDependency as error:
            pytest.skip(str(error))
        wanted = [one[1] for one in streamed(window_bundle) if one is not None]
        assert np.frombuffer(found.outputs, np.int8).reshape(-1, 3).tolist() == wanted
        assert not found.faults
        instructions[is_sliding] = found.instructions
    assert instructions[True] < 0.6 * instructions[False]


def test_what_a_hop_costs(shared_models: Path, tmp_path: Path) -> None:
    """A reference network: one more hop takes less than a sixth of the instructions, in the RAM that the header says."""
    need_board()
    card = window_card(128, 16, 9, 6)
    bundle = write_bundle(tmp_path / "bundle", card, (shared_models / "har_b1.tflite").read_bytes())
    samples = np.random.default_rng(1).integers(-128, 128, (160, 9)).astype(np.int8)
    costs = {}
    for is_sliding in (False, True):
        product = make_product(bundle, "armv7e-m", sliding=is_sliding)
        runs = []
        for count in (144, 160):
            try:
                runs.append(pushed(product, samples[:count], tmp_path / f"{is_sliding}{count}"))
            except MissingDependency as error:
                pytest.skip(str(error))
        costs[is_sliding] = runs[1][0].instructions - runs[0][0].instructions
        numbers = re.search(r"(\d+) bytes to classify, (\d+) more", product.headers["wrist.h"])
        assert numbers
        assert 0 <= runs[1][1] - int(numbers[1]) - int(numbers[2]) < 16
    assert 6 * costs[True] < costs[False]


@pytest.mark.parametrize(("command", "standard"), [("gcc", "c99"), ("g++", "c++11"), ("g++", "c++20")])
def test_one_header_holds_it_too(command: str, standard: str, sliding: Product, tmp_path: Path) -> None:
    if shutil.which(command) is None:
        pytest.skip(f"{command} is not installed")
    folder = write_package(find_format("single-header"), sliding, tmp_path)
    main = next(folder.rglob("main.c"))
    language = ("-x", "c++") if command == "g++" else ()
    program = tmp_path / "example"
    run([command, f"-std={standard}", *STRICT, f"-I{folder}", *language, main.name, "-o", str(program)], main.parent)
    assert run([str(program)], tmp_path).startswith("self-test passed; window is ")


@pytest.mark.skipif(this_machine() is None or find_spec("ziglang") is None, reason="no library is made here")
def test_python(window_bundle: Bundle, sliding: Product, tmp_path: Path) -> None:
    folder = write_package(find_format("python"), sliding, tmp_path)
    script = (
        "import json, sys, wrist\n"
        "windows = json.load(sys.stdin)\n"
        "alone = [wrist.classify(window).outputs for window in windows]\n"
        "pushed = [wrist.push(sample) for window in windows for sample in window]\n"
        "found = [one and (wrist.labels.index(one.label), one.outputs) for one in pushed]\n"
        "json.dump([wrist.selftest(), alone, found], sys.stdout)\n"
    )
    vectors = window_bundle.vectors()
    done = subprocess.run(
        [sys.executable, "-S", "-c", script],
        cwd=folder,
        input=json.dumps(vectors.windows.tolist()),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    passed, alone, found = json.loads(done.stdout)
    assert passed is True
    assert alone == vectors.outputs.tolist()
    assert found == [one and list(one) for one in streamed(window_bundle)]


@pytest.mark.skipif(find_spec("ziglang") is None, reason="ziglang, which compiles to WebAssembly, is not installed")
@needs_node
def test_javascript(window_bundle: Bundle, sliding: Product, tmp_path: Path) -> None:
    folder = write_package(find_format("wasm"), sliding, tmp_path)
    assert run(["node", "example.mjs"], folder).startswith("self-test passed")
    script = (
        "const alone = input.map((window) => Array.from(classifier.classify(window.flat()).outputs));\n"
        "const pushed = input.flat().map((sample) => classifier.push(sample));\n"
        "const found = pushed.map((one) => one && [one.index, Array.from(one.outputs)]);\n"
        "tell([classifier.selftest(), alone, found]);\n"
    )
    vectors = window_bundle.vectors()
    passed, alone, found = node(folder, script, vectors.windows.tolist())
    assert passed == 0
    assert alone == vectors.outputs.tolist()
    assert found == [one and list(one) for one in streamed(window_bundle)]


@needs_cargo
def test_rust(sliding: Product, cargo: Cargo, tmp_path: Path) -> None:
    crate = write_package(find_format("rust"), sliding, tmp_path)
    assert "test result: ok. 7 passed" in ok(cargo("test", "--lib", folder=crate))
    assert ok(cargo("run", "-q", "--example", "selftest", folder=crate)).startswith("self-test passed")


@needs_clippy
@needs_rustfmt
def test_rust_is_tidy(sliding: Product, cargo: Cargo, tmp_path: Path) -> None:
    crate = write_package(find_format("rust"), sliding, tmp_path)
    ok(cargo("clippy", "--all-targets", "--", "-D", "warnings", folder=crate))
    files = [str(path) for path in crate.rglob("*.rs")]
    run(["rustfmt", "--check", "--edition", "2021", *files], crate)


@pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is not installed")
def test_micropython(sliding: Product, tmp_path: Path) -> None:
    module = write_package(find_format("micropython"), sliding, tmp_path) / "wrist"
    add_stub(module)
    run(["gcc", "-std=gnu99", "-Wall", "-Wextra", "-Werror", "-I.", "-c", "wristmodule.c", *sliding.sources], module)


def test_a_network_that_does_not_slide(bundle: Bundle, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"^sliding: hop 2: "):
        write_packages(bundle, ["makefile"], tmp_path, sliding=True)
    assert not list(tmp_path.iterdir())
