"""The C header: golden text, and what compilers and a run make of it."""

import ctypes
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from edgecnn_firmware import numerics
from edgecnn_firmware.c_text import c_string, comment_text, float_literal
from edgecnn_firmware.card import Card
from edgecnn_firmware.errors import DataError
from edgecnn_firmware.header import snippet_of, write_header
from edgecnn_firmware.resolver import RESOLVER_METHODS
from edgecnn_firmware.tflite.inspect import ModelSummary, summarize
from edgecnn_firmware.tflite.reader import read_model
from edgecnn_firmware.tflite.schema import BUILTIN_OPS

HERE = Path(__file__).parent
WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow", "-Werror"]
TOP = st.sampled_from(
    ["", "*/", "\\", '"', "??/", "\n", "é", "😀", "/*", "%s", "{{", "'", "*\\", "\\*", "\u202e", "\0"]
)
NASTY = st.lists(st.one_of(TOP, st.text(st.characters(codec="utf-8"), max_size=6)), min_size=1, max_size=40).map(
    "".join
)

MakeCard = Callable[..., Card]


@cache
def compilers() -> dict[str, list[str]]:
    """Each compiler found: name -> command for C; its C++ is `CXX[name]`."""
    found = {name: [path] for name in ("gcc", "clang") if (path := shutil.which(name))}
    if importlib.util.find_spec("ziglang"):
        found["zig"] = [sys.executable, "-m", "ziglang", "cc"]
    return found


def compiler(name: str) -> list[str]:
    if name not in compilers():
        pytest.skip(f"{name} is not installed")
    return compilers()[name]


def cxx(name: str) -> list[str]:
    command = compiler(name)
    if name == "zig":
        return [*command[:-1], "c++"]
    path = shutil.which({"gcc": "g++", "clang": "clang++"}[name])
    if path is None:
        pytest.skip(f"{name} has no C++")
    return [path]


def run(command: list[str], folder: Path) -> None:
    done = subprocess.run(command, capture_output=True, cwd=folder, check=False)
    assert done.returncode == 0, done.stderr.decode("utf-8", "replace")[:3000]


@pytest.fixture(scope="module")
def tiny_summary(tiny: bytes) -> ModelSummary:
    return summarize(read_model(tiny, "tiny.tflite"))


@pytest.fixture(scope="module")
def header_of(tiny: bytes, tiny_summary: ModelSummary, make_card: MakeCard) -> Callable[..., str]:
    """The header of the tiny model with a changed card."""

    def write(**changes: Any) -> str:
        return write_header(tiny, make_card(**changes), tiny_summary)

    return write


ARENA = {"measured_bytes": 1200, "word_bits": 64, "kernels": "reference", "runtime": "tflite-micro 1.0"}
SIGMOID = {"output": "sigmoid"}
NO_RATE = {
    "description": "",
    "input": {
        "window_samples": 6,
        "hop_samples": 6,
        "sample_rate_hz": 1.0,
        "rate_known": False,
        "channels": [{"name": "v"}],
    },
    "normalization": {"method": "none", "offset": [0.0], "gain": [1.0]},
}
GOLDEN = {
    "measured": {"arena": ARENA},
    "sigmoid_without_rate": {**SIGMOID, **NO_RATE, "arena_note": "not measured: no"},
}


@pytest.mark.parametrize("case", sorted(GOLDEN))
def test_golden_text(header_of: Callable[..., str], case: str) -> None:
    """Set EDGECNN_UPDATE_GOLDEN=1 to write the files anew."""
    # The bytes of the tiny model depend on the version of FlatBuffers' writer.
    found = re.sub(r"(?m)^(    (?:0x.., ?)+\n)+", "    0x..,\n", header_of(**GOLDEN[case]))
    found = re.sub(r"[0-9a-f]{64}", "...", found)
    found = re.sub(r"(flash   |MODEL_BYTES) \d+", r"\1 N", found)
    path = HERE / "golden" / f"{case}.h"
    if os.environ.get("EDGECNN_UPDATE_GOLDEN"):
        path.write_text(found, encoding="utf-8")
    assert found == path.read_text(encoding="utf-8")


