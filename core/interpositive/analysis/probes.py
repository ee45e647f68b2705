"""The light of the set from what the crew put into the frame: a grey ball, a chrome ball, or an HDRI.

Balls are seen as by a distant camera: a pixel at (x, y) inside the circle has the normal (dx, dy, sqrt(1 -
dx^2 - dy^2)), dx to the right and dy up in radii. A chrome ball mirrors the direction 2 (n . v) n - v with v
towards the camera (P. Debevec, "Rendering synthetic objects into real scenes", SIGGRAPH 1998), so its picture
is an environment of all directions but the one right behind it.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from ..errors import UsageError
from ..relight.environment import latlong_directions, latlong_solid_angles, project_sh, sh_latlong
from ..relight.shot_light import ShotLight
from .exposure import seen
from .lighting import LightSamples, fit_light, shading_of
from .prediction import Map

GREY_REFLECTANCE = 0.18
CHROME_REFLECTANCE = 0.9
LATLONG_HEIGHT = 128
_EDGE = 0.95  # of the radius; the rim is dark, blurred and mirrors what is behind it
_LEAST_RADIUS_PX = 4.0
_KEY_RADIUS_DEG = 4.0  # of the disc that stands for the key in the lat-long picture
_PEAK_SHARE = 0.2  # of the brightest radiance, from which a pixel belongs to the key
_PEAK_REACH_DEG = 25.0
_LEAST_CONTRAST = 4.0  # peak over mean below which an environment has no key


@dataclass(frozen=True)
class BallCircle:
    """The outline of a ball in display-window pixels: centre x, y (from the top left) and radius."""

    x: float
    y: float
    radius: float

    @classmethod
    def parse(cls, text: str) -> BallCircle:
        """Read "x,y,radius". Raises UsageError."""
        numbers = parse_numbers(text, 3, "a ball is x,y,radius in pixels, such as 412,300,55")
        if numbers[2] < _LEAST_RADIUS_PX:
            raise UsageError(
                f"A ball of {numbers[2]:g} px is too small to see light on. It needs a radius of "
                f"{_LEAST_RADIUS_PX:g} px or more."
            )
        return cls(*numbers)

    def __str__(self) -> str:
        return f"{self.x:g},{self.y:g},{self.radius:g}"


def parse_numbers(text: str, count: int, expected: str) -> list[float]:
    """`count` finite numbers separated by commas. Raises UsageError that says what is `expected`."""
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) != count or not np.isfinite(numbers).all():
        raise UsageError(f"Cannot read '{text}': {expected}.")
    return numbers


def grey_ball_light(plate: Map, circle: BallCircle, reflectance: float = GREY_REFLECTANCE) -> ShotLight:
    """The light on a matte grey ball in `plate` (H, W, 3) scene-linear, in plate units.

    The ball's own attached shadow is what the fit sees; cast shadows on it count as environment.
    Raises UsageError for a circle outside the picture.
    """
    normal, inside = _ball_normals(plate, circle)
    shading = seen(plate)[inside] / np.float32(reflectance)
    facing = normal[inside]
    # A clipped ball shows its light up to the clip; robust weights then see the plateau as an outlier.
    weight = np.clip(facing[:, 2], 0.2, 1.0)
    samples = LightSamples(facing, shading, np.ones(len(facing), np.float32), weight)
    return fit_light(samples)


def chrome_ball_latlong(
    plate: Map, circle: BallCircle, reflectance: float = CHROME_REFLECTANCE, height: int = LATLONG_HEIGHT
) -> Map:
    """The environment (height, 2 height, 3) that a mirroring ball shows, in plate units.

    Directions that the ball does not show take the mean of the rim. Raises UsageError.
    """
    _ball_normals(plate, circle)
    directions = latlong_directions(height, 2 * height).numpy()
    half = directions + np.asarray([0, 0, 1], np.float32)  # between the direction and the camera
    length = np.linalg.norm(half, axis=2, keepdims=True)
    normal = half / np.maximum(length, 1e-6)
    shown = (normal[..., 0] ** 2 + normal[..., 1] ** 2 < _EDGE**2) & (length[..., 0] > 1e-3)
    x = (circle.x + normal[..., 0] * circle.radius - 0.5).astype(np.float32)
    y = (circle.y - normal[..., 1] * circle.radius - 0.5).astype(np.float32)
    picture = np.ascontiguousarray(seen(plate) / np.float32(reflectance))
    mirrored = cv2.remap(picture, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    rim = shown & (normal[..., 2] < 0.5)
    behind = mirrored[rim].mean(0) if rim.any() else mirrored[shown].mean(0)
    return np.where(shown[..., None], mirrored, behind).astype(np.float32)


def environment_light(radiance: Map) -> ShotLight:
    """Key and environment of a lat-long picture (h, w, 3), any values.

    The key is the brightest spot and what is about as bright around it, taken out of the environment and put
    back as one direction with the same irradiance. An even environment has no key.
    """
    clean = seen(radiance)
    height, width = clean.shape[:2]
    directions = latlong_directions(height, width).numpy()
    solid_angle = latlong_solid_angles(height, width).numpy()
    level = cv2.GaussianBlur(clean.mean(2), (0, 0), max(height / 180.0, 0.5))
    mean = float((level * solid_angle).sum() / (4 * np.pi))
    peak = np.unravel_index(int(np.argmax(level)), level.shape)
    if mean <= 0 or float(level[peak]) < _LEAST_CONTRAST * mean:
        return ShotLight.of([0.0, 0.0, 1.0], [0.0] * 3, project_sh(torch.from_numpy(clean)).tolist())
    near = directions @ directions[peak] > np.cos(np.radians(_PEAK_REACH_DEG))
    lamp = near & (level >= _PEAK_SHARE * level[peak])
    around = near & ~lamp
    base = clean[around].mean(0) if around.any() else np.zeros(3, np.float32)
    power = np.maximum(clean - base, 0) * (lamp * solid_angle)[..., None]  # (h, w, 3), steradians in
    towards = (power.mean(2, keepdims=True) * directions).sum((0, 1))
    rest = np.where(lamp[..., None], np.minimum(clean, base), clean).astype(np.float32)
    environment = project_sh(torch.from_numpy(rest))
    return ShotLight.of(towards.tolist(), (power.sum((0, 1)) / np.pi).tolist(), environment.tolist())


def light_latlong(light: ShotLight, height: int = LATLONG_HEIGHT) -> Map:
    """The picture (height, 2 height, 3) of a light; its key is a small disc of the same irradiance."""
    picture: Map = sh_latlong(light.environment_sh, height).numpy()
    directions = latlong_directions(height, 2 * height).numpy()
    cosine = directions @ light.direction.numpy()
    disc = cosine >= min(np.cos(np.radians(_KEY_RADIUS_DEG)), float(cosine.max()))
    solid_angle = float((disc * latlong_solid_angles(height, 2 * height).numpy()).sum())
    picture[disc] += light.colour.numpy() * np.float32(np.pi / max(solid_angle, 1e-9))
    return picture.astype(np.float32)


def brightness_ratio(light: ShotLight, normal: Map, visibility: Map, shading: Map, weight: Map) -> float:
    """By how much a measured `light` is brighter than the `shading` (..., 3) that was predicted.

    Albedo is only known up to this factor; a measured light fixes it.
    """
    measured = shading_of(light, normal, visibility).mean(-1)
    ratio = np.log(np.maximum(measured, 1e-9)) - np.log(np.maximum(shading.mean(-1), 1e-9))
    order = np.argsort(ratio, axis=None)
    total = np.cumsum(weight.ravel()[order])
    if total.size == 0 or total[-1] <= 0:
        return 1.0
    return float(np.exp(ratio.ravel()[order][int(np.searchsorted(total, total[-1] / 2))]))


def _ball_normals(plate: Map, circle: BallCircle) -> tuple[Map, NDArray[np.bool_]]:
    """Normals (H, W, 3) of a ball and where in the picture it is."""
    height, width = plate.shape[:2]
    if not (
        circle.radius <= circle.x <= width - circle.radius
        and circle.radius <= circle.y <= height - circle.radius
    ):
        raise UsageError(
            f"The ball {circle} does not lie inside the {width}x{height} picture. Give its centre "
            "and radius in "
            "pixels from the top left."
        )
    x = (np.arange(width, dtype=np.float32)[None, :] + 0.5 - np.float32(circle.x)) / np.float32(circle.radius)
    y = (np.float32(circle.y) - np.arange(height, dtype=np.float32)[:, None] - 0.5) / np.float32(
        circle.radius
    )
    x, y = np.broadcast_arrays(x, y)
    squared = x * x + y * y
    inside = squared < _EDGE**2
    normal = np.stack([x, y, np.sqrt(np.maximum(1 - squared, 0))], 2).astype(np.float32)
    return normal, inside
