from __future__ import annotations

import numpy as np
import pytest

from interpositive.analysis.exposure import NORMAL_MEAN, seen, shot_gain


def test_a_shot_is_brought_to_the_normal_mean() -> None:
    plates = [np.full((4, 4, 3), value, np.float32) for value in (0.02, 0.04)]
    assert shot_gain(plates, [None, None]) * 0.03 == pytest.approx(NORMAL_MEAN)


def test_only_the_subject_counts() -> None:
    plate = np.full((4, 4, 3), 10.0, np.float32)
    plate[:2] = 0.1
    matte = np.zeros((4, 4), np.float32)
    matte[:2] = 1
    assert shot_gain([plate], [matte]) == pytest.approx(2.0)


def test_a_lamp_does_not_darken_the_rest() -> None:
    plate = np.full((20, 20, 3), 0.1, np.float32)
    plate[0, 0] = 60000.0
    assert shot_gain([plate], [None]) > 1.5


def test_a_black_shot_has_no_exposure() -> None:
    assert shot_gain([np.zeros((4, 4, 3), np.float32)], [None]) == 1.0


def test_what_is_seen_is_finite_and_not_negative() -> None:
    plate = np.float32([[[np.nan, np.inf, -np.inf], [-1, 0, 7]]])
    np.testing.assert_array_equal(seen(plate), np.float32([[[0, 65504, 0], [0, 0, 7]]]))
