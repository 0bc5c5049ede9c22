"""Layout of weights for the Armv8.1-M MVE kernels."""

from typing import Final

import numpy as np
import numpy.typing as npt

from edgecnn_firmware.compiler.ops.convolution import Conv1D, Dense

_GROUP: Final = 4
_STEP: Final = 16


def mve_scratch_bytes(op: Conv1D) -> int:
    """Bytes of two patches, each rounded up to sixteen."""
    return 2 * -(-op.window.kernel * op.inputs[0].channels // _STEP) * _STEP


def pack_sixteens(op: Conv1D | Dense) -> npt.NDArray[np.int8]:
    """Weights in the order that edgecnn_conv1d_mve.h and edgecnn_dense_mve.h state: `(groups, steps, 4, 16)`."""
    weights = op.weights.reshape(op.outputs_per_row, -1)
    out, products = weights.shape
    padded = np.zeros((-(-out // _GROUP) * _GROUP, -(-products // _STEP) * _STEP), np.int8)
    padded[:out, :products] = weights
    parts = padded.reshape(-1, _GROUP, padded.shape[1] // _STEP, _STEP)
    return np.ascontiguousarray(parts.transpose(0, 2, 1, 3))
