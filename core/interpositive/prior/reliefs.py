"""Light stacks made on the spot: heaps of height fields, lit by marching over them. numpy and OpenCV.

Plainer than what the soundstage renders, but a new shape costs some milliseconds, so that no shape is ever
seen twice. Orthographic; shadows are marched through the heights, ambient light and inter-reflection are
estimates from the heights around.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from .stacks import LightStack

Array = npt.NDArray[np.float32]
Random = np.random.Generator

_FAR = np.float32(-4.0)  # height where nothing is
_MARCH = (0.012, 0.025, 0.04, 0.06, 0.085, 0.115, 0.15, 0.2, 0.26, 0.33, 0.42, 0.52)  # in picture heights
_BODIES = 6


def random_relief(random: Random, size_px: int = 160, lights: int = 4) -> LightStack:
    """A scene in the form of `stacks`, with a matte."""
    line = (np.arange(size_px, dtype=np.float32) + 0.5) / size_px - 0.5
    grid = np.meshgrid(line, -line)
    x, y = grid[0].astype(np.float32), grid[1].astype(np.float32)
    height: Array = np.full_like(x, _FAR)
    part = np.zeros(x.shape, np.uint8)
    is_ground = random.random() < 0.12
    if is_ground:
        slope = (random.normal(size=2) * 0.5).astype(np.float32)
        height = _bumps(x, y, random, 3.0, 0.12) + slope[0] * x + slope[1] * y
    count = int(random.integers(1, _BODIES))
    for number in range(count):
        body = _body(x, y, random, 1.0 if count == 1 else 0.75)
        part[body > height] = number + 1
        height = np.maximum(height, body)
    inside = height > _FAR + 1
    if inside.mean() < 0.04:
        return random_relief(random, size_px, lights)
    normal = _normals(height, inside, size_px)
    directions = random_directions(random, lights)
    direct = np.stack([_direct(height, normal, direction, size_px) for direction in directions])
    openness = _openness(height, inside, size_px)
    around = [cv2.GaussianBlur(light, (0, 0), size_px * 0.06) for light in direct]
    bounce = np.stack(around) * (0.25 * (1 - openness))
    depth = np.where(inside, height[inside].mean() - height, 0)
    position = np.stack([x, y, np.where(inside, height, 0)], -1)
    turn, _ = np.linalg.qr(random.normal(size=(3, 3)))
    return LightStack(
        normal=np.rint(normal * 127 * inside[..., None]).astype(np.int8),
        depth=depth.astype(np.float16),
        matte=(inside * 255).astype(np.uint8),
        part=part,
        position=(position @ turn).astype(np.float16),
        light_direction=directions,
        direct=(direct * inside).astype(np.float16),
        bounce=(bounce * inside).astype(np.float16),
        ambient=(openness * inside).astype(np.float16),
    )


def random_directions(random: Random, count: int) -> Array:
    """(count, 3) unit vectors towards lights in front, more of them within 65 degrees of the camera."""
    z = np.where(random.random(count) < 0.8, random.uniform(0.4, 1, count), random.uniform(0.1, 0.5, count))
    turn = random.uniform(0, 2 * np.pi, count)
    side = np.sqrt(1 - z**2)
    return np.stack([side * np.cos(turn), side * np.sin(turn), z], -1).astype(np.float32)


def _body(x: Array, y: Array, random: Random, largest: float) -> Array:
    """Height (H, W) of one body; `_FAR` beside it."""
    middle = random.uniform(-0.25, 0.25, 2) if largest < 1 else random.uniform(-0.05, 0.05, 2)
    warp = random.uniform(0, 0.09) if random.random() < 0.7 else 0.0
    frequency = random.uniform(4, 14)
    u = x - np.float32(middle[0]) + _waves(x, y, random, frequency) * np.float32(warp)
    v = y - np.float32(middle[1]) + _waves(x, y, random, frequency) * np.float32(warp)
    turn = random.uniform(0, 2 * np.pi)
    u, v = u * np.cos(turn) + v * np.sin(turn), v * np.cos(turn) - u * np.sin(turn)
    a, b = random.uniform(0.15, 0.45, 2) * largest
    kind = random.choice(["round", "faceted", "extruded", "turned"], p=[0.45, 0.2, 0.2, 0.15])
    shapes = {"round": _round, "faceted": _faceted, "extruded": _extruded, "turned": _turned_body}
    body = shapes[kind](u / np.float32(a), v / np.float32(b), random) * np.float32(min(a, b))
    inside = body > _FAR * min(a, b) * 0.5
    if random.random() < 0.6:
        amount = np.exp(random.uniform(np.log(0.004), np.log(0.05)))
        body = body + _bumps(x, y, random, random.uniform(6, 40), amount)
    slope = random.normal(size=2) * 0.25
    body = body + np.float32(slope[0]) * u + np.float32(slope[1]) * v
    body = body + np.float32(random.uniform(-0.15, 0.15))
    return np.where(inside, body, _FAR).astype(np.float32)


def _round(u: Array, v: Array, random: Random) -> Array:
    """A superellipsoid: from a ball to a pillow, sometimes a cone or a flat button."""
    power = random.choice([2.0, 2.0, 2.5, 4.0, 1.5])
    radius = (np.abs(u) ** power + np.abs(v) ** power) ** (1 / power)
    rise, fall = random.choice([2.0, 2.0, 3.0, 1.0, 5.0]), random.choice([2.0, 2.0, 2.0, 1.5, 3.0])
    tall = random.uniform(0.5, 1.4)
    return np.where(radius < 1, tall * np.maximum(1 - radius**rise, 0) ** (1 / fall), _FAR)


def _faceted(u: Array, v: Array, random: Random) -> Array:
    """A convex polyhedron: the lowest of some planes; a box seen at an angle, or a cut stone."""
    if random.random() < 0.5:
        turn, _ = np.linalg.qr(random.normal(size=(3, 3)))
        sides = turn / random.uniform(0.5, 1, (3, 1))
        faces = np.concatenate([sides, -sides])
    else:
        faces = random.normal(size=(int(random.integers(6, 14)), 3))
        faces /= np.linalg.norm(faces, axis=1, keepdims=True) * random.uniform(0.7, 1, (len(faces), 1))
    top, bottom = np.full_like(u, 9), np.full_like(u, -9)
    for nx, ny, nz in faces:
        if abs(nz) < 0.05:
            continue
        plane = (0.8 - nx * u - ny * v) / nz
        top, bottom = (np.minimum(top, plane), bottom) if nz > 0 else (top, np.maximum(bottom, plane))
    return np.where((top > bottom) & (top < 8) & (u * u + v * v < 4), top, _FAR).astype(np.float32)


def _extruded(u: Array, v: Array, random: Random) -> Array:
    """A flat piece with an outline and rounded edges; inside, steps or a dent."""
    angle = np.arctan2(v, u)
    outline = 0.8 + sum(
        random.uniform(-0.15, 0.15) * np.cos(k * angle + random.uniform(0, 6.3)) for k in range(2, 6)
    )
    radius = np.sqrt(u * u + v * v)
    edge = np.clip((outline - radius) / random.uniform(0.04, 0.5), 0, 1)
    body = np.sqrt(np.maximum(1 - (1 - edge) ** 2, 0)) * random.uniform(0.1, 0.7)
    if random.random() < 0.5:
        dent = np.clip((radius - outline * random.uniform(0.3, 0.7)) / random.uniform(0.03, 0.3), 0, 1)
        body = body - (1 - dent) * random.uniform(-0.3, 0.3)
    return np.where(radius < outline, body, _FAR)


def _turned_body(u: Array, v: Array, random: Random) -> Array:
    """Something from a lathe that stands upright: a vase, a bottle, a limb."""
    profile = 0.55 + sum(
        random.uniform(-0.3, 0.3) / k * np.cos(k * 2.2 * v + random.uniform(0, 6.3)) for k in range(1, 5)
    )
    profile = np.maximum(profile, 0.12) * np.float32(1.0)
    inside = (np.abs(u) < profile) & (np.abs(v) < 1)
    across = np.maximum(profile**2 - u**2, 0)
    grooves = 0.0
    if random.random() < 0.3:
        grooves = 0.06 * np.cos(u / np.maximum(profile, 0.1) * random.uniform(6, 25))
    return np.where(inside, np.sqrt(across) + grooves, _FAR)


def _waves(x: Array, y: Array, random: Random, frequency: float) -> Array:
    """Smooth noise of about unit deviation; `frequency` in rad per picture height."""
    total = np.zeros_like(x)
    for _ in range(4):
        a, b = random.normal(size=2) * frequency / 2**0.5
        total += np.sin(np.float32(a) * x + np.float32(b) * y + np.float32(random.uniform(0, 6.3)))
    return total * np.float32(0.7)


def _bumps(x: Array, y: Array, random: Random, frequency: float, amount: float) -> Array:
    """Relief of several octaves: smooth, ridged like cloth, or pitted like stone."""
    kind = random.integers(3)
    total = np.zeros_like(x)
    for octave in range(int(random.integers(1, 4))):
        layer = _waves(x, y, random, frequency * 2.0**octave)
        if kind == 1:
            layer = 1 - np.abs(layer)
        elif kind == 2:
            layer = np.minimum(layer, np.float32(0.2)) * np.float32(1.5)
        total += layer * np.float32(0.5**octave)
    return total * np.float32(amount)


def _normals(height: Array, inside: npt.NDArray[np.bool_], size_px: int) -> Array:
    """Unit normals; at edges the slope of the side that belongs to the surface."""
    slopes = []
    for axis in (1, 0):
        step = np.diff(height, axis=axis) * size_px
        pad = [(0, 0), (0, 0)]
        pad[axis] = (1, 0)
        before = np.pad(step, pad, mode="edge")
        pad[axis] = (0, 1)
        after = np.pad(step, pad, mode="edge")
        least = np.where(np.abs(before) < np.abs(after), before, after)
        middle = 0.5 * (before + after)
        is_edge = np.abs(before - after) > 3.0 + 2.0 * np.abs(least)
        slopes.append(np.where(is_edge, least, middle))
    along, down = slopes
    normal = np.stack([-along, down, np.ones_like(along)], -1)
    normal[~inside] = (0, 0, 1)
    return (normal / np.sqrt((normal**2).sum(-1, keepdims=True))).astype(np.float32)


def _direct(height: Array, normal: Array, direction: Array, size_px: int) -> Array:
    """max(n.l, 0) times how much of a small light is seen over the heights towards it."""
    cosine = np.maximum(normal @ direction, 0)
    side = float(np.hypot(direction[0], direction[1]))
    if side < 0.05:
        return cosine
    rise = float(direction[2]) / side
    blocked = np.zeros_like(height)
    start = round(_MARCH[-1] * size_px) + 2
    padded = np.pad(height, start, constant_values=_FAR)
    for distance in _MARCH:
        shift = distance * size_px / side
        column = start + round(float(direction[0]) * shift)
        row = start - round(float(direction[1]) * shift)
        other = padded[row : row + size_px, column : column + size_px]
        slope = (other - height) / np.float32(distance) - np.float32(rise)
        np.maximum(blocked, slope, out=blocked)
    return cosine * (1 - np.clip(blocked / np.float32(0.12 * (1 + rise * rise)), 0, 1))


def _openness(height: Array, inside: npt.NDArray[np.bool_], size_px: int) -> Array:
    """About how much of the sky a place sees: one minus how far the heights around stand above it."""
    filled = np.where(inside, height, height[inside].min())
    closed = np.zeros_like(filled)
    for share in (0.02, 0.05, 0.12):
        above = cv2.GaussianBlur(filled, (0, 0), share * size_px) - filled
        closed += np.clip(above / np.float32(share), 0, 1.5) * np.float32(0.3)
    return np.exp(-closed)
