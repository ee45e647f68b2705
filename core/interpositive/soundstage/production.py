"""A small production: twelve shots on three film sets, with what is true of every pixel.

The shots of a set share its things, its paint and its light, and differ in camera, lens and framing. The
first three are what a production has in its dailies; the fourth is held out. `render` gives a frame in
memory; `make_production` writes half EXR sequences that look, to every tool, like rushes from a camera.
Everything is scene-linear ACEScg, float32, unclamped.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ..images.image import Image
from ..images.writing import whole_file, write_exr
from ..progress import Progress
from ..relight.colour_temperature import kelvin_rgb
from .camera import Camera
from .film_sets import FILM_SETS, METRES_PER_UNIT, FilmSet, chart_corners, chart_stand, film_set
from .footage import AP1_CHROMATICITIES, packed_timecode
from .render import Stage, cast, light_samples, occlusion, surface_at
from .shading import Colour, Light, environment
from .shapes import Array, Solid, dot

FIRST_FRAME = 1001
FRAMES_PER_SECOND = 24
SHOTS_PER_SET = 4
SCHEMA = "interpositive.sample_production"
SCENE_VERSION = 1  # raise it whenever the pictures change
WHITE_K = 6000.0  # of ACEScg, to which `Drift.mireds` is added

_SENSOR_WIDTH_MM = 24.89
_SHUTTER_S = 1 / 48
_ISO = 800
_T_STOP = 2.8
_BLUR_SIGMA_PX = 0.5
_SHOT_NOISE, _READ_NOISE = 1.1e-4, 0.0012  # variance = shot * signal + read ** 2
# Steps between neighbours that earn four samples: of the light's logarithm, of the normal's sum.
_EDGE_CONTRAST, _EDGE_TURN = 0.7, 0.5
_SMOOTHING_PX, _LIKE_NORMAL = 2, 0.9
_LAMP_GLOW = 5.0
_RAYS_TOGETHER = 8192

Grade = Callable[[Array], Array]


@dataclass(frozen=True)
class Drift:
    """How a take falls out of line with its set.

    `exposure_stops` and `mireds` (warmer above zero, about the white of ACEScg) are the camera's and act on
    the whole picture; `key_turn_deg` turns the key about the vertical through the subject, and `fill_stops`
    changes the fill and with it the contrast.
    """

    exposure_stops: float = 0.0
    mireds: float = 0.0
    key_turn_deg: float = 0.0
    fill_stops: float = 0.0

    @property
    def gain(self) -> Array:
        """What the camera's part multiplies the picture with, (3,)."""
        warmer = _lamp_rgb(1e6 / (1e6 / WHITE_K + self.mireds), WHITE_K)
        return np.asarray(warmer * 2.0**self.exposure_stops, np.float32)


@dataclass(frozen=True)
class Setup:
    """Where a camera stands: it looks at `target` from `reach` units away, turned by `yaw_deg` about the
    vertical and raised by `pitch_deg`; the move is added linearly over the shot."""

    focal_mm: float
    target: Colour
    yaw_deg: float
    pitch_deg: float
    reach: float
    move_yaw_deg: float = 0.0
    move_reach: float = 0.0
    move_target: Colour = (0.0, 0.0, 0.0)
    has_chart: bool = False


@dataclass(frozen=True)
class ProductionShot:
    """One shot: `number` 1 to 4 on its set; frames are inclusive from `first_frame`."""

    name: str
    set_name: str
    number: int
    setup: Setup
    width: int
    height: int
    frame_count: int
    seed: int
    drift: Drift = field(default_factory=Drift)

    @property
    def first_frame(self) -> int:
        return FIRST_FRAME

    @property
    def frames(self) -> range:
        return range(FIRST_FRAME, FIRST_FRAME + self.frame_count)

    @property
    def held_out(self) -> bool:
        """Whether the shot is kept for judging what was learned from the others."""
        return self.number == SHOTS_PER_SET

    def pattern(self, folder: str | Path) -> str:
        """The plate's sequence in a production's folder."""
        return str(Path(folder) / self.set_name / f"{self.name}.%04d.exr")

    def truth_pattern(self, folder: str | Path) -> str:
        """The sequence of normal, albedo and depth layers in a production's folder."""
        return str(Path(folder) / "truth" / self.set_name / f"{self.name}.%04d.exr")


