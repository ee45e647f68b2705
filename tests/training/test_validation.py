from __future__ import annotations

import numpy as np
import pytest
import torch

from interpositive.models.network import ShotNetwork, ShotNetworkConfig
from interpositive.training.pictures import picture
from interpositive.training.validation import (
    error_of,
    fit_region_threshold,
    quality_of,
    run_frame,
    run_whole,
)
from tiny_shot import matte_of, plate_of, texture

EXTENT = (96, 64)


def network_of(**shape: object) -> ShotNetwork:
    torch.manual_seed(1)
    network = ShotNetwork(ShotNetworkConfig(width=8, hidden=16, **shape))  # type: ignore[arg-type]
    with torch.no_grad():
        network.out.weight.normal_(0, 0.05)
    return network.eval()


def test_a_frame_of_any_size_is_run_whole() -> None:
    network, plate = network_of(), texture(0, 50, 70)
    result = run_frame(network, plate, (0, 0), (70, 50))
    assert result.shape == plate.shape and result.flags.c_contiguous
    padded = np.pad(plate, ((0, 14), (0, 26), (0, 0)), mode="edge")
    np.testing.assert_allclose(result, run_frame(network, padded, (0, 0), (70, 50))[:50, :70], atol=1e-6)


def test_error_and_quality_of_a_known_result_leave_invalid_pixels_out() -> None:
    network = network_of(matte_outputs=1)
    plate, weight = texture(), np.ones((64, 96), np.float32)
    weight[:, :10] = 0
    target = np.concatenate([plate * 2, matte_of(1001)], 2)
    shot = picture(network, plate, target, weight, weight > 0, (0, 0), 0)
    exact = shot.target.clone()
    exact[:, :, :10] = 5.0
    assert error_of(network, exact, shot) == 0
    found = quality_of(network, exact, shot)
    assert (
        found["holdout_matte_iou"] == 1 and found["holdout_psnr_db"] > 150 > 40 > found["untouched_psnr_db"]
    )
    half = exact.clone()
    half[3] = 0.5 * shot.target[3] + 0.25
    assert error_of(network, half, shot) == pytest.approx(0.25)
    empty = exact.clone()
    empty[3] = 0
    assert quality_of(network, empty, shot)["holdout_matte_iou"] == 0


def test_the_threshold_lets_nearly_every_changed_pixel_in_and_never_rises_over_even_odds() -> None:
    network = network_of(has_region=True)
    plate, mask = plate_of(1001), matte_of(1001)[..., 0] > 0
    shot = picture(network, plate, plate * 2, np.ones((64, 96), np.float32), mask, (0, 0), 0)
    with torch.no_grad():
        _, logits = network.raw(shot.plate[None], torch.zeros(2), torch.tensor([96.0, 64.0]))
    assert logits is not None
    fit_region_threshold(network, [shot], EXTENT)
    inside = logits[0, 0][torch.from_numpy(mask)]
    assert (inside > network.region_threshold).float().mean() > 0.99
    assert float(network.region_threshold) <= 0
    changed = (run_whole(network, shot, EXTENT) != shot.plate).any(0)
    assert changed[torch.from_numpy(mask)].float().mean() > 0.99
    with torch.no_grad():
        network.out.bias[-64:] += 100
    fit_region_threshold(network, [shot], EXTENT)
    assert float(network.region_threshold) == 0
