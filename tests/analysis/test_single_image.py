from __future__ import annotations

import numpy as np

from interpositive.analysis.lighting import direction_of
from interpositive.analysis.single_image import decompose
from interpositive.relight.shot_light import ShotLight
from stand_in_prior import StandInPrior


def picture() -> np.ndarray:
    y, x = np.mgrid[:90, :120].astype(np.float32)
    soft = 0.3 + 0.2 * np.sin(x / 13) * np.cos(y / 11)
    return np.ascontiguousarray(soft[..., None] * np.float32([1.0, 0.8, 0.6]))


def test_the_picture_comes_back_at_its_own_size_bit_for_bit() -> None:
    passes, light = decompose(StandInPrior(), picture(), working_px=60)
    np.testing.assert_array_equal(passes.beauty(), picture())
    assert np.isfinite(light.colour.numpy()).all()


def test_a_known_light_is_told_to_the_prior_and_comes_back_as_it_is() -> None:
    known = ShotLight.of(direction_of(50, 20).tolist(), [1.0] * 3, np.zeros((9, 3)).tolist())
    prior = StandInPrior()
    _, light = decompose(prior, picture(), known=known, working_px=60)
    assert light is known and all(look.light[0, 3] == 1 for look in prior.looks)


def test_a_matte_is_where_the_prior_looks() -> None:
    matte = np.zeros((90, 120), np.float32)
    matte[30:60, 40:80] = 1
    prior = StandInPrior()
    passes, _ = decompose(prior, picture(), matte)
    assert passes.confidence[45, 60] > 0.5 and passes.confidence[2, 2] < 0.1
    np.testing.assert_array_equal(passes.beauty(), picture())
