"""Albedo for training pictures: solid patterns with strong edges, so that edges say nothing about shape."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import cv2
import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]
Random = np.random.Generator

_CALM_SHARE, _ONE_COLOUR_SHARE = 0.4, 0.4  # most things have a colour, or a few
_PLAIN_SHARE, _SECOND_LAYER_SHARE = 0.25, 0.3
_LOGO_PX = 128


def random_albedo(position: Array, part: npt.NDArray[np.uint8], random: Random) -> Array:
    """Albedo (H, W, 3) in 0.02..0.95 for `position` (H, W, 3) in object space; each part painted anew."""
    height, width = part.shape
    albedo = np.empty((height, width, 3), np.float32)
    colours = _Palette(random)
    is_calm = random.random() < _CALM_SHARE
    one = colours.colours(1) if random.random() < _ONE_COLOUR_SHARE else None
    for number in np.unique(part):
        where = part == number
        if is_calm:
            albedo[where] = colours.colours(1) if one is None else one
        else:
            albedo[where] = _paint(position[where], colours, random)
    if random.random() < 0.3:
        grain = solid_noise(position.reshape(-1, 3), random, 16, 25.0).reshape(height, width, 1)
        albedo *= np.exp(grain * random.uniform(0.03, 0.25))
    return np.clip(albedo, 0.02, 0.95)


def solid_noise(points: Array, random: Random, waves: int, frequency: float) -> Array:
    """Smooth noise (P,) of about unit deviation at points (P, 3): a sum of waves around `frequency` rad."""
    vectors = random.normal(size=(3, waves)).astype(np.float32) * np.float32(frequency / 3**0.5)
    phases = random.uniform(0, 2 * np.pi, waves).astype(np.float32)
    total: Array = np.sin(points @ vectors + phases).sum(1) * np.float32((2.0 / waves) ** 0.5)
    return total


class _Palette:
    """Draws colours that belong together: around one hue, or of any."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._hue = random.random()
        self._spread = random.choice([0.05, 0.2, 1.0])
        self._saturation = random.uniform(0.0, 0.9) if random.random() < 0.8 else 0.0
        self._value = random.uniform(np.log(0.1), np.log(0.7))
        self._contrast = random.choice([0.3, 0.8, 1.5])

    def colours(self, count: int) -> Array:
        """(count, 3) albedo; brightness log-uniform around the palette's."""
        hue = self._hue + self._spread * self._random.uniform(-0.5, 0.5, (count, 1))
        wheel = 0.5 + 0.5 * np.cos(2 * np.pi * (hue + np.asarray([0.0, 1 / 3, 2 / 3])))
        saturation = self._saturation * self._random.uniform(0.3, 1.0, (count, 1))
        value = self._value + self._contrast * self._random.uniform(-1, 1, (count, 1))
        value = np.exp(np.clip(value, np.log(0.04), np.log(0.9)))
        colour = 1.0 - saturation * (1.0 - wheel)
        return (value * colour / colour.max(1, keepdims=True)).astype(np.float32)


def _paint(points: Array, palette: _Palette, random: Random) -> Array:
    """(P, 3) albedo of points (P, 3)."""
    if random.random() < _PLAIN_SHARE:
        return np.broadcast_to(palette.colours(1), points.shape)
    pattern = random.choice(list(_PATTERNS), p=list(_SHARES))
    painted = _PATTERNS[pattern](points, palette, random)
    if random.random() < _SECOND_LAYER_SHARE:
        over = solid_noise(points, random, 8, random.uniform(2, 8)) > random.uniform(-0.5, 1.2)
        painted = np.where(over[:, None], palette.colours(1), painted)
    return painted


def _patches(points: Array, palette: _Palette, random: Random) -> Array:
    level = solid_noise(points, random, 12, float(np.exp(random.uniform(0.7, 2.8))))
    count = int(random.integers(2, 5))
    index = np.clip(((level + 1.5) / 3.0 * count).astype(int), 0, count - 1)
    return palette.colours(count)[index]


