"""What a model folder says about itself: `manifest.json`, schema "interpositive.model".

Nothing in it leads outside the production: files are named without their directories, the artist by the
login name (or whatever name training was given), and the machine only by its kind of device; the host
name is not recorded.
"""

from __future__ import annotations

import getpass
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..errors import DamagedModelError, ForeignModelError, NewerModelError

SCHEMA = "interpositive.model"
VERSION = 1
MANIFEST_FILE = "manifest.json"
LARGEST_MANIFEST_BYTES = 16 * 1024**2

_Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
# A name and nothing else: no directory, no drive, no leading dot.
_PlainName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.\-]{0,99}$")]

# version -> the function that turns a manifest of that version into one of the next.
_UPGRADES: dict[int, Callable[[dict[str, Any]], dict[str, Any]]] = {}


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Ancestor(_Record):
    """The model that this one was fine-tuned from, nearest first in `Manifest.lineage`."""

    name: str
    kind: Literal["base", "project", "shot"]
    weights_sha256: _Sha256


class ColourRecord(_Record):
    """The colour that the network was trained in; the fields of `images.colour.PlateColour`."""

    input_space: str
    working_space: str
    is_scene_linear: bool
    source: Literal["declared", "metadata", "file format"]
    chromaticities: tuple[float, ...] | None = None


class LayerRecord(_Record):
    """One input or output layer. `channels` are full EXR names in the order that the network has them.

    `kind` "rgb" replaces those channels of the plate; "matte" and "data" are added beside them.
    """

    name: str
    channels: tuple[Annotated[str, Field(min_length=1)], ...] = Field(min_length=1)
    kind: Literal["rgb", "matte", "data"]


class TilingRecord(_Record):
    """What running the network by tiles must know; written from the network's configuration."""

    stride: int = Field(ge=1, le=1024)
    receptive_px: int = Field(ge=0, le=65536)
    bytes_per_pixel: float = Field(gt=0)


class TrainingFrame(_Record):
    """One keyframe: the frame number and what plate and keyframe contained (SHA-256 of the files)."""

    frame: int
    plate_file: str
    plate_sha256: _Sha256
    keyframe_file: str
    keyframe_sha256: _Sha256


class TrainingRecord(_Record):
    """What the model learned from, and for how long."""

    frames: tuple[TrainingFrame, ...]
    holdout: tuple[int, ...] = ()
    quality: str
    steps: int = Field(ge=0)
    cpu_seconds: float = Field(ge=0)
    wall_seconds: float = Field(ge=0)
    fingerprint: str = ""  # of footage and settings: the same command finds its training finished


class FileRecord(_Record):
    """Content of one file of the folder."""

    sha256: _Sha256
    bytes: int = Field(ge=0)


class Manifest(_Record):
    """A model folder's manifest. Build it with `Manifest.of`, read it with `read_manifest`."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, serialize_by_alias=True)

    schema_name: Literal["interpositive.model"] = Field(default="interpositive.model", alias="schema")
    version: Literal[1] = 1
    kind: Literal["shot"] = "shot"
    name: str
    created_utc: str
    created_by: str
    software: dict[str, str]
    device: str
    seed: int
    lineage: tuple[Ancestor, ...] = ()
    colour: ColourRecord
    inputs: tuple[LayerRecord, ...] = Field(min_length=1)
    outputs: tuple[LayerRecord, ...] = Field(min_length=1)
    network: dict[str, Any]
    tiling: TilingRecord
    display_size: tuple[int, int]  # width, height in px
    training: TrainingRecord
    measured: dict[str, float] = {}
    files: dict[_PlainName, FileRecord] = {}

    def to_json(self) -> str:
        """The text of `manifest.json`, schema and version first, ending in a new line."""
        return json.dumps(self.model_dump(mode="json"), indent=2, ensure_ascii=False) + "\n"


def who_and_when() -> tuple[str, str]:
    """(login name, now in UTC as ISO 8601 to the second) for `created_by` and `created_utc`."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError, ImportError):  # a container user without a name
        user = "unknown"
    return user, datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def read_manifest(path: Path) -> Manifest:
    """Read `manifest.json` at `path`, upgrading older versions.

    Raises `ForeignModelError` (not ours), `NewerModelError` (a later version), `DamagedModelError`.
    """
    return parse_manifest(_read_limited(path), path)


def parse_manifest(data: bytes, path: Path) -> Manifest:
    """`read_manifest` for bytes; `path` is only named in messages."""
    try:
        document = json.loads(data.decode("utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        reason = str(error).splitlines()[0]
        raise DamagedModelError(
            f"Model manifest {path} is not readable JSON ({reason}). Restore the folder or train again."
        ) from error
    schema = document.get("schema") if isinstance(document, dict) else None
    if schema != SCHEMA:
        found = f"schema {_short(schema)}" if schema is not None else "no schema"
        raise ForeignModelError(
            f'{path} has {found}, expected "{SCHEMA}": not a model of Interpositive. '
            "Give the folder that interpositive train wrote."
        )
    document = _upgraded(document, path)
    if document.get("kind") != "shot":
        raise ForeignModelError(
            f'{path} is a model of kind {_short(document.get("kind"))}, expected "shot". '
            "Give a folder that interpositive train wrote."
        )
    try:
        return Manifest.model_validate(document)
    except ValidationError as error:
        raise DamagedModelError(
            f"Model manifest {path}: {one_line(error)}. Restore the folder or train again."
        ) from error


def one_line(error: ValidationError) -> str:
    """The first complaint of a pydantic error as `field: reason`, and how many more there are."""
    complaints = error.errors(include_url=False, include_context=False)
    place = ".".join(str(part) for part in complaints[0]["loc"])[:80]
    more = f" (and {len(complaints) - 1} more)" if len(complaints) > 1 else ""
    return f"{place}: {complaints[0]['msg']}{more}".replace("\n", " ")


def _upgraded(document: dict[str, Any], path: Path) -> dict[str, Any]:
    version = document.get("version")
    if not isinstance(version, int) or isinstance(version, bool):
        raise DamagedModelError(
            f"Model manifest {path} has version {_short(version)}, expected a whole number."
        )
    if version > VERSION:
        raise NewerModelError(
            f"{path} has manifest version {version}, this Interpositive reads up to {VERSION}. "
            "Update Interpositive, or train again with this one."
        )
    while version < VERSION:
        if version not in _UPGRADES:
            raise DamagedModelError(f"Model manifest {path} has version {version}, which never existed.")
        document = _UPGRADES[version](document)
        version += 1
    return document


def _read_limited(path: Path) -> bytes:
    try:
        size = path.stat().st_size
        if size > LARGEST_MANIFEST_BYTES:
            raise DamagedModelError(
                f"Model manifest {path} is {size} bytes, expected at most {LARGEST_MANIFEST_BYTES}."
            )
        return path.read_bytes()
    except OSError as error:
        raise DamagedModelError(f"Model manifest {path} cannot be read: {error.strerror}.") from error


def _short(value: object) -> str:
    text = json.dumps(value, default=str)
    return text if len(text) <= 60 else text[:57] + "..."
