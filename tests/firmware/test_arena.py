"""Arena bytes: the smallest arena that the interpreter takes, or a sentence that says why there is no figure."""

import importlib.util
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from edgecnn_firmware import arena
from edgecnn_firmware.arena import STEP_BYTES, measure_arena
from edgecnn_firmware.card import ArenaCard

needs_tflm = pytest.mark.skipif(
    importlib.util.find_spec("tflite_micro") is None, reason="TFLite Micro's interpreter is not installed"
)

RUN_ONCE = """
import sys
from tflite_micro.python.tflite_micro import runtime
runtime.Interpreter.from_bytes(sys.stdin.buffer.read(), arena_size=int(sys.argv[1])).invoke()
"""


def runs_with(model: bytes, arena_bytes: int) -> bool:
    done = subprocess.run(
        [sys.executable, "-c", RUN_ONCE, str(arena_bytes)], input=model, capture_output=True, check=False
    )
    return done.returncode == 0


def require_smallest(model: bytes) -> ArenaCard:
    card = measure_arena(model)
    assert isinstance(card, ArenaCard), card
    assert card.measured_bytes % STEP_BYTES == 0
    assert runs_with(model, card.measured_bytes)
    assert not runs_with(model, card.measured_bytes - STEP_BYTES)
    return card


@needs_tflm
def test_the_figure_of_a_tiny_model_is_the_smallest_that_runs(tiny: bytes) -> None:
    card = require_smallest(tiny)
    assert card.kernels == "reference"
    assert card.runtime.startswith("tflite-micro ")


@needs_tflm
def test_the_figure_of_a_real_model_is_the_smallest_that_runs(shared_models: Path) -> None:
    model = (shared_models / "har_b1.tflite").read_bytes()
    card = require_smallest(model)
    # The largest pair of activations alone takes 128 x 32 + 128 x 9 bytes.
    assert card.measured_bytes > 128 * 41
    assert measure_arena(model) == card


@needs_tflm
def test_a_hybrid_model_is_not_measured_and_the_reason_is_the_interpreters(shared_models: Path) -> None:
    model = (shared_models / "thirdparty" / "raadsr15__TinyML-HAR__gesture_model_optimized.tflite").read_bytes()
    said = measure_arena(model)
    assert isinstance(said, str)
    assert said.startswith("not measured: TFLite Micro cannot run this model (")
    assert "Traceback" not in said
    assert "\n" not in said


@needs_tflm
@pytest.mark.parametrize("data", [b"", b"garbage" * 9, b"\x1c\0\0\0TFL3" + bytes(100)])
def test_garbage_is_not_measured(data: bytes) -> None:
    said = measure_arena(data)
    assert isinstance(said, str)
    assert said.startswith("not measured: ")
    assert "Traceback" not in said


def test_a_run_that_takes_too_long_is_given_up(monkeypatch: pytest.MonkeyPatch, tiny: bytes) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    said = measure_arena(tiny, timeout_s=0.001)
    assert said == "not measured: TFLite Micro did not finish within 0.001 s"


def test_a_missing_interpreter_is_named_with_its_command(monkeypatch: pytest.MonkeyPatch, tiny: bytes) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    said = measure_arena(tiny)
    assert isinstance(said, str)
    assert "pip install 'edgecnn[boards]'" in said


@pytest.mark.parametrize(
    ("code", "out", "err", "expected"),
    [
        (
            1,
            b"",
            b"Didn't find op for builtin opcode 'CONV_2D'\nTraceback (most recent call last):\n  x\nRuntimeError: no\n",
            "Didn't find op",
        ),
        (1, b"", b'Traceback (most recent call last):\n  File "x"\nRuntimeError: broken\n', "(RuntimeError: broken)"),
        (-11, b"", b"", "its process ended with code -11"),
        (0, b"", b"", "its process ended with code 0"),
        (0, b"\nnot json\n", b"", "its process ended with code 0"),
        (1, b"", b"\xff\xfe" * 500, "cannot run this model"),
    ],
)
def test_what_the_process_says_becomes_one_sentence(
    monkeypatch: pytest.MonkeyPatch, tiny: bytes, code: int, out: bytes, err: bytes, expected: str
) -> None:
    def ended(command: list[str], **options: Any) -> "subprocess.CompletedProcess[bytes]":
        return subprocess.CompletedProcess(command, code, out, err)

    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    monkeypatch.setattr(arena.subprocess, "run", ended)
    said = measure_arena(tiny)
    assert isinstance(said, str)
    assert expected in said
    assert len(said) < 300
    assert "\n" not in said
