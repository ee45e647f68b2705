"""One light at a time: what a camera sees of a mesh under each of several lights, by ray tracing (Embree)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ...errors import EngineError
from .meshes import Array, Mesh, normalised

FIRST_OBJECT_PART = 8
"""Parts below this are floor and walls; 0 is where nothing is."""

_OPEN = -1  # what the tracer answers for a ray that meets nothing
_OFFSET = 4e-4  # scene units; a picture is about one unit high


@dataclass(frozen=True)
class Lights:
    """Lights at infinity: direction (L, 3) unit, towards the light; radius (L,) of their disc in radians."""

    direction: Array
    radius: Array


@dataclass(frozen=True)
class Scene:
    """A mesh in camera space (x right, y up, z to the camera, centre at the origin, 1 = picture height).

    focal: the camera's distance from the origin and its focal length in picture heights; None: orthographic.
    """

    mesh: Mesh
    lights: Lights
    focal: float | None


@dataclass(frozen=True)
class Hits:
    """What rays met: every array has one row a ray that met something; ray (M,) is its number."""

    ray: npt.NDArray[np.int64]
    point: Array
    normal: Array
    start: Array
    rest: Array
    part: npt.NDArray[np.uint8]


class Tracer:
    """A mesh, ready for rays."""

    def __init__(self, mesh: Mesh) -> None:
        rtcore_scene, mesh_construction = _embree()
        self._mesh = mesh
        self._scene = rtcore_scene.EmbreeScene()
        self._built = mesh_construction.TriangleMesh(self._scene, mesh.vertices, mesh.faces)

    def open_sky(self, origins: Array, directions: Array) -> npt.NDArray[np.bool_]:
        """Whether each ray (M,) leaves without meeting anything."""
        if not len(origins):
            return np.zeros(0, np.bool_)
        return self._scene.run(origins, directions, query="OCCLUDED") == _OPEN

    def nearest(self, origins: Array, directions: Array) -> Hits:
        """What each ray meets first."""
        found = self._scene.run(origins, directions, output=1)
        ray = np.flatnonzero(found["primID"] >= 0)
        return self._interpolated(
            ray, found["primID"][ray], found["u"][ray], found["v"][ray], directions[ray]
        )

    def _interpolated(
        self, ray: npt.NDArray[np.int64], triangle: Any, u: Array, v: Array, direction: Array
    ) -> Hits:
        mesh = self._mesh
        corners = mesh.faces[triangle]
        weights = (1 - u - v, u, v)
        points = [mesh.vertices[corners[:, corner]] for corner in range(3)]
        normals = [mesh.normals[corners[:, corner]] for corner in range(3)]
        point = sum(w[:, None] * p for w, p in zip(weights, points, strict=True))
        rest = sum(w[:, None] * mesh.rest[corners[:, corner]] for corner, w in enumerate(weights))
        flat = normalised(np.cross(points[1] - points[0], points[2] - points[0]))
        smooth = normalised(sum(w[:, None] * n for w, n in zip(weights, normals, strict=True)))
        facing = np.where(np.einsum("ij,ij->i", flat, direction) > 0, -1, 1).astype(np.float32)[:, None]
        flat, smooth = flat * facing, smooth * facing
        lifted = _off_the_facets(point, points, [normal * facing for normal in normals], weights)
        start = lifted + flat * np.float32(_OFFSET)
        smooth = _towards_viewer(smooth, direction)
        return Hits(ray, point, smooth, start.astype(np.float32), rest, mesh.parts[triangle])


def _embree() -> tuple[Any, Any]:
    try:
        from embreex import mesh_construction, rtcore_scene
    except ImportError as error:
        raise EngineError(
            f"The soundstage traces rays with embreex, which cannot be loaded here ({error}). "
            "Install the extra: pip install 'interpositive[soundstage]'."
        ) from error
    return rtcore_scene, mesh_construction


def _off_the_facets(
    point: Array, corners: list[Array], normals: list[Array], weights: tuple[Any, ...]
) -> Array:
    """Points raised from flat triangles to the rounder surface that their normals tell of.

    Rays to a light that start there do not graze the neighbouring facets. Johannes Hanika, "Hacking the
    Shadow Terminator" (Ray Tracing Gems II, 2021).
    """
    raised = point.copy()
    for corner, normal, weight in zip(corners, normals, weights, strict=True):
        below = np.minimum(np.einsum("ij,ij->i", point - corner, normal), 0)
        raised -= (weight * below)[:, None] * normal
    return raised


def _towards_viewer(normal: Array, direction: Array) -> Array:
    """Normals bent just enough to face the ray that met them."""
    away = np.einsum("ij,ij->i", normal, direction)
    bend = np.maximum(away + 0.02, 0)[:, None]
    return normalised(normal - bend * direction)


def view_rays(size: int, focal: float | None) -> tuple[Array, Array]:
    """Origins and unit directions (size^2, 3) through the middles of a square picture's pixels."""
    line = (np.arange(size, dtype=np.float32) + 0.5) / size - 0.5
    x, y = np.meshgrid(line, -line)
    flat = np.stack([x.ravel(), y.ravel(), np.zeros(size * size, np.float32)], -1)
    if focal is None:
        origins = flat + np.array([0, 0, 10], np.float32)
        return origins.astype(np.float32), np.broadcast_to(
            np.array([0, 0, -1], np.float32), origins.shape
        ).copy()
    origins = np.broadcast_to(np.array([0, 0, focal], np.float32), flat.shape).copy()
    return origins, normalised(flat - np.array([0, 0, focal], np.float32))


