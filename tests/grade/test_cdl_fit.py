from __future__ import annotations

import numpy as np

from grade_samples import GRADE
from interpositive.grade.cdl import CDL, apply
from interpositive.grade.cdl_fit import fit_cdl

TOLERANCES = (0.1, 0.05, 0.025, 0.012)


def colours(count: int = 600) -> np.ndarray:
    return np.random.default_rng(3).uniform(0.2, 0.6, (count, 3))


def test_exact_pairs_give_the_exact_grade() -> None:
    source = colours()
    target = apply(GRADE, source.astype(np.float32)).astype(np.float64)
    fitted = fit_cdl(source, target, np.ones(len(source)), TOLERANCES).cdl
    reached = apply(fitted, source.astype(np.float32))
    assert float(np.abs(reached - target).max()) < 2e-3


def test_a_third_of_wrong_pairs_does_not_move_the_grade() -> None:
    source = colours()
    target = apply(GRADE, source.astype(np.float32)).astype(np.float64)
    wrong = np.arange(len(source)) % 3 == 0
    target[wrong] = np.random.default_rng(4).uniform(0.2, 0.6, (int(wrong.sum()), 3))
    fitted = fit_cdl(source, target, np.ones(len(source)), TOLERANCES)
    right = apply(GRADE, source.astype(np.float32))
    assert float(np.abs(apply(fitted.cdl, source.astype(np.float32)) - right).mean()) < 2e-3
    assert fitted.weights[~wrong].mean() > 0.9 > 0.2 > fitted.weights[wrong].mean()


def test_colours_that_say_nothing_of_contrast_leave_it_alone() -> None:
    source = np.full((50, 3), 0.4)
    fitted = fit_cdl(source, source + 0.05, np.ones(50), TOLERANCES).cdl
    assert max(abs(p - 1) for p in fitted.power) < 0.05
    reached = apply(fitted, np.full((1, 3), 0.4, np.float32))
    np.testing.assert_allclose(reached, 0.45, atol=2e-3)


def test_no_weight_gives_no_change() -> None:
    assert fit_cdl(colours(4), colours(4), np.zeros(4), TOLERANCES).cdl == CDL()
