"""An int8 network's ends: windows in physical units to its input, its output to probabilities and a label."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edgecnn_bench.engines.protocol import RunOutputs, Window, Windows
from edgecnn_firmware import numerics
from edgecnn_firmware.card import Card, TensorQuantization
from edgecnn_firmware.errors import ModelError


@dataclass(frozen=True)
class Tensor:
    """The network's input or output, as the engine that loaded it describes it."""

    dtype: str
    shape: tuple[int, ...]
    scale: float
    zero_point: int


class Int8Ends:
    """What the bundle's card and the network's own quantization make of windows and outputs."""

    def __init__(self, card: Card, into: Tensor, out: Tensor) -> None:
        """Check the network against the card.

        Raises:
            ModelError: a tensor is not int8 or not of the card's shape.
        """
        samples, channels = card.input.window_samples, len(card.input.channels)
        for tensor, role, shape in ((into, "input", (1, samples, channels)), (out, "output", (1, card.output_count))):
            if tensor.dtype != "int8" or tensor.shape != shape:
                found = f"{tensor.dtype} {tensor.shape}"
                raise ModelError(f"the model's {role} is {found}; by the card it is int8 {shape}")
        self.card = card
        self._into = TensorQuantization(scale=into.scale, zero_point=into.zero_point)
        self._out = TensorQuantization(scale=out.scale, zero_point=out.zero_point)

    def encode(self, windows: Windows | Window) -> npt.NDArray[np.int8]:
        """Windows `(..., window_samples, channels)` as the network takes them."""
        return numerics.quantize(numerics.normalize(windows, self.card.normalization), self._into)

    def outputs(self, found: Sequence[npt.NDArray[np.int8]]) -> RunOutputs:
        """Put the outputs of all chunks `(n, outputs)` together."""
        raw = np.concatenate(found)
        return RunOutputs(raw, numerics.probabilities(raw, self._out), self._out)

    def label(self, output: npt.NDArray[np.int8]) -> int:
        """One output `(outputs,)` to the number of its label."""
        probabilities = numerics.probabilities(output[np.newaxis], self._out)
        return int(numerics.decide(probabilities, self.card.output)[0])