def test_the_same_input_gives_the_same_bytes(header_of: Callable[..., str]) -> None:
    assert header_of() == header_of()


@pytest.mark.parametrize("name", ["gcc", "clang", "zig"])
@pytest.mark.parametrize("changes", [{}, SIGMOID, NO_RATE], ids=["softmax", "sigmoid", "no rate"])
def test_it_compiles_without_warnings(
    header_of: Callable[..., str], tmp_path: Path, name: str, changes: dict[str, Any]
) -> None:
    (tmp_path / "tiny_model.h").write_text(header_of(**changes), encoding="utf-8")
    source = '#include "tiny_model.h"\n#include "tiny_model.h"\nint main(void) { return tiny_model[4] != \'T\'; }\n'
    for suffix in ("c", "cpp"):
        (tmp_path / f"main.{suffix}").write_text(source, encoding="utf-8")
    everywhere = changes == {} and name == "gcc"
    for standard in ("c99", "c11", "c17") if everywhere else ("c11",):
        run([*compiler(name), f"-std={standard}", *WARNINGS, "-c", "main.c", "-o", "main.o"], tmp_path)
    for standard in ("c++11", "c++14", "c++17", "c++20") if everywhere else ("c++17",):
        run([*cxx(name), f"-std={standard}", *WARNINGS, "-c", "main.cpp", "-o", "main.o"], tmp_path)


BRIDGE = """
#include "{name}_model.h"
const unsigned char *model(void) {{ return {name}_model; }}
const char *label_text(int i) {{ return {name}_labels[i]; }}
void to_input(const float *window, int8_t *input) {{ {name}_quantize(window, input); }}
int label(const int8_t *output) {{ return {name}_label(output); }}
"""


