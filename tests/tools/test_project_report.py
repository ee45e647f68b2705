"""`interpositive project report`, as people call it."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from interpositive.errors import FolderBusyError, ProjectError
from interpositive.folder_lock import lock_folder
from interpositive.progress import Progress
from interpositive.project.project_folder import ProjectFolder
from interpositive.tools import TOOLS
from interpositive.tools.project_report import Params, run
from report_project import BRIGHTER, UNICODE, make_project


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> ProjectFolder:
    return make_project(tmp_path_factory.mktemp("project"))


def test_the_tool_is_in_the_table_and_says_what_it_found(project: ProjectFolder, tmp_path: Path) -> None:
    assert TOOLS["project report"].load().run is run
    result = run(Params(project=str(project.folder), out=str(tmp_path), key_light=False), Progress())
    assert (result.scenes, result.shots) == (3, 7)
    assert [(shot.scene, shot.shot) for shot in result.out_of_line] == [("1", UNICODE)]
    assert result.out_of_line[0].amounts["exposure"] == pytest.approx(BRIGHTER, abs=0.1)
    lines = result.lines()
    assert (
        "1 out of line" in lines[0] and f"{UNICODE}  exposure +0." in lines[1] and lines[1].endswith("stops")
    )
    assert all(Path(name).is_file() for name in (result.page, result.json_file, result.csv_file))


def test_the_report_lies_in_the_project_and_limits_are_the_artist_s(project: ProjectFolder) -> None:
    result = run(Params(project=str(project.folder), exposure=2.0, key_light=False), Progress())
    assert Path(result.page) == project.report / "index.html"
    assert result.out_of_line == [] and len(result.lines()) == 2


def test_the_key_light_is_estimated_when_asked(project: ProjectFolder, tmp_path: Path) -> None:
    import json

    result = run(Params(project=str(project.folder), out=str(tmp_path)), Progress())
    data = json.loads(Path(result.json_file).read_text(encoding="utf-8"))
    directions = [shot["key_direction"] for shot in data["shots"] if shot["pictures"]]
    assert directions and all(sum(v * v for v in d) == pytest.approx(1, abs=1e-3) for d in directions)
    assert data["key_light"] == "estimated"


def test_no_project_wrong_limits_and_a_busy_folder_are_told(project: ProjectFolder, tmp_path: Path) -> None:
    with pytest.raises(ProjectError):
        run(Params(project=str(tmp_path)), Progress())
    with pytest.raises(ValidationError):
        Params(exposure=0)
    with lock_folder(project.report, "another"), pytest.raises(FolderBusyError):
        run(Params(project=str(project.folder), key_light=False), Progress())
