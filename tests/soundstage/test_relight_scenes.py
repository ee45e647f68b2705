"""The scenes that relighting is judged by: exact, repeatable, and consistent with what they claim."""

from __future__ import annotations

import numpy as np
import pytest

from interpositive.soundstage.relight_scenes import (
    TEST_SEEDS,
    VALIDATION_SEEDS,
    RelightScene,
    relight_scene,
    relight_shot,
)

WIDTH = 64


@pytest.fixture(scope="module", params=[100, 101])
def scene(request: pytest.FixtureRequest) -> RelightScene:
    return relight_scene(request.param, width=WIDTH)


def test_settings_and_judgement_never_share_a_seed() -> None:
    assert len(TEST_SEEDS) >= 24 and not set(TEST_SEEDS) & set(VALIDATION_SEEDS)


def test_a_seed_gives_the_same_scene_to_the_bit(scene: RelightScene) -> None:
    again = relight_scene(int(scene.name.rpartition("_")[2]), width=WIDTH)
    np.testing.assert_array_equal(again.pictures, scene.pictures)
    np.testing.assert_array_equal(again.plate(1), scene.plate(1))


def test_even_seeds_are_objects_and_odd_ones_whole_pictures(scene: RelightScene) -> None:
    assert scene.matte.all() == (scene.framing == "plate")
    assert scene.matte.mean() > 0.05
    if scene.framing == "object":
        assert not scene.pictures[:, ~scene.matte].any()


def test_normals_are_unit_and_face_the_camera(scene: RelightScene) -> None:
    np.testing.assert_allclose(np.linalg.norm(scene.normals[scene.matte], axis=-1), 1, atol=1e-4)
    assert (scene.normals[scene.matte][:, 2] > -0.2).mean() > 0.99


def test_lights_are_unit_and_in_front(scene: RelightScene) -> None:
    np.testing.assert_allclose(np.linalg.norm(scene.directions, axis=1), 1, atol=1e-5)
    assert (scene.directions[:, 2] > 0.15).all()


def test_no_picture_is_much_brighter_than_open_lambert(scene: RelightScene) -> None:
    """Colour x cosine + ambient, unshadowed, bounds what is not a highlight or a bounce."""
    for picture, direction, colour, ambient in zip(
        scene.pictures, scene.directions, scene.colours, scene.ambients, strict=True
    ):
        cosine = np.maximum(scene.normals @ direction, 0)[..., None]
        open_light = scene.albedo * (cosine * colour + 1.25 * ambient)
        over = picture - open_light
        assert np.quantile(over[scene.matte], 0.8) < 0.15
        lit = scene.matte & (cosine[..., 0] > 0.4)
        assert np.median((picture / np.maximum(open_light, 1e-4))[lit]) == pytest.approx(1, abs=0.25)


def test_grain_is_the_camera_s_and_small(scene: RelightScene) -> None:
    error = scene.plate(0) - scene.pictures[0]
    assert 0 < np.abs(np.median(error)) < 0.01 or np.abs(error).mean() < 0.05
    assert scene.plate(0).dtype == np.float32


def test_in_a_shot_the_lights_stand_still_on_the_stage_and_the_camera_moves() -> None:
    first, last = relight_shot(101, 2, width=WIDTH)
    assert first.pictures.shape == (3, 36, 64, 3)
    assert np.abs(first.albedo - last.albedo).mean() > 1e-3
    assert not np.allclose(first.directions, last.directions)
    angles = [f.directions @ f.directions.T for f in (first, last)]
    np.testing.assert_allclose(angles[0], angles[1], atol=1e-5)
    np.testing.assert_allclose(first.colours, last.colours, rtol=1e-6)
