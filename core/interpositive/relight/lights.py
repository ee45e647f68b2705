"""Artist lights as a file, schema "interpositive.lights": read, checked, frozen.

Angles are degrees as seen by the camera: azimuth 0 comes from the camera, 90 from its right, 180 from behind
the subject; elevation 90 from overhead. With units "shot" an intensity of 1 is the level of the shot's own
key and a distance of 1 the subject's distance from the camera, so a file fits any shot; with units "scene"
they are plate values and depth units.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from ..errors import UsageError
from .colour_temperature import HIGHEST_KELVIN, LOWEST_KELVIN
from .keyframes import Curve, read_curve
from .lighting_file import first_problem, read_schema
from .shading import Triple

SCHEMA = "interpositive.lights"
VERSION = 1
Kind = Literal["directional", "point", "spot", "area", "environment"]
Units = Literal["shot", "scene"]

_MOST_LIGHTS = 64
_ANY = (-math.inf, math.inf)


def _keyable(size: int = 1, least: float = -math.inf, most: float = math.inf) -> BeforeValidator:
    def read(data: Any) -> Curve:
        curve = read_curve(data, size)
        for value in (value for values in curve.values for value in values):
            if not least <= value <= most:
                bounds = f"from {least:g} to {most:g}" if most < math.inf else f"{least:g} or more"
                raise ValueError(f"{value:g} should be {bounds}")
        return curve

    return BeforeValidator(read)


_Number = Annotated[Curve, _keyable()]
_Vector = Annotated[Curve, _keyable(3)]
_Positive = Annotated[Curve, _keyable(1, 0.0)]
_Share = Annotated[Curve, _keyable(1, 0.0, 1.0)]
_Kelvin = Annotated[Curve, _keyable(1, LOWEST_KELVIN, HIGHEST_KELVIN)]
_Stops = Annotated[Curve, _keyable(1, -30, 30)]
_Elevation = Annotated[Curve, _keyable(1, -90, 90)]
_Falloff = Annotated[Curve, _keyable(1, 0, 4)]
_Size = Annotated[Curve, _keyable(1, 0.001, 10000)]


def _constant(*values: float) -> Any:
    return Field(default_factory=lambda: Curve.constant(*values))


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, arbitrary_types_allowed=True)


class _AnyLight(_Record):
    name: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_\-]{0,39}$")]
    on: bool = True
    note: str = ""
    intensity: _Number = _constant(1)
    exposure: _Stops = _constant(0)
    colour: _Vector = _constant(1, 1, 1)
    kelvin: _Kelvin | None = None
    diffuse: _Positive = _constant(1)
    specular: _Positive = _constant(1)
    shadow: _Share = _constant(1)
    shadow_bias: _Positive = _constant(1)
    shadow_thickness: _Size = _constant(0.5)
    shadow_reach: Annotated[Curve, _keyable(1, 0.0, 10)] = _constant(1)
    matte: str | None = None
    matte_invert: bool = False


class _Placed(_AnyLight):
    azimuth: _Number | None = None
    elevation: _Elevation | None = None
    softness: Annotated[Curve, _keyable(1, 0, 120)] = _constant(2)


class _Directional(_Placed):
    type: Literal["directional"]
    direction: _Vector | None = None

    @model_validator(mode="after")
    def _placed_once(self) -> _Directional:
        _require_one(self, "direction", ("azimuth", "elevation"))
        if self.direction is not None and any(not any(value) for value in self.direction.values):
            raise ValueError("direction is 0, 0, 0; give a vector that points to the light")
        return self


class _Local(_Placed):
    distance: _Size | None = None
    position: _Vector | None = None

    @model_validator(mode="after")
    def _placed_once(self) -> _Local:
        _require_one(self, "position", ("azimuth", "elevation", "distance"))
        return self


class _Point(_Local):
    type: Literal["point"]
    falloff: _Falloff = _constant(2)


class _Spot(_Local):
    type: Literal["spot"]
    falloff: _Falloff = _constant(2)
    target: _Vector | None = None
    cone: Annotated[Curve, _keyable(1, 0.1, 179)] = _constant(40)
    cone_edge: Annotated[Curve, _keyable(1, 0, 90)] = _constant(8)


class _Area(_Local):
    type: Literal["area"]
    target: _Vector | None = None
    width: _Size = _constant(0.5)
    height: _Size = _constant(0.5)


class _Environment(_AnyLight):
    type: Literal["environment"]
    file: str | None = None
    harmonics: Annotated[tuple[Triple, ...], Field(min_length=9, max_length=9)] | None = None
    rotation: _Number = _constant(0)
    sun: bool = True

    @model_validator(mode="after")
    def _one_source(self) -> _Environment:
        if (self.file is None) == (self.harmonics is None):
            raise ValueError("give either file, a lat-long .hdr or .exr, or harmonics")
        return self


def _require_one(record: BaseModel, exact: str, angles: tuple[str, ...]) -> None:
    given = [name for name in angles if getattr(record, name) is not None]
    if getattr(record, exact) is not None and given:
        raise ValueError(f"{exact} and {', '.join(given)} both place the light; give one or the other")
    if getattr(record, exact) is None and len(given) < len(angles):
        missing = ", ".join(name for name in angles if name not in given)
        raise ValueError(f"{missing} missing; place the light by {', '.join(angles)} or by {exact}")


class _Existing(_Record):
    gain: _Positive = _constant(1)
    exposure: _Stops = _constant(0)
    key: _Positive = _constant(1)
    rest: _Positive = _constant(1)


class _File(_Record):
    schema_name: Literal["interpositive.lights"] = Field(alias="schema")
    version: Literal[1]
    name: str = ""
    note: str = ""
    units: Units = "shot"
    white_kelvin: Annotated[float, Field(ge=LOWEST_KELVIN, le=HIGHEST_KELVIN)] | None = None
    existing: _Existing = Field(default_factory=_Existing)
    lights: Annotated[
        tuple[
            Annotated[_Directional | _Point | _Spot | _Area | _Environment, Field(discriminator="type")], ...
        ],
        Field(max_length=_MOST_LIGHTS),
    ]


@dataclass(frozen=True, eq=False)
class Light:
    """One artist light. `curves` holds every number by its name in the file; absent ones were not given."""

    name: str
    kind: Kind
    curves: Mapping[str, Curve]
    matte: str | None = None
    matte_invert: bool = False
    file: Path | None = None
    harmonics: tuple[Triple, ...] | None = None
    sun: bool = True

    def number(self, name: str, frame: float) -> float:
        """A value at a frame."""
        return self.curves[name].at(frame)[0]

    def triple(self, name: str, frame: float) -> Triple:
        x, y, z = self.curves[name].at(frame)
        return x, y, z

    @property
    def is_dark(self) -> bool:
        """Whether its intensity is zero throughout."""
        return not any(value for values in self.curves["intensity"].values for value in values)

    @property
    def takes_light(self) -> bool:
        """Whether its intensity or colour is below zero at some frame."""
        return any(min(v) < 0 for name in ("intensity", "colour") for v in self.curves[name].values)


@dataclass(frozen=True)
class ExistingLight:
    """Gains on the light that the plate has: all of it, and its key and the rest apart."""

    gain: Curve = field(default_factory=lambda: Curve.constant(1))
    exposure: Curve = field(default_factory=lambda: Curve.constant(0))
    key: Curve = field(default_factory=lambda: Curve.constant(1))
    rest: Curve = field(default_factory=lambda: Curve.constant(1))

    def at(self, frame: float) -> tuple[float, float]:
        """Gain of the key and of the rest at a frame."""
        both = self.gain.at(frame)[0] * 2.0 ** self.exposure.at(frame)[0]
        return both * self.key.at(frame)[0], both * self.rest.at(frame)[0]

    @property
    def needs_shot_light(self) -> bool:
        """Whether key and rest change by different amounts, which takes knowing which is which."""
        return self.key != self.rest and not (self.key.is_constant and self.key.first == self.rest.first)


@dataclass(frozen=True, eq=False)
class LightRig:
    """What a lights file asks for; lights that are switched off are left out."""

    lights: tuple[Light, ...]
    existing: ExistingLight
    units: Units = "shot"
    white_kelvin: float | None = None
    name: str = ""


def read_lights(path: str | Path) -> LightRig:
    """Read a lights file; files that it names are found from its folder.

    Raises `UsageError`: not ours, newer, or what in it is wrong.
    """
    path = Path(path).expanduser()
    data = read_schema(path, SCHEMA, VERSION, "see docs/relight.md for how lights are written")
    return rig_from(data, path.name, path.parent)


def rig_from(data: Mapping[str, Any], name: str = "lights", folder: Path = Path(".")) -> LightRig:
    """Checked lights of a decoded file. Raises `UsageError`."""
    try:
        file = _File.model_validate(dict(data))
    except ValidationError as error:
        raise UsageError(f"{name}: {_in_words(error, data)}.") from None
    names = [record.name for record in file.lights]
    twice = next((one for one in names if names.count(one) > 1), None)
    if twice is not None or "existing" in names:
        reason = f"two lights are called {twice}" if twice else "a light may not be called existing"
        raise UsageError(f"{name}: {reason}. Each gets a layer of its own, so give it a name of its own.")
    existing = file.existing
    return LightRig(
        lights=tuple(_light(record, folder) for record in file.lights if record.on),
        existing=ExistingLight(existing.gain, existing.exposure, existing.key, existing.rest),
        units=file.units,
        white_kelvin=file.white_kelvin,
        name=file.name or name,
    )


def _light(record: Any, folder: Path) -> Light:
    curves = {
        name: value for name in type(record).model_fields if isinstance(value := getattr(record, name), Curve)
    }
    environment = record if isinstance(record, _Environment) else None
    file = environment.file if environment is not None else None
    return Light(
        name=record.name,
        kind=record.type,
        curves=curves,
        matte=record.matte,
        matte_invert=record.matte_invert,
        file=folder / Path(file).expanduser() if file else None,
        harmonics=environment.harmonics if environment is not None else None,
        sun=environment.sun if environment is not None else True,
    )


def _in_words(error: ValidationError, data: Mapping[str, Any]) -> str:
    """The first problem, with the light's own name in place of its number."""
    text = first_problem(error)
    detail = error.errors(include_url=False)[0]
    location = detail["loc"]
    if detail["type"].startswith("union_tag"):
        text = f"its type should be one of {', '.join(get_args(Kind))}"
    elif detail["type"] == "string_pattern_mismatch":
        text = "its name should be a letter and then letters, digits, _ or -, as it becomes a layer's name"
    if len(location) < 2 or location[0] != "lights" or not isinstance(location[1], int):
        return text
    light = data["lights"][location[1]]
    called = light.get("name") if isinstance(light, dict) else None
    prefix = ".".join(str(part) for part in location[:3])
    start = prefix if text.startswith(prefix) else ".".join(str(part) for part in location[:2])
    who = f"light {called!r}" if called else f"light number {location[1] + 1}"
    return f"{who}: {text[len(start) :].lstrip('.: ')}"


def matched_rig_data(lighting_light: Mapping[str, Any], name: str) -> dict[str, Any]:
    """A lights file that replaces a shot's light by that of another shot, given as the `light` entry of its
    lighting file: its key as a directional light, its environment as harmonics, the light that is there
    removed."""
    return {
        "schema": SCHEMA,
        "version": VERSION,
        "name": f"Light of {name}",
        "units": "scene",
        "existing": {"gain": 0.0},
        "lights": [
            {
                "name": "key",
                "type": "directional",
                "direction": list(lighting_light["direction"]),
                "colour": list(lighting_light["colour"]),
            },
            {
                "name": "environment",
                "type": "environment",
                "harmonics": [list(row) for row in lighting_light["environment_sh"]],
            },
        ],
    }
