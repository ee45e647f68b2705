# ruff: noqa: RUF005 - points are arrays: + moves them
"""Living forms from blended limbs: animals, birds, seated and standing figures, heads; also carved parts."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .fields import Field, round_box, round_cone
from .meshes import Mesh, random_rotation, rotation_about

Point = npt.NDArray[np.floating]


def _mirrored(point: Point) -> Point:
    return np.asarray(point) * [-1, 1, 1]


def quadruped(rng: np.random.Generator, cells: int) -> Mesh:
    """Four legs, a spine from tail to head: horse, cat, dinosaur, frog or bear by their proportions."""
    field = Field(cells)
    blend = rng.uniform(0.05, 0.2)
    long, thick = rng.uniform(0.35, 0.75), rng.uniform(0.16, 0.34)
    leg, lean = rng.uniform(0.25, 0.75), rng.uniform(-0.35, 0.35)
    hip = np.array([0, -0.1 - lean, -long])
    chest = np.array([0, -0.1 + lean, long * 0.8])
    belly = (hip + chest) / 2 + [0, rng.uniform(-0.12, 0.08), 0]
    hips, chests = thick * rng.uniform(0.8, 1.5), thick * rng.uniform(0.8, 1.4)
    field.limb([hip, belly, chest], [hips, thick * rng.uniform(0.75, 1.15), chests], blend)
    ground = min(hip[1], chest[1]) - leg
    for root, radius, front in ((hip, hips, False), (chest, chests, True)):
        _legs(field, rng, root, radius, ground, front, blend)
    neck = chest + [0, rng.uniform(0.05, 0.6), rng.uniform(0.1, 0.4)]
    size = rng.uniform(0.13, 0.3)
    field.limb([chest, neck], [chests * 0.8, size * rng.uniform(0.6, 0.95)], blend)
    _head(field, rng, neck + [0, size * 0.4, size * 0.5], size, blend * 0.6)
    _tail(field, rng, hip, hips, blend)
    return field.mesh()


def _legs(
    field: Field,
    rng: np.random.Generator,
    root: Point,
    radius: float,
    ground: float,
    front: bool,
    blend: float,
) -> None:
    spread, bend = rng.uniform(0.5, 1.1) * radius, rng.uniform(-0.25, 0.25)
    thick = rng.uniform(0.045, 0.12)
    for side in (-1, 1):
        stride = rng.normal(0, 0.12)
        top = root + [side * spread * 0.7, -0.1 * radius, 0]
        knee = np.array([side * spread, (top[1] + ground) / 2, root[2] + stride + bend])
        foot = np.array([side * spread, ground, root[2] + stride - bend * 0.3])
        field.limb([top, knee, foot], [radius * 0.6, thick * 1.3, thick], blend * 0.5, 1)
        field.limb(
            [foot, foot + [0, -0.01, thick * rng.uniform(0.8, 2.2)]], [thick, thick * 0.8], blend * 0.3, 1
        )


def _head(field: Field, rng: np.random.Generator, at: Point, size: float, blend: float) -> None:
    turn = rotation_about(np.array([0, 1, 0]), rng.normal(0, 0.5)) @ rotation_about(
        np.array([1, 0, 0]), rng.normal(0.1, 0.3)
    )
    field.ball(at, np.array([0.85, 0.9, 1]) * size, blend, 2)
    snout = rng.uniform(0.4, 1.7) * size
    nose = at + turn @ [0, -0.25 * size, 0.6 * size + snout]
    field.limb(
        [at + turn @ [0, -0.2 * size, 0.5 * size], nose],
        [size * rng.uniform(0.5, 0.8), size * rng.uniform(0.25, 0.45)],
        blend,
        2,
    )
    field.ball(nose + turn @ [0, 0.15 * size, 0.25 * size], 0.16 * size, blend * 0.2, 3)
    ear, kind = rng.uniform(0.15, 0.9) * size, rng.random()
    for side in (-1, 1):
        base = at + turn @ [side * 0.6 * size, 0.6 * size, -0.1 * size]
        tip = base + turn @ [side * rng.uniform(0, 0.5) * ear, ear, rng.uniform(-0.5, 0.2) * ear]
        if kind < 0.75:
            field.limb([base, tip], [0.28 * size, 0.08 * size], blend * 0.3, 2)
        eye = at + turn @ [side * 0.55 * size, 0.25 * size, 0.7 * size]
        field.cut_ball(eye, 0.24 * size, 0.1 * size)
        field.ball(eye - 0.06 * size, 0.2 * size, 0.02 * size, 4)


def _tail(field: Field, rng: np.random.Generator, hip: Point, radius: float, blend: float) -> None:
    if rng.random() < 0.15:
        return
    point, heading = hip + [0, radius * 0.3, -radius * 0.6], rng.uniform(-0.6, 0.9)
    thick, curl = rng.uniform(0.05, 0.22), rng.normal(0, 0.5)
    points, radii = [point], [thick]
    fat = rng.uniform(0.7, 1.15)
    for _ in range(6):
        point = point + 0.15 * np.array([rng.normal(0, 0.25), np.sin(heading), -np.cos(heading)])
        heading += curl + rng.normal(0, 0.1)
        thick = max(thick * fat, 0.025)
        points.append(point)
        radii.append(thick)
    field.limb(points, radii, blend * 0.5, 5)


def bird(rng: np.random.Generator, cells: int) -> Mesh:
    """An owl, hen or penguin: an upright body, wings at its sides, a beak, round eyes."""
    field = Field(cells)
    wide, tall = rng.uniform(0.35, 0.6), rng.uniform(0.55, 0.85)
    tilt = rotation_about(np.array([1, 0, 0]), rng.uniform(-0.5, 0.25))
    field.ball([0, -0.25, 0], [wide, tall, wide * rng.uniform(0.8, 1.15)], 0.1, 0, tilt)
    size = rng.uniform(0.25, 0.45)
    head = np.array([0, tall - 0.35 + size * 0.3, 0.1 + 0.3 * np.sin(-rng.uniform(-0.5, 0.25))])
    field.ball(head, np.array([1.05, 0.9, 0.95]) * size, 0.15, 2)
    beak = head + [0, -0.15 * size, 0.85 * size]
    field.limb(
        [beak, beak + [0, rng.uniform(-0.35, 0) * size, rng.uniform(0.25, 0.9) * size]],
        [0.2 * size, 0.06 * size],
        0.03,
        3,
    )
    for side in (-1, 1):
        wing = np.array([side * wide * 0.93, -0.25, -0.08])
        turn = rotation_about(np.array([1, 0, 0]), rng.uniform(0.05, 0.5)) @ rotation_about(
            np.array([0, 0, 1]), side * 0.12
        )
        field.ball(wing, [0.12, tall * 0.75, wide * 0.7], 0.05, 1, turn)
        eye = head + np.array([side * 0.42, 0.15, 0.8]) * size
        disc = rng.uniform(0.25, 0.48) * size
        field.ball(eye - [0, 0, 0.08 * size], [disc, disc, 0.12 * size], 0.02, 4)
        field.ball(eye, 0.2 * size, 0.01, 5)
        if rng.random() < 0.6:
            tuft = head + np.array([side * 0.6, 0.7, 0.2]) * size
            field.limb(
                [tuft, tuft + np.array([side * 0.25, 0.5, -0.05]) * size], [0.22 * size, 0.05 * size], 0.06, 2
            )
        foot = np.array([side * wide * 0.45, -0.25 - tall, 0.1])
        field.limb([foot, foot + [0, -0.02, 0.22]], [0.1, 0.07], 0.04, 3)
    field.limb([[0, -0.6, -wide * 0.7], [0, -1.05, -wide * 1.2]], [0.18, 0.08], 0.1, 1)
    return field.mesh()


def person(rng: np.random.Generator, cells: int) -> Mesh:
    """A statuette: seated with crossed legs, or standing, arms anywhere; robed at times."""
    field = Field(cells)
    blend = rng.uniform(0.04, 0.12)
    seated = rng.random() < 0.55
    stout = rng.uniform(0.75, 1.4)
    waist = np.array([0, -0.55 if seated else -0.15, 0])
    chest = waist + [rng.normal(0, 0.04), 0.5, rng.normal(0, 0.05)]
    field.limb([waist, waist + [0, 0.22, 0.05 * stout], chest], [0.27 * stout, 0.25 * stout, 0.26], blend)
    head = chest + [rng.normal(0, 0.04), 0.42, 0.05]
    field.limb([chest + [0, 0.1, 0], head], [0.11, 0.1], blend)
    face(field, rng, head + [0, 0.06, 0], 0.22, 0.03)
    for side in (-1, 1):
        shoulder = chest + [side * 0.3, 0.12, 0]
        elbow = shoulder + [side * rng.uniform(0.02, 0.3), rng.uniform(-0.4, 0.1), rng.uniform(-0.1, 0.2)]
        hand = elbow + [-side * rng.uniform(-0.1, 0.35), rng.uniform(-0.35, 0.3), rng.uniform(0.05, 0.35)]
        field.limb([shoulder, elbow, hand], [0.13, 0.09, 0.07], blend * 0.7, 1)
        field.ball(hand, [0.08, 0.06, 0.1], 0.05, 1)
        hip = waist + [side * 0.17, -0.05, 0]
        if seated:
            knee = hip + [side * 0.45, -0.1, 0.35]
            ankle = np.array([-side * 0.15, hip[1] - 0.14, 0.5])
        else:
            knee = hip + [side * rng.uniform(-0.02, 0.15), -0.5, rng.uniform(-0.1, 0.2)]
            ankle = knee + [0, -0.5, rng.uniform(-0.2, 0.05)]
        field.limb([hip, knee, ankle, ankle + [0, -0.03, 0.12]], [0.18, 0.13, 0.08, 0.07], blend * 0.7, 1)
    if rng.random() < 0.4:  # a robe
        low = -1.2 if not seated else -0.75
        field.limb([waist, [0, low, 0.05]], [0.3 * stout, rng.uniform(0.35, 0.6)], blend, 2)
    if rng.random() < 0.4:
        base = np.array([0, -0.85 if seated else -1.28, 0.1])
        field.ball(base, [0.75, 0.12, 0.6], 0.03, 3)
    return field.mesh()


def head(rng: np.random.Generator, cells: int) -> Mesh:
    """A head on its neck and shoulders."""
    field = Field(cells)
    at = np.array([0, 0.25, 0])
    size = rng.uniform(0.72, 0.85)
    neck = rng.uniform(0.24, 0.36)
    field.limb([at + [0, -0.3, -0.12], [rng.normal(0, 0.08), -1.0, -0.2]], [neck, neck * 1.15], 0.12)
    if rng.random() < 0.7:
        field.limb([[-0.75, -1.25, -0.2], [0, -1.05, -0.15], [0.75, -1.25, -0.2]], [0.25, 0.3, 0.25], 0.25, 1)
    face(field, rng, at, size, 0.08)
    return field.mesh()


def face(field: Field, rng: np.random.Generator, at: Point, size: float, blend: float) -> None:
    """A head with brow, eyes, nose, cheeks, lips, chin, ears, hair; `size` is half its height."""
    s, vary = size, lambda low, high: float(rng.uniform(low, high)) * size
    field.ball(at + [0, 0.15 * s, -0.1 * s], [vary(0.68, 0.8), vary(0.75, 0.9), vary(0.8, 0.92)], blend, 0)
    field.ball(
        at + [0, -0.32 * s, 0.12 * s], [vary(0.5, 0.64), vary(0.5, 0.66), vary(0.5, 0.64)], 2 * blend, 0
    )
    chin = at + [0, vary(-0.88, -0.72), vary(0.4, 0.58)]
    field.ball(chin, [vary(0.16, 0.26), vary(0.13, 0.2), vary(0.13, 0.2)], 2 * blend, 0)
    brow = at + [0, 0.22 * s, 0.72 * s]
    field.limb(
        [brow + [-0.36 * s, 0, -0.1 * s], brow, brow + [0.36 * s, 0, -0.1 * s]],
        [0.1 * s, vary(0.07, 0.13), 0.1 * s],
        2 * blend,
        0,
    )
    for side in (-1, 1):
        eye = at + np.array([side * vary(0.26, 0.34), 0.08 * s, vary(0.66, 0.74)])
        field.cut_ball(eye + [0, 0, 0.1 * s], [0.2 * s, vary(0.1, 0.17), 0.17 * s], 1.2 * blend)
        field.ball(eye - [0, 0, 0.06 * s], [0.16 * s, vary(0.09, 0.14), 0.15 * s], 0.15 * blend, 4)
        field.ball(at + [side * 0.4 * s, -0.25 * s, vary(0.45, 0.6)], vary(0.16, 0.26), 2 * blend, 0)
        ear = at + [side * 0.76 * s, -0.05 * s, -0.12 * s]
        field.ball(ear, [0.09 * s, vary(0.18, 0.32), 0.16 * s], 0.3 * blend, 0)
        field.cut_ball(
            ear + [side * 0.09 * s, 0.02 * s, 0.04 * s], [0.06 * s, 0.12 * s, 0.08 * s], 0.2 * blend
        )
        field.ball(at + [side * vary(0.09, 0.14), -0.26 * s, 0.83 * s], vary(0.07, 0.11), 0.5 * blend, 0)
    tip = at + [0, vary(-0.28, -0.18), vary(0.95, 1.12)]
    field.limb([at + [0, 0.16 * s, 0.72 * s], tip], [0.06 * s, vary(0.09, 0.14)], blend, 0)
    mouth = at + [0, -0.5 * s, vary(0.68, 0.76)]
    wide = vary(0.15, 0.28)
    for lift in (0.05, -0.05):
        line = [mouth + [-wide, 0, -0.12 * s], mouth + [0, lift * s, 0.03 * s], mouth + [wide, 0, -0.12 * s]]
        field.limb(line, [0.03 * s, vary(0.045, 0.075), 0.03 * s], 0.4 * blend, 3)
    if rng.random() < 0.7:
        shift = np.array([0, vary(0.2, 0.34), vary(-0.3, -0.18)])
        field.ball(at + shift, [vary(0.76, 0.9), vary(0.72, 0.9), vary(0.78, 0.95)], 0.15 * blend, 2)
        if rng.random() < 0.4:
            field.ball(at + [0, vary(0.9, 1.15), -0.3 * s], vary(0.2, 0.4), blend, 2)


def creature(rng: np.random.Generator, cells: int) -> Mesh:
    """Limbs that branch at random: coral, roots, toys, starfish."""
    field = Field(cells)
    blend = rng.uniform(0.03, 0.2)
    field.ball(np.zeros(3), rng.uniform(0.2, 0.55, 3), blend)
    tips = [(np.zeros(3), rng.normal(size=3), rng.uniform(0.12, 0.26), 0)]
    for number in range(int(rng.integers(4, 22))):
        start, heading, radius, depth = tips[int(rng.integers(len(tips)))]
        wander = 1.2 if depth == 0 else 0.6
        heading = heading / max(float(np.linalg.norm(heading)), 1e-6) + wander * rng.normal(size=3)
        end = start + heading / np.linalg.norm(heading) * rng.uniform(0.25, 0.75)
        end = np.clip(end, -1.2, 1.2)
        last = radius * rng.uniform(0.5, 1.05)
        field.limb([start, end], [radius, max(last, 0.05)], blend, number % 5)
        tips.append((end, heading, max(last, 0.06), depth + 1))
    return field.mesh()


def metaballs(rng: np.random.Generator, cells: int) -> Mesh:
    """Soft clusters of ellipsoids, with hollows."""
    field = Field(cells)
    blend, reach = rng.uniform(0.02, 0.3), rng.uniform(0.3, 0.8)
    for number in range(int(rng.integers(2, 16))):
        turn = random_rotation(rng).astype(np.float32)
        field.ball(rng.uniform(-reach, reach, 3), rng.uniform(0.12, 0.55, 3), blend, number % 4, turn)
    for _ in range(int(rng.integers(0, 4))):
        field.cut_ball(rng.uniform(-reach, reach, 3) + [0, 0, 0.3], rng.uniform(0.12, 0.4, 3), blend * 0.5)
    return field.mesh()


def machined(rng: np.random.Generator, cells: int) -> Mesh:
    """A hard-surface part: boxes and cylinders joined, holes and slots cut, edges a little round."""
    field = Field(cells, 1.35)
    edge = rng.uniform(0.0, 0.06)
    upright = np.eye(3)
    for number in range(int(rng.integers(1, 6))):
        half = rng.uniform(0.12, 0.85, 3)
        centre = rng.uniform(-0.35, 0.35, 3) if number else np.zeros(3)
        turn = (
            upright
            if rng.random() < 0.8
            else rotation_about(np.eye(3)[int(rng.integers(3))], rng.uniform(0, 1.6))
        )
        if rng.random() < 0.6:
            reach = float(np.linalg.norm(half)) if turn is not upright else half
            field.add(
                round_box(centre, half, min(0.04 + edge, half.min() * 0.9), turn),
                centre - reach,
                centre + reach,
                edge,
                number % 4,
            )
        else:
            _cylinder(field, rng, centre, edge, number % 4, cut=False)
    for _ in range(int(rng.integers(0, 6))):
        _cylinder(field, rng, rng.uniform(-0.5, 0.5, 3), edge, 0, cut=True)
    return field.mesh()


def _cylinder(
    field: Field, rng: np.random.Generator, centre: Point, edge: float, part: int, cut: bool
) -> None:
    axis = int(rng.integers(3))
    half, radius = rng.uniform(0.15, 1.0), rng.uniform(0.08, 0.35 if cut else 0.6)
    if rng.random() < 0.25:
        end = np.zeros(3)
        end[axis] = half
        form = round_cone(
            (centre - end).astype(np.float32), (centre + end).astype(np.float32), radius, radius
        )
    else:

        def form(
            x: npt.NDArray[np.float32], y: npt.NDArray[np.float32], z: npt.NDArray[np.float32]
        ) -> npt.NDArray[np.float32]:
            local = [x - centre[0], y - centre[1], z - centre[2]]
            along = np.abs(local.pop(axis)) - (half - 0.03)
            out = np.sqrt(local[0] ** 2 + local[1] ** 2) - (radius - 0.03)
            outside = np.sqrt(np.maximum(along, 0) ** 2 + np.maximum(out, 0) ** 2)
            return (outside + np.minimum(np.maximum(along, out), 0) - 0.03).astype(np.float32)

    reach = np.full(3, radius)
    reach[axis] = half + radius
    if cut:
        field.cut(form, centre - reach, centre + reach, edge)
    else:
        field.add(form, centre - reach, centre + reach, edge, part)
