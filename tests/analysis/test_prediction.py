from __future__ import annotations

import numpy as np

from interpositive.analysis.prediction import (
    WorkingPasses,
    guide_of,
    predict,
    predicted_light,
    small_plate,
    unit,
    working_size,
)
from stand_in_prior import DIRECTION, StandInPrior


def plate(level: float = 0.2) -> np.ndarray:
    return (level * (0.3 + np.random.default_rng(0).random((40, 70, 3)))).astype(np.float32)


def test_every_frame_is_shown_with_the_exposure_of_the_shot() -> None:
    prior = StandInPrior()
    predict(prior, plate(), 3.0, None, np.float32([1, 0, 0]), views=1)
    shown = prior.looks[0].picture[0].transpose(1, 2, 0)[:40, :70]
    np.testing.assert_allclose(shown, plate() * 3.0, rtol=1e-5)


def test_passes_are_in_plate_units_at_the_plates_size() -> None:
    passes, _ = predict(StandInPrior(), plate(), 3.0)
    assert passes.depth.shape == (40, 70)
    np.testing.assert_allclose((passes.albedo * passes.shading).mean(), plate().mean(), rtol=0.3)


def test_without_a_key_the_prior_looks_for_it_first_and_then_knows_it() -> None:
    prior = StandInPrior()
    predict(prior, plate(), 1.0, views=2)
    assert [bool(look.light[0, 3]) for look in prior.looks] == [False, True, True]
    found = predicted_light(prior, plate(), 1.0).direction.numpy()
    np.testing.assert_allclose(found, DIRECTION, atol=1e-3)


def test_what_is_small_is_finite_and_not_negative() -> None:
    wild = plate()
    wild[0, 0], wild[1, 1], wild[2, 2] = np.nan, -5, np.inf
    small = small_plate(wild, 35)
    assert small.shape == (20, 35, 3) and np.isfinite(small).all() and (small >= 0).all()
    assert np.isfinite(guide_of(wild, 1.0)).all()


def test_the_working_size_keeps_the_aspect_and_never_enlarges() -> None:
    assert working_size(1920, 1080, 384) == (384, 216)
    assert working_size(100, 50, 384) == (100, 50)
    assert working_size(5000, 2, 384) == (384, 1)


def test_packing_and_unpacking_keep_the_passes() -> None:
    passes, _ = predict(StandInPrior(), plate(), 1.0)
    back = WorkingPasses.unpacked(passes.packed())
    for name in ("normal", "depth", "albedo", "shading", "roughness", "visibility", "confidence"):
        np.testing.assert_allclose(getattr(back, name), getattr(passes, name), rtol=1e-4, atol=1e-5)


def test_vectors_without_direction_face_the_camera() -> None:
    np.testing.assert_array_equal(unit(np.zeros((1, 3), np.float32)), [[0, 0, 1]])
