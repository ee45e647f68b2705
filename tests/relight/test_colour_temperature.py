from __future__ import annotations

import numpy as np
import pytest

from interpositive.relight.colour_temperature import REC709, kelvin_rgb, planckian_xy, rgb_to_xyz

ACESCG = (0.713, 0.293, 0.165, 0.830, 0.128, 0.044, 0.32168, 0.33767)


@pytest.mark.parametrize(
    ("kelvin", "x", "y"),
    [
        (2000, 0.52669, 0.41331),  # tabulated black bodies, CIE 1931
        (2856, 0.44757, 0.40745),  # CIE illuminant A
        (4000, 0.38045, 0.37675),
        (6500, 0.31352, 0.32363),
        (10000, 0.28063, 0.28828),
    ],
)
def test_black_bodies_have_their_tabulated_chromaticity(kelvin: float, x: float, y: float) -> None:
    assert planckian_xy(kelvin) == pytest.approx((x, y), abs=6e-4)


def test_the_matrix_is_that_of_bt_709() -> None:
    expected = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    np.testing.assert_allclose(rgb_to_xyz(REC709), expected, atol=1e-4)


@pytest.mark.parametrize("primaries", [REC709, ACESCG])
@pytest.mark.parametrize("kelvin", [1000, 1900, 3200, 5600, 6500, 15000])
def test_every_temperature_has_the_same_luminance_and_nothing_negative(
    kelvin: float, primaries: tuple
) -> None:
    rgb = np.array(kelvin_rgb(kelvin, primaries))
    assert float(rgb_to_xyz(primaries)[1] @ rgb) == pytest.approx(1.0, abs=1e-6)
    assert rgb.min() >= 0


def test_daylight_is_nearly_white_tungsten_is_warm_and_a_blue_sky_is_cool() -> None:
    assert kelvin_rgb(6500) == pytest.approx((1, 1, 1), abs=0.07)
    red, _, blue = kelvin_rgb(3200)
    assert red > 1.5 * blue
    red, _, blue = kelvin_rgb(12000)
    assert blue > 1.3 * red
