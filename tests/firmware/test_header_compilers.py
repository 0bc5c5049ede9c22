"""What compilers and boards make of the C header: constants in every standard, flash, and the names of ops."""

import dataclasses
import hashlib
import importlib.util
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecnn_firmware import numerics
from edgecnn_firmware.c_text import c_string, comment_text, float_literal
from edgecnn_firmware.card import InputCard
from edgecnn_firmware.header import write_header
from edgecnn_firmware.resolver import RESOLVER_METHODS
from edgecnn_firmware.tflite import schema
from edgecnn_firmware.tflite.inspect import summarize
from edgecnn_firmware.tflite.reader import read_model

from .models import dense_model, make_card

HERE = Path(__file__).parent
STRICT = ["-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Wconversion", "-Wundef", "-Werror", "-O1"]
NASTY = "*/ ??/ ???> \\ \" ' /* // %s é 日本 \u202e \t\n\x00end\\"


@pytest.fixture
def model():
    return dense_model()


def header_of(model: bytes, **changes: object) -> str:
    return write_header(model, make_card(**changes), summarize(read_model(model, "m.tflite")))


def compilers(language: str) -> list[list[str]]:
    """Commands of the compilers at hand: gcc, and zig's clang for C (for C++ it would build a library first)."""
    path = shutil.which("gcc" if language == "c" else "g++")
    found = [[path]] if path else []
    zig = importlib.util.find_spec("ziglang")
    if language == "c" and zig and zig.origin:
        found.append([str(Path(zig.origin).with_name("zig")), "cc"])
    return found


def compile_and_run(folder: Path, command: list[str], source: str, suffix: str, *flags: str) -> str:
    path, program = folder / f"main{suffix}", folder / "program"
    path.write_text(source, encoding="utf-8")
    built = subprocess.run(
        [*command, *flags, str(path), "-o", str(program)], capture_output=True, text=True, check=False
    )
    assert built.returncode == 0, built.stderr
    return subprocess.run([str(program)], capture_output=True, text=True, check=True, encoding="utf-8").stdout


SHOW = """
#include <stdio.h>
#include "wrist_model.h"

int main(void) {
    size_t i;
    printf("%d %d %d %d %d %d\\n", WRIST_WINDOW_SAMPLES, WRIST_HOP_SAMPLES, WRIST_CHANNELS, WRIST_LABELS, WRIST_OUTPUTS,
           WRIST_ARENA_BYTES);
    printf("%a %a %a %d %d\\n", (double)WRIST_SAMPLE_RATE_HZ, (double)WRIST_INPUT_SCALE, (double)WRIST_OUTPUT_SCALE,
           WRIST_INPUT_ZERO_POINT, WRIST_OUTPUT_ZERO_POINT);
    for (i = 0; i < WRIST_CHANNELS; i++) printf("%a %a\\n", (double)wrist_offset[i], (double)wrist_gain[i]);
    for (i = 0; i < WRIST_LABELS; i++) {
        const char *c;
        for (c = wrist_labels[i]; *c; c++) printf("%02x", (unsigned int)(unsigned char)*c);
        printf("\\n");
    }
    printf("%s %s %lu\\n", WRIST_VERSION, WRIST_MODEL_SHA256, (unsigned long)((uintptr_t)wrist_model % 16));
    for (i = 0; i < sizeof wrist_model; i++) printf("%02x", (unsigned int)wrist_model[i]);
    {
        const float window[8] = {0.1f, -2.5f, 1e30f, 5.0f, -1e30f, 90.0f, 0.25f, -0.5f};
        const int8_t output[3] = {-5, 7, 7};
        int8_t input[8];
        wrist_quantize(window, input);
        printf("\\n");
        for (i = 0; i < 8; i++) printf("%d ", input[i]);
        printf("%ld\\n", (long)wrist_label(output));
    }
    return 0;
}
"""


@pytest.mark.parametrize(
    ("language", "standard"),
    [*(("c", standard) for standard in ("c99", "c11", "c17")), *(("c++", f"c++{year}") for year in (11, 14, 17, 20))],
)
def test_compilers_read_what_python_wrote(tmp_path, model, language, standard):
    labels = ("circle", NASTY, "é1\x7f")
    (tmp_path / "wrist_model.h").write_text(header_of(model, labels=labels), encoding="utf-8")
    card = make_card(labels=labels)
    window = np.array([[0.1, -2.5], [1e30, 5.0], [-1e30, 90.0], [0.25, -0.5]], np.float32)
    expected_input = numerics.quantize(numerics.normalize(window, card.normalization), card.quantization.input)
    ran = 0
    for command in compilers(language):
        if command[-1] == "cc" and standard != "c11":
            continue
        suffix = ".c" if language == "c" else ".cpp"
        lines = compile_and_run(tmp_path, command, SHOW, suffix, f"-std={standard}", *STRICT).splitlines()
        ran += 1
        assert lines[0] == "4 2 2 3 3 2048"
        rate, *scales = (float.fromhex(text) for text in lines[1].split()[:3])
        assert (rate, *scales) == (50.0, card.quantization.input.scale, card.quantization.output.scale)
        assert lines[1].split()[3:] == ["-3", "-128"]
        constants = [[float.fromhex(text) for text in line.split()] for line in lines[2:4]]
        np.testing.assert_array_equal(np.float32(constants).T, np.float32([[0.1, -2.5], [1.7, 0.003]]))
        # C strings end at the first NUL.
        assert [bytes.fromhex(line).decode() for line in lines[4:7]] == [label.split("\0")[0] for label in labels]
        assert lines[7] == f"1.2.3 {hashlib.sha256(model).hexdigest()} 0"
        assert bytes.fromhex(lines[8]) == model
        assert lines[9].split() == [*map(str, expected_input.ravel().tolist()), "1"]
    if not ran:
        pytest.skip(f"no {language} compiler")


