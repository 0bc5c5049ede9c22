"""The learning rate, step by step."""

import math
from dataclasses import dataclass
from typing import Final, Literal

_WARM_UP_SHARE: Final = 0.05
_LAST_SHARE: Final = 0.01


@dataclass(frozen=True)
class Schedule:
    """Linear warm-up over the first 5 % of the steps; then constant, or a half cosine down to 1 % of the peak."""

    kind: Literal["cosine", "constant"]
    peak: float
    total_steps: int

    def at(self, step: int) -> float:
        """Learning rate of step `step`, counted from 0."""
        warm_up = max(1, int(_WARM_UP_SHARE * self.total_steps))
        if step < warm_up:
            return self.peak * (step + 1) / warm_up
        if self.kind == "constant":
            return self.peak
        done = (step - warm_up) / max(1, self.total_steps - warm_up)
        cosine = 0.5 * (1 + math.cos(math.pi * min(1.0, done)))
        return self.peak * (_LAST_SHARE + (1 - _LAST_SHARE) * cosine)
