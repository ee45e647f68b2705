"""Which clips a folder holds, by names alone."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from interpositive.project.discovery import Found, clips_among, find_clips, raw_advice

FOLDER = Path("/dailies")


def among(*names: str) -> dict[str, Found]:
    return {Path(found.path).name: found for found in clips_among(FOLDER, list(names), FOLDER)}


def walked(root: Path, complaints: list[str] | None = None) -> list[Found]:
    return list(find_clips([root], (complaints if complaints is not None else []).append))


def test_numbered_images_are_one_clip_and_gaps_are_told() -> None:
    found = among(*(f"sh010.{k:04d}.exr" for k in (1001, 1002, 1005)))
    assert list(found) == ["sh010.%04d.exr"]
    clip = found["sh010.%04d.exr"]
    assert (clip.frames, clip.missing, clip.name) == ((1001, 1002, 1005), "1003-1004", "sh010")


def test_frame_ten_follows_nine_and_padded_neighbours_stay_apart() -> None:
    found = among("a.9.exr", "a.10.exr", "a.11.exr", "b.0009.exr", "b.0010.exr")
    assert found["a.%d.exr"].frames == (9, 10, 11)
    assert found["b.%04d.exr"].frames == (9, 10)


def test_two_numberings_of_one_name_are_two_clips() -> None:
    found = among("a.0001.exr", "a.0002.exr", "a.01.exr")
    assert {name: clip.frames for name, clip in found.items()} == {"a.%04d.exr": (1, 2), "a.%02d.exr": (1,)}


def test_frames_below_zero_are_of_the_same_clip() -> None:
    names = [f"sh010.{k:04d}.exr" for k in (-2, -1, 0, 1)]
    assert among(*names)["sh010.%04d.exr"].frames == (-2, -1, 0, 1)


def test_a_version_is_no_frame_number() -> None:
    assert list(among("plate_v002.exr")) == ["plate_v002.exr"]


def test_movies_with_numbers_stay_single() -> None:
    assert list(among("A001C001.mov", "A001C002.mov", "notes.txt", "day1.ale")) == [
        "A001C001.mov",
        "A001C002.mov",
    ]


def test_camera_raw_is_named_as_such() -> None:
    found = among("A001_C001_0101AB_001.R3D", "A001_C001_0101AB_002.R3D", "B001.braw")
    assert all(clip.is_raw for clip in found.values())
    assert {clip.name for clip in found.values()} == {"A001_C001_0101AB", "B001"}
    advice = raw_advice(["A001_C001_0101AB"], {".r3d"})
    assert advice is not None and "R3D" in advice and "transcode" in advice


def test_a_single_image_keeps_its_whole_name() -> None:
    assert [clip.name for clip in among("A001C003.exr", "sh010.1001.exr").values()] == ["A001C003", "sh010"]


def test_folders_are_walked_without_hidden_files_links_and_projects(tmp_path: Path) -> None:
    for name in (
        "b/x.mov",
        "a/deep/er/y.mov",
        "a/._x.mov",
        ".Trashes/z.mov",
        "show/old.mov",
        "a/ascmhl/q.mov",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "show" / "project.json").write_text("{}")
    (tmp_path / "loop").symlink_to(tmp_path)
    (tmp_path / "gone.mov").symlink_to(tmp_path / "nothing.mov")
    assert [found.path for found in walked(tmp_path)] == [
        (tmp_path / "a/deep/er/y.mov").as_posix(),
        (tmp_path / "b/x.mov").as_posix(),
    ]


def test_a_folder_inside_another_is_taken_once(tmp_path: Path) -> None:
    (tmp_path / "day1").mkdir()
    (tmp_path / "day1" / "x.mov").write_bytes(b"")
    assert len(list(find_clips([tmp_path, tmp_path / "day1", tmp_path], lambda line: None))) == 1


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="permissions do not bind root")
def test_an_unreadable_folder_is_told_and_the_rest_goes_on(tmp_path: Path) -> None:
    (tmp_path / "locked").mkdir()
    (tmp_path / "x.mov").write_bytes(b"")
    (tmp_path / "locked").chmod(0)
    complaints: list[str] = []
    try:
        assert len(walked(tmp_path, complaints)) == 1
    finally:
        (tmp_path / "locked").chmod(0o755)
    assert len(complaints) == 1 and "locked" in complaints[0]


def test_a_folder_that_goes_away_is_told_and_the_rest_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a/x.mov", "b/y.mov"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_bytes(b"")
    scan = os.scandir

    def unplugged(path: Path) -> object:
        if Path(path).name == "a":
            raise PermissionError(13, "Permission denied")
        return scan(path)

    monkeypatch.setattr(os, "scandir", unplugged)
    complaints: list[str] = []
    assert [found.name for found in walked(tmp_path, complaints)] == ["y"]
    assert "Permission denied" in complaints[0]


def test_a_name_that_is_no_text_is_left_out_and_told(tmp_path: Path) -> None:
    try:
        (Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.mov"))).write_bytes(b"")
    except OSError:
        pytest.skip("this file system takes only UTF-8 names")
    complaints: list[str] = []
    assert walked(tmp_path, complaints) == []
    assert "UTF-8" in complaints[0]


def test_the_stamp_changes_with_size_time_and_number_of_files(tmp_path: Path) -> None:
    for frame in (1, 2):
        (tmp_path / f"a.{frame:04d}.exr").write_bytes(b"123")
    (clip,) = walked(tmp_path)
    first = clip.stamp()
    assert clip.stamp() == first
    (tmp_path / "a.0002.exr").write_bytes(b"1234")
    assert clip.stamp() != first
    os.utime(tmp_path / "a.0001.exr", ns=(1, 1))
    second = clip.stamp()
    (tmp_path / "a.0003.exr").write_bytes(b"123")
    (more,) = walked(tmp_path)
    assert more.stamp() != second
    (tmp_path / "a.0001.exr").unlink()
    with pytest.raises(OSError, match="No such file"):
        more.stamp()
