"""Training pictures, mixed from a light stack: paint, lights, camera. numpy; one picture at a time.

Everything is a draw of one random generator, so that a picture is a function of its seed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import cv2
import numpy as np
import numpy.typing as npt
import torch

from ..models.prior_network import DEPTH_UNIT_PX
from ..relight.reflection import ggx_specular
from ..relight.shot_light import sh_basis, sh_irradiance_basis
from .orientation import Orientation, light_from_right
from .stacks import LightStack
from .textures import random_albedo, solid_noise

Array = npt.NDArray[np.float32]
Random = np.random.Generator

EXPOSURE = 0.2
TARGETS = 2  # lights that the re-rendering loss tries
_LEAST_COSINE = 0.05
_TINTED_SHARE = 0.2  # of lights


@dataclass(frozen=True)
class Mixture:
    """What is drawn how often."""

    relief: float = 0.35  # height fields made on the spot, instead of a stack from the folder
    light_known: float = 0.6
    matte_known: float = 0.7
    several_lights: float = 0.15
    bright_ambient: float = 0.25
    bump: float = 0.3
    specular: float = 0.6
    noise: float = 0.7
    blur: float = 0.4
    clip: float = 0.4
    compression: float = 0.15
    light_error_deg: float = 3.0  # a known light is known this well


@dataclass(frozen=True, eq=False)
class Example:
    """One picture and its truth; arrays (C, h, w) float32, or (n,) numbers. Batches stack them."""

    picture: Array  # (3) scene-linear, the matte's mean about `EXPOSURE`
    matte: Array  # (1) as told to the network
    light: Array  # (4,) as told to the network
    normal: Array  # (3)
    depth: Array  # (1) in units of `DEPTH_UNIT_PX`, about the object's middle
    albedo: Array  # (3)
    shading: Array  # (3) of the picture's exposure
    roughness: Array  # (1)
    visibility: Array  # (1) of the key
    weight: Array  # (1) where the truth counts
    target: Array  # (TARGETS) shading under other lights, shadows and all
    target_direction: Array  # (TARGETS * 3,)
    truth_light: Array  # (33,) see `PriorOutput.light`


def stacked(examples: Sequence[Example]) -> dict[str, torch.Tensor]:
    """A batch: each field of `Example` with a leading axis."""
    return {
        field.name: torch.from_numpy(np.stack([getattr(example, field.name) for example in examples]))
        for field in fields(Example)
    }


def make_example(stack: LightStack, crop_px: int, random: Random, mixture: Mixture | None = None) -> Example:
    """A picture of `stack`, `crop_px` square."""
    mixture = mixture or Mixture()
    scene = _Scene(stack, _window(stack.matte, random), crop_px, random)
    if random.random() < mixture.bump:
        scene.add_bump(random)
    key, targets = scene.pick_lights(random)
    radiance, shading, truth_light = _lit(scene, key, mixture, random)
    knows_matte = random.random() < mixture.matte_known
    if knows_matte:
        radiance = _with_background(radiance, scene, random)
    exposure = EXPOSURE / max(float(radiance[scene.inside].mean()), 1e-4) * np.exp(random.normal() * 0.1)
    exposure = min(exposure, 50.0)
    truth_light[3:] *= exposure
    planes = {
        "picture": radiance * exposure,
        "matte": (scene.matte if knows_matte else np.ones_like(scene.matte))[..., None],
        "normal": scene.normal,
        "depth": scene.depth[..., None],
        "albedo": scene.albedo,
        "shading": shading * exposure,
        "roughness": scene.roughness[..., None],
        "visibility": scene.visibility(key)[..., None],
        "weight": (scene.valid & ((scene.matte > 0.95) | (not knows_matte)))[..., None].astype(np.float32),
        "target": np.stack([scene.shading_under(light) for light in targets], -1),
    }
    planes["picture"] = _camera(planes["picture"], mixture, random)
    is_known = random.random() < mixture.light_known
    return _turned(planes, scene.directions[[key, *targets]], truth_light, is_known, mixture, random)


class _Scene:
    """The window of a stack, as float32 at the size of the picture, with paint on it."""

    def __init__(self, stack: LightStack, window: tuple[slice, slice], crop_px: int, random: Random) -> None:
        self._stack, self._window, self._crop_px = stack, window, crop_px
        normal = self._resized(stack.normal) / np.float32(127)
        length = np.sqrt((normal**2).sum(-1))
        self.valid = length > 0.8  # shorter: a mean over an edge, or nothing
        normal[length < 0.3] = (0, 0, 1)
        self.base_normal = self.normal = _unit(normal)
        heights = window[0].stop - window[0].start  # px of the stack
        unit = np.float32(stack.size_px / heights * crop_px / DEPTH_UNIT_PX)
        self.depth = np.nan_to_num(self._resized(stack.depth)) * unit
        self.matte = self._resized(stack.matte) / np.float32(255)
        self.inside = self.matte > 0.5
        if not self.inside.any():
            self.inside = np.ones_like(self.inside)
        self.ambient = self._resized(stack.ambient)
        self.directions = stack.light_direction.astype(np.float32)
        position = np.nan_to_num(self._resized(stack.position, cv2.INTER_NEAREST))
        position = position - position[self.inside].mean(0)
        position /= np.float32(1.7 * max(float(position[self.inside].std()), 1e-3))
        part = self._resized(stack.part, cv2.INTER_NEAREST).astype(np.uint8)
        self.albedo = random_albedo(np.clip(position, -6, 6), part, random)
        self.roughness = random.uniform(0.15, 0.9, 256).astype(np.float32)[part]
        self._lights: dict[int, Array] = {}

    def _resized(self, planes: npt.NDArray[np.generic], how: int = cv2.INTER_LINEAR) -> Array:
        """The window of (S, S, ...) at the picture's size."""
        cut = planes[self._window].astype(np.float32)
        if how == cv2.INTER_LINEAR and cut.shape[0] > 1.4 * self._crop_px:
            how = cv2.INTER_AREA
        resized: Array = cv2.resize(cut, (self._crop_px, self._crop_px), interpolation=how)
        return resized

    def add_bump(self, random: Random) -> None:
        """Fine relief: the gradient of solid noise in camera space tilts the normals."""
        height, width = self.depth.shape
        rows, columns = np.mgrid[:height, :width].astype(np.float32) / np.float32(height)
        points = np.stack([columns, -rows, -self.depth], -1).reshape(-1, 3)
        waves, frequency = 8, float(np.exp(random.uniform(np.log(15), np.log(110))))
        vectors = random.normal(size=(3, waves)).astype(np.float32) * np.float32(frequency / 3**0.5)
        phase = points @ vectors + random.uniform(0, 2 * np.pi, waves).astype(np.float32)
        slope = np.exp(random.uniform(np.log(0.04), np.log(0.35))) * (2.0 / waves) ** 0.5 / frequency
        gradient = (np.cos(phase) @ vectors.T).reshape(height, width, 3) * np.float32(slope * 3**0.5)
        if random.random() < 0.5:  # only in places
            gradient *= (solid_noise(points, random, 6, 9.0) > 0).reshape(height, width, 1)
        along = (gradient * self.base_normal).sum(-1, keepdims=True)
        self.normal = _unit(self.base_normal - gradient + along * self.base_normal)

    def pick_lights(self, random: Random) -> tuple[int, list[int]]:
        """A key that reaches something, and lights to re-render under."""
        order = [int(k) for k in random.permutation(len(self.directions))]
        rows, columns = self._window
        coarse = (slice(rows.start, rows.stop, 4), slice(columns.start, columns.stop, 4))
        matte = self._stack.matte[coarse] > 127
        count = max(int(matte.sum()), 1)
        reach = [float((self._stack.direct[k][coarse] * matte).sum(dtype=np.float32)) / count for k in order]
        good = [k for k, level in zip(order, reach, strict=True) if level > 0.12] or order
        others = ([k for k in good[1:]] + [k for k in order if k not in good] + good)[:TARGETS]
        return good[0], others

    def _direct(self, light: int) -> Array:
        if light not in self._lights:
            self._lights[light] = self._resized(self._stack.direct[light])
        return self._lights[light]

    def cosine(self, light: int) -> Array:
        cosine: Array = np.maximum(self.normal @ self.directions[light], 0)
        return cosine

    def visibility(self, light: int) -> Array:
        base = self.base_normal @ self.directions[light]
        return np.clip(self._direct(light) / np.maximum(base, _LEAST_COSINE), 0, 1)

    def shading_under(self, light: int) -> Array:
        """(h, w) by one light of unit colour: direct by the bump's normals, and by way of others."""
        if self.normal is self.base_normal:
            direct = self._direct(light)
        else:
            direct = self.visibility(light) * self.cosine(light)
        return direct + self._resized(self._stack.bounce[light])

    def specular_under(self, light: int, f0: float) -> Array:
        normal = torch.from_numpy(np.ascontiguousarray(self.normal, np.float32))
        direction = torch.from_numpy(self.directions[light])
        coat = ggx_specular(
            normal, torch.tensor([0.0, 0.0, 1.0]), direction, torch.from_numpy(self.roughness), f0, 0.05
        )
        return coat.clamp_max(20.0).numpy() * self.visibility(light)


