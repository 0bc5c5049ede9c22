"""What goes wrong with sensors, done to windows: noise, gain, offset, clock, lost samples, mounting.

Every function takes windows `(n, window_samples, channels)` in physical units and one level, and gives disturbed copies
as float32. Level 0 (1 for gain) changes nothing. Chance comes from the generator alone.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from edgecnn_bench.engines.protocol import Windows
from edgecnn_firmware.card import Card, ChannelCard

Deviations: TypeAlias = npt.NDArray[np.float64]
"""`(channels,)` standard deviations in physical units."""

Triple: TypeAlias = tuple[int, int, int]
"""Numbers of the channels that are x, y and z of one sensor."""

_AXIS_WORD: Final = re.compile(r"(?<![a-z])[xyz](?![a-z])")
_AXIS_AT_END: Final = re.compile(r"[xyz](?=\d*$)")
_AXIS_AT_START: Final = re.compile(r"^[xyz]")
_ELECTRICAL_UNITS: Final = frozenset({"v", "mv", "uv", "µv", "μv", "nv", "a", "ma", "ua", "µa", "μa", "ohm", "kohm"})
"""Leads x, y, z of an ECG or of electrodes do not turn with a housing."""


@dataclass(frozen=True)
class Disturbance:
    """One kind of trouble and the levels to try."""

    key: str
    title: str
    unit: str
    how: str
    levels: tuple[float, ...]
    neutral: float
    """The level that changes nothing."""
    apply: Callable[[Windows, float, np.random.Generator], Windows]


def disturbances(card: Card, windows: Windows) -> tuple[Disturbance, ...]:
    """All that can happen to this card's sensors; rotation only where channels come in triples x, y, z."""
    deviations, of = channel_deviations(card, windows)
    found = [
        Disturbance(
            "noise",
            "Sensor noise",
            f"{of} std",
            f"Independent Gaussian noise on every sample, its standard deviation a share of each channel's {of} standard "
            "deviation.",
            (0.0, 0.05, 0.1, 0.2, 0.5, 1.0),
            0.0,
            partial(_noise, deviations),
        ),
        Disturbance(
            "gain",
            "Wrong gain",
            "times",
            "All channels, in physical units, times the level.",
            (0.5, 0.7, 0.85, 1.0, 1.2, 1.5, 2.0),
            1.0,
            _gain,
        ),
        Disturbance(
            "offset",
            "Offset",
            f"{of} std",
            f"The level times each channel's {of} standard deviation added to all of its samples.",
            (-1.0, -0.5, -0.2, 0.0, 0.2, 0.5, 1.0),
            0.0,
            partial(_offset, deviations),
        ),
        Disturbance(
            "sample-rate",
            "Wrong sample rate",
            "%",
            "The sensor samples faster (positive) or slower than it should: windows resampled about their middle by linear "
            "interpolation; a slower sensor sees past the window, where the first and last samples are held.",
            (-10.0, -5.0, -2.0, 0.0, 2.0, 5.0, 10.0),
            0.0,
            _sample_rate,
        ),
        Disturbance(
            "dropped",
            "Lost samples",
            "%",
            "In each window a stretch of samples as long as the level's share of it, at a random place, is lost on all "
            "channels, and the last one that arrived is held instead; at the window's beginning, the next one.",
            (0.0, 2.0, 5.0, 10.0, 20.0, 40.0, 60.0),
            0.0,
            _dropped,
        ),
    ]
    if triples := xyz_triples(card.input.channels):
        names = "; ".join(", ".join(card.input.channels[index].name for index in triple) for triple in triples)
        found.append(
            Disturbance(
                "rotation",
                "Turned sensor",
                "degrees",
                f"The sensor turned by the level about a random axis, another one for each window ({names}).",
                (0.0, 5.0, 10.0, 20.0, 45.0, 90.0),
                0.0,
                partial(_rotation, triples),
            )
        )
    return tuple(found)