def disc_samples(count: int, strata: int, rng: np.random.Generator) -> Array:
    """Offsets (count, 2) in the unit disc, each run of strata^2 of them even over it (Shirley and Chiu)."""
    square = stratified(count, strata, rng) * 2 - 1
    a, b = square[:, 0], square[:, 1]
    first = np.abs(a) > np.abs(b)
    radius = np.where(first, a, b)
    with np.errstate(divide="ignore", invalid="ignore"):
        angle = np.where(first, (np.pi / 4) * (b / a), (np.pi / 2) - (np.pi / 4) * (a / b))
    angle = np.where(np.isfinite(angle), angle, 0)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], -1).astype(np.float32)


def stratified(count: int, strata: int, rng: np.random.Generator) -> Array:
    """Points (count, 2) in the unit square, each run of strata^2 in different cells, in a random order."""
    runs = -(-count // strata**2)
    order = np.argsort(rng.random((runs, strata**2), np.float32), 1).ravel()[:count]
    cells = np.stack([order // strata, order % strata], -1)
    return ((cells + rng.random((count, 2), np.float32)) / strata).astype(np.float32)


def around(axis: Array, local: Array) -> Array:
    """Vectors (M, 3) given about the z axis, turned to be about unit axes (M, 3).

    Duff et al., "Building an Orthonormal Basis, Revisited" (JCGT 2017).
    """
    x, y, z = axis[:, 0], axis[:, 1], axis[:, 2]
    sign = np.where(z < 0, -1, 1).astype(np.float32)
    a = -1 / (sign + z)
    b = x * y * a
    first = np.stack([1 + sign * x * x * a, sign * b, -sign * x], -1)
    second = np.stack([b, sign + y * y * a, -y], -1)
    return (local[:, :1] * first + local[:, 1:2] * second + local[:, 2:] * axis).astype(np.float32)


def cosine_directions(normal: Array, samples: Array) -> Array:
    """Directions (M, 3) about normals, as dense as the cosine, from disc samples (M, 2) (Malley's method)."""
    height = np.sqrt(np.maximum(1 - np.einsum("ij,ij->i", samples, samples), 0))
    return around(normal, np.concatenate([samples, height[:, None]], 1))


def shadow_rays(direction: Array, radius: float, samples: Array) -> Array:
    """Directions (M, 3), not of unit length, to places on a light's disc: samples (M, 2) of the unit disc."""
    across = around(np.repeat(direction[None], 2, 0), np.eye(3, dtype=np.float32)[:2])
    return direction + np.float32(np.tan(radius)) * (samples @ across)


def direct_light(tracer: Tracer, hits: Hits, lights: Lights, rng: np.random.Generator) -> Array:
    """max(n.l, 0) x visibility (L, M): a shadow ray a hit and light, to anywhere on the light's disc."""
    result = np.zeros((len(lights.direction), len(hits.ray)), np.float32)
    samples = disc_samples(len(hits.ray), 2, rng)
    for number, (direction, radius) in enumerate(zip(lights.direction, lights.radius, strict=True)):
        facing = hits.normal @ direction
        lit = np.flatnonzero(facing > 0)
        clear = tracer.open_sky(hits.start[lit], shadow_rays(direction, radius, samples[lit]))
        result[number, lit] = facing[lit] * clear
    return result
