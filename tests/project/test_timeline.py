"""Timelines in: EDL, OTIO, FCP7 XML; events and their clips."""

from __future__ import annotations

from pathlib import Path

import opentimelineio as otio
import pytest
from opentimelineio.opentime import RationalTime, TimeRange

from interpositive.errors import PlateError, UsageError
from interpositive.project.clips import Cdl, Clip
from interpositive.project.timeline import Cut, Timeline, common_rate, drop_mismatch, located, read_timeline

NTSC = 30000 / 1001
EVENT = "001  A001C003 V     C        01:00:10:00 01:00:12:00 10:00:00:00 10:00:02:00"


def edl(tmp_path: Path, *lines: str, fps: float | None = 24.0) -> Timeline:
    path = tmp_path / "cut.edl"
    path.write_text("\n".join(["TITLE: CUT", *lines]))
    return read_timeline(path, fps)


def clip(name: str, timecode: str | None = "01:00:00:00", frames: int = 480, fps: float = 24.0) -> Clip:
    return Clip(name, f"/dailies/{name}.mov", "video", 1, frames, fps=fps, timecode=timecode)


def only(timeline: Timeline) -> Cut:
    assert timeline.problems == []
    (cut,) = timeline.cuts
    return cut


def otio_timeline(rate: float = 24.0, start: int = 86400) -> otio.schema.Timeline:
    timeline = otio.schema.Timeline("cut")
    timeline.global_start_time = RationalTime(10 * start, rate)
    track = otio.schema.Track("V1", kind="Video")
    timeline.tracks.append(track)
    track.append(otio.schema.Gap(source_range=TimeRange(RationalTime(0, rate), RationalTime(12, rate))))
    media = otio.schema.ExternalReference(
        "file:///Volumes/Day%201/A001C003.mov", TimeRange(RationalTime(start, rate), RationalTime(480, rate))
    )
    track.append(
        otio.schema.Clip("sh010", media, TimeRange(RationalTime(start + 24, rate), RationalTime(48, rate)))
    )
    track[1].metadata["cdl"] = {
        "asc_sat": 0.9,
        "asc_sop": {"slope": [1, 1, 1], "offset": [0, 0, 0.1], "power": [1, 1.2, 1]},
    }
    return timeline


def test_an_edl_event_has_its_ranges_name_and_cdl(tmp_path: Path) -> None:
    lines = (EVENT, "* FROM CLIP NAME: sh010", "* ASC_SOP (1 1.1 0.9)(0 0 0)(1 1 1)", "* ASC_SAT 0.9")
    event = only(edl(tmp_path, *lines, "* SOURCE FILE: D:\\day1\\A001C003_x.mov")).event
    assert (event.shot, event.reel, event.number, event.fps) == ("sh010", "A001C003", 1, 24.0)
    assert (event.source_in, event.source_out) == ("01:00:10:00", "01:00:12:00")
    assert (event.record_in, event.record_out) == ("10:00:00:00", "10:00:02:00")
    assert event.cdl == Cdl((1, 1.1, 0.9), (0, 0, 0), (1, 1, 1), 0.9)


def test_a_dissolve_is_its_incoming_shot(tmp_path: Path) -> None:
    timeline = edl(
        tmp_path,
        "001  A V C  01:00:00:00 01:00:02:00 10:00:00:00 10:00:02:00",
        "002  A V C  01:00:02:00 01:00:02:00 10:00:02:00 10:00:02:00",
        "002  B V D 024 02:00:00:00 02:00:02:00 10:00:02:00 10:00:04:00",
        "* FROM CLIP NAME: sh010",
        "* TO CLIP NAME: sh020",
        "003  A A C  01:00:02:00 01:00:04:00 10:00:04:00 10:00:06:00",
    )
    assert [(cut.event.shot, cut.event.record_in) for cut in timeline.cuts] == [
        ("A", "10:00:00:00"),
        ("sh020", "10:00:02:00"),
    ]


def test_a_bad_event_costs_only_itself_and_moves_no_other(tmp_path: Path) -> None:
    bad = EVENT.replace("001 ", "002 ").replace("01:00:12:00", "01:00:12:30")
    last = EVENT.replace("001 ", "003 ").replace("10:00:0", "10:01:0")
    timeline = edl(tmp_path, EVENT, bad, EVENT.replace("001 ", "004 "), last, "* ASC_SOP (1 1)")
    assert [cut.event.record_in for cut in timeline.cuts] == ["10:00:00:00", "10:00:00:00"]
    assert len(timeline.problems) == 2
    assert "event 002" in timeline.problems[0] and "01:00:12:30" in timeline.problems[0]
    assert "9" in timeline.problems[1]


def test_source_and_record_of_unequal_length_are_both_kept(tmp_path: Path) -> None:
    event = only(edl(tmp_path, EVENT.replace("10:00:02:00", "10:00:04:00"))).event
    assert (event.source_out, event.record_out) == ("01:00:12:00", "10:00:04:00")


