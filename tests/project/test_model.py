from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from interpositive.errors import DamagedModelError, ForeignModelError, NewerModelError, OutputError
from interpositive.models.network import ShotNetwork, ShotNetworkConfig
from interpositive.project.model import MANIFEST_FILE, load_project_model, save_project_model
from interpositive.project.project_folder import ProjectFolder, create_project
from interpositive.training.backbone import Backbone

SHA = "0123456789abcdef" * 4


@pytest.fixture
def show(tmp_path: Path) -> ProjectFolder:
    return create_project(tmp_path / "show", "Little Show")


def a_backbone(seed: int = 1) -> Backbone:
    torch.manual_seed(seed)
    return Backbone.of(ShotNetwork(ShotNetworkConfig(width=8, hidden=48)))


def described(project: ProjectFolder, **changes: Any) -> dict[str, Any]:
    return {
        "title": project.title,
        "project_id": project.project_id,
        "created_utc": "2026-06-01T00:00:00Z",
        "created_by": "me",
        "software": {"interpositive": "0"},
        "device": "cpu",
        "seed": 1,
        "lineage": [{"name": "base prior", "kind": "base", "weights_sha256": SHA}],
        "owner": "Northlight",
        "licence": "own",
        "rights_sha256": SHA,
        "rights_judged_on": "2026-06-01",
        "footage": [
            {"clip": "sh020", "frames": {"1001": SHA}, "permission": "yes", "consent_ids": ["C-2", "C-1"]},
            {"clip": "sh010", "frames": {"1001": SHA}, "permission": "yes", "consent_ids": ["C-1"]},
        ],
        "left_out": [{"clip": "sh030", "reason": "no consent"}],
        "parts": {"backbone": {"steps": 3, "cpu_seconds": 1.0}},
        "fingerprint": SHA,
        **changes,
    }


def test_a_project_without_model_has_none(show: ProjectFolder) -> None:
    assert load_project_model(show) is None


def test_weights_come_back_as_they_were_saved(show: ProjectFolder) -> None:
    backbone = a_backbone()
    save_project_model(show.model, described(show), backbone, None)
    model = load_project_model(show)
    assert model is not None
    loaded = model.backbone()
    assert loaded.fits(8, 48)
    assert loaded.tensors.keys() == backbone.tensors.keys()
    assert all(torch.equal(tensor, loaded.tensors[name]) for name, tensor in backbone.tensors.items())
    assert model.prior_folder is None


def test_lineage_names_the_project_model_then_the_base(show: ProjectFolder) -> None:
    save_project_model(show.model, described(show), a_backbone(), None)
    model = load_project_model(show)
    assert model is not None
    assert [(a.kind, a.weights_sha256) for a in model.lineage()] == [
        ("project", model.backbone_sha256), ("base", SHA),
    ]  # fmt: skip
    assert model.manifest.consent_ids == ("C-1", "C-2")


def test_a_model_does_not_leave_its_title(show: ProjectFolder, tmp_path: Path) -> None:
    save_project_model(show.model, described(show), a_backbone(), None)
    other = create_project(tmp_path / "other", "Another Show")
    shutil.copytree(show.model, other.model)
    with pytest.raises(ForeignModelError, match=r"model of .Little Show..*this project is .Another Show."):
        load_project_model(other)


def test_a_changed_weights_file_is_refused(show: ProjectFolder) -> None:
    save_project_model(show.model, described(show), a_backbone(), None)
    (path,) = show.model.glob("weights-*/backbone.safetensors")
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(DamagedModelError, match="SHA-256 differs"):
        load_project_model(show)


def test_saving_again_repairs_damaged_weights(show: ProjectFolder) -> None:
    save_project_model(show.model, described(show), a_backbone(), None)
    (path,) = show.model.glob("weights-*/backbone.safetensors")
    path.write_bytes(b"")
    save_project_model(show.model, described(show), a_backbone(), None)
    assert load_project_model(show) is not None


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"version": 2}, NewerModelError),
        ({"schema": "interpositive.model"}, ForeignModelError),
        ({"weights": "../../elsewhere"}, DamagedModelError),
        ({"files": {"../../x": SHA}}, DamagedModelError),
        ({"project_id": None}, DamagedModelError),
    ],
)
def test_a_manifest_that_is_not_sound_is_refused(
    show: ProjectFolder, change: dict[str, Any], error: type[Exception]
) -> None:
    save_project_model(show.model, described(show), a_backbone(), None)
    path = show.model / MANIFEST_FILE
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(error):
        load_project_model(show)


def test_a_new_model_replaces_the_old_one_and_its_weights(show: ProjectFolder) -> None:
    save_project_model(show.model, described(show), a_backbone(1), None)
    save_project_model(show.model, described(show, seed=2), a_backbone(2), None)
    model = load_project_model(show)
    assert model is not None and model.manifest.seed == 2
    assert len(list(show.model.glob("weights-*"))) == 1


def test_a_write_that_fails_leaves_the_old_model(
    show: ProjectFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_project_model(show.model, described(show), a_backbone(1), None)

    def refuse(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("interpositive.project.model.os.replace", refuse)
    with pytest.raises(OutputError, match="No space left"):
        save_project_model(show.model, described(show, seed=2), a_backbone(2), None)
    monkeypatch.undo()
    model = load_project_model(show)
    assert model is not None and model.manifest.seed == 1
