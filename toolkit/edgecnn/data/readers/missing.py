"""What happens to values that are not there (empty, `?`, NaN)."""

import numpy as np
import numpy.typing as npt

from edgecnn.project import DataSettings
from edgecnn_firmware.errors import DataError

Float64 = npt.NDArray[np.float64]


def bridge_missing(
    values: Float64, settings: DataSettings, where: str, row_word: str = "row", first: int = 1
) -> Float64:
    """Return `values (length, channels)` without NaN: interpolated linearly where the project says so.

    Missing values before the first or after the last known one repeat it. `first` is the number of the first row.

    Raises:
        DataError: a value is missing and `data.missing` is 'error', a channel has no value, or one is infinite.
    """
    finite = np.isfinite(values)
    if finite.all() and not (np.abs(values) > np.finfo(np.float32).max).any():
        return values
    large = np.isinf(values) | (np.abs(np.where(finite, values, 0.0)) > np.finfo(np.float32).max)
    if large.any():
        row, channel = np.argwhere(large)[0]
        raise DataError(f"{where}: {row_word} {row + first}, channel {channel}: infinite or too large for float32")
    row, channel = np.argwhere(~finite)[0]
    if settings.missing == "error":
        raise DataError(
            f"{where}: {row_word} {row + first}, channel {channel}: the value is missing; set data.missing = "
            "'interpolate' to bridge such values"
        )
    bridged: Float64 = values.copy()
    rows = np.arange(len(values))
    for column in np.flatnonzero(~finite.all(axis=0)):
        known = finite[:, column]
        if not known.any():
            raise DataError(f"{where}: channel {column} has no value at all")
        bridged[~known, column] = np.interp(rows[~known], rows[known], values[known, column])
    return bridged
