"""Sequences, however they are written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from images.plates import write_code_values
from interpositive.errors import FrameRangeError, MissingFramesError, PlateError, SizeMismatchError
from interpositive.frames import FrameRange
from interpositive.images.image import Image
from interpositive.images.reading import content_sha256
from interpositive.images.sequence import find_sequence, output_path
from interpositive.images.writing import write_exr


def _plates(folder: Path, frames: list[int], name: str = "sh010.%04d.exr", width: int = 8) -> None:
    for frame in frames:
        write_exr(folder / (name % frame), Image(np.full((4, width, 1), frame, np.float32), ["Y"]))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    _plates(tmp_path, [1001, 1002, 1003, 1006])
    (tmp_path / "notes.txt").write_text("not a plate")
    (tmp_path / ".sh010.1004.exr.77.part").write_bytes(b"left by a killed run")
    return tmp_path


@pytest.mark.parametrize(
    "spelling", ["sh010.%04d.exr", "sh010.####.exr", "sh010.@@@@.exr", "", "sh010.1003.exr", "sh010.1004.exr"]
)
def test_each_spelling_finds_the_same_frames(folder: Path, spelling: str) -> None:
    sequence = find_sequence(folder / spelling)
    assert sequence.frames == (1001, 1002, 1003, 1006)
    assert sequence.name == str(folder / "sh010.%04d.exr")
    assert sequence.read(1003).main.pixels[0, 0, 0] == 1003
    assert sequence.path(1002) == folder / "sh010.1002.exr"
    assert not sequence.is_video
    assert sequence.content_sha256(1001) == content_sha256(folder / "sh010.1001.exr")


def test_gaps_are_listed_compactly_with_the_pattern(folder: Path) -> None:
    sequence = find_sequence(folder)
    assert sequence.missing() == (1004, 1005)
    assert sequence.missing(range(999, 1002)) == (999, 1000)
    with pytest.raises(
        MissingFramesError, match=r"sh010\.%04d\.exr lacks frames 1004-1005 \(found 1001-1003, 1006\)"
    ):
        sequence.require()
    sequence.require([1001, 1006])


def test_a_frame_range_limits_what_is_read_and_required(folder: Path) -> None:
    sequence = find_sequence(folder, FrameRange.parse("1002-1004"))
    assert sequence.frames == (1002, 1003)
    assert sequence.missing() == (1004,)
    with pytest.raises(MissingFramesError, match="no frame 1001"):
        sequence.read(1001)
    with pytest.raises(MissingFramesError, match="none of 2000-2010"):
        find_sequence(folder, FrameRange.parse("2000-2010"))


def test_two_sequences_in_a_folder_are_named_and_not_chosen_between(folder: Path) -> None:
    _plates(folder, [1, 2], "other_%04d.exr")
    with pytest.raises(PlateError, match=r"2 sequences: .*other_%04d\.exr 1-2.*Pass one of them"):
        find_sequence(folder)
    assert find_sequence(folder / "other_####.exr").frames == (1, 2)


def test_a_still_stands_for_every_frame_asked_for(tmp_path: Path) -> None:
    write_code_values(tmp_path / "clean_plate_v002.png")
    for text in (tmp_path / "clean_plate_v002.png", tmp_path):
        assert find_sequence(text).frames == (1,)
        held = find_sequence(text, FrameRange.parse("1001-1003"))
        assert held.frames == (1001, 1002, 1003)
        assert held.read(1002).main.width == 32


def test_frames_that_outgrow_their_padding_or_have_none_are_found(tmp_path: Path) -> None:
    _plates(tmp_path / "a", [9998, 9999, 10000])
    assert find_sequence(tmp_path / "a" / "sh010.%04d.exr").frames == (9998, 9999, 10000)
    _plates(tmp_path / "b", [8, 9, 10, 11], "take-%d.exr")
    for text in ("", "take-10.exr", "take-9.exr", "take-%d.exr"):
        assert find_sequence(tmp_path / "b" / text).frames == (8, 9, 10, 11), text


@pytest.mark.parametrize(
    "text", ["no_such_folder", "gone.%04d.exr", "gone.1001.exr", "gone.exr", "gone.mov", "empty"]
)
def test_nothing_there_is_said_with_the_path(tmp_path: Path, text: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(MissingFramesError, match=text.split(".")[0]):
        find_sequence(tmp_path / text)


def test_frames_of_two_sizes_are_found_from_the_headers(folder: Path) -> None:
    find_sequence(folder).require_one_size()
    _plates(folder, [1006], width=6)
    with pytest.raises(SizeMismatchError, match=r"1006\.exr is 6x4 but sh010\.1001\.exr is 8x4"):
        find_sequence(folder).require_one_size()
    find_sequence(folder).require_one_size([1001, 1002])


def test_a_sequence_describes_itself_in_one_line(folder: Path) -> None:
    assert (
        find_sequence(folder).describe().endswith("sh010.%04d.exr: 1001-1003, 1006 (4 frames), 8x4, half Y")
    )


def test_results_go_to_a_pattern_or_into_a_folder(tmp_path: Path) -> None:
    assert output_path(tmp_path / "sh010.####.exr").frame_path(7) == tmp_path / "sh010.0007.exr"
    assert output_path(tmp_path / "sh010").frame_path(7) == tmp_path / "sh010" / "sh010.0007.exr"
    for bad in ("one.exr", "a.%04d.png"):
        with pytest.raises(FrameRangeError, match=bad.split(".")[0]):
            output_path(tmp_path / bad)
