"""Random changes to training windows: pure NumPy, a whole batch at once.

Every transform takes windows `(n, length, channels)` float32 and returns windows of the same shape and type; strength
0 changes nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from edgecnn.project import AugmentSettings
from edgecnn_firmware.errors import SettingsError

Floats: TypeAlias = npt.NDArray[np.float32]

_PHYSICAL: Final = 0
_NORMALIZED: Final = 1
_WARP_KNOTS: Final = 4
_WANDER_PERIODS: Final = (0.2, 2.0)
_FILTER_SHARE: Final = 0.06
_SHORTEST_FILTER: Final = 5


@dataclass(frozen=True)
class Augmenter:
    """The project's augmentation; the changes depend on (seed, epoch, batch) alone, so that training can be resumed."""

    settings: AugmentSettings
    seed: int

    def physical(self, windows: Floats, epoch: int, batch: int) -> Floats:
        """Rotate sensors and change their gain: in physical units, where axes share one scale and a gain acts on it all."""
        settings, rng = self.settings, self._rng(epoch, batch, _PHYSICAL)
        if settings.rotation_deg > 0:
            _require_axes(settings.rotation_axes, windows.shape[2])
            windows = rotation(windows, rng, settings.rotation_deg, settings.rotation_axes)
        with np.errstate(over="ignore", invalid="ignore"):
            return scaling(windows, rng, settings.scaling)

    def normalized(self, windows: Floats, targets: Floats, epoch: int, batch: int) -> tuple[Floats, Floats]:
        """Apply all other changes to normalized windows; mixing makes the targets `(n, outputs)` soft."""
        settings, rng = self.settings, self._rng(epoch, batch, _NORMALIZED)
        # Absurd values end in a loss that is not finite, and that error says more than an overflow here.
        with np.errstate(over="ignore", invalid="ignore"):
            windows = stretch(windows, rng, settings.stretch)
            windows = warp(windows, rng, settings.warp)
            windows = shift(windows, rng, settings.shift)
            windows = reshape_events(windows, rng, settings.filter)
            windows = offset(windows, rng, settings.offset)
            windows = wander(windows, rng, settings.wander)
            windows = jitter(windows, rng, settings.jitter)
            return mixup(windows, targets, rng, settings.mixup)

    def _rng(self, epoch: int, batch: int, stream: int) -> np.random.Generator:
        return np.random.Generator(np.random.Philox(np.random.SeedSequence([self.seed, epoch, batch, stream])))


def jitter(windows: Floats, rng: np.random.Generator, deviation: float) -> Floats:
    """Add Gaussian noise of standard deviation `deviation`."""
    if deviation == 0:
        return windows
    noise: Floats = rng.standard_normal(windows.shape, np.float32)
    noise *= np.float32(deviation)
    noise += windows
    return noise


def scaling(windows: Floats, rng: np.random.Generator, deviation: float) -> Floats:
    """Multiply each window by a gain `1 + deviation * normal`, the same for all channels: sensors differ in gain."""
    if deviation == 0:
        return windows
    gains: Floats = 1 + np.float32(deviation) * rng.standard_normal((len(windows), 1, 1), np.float32)
    return windows * gains


def offset(windows: Floats, rng: np.random.Generator, deviation: float) -> Floats:
    """Add `deviation * normal` to each channel of each window, the same at all times."""
    if deviation == 0:
        return windows
    count, _, channels = windows.shape
    constants: Floats = np.float32(deviation) * rng.standard_normal((count, 1, channels), np.float32)
    return windows + constants


def wander(windows: Floats, rng: np.random.Generator, deviation: float) -> Floats:
    """Add a slow sine to each channel: amplitude `deviation * normal`, one frequency and phase per window."""
    if deviation == 0:
        return windows
    count, length, channels = windows.shape
    periods = rng.uniform(*_WANDER_PERIODS, (count, 1, 1))
    phase = rng.uniform(0, 2 * np.pi, (count, 1, 1))
    wave = np.sin(2 * np.pi * periods * np.arange(length)[:, None] / length + phase).astype(np.float32)
    amplitude: Floats = np.float32(deviation) * rng.standard_normal((count, 1, channels), np.float32)
    changed: Floats = windows + amplitude * wave
    return changed


def reshape_events(windows: Floats, rng: np.random.Generator, share: float) -> Floats:
    """Pass a random `share` of the windows through a random filter that changes the shape of all events alike.

    The filter is a unit impulse plus a smooth random kernel (a random walk under a Hann window, of norm 0.3 to 1.2) of
    up to 6 % of the window; the same for all channels. Mean and standard deviation of each channel are kept.
    """
    count, length, _ = windows.shape
    longest = int(_FILTER_SHARE * length)
    if share == 0 or longest < _SHORTEST_FILTER:
        return windows
    changed: Floats = windows.copy()
    for number in np.flatnonzero(rng.random(count) < share):
        taps = int(rng.integers(_SHORTEST_FILTER, longest, endpoint=True))
        walk = np.cumsum(rng.standard_normal(taps))
        kernel = (walk - np.linspace(walk[0], walk[-1], taps)) * np.hanning(taps + 2)[1:-1]
        kernel *= rng.uniform(0.3, 1.2) / max(float(np.linalg.norm(kernel)), 1e-9)
        kernel[rng.integers(taps)] += 1
        changed[number] = _filtered(windows[number], kernel)
    return changed


