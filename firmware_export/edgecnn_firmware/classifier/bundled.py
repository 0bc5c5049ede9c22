"""The compiled network that a bundle holds: portable C99, checked against the bundle's own reference outputs."""

from typing import Final

import numpy as np
import numpy.typing as npt

from edgecnn_firmware.card import CompiledCard
from edgecnn_firmware.compiler.compile import compile_model
from edgecnn_firmware.compiler.emit.program import Program
from edgecnn_firmware.compiler.oracle import Oracle
from edgecnn_firmware.errors import ModelError

FOLDER: Final = "firmware/c"
MOST_CHECKED: Final = 32
"""Windows that the arithmetic is checked on; numpy takes milliseconds for each."""


def compile_for_bundle(
    model: bytes, name: str, inputs: npt.NDArray[np.int8], outputs: npt.NDArray[np.int8]
) -> tuple[dict[str, bytes], CompiledCard | None, str]:
    """Compile a bundle's model for any core.

    Args:
        model: the int8 `.tflite` file.
        name: the bundle's name, which becomes the C prefix.
        inputs: `(n, window_samples, channels)` int8 windows.
        outputs: `(n, outputs)` what the reference kernels give for them.

    Returns:
        The files by their names in the bundle, what the card says of them, and, where there are none, the reason.
    """
    try:
        program = compile_model(model, "model.tflite", name)
    except ModelError as error:
        return {}, None, str(error)
    checked = min(len(inputs), MOST_CHECKED)
    wrong = _differing(program, inputs[:checked], outputs[:checked])
    if wrong:
        return {}, None, f"its arithmetic differs from the reference kernels on {wrong} of {checked} windows"
    card = CompiledCard(
        target=program.target,
        constant_bytes=program.constant_bytes,
        arena_bytes=program.arena.bytes,
        state_bytes=program.state_bytes,
        macs=program.graph.macs,
        checked_windows=checked,
    )
    return {f"{FOLDER}/{file}": text.encode("utf-8") for file, text in program.files.items()}, card, ""


def _differing(program: Program, inputs: npt.NDArray[np.int8], outputs: npt.NDArray[np.int8]) -> int:
    oracle = Oracle(program.graph)
    shape = program.graph.inputs[0].shape
    return sum(
        not np.array_equal(oracle.run(window.reshape(shape))[0].reshape(-1), wanted.reshape(-1))
        for window, wanted in zip(inputs, outputs, strict=True)
    )
