"""Check that the parts of a split share nothing, without looking at how the split was made."""

from collections.abc import Mapping
from itertools import combinations

import numpy as np
import numpy.typing as npt

from edgecnn.data.labels import listed
from edgecnn.data.recording import Part
from edgecnn.data.windows import WindowIndex
from edgecnn_firmware.errors import DataError

Int64 = npt.NDArray[np.int64]


def prove(index: WindowIndex, parts: Mapping[Part, Int64]) -> tuple[str, ...]:
    """Compare groups, recordings and sample ranges between every two parts; return a sentence with figures for each.

    Raises:
        DataError: two parts share samples, a recording or a group, or a window is in a part twice.
    """
    for part, rows in parts.items():
        _check_rows(index, part, rows)
    return tuple(
        _compare(index, first, parts[first], second, parts[second]) for first, second in combinations(parts, 2)
    )


def _check_rows(index: WindowIndex, part: str, rows: Int64) -> None:
    if len(rows) and (rows.min() < 0 or rows.max() >= len(index)):
        raise DataError(f"split: the {part} part holds a window that does not exist")
    if len(np.unique(rows)) < len(rows):
        raise DataError(f"split: the {part} part holds a window twice")


def _compare(index: WindowIndex, first: str, first_rows: Int64, second: str, second_rows: Int64) -> str:
    both = f"{first} and {second}"
    overlapping = _overlapping(index, first_rows, second_rows)
    if len(overlapping):
        row = overlapping[0]
        name = index.dataset.recordings[index.recording[row]].name
        raise DataError(
            f"split: {both} share samples: {len(overlapping)} windows overlap, the first at sample {index.start[row]} "
            f"of '{name}'; assign whole groups (split.method 'group')"
        )
    recordings = _shared(index.recording[first_rows], index.recording[second_rows])
    if len(recordings):
        names = listed((index.dataset.recordings[number].name for number in recordings), 5)
        raise DataError(f"split: {both} share {len(recordings)} recordings ({names}); assign whole groups")
    groups = _shared(index.group[first_rows], index.group[second_rows])
    if len(groups):
        names = listed((index.group_names[number] for number in groups), 5)
        raise DataError(
            f"split: {both} share {len(groups)} groups ({names}); use split.method 'group', which keeps groups whole"
        )
    counted = [
        f"{len(np.unique(of[first_rows]))} and {len(np.unique(of[second_rows]))} {what}, 0 shared"
        for of, what in ((index.group, "groups"), (index.recording, "recordings"))
    ]
    return f"{both}: {'; '.join(counted)}; {len(first_rows)} and {len(second_rows)} windows, 0 overlap"


def _shared(first: npt.NDArray[np.int32], second: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    return np.intersect1d(first, second)


def _overlapping(index: WindowIndex, first: Int64, second: Int64) -> Int64:
    """Find the windows of `first` whose samples overlap a window of `second`.

    Every recording gets its own stretch of one long axis. A window overlaps as many others as begin before its stop,
    less those that have stopped by its start.
    """
    lengths = np.array([recording.length for recording in index.dataset.recordings], dtype=np.int64)
    offsets = np.cumsum(lengths) - lengths
    starts = offsets[index.recording] + index.start
    stops = starts + index.available
    begun = np.searchsorted(np.sort(starts[second]), stops[first], side="left")
    over = np.searchsorted(np.sort(stops[second]), starts[first], side="right")
    return first[begun > over]
