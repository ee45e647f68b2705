"""Shadows that the visible surfaces cast on each other, found in the depth alone.

From every point of a reduced raster a cone is followed towards the light. In the picture that is a line
along which disparity (one over depth) changes evenly (McGuire and Mara, "Efficient GPU screen-space ray
tracing", JCGT 3(4), 2014, section 2). What lies within the cone is told by mean and variance of the
disparity in its footprint, as in variance shadow maps (Donnelly and Lauritzen, I3D 2006), with the variance
of the plane that the footprint sees taken out; so edges of soft shadows are smooth without noise that
would crawl from frame to frame. What lies outside the picture casts no shadow.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import torch
from torch import Tensor
from torch.nn import functional

from .view import View

_LEVELS = 5  # footprints of 1, 3, 5, 9 and 17 px
_LARGEST_STEPS = 96
_COMPACT_EVERY = 8
_LEAST_GROWTH = 0.1  # of the way, from one step to the next
_OPAQUE = 0.995
_SMOOTHINGS = 2
_SAME = 0.02  # of the disparity, between neighbours on one surface, beyond its slope


@dataclass(frozen=True)
class ShadowSettings:
    """How one light's shadow is made.

    softness: tangent of half the angle under which the light is seen. bias: how far a ray starts off its
    surface, in pixels of the reduced raster. thickness: how deep things are behind what the camera sees of
    them, in depth units. reach: how far a shadow falls, in picture heights on the screen.
    """

    softness: float = 0.0
    bias: float = 1.0
    thickness: float = 0.3
    reach: float = 1.0


class DepthField:
    """Depth (h, w) of a reduced raster, made ready to be marched through by any number of lights.

    `first` and `stride` tell which pixels of the full raster the samples are. Depth that is not finite or not
    positive is empty space: it neither casts nor receives.
    """

    def __init__(self, depth: Tensor, normal: Tensor, view: View, first: int = 0, stride: int = 1) -> None:
        """depth (h, w); normal (3, h, w) unit, camera space."""
        self.solid = torch.isfinite(depth) & (depth > 0)
        self.view = view
        self.height, self.width = int(depth.shape[0]), int(depth.shape[1])
        far = depth[self.solid].max() * 2 if bool(self.solid.any()) else depth.new_ones(())
        self.depth = torch.where(self.solid, depth, far)
        self.normal = normal
        rows = first + stride * torch.arange(self.height, device=depth.device, dtype=torch.float32)
        columns = first + stride * torch.arange(self.width, device=depth.device, dtype=torch.float32)
        right, up = view.offsets(rows[:, None], columns)
        scale = self.depth / view.focal if view.focal is not None else torch.ones_like(self.depth)
        self.position = torch.stack([right * scale, up * scale, -self.depth])  # (3, h, w)
        self.samples_per_height = view.height / stride
        self.unit = self.samples_per_height * (view.focal or 1.0)  # samples per tangent of the view angle
        self.corner = float(right[0]), float(up[0, 0])
        self.near = self.depth.min() * 0.25
        self.key = -self.depth if view.focal is None else 1 / self.depth
        self.slack = _half_px_change(self.key)
        self.mean, self.deviation = _moments(self.key)
        self.mean = self.mean - self.slack.flatten()  # a ray that leaves a slope would else hit its steps

    def project(self, x: Tensor, y: Tensor, z: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Column and row, in samples of this raster, and disparity of points; minus the depth instead of the
        disparity in an orthographic view."""
        key = z if self.view.focal is None else -1 / z
        scale = 1.0 if self.view.focal is None else key * self.view.focal
        column = (x * scale - self.corner[0]) * self.samples_per_height
        row = (self.corner[1] - y * scale) * self.samples_per_height
        return column, row, key


