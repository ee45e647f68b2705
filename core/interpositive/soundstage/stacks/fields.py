"""Signed distances on a grid, blended and cut, and their surface as a mesh."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from .meshes import Array, Mesh, build_mesh

Vector = Sequence[float] | npt.NDArray[np.floating]
Distance = Callable[[Array, Array, Array], Array]

_FAR = np.float32(9)


class Field:
    """Distances to a surface on a grid of `cells` a side over -extent..extent; below zero is inside.

    Forms are added one by one: each is computed only near itself and blended over `blend` with what is
    there, by the polynomial smooth minimum (Inigo Quilez, "Smooth minimum").
    """

    def __init__(self, cells: int, extent: float = 1.5) -> None:
        self._line = np.linspace(-extent, extent, cells, dtype=np.float32)
        self._values = np.full((cells, cells, cells), _FAR, np.float32)
        self._owner = np.zeros((cells, cells, cells), np.uint8)

    @property
    def spacing(self) -> float:
        """The distance of neighbouring grid points."""
        return float(self._line[1] - self._line[0])

    def add(self, distance: Distance, low: Vector, high: Vector, blend: float = 0.0, part: int = 0) -> None:
        """Add a form that lies in the box from low to high."""
        block, x, y, z = self._block(low, high, blend + 3 * self.spacing)
        if block is None:
            return
        new, old = distance(x, y, z), self._values[block]
        owner = self._owner[block]
        owner[np.broadcast_to(new, old.shape) < old] = part
        self._values[block] = smooth_minimum(old, new, blend)

    def cut(self, distance: Distance, low: Vector, high: Vector, blend: float = 0.0) -> None:
        """Take a form away."""
        block, x, y, z = self._block(low, high, blend + 3 * self.spacing)
        if block is not None:
            self._values[block] = -smooth_minimum(-self._values[block], distance(x, y, z), blend)

    def ball(
        self,
        centre: Vector,
        radii: Vector | float,
        blend: float,
        part: int = 0,
        turn: npt.NDArray[np.floating] | None = None,
    ) -> None:
        """Add an ellipsoid; `turn` (3, 3) rotates it."""
        form, reach = ellipsoid(centre, radii, turn)
        self.add(form, np.asarray(centre) - reach, np.asarray(centre) + reach, blend, part)

    def cut_ball(self, centre: Vector, radii: Vector | float, blend: float) -> None:
        """Take an ellipsoid away."""
        form, reach = ellipsoid(centre, radii, None)
        self.cut(form, np.asarray(centre) - reach, np.asarray(centre) + reach, blend)

    def limb(self, points: Sequence[Vector], radii: Sequence[float], blend: float, part: int = 0) -> None:
        """Add a chain of round cones through points, one radius at each."""
        for start, end, first, last in zip(points[:-1], points[1:], radii[:-1], radii[1:], strict=True):
            a, b = np.asarray(start, np.float32), np.asarray(end, np.float32)
            reach = max(first, last)
            self.add(
                round_cone(a, b, first, last), np.minimum(a, b) - reach, np.maximum(a, b) + reach, blend, part
            )

    def mesh(self) -> Mesh:
        """The surface, each triangle of the part that was nearest."""
        return _surface(self._values, self._owner, self._line)

    def _block(
        self, low: Vector, high: Vector, margin: float
    ) -> tuple[tuple[slice, ...] | None, Array, Array, Array]:
        line = self._line
        first = np.searchsorted(line, np.asarray(low, np.float64) - margin)
        last = np.searchsorted(line, np.asarray(high, np.float64) + margin)
        if (first >= last).any():
            return None, line, line, line
        block = tuple(slice(int(a), int(b)) for a, b in zip(first, last, strict=True))
        x, y, z = line[block[0]], line[block[1]], line[block[2]]
        return block, x[:, None, None], y[None, :, None], z[None, None, :]


def smooth_minimum(a: Array, b: Array, blend: float) -> Array:
    """The lesser of two distances, rounded over `blend`."""
    if blend <= 0:
        return np.minimum(a, b)
    near = np.maximum(1 - np.abs(a - b) / np.float32(blend), 0)
    return (np.minimum(a, b) - near * near * np.float32(blend / 4)).astype(np.float32)


def ellipsoid(
    centre: Vector, radii: Vector | float, turn: npt.NDArray[np.floating] | None
) -> tuple[Distance, float]:
    """A distance (approximate away from the surface) and how far the form reaches."""
    c = np.asarray(centre, np.float32)
    r = np.broadcast_to(np.asarray(radii, np.float32), (3,)).astype(np.float32)

    def distance(x: Array, y: Array, z: Array) -> Array:
        local = [x - c[0], y - c[1], z - c[2]]
        if turn is not None:
            m = np.asarray(turn, np.float32)
            local = [m[0, i] * local[0] + m[1, i] * local[1] + m[2, i] * local[2] for i in range(3)]
        one = sum((p / s) ** 2 for p, s in zip(local, r, strict=True))
        two = sum((p / (s * s)) ** 2 for p, s in zip(local, r, strict=True))
        length = np.sqrt(one)
        return length * (length - 1) / np.sqrt(np.maximum(two, 1e-12))

    return distance, float(r.max())


def round_cone(a: Array, b: Array, first: float, last: float) -> Distance:
    """A capsule from a to b whose radius goes from first to last."""
    along = b - a
    square = max(float(along @ along), 1e-9)

    def distance(x: Array, y: Array, z: Array) -> Array:
        px, py, pz = x - a[0], y - a[1], z - a[2]
        share = np.clip((px * along[0] + py * along[1] + pz * along[2]) / np.float32(square), 0, 1)
        gap = (px - share * along[0]) ** 2 + (py - share * along[1]) ** 2 + (pz - share * along[2]) ** 2
        return np.sqrt(gap) - (np.float32(first) + np.float32(last - first) * share)

    return distance


def round_box(centre: Vector, half: Vector, radius: float, turn: npt.NDArray[np.floating]) -> Distance:
    """A rotated box with rounded edges (Quilez, "Distance functions")."""
    c, h, m = np.asarray(centre, np.float32), np.asarray(half, np.float32), np.asarray(turn, np.float32)

    def distance(x: Array, y: Array, z: Array) -> Array:
        px, py, pz = x - c[0], y - c[1], z - c[2]
        gaps = [
            np.abs(m[0, i] * px + m[1, i] * py + m[2, i] * pz) - (h[i] - np.float32(radius)) for i in range(3)
        ]
        outside = np.sqrt(sum(np.maximum(gap, 0) ** 2 for gap in gaps))
        inside = np.minimum(np.maximum(np.maximum(gaps[0], gaps[1]), gaps[2]), 0)
        return outside + inside - np.float32(radius)

    return distance


def _surface(values: Array, owner: npt.NDArray[np.uint8], line: Array) -> Mesh:
    """Naive surface nets: a vertex in each cell that the surface crosses, the mean of its edges' crossings.

    Sarah Gibson, "Constrained Elastic Surface Nets" (MICCAI 1998), without the relaxation.
    """
    inside = values < 0
    count = np.zeros(tuple(n - 1 for n in values.shape), np.uint8)
    for corner in np.ndindex(2, 2, 2):
        count += inside[_corner(corner, values.shape)]
    cells = np.argwhere((count > 0) & (count < 8))
    index = np.full(count.shape, -1, np.int32)
    index[tuple(cells.T)] = np.arange(len(cells), dtype=np.int32)
    points = _crossings(values, cells)
    spacing = line[1] - line[0]
    faces = np.concatenate([_quads(inside, index, axis) for axis in range(3)])
    mesh = build_mesh(line[0] + points * spacing, faces)
    nearest = np.rint((mesh.vertices[mesh.faces[:, 0]] - line[0]) / spacing).astype(np.int64)
    parts = owner[tuple(nearest.T)]
    return Mesh(mesh.vertices, mesh.normals, mesh.faces, mesh.rest, parts)


def _corner(corner: tuple[int, ...], shape: tuple[int, ...]) -> tuple[slice, ...]:
    return tuple(slice(step, size - 1 + step) for step, size in zip(corner, shape, strict=True))


def _crossings(values: Array, cells: npt.NDArray[np.int64]) -> Array:
    """Grid coordinates (M, 3) of the vertices of cells (M, 3)."""
    corners = {c: values[tuple((cells + c).T)] for c in np.ndindex(2, 2, 2)}
    total, found = np.zeros((len(cells), 3), np.float32), np.zeros(len(cells), np.float32)
    for axis in range(3):
        for corner in np.ndindex(2, 2, 2):
            if corner[axis]:
                continue
            other = tuple(1 if i == axis else step for i, step in enumerate(corner))
            a, b = corners[corner], corners[other]
            crosses = (a < 0) != (b < 0)
            share = np.where(crosses, a / np.where(crosses, a - b, 1), 0)
            total += crosses[:, None] * np.asarray(corner, np.float32)
            total[:, axis] += share
            found += crosses
    return (cells + total / found[:, None]).astype(np.float32)


def _quads(inside: npt.NDArray[np.bool_], index: npt.NDArray[np.int32], axis: int) -> npt.NDArray[np.int32]:
    """Triangles (F, 3) across the grid edges along one axis that the surface crosses."""
    turned, numbers = np.moveaxis(inside, axis, 0), np.moveaxis(index, axis, 0)
    change = turned[:-1] != turned[1:]
    change[:, [0, -1], :] = False
    change[:, :, [0, -1]] = False
    at, u, v = np.nonzero(change)
    a, b = numbers[at, u - 1, v - 1], numbers[at, u, v - 1]
    c, d = numbers[at, u, v], numbers[at, u - 1, v]
    # Outwards is along +axis where the first point is inside; (u, v) are right-handed about x and z, not y.
    keep = turned[at, u, v] ^ (axis == 1)
    b, d = np.where(keep, b, d), np.where(keep, d, b)
    return np.concatenate([np.stack([a, b, c], -1), np.stack([a, c, d], -1)]).astype(np.int32)