def _lit(scene: _Scene, key: int, mixture: Mixture, random: Random) -> tuple[Array, Array, Array]:
    """Radiance and diffuse shading (h, w, 3), and the light (33,), at key colours of about one."""
    lights, colours = [key], [_light_colour(random)]
    if random.random() < mixture.several_lights:
        for light in random.permutation(len(scene.directions))[: int(random.integers(1, 3))]:
            if int(light) != key:
                lights.append(int(light))
                colours.append(_light_colour(random) * np.float32(random.uniform(0.1, 0.7)))
    is_bright = random.random() < mixture.bright_ambient
    level = random.uniform(0.1, 0.7) if is_bright else random.uniform(0.0, 0.08)
    sh = _random_environment(random) * np.float32(level)
    environment = sh_irradiance_basis(torch.from_numpy(np.ascontiguousarray(scene.normal, np.float32)))
    shading = np.maximum(environment.numpy() @ sh, 0) * scene.ambient[..., None]
    for light, colour in zip(lights, colours, strict=True):
        shading = shading + scene.shading_under(light)[..., None] * colour
    radiance = scene.albedo * shading
    if random.random() < mixture.specular:
        f0 = float(random.uniform(0.02, 0.08))
        for light, colour in zip(lights, colours, strict=True):
            radiance = radiance + scene.specular_under(light, f0)[..., None] * colour
    for light, colour in zip(lights[1:], colours[1:], strict=True):  # the key alone is the key
        towards = sh_basis(torch.from_numpy(scene.directions[light])).numpy()
        sh = sh + np.float32(np.pi) * towards[:, None] * colour
    truth = np.concatenate([scene.directions[key], colours[0], sh.ravel()]).astype(np.float32)
    return radiance.astype(np.float32), shading.astype(np.float32), truth


