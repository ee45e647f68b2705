"""The sample shot: a tin robot among toys, and the exact relight that an artist might ask for.

`render_frame` gives plate, target and the robot's matte for one frame. The change: a warm light from the left
rakes the robot while its key is held back; the wall goes 0.7 stop down and cooler; everything else stays as
it is, to the bit.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from .camera import Camera
from .render import SAMPLES_PER_SIDE, Stage, render_tile, tile_origins
from .shading import Colour, Light
from .shapes import Array, Shape, Solid, rotation_xyz

FIRST_FRAME = 1001
FRAMES_PER_SECOND = 24

_HERO_GAIN: dict[str, Colour] = {
    "key": (0.20, 0.22, 0.26),
    "soft": (0.26, 0.30, 0.38),
    "fill": (0.45, 0.55, 0.74),
    "warm": (1.0, 1.0, 1.0),
}
_WALL_GAIN: Colour = tuple(2.0**-0.7 * tint for tint in (0.90, 1.0, 1.12))  # type: ignore[assignment]
_BLUR_SIGMA_PX = 0.55
_GLARE = ((2.5, 0.018), (9.0, 0.010), (32.0, 0.006))  # (sigma in px at 640 wide, share of light)
_SHOT_NOISE, _READ_NOISE = 1.1e-4, 0.0012  # variance = shot * signal + read ** 2


@dataclass(frozen=True)
class SampleSettings:
    """Size and length of the sample shot; the defaults are what the demo uses."""

    width: int = 576
    height: int = 324
    frame_count: int = 24
    seed: int = 7

    @property
    def frames(self) -> range:
        return range(FIRST_FRAME, FIRST_FRAME + self.frame_count)


@dataclass(frozen=True)
class SampleFrame:
    """Plate and target (H, W, 3), scene-linear ACEScg float32; matte (H, W), 0..1; the camera that saw
    them."""

    plate: Array
    target: Array
    matte: Array
    camera: Camera


def render_frame(settings: SampleSettings, frame: int) -> SampleFrame:
    """One frame of the shot with its ground truth; the same settings give the same bits."""
    phase = (frame - FIRST_FRAME) / max(settings.frame_count - 1, 1)
    stage, camera = _stage(phase), _camera(settings, phase)
    side = SAMPLES_PER_SIDE
    plate = np.zeros((camera.height * side, camera.width * side, 3), np.float32)
    target, matte = np.zeros_like(plate), np.zeros(plate.shape[:2], np.float32)
    groups = np.asarray(stage.groups)
    for x0, y0 in tile_origins(camera):
        samples, width, height = render_tile(stage, camera, x0, y0, (settings.seed, frame))
        here = np.s_[y0 : y0 + height, x0 : x0 + width]
        before, after = _takes(samples.radiance, groups[samples.hit])
        plate[here] = before.T.reshape(height, width, 3)
        target[here] = after.T.reshape(height, width, 3)
        matte[here] = (groups[samples.hit] == "hero").reshape(height, width)
    scale = settings.width / 640
    glare = _glare(plate, scale)  # the camera's, so that the change of one part does not veil the others
    clean, changed = (_downsample(_blur(samples, scale)) + glare for samples in (plate, target))
    grainy = _grain(clean, settings.seed, frame)
    gain = changed / np.maximum(clean, 1e-6)  # the artist's change is applied to the grain as well
    return SampleFrame(grainy, grainy * gain, _downsample(_blur(matte, scale)), camera)


def _takes(radiance: dict[str, Array], group: NDArray[np.str_]) -> tuple[Array, Array]:
    """Sums of lights (3, N) for the plate and the changed take, equal to the bit outside the change."""
    plate = sum((v for k, v in radiance.items() if k != "warm"), np.zeros_like(radiance["key"]))
    changed = plate.copy()
    wall, hero = group == "backdrop", group == "hero"
    changed[:, wall] *= np.asarray(_WALL_GAIN, np.float32)[:, None]
    if hero.any():
        changed[:, hero] = sum(
            v[:, hero] * np.asarray(_HERO_GAIN.get(k, (1, 1, 1)), np.float32)[:, None]
            for k, v in radiance.items()
        )
    return plate, changed


def _blur(picture: Array, scale: float) -> Array:
    return cv2.GaussianBlur(
        picture, (0, 0), _BLUR_SIGMA_PX * SAMPLES_PER_SIDE * scale, borderType=cv2.BORDER_REFLECT
    )


def _downsample(picture: Array) -> Array:
    rows, columns = picture.shape[0] // SAMPLES_PER_SIDE, picture.shape[1] // SAMPLES_PER_SIDE
    blocks = picture.reshape(rows, SAMPLES_PER_SIDE, columns, SAMPLES_PER_SIDE, -1)
    return np.squeeze(blocks.mean(axis=(1, 3), dtype=np.float32))


def _glare(samples: Array, scale: float) -> Array:
    """Light that bright parts scatter in the lens: (2H, 2W, 3) samples to (H, W, 3)."""
    bright = np.clip(_downsample(samples) - 2, 0, 18)
    veil = np.zeros_like(bright)
    for sigma, share in _GLARE:
        veil += share * cv2.GaussianBlur(bright, (0, 0), sigma * scale, borderType=cv2.BORDER_REFLECT)
    return veil


def _grain(clean: Array, seed: int, frame: int) -> Array:
    """Sensor noise: variance grows with the signal (photons) above a floor (reading)."""
    rng = np.random.default_rng((seed, frame))
    deviation = np.sqrt(_SHOT_NOISE * clean + np.float32(_READ_NOISE**2))
    return clean + deviation * rng.standard_normal(clean.shape, dtype=np.float32)


def _camera(settings: SampleSettings, phase: float) -> Camera:
    """A dolly in on an arc with a little of the operator's hand."""
    eased = phase * phase * (3 - 2 * phase)
    angle = np.radians(-13 + 25 * eased)
    reach = 8.7 - 1.1 * eased
    hand = [
        0.012 * np.sin(2 * np.pi * (f * phase + o))
        for f, o in ((1.7, 0.1), (2.3, 0.45), (1.3, 0.7), (2.9, 0.2))
    ]
    position = (reach * np.sin(angle) + hand[0], 1.95 - 0.3 * eased + hand[1], reach * np.cos(angle))
    target = (0.08 + hand[2], 1.40 + hand[3] * 0.8, 0.0)
    return Camera(
        position=(float(position[0]), float(position[1]), float(position[2])),
        target=(float(target[0]), float(target[1]), float(target[2])),
        roll_deg=float(25 * hand[3]),
        focal_mm=35.0,
        sensor_width_mm=24.89,
        width=settings.width,
        height=settings.height,
    )


