"""`interpositive ingest` as it is typed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from interpositive.cli import EXIT_ERROR, EXIT_OK, EXIT_USAGE, main
from interpositive.project.project_folder import create_project, open_project
from project.dailies import UNTAGGED, picture, write_movie, write_sequence


@pytest.fixture
def show(tmp_path: Path) -> Path:
    write_sequence(tmp_path / "dailies" / "A001C003.{:04d}.exr", range(1001, 1005))
    return create_project(tmp_path / "show", "Show").folder


def run(*words: object) -> int:
    return main(["ingest", *map(str, words)])


def test_it_says_what_it_did_and_ends_well(show: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(show.parent / "dailies", "--project", show) == EXIT_OK
    first = capsys.readouterr().out
    assert "1 clips" in first and "1 new" in first and "1 measured" in first
    assert run(show.parent / "dailies", "--project", show, "--json", "-") == EXIT_OK
    result = json.loads(capsys.readouterr().out)
    assert (result["unchanged"], result["frames_read"], result["problems"]) == (1, 0, [])


def test_clips_that_need_attention_end_with_one_line_and_status_1(
    show: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_movie(show.parent / "dailies" / "B001.mov", [picture(1)] * 2, transfer=UNTAGGED)
    assert run(show.parent / "dailies", "--project", show) == EXIT_ERROR
    told = capsys.readouterr()
    assert "--input-space" in told.out and "1 clip or folder needs attention" in told.err
    assert run(show.parent / "dailies", "--project", show, "--input-space", "Apple Log") == EXIT_OK


def test_the_colour_space_of_the_project_is_used(show: Path) -> None:
    other = create_project(show.parent / "other", "Other", input_space="Apple Log").folder
    write_movie(show.parent / "dailies" / "B001.mov", [picture(1)] * 2, transfer=UNTAGGED)
    assert run(show.parent / "dailies", "--project", other) == EXIT_OK
    with open_project(other).catalogue() as catalogue:
        spaces = {record.clip.name: record.clip.colour_space for record in catalogue.records()}
    assert spaces == {"A001C003": "Linear Rec.709 (sRGB)", "B001": "Apple Log"}


@pytest.mark.parametrize(
    ("words", "status", "told"),
    [
        (["SHOW"], EXIT_USAGE, "own folder"),
        (["SHOW/thumbnails"], EXIT_USAGE, "own folder"),
        ([], EXIT_USAGE, "FOLDERS"),
        (["DAILIES", "--timeline", "cut.aaf"], EXIT_USAGE, "--timeline"),
        (["DAILIES", "--mhl", "day9.mhl"], EXIT_USAGE, "--mhl"),
        (["DAILIES", "--ale", "day9.ale"], EXIT_ERROR, "day9.ale"),
        (["DAILIES", "--input-space", "LogC9"], EXIT_ERROR, "LogC9"),
        (["DAILIES", "--frames-per-clip", "0"], EXIT_USAGE, "--frames-per-clip"),
        (["NOWHERE"], EXIT_ERROR, "drive is attached"),
    ],
)
def test_what_cannot_be_is_one_line(
    show: Path, capsys: pytest.CaptureFixture[str], words: list[str], status: int, told: str
) -> None:
    folder = {
        "SHOW": str(show),
        "DAILIES": str(show.parent / "dailies"),
        "NOWHERE": str(show.parent / "nowhere"),
    }
    named = [folder.get(word, word.replace("SHOW", str(show))) for word in words]
    assert run(*named, "--project", show) == status
    error = capsys.readouterr().err.strip()
    assert told in error and "\n" not in error


def test_an_edl_without_a_rate_is_told_after_the_clips_are_catalogued(
    show: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cut = show.parent / "cut.edl"
    cut.write_text("TITLE: CUT\n001  A001C003 V C 01:00:00:00 01:00:00:02 10:00:00:00 10:00:00:02\n")
    write_movie(show.parent / "dailies" / "B001.mov", [picture(1)] * 2, rate=25)
    assert run(show.parent / "dailies", "--project", show, "--timeline", cut) == EXIT_USAGE
    assert "--timeline-fps" in capsys.readouterr().err
    assert (
        run(show.parent / "dailies", "--project", show, "--timeline", cut, "--timeline-fps", "24") == EXIT_OK
    )
    assert "Events: 1, of which 1 have a clip here." in capsys.readouterr().out
