"""The light's own say about albedo and shading."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from interpositive.analysis.agreement import agreed, agreement_level
from interpositive.analysis.lighting import shading_of
from interpositive.analysis.prediction import WorkingPasses
from interpositive.relight.shot_light import ShotLight
from lit_objects import ball

LIGHT = ShotLight.of((0.5, 0.4, 0.8), (1.0, 0.9, 0.8), [(0.8, 0.8, 0.9)] + [(0.0, 0.0, 0.0)] * 8)


def exact_passes() -> WorkingPasses:
    """A ball of grey albedo in LIGHT."""
    matte, normal = ball()
    one = np.ones(matte.shape, np.float32)
    albedo = np.full((*matte.shape, 3), 0.4, np.float32)
    shading = shading_of(LIGHT, normal)
    return WorkingPasses(normal, one, albedo, shading, one * np.float32(0.5), one, one)


def with_light_in_albedo() -> WorkingPasses:
    """The same, but half of the light's slope was taken for paint."""
    exact = exact_passes()
    slope = np.sqrt(exact.shading / exact.shading.mean())
    return replace(exact, albedo=exact.albedo * slope, shading=exact.shading / slope)


def spread(albedo: np.ndarray) -> float:
    inside = albedo[ball()[0]]
    return float(inside.std() / inside.mean())


def test_light_that_was_taken_for_paint_is_given_back() -> None:
    found = with_light_in_albedo()
    better = agreed(found, LIGHT, agreement_level(found, LIGHT))
    assert spread(better.albedo) < 0.65 * spread(found.albedo)


def test_the_product_of_albedo_and_shading_stays() -> None:
    found = with_light_in_albedo()
    better = agreed(found, LIGHT, agreement_level(found, LIGHT))
    np.testing.assert_allclose(better.albedo * better.shading, found.albedo * found.shading, rtol=1e-5)


def test_what_agrees_already_hardly_changes() -> None:
    exact = exact_passes()
    same = agreed(exact, LIGHT, agreement_level(exact, LIGHT))
    assert np.abs(same.albedo / exact.albedo - 1)[ball()[0]].mean() < 0.03


def test_the_level_takes_out_how_bright_the_light_is() -> None:
    found = with_light_in_albedo()
    dim = ShotLight(LIGHT.direction, LIGHT.colour / 8, LIGHT.environment_sh / 8)
    assert agreement_level(found, dim) == pytest.approx(8 * agreement_level(found, LIGHT), rel=1e-4)


def test_a_black_light_changes_nothing() -> None:
    black = ShotLight.of((0, 0, 1), (0, 0, 0), [(0, 0, 0)] * 9)
    found = with_light_in_albedo()
    level = agreement_level(found, black)
    assert level == 0
    np.testing.assert_array_equal(agreed(found, black, level).albedo, found.albedo)
