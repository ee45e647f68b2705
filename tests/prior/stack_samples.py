"""Small light stacks with known answers: a sphere on nothing, lit analytically."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import safetensors.numpy


def sphere_shard(path: Path, scenes: int = 2, size: int = 64, lights: int = 6, seed: int = 1) -> Path:
    """Write a shard of orthographic spheres of different sizes without shadows."""
    random = np.random.default_rng(seed)
    arrays: dict[str, list[np.ndarray]] = {}
    for _ in range(scenes):
        for name, values in sphere_scene(random, size, lights).items():
            arrays.setdefault(name, []).append(values)
    safetensors.numpy.save_file({name: np.stack(values) for name, values in arrays.items()}, str(path))
    return path


def sphere_scene(random: np.random.Generator, size: int, lights: int) -> dict[str, np.ndarray]:
    line = (np.arange(size) + 0.5) / size - 0.5
    x, y = np.meshgrid(line, -line)
    radius = random.uniform(0.3, 0.45)
    inside = x**2 + y**2 < radius**2
    z = np.sqrt(np.maximum(radius**2 - x**2 - y**2, 0))
    normal = np.where(inside[..., None], np.stack([x, y, z], -1) / radius, 0)
    directions = random.normal(size=(lights, 3))
    directions[:, 2] = np.abs(directions[:, 2]) + 0.3
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    direct = np.maximum(np.einsum("hwc,lc->lhw", normal, directions), 0)
    return {
        "normal": np.rint(normal * 127).astype(np.int8),
        "depth": (-z).astype(np.float16),
        "matte": (inside * 255).astype(np.uint8),
        "part": (inside & (x > 0)).astype(np.uint8),
        "position": (np.stack([x, y, z], -1) / radius).astype(np.float16),
        "light_direction": directions.astype(np.float32),
        "direct": direct.astype(np.float16),
        "bounce": np.zeros_like(direct, np.float16),
        "ambient": inside.astype(np.float16),
    }