def channel_deviations(card: Card, windows: Windows) -> tuple[Deviations, str]:
    """Each channel's standard deviation, and what it is of: `training` or `measured`.

    A card of method `standard` holds that of the training part, as 1 / gain; otherwise it is that of `windows`.
    """
    gain = np.abs(np.asarray(card.normalization.gain, np.float64))
    if card.normalization.method == "standard" and np.all(gain > 0):
        return 1 / gain, "training"
    return windows.astype(np.float64).std(axis=(0, 1)), "measured"


def xyz_triples(channels: Sequence[ChannelCard]) -> tuple[Triple, ...]:
    """Channels of one unit whose names differ in nothing but x, y, z: `acc_x`, `acc_y`, `acc_z`, or `gx`, `gy`, `gz`.

    The axis is a letter that stands alone, else the last letter, else the first.
    """
    places: dict[tuple[str, str], dict[str, int]] = {}
    for index, channel in enumerate(channels):
        split = _axis(channel.name)
        if split is not None and channel.unit.strip().lower() not in _ELECTRICAL_UNITS:
            stem, axis = split
            places.setdefault((stem, channel.unit), {})[axis] = index
    return tuple((axes["x"], axes["y"], axes["z"]) for axes in places.values() if len(axes) == len("xyz"))


def _axis(name: str) -> tuple[str, str] | None:
    """The name without its axis, and the axis; None where it names none."""
    text = name.lower()
    for pattern in (_AXIS_WORD, _AXIS_AT_END, _AXIS_AT_START):
        if found := pattern.search(text):
            return f"{text[: found.start()]}*{text[found.end() :]}", found[0]
    return None


def _noise(deviations: Deviations, windows: Windows, level: float, choice: np.random.Generator) -> Windows:
    noise = choice.standard_normal(windows.shape, np.float32) * (level * deviations).astype(np.float32)
    return np.add(windows, noise, dtype=np.float32)


def _gain(windows: Windows, level: float, _: np.random.Generator) -> Windows:
    scaled: Windows = np.multiply(windows, np.float32(level), dtype=np.float32)
    return scaled


def _offset(deviations: Deviations, windows: Windows, level: float, _: np.random.Generator) -> Windows:
    return np.add(windows, (level * deviations).astype(np.float32), dtype=np.float32)


def _sample_rate(windows: Windows, level: float, _: np.random.Generator) -> Windows:
    """Sample `i` is taken `(i - middle) / (1 + level / 100)` true periods from the middle."""
    last = windows.shape[1] - 1
    at = np.clip(last / 2 + (np.arange(last + 1) - last / 2) / (1 + level / 100), 0, last)
    before = np.minimum(np.floor(at).astype(np.int64), max(0, last - 1))
    share = (at - before).astype(np.float32)[:, np.newaxis]
    after = np.minimum(before + 1, last)
    resampled: Windows = windows[:, before] * (1 - share) + windows[:, after] * share
    return resampled


def _dropped(windows: Windows, level: float, choice: np.random.Generator) -> Windows:
    n, samples, _ = windows.shape
    lost = min(samples - 1, round(samples * level / 100))
    first = np.floor(choice.random(n) * (samples - lost + 1)).astype(np.int64)[:, np.newaxis]
    at = np.arange(samples)
    held = np.where(first > 0, first - 1, lost)
    source = np.where((at >= first) & (at < first + lost), held, at)
    filled: Windows = windows[np.arange(n)[:, np.newaxis], source]
    return filled


def _rotation(triples: Sequence[Triple], windows: Windows, level: float, choice: np.random.Generator) -> Windows:
    """Rodrigues' formula: v cos(a) + (k x v) sin(a) + k (k . v) (1 - cos(a)) for a turn by `a` about the unit axis `k`."""
    axes = choice.standard_normal((len(windows), 1, 3))
    axes /= np.linalg.norm(axes, axis=-1, keepdims=True)
    cosine, sine = np.cos(np.deg2rad(level)), np.sin(np.deg2rad(level))
    turned: Windows = windows.copy()
    for triple in triples:
        vectors = windows[:, :, triple].astype(np.float64)
        along = (vectors * axes).sum(axis=-1, keepdims=True)
        turned[:, :, triple] = vectors * cosine + np.cross(axes, vectors) * sine + axes * along * (1 - cosine)
    return turned
