"""Find windows that occur in two parts byte for byte: copies of a recording under another name and group."""

import hashlib
from collections.abc import Iterable, Mapping
from itertools import combinations
from typing import Final

import numpy as np
import numpy.typing as npt

from edgecnn.data.recording import Part
from edgecnn_firmware.progress import Progress, silent

_DIGEST_BYTES: Final = 8
"""A million windows in each part meet by chance with a probability of 5e-8."""


def duplicate_sentences(
    parts: Mapping[Part, Iterable[npt.NDArray[np.float32]]], progress: Progress = silent
) -> tuple[str, ...]:
    """Say for every two parts how many windows of the later one are identical to one of the earlier.

    Each part is given as blocks `(windows, window_samples, channels)`. Identical windows are counted, not refused: a
    sensor at rest may well give the same window twice.
    """
    digests = {part: _digests(blocks, part, progress) for part, blocks in parts.items()}
    sentences = []
    for first, second in combinations(digests, 2):
        same, total = int(np.isin(digests[second], digests[first]).sum()), len(digests[second])
        sentences.append(f"{first} and {second}: {same} of {total} {second} windows identical byte for byte")
    return tuple(sentences)


def _digests(blocks: Iterable[npt.NDArray[np.float32]], part: str, progress: Progress) -> npt.NDArray[np.uint64]:
    found = bytearray()
    for block in blocks:
        for window in block:
            found += hashlib.blake2b(window.tobytes(), digest_size=_DIGEST_BYTES).digest()
        progress(f"compare {part} windows", len(found) // _DIGEST_BYTES, 0)
    return np.frombuffer(bytes(found), dtype=np.uint64)