@pytest.mark.skipif(shutil.which("arm-none-eabi-gcc") is None, reason="no arm-none-eabi-gcc")
def test_on_a_cortex_m_the_model_lies_in_flash(tmp_path, model):
    (tmp_path / "wrist_model.h").write_text(header_of(model), encoding="utf-8")
    (tmp_path / "main.c").write_text('#include "wrist_model.h"\nconst void *const model = wrist_model;\n')
    build = [
        "arm-none-eabi-gcc",
        "-mcpu=cortex-m4",
        "-mthumb",
        "-c",
        "-fdata-sections",
        *STRICT,
        "main.c",
        "-o",
        "main.o",
    ]
    subprocess.run(build, cwd=tmp_path, check=True, capture_output=True)
    symbols = subprocess.run(["arm-none-eabi-objdump", "-t", "main.o"], cwd=tmp_path, check=True, capture_output=True)
    (line,) = [line for line in symbols.stdout.decode().splitlines() if line.endswith(" wrist_model")]
    assert ".rodata" in line
    assert int(line.split()[-2], 16) == len(model)


def test_the_same_input_gives_the_same_header(model):
    assert header_of(model) == header_of(model)
    program = (
        "import sys; sys.path.insert(0, sys.argv[1]); from tests.firmware.test_header_compilers import *; "
        "sys.stdout.buffer.write(hashlib.sha256(header_of(dense_model()).encode()).digest())"
    )
    root = str(HERE.parents[1])
    runs = [
        subprocess.run(
            [sys.executable, "-c", program, root],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    ]
    assert runs[0] == runs[1] == hashlib.sha256(header_of(model).encode()).digest()


def test_ops_that_tflite_micro_does_not_have_are_flagged(model):
    summary = summarize(read_model(model, "m"))
    odd = dataclasses.replace(summary, op_set=("CUSTOM Fancy*/Op", "GELU", "SOFTMAX", "VAR_HANDLE"))
    header = write_header(model, make_card(), odd)
    assert " * WARNING  op CUSTOM Fancy* /Op is not known to TensorFlow Lite Micro" in header
    assert " * WARNING  op GELU is not known" in header
    assert "MicroResourceVariables" in header
    assert "#define WRIST_OPS 2\n" in header


def test_a_model_without_ops_still_compiles(tmp_path, model):
    if not compilers("c++"):
        pytest.skip("no C++ compiler")
    none = dataclasses.replace(summarize(read_model(model, "m")), op_set=())
    (tmp_path / "wrist_model.h").write_text(write_header(model, make_card(), none), encoding="utf-8")
    source = '#include "wrist_model.h"\nint main() { int nothing = 0; return wrist_register_ops(nothing) ? 0 : 1; }\n'
    compile_and_run(tmp_path, compilers("c++")[0], source, ".cpp", "-std=c++11", "-Wall", "-Wextra", "-Werror")


def test_a_rate_that_is_not_known_is_not_claimed(model):
    axis = InputCard(
        window_samples=4, hop_samples=4, sample_rate_hz=1.0, rate_known=False, channels=make_card().input.channels
    )
    header = header_of(model, input=axis)
    assert " * rate     not known" in header
    assert "SAMPLE_RATE" not in header


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_float_literals_read_back_as_the_same_float32(value):
    text = float_literal(value, "x")
    assert re.fullmatch(r"-?\d+(\.\d+)?(e[+-]\d+)?f", text)
    assert "." in text or "e" in text
    assert np.float32(text.removesuffix("f")) == np.float32(value)


@given(st.text(alphabet=st.one_of(st.sampled_from("*/\\?\"'\n\r %é\u2028\u202e\0"), st.characters()), max_size=40))
def test_comment_text_cannot_leave_the_comment(text):
    found = comment_text(text)
    assert not re.search(r"\*/|/\*|\\|\?\?|[\x00-\x1f\x7f\u2028\u2029\u202e]", found)
    assert len(found.splitlines()) <= 1


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=40))
def test_c_strings_hold_the_text(text):
    literal = c_string(text)
    assert literal.isascii()
    assert literal.isprintable()
    assert not re.search(r"(?<!\\)\?\?", literal)
    escaped = re.sub(r"\\([0-7]{3})", lambda match: f"\\x{int(match[1], 8):02x}", literal[1:-1]).replace("\\?", "?")
    assert escaped.encode("ascii").decode("unicode_escape").encode("latin-1").decode("utf-8") == text


def test_every_op_of_tflite_micro_is_known():
    """Against the names of the kernels inside the installed interpreter."""
    micro = pytest.importorskip("tflite_micro", reason="tflite-micro is not installed")
    library = next(Path(micro.__file__).parent.rglob("_runtime.so")).read_bytes()
    kernels = {name.decode() for name in re.findall(rb"Register_([A-Z0-9_]+)Ev", library)}
    builtin = {op for op in RESOLVER_METHODS if not op.startswith("CUSTOM ")}
    assert builtin == kernels & set(schema.BUILTIN_OPS)
    assert {op.split()[1].upper() for op in set(RESOLVER_METHODS) - builtin} <= {
        "CIRCULAR_BUFFER",
        "TFLITE_DETECTION_POSTPROCESS",
    }
