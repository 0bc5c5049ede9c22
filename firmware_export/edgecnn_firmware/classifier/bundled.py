"""The classifier that a bundle holds: portable C99, its network checked against the bundle's own reference outputs."""

from typing import Final

import numpy as np

from edgecnn_firmware.card import Card, CompiledCard
from edgecnn_firmware.classifier.write import write_classifier
from edgecnn_firmware.compiler.emit.program import Program
from edgecnn_firmware.compiler.oracle import Oracle
from edgecnn_firmware.errors import ModelError
from edgecnn_firmware.numerics import Int8
from edgecnn_firmware.selftest.files import selftest_files

FOLDER: Final = "firmware/c"
MOST_CHECKED: Final = 32
"""Windows that the arithmetic is checked on; numpy takes milliseconds for each."""


def compile_for_bundle(
    model: bytes, card: Card, inputs: Int8, outputs: Int8
) -> tuple[dict[str, bytes], CompiledCard | None, str]:
    """Write a bundle's classifier, self-test and console for any core.

    Args:
        model: the int8 `.tflite` file.
        card: of the bundle, as far as it is known.
        inputs: `(n, window_samples, channels)` int8 windows.
        outputs: `(n, outputs)` what the reference kernels give for each, from the network's first state.

    Returns:
        The files by their names in the bundle, what the card says of them, and, where there are none, the reason.

    Raises:
        SettingsError: raw counts do not fit fixed point.
    """
    try:
        classifier = write_classifier(model, card, (inputs, outputs))
    except ModelError as error:
        return {}, None, str(error)
    network = classifier.network
    checked = min(len(inputs), MOST_CHECKED)
    wrong = _differing(network, inputs[:checked], outputs[:checked])
    if wrong:
        return {}, None, f"its arithmetic differs from the reference kernels on {wrong} of {checked} windows"
    compiled = CompiledCard(
        target=network.target,
        constant_bytes=network.constant_bytes,
        arena_bytes=network.arena.bytes,
        state_bytes=network.state_bytes,
        macs=network.graph.macs,
        checked_windows=checked,
    )
    files = {name: text.encode("utf-8") for name, text in classifier.files.items()}
    if not network.state_bytes:
        files |= selftest_files(network, model, inputs, outputs)
    return {f"{FOLDER}/{name}": data for name, data in sorted(files.items())}, compiled, ""


def _differing(program: Program, inputs: Int8, outputs: Int8) -> int:
    shape = program.graph.inputs[0].shape
    return sum(
        # Each window from the first state, as in every engine.
        not np.array_equal(Oracle(program.graph).run(window.reshape(shape))[0].reshape(-1), wanted.reshape(-1))
        for window, wanted in zip(inputs, outputs, strict=True)
    )
