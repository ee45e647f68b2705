"""What a person sees while a tool runs."""

from __future__ import annotations

import io

import pytest

from interpositive.progress import ProgressUpdate
from interpositive.terminal_progress import TerminalProgress, clock


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def screen(stream: Terminal) -> list[str]:
    """The lines as a terminal shows them: a carriage return starts the line again."""
    shown = []
    for line in stream.getvalue().split("\n"):
        cells = ""
        for part in line.split("\r"):
            cells = part + cells[len(part) :]
        shown.append(cells.rstrip())
    return shown


def test_terminal_shows_one_line_rewritten_in_place() -> None:
    stream = Terminal()
    progress = TerminalProgress(stream)
    progress.show(ProgressUpdate("training", 1, 4, 42.4, "32.1 dB and a note"))
    progress.show(ProgressUpdate("training", 4, 4, 0.0))
    assert screen(stream) == ["training     ████████████████████████ 100%"]


def test_time_left_and_note_are_shown() -> None:
    stream = Terminal()
    TerminalProgress(stream).show(ProgressUpdate("training", 1, 4, 3725.0, "32.1 dB"))
    assert screen(stream) == ["training     ██████░░░░░░░░░░░░░░░░░░  25%  1:02:05 left  32.1 dB"]


def test_log_line_stays_above_the_progress_line() -> None:
    stream = Terminal()
    progress = TerminalProgress(stream)
    progress.show(ProgressUpdate("training", 1, 4, None, "a rather long note to be cleared"))
    progress.log("12 values were beyond half float", "warning")
    shown = screen(stream)
    assert shown[0] == "warning: 12 values were beyond half float"
    assert shown[1].startswith("training")


def test_close_leaves_an_empty_line() -> None:
    stream = Terminal()
    progress = TerminalProgress(stream)
    progress.show(ProgressUpdate("training", 1, 4, None))
    progress.close()
    assert screen(stream) == [""]


def test_file_gets_plain_lines_at_intervals_and_every_end_of_stage(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("interpositive.terminal_progress.time.monotonic", lambda: now[0])
    stream = io.StringIO()
    progress = TerminalProgress(stream)
    for done in range(1001):
        now[0] += 0.1
        progress.show(ProgressUpdate("training", done, 1000, None))
    lines = stream.getvalue().splitlines()
    assert 20 <= len(lines) <= 22
    assert "100%" in lines[-1] and "\r" not in stream.getvalue()


def test_stage_without_steps_is_shown() -> None:
    stream = Terminal()
    TerminalProgress(stream).show(ProgressUpdate("reading", 0, 0, None))
    assert screen(stream)[0].startswith("reading")


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0:00"), (42, "0:42"), (725, "12:05"), (3599.7, "1:00:00")]
)
def test_clock(seconds: float, text: str) -> None:
    assert clock(seconds) == text
