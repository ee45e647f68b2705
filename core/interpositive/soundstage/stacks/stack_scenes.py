"""Scenes drawn by lot: what stands where, how it is seen, where its lights are."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt

from . import figures, sheets, solids, structures, turned
from .meshes import (
    Array,
    Mesh,
    grid_mesh,
    joined,
    moved_vertices,
    normalised,
    random_rotation,
    rotation_about,
    transformed,
    with_part,
)
from .noise import fractal
from .tracing import FIRST_OBJECT_PART, Lights, Scene

Generator = Callable[[np.random.Generator, int], Mesh]

FORMS: Mapping[str, tuple[Generator, float, int, float]] = {
    # form: (generator, how often, cells, how often it stands upright)
    "quadruped": (figures.quadruped, 10, 120, 0.85),
    "bird": (figures.bird, 5, 112, 0.85),
    "person": (figures.person, 7, 120, 0.85),
    "head": (figures.head, 6, 104, 0.85),
    "creature": (figures.creature, 4, 108, 0.3),
    "metaballs": (figures.metaballs, 5, 100, 0.3),
    "machined": (figures.machined, 4, 104, 0.5),
    "blob": (solids.blob, 4, 64, 0.3),
    "ball": (solids.ball, 2.5, 48, 0.3),
    "rock": (solids.rock, 6, 72, 0.3),
    "fruit": (solids.fruit, 6, 64, 0.7),
    "superquadric": (solids.superquadric, 4, 64, 0.5),
    "box": (solids.box, 9, 60, 0.7),
    "pebbly": (solids.pebbly, 2, 72, 0.4),
    "vessel": (turned.vessel, 9, 44, 0.85),
    "knot": (turned.knot, 3, 28, 0.2),
    "crumpled sheet": (sheets.crumpled_sheet, 5, 64, 0.0),
    "crumpled ball": (sheets.crumpled_ball, 4, 64, 0.0),
    "folded card": (sheets.folded_card, 3, 56, 0.0),
    "sachet": (sheets.sachet, 5, 72, 0.0),
    "hanging cloth": (sheets.hanging_cloth, 4, 64, 0.0),
    "draped cloth": (sheets.draped_cloth, 3, 50, 0.9),
    "relief": (sheets.relief, 4, 64, 0.0),
    "structure": (structures.structure, 6, 48, 0.85),
}
_SHEETS = ("crumpled sheet", "folded card", "sachet", "hanging cloth", "relief")


def draw_scene(rng: np.random.Generator, lights: int) -> Scene:
    """A scene in camera space: about 60 % one form before nothing, the others on a floor or in a corner."""
    focal = None if rng.random() < 0.25 else float(0.5 / np.tan(np.radians(rng.uniform(20, 60)) / 2))
    single = rng.random() < 0.6
    mesh, up = _single(rng) if single else _group(rng)
    mesh = _framed(mesh, focal, rng, fill=rng.uniform(0.8, 0.99) if single else rng.uniform(0.75, 1.25))
    return Scene(mesh, draw_lights(rng, lights, None if single else up), focal)


def draw_form(rng: np.random.Generator, detail: float = 1.0) -> tuple[Mesh, str]:
    """A form of about unit size, y up, and its name."""
    names = list(FORMS)
    odds = np.array([FORMS[name][1] for name in names])
    name = str(rng.choice(names, p=odds / odds.sum()))
    generator, _, cells, _ = FORMS[name]
    mesh = generator(rng, max(int(cells * detail), 16))
    centre = (mesh.vertices.max(0) + mesh.vertices.min(0)) / 2
    span = float(np.linalg.norm(np.ptp(mesh.vertices, axis=0))) / 2
    mesh = transformed(mesh, np.eye(3), 1 / span, -centre / span)
    if rng.random() < 0.3:
        mesh = moved_vertices(mesh, mesh.vertices * np.exp(rng.normal(0, 0.2, 3)))
    mesh = Mesh(mesh.vertices, mesh.normals, mesh.faces, mesh.vertices, mesh.parts)
    if rng.random() < 0.7:
        mesh = sheets.rough(mesh, rng, float(np.exp(rng.uniform(np.log(0.0008), np.log(0.025)))))
    return mesh, name


def _single(rng: np.random.Generator) -> tuple[Mesh, Array]:
    mesh, name = draw_form(rng)
    if rng.random() < 0.12:  # two grown together
        other, _ = draw_form(rng, 0.75)
        other = transformed(other, random_rotation(rng), rng.uniform(0.4, 0.8), 0.55 * rng.normal(size=3))
        mesh = joined([mesh, _numbered(other, 6)])
    turn = _pose(rng, name)
    mesh = transformed(mesh, turn, 1.0, (0, 0, 0))
    return _numbered(mesh, FIRST_OBJECT_PART), np.array([0, 1, 0], np.float32)


def _pose(rng: np.random.Generator, name: str) -> npt.NDArray[np.float64]:
    """From the form's own axes to the camera's."""
    if name in _SHEETS:  # they face z
        tilt = rotation_about(np.append(rng.normal(size=2), 0), abs(rng.normal(0, 0.55)))
        return tilt @ rotation_about(np.array([0, 0, 1]), rng.uniform(0, 2 * np.pi))
    if rng.random() > FORMS[name][3]:
        return random_rotation(rng)
    return _elevated(rng.normal(0.25, 0.3)) @ rotation_about(np.array([0, 1, 0]), rng.uniform(0, 2 * np.pi))


def _elevated(angle: float) -> npt.NDArray[np.float64]:
    """Seen from above by an angle in radians."""
    return rotation_about(np.array([1, 0, 0]), angle)


def _numbered(mesh: Mesh, first: int) -> Mesh:
    return Mesh(mesh.vertices, mesh.normals, mesh.faces, mesh.rest, (mesh.parts + first).astype(np.uint8))


def _group(rng: np.random.Generator) -> tuple[Mesh, Array]:
    """Forms on a floor, with walls at times, seen from above; and which way is up."""
    number = int(rng.choice([1, 2, 3, 4, 5], p=[0.3, 0.3, 0.2, 0.12, 0.08]))
    meshes: list[Mesh] = []
    places: list[npt.NDArray[np.float64]] = []
    reach: list[float] = []
    for index in range(number):
        mesh, name = draw_form(rng, 1.0 if number == 1 else 0.75 if number < 4 else 0.6)
        lay = (
            rotation_about(np.array([1, 0, 0]), -np.pi / 2)
            if name in _SHEETS and rng.random() < 0.6
            else np.eye(3)
        )
        if name not in _SHEETS and rng.random() > max(FORMS[name][3], 0.3):
            lay = random_rotation(rng)
        turn = rotation_about(np.array([0, 1, 0]), rng.uniform(0, 2 * np.pi)) @ lay
        size = 1.0 if index == 0 else rng.uniform(0.35, 0.9)
        place, radius = _free_place(rng, places, reach, size)
        mesh = transformed(mesh, turn, size, (0, 0, 0))
        floor = float(np.percentile(mesh.vertices[:, 1], 0.2))
        mesh = transformed(mesh, np.eye(3), 1.0, (place[0], -floor, place[1]))
        places.append(place)
        reach.append(radius)
        meshes.append(_numbered(mesh, FIRST_OBJECT_PART + 6 * index))
    azimuth, elevation = rng.uniform(0, 2 * np.pi), rng.uniform(0.1, 1.1)
    view = _elevated(elevation) @ rotation_about(np.array([0, 1, 0]), azimuth)
    surroundings = _surroundings(
        rng, azimuth, max(np.hypot(*p) + r for p, r in zip(places, reach, strict=True))
    )
    mesh = transformed(joined([*meshes, *surroundings]), view, 1.0, (0, 0, 0))
    return mesh, (view @ [0, 1, 0]).astype(np.float32)


def _free_place(
    rng: np.random.Generator, places: list[npt.NDArray[np.float64]], reach: list[float], size: float
) -> tuple[npt.NDArray[np.float64], float]:
    """A place on the floor near the others, that overlaps them little."""
    radius = 0.62 * size
    if not places:
        return np.zeros(2), radius
    spread = 0.5
    while True:
        place = rng.normal(0, spread, 2)
        if all(np.hypot(*(place - p)) > 0.85 * (r + radius) for p, r in zip(places, reach, strict=True)):
            return place, radius
        spread *= 1.08


def _surroundings(rng: np.random.Generator, azimuth: float, reach: float) -> list[Mesh]:
    """A floor, and walls behind what stands on it as seen from `azimuth`."""
    meshes = [_surface(rng, 1)]
    back = rotation_about(np.array([0, 1, 0]), -azimuth)
    kind = rng.random()
    corner = rng.uniform(-0.5, 0.5)
    turns = [corner] if kind < 0.35 else [corner - np.pi / 4, corner + np.pi / 4] if kind < 0.6 else []
    for number, turn in enumerate(turns):
        upright = rotation_about(np.array([1, 0, 0]), np.pi / 2)
        far = reach * rng.uniform(1.0, 1.8) + 0.1
        side = back @ rotation_about(np.array([0, 1, 0]), turn)
        meshes.append(
            transformed(_surface(rng, 2 + number), side @ upright, 1.0, side @ np.array([0, 0, -far]))
        )
    return meshes


def _surface(rng: np.random.Generator, part: int) -> Mesh:
    """A large square in the xz plane that faces y: flat, rolling, tiled, boarded or of cloth."""
    kind = rng.random()
    cells = 3 if kind < 0.4 else 220
    line = np.sinh(np.linspace(-1, 1, cells) * 3) / np.sinh(3) * 12
    x, z = np.meshgrid(line, line, indexing="ij")
    points = np.stack([x, np.zeros_like(x), z], -1)
    if kind >= 0.4:
        near = np.exp(-(x * x + z * z) / 16)
        if kind < 0.65:
            height = rng.uniform(0.01, 0.08) * fractal(points, rng, rng.uniform(0.6, 2), 4)
        elif kind < 0.85:
            pitch, groove = rng.uniform(0.3, 1.0), rng.uniform(0.04, 0.1)
            lines = [
                np.abs((axis / pitch + 0.37) % 1 - 0.5) for axis in ((x, z) if rng.random() < 0.6 else (x,))
            ]
            edge = np.minimum.reduce([0.5 - gap for gap in lines])
            height = -rng.uniform(0.01, 0.03) * np.clip(1 - edge / groove, 0, 1) ** 2
        else:
            height = rng.uniform(0.02, 0.07) * fractal(points, rng, rng.uniform(0.6, 1.6), 3, 0.5, "ridged")
        # What stands on it should not sink in: nowhere above the floor's level.
        points[..., 1] = (height - max(float(height[near > 0.5].max()), 0)) * near
    mesh = grid_mesh(points[:, ::-1])
    return with_part(mesh, part)


def _framed(mesh: Mesh, focal: float | None, rng: np.random.Generator, fill: float) -> Mesh:
    """Scaled and moved so that the objects fill about `fill` of the picture's shorter side."""
    objects = np.unique(mesh.faces[mesh.parts >= FIRST_OBJECT_PART])
    points = mesh.vertices[objects]
    scale, shift = 1.0, -(points.max(0) + points.min(0)) / 2
    for _ in range(6):
        seen = (points + shift) * scale
        if focal is not None:
            seen = seen * (focal / np.maximum(focal - seen[:, 2:], 0.25 * focal))
        low, high = seen[:, :2].min(0), seen[:, :2].max(0)
        scale *= fill / max(float((high - low).max()), 1e-6)
        shift[:2] -= (high + low) / 2 / max(scale, 1e-6)
        if focal is not None:  # nothing nearer than half the distance
            scale = min(scale, 0.5 * focal / max(float((points + shift)[:, 2].max()), 1e-6))
    loose = rng.normal(0, 0.02, 2) / scale
    return transformed(mesh, np.eye(3), scale, (shift + np.append(loose, 0)) * scale)


def draw_lights(rng: np.random.Generator, count: int, up: Array | None) -> Lights:
    """Directions over the half-sphere before the subject, a few from behind; small and larger discs."""
    number = np.arange(count) + rng.uniform(0, 1, count)
    height = 1 - number / count * 1.12
    angle = (
        np.pi * (3 - np.sqrt(5)) * np.arange(count) + rng.uniform(0, 2 * np.pi) + rng.normal(0, 0.25, count)
    )
    ring = np.sqrt(np.maximum(1 - height**2, 0))
    direction = np.stack([ring * np.cos(angle), ring * np.sin(angle), height], -1)
    if up is not None:  # mostly from above the floor
        below = np.maximum(0.15 - direction @ up, 0) * (rng.random(count) < 0.95)
        direction = direction + 1.6 * below[:, None] * up
    radius = np.radians(np.exp(rng.uniform(np.log(0.2), np.log(3.5), count)))
    order = rng.permutation(count)
    return Lights(normalised(direction)[order], radius[order].astype(np.float32))
