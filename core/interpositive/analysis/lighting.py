"""The light of a shot from its passes: a directional key and an environment of low order.

shading = colour * max(n . l, 0) * visibility + environment(n). The environment is a sum of non-negative lamps
spread evenly over the sphere, seen through spherical harmonics of order 2 as everywhere else, so that no
direction ever takes light away. Colours follow by non-negative least squares; the direction is searched for;
both are repeated with weights that fall where the fit is bad (iteratively reweighted least squares: P.
Holland, R. Welsch, "Robust regression using iteratively reweighted least-squares", 1977).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from ..relight.shot_light import ShotLight, sh_basis, sh_irradiance_basis
from .prediction import Map, WorkingPasses

Solution = NDArray[np.float64]

MOST_SAMPLES = 6000
_LAMPS = 32
_SPREAD = 0.03  # ridge that keeps the environment even; relative to the mean energy of a lamp's column
_PRIOR_PULL = 0.05  # share of the shading's energy that the prior's own direction is worth, at most
_ROUNDS = 4
_SWEEPS = 150
_ANGLES = (0.35, 0.12, 0.04)  # radians around the best direction, one ring after another
_LOWEST_Z = -0.35  # a key from far behind lights almost nothing that the camera sees


@dataclass(frozen=True, eq=False)
class LightSamples:
    """What the light is fitted to: normal (n, 3), shading (n, 3), visibility (n,), weight (n,)."""

    normal: Map
    shading: Map
    visibility: Map
    weight: Map


def gather(
    frames: Sequence[WorkingPasses], mattes: Sequence[Map | None] | None = None, seed: int = 0
) -> LightSamples:
    """At most `MOST_SAMPLES` pixels of several frames, the same ones for the same seed."""
    random = np.random.default_rng(seed)
    share = max(1, MOST_SAMPLES // max(len(frames), 1))
    normal, shading, visibility, weight = [], [], [], []
    for k, passes in enumerate(frames):
        trust = passes.confidence.ravel()
        matte = mattes[k] if mattes is not None else None
        if matte is not None:
            trust = trust * matte.ravel()
        places = random.choice(trust.size, min(share, trust.size), replace=False)
        normal.append(passes.normal.reshape(-1, 3)[places])
        shading.append(passes.shading.reshape(-1, 3)[places])
        visibility.append(passes.visibility.ravel()[places])
        weight.append(trust[places])
    return LightSamples(*(np.concatenate(parts) for parts in (normal, shading, visibility, weight)))


def fit_light(samples: LightSamples, start: Map | None = None, keep_direction: bool = False) -> ShotLight:
    """The light that explains the samples.

    `start` (3,) is where the key is expected, for which the fit has a small preference;
    `keep_direction` holds the key there. Samples without light give a black light.
    """
    lamps = sphere_directions(_LAMPS)
    basis = irradiance_basis(samples.normal).astype(np.float64)  # (n, 9)
    lamp_sh = _numpy(sh_basis(torch.from_numpy(lamps))).T.astype(np.float64)  # (9, lamps)
    environment = basis @ lamp_sh  # (n, lamps)
    shading = np.nan_to_num(samples.shading).astype(np.float64)
    level = shading.mean(1)
    typical = float(np.average(level, weights=samples.weight + 1e-6))
    # Relative errors count, down to a quarter of the mean: else only the brightest part is fitted.
    relative = samples.weight / np.square(level + 0.25 * typical + 1e-9)
    weight = relative.astype(np.float64)
    expected = _direction_or_camera(start)
    direction = expected
    key, amounts = np.zeros(3), np.zeros((_LAMPS, 3))
    for _ in range(_ROUNDS):
        if not keep_direction:
            direction = _best_direction(
                samples, environment, level, weight, None if start is None else expected
            )
        column = _key_column(samples, direction[None])[:, 0]
        key, amounts = _amounts(column, environment, shading, weight)
        error = np.abs(level - (column * key.mean() + environment @ amounts.mean(1)))
        scale = max(1.5 * float(np.average(error, weights=samples.weight + 1e-6)), 1e-9)
        weight = relative / (1 + np.square(error / scale))
    return ShotLight.of(direction.tolist(), key.tolist(), (lamp_sh @ amounts).tolist())


def shading_of(light: ShotLight, normal: Map, visibility: Map | None = None) -> Map:
    """Shading (..., 3) of normals (..., 3), in numpy."""
    seen = None if visibility is None else torch.from_numpy(np.ascontiguousarray(visibility))
    return _numpy(light.shading(torch.from_numpy(np.ascontiguousarray(normal, np.float32)), seen))


def irradiance_basis(normal: Map) -> Map:
    """(n, 9), in numpy."""
    return _numpy(sh_irradiance_basis(torch.from_numpy(np.ascontiguousarray(normal, np.float32))))


def mean_light(lights: Sequence[ShotLight], weights: Sequence[float]) -> ShotLight:
    """The weighted mean of what the prior says in several frames."""
    share = torch.tensor(weights, dtype=torch.float32)
    share = share / share.sum().clamp_min(1e-9)

    def mean(values: Sequence[torch.Tensor]) -> torch.Tensor:
        return torch.einsum("n,n...->...", share, torch.stack(list(values)))

    pull = mean([light.direction * light.colour.mean().clamp_min(1e-9) for light in lights])
    return ShotLight.of(
        pull.tolist(),
        mean([light.colour for light in lights]).tolist(),
        mean([light.environment_sh for light in lights]).tolist(),
    )


def sphere_directions(count: int) -> Map:
    """(count, 3) unit vectors spread evenly over the sphere: a Fibonacci lattice (A. Gonzalez,
    "Measurement of areas on a sphere using Fibonacci and latitude-longitude lattices", 2010)."""
    index = np.arange(count) + 0.5
    z = 1 - 2 * index / count
    angle = np.pi * (1 + 5**0.5) * index
    radius = np.sqrt(1 - z * z)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle), z], 1).astype(np.float32)


def direction_of(azimuth_deg: float, elevation_deg: float) -> Map:
    """Unit vector (3,) towards a light: azimuth 0 is from the camera, 90 from the right; elevation is up."""
    azimuth, elevation = np.radians([azimuth_deg, elevation_deg])
    flat = np.cos(elevation)
    return np.asarray([np.sin(azimuth) * flat, np.sin(elevation), np.cos(azimuth) * flat], np.float32)


def azimuth_elevation(direction: Sequence[float]) -> tuple[float, float]:
    """The inverse of `direction_of`, in degrees."""
    x, y, z = (float(value) for value in direction)
    return float(np.degrees(np.arctan2(x, z))), float(np.degrees(np.arcsin(np.clip(y, -1, 1))))


def _best_direction(
    samples: LightSamples, environment: Solution, level: Solution, weight: Solution, expected: Map | None
) -> Map:
    """The direction whose key explains most of what the environment leaves."""
    weighted = environment * weight[:, None]
    gram = environment.T @ weighted
    gram[np.diag_indices(len(gram))] += _SPREAD * np.trace(gram) / len(gram) + 1e-12
    left = np.linalg.solve(gram, weighted.T @ level)
    energy = float((weight * level * level).sum()) + 1e-12

    def score(directions: Map) -> Solution:
        column = _key_column(samples, directions).astype(np.float64)  # (n, directions)
        cross = weighted.T @ column
        own = (column * column * weight[:, None]).sum(0) - (cross * np.linalg.solve(gram, cross)).sum(0)
        gain = (column * (weight * level)[:, None]).sum(0) - cross.T @ left
        explained = np.square(np.maximum(gain, 0)) / np.maximum(own, 1e-9 * energy + 1e-12) / energy
        if expected is not None:
            explained = explained + _PRIOR_PULL * (directions @ expected)
        return explained

    candidates = sphere_directions(400)
    candidates = candidates[candidates[:, 2] > _LOWEST_Z]
    best = candidates[int(np.argmax(score(candidates)))]
    for angle in _ANGLES:
        ring = np.concatenate([best[None], _ring(best, angle), _ring(best, angle / 2)])
        best = ring[int(np.argmax(score(ring)))]
    return best


def _ring(centre: Map, angle: float) -> Map:
    aside = np.asarray([1, 0, 0] if abs(centre[0]) < 0.8 else [0, 1, 0], np.float32)
    first = np.cross(centre, aside)
    first /= np.linalg.norm(first)
    second = np.cross(centre, first)
    turn = np.linspace(0, 2 * np.pi, 8, endpoint=False, dtype=np.float32)[:, None]
    ring = np.cos(angle) * centre + np.sin(angle) * (np.cos(turn) * first + np.sin(turn) * second)
    return ring.astype(np.float32)


def _key_column(samples: LightSamples, directions: Map) -> Map:
    """max(n . l, 0) * visibility, (n, directions)."""
    return np.maximum(samples.normal @ directions.T, 0) * samples.visibility[:, None]


def _amounts(
    column: Map, environment: Solution, shading: Solution, weight: Solution
) -> tuple[Solution, Solution]:
    """Colour of the key (3,) and of each lamp (lamps, 3), none below zero."""
    parts = np.concatenate([column[:, None].astype(np.float64), environment], 1)
    weighted = parts * weight[:, None]
    gram = parts.T @ weighted
    ridge = _SPREAD * np.trace(gram[1:, 1:]) / max(len(gram) - 1, 1)
    gram[np.diag_indices(len(gram))] += np.concatenate([[1e-4 * gram[0, 0]], np.full(len(gram) - 1, ridge)])
    amounts = non_negative(gram, weighted.T @ shading)
    return amounts[0], amounts[1:]


def non_negative(gram: Solution, target: Solution) -> Solution:
    """x >= 0 (n, k) that minimises x'Gx / 2 - x't for each column, by cyclic coordinate descent."""
    solution = np.maximum(np.linalg.lstsq(gram, target, rcond=None)[0], 0)
    diagonal = np.maximum(np.diag(gram), 1e-18)
    for _ in range(_SWEEPS):
        before = solution.copy()
        for k in range(len(gram)):
            step = (target[k] - gram[k] @ solution) / diagonal[k]
            solution[k] = np.maximum(solution[k] + step, 0)
        if np.abs(solution - before).max() <= 1e-9 * max(float(solution.max()), 1e-12):
            break
    return solution


def _direction_or_camera(start: Map | None) -> Map:
    if start is None or not np.isfinite(start).all() or np.linalg.norm(start) < 1e-6:
        return np.asarray([0, 0, 1], np.float32)
    return (np.asarray(start, np.float32) / np.linalg.norm(start)).astype(np.float32)


def _numpy(tensor: torch.Tensor) -> Map:
    values: Map = tensor.detach().cpu().numpy()
    return values
