from __future__ import annotations

import time

import pytest

from interpositive.training.schedule import Length, Schedule, WorkClock, rate_factor


def test_steps_are_counted_and_repeat_exactly() -> None:
    length, clock = Length(steps=40), WorkClock(1e6, 1e6)
    assert [length.done(step, clock) for step in (0, 10, 40, 50)] == [0.0, 0.25, 1.0, 1.0]
    assert length.seconds_left(clock) is None


def test_budgets_of_seconds_follow_their_clock() -> None:
    clock = WorkClock(cpu_seconds=30, wall_seconds=5)
    assert Length(cpu_seconds=60).done(0, clock) == pytest.approx(0.5, abs=0.05)
    assert Length(wall_seconds=20).done(0, clock) == pytest.approx(0.25, abs=0.05)
    assert Length(wall_seconds=20).seconds_left(clock) == pytest.approx(15, abs=1)
    assert Length(wall_seconds=4).seconds_left(clock) == 0
    clock.add(cpu_seconds=15, wall_seconds=10)
    assert Length(cpu_seconds=60).done(0, clock) == pytest.approx(0.75, abs=0.05)
    assert Length(wall_seconds=20).done(0, clock) == pytest.approx(0.75, abs=0.05)


def test_what_is_drawn_for_people_costs_no_cpu_budget() -> None:
    clock = WorkClock()
    with clock.evaluation():
        end = time.process_time() + 0.2
        while time.process_time() < end:
            pass
    assert clock.cpu_seconds < 0.1 < clock.wall_seconds


def test_the_rate_rises_and_falls_in_a_line_to_zero() -> None:
    assert 0 < rate_factor(0.0) < 0.1
    assert rate_factor(0.025) == pytest.approx(0.5)
    assert rate_factor(0.05) == pytest.approx(1.0)
    assert rate_factor(0.525) == pytest.approx(0.5)
    assert rate_factor(1.0) == 0.0
    assert max(rate_factor(k / 1000) for k in range(1001)) == pytest.approx(1.0)


def test_an_attempt_has_a_schedule_of_what_is_left() -> None:
    schedule = Schedule(start=0.2)
    assert [schedule.share(done) for done in (0.1, 0.2, 0.6, 1.0)] == pytest.approx([0, 0, 0.5, 1])


def test_an_attempt_that_begins_at_the_end_is_over() -> None:
    assert Schedule(start=1.0).share(1.0) == 1.0


def test_a_cut_leaves_a_quarter_of_what_was_done_and_never_lengthens() -> None:
    schedule = Schedule()
    schedule.cut(0.4)
    assert schedule.end == pytest.approx(0.5)
    assert schedule.share(0.4) == pytest.approx(0.8)
    schedule.cut(0.48)
    assert schedule.end == pytest.approx(0.5)