def _filtered(window: Floats, kernel: npt.NDArray[np.float64]) -> Floats:
    """Filter each channel of `(length, channels)` around its mean and give it its old standard deviation."""
    mean, deviation = window.mean(axis=0), window.std(axis=0)
    centered = window - mean
    columns = [np.convolve(column, kernel, "same") for column in centered.T]
    filtered = np.stack(columns, axis=1)
    gain = deviation / np.maximum(filtered.std(axis=0), 1e-9)
    return np.asarray(filtered * gain + mean, np.float32)


def stretch(windows: Floats, rng: np.random.Generator, strength: float) -> Floats:
    """Change the tempo of each window around its middle by a factor `exp(u)`, `u` uniform in `[-strength, strength]`.

    Where a faster tempo reads beyond an end, the window is reflected there.
    """
    if strength == 0:
        return windows
    count, length, _ = windows.shape
    middle = (length - 1) / 2
    tempo = np.exp(rng.uniform(-strength, strength, (count, 1)))
    time = np.abs((np.arange(length) - middle) * tempo + middle)
    return _interpolated(windows, np.clip((length - 1) - np.abs((length - 1) - time), 0, length - 1))


def shift(windows: Floats, rng: np.random.Generator, share: float) -> Floats:
    """Move each window in time by up to `share` of its length, whole samples; it is reflected at its ends."""
    if share == 0:
        return windows
    count, length, _ = windows.shape
    most = int(share * length)
    offsets = rng.integers(-most, most, (count, 1), endpoint=True)
    positions = np.abs(np.arange(length) + offsets)
    positions = (length - 1) - np.abs((length - 1) - positions)
    moved: Floats = windows[np.arange(count)[:, None], positions]
    return moved


def warp(windows: Floats, rng: np.random.Generator, strength: float) -> Floats:
    """Stretch and squeeze time smoothly, with linear interpolation; both ends stay where they are.

    Before both ends are fixed, the local speed is between `1 - strength` and `1 + strength`: time never runs backward.
    """
    if strength == 0:
        return windows
    count, length, _ = windows.shape
    knots = rng.uniform(-1, 1, (count, _WARP_KNOTS)) * strength
    at = np.linspace(0, _WARP_KNOTS - 1, length)
    left = np.minimum(at.astype(np.int64), _WARP_KNOTS - 2)
    part = at - left
    speed = 1 + knots[:, left] * (1 - part) + knots[:, left + 1] * part
    time = np.cumsum(speed, axis=1)
    time -= time[:, :1]
    last = time[:, -1:]
    # A window of one sample has no duration to stretch.
    time *= (length - 1) / np.where(last > 0, last, 1)
    return _interpolated(windows, time)


def rotation(windows: Floats, rng: np.random.Generator, degrees: float, axes: Sequence[tuple[int, int, int]]) -> Floats:
    """Turn every tri-axial sensor of a window by the same rotation: a random axis, an angle up to `degrees`.

    The axis is uniform on the sphere, the angle uniform in `[-degrees, degrees]`; the matrix is Rodrigues' formula.

    Args:
        windows: `(n, length, channels)`.
        rng: source of the axes and angles.
        degrees: largest angle.
        axes: for each sensor, the channel numbers of its x, y and z.
    """
    if degrees == 0 or not axes:
        return windows
    count = len(windows)
    axis = rng.standard_normal((count, 3))
    axis /= np.maximum(np.linalg.norm(axis, axis=1, keepdims=True), 1e-12)
    angle = np.radians(rng.uniform(-degrees, degrees, count))[:, None, None]
    x, y, z = axis.T
    zero = np.zeros(count)
    cross = np.stack([zero, -z, y, z, zero, -x, -y, x, zero], axis=1).reshape(count, 3, 3)
    matrices = (np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * (cross @ cross)).astype(np.float32)
    rotated: Floats = windows.copy()
    for sensor in axes:
        rotated[:, :, list(sensor)] = windows[:, :, list(sensor)] @ matrices.transpose(0, 2, 1)
    return rotated


def mixup(windows: Floats, targets: Floats, rng: np.random.Generator, alpha: float) -> tuple[Floats, Floats]:
    """Mix each window and its target with another's by a share from Beta(`alpha`, `alpha`) (Zhang et al. 2018)."""
    if alpha == 0 or len(windows) == 0:
        return windows, targets
    share = rng.beta(alpha, alpha, len(windows)).astype(np.float32)
    share = np.maximum(share, 1 - share)
    other = rng.permutation(len(windows))
    own = share[:, None]
    mixed = windows * own[:, :, None] + windows[other] * (1 - own[:, :, None])
    return mixed, targets * own + targets[other] * (1 - own)


def _interpolated(windows: Floats, time: npt.NDArray[np.float64]) -> Floats:
    """Values at `time` `(n, length)` in samples."""
    length = windows.shape[1]
    left = np.clip(time.astype(np.int64), 0, max(0, length - 2))
    right = np.minimum(left + 1, length - 1)
    part = np.clip(time - left, 0, 1).astype(np.float32)[:, :, None]
    rows = np.arange(len(windows))[:, None]
    low: Floats = windows[rows, left]
    high: Floats = windows[rows, right]
    high -= low
    high *= part
    high += low  # low + part * (high - low): equal neighbors give exactly their value
    return high


def _require_axes(axes: Sequence[tuple[int, int, int]], channels: int) -> None:
    if not axes:
        raise SettingsError("training.augment.rotation_deg needs rotation_axes, such as [[0, 1, 2]]")
    used = [channel for sensor in axes for channel in sensor]
    if len(set(used)) != len(used) or not all(0 <= channel < channels for channel in used):
        shown = [list(sensor) for sensor in axes]
        raise SettingsError(
            f"training.augment.rotation_axes = {shown}: "
            f"expected channel numbers from 0 to {channels - 1}, each at most once"
        )
