"""From a stage and a camera to light-by-light radiance: ray casting with stratified soft shadows.

A sample is one ray; a picture takes 2 x 2 samples a pixel on a regular grid. Everything is scene-linear
ACEScg,
float32, unclamped.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .camera import Camera
from .materials import EMISSION, MATERIALS, Finish, Material
from .shading import Colour, Light, Surface, environment, reflectance, schlick
from .shapes import Array, Bundle, Solid, dot, normalise

SAMPLES_PER_SIDE = 2
_TILE_SAMPLES = 192
_SHADOW_OFFSET = 4e-3
_OCCLUSION_REACH = 0.45
_OCCLUSION_TAPS = 4
_REFLECTED_ROUGHNESS = 0.45  # rougher coats show no mirror image


@dataclass(frozen=True)
class Stage:
    """Solids standing on a floor at y = 0 in front of a wall at z = `wall_z`, and the light on them.

    `practical_points` are places of a glowing solid that light its surroundings with `practical_colour` each.
    """

    solids: tuple[Solid, ...]
    wall_z: float
    lights: tuple[Light, ...]
    sky: Colour
    ground: Colour
    practical_points: tuple[Colour, ...]
    practical_colour: Colour

    @property
    def groups(self) -> tuple[str, ...]:
        """Group of each hit index: floor, wall, then the solids."""
        return ("floor", "backdrop", *(solid.group for solid in self.solids))


@dataclass(frozen=True)
class Samples:
    """One tile: radiance (3, N) by light name, and the index (N,) of what was hit (see `Stage.groups`)."""

    radiance: dict[str, Array]
    hit: np.ndarray


def tile_origins(camera: Camera) -> list[tuple[int, int]]:
    """Top-left sample (x, y) of each tile."""
    width, height = camera.width * SAMPLES_PER_SIDE, camera.height * SAMPLES_PER_SIDE
    return [(x, y) for y in range(0, height, _TILE_SAMPLES) for x in range(0, width, _TILE_SAMPLES)]


def render_tile(
    stage: Stage, camera: Camera, x0: int, y0: int, seed: tuple[int, ...]
) -> tuple[Samples, int, int]:
    """Samples of one tile and its width and height; the same seed gives the same values."""
    width = min(_TILE_SAMPLES, camera.width * SAMPLES_PER_SIDE - x0)
    height = min(_TILE_SAMPLES, camera.height * SAMPLES_PER_SIDE - y0)
    grid_y, grid_x = np.divmod(np.arange(width * height, dtype=np.int32), np.int32(width))
    x, y = (grid_x + x0).astype(np.float32), (grid_y + y0).astype(np.float32)
    to_px = np.float32(1 / SAMPLES_PER_SIDE)
    origin, direction = camera.rays((x + np.float32(0.5)) * to_px, (y + np.float32(0.5)) * to_px)
    stratum = np.stack([x % 2, y % 2])
    rng = np.random.default_rng((*seed, x0, y0))
    distance, hit = cast(stage, origin, direction)
    surface = _surface(stage, origin, direction, distance, hit, camera.pixel_angle / SAMPLES_PER_SIDE)
    radiance = _light(stage, surface, hit, stratum, rng)
    radiance["reflection"] = _reflection(stage, surface, camera, stratum, rng)
    radiance["emission"] = _emission(stage, hit)
    return Samples(radiance, hit), width, height


def cast(stage: Stage, origin: Array, direction: Array) -> tuple[Array, np.ndarray]:
    """Distance (N,) to, and index (N,) of, the first thing that each ray meets."""
    down = np.where(direction[1] < -1e-6, direction[1], np.float32(-1e-6))
    back = np.where(direction[2] < -1e-6, direction[2], np.float32(-1e-6))
    to_floor = np.where(direction[1] < -1e-6, -origin[1] / down, np.float32(1e6))
    to_wall = np.where(direction[2] < -1e-6, (stage.wall_z - origin[2]) / back, np.float32(1e6))
    nearest = np.minimum(to_floor, to_wall).astype(np.float32)
    hit = (to_wall < to_floor).astype(np.int32)
    bundle = Bundle.between(origin, origin + direction * np.minimum(nearest, 40))
    for index, solid in enumerate(stage.solids):
        if bundle.meets(solid):
            rays, t = solid.hit(origin, direction, nearest)
            nearest[rays], hit[rays] = t, index + 2
    return nearest, hit


def visible(stage: Stage, origin: Array, direction: Array, distance: Array, bundle: Bundle) -> Array:
    """1 where nothing stands between (3, N) points and a light `distance` (N,) away, else 0.

    `bundle` holds every one of these rays.
    """
    clear = np.ones(distance.size, np.float32)
    reach = distance.copy()  # below zero once a ray is blocked, so that it is not tried again
    for solid in stage.solids:
        if solid.casts_shadow and bundle.meets(solid):
            blocked, _ = solid.hit(origin, direction, reach)
            clear[blocked], reach[blocked] = 0, -1e3
    return clear


def occlusion(stage: Stage, position: Array, normal: Array) -> Array:
    """How open (N,) 0..1 each point is to the environment, from distances along the normal.

    The distance-field ambient occlusion of A. Evans, "Fast approximations for global illumination on
    dynamic scenes" (SIGGRAPH 2006 course).
    """
    heights = [_OCCLUSION_REACH * (k + 1) / _OCCLUSION_TAPS for k in range(_OCCLUSION_TAPS)]
    taps = [position + normal * np.float32(h) for h in heights]
    free = [
        np.minimum(np.float32(h), np.minimum(p[1], p[2] - stage.wall_z))
        for h, p in zip(heights, taps, strict=True)
    ]
    bundle = Bundle.between(position, position)
    for solid in stage.solids:
        if not solid.casts_shadow or not bundle.meets(solid, margin=2 * _OCCLUSION_REACH):
            continue
        radius = solid.radius + 2 * _OCCLUSION_REACH
        offset = position - np.asarray(solid.position, np.float32)[:, None]
        near = np.flatnonzero(dot(offset, offset) < radius * radius)
        if near.size == 0:
            continue
        for tap, closest in zip(taps, free, strict=True):
            closest[near] = np.minimum(closest[near], solid.shape.distance(solid.to_local(tap[:, near])))
    blocked = np.zeros_like(free[0])
    for k, (height, closest) in enumerate(zip(heights, free, strict=True)):
        blocked += np.float32(0.75 ** (k + 1)) * (height - np.maximum(closest, 0)) / np.float32(height)
    return np.clip(1 - blocked * np.float32(0.55), 0.03, 1)


def light_samples(
    stage: Stage,
    light: Light,
    surface: Surface,
    stratum: Array,
    rng: np.random.Generator,
    shadows: bool = True,
    area_rays: int = 2,
) -> Array:
    """Radiance (3, N) reflected from one light.

    An area light gets `area_rays`, one or two, in the strata of this sample.
    """
    count = surface.coat.size
    total = np.zeros((3, count), np.float32)
    rays = area_rays if light.side > 0 and shadows else 1
    start = surface.position + surface.normal * np.float32(_SHADOW_OFFSET)
    bundle = Bundle.towards(start, np.asarray(light.position, np.float32), light.side)
    for k in range(rays):
        u = v = np.full(count, 0.5, np.float32)
        if light.side > 0 and shadows:  # strata over the four samples of a pixel: 2 or 4 columns by 2 rows
            jitter = rng.random((2, count), dtype=np.float32)
            u = (rays * k + stratum[0] + jitter[0]) / (2 * rays)
            v = (stratum[1] + jitter[1]) / 2
        direction, distance, scale = light.sample(surface.position, u, v)
        scale[dot(direction, surface.normal) <= 0] = 0
        if shadows:
            lit = np.flatnonzero(scale > 0)
            scale[lit] *= visible(stage, start[:, lit], direction[:, lit], distance[lit], bundle)
        lit = np.flatnonzero(scale > 0)
        spread = np.float32(light.side / 3) / distance
        if lit.size > count // 2:  # picking samples costs more than shading them all
            total += reflectance(surface, direction, spread) * scale
        else:
            total[:, lit] += reflectance(surface.take(lit), direction[:, lit], spread[lit]) * scale[lit]
    return total * (np.asarray(light.colour, np.float32) / rays)[:, None]


def surface_at(
    solids: Sequence[Solid],
    finishes: Sequence[Material],
    origin: Array,
    direction: Array,
    distance: Array,
    hit: np.ndarray,
    sample_angle: float,
) -> Surface:
    """What rays (3, N) have met at `distance` (N,); `finishes` are those of floor, wall and solids.

    `sample_angle` is the angle in radians that a ray stands for.
    """
    position = origin + direction * distance
    normal = np.zeros_like(position)
    normal[1, hit == 0] = 1
    normal[2, hit == 1] = 1
    albedo, roughness, coat = np.empty_like(position), np.empty_like(distance), np.empty_like(distance)
    footprint = distance * np.float32(sample_angle * 1.5)
    for index in np.unique(hit):
        where = np.flatnonzero(hit == index)
        local = position[:, where]
        if index >= 2:
            local = solids[index - 2].to_local(local)
            normal[:, where] = solids[index - 2].normal(local)
        slant = np.maximum(np.abs(dot(normal[:, where], direction[:, where])), 0.12)
        finish: Finish = finishes[index](local, footprint[where] / slant)
        albedo[:, where], roughness[where], coat[where] = finish.albedo, finish.roughness, finish.coat
    return Surface(position, normal, -direction, albedo, roughness, coat)


def _surface(
    stage: Stage, origin: Array, direction: Array, distance: Array, hit: np.ndarray, sample_angle: float
) -> Surface:
    names = ("planks", "bricks", *(solid.material for solid in stage.solids))
    finishes = [MATERIALS[name] for name in names]
    return surface_at(stage.solids, finishes, origin, direction, distance, hit, sample_angle)


def _light(
    stage: Stage, surface: Surface, hit: np.ndarray, stratum: Array, rng: np.random.Generator
) -> dict[str, Array]:
    groups = np.asarray(stage.groups)[hit]
    radiance: dict[str, Array] = {}
    for light in stage.lights:
        where = np.flatnonzero(groups == light.only_group) if light.only_group else np.arange(hit.size)
        result = np.zeros_like(surface.position)
        if where.size:
            result[:, where] = light_samples(stage, light, surface.take(where), stratum[:, where], rng)
        radiance[light.name] = result
    openness = occlusion(stage, surface.position, surface.normal)
    radiance["fill"] = surface.albedo * environment(surface.normal, stage.sky, stage.ground) * openness
    radiance["practical"] = _practical(stage, surface) * np.sqrt(openness)
    return radiance


def _practical(stage: Stage, surface: Surface) -> Array:
    total = np.zeros(surface.coat.size, np.float32)
    for place in stage.practical_points:
        offset = np.asarray(place, np.float32)[:, None] - surface.position
        squared = dot(offset, offset)
        total += np.maximum(dot(offset, surface.normal), 0) / (squared * np.sqrt(squared))
    return surface.albedo * total * np.asarray(stage.practical_colour, np.float32)[:, None]


def _reflection(
    stage: Stage, surface: Surface, camera: Camera, stratum: Array, rng: np.random.Generator
) -> Array:
    """What smooth coats mirror: one bounce, lit by the first light and the fill without shadows."""
    result = np.zeros_like(surface.position)
    cosine = np.maximum(dot(surface.normal, surface.view), 0)
    strength = schlick(surface.coat, cosine) * np.clip(1 - surface.roughness / _REFLECTED_ROUGHNESS, 0, 1)
    where = np.flatnonzero(strength > 0.004)
    if where.size == 0:
        return result
    mirror = surface.take(where)
    direction: Array = 2 * cosine[where] * mirror.normal - mirror.view
    blur = (rng.random(direction.shape, dtype=np.float32) - 0.5) * (mirror.roughness**2 * np.float32(0.15))
    direction = normalise(direction + blur)
    direction -= mirror.normal * np.minimum(dot(direction, mirror.normal), 0)
    origin = mirror.position + mirror.normal * np.float32(_SHADOW_OFFSET)
    distance, hit = cast(stage, origin, direction)
    seen = _surface(
        stage, origin, direction, np.minimum(distance, np.float32(50)), hit, camera.pixel_angle * 4
    )
    light: Array = light_samples(stage, stage.lights[0], seen, stratum[:, where], rng, shadows=False) * 0.5
    light += seen.albedo * environment(seen.normal, stage.sky, stage.ground) + _practical(stage, seen)
    outside = distance > 40
    light[:, outside] = environment(direction[:, outside], stage.sky, stage.ground)
    result[:, where] = (light + np.minimum(_emission(stage, hit), 3)) * strength[where]
    return result


def _emission(stage: Stage, hit: np.ndarray) -> Array:
    glow = np.zeros((len(stage.solids) + 2, 3), np.float32)
    for index, solid in enumerate(stage.solids):
        glow[index + 2] = EMISSION.get(solid.material, (0, 0, 0))
    return np.ascontiguousarray(glow[hit].T)
