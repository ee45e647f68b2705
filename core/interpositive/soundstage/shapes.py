"""Solid shapes as signed distances, and where rays meet them.

Points and directions are float32 (3, N), one column a ray; distances are float32 (N,) in stage units.
Rays meet a shape by sphere tracing (J. C. Hart, "Sphere tracing", The Visual Computer 12, 1996) between
the two sides of its bounding box; balls and planes are met in closed form.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating[Any]]  # float32 throughout; NumPy's stubs see float64 beside a Python number

_SURFACE_EPSILON = 1.2e-3
_MARCH_STEPS = 72
_MISS = np.float32(np.inf)


@dataclass(frozen=True)
class Shape:
    """A solid around its own origin.

    kind        size
    "ball"      (radius, _, _)
    "box"       half width, half height, half depth; edges rounded by `rounding`
    "cylinder"  (radius, half height, _) along y; rims rounded by `rounding`
    "torus"     (ring radius, tube radius, _) in the x-y plane
    "capsule"   (radius, half length, _) along y
    """

    kind: Literal["ball", "box", "cylinder", "torus", "capsule"]
    size: tuple[float, float, float]
    rounding: float = 0.0

    @property
    def half_extent(self) -> tuple[float, float, float]:
        """Half size of the tightest axis-aligned box around the solid."""
        a, b, c = self.size
        if self.kind == "ball":
            return (a, a, a)
        if self.kind == "cylinder":
            return (a, b, a)
        if self.kind == "torus":
            return (a + b, a + b, b)
        if self.kind == "capsule":
            return (a, b + a, a)
        return (a, b, c)

    def distance(self, points: Array) -> Array:
        """Signed distance (N,) from local `points` (3, N) to the surface; negative inside."""
        x, y, z = points
        a, b, c = self.size
        r = self.rounding
        if self.kind == "ball":
            return np.sqrt(x * x + y * y + z * z) - a
        if self.kind == "box":
            qx, qy, qz = np.abs(x) - (a - r), np.abs(y) - (b - r), np.abs(z) - (c - r)
            inside = np.minimum(np.maximum(np.maximum(qx, qy), qz), 0)
            qx, qy, qz = np.maximum(qx, 0), np.maximum(qy, 0), np.maximum(qz, 0)
            return np.sqrt(qx * qx + qy * qy + qz * qz) + inside - r
        if self.kind == "cylinder":
            q, h = np.sqrt(x * x + z * z) - (a - r), np.abs(y) - (b - r)
            inside = np.minimum(np.maximum(q, h), 0)
            q, h = np.maximum(q, 0), np.maximum(h, 0)
            return np.sqrt(q * q + h * h) + inside - r
        if self.kind == "torus":
            q = np.sqrt(x * x + y * y) - a
            return np.sqrt(q * q + z * z) - b
        h = y - np.clip(y, -b, b)
        return np.sqrt(x * x + h * h + z * z) - a


@dataclass(frozen=True)
class Blob(Shape):
    """An organic form: balls (x, y, z, radius) that flow into each other, with folds on them.

    Smooth union: I. Quilez, "smooth minimum", exponential form. `folds` is (height, waves a unit).
    """

    balls: tuple[tuple[float, float, float, float], ...] = ()
    folds: tuple[float, float] = (0.0, 1.0)

    @property
    def half_extent(self) -> tuple[float, float, float]:
        """Half size of a box around the form."""
        reach = np.max([np.abs(b[:3]) + b[3] for b in np.asarray(self.balls)], axis=0) + 0.12 + self.folds[0]
        return (float(reach[0]), float(reach[1]), float(reach[2]))

    def distance(self, points: Array) -> Array:
        """Signed distance (N,), a little short on purpose: folds make the field steeper than one."""
        sharpness = np.float32(14)
        total = np.zeros(points.shape[1], np.float32)
        for x, y, z, radius in np.asarray(self.balls, np.float32):
            dx, dy, dz = points[0] - x, points[1] - y, points[2] - z
            length = np.sqrt(dx * dx + dy * dy + dz * dz) - radius
            total += np.exp(-sharpness * np.minimum(length, 4))
        smooth = -np.log(np.maximum(total, 1e-30)) / sharpness
        height, waves = self.folds
        if height == 0:
            return np.asarray(smooth, np.float32)
        x, y, z = points * np.float32(waves)
        wave = np.sin(x + 1.3 * np.sin(y)) * np.sin(y + 1.1 * np.sin(z)) * np.sin(z + 1.2 * np.sin(x))
        return np.asarray((smooth - np.float32(height) * wave) * np.float32(0.65), np.float32)


@dataclass(frozen=True)
class Solid:
    """A shape placed on the stage: `rotation` (3, 3) turns local into stage axes, then `position` is
    added."""

    name: str
    shape: Shape
    position: tuple[float, float, float]
    material: str
    group: str = "set"
    rotation: Array = field(default_factory=lambda: np.eye(3, dtype=np.float32))
    casts_shadow: bool = True

    @cached_property
    def radius(self) -> float:
        """Radius of the ball around `position` that holds the solid."""
        return (
            self.shape.size[0] if self.shape.kind == "ball" else float(np.linalg.norm(self.shape.half_extent))
        )

    def to_local(self, points: Array) -> Array:
        """Stage points (3, N) in the solid's own axes."""
        return self.rotation.T @ (points - np.asarray(self.position, np.float32)[:, None])

    def normal(self, local: Array) -> Array:
        """Outward unit normals (3, N) in stage axes at local surface points, from differences at a
        tetrahedron."""
        if self.shape.kind == "ball":
            return self.rotation @ (local / self.shape.size[0])
        step = np.float32(2e-3)
        total = np.zeros_like(local)
        for corner in ((1, -1, -1), (-1, -1, 1), (-1, 1, -1), (1, 1, 1)):
            axis = np.asarray(corner, np.float32)[:, None]
            total += axis * self.shape.distance(local + axis * step)
        return self.rotation @ normalise(total)

    def hit(self, origin: Array, direction: Array, nearest: Array) -> tuple[NDArray[np.intp], Array]:
        """Which rays meet the solid before `nearest` (N,), and the ray parameters of their first hits."""
        candidates = np.flatnonzero(self._may_hit(origin, direction, nearest))
        if candidates.size == 0:
            return candidates, np.empty(0, np.float32)
        start = self.to_local(origin[:, candidates])
        heading = self.rotation.T @ direction[:, candidates]
        t = (
            _hit_ball(start, heading, self.radius)
            if self.shape.kind == "ball"
            else _march(self.shape, start, heading)
        )
        closer = t < nearest[candidates]
        return candidates[closer], t[closer]

    def _may_hit(self, origin: Array, direction: Array, nearest: Array) -> NDArray[np.bool_]:
        """Whether each ray meets the bounding ball before `nearest`."""
        radius = self.radius
        px, py, pz = self.position
        ox, oy, oz = px - origin[0], py - origin[1], pz - origin[2]
        along = ox * direction[0] + oy * direction[1] + oz * direction[2]
        across = ox * ox + oy * oy + oz * oz - along * along
        return (across < radius * radius) & (along > -radius) & (along - radius < nearest)


