"""A scene into a light stack: normals, depth, direct and bounced light of every light, ambient light."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .meshes import Array, normalised
from .tracing import (
    FIRST_OBJECT_PART,
    Hits,
    Lights,
    Scene,
    Tracer,
    cosine_directions,
    direct_light,
    disc_samples,
    shadow_rays,
    view_rays,
)

_GREY = 0.5
_SAMPLES = 2  # a side of each pixel
_SKY_RAYS = 2  # a sample


@dataclass(frozen=True)
class Stack:
    """One scene of S x S pixels under L lights; see docs/soundstage.md for the meaning of each.

    normal (S, S, 3), depth (S, S), matte (S, S) 0..1, part (S, S) uint8, position (S, S, 3),
    light_direction (L, 3), light_radius (L,), direct and bounce (L, S, S), ambient (S, S),
    ambient_tilt (S, S, 3), focal in picture heights, 0 for orthographic.
    """

    normal: Array
    depth: Array
    matte: Array
    part: npt.NDArray[np.uint8]
    position: Array
    light_direction: Array
    light_radius: Array
    direct: Array
    bounce: Array
    ambient: Array
    ambient_tilt: Array
    focal: float


def render_stack(scene: Scene, size: int, rng: np.random.Generator) -> Stack:
    """Render a scene at size x size pixels, from 2 x 2 samples a pixel."""
    tracer = Tracer(scene.mesh)
    fine = size * _SAMPLES
    origins, directions = (_pixel_by_pixel(rays, fine) for rays in view_rays(fine, scene.focal))
    hits = tracer.nearest(origins, directions)
    pixels = _Pixels(hits, size)
    direct = _direct_light(tracer, hits, pixels, scene.lights, rng)
    sky, tilt, bounce = _light_from_around(tracer, hits, pixels, scene.lights, rng)
    normal = normalised(pixels.mean(hits.normal))
    position = pixels.mean(hits.point)
    soft = pixels.mean(np.concatenate([sky[:, None], tilt, bounce.T], 1))
    soft = smoothed(soft, normal, position, pixels.part)
    depth = -position[..., 2]
    planes = np.moveaxis(soft, -1, 0)
    return Stack(
        normal=normal,
        depth=np.where(pixels.part > 0, depth, 0).astype(np.float32),
        matte=pixels.matte,
        part=pixels.part,
        position=pixels.mean(hits.rest),
        light_direction=scene.lights.direction,
        light_radius=scene.lights.radius,
        direct=np.moveaxis(pixels.mean(direct.T), -1, 0),
        bounce=planes[4:],
        ambient=planes[0],
        ambient_tilt=soft[..., 1:4],
        focal=scene.focal or 0.0,
    )


def _pixel_by_pixel(rays: Array, fine: int) -> Array:
    """Rays (fine^2, 3) in the order of the pixels, the samples of one pixel in a row."""
    coarse = fine // _SAMPLES
    grid = rays.reshape(coarse, _SAMPLES, coarse, _SAMPLES, 3)
    return np.ascontiguousarray(grid.transpose(0, 2, 1, 3, 4).reshape(-1, 3))


class _Pixels:
    """Means over the samples of each pixel that are of the pixel's main part."""

    def __init__(self, hits: Hits, size: int) -> None:
        self._size = size
        count = _SAMPLES**2
        self.of_hit = hits.ray // count
        starts = np.flatnonzero(np.diff(self.of_hit, prepend=-1))
        self.rank = np.arange(len(hits.ray)) - np.repeat(starts, np.diff(np.append(starts, len(hits.ray))))
        parts = np.zeros(size * size * count, np.uint8)
        parts[hits.ray] = hits.part
        samples = parts.reshape(-1, count)
        votes = (samples[:, :, None] == samples[:, None, :]).sum(2) * (samples > 0)
        self._main = samples[np.arange(len(samples)), votes.argmax(1)]
        self._kept = np.flatnonzero(hits.part == self._main[self.of_hit])
        self._pixel = self.of_hit[self._kept]
        self._count = np.maximum(np.bincount(self._pixel, minlength=size * size), 1).astype(np.float32)
        self.part = self._main.reshape(size, size)
        self.matte = (samples >= FIRST_OBJECT_PART).mean(1, dtype=np.float32).reshape(size, size)

    def mean(self, values: Array) -> Array:
        """(S, S, C) from values (M, C) of the samples."""
        size, kept = self._size, values[self._kept]
        means = [
            np.bincount(self._pixel, kept[:, channel], size * size) / self._count
            for channel in range(values.shape[1])
        ]
        return np.stack(means, -1).astype(np.float32).reshape(size, size, -1)