def _stripes(points: Array, palette: _Palette, random: Random) -> Array:
    axis = random.normal(size=3).astype(np.float32)
    axis *= np.float32(np.exp(random.uniform(1.3, 3.4)) / np.linalg.norm(axis))
    bend = solid_noise(points, random, 6, 3.0) * np.float32(random.choice([0.0, 1.0, 2.5]))
    phase = (points @ axis + bend) / (2 * np.pi)
    colours = palette.colours(int(random.integers(2, 4)))
    edge = random.uniform(0.2, 0.8)
    index = np.where(phase % 1 < edge, 0, 1 + np.floor(phase).astype(int) % (len(colours) - 1))
    return colours[index]


def _checks(points: Array, palette: _Palette, random: Random) -> Array:
    turn, _ = np.linalg.qr(random.normal(size=(3, 3)))
    cells = np.floor(points @ turn.astype(np.float32) * random.uniform(2, 9) + 100.5).astype(int)
    return palette.colours(2)[cells.sum(1) % 2]


def _cells(points: Array, palette: _Palette, random: Random) -> Array:
    distance, count = _seed_distances(points, random, int(random.integers(5, 28)))
    return palette.colours(count)[distance.argmin(1)]


def _spots(points: Array, palette: _Palette, random: Random) -> Array:
    distance, _ = _seed_distances(points, random, int(random.integers(5, 28)))
    inside = distance.min(1) < random.uniform(0.08, 0.35) ** 2
    return palette.colours(2)[inside.astype(int)]


def _seed_distances(points: Array, random: Random, count: int) -> tuple[Array, int]:
    """Squared distances (P, count) to seeds on the surface."""
    seeds = points[random.integers(len(points), size=count)]
    return (seeds**2).sum(1) - 2 * points @ seeds.T + (points**2).sum(1, keepdims=True), count


def _gradient(points: Array, palette: _Palette, random: Random) -> Array:
    level = solid_noise(points, random, 6, random.uniform(1, 5))
    share = 1 / (1 + np.exp(-level * random.uniform(0.7, 3)))[:, None]
    first, second = palette.colours(2)
    return first * share + second * (1 - share)


def _print(points: Array, palette: _Palette, random: Random) -> Array:
    """Scribbles and shapes, projected from one side like a label."""
    colours = palette.colours(4)
    label = np.empty((_LOGO_PX, _LOGO_PX, 3), np.float32)
    label[:] = colours[0]
    for k in range(int(random.integers(2, 7))):
        colour = [float(c) for c in colours[1 + k % 3]]
        a, b = random.integers(0, _LOGO_PX, (2, 2))
        kind = random.integers(4)
        if kind == 0:
            cv2.rectangle(label, a.tolist(), b.tolist(), colour, -1)
        elif kind == 1:
            cv2.circle(label, a.tolist(), int(random.integers(4, 30)), colour, int(random.choice([-1, 3])))
        elif kind == 2:
            cv2.line(label, a.tolist(), b.tolist(), colour, int(random.integers(1, 7)))
        else:
            strokes = (a + np.cumsum(random.integers(-14, 15, (9, 2)), 0)).astype(np.int32)
            cv2.polylines(label, [strokes], bool(random.integers(2)), colour, int(random.integers(1, 5)))
    turn, _ = np.linalg.qr(random.normal(size=(3, 3)))
    place = (points @ turn[:, :2].astype(np.float32) * random.uniform(0.35, 0.9) + 0.5) * _LOGO_PX
    column, row = (place.astype(int) % _LOGO_PX).T
    return label[row, column]


_PATTERNS: Mapping[str, Callable[[Array, _Palette, Random], Array]] = {
    "patches": _patches,
    "stripes": _stripes,
    "checks": _checks,
    "cells": _cells,
    "spots": _spots,
    "gradient": _gradient,
    "print": _print,
}
_SHARES = (0.25, 0.13, 0.08, 0.14, 0.12, 0.14, 0.14)
