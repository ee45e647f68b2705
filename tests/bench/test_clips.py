"""The few-shot protocol: which frames are learned from, which are scored."""

from __future__ import annotations

from pathlib import Path

import pytest

from interpositive.bench.clips import Clip, copy_frames, evenly_spaced, pattern, read_clips
from interpositive.errors import MissingFramesError


def make_clip(folder: Path, layer: str, frames: range) -> None:
    (folder / layer).mkdir(parents=True)
    for frame in frames:
        (folder / layer / f"a.{frame:04d}.png").write_bytes(b"x")


def test_forty_frames_are_learned_at_five_and_scored_at_six() -> None:
    clip = Clip("car", {"plate": {f: Path(f"a.{f}.png") for f in range(1001, 1041)}})
    assert clip.keyframes == [1001, 1011, 1021, 1030, 1040]
    assert clip.scored == [1005, 1012, 1018, 1025, 1032, 1038]


def test_scored_frames_are_never_learned_from() -> None:
    for count in (12, 24, 69, 100):
        clip = Clip("c", {"plate": {f: Path(f"a.{f}.png") for f in range(count)}})
        assert not set(clip.keyframes) & set(clip.scored)


def test_evenly_spaced_keeps_both_ends() -> None:
    assert evenly_spaced(list(range(1001, 1025)), 3) == [1001, 1013, 1024]


def test_clips_are_found_by_their_plate_folder(tmp_path: Path) -> None:
    make_clip(tmp_path / "car", "plate", range(1001, 1004))
    make_clip(tmp_path / "car", "relit", range(1001, 1004))
    (tmp_path / "notes").mkdir()
    clips = read_clips(tmp_path)
    assert list(clips) == ["car"]
    assert pattern(clips["car"].files["relit"]) == str(tmp_path / "car" / "relit" / "a.%04d.png")


def test_a_layer_with_missing_frames_is_named(tmp_path: Path) -> None:
    make_clip(tmp_path / "car", "plate", range(1001, 1006))
    make_clip(tmp_path / "car", "relit", range(1001, 1004))
    with pytest.raises(MissingFramesError, match=r"relit lacks 2 of the 5 plate frames, the first is 1004"):
        read_clips(tmp_path)


def test_a_folder_without_clips_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MissingFramesError, match="No clips"):
        read_clips(tmp_path)


def test_only_the_named_frames_are_copied(tmp_path: Path) -> None:
    make_clip(tmp_path / "car", "plate", range(1001, 1011))
    clip = read_clips(tmp_path)["car"]
    copy_frames(clip.files["plate"], [1001, 1010], tmp_path / "keys")
    assert sorted(p.name for p in (tmp_path / "keys").iterdir()) == ["a.1001.png", "a.1010.png"]