def _direct_light(
    tracer: Tracer, hits: Hits, pixels: _Pixels, lights: Lights, rng: np.random.Generator
) -> Array:
    """max(n.l, 0) x visibility (L, M) of every sample.

    The first sample of each pixel sends a shadow ray; the others do so where neighbouring pixels disagree,
    and are as lit as the first elsewhere. The samples of a pixel take different quarters of the light's disc.
    """
    result = np.zeros((len(lights.direction), len(hits.ray)), np.float32)
    samples = disc_samples(len(hits.ray), _SAMPLES, rng)
    first, later = np.flatnonzero(pixels.rank == 0), np.flatnonzero(pixels.rank > 0)
    size = len(pixels.part)
    for number, (direction, radius) in enumerate(zip(lights.direction, lights.radius, strict=True)):
        facing = hits.normal @ direction
        seen = np.full(size * size, np.nan, np.float32)
        lit = first[facing[first] > 0]
        clear = tracer.open_sky(hits.start[lit], shadow_rays(direction, radius, samples[lit]))
        seen[pixels.of_hit[lit]] = clear
        result[number, lit] = facing[lit] * clear
        unsure = _disagreeing(seen.reshape(size, size)).ravel()
        lit = later[facing[later] > 0]
        pixel = pixels.of_hit[lit]
        result[number, lit] = facing[lit] * np.nan_to_num(seen[pixel])
        lit = lit[unsure[pixel] | np.isnan(seen[pixel])]
        clear = tracer.open_sky(hits.start[lit], shadow_rays(direction, radius, samples[lit]))
        result[number, lit] = facing[lit] * clear
    return result


def _disagreeing(seen: Array) -> npt.NDArray[np.bool_]:
    """Pixels (S, S) among whose 3 x 3 neighbours are a lit and a shaded one; NaN is neither."""
    lit, shaded = seen == 1, seen == 0
    for mask in (lit, shaded):
        mask[1:] |= mask[:-1].copy()
        mask[:-1] |= mask[1:].copy()
        mask[:, 1:] |= mask[:, :-1].copy()
        mask[:, :-1] |= mask[:, 1:].copy()
    return lit & shaded


def _light_from_around(
    tracer: Tracer, hits: Hits, pixels: _Pixels, lights: Lights, rng: np.random.Generator
) -> tuple[Array, Array, Array]:
    """Light of a white sky (M,), the mean direction of it (M, 3), and light by way of other surfaces (L, M).

    Cosine-distributed rays; the first of every other sample brings the light of what it meets, at grey 0.5.
    """
    count = len(hits.ray)
    samples = disc_samples(count * _SKY_RAYS, 3, rng).reshape(count, _SKY_RAYS, 2)
    sky, tilt = np.zeros(count, np.float32), np.zeros((count, 3), np.float32)
    bounce = np.zeros((len(lights.direction), count), np.float32)
    bringing, others = np.flatnonzero(pixels.rank % 2 == 0), np.flatnonzero(pixels.rank % 2)
    for ray in range(_SKY_RAYS):
        directions = cosine_directions(hits.normal, samples[:, ray])
        clear = np.ones(count, np.bool_)
        if ray == 0:
            met = tracer.nearest(hits.start[bringing], directions[bringing])
            clear[bringing[met.ray]] = False
            bounce[:, bringing[met.ray]] = _GREY * direct_light(tracer, met, lights, rng)
            clear[others] = tracer.open_sky(hits.start[others], directions[others])
        else:
            clear = tracer.open_sky(hits.start, directions)
        sky += clear
        tilt += directions * clear[:, None]
    brought = np.bincount(pixels.of_hit[bringing], minlength=pixels.part.size)
    share = np.bincount(pixels.of_hit, minlength=pixels.part.size) / np.maximum(brought, 1)
    mean = np.float32(1 / _SKY_RAYS)
    return sky * mean, tilt * mean, bounce * share[pixels.of_hit].astype(np.float32)


def smoothed(values: Array, normal: Array, position: Array, part: npt.NDArray[np.uint8]) -> Array:
    """Noisy pictures (S, S, C) averaged along the surface and not across its edges and creases.

    Three passes of an edge-stopping a-trous filter: Dammertz et al., "Edge-Avoiding A-Trous Wavelet Transform
    for fast Global Illumination Filtering" (HPG 2010); here guided by normal, position and part alone.
    """
    size = len(part)
    for step in (1, 2, 4):
        total, weights = values.copy(), np.ones((size, size, 1), np.float32)
        for down, right in np.ndindex(3, 3):
            dy, dx = (down - 1) * step, (right - 1) * step
            if dy == 0 and dx == 0:
                continue
            to_y, from_y = _overlap(dy, size)
            to_x, from_x = _overlap(dx, size)
            here, there = (to_y, to_x), (from_y, from_x)
            alike = np.maximum(np.einsum("yxc,yxc->yx", normal[here], normal[there]), 0) ** 12
            gap = position[here] - position[there]
            off = np.einsum("yxc,yxc->yx", gap, normal[here])
            weight = alike * np.exp(-((off * np.float32(60 / step)) ** 2))
            weight *= (part[here] == part[there]) * np.float32(0.7 if dy and dx else 0.85)
            total[here] += weight[..., None] * values[there]
            weights[here] += weight[..., None]
        values = total / weights
    return values


def _overlap(shift: int, size: int) -> tuple[slice, slice]:
    """Where pixels with a neighbour at that shift are, and where the neighbours are."""
    return slice(max(-shift, 0), size - max(shift, 0)), slice(max(shift, 0), size + min(shift, 0))
