"""Measurements in their own processes: answers, errors, cancels, threads, memory."""

from __future__ import annotations

import pytest

import bench_parts
from interpositive.bench.children import measure
from interpositive.errors import Cancelled, EngineDiedError, KeyframeError
from interpositive.progress import Progress, ProgressUpdate


class Recorder(Progress):
    def __init__(self, cancel_at_first: bool = False) -> None:
        super().__init__()
        self.updates: list[ProgressUpdate] = []
        self._cancel_at_first = cancel_at_first

    def show(self, update: ProgressUpdate) -> None:
        self.updates.append(update)
        if self._cancel_at_first:
            self.cancel()


def test_a_child_answers_with_its_value_its_threads_and_its_progress() -> None:
    progress = Recorder()
    done = measure(bench_parts.report_and_double, 21, threads=1, progress=progress, title="x2")
    assert done.value == {"value": 42, "threads": "1"}
    assert done.cpu_seconds > 0 and done.wall_seconds > 0
    assert progress.updates[0].stage == "x2: doubling"


def test_an_expected_error_of_a_child_is_raised_here() -> None:
    with pytest.raises(KeyframeError, match="Keyframe 7"):
        measure(bench_parts.fail_as_expected, threads=1, progress=Progress(), title="x")


def test_a_dead_child_is_told_and_not_waited_for() -> None:
    with pytest.raises(EngineDiedError, match="`x` ended without an answer"):
        measure(bench_parts.die, threads=1, progress=Progress(), title="x")


def test_peak_memory_is_the_childs_own() -> None:
    small = measure(bench_parts.hold_memory, 1, threads=1, progress=Progress(), title="x").peak_bytes
    large = measure(bench_parts.hold_memory, 300, threads=1, progress=Progress(), title="x").peak_bytes
    assert 250 * 1024**2 < large - small < 700 * 1024**2


def test_cancel_ends_the_child() -> None:
    with pytest.raises(Cancelled):
        measure(bench_parts.run_forever, threads=1, progress=Recorder(cancel_at_first=True), title="x")
