"""Dailies into the catalogue: what is known, what is wrong, and drives and processes that go away."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from interpositive.errors import Cancelled, MissingFramesError, PlateError
from interpositive.images.sequence import PlateSequence
from interpositive.progress import Progress, ProgressUpdate
from interpositive.project import ingest as ingesting
from interpositive.project import sampling
from interpositive.project.ale import read_ale
from interpositive.project.catalogue import Catalogue
from interpositive.project.clips import Record
from interpositive.project.ingest import ingest
from interpositive.project.lists import Lists
from interpositive.project.mhl import read_checksums
from interpositive.project.project_folder import create_project
from interpositive.project.sampling import Settings, sampled_frames
from interpositive.project.tally import Tally
from project.dailies import UNTAGGED, picture, write_movie, write_sequence

COLUMNS = "Name\tTape\tStart\tScene\tTake\tLens\tISO\tASC_SOP"
ALE = f"Heading\nFIELD_DELIM\tTABS\nFPS\t24\n\nColumn\n{COLUMNS}\n\nData\n"


class Show:
    """A project and its dailies."""

    def __init__(self, folder: Path) -> None:
        self.dailies = folder / "dailies"
        self.dailies.mkdir()
        self.project = create_project(folder / "show", "Show")
        self.catalogue = self.project.catalogue()

    def ingest(self, lists: Lists | None = None, progress: Progress | None = None, **settings: Any) -> Tally:
        return ingest(
            self.catalogue,
            [self.dailies],
            Settings(self.project.folder, **settings),
            lists or Lists(),
            progress or Progress(),
            threads=2,
        )

    def records(self) -> dict[str, Record]:
        return {Path(record.clip.path).name: record for record in self.catalogue.records()}

    def only(self) -> Record:
        (record,) = self.catalogue.records()
        return record

    def snapshot(self) -> dict[str, tuple[int, int]]:
        return {
            str(path): (path.stat().st_size, path.stat().st_mtime_ns)
            for path in sorted(self.dailies.rglob("*"))
        }


@pytest.fixture
def show(tmp_path: Path) -> Iterator[Show]:
    made = Show(tmp_path)
    yield made
    made.catalogue.close()


def exr(show: Show, name: str = "A001C003", frames: int = 6, seed: int = 1, **attributes: Any) -> Path:
    pattern = show.dailies / f"day1/{name}/{name}.{{:04d}}.exr"
    write_sequence(pattern, range(1001, 1001 + frames), seed=seed, **attributes)
    return pattern.parent


def movie(show: Show, name: str = "B001C001.mov", seeds: tuple[int, ...] = (1,) * 8, **options: Any) -> Path:
    path = show.dailies / name
    write_movie(path, [np.roll(picture(seed, 180, 320), k, 1) for k, seed in enumerate(seeds)], **options)
    return path


# what is known


def test_an_image_sequence_is_catalogued_with_its_header_measured_and_pictured(show: Show) -> None:
    exr(
        show,
        cameraModel="ALEXA 35",
        isoSpeed=800.0,
        lensModel="S4 32",
        nominalFocalLength=32.0,
        reelName="A001",
    )
    tally = show.ingest()
    record = show.only()
    clip, measures = record.clip, record.measures
    assert (clip.name, clip.kind, clip.first_frame, clip.last_frame) == ("A001C003", "images", 1001, 1006)
    assert (clip.timecode, clip.fps, clip.reel, clip.camera, clip.iso) == (
        "01:00:00:00",
        24.0,
        "A001",
        "ALEXA 35",
        800,
    )
    assert (clip.lens, clip.focal_mm, clip.width, clip.height, clip.bit_depth) == (
        "S4 32",
        32.0,
        64,
        36,
        "half",
    )
    assert clip.colour_space == "Linear Rec.709 (sRGB)" and clip.sources["colour_space"] == "file format"
    assert clip.problems == () and measures is not None
    assert measures.frames == (1002, 1004, 1006) and measures.motion_px is not None
    (thumbnail,) = record.thumbnails
    assert (show.project.folder / thumbnail).is_file()
    assert (tally.new, tally.measured, tally.frames_read, tally.needs_a_person) == (1, 1, 4, 0)


def test_a_movie_is_catalogued_with_its_tags_and_measured(show: Show) -> None:
    movie(show)
    show.ingest()
    clip, measures = show.only().clip, show.only().measures
    assert (clip.kind, clip.frame_count, clip.timecode, clip.fps) == ("video", 8, "01:00:00:00", 24.0)
    assert clip.colour_space == "Camera Rec.709" and clip.sources["colour_space"] == "header"
    assert measures is not None and measures.boundaries == ()


def test_a_cut_inside_a_movie_is_found_from_its_samples(show: Show) -> None:
    movie(show, seeds=(1,) * 13 + (2,) * 11)
    tally = show.ingest()
    measures = show.only().measures
    assert measures is not None and measures.boundaries == (14,)
    assert tally.frames_read <= 4 + 5


def test_every_frame_is_looked_at_only_when_asked(show: Show) -> None:
    seeds = (1,) * 3 + (2,) * 3 + (1,) * 6
    movie(show, seeds=seeds)
    show.ingest(cuts="every-frame")
    measures = show.only().measures
    assert measures is not None and measures.boundaries == (4, 7)


def test_the_timecode_is_of_the_first_frame_though_another_is_read(show: Show) -> None:
    exr(show, first_timecode="01:00:10:05")
    show.ingest(frames_per_clip=1)
    assert show.only().clip.timecode == "01:00:10:05"


def test_a_timecode_that_jumps_is_told(show: Show) -> None:
    folder = exr(show)
    write_sequence(folder / "A001C003.{:04d}.exr", [1006], first_timecode="01:00:09:00")
    show.ingest()
    assert "Timecode jumps" in show.only().clip.problems[0]


def test_unnamed_camera_primaries_are_measured_by_their_matrix(show: Show) -> None:
    awg3 = (0.684, 0.313, 0.221, 0.848, 0.0861, -0.102, 0.3127, 0.3290)  # ARRI Wide Gamut 3
    exr(show, chromaticities=awg3)
    show.ingest()
    record = show.only()
    assert record.clip.colour_space == "scene-linear as in the file" and record.measures is not None


def test_gaps_are_told_and_the_rest_measured(show: Show) -> None:
    (exr(show) / "A001C003.1003.exr").unlink()
    show.ingest()
    assert show.only().clip.missing == "1003" and "1003 are missing" in show.only().clip.problems[0]
    assert show.only().measures is not None


# colour


def test_a_clip_of_unknown_colour_is_catalogued_but_not_measured_and_says_what_to_pass(show: Show) -> None:
    movie(show, transfer=UNTAGGED)
    tally = show.ingest()
    record = show.only()
    assert record.measures is None and record.thumbnails == () and record.clip.colour_space is None
    assert record.clip.timecode == "01:00:00:00"
    assert "--input-space" in record.clip.problems[0] and tally.needs_a_person == 1
    assert show.ingest().needs_a_person == 1
    tally = show.ingest(input_space="ARRI LogC4")
    record = show.only()
    assert record.measures is not None and record.clip.problems == () and tally.needs_a_person == 0
    assert (record.clip.colour_space, record.clip.sources["colour_space"]) == ("ARRI LogC4", "option")


def test_an_encoding_never_makes_an_exr_anything_but_scene_linear(show: Show) -> None:
    exr(show)
    movie(show)
    show.ingest(input_space="ARRI LogC4")
    spaces = {name: record.clip.colour_space for name, record in show.records().items()}
    assert spaces == {"A001C003.%04d.exr": "Linear Rec.709 (sRGB)", "B001C001.mov": "ARRI LogC4"}
    assert show.ingest(input_space="ARRI LogC4").unchanged == 2
    assert show.ingest(input_space="ACEScg").changed == 1
    assert show.records()["A001C003.%04d.exr"].clip.colour_space == "ACEScg"


def test_the_projects_space_is_for_clips_that_say_nothing(show: Show) -> None:
    movie(show, "said.mov")
    movie(show, "silent.mov", transfer=UNTAGGED)
    show.ingest(default_space="Apple Log")
    spaces = {name: record.clip.colour_space for name, record in show.records().items()}
    assert spaces == {"said.mov": "Camera Rec.709", "silent.mov": "Apple Log"}


# again


def test_unchanged_clips_are_not_opened_again(show: Show, monkeypatch: pytest.MonkeyPatch) -> None:
    exr(show)
    movie(show)
    show.ingest()
    before = show.records()
    monkeypatch.setattr(ingesting, "read_clip", lambda *_: pytest.fail("opened"))
    tally = show.ingest()
    assert (tally.unchanged, tally.new, tally.changed, tally.frames_read) == (2, 0, 0, 0)
    assert show.records() == before


def test_a_changed_clip_keeps_its_id_and_is_measured_again(show: Show) -> None:
    folder = exr(show)
    show.ingest()
    before = show.only()
    write_sequence(folder / "A001C003.{:04d}.exr", range(1001, 1007), seed=5)
    tally = show.ingest()
    after = show.only()
    assert (tally.changed, after.clip_id) == (1, before.clip_id)
    assert after.measures != before.measures


def test_frames_that_arrive_in_front_do_not_make_a_second_clip(show: Show) -> None:
    folder = exr(show)
    show.ingest()
    write_sequence(folder / "A001C003.{:04d}.exr", range(999, 1001), first_timecode="00:59:59:22")
    show.ingest()
    assert (show.only().clip.first_frame, show.only().clip.timecode) == (999, "00:59:59:22")


def test_nothing_is_written_into_the_dailies(show: Show) -> None:
    exr(show)
    movie(show)
    before = show.snapshot()
    for folder in [show.dailies, *(path for path in show.dailies.rglob("*") if path.is_dir())]:
        folder.chmod(0o555)
    try:
        show.ingest()
        show.ingest(input_space="ARRI LogC4")
    finally:
        for folder in [show.dailies, *(path for path in show.dailies.rglob("*") if path.is_dir())]:
            folder.chmod(0o755)
    assert show.snapshot() == before


def test_a_cancel_stops_at_the_next_clip_and_the_next_run_goes_on(show: Show) -> None:
    class StopAfterTwo(Progress):
        def show(self, update: ProgressUpdate) -> None:
            if update.done == 2:
                self.cancel()

    for k in range(6):
        exr(show, f"A001C00{k}", frames=2, seed=k)
    with pytest.raises(Cancelled):
        show.ingest(progress=StopAfterTwo())
    assert len(show.records()) == 2
    tally = show.ingest()
    assert (tally.unchanged, tally.new) == (2, 4)


def test_progress_tells_the_rate_and_ends_whole(show: Show) -> None:
    updates: list[ProgressUpdate] = []

    class Kept(Progress):
        def show(self, update: ProgressUpdate) -> None:
            updates.append(update)

    exr(show, frames=1)
    movie(show)
    show.ingest(progress=Kept())
    assert updates[-1].done == updates[-1].total == 2 and "clips/s" in updates[0].note


# bad input


def test_two_clips_of_one_name_and_timecode_are_both_kept_and_told(show: Show) -> None:
    for day, seed in (("day1", 1), ("day2", 2)):
        write_sequence(show.dailies / day / "A001C003.{:04d}.exr", range(1, 4), seed=seed)
    show.ingest()
    records = list(show.catalogue.records())
    assert len(records) == 2
    assert all("Another clip has this name and timecode" in record.problems[-1] for record in records)


@pytest.mark.parametrize("is_streamable", [False, True])
def test_a_truncated_movie_is_told_and_costs_only_itself(show: Show, is_streamable: bool) -> None:
    exr(show, frames=2)
    path = movie(show, seeds=(1,) * 24, is_streamable=is_streamable)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    tally = show.ingest()
    record = show.records()["B001C001.mov"]
    if is_streamable:
        assert "Truncated: " in record.clip.problems[0] and "of 24 frames" in record.clip.problems[0]
        assert record.measures is not None and 0 < record.clip.last_frame < 24
    else:
        assert "damaged" in record.clip.problems[0] and record.measures is None
    assert tally.needs_a_person == 1 and show.records()["A001C003.%04d.exr"].measures is not None
    path.write_bytes(data)
    assert show.ingest().needs_a_person == 0
    assert show.records()["B001C001.mov"].clip.problems == ()


def test_a_truncated_frame_is_told_and_the_clip_measured_on_the_others(show: Show) -> None:
    frame = exr(show) / "A001C003.1004.exr"
    frame.write_bytes(frame.read_bytes()[:700])
    show.ingest()
    record = show.only()
    assert record.clip.problems[0].startswith("Frame 1004: ") and record.measures is not None
    assert 1004 not in record.measures.frames


def test_a_frame_of_another_size_is_told_and_left_out(show: Show) -> None:
    folder = exr(show)
    write_sequence(folder / "A001C003.{:04d}.exr", [1004], [picture(1, 40, 80)], "01:00:00:03")
    show.ingest()
    record = show.only()
    assert "Frame 1004: the file is 80x40 but others are 64x36" in record.clip.problems[0]
    assert record.measures is not None and record.measures.frames == (1002, 1006)


@pytest.mark.parametrize("size", [(1, 1), (1, 900), (900, 1), (5, 7)])
def test_pictures_of_odd_sizes_are_measured(show: Show, size: tuple[int, int]) -> None:
    write_sequence(show.dailies / "a.{:04d}.exr", [1, 2], [picture(1, *size)] * 2)
    assert show.ingest().needs_a_person == 0
    assert show.only().measures is not None


def test_an_unreadable_folder_is_told_and_needs_a_person(show: Show, monkeypatch: pytest.MonkeyPatch) -> None:
    exr(show, "A001C003")
    exr(show, "A001C004")
    scan = os.scandir

    def locked(path: Path) -> Any:
        if Path(path).name == "A001C004":
            raise PermissionError(13, "Permission denied")
        return scan(path)

    monkeypatch.setattr(os, "scandir", locked)
    tally = show.ingest()
    assert tally.unreadable_folders == tally.needs_a_person == 1 and len(show.records()) == 1
    assert "A001C004 cannot be read: Permission denied" in tally.problems[0]


def test_a_clip_that_changes_while_it_is_read_is_marked_and_looked_at_again(
    show: Show, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = exr(show)
    read = PlateSequence.read

    def still_copied(sequence: PlateSequence, frame: int) -> Any:
        with (folder / "A001C003.1006.exr").open("ab") as stream:
            stream.write(b"more")
        return read(sequence, frame)

    monkeypatch.setattr(PlateSequence, "read", still_copied)
    tally = show.ingest()
    record = show.only()
    assert any("changed while they were read" in problem for problem in record.clip.problems)
    assert record.measures is None and tally.needs_a_person == 1
    monkeypatch.undo()
    tally = show.ingest()
    assert (tally.changed, tally.needs_a_person) == (1, 0)
    assert show.only().measures is not None and show.only().clip.problems == ()


def test_folders_and_names_may_hold_signs_that_stand_for_frames_elsewhere(show: Show) -> None:
    write_sequence(show.dailies / "reel#2 %d" / "50%_a#b.{:04d}.exr", range(1, 4))
    write_sequence(show.dailies / "reel#2 %d" / "still#{:d}.exr", [7])
    write_movie(show.dailies / "take#1.mov", [picture(1)] * 2)
    tally = show.ingest()
    assert (tally.new, tally.vanished, tally.needs_a_person) == (3, 0, 0)
    assert (show.ingest().unchanged, show.ingest().needs_a_person) == (3, 0)


def test_a_clip_that_could_not_be_read_is_tried_again_though_its_files_are_the_same(
    show: Show, monkeypatch: pytest.MonkeyPatch
) -> None:
    def locked(sequence: PlateSequence, frame: int) -> Any:
        raise PlateError(f"Cannot read {sequence.path(frame)}: Permission denied.")

    exr(show)
    monkeypatch.setattr(PlateSequence, "read", locked)
    assert show.ingest().needs_a_person == 1
    assert show.only().measures is None and "Permission denied" in show.only().clip.problems[0]
    monkeypatch.undo()
    tally = show.ingest()
    assert (tally.changed, tally.needs_a_person) == (1, 0) and show.only().measures is not None


def test_unicode_and_very_long_paths_are_catalogued(show: Show) -> None:
    deep = show.dailies / "Tag 1 – Außen 日本" / ("n" * 200) / ("m" * 200)
    write_sequence(deep / ("Schärfe 测试.{:04d}" + ".exr"), range(1, 3))
    write_sequence(deep / (("x" * 220) + ".{:04d}.exr"), range(1, 3))
    tally = show.ingest()
    assert (tally.new, tally.needs_a_person) == (2, 0)
    assert {record.clip.name for record in show.catalogue.records()} == {"Schärfe 测试", "x" * 220}
    assert show.ingest().unchanged == 2


def test_a_drive_that_goes_away_in_the_middle_loses_nothing(
    show: Show, monkeypatch: pytest.MonkeyPatch
) -> None:
    for k in range(4):
        exr(show, f"A001C00{k}", frames=3, seed=k)
    show.ingest()
    before = show.records()
    for k in range(4):
        write_sequence(show.dailies / f"day1/A001C00{k}/A001C00{k}.{{:04d}}.exr", range(1001, 1004), seed=9)
    exr(show, "A001C009", frames=3)
    read = PlateSequence.read
    away = show.dailies.with_name("unplugged")

    def unplugged(sequence: PlateSequence, frame: int) -> Any:
        if "A001C002" in sequence.name and show.dailies.exists():
            shutil.move(show.dailies, away)
        return read(sequence, frame)

    monkeypatch.setattr(PlateSequence, "read", unplugged)
    tally = show.ingest()
    after = show.records()
    monkeypatch.undo()
    assert tally.vanished >= 1 and tally.needs_a_person >= 1
    assert set(after) >= set(before)
    gone = after["A001C003.%04d.exr"]
    assert gone.measures == before["A001C003.%04d.exr"].measures is not None
    assert any(problem.startswith("Vanished") for problem in gone.clip.problems)
    shutil.move(away, show.dailies)
    assert show.ingest().needs_a_person == 0
    assert all(record.clip.problems == () and record.measures for record in show.catalogue.records())
    assert len(show.records()) == 5


def test_clips_that_were_deleted_are_marked_and_kept(show: Show) -> None:
    shutil.rmtree(exr(show, "A001C003"))
    exr(show, "A001C003")
    exr(show, "A001C004")
    show.ingest()
    before = show.records()["A001C004.%04d.exr"]
    away = show.dailies.parent / "away"
    shutil.move(show.dailies / "day1" / "A001C004", away)
    tally = show.ingest()
    marked = show.records()["A001C004.%04d.exr"]
    assert (tally.vanished, tally.needs_a_person) == (1, 1) and marked.measures == before.measures
    shutil.move(away, show.dailies / "day1" / "A001C004")
    tally = show.ingest()
    assert (tally.unchanged, tally.frames_read, tally.needs_a_person) == (2, 0, 0)
    assert show.records()["A001C004.%04d.exr"] == before


def test_a_folder_that_is_not_there_is_one_clear_line(show: Show) -> None:
    exr(show)
    show.ingest()
    shutil.rmtree(show.dailies)
    with pytest.raises(PlateError, match="drive is attached"):
        show.ingest()
    assert show.only().clip.problems == ()


def test_camera_raw_is_named_with_the_way_out(show: Show) -> None:
    for name in ("A001_C001_0101AB_001.R3D", "A001_C002_0101AB_001.R3D"):
        (show.dailies / name).write_bytes(b"raw")
    movie(show, "A001_C002_0101AB.mov")
    tally = show.ingest()
    (line,) = tally.problems
    assert "1 clip is camera raw (R3D: A001_C001_0101AB)" in line and "transcode" in line
    assert tally.needs_a_person == 0


# lists beside the media


def ale(show: Show, *rows: str, fps: str = "24") -> Lists:
    path = show.dailies.parent / "day1.ale"
    path.write_text(ALE.replace("FPS\t24", f"FPS\t{fps}") + "".join(f"{row}\n" for row in rows))
    return Lists(ale=read_ale([path]))


def test_an_ale_says_scene_and_take_and_does_not_overrule_the_camera(show: Show) -> None:
    exr(show, isoSpeed=800.0, scene="wrong")
    lists = ale(show, "A001C003\tA001\t01:00:00:00\t12A\t3\tS4 32\t400\t(1 1 1)(0 0 0)(1 1.1 1)")
    show.ingest(lists)
    clip = show.only().clip
    assert (clip.scene, clip.take, clip.lens, clip.iso, clip.reel) == ("12A", "3", "S4 32", 800.0, "A001")
    assert (clip.sources["scene"], clip.sources["iso"]) == ("ale", "header")
    (event,) = show.catalogue.events()
    assert event.cdl is not None and event.cdl.power == (1, 1.1, 1) and event.clip_id == show.only().clip_id


def test_an_ale_that_comes_later_is_read_without_opening_the_clips(
    show: Show, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = exr(show)
    show.ingest()
    monkeypatch.setattr(ingesting, "read_clip", lambda *_: pytest.fail("opened"))
    tally = show.ingest(
        ale(show, "A001C003\tA001\t01:00:00:00\t12A\t3\t\t\t", "A001C009\tA001\t02:00:00:00\t1\t1\t\t\t")
    )
    assert show.only().clip.scene == "12A" and show.only().measures is not None
    assert tally.unlisted_rows == 1
    monkeypatch.undo()
    write_sequence(folder / "A001C003.{:04d}.exr", range(1001, 1007), seed=5)
    show.ingest()
    assert show.only().clip.scene == "12A"


@pytest.mark.parametrize(
    ("start", "fps", "told"),
    [
        ("01:00:00;00", "29.97", "(drop-frame)"),
        ("01:00:02:00", "24", "-48 frames"),
        ("01:00:00:05", "25", "25 frames"),
    ],
)
def test_a_timecode_that_is_not_the_files_is_told_and_not_shifted(
    show: Show, start: str, fps: str, told: str
) -> None:
    exr(show)
    show.ingest(ale(show, f"A001C003\tA001\t{start}\t12A\t3\t\t\t", fps=fps))
    clip = show.only().clip
    assert clip.timecode == "01:00:00:00" and clip.fps == 24.0 and clip.scene == "12A"
    assert len(clip.problems) == 1 and told in clip.problems[0]


def test_checksums_are_verified_once_and_a_wrong_one_is_told(show: Show) -> None:
    from project.test_mhl import make_generation

    folder = exr(show, frames=3)
    movie(show)
    make_generation(show.dailies, "xxh64")
    lists = Lists(checksums=read_checksums([show.dailies]))
    assert show.ingest(lists).verified == 2
    assert {record.clip.mhl for record in show.catalogue.records()} == {"verified"}
    frame = folder / "A001C003.1002.exr"
    stamp = frame.stat()
    frame.write_bytes(frame.read_bytes()[:-1] + b"\xff")
    os.utime(frame, ns=(stamp.st_atime_ns, stamp.st_mtime_ns + 1))
    tally = show.ingest(lists)
    record = show.records()["A001C003.%04d.exr"]
    assert (tally.failed_checksums, record.clip.mhl) == (1, "failed") and tally.needs_a_person == 1
    assert any("1002" in problem and "instead of" in problem for problem in record.clip.problems)


def test_a_timeline_is_joined_to_clips_and_tells_them_what_they_lack(show: Show) -> None:
    exr(show)
    cut = show.dailies.parent / "cut.edl"
    cut.write_text(
        "TITLE: CUT\n001  A001C003 V C 01:00:00:01 01:00:00:04 10:00:00:00 10:00:00:03\n"
        "* FROM CLIP NAME: sh010\n* ASC_SOP (1.1 1 1)(0 0 0)(1 1 1)\n"
        "002  Z999 V C 01:00:00:01 01:00:00:04 10:00:00:03 10:00:00:06\n"
    )
    tally = show.ingest(Lists(timelines=[cut]))
    first, second = show.catalogue.events()
    assert (first.shot, first.clip_id, first.fps) == ("sh010", show.only().clip_id, 24.0)
    assert first.cdl is not None and first.cdl.slope == (1.1, 1, 1) and second.clip_id is None
    assert (show.only().clip.reel, show.only().clip.sources["reel"]) == ("A001C003", "timeline")
    assert (tally.events, tally.events_joined) == (2, 1)
    assert show.ingest(Lists(timelines=[cut])).events == len(list(show.catalogue.events())) == 2


# pieces


@pytest.mark.parametrize(
    ("count", "frames", "chosen", "pair"),
    [
        (3, range(1, 2), [1], None),
        (3, range(1, 3), [1, 2], (1, 2)),
        (3, range(1, 101), [17, 51, 84], (51, 52)),
        (1, range(1, 101), [51], (51, 52)),
        (3, [1, 5, 9], [1, 5, 9], None),
    ],
)
def test_samples_lie_in_the_middles_of_equal_parts(
    count: int, frames: Any, chosen: list[int], pair: tuple[int, int] | None
) -> None:
    assert sampled_frames(list(frames), count) == (chosen, pair)


def test_a_frame_that_vanishes_is_told_from_one_that_is_damaged(show: Show) -> None:
    folder = exr(show)
    (found,) = ingesting.find_clips([show.dailies], lambda line: None)
    shutil.rmtree(folder)
    with pytest.raises(sampling.Vanished):
        sampling.read_clip(found, Settings(show.project.folder), None, lambda: None)
    with pytest.raises(MissingFramesError):
        found.open().read(1001)


def test_a_killed_ingest_loses_nothing_and_doubles_nothing(show: Show) -> None:
    names = [f"A001C{k:03d}" for k in range(16)]
    for k, name in enumerate(names):
        exr(show, name, frames=2, seed=k)
    show.catalogue.close()
    words = [sys.executable, "-m", "interpositive", "ingest", str(show.dailies)]
    words += ["--project", str(show.project.folder), "--threads", "1"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    whole: dict[str, Record] = {}
    for more in (2, 5):
        with subprocess.Popen(words, env=environment, stdout=-3, stderr=-3) as process:
            while process.poll() is None and _count(show) < len(whole) + more:
                time.sleep(0.02)
            process.send_signal(signal.SIGKILL)
        with Catalogue.open(show.project.folder) as catalogue:
            records = {record.clip.path: record for record in catalogue.records()}
        assert all(records[path] == record for path, record in whole.items())
        assert all(record.measures is not None for record in records.values())
        assert all((show.project.folder / record.thumbnails[0]).is_file() for record in records.values())
        whole = records
    assert len(whole) >= 7
    show.catalogue = show.project.catalogue()
    tally = show.ingest()
    assert (tally.unchanged, tally.new) == (len(whole), len(names) - len(whole))
    assert sorted(record.clip.name for record in show.catalogue.records()) == names
    assert not list(show.project.thumbnails.rglob(".*.part"))


def _count(show: Show) -> int:
    with Catalogue.open(show.project.folder) as catalogue:
        return catalogue.counts().clips