@dataclass(frozen=True)
class ProductionFrame:
    """A frame and what is true of it.

    plate (H, W, 3) with grain, clean (H, W, 3) without; normals (H, W, 3) unit in camera space (x right, y
    up, z to the camera); albedo (H, W, 3); depth (H, W) metres along the view axis; key_direction (3,) unit
    from the subject to the key in camera space; chart_px (4, 2) or None: x, y of the corners of the chart's
    patches (top left, top right, bottom right, bottom left) where all are in the picture.
    """

    plate: Array
    clean: Array
    normals: Array
    albedo: Array
    depth: Array
    key_direction: Array
    chart_px: Array | None
    camera: Camera


_SETUPS: dict[str, tuple[Setup, ...]] = {
    "kitchen": (
        Setup(25, (0.1, 3.7, 0), -4, 5, 12.5, 5, -0.5, has_chart=True),
        Setup(40, (0.5, 4.2, 0.3), 15, 6, 11.5, -4, 0.0, (0.3, 0, 0), has_chart=True),
        Setup(75, (-0.3, 4.35, 0), -14, 1, 11.5, 2, -0.5),
        Setup(50, (0.1, 3.9, 0.5), -24, 10, 12.0, 5, 0.3, (0.2, 0, 0)),
    ),
    "workshop": (
        Setup(28, (0.2, 3.4, 0), 5, 5, 12.5, -5, -0.3, has_chart=True),
        Setup(50, (-0.3, 4.1, 0.3), -16, 4, 12.0, 4, 0.0, (0.25, 0, 0)),
        Setup(75, (0.35, 4.6, 0.2), 12, -1, 11.8, -2, -0.4),
        Setup(40, (0.9, 3.7, 0.4), 23, 9, 11.5, -5, 0.3, has_chart=True),
    ),
    "salon": (
        Setup(25, (0.2, 3.6, 0), 3, 4, 12.5, -4, -0.5),
        Setup(40, (-0.9, 3.7, 0), 18, 5, 11.5, -4, 0.0, (0.3, 0, 0)),
        Setup(85, (0.1, 4.2, 0.2), -10, 2, 12.5, 3, -0.4),
        Setup(50, (1.1, 3.7, 0), -21, 7, 12.0, 4, 0.2, (-0.2, 0, 0)),
    ),
}


def production_shots(
    seed: int = 1,
    size: tuple[int, int] = (288, 162),
    frames: int = 16,
    drifts: Mapping[str, Drift] | None = None,
) -> tuple[ProductionShot, ...]:
    """The twelve shots in order; `drifts` by shot name make continuity errors."""
    wanted = dict(drifts or {})
    shots = []
    for set_name in FILM_SETS:
        for number, setup in enumerate(_SETUPS[set_name], start=1):
            name = f"{set_name}_{number * 10:03d}"
            shot = ProductionShot(name, set_name, number, setup, *size, frames, seed)
            shots.append(replace(shot, drift=wanted.pop(name, Drift())))
    if wanted:
        raise KeyError(f"No shot of the production is called {', '.join(sorted(wanted))}.")
    return tuple(shots)


