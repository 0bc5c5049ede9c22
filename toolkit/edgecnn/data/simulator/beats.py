"""The shapes of simulated heart beats, and the exact solution of the dynamical model that draws them.

McSharry, Clifford, Tarassenko, Smith 2003, "A dynamical model for generating synthetic electrocardiogram signals", IEEE
Trans. Biomed. Eng. 50(3):289-294, doi 10.1109/TBME.2003.808805. A point runs around a unit circle once a beat; near
fixed angles it is pushed up or down, and drifts back to the baseline z0:

    dz/dt = - sum_i a_i d_i exp(-d_i^2 / (2 b_i^2)) - (z - z0),    d_i = theta - theta_i

On the limit cycle the angle theta(t) is known, so the equation is linear in z and needs no numerical integrator: it is
a sum of pushes, passed through one exponential decay.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

Float64 = npt.NDArray[np.float64]

WAVES: Final = 5
"""P, Q, R, S, T."""

_DECAY_HZ: Final = 1.0
"""The model's pull to the baseline: -(z - z0), once per second."""
_DECAY_BLOCK_S: Final = 20.0
_REACH_RAD: Final = 1.3 * np.pi
"""A beat's waves have faded this far from its R peak."""


@dataclass(frozen=True, eq=False)
class Shape:
    """A beat's waves: `angle` (rad, R at 0), `height` (a normal R wave is 1) and `width` (rad), each `(waves,)`."""

    angle: Float64
    height: Float64
    width: Float64


def _table(angles: list[float], pushes: list[float], widths: list[float]) -> Shape:
    # Over one passage a push integrates to a wave of height a b^2 / omega.
    heights = np.array(pushes) * np.square(widths)
    return Shape(np.array(angles) * np.pi, heights / heights.max(), np.array(widths))


NORMAL: Final = _table([-1 / 3, -1 / 12, 0.0, 1 / 12, 1 / 2], [1.2, -5.0, 30.0, -7.5, 0.75], [0.25, 0.1, 0.1, 0.1, 0.4])
"""Table I of the paper (angles in units of pi): P, Q, R, S, T."""

BUNDLE_BRANCH: Final = Shape(
    np.array([-1 / 3, -0.03, 0.015, 0.07, 0.5]) * np.pi,
    np.array([0.25, 0.6, 0.6, 0.65, -0.25]),
    np.array([0.25, 0.09, 0.08, 0.11, 0.4]),
)
"""A conduction block's normal beat: P wave, a notched QRS twice as wide, discordant T. Chosen by eye."""

VENTRICULAR: Final = Shape(
    np.array([-0.2, -0.1, 0.0, 0.17, 0.55]) * np.pi,
    np.array([0.0, 0.2, 1.45, -0.3, -0.6]),
    np.array([0.2, 0.18, 0.27, 0.3, 0.45]),
)
"""A premature ventricular beat: no P wave, a high QRS nearly three times as wide, a discordant T. Chosen by eye."""


def adjusted(shape: Shape, heart_rate_bpm: float) -> Shape:
    """Adapt angles and widths to the heart rate as the authors' ECGSYN program does.

    Widths grow with the square root of the rate, the angles of Q and S too, that of P with its fourth root; in seconds,
    waves then shorten with the square root of the rate.
    """
    factor = np.sqrt(heart_rate_bpm / 60.0)
    return Shape(
        shape.angle * np.array([np.sqrt(factor), factor, 1.0, factor, 1.0]), shape.height, shape.width * factor
    )


def varied(shape: Shape, rng: np.random.Generator, spread: float) -> Shape:
    """Give every wave of a person its own angle, height and width, about `spread` away from the template."""
    return Shape(
        shape.angle + rng.normal(0.0, 0.03 * spread / 0.15, WAVES) * (shape.angle != 0),
        shape.height * np.exp(rng.normal(0.0, spread, WAVES)),
        shape.width * np.exp(rng.normal(0.0, spread / 2, WAVES)),
    )


@dataclass(frozen=True, eq=False)
class Beats:
    """What is drawn: R peaks (s), the angular velocity of each beat (rad/s) and its waves `(beats, waves)`.

    A beat's angle is 0 at its R peak and runs at its own velocity on both sides, so that an early beat overlaps the one
    before and a pause holds the baseline.
    """

    peak_s: Float64
    velocity_rad_s: Float64
    angle: Float64
    height_mv: Float64
    width: Float64


def draw(beats: Beats, baseline_mv: Float64, sample_rate_hz: float) -> Float64:
    """Solve the model for `len(baseline_mv)` samples from time 0; the result is in mV."""
    samples = len(baseline_mv)
    push = _DECAY_HZ * baseline_mv
    reach = int(np.ceil(_REACH_RAD / beats.velocity_rad_s.min() * sample_rate_hz))
    at = np.rint(beats.peak_s * sample_rate_hz).astype(np.int64)[:, None] + np.arange(-reach, reach + 1)
    theta = beats.velocity_rad_s[:, None] * (at / sample_rate_hz - beats.peak_s[:, None])
    total = np.zeros(at.shape)
    for wave in range(beats.angle.shape[1]):
        width = beats.width[:, wave, None]
        delta = theta - beats.angle[:, wave, None]
        strength = beats.height_mv[:, wave, None] * beats.velocity_rad_s[:, None] / np.square(width)
        total -= strength * delta * np.exp(-np.square(delta / width) / 2)
    inside = (at >= 0) & (at < samples)
    push += np.bincount(at[inside], weights=total[inside], minlength=samples)
    return _decayed(push, sample_rate_hz)


def _decayed(push: Float64, sample_rate_hz: float) -> Float64:
    """z(t) = integral of exp(-(t - s)) push(s) ds by the trapezoid rule, block by block to keep exp() in range."""
    block = int(_DECAY_BLOCK_S * sample_rate_hz)
    result = np.empty_like(push)
    state, previous = 0.0, 0.0
    for first in range(0, len(push), block):
        part = push[first : first + block]
        growth = np.exp(_DECAY_HZ * np.arange(1, len(part) + 1) / sample_rate_hz)
        grown = np.concatenate(([previous], growth * part))
        area = np.cumsum((grown[1:] + grown[:-1]) / 2) / sample_rate_hz
        result[first : first + block] = (state + area) / growth
        state, previous = result[first + len(part) - 1], part[-1]
    return result
