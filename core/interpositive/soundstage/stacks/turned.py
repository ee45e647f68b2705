"""Turned and drawn forms: cups, bottles, vases, columns; tubes, ropes, knots, rings."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .meshes import Mesh, grid_mesh, joined, moved_vertices, normalised, with_part
from .noise import fractal

Points = npt.NDArray[np.float64]


def rounded_line(corners: Points, count: int, passes: int = 3, keep: float = 0.15) -> Points:
    """A line (N, D) with its corners cut (Chaikin), at count places equally far apart."""
    line = np.asarray(corners, np.float64)
    for number in range(passes):
        cut = keep if number == 0 else 0.25
        near = line[:-1] + cut * (line[1:] - line[:-1])
        far = line[:-1] + (1 - cut) * (line[1:] - line[:-1])
        line = np.concatenate([line[:1], np.stack([near, far], 1).reshape(-1, line.shape[1]), line[-1:]])
    return evenly(line, count)


def evenly(line: Points, count: int) -> Points:
    """Count points equally far apart along a line (N, D)."""
    length = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))])
    places = np.linspace(0, length[-1], count)
    return np.stack([np.interp(places, length, line[:, axis]) for axis in range(line.shape[1])], -1)


def turned(profile: Points, around: int, part: int = 0) -> Mesh:
    """A surface of revolution about y; the profile (N, 2), radius and height, begins at the outside's top."""
    angle = np.linspace(0, 2 * np.pi, around, endpoint=False)
    radius, height = profile[:, :1], profile[:, 1:]
    points = np.stack(
        [radius * np.sin(angle), np.broadcast_to(height, (len(profile), around)), radius * np.cos(angle)], -1
    )
    return with_part(grid_mesh(points, wrap_columns=True), part)


def vessel(rng: np.random.Generator, cells: int) -> Mesh:
    """A cup, bowl, bottle, jar or vase, open or closed, with a handle at times."""
    height, foot = rng.uniform(0.5, 2.4), rng.uniform(0.3, 0.8)
    number = int(rng.integers(2, 7))
    radii = np.concatenate([[foot], foot + np.cumsum(rng.normal(0, 0.22, number))]).clip(0.12, 1.1)
    if rng.random() < 0.3:
        radii[:] = np.linspace(foot, foot * rng.uniform(0.7, 1.4), len(radii))  # straight, as a mug
    levels = np.sort(np.concatenate([[0, 1], rng.uniform(0.08, 0.92, len(radii) - 2)])) * height
    wall = np.stack([radii, levels], -1)[::-1]
    corners: list[Points] = [wall, np.zeros((1, 2))]
    is_open = rng.random() < 0.65
    if is_open:
        thick = rng.uniform(0.03, 0.1)
        inside = np.maximum(wall[::-1] - [thick, 0], [0.03, thick * 1.5])
        inside = inside[inside[:, 0] > 0.031]
        inside[-1, 1] = wall[0, 1]
        corners = [np.array([[0.0, thick * 1.5]]), inside, *corners]
    else:
        corners = [np.array([[0.0, levels[-1]]]), *corners]
    profile = rounded_line(np.concatenate(corners), 5 * cells, 3, float(rng.choice([0.04, 0.15, 0.3])))
    mesh = turned(profile, 4 * cells)
    if rng.random() < 0.3:
        mesh = fluted(mesh, rng)
    if is_open and rng.random() < 0.5 and height < 1.8:
        return joined([mesh, _handle(wall, rng, cells)])
    return mesh


def fluted(mesh: Mesh, rng: np.random.Generator) -> Mesh:
    """Ribs or spirals around a turned mesh."""
    x, y, z = mesh.vertices.T
    turns = int(rng.integers(5, 28))
    phase = turns * np.arctan2(x, z) + rng.choice([0, 0, 1]) * rng.uniform(2, 9) * y
    wave = np.cos(phase) if rng.random() < 0.5 else np.abs(np.cos(phase / 2)) * 2 - 1
    scale = 1 + min(0.1, 0.8 / turns) * rng.uniform(0.3, 1) * wave
    return moved_vertices(mesh, mesh.vertices * np.stack([scale, np.ones_like(scale), scale], -1))