@dataclass(frozen=True)
class Bundle:
    """The hull of two balls, which holds every ray of a tile; solids outside it need no test a ray."""

    start: Array  # (3,)
    start_radius: float
    end: Array  # (3,)
    end_radius: float

    @classmethod
    def between(cls, starts: Array, ends: Array) -> Bundle:
        """Around segments from the columns of `starts` to those of `ends`, both (3, N)."""
        return cls(*_ball_around(starts), *_ball_around(ends))

    @classmethod
    def towards(cls, starts: Array, place: Array, radius: float) -> Bundle:
        """Around segments from the columns of `starts` (3, N) to within `radius` of `place` (3,)."""
        return cls(*_ball_around(starts), place, radius)

    def meets(self, solid: Solid, margin: float = 0.0) -> bool:
        """False only if no segment comes within `margin` of the solid: its bounding ball is outside the
        cone or beyond an end."""
        axis = self.end - self.start
        length = max(float(np.linalg.norm(axis)), 1e-6)
        offset = np.asarray(solid.position, np.float32) - self.start
        radius = solid.radius + margin
        taper = (self.start_radius - self.end_radius) / length
        if abs(taper) >= 1:
            return bool(np.linalg.norm(offset) < self.start_radius + self.end_radius + length + radius)
        along = float(offset @ axis) / length
        across = float(np.sqrt(max(float(offset @ offset) - along * along, 0)))
        outside = across * np.sqrt(1 - taper * taper) + along * taper - self.start_radius
        before = -along - self.start_radius
        beyond = along - length - self.end_radius
        return bool(max(outside, before, beyond) < radius)


