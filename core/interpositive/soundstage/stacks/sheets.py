"""Thin and flat things: folded and crumpled paper, cloth, sachets and cushions, reliefs."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .meshes import Array, Mesh, grid_mesh, moved_vertices, normalised, sphere_mesh
from .noise import STYLES, fractal, pebbled, warped
from .solids import rounded_box

Points = npt.NDArray[np.float64]


def _flat_grid(rng: np.random.Generator, cells: int) -> Points:
    """A rectangle (R, C, 3) in the xy plane, facing z, its longer side 2."""
    wide, high = (1.0, rng.uniform(0.5, 1.0)) if rng.random() < 0.5 else (rng.uniform(0.5, 1.0), 1.0)
    x, y = np.meshgrid(np.linspace(-wide, wide, cells), np.linspace(-high, high, cells), indexing="ij")
    return np.stack([x, y, np.zeros_like(x)], -1)


def fold(
    points: npt.NDArray[np.floating], normal: npt.NDArray[np.floating], offset: float, soft: float
) -> Points:
    """Points mirrored to one side of a plane, as paper folds without stretching; `soft` rounds the crease."""
    side = points @ normal - offset
    moved = points + (np.sqrt(side * side + soft * soft) - side)[..., None] * normal
    return moved.astype(np.float64)


def crumpled_sheet(rng: np.random.Generator, cells: int) -> Mesh:
    """A sheet of paper folded by many random planes, partly opened: flat facets between sharp creases."""
    flat = _flat_grid(rng, 3 * cells)
    points = flat.copy()
    soft = rng.uniform(0.002, 0.02)
    strength = rng.uniform(0.15, 0.9)
    for _ in range(int(rng.integers(5, 36))):
        normal = normalised(rng.normal(size=3) * [1, 1, rng.uniform(0.4, 2)]).astype(np.float64)
        offset = float(points.reshape(-1, 3)[int(rng.integers(points[..., 0].size))] @ normal)
        offset -= rng.uniform(0.0, 0.5)
        points = fold(points, normal, offset, soft)
    points -= points.mean((0, 1))
    scale = 0.7 / max(float(np.abs(points).max()), 1e-3)
    mixed = (1 - strength) * flat + strength * scale * points
    return grid_mesh(mixed)


def crumpled_ball(rng: np.random.Generator, cells: int) -> Mesh:
    """Paper crushed to a ball: creases by folding the surface of a ball into itself."""
    mesh = sphere_mesh(int(cells * 1.2))
    points = mesh.vertices.astype(np.float64) * (1 + 0.25 * fractal(mesh.vertices, rng, 1.3, 2)[:, None])
    soft = rng.uniform(0.002, 0.012)
    for _ in range(int(rng.integers(14, 60))):
        normal = normalised(rng.normal(size=3)).astype(np.float64)
        offset = -rng.uniform(0.35, 0.85)
        points = fold(points, normal, offset, soft)
    creases = fractal(warped(mesh.vertices, rng, 2, 0.2), rng, rng.uniform(2, 4), 3, 0.55, "ridged")
    points *= 1 + rng.uniform(0.03, 0.14) * creases[:, None]
    return moved_vertices(mesh, points)


def folded_card(rng: np.random.Generator, cells: int) -> Mesh:
    """A card, leaflet or fan: parallel or slanted folds, faces a little curved."""
    points = _flat_grid(rng, 3 * cells)
    x, y = points[..., 0], points[..., 1]
    height = np.zeros_like(x)
    for number in range(int(rng.integers(1, 6))):
        angle = rng.normal(0, 0.12 if number else 3)
        line = x * np.cos(angle) + y * np.sin(angle) - rng.uniform(-0.7, 0.7)
        soft = rng.uniform(0.003, 0.03)
        height += rng.choice([-1, 1]) * rng.uniform(0.2, 1.1) * np.sqrt(line * line + soft * soft)
    height += rng.uniform(-0.3, 0.3) * x * x + rng.uniform(-0.3, 0.3) * x * y
    height += rng.uniform(0, 0.02) * fractal(points, rng, 3, 3)
    points[..., 2] = height - height.mean()
    return grid_mesh(points)


def sachet(rng: np.random.Generator, cells: int) -> Mesh:
    """A tea bag, cushion, sack or parcel: two sheets, full in the middle, wrinkled towards a flat seam."""
    mesh = rounded_box(np.array([1, rng.uniform(0.6, 1.0), 0.05]), 0.03, cells)
    points = mesh.vertices.astype(np.float64)
    half = np.abs(points).max(0)
    share = np.clip(1 - np.abs(points[:, :2]) / half[:2], 0, 1)
    rim = rng.uniform(0.02, 0.2)
    inside = np.clip((share - rim) / (1 - rim), 0, 1)
    full = np.power(inside.prod(1), rng.uniform(0.3, 0.8))
    side = np.sign(points[:, 2]) * np.clip(np.abs(points[:, 2]) / half[2], 0, 1)
    points[:, 2] += side * rng.uniform(0.15, 0.6) * full
    bend = warped(points, rng, 1.5, 0.3)
    bend[:, 2] *= 0.3
    wrinkles = fractal(
        bend, rng, rng.uniform(1.5, 4), 4, 0.55, ("ridged", "billowed", "soft")[int(rng.integers(3))]
    )
    points[:, 2] += rng.uniform(0.02, 0.12) * wrinkles * (0.25 + np.sqrt(full) * (1.2 - full))
    points[:, 2] += rng.uniform(0, 0.15) * fractal(points * [1, 1, 0], rng, 0.8, 1)
    points[:, :2] *= 1 - rng.uniform(0, 0.12) * np.power(share[:, ::-1], 0.7) * np.sign(1)
    return moved_vertices(mesh, points)


def hanging_cloth(rng: np.random.Generator, cells: int) -> Mesh:
    """Cloth that hangs from a few places: folds run from them, wider and deeper further down."""
    points = _flat_grid(rng, 3 * cells)
    x, y = points[..., 0], points[..., 1]
    bent = warped(points, rng, 0.9, 0.25)
    height = np.zeros_like(x)
    for _ in range(int(rng.integers(1, 4))):
        pin = np.array([rng.uniform(-1, 1), rng.uniform(0.6, 1.3)])
        dx, dy = bent[..., 0] - pin[0], pin[1] - bent[..., 1]
        angle, far = np.arctan2(dx, dy + 0.15), np.hypot(dx, dy)
        number = rng.uniform(5, 16)
        wave = np.cos(number * angle + rng.uniform(0, 6) + 1.2 * fractal(points, rng, 0.8, 2))
        shape = np.power(0.5 + 0.5 * wave, rng.uniform(0.7, 2.0))
        height += rng.uniform(0.5, 1.3) * np.minimum(far, 1.5) / number * shape * 2
    sag = np.cos(rng.uniform(2, 6) * y + 2.5 * bent[..., 0] ** 2)
    height += rng.uniform(0, 0.08) * sag + rng.uniform(0, 0.3) * fractal(points, rng, 0.7, 2)
    height += rng.uniform(0.0, 0.02) * fractal(bent, rng, 6, 3, 0.5, "ridged")
    points[..., 2] = height - height.mean()
    return grid_mesh(points)


def draped_cloth(rng: np.random.Generator, cells: int) -> Mesh:
    """Cloth over a round thing: smooth on top, folds that open downwards."""
    down = np.linspace(0, 1, 2 * cells)[:, None]
    around = np.linspace(0, 2 * np.pi, 4 * cells, endpoint=False)[None]
    top = rng.uniform(0.3, 0.8)
    ring = np.stack([np.cos(around) + 0 * down, np.sin(around) + 0 * down, 1.5 * down + 0 * around], -1)
    radius = top * np.sin(np.minimum(down * np.pi, np.pi / 2)) + rng.uniform(0.0, 0.6) * np.maximum(
        down - 0.4, 0
    )
    height = (
        np.where(down < 0.5, top * (np.cos(np.minimum(down, 0.5) * np.pi) - 1), 0)
        - top
        - 2.2 * np.maximum(down - 0.5, 0)
    )
    height = np.where(down < 0.5, top * np.cos(np.minimum(down, 0.5) * np.pi) - top, height)
    phase = rng.integers(5, 14) * around + 1.5 * fractal(ring, rng, 0.9, 2)
    depth = rng.uniform(0.1, 0.35) * np.clip((down - 0.25) / 0.75, 0, 1) ** 1.3
    radius = radius * (1 + depth * (np.power(0.5 + 0.5 * np.cos(phase), rng.uniform(0.6, 1.6)) * 2 - 1))
    radius += 0.04 * fractal(ring, rng, 1.8, 3) * down
    points = np.stack(
        [radius * np.sin(around), height + 0.05 * depth * np.sin(phase), radius * np.cos(around)], -1
    )
    points[..., 1] -= points[..., 1].mean()
    return grid_mesh(points, wrap_columns=True)


def relief(rng: np.random.Generator, cells: int) -> Mesh:
    """A carved or cast surface: coin, tile, shell, bark, dunes, bas-relief, in a rectangle or a disc."""
    flat = _flat_grid(rng, 3 * cells)
    x, y = flat[..., 0], flat[..., 1]
    height = np.zeros_like(x)
    depth = rng.uniform(0.05, 0.25)
    for _ in range(int(rng.integers(2, 14))):
        cx, cy = rng.uniform(-0.7, 0.7, 2)
        turn, (a, b) = rng.uniform(0, 3.2), rng.uniform(0.08, 0.5, 2)
        u = ((x - cx) * np.cos(turn) + (y - cy) * np.sin(turn)) / a
        v = (-(x - cx) * np.sin(turn) + (y - cy) * np.cos(turn)) / b
        inside = (
            np.maximum(1 - u * u - v * v, 0)
            if rng.random() < 0.7
            else np.clip(3 - 3 * np.maximum(abs(u), abs(v)), 0, 1)
        )
        height = np.maximum(height, depth * rng.uniform(0.3, 1) * np.power(inside, rng.uniform(0.35, 1.2)))
    radius = np.hypot(x, y)
    if rng.random() < 0.4:
        number = int(rng.integers(4, 20))
        height += 0.3 * depth * np.cos(number * np.arctan2(y, x)) * np.sin(np.pi * np.clip(radius, 0, 1)) ** 2
    if rng.random() < 0.4:
        height += (
            0.4
            * depth
            * np.clip(1 - np.abs(np.minimum(np.maximum(abs(x), abs(y)), radius) - 0.85) / 0.05, 0, 1)
        )
    style = STYLES[int(rng.integers(3))]
    height += (
        rng.uniform(0, 0.6)
        * depth
        * fractal(warped(flat, rng, 2, 0.2), rng, rng.uniform(1.5, 5), 4, 0.5, style)
    )
    if rng.random() < 0.25:
        height += 0.5 * depth * pebbled(flat, rng, rng.uniform(3, 9))
    flat[..., 2] = height - height.mean()
    return grid_mesh(flat)


def rough(mesh: Mesh, rng: np.random.Generator, amount: float) -> Mesh:
    """The mesh with fine relief at several scales over all or part of it: skin, fur, bark, scratches."""
    span = float(np.ptp(mesh.vertices, axis=0).max()) / 2
    where: Array = mesh.vertices / np.float32(span)
    kind = int(rng.integers(6))
    if kind == 0:
        height = fractal(where, rng, rng.uniform(3, 9), 4, rng.uniform(0.4, 0.65))
    elif kind == 1:
        height = fractal(where, rng, rng.uniform(3, 9), 3, 0.5, "ridged")
    elif kind == 2:
        height = fractal(where, rng, rng.uniform(3, 9), 3, 0.5, "billowed")
    elif kind == 3:  # along one direction: fur, wood, scratches
        squeeze = np.array([1, 1, 1], np.float32)
        squeeze[int(rng.integers(3))] = rng.uniform(0.08, 0.3)
        height = fractal(warped(where, rng, 1.5, 0.15) * squeeze, rng, rng.uniform(8, 16), 3, 0.6)
    elif kind == 4:
        height = 2 * pebbled(where, rng, rng.uniform(5, 14)) - 1
    else:
        height = fractal(warped(where, rng, 2, 0.3), rng, rng.uniform(2, 5), 5, 0.6)
    if rng.random() < 0.4:
        height = height * np.clip(0.5 + 2.5 * fractal(where, rng, 1.2, 2), 0, 1)
    return moved_vertices(mesh, mesh.vertices + mesh.normals * (np.float32(amount * span) * height)[:, None])
