"""Claims about which frames are suggested."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from interpositive.training.suggestions import GRID, Descriptors, look_of, suggest, whitened

SCENES = {1001: 0, 1002: 0, 1003: 0, 1004: 0, 1005: 1, 1006: 2, 1007: 2, 1008: 2}


def look(scene: int, frame: int) -> Descriptors:
    """Blocks of one of three very different scenes, each frame a little different."""
    scenes = np.random.default_rng(7).normal(0, 1, (3, GRID[0] * GRID[1], 6))
    return (scenes[scene] + 0.001 * frame).astype(np.float32)


def suggested(count: int, have: tuple[int, ...] = ()) -> list[int]:
    frames = list(SCENES)
    descriptors = [look(SCENES[frame], frame - 1001) for frame in frames]
    return list(suggest(frames, descriptors, count, have, lambda done, total: None).frames)


def test_each_scene_of_the_shot_gets_a_frame() -> None:
    assert {SCENES[frame] for frame in suggested(3)} == {0, 1, 2}


def test_scenes_that_the_artist_has_already_are_not_suggested_again() -> None:
    assert {SCENES[frame] for frame in suggested(1, have=(1001, 1006))} == {1}


def test_frames_at_hand_are_never_suggested() -> None:
    assert set(suggested(8, have=(1002, 1005))) == set(SCENES) - {1002, 1005}


def test_more_frames_than_the_shot_has_gives_the_whole_shot() -> None:
    assert sorted(suggested(50)) == sorted(SCENES)


def test_a_covered_frame_is_less_uncovered_than_an_unseen_scene() -> None:
    frames = list(SCENES)
    descriptors = [look(SCENES[frame], frame - 1001) for frame in frames]
    found = suggest(frames, descriptors, 1, (1006,), lambda done, total: None)
    assert found.frames[0] in (1001, 1002, 1003, 1004)
    assert found.uncovered[1005] > 10 * found.uncovered[1007]


def test_suggestions_repeat_exactly() -> None:
    assert suggested(4) == suggested(4)


def test_look_tells_place_colour_and_texture_apart() -> None:
    plain = np.full((90, 160, 3), 0.18, np.float32)
    textured = plain * np.random.default_rng(1).uniform(0.5, 1.5, plain.shape).astype(np.float32)
    blocks, rough = look_of(plain, 0.02), look_of(textured, 0.02)
    assert blocks.shape == (GRID[0] * GRID[1], 6)
    assert np.ptp(blocks[:, :3]) == pytest.approx(0, abs=1e-6)
    assert rough[:, 3].min() > blocks[:, 3].max() + 0.05
    assert len(np.unique(blocks[:, 4:].round(5), axis=0)) == GRID[0] * GRID[1]


def test_look_survives_negatives_and_super_whites() -> None:
    plate = np.random.default_rng(2).uniform(-0.5, 60, (45, 80, 3)).astype(np.float32)
    assert np.isfinite(look_of(plate, 0.02)).all()


def test_whitened_components_all_count_the_same() -> None:
    random = np.random.default_rng(3)
    descriptors = [random.normal(0, (1, 100), (50, 2)).astype(np.float32) for _ in range(4)]
    assert np.concatenate(whitened(descriptors)).std(0) == pytest.approx([1, 1], rel=1e-4)


def along(places: NDArray[np.float64], count: int) -> list[int]:
    """What is suggested, in order of time, for frames from 1001 whose look is at `places` of a path."""
    base = np.random.default_rng(5).normal(0, 1, (GRID[0] * GRID[1], 6))
    frames = list(range(1001, 1001 + len(places)))
    descriptors = [(base + place).astype(np.float32) for place in places]
    return sorted(suggest(frames, descriptors, count, (), lambda done, total: None).frames)


@pytest.mark.parametrize("count", [2, 3, 5, 8])
def test_a_shot_that_changes_steadily_gets_even_spacing_from_end_to_end(count: int) -> None:
    expected = [1001 + round(place) for place in np.linspace(0, 39, count).tolist()]
    assert along(np.linspace(0, 2, 40), count) == expected


def test_a_shot_that_stands_still_gets_even_spacing() -> None:
    assert along(np.zeros(21), 3) == [1001, 1011, 1021]


def test_a_grainy_shot_that_stands_still_gets_even_spacing() -> None:
    random = np.random.default_rng(2)
    base = random.normal(0, 1, (GRID[0] * GRID[1], 6))
    descriptors = [(base + random.normal(0, 2e-3, base.shape)).astype(np.float32) for _ in range(21)]
    found = suggest(range(1001, 1022), descriptors, 3, (), lambda done, total: None)
    assert sorted(found.frames) == [1001, 1011, 1021]


def test_an_event_that_even_spacing_misses_gets_a_frame() -> None:
    event = np.zeros(60)
    event[17:29] = 3.0
    found = along(event, 5)
    assert len(set(found)) == 5
    assert any(1018 <= frame <= 1029 for frame in found)
    assert any(frame < 1018 for frame in found) and any(frame > 1029 for frame in found)


def test_the_frame_that_says_most_comes_first() -> None:
    frames = list(range(1001, 1061))
    descriptors = [look(int(1018 <= frame <= 1029), 0) for frame in frames]
    found = suggest(frames, descriptors, 5, (), lambda done, total: None).frames
    scenes = [1018 <= frame <= 1029 for frame in found]
    assert scenes[:2] == [False, True]  # one of the scene that lasts longer, then one of the other


def test_suggestions_from_nothing_do_not_depend_on_the_numbers_of_the_frames() -> None:
    descriptors = [look(int(17 <= k <= 28), k) for k in range(60)]
    low, high = (
        suggest(range(first, first + 60), descriptors, 4, (), lambda done, total: None).frames
        for first in (0, 100_000)
    )
    assert tuple(frame - 100_000 for frame in high) == low
