from __future__ import annotations

import numpy as np
import torch

from interpositive.project.random_changes import GRID_PX, KINDS, PLANES, RandomChanges, known_of
from tiny_shot import HEIGHT, WIDTH, texture


def passes_of(height: int, width: int) -> dict[str, np.ndarray]:
    """What a prior might say, at half size."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    normal = np.stack([x / width - 0.5, y / height - 0.5, np.ones_like(x)], 2)
    return {
        "normal": normal / np.linalg.norm(normal, axis=2, keepdims=True),
        "albedo": np.full((height, width, 3), 0.4, np.float32),
        "depth": np.ones((height, width), np.float32),
    }


def known(seed: int, before: np.ndarray | None = None, after: np.ndarray | None = None) -> np.ndarray:
    return known_of(texture(seed), passes_of(HEIGHT // 2, WIDTH // 2), before, after)


def planes_of(found: np.ndarray, kind: str) -> np.ndarray:
    first = sum(list(KINDS.values())[: list(KINDS).index(kind)])
    return found[first : first + KINDS[kind]]


def test_what_is_known_lies_on_the_grid_and_is_finite() -> None:
    found = known(1)
    assert found.shape == (PLANES, HEIGHT // GRID_PX, WIDTH // GRID_PX)
    assert found.dtype == np.float32
    assert np.isfinite(found).all()


def test_normals_stay_unit_vectors_on_the_grid() -> None:
    assert np.allclose(np.linalg.norm(planes_of(known(1), "normal"), axis=0), 1, atol=1e-4)


def test_a_frame_without_neighbours_does_not_move() -> None:
    assert not planes_of(known(1), "motion").any()


def test_only_what_moves_against_the_rest_has_motion() -> None:
    plate = texture(3, 128, 192)
    after = plate.copy()
    after[40:88, 72:120] = plate[40:88, 64:112]
    found = known_of(plate, passes_of(64, 96), None, after)
    motion = np.linalg.norm(planes_of(found, "motion"), axis=0)
    assert motion[12:20, 18:26].mean() > 3 * motion[:6].mean()


def test_maps_are_of_zero_mean_and_unit_deviation_over_all_frames() -> None:
    frames = [torch.from_numpy(known(seed)) for seed in range(4)]
    changes = RandomChanges(frames, 16, seed=1)
    maps = torch.stack([changes.maps(frame) for frame in frames], 1)
    assert maps.shape == (16, 4, HEIGHT // GRID_PX, WIDTH // GRID_PX)
    assert maps.mean((1, 2, 3)).abs().max() < 0.3
    deviation = maps.std((1, 2, 3))
    assert 0.5 < deviation.min() and deviation.max() < 2.0


def test_the_same_seed_draws_the_same_changes_and_another_seed_others() -> None:
    frames = [torch.from_numpy(known(1))]
    first, again, other = (RandomChanges(frames, 4, seed).maps(frames[0]) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.allclose(first, other)
