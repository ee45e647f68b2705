"""Closed forms that a distance from the centre describes: stones, fruit, blobs, superquadrics, boxes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .meshes import Array, Mesh, build_mesh, cube_grid, joined, moved_vertices, normalised, sphere_mesh
from .noise import STYLES, fractal, pebbled, warped
from .turned import tube


def blob(rng: np.random.Generator, cells: int) -> Mesh:
    """A lumpy ball: few soft octaves over an ellipsoid."""
    mesh = sphere_mesh(cells)
    frequency = rng.uniform(0.7, 2.0)
    amount = rng.uniform(0.15, 0.6)
    radius = np.exp(amount * fractal(mesh.vertices, rng, frequency, int(rng.integers(1, 4)), 0.4))
    return moved_vertices(mesh, mesh.vertices * radius[:, None] * rng.uniform(0.6, 1.0, 3).astype(np.float32))


def ball(rng: np.random.Generator, cells: int) -> Mesh:
    """A ball or an ellipsoid."""
    mesh = sphere_mesh(cells)
    if rng.random() < 0.5:
        return mesh
    return moved_vertices(mesh, mesh.vertices * rng.uniform(0.5, 1.0, 3).astype(np.float32))


def rock(rng: np.random.Generator, cells: int) -> Mesh:
    """A stone: cut by planes whose edges are worn, with fractal roughness."""
    mesh = sphere_mesh(cells)
    planes = int(rng.integers(8, 40))
    faces = normalised(rng.normal(size=(planes, 3)))
    distance = rng.uniform(0.6, 1.0, planes).astype(np.float32)
    bent = normalised(warped(mesh.vertices, rng, 1.5, rng.uniform(0.02, 0.25)))
    reach = distance / np.maximum(bent @ faces.T, 0.08)
    worn = rng.uniform(8, 60)
    radius = np.power(np.power(reach, -worn).sum(1) + 0.8**worn, -1 / worn)
    style = STYLES[int(rng.integers(3))]
    rough = fractal(mesh.vertices, rng, rng.uniform(1.5, 3), 5, rng.uniform(0.35, 0.55), style)
    radius = radius * (1 + rng.uniform(0.02, 0.12) * rough)
    return moved_vertices(mesh, mesh.vertices * radius[:, None] * rng.uniform(0.6, 1, 3).astype(np.float32))


def fruit(rng: np.random.Generator, cells: int) -> Mesh:
    """An apple, pear, pumpkin, lemon or the like, often with its stalk."""
    mesh = sphere_mesh(cells)
    up, around = mesh.vertices[:, 1], np.arctan2(mesh.vertices[:, 2], mesh.vertices[:, 0])
    polar = np.arccos(np.clip(up, -1, 1))
    dimple, width = rng.uniform(0, 0.55), rng.uniform(0.15, 0.5)
    radius = 1 - dimple * np.exp(-((polar / width) ** 2))
    radius -= rng.uniform(0, 0.3) * np.exp(-(((np.pi - polar) / rng.uniform(0.1, 0.35)) ** 2))
    ribs = int(rng.integers(3, 13))
    radius += rng.uniform(0, 0.12) * np.sin(polar) * np.abs(np.cos(ribs * around / 2 + rng.uniform(0, 6)))
    radius += rng.uniform(0, 0.07) * fractal(mesh.vertices, rng, 1.2, 2)
    points = mesh.vertices * radius[:, None]
    points[:, 1] *= rng.uniform(0.7, 1.3)
    neck = rng.uniform(-0.15, 0.45)
    points[:, [0, 2]] *= (1 - neck * np.clip(points[:, 1:2], -1, 1.2)).astype(np.float32)
    body = moved_vertices(mesh, points)
    if rng.random() < 0.35:
        return body
    foot = float(points[up > 0.995, 1].mean()) - 0.05
    lean = rng.normal(0, 0.12, 2)
    length, thick = rng.uniform(0.15, 0.5), rng.uniform(0.03, 0.08)
    steps = np.linspace(0, 1, 12)[:, None]
    line = np.array([0, foot, 0]) + steps * np.array([0, length, 0])
    line[:, [0, 2]] += steps**2 * lean
    stalk = tube(line, thick * (1 - 0.4 * steps[:, 0] + 0.5 * steps[:, 0] ** 6), max(cells // 4, 8), part=1)
    return joined([body, stalk])


def superquadric(rng: np.random.Generator, cells: int) -> Mesh:
    """Between a ball, a box, a cylinder and a spindle: |x|^e + |y|^e + |z|^e = 1, twisted or tapered."""
    mesh = sphere_mesh(cells)
    power = rng.uniform(1.3, 7.0)
    flat = rng.uniform(1.3, 7.0)
    size = np.abs(mesh.vertices)
    level = (size[:, 0] ** flat + size[:, 2] ** flat) ** (power / flat) + size[:, 1] ** power
    points = mesh.vertices * (level ** (-1 / power))[:, None] * rng.uniform(0.45, 1.0, 3)
    return moved_vertices(mesh, bent(points, rng))


def bent(points: npt.NDArray[np.floating], rng: np.random.Generator) -> npt.NDArray[np.floating]:
    """Points (V, 3), at times tapered and twisted about y and bent."""
    points = np.array(points, np.float64)
    height = points[:, 1:2]
    if rng.random() < 0.4:
        points[:, [0, 2]] *= 1 + rng.uniform(-0.45, 0.45) * height
    if rng.random() < 0.4:
        turn = rng.uniform(-1.5, 1.5) * points[:, 1]
        x, z = points[:, 0].copy(), points[:, 2].copy()
        points[:, 0] = np.cos(turn) * x - np.sin(turn) * z
        points[:, 2] = np.sin(turn) * x + np.cos(turn) * z
    if rng.random() < 0.3:
        points[:, 0] += rng.uniform(-0.4, 0.4) * points[:, 1] ** 2
    return points


def rounded_box(half: npt.NDArray[np.floating], radius: float, cells: int, part: int = 0) -> Mesh:
    """A box of half sizes (3,), its edges rounded by a radius."""
    cube, faces = cube_grid(cells)
    size = np.asarray(half, np.float64)
    radius = float(min(radius, 0.98 * size.min()))
    # A quarter of the squares of each side are for its two edges.
    share = 0.75
    line = np.where(
        np.abs(cube) < share, cube / share, np.sign(cube) * (1 + (np.abs(cube) - share) / (1 - share))
    )
    inner = np.clip(line, -1, 1) * (size - radius)
    beyond = np.tan(np.clip(np.abs(line) - 1, 0, 1) * (np.pi / 4)) * np.sign(line)
    points = inner + radius * normalised(beyond)
    return build_mesh(points, faces, part)


def box(rng: np.random.Generator, cells: int) -> Mesh:
    """A box, carton, book, phone or the like: bevels, dents, bulging sides, panels and grooves."""
    half = np.sort(rng.uniform(0.25, 1.0, 3))[::-1]
    kind = rng.random()
    if kind < 0.3:  # flat, as a phone or a book
        half = np.array([rng.uniform(0.5, 0.8), 1.0, rng.uniform(0.05, 0.22)])
    elif kind < 0.45:
        half = np.full(3, 0.8)
    mesh = rounded_box(half, rng.choice([0.015, 0.04, 0.1, 0.25]) * half.min() * 2, cells)
    points = mesh.vertices.astype(np.float64)
    share = points / half
    if rng.random() < 0.4:
        swell = rng.uniform(-0.08, 0.1)
        points += (
            mesh.normals * (swell * (1 - (share**2).clip(0, 1)).prod(1, where=np.abs(share) < 0.97))[:, None]
        )
    if rng.random() < 0.7:
        points += mesh.normals * panel_relief(points, mesh.normals, half, rng)[:, None]
    if rng.random() < 0.35:
        dents = np.maximum(fractal(points, rng, rng.uniform(1, 3), 2) - 0.2, 0)
        points -= mesh.normals * (rng.uniform(0.02, 0.12) * dents)[:, None]
    return moved_vertices(mesh, bent(points, rng) if rng.random() < 0.2 else points)


def panel_relief(
    points: npt.NDArray[np.floating], normals: Array, half: npt.NDArray[np.floating], rng: np.random.Generator
) -> npt.NDArray[np.float64]:
    """Heights (V,) on the sides of a box: raised and sunk rectangles, discs, bars."""
    height = np.zeros(len(points))
    side = np.abs(normals).argmax(1) * 2 + (
        np.take_along_axis(normals, np.abs(normals).argmax(1)[:, None], 1)[:, 0] > 0
    )
    depth = rng.uniform(0.008, 0.05)
    for number in range(6):
        axis = number // 2
        across, along = ((axis + 1) % 3, (axis + 2) % 3)
        here = side == number
        x, y = points[here, across] / half[across], points[here, along] / half[along]
        total = np.zeros(len(x))
        for _ in range(int(rng.integers(0, 5))):
            cx, cy = rng.uniform(-0.6, 0.6, 2)
            wide, high = rng.uniform(0.05, 0.7, 2)
            edge = rng.uniform(0.02, 0.08)
            if rng.random() < 0.3:
                inside = min(wide, high) - np.hypot((x - cx) * half[across], (y - cy) * half[along])
            else:
                inside = np.minimum(wide - np.abs(x - cx), high - np.abs(y - cy))
            step = np.clip(inside / edge + 0.5, 0, 1) * np.clip(
                (0.93 - np.maximum(np.abs(x), np.abs(y))) / 0.05, 0, 1
            )
            total += rng.choice([-1, 1]) * depth * step * step * (3 - 2 * step)
        height[here] = total
    return height


def pebbly(rng: np.random.Generator, cells: int) -> Mesh:
    """A ball of pebbles: raspberries, walnuts, gravel."""
    mesh = blob(rng, cells) if rng.random() < 0.5 else sphere_mesh(cells)
    amount = rng.uniform(0.04, 0.22) * pebbled(mesh.vertices, rng, rng.uniform(2, 7))
    return moved_vertices(mesh, mesh.vertices + mesh.normals * amount[:, None].astype(np.float32))
