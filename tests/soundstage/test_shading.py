"""Reflectance against closed forms."""

from __future__ import annotations

import numpy as np
import pytest

from interpositive.soundstage.shading import Light, Surface, environment, reflectance, schlick


def straight_down(roughness: float, coat: float) -> Surface:
    up = np.array([[0], [1], [0]], np.float32)
    one = np.ones(1, np.float32)
    return Surface(up * 0, up, up, np.full((3, 1), 0.5, np.float32), one * roughness, one * coat)


def test_head_on_reflectance_is_lambert_plus_the_ggx_peak() -> None:
    surface = straight_down(roughness=0.5, coat=0.04)  # alpha 0.25, so D = 1 / (pi 0.0625) and G = 1
    expected = 0.5 * 0.96 + 0.04 / (4 * 0.0625)
    assert reflectance(surface, surface.normal)[0, 0] == pytest.approx(expected, rel=1e-4)


def test_light_from_behind_reflects_nothing() -> None:
    surface = straight_down(0.5, 0.04)
    assert reflectance(surface, -surface.normal).max() == 0


def test_schlick_is_the_normal_reflectance_head_on_and_one_at_grazing() -> None:
    coat = np.full(2, 0.04, np.float32)
    assert schlick(coat, np.array([1, 0], np.float32)) == pytest.approx([0.04, 1.0])


def test_a_rough_coat_does_not_reflect_more_light_than_arrives() -> None:
    rng = np.random.default_rng(2)
    count = 40000
    z = rng.random(count)  # uniform over the hemisphere: mean of f cos over it, times 2, is the albedo
    phi = rng.random(count) * 2 * np.pi
    radius = np.sqrt(1 - z * z)
    to_light = np.stack([radius * np.cos(phi), z, radius * np.sin(phi)]).astype(np.float32)
    one = np.ones(count, np.float32)
    up = np.repeat(np.array([[0], [1], [0]], np.float32), count, axis=1)
    white = Surface(up * 0, up, up, np.ones((3, count), np.float32), one * 0.6, one * 0.04)
    assert 2 * reflectance(white, to_light)[0].mean() == pytest.approx(1.0, abs=0.03)


def test_a_light_gives_its_colour_at_its_target_and_a_quarter_at_twice_the_distance() -> None:
    light = Light("key", (0, 2, 0), (0, 1, 0.0001), (1, 1, 1), cone_deg=90)
    half = np.full(2, 0.5, np.float32)
    _, distance, scale = light.sample(np.array([[0, 0], [1, 0], [0, 0]], np.float32), half, half)
    assert distance == pytest.approx([1, 2], abs=1e-3)
    assert scale == pytest.approx([1, 0.25], rel=1e-3)


def test_a_spot_leaves_what_is_outside_its_cone_dark() -> None:
    light = Light("key", (0, 2, 0), (0, 0, 0.0001), (1, 1, 1), cone_deg=40)
    half = np.full(1, 0.5, np.float32)
    assert light.sample(np.array([[3], [0], [0]], np.float32), half, half)[2][0] == 0


def test_the_dome_is_sky_above_and_ground_below() -> None:
    up_down = np.array([[0, 0], [1, -1], [0, 0]], np.float32)
    assert environment(up_down, (1, 2, 3), (4, 5, 6)).T == pytest.approx(np.array([[1, 2, 3], [4, 5, 6]]))
