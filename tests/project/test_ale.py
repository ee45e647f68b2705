"""Avid logs, well made and not."""

from __future__ import annotations

import codecs
from pathlib import Path

import opentimelineio as otio
import pytest

from interpositive.errors import PlateError
from interpositive.project.ale import Ale, cdl_from_text, read_ale
from interpositive.project.clips import Cdl

COLUMNS = (
    "Name",
    "Tape",
    "Start",
    "End",
    "Scene",
    "Take",
    "ISO",
    "White Balance",
    "Focal Length",
    "ASC_SOP",
    "ASC_SAT",
)
ROW = ("A001C003_0101", "A001", "01:00:00:00", "01:00:04:00", "12A", "3", "800", "5600 K", "35 mm", "", "")


def ale_text(*rows: tuple[str, ...], fps: str = "24", columns: tuple[str, ...] = COLUMNS) -> str:
    lines = ["Heading", "FIELD_DELIM\tTABS", f"FPS\t{fps}", "", "Column", "\t".join(columns), "", "Data"]
    return "\n".join([*lines, *("\t".join(row) for row in rows), ""])


def read(tmp_path: Path, text: str | bytes) -> Ale:
    path = tmp_path / "day1.ale"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_ale([path])


def with_sop(sop: str, saturation: str = "") -> tuple[str, ...]:
    return (*ROW[:-2], sop, saturation)


def test_a_row_says_what_its_columns_say(tmp_path: Path) -> None:
    row = read(tmp_path, ale_text(ROW)).row_of("a001c003_0101", None, None, None)
    assert row is not None
    assert (row.start, row.end, row.fps, row.cdl) == ("01:00:00:00", "01:00:04:00", 24.0, None)
    assert row.fields == {
        "reel": "A001", "scene": "12A", "take": "3", "iso": 800.0, "white_balance_k": 5600.0,
        "focal_mm": 35.0, "timecode": "01:00:00:00",
    }  # fmt: skip


def test_integer_sop_values_are_kept_where_the_adapter_drops_them(tmp_path: Path) -> None:
    text = ale_text(with_sop("(1 1 1)(0 0 0)(1 1.2 1)", "1"))
    adapted = otio.adapters.read_from_string(text, "ale")
    assert "cdl" not in adapted[0].metadata or "asc_sop" not in adapted[0].metadata["cdl"]
    (row,) = read(tmp_path, text).rows
    assert row.cdl == Cdl((1, 1, 1), (0, 0, 0), (1, 1.2, 1), 1)


def test_decimal_values_are_read_as_the_adapter_reads_them(tmp_path: Path) -> None:
    text = ale_text(with_sop("(1.1 0.9 1.05)(-0.01 0.02 0.0)(1.0 1.0 0.95)", "0.9"))
    adapted = otio.adapters.read_from_string(text, "ale")
    values = adapted[0].metadata["cdl"]
    (row,) = read(tmp_path, text).rows
    assert row.cdl is not None
    assert list(row.cdl.slope) == list(values["asc_sop"]["slope"])
    assert list(row.cdl.offset) == list(values["asc_sop"]["offset"])
    assert list(row.cdl.power) == list(values["asc_sop"]["power"])
    assert row.cdl.saturation == values["asc_sat"]


def test_a_bad_row_is_told_and_costs_only_itself(tmp_path: Path) -> None:
    bad = ("A001C004_0101", *ROW[1:2], "25:99", *ROW[3:])
    ale = read(tmp_path, ale_text(bad, with_sop("(1 1)"), ROW))
    assert len(ale.rows) == 1
    assert [("line 9" in ale.problems[0], "timecode" in ale.problems[0]), "9" in ale.problems[1]] == [
        (True, True),
        True,
    ]


def test_a_drop_frame_start_stays_drop_frame(tmp_path: Path) -> None:
    row = (*ROW[:2], "01:00:00;00", "01:00:04;00", *ROW[4:])
    assert read(tmp_path, ale_text(row, fps="29.97")).rows[0].start == "01:00:00;00"
    assert read(tmp_path, ale_text(row, fps="24")).rows == []


@pytest.mark.parametrize(
    "encode", [lambda t: codecs.BOM_UTF16_LE + t.encode("utf-16-le"), lambda t: t.encode("cp1252")]
)
def test_windows_and_utf16_files_are_read(tmp_path: Path, encode: object) -> None:
    row = ("Café", *ROW[1:])
    ale = read(tmp_path, encode(ale_text(row)))  # type: ignore[operator]
    assert ale.rows[0].label == "Café"


def test_of_two_rows_of_one_name_the_timecode_decides(tmp_path: Path) -> None:
    later = (*ROW[:2], "02:00:00:00", "02:00:04:00", *ROW[4:5], "9", *ROW[6:])
    ale = read(tmp_path, ale_text(ROW, later))
    found = ale.row_of("A001C003_0101", None, "02:00:01:00", 24.0)
    assert found is not None and found.fields["take"] == "9"
    assert ale.row_of("A001C003_0101", None, "03:00:00:00", 24.0) is None


def test_a_clip_of_another_name_is_found_by_reel_and_timecode(tmp_path: Path) -> None:
    ale = read(tmp_path, ale_text(ROW))
    assert ale.row_of("sh010", "a001", "01:00:02:00", 24.0) is not None
    assert ale.row_of("sh010", "A001", "01:00:04:00", 24.0) is None
    assert ale.row_of("sh010", "B001", "01:00:02:00", 24.0) is None


def test_paths_and_extensions_do_not_count(tmp_path: Path) -> None:
    columns = ("Name", "Source File", "Start")
    ale = read(tmp_path, ale_text(("sh010", "D:\\Day1\\A001C003.mov", "01:00:00:00"), columns=columns))
    assert ale.row_of("A001C003", None, None, None) is ale.row_of("SH010", None, None, None) is not None


@pytest.mark.parametrize("text", ["", "Heading\nFPS\t24\n", "Column\nName\n\nData\nx\n", "\x00\x01\x02"])
def test_what_is_no_ale_is_an_error(tmp_path: Path, text: str) -> None:
    with pytest.raises(PlateError, match=r"day1\.ale"):
        read(tmp_path, text)


def test_ten_numbers_hold_the_saturation() -> None:
    assert cdl_from_text("1 1 1 0 0 0 1 1 1 0.8").saturation == 0.8
    assert cdl_from_text("(1, 1, .5)(0, 0, 0)(1, 1, 1e0)").slope == (1.0, 1.0, 0.5)
