"""`interpositive project status`: what is there, what may be trained on and why not."""

from __future__ import annotations

import hashlib
import json
from datetime import date
from pathlib import Path

import pytest

from clip_samples import a_clip, some_measures
from interpositive.errors import RightsError
from interpositive.progress import Progress
from interpositive.project.clips import Event
from interpositive.project.project_folder import ProjectFolder, create_project
from interpositive.tools.project_status import Params, Result, run


@pytest.fixture
def project(tmp_path: Path) -> ProjectFolder:
    made = create_project(tmp_path / "show", "The Long Take")
    with made.catalogue() as catalogue:
        for number in range(1, 5):
            catalogue.put(a_clip(number, mhl="verified"), some_measures(number))
        catalogue.put(a_clip(5, camera=None, reel="B007", problems=("Truncated.", "x")), None)
        catalogue.put(a_clip(4, path="/copy/a.mov"), None)
        catalogue.put_events("/cut.edl", [Event("/cut.edl", 1, "sh010")])
    return made


def grant(project: ProjectFolder, **changes: object) -> None:
    values = {
        "schema": "interpositive.rights", "version": 1, "owner": "Northlight", "licence": "own production",
        "default": {"training": True, "expires": "2027-06-30"},
        "rules": [{"reel": "B*", "training": False, "note": "second unit"}],
        "persons": [{"name": "Ada", "consent": "C-1", "scope": ["training"], "granted": "2026-01-01",
                     "clips": ["A001_C001", "A001_C002"]},
                    {"name": "Bo", "consent": "C-2", "clips": ["A001_C002"]}],
        **changes,
    }  # fmt: skip
    project.rights_path.write_text(json.dumps(values), encoding="utf-8")


def status(project: ProjectFolder, day: date = date(2026, 11, 24)) -> Result:
    return run(Params(project=str(project.folder), date=day), Progress())


def test_it_counts_what_is_there(project: ProjectFolder) -> None:
    lines = status(project).lines()
    assert lines[0].startswith(f"The Long Take in {project.folder}, made 20")
    assert lines[1:6] == [
        "Clips      6, 4 of them measured; 288 frames, 12.0 seconds",
        "Cameras    ARRI ALEXA 35 5, not known 1",
        "Colour     ARRI LogC4 6",
        "Checksums  verified 4, no list 2",
        "Timelines  1 events",
    ]
    assert lines[6:8] == [
        "Problems   1 clips; 2 share name and timecode with another",
        "           A001_C005: Truncated.",
    ]


def test_without_a_rights_file_it_says_that_nothing_may_be_trained_on(project: ProjectFolder) -> None:
    found = status(project)
    assert found.rights.allowed_clips == 0
    assert "Training   nothing: the project has no rights file (rights.json)" in found.lines()


def test_it_says_how_many_may_be_trained_on_and_why_others_may_not(project: ProjectFolder) -> None:
    grant(project)
    found = status(project)
    assert (found.rights.allowed_clips, found.rights.allowed_frames, found.rights.consents) == (
        4,
        192,
        ["C-1"],
    )
    assert [(refusal.clips, refusal.reason) for refusal in found.rights.refusals] == [
        (1, "Bo has not given consent."),
        (1, "The rule for reel B* forbids training (second unit)."),
    ]
    told = "\n".join(found.lines())
    assert "4 of 6 clips, 192 frames, on 2026-11-24; rights of Northlight, own production" in told
    assert "1 not: Bo has not given consent." in told


def test_another_day_is_judged_by_its_date(project: ProjectFolder) -> None:
    grant(project, persons=[], rules=[])
    assert status(project, date(2027, 6, 30)).rights.allowed_clips == 6
    late = status(project, date(2027, 7, 1)).rights
    assert late.allowed_clips == 0
    assert [(refusal.clips, refusal.reason) for refusal in late.refusals] == [
        (6, "The permission to train ended on 2027-06-30.")
    ]


def test_a_bad_rights_file_is_an_error_and_not_a_permission(project: ProjectFolder) -> None:
    grant(project, default={"training": "perhaps"})
    with pytest.raises(RightsError, match=r"default.training is 'perhaps'"):
        status(project)


def write_model(project: ProjectFolder, **changes: object) -> None:
    """A project model of clips 1 and 3; its weights are never opened."""
    weights = project.model / ("weights-" + "0" * 16)
    weights.mkdir(parents=True, exist_ok=True)
    (weights / "backbone.safetensors").write_bytes(b"weights")
    learned = [
        {"clip": f"A001_C00{number}", "reel": "A001", "scene": "12", "frames": {"1001": "a" * 64},
         "permission": "Northlight permits training."}
        for number in (1, 3)
    ]  # fmt: skip
    values = {
        "schema": "interpositive.project_model", "version": 1, "title": project.title,
        "project_id": project.project_id, "created_utc": "2026-11-24T00:00:00Z", "created_by": "somebody",
        "software": {}, "device": "cpu", "seed": 1, "lineage": [], "owner": "Northlight", "licence": "own",
        "rights_sha256": None, "rights_judged_on": "2026-11-24", "footage": learned, "left_out": [],
        "backbone": {"width": 1, "hidden": 1}, "parts": {}, "fingerprint": "b" * 64, "weights": weights.name,
        "files": {"backbone.safetensors": hashlib.sha256(b"weights").hexdigest()}, **changes,
    }  # fmt: skip
    (project.model / "manifest.json").write_text(json.dumps(values), encoding="utf-8")


def test_the_model_is_told(project: ProjectFolder) -> None:
    grant(project)
    assert status(project).model == "none; interpositive project train makes one"
    (project.model / "checkpoint").mkdir(parents=True)
    assert status(project).model.startswith("training has begun")
    write_model(project)
    assert status(project).model == "trained 2026-11-24 on 2 clips"


def test_a_model_that_rests_on_what_is_not_permitted_any_more_is_told(project: ProjectFolder) -> None:
    grant(project, rules=[{"clip": "A001_C003", "training": False}])
    write_model(project)
    told = "trained 2026-11-24 on 2 clips, of which 1 may not be trained on any more"
    assert status(project).model == f"{told}; run interpositive project train"


def test_another_titles_or_a_damaged_model_is_told_and_the_rest_still_shown(project: ProjectFolder) -> None:
    write_model(project, project_id="another", title="Other Show")
    assert "is the model of 'Other Show'" in status(project).model
    (project.model / "manifest.json").write_text("{", encoding="utf-8")
    found = status(project)
    assert "manifest.json cannot be read" in found.model and found.clips == 6


def test_an_empty_project_has_a_status(tmp_path: Path) -> None:
    made = create_project(tmp_path / "show", "Show")
    lines = status(made).lines()
    assert lines[1:3] == ["Clips      0, 0 of them measured; 0 frames, 0.0 seconds", "Problems   none"]