def render(shot: ProductionShot, frame: int, grade: Grade | None = None) -> ProductionFrame:
    """One frame of a shot with its truth; the same shot and frame give the same bits.

    `grade` is applied to the finished plate (H, W, 3), grain included, as a grade in post would be.
    """
    if frame not in shot.frames:
        raise KeyError(f"{shot.name} has no frame {frame}; it has {shot.frames[0]}-{shot.frames[-1]}.")
    place = _place(shot.set_name, shot.seed, shot.setup.has_chart)
    camera = _camera(shot, frame)
    key = _key(place.film_set, shot.drift)
    picture = _picture(
        place, camera, key, shot, np.random.default_rng((shot.seed, *_words(shot.name), frame))
    )
    clean = cv2.GaussianBlur(picture[..., :3], (0, 0), _BLUR_SIGMA_PX, borderType=cv2.BORDER_REFLECT)
    clean = clean * shot.drift.gain
    rng = np.random.default_rng((shot.seed, *_words(shot.name), frame, 1))
    deviation = np.sqrt(_SHOT_NOISE * np.maximum(clean, 0) + np.float32(_READ_NOISE**2))
    plate = clean + deviation * rng.standard_normal(clean.shape, dtype=np.float32)
    normals = picture[..., 3:6] / np.maximum(np.linalg.norm(picture[..., 3:6], axis=-1, keepdims=True), 1e-6)
    towards = camera.axes().T @ (np.asarray(key.position, np.float32) - np.asarray(key.target, np.float32))
    return ProductionFrame(
        plate=np.asarray(plate if grade is None else grade(plate), np.float32),
        clean=np.asarray(clean if grade is None else grade(clean), np.float32),
        normals=normals,
        albedo=np.ascontiguousarray(picture[..., 6:9]),
        depth=picture[..., 9] * np.float32(METRES_PER_UNIT),
        key_direction=np.asarray(towards / np.linalg.norm(towards), np.float32),
        chart_px=_chart_px(camera) if shot.setup.has_chart else None,
        camera=camera,
    )


def make_production(
    folder: str | Path,
    seed: int = 1,
    size: tuple[int, int] = (288, 162),
    frames: int = 16,
    progress: Progress | None = None,
    drifts: Mapping[str, Drift] | None = None,
    grades: Mapping[str, Grade] | None = None,
    with_truth: bool = False,
) -> tuple[ProductionShot, ...]:
    """Write the plates (and truth layers) of the twelve shots; frames that are there already are kept.

    `grades` by shot name act on the written plates. Frames of other settings are replaced. Raises
    OutputError, Cancelled.
    """
    folder, progress = Path(folder), progress or Progress()
    shots = production_shots(seed, size, frames, drifts)
    _claim(folder, shots, with_truth, sorted(grades or ()))
    done, total = 0, len(shots) * frames
    for shot in shots:
        for frame in shot.frames:
            progress.report("rendering the sample production", done, total, shot.name)
            done += 1
            paths = [Path(shot.pattern(folder) % frame)]
            paths += [Path(shot.truth_pattern(folder) % frame)] if with_truth else []
            if not all(path.is_file() for path in paths):
                _write(shot, frame, render(shot, frame, (grades or {}).get(shot.name)), paths)
    progress.report("rendering the sample production", total, total)
    return shots


# ---------------------------------------------------------------------------------------------- picture


@dataclass(frozen=True)
class _Place:
    film_set: FilmSet
    solids: tuple[Solid, ...]
    finishes: tuple[Callable[[Array, Array], Any], ...]


@lru_cache(maxsize=6)
def _place(set_name: str, seed: int, has_chart: bool) -> _Place:
    built = film_set(set_name, seed)
    stand, paint = chart_stand() if has_chart else ((), {})
    solids = (*built.solids, *stand)
    names = (built.floor, built.backdrop, *(solid.material for solid in solids))
    return _Place(
        built, solids, tuple(paint[name] if name in paint else built.finish(name) for name in names)
    )


def _words(name: str) -> tuple[int, ...]:
    return tuple(name.encode())


