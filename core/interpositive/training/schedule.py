"""How long a training runs, by steps or by a budget of seconds, and the learning rate along it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

_WARM_UP = 0.05  # share of the schedule in which the rate rises from zero; then it falls in a line to zero
_ANNEAL_AFTER_CUT = 0.25  # of what has been done, when a training is cut short


class WorkClock:
    """CPU and wall seconds of the training itself; what is measured for people to see is left out of CPU."""

    def __init__(self, cpu_seconds: float = 0.0, wall_seconds: float = 0.0) -> None:
        self._cpu_start = time.process_time() - cpu_seconds
        self._wall_start = time.monotonic() - wall_seconds

    @property
    def cpu_seconds(self) -> float:
        return time.process_time() - self._cpu_start

    @property
    def wall_seconds(self) -> float:
        return time.monotonic() - self._wall_start

    def add(self, cpu_seconds: float, wall_seconds: float) -> None:
        """Count what an earlier, interrupted run has done."""
        self._cpu_start -= cpu_seconds
        self._wall_start -= wall_seconds

    @contextmanager
    def evaluation(self) -> Iterator[None]:
        """CPU time inside the block does not count."""
        before = time.process_time()
        try:
            yield
        finally:
            self._cpu_start += time.process_time() - before


@dataclass(frozen=True)
class Length:
    """One of the three is set. Steps repeat exactly; seconds depend on the machine."""

    steps: int | None = None
    cpu_seconds: float | None = None
    wall_seconds: float | None = None

    def done(self, step: int, clock: WorkClock) -> float:
        """Share of the training that is done, 0 to 1."""
        if self.steps is not None:
            return min(step / max(self.steps, 1), 1.0)
        if self.cpu_seconds is not None:
            return min(clock.cpu_seconds / self.cpu_seconds, 1.0)
        return min(clock.wall_seconds / max(self.wall_seconds or 0.0, 1e-9), 1.0)

    def is_at_least(self, steps: int, seconds: float) -> bool:
        """Whether it is as long as `steps`, or as `seconds` where it is a budget of those."""
        if self.steps is not None:
            return self.steps >= steps
        return (self.cpu_seconds or self.wall_seconds or 0.0) >= seconds

    def seconds_left(self, clock: WorkClock) -> float | None:
        """Of a wall budget; None where it is not known."""
        return max(self.wall_seconds - clock.wall_seconds, 0.0) if self.wall_seconds is not None else None


class Schedule:
    """Where training stands between `start` (share of the length at which this attempt began) and its end."""

    def __init__(self, start: float = 0.0, end: float = 1.0) -> None:
        self.start, self.end = start, end

    def share(self, done: float) -> float:
        """Share of this attempt, 0 to 1; 1 at the end, also of an attempt that began there."""
        if done >= self.end:
            return 1.0
        return min(max((done - self.start) / max(self.end - self.start, 1e-9), 0.0), 1.0)

    def cut(self, done: float) -> None:
        """End sooner: what is left is a quarter of what has been done, to let the rate fall."""
        self.end = min(self.end, done + _ANNEAL_AFTER_CUT * (done - self.start))


def rate_factor(share: float) -> float:
    """Learning rate at `share` of the schedule, as a factor of the full rate: linear up, linear down."""
    if share < _WARM_UP:
        return max(share, 0.002) / _WARM_UP
    return (1.0 - share) / (1.0 - _WARM_UP)
