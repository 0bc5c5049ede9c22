"""The classifier as firmware on virtual boards: it prints what this machine prints, and computes the mirrors' bytes."""

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pytest

from edgecnn_firmware.boards.firmware import ClassifyImage, FirmwareRun, Function, classify_image, firmware_image
from edgecnn_firmware.boards.process import BoardError
from edgecnn_firmware.boards.program import KERNELS_OF_BOARD
from edgecnn_firmware.boards.targets import TARGETS
from edgecnn_firmware.bundle import Bundle
from edgecnn_firmware.classifier.counts import count_lines, quantize_counts
from edgecnn_firmware.classifier.results import Result, window_result
from edgecnn_firmware.classifier.stream import Stream
from edgecnn_firmware.compiler.oracle import Oracle
from edgecnn_firmware.errors import DataError, MissingDependency, SettingsError
from edgecnn_firmware.numerics import Int8
from edgecnn_firmware.packages.formats import find_format
from edgecnn_firmware.packages.product import Product, make_product
from edgecnn_firmware.packages.write import write_package

from .conftest import run

OK, NAN = 0, -1
# Soft float, single precision with DSP instructions, another architecture by another compiler.
BOARDS = ("cortex-m0plus", "cortex-m4", "rv32imc")
OTHERS = ("cortex-m3", "cortex-m7", "cortex-m33", "cortex-m55", "aarch64")
"""Run the example alone."""
TINY = float(np.finfo(np.float32).tiny)


def need(board: str) -> None:
    """Skip where the emulator is not installed."""
    pytest.importorskip("unicorn", reason="unicorn is not installed")
    pytest.importorskip("elftools", reason="pyelftools is not installed")
    if TARGETS[board].emulator == "qemu" and shutil.which("qemu-system-arm") is None:
        pytest.skip("qemu-system-arm is not on PATH")


@pytest.fixture(params=BOARDS)
def board(request: pytest.FixtureRequest) -> str:
    need(request.param)
    return str(request.param)


def example_on(product: Product, board: str, work: Path) -> FirmwareRun:
    """The example's run, or a skip without a compiler."""
    try:
        return firmware_image(product, board, work=work)
    except MissingDependency as error:
        pytest.skip(str(error))


def image_of(product: Product, board: str, work: Path, function: Function) -> ClassifyImage:
    """The classifier's function, or a skip without a compiler."""
    try:
        return classify_image(product, board, work=work, function=function)
    except MissingDependency as error:
        pytest.skip(str(error))


def network(product: Product, inputs: Int8) -> Int8:
    """The network by the numpy oracle."""
    graph = product.classifier.network.graph
    found: Int8 = Oracle(graph).run(inputs.reshape(graph.inputs[0].shape))[0].reshape(-1)
    return found


def streamed(product: Product, window: "np.ndarray") -> Result | None:
    """The first result of the mirror's stream, which is that of the window alone; None for NaN."""
    stream = Stream(product.card, lambda inputs: network(product, inputs))
    found = None
    try:
        for sample in window:
            found = stream.push(sample)
    except DataError:
        return None
    assert found is not None
    return dataclasses.replace(found, changed=False)


