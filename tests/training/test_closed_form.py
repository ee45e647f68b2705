from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from interpositive.models.network import ShotNetwork, ShotNetworkConfig
from interpositive.training.closed_form import CURVE_UNITS, fit_global_change
from interpositive.training.footage import Footage
from interpositive.training.loop import set_global_change
from interpositive.training.perception import perceived_psnr
from interpositive.training.validation import run_frame
from tiny_shot import GRADE, footage_of, plate_of, relit_square, square_at, texture, write_frames, write_shot

KEYS = (1001, 1003, 1006)


def shot_of(folder: Path, change: Callable[[np.ndarray, int], np.ndarray]) -> Footage:
    """Keyframes are `change(plate, frame)`; every frame has its own texture."""
    shot = write_shot(folder, lambda frame: texture(), KEYS)
    write_frames(folder / "plate", "pl", KEYS, texture)
    write_frames(
        folder / "keys", "comp", KEYS, lambda frame: change(texture(frame), frame).astype(np.float32)
    )
    return footage_of(shot)


def psnr(footage: Footage, seed: int = 1) -> float:
    """Of the closed form alone, on the last keyframe."""
    change = fit_global_change(footage, seed)
    network = ShotNetwork(
        ShotNetworkConfig(width=8, hidden=8, curve_units=change.curve_units, toe=footage.toe)
    )
    set_global_change(network, change)
    keyframe = footage.keyframes[-1]
    result = run_frame(network, keyframe.plate, keyframe.origin, footage.extent)
    return perceived_psnr(result, keyframe.target, footage.toe)


def with_toe(plate: np.ndarray, gain: np.ndarray, toe: float) -> np.ndarray:
    return plate + (np.abs(plate) + toe) * gain


def test_a_gain_is_found_exactly(tmp_path: Path) -> None:
    gain = np.float32([0.6, 0.1, -0.4])
    toe = shot_of(tmp_path / "toe", lambda plate, frame: plate * 2).toe
    footage = shot_of(tmp_path / "a", lambda plate, frame: with_toe(plate, gain, toe))
    change = fit_global_change(footage, 1)
    np.testing.assert_allclose(change.bias, gain, atol=2e-5)
    assert change.curve_units == 0


def test_a_subject_with_another_change_does_not_pull_the_gain_away(tmp_path: Path) -> None:
    gain = np.float32([0.6, 0.1, -0.4])
    toe = shot_of(tmp_path / "toe", lambda plate, frame: plate * 2).toe

    def contaminated(plate: np.ndarray, frame: int) -> np.ndarray:
        result = with_toe(plate, gain, toe)
        result[:, :24] = plate[:, :24] * np.float32([3.0, 2.0, 0.8])  # a quarter of the frame
        return result

    change = fit_global_change(shot_of(tmp_path / "a", contaminated), 1)
    assert change.curve_units == 0
    np.testing.assert_allclose(change.bias, gain, atol=0.02)


def test_only_changed_pixels_count(tmp_path: Path) -> None:
    footage = footage_of(write_shot(tmp_path, relit_square, KEYS))
    assert footage.has_region
    change = fit_global_change(footage, 1)
    network = ShotNetwork(
        ShotNetworkConfig(width=8, hidden=8, curve_units=change.curve_units, toe=footage.toe)
    )
    set_global_change(network, change)
    result = run_frame(network, plate_of(1004), (0, 0), footage.extent)[square_at(1004)]
    np.testing.assert_allclose(result, relit_square(1004)[square_at(1004)], rtol=0.05, atol=0.005)


def test_a_gamma_takes_curves_and_is_then_exact_to_the_eye(tmp_path: Path) -> None:
    footage = shot_of(
        tmp_path, lambda plate, frame: np.maximum(plate, 0) ** 0.7 * np.float32([1.1, 1.0, 0.9])
    )
    assert fit_global_change(footage, 1).curve_units == CURVE_UNITS
    assert psnr(footage) > 48


def test_a_sharpening_is_found_by_the_filter(tmp_path: Path) -> None:
    def sharpened(plate: np.ndarray, frame: int) -> np.ndarray:
        shaped = np.log(plate + 0.02)
        soft = cv2.GaussianBlur(shaped, (3, 3), 0.8, borderType=cv2.BORDER_REPLICATE)
        return np.exp(shaped + 0.7 * (shaped - soft)) - 0.02

    footage = shot_of(tmp_path, sharpened)
    change = fit_global_change(footage, 1)
    middle = change.filter[range(3), range(3)]  # (3, 3, 3): each channel from itself
    assert (middle[:, 1, 1] > 0.2).all() and (middle[:, 0, 1] < 0).all()
    assert psnr(footage) > 40


def test_curves_that_fit_only_their_own_frame_are_not_taken(tmp_path: Path) -> None:
    tint = {
        1001: [1, 0.1, 0.1],
        1003: [0.1, 1, 0.1],
        1006: [0.1, 0.1, 1],
    }  # each frame can be told by its hue
    gain = {1001: 2.0, 1003: 0.6, 1006: 1.3}
    shot = write_shot(tmp_path, lambda frame: texture(), KEYS)
    plates = {frame: texture(frame) * np.float32(tint[frame]) for frame in KEYS}
    write_frames(tmp_path / "plate", "pl", KEYS, lambda frame: plates[frame])
    write_frames(tmp_path / "keys", "comp", KEYS, lambda frame: plates[frame] * np.float32(gain[frame]))
    assert fit_global_change(footage_of(shot), 1).curve_units == 0


def test_the_fit_repeats_to_the_bit_and_follows_the_seed(tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    footage = shot_of(tmp_path, lambda plate, frame: plate * random.uniform(1, 2, plate.shape))
    footage.keyframes[0].__dict__["changed"] = np.ones_like(footage.keyframes[0].valid)
    one, same = fit_global_change(footage, 1), fit_global_change(footage, 1)
    assert one.bias.tobytes() == same.bias.tobytes()


def test_the_network_starts_as_the_fit(tmp_path: Path) -> None:
    toe = shot_of(tmp_path / "toe", lambda plate, frame: plate * 2).toe
    footage = shot_of(tmp_path / "a", lambda plate, frame: with_toe(plate, GRADE - 1, toe))
    change = fit_global_change(footage, 1)
    assert change.curve_units == 0
    network = ShotNetwork(ShotNetworkConfig(width=8, hidden=8, toe=footage.toe, matte_outputs=1))
    set_global_change(network, change)
    plate = texture()
    expected = plate + (np.abs(plate) + footage.toe) * change.bias
    result = run_frame(network, plate, (0, 0), footage.extent)
    np.testing.assert_allclose(result[..., :3], expected, rtol=1e-3, atol=1e-4)
    assert (result[..., 3] == 0.5).all()


@pytest.mark.parametrize("units", [0, CURVE_UNITS])
def test_curves_are_not_trained_further(units: int) -> None:
    torch.manual_seed(1)
    network = ShotNetwork(ShotNetworkConfig(width=8, hidden=8, curve_units=units))
    from interpositive.training.closed_form import GlobalChange

    change = GlobalChange(
        np.zeros(3, np.float32),
        np.zeros((units, 3), np.float32),
        np.zeros(units, np.float32),
        np.zeros((3, units), np.float32),
        np.zeros((3, 3, 3, 3), np.float32),
    )
    set_global_change(network, change)
    frozen = {name.split(".")[0] for name, weight in network.named_parameters() if not weight.requires_grad}
    assert frozen == ({"curves_in", "curves_out"} if units else set())
