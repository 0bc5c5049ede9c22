"""What happens to values that are not there (empty, `?`, NaN)."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from edgecnn.project import DataSettings
from edgecnn_firmware.errors import DataError

Float64 = npt.NDArray[np.float64]


def bridge_missing(values: Float64, settings: DataSettings, place: Callable[[int, int], str]) -> Float64:
    """Return `values (length, channels)` without NaN: interpolated linearly where the project says so.

    Missing values before the first or after the last known one repeat it. `place(row, channel)` names a value.

    Raises:
        DataError: a value is missing and `data.missing` is 'error', a channel has no value, or one is infinite.
    """
    finite = np.isfinite(values)
    large = np.abs(np.where(finite, values, 0.0)) > np.finfo(np.float32).max
    if finite.all() and not large.any():
        return values
    large |= np.isinf(values)
    if large.any():
        row, channel = np.argwhere(large)[0].tolist()
        raise DataError(f"{place(row, channel)}: {values[row, channel]:g} is infinite or too large for float32")
    row, channel = np.argwhere(~finite)[0].tolist()
    if settings.missing == "error":
        raise DataError(
            f"{place(row, channel)}: the value is missing; set data.missing = 'interpolate' to bridge such values"
        )
    bridged: Float64 = values.copy()
    rows = np.arange(len(values))
    for column in np.flatnonzero(~finite.all(axis=0)).tolist():
        known = finite[:, column]
        if not known.any():
            raise DataError(f"{place(0, column)}: no value is there to interpolate from")
        bridged[~known, column] = np.interp(rows[~known], rows[known], values[known, column])
    return bridged
