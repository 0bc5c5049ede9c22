"""Open `.npy` arrays without trusting them: no pickles, and no shape that the file is too short for."""

import tokenize
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgecnn_firmware.errors import DataError


def open_npy(path: Path) -> npt.NDArray[Any]:
    """Memory-map a `.npy` file.

    Raises:
        DataError: it is no array file, is cut off, or holds Python objects.
    """
    try:
        array: npt.NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    except (
        OSError, ValueError, EOFError, TypeError, SyntaxError, OverflowError, MemoryError, tokenize.TokenError,
    ) as error:  # fmt: skip
        raise DataError(f"{path}: no readable .npy array ({' '.join(str(error).split())[:120]})") from error
    if not isinstance(array, np.ndarray):
        raise DataError(f"{path}: no .npy array")
    return array
