"""Making a project, finding it, and what is said where that does not work."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from interpositive.errors import (
    CatalogueError,
    ColourSpaceError,
    OutputError,
    ProjectError,
    RightsError,
    UsageError,
)
from interpositive.project.project_folder import create_project, find_project, open_project, optional_project


@pytest.fixture(autouse=True)
def nowhere(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No project is named or around."""
    monkeypatch.delenv("INTERPOSITIVE_PROJECT", raising=False)
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))


@pytest.fixture
def rights(tmp_path: Path) -> Path:
    path = tmp_path / "our rights.json"
    values = {
        "schema": "interpositive.rights", "version": 1, "owner": "Northlight", "licence": "own",
        "default": {"training": True},
    }  # fmt: skip
    path.write_text(json.dumps(values), encoding="utf-8")
    return path


def test_a_project_is_made_with_what_was_given(tmp_path: Path, rights: Path) -> None:
    made = create_project(tmp_path / "show", " The Long Täke ", rights, "acescg")
    assert made == open_project(tmp_path / "show")
    assert (made.title, made.input_space) == ("The Long Täke", "ACEScg")
    assert made.rights().owner == "Northlight" and made.rights_path.read_bytes() == rights.read_bytes()
    with made.catalogue() as catalogue:
        assert catalogue.counts().clips == 0


def test_two_projects_of_one_title_have_two_ids(tmp_path: Path) -> None:
    made = [create_project(tmp_path / name, "Show") for name in "ab"]
    assert made[0].project_id != made[1].project_id and made[0].rights().is_absent


def test_making_it_again_changes_nothing_and_says_how_to_go_on(tmp_path: Path, rights: Path) -> None:
    made = create_project(tmp_path / "show", "Show")
    before = {path: path.read_bytes() for path in made.folder.iterdir() if path.is_file()}
    with pytest.raises(ProjectError, match=r"already the project 'Show'; nothing was changed. Go on with"):
        create_project(tmp_path / "show", "Other", rights)
    assert {path: path.read_bytes() for path in made.folder.iterdir() if path.is_file()} == before


def test_an_interrupted_creation_is_simply_done_again(tmp_path: Path) -> None:
    made = create_project(tmp_path / "show", "Show")
    (made.folder / "project.json").unlink()
    (made.folder / "catalogue.sqlite").write_bytes(b"")
    with create_project(tmp_path / "show", "Show").catalogue() as catalogue:
        assert catalogue.counts().clips == 0


def test_no_project_inside_a_project(tmp_path: Path) -> None:
    create_project(tmp_path / "show", "Show")
    with pytest.raises(ProjectError, match=r"inside the project 'Show' .* beside it"):
        create_project(tmp_path / "show" / "second" / "unit", "Second unit")
    assert not (tmp_path / "show" / "second").exists()


def test_bad_rights_leave_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "bad.json").write_text("{}", encoding="utf-8")
    with pytest.raises(RightsError):
        create_project(tmp_path / "show", "Show", tmp_path / "bad.json")
    with pytest.raises(ColourSpaceError):
        create_project(tmp_path / "show", "Show", None, "no such space")
    with pytest.raises(UsageError, match="--title"):
        create_project(tmp_path / "show", "  ")
    assert not (tmp_path / "show").exists()


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ProjectError, match="is a file"):
        create_project(tmp_path / "file", "Show")
    with pytest.raises(OutputError, match="cannot be written: Not a directory"):
        create_project(tmp_path / "file" / "show", "Show")
    with pytest.raises(OutputError, match="File name too long"):
        create_project(tmp_path / ("s" * 300), "Show")


def test_a_path_too_long_for_the_catalogue_is_told_before_anything_is_made(tmp_path: Path) -> None:
    with pytest.raises(CatalogueError, match="more than 500 bytes"):
        create_project(tmp_path.joinpath(*["ordner"] * 80), "Show")
    assert not (tmp_path / "ordner").exists()


def test_a_project_may_have_any_letters_in_its_path(tmp_path: Path) -> None:
    made = create_project(tmp_path / "Пример 映画 %41?#", "映画")
    assert open_project(made.folder).title == "映画"
    assert made.catalogue_path.is_file()


def test_a_named_project_comes_before_the_environment_and_that_before_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("named", "variable", "around"):
        create_project(tmp_path / name, name)
    inner = tmp_path / "around" / "dailies" / "day1"
    inner.mkdir(parents=True)
    assert optional_project(None) is None
    monkeypatch.chdir(inner)
    assert find_project(None).title == "around"
    monkeypatch.setenv("INTERPOSITIVE_PROJECT", str(tmp_path / "variable"))
    assert find_project(None).title == "variable"
    assert find_project(str(tmp_path / "named")).title == "named"


def test_other_programs_project_files_are_passed_by(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    create_project(tmp_path / "show", "Show")
    inner = tmp_path / "show" / "web"
    inner.mkdir()
    (inner / "project.json").write_text('{"name": "website"}', encoding="utf-8")
    monkeypatch.chdir(inner)
    assert find_project(None).title == "Show"
    with pytest.raises(ProjectError, match="another program's file"):
        find_project(str(inner))
    with pytest.raises(ProjectError, match="holds another program's"):
        create_project(inner, "Web")


def test_nothing_found_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match=r"Pass --project FOLDER, set INTERPOSITIVE_PROJECT, or make one"):
        find_project(None)
    with pytest.raises(ProjectError, match="There is no project folder"):
        optional_project(str(tmp_path / "absent"))
    with pytest.raises(ProjectError, match=r"has no project.json"):
        optional_project(str(tmp_path))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"version": 2}, "version 2, and this Interpositive reads up to 1"),
        ({"title": ""}, "damaged at title"),
        ({"id": "7"}, "damaged at id"),
        ({"colour": {"space": "x"}}, r"damaged at colour.space"),
        (None, "is damaged: "),
    ],
)
def test_a_damaged_or_newer_project_file_is_told(
    tmp_path: Path, change: dict[str, object] | None, told: str
) -> None:
    path = create_project(tmp_path / "show", "Show").folder / "project.json"
    values = json.loads(path.read_text(encoding="utf-8"))
    cut = path.read_text(encoding="utf-8")[:-30]
    path.write_text(cut if change is None else json.dumps({**values, **change}), encoding="utf-8")
    with pytest.raises(ProjectError, match=told):
        open_project(tmp_path / "show")
