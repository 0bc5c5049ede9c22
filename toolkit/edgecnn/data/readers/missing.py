"""What happens to values that are not there (empty, `?`, NaN)."""

from collections.abc import Callable
from itertools import pairwise
from typing import Final

import numpy as np
import numpy.typing as npt

from edgecnn.project import DataSettings
from edgecnn_firmware.errors import DataError

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]

DEFAULT_GAP_PERIODS: Final = 5.0
"""The longest step between known values that is bridged where `data.max_gap_s` is unset."""


def longest_run(settings: DataSettings, rate_hz: float | None) -> int:
    """Most missing values in a row that are bridged: the step over them is no longer than `data.max_gap_s`."""
    known = settings.max_gap_s is not None and rate_hz is not None
    periods = settings.max_gap_s * rate_hz if known else DEFAULT_GAP_PERIODS  # type: ignore[operator]
    return max(0, int(min(periods, 2.0**62) + 1e-6) - 1)


def bridge_missing(
    values: Float64, settings: DataSettings, rate_hz: float | None, place: Callable[[int, int], str]
) -> Float64:
    """Return `values (length, channels)` without NaN: interpolated linearly where the project says so.

    Missing values before the first or after the last known one repeat it. `place(row, channel)` names a value.

    Raises:
        DataError: a value is missing and `data.missing` is 'error', too many in a row are, or one is infinite.
    """
    finite = np.isfinite(values)
    large = np.abs(np.where(finite, values, 0.0)) > np.finfo(np.float32).max
    if finite.all() and not large.any():
        return values
    large |= np.isinf(values)
    if large.any():
        row, channel = np.argwhere(large)[0].tolist()
        raise DataError(f"{place(row, channel)}: {values[row, channel]:g} is infinite or too large for float32")
    if settings.missing == "error":
        row, channel = np.argwhere(~finite)[0].tolist()
        raise DataError(
            f"{place(row, channel)}: the value is missing; set data.missing = 'interpolate' to bridge such values"
        )
    _check_runs(finite, longest_run(settings, rate_hz), place)
    bridged: Float64 = values.copy()
    rows = np.arange(len(values))
    for column in np.flatnonzero(~finite.all(axis=0)).tolist():
        known = finite[:, column]
        if not known.any():
            raise DataError(f"{place(0, column)}: no value is there to interpolate from")
        bridged[~known, column] = np.interp(rows[~known], rows[known], values[known, column])
    return bridged


def _check_runs(finite: npt.NDArray[np.bool_], longest: int, place: Callable[[int, int], str]) -> None:
    for column in np.flatnonzero(~finite.all(axis=0)).tolist():
        known = np.flatnonzero(finite[:, column]).tolist()
        for before, after in pairwise([-1, *known, len(finite)]):
            if after - before - 1 > longest:
                raise DataError(
                    f"{place(before + 1, column)}: {after - before - 1} values in a row are missing, at most {longest} "
                    "are bridged; cut the file there, or raise data.max_gap_s"
                )


class Bridge:
    """Bridges the missing values of a recording that comes piece by piece, as if it came at once."""

    def __init__(self, settings: DataSettings, place: Callable[[int, int], str]) -> None:
        """`place(row_number, channel)` names a value."""
        self._settings = settings
        self._place = place
        self._held: Float64 | None = None
        self._rows: Int64 = np.zeros(0, np.int64)
        self._given = 0
        """How many of the rows that are held were returned before."""

    def add(self, values: Float64, rows: Int64, rate_hz: Callable[[], float | None]) -> Float64:
        """Return the rows that no later row changes; `rate_hz` is asked for where values are missing.

        Raises:
            DataError: as `bridge_missing`.
        """
        if self._settings.missing == "error":
            return self._bridged(values, rows, None)
        held = np.zeros((0, values.shape[1])) if self._held is None else self._held
        values, rows = np.concatenate((held, values)), np.concatenate((self._rows, rows))
        complete = np.flatnonzero(np.isfinite(values).all(axis=1))
        last = int(complete[-1]) if len(complete) else -1
        settled: Float64 = self._bridged(values[: last + 1], rows, rate_hz())[self._given :]
        # The last row without a gap stays: a gap after it starts there.
        first = max(last, 0)
        self._held, self._rows, self._given = values[first:].copy(), rows[first:], int(last >= 0)
        # Looked at now, so that what is held stays small.
        _check_runs(np.isfinite(self._held), longest_run(self._settings, rate_hz()), self._at)
        return settled

    def finish(self, rate_hz: Callable[[], float | None]) -> Float64 | None:
        """Return the rows that are left, None if there are none.

        Raises:
            DataError: as `bridge_missing`.
        """
        if self._held is None:
            return None
        rest: Float64 = self._bridged(self._held, self._rows, rate_hz())[self._given :]
        return rest

    def _bridged(self, values: Float64, rows: Int64, rate_hz: float | None) -> Float64:
        return bridge_missing(
            values, self._settings, rate_hz, lambda row, channel: self._place(int(rows[row]), channel)
        )

    def _at(self, row: int, channel: int) -> str:
        return self._place(int(self._rows[row]), channel)
