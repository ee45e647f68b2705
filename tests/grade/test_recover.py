from __future__ import annotations

import numpy as np
import pytest

from grade_samples import GRADE, SPACE, graded, stops_apart, view, wall
from interpositive.errors import GradeError, SizeMismatchError
from interpositive.grade.grading_space import GradingSpace
from interpositive.grade.recover import graded_by, recover


def test_a_cdl_is_recovered_and_leaves_no_lut() -> None:
    plate = view(wall(), 0)
    found = recover([plate], [graded(plate)], SPACE)
    other = view(wall(2), 1)
    assert stops_apart(graded_by(other, SPACE, found.cdl), graded(other)) < 0.02
    assert found.rms < 2e-3


def test_what_no_cdl_can_do_goes_into_the_lut() -> None:
    plate, other = view(wall(), 0), view(wall(), 1)

    def look(pixels: np.ndarray) -> np.ndarray:
        return np.asarray(pixels * (1 + 0.5 * np.tanh(pixels[..., [1, 2, 0]] - pixels)), np.float32)

    found = recover([plate], [look(plate)], SPACE)
    by_cdl = stops_apart(graded_by(other, SPACE, found.cdl), look(other))
    by_both = stops_apart(graded_by(other, SPACE, found.cdl, found.lut), look(other))
    assert by_both < 0.5 * by_cdl
    assert found.rms < 0.5 * found.cdl_rms


def test_a_linear_cdl_recovers_a_gain() -> None:
    space = GradingSpace.of("linear", "ACEScg")
    plate = view(wall(), 0)
    found = recover([plate], [plate * np.float32([1.4, 1.0, 0.8])], space)
    np.testing.assert_allclose(found.cdl.slope, (1.4, 1.0, 0.8), rtol=0.03)
    np.testing.assert_allclose(found.cdl.offset, 0, atol=0.01)


def test_negatives_and_highlights_survive_the_grade() -> None:
    plate = view(wall(), 0)
    plate[0, 0], plate[0, 1] = (-0.02, -0.01, 0.3), (40.0, 60.0, 90.0)
    found = recover([plate], [graded(plate)], SPACE)
    result = graded_by(plate, SPACE, found.cdl, found.lut)
    assert result[0, 0, 0] < 0 and result[0, 1].min() > 10
    assert np.isfinite(result).all()


def test_footage_that_does_not_fit_is_refused() -> None:
    plate = view(wall(), 0)
    with pytest.raises(SizeMismatchError, match="280x180"):
        recover([plate], [plate[:, :100]], SPACE)
    with pytest.raises(GradeError, match="one colour"):
        recover([np.full_like(plate, 0.2)], [plate], SPACE)
    with pytest.raises(GradeError, match="same frames"):
        recover([plate], [], SPACE)


def test_the_same_footage_gives_the_same_grade() -> None:
    plate = view(wall(), 0)
    first, second = (recover([plate], [graded(plate)], SPACE) for _ in range(2))
    assert first.cdl == second.cdl
    assert first.lut.table.tobytes() == second.lut.table.tobytes()
    assert GRADE != first.cdl  # but for rounding, a CDL is one of many that do the same
