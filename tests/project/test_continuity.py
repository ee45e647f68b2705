"""Shots are judged against their scene by amounts with known answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from interpositive.grade.cdl import CDL
from interpositive.project.clips import Clip, Measures, Record
from interpositive.project.continuity import (
    Comparison,
    Limits,
    SceneState,
    ShotState,
    compare_scene,
    natural,
    scenes_of,
    trace,
)


def record(clip_id: int, stops: float = 0.0, mireds: float | None = 160.0, **facts: object) -> Record:
    values = {
        "scene": "1",
        "focal_mm": 40.0,
        "lens": "Prime 40 mm T2.8",
        "timecode": f"01:{clip_id:02d}:00:00",
    }
    clip = Clip(f"sh{clip_id:03d}", f"/dailies/day1/sh{clip_id:03d}.%04d.exr", "images", 1001, 1016)
    measures = Measures((1008,), stops, (1.0, 1.0, 1.0), mireds, 6.0)
    return Record(clip_id, replace(clip, **{**values, **facts}), measures)  # type: ignore[arg-type]


class Matching:
    """Stands for `grade.matching`: shots are brighter and warmer by what is said of them."""

    def __init__(
        self, stops: dict[int, float], mireds: dict[int, float] | None = None, sure: float = 0.9
    ) -> None:
        self.stops, self.mireds, self.sure = stops, mireds or {}, sure
        self.asked: list[tuple[int, int]] = []

    def __call__(self, hero: Record, shot: Record) -> Comparison:
        self.asked.append((hero.clip_id, shot.clip_id))
        stops = self.stops.get(shot.clip_id, 0.0) - self.stops.get(hero.clip_id, 0.0)
        mireds = self.mireds.get(shot.clip_id, 0.0) - self.mireds.get(hero.clip_id, 0.0)
        basis = "points" if self.sure >= 0.3 else "statistics"
        return Comparison(stops, mireds, 0.0, self.sure, basis, CDL(offset=(stops, 0.0, 0.0)))


def compared(records: Sequence[Record], matching: Matching, **options: object) -> SceneState:
    (scene,) = scenes_of(records)
    return compare_scene(scene, Limits(), matching, **options)  # type: ignore[arg-type]


def shot(state: SceneState, clip_id: int) -> ShotState:
    return next(each for each in state.shots if each.record.clip_id == clip_id)


def test_scenes_come_as_people_count_and_shots_by_timecode() -> None:
    late, early = (record(n, scene="10", timecode=f"0{4 - n}:00:00:00") for n in (1, 2))
    scenes = scenes_of([late, early, record(3, scene="2A"), record(4, scene="2")])
    assert [scene.name for scene in scenes] == ["2", "2A", "10"]
    assert [member.clip_id for member in scenes[-1].records] == [2, 1]
    assert sorted(["10", "2A", "2"], key=natural) == ["2", "2A", "10"]


def test_spelling_of_a_scene_does_not_part_it() -> None:
    scenes = scenes_of([record(1, scene="Küche"), record(2, scene="KÜCHE"), record(3, scene="Ku\u0308che")])
    assert [len(scene.records) for scene in scenes] == [3]


def test_clips_without_scene_are_grouped_by_reel_and_else_by_folder() -> None:
    scenes = scenes_of(
        [record(1), record(2, scene=None, reel="A001"), record(3, scene=None), record(4, scene="")]
    )
    assert [(scene.grouped_by, scene.name) for scene in scenes] == [
        ("scene", "1"), ("reel", "A001"), ("folder", "day1"),
    ]  # fmt: skip
    assert [member.clip_id for member in scenes[-1].records] == [3, 4]


def test_the_shot_that_is_off_is_out_of_line_and_by_how_much() -> None:
    state = compared([record(n) for n in range(1, 6)], Matching({3: 0.5}, {5: -30.0}))
    assert {s.record.clip_id: s.out for s in state.shots if s.out} == {
        3: ("exposure",),
        5: ("white balance",),
    }
    found = shot(state, 3).difference("exposure")
    assert found is not None and found.amount == pytest.approx(0.5) and found.basis == "matched"
    assert shot(state, 3).proposal is not None and shot(state, 1).proposal is None  # 1 is the hero


def test_a_hero_that_is_off_itself_gives_way_and_is_out_of_line() -> None:
    records = [record(n) for n in range(1, 6)]
    matching = Matching({1: 0.8})  # all measures are equal, so the first shot is tried first
    state = compared(records, matching)
    assert matching.asked[0][0] == 1 and state.hero_id != 1
    assert shot(state, 1).out == ("exposure",) and not shot(state, 2).out
    assert shot(state, 1).proposal is not None


def test_a_named_hero_is_right_and_the_others_are_out_of_line() -> None:
    records = [record(n) for n in range(1, 5)]
    state = compared(records, Matching({1: 0.5}), hero=records[0])
    assert state.hero_id == 1 and state.hero_is_named and "sh001" in state.note
    assert not shot(state, 1).out and all(shot(state, n).out == ("exposure",) for n in (2, 3, 4))


def test_of_two_shots_the_second_is_compared_with_the_first() -> None:
    state = compared([record(1), record(2)], Matching({2: -0.4}))
    assert state.hero_id == 1 and shot(state, 2).out == ("exposure",) and not shot(state, 1).out
    found = shot(state, 2).difference("exposure")
    assert found is not None and found.amount == pytest.approx(-0.4)
    assert "Two shots" in state.note


def test_one_shot_is_not_compared_and_says_so() -> None:
    matching = Matching({})
    state = compared([record(1, stops=3.0)], matching)
    assert not matching.asked and state.hero_id is None and not state.shots[0].differences
    assert state.note == "One shot: nothing to compare it with."


def test_shots_without_measures_stay_in_the_list() -> None:
    unmeasured = replace(record(9), measures=None)
    state = compared([record(1), record(2), unmeasured, record(3)], Matching({2: 1.0}))
    assert shot(state, 9).why_not == "Not measured." and not shot(state, 9).out
    assert shot(state, 2).out == ("exposure",)
    nothing = compared([unmeasured, replace(record(8), measures=None)], Matching({}))
    assert nothing.note == "No shot of the scene was measured."
    named = compared([record(1), unmeasured], Matching({}), hero=unmeasured)
    assert "sh009 was not measured" in named.note


def test_where_nothing_is_shared_whole_pictures_are_judged_by_the_scatter() -> None:
    stops = [-0.5, -0.2, 0.0, 0.2, 0.5, 2.5]
    state = compared([record(n, s) for n, s in enumerate(stops, 1)], Matching({}, sure=0.1))
    assert {s.record.clip_id for s in state.shots if s.out} == {6}
    found = shot(state, 6).difference("exposure")
    assert found is not None and found.basis == "measured" and found.limit > 2 * Limits().exposure_stops
    assert shot(state, 6).proposal is None and "shares" in shot(state, 6).why_not


def test_a_picture_that_cannot_be_compared_has_no_proposal() -> None:
    state = compare_scene(scenes_of([record(1), record(2)])[0], Limits(), lambda hero, other: None)
    assert shot(state, 2).why_not == "Its picture could not be compared."


def test_a_shot_far_from_the_planckian_locus_has_no_white_balance_difference() -> None:
    state = compared([record(1), record(2, mireds=None), record(3)], Matching({}, sure=0.1))
    assert shot(state, 2).difference("white balance") is None
    assert shot(state, 3).difference("white balance") is not None


def test_contrast_is_the_measured_one() -> None:
    records = [record(n) for n in range(1, 6)]
    measures = records[4].measures
    assert measures is not None
    records[4] = replace(records[4], measures=replace(measures, contrast_stops=8.5))
    state = compared(records, Matching({}))
    found = shot(state, 5).difference("contrast")
    assert found is not None and found.amount == pytest.approx(2.5) and shot(state, 5).out == ("contrast",)


def test_a_much_longer_lens_and_another_series_are_out_of_line() -> None:
    records = [record(1), record(2), record(3), record(4, focal_mm=120.0, lens="Prime 120 mm T2.8")]
    records.append(record(5, focal_mm=40.0, lens="Old Zoom 25-250 mm"))
    state = compared(records, Matching({}))
    longer, other = shot(state, 4).difference("lens"), shot(state, 5).difference("lens")
    assert longer is not None and longer.amount == pytest.approx(80.0) and longer.is_out
    assert other is not None and other.is_out and "series" in other.note
    assert not shot(state, 1).out


def test_a_turned_key_light_is_out_of_line_by_its_angle() -> None:
    keys = {n: (0.6, 0.0, 0.8) for n in range(1, 5)} | {4: (-0.6, 0.0, 0.8)}
    state = compared([record(n) for n in range(1, 5)], Matching({}), keys=keys)
    found = shot(state, 4).difference("key light")
    assert found is not None and found.amount == pytest.approx(73.74, abs=0.01) and found.is_out
    assert shot(state, 1).difference("key light").is_out is False  # type: ignore[union-attr]


def test_the_scatter_is_robust() -> None:
    middle, scatter = trace([0.0, 0.1, 0.2, 0.3, 50.0])
    assert middle == pytest.approx(0.2) and scatter == pytest.approx(0.14826)
    assert trace([1.0, 3.0]) == (2.0, 0.0)
