from __future__ import annotations

import numpy as np

from grade_samples import SPACE, graded, stops_apart, view, wall
from interpositive.grade.matching import estimate
from interpositive.grade.recover import graded_by
from interpositive.grade.remainder import remainder

WALL = wall(1, (700, 1000))
HERO, SHOT = view(WALL, 0, (320, 480)), view(WALL, 1, (320, 480))


def test_a_cdl_leaves_nothing_over() -> None:
    match = estimate(HERO, graded(SHOT), SPACE)
    lut = remainder(match)
    assert lut is None or lut.largest_change < 0.03


def test_a_look_that_is_no_cdl_leaves_a_lut_that_helps() -> None:
    look = np.asarray(SHOT * (1 + 0.7 * np.tanh(2 * (SHOT[..., [1, 2, 0]] - SHOT))), np.float32)
    match = estimate(HERO, look, SPACE)
    lut = remainder(match)
    assert lut is not None
    by_cdl = stops_apart(graded_by(look, SPACE, match.cdl), SHOT)
    assert stops_apart(graded_by(look, SPACE, match.cdl, lut), SHOT) < 0.9 * by_cdl


def test_colours_and_statistics_make_no_lut() -> None:
    stripes = np.repeat(np.linspace(0.02, 0.9, 280, dtype=np.float32)[None], 180, axis=0)
    match = estimate(HERO, stripes[..., None] * np.float32([0.3, 0.9, 1.6]), SPACE)
    assert remainder(match) is None