def _handle(wall: Points, rng: np.random.Generator, cells: int) -> Mesh:
    low, high = wall[-1, 1], wall[0, 1]
    ends = np.array([low + 0.2 * (high - low), low + rng.uniform(0.65, 0.92) * (high - low)])
    radius = np.interp(ends, wall[::-1, 1], wall[::-1, 0])
    out = radius.max() + rng.uniform(0.2, 0.5)
    corners = np.array(
        [
            [radius[0] * 0.97, ends[0], 0],
            [out, ends[0] + 0.05, 0],
            [out, ends[1], 0],
            [radius[1] * 0.97, ends[1], 0],
        ]
    )
    line = rounded_line(corners, 2 * cells, 4, 0.25)
    return tube(line, np.full(len(line), rng.uniform(0.04, 0.1)), max(cells // 2, 12), part=1)


def tube(
    line: Points, radius: Points, around: int, part: int = 0, flat: float = 1.0, closed: bool = False
) -> Mesh:
    """A tube of radius (N,) along an open line (N, 3), closed at both ends; flat < 1 makes it a band.

    The frame goes along the line without twisting (Wang et al., "Computation of Rotation Minimizing
    Frames", 2008; here by projection).
    """
    tangent = normalised(np.gradient(line, axis=0)).astype(np.float64)
    side = np.cross(tangent[0], [0.3, 0.9, 0.2])
    sides = []
    for direction in tangent:
        side = side - direction * (side @ direction)
        side = side / max(float(np.linalg.norm(side)), 1e-9)
        sides.append(side)
    first = np.array(sides)
    second = np.cross(tangent, first)
    angle = np.linspace(0, 2 * np.pi, around, endpoint=False)[None, :, None]
    ring = np.cos(angle) * first[:, None] + flat * np.sin(angle) * second[:, None]
    points = line[:, None] + np.asarray(radius)[:, None, None] * ring
    if closed:
        points = _untwisted(line, np.asarray(radius), first, second, angle, flat)
        return with_part(grid_mesh(points[::-1], wrap_columns=True, wrap_rows=True), part)
    caps = [np.broadcast_to(line[end], (1, around, 3)) for end in (0, -1)]
    # Rows go along the line: (along x around) points outwards only with the rows reversed.
    return with_part(grid_mesh(np.concatenate([caps[0], points, caps[1]])[::-1], wrap_columns=True), part)


def _untwisted(
    line: Points, radius: Points, first: Points, second: Points, angle: Points, flat: float
) -> Points:
    """The rings of a closed tube, its frame turned little by little so that the ends fit."""
    tangent = normalised(line[0] - line[-1]).astype(np.float64)
    carried = first[-1] - tangent * (first[-1] @ tangent)
    gap = np.arctan2(carried @ second[0], carried @ first[0])
    turn = (-gap * np.linspace(0, 1, len(line), endpoint=False))[:, None]
    side = np.cos(turn) * first + np.sin(turn) * second
    other = -np.sin(turn) * first + np.cos(turn) * second
    ring = np.cos(angle) * side[:, None] + flat * np.sin(angle) * other[:, None]
    return line[:, None] + radius[:, None, None] * ring


def knot(rng: np.random.Generator, cells: int) -> Mesh:
    """A torus knot, ring, spring or tangled cable."""
    kind = rng.random()
    count = 10 * cells
    closed = kind < 0.4
    turn = np.linspace(0, 2 * np.pi, count, endpoint=not closed)
    if closed:
        p, q = ((1, 0), (2, 3), (3, 2), (2, 5), (3, 4), (1, 3))[int(rng.integers(6))]
        reach = 1 + rng.uniform(0.25, 0.45) * np.cos(q * turn)
        line = np.stack([reach * np.cos(p * turn), reach * np.sin(p * turn), 0.45 * np.sin(q * turn)], -1)
    elif kind < 0.6:
        loops = rng.uniform(2, 6)
        line = np.stack(
            [np.cos(loops * turn), np.linspace(-1, 1, count) * rng.uniform(0.6, 1.6), np.sin(loops * turn)],
            -1,
        )
    else:
        waves = [
            rng.normal(size=3)
            / wave
            * np.sin(wave * turn[:, None] * rng.uniform(0.6, 1) + rng.uniform(0, 6, 3))
            for wave in (1, 2, 3, 4)
        ]
        line = np.sum(waves, 0)
    thick = rng.uniform(0.08, 0.28) * np.ones(count)
    if not closed:
        thick = thick * (1 + rng.uniform(0, 0.3) * fractal(line, rng, 2, 1))
    return tube(line, thick, max(cells, 16), flat=float(rng.choice([1, 1, 0.4])), closed=closed)
