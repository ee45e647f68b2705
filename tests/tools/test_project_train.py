from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from interpositive.errors import Cancelled, ForeignModelError, NothingToLearnError, ProjectError, UsageError
from interpositive.images.reading import read_image_file
from interpositive.models.model_folder import load_model
from interpositive.prior.predictor import load_prior
from interpositive.prior.weights_folder import WEIGHTS_FILE
from interpositive.project import backbone, learning
from interpositive.project.model import MANIFEST_FILE, load_project_model
from interpositive.project.project_folder import ProjectFolder
from interpositive.tools import analyse, train
from interpositive.tools.project_train import Params, Result, run
from project.learned_project import DAY, RIGHTS, a_clip, make_project
from tiny_shot import Recorder, write_shot

TESTS = Path(__file__).resolve().parents[1]
STAGE = "training the backbone"


@pytest.fixture(autouse=True)
def small_crops(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backbone, "_CROP_PX", 64)


@pytest.fixture
def show(tmp_path: Path) -> ProjectFolder:
    return make_project(tmp_path / "show")


def learn(show: ProjectFolder, recorder: Recorder | None = None, **changes: Any) -> Result:
    values = {"project": str(show.folder), "steps": 2, "device": "cpu", "date": DAY, **changes}
    return run(Params.model_validate(values), recorder or Recorder())


def manifest_of(show: ProjectFolder) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((show.model / MANIFEST_FILE).read_text())
    return document


def test_only_permitted_clips_are_learned_from_and_the_result_says_so(show: ProjectFolder) -> None:
    result = learn(show)
    manifest = manifest_of(show)
    assert [clip["clip"] for clip in manifest["footage"]] == ["sh010", "sh020"]
    assert {clip["clip"]: clip["reason"] for clip in manifest["left_out"]} == {
        "sh030": "Eve has not given consent.",
        "sh040": "The rule for clip sh040 forbids training (library footage).",
    }
    assert (result.clips, result.left_out, result.consents) == (2, 2, ["C-1"])
    told = "\n".join(result.lines())
    assert "Eve has not given consent" in told and "library footage" in told


def test_manifest_says_title_lineage_and_every_frame(show: ProjectFolder) -> None:
    learn(show)
    manifest = manifest_of(show)
    assert (manifest["title"], manifest["project_id"]) == (show.title, show.project_id)
    assert [ancestor["kind"] for ancestor in manifest["lineage"]] == ["base"]
    assert all(len(clip["frames"]) == 3 for clip in manifest["footage"])
    assert manifest["rights_judged_on"] == DAY
    assert "/" not in json.dumps([clip["clip"] for clip in manifest["footage"]])
    assert str(show.folder.parent) not in (show.model / MANIFEST_FILE).read_text()


def test_without_rights_nothing_is_learned(show: ProjectFolder) -> None:
    show.rights_path.unlink()
    with pytest.raises(NothingToLearnError, match="no rights file"):
        learn(show)
    assert load_project_model(show) is None


def test_a_consent_that_was_withdrawn_counts_from_that_day(show: ProjectFolder) -> None:
    learn(show)
    withdrawn = {**RIGHTS, "persons": [{**RIGHTS["persons"][0], "withdrawn": DAY}, RIGHTS["persons"][1]]}
    show.rights_path.write_text(json.dumps(withdrawn))
    assert learn(show).is_new
    assert [clip["clip"] for clip in manifest_of(show)["footage"]] == ["sh010"]


def test_a_clip_that_cannot_be_read_is_left_out_and_told(show: ProjectFolder) -> None:
    for path in (show.folder.parent / "dailies" / "sh020").glob("*.exr"):
        path.write_bytes(b"not an image")
    recorder = Recorder()
    result = learn(show, recorder)
    assert (result.clips, result.left_out) == (1, 3)
    assert any("sh020 is left out" in line for line in recorder.warnings)


def test_the_same_command_finds_its_training_finished(show: ProjectFolder) -> None:
    first = learn(show)
    again = learn(show)
    assert first.is_new and not again.is_new
    assert again.backbone_sha256 == first.backbone_sha256


def test_new_footage_makes_a_new_model(show: ProjectFolder) -> None:
    learn(show)
    with show.catalogue() as catalogue:
        catalogue.put(a_clip(show.folder.parent / "dailies", "sh050", 5), None)
    assert learn(show).clips == 3


def test_cancelled_training_goes_on_where_it_stopped(show: ProjectFolder) -> None:
    whole = learn(show, steps=5).backbone_sha256
    (show.model / MANIFEST_FILE).unlink()
    with pytest.raises(Cancelled, match="same command continues"):
        learn(show, Recorder(STAGE, 3), steps=5)
    assert load_project_model(show) is None
    recorder = Recorder()
    assert learn(show, recorder, steps=5).backbone_sha256 == whole
    assert any("stopped at step 4" in line for line in recorder.lines)
    assert recorder.steps(STAGE) == [5]
    assert not (show.model / "checkpoint").exists()