def _stage(phase: float) -> Stage:
    ring_centre, ring_radius = (1.62, 2.62, -2.12), 0.56
    angles = np.arange(8) * (2 * np.pi / 8)
    return Stage(
        solids=(*_robot(), *_toys(phase), *_neon(ring_centre, ring_radius)),
        wall_z=-2.3,
        lights=(
            Light("key", (4.6, 6.2, 4.4), (0, 1, 0), (2.4, 2.22, 1.95), cone_deg=96),
            Light("soft", (-4.4, 3.6, 3.6), (0, 1, 0), (0.62, 0.7, 0.82), side=2.2),
            Light("warm", (-3.7, 2.3, 0.35), (0, 1.2, 0), (8.2, 3.6, 1.1), side=1.1, only_group="hero"),
        ),
        sky=(0.20, 0.235, 0.29),
        ground=(0.10, 0.08, 0.06),
        practical_points=tuple(
            (
                float(ring_centre[0] + ring_radius * np.cos(a)),
                float(ring_centre[1] + ring_radius * np.sin(a)),
                -2.05,
            )
            for a in angles
        ),
        practical_colour=(0.15, 0.04, 0.058),
    )


def _robot() -> tuple[Solid, ...]:
    turn = rotation_xyz(0, -14, 0)

    def part(
        name: str, shape: Shape, at: Colour, material: str, tilt: tuple[float, float, float] = (0, 0, 0)
    ) -> Solid:
        x, y, z = (float(v) for v in turn @ np.asarray(at, np.float32))
        return Solid(name, shape, (x, y, z), material, "hero", turn @ rotation_xyz(*tilt))

    parts = [
        part("body", Shape("box", (0.62, 0.54, 0.42), 0.09), (0, 1.07, 0), "robot body"),
        part("neck", Shape("cylinder", (0.2, 0.09, 0), 0.02), (0, 1.66, 0), "limb"),
        part("head", Shape("box", (0.47, 0.36, 0.36), 0.10), (0, 2.07, 0), "robot head"),
        part("aerial", Shape("capsule", (0.026, 0.15, 0)), (0, 2.57, 0), "steel"),
        part("tip", Shape("ball", (0.085, 0, 0)), (0, 2.79, 0), "red lacquer"),
    ]
    for side, sign in (("left", -1.0), ("right", 1.0)):
        parts += [
            part(f"{side} eye", Shape("ball", (0.125, 0, 0)), (sign * 0.19, 2.13, 0.30), "eye"),
            part(
                f"{side} ear",
                Shape("cylinder", (0.15, 0.06, 0), 0.03),
                (sign * 0.52, 2.07, 0),
                "mustard lacquer",
                (0, 0, 90),
            ),
            part(
                f"{side} arm",
                Shape("capsule", (0.105, 0.26, 0)),
                (sign * 0.80, 1.08, 0.04),
                "limb",
                (0, 0, sign * 13),
            ),
            part(
                f"{side} hand",
                Shape("torus", (0.12, 0.05, 0)),
                (sign * 0.885, 0.62, 0.04),
                "red lacquer",
                (0, 70, 0),
            ),
            part(f"{side} leg", Shape("cylinder", (0.15, 0.2, 0), 0.03), (sign * 0.29, 0.36, 0), "limb"),
            part(
                f"{side} foot",
                Shape("box", (0.24, 0.11, 0.34), 0.07),
                (sign * 0.30, 0.11, 0.08),
                "red lacquer",
            ),
        ]
    return tuple(parts)