def _ball_around(points: Array) -> tuple[Array, float]:
    centre = (points.min(axis=1) + points.max(axis=1)) / 2
    offset = points - centre[:, None]
    return centre, float(np.sqrt(dot(offset, offset).max()))


def dot(a: Array, b: Array) -> Array:
    """Scalar products (N,) of columns of two (3, N) arrays."""
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def normalise(vectors: Array) -> Array:
    """Columns of (3, N) scaled to length one."""
    return vectors / np.maximum(np.sqrt(dot(vectors, vectors)), np.float32(1e-12))


def rotation_xyz(x_deg: float, y_deg: float, z_deg: float) -> Array:
    """Rotation matrix (3, 3) about x, then y, then z, angles in degrees."""
    cx, cy, cz = np.cos(np.radians([x_deg, y_deg, z_deg]))
    sx, sy, sz = np.sin(np.radians([x_deg, y_deg, z_deg]))
    about_x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_z = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    return (about_z @ about_y @ about_x).astype(np.float32)


def _hit_ball(start: Array, heading: Array, radius: float) -> Array:
    along = dot(start, heading)
    discriminant = along * along - dot(start, start) + np.float32(radius * radius)
    root = np.sqrt(np.maximum(discriminant, 0))
    near, far = -along - root, -along + root
    t = np.where(near > 1e-3, near, far)
    return np.where((discriminant > 0) & (t > 1e-3), t, _MISS)


def _box_interval(half: tuple[float, float, float], start: Array, heading: Array) -> tuple[Array, Array]:
    """Where rays enter and leave the box of half size `half` (slab method; Kay and Kajiya, SIGGRAPH 1986)."""
    safe = np.where(np.abs(heading) < 1e-7, np.float32(1e-7), heading)
    inverse = 1 / safe
    reach = np.asarray(half, np.float32)[:, None] * np.abs(inverse)
    middle = -start * inverse
    near, far = middle - reach, middle + reach
    return np.maximum(np.maximum(near[0], near[1]), near[2]), np.minimum(np.minimum(far[0], far[1]), far[2])


def _march(shape: Shape, start: Array, heading: Array) -> Array:
    """Sphere tracing inside the bounding box; (N,) ray parameters, infinity for a miss."""
    result = np.full(start.shape[1], _MISS)
    enter, leave = _box_interval(shape.half_extent, start, heading)
    enter = np.maximum(enter, np.float32(1e-3))
    alive = np.flatnonzero(enter < leave)
    start, heading, t, leave = start[:, alive], heading[:, alive], enter[alive], leave[alive]
    for step in range(_MARCH_STEPS):
        distance = shape.distance(start + heading * t)
        t = t + distance
        if step % 3 != 2:
            continue
        close = distance < _SURFACE_EPSILON
        result[alive[close]] = t[close]
        going = ~close & (t < leave)
        if not going.any():
            break
        alive, start, heading = alive[going], start[:, going], heading[:, going]
        t, leave = t[going], leave[going]
    return result