def test_fcm_marks_timecodes_that_do_not_say_it_themselves(tmp_path: Path) -> None:
    timeline = edl(tmp_path, "FCM: DROP FRAME", EVENT, fps=29.97)
    assert timeline.cuts[0].event.source_in == "01:00:10;00"
    timeline = edl(tmp_path, "FCM: NON-DROP FRAME", EVENT, fps=29.97)
    assert timeline.cuts[0].event.source_in == "01:00:10:00"
    timeline = edl(tmp_path, "FCM: DROP FRAME", EVENT.replace("10:00:00:00", "10:00:00;00"), fps=29.97)
    assert (timeline.cuts[0].event.source_in, timeline.cuts[0].event.record_in) == (
        "01:00:10:00",
        "10:00:00;00",
    )


def test_drop_frame_at_24_is_a_problem_and_no_crash(tmp_path: Path) -> None:
    timeline = edl(tmp_path, "FCM: DROP FRAME", EVENT)
    assert timeline.cuts == [] and "drop-frame" in timeline.problems[0]


def test_an_edl_needs_a_frame_rate(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--timeline-fps"):
        edl(tmp_path, EVENT, fps=None)
    assert common_rate([23.976, 24000 / 1001, None]) == 24000 / 1001
    assert common_rate([24.0, 25.0]) is common_rate([None]) is None


@pytest.mark.parametrize("suffix", [".otio", ".xml"])
def test_otio_and_fcp_xml_give_the_same_event(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"cut{suffix}"
    otio.adapters.write_to_file(otio_timeline(), str(path))
    cut = only(read_timeline(path))
    assert (cut.event.shot, cut.event.source_in, cut.event.source_out) == (
        "sh010",
        "01:00:01:00",
        "01:00:03:00",
    )
    assert (cut.event.record_in, cut.event.record_out) == ("10:00:00:12", "10:00:02:12")
    assert "a001c003" in cut.names
    wanted = Cdl((1, 1, 1), (0, 0, 0.1), (1, 1.2, 1), 0.9) if suffix == ".otio" else None
    assert cut.event.cdl == wanted


def test_logging_information_of_fcp_xml_is_read(tmp_path: Path) -> None:
    timeline = otio_timeline()
    logging = {"scene": "12A", "shottake": "3"}
    timeline.tracks[0][1].metadata["fcp_xml"] = {"logginginfo": logging}
    timeline.tracks[0][1].media_reference.metadata["fcp_xml"] = {"timecode": {"reel": {"name": "A001"}}}
    path = tmp_path / "cut.otio"
    otio.adapters.write_to_file(timeline, str(path))
    cut = only(read_timeline(path))
    assert (cut.event.scene, cut.take, cut.event.reel) == ("12A", "3", "A001")


@pytest.mark.parametrize(("name", "text"), [("cut.xml", "<xmeml"), ("cut.otio", "{]"), ("cut.xml", "<a/>")])
def test_a_damaged_timeline_is_one_clear_line(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(PlateError, match=r"cut\..*Export it again") as raised:
        read_timeline(tmp_path / name)
    assert "\n" not in str(raised.value)


def test_an_event_finds_the_clip_of_its_name_that_holds_its_timecode(tmp_path: Path) -> None:
    cut = only(edl(tmp_path, EVENT))
    clips = [(1, clip("A001C003", "02:00:00:00")), (2, clip("A001C003"))]
    event, clip_id, problem = located(cut, lambda name: clips if name == "a001c003" else [])
    assert (event.clip_id, clip_id, problem) == (2, 2, None)


def test_an_event_without_a_sure_clip_stays_without_and_says_why(tmp_path: Path) -> None:
    cut = only(edl(tmp_path, EVENT))
    event, clip_id, problem = located(cut, lambda name: [(1, clip("A001C003", "02:00:00:00"))])
    assert (event.clip_id, clip_id) == (None, None)
    assert problem is not None and "01:00:10:00 is not in" in problem
    _, clip_id, problem = located(cut, lambda name: [(1, clip("A001C003")), (2, clip("A001C003"))])
    assert clip_id is None and problem is not None and "2 clips have its name and timecode" in problem
    assert located(cut, lambda name: []) == (cut.event, None, None)


def test_drop_frame_against_non_drop_is_told_and_never_shifted(tmp_path: Path) -> None:
    cut = only(edl(tmp_path, "FCM: DROP FRAME", EVENT, fps=29.97))
    event, clip_id, problem = located(cut, lambda name: [(1, clip("A001C003", "01:00:00:00", 9000, NTSC))])
    assert clip_id is None and event.source_in == "01:00:10;00"
    assert problem is not None and "(drop-frame)" in problem and "(non-drop)" in problem
    assert drop_mismatch("01:00:00;00", "01:00:00;00", "the ALE") is None


def test_frame_numbers_of_an_otio_take_the_counting_of_the_clip(tmp_path: Path) -> None:
    path = tmp_path / "cut.otio"
    otio.adapters.write_to_file(otio_timeline(NTSC, 107892), str(path))
    event, clip_id, problem = located(
        only(read_timeline(path)), lambda name: [(7, clip("A001C003", "01:00:00;00", 480, NTSC))]
    )
    assert (clip_id, problem) == (7, None)
    assert (event.source_in, event.source_out) == ("01:00:00;24", "01:00:02;12")
