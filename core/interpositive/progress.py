"""Progress, log lines and cancellation, the same for the command line, the worker and a host.

Standard library only: hosts import this. A tool receives one `Progress` and calls `report` at every
step; `report` is also where a cancel takes effect, so no tool ever runs more than one step past it.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import Optional

from .errors import Cancelled

_RATE_SMOOTHING = 0.2  # weight of the newest step in the running mean of seconds per step


@dataclass(frozen=True)
class ProgressUpdate:
    """One step of one stage. `seconds_left` is None until the rate of the stage is known."""

    stage: str
    done: int
    total: int
    seconds_left: Optional[float]
    note: str = ""


class Progress:
    """Silent progress; the command line and the worker override `show` and `show_log`."""

    def __init__(self) -> None:
        self._cancelled = threading.Event()
        self._stage = ""
        self._last_done = 0
        self._last_time = 0.0
        self._seconds_per_step: Optional[float] = None

    def report(
        self, stage: str, done: int, total: int, note: str = "", seconds_left: Optional[float] = None
    ) -> None:
        """Say that `done` of `total` steps of `stage` are finished.

        `seconds_left` is given by stages that know it (a time budget); else it follows from the rate.
        Raises `Cancelled` when a cancel was asked for.
        """
        self.raise_if_cancelled()
        now = time.monotonic()
        if stage != self._stage or done < self._last_done:
            self._stage, self._seconds_per_step = stage, None
        elif done > self._last_done:
            newest = (now - self._last_time) / (done - self._last_done)
            mean = self._seconds_per_step
            self._seconds_per_step = newest if mean is None else mean + _RATE_SMOOTHING * (newest - mean)
        self._last_done, self._last_time = done, now
        if seconds_left is None and self._seconds_per_step is not None:
            seconds_left = self._seconds_per_step * max(total - done, 0)
        self.show(ProgressUpdate(stage, done, total, seconds_left, note))

    def log(self, message: str, level: str = "info") -> None:
        """Tell the artist one line; `level` is "info" or "warning"."""
        self.show_log(message, level)

    def cancel(self) -> None:
        """Ask the running tool to stop at its next step. Any thread and any signal handler may call it."""
        self._cancelled.set()

    @property
    def cancelled(self) -> bool:
        return self._cancelled.is_set()

    def raise_if_cancelled(self) -> None:
        if self._cancelled.is_set():
            raise Cancelled(
                "Stopped as asked. What was finished is kept; the same command continues from there."
            )

    def show(self, update: ProgressUpdate) -> None:
        """Display one update; nothing here."""

    def show_log(self, message: str, level: str) -> None:
        """Display one log line; nothing here."""