def _camera(shot: ProductionShot, frame: int) -> Camera:
    """The set-up's camera with its move and a little of the operator's hand."""
    setup, phase = shot.setup, (frame - FIRST_FRAME) / 15  # the move has a speed, not an end
    hand = [
        0.02 * np.sin(2 * np.pi * (f * phase * 0.6 + o + shot.number)) for f, o in ((0.7, 0.1), (1.1, 0.6))
    ]
    yaw, pitch = np.radians([setup.yaw_deg + setup.move_yaw_deg * phase, setup.pitch_deg])
    reach = setup.reach + setup.move_reach * phase
    target = np.asarray(setup.target) + np.asarray(setup.move_target) * phase + [hand[0], hand[1], 0]
    offset = np.array([np.sin(yaw) * np.cos(pitch), np.sin(pitch), np.cos(yaw) * np.cos(pitch)]) * reach
    x, y, z = (float(v) for v in target + offset)
    at = (float(target[0]), float(target[1]), float(target[2]))
    return Camera((x, y, z), at, 0.0, setup.focal_mm, _SENSOR_WIDTH_MM, shot.width, shot.height)


def _key(built: FilmSet, drift: Drift) -> Light:
    turn = np.radians(drift.key_turn_deg)
    sine, cosine = np.sin(turn), np.cos(turn)
    dx, y, dz = np.asarray(built.key_position) - np.array([built.subject[0], 0, built.subject[2]])
    x, z = built.subject[0] + cosine * dx + sine * dz, built.subject[2] + cosine * dz - sine * dx
    colour = _lamp_rgb(built.key_k, built.balance_k) * built.key_level
    red, green, blue = (float(v) for v in colour)
    return Light(
        "key", (float(x), float(y), float(z)), built.subject, (red, green, blue), side=built.key_side
    )


def _lamp_rgb(kelvin: float, balance_k: float) -> Array:
    """Colour of a lamp for a camera balanced to another."""
    lamp, white = (np.asarray(kelvin_rgb(k, AP1_CHROMATICITIES)) for k in (kelvin, balance_k))
    return np.asarray(lamp / white, np.float32)


def _picture(
    place: _Place, camera: Camera, key: Light, shot: ProductionShot, rng: np.random.Generator
) -> Array:
    """(H, W, 10): radiance, normal in camera space, albedo, depth. One sample a pixel, four on edges."""
    rows, columns = np.divmod(np.arange(camera.height * camera.width), camera.width)
    once = _samples(place, camera, key, shot, columns + 0.5, rows + 0.5, rng)
    edges = np.flatnonzero(_edges(once, camera))
    quarters = [
        _samples(place, camera, key, shot, columns[edges] + dx, rows[edges] + dy, rng)
        for dx, dy in ((0.25, 0.25), (0.75, 0.25), (0.25, 0.75), (0.75, 0.75))
    ]
    once[:, edges] = np.mean(quarters, axis=0, dtype=np.float32)
    planes = once.reshape(len(once), camera.height, camera.width)
    planes[:3] += planes[6:9] * _smoothed(planes)
    return np.ascontiguousarray(planes[:10].transpose(1, 2, 0))


def _smoothed(planes: Array) -> Array:
    """The key's light on white (3, H, W), averaged over neighbours of the same thing that face the same way.

    A pixel has few rays to the key; its neighbours have others, so that soft shadows come out smooth.
    """
    normals, hit, light = planes[3:6], planes[10], planes[11:14]
    height, width = hit.shape
    total, weights = light.copy(), np.ones_like(hit)
    reach = range(-_SMOOTHING_PX, _SMOOTHING_PX + 1)
    for dy, dx in ((dy, dx) for dy in reach for dx in range(_SMOOTHING_PX + 1) if dx > 0 or dy > 0):
        one = np.s_[max(dy, 0) : height + min(dy, 0), dx:width]
        other = np.s_[max(-dy, 0) : height - max(dy, 0), 0 : width - dx]
        like = (hit[one] == hit[other]) & ((normals[:, *one] * normals[:, *other]).sum(axis=0) > _LIKE_NORMAL)
        total[:, *one] += light[:, *other] * like
        total[:, *other] += light[:, *one] * like
        weights[one] += like
        weights[other] += like
    return total / weights