def special_windows(product: Product) -> "list[np.ndarray]":
    """Ordinary values, both ends of the input's range, infinities, NaN, denormals, halves between two steps."""
    card = product.card
    rng = np.random.default_rng(9)
    shape = (card.input.window_samples, len(card.input.channels))
    offset, gain = (np.array(values, np.float32) for values in (card.normalization.offset, card.normalization.gain))
    steps = rng.integers(-150, 150, shape) + 0.5
    halves = steps * card.quantization.input.scale / gain + offset
    windows = [rng.normal(0, 3, shape) / gain + offset for _ in range(3)] + [halves]
    extremes = (3.4e38, -3.4e38, np.inf, -np.inf, np.nan, TINY, TINY / 2, -TINY / 8, 1e-45, 0.0, -0.0)
    for value in extremes:
        whole = np.full(shape, value)
        mixed = rng.normal(0, 1, shape) / gain
        mixed[shape[0] // 2, shape[1] - 1] = value
        windows += [whole, mixed]
    return [window.astype(np.float32) for window in windows]


@pytest.mark.parametrize("board", BOARDS + OTHERS)
def test_the_example_prints_what_this_machine_prints(bundle: Bundle, board: str, tmp_path: Path) -> None:
    need(board)
    if shutil.which("make") is None or shutil.which("gcc") is None:
        pytest.skip("make or gcc is not installed")
    product = make_product(bundle, KERNELS_OF_BOARD.get(board, "portable"))
    on_host = run(["make", "-s", "check"], write_package(find_format("makefile"), make_product(bundle), tmp_path))
    found = example_on(product, board, tmp_path)
    assert (found.text, found.status, found.faults) == (on_host, 0, ())
    assert f"window is {product.card.labels[product.example.label]}, margin " in found.text
    assert product.classifier.network.constant_bytes < found.flash_bytes < 20_000
    assert product.classifier.network.arena.bytes <= found.ram_bytes < 1_000
    assert found.sections["data"] + found.sections["bss"] >= found.ram_bytes
    assert sum(found.sections[kind] for kind in ("text", "rodata", "data")) >= found.flash_bytes
    assert 16 <= found.stack_bytes < 1_500


def test_a_wrong_label_is_told(product: Product, tmp_path: Path) -> None:
    need("cortex-m4")
    wrong = dataclasses.replace(product.example, label=(product.example.label + 1) % 3)
    found = example_on(dataclasses.replace(product, example=wrong), "cortex-m4", tmp_path)
    assert found.status == 1


def test_a_damaged_weight_fails_the_selftest(product: Product, tmp_path: Path) -> None:
    need("cortex-m4")
    text = product.classifier.files["wrist_network.c"]
    start = text.index("{\n", text.index("static const int8_t")) + 2
    number = text[start:].split(",", 1)[0]
    changed = text[:start] + number.replace(number.strip(), str(int(number) ^ 1)) + text[start + len(number) :]
    files = {**product.classifier.files, "wrist_network.c": changed}
    damaged = dataclasses.replace(product, classifier=dataclasses.replace(product.classifier, files=files))
    found = example_on(damaged, "cortex-m4", tmp_path)
    assert (found.text, found.status) == ("self-test failed\n", 1)


def test_physical_units_are_byte_equal_with_the_mirror(bundle: Bundle, board: str, tmp_path: Path) -> None:
    product = make_product(bundle, KERNELS_OF_BOARD.get(board, "portable"))
    image = image_of(product, board, tmp_path, "classify")
    windows = special_windows(product)
    statuses = []
    for window in windows:
        found, wanted = image.call(window.astype("<f4").tobytes()), streamed(product, window)
        assert found.faults == ()
        assert found.status == (NAN if wanted is None else OK), window
        assert wanted is None or found.result == wanted, window
        statuses.append(found.status)
    assert {OK, NAN} == set(statuses)


def test_counts_are_byte_equal_with_the_mirror(bundle: Bundle, board: str, tmp_path: Path) -> None:
    product = make_product(bundle, KERNELS_OF_BOARD.get(board, "portable"))
    image = image_of(product, board, tmp_path, "classify_counts")
    rng = np.random.default_rng(10)
    windows = [np.full((4, 2), end) for end in (-32768, 32767)] + [rng.integers(-32768, 32768, (4, 2))]
    windows += [rng.integers(-9000, 9000, (4, 2)) for _ in range(3)]
    for window in windows:
        counts = window.astype(np.int16)
        wanted = window_result(network(product, quantize_counts(counts, count_lines(product.card))), product.card)
        found = image.call(counts.astype("<i2").tobytes())
        assert (found.status, found.result, found.faults) == (OK, wanted, ())


def test_counts_need_no_floating_point(product: Product, tmp_path: Path) -> None:
    """On a core without it, the integer path costs a fraction, and links no soft-float function."""
    need("cortex-m0plus")
    images = {}
    for function in ("classify", "classify_counts"):
        (tmp_path / function).mkdir()
        images[function] = image_of(product, "cortex-m0plus", tmp_path / function, function)
    names = {key: {symbol.name for symbol in image.image.elf.symbols} for key, image in images.items()}
    soft = {"__aeabi_fmul", "__mulsf3"}
    assert names["classify"] & soft
    assert not names["classify_counts"] & soft
    counts = images["classify_counts"].call(bytes(16))
    floats = images["classify"].call(bytes(32))
    assert counts.instructions < floats.instructions


def test_no_such_board_and_no_such_function(product: Product, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="unknown target 'cortex-m9'"):
        firmware_image(product, "cortex-m9", work=tmp_path)
    need("cortex-m4")
    image = image_of(product, "cortex-m4", tmp_path, "classify_q")
    with pytest.raises(BoardError, match="input of 3 bytes: the image takes 8"):
        image.call(bytes(3))
