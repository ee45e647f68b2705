"""Built things: steps, columns, arches, mouldings, stacks of books and boxes, shelves."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .meshes import Mesh, grid_mesh, joined, rotation_about, transformed, with_part
from .solids import box, rounded_box
from .turned import fluted, rounded_line, turned


def structure(rng: np.random.Generator, cells: int) -> Mesh:
    """One of the built things."""
    kinds = (steps, column, arch, moulding, pile, pile, furniture)
    return kinds[int(rng.integers(len(kinds)))](rng, cells)


def _block(size: npt.ArrayLike, place: npt.ArrayLike, cells: int, edge: float, part: int) -> Mesh:
    mesh = rounded_box(np.asarray(size, np.float64), edge, cells, part)
    return transformed(mesh, np.eye(3), 1.0, np.asarray(place, np.float64))


def steps(rng: np.random.Generator, cells: int) -> Mesh:
    """A flight of steps."""
    number, wide = int(rng.integers(3, 8)), rng.uniform(0.4, 1.0)
    rise, tread = 1.4 / number, rng.uniform(1.0, 1.8) / number
    blocks = []
    for step in range(number):
        high = rise * (number - step) / 2
        place = (0, high - 0.7, tread * (step - number / 2))
        blocks.append(
            _block((wide, high, tread * 0.5), place, cells // 2, rng.uniform(0.005, 0.03), step % 2)
        )
    return joined(blocks)


def column(rng: np.random.Generator, cells: int) -> Mesh:
    """A column, baluster or lamp foot: rings, fluted shaft, square plinth."""
    number = int(rng.integers(5, 14))
    radii = rng.uniform(0.18, 0.5, number)
    levels = np.sort(rng.uniform(-0.95, 0.95, number))[::-1]
    levels[[0, -1]] = 1, -1
    corners = np.stack([np.repeat(radii, 2), np.repeat(levels, 2)], -1)
    corners[1:-1, 1] = np.repeat((levels[:-1] + levels[1:]) / 2, 2)
    corners = np.concatenate([[[0, 1]], corners, [[0, -1]]])
    shaft = turned(rounded_line(corners, 4 * cells, 3, float(rng.choice([0.05, 0.2]))), 3 * cells)
    if rng.random() < 0.6:
        shaft = fluted(shaft, rng)
    wide = rng.uniform(0.4, 0.6)
    parts = [shaft, _block((wide, 0.1, wide), (0, -1.05, 0), cells // 2, 0.02, 1)]
    if rng.random() < 0.5:
        parts.append(_block((wide, 0.08, wide), (0, 1.05, 0), cells // 2, 0.02, 1))
    return joined(parts)


def arch(rng: np.random.Generator, cells: int) -> Mesh:
    """Two pillars and the arch or lintel on them."""
    wide, thick, deep = rng.uniform(0.5, 0.8), rng.uniform(0.12, 0.25), rng.uniform(0.12, 0.4)
    edge = rng.uniform(0.01, 0.04)
    pillars = [_block((thick, 0.6, deep), (side * wide, -0.6, 0), cells // 2, edge, 0) for side in (-1, 1)]
    if rng.random() < 0.4:
        lintel = _block((wide + 1.6 * thick, thick, deep * 1.1), (0, thick, 0), cells // 2, edge, 1)
        return joined([*pillars, lintel])
    angle = np.linspace(0, np.pi, 2 * cells)[:, None]
    corners = np.array([[thick, deep], [-thick, deep], [-thick, -deep], [thick, -deep], [thick, deep]])
    ring = rounded_line(corners, 60, 3, 0.08)[:-1]
    reach = wide + ring[None, :, 0]
    arc = np.stack([-np.cos(angle) * reach, np.sin(angle) * reach, ring[None, :, 1] + 0 * angle], -1)
    return joined([*pillars, with_part(grid_mesh(arc[::-1], wrap_columns=True), 1)])


def moulding(rng: np.random.Generator, cells: int) -> Mesh:
    """A length of profile: picture frame, cornice, corrugated sheet, radiator."""
    number = int(rng.integers(4, 16))
    across = np.linspace(-1, 1, number)
    depth = rng.normal(0, rng.uniform(0.05, 0.25), number)
    if rng.random() < 0.35:
        depth = np.asarray(rng.uniform(0.08, 0.25) * (-1.0) ** np.arange(number), np.float64)
    line = rounded_line(np.stack([across, depth], -1), 4 * cells, 3, float(rng.choice([0.05, 0.2])))
    along = np.linspace(-1, 1, 2 * cells)[:, None]
    bow = rng.uniform(-0.3, 0.3) * along**2
    points = np.stack(
        [line[None, :, 0] + 0 * along, along + 0 * line[None, :, 0], line[None, :, 1] + bow], -1
    )
    # (down the rows) x (along the columns) = y x x = -z: turned to face z.
    return grid_mesh(points[::-1])


def pile(rng: np.random.Generator, cells: int) -> Mesh:
    """Books, crates or bricks on top of each other, not quite aligned."""
    parts, level = [], -0.8
    flat = rng.random() < 0.6
    for number in range(int(rng.integers(2, 7))):
        high = rng.uniform(0.05, 0.16) if flat else rng.uniform(0.12, 0.35)
        size = np.array([rng.uniform(0.4, 0.75), high, rng.uniform(0.4, 0.75)])
        block = rounded_box(size, rng.uniform(0.01, 0.05), max(cells // 2, 24), number % 5)
        turn = rotation_about(np.array([0, 1, 0]), rng.normal(0, 0.3))
        place = (rng.normal(0, 0.06), level + high, rng.normal(0, 0.06))
        parts.append(transformed(block, turn, 1.0, place))
        level += 2 * high
    return joined(parts)


def furniture(rng: np.random.Generator, cells: int) -> Mesh:
    """A table, stool, shelf or chair of boards and legs."""
    edge, thick = rng.uniform(0.01, 0.04), rng.uniform(0.04, 0.12)
    wide, deep, leg = rng.uniform(0.5, 0.9), rng.uniform(0.4, 0.8), rng.uniform(0.04, 0.12)
    parts = [_block((wide, thick, deep), (0, 0.1, 0), cells // 2, edge, 0)]
    for x in (-1, 1):
        for z in (-1, 1):
            place = (x * (wide - leg), -0.4, z * (deep - leg))
            parts.append(_block((leg, 0.5, leg), place, max(cells // 4, 12), edge, 1))
    if rng.random() < 0.5:
        parts.append(_block((wide, rng.uniform(0.3, 0.5), thick * 0.7), (0, 0.6, -deep), cells // 2, edge, 2))
    if rng.random() < 0.4:
        parts.append(transformed(box(rng, cells // 2), np.eye(3), 0.3, (0, 0.45, 0)))
    return joined(parts)
