"""Progress for a person: one line rewritten in place on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import shutil
import time
from typing import TextIO

from .progress import Progress, ProgressUpdate

REDRAW_INTERVAL_S = 0.1
LINE_INTERVAL_S = 10.0
LINE_FRACTION = 0.05
_SHORTEST_LINE_INTERVAL_S = 2.0
_BAR_COLUMNS = 24


class TerminalProgress(Progress):
    """Writes to `stream`, the standard error stream of the command line."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self._stream, self._tty = stream, stream.isatty()
        self._marks = "█░" if _can_write(stream, "█░") else "#."
        self._shown: ProgressUpdate | None = None
        self._shown_at = float("-inf")
        self._line = ""

    def show(self, update: ProgressUpdate) -> None:
        due = self._is_redraw_due(update) if self._tty else self._is_line_due(update)
        if not due:
            return
        self._shown, self._shown_at = update, time.monotonic()
        if self._tty:
            self._draw(self._text(update))
        else:
            self._stream.write(self._text(update) + "\n")
            self._stream.flush()

    def show_log(self, message: str, level: str) -> None:
        text = message if level == "info" else f"{level}: {message}"
        line = self._line
        self._draw("")
        self._stream.write(("\r" if self._tty else "") + text + "\n")
        self._draw(line)

    def close(self) -> None:
        """Leave the terminal at the start of an empty line."""
        if self._tty and self._line:
            self._draw("")
            self._stream.write("\r")
            self._stream.flush()

    def _is_redraw_due(self, update: ProgressUpdate) -> bool:
        return self._is_edge(update) or time.monotonic() - self._shown_at >= REDRAW_INTERVAL_S

    def _is_line_due(self, update: ProgressUpdate) -> bool:
        if self._is_edge(update) or self._shown is None:
            return True
        waited_s = time.monotonic() - self._shown_at
        moved = (update.done - self._shown.done) / max(update.total, 1)
        return waited_s >= LINE_INTERVAL_S or (
            moved >= LINE_FRACTION and waited_s >= _SHORTEST_LINE_INTERVAL_S
        )

    def _is_edge(self, update: ProgressUpdate) -> bool:
        return self._shown is None or update.stage != self._shown.stage or update.done >= update.total

    def _draw(self, text: str) -> None:
        if not self._tty or (not text and not self._line):
            return
        columns = shutil.get_terminal_size().columns - 1
        shown = text[:columns]
        self._stream.write("\r" + shown.ljust(min(len(self._line), columns)))
        self._stream.flush()
        self._line = shown

    def _text(self, update: ProgressUpdate) -> str:
        fraction = min(max(update.done / update.total, 0.0), 1.0) if update.total > 0 else 0.0
        filled = round(fraction * _BAR_COLUMNS)
        bar = self._marks[0] * filled + self._marks[1] * (_BAR_COLUMNS - filled)
        parts = [f"{update.stage:<12} {bar} {fraction:4.0%}"]
        if update.seconds_left is not None and update.done < update.total:
            parts.append(f"{clock(update.seconds_left)} left")
        if update.note:
            parts.append(update.note)
        return "  ".join(parts)


def clock(seconds: float) -> str:
    """0:42, 12:05, 1:02:03."""
    minutes, whole_seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{whole_seconds:02d}" if hours else f"{minutes}:{whole_seconds:02d}"


def _can_write(stream: TextIO, text: str) -> bool:
    try:
        text.encode(stream.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True