def _edges(samples: Array, camera: Camera) -> NDArray[np.bool_]:
    """Pixels (N,) whose neighbour shows another thing, another side of it, or other light."""
    log = np.log(samples[11:14].mean(axis=0) + np.float32(0.2)) / np.float32(_EDGE_CONTRAST)
    turn = samples[3:6].sum(axis=0) / np.float32(_EDGE_TURN)
    planes = np.stack([samples[10], log, turn]).reshape(3, camera.height, camera.width)
    edges = np.zeros(planes.shape[1:], bool)
    across = (np.abs(np.diff(planes, axis=2)) >= 1).any(axis=0)
    down = (np.abs(np.diff(planes, axis=1)) >= 1).any(axis=0)
    edges[:, 1:] |= across
    edges[:, :-1] |= across
    edges[1:] |= down
    edges[:-1] |= down
    return edges.ravel()


def _samples(
    place: _Place,
    camera: Camera,
    key: Light,
    shot: ProductionShot,
    x: NDArray[Any],
    y: NDArray[Any],
    rng: np.random.Generator,
) -> Array:
    """(14, N) at picture positions in px: radiance but of the key, normal in camera space, albedo, depth,
    what was hit, the key's light on white."""
    result = np.empty((14, x.size), np.float32)
    for start in range(0, x.size, _RAYS_TOGETHER):  # rays of a few rows see few of the things
        here = np.s_[start : start + _RAYS_TOGETHER]
        result[:, here] = _lit(place, camera, key, shot, x[here], y[here], rng)
    return result


def _lit(
    place: _Place,
    camera: Camera,
    key: Light,
    shot: ProductionShot,
    x: NDArray[Any],
    y: NDArray[Any],
    rng: np.random.Generator,
) -> Array:
    built = place.film_set
    level = built.fill_level * 2.0**shot.drift.fill_stops
    sky = tuple(float(v) for v in _lamp_rgb(built.fill_k, built.balance_k) * level)
    ground = (sky[0] * 0.5, sky[1] * 0.45, sky[2] * 0.4)
    stage = Stage(place.solids, built.wall_z, (key,), (sky[0], sky[1], sky[2]), ground, (), (0, 0, 0))
    origin, direction = camera.rays(x.astype(np.float32), y.astype(np.float32))
    distance, hit = cast(stage, origin, direction)
    surface = surface_at(
        stage.solids, place.finishes, origin, direction, distance, hit, camera.pixel_angle / 2
    )
    stratum = np.stack([np.floor(x * 2) % 2, np.floor(y * 2 + x) % 2]).astype(np.float32)
    direct = light_samples(stage, key, surface, stratum, rng, area_rays=1) / surface.albedo
    openness = occlusion(stage, surface.position, surface.normal)
    radiance = surface.albedo * environment(surface.normal, stage.sky, stage.ground) * openness
    if built.lamp is not None:
        radiance += _practical(built, built.lamp, surface.position, surface.normal, surface.albedo)
        glow = np.array([0, 0, *(solid.material == "lamp" for solid in place.solids)], np.float32)[hit]
        radiance += _lamp_rgb(2800, built.balance_k)[:, None] * (glow * np.float32(_LAMP_GLOW))
    axes = camera.axes()
    depth = distance * -(axes[:, 2] @ direction)
    return np.concatenate([radiance, axes.T @ surface.normal, surface.albedo, depth[None], hit[None], direct])


def _practical(built: FilmSet, at: Colour, position: Array, normal: Array, albedo: Array) -> Array:
    """Radiance (3, N) that the lamp on the set adds, without shadows."""
    offset = np.asarray(at, np.float32)[:, None] - position
    squared = dot(offset, offset) + np.float32(0.1)
    falloff = np.maximum(dot(offset, normal), 0) / (squared * np.sqrt(squared))
    return albedo * falloff * (_lamp_rgb(2800, built.balance_k) * np.float32(built.lamp_level))[:, None]


def _chart_px(camera: Camera) -> Array | None:
    local = camera.axes().T @ (chart_corners() - np.asarray(camera.position, np.float32)[:, None])
    focal_px = np.float32(1 / camera.pixel_angle)
    x = camera.width / 2 + local[0] / -local[2] * focal_px
    y = camera.height / 2 - local[1] / -local[2] * focal_px
    inside = (x > 0) & (x < camera.width) & (y > 0) & (y < camera.height) & (local[2] < 0)
    return np.stack([x, y], axis=1).astype(np.float32) if inside.all() else None