def library_of(header: str, folder: Path, *flags: str) -> ctypes.CDLL:
    """Compile the header and functions that reach its parts, and load them."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tiny_model.h").write_text(header, encoding="utf-8")
    (folder / "bridge.c").write_text(BRIDGE.format(name="tiny"), encoding="utf-8")
    library = folder / "bridge.so"
    command = [*compiler("gcc"), "-std=c99", *WARNINGS, *flags, "-shared", "-fPIC", "bridge.c", "-o", str(library)]
    run(command, folder)
    loaded = ctypes.CDLL(str(library))
    loaded.model.restype = ctypes.c_void_p
    loaded.label_text.restype = ctypes.c_char_p
    return loaded


def quantized_by(library: ctypes.CDLL, windows: npt.NDArray[np.float32]) -> npt.NDArray[np.int8]:
    found = np.zeros(windows.shape, np.int8)
    for window, row in zip(windows, found, strict=True):
        library.to_input(window.ctypes.data_as(ctypes.c_void_p), row.ctypes.data_as(ctypes.c_void_p))
    return found


def labelled_by(library: ctypes.CDLL, outputs: npt.NDArray[np.int8]) -> list[int]:
    return [int(library.label(row.ctypes.data_as(ctypes.c_void_p))) for row in np.ascontiguousarray(outputs)]


def test_the_array_is_the_model_and_is_aligned(tiny: bytes, header_of: Callable[..., str], tmp_path: Path) -> None:
    library = library_of(header_of(), tmp_path)
    address = library.model()
    assert address % 16 == 0
    assert ctypes.string_at(address, len(tiny)) == tiny


def hard_windows(card: Card) -> npt.NDArray[np.float32]:
    """Windows around the boundaries of rounding, random ones, and extremes."""
    dice = np.random.default_rng(3)
    normalization, scale = card.normalization, card.quantization.input.scale
    shape = (1500, card.input.window_samples, len(card.input.channels))
    offset, gain = np.asarray(normalization.offset), np.asarray(normalization.gain)
    steps = dice.integers(-300, 300, shape) / 2
    near = (steps * scale / gain + offset).astype(np.float32)
    nudged = np.nextafter(near, np.where(dice.random(shape) < 0.5, -np.inf, np.inf).astype(np.float32))
    anything = dice.integers(0, 1 << 32, shape, dtype=np.uint32).view(np.float32)
    anything[np.isnan(anything)] = np.inf
    extreme = np.resize(np.float32([np.inf, -np.inf, 3.4e38, -3.4e38, 1e-45, -0.0, 0.0]), shape)
    return np.concatenate([near, nudged, anything, extreme])


@pytest.mark.parametrize(
    "flags", [["-O0"], ["-O2"], ["-O3", "-march=native"], ["-O3", "-ffp-contract=off"]], ids=" ".join
)
def test_quantize_equals_python_bit_for_bit(
    header_of: Callable[..., str], make_card: MakeCard, tmp_path: Path, flags: list[str]
) -> None:
    card = make_card()
    windows = hard_windows(card)
    with np.errstate(all="ignore"):
        normalized = numerics.normalize(windows, card.normalization)
    expected = numerics.quantize(normalized, card.quantization.input)
    found = quantized_by(library_of(header_of(), tmp_path, *flags), windows)
    np.testing.assert_array_equal(found, expected)
    assert len(np.unique(found)) == 256


def test_a_nan_becomes_the_lowest_value(header_of: Callable[..., str], tmp_path: Path) -> None:
    windows = np.full((1, 2, 3), np.nan, np.float32)
    assert set(quantized_by(library_of(header_of(), tmp_path), windows).ravel().tolist()) == {-128}


def test_the_label_of_softmax_is_pythons(header_of: Callable[..., str], tmp_path: Path) -> None:
    labels = ["a", "b", "c", "d"]
    outputs = np.random.default_rng(4).integers(-3, 3, (500, 4)).astype(np.int8)
    library = library_of(header_of(labels=labels), tmp_path)
    assert labelled_by(library, outputs) == numerics.decide(outputs, "softmax").tolist()


@pytest.mark.parametrize(
    ("scale", "zero_point"),
    [(1 / 256, -128), (0.01, 3), (0.003, 100), (0.001, 127), (1.0, -128), (0.1, -128), (0.5, 0)],
)
def test_the_label_of_sigmoid_is_pythons(
    header_of: Callable[..., str], make_card: MakeCard, tmp_path: Path, scale: float, zero_point: int
) -> None:
    output = {"scale": scale, "zero_point": zero_point}
    changes = {**SIGMOID, "quantization": {"input": {"scale": 0.5, "zero_point": -3}, "output": output}}
    every = np.arange(-128, 128).astype(np.int8)[:, None]
    expected = numerics.decide(every, "sigmoid", make_card(**changes).quantization.output).tolist()
    assert labelled_by(library_of(header_of(**changes), tmp_path), every) == expected


def test_a_sigmoid_that_never_or_always_passes_a_half_compiles(header_of: Callable[..., str], tmp_path: Path) -> None:
    for number, (scale, zero_point) in enumerate([(0.001, 127), (1e-6, -128), (200.0, -128)]):
        output = {"scale": scale, "zero_point": zero_point}
        changes = {**SIGMOID, "quantization": {"input": {"scale": 0.5, "zero_point": -3}, "output": output}}
        library_of(header_of(**changes), tmp_path / str(number))


folders = iter(range(10**6))


@example(["*\\", "*/", "trailing \\"], "x *\\", "*\\")
@example(["a" * 200, "\\", "??/??/"], "*/ #error", "/*")
@given(
    st.lists(NASTY.filter(lambda label: "\0" not in label), min_size=2, max_size=5, unique=True),
    NASTY,
    NASTY.filter(bool).map(lambda name: name[:100]),
)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_text_breaks_the_header(
    header_of: Callable[..., str], tmp_path: Path, labels: list[str], description: str, channel: str
) -> None:
    channels = [{"name": channel, "unit": channel[:32]}, {"name": "y"}, {"name": "z"}]
    window = {"window_samples": 2, "hop_samples": 1, "sample_rate_hz": 50.0, "channels": channels}
    header = header_of(labels=labels, description=description, input=window, arena_note=description)
    library = library_of(header, tmp_path / str(next(folders)), "-trigraphs")
    for number, label in enumerate(labels):
        assert library.label_text(number) == label.encode("utf-8")


@given(NASTY)
def test_c_strings_are_plain_ascii_and_comments_end_where_they_should(text: str) -> None:
    literal = c_string(text)
    assert literal.isascii()
    assert literal.isprintable()
    assert "??" not in literal
    comment = comment_text(text)
    assert comment.isprintable()
    assert not {"*/", "/*", "??", "\\"} & {comment[i : i + n] for i in range(len(comment)) for n in (1, 2)}


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_float_literals_read_back_the_same(value: float) -> None:
    literal = float_literal(value, "x")
    assert re.fullmatch(r"-?\d+(\.\d+)?(e[+-]\d+)?f", literal)
    assert "." in literal or "e" in literal
    assert np.float32(literal[:-1]).tobytes() == np.float32(value).tobytes()


CALLER = """
#include <cstdio>
#include "snippet.cpp"
int main() {
    const float window[] = {0.1f, -0.2f, 0.0f, 3.0f, 2.0f, -1.0f};
    const int first = classify(window), second = classify(window);
    const FakeRun &run = fake_run();
    std::printf("%d %d %d %d ", first, second, run.resolver->added, run.interpreters);
    std::printf("%zu %d ", run.arena_bytes, static_cast<int>(reinterpret_cast<std::size_t>(run.arena) % 16));
    std::printf("%d ", run.model->bytes == tiny_model);
    fake_run().invokes = kTfLiteError;
    std::printf("%d\\n", classify(window));
}
"""


@pytest.mark.parametrize("standard", ["c++11", "c++17"])
def test_the_usage_snippet_compiles_and_runs(
    header_of: Callable[..., str], make_card: MakeCard, tmp_path: Path, standard: str
) -> None:
    header = header_of(arena=ARENA)
    (tmp_path / "tiny_model.h").write_text(header, encoding="utf-8")
    (tmp_path / "snippet.cpp").write_text(snippet_of(header), encoding="utf-8")
    (tmp_path / "main.cpp").write_text(CALLER, encoding="utf-8")
    fake = f"-I{HERE / 'fake_tflm'}"
    run([*cxx("gcc"), f"-std={standard}", *WARNINGS, fake, "-I.", "main.cpp", "-o", "main"], tmp_path)
    said = subprocess.run([tmp_path / "main"], capture_output=True, check=True).stdout.decode().split()
    card = make_card()
    window = np.float32([[[0.1, -0.2, 0.0], [3.0, 2.0, -1.0]]])
    inputs = numerics.quantize(numerics.normalize(window, card.normalization), card.quantization.input)
    label = str(numerics.decide(inputs.reshape(1, 6)[:, :2], "softmax")[0])
    assert said == [label, label, "1", "1", "1200", "0", "1", "-1"]


def test_an_unmeasured_arena_is_said_and_replaced_by_a_guess(header_of: Callable[..., str]) -> None:
    header = header_of(arena_note="not measured: no interpreter")
    assert " * arena    not measured: no interpreter; the example below reserves 65536 bytes\n" in header
    assert "arena[65536]" in snippet_of(header)
    assert "TINY_ARENA_BYTES" not in header


def test_ops_unknown_to_tflm_are_flagged(
    tiny: bytes, tiny_summary: ModelSummary, make_card: MakeCard, tmp_path: Path
) -> None:
    ops = ("CONV_2D", "CUSTOM */ mine", "SOFTMAX")
    header = write_header(tiny, make_card(), replace(tiny_summary, op_set=ops))
    assert "op CUSTOM * / mine is not known to TensorFlow Lite Micro" in header
    assert "#define TINY_OPS 2\n" in header
    library_of(header, tmp_path)


def test_a_model_of_unknown_ops_only_still_compiles(
    tiny: bytes, tiny_summary: ModelSummary, make_card: MakeCard, tmp_path: Path
) -> None:
    header = write_header(tiny, make_card(), replace(tiny_summary, op_set=("CUSTOM mine",)))
    (tmp_path / "tiny_model.h").write_text(header, encoding="utf-8")
    (tmp_path / "snippet.cpp").write_text(snippet_of(header), encoding="utf-8")
    fake = f"-I{HERE / 'fake_tflm'}"
    run([*cxx("gcc"), "-std=c++17", *WARNINGS, fake, "-I.", "-c", "snippet.cpp", "-o", "snippet.o"], tmp_path)


@pytest.mark.parametrize("value", [1e300, -1e300])
def test_numbers_beyond_float32_are_refused(header_of: Callable[..., str], value: float) -> None:
    normalization = {"method": "constants", "offset": [value, 0.0, 0.0], "gain": [1.0, 1.0, 1.0]}
    with pytest.raises(DataError, match="float32"):
        header_of(normalization=normalization)


TFLM_OPS = """
    Abs Add AddN ArgMax ArgMin AssignVariable AveragePool2D BatchMatMul BatchToSpaceNd BroadcastArgs BroadcastTo
    CallOnce Cast Ceil Concatenation Conv2D Cos CumSum DepthToSpace DepthwiseConv2D Dequantize Div
    DynamicUpdateSlice Elu EmbeddingLookup Equal Exp ExpandDims Fill Floor FloorDiv FloorMod FullyConnected Gather
    GatherNd Greater GreaterEqual HardSwish If L2Normalization L2Pool2D LeakyRelu Less LessEqual Log LogicalAnd
    LogicalNot LogicalOr Logistic LogSoftmax Maximum MaxPool2D Mean Minimum MirrorPad Mul Neg NotEqual Pack Pad
    PadV2 Prelu Quantize ReadVariable ReduceAll ReduceMax ReduceMin Relu Relu6 Reshape ResizeBilinear
    ResizeNearestNeighbor ReverseV2 Round Rsqrt SelectV2 Shape Sin Slice Softmax SpaceToBatchNd SpaceToDepth Split
    SplitV Sqrt Square SquaredDifference Squeeze StridedSlice Sub Sum Svdf Tanh Transpose TransposeConv
    UnidirectionalSequenceLSTM Unpack VarHandle While ZerosLike
