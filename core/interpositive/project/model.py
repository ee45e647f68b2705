"""A production's own model on disk: `SHOW/model/`, locked to the title that it was learned from.

    manifest.json            schema "interpositive.project_model": what, from what, with whose permission
    weights-<hash>/
      backbone.safetensors   where shot models of this production begin
      prior/                 the base prior fine-tuned on it, a folder that `analyse --prior` takes as well;
                             absent where the prior was left as it is

The manifest names the folder of weights and is replaced last, in one step: whoever reads, finds the old
model or the new one. Clips are named without their folders.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import safetensors
import safetensors.torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from torch import Tensor

from ..errors import DamagedModelError, ForeignModelError, NewerModelError, OutputError
from ..images.writing import whole_file
from ..models.manifest import LARGEST_MANIFEST_BYTES, Ancestor, one_line
from ..training.backbone import Backbone
from .project_folder import ProjectFolder

SCHEMA, VERSION = "interpositive.project_model", 1
MANIFEST_FILE, BACKBONE_FILE, PRIOR_FOLDER = "manifest.json", "backbone.safetensors", "prior"
_WEIGHTS, _STAGING = "weights-", ".staging-"

_Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
_WeightsFolder = Annotated[str, Field(pattern=r"^weights-[0-9a-f]{16}$")]
_FileName = Annotated[str, Field(pattern=r"^(prior/)?[A-Za-z0-9_][A-Za-z0-9_.\-]{0,99}$")]

# version -> the function that turns a manifest of that version into one of the next.
_UPGRADES: dict[int, Any] = {}


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class LearnedClip(_Record):
    """A clip that was learned from: SHA-256 of the frames that were read, and who consented."""

    clip: str
    reel: str | None = None
    scene: str | None = None
    frames: dict[int, _Sha256]
    permission: str
    consent_ids: tuple[str, ...] = ()


class LeftOut(_Record):
    """A clip that was not learned from, and why."""

    clip: str
    reel: str | None = None
    scene: str | None = None
    reason: str


class PartRecord(_Record):
    """How long a part was trained."""

    steps: int = Field(ge=0)
    cpu_seconds: float = Field(ge=0)


class ProjectModelManifest(_Record):
    """`manifest.json` of a project model."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, serialize_by_alias=True)

    schema_name: Literal["interpositive.project_model"] = Field(
        default="interpositive.project_model", alias="schema"
    )
    version: Literal[1] = 1
    title: str
    project_id: str  # the lock: a project of another id does not use this model
    created_utc: str
    created_by: str
    software: dict[str, str]
    device: str
    seed: int
    lineage: tuple[Ancestor, ...]  # nearest first; the last is the base prior
    owner: str | None
    licence: str | None
    rights_sha256: _Sha256 | None
    rights_judged_on: str  # the day
    footage: tuple[LearnedClip, ...] = Field(min_length=1)
    left_out: tuple[LeftOut, ...]
    backbone: dict[str, int]  # width and hidden
    parts: dict[Literal["backbone", "prior"], PartRecord]
    fingerprint: _Sha256  # of footage and settings: the same command finds its training finished
    weights: _WeightsFolder
    files: dict[_FileName, _Sha256]

    @property
    def consent_ids(self) -> tuple[str, ...]:
        """All consents that the model rests on."""
        return tuple(sorted({consent for clip in self.footage for consent in clip.consent_ids}))


@dataclass(frozen=True, eq=False)
class ProjectModel:
    """A checked project model."""

    folder: Path
    manifest: ProjectModelManifest

    @property
    def prior_folder(self) -> Path | None:
        """The fine-tuned prior, None where it was left as it is."""
        folder = self.folder / self.manifest.weights / PRIOR_FOLDER
        return folder if "prior" in self.manifest.parts else None

    @property
    def backbone_sha256(self) -> str:
        return self.manifest.files[BACKBONE_FILE]

    def backbone(self) -> Backbone:
        """What shot models begin from. Raises DamagedModelError."""
        path = self.folder / self.manifest.weights / BACKBONE_FILE
        try:
            tensors = safetensors.torch.load_file(path)
        except (safetensors.SafetensorError, OSError) as error:
            raise DamagedModelError(f"{path} cannot be read: {error}. {_AGAIN}") from error
        size = self.manifest.backbone
        return Backbone(size["width"], size["hidden"], tensors)

    def lineage(self) -> tuple[Ancestor, ...]:
        """The ancestors of a shot model that begins from this one."""
        name = f"project model of {self.manifest.title}"
        own = Ancestor(name=name, kind="project", weights_sha256=self.backbone_sha256)
        return (own, *self.manifest.lineage)


_AGAIN = "Restore the folder, or run interpositive project train again."


