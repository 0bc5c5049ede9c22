"""Small Keras models of one layer, converted as the project converts; and the table of what layers become."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from edgecnn_firmware.compiler.compile import compile_model
from edgecnn_firmware.errors import ModelError
from edgecnn_firmware.tflite.reader import read_model

from .keras_layers import GROUPS, Case

DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "compiler.md"
BEGIN, END = "<!-- Keras layers: begin -->\n", "<!-- Keras layers: end -->\n"
_EVERYWHERE = ("RESHAPE", "QUANTIZE", "DEQUANTIZE")
"""Ops that say nothing about a layer; whether the converter quantizes anew varies from run to run."""
_CASES = [case for cases in GROUPS.values() for case in cases]
_HEAD = "| Keras layer | options that are tested | TFLite ops | C |\n|---|---|---|---|\n"


shelf: Path | None = None
"""Where the processes of one run leave files for each other; none: every process converts for itself."""


@cache
def converted(case: Case) -> bytes:
    """The int8 `.tflite` file of a case; weights and windows follow from a fixed seed."""
    if shelf is None:
        return _converted(case)
    kept = shelf / f"{_CASES.index(case)}.tflite"
    if not kept.is_file():
        made = shelf / f"{kept.stem}.{os.getpid()}"
        made.write_bytes(_converted(case))
        made.replace(kept)
    return kept.read_bytes()


def _converted(case: Case) -> bytes:
    pytest.importorskip("tensorflow", reason="TensorFlow is not installed")
    from edgecnn.quantization.convert import _convert, _with_batch_1
    from edgecnn.tensorflow_setup import import_keras

    keras = import_keras()
    window = keras.Input(case.shape)
    model = keras.Model(window, case.build(keras.layers, window))
    rng = np.random.default_rng(0)
    for weight in model.weights:
        if weight.dtype.startswith("float"):
            positive = "variance" in weight.path or "gamma" in weight.path
            drawn = rng.uniform(0.5, 2, weight.shape) if positive else rng.normal(0, 0.4, weight.shape)
            weight.assign(drawn)
    windows = rng.normal(0, 1, (16, *case.shape)).astype(np.float32)
    # `convert` itself refuses files that keep ops on floats, which the compiler turns into tables.
    return _convert(_with_batch_1(model), "int8", windows)


@dataclass(frozen=True)
class Row:
    """A line of the table."""

    layer: str
    options: list[str]
    ops: list[str]
    reason: str


def rows() -> Iterator[Row]:
    """One row for each layer, or for each activation, and one for each refusal."""
    found: dict[tuple[str, str], Row] = {}
    for case in _CASES:
        if "activation=" in case.option and case.layer == "Conv1D":
            continue
        name = f'Activation("{case.option}")' if case.layer == "Activation" else case.layer
        option = "" if case.layer == "Activation" else case.option
        reason = _reason(case)
        row = found.setdefault((name, reason), Row(name, [], [], reason))
        row.options.append(option)
        for op in read_model(converted(case), case.name).main.operators:
            if op.name not in (*row.ops, *_EVERYWHERE):
                row.ops.append(op.name)
    yield from found.values()


def _reason(case: Case) -> str:
    """Why a case is refused, or nothing."""
    try:
        compile_model(converted(case), case.name, "net")
    except ModelError as error:
        why = re.sub(r"^.*?: op #\d+ (\w+).*?': ", r"\1: ", str(error))
        return why.partition("; compiled are")[0]
    return ""


def _summary(options: list[str]) -> str:
    """Arguments by position, then each option with all of its values."""
    positions: list[str] = []
    values: dict[str, list[str]] = {}
    for option in options:
        words = re.split(r", (?![^(\[]*[)\]])", option) if option else []
        plain = ", ".join(word for word in words if "=" not in word)
        if plain and plain not in positions:
            positions.append(plain)
        for name, _, value in (word.partition("=") for word in words if "=" in word):
            if value not in values.setdefault(name, []):
                values[name].append(value)
    parts = [f"`{position}`" for position in positions]
    parts += [f"`{name}` {', '.join(found)}" for name, found in values.items()]
    return "; ".join(parts) or "none"


def table() -> str:
    """The table in Markdown."""
    lines = [
        f"| {row.layer} | {_summary(row.options)} | {', '.join(row.ops) or 'none'} | {row.reason or 'compiled'} |"
        for row in rows()
    ]
    return _HEAD + "\n".join(lines) + "\n"


def documented() -> str:
    """The table in the document."""
    return DOCUMENT.read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0]


def main() -> None:
    """Write the table into the document."""
    text = DOCUMENT.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    DOCUMENT.write_text(before + BEGIN + table() + END + rest.partition(END)[2], encoding="utf-8")


if __name__ == "__main__":
    main()
