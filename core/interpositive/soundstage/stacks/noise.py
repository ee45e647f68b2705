"""Solid noise for displacement: gradient noise and what is made of it."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

from .meshes import Array, normalised, random_rotation

_TABLE = 4096
Style = Literal["soft", "ridged", "billowed"]
STYLES: tuple[Style, ...] = ("soft", "ridged", "billowed")


def gradient_noise(points: npt.NDArray[np.floating], rng: np.random.Generator) -> Array:
    """Smooth noise (...) at points (..., 3), about -0.7 to 0.7, zero mean; features are about one unit wide.

    Ken Perlin's noise with the quintic blend of "Improving Noise" (SIGGRAPH 2002); hashed gradients.
    """
    gradients = normalised(rng.normal(size=(_TABLE, 3)))
    salt = int(rng.integers(1 << 30))
    place = np.ascontiguousarray(points, np.float32)
    base = np.floor(place)
    inside = place - base
    cell = base.astype(np.int32)
    blend = inside * inside * inside * (inside * (inside * 6 - 15) + 10)
    total = np.zeros(place.shape[:-1], np.float32)
    hashes = [
        [(cell[..., axis] + np.int32(step)) * np.int32(prime) for step in (0, 1)]
        for axis, prime in enumerate((73856093, 19349663, 83492791))
    ]
    for corner in np.ndindex(2, 2, 2):
        key = hashes[0][corner[0]] ^ hashes[1][corner[1]] ^ hashes[2][corner[2]]
        slope = gradients[((key ^ (key >> 13)) + np.int32(salt & 0xFFF)) & (_TABLE - 1)]
        value = np.einsum("...i,...i->...", slope, inside - np.array(corner, np.float32))
        for axis in range(3):
            value *= blend[..., axis] if corner[axis] else 1 - blend[..., axis]
        total += value
    return total


def fractal(
    points: npt.NDArray[np.floating],
    rng: np.random.Generator,
    frequency: float,
    octaves: int = 3,
    gain: float = 0.5,
    style: Style = "soft",
) -> Array:
    """Octaves of noise (...) at points (..., 3), about -1 to 1; ridged has sharp crests, billowed valleys."""
    total = np.zeros(points.shape[:-1], np.float32)
    weight, step = 1.0, frequency
    for _ in range(octaves):
        turn = random_rotation(rng) * step  # the lattice's axes differ from octave to octave
        value = 1.5 * gradient_noise(points @ turn + rng.uniform(-50, 50, 3), rng)
        if style == "ridged":
            value = 0.5 - 2 * np.abs(value)
        elif style == "billowed":
            value = 2 * np.abs(value) - 0.5
        total += np.float32(weight) * value
        weight, step = weight * gain, step * rng.uniform(1.9, 2.2)
    return total


def warped(
    points: npt.NDArray[np.floating], rng: np.random.Generator, frequency: float, amount: float
) -> Array:
    """Points (..., 3) pushed about by noise, so that what is drawn there bends."""
    push = [fractal(points, rng, frequency, 2) for _ in range(3)]
    return (points + np.float32(amount) * np.stack(push, -1)).astype(np.float32)


def pebbled(points: npt.NDArray[np.floating], rng: np.random.Generator, frequency: float) -> Array:
    """Rounded bumps with narrow valleys between, (...) in 0..1: distance to the nearest of scattered seeds.

    Steven Worley, "A Cellular Texture Basis Function" (SIGGRAPH 1996).
    """
    place = points * np.float32(frequency) + np.float32(100)
    cell = np.floor(place).astype(np.int32)
    seeds = rng.random((_TABLE, 3)).astype(np.float32)
    nearest = np.full(place.shape[:-1], 9, np.float32)
    for step in np.ndindex(3, 3, 3):
        at = cell + (np.array(step, np.int32) - 1)
        primes = np.array([73856093, 19349663, 83492791], np.int32)
        key = np.bitwise_xor.reduce(at * primes, axis=-1)
        gap = at + seeds[(key ^ (key >> 13)) & (_TABLE - 1)] - place
        nearest = np.minimum(nearest, np.einsum("...i,...i->...", gap, gap))
    return np.clip(1 - nearest, 0, 1)