def load_project_model(project: ProjectFolder) -> ProjectModel | None:
    """The project's model, None where none was trained yet.

    Raises ForeignModelError where the model is another title's, DamagedModelError, NewerModelError.
    """
    path = project.model / MANIFEST_FILE
    if not os.path.lexists(path):
        return None
    manifest = _read_manifest(path)
    if manifest.project_id != project.project_id:
        raise ForeignModelError(
            f"{project.model} is the model of '{manifest.title}' (project {manifest.project_id[:8]}), this "
            f"project is '{project.title}' ({project.project_id[:8]}). A project model stays with its title: "
            "move it back, and run interpositive project train for this one."
        )
    for name, expected in manifest.files.items():
        _require_unchanged(project.model / manifest.weights / name, expected)
    return ProjectModel(project.model, manifest)


def save_project_model(
    folder: Path,
    manifest: Mapping[str, Any],
    backbone: Backbone,
    prior: Path | None,
) -> ProjectModelManifest:
    """Write weights and manifest into `folder`; the fine-tuned `prior` is a folder to copy.

    `manifest` has the fields of `ProjectModelManifest` but `weights`, `files` and `backbone`, which are
    filled in. The caller holds the folder's lock. Raises OutputError; the old model is then still whole.
    """
    contents = {BACKBONE_FILE: safetensors.torch.save(_contiguous(backbone.tensors))}
    if prior is not None:
        contents |= {f"{PRIOR_FOLDER}/{path.name}": path.read_bytes() for path in sorted(prior.iterdir())}
    files = {name: hashlib.sha256(data).hexdigest() for name, data in contents.items()}
    together = hashlib.sha256("".join(files[name] for name in sorted(files)).encode()).hexdigest()
    weights = f"{_WEIGHTS}{together[:16]}"
    size = {"width": backbone.width, "hidden": backbone.hidden}
    complete = ProjectModelManifest.model_validate(
        {**manifest, "backbone": size, "weights": weights, "files": files}
    )
    try:
        _write_folder(folder, weights, contents)
    except OSError as error:
        raise OutputError(
            f"Project model {folder} cannot be written: {error.strerror}. Nothing in it was changed; free "
            "the disk or the permissions and run the same command again."
        ) from error
    text = json.dumps(complete.model_dump(mode="json"), indent=2, ensure_ascii=False) + "\n"
    with whole_file(folder / MANIFEST_FILE) as unfinished:
        unfinished.write_text(text, encoding="utf-8")
    for old in folder.glob(f"{_WEIGHTS}*"):
        if old.name != weights:
            shutil.rmtree(old, ignore_errors=True)
    return complete


def _write_folder(folder: Path, name: str, contents: Mapping[str, bytes]) -> None:
    """A new folder of weights, whole or absent."""
    folder.mkdir(parents=True, exist_ok=True)
    for stale in folder.glob(f"{_STAGING}*"):
        shutil.rmtree(stale, ignore_errors=True)
    there = folder / name
    if there.is_dir():
        if all(
            (there / file).is_file() and (there / file).read_bytes() == contents[file] for file in contents
        ):
            return
        shutil.rmtree(there)  # damaged: nothing uses it
    staging = folder / f"{_STAGING}{os.getpid()}"
    for file, data in contents.items():
        path = staging / file
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as opened:
            opened.write(data)
            opened.flush()
            os.fsync(opened.fileno())
    os.replace(staging, folder / name)


def _read_manifest(path: Path) -> ProjectModelManifest:
    try:
        if path.stat().st_size > LARGEST_MANIFEST_BYTES:
            raise DamagedModelError(f"{path} is larger than {LARGEST_MANIFEST_BYTES} bytes. {_AGAIN}")
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise DamagedModelError(f"Project model {path} cannot be read. {_AGAIN}") from error
    if not isinstance(document, dict) or document.get("schema") != SCHEMA:
        raise ForeignModelError(f'{path} is not of schema "{SCHEMA}": not a project model. {_AGAIN}')
    version = document.get("version")
    if isinstance(version, int) and version > VERSION:
        raise NewerModelError(
            f"{path} has version {version}, this Interpositive reads up to {VERSION}. Update Interpositive."
        )
    while version in _UPGRADES:
        document = _UPGRADES[version](document)
        version = document.get("version")
    try:
        return ProjectModelManifest.model_validate(document)
    except ValidationError as error:
        raise DamagedModelError(f"Project model {path}: {one_line(error)}. {_AGAIN}") from error


def _require_unchanged(path: Path, expected: str) -> None:
    try:
        found = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise DamagedModelError(f"{path} cannot be read: {error.strerror}. {_AGAIN}") from error
    if found != expected:
        raise DamagedModelError(f"{path} is not what was saved (SHA-256 differs). {_AGAIN}")


def _contiguous(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.contiguous() for name, tensor in tensors.items()}