def _light_colour(random: Random) -> Array:
    """Around white, along warm and cool, mean one; mostly what a balanced camera leaves of it."""
    strength = 0.25 if random.random() < _TINTED_SHARE else 0.05
    warm = random.normal() * strength
    colour = np.exp(np.asarray([warm, random.normal() * strength * 0.2, -warm]))
    return (colour / colour.mean()).astype(np.float32)


def _random_environment(random: Random) -> Array:
    """Radiance coefficients (9, 3) of a sky whose mean irradiance / pi is about one."""
    sh = np.zeros((9, 3), np.float32)
    sh[0] = _light_colour(random) * 3.545  # 1 / Y_00
    sh[1:4] = random.normal(size=(3, 1)) * random.uniform(0, 1.2) * _light_colour(random)
    sh[1] += abs(random.normal()) * 0.8  # skies are above
    sh[4:] = random.normal(size=(5, 1)) * random.uniform(0, 0.6)
    return sh


def _with_background(radiance: Array, scene: _Scene, random: Random) -> Array:
    """What a matte hides matters little: black, even, cloudy, or what was there."""
    kind = random.choice(["black", "even", "noise", "own"], p=[0.4, 0.15, 0.2, 0.25])
    if kind == "own":
        return radiance
    height, width = scene.matte.shape
    colour = random.uniform(0, 1, 3).astype(np.float32) * float(radiance.mean()) * 2
    behind = np.zeros((height, width, 3), np.float32)
    if kind != "black":
        behind[:] = colour
    if kind == "noise":
        coarse = random.uniform(0, 2, (int(random.integers(2, 14)),) * 2 + (1,)).astype(np.float32)
        behind *= cv2.resize(coarse, (width, height))[..., None]
    matte = scene.matte[..., None]
    return radiance * matte + behind * (1 - matte)


