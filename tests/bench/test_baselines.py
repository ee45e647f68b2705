"""The polynomial that a network has to beat."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from interpositive.bench.baselines import fit_polynomial, polynomial_psnr, untouched_psnr


def write(path: Path, picture: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), picture[..., ::-1])
    return path


def cubic(picture: np.ndarray) -> np.ndarray:
    x = picture / 255
    mixed = 0.1 + 0.5 * x[..., [1, 2, 0]] * x + 0.3 * x**3
    return np.rint(mixed * 255).astype(np.uint8)


def test_a_cubic_change_of_colour_is_found() -> None:
    rng = np.random.default_rng(0)
    plate = rng.integers(0, 256, (64, 64, 3), np.uint8)
    weights = fit_polynomial([(plate, cubic(plate))])
    assert weights.shape == (20, 3)
    assert weights[0] == pytest.approx([0.1] * 3, abs=0.01)


def test_the_polynomial_learns_from_keyframes_and_is_scored_on_others(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    plates, targets = {}, {}
    for frame in range(6):
        picture = rng.integers(0, 256, (40, 40, 3), np.uint8)
        plates[frame] = write(tmp_path / "plate" / f"{frame}.png", picture)
        targets[frame] = write(tmp_path / "relit" / f"{frame}.png", cubic(picture))
    psnr, seconds = polynomial_psnr(plates, targets, [0, 5], [2, 3])
    assert psnr > 50
    assert 0 <= seconds < 5
    assert untouched_psnr(plates, targets, [2, 3]) < 20
