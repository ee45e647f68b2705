from __future__ import annotations

import numpy as np
import pytest

from grade_samples import GRADE, SPACE, stops_apart, view, wall
from interpositive.grade.cdl import CDL, apply
from interpositive.grade.grading_space import GradingSpace
from interpositive.grade.steadiness import steadiness

WALL = wall(4)


def test_a_still_shot_does_not_drift() -> None:
    frames = {1001 + k: view(WALL, k) for k in range(3)}
    found = steadiness(frames, CDL(), SPACE)
    assert found.middle == 1002
    assert found.largest_stops < 0.04 and found.largest_mireds < 2


def test_an_iris_pull_is_found_and_keyed_away() -> None:
    frames = {1001: view(WALL, 0), 1010: view(WALL, 1), 1020: view(WALL, 2) * np.float32(1.5)}
    found = steadiness(frames, GRADE, SPACE)
    assert found.largest_stops == pytest.approx(np.log2(1.5), abs=0.06)
    wanted = SPACE.decode(apply(GRADE, SPACE.encode(view(WALL, 2))))
    keyed = SPACE.decode(apply(found.keys[1020], SPACE.encode(frames[1020])))
    assert stops_apart(keyed, wanted) < 0.06


def test_linear_keys_move_the_exposure() -> None:
    space = GradingSpace.of("linear", "ACEScg")
    frames = {1: view(WALL, 0), 2: view(WALL, 1), 3: view(WALL, 2) * np.float32(2.0)}
    found = steadiness(frames, CDL((1.2, 1.0, 1.0)), space)
    np.testing.assert_allclose(found.keys[3].slope, (0.6, 0.5, 0.5), rtol=0.05)


def test_one_frame_has_no_drift() -> None:
    found = steadiness({7: view(WALL, 0)}, GRADE, SPACE)
    assert found.drifts == () and found.keys == {7: GRADE} and found.largest_stops == 0
