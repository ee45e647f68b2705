"""The estimated light of a shot as a file, schema "interpositive.lighting"."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..errors import OutputError, UsageError
from .shot_light import ShotLight

SCHEMA = "interpositive.lighting"
VERSION = 1
SUFFIX = ".lighting.json"
_LARGEST_BYTES = 16 * 1024**2

_Vector = tuple[float, float, float]
_Harmonics = Annotated[tuple[_Vector, ...], Field(min_length=9, max_length=9)]


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class _Light(_Record):
    direction: _Vector
    colour: _Vector
    environment_sh: _Harmonics


class _File(_Record):
    schema_name: Literal["interpositive.lighting"] = Field(alias="schema")
    version: Literal[1]
    name: str = ""
    source: str = ""
    focal: float | None = Field(default=None, gt=0)
    subject_depth: float = Field(default=1.0, gt=0)
    light: _Light
    frames: dict[int, _Light] = {}


@dataclass(frozen=True, eq=False)
class ShotLighting:
    """Light of a shot and the view that its passes are meant for.

    `light` is the whole shot's; `frames` holds those frames whose light differs. `focal` is in picture
    heights, None for orthographic. `subject_depth` is the median depth of the subject. `source` tells in a
    few words where it came from ("estimated", "chrome ball", "probe").
    """

    light: ShotLight
    focal: float | None = 1.5
    subject_depth: float = 1.0
    name: str = ""
    source: str = "estimated"
    frames: Mapping[int, ShotLight] = field(default_factory=dict)

    def at(self, frame: int) -> ShotLight:
        """The light of one frame."""
        return self.frames.get(frame, self.light)


def write_lighting(path: str | Path, lighting: ShotLighting) -> None:
    """Write `lighting` in one step. Raises `OutputError`."""
    from ..images.writing import whole_file

    record = {
        "schema": SCHEMA,
        "version": VERSION,
        "name": lighting.name,
        "source": lighting.source,
        "focal": lighting.focal,
        "subject_depth": lighting.subject_depth,
        "light": _as_record(lighting.light),
        "frames": {str(frame): _as_record(light) for frame, light in sorted(lighting.frames.items())},
    }
    try:
        text = json.dumps(record, indent=1, allow_nan=False)
    except ValueError as error:
        raise OutputError(f"The light for {path} is not finite, and is not written.") from error
    with whole_file(path) as unfinished:
        unfinished.write_text(text + "\n", encoding="utf-8")


def read_lighting(path: str | Path) -> ShotLighting:
    """Read a lighting file. Raises `UsageError` saying what is wrong with it."""
    data = read_schema(Path(path), SCHEMA, VERSION, "`interpositive analyse` writes lighting files")
    try:
        file = _File.model_validate(data)
    except ValidationError as error:
        raise UsageError(f"{path} is not a whole lighting file: {first_problem(error)}.") from None
    return ShotLighting(
        light=_from_record(file.light),
        focal=file.focal,
        subject_depth=file.subject_depth,
        name=file.name,
        source=file.source,
        frames={frame: _from_record(light) for frame, light in file.frames.items()},
    )


def read_schema(path: Path, schema: str, newest: int, origin: str) -> dict[str, Any]:
    """A JSON object of ours with a version that we know. `origin` ends the message for a foreign file.

    Raises `UsageError`: absent, not JSON, another tool's, or from a newer version.
    """
    try:
        if path.stat().st_size > _LARGEST_BYTES:
            raise UsageError(f"{path} is too large for a {schema} file; {origin}.")
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UsageError(f"There is no file {path}. Check the path; {origin}.") from None
    except OSError as error:
        raise UsageError(f"Cannot read {path}: {error.strerror}.") from error
    except ValueError as error:
        raise UsageError(f"{path} is not JSON ({error}); {origin}.") from None
    found = data.get("schema") if isinstance(data, dict) else None
    if found != schema:
        said = f"says it is {found!r}" if found else "does not say what it is"
        raise UsageError(f'{path} {said}, expected "schema": "{schema}"; {origin}.')
    version = data.get("version")
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise UsageError(f"{path} has version {version!r}, expected a number from 1 to {newest}.")
    if version > newest:
        raise UsageError(
            f"{path} is version {version} of {schema}, this Interpositive reads up to {newest}. Update "
            "Interpositive, or save the file from the older version."
        )
    return data


def first_problem(error: ValidationError) -> str:
    """The first of pydantic's complaints in words, with its place in the file."""
    detail = error.errors(include_url=False)[0]
    place = ".".join(str(part) for part in detail["loc"])
    if detail["type"] == "extra_forbidden":
        return f"{place} is not known"
    if detail["type"] == "missing":
        return f"{place} is missing"
    message = detail["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
    if detail["type"] in ("value_error", "assertion_error"):
        return f"{place}: {message}" if place else message
    return f"{place} is {detail['input']!r} and should be {message}"


def _as_record(light: ShotLight) -> dict[str, Any]:
    return {
        "direction": light.direction.tolist(),
        "colour": light.colour.tolist(),
        "environment_sh": light.environment_sh.tolist(),
    }


def _from_record(record: _Light) -> ShotLight:
    return ShotLight.of(record.direction, record.colour, record.environment_sh)
