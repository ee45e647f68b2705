"""Triangle meshes in numpy: built from grids, displaced, joined, moved."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]
Indices = npt.NDArray[np.int32]


@dataclass(frozen=True)
class Mesh:
    """Triangles with smooth normals, counter-clockwise seen from outside.

    vertices, normals (V, 3) float32; faces (F, 3) int32; rest (V, 3) float32, where the vertex was before the
    object was moved (for solid textures); parts (F,) uint8, which surface of the object a triangle is of.
    """

    vertices: Array
    normals: Array
    faces: Indices
    rest: Array
    parts: npt.NDArray[np.uint8]


def build_mesh(vertices: npt.NDArray[np.floating], faces: npt.NDArray[np.integer], part: int = 0) -> Mesh:
    """A mesh of vertices (V, 3) and faces (F, 3), with vertices at one place made one."""
    points = np.ascontiguousarray(vertices, np.float32)
    keys = np.rint(points.astype(np.float64) * 2e5).astype(np.int64) & 0x1FFFFF
    _, first, same = np.unique(
        (keys[:, 0] << 42) | (keys[:, 1] << 21) | keys[:, 2], return_index=True, return_inverse=True
    )
    triangles = same.reshape(-1)[faces].astype(np.int32)
    real = (
        (triangles[:, 0] != triangles[:, 1])
        & (triangles[:, 1] != triangles[:, 2])
        & (triangles[:, 2] != triangles[:, 0])
    )
    points, triangles = points[first], np.ascontiguousarray(triangles[real])
    parts = np.full(len(triangles), part, np.uint8)
    return Mesh(points, smooth_normals(points, triangles), triangles, points.copy(), parts)


def smooth_normals(vertices: Array, faces: Indices) -> Array:
    """Unit normals (V, 3): the mean of the triangles around a vertex, by their area."""
    a, b, c = (vertices[faces[:, corner]] for corner in range(3))
    flat = np.cross(b - a, c - a)
    total = np.empty((len(vertices), 3), np.float32)
    around = faces.reshape(-1)
    for axis in range(3):
        total[:, axis] = np.bincount(around, np.repeat(flat[:, axis], 3), len(vertices))
    return normalised(total)


def normalised(vectors: npt.NDArray[np.floating]) -> Array:
    """Vectors (..., 3) of length one; zero stays zero."""
    length = np.sqrt(np.einsum("...i,...i->...", vectors, vectors))[..., None]
    return (vectors / np.maximum(length, 1e-20)).astype(np.float32)


def moved_vertices(mesh: Mesh, vertices: npt.NDArray[np.floating]) -> Mesh:
    """The mesh with other places for its vertices, and the normals of these."""
    points = np.ascontiguousarray(vertices, np.float32)
    return replace(mesh, vertices=points, normals=smooth_normals(points, mesh.faces))


def displaced(mesh: Mesh, amount: npt.NDArray[np.floating]) -> Mesh:
    """The mesh with each vertex moved by amount (V,) along its normal."""
    return moved_vertices(mesh, mesh.vertices + mesh.normals * amount[:, None].astype(np.float32))


def transformed(mesh: Mesh, rotation: npt.NDArray[np.floating], scale: float, shift: npt.ArrayLike) -> Mesh:
    """Rotated by a (3, 3) matrix, scaled, shifted; `rest` stays."""
    turn = rotation.astype(np.float32)
    points = (mesh.vertices @ turn.T) * np.float32(scale) + np.asarray(shift, np.float32)
    return replace(mesh, vertices=points.astype(np.float32), normals=mesh.normals @ turn.T)


def with_part(mesh: Mesh, part: int) -> Mesh:
    """The mesh with all its triangles of one part."""
    return replace(mesh, parts=np.full(len(mesh.faces), part, np.uint8))


def joined(meshes: Sequence[Mesh]) -> Mesh:
    """One mesh of several; parts keep their numbers."""
    offsets = np.cumsum([0, *(len(mesh.vertices) for mesh in meshes[:-1])])
    return Mesh(
        np.concatenate([mesh.vertices for mesh in meshes]),
        np.concatenate([mesh.normals for mesh in meshes]),
        np.concatenate([mesh.faces + np.int32(offset) for mesh, offset in zip(meshes, offsets, strict=True)]),
        np.concatenate([mesh.rest for mesh in meshes]),
        np.concatenate([mesh.parts for mesh in meshes]),
    )


def grid_faces(rows: int, columns: int, wrap_rows: bool = False, wrap_columns: bool = False) -> Indices:
    """Triangles (F, 3) of a grid of rows x columns points, numbered row by row."""
    index = np.arange(rows * columns, dtype=np.int32).reshape(rows, columns)
    if wrap_rows:
        index = np.concatenate([index, index[:1]])
    if wrap_columns:
        index = np.concatenate([index, index[:, :1]], 1)
    a, b = index[:-1, :-1].ravel(), index[1:, :-1].ravel()
    c, d = index[1:, 1:].ravel(), index[:-1, 1:].ravel()
    return np.concatenate([np.stack([a, b, c], -1), np.stack([a, c, d], -1)])


def grid_mesh(points: npt.NDArray[np.floating], wrap_columns: bool = False, wrap_rows: bool = False) -> Mesh:
    """A mesh of a grid of points (R, C, 3); outside is where (down the rows) x (along the columns) points."""
    rows, columns = points.shape[:2]
    return build_mesh(points.reshape(-1, 3), grid_faces(rows, columns, wrap_rows, wrap_columns))


@functools.cache
def cube_grid(cells: int) -> tuple[Array, Indices]:
    """Points (V, 3) of a cube from -1 to 1, cells x cells squares a side, and outward triangles (F, 3)."""
    line = np.linspace(-1, 1, cells + 1)
    u, v = np.meshgrid(line, line, indexing="ij")
    one = np.ones_like(u)
    sides = [
        np.stack(side, -1).reshape(-1, 3)
        for side in ((u, v, one), (v, u, -one), (one, u, v), (-one, v, u), (v, one, u), (u, -one, v))
    ]
    faces = grid_faces(cells + 1, cells + 1)
    mesh = build_mesh(
        np.concatenate(sides), np.concatenate([faces + side * (cells + 1) ** 2 for side in range(6)])
    )
    return mesh.vertices, mesh.faces


@functools.cache
def sphere_grid(cells: int) -> tuple[Array, Indices]:
    """Unit directions (V, 3) spread about evenly over the sphere, and outward triangles (F, 3)."""
    points, faces = cube_grid(cells)
    return normalised(np.tan(points * (np.pi / 4)).astype(np.float32)), faces


def sphere_mesh(cells: int) -> Mesh:
    """A unit sphere of 6 cells^2 squares."""
    points, faces = sphere_grid(cells)
    parts = np.zeros(len(faces), np.uint8)
    return Mesh(points, points, faces, points, parts)


def rotation_about(axis: npt.NDArray[np.floating], angle: float) -> npt.NDArray[np.float64]:
    """The rotation (3, 3) by an angle in radians about an axis (Rodrigues)."""
    x, y, z = np.asarray(axis, np.float64) / max(float(np.linalg.norm(axis)), 1e-12)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * (cross @ cross)


def random_rotation(rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """A rotation (3, 3), every one as likely (QR of a Gaussian matrix)."""
    q, r = np.linalg.qr(rng.normal(size=(3, 3)))
    q = q * np.sign(np.diag(r))
    return q * np.sign(np.linalg.det(q))