def _toys(phase: float) -> tuple[Solid, ...]:
    block = Shape("box", (0.38, 0.38, 0.38), 0.035)
    roll = rotation_xyz(24, 0, 58 - 62 * phase)
    return (
        Solid("low block", block, (-1.72, 0.38, -0.35), "block cross", rotation=rotation_xyz(0, 24, 0)),
        Solid("far block", block, (-2.60, 0.38, -0.75), "block ring", rotation=rotation_xyz(0, -14, 0)),
        Solid("top block", block, (-2.12, 1.14, -0.55), "block peak", rotation=rotation_xyz(0, 41, 0)),
        Solid(
            "candy ring",
            Shape("torus", (0.36, 0.125, 0)),
            (-1.28, 0.125, 1.15),
            "candy",
            rotation=rotation_xyz(90, 0, 0),
        ),
        Solid(
            "beach ball",
            Shape("ball", (0.45, 0, 0)),
            (1.55 + 0.45 * phase, 0.45, 1.0),
            "beach ball",
            rotation=roll,
        ),
        Solid(
            "tin",
            Shape("cylinder", (0.37, 0.52, 0), 0.03),
            (1.85, 0.52, -0.75),
            "tin",
            rotation=rotation_xyz(0, 30, 0),
        ),
        Solid("blue marble", Shape("ball", (0.13, 0, 0)), (0.62, 0.13, 1.55), "glass blue"),
        Solid("green marble", Shape("ball", (0.13, 0, 0)), (-0.42, 0.13, 1.75), "glass green"),
        Solid("red marble", Shape("ball", (0.11, 0, 0)), (0.30, 0.11, 1.95), "red lacquer"),
    )


def _neon(centre: Colour, radius: float) -> tuple[Solid, ...]:
    x, y, z = centre
    return (
        Solid("neon", Shape("torus", (radius, 0.034, 0)), centre, "neon", "practical", casts_shadow=False),
        Solid("neon bar", Shape("capsule", (0.034, 0.26, 0)), (x, y + 0.02, z), "neon", "practical",
              rotation=rotation_xyz(0, 0, 0), casts_shadow=False),
    )  # fmt: skip