def _moments(key: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and deviation from a plane of `key` (h, w) in footprints of growing size: (levels, h * w)."""
    middle = key.mean()
    mean = (key - middle)[None, None]
    means, deviations = [mean], [torch.zeros_like(mean)]
    square, spread = mean * mean, 0.0  # `spread`: variance of the footprint, px^2
    for level in range(1, _LEVELS):
        reach = 2 ** (level - 1)
        spread += 2 / 3 * reach * reach
        mean, square = _widened(mean, reach), _widened(square, reach)
        down, across = _slopes(mean)
        variance = square - mean * mean - (down * down + across * across) * spread
        means.append(mean)
        deviations.append(variance.clamp_min(1e-14).sqrt())
    return torch.cat(means).flatten(1) + middle, torch.cat(deviations).flatten(1)


def _half_px_change(plane: Tensor) -> Tensor:
    """By how much (h, w) a smooth surface changes on the way to the border of its sample; the far side of a
    jump does not count."""
    padded = functional.pad(plane[None, None], (1, 1, 1, 1), mode="replicate")[0, 0]
    total = torch.zeros_like(plane)
    for before, after in (
        (padded[:-2, 1:-1], padded[2:, 1:-1]),
        (padded[1:-1, :-2], padded[1:-1, 2:]),
    ):
        total = total + torch.minimum((plane - before).abs(), (after - plane).abs())
    return total * 0.5


def _widened(plane: Tensor, reach: int) -> Tensor:
    """Mean of three samples `reach` apart along each axis."""
    padded = functional.pad(plane, (reach, reach, reach, reach), mode="replicate")
    across = padded[..., : -2 * reach] + padded[..., reach:-reach] + padded[..., 2 * reach :]
    return (across[..., : -2 * reach, :] + across[..., reach:-reach, :] + across[..., 2 * reach :, :]) / 9


def _slopes(plane: Tensor) -> tuple[Tensor, Tensor]:
    padded = functional.pad(plane, (1, 1, 1, 1), mode="replicate")
    down = (padded[..., 2:, 1:-1] - padded[..., :-2, 1:-1]) / 2
    across = (padded[..., 1:-1, 2:] - padded[..., 1:-1, :-2]) / 2
    return down, across


def cast_shadow(
    field: DepthField, towards: Tensor, distance: Tensor | None, settings: ShadowSettings
) -> Tensor:
    """Visibility (h, w) of a light, 0 hidden to 1 open.

    `towards` are unit vectors to the light, (3, 1, 1) or (3, h, w); `distance` (h, w) to it, None for a
    light that is infinitely far. Surfaces that face away are told open: the cosine takes their light.
    """
    # What turns away by less than the light's own size still sees a part of it.
    lit = field.solid & ((field.normal * towards).sum(0) > -settings.softness)
    chosen = torch.nonzero(lit.flatten()).squeeze(1)
    visibility = torch.ones(field.height * field.width, device=lit.device)
    if chosen.numel() > 0:
        rays = _rays(field, towards, distance, settings, chosen)
        visibility = visibility.index_put((chosen,), 1 - _march(field, rays, settings))
    visibility = visibility.reshape(field.height, field.width)
    for _ in range(_SMOOTHINGS):
        visibility = _smoothed(visibility, field, lit)
    return visibility


@dataclass(frozen=True)
class _Rays:
    """One entry a ray (n,): where it starts in the picture, its way per px, disparity there and its change
    per px (also as minus its size), and its length in px within the picture."""

    column: Tensor
    row: Tensor
    key: Tensor
    across: Tensor
    down: Tensor
    key_step: Tensor
    key_change: Tensor
    length: Tensor

    def take(self, kept: Tensor) -> _Rays:
        return _Rays(*(getattr(self, name.name).index_select(0, kept) for name in fields(self)))


def _rays(
    field: DepthField, towards: Tensor, distance: Tensor | None, settings: ShadowSettings, chosen: Tensor
) -> _Rays:
    def pick(planes: Tensor) -> Tensor:
        return planes.expand(3, field.height, field.width).flatten(1).index_select(1, chosen)

    start, normal, way = pick(field.position), pick(field.normal), pick(towards)
    sample = (-start[2] if field.view.focal is not None else torch.ones_like(start[2])) / field.unit
    start = start + normal * (settings.bias * sample)
    far = 4 * settings.reach * float(field.depth.detach().max())
    length = torch.full_like(sample, far) if distance is None else distance.flatten()[chosen]
    # A ray towards the camera ends before it passes it.
    headroom = (-start[2] - field.near).clamp_min(0.0) / way[2].clamp_min(1e-6)
    length = torch.where(way[2] > 1e-6, torch.minimum(length, headroom), length)
    column, row, key = field.project(*start)
    end_column, end_row, end_key = field.project(*(start + way * length))
    across, down = end_column - column, end_row - row
    pixels = torch.sqrt(across * across + down * down).clamp_min(1e-3)
    across, down = across / pixels, down / pixels
    inside = torch.minimum(
        _room(column, across, field.width - 1), _room(row, down, field.height - 1)
    ).clamp_min(0.0)
    key_step = (end_key - key) / pixels
    return _Rays(
        column.clamp(0, field.width - 1) + 0.5,  # half a px, so that cutting off the fraction rounds
        row.clamp(0, field.height - 1) + 0.5,
        key,
        across,
        down,
        key_step,
        -key_step.abs(),
        torch.minimum(pixels, inside),
    )


def _room(start: Tensor, step: Tensor, last: int) -> Tensor:
    """How many steps stay within 0..last."""
    end = torch.where(step > 0, float(last), 0.0)
    still = step.abs() < 1e-9
    return torch.where(still, math.inf, (end - start) / torch.where(still, 1.0, step))


def _steps(reach_px: float, widening: float) -> list[tuple[float, float, int]]:
    """Distances in px from the start, the way to the next, and the footprint level at each."""
    steps: list[tuple[float, float, int]] = []
    at = 1.5
    growth = max(_LEAST_GROWTH, 0.5 * widening)
    while at < reach_px and len(steps) < _LARGEST_STEPS:
        gap = max(1.0, at * growth)
        radius = max(gap / 2, at * widening)
        level = 0 if radius < 1 else min(1 + int(math.log2(radius)), _LEVELS - 1)
        steps.append((at, gap, level))
        at += gap
    return steps


def _march(field: DepthField, rays: _Rays, settings: ShadowSettings) -> Tensor:
    """Share (n,) of the light that is blocked."""
    count = rays.column.numel()
    blocked = torch.zeros(count, device=rays.column.device)
    active = torch.arange(count, device=blocked.device)
    current, hidden = rays, blocked
    steps = _steps(settings.reach * field.samples_per_height, settings.softness)
    for number, (at, gap, level) in enumerate(steps):
        if number % _COMPACT_EVERY == 0:
            kept = torch.nonzero((current.length > at) & (hidden < _OPAQUE)).squeeze(1)
            blocked = blocked.index_put((active,), hidden)
            if kept.numel() == 0:
                return blocked
            active, hidden, current = active[kept], hidden[kept], current.take(kept)
        hidden = torch.maximum(hidden, _blocked_at(field, current, settings, at, gap, level))
    return blocked.index_put((active,), hidden)


def _blocked_at(
    field: DepthField, rays: _Rays, settings: ShadowSettings, at: float, gap: float, level: int
) -> Tensor:
    """Share (n,) of the cones that is filled at a distance of `at` px."""
    way = rays.length.clamp_max(at)
    column = torch.addcmul(rays.column, rays.across, way).int()
    row = torch.addcmul(rays.row, rays.down, way).int()
    key = torch.addcmul(rays.key, rays.key_step, way)
    index = torch.add(column, row, alpha=field.width)
    over = field.mean[level].index_select(0, index) - key  # the surface is this much nearer than the ray
    width = (settings.softness * at + 0.25) / field.unit  # the cone's own, across the view
    # The ray may have passed the surface since the last step: that much is no depth behind it.
    deep = torch.add(over, rays.key_change, alpha=gap)
    if field.view.focal is None:
        spread = torch.full_like(key, width)
    else:
        spread, deep = key * width, deep / (key * (key + over)).clamp_min(1e-9)
    if level > 0:
        spread = spread + field.deviation[level].index_select(0, index)
    share = (over / spread * 0.5).clamp(0.0, 1.0)
    return share * (1.5 - deep * (0.5 / settings.thickness)).clamp(0.0, 1.0)


def _smoothed(visibility: Tensor, field: DepthField, lit: Tensor) -> Tensor:
    """The mean of 3 x 3 neighbours of about the same depth that face the light: hides the steps, and gives
    the far side of an edge a value to interpolate with."""
    key, allowed = field.key[None, None], (4 * field.slack + _SAME * field.key.abs())[None, None]
    planes = torch.cat([visibility[None, None], key, lit.to(key.dtype)[None, None]], 1)
    padded = functional.pad(planes, (1, 1, 1, 1), mode="replicate")
    total, weights = torch.zeros_like(key), torch.zeros_like(key)
    any_total, any_weights = torch.zeros_like(key), torch.zeros_like(key)
    for dy in range(3):
        for dx in range(3):
            near = padded[:, :, dy : dy + field.height, dx : dx + field.width]
            value, near_key, near_lit = near.split(1, dim=1)
            share = near_lit * ((near_key - key).abs() <= allowed)
            total, weights = total + value * share, weights + share
            any_total, any_weights = any_total + value * near_lit, any_weights + near_lit
    same, near = total / weights.clamp_min(1.0), any_total / any_weights.clamp_min(1.0)
    found = torch.where(weights > 0, same, near)
    return torch.where(any_weights > 0, found, visibility)[0, 0]
