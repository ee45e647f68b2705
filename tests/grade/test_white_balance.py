from __future__ import annotations

import numpy as np
import pytest

from interpositive.grade.white_balance import mireds, to_luminance
from interpositive.relight.colour_temperature import REC709, kelvin_rgb


@pytest.mark.parametrize("kelvin", [2000.0, 3200.0, 5600.0, 9000.0, 14000.0])
def test_a_black_body_has_its_own_temperature(kelvin: float) -> None:
    mired, duv = mireds(kelvin_rgb(kelvin), REC709)
    assert mired == pytest.approx(1e6 / kelvin, abs=0.01)
    assert duv == pytest.approx(0, abs=1e-5)


def test_d65_as_published() -> None:
    mired, duv = mireds((1, 1, 1), REC709)
    assert mired == pytest.approx(1e6 / 6504, abs=0.5)
    assert duv == pytest.approx(0.0032, abs=2e-4)


def test_red_is_warm_and_green_is_above_the_locus() -> None:
    white = mireds((1, 1, 1), REC709)
    assert mireds((1.1, 1, 0.9), REC709)[0] > white[0]
    assert mireds((1, 1.1, 1), REC709)[1] > white[1] > 0 > mireds((1, 0.9, 1), REC709)[1]


def test_the_scale_goes_on_beyond_its_ends() -> None:
    assert mireds((0.5, 0.9, 2.5), REC709)[0] < 1e6 / 15000


def test_luminance_weights_of_rec709() -> None:
    np.testing.assert_allclose(to_luminance(REC709), (0.2126, 0.7152, 0.0722), atol=2e-4)