"""
"""Methods of TensorFlow Lite Micro's resolver for ops of the format's list, without their `Add`."""


BUILTIN_METHODS = {op: method for op, method in RESOLVER_METHODS.items() if not op.startswith("CUSTOM ")}


def test_resolver_methods_exist_and_belong_to_their_op() -> None:
    assert set(BUILTIN_METHODS.values()) <= {f"Add{name}" for name in TFLM_OPS.split()}
    for op, method in BUILTIN_METHODS.items():
        assert op in BUILTIN_OPS
        assert method.lower() == "add" + op.replace("_", "").lower()


def test_real_models_know_all_their_ops(shared_models: Path) -> None:
    for path in sorted(shared_models.glob("*.tflite")):
        ops = summarize(read_model(path.read_bytes(), path.name)).op_set
        assert set(ops) <= set(RESOLVER_METHODS)


def test_a_microcontroller_compiler_puts_the_model_in_flash(
    header_of: Callable[..., str], tiny: bytes, tmp_path: Path
) -> None:
    command = shutil.which("arm-none-eabi-gcc")
    dump = shutil.which("arm-none-eabi-objdump")
    if command is None or dump is None:
        pytest.skip("arm-none-eabi-gcc is not installed")
    (tmp_path / "tiny_model.h").write_text(header_of(), encoding="utf-8")
    (tmp_path / "bridge.c").write_text(BRIDGE.format(name="tiny"), encoding="utf-8")
    flags = ["-mcpu=cortex-m4", "-mthumb", "-mfloat-abi=hard", "-mfpu=fpv4-sp-d16", "-ffreestanding", "-Os", "-std=c11"]
    run([command, *flags, *WARNINGS, "-c", "bridge.c", "-o", "bridge.o"], tmp_path)
    table = subprocess.run([dump, "-t", "bridge.o"], capture_output=True, check=True, cwd=tmp_path).stdout.decode()
    symbol = next(line.split() for line in table.splitlines() if line.endswith(" tiny_model"))
    assert ".rodata" in symbol[-3]
    assert int(symbol[-2], 16) == len(tiny)


def test_a_big_model_takes_memory_in_proportion(make_card: MakeCard, tiny_summary: ModelSummary) -> None:
    model = bytes(range(256)) * 4096
    tracemalloc.start()
    try:
        header = write_header(model, make_card(), tiny_summary)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    found = [
        int(word, 16) for word in re.findall(r"(0x..),", header[header.index("_model[TINY_MODEL_BYTES]") :][:30000])
    ]
    assert bytes(found[:4096]) == model[:4096]
    assert peak < 30 * len(model)
