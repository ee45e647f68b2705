"""What lights add to a surface: diffuse and specular radiance, planes first, torch, differentiable.

Planes are (3, h, w) or (h, w); a band of a plate, or all of it. Radiance is scene-linear in the plate's
primaries. A light's `colour` is what a white Lambert surface shows that faces it, at the light's reference
distance where it has one.

Sources
    Inverse square falloff and Lambert's cosine: Lambert, Photometria, 1760.
    Irradiance of a rectangle, a sum over its edges: Baum, Rushmeier and Winget, "Improving radiosity
    solutions through the use of analytically determined form-factors", SIGGRAPH 1989, eq. 7; what the horizon
    cuts off follows the sphere of equal form factor: Hill and Heitz, "Real-time area lighting: a journey from
    research to production", SIGGRAPH 2016 course.
    Specular light of an environment as the product of two integrals: Karis, "Real shading in Unreal Engine
    4", SIGGRAPH 2013 course.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from .reflection import alpha_of, coat_albedo, ggx_reflectance
from .shot_light import sh_irradiance_basis

Triple = tuple[float, float, float]
_NEAREST = 1e-4


@dataclass(frozen=True, eq=False)
class Surface:
    """Planes of what is lit. position, view, normal, albedo (3, h, w); roughness, n_v (h, w). `view` points
    to the camera, `n_v` is its cosine with the normal."""

    position: Tensor
    normal: Tensor
    view: Tensor
    albedo: Tensor
    roughness: Tensor
    n_v: Tensor

    @classmethod
    def of(
        cls, position: Tensor, normal: Tensor, albedo: Tensor, roughness: Tensor, orthographic: bool = False
    ) -> Surface:
        """Planes of a perspective camera at the origin, or of an orthographic one that looks along -z."""
        if orthographic:
            view = torch.tensor([0.0, 0.0, 1.0], device=position.device).reshape(3, 1, 1)
            return cls(position, normal, view, albedo, roughness, normal[2])
        view = position * -torch.rsqrt(_dot(position, position).clamp_min(1e-20))
        return cls(position, normal, view, albedo, roughness, _dot(normal, view))


@dataclass(frozen=True)
class DirectionalLight:
    """Infinitely far; `spread` is half the angle in radians under which it is seen."""

    direction: Triple
    colour: Triple
    spread: float = 0.0
    diffuse: float = 1.0
    specular: float = 1.0


@dataclass(frozen=True)
class LocalLight:
    """A point or a spot light in camera space.

    Brightness is `colour` at distance `reference` and falls with distance to the power `falloff`. `radius`
    is the emitter's. A spot shines along `axis`, fully within the cosine `inner`, not at all beyond `outer`.
    """

    position: Triple
    colour: Triple
    reference: float = 1.0
    falloff: float = 2.0
    radius: float = 0.0
    axis: Triple | None = None
    inner: float = 1.0
    outer: float = -1.0
    diffuse: float = 1.0
    specular: float = 1.0


@dataclass(frozen=True)
class AreaLight:
    """A rectangle that shines along `axis`; `right` and `up` are half its sides as vectors.

    `colour` is reached by a surface at distance `reference` in front of the middle that faces it; the fall
    with distance is that of the rectangle itself.
    """

    position: Triple
    axis: Triple
    right: Triple
    up: Triple
    colour: Triple
    reference: float = 1.0
    diffuse: float = 1.0
    specular: float = 1.0


@dataclass(frozen=True, eq=False)
class EnvironmentLight:
    """Low-order light from everywhere: harmonics (9, 3) of radiance, colour and exposure included, and the
    lat-long radiance pictures (3, h, w) blurred for roughness 0, 1/3, 2/3 and 1, or none: then the
    harmonics are what shiny surfaces mirror. `turn` (3, 3) rotates the pictures."""

    harmonics: Tensor
    blurred: tuple[Tensor, ...] = ()
    diffuse: float = 1.0
    specular: float = 1.0
    turn: Tensor | None = None


PlacedLight = DirectionalLight | LocalLight | AreaLight | EnvironmentLight


def towards_light(light: PlacedLight, position: Tensor) -> tuple[Tensor, Tensor | None]:
    """Unit vectors to a light, (3, 1, 1) or (3, h, w), and distances (h, w), None when infinitely far."""
    if isinstance(light, DirectionalLight):
        return _column(light.direction, position), None
    if isinstance(light, EnvironmentLight):
        raise TypeError("An environment has no direction.")
    offset = _column(light.position, position) - position
    squared = _dot(offset, offset).clamp_min(_NEAREST * _NEAREST)
    inverse = torch.rsqrt(squared)
    return offset * inverse, squared * inverse


def light_radiance(surface: Surface, light: PlacedLight, visibility: Tensor | None = None) -> Tensor:
    """Radiance (3, h, w) that one light adds; `visibility` (h, w) takes the shadowed part out."""
    if isinstance(light, EnvironmentLight):
        added = _environment(surface, light)
        return added if visibility is None else added * visibility
    diffuse, specular = _cosines_and_highlight(surface, light)
    if visibility is not None:
        diffuse = diffuse * visibility
        specular = None if specular is None else specular * visibility
    answer = (
        surface.albedo * diffuse if specular is None else torch.addcmul(specular, surface.albedo, diffuse)
    )
    return answer * _column(light.colour, answer)


def _cosines_and_highlight(
    surface: Surface, light: DirectionalLight | LocalLight | AreaLight
) -> tuple[Tensor, Tensor | None]:
    """Shading and highlight (h, w) of a white light of the reference distance."""
    towards, distance = towards_light(light, surface.position)
    n_l = _dot(surface.normal, towards)
    reach, spread = _reach_and_spread(light, towards, distance)
    if isinstance(light, AreaLight):
        diffuse = _rectangle(surface, light)
    else:
        diffuse = n_l.clamp_min(0.0) if reach is None else n_l.clamp_min(0.0) * reach
    specular = None
    if light.specular != 0.0:
        l_v = _dot(towards, surface.view)
        specular = ggx_reflectance(n_l, surface.n_v, l_v, alpha_of(surface.roughness, spread))
        specular = specular * light.specular if reach is None else specular * (reach * light.specular)
    return (diffuse if light.diffuse == 1.0 else diffuse * light.diffuse), specular


def _reach_and_spread(
    light: DirectionalLight | LocalLight | AreaLight, towards: Tensor, distance: Tensor | None
) -> tuple[Tensor | None, float | Tensor]:
    """Brightness at a distance relative to the reference, and half the angle of the emitter in radians."""
    if isinstance(light, DirectionalLight) or distance is None:
        return None, light.spread if isinstance(light, DirectionalLight) else 0.0
    if isinstance(light, AreaLight):
        half_sides = math.sqrt(_length(light.right) * _length(light.up))
        facing = -_dot(_column(light.axis, towards), towards)
        return facing.clamp_min(0.0) * (light.reference / distance).square(), half_sides / distance
    nearest = max(light.radius, _NEAREST)
    ratio = light.reference / distance.clamp_min(nearest)
    reach = ratio.square() if light.falloff == 2.0 else ratio.pow(light.falloff)
    if light.axis is not None:
        along = -_dot(_column(light.axis, towards), towards)
        edge = ((along - light.outer) / max(light.inner - light.outer, 1e-4)).clamp(0.0, 1.0)
        reach = reach * (edge * edge * (3 - 2 * edge))
    return reach, light.radius / distance.clamp_min(nearest)


def _rectangle(surface: Surface, light: AreaLight) -> Tensor:
    """Irradiance (h, w) of a rectangle, scaled to 1 for a patch that faces it at the reference distance."""
    corners = []
    for side, height in ((-1, -1), (1, -1), (1, 1), (-1, 1)):
        corner = [
            p + side * r + height * u for p, r, u in zip(light.position, light.right, light.up, strict=True)
        ]
        offset = _column((corner[0], corner[1], corner[2]), surface.position) - surface.position
        corners.append(offset * torch.rsqrt(_dot(offset, offset).clamp_min(1e-12)))
    flow = torch.zeros_like(surface.position)
    for first, second in zip(corners, [*corners[1:], corners[0]], strict=True):
        cosine = _dot(first, second).clamp(-0.999999, 0.999999)
        flow = flow + torch.linalg.cross(first, second, dim=0) * (
            torch.acos(cosine) * torch.rsqrt(1 - cosine * cosine)
        )
    flow = flow * (_winding(light) / (2 * math.pi))
    size = torch.sqrt(_dot(flow, flow).clamp_min(1e-12))
    facing = _dot(flow, surface.normal)
    behind = _column(light.position, surface.position) - surface.position
    in_front = (_dot(behind, _column(light.axis, behind)) < 0).to(facing.dtype)
    clipped = ((size * size + facing) / (size + 1)).clamp_min(0.0)
    return clipped * (in_front / form_factor(light))


def form_factor(light: AreaLight) -> float:
    """Of the rectangle from a patch that faces its middle at the reference distance (two rectangles of a
    quarter each, Baum et al. eq. 7 for a parallel patch)."""
    a, b = _length(light.right) / light.reference, _length(light.up) / light.reference
    across, along = math.sqrt(1 + a * a), math.sqrt(1 + b * b)
    quarter = (a / across * math.atan(b / across) + b / along * math.atan(a / along)) / (2 * math.pi)
    return max(4 * quarter, 1e-12)


def _winding(light: AreaLight) -> float:
    """1 where right, up and axis are right-handed as the sum over the edges expects, else -1."""
    (rx, ry, rz), (ux, uy, uz) = light.right, light.up
    across = (ry * uz - rz * uy, rz * ux - rx * uz, rx * uy - ry * ux)
    return -1.0 if sum(a * b for a, b in zip(across, light.axis, strict=True)) > 0 else 1.0


def _environment(surface: Surface, light: EnvironmentLight) -> Tensor:
    normal = surface.normal.movedim(0, -1)
    shading = (sh_irradiance_basis(normal) @ light.harmonics.to(normal)).movedim(-1, 0).clamp_min(0.0)
    radiance = surface.albedo * shading * light.diffuse
    if light.specular == 0.0:
        return radiance
    mirrored = surface.normal * (2 * surface.n_v) - surface.view
    seen = _looked_up(mirrored, surface.roughness, light)
    share = coat_albedo(surface.n_v.clamp(0.0, 1.0), surface.roughness) * light.specular
    return radiance + seen * share


def _looked_up(direction: Tensor, roughness: Tensor, light: EnvironmentLight) -> Tensor:
    if not light.blurred:
        smooth = sh_irradiance_basis(direction.movedim(0, -1)) @ light.harmonics.to(direction)
        return smooth.movedim(-1, 0).clamp_min(0.0)
    if light.turn is not None:  # directions into the pictures' own axes
        direction = torch.einsum("ji,jhw->ihw", light.turn.to(direction), direction)
    return look_up(direction, roughness, [picture.to(direction) for picture in light.blurred])


def look_up(direction: Tensor, roughness: Tensor, blurred: Sequence[Tensor]) -> Tensor:
    """Radiance (3, h, w) of the blurred pictures in directions (3, h, w), between the two pictures nearest in
    roughness (h, w). Continuous over the seam and at the poles."""
    x, y, z = direction.unbind(0)
    across = torch.atan2(x, -z) / math.pi  # -1..1, 0 ahead
    down = -torch.asin(y.clamp(-1.0, 1.0)) * (2 / math.pi)
    place = roughness.clamp(0.0, 1.0) * (len(blurred) - 1)
    total = torch.zeros_like(direction)
    for level, picture in enumerate(blurred):
        share = (1 - (place - level).abs()).clamp_min(0.0)
        if not bool((share > 0).any()):
            continue
        width = picture.shape[2]
        wrapped = functional.pad(picture[None], (1, 1, 0, 0), mode="circular")
        grid = torch.stack([across * (width / (width + 2)), down], dim=-1)[None]
        seen = functional.grid_sample(
            wrapped, grid, mode="bilinear", padding_mode="border", align_corners=False
        )
        total = total + seen[0] * share
    return total


def _dot(a: Tensor, b: Tensor) -> Tensor:
    """(3, h, w) and (3, h, w) to (h, w), one multiply-add a plane."""
    return torch.addcmul(torch.addcmul(a[0] * b[0], a[1], b[1]), a[2], b[2])


def _column(values: Triple, like: Tensor) -> Tensor:
    return torch.tensor(values, device=like.device, dtype=like.dtype).reshape(3, 1, 1)


def _length(vector: Triple) -> float:
    return math.sqrt(sum(v * v for v in vector))
