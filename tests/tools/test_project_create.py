"""`interpositive project create` from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from interpositive.cli import EXIT_ERROR, EXIT_OK, main
from interpositive.project.project_folder import open_project


def test_it_makes_a_project_and_says_what_comes_next(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rights = tmp_path / "r.json"
    rights.write_text(
        json.dumps(
            {"schema": "interpositive.rights", "version": 1, "owner": "Northlight", "licence": "own",
             "default": {"training": True}}
        ),
        encoding="utf-8",
    )  # fmt: skip
    show = tmp_path / "show"
    words = ["project", "create", str(show), "--title", "The Long Take", "--rights", str(rights)]
    assert main([*words, "--json", str(tmp_path / "made.json")]) == EXIT_OK
    told = capsys.readouterr().out
    assert f"Made the project 'The Long Take' in {show}." in told and "Rights: Northlight" in told
    assert f"interpositive ingest DAILIES --project {show}" in told
    made = json.loads((tmp_path / "made.json").read_text(encoding="utf-8"))
    assert made["id"] == open_project(show).project_id


def test_without_rights_it_says_that_nothing_may_be_trained_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["project", "create", str(tmp_path / "show"), "--title", "Show"]) == EXIT_OK
    assert "nothing may be trained on until there is one at" in capsys.readouterr().out


def test_a_second_time_is_an_error_of_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["project", "create", str(tmp_path / "show"), "--title", "Show"]
    main(words)
    capsys.readouterr()
    assert main(words) == EXIT_ERROR
    told = capsys.readouterr().err
    assert told.count("\n") == 1 and "is already the project 'Show'; nothing was changed" in told
