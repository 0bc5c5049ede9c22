"""From time stamps to a rate: units, gaps, and whether the steps are even."""

import re
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from edgecnn.data.readers.missing import DEFAULT_GAP_PERIODS
from edgecnn.project import DataSettings
from edgecnn_firmware.errors import DataError

Float64 = npt.NDArray[np.float64]

UNIT_SECONDS: Final = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}
UNEVEN_STEP: Final = 0.5
"""A step that is off by more than this share of the period makes stamps uneven."""
UNEVEN_DRIFT: Final = 0.01
"""A recording whose own mean rate is off by more than this share needs resampling."""

_TIME_NAME = re.compile(
    r"(time|timestamp|time_stamp|t|ts|elapsed|elapsed_time|datetime|date_time|date|epoch|ms|us|ns|millis|micros|seconds)"
    r"([ _]?[\[(]?(s|sec|secs|seconds|ms|millis|msec|us|micros|usec|ns|utc)[\])]?)?"
)
_UNIT_OF_WORD: Final = {
    **dict.fromkeys(("s", "sec", "secs", "seconds"), "s"),
    **dict.fromkeys(("ms", "millis", "msec"), "ms"),
    **dict.fromkeys(("us", "micros", "usec"), "us"),
    "ns": "ns",
}


class UnevenStamps(DataError):
    """Time stamps are not even; `rate_hz` is a rate to resample to."""

    def __init__(self, line: str, rate_hz: float) -> None:
        super().__init__(line)
        self.rate_hz = rate_hz


@dataclass(frozen=True)
class Pace:
    """The steps between the time stamps of one recording, in seconds."""

    typical_s: float
    """The mean of the steps that are near their median."""
    mean_s: float
    least_s: float
    most_s: float

    def is_even(self, period_s: float) -> bool:
        """Whether every step is near `period_s`, and so is their mean."""
        near = max(self.most_s - period_s, period_s - self.least_s) <= UNEVEN_STEP * period_s
        return near and abs(self.mean_s / period_s - 1.0) <= UNEVEN_DRIFT

    def own_rate_hz(self) -> float | None:
        """The rate at which the stamps of this recording alone are even; None if they are not."""
        rates = (tidy_rate(1.0 / step) for step in (self.typical_s, self.mean_s))
        return next((rate_hz for rate_hz in rates if self.is_even(1.0 / rate_hz)), None)


def is_time_name(name: str) -> bool:
    """Whether a column of this name holds time stamps."""
    return _TIME_NAME.fullmatch(name.strip().casefold()) is not None


def unit_of(name: str, raw: Float64, settings: DataSettings) -> str:
    """Choose the unit of numeric stamps: as set, as the column's name ends, or as the step suggests."""
    if settings.time_unit != "auto":
        return settings.time_unit
    words = [word for word in re.split(r"[^a-z]+", name.casefold()) if word]
    if words and words[-1] in _UNIT_OF_WORD:
        return _UNIT_OF_WORD[words[-1]]
    for least, unit in ((1e17, "ns"), (1e14, "us"), (1e11, "ms"), (1e9, "s")):
        if len(raw) and abs(raw[0]) >= least:
            return unit
    steps = np.diff(raw)
    step = float(np.median(np.abs(steps))) if len(steps) else 0.0
    whole = bool((raw[:1000] == np.rint(raw[:1000])).all())
    if not whole or step < 1:
        return "s"
    return "ms" if step < 1e3 else "us" if step < 1e6 else "ns"


def pace_of(times_s: Float64, rows: npt.NDArray[np.int64], settings: DataSettings, where: str) -> Pace:
    """Measure the steps of at least two stamps; `rows` are their line numbers, for errors.

    Raises:
        DataError: time stands still or goes back, or there is a gap that may not be bridged.
    """
    steps = np.diff(times_s)
    stuck = np.flatnonzero(~(steps > 0))
    if len(stuck):
        at = int(stuck[0])
        how = "repeats" if steps[at] == 0 else "goes back"
        raise DataError(
            f"{where}: row {rows[at + 1]}: time {how} ({times_s[at + 1] - times_s[0]:.6g} s after "
            f"{times_s[at] - times_s[0]:.6g} s); separate recordings by data.recording_column or rows_per_recording, "
            "or give data.sample_rate_hz to ignore the stamps"
        )
    median = float(np.median(steps))
    longest = settings.max_gap_s if settings.max_gap_s is not None else DEFAULT_GAP_PERIODS * median
    gaps = np.flatnonzero(steps > longest * (1 + 1e-9))
    if len(gaps):
        at = int(gaps[0])
        raise DataError(
            f"{where}: row {rows[at + 1]}: a gap of {steps[at]:.6g} s (typical step {median:.6g} s, longest allowed "
            f"{longest:.6g} s); cut the file there, or raise data.max_gap_s to bridge it"
        )
    typical = float(steps[np.abs(steps - median) <= UNEVEN_STEP * median].mean())
    return Pace(typical, float(steps.mean()), float(steps.min()), float(steps.max()))


def shared_rate(paces: dict[str, Pace], settings: DataSettings) -> float:
    """The rate in Hz of recordings whose stamps are even; `paces` by recording name.

    The steps near the median give it, or all steps where stamps are rounded too coarsely for that.

    Raises:
        UnevenStamps: recordings have different rates, or the stamps of one are uneven, so that resampling is needed.
    """
    for steps in ([pace.typical_s for pace in paces.values()], [pace.mean_s for pace in paces.values()]):
        rate_hz = tidy_rate(1.0 / float(np.median(steps)))
        if all(pace.is_even(1.0 / rate_hz) for pace in paces.values()):
            return rate_hz
    _check_own_rates(paces, settings)
    name, pace = next((name, pace) for name, pace in paces.items() if not pace.is_even(1.0 / rate_hz))
    raise UnevenStamps(
        f"{settings.path}: {name}: time stamps are uneven (steps of {pace.least_s:.6g} to {pace.most_s:.6g} s, mean "
        f"{pace.mean_s:.6g} s; {rate_hz:g} Hz would be a step of {1 / rate_hz:.6g} s); set "
        f"data.resample_hz = {rate_hz:g}",
        rate_hz,
    )


def _check_own_rates(paces: dict[str, Pace], settings: DataSettings) -> None:
    """Raise `UnevenStamps` if each recording is even at a rate of its own."""
    own = {name: rate_hz for name, pace in paces.items() if (rate_hz := pace.own_rate_hz()) is not None}
    if len(own) < len(paces) or len(set(own.values())) < 2:
        return
    first, *others = own
    other = next(name for name in others if own[name] != own[first])
    usual = max(sorted(set(own.values())), key=list(own.values()).count)
    raise UnevenStamps(
        f"{settings.path}: '{first}' has {own[first]:g} Hz, '{other}' has {own[other]:g} Hz; set data.resample_hz = "
        f"{usual:g}",
        usual,
    )


def tidy_rate(rate_hz: float) -> float:
    """Round a measured rate to a whole number if that is within 0.5 %, to three digits otherwise."""
    whole = round(rate_hz)
    return float(whole) if whole and abs(rate_hz / whole - 1) <= 0.005 else float(f"{rate_hz:.3g}")