def _window(matte: npt.NDArray[np.uint8], random: Random) -> tuple[slice, slice]:
    """A square: mostly the object and a margin, otherwise a part of it."""
    size = matte.shape[0]
    inside = matte > 127
    rows, columns = np.flatnonzero(inside.any(1)), np.flatnonzero(inside.any(0))
    if len(rows) == 0:
        return slice(0, size), slice(0, size)
    extent = max(rows[-1] - rows[0], columns[-1] - columns[0]) + 1
    share = random.uniform(1.03, 1.25) if random.random() < 0.7 else random.uniform(0.5, 1.1)
    side = int(np.clip(round(extent * share), min(64, size), size))
    slack = 0.5 * abs(extent - side)
    starts = []
    for line in (rows, columns):
        middle = 0.5 * (line[0] + line[-1]) + random.uniform(-slack, slack)
        starts.append(int(np.clip(round(middle - side / 2), 0, size - side)))
    return slice(starts[0], starts[0] + side), slice(starts[1], starts[1] + side)


def _unit(vectors: Array) -> Array:
    length = np.sqrt((vectors**2).sum(-1, keepdims=True))
    unit: Array = vectors / np.maximum(length, np.float32(1e-3))
    return unit


def _camera(picture: Array, mixture: Mixture, random: Random) -> Array:
    """Lens, sensor, file: vignette, blur, noise, clipping, compression. (h, w, 3) linear."""
    size = picture.shape[0]
    if random.random() < 0.2:
        line = np.linspace(-1, 1, size, dtype=np.float32) ** 2
        falloff = np.float32(random.uniform(0, 0.2))
        picture = picture * (1 - falloff * (line[:, None] + line))[..., None]
    if random.random() < mixture.blur:
        picture = cv2.GaussianBlur(picture, (0, 0), random.uniform(0.3, 1.2))
    if random.random() < mixture.noise:
        gain, floor = np.float32(10) ** random.uniform((-5, -4), (-2.7, -2.3)).astype(np.float32)
        spread = np.sqrt(gain * np.maximum(picture, 0) + floor**2)
        picture = picture + spread * random.standard_normal(picture.shape, np.float32)
    if random.random() < mixture.clip:
        picture = np.minimum(picture, np.quantile(picture, random.uniform(0.93, 1.0)))
    if random.random() < mixture.compression:
        picture = _compressed(picture, int(random.integers(35, 95)))
    return picture.astype(np.float32)


def _compressed(picture: Array, quality: int) -> Array:
    """Through an 8-bit JPEG of gamma 2.2; this is what the picture has been through, not how it is kept."""
    white = max(float(picture.max()), 1e-3)
    code = np.rint(np.clip(picture / white, 0, 1) ** (1 / 2.2) * 255)
    _, data = cv2.imencode(".jpg", code.astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, quality])
    return (cv2.imdecode(data, cv2.IMREAD_COLOR).astype(np.float32) / 255) ** 2.2 * np.float32(white)


def _turned(
    planes: dict[str, Array],
    directions: Array,
    truth_light: Array,
    is_known: bool,
    mixture: Mixture,
    random: Random,
) -> Example:
    """Known lights come from the right; otherwise any way round. `directions`: key, targets."""
    light = np.zeros(4, np.float32)
    if is_known:
        told = directions[0] + np.radians(mixture.light_error_deg) * random.normal(size=3)
        told /= np.linalg.norm(told)
        turn = Orientation(light_from_right(told).quarter_turns, bool(random.integers(2)))
        light[:] = *turn.vectors(told.astype(np.float32)), 1.0
    else:
        turn = Orientation(int(random.integers(4)), bool(random.integers(2)))
    turned = {
        name: np.ascontiguousarray(turn.picture(values).transpose(2, 0, 1), np.float32)
        for name, values in planes.items()
    }
    turned["normal"] = np.moveaxis(turn.vectors(np.moveaxis(turned["normal"], 0, -1)), -1, 0)
    truth = truth_light.copy()
    truth[:3] = turn.vectors(truth[:3])
    truth[6:] = turn.environment(truth[6:].reshape(9, 3)).ravel()
    target_direction = turn.vectors(directions[1:]).ravel().astype(np.float32)
    turned["normal"] = np.ascontiguousarray(turned["normal"], np.float32)
    return Example(**turned, light=light, target_direction=target_direction, truth_light=truth)
