from __future__ import annotations

import numpy as np
import PyOpenColorIO as ocio
import pytest

from interpositive.errors import GradeError
from interpositive.grade.cdl import CDL, apply, invert

GRADE = CDL((1.1, 0.9, 1.0), (0.02, -0.3, 0.1), (1.2, 0.8, 1.0), 0.7)


def values() -> np.ndarray:
    return np.random.default_rng(0).uniform(-1, 2, (40, 30, 3)).astype(np.float32)


@pytest.mark.parametrize("clamp", [False, True])
def test_the_maths_equal_opencolorio(clamp: bool) -> None:
    transform = ocio.CDLTransform(slope=GRADE.slope, offset=GRADE.offset, power=GRADE.power, sat=0.7)
    transform.setStyle(ocio.CDL_ASC if clamp else ocio.CDL_NO_CLAMP)
    processor = ocio.Config.CreateRaw().getProcessor(transform)
    theirs = values()
    processor.getOptimizedCPUProcessor(ocio.OPTIMIZATION_NONE).applyRGB(theirs)
    np.testing.assert_allclose(apply(GRADE, values(), clamp), theirs, atol=2e-6)


def test_one_value_by_hand() -> None:
    sop = CDL((2.0, 1.0, 1.0), (0.1, 0.0, 0.0), (2.0, 1.0, 1.0))
    assert apply(sop, np.float32([[0.2, 0.3, 0.4]])) == pytest.approx(np.array([[0.25, 0.3, 0.4]]))
    grey = 0.2126 * 0.2 + 0.7152 * 0.3 + 0.0722 * 0.4
    flat = apply(CDL(saturation=0.0), np.float32([[0.2, 0.3, 0.4]]))
    assert flat == pytest.approx(np.full((1, 3), grey))


def test_values_below_zero_and_above_one_live_on_unless_clamped() -> None:
    pixels = np.float32([[-0.5, 0.5, 3.0]])
    assert apply(CDL(), pixels).tolist() == pixels.tolist()
    assert apply(CDL(), pixels, clamp=True).tolist() == [[0.0, 0.5, 1.0]]


def test_no_change_is_bit_identical_and_nan_stays() -> None:
    pixels = values()
    pixels[0, 0] = np.nan
    assert apply(CDL(), pixels).tobytes() == pixels.tobytes()
    assert np.isnan(apply(GRADE, pixels)[0, 0]).all()


def test_invert_undoes_apply() -> None:
    np.testing.assert_allclose(invert(GRADE, apply(GRADE, values())), values(), atol=3e-5)
    with pytest.raises(GradeError, match="cannot be undone"):
        invert(CDL(saturation=0.0), values())


@pytest.mark.parametrize(
    "numbers",
    [
        [-0.1, 1, 1, 0, 0, 0, 1, 1, 1, 1],
        [1, 1, 1, 0, 0, 0, 0, 1, 1, 1],
        [1, 1, 1, 0, 0, 0, 1, 1, 1, -1],
        [1, 1, 1, float("nan"), 0, 0, 1, 1, 1, 1],
    ],
)
def test_numbers_that_break_the_rules_are_refused(numbers: list[float]) -> None:
    with pytest.raises(GradeError):
        CDL.of(numbers)
