from __future__ import annotations

from pathlib import Path

import opentimelineio as otio
import pytest

from interpositive.errors import GradeError
from interpositive.grade.cdl import CDL
from interpositive.grade.cdl_files import (
    CutShot,
    NamedCDL,
    read_cdl,
    read_cdls,
    write_cdls,
    write_edl,
    write_otio,
)

FIRST = NamedCDL(
    "sh020", CDL((1.1, 1.0, 0.9), (0.01, 0.0, -0.02), (1.0, 1.0, 1.05), 0.9), "ACEScct", "a note"
)
SECOND = NamedCDL("sh030 ä", CDL(), "ACEScct", "another")


@pytest.mark.parametrize("suffix", [".ccc", ".cdl"])
def test_several_corrections_come_back(tmp_path: Path, suffix: str) -> None:
    write_cdls(tmp_path / f"all{suffix}", [FIRST, SECOND])
    assert read_cdls(tmp_path / f"all{suffix}") == [FIRST, SECOND]
    assert read_cdl(tmp_path / f"all{suffix}", "sh020") == FIRST


def test_the_file_says_the_space(tmp_path: Path) -> None:
    write_cdls(tmp_path / "one.cc", [FIRST])
    text = (tmp_path / "one.cc").read_text()
    assert "<InputDescription>ACEScct</InputDescription>" in text
    assert "<ViewingDescription>ACEScct</ViewingDescription>" in text


def test_integers_are_numbers(tmp_path: Path) -> None:
    write_cdls(tmp_path / "one.cc", [NamedCDL("a", CDL((2.0, 1.0, 1.0)))])
    assert "<Slope>2 1 1</Slope>" in (tmp_path / "one.cc").read_text()
    assert read_cdl(tmp_path / "one.cc").cdl.slope == (2.0, 1.0, 1.0)


@pytest.mark.parametrize(
    ("slope", "reason"),
    [
        ("1,1 1,0 0,9", "no commas"),
        ("1.1 1.0", "expected 3 numbers"),
        ("1.1 1.0 warm", "not numbers"),
        ("-1 1 1", "none below zero"),
        ("nan 1 1", "not finite"),
    ],
)
def test_slopes_that_cannot_be_are_named(tmp_path: Path, slope: str, reason: str) -> None:
    write_cdls(tmp_path / "bad.cc", [FIRST])
    text = (tmp_path / "bad.cc").read_text().replace("1.1 1 0.9", slope)
    (tmp_path / "bad.cc").write_text(text)
    with pytest.raises(GradeError, match=reason) as caught:
        read_cdl(tmp_path / "bad.cc")
    assert "\n" not in str(caught.value)


def test_half_a_file_another_file_and_no_file(tmp_path: Path) -> None:
    write_cdls(tmp_path / "half.cc", [FIRST])
    (tmp_path / "half.cc").write_text((tmp_path / "half.cc").read_text()[:150])
    with pytest.raises(GradeError, match="not whole XML"):
        read_cdl(tmp_path / "half.cc")
    with pytest.raises(GradeError, match="Check the path"):
        read_cdl(tmp_path / "none.cc")
    with pytest.raises(GradeError, match=r"not a \.cc"):
        read_cdl(tmp_path / "x.txt")


def test_one_of_several_must_be_named(tmp_path: Path) -> None:
    write_cdls(tmp_path / "all.ccc", [FIRST, SECOND])
    with pytest.raises(GradeError, match="it has sh020, sh030"):
        read_cdl(tmp_path / "all.ccc")
    with pytest.raises(GradeError, match="cannot hold 2"):
        write_cdls(tmp_path / "two.cc", [FIRST, SECOND])


def cut() -> list[CutShot]:
    return [
        CutShot(FIRST, "/plates/sh020.%04d.exr", 86400, 16, 24.0),
        CutShot(SECOND, "/plates/sh030.%04d.exr", 90000, 10, 24.0),
    ]


@pytest.mark.filterwarnings("ignore")
def test_an_edl_carries_sop_and_saturation(tmp_path: Path) -> None:
    write_edl(tmp_path / "cut.edl", "cut", cut())
    text = (tmp_path / "cut.edl").read_text()
    assert "*ASC_SOP (1.1 1.0 0.9) (0.01 0.0 -0.02) (1.0 1.0 1.05)" in text
    assert "*ASC_SAT 0.9" in text and "01:00:00:00 01:00:00:16" in text
    timeline = otio.adapters.read_from_file(str(tmp_path / "cut.edl"))
    clips = list(timeline.find_clips())
    assert [clip.metadata["cdl"]["asc_sat"] for clip in clips] == [0.9, 1.0]


def test_two_rates_fit_no_edl(tmp_path: Path) -> None:
    shots = cut()
    with pytest.raises(GradeError, match="one frame rate"):
        write_edl(tmp_path / "cut.edl", "cut", [shots[0], CutShot(SECOND, "x", 0, 5, 25.0)])


@pytest.mark.filterwarnings("ignore")
def test_otio_carries_the_grade_and_its_space(tmp_path: Path) -> None:
    write_otio(tmp_path / "cut.otio", "cut", cut())
    timeline = otio.adapters.read_from_file(str(tmp_path / "cut.otio"))
    clip = next(iter(timeline.find_clips()))
    assert list(clip.metadata["cdl"]["asc_sop"]["slope"]) == [1.1, 1.0, 0.9]
    assert clip.metadata["interpositive"]["cdl_space"] == "ACEScct"
    assert clip.source_range.start_time.value == 86400
