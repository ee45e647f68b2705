"""Clips and measures go through JSON and come back the same."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from clip_samples import a_clip, some_measures
from interpositive.project.clips import Clip, Measures, Record


def test_a_clip_comes_back_from_json_as_it_was() -> None:
    clip = a_clip(persons=("Ada Example", "José"), problems=("truncated",), missing="1007", tint=-0.5)
    assert Clip.from_json(json.loads(json.dumps(clip.to_json()))) == clip


def test_measures_come_back_with_tuples_and_without_their_look() -> None:
    measures = some_measures(key_direction=(0.0, 0.6, 0.8))
    values = json.loads(json.dumps(measures.to_json()))
    assert "look" not in values
    assert Measures.from_json(values) == replace(measures, look=None)


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(TypeError, match="lense"):
        Clip.from_json({**a_clip().to_json(), "lense": "32mm"})


def test_gaps_count_as_frames() -> None:
    assert a_clip(first_frame=1001, last_frame=1010, missing="1003-1005").frame_count == 10


def test_a_namesake_is_told_among_the_problems() -> None:
    record = Record(1, a_clip(problems=("truncated",)), None, (), ("/b.mov",))
    assert record.problems == ("truncated", "Another clip has this name and timecode: /b.mov.")
    assert Record(1, a_clip(), None).problems == ()
