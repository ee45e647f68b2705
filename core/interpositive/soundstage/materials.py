"""What the things on the stage are made of: colour, roughness and coat by position.

Each material takes local points (3, N) and the pixel footprint (N,) and gives a `Finish`. Albedo is
scene-linear ACEScg between 0.02 and 0.85.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .shading import Colour
from .shapes import Array
from .textures import bar, blend, cell_value, checker, disc, noise, ring, solid, step, stripes

_RED: Colour = (0.42, 0.062, 0.035)
_CREAM: Colour = (0.72, 0.64, 0.48)
_TEAL: Colour = (0.075, 0.24, 0.26)
_INK: Colour = (0.03, 0.032, 0.04)
_MUSTARD: Colour = (0.56, 0.33, 0.055)
_STEEL: Colour = (0.2, 0.205, 0.215)
_NAVY: Colour = (0.045, 0.07, 0.16)


@dataclass(frozen=True)
class Finish:
    """Albedo (3, N), roughness (N,) and coat reflectance at normal incidence (N,)."""

    albedo: Array
    roughness: Array
    coat: Array


Material = Callable[[Array, Array], Finish]


def _finish(albedo: Array, roughness: float, coat: float = 0.04) -> Finish:
    count = albedo.shape[1]
    return Finish(albedo, np.full(count, roughness, np.float32), np.full(count, coat, np.float32))


def _planks(p: Array, footprint: Array) -> Finish:
    x, z = p[0], p[2]
    row = np.floor(x / 0.42)
    shift = z + row * np.float32(1.37)
    tone = cell_value(row + 31, shift / np.float32(2.6))
    grain = noise(x * 34 + tone * 50, shift * 1.3) * 0.6 + noise(x * 90, shift * 3.1 + tone * 9) * 0.4
    knots = noise(x * 5 + tone * 20, shift * 0.9)
    dark, pale = np.array([0.16, 0.075, 0.032]), np.array([0.40, 0.235, 0.115])
    mix = np.clip(0.15 + 0.45 * tone + 0.5 * (grain - 0.5) + 0.35 * (knots - 0.5), 0, 1)
    albedo = (dark[:, None] + (pale - dark)[:, None] * mix).astype(np.float32)
    seams = np.maximum(stripes(x, 0.42, 0.022, footprint), stripes(shift, 2.6, 0.0035, footprint))
    albedo = blend(albedo, (0.02, 0.012, 0.008), seams * 0.85)
    return Finish(albedo, (0.26 + 0.14 * grain).astype(np.float32), np.full(x.size, 0.04, np.float32))


def _bricks(p: Array, footprint: Array) -> Finish:
    x, y = p[0] + 0.13, p[1]
    course = np.floor(y / 0.21)
    shift = x + (course % 2) * np.float32(0.31)
    tone = cell_value(shift / np.float32(0.62) + 7, course)
    mottle = noise(x * 9, y * 9) * 0.5 + noise(x * 31, y * 31) * 0.5
    base = np.array([0.30, 0.31, 0.27])[:, None] * (0.72 + 0.36 * tone + 0.3 * (mottle - 0.5))
    joint = np.maximum(stripes(y, 0.21, 0.085, footprint), stripes(shift, 0.62, 0.029, footprint))
    albedo = blend(base.astype(np.float32), (0.13, 0.125, 0.11), joint * 0.8)
    albedo = _poster(albedo, p[0] + 1.72, y - 2.35, footprint)
    return _finish(albedo, 0.75, 0.03)


def _poster(under: Array, u: Array, v: Array, footprint: Array) -> Array:
    """A travel poster, 1.5 x 1.9: a striped sun over hills, in a dark frame."""
    frame, sheet = bar(u, v, 0.8, 1.0, footprint), bar(u, v, 0.745, 0.945, footprint)
    picture = blend(blend(under, _INK, frame), _CREAM, sheet)
    inner = bar(u, v - 0.06, 0.66, 0.80, footprint)
    picture = blend(picture, _TEAL, inner)
    sun = disc(u + 0.05, v - 0.25, 0.44, footprint) * (
        1 - stripes(v, 0.12, 0.26, footprint) * step(-0.35, -v, footprint)
    )
    picture = blend(picture, _MUSTARD, sun * inner)
    far = step(0, -0.12 + 0.13 * np.sin(u * 6.0 + 0.6) - v, footprint * 1.3)
    near = step(0, -0.36 + 0.16 * np.sin(u * 4.1 + 2.4) - v, footprint * 1.3)
    picture = blend(picture, _RED, far * inner)
    picture = blend(picture, _NAVY, near * inner)
    title = bar(u, v + 0.84, 0.52, 0.045, footprint) * stripes(u + 5, 0.13, 0.7, footprint)
    return blend(picture, _NAVY, title)


def _robot_body(p: Array, footprint: Array) -> Finish:
    x, y, z = p
    albedo = solid(_RED, x.size)
    band = bar(np.zeros_like(y), y + 0.34, 1, 0.085, footprint)
    albedo = blend(albedo, _CREAM, band)
    albedo = blend(albedo, _INK, band * checker(x + z, y + 0.34 + 0.085, 0.17, footprint) * 0.95)
    front = (z > 0.3).astype(np.float32)
    panel = bar(x, y - 0.12, 0.42, 0.26, footprint) * front
    albedo = blend(albedo, _CREAM, panel)
    albedo = blend(albedo, _INK, (panel - bar(x, y - 0.12, 0.395, 0.235, footprint) * front).clip(0, 1))
    dial = front * disc(x + 0.2, y - 0.12, 0.165, footprint)
    albedo = blend(albedo, _TEAL, dial)
    angle = np.arctan2(y - 0.12, x + 0.2)
    ticks = stripes(angle + 9, np.pi / 8, 0.35, footprint / 0.14) * ring(
        x + 0.2, y - 0.12, 0.11, 0.145, footprint
    )
    albedo = blend(albedo, _CREAM, front * ticks)
    needle = bar(
        (x + 0.2) * 0.8 - (y - 0.12) * 0.6, (x + 0.2) * 0.6 + (y - 0.17) * 0.8, 0.012, 0.09, footprint
    )
    albedo = blend(albedo, (0.6, 0.12, 0.03), front * needle)
    for index, colour in enumerate((_RED, _MUSTARD, _TEAL)):
        albedo = blend(albedo, colour, front * disc(x - 0.08 - 0.125 * index, y - 0.22, 0.048, footprint))
    vents = bar(x - 0.2, y - 0.03, 0.17, 0.075, footprint) * stripes(y, 0.05, 0.5, footprint)
    albedo = blend(albedo, _INK, front * vents)
    rivets = disc((np.abs(x) - 0.54), np.abs(y) - 0.46, 0.022, footprint) * front
    return _finish(blend(albedo, _STEEL, rivets), 0.24, 0.05)


def _robot_head(p: Array, footprint: Array) -> Finish:
    x, y, z = p
    albedo = solid(_TEAL, x.size)
    front = (z > 0.25).astype(np.float32)
    albedo = blend(albedo, _CREAM, bar(x, y + 0.03, 0.39, 0.27, footprint) * front)
    mouth = bar(x, y + 0.2, 0.22, 0.06, footprint) * front
    albedo = blend(albedo, _INK, mouth)
    albedo = blend(albedo, _CREAM, mouth * stripes(x + 3, 0.075, 0.42, footprint))
    for side in (-0.19, 0.19):
        albedo = blend(albedo, _INK, front * ring(x - side, y - 0.06, 0.1, 0.165, footprint))
    cap = step(0.3, y, footprint)
    albedo = blend(albedo, _MUSTARD, cap)
    return _finish(albedo, 0.26, 0.05)


def _eye(p: Array, footprint: Array) -> Finish:
    x, y, z = p
    front = (z > 0).astype(np.float32)
    albedo = blend(solid((0.75, 0.75, 0.72), x.size), _NAVY, front * disc(x, y, 0.07, footprint))
    return _finish(blend(albedo, _INK, front * disc(x, y, 0.035, footprint)), 0.2, 0.06)


def _limb(p: Array, footprint: Array) -> Finish:
    albedo = blend(solid(_STEEL, p.shape[1]), _INK, stripes(p[1] + 5, 0.085, 0.3, footprint))
    return _finish(albedo, 0.3, 0.16)


def _block(faces: tuple[Colour, Colour, Colour], figure: str) -> Material:
    """A wooden toy block, half size 0.38: painted border, a figure on each face."""

    def material(p: Array, footprint: Array) -> Finish:
        magnitude = np.abs(p)
        axis = magnitude.argmax(axis=0)
        u = np.where(axis == 0, p[2], p[0])
        v = np.where(axis == 1, p[2], p[1])
        grain = noise(p[0] * 16 + 3, p[1] * 16 + p[2] * 7)
        wood = np.array([0.50, 0.33, 0.17])[:, None] * (0.8 + 0.35 * grain)
        albedo = wood.astype(np.float32)
        paint = np.asarray(faces, np.float32)[axis].T
        border = (1 - bar(u, v, 0.29, 0.29, footprint)) * bar(u, v, 0.335, 0.335, footprint)
        if figure == "cross":
            mark = np.maximum(bar(u, v, 0.2, 0.065, footprint), bar(u, v, 0.065, 0.2, footprint))
        elif figure == "ring":
            mark = ring(u, v, 0.11, 0.2, footprint)
        else:
            mark = bar(u, v, 0.2, 0.2, footprint) * step(0, v + 0.19 - 1.9 * np.abs(u), footprint)
        coverage = np.maximum(border, mark)
        return _finish(albedo + (paint - albedo) * coverage, 0.42, 0.04)

    return material


def _beach_ball(p: Array, footprint: Array) -> Finish:
    radius = np.sqrt((p * p).sum(axis=0))
    longitude = np.arctan2(p[2], p[0]) / np.float32(2 * np.pi) + 1
    across = footprint / np.maximum(np.sqrt(p[0] ** 2 + p[2] ** 2), 1e-3) / np.float32(2 * np.pi)
    albedo = solid(_CREAM, radius.size)
    for start, colour in ((0.0, _RED), (1 / 3, _MUSTARD), (2 / 3, _NAVY)):
        albedo = blend(albedo, colour, stripes(longitude - start + 1, 1.0, 1 / 6, across))
    cap = step(0.9, np.abs(p[1]) / radius, footprint / radius)
    return _finish(blend(albedo, _TEAL, cap), 0.2, 0.045)


def _candy(p: Array, footprint: Array) -> Finish:
    angle = np.arctan2(p[1], p[0]) + np.arctan2(p[2], np.sqrt(p[0] ** 2 + p[1] ** 2) - 0.36) / 6 + 9
    band = stripes(angle, np.pi / 6, 0.5, footprint / 0.36)
    return _finish(blend(solid(_CREAM, angle.size), (0.08, 0.3, 0.14), band), 0.22, 0.05)


def _tin(p: Array, footprint: Array) -> Finish:
    x, y, z = p
    around = np.arctan2(z, x) * np.float32(0.36)
    label = bar(np.zeros_like(y), y, 1, 0.4, footprint)
    albedo = blend(solid((0.5, 0.49, 0.47), y.size), _NAVY, label)
    zigzag = np.abs((around / 0.2) % 1 - 0.5) * 0.28
    chevrons = stripes(y + zigzag + 3, 0.2, 0.42, footprint * 1.8)
    albedo = blend(albedo, _CREAM, label * chevrons * bar(np.zeros_like(y), y, 1, 0.3, footprint))
    rim = np.where(label > 0.5, np.float32(0.34), np.float32(0.22))
    return Finish(albedo, rim.astype(np.float32), np.where(label > 0.5, 0.04, 0.45).astype(np.float32))


def _plain(colour: Colour, roughness: float, coat: float = 0.04) -> Material:
    return lambda p, footprint: _finish(solid(colour, p.shape[1]), roughness, coat)


MATERIALS: dict[str, Material] = {
    "planks": _planks,
    "bricks": _bricks,
    "robot body": _robot_body,
    "robot head": _robot_head,
    "eye": _eye,
    "limb": _limb,
    "steel": _plain(_STEEL, 0.3, 0.2),
    "red lacquer": _plain(_RED, 0.2, 0.05),
    "mustard lacquer": _plain(_MUSTARD, 0.22, 0.05),
    "block cross": _block((_TEAL, _RED, _RED), "cross"),
    "block ring": _block((_RED, _MUSTARD, _NAVY), "ring"),
    "block peak": _block((_MUSTARD, _TEAL, _TEAL), "peak"),
    "beach ball": _beach_ball,
    "candy": _candy,
    "tin": _tin,
    "glass blue": _plain((0.05, 0.14, 0.34), 0.2, 0.07),
    "glass green": _plain((0.06, 0.3, 0.12), 0.2, 0.07),
    "neon": _plain((0.5, 0.5, 0.5), 0.5),
}

EMISSION: dict[str, Colour] = {"neon": (20.0, 6.0, 8.5)}