def test_a_training_killed_twice_ends_as_one_that_was_not(show: ProjectFolder) -> None:
    whole = learn(show, steps=6).backbone_sha256
    (show.model / MANIFEST_FILE).unlink()
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(TESTS.parent / "core"), str(TESTS)])}
    command = [sys.executable, str(TESTS / "project" / "learned_project.py"), str(show.folder), "6"]
    for _ in range(2):
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as child:
            assert child.stdout is not None
            assert child.stdout.readline() and child.stdout.readline()
            child.send_signal(signal.SIGKILL)
        assert load_project_model(show) is None
        assert learning.checkpointed_step(show.model) > 0
    recorder = Recorder()
    assert learn(show, recorder, steps=6).backbone_sha256 == whole
    assert recorder.steps(STAGE)[0] > 2


def test_a_damaged_checkpoint_starts_from_the_beginning(show: ProjectFolder) -> None:
    folder = show.model / "checkpoint"
    folder.mkdir(parents=True)
    (folder / "backbone.safetensors").write_bytes(b"\0" * 100)
    recorder = Recorder()
    assert learn(show, recorder).steps == 2
    assert any("starts from the beginning" in line for line in recorder.lines)


def test_steps_and_time_budget_exclude_each_other(show: ProjectFolder) -> None:
    with pytest.raises(UsageError, match="cannot be combined"):
        learn(show, time_budget=1.0)


def test_without_a_project_the_message_says_how_to_make_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ProjectError, match="interpositive project create"):
        run(Params(), Recorder())


# ---- the prior, when it is asked for


def analyse_a_frame(show: ProjectFolder, passes: Path) -> Recorder:
    plate = show.folder.parent / "dailies" / "sh010" / "sh010.%04d.exr"
    values = {"plate": str(plate), "out": str(passes), "project": str(show.folder), "frames": "1001"}
    recorder = Recorder()
    analyse.run(analyse.Params.model_validate(values), recorder)
    return recorder


def test_a_fine_tuned_prior_is_written_and_analyse_uses_it(show: ProjectFolder, tmp_path: Path) -> None:
    learn(show, prior_steps=1)
    model = load_project_model(show)
    assert model is not None and model.prior_folder is not None
    tuned, base = load_prior(model.prior_folder), load_prior()
    assert tuned.manifest["files"][WEIGHTS_FILE] != base.manifest["files"][WEIGHTS_FILE]
    assert base.manifest["files"][WEIGHTS_FILE]["sha256"] == model.lineage()[-1].weights_sha256
    recorder = analyse_a_frame(show, tmp_path / "passes")
    assert any("Using the prior of 'Little Show'" in line for line in recorder.lines)
    attributes = str(read_image_file(next((tmp_path / "passes").glob("*.exr"))).main.metadata)
    assert tuned.manifest["files"][WEIGHTS_FILE]["sha256"] in attributes


def test_analyse_keeps_the_base_prior_where_the_project_has_no_other(
    show: ProjectFolder, tmp_path: Path
) -> None:
    learn(show)
    recorder = analyse_a_frame(show, tmp_path / "passes")
    assert not any("Using the prior" in line for line in recorder.lines)


# ---- shot models that begin from it


def train_shot(folder: Path, show: ProjectFolder | None, **changes: Any) -> tuple[Recorder, Path]:
    shot = write_shot(folder / "shot")
    out = folder / "shot_model"
    values = {**shot, "out": str(out), "steps": 3, "device": "cpu", **changes}
    if show is not None:
        values["project"] = str(show.folder)
    recorder = Recorder()
    train.run(train.Params.model_validate(values), recorder)
    return recorder, out


def test_a_shot_model_names_the_project_model_and_the_base_as_ancestors(
    show: ProjectFolder, tmp_path: Path
) -> None:
    backbone_sha256 = learn(show).backbone_sha256
    recorder, out = train_shot(tmp_path, show)
    lineage = load_model(out).manifest.lineage
    assert [ancestor.kind for ancestor in lineage] == ["project", "base"]
    assert lineage[0].weights_sha256 == backbone_sha256
    assert any("Starting from the model of 'Little Show'" in line for line in recorder.lines)


def test_start_from_base_leaves_the_project_out(show: ProjectFolder, tmp_path: Path) -> None:
    learn(show)
    _, out = train_shot(tmp_path, show, start="base")
    assert load_model(out).manifest.lineage == ()
    weights = load_model(out).weights_sha256
    _, alone = train_shot(tmp_path / "alone", None)
    assert load_model(alone).weights_sha256 == weights


def test_a_project_without_model_trains_from_base_and_says_so(show: ProjectFolder, tmp_path: Path) -> None:
    recorder, out = train_shot(tmp_path, show)
    assert load_model(out).manifest.lineage == ()
    assert any("has no model yet" in line for line in recorder.lines)


def test_another_titles_model_is_refused(show: ProjectFolder, tmp_path: Path) -> None:
    learn(show)
    (tmp_path / "two").mkdir()
    other = make_project(tmp_path / "two" / "show", "Another Show", clips=0)
    show.model.rename(other.model)
    with pytest.raises(ForeignModelError, match="stays with its title"):
        train_shot(tmp_path, other)
