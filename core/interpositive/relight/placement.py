"""From artist lights, which fit any shot, to lights at places in one shot's camera space."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from .colour_temperature import REC709, kelvin_rgb
from .environment import Environment, rotated_sh, rotation_matrix
from .lights import Light, LightRig
from .shading import AreaLight, DirectionalLight, EnvironmentLight, LocalLight, PlacedLight, Triple
from .shadows import ShadowSettings

_EMPTY: Mapping[str, Environment] = {}


@dataclass(frozen=True)
class ShotScale:
    """What "subject" and "as bright as the shot's own key" mean in one shot: `depth` is the subject's median
    distance along the view axis, `level` the shading that the key gives. `chromaticities` are the plate's."""

    depth: float = 1.0
    level: float = 1.0
    chromaticities: Sequence[float] = REC709

    @property
    def subject(self) -> Triple:
        return (0.0, 0.0, -self.depth)


@dataclass(frozen=True)
class PlacedPart:
    """One light in camera space with its shadow (strength 0..1; 0 casts none)."""

    light: PlacedLight
    shadow: ShadowSettings
    shadow_strength: float


@dataclass(frozen=True)
class PlacedRigLight:
    """What one artist light is in one frame: a light, or an environment with its sun."""

    name: str
    parts: tuple[PlacedPart, ...]
    matte: str | None = None
    matte_invert: bool = False


def place_rig(
    rig: LightRig, frame: float, scale: ShotScale, environments: Mapping[str, Environment] = _EMPTY
) -> tuple[PlacedRigLight, ...]:
    """The rig's lights in one frame. `environments` has the pictures by name of the light."""
    return tuple(
        PlacedRigLight(
            light.name, _parts(light, rig, frame, scale, environments), light.matte, light.matte_invert
        )
        for light in rig.lights
    )


def direction_of(azimuth: float, elevation: float) -> Triple:
    """Unit vector of angles in degrees: (0, 0) to the camera, (90, 0) to its right, (0, 90) up."""
    turn, lift = math.radians(azimuth), math.radians(elevation)
    return (math.sin(turn) * math.cos(lift), math.sin(lift), math.cos(turn) * math.cos(lift))


def _parts(
    light: Light, rig: LightRig, frame: float, scale: ShotScale, environments: Mapping[str, Environment]
) -> tuple[PlacedPart, ...]:
    colour = _colour(light, rig, frame, scale)
    if not any(colour):
        return ()
    strength = light.number("shadow", frame)
    if light.kind == "environment":
        return _environment_parts(light, rig, frame, scale, environments[light.name], colour, strength)
    if light.kind == "directional":
        spread = math.radians(light.number("softness", frame)) / 2
        placed: PlacedLight = DirectionalLight(_towards(light, frame), colour, spread, *_shares(light, frame))
        tangent = math.tan(spread)
    elif light.kind == "area":
        placed, tangent = _area(light, rig, frame, scale, colour)
    else:
        placed, tangent = _local(light, rig, frame, scale, colour)
    return (PlacedPart(placed, _shadow(light, rig, frame, scale, tangent), strength),)


def _colour(light: Light, rig: LightRig, frame: float, scale: ShotScale) -> Triple:
    gain = light.number("intensity", frame) * 2.0 ** light.number("exposure", frame)
    if rig.units == "shot" and light.kind != "environment":
        gain *= scale.level
    red, green, blue = light.triple("colour", frame)
    if "kelvin" in light.curves:
        lamp = kelvin_rgb(light.number("kelvin", frame), scale.chromaticities)
        white = (1.0, 1.0, 1.0)
        if rig.white_kelvin is not None:
            white = kelvin_rgb(rig.white_kelvin, scale.chromaticities)
        red, green, blue = (
            own * lit / seen for own, lit, seen in zip((red, green, blue), lamp, white, strict=True)
        )
    return (red * gain, green * gain, blue * gain)


def _shares(light: Light, frame: float) -> tuple[float, float]:
    return light.number("diffuse", frame), light.number("specular", frame)


def _shadow(light: Light, rig: LightRig, frame: float, scale: ShotScale, tangent: float) -> ShadowSettings:
    unit = scale.depth if rig.units == "shot" else 1.0
    return ShadowSettings(
        softness=tangent,
        bias=light.number("shadow_bias", frame),
        thickness=light.number("shadow_thickness", frame) * unit,
        reach=light.number("shadow_reach", frame),
    )


def _towards(light: Light, frame: float) -> Triple:
    if "direction" in light.curves:
        return _unit(light.triple("direction", frame))
    return direction_of(light.number("azimuth", frame), light.number("elevation", frame))


def _position(light: Light, rig: LightRig, frame: float, scale: ShotScale) -> Triple:
    unit = scale.depth if rig.units == "shot" else 1.0
    if "position" in light.curves:
        x, y, z = light.triple("position", frame)
        return (x * unit, y * unit, z * unit)
    away = light.number("distance", frame) * unit
    x, y, z = direction_of(light.number("azimuth", frame), light.number("elevation", frame))
    left, up, near = scale.subject
    return (left + x * away, up + y * away, near + z * away)


