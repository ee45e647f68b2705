"""The sample shot is exact, repeatable, and changes only what the artist asked to change."""

from __future__ import annotations

import numpy as np
import pytest

from interpositive.soundstage.camera import Camera
from interpositive.soundstage.sample_shot import SampleFrame, SampleSettings, render_frame

SETTINGS = SampleSettings(width=96, height=54, frame_count=6)


@pytest.fixture(scope="module")
def shot() -> list[SampleFrame]:
    return [render_frame(SETTINGS, SETTINGS.frames[0]), render_frame(SETTINGS, SETTINGS.frames[-1])]


def test_the_same_settings_give_the_same_bits(shot: list[SampleFrame]) -> None:
    again = render_frame(SETTINGS, SETTINGS.frames[0])
    assert again.plate.tobytes() == shot[0].plate.tobytes()
    assert again.target.tobytes() == shot[0].target.tobytes()
    assert again.matte.tobytes() == shot[0].matte.tobytes()


def test_another_seed_gives_other_grain(shot: list[SampleFrame]) -> None:
    other = render_frame(SampleSettings(96, 54, 6, seed=8), SETTINGS.frames[0])
    assert not np.array_equal(other.plate, shot[0].plate)


def test_a_good_part_of_the_picture_is_untouched_to_the_bit(shot: list[SampleFrame]) -> None:
    for frame in shot:
        untouched = (frame.plate == frame.target).all(axis=-1)
        assert 0.15 < untouched.mean() < 0.6
        assert not untouched[frame.matte > 0.5].any()


def test_values_far_above_one_and_all_finite(shot: list[SampleFrame]) -> None:
    for frame in shot:
        assert np.isfinite(frame.plate).all() and np.isfinite(frame.target).all()
        assert 10 < frame.plate.max() < 400
        assert frame.plate.dtype == frame.target.dtype == frame.matte.dtype == np.float32


def test_the_matte_is_a_coverage_with_soft_edges(shot: list[SampleFrame]) -> None:
    matte = shot[0].matte
    assert matte.shape == (54, 96)
    assert matte.min() == 0 and matte.max() == pytest.approx(1, abs=1e-5)
    assert ((matte > 0.05) & (matte < 0.95)).any()


def test_the_wall_is_darker_and_cooler_in_the_target(shot: list[SampleFrame]) -> None:
    plate, target = shot[0].plate[:6, 60:], shot[0].target[:6, 60:]
    ratio = (target / plate).reshape(-1, 3).mean(axis=0)
    assert 0.5 < ratio[1] < 0.7
    assert ratio[2] > ratio[0]


def test_the_camera_moves_and_looks_at_its_target(shot: list[SampleFrame]) -> None:
    first, last = shot[0].camera, shot[1].camera
    assert np.linalg.norm(np.subtract(first.position, last.position)) > 1
    middle = np.array([first.width / 2], np.float32), np.array([first.height / 2], np.float32)
    _, direction = first.rays(*middle)
    aim = np.subtract(first.target, first.position)
    assert direction[:, 0] == pytest.approx(aim / np.linalg.norm(aim), abs=1e-5)


def test_world_to_camera_brings_the_camera_to_the_origin_and_its_target_onto_plus_z() -> None:
    camera = Camera((1.0, 2.0, 5.0), (0.0, 1.0, 0.0), 0.0, 35.0, 24.89, 96, 54)
    matrix = np.array(camera.world_to_camera()).reshape(4, 4)
    assert np.array([1, 2, 5, 1]) @ matrix == pytest.approx([0, 0, 0, 1], abs=1e-6)
    seen = np.array([0, 1, 0, 1]) @ matrix
    assert seen[:2] == pytest.approx([0, 0], abs=1e-6)
    assert seen[2] == pytest.approx(np.sqrt(1 + 1 + 25), rel=1e-6)
