"""A folder of objects under known lights, as small as it can be: rendered balls with painted albedo."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

SIZE = 48


def ball() -> tuple[np.ndarray, np.ndarray]:
    """Matte (H, W) and normals (H, W, 3) of a ball that nearly fills the picture."""
    y, x = np.mgrid[0:SIZE, 0:SIZE]
    u, v = (x + 0.5) / SIZE * 2.2 - 1.1, 1.1 - (y + 0.5) / SIZE * 2.2
    inside = u * u + v * v < 0.98
    z = np.sqrt(np.maximum(1 - u * u - v * v, 0))
    normals = np.stack([u, v, z], -1).astype(np.float32)
    return inside, np.where(inside[..., None], normals, np.float32([0, 0, 1]))


def lights(count: int) -> np.ndarray:
    """Unit vectors (N, 3) on a ring towards the camera, one of them from behind."""
    around = np.arange(count) * 2 * np.pi / count
    z = np.linspace(0.9, 0.3, count)
    z[-1] = -0.2
    across = np.sqrt(1 - z * z)
    return np.stack([across * np.cos(around), across * np.sin(around), z], 1).astype(np.float32)


def write_objects(folder: Path, names: tuple[str, ...] = ("mit_ball", "uw_ball"), count: int = 6) -> Path:
    """Objects whose pictures are exactly albedo x (colour x max(n . l, 0) + ambient)."""
    folder.mkdir(parents=True, exist_ok=True)
    matte, normals = ball()
    for index, name in enumerate(names):
        rng = np.random.default_rng(index)
        checks = np.kron(rng.random((6, 6, 3)), np.ones((SIZE // 6, SIZE // 6, 1))) * 0.6 + 0.1
        albedo = (checks * matte[..., None]).astype(np.float32)
        directions = lights(count)
        colours = rng.uniform(0.7, 1.0, (count, 3)).astype(np.float32)
        ambients = np.full((count, 3), 0.1, np.float32)
        shading = np.maximum(normals @ directions.T, 0)[..., None] * colours + ambients
        pictures = (albedo[:, :, None] * shading).transpose(2, 0, 1, 3)
        np.savez_compressed(
            folder / f"{name}.npz",
            imgs=np.rint(np.clip(pictures, 0, 1) * 65535).astype(np.uint16),
            mask=matte, dirs=directions, rgb=colours, amb=ambients,
            normals=normals.astype(np.float16),
            albedo=np.rint(albedo * 65535).astype(np.uint16),
            meta=json.dumps({"name": name}),
        )  # fmt: skip
    return folder
