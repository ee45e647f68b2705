"""Scenes to judge relighting by: several textured solids, one light at a time, with exact normals and albedo.

They are ray cast here, not by the renderer that the prior's training pictures come from, so that what is
learned from one renderer is judged on another. A scene follows from its seed alone. Camera space: x right,
y up, z to the camera. Everything is scene-linear ACEScg.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from .camera import Camera
from .materials import Finish, Material
from .render import SAMPLES_PER_SIDE, Stage, cast, light_samples, occlusion, surface_at, visible
from .shading import Colour, Light, Surface, environment
from .shapes import Array, Blob, Bundle, Shape, Solid, dot, normalise, rotation_xyz
from .textures import checker, noise, stripes

# Seeds from which settings may be chosen, and those that only give the final figure.
VALIDATION_SEEDS = tuple(range(100, 112))
TEST_SEEDS = tuple(range(200, 224))

Framing = Literal["object", "plate"]

_SIZES: dict[Framing, tuple[int, int]] = {"object": (160, 160), "plate": (240, 136)}
_LIGHTS = 6
_LIGHT_DISTANCE = 300.0
_BOUNCE_RADIUS_PX = 6
_ARC_DEG = 10.0  # that the camera of a shot moves
_MEAN_LEVEL = 0.22
_SHOT_NOISE, _READ_NOISE = 1.1e-4, 0.0012  # variance = shot * signal + read ** 2
_BLUR_SIGMA_PX = 0.5


@dataclass(frozen=True)
class RelightScene:
    """One view under each of its lights, and what is true of it.

    pictures (N, H, W, 3) without grain; matte (H, W) bool, everywhere True for the framing "plate", where the
    whole picture is judged; normals (H, W, 3) unit; albedo (H, W, 3); depth (H, W) along the view axis, its
    median 1; directions (N, 3) unit, towards the light; colours and ambients (N, 3): a white patch with
    normal n shows colour * max(n . direction, 0) * visibility + ambient.
    """

    name: str
    framing: Framing
    pictures: Array
    matte: NDArray[np.bool_]
    normals: Array
    albedo: Array
    depth: Array
    directions: Array
    colours: Array
    ambients: Array
    focal_heights: float

    def plate(self, index: int) -> Array:
        """A picture (H, W, 3) as a camera brings it: a little soft and with grain."""
        soft = cv2.GaussianBlur(self.pictures[index], (0, 0), _BLUR_SIGMA_PX, borderType=cv2.BORDER_REFLECT)
        rng = np.random.default_rng((sum(map(ord, self.name)), index))
        deviation = np.sqrt(_SHOT_NOISE * np.maximum(soft, 0) + np.float32(_READ_NOISE**2))
        return np.asarray(soft + deviation * rng.standard_normal(soft.shape, dtype=np.float32), np.float32)


@dataclass(frozen=True)
class _Set:
    """Solids with their finishes by index of what was hit: floor, wall, then the solids."""

    stage: Stage
    finishes: tuple[Material, ...]
    camera: Camera
    has_room: bool


def relight_scene(seed: int, framing: Framing | None = None, width: int | None = None) -> RelightScene:
    """The scene of a seed: even ones are objects with a matte, odd ones whole pictures of a room."""
    framing = framing or ("plate" if seed % 2 else "object")
    full, height = _SIZES[framing]
    size = (full, height) if width is None else (width, width * height // full)
    place = _build(seed, framing, size, phase=0.0)
    return _photograph(f"soundstage_{seed}", framing, place, _lights(seed, framing, _LIGHTS), seed)


def relight_shot(seed: int, frame_count: int, width: int = 240) -> list[RelightScene]:
    """A shot of the seed's scene: the camera moves on an arc past it, the lights stand still on the stage."""
    size = (width, width * 9 // 16)
    first = _build(seed, "plate", size, phase=0.0)
    lights = _lights(seed, "plate", 3)
    on_stage = first.camera.axes() @ lights.directions.T
    frames: list[RelightScene] = []
    for index in range(frame_count):
        place = _build(seed, "plate", size, phase=index / max(frame_count - 1, 1))
        seen = (place.camera.axes().T @ on_stage).T.astype(np.float32)
        turned = _LightSet(seen, lights.colours, lights.ambients)
        name = f"soundstage_{seed}_{index + 1}"
        frames.append(_photograph(name, "plate", place, turned, seed, level=_level_of(frames)))
    return frames


def _level_of(frames: Sequence[RelightScene]) -> float | None:
    """The exposure of a shot is that of its first frame."""
    return None if not frames else float(frames[0].colours[0].max())


@dataclass(frozen=True)
class _LightSet:
    directions: Array
    colours: Array
    ambients: Array


def _lights(seed: int, framing: Framing, count: int) -> _LightSet:
    """Keys over the camera's hemisphere, spread evenly, each of its own colour; one ambient for all."""
    rng = np.random.default_rng((seed, 1))
    turn = rng.uniform(0, 2 * np.pi)
    around = turn + np.arange(count) * np.pi * (3 - np.sqrt(5))
    z = rng.permutation(np.linspace(0.25, 0.9, count))
    across = np.sqrt(1 - z * z)
    directions = np.stack([across * np.cos(around), across * np.sin(around), z], axis=1)
    if framing == "plate":  # lamps stand above the floor
        directions[:, 1] = np.abs(directions[:, 1]) + 0.12
        directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    warmth = rng.uniform(-1, 1, (count, 1))
    colours = np.exp(warmth * np.array([0.16, 0.0, -0.22])) * rng.uniform(0.8, 1.2, (count, 1))
    ambient = rng.uniform(0.04, 0.3) * np.exp(rng.uniform(-1, 1) * np.array([0.1, 0.0, -0.14]))
    return _LightSet(
        directions.astype(np.float32),
        colours.astype(np.float32),
        np.repeat(ambient[None], count, axis=0).astype(np.float32),
    )


def _photograph(
    name: str, framing: Framing, place: _Set, lights: _LightSet, seed: int, level: float | None = None
) -> RelightScene:
    """Cast the picture, light it by each light and by the ambient, and expose it.

    `level` is the first colour's largest channel after exposure, where another frame has set it.
    """
    camera = place.camera
    rows, columns = camera.height * SAMPLES_PER_SIDE, camera.width * SAMPLES_PER_SIDE
    y, x = np.divmod(np.arange(rows * columns, dtype=np.int32), np.int32(columns))
    to_px = np.float32(1 / SAMPLES_PER_SIDE)
    half = np.float32(0.5)
    origin, direction = camera.rays((x + half) * to_px, (y + half) * to_px)
    distance, hit = cast(place.stage, origin, direction)
    surface = _surface(place, origin, direction, distance, hit)
    rng = np.random.default_rng((seed, 2))
    stratum = np.stack([x % 2, y % 2])

    def picture(samples: Array) -> Array:
        return _pixels(samples, camera)

    normals = picture(camera.axes().T @ surface.normal)
    normals /= np.maximum(np.linalg.norm(normals, axis=-1, keepdims=True), 1e-6)
    albedo = picture(surface.albedo)
    depth = picture((distance * -(camera.axes()[:, 2] @ direction))[None])[..., 0]
    seen = picture((hit >= 2).astype(np.float32)[None])[..., 0] > 0.5
    matte = np.ones_like(seen) if framing == "plate" else seen
    keys = [_key(camera, d, f"key {k}", rng) for k, d in enumerate(lights.directions)]
    direct = [picture(light_samples(place.stage, key, surface, stratum, rng)) for key in keys]
    bounced = _bounced(place, surface, keys, rng, picture, normals, depth)
    open_sky = picture(_ambient(place, surface))
    pictures = np.stack(
        [
            (d + albedo * b) * colour + open_sky * ambient
            for d, b, colour, ambient in zip(direct, bounced, lights.colours, lights.ambients, strict=True)
        ]
    )
    if framing == "object":
        pictures *= matte[..., None]
    exposure = _exposure(pictures, matte) if level is None else level / float(lights.colours[0].max())
    return RelightScene(
        name=name,
        framing=framing,
        pictures=np.asarray(pictures * exposure, np.float32),
        matte=matte,
        normals=normals,
        albedo=albedo,
        depth=depth / np.float32(np.median(depth[matte])),
        directions=lights.directions,
        colours=lights.colours * np.float32(exposure),
        ambients=lights.ambients * np.float32(exposure),
        focal_heights=1 / (camera.pixel_angle * camera.height),
    )


def _exposure(pictures: Array, matte: NDArray[np.bool_]) -> float:
    return float(_MEAN_LEVEL / max(float(pictures[:, matte].mean()), 1e-4))


def _pixels(samples: Array, camera: Camera) -> Array:
    """(C, N) samples as an (H, W, C) picture."""
    side = SAMPLES_PER_SIDE
    blocks = samples.reshape(len(samples), camera.height, side, camera.width, side)
    return np.ascontiguousarray(blocks.mean(axis=(2, 4), dtype=np.float32).transpose(1, 2, 0))


def _key(camera: Camera, direction: Array, name: str, rng: np.random.Generator) -> Light:
    """A lamp so far away that its rays are parallel, wide enough for shadows of one to four degrees."""
    x, y, z = (float(v) for v in np.asarray(camera.target) + camera.axes() @ direction * _LIGHT_DISTANCE)
    side = _LIGHT_DISTANCE * float(np.radians(rng.uniform(1, 4)))
    return Light(name, (x, y, z), camera.target, (1.0, 1.0, 1.0), side=side)


def _surface(place: _Set, origin: Array, direction: Array, distance: Array, hit: np.ndarray) -> Surface:
    sample_angle = place.camera.pixel_angle / SAMPLES_PER_SIDE
    return surface_at(place.stage.solids, place.finishes, origin, direction, distance, hit, sample_angle)


def _ambient(place: _Set, surface: Surface) -> Array:
    """What an even dome of radiance one adds: brighter above than below where there is a room."""
    sky, ground = ((1.25,) * 3, (0.75,) * 3) if place.has_room else ((1.0,) * 3, (1.0,) * 3)
    dome = environment(surface.normal, sky, ground)
    return surface.albedo * dome * occlusion(place.stage, surface.position, surface.normal)


def _bounced(
    place: _Set,
    surface: Surface,
    keys: Sequence[Light],
    rng: np.random.Generator,
    picture: Callable[[Array], Array],
    normals: Array,
    depth: Array,
) -> list[Array]:
    """Light (H, W, 3) that arrives after one bounce off other surfaces, for each key.

    One ray a sample, distributed as the cosine (M. Pharr, W. Jakob, G. Humphreys, "Physically Based
    Rendering", 13.6.3), smoothed over pixels of like normal and depth, as it varies slowly.
    """
    u, v = rng.random((2, surface.coat.size), dtype=np.float32)
    z, around = 1 - 2 * u, 2 * np.float32(np.pi) * v
    ring = np.sqrt(np.maximum(1 - z * z, 0))
    on_sphere = np.stack([ring * np.cos(around), ring * np.sin(around), z])
    direction = normalise(surface.normal * np.float32(1.001) + on_sphere)
    origin = surface.position + surface.normal * np.float32(4e-3)
    distance, hit = cast(place.stage, origin, direction)
    near = np.flatnonzero((distance < 8) & (place.has_room | (hit >= 2)))
    arrived = [np.zeros_like(surface.position) for _ in keys]
    if near.size:
        seen = _surface(place, origin[:, near], direction[:, near], distance[near], hit[near])
        for total, key in zip(arrived, keys, strict=True):
            total[:, near] = _lambert(place.stage, key, seen)
    planes = np.stack([picture(total) for total in arrived])
    return list(_smoothed(planes, normals, depth))


def _lambert(stage: Stage, key: Light, seen: Surface) -> Array:
    """Radiance (3, N) that a diffuse surface sends on from a key, with a hard shadow."""
    half = np.full(seen.coat.size, 0.5, np.float32)
    direction, distance, scale = key.sample(seen.position, half, half)
    scale = scale * np.maximum(dot(direction, seen.normal), 0)
    lit = np.flatnonzero(scale > 0)
    start = seen.position[:, lit] + seen.normal[:, lit] * np.float32(4e-3)
    if lit.size:
        bundle = Bundle.towards(start, np.asarray(key.position, np.float32), 0.0)
        scale[lit] *= visible(stage, start, direction[:, lit], distance[lit], bundle)
    return seen.albedo * scale


def _smoothed(planes: Array, normals: Array, depth: Array) -> Array:
    """(K, H, W, 3) averaged over neighbours of like normal and depth."""
    reach = _BOUNCE_RADIUS_PX
    total, weights = np.zeros_like(planes), np.zeros(depth.shape, np.float32)
    pad = ((reach, reach), (reach, reach))
    wide_planes = np.pad(planes, ((0, 0), *pad, (0, 0)), mode="edge")
    wide_normals, wide_depth = np.pad(normals, (*pad, (0, 0)), mode="edge"), np.pad(depth, pad, mode="edge")
    height, width = depth.shape
    for dy in range(2 * reach + 1):
        for dx in range(2 * reach + 1):
            window = np.s_[dy : dy + height, dx : dx + width]
            like = np.maximum((normals * wide_normals[window]).sum(-1), 0) ** 8
            weight = like * (np.abs(wide_depth[window] - depth) < 0.03 * depth)
            total += wide_planes[:, window[0], window[1]] * weight[..., None]
            weights += weight
    return total / np.maximum(weights, 1e-6)[..., None]


# ---------------------------------------------------------------------------------------------- building


def _build(seed: int, framing: Framing, size: tuple[int, int], phase: float) -> _Set:
    """The set of a seed, seen by its camera; `phase` 0..1 moves the camera along its arc."""
    rng = np.random.default_rng((seed, 0))
    room = framing == "plate"
    base = 0.0 if room else 40.0  # without a room, the floor is far below
    solids, finishes = [], [_random_finish(rng), _random_finish(rng)]
    for index in range(int(rng.integers(3, 6)) if room else int(rng.integers(1, 4))):
        shape = _random_shape(rng)
        reach = shape.half_extent
        across = rng.uniform(-0.55, 0.55) * (2.6 if room else 1.0)
        lift = 0.85 * reach[1] if room else rng.uniform(-0.3, 0.3)
        position = (float(across), float(base + lift), float(rng.uniform(-0.7, 0.7)))
        upright = room and shape.kind in ("box", "cylinder")
        tilt = (0.0, 0.0) if upright else tuple(rng.uniform(-40, 40, 2))
        rotation = rotation_xyz(tilt[0], rng.uniform(-180, 180), tilt[1])
        solids.append(Solid(f"solid {index}", shape, position, "own", rotation=rotation))
        finishes.append(_random_finish(rng))
    wall_z = -float(rng.uniform(1.5, 3.0)) if room else -60.0
    stage = Stage(tuple(solids), wall_z, (), (1, 1, 1), (1, 1, 1), (), (0, 0, 0))
    return _Set(stage, tuple(finishes), _random_camera(rng, size, base, room, phase), room)


def _random_camera(
    rng: np.random.Generator, size: tuple[int, int], base: float, room: bool, phase: float
) -> Camera:
    width, height = size
    focal_heights = rng.uniform(1.4, 2.6)
    subject = 2.3 if room else 1.8  # how many stage units fill the picture's height
    reach = subject * focal_heights
    yaw = np.radians(rng.uniform(-15, 15) + _ARC_DEG * (phase - 0.5))
    pitch = np.radians(rng.uniform(4, 16) if room else rng.uniform(-15, 25))
    centre = (0.0, base + (0.75 if room else 0.0), 0.0)
    offset = (np.sin(yaw) * np.cos(pitch), np.sin(pitch), np.cos(yaw) * np.cos(pitch))
    x, y, z = (float(c + reach * o) for c, o in zip(centre, offset, strict=True))
    sensor = 24.0
    return Camera((x, y, z), centre, 0.0, focal_heights * sensor * height / width, sensor, width, height)


def _random_shape(rng: np.random.Generator) -> Shape:
    kind = rng.choice(["ball", "box", "cylinder", "torus", "capsule", "blob", "blob", "blob"])
    a, b, c = (float(v) for v in rng.uniform(0.28, 0.55, 3))
    if kind == "ball":
        return Shape("ball", (a * 1.15, 0, 0))
    if kind == "box":
        return Shape("box", (a, b, c), float(rng.uniform(0.01, 0.12)))
    if kind == "cylinder":
        return Shape("cylinder", (a * 0.8, b, 0), 0.03)
    if kind == "torus":
        return Shape("torus", (a, 0.12 + 0.25 * b, 0))
    if kind == "capsule":
        return Shape("capsule", (0.7 * a, 0.7 * b, 0))
    balls: list[tuple[float, float, float, float]] = []
    for _ in range(int(rng.integers(2, 7))):
        x, y, z = (float(v) for v in rng.uniform(-0.38, 0.38, 3))
        balls.append((x, y, z, float(rng.uniform(0.16, 0.42))))
    folds = (float(rng.choice([0.0, rng.uniform(0.01, 0.05)])), float(rng.uniform(5, 16)))
    return Blob("capsule", (1, 1, 1), balls=tuple(balls), folds=folds)


def _random_finish(rng: np.random.Generator) -> Material:
    """Two colours in one of five patterns, matt or with a coat."""
    first, second = (_random_colour(rng) for _ in range(2))
    pattern = str(rng.choice(["plain", "mottled", "stripes", "checker", "spots"]))
    axis = normalise(rng.standard_normal((3, 1)).astype(np.float32))[:, 0]
    other = normalise(np.cross(axis, rng.standard_normal(3)).astype(np.float32)[:, None])[:, 0]
    period, duty = float(rng.uniform(0.1, 0.5)), float(rng.uniform(0.3, 0.7))
    roughness = float(rng.uniform(0.25, 0.9))
    coat = float(rng.choice([0.02, 0.04, 0.05]))

    def finish(points: Array, footprint: Array) -> Finish:
        u, v = axis @ points + np.float32(7), other @ points + np.float32(7)
        share = _pattern(pattern, u, v, period, duty, footprint)
        low, high = (np.asarray(c, np.float32)[:, None] for c in (first, second))
        count = points.shape[1]
        albedo = np.asarray(low + (high - low) * share, np.float32)
        return Finish(albedo, np.full(count, roughness, np.float32), np.full(count, coat, np.float32))

    return finish


def _pattern(name: str, u: Array, v: Array, period: float, duty: float, footprint: Array) -> Array:
    """Share (N,) of the second colour."""
    if name == "stripes":
        return stripes(u, period, duty, footprint)
    if name == "checker":
        return checker(u, v, 2 * period, footprint)
    cloud = 0.6 * noise(u * 2 / period, v * 2 / period) + 0.4 * noise(u * 5 / period, v * 5 / period)
    if name == "spots":
        return np.clip((cloud - np.float32(1 - duty)) * 12 + np.float32(0.5), 0, 1)
    return cloud if name == "mottled" else np.zeros_like(u)


def _random_colour(rng: np.random.Generator) -> Colour:
    """Albedo 0.04 to 0.8, most of them not very saturated."""
    level = float(np.exp(rng.uniform(np.log(0.06), np.log(0.75))))
    r, g, b = np.clip(level * np.exp(rng.normal(0, 0.35, 3)), 0.03, 0.82)
    return (float(r), float(g), float(b))
