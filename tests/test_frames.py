"""Frame ranges and numbered paths."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interpositive.errors import FrameRangeError
from interpositive.frames import FrameRange, SequencePath, compact_frames

frame_sets = st.frozensets(st.integers(-9999, 999_999), min_size=1, max_size=60)


@given(frame_sets)
def test_text_of_any_range_reads_back_as_the_same_frames(frames: frozenset[int]) -> None:
    assert FrameRange.parse(str(FrameRange.of(frames))).frames == tuple(sorted(frames))


@given(frame_sets)
def test_compact_text_names_each_frame_once(frames: frozenset[int]) -> None:
    assert FrameRange.parse(compact_frames(frames)).frames == tuple(sorted(frames))


@given(st.integers(-500, 500), st.integers(0, 300), st.integers(1, 20))
def test_step_counts_from_the_first_frame(first: int, length: int, step: int) -> None:
    parsed = FrameRange.parse(f"{first}-{first + length}x{step}")
    assert parsed.frames == tuple(range(first, first + length + 1, step))


@given(st.text(max_size=30))
def test_any_text_is_a_range_or_one_clear_error(text: str) -> None:
    try:
        assert len(FrameRange.parse(text)) >= 1
    except FrameRangeError as error:
        assert "1001" in str(error) or "step" in str(error) or "more than" in str(error)


def test_ranges_are_inclusive_and_list_their_gaps() -> None:
    frames = FrameRange.parse("1001, 1005,1010-1012")
    assert list(frames) == [1001, 1005, 1010, 1011, 1012]
    assert (frames.first_frame, frames.last_frame, len(frames)) == (1001, 1012, 5)
    assert 1010 in frames and 1002 not in frames
    assert str(FrameRange.parse("1001-1009x2")) == "1001-1009x2"
    assert compact_frames([1013, 1007, 1008, 1009]) == "1007-1009, 1013"


def test_handles_extend_both_ends_and_keep_gaps() -> None:
    assert str(FrameRange.parse("1010-1020x5").with_handles(2)) == "1008-1010,1015,1020-1022"


@pytest.mark.parametrize("text", ["", "a", "10-", "1001-1000", "1-9x0", "1,,2", "1-9999999", "1.5"])
def test_bad_ranges_are_refused(text: str) -> None:
    with pytest.raises(FrameRangeError, match="rame range"):
        FrameRange.parse(text)


def test_an_empty_range_has_no_first_frame() -> None:
    with pytest.raises(FrameRangeError, match="empty"):
        _ = FrameRange(()).first_frame


@pytest.mark.parametrize(
    ("text", "padding", "name"),
    [
        ("sh010.%04d.exr", 4, "sh010.0007.exr"),
        ("sh010.####.exr", 4, "sh010.0007.exr"),
        ("sh010.#.exr", 4, "sh010.0007.exr"),
        ("sh010.@@@.exr", 3, "sh010.007.exr"),
        ("sh010_%d_comp.exr", 1, "sh010_7_comp.exr"),
    ],
)
def test_every_spelling_of_the_frame_number_gives_the_file(text: str, padding: int, name: str) -> None:
    location = SequencePath.parse(f"plates/{text}")
    assert location.padding == padding
    assert location.frame_path(7) == Path("plates") / name
    assert location.frame_of(name) == 7
    assert SequencePath.parse(location.pattern()) == location


@given(st.integers(-99999, 99999), st.integers(1, 6))
def test_a_frame_path_names_its_frame(frame: int, padding: int) -> None:
    location = SequencePath(Path("x"), "sh010.", padding, ".exr")
    assert location.frame_of(location.frame_path(frame).name) == frame


@pytest.mark.parametrize("text", ["sh010.exr", "%04d/sh010.%04d.exr", "sh010.%04d.####.exr"])
def test_a_pattern_needs_exactly_one_frame_number(text: str) -> None:
    with pytest.raises(FrameRangeError, match="one frame number"):
        SequencePath.parse(text)


def test_names_of_other_sequences_are_not_taken() -> None:
    location = SequencePath.parse("sh010.%04d.exr")
    for name in ("sh010.7.exr", "sh010.00007.exr", "sh0100.0007.exr", "sh010.0007.exr.part", "sh010.x.exr"):
        assert location.frame_of(name) is None


def test_one_frame_of_many_is_split_and_versions_are_no_frames() -> None:
    assert SequencePath.from_frame("a/sh010_pl01.1001.exr") == (
        SequencePath(Path("a"), "sh010_pl01.", 4, ".exr"),
        1001,
    )
    assert SequencePath.from_frame("frame0001.png") == (SequencePath(Path("."), "frame", 4, ".png"), 1)
    assert SequencePath.from_frame("a.-005.exr") == (SequencePath(Path("."), "a.", 4, ".exr"), -5)
    assert SequencePath.from_frame("plate_v002.exr") is None
    assert SequencePath.from_frame("plate.exr") is None
