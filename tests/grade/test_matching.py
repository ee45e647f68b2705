from __future__ import annotations

import numpy as np
import pytest

from grade_samples import GRADE, SPACE, graded, stops_apart, view, wall
from interpositive.errors import GradeError
from interpositive.grade.cdl import CDL, apply
from interpositive.grade.colour_cloud import cloud_of, overlay
from interpositive.grade.grading_space import GradingSpace
from interpositive.grade.matching import NOTHING_SHARED, estimate, look_at
from interpositive.images.colour_chart import chart_acescg

WALL = wall()
HERO, SHOT = view(WALL, 0), view(WALL, 2)


def matched(shot: np.ndarray, cdl: CDL, space: GradingSpace = SPACE) -> np.ndarray:
    return space.decode(apply(cdl, space.encode(shot)))


def test_a_graded_shot_is_brought_back_to_its_set() -> None:
    match = estimate(HERO, graded(SHOT), SPACE)
    assert match.basis == "points" and match.confidence > 0.8
    assert stops_apart(graded(SHOT), SHOT) > 0.3
    assert stops_apart(matched(graded(SHOT), match.cdl), SHOT) < 0.04


def test_the_differences_have_the_right_sign_and_size() -> None:
    brighter = estimate(HERO, SHOT * np.float32(2.0), SPACE)
    assert brighter.exposure_stops == pytest.approx(1.0, abs=0.05)
    assert brighter.white_balance_mireds == pytest.approx(0.0, abs=2.0)
    warmer = estimate(HERO, SHOT * np.float32([1.1, 1.0, 0.85]), SPACE)
    assert warmer.white_balance_mireds > 15
    greener = estimate(HERO, SHOT * np.float32([1.0, 1.15, 1.0]), SPACE)
    assert greener.tint_duv > 0.005


def test_a_shot_that_matches_already_is_left_alone() -> None:
    match = estimate(HERO, SHOT, SPACE)
    assert abs(match.exposure_stops) < 0.03 and abs(match.white_balance_mireds) < 1.5
    assert stops_apart(matched(SHOT, match.cdl), SHOT) < 0.03


def test_a_linear_cdl_does_the_same() -> None:
    space = GradingSpace.of("linear", "ACEScg")
    shot = SHOT * np.float32([1.5, 1.2, 0.8])
    match = estimate(HERO, shot, space)
    assert stops_apart(matched(shot, match.cdl, space), SHOT) < 0.06
    np.testing.assert_allclose(np.array(match.cdl.slope) * (1.5, 1.2, 0.8), 1.0, atol=0.06)


def test_working_spaces_may_differ() -> None:
    from interpositive.images.colour import convert

    rec709 = GradingSpace.of(None, "lin_rec709")
    hero = look_at(convert(HERO, "ACEScg", "lin_rec709"), rec709)
    match = estimate(hero, look_at(graded(SHOT), SPACE), SPACE)
    assert stops_apart(matched(graded(SHOT), match.cdl), SHOT) < 0.04


def test_colours_alone_find_the_grade_too() -> None:
    hero, shot = SPACE.encode(HERO), SPACE.encode(graded(SHOT))
    found = overlay(cloud_of([hero]), cloud_of([shot]))
    assert found.share > 0.6
    assert stops_apart(matched(graded(SHOT), found.cdl), SHOT) < 0.15


def test_nothing_shared_is_said_and_only_offsets_move() -> None:
    stripes = np.repeat(np.linspace(0.02, 0.9, 280, dtype=np.float32)[None], 180, axis=0)
    other = stripes[..., None] * np.float32([0.3, 0.9, 1.6]) + np.float32(0.002)
    match = estimate(HERO, other, SPACE)
    assert match.confidence < NOTHING_SHARED and match.basis == "statistics"
    assert match.cdl.slope == match.cdl.power == (1.0, 1.0, 1.0) and match.cdl.saturation == 1.0


def test_clipped_highlights_do_not_pull() -> None:
    shot = np.minimum(SHOT * np.float32(2.0), np.float32(0.3))
    match = estimate(HERO, shot, SPACE)
    assert match.exposure_stops == pytest.approx(1.0, abs=0.05)


def with_chart(picture: np.ndarray, left: int, top: int, patch: int = 8) -> tuple[np.ndarray, list]:
    picture = picture.copy()
    patches = chart_acescg().reshape(4, 6, 3) * np.float32(0.6)
    large = np.repeat(np.repeat(patches, patch, axis=0), patch, axis=1)
    picture[top : top + 4 * patch, left : left + 6 * patch] = large
    right, bottom = left + 6 * patch, top + 4 * patch
    return picture, [(left, top), (right, top), (right, bottom), (left, bottom)]


def test_a_chart_settles_shots_that_share_nothing_else() -> None:
    hero, corners = with_chart(HERO, 20, 30)
    shot, others = with_chart(view(wall(9), 1), 150, 100)
    match = estimate(look_at(hero, SPACE, corners), look_at(graded(shot), SPACE, others), SPACE)
    assert match.basis == "chart" and match.confidence > 0.9
    chart = chart_acescg()[None] * np.float32(0.6)
    assert stops_apart(matched(graded(chart), match.cdl), chart) < 0.04


def test_a_chart_of_no_size_is_refused() -> None:
    with pytest.raises(GradeError, match="enclose"):
        look_at(HERO, SPACE, [(0, 0), (3, 0), (3, 3), (0, 3)])


@pytest.mark.parametrize(("level", "reason"), [(0.0, "black"), (0.2, "of one colour")])
def test_frames_without_anything_in_them_are_refused(level: float, reason: str) -> None:
    with pytest.raises(GradeError, match=f"sh020 is {reason}"):
        look_at(np.full((40, 60, 3), level, np.float32), SPACE, name="sh020")


def test_one_black_frame_among_others_does_no_harm() -> None:
    match = estimate(HERO, [np.zeros_like(SHOT), graded(SHOT)], SPACE)
    assert stops_apart(matched(graded(SHOT), match.cdl), SHOT) < 0.04


def test_nan_and_infinity_do_no_harm() -> None:
    shot = graded(SHOT)
    shot[10:14, 10:14], shot[50, 50] = np.nan, np.inf
    match = estimate(HERO, shot, SPACE)
    assert stops_apart(matched(graded(SHOT), match.cdl), SHOT) < 0.04


def test_the_same_pictures_give_the_same_cdl() -> None:
    assert estimate(HERO, graded(SHOT, GRADE), SPACE).cdl == estimate(HERO, graded(SHOT, GRADE), SPACE).cdl
