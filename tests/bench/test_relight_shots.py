"""Rows of shots: change along the motion, and what counts as better after adaptation."""

from __future__ import annotations

import numpy as np
import pytest

from interpositive.bench.metrics import Motion
from interpositive.bench.relight_shots import ShotScores, adaptation_verdict, change_along


def shifted(by: int) -> Motion:
    y, x = np.mgrid[0:20, 0:30].astype(np.float32)
    return Motion(np.stack([x - by, y], -1), (x >= by + 1))


def test_what_moves_with_the_plate_does_not_change() -> None:
    earlier = np.random.default_rng(0).random((20, 30, 3), dtype=np.float32)
    later = np.roll(earlier, 3, axis=1)
    assert change_along(earlier, later, shifted(3)) == pytest.approx(0, abs=1e-6)
    assert change_along(earlier, later, shifted(0)) > 0.1


def test_where_the_motion_is_uncertain_nothing_is_measured() -> None:
    earlier = np.zeros((20, 30, 3), np.float32)
    later = earlier + 1
    motion = shifted(0)
    assert change_along(earlier, later, Motion(motion.sources, np.zeros((20, 30), bool))) == 0


@pytest.mark.parametrize(
    ("adapted", "passed"),
    [
        (ShotScores(20.8, 20.0), True),  # by decibels
        (ShotScores(20.0, 17.9), True),  # by degrees
        (ShotScores(20.6, 18.5), False),
        (ShotScores(19.0, 22.0), False),
    ],
)
def test_adaptation_must_help_by_decibels_or_by_degrees(adapted: ShotScores, passed: bool) -> None:
    scores = {"prior": {1: ShotScores(20.0, 20.0)}, "adapted": {1: adapted}}
    rows = adaptation_verdict(scores, {"prior": [1.0], "adapted": [9.0]}, "adaptation")
    assert rows[-1].passed is passed
    assert rows[2].measured == pytest.approx(adapted.psnr - 20)
