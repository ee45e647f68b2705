"""The chart's patches in ACEScg agree with published colour maths."""

from __future__ import annotations

import numpy as np
import pytest

from interpositive.images.colour_chart import COLUMNS, NEUTRALS, PATCH_NAMES, ROWS, chart_acescg


def test_patches_agree_with_colour_science() -> None:
    colour = pytest.importorskip("colour")
    published = colour.CCS_COLOURCHECKERS["ColorChecker24 - After November 2014"]
    expected = colour.XYZ_to_RGB(
        colour.xyY_to_XYZ(list(published.data.values())),
        "ACEScg",
        illuminant=published.illuminant,
        chromatic_adaptation_transform="Bradford",
    )
    np.testing.assert_allclose(chart_acescg(), expected, atol=2e-4)


def test_the_last_row_is_neutral_from_white_to_black() -> None:
    neutrals = chart_acescg()[NEUTRALS]
    assert (
        np.ptp(neutrals, axis=1) < 0.055 * neutrals.mean(axis=1)
    ).all()  # the white one is a little yellow
    assert (np.diff(neutrals.mean(axis=1)) < 0).all()
    assert len(PATCH_NAMES) == ROWS * COLUMNS == len(chart_acescg())