def _reference(light: Light, rig: LightRig, scale: ShotScale) -> float:
    """The distance at which a light is as bright as it says: from the subject to where the light is first in
    the shot; one unit where units are the scene's."""
    if rig.units == "scene":
        return 1.0
    starts = [curve.frames[0] for name, curve in light.curves.items() if name in ("position", "distance")]
    return max(_length(_minus(_position(light, rig, min(starts), scale), scale.subject)), 1e-4)


def _local(
    light: Light, rig: LightRig, frame: float, scale: ShotScale, colour: Triple
) -> tuple[LocalLight, float]:
    position, reference = _position(light, rig, frame, scale), _reference(light, rig, scale)
    tangent = math.tan(math.radians(light.number("softness", frame)) / 2)
    away = max(_length(_minus(position, scale.subject)), 1e-4)
    placed = LocalLight(
        position,
        colour,
        reference,
        light.number("falloff", frame),
        tangent * away,
        diffuse=light.number("diffuse", frame),
        specular=light.number("specular", frame),
    )
    if light.kind == "spot":
        half = light.number("cone", frame) / 2
        inner = max(half - light.number("cone_edge", frame), 0.0)
        placed = replace(
            placed,
            axis=_unit(_minus(_target(light, rig, frame, scale), position)),
            inner=math.cos(math.radians(inner)),
            outer=math.cos(math.radians(half)),
        )
    return placed, tangent


def _area(
    light: Light, rig: LightRig, frame: float, scale: ShotScale, colour: Triple
) -> tuple[AreaLight, float]:
    position = _position(light, rig, frame, scale)
    unit = scale.depth if rig.units == "shot" else 1.0
    axis = _unit(_minus(_target(light, rig, frame, scale), position))
    level = (1.0, 0.0, 0.0) if abs(axis[1]) > 0.999 else (0.0, 1.0, 0.0)
    right = _unit(_cross(level, axis))
    up = _cross(axis, right)
    half_width = light.number("width", frame) * unit / 2
    half_height = light.number("height", frame) * unit / 2
    placed = AreaLight(
        position,
        axis,
        (right[0] * half_width, right[1] * half_width, right[2] * half_width),
        (up[0] * half_height, up[1] * half_height, up[2] * half_height),
        colour,
        _reference(light, rig, scale),
        *_shares(light, frame),
    )
    away = max(_length(_minus(position, scale.subject)), 1e-4)
    return placed, math.sqrt(half_width * half_height) / away


def _target(light: Light, rig: LightRig, frame: float, scale: ShotScale) -> Triple:
    if "target" not in light.curves:
        return scale.subject
    unit = scale.depth if rig.units == "shot" else 1.0
    x, y, z = light.triple("target", frame)
    return (x * unit, y * unit, z * unit)


def _environment_parts(
    light: Light,
    rig: LightRig,
    frame: float,
    scale: ShotScale,
    environment: Environment,
    colour: Triple,
    strength: float,
) -> tuple[PlacedPart, ...]:
    gain = scale.level / max(environment.level, 1e-12) if rig.units == "shot" else 1.0
    tint = (colour[0] * gain, colour[1] * gain, colour[2] * gain)
    turn = rotation_matrix(light.number("rotation", frame))
    shares = _shares(light, frame)
    harmonics = rotated_sh(environment.harmonics, turn)
    scaled = harmonics * harmonics.new_tensor(tint)
    blurred = tuple(picture * picture.new_tensor(tint).reshape(3, 1, 1) for picture in environment.blurred)
    sky = EnvironmentLight(scaled, blurred, *shares, turn=turn if blurred else None)
    parts = [PlacedPart(sky, _shadow(light, rig, frame, scale, 0.6), strength)]
    if environment.sun is not None:
        sun = environment.sun
        x, y, z = (float(v) for v in turn @ turn.new_tensor(sun.direction))
        rgb = (sun.colour[0] * tint[0], sun.colour[1] * tint[1], sun.colour[2] * tint[2])
        lit = DirectionalLight((x, y, z), rgb, sun.spread, *shares)
        parts.append(PlacedPart(lit, _shadow(light, rig, frame, scale, math.tan(sun.spread)), strength))
    return tuple(parts)


def environment_files(rig: LightRig) -> dict[str, Path]:
    """Lat-long pictures to read, by name of the light."""
    return {light.name: light.file for light in rig.lights if light.file is not None}


def _minus(a: Triple, b: Triple) -> Triple:
    return (a[0] - b[0], a[1] - b[1], a[2] - b[2])


def _cross(a: Triple, b: Triple) -> Triple:
    return (a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0])


def _length(vector: Triple) -> float:
    return math.sqrt(sum(v * v for v in vector))


def _unit(vector: Triple) -> Triple:
    length = _length(vector)
    return (0.0, 0.0, 1.0) if length < 1e-9 else (vector[0] / length, vector[1] / length, vector[2] / length)
