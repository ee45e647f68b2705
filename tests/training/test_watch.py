from __future__ import annotations

import math

import pytest

from interpositive.training.watch import HoldoutWatch, LossWatch


def verdicts(losses: list[float]) -> list[str]:
    watch = LossWatch()
    return [watch.sees(loss, (k + 1) / len(losses)) for k, loss in enumerate(losses)]


def test_a_loss_that_falls_is_fine() -> None:
    assert set(verdicts([math.exp(-k / 50) for k in range(200)])) == {"fine"}


def test_a_loss_that_sits_still_is_a_plateau_once_at_a_quarter() -> None:
    found = verdicts([1.0 + 0.02 * (-1) ** k for k in range(200)])
    assert found.count("plateau") == 1
    assert found.index("plateau") == 49


def test_a_training_too_short_to_tell_is_no_plateau() -> None:
    assert set(verdicts([1.0] * 40)) == {"fine"}


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_loss_that_is_no_number_has_diverged_at_once(bad: float) -> None:
    assert verdicts([0.5] * 10 + [bad])[-1] == "diverged"


def test_a_loss_that_grows_over_several_times_its_start_has_diverged() -> None:
    found = verdicts([0.1] * 30 + [3.0] * 60)
    assert found.index("diverged") in range(30, 45)


def test_one_wild_step_has_not() -> None:
    assert set(verdicts([0.1] * 30 + [0.08] * 60 + [1.5] + [0.08] * 100)) == {"fine"}


def test_a_held_out_error_must_rise_clearly_and_twice() -> None:
    watch = HoldoutWatch()
    assert [watch.sees(k, error) for k, error in enumerate([1.0, 0.5, 0.52, 0.6, 0.4, 0.5])] == [False] * 6
    assert watch.sees(6, 0.46)


def test_nothing_is_said_before_the_third_measurement() -> None:
    watch = HoldoutWatch()
    assert not watch.sees(0, 0.1) and not watch.sees(1, 9.0)
    assert watch.sees(2, 9.0)