# ---------------------------------------------------------------------------------------------- files


def _write(shot: ProductionShot, frame: int, rendered: ProductionFrame, paths: list[Path]) -> None:
    attributes, types = _attributes(shot, frame, rendered.camera)
    plate = Image(rendered.plate, ("R", "G", "B"), metadata=attributes, metadata_types=types)
    if len(paths) > 1:
        layers = np.concatenate([rendered.normals, rendered.albedo, rendered.depth[..., None]], axis=-1)
        names = tuple(f"normal.{c}" for c in "XYZ") + tuple(f"albedo.{c}" for c in "RGB") + ("depth.Z",)
        write_exr(
            paths[1], Image(np.ascontiguousarray(layers), names, metadata=attributes, metadata_types=types)
        )
    write_exr(paths[0], plate, "half")


def _attributes(shot: ProductionShot, frame: int, camera: Camera) -> tuple[dict[str, Any], dict[str, str]]:
    """Metadata and its OpenImageIO types, named as in OpenEXR's ImfStandardAttributes where they are there.

    "scene", "shot" and "take" have no standard name.
    """
    place = list(FILM_SETS).index(shot.set_name)
    balance = _place(shot.set_name, shot.seed, shot.setup.has_chart).film_set.balance_k
    subject = float(np.linalg.norm(np.subtract(camera.target, camera.position))) * METRES_PER_UNIT
    attributes: dict[str, Any] = {
        "chromaticities": AP1_CHROMATICITIES,
        "smpte:TimeCode": packed_timecode(frame - FIRST_FRAME, place + 1, shot.number),
        "FramesPerSecond": (FRAMES_PER_SECOND, 1),
        "worldtocamera": camera.world_to_camera(),
        "reelName": f"A{place + 1:03d}C{shot.number:03d}",
        "scene": f"{place + 1}",
        "shot": shot.name,
        "take": shot.number,
        "cameraMake": "Interpositive",
        "cameraModel": "Virtual Stage",
        "cameraLabel": "A",
        "cameraCCTSetting": float(balance),
        "cameraTintSetting": 0.0,
        "isoSpeed": float(_ISO),
        "tStop": _T_STOP,
        "lensMake": "Interpositive",
        "lensModel": f"Virtual Prime {camera.focal_mm:g} mm T{_T_STOP:g}",
        "nominalFocalLength": float(camera.focal_mm),
        "focus": subject,
        "ExposureTime": _SHUTTER_S,
        "ImageDescription": "Rendered sample production",
    }
    types = {
        "chromaticities": "float[8]",
        "smpte:TimeCode": "timecode",
        "FramesPerSecond": "rational",
        "worldtocamera": "matrix",
    }
    return attributes, types


def _claim(folder: Path, shots: tuple[ProductionShot, ...], with_truth: bool, graded: list[str]) -> None:
    """Write `production.json`; frames of other settings or of an older scene are removed first.

    What a grade does cannot be recorded, so graded shots are always rendered anew.
    """
    wanted = json.loads(
        json.dumps(
            {
                "schema": SCHEMA,
                "version": 1,
                "scene": SCENE_VERSION,
                "graded": graded,
                "shots": [{**asdict(shot), "held_out": shot.held_out} for shot in shots],
            }
        )
    )
    record = folder / "production.json"
    if record.is_file() and not graded:
        try:
            if json.loads(record.read_text(encoding="utf-8")) == wanted:
                return
        except ValueError:
            record.unlink()
    for shot in shots:
        for pattern in (shot.pattern(folder), shot.truth_pattern(folder)):
            for stale in Path(pattern).parent.glob(f"{shot.name}.*.exr"):
                stale.unlink()
    with whole_file(record) as unfinished:
        unfinished.write_text(json.dumps(wanted, indent=2) + "\n", encoding="utf-8")
