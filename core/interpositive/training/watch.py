"""Whether a training is on course: it falls, it does not blow up, and it does not only memorise."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal

Verdict = Literal["fine", "diverged", "plateau"]

_SETTLING_STEPS = 20  # over which the loss at the start is averaged
_SMOOTHING = 0.05
_PLATEAU_AT, _PLATEAU = 0.25, 0.95  # by then the loss must have fallen under this share of its start
_DIVERGED, _DIVERGED_MARGIN = 4.0, 0.05
_OVERFIT = 1.10  # of the best held-out error, twice in a row


@dataclass
class LossWatch:
    """Looks at every loss of one attempt."""

    steps: int = 0
    first_loss: float = 0.0
    recent_loss: float = 0.0
    share: float = 0.0

    def sees(self, loss: float, share: float) -> Verdict:
        """Take the loss of the next step, at `share` of the schedule."""
        before, self.share = self.share, share
        self.steps += 1
        if self.steps == 1:
            self.first_loss = self.recent_loss = loss
        elif self.steps <= _SETTLING_STEPS:
            self.first_loss += (loss - self.first_loss) / self.steps
        self.recent_loss += _SMOOTHING * (loss - self.recent_loss)
        if not math.isfinite(loss) or self.recent_loss > _DIVERGED * self.first_loss + _DIVERGED_MARGIN:
            return "diverged"
        crossed = before < _PLATEAU_AT <= share and self.steps > _SETTLING_STEPS
        return "plateau" if crossed and self.recent_loss > _PLATEAU * self.first_loss else "fine"


@dataclass
class HoldoutWatch:
    """Looks at the held-out error each time it is measured: (step, perceived error)."""

    history: list[tuple[int, float]] = field(default_factory=list)

    def sees(self, step: int, error: float) -> bool:
        """Whether the error has risen clearly over its best, twice in a row."""
        self.history.append((step, error))
        errors = [value for _, value in self.history]
        return len(errors) > 2 and min(errors[-2:]) > _OVERFIT * min(errors)
