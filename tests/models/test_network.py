from __future__ import annotations

import json
import os
import subprocess
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from interpositive.models.network import LEAST_GAIN, ShotNetwork, ShotNetworkConfig

PLACE = torch.zeros(2), torch.tensor([96.0, 64.0])
HARD_VALUES = [-0.5, 60.0, 0.0, 1.0, -1e-30, 1e-30, 65504.0, -65504.0, 0.18, 1e-3, 3e4]

SHAPES: list[dict[str, Any]] = [
    {},
    {"has_region": True},
    {"curve_units": 24},
    {"curve_units": 24, "has_region": True, "matte_outputs": 1, "data_outputs": 2, "extra_inputs": 3},
    {"changes_rgb": False, "matte_outputs": 2},
    {"changes_rgb": False, "data_outputs": 3, "extra_inputs": 1},
    {"matte_outputs": 1},
    {"levels": 1},
    {"levels": 2, "extra_inputs": 2},
    {"levels": 4, "width": 8},
]


def busy_network(seed: int = 1, **shape: Any) -> ShotNetwork:
    """Random weights everywhere, also in the layers that start at zero."""
    torch.manual_seed(seed)
    network = ShotNetwork(ShotNetworkConfig(**{"width": 8, "hidden": 16, **shape})).eval()
    with torch.no_grad():
        network.out.weight.normal_(0, 0.05)
        network.out.bias.normal_(0, 0.05)
        network.detail.weight.normal_(0, 0.02)
        if network.config.curve_units:
            network.curves_out.weight.normal_(0, 0.02)
        network.extra_mean.uniform_(-1, 1)
        network.extra_scale.uniform_(0.5, 2)
        if network.config.has_region:
            network.region_threshold.fill_(0.0)
    return network


def plate(channels: int = 3, height: int = 64, width: int = 96, seed: int = 2) -> Tensor:
    random = np.random.default_rng(seed)
    pixels = random.uniform(-0.5, 2, (1, channels, height, width)).astype(np.float32)
    pixels.reshape(-1)[: len(HARD_VALUES)] = HARD_VALUES
    pixels[0, :, -1, -1] = 60
    return torch.from_numpy(pixels)


@torch.no_grad()
def run(network: ShotNetwork, pixels: Tensor) -> Tensor:
    return network(pixels, *PLACE)


@pytest.mark.parametrize("shape", [{}, {"has_region": True}, {"curve_units": 8}], ids=str)
def test_before_training_the_result_is_the_plate_to_the_bit(shape: dict[str, Any]) -> None:
    network = ShotNetwork(ShotNetworkConfig(width=8, hidden=16, **shape))
    pixels = plate()
    assert run(network, pixels).numpy().tobytes() == pixels.numpy().tobytes()


def test_outside_the_region_even_negative_zero_keeps_its_bits() -> None:
    network = busy_network(has_region=True, curve_units=8)
    pixels = plate()
    pixels[0, :, :8] = -0.0
    network.region_threshold.fill_(1e9)
    assert run(network, pixels).numpy().tobytes() == pixels.numpy().tobytes()
    network.region_threshold.fill_(-1e9)
    assert (run(network, pixels) == pixels).float().mean() < 0.02


def test_inside_a_region_a_change_smaller_than_a_half_float_holds_leaves_the_plate() -> None:
    network, pixels = ShotNetwork(ShotNetworkConfig(width=8, hidden=16, has_region=True)).eval(), plate()
    with torch.no_grad():
        network.out.bias[: 3 * 64] = 0.9 * LEAST_GAIN
        assert run(network, pixels).numpy().tobytes() == pixels.numpy().tobytes()
        network.out.bias[: 3 * 64] = 1.1 * LEAST_GAIN
        assert (run(network, pixels) != pixels).float().mean() > 0.99


def test_the_region_decides_pixel_by_pixel() -> None:
    network, pixels = busy_network(has_region=True), plate()
    with torch.no_grad():
        _, logits = network.raw(pixels, *PLACE)
    assert logits is not None
    inside = (logits > 0).expand_as(pixels)
    changed = run(network, pixels) != pixels
    assert 0.05 < inside.float().mean() < 0.95
    assert torch.equal(changed & ~inside, torch.zeros_like(inside))
    assert (changed == inside).float().mean() > 0.99


def test_the_change_is_a_gain_on_the_plate_above_the_toe() -> None:
    network, pixels = ShotNetwork(ShotNetworkConfig(width=8, hidden=16, toe=0.02)), plate()
    gain = torch.tensor([0.5, -0.25, 2.0])
    with torch.no_grad():
        network.out.bias.view(3, -1).copy_(gain[:, None])
    expected = pixels + (pixels.abs() + 0.02) * gain.view(1, 3, 1, 1)
    torch.testing.assert_close(run(network, pixels), expected)


def test_the_log_shaper_is_inside_and_scene_linear_goes_in() -> None:
    network = busy_network()
    shaped = network.shape(torch.tensor([-1.0, 0.0, 1.0, 60.0]))
    np.testing.assert_allclose(shaped.numpy(), np.log(np.float32([1.02, 0.02, 1.02, 60.02])), rtol=1e-6)
    assert torch.isfinite(run(network, plate())).all()


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_channels_in_and_out_are_what_the_config_says(shape: dict[str, Any]) -> None:
    network = busy_network(**shape)
    config = network.config
    height, width = 2 * config.stride, 3 * config.stride
    result = run(network, plate(config.inputs, height, width))
    assert result.shape == (1, config.outputs, height, width)
    first = 3 * config.changes_rgb
    mattes = result[:, first : first + config.matte_outputs]
    assert ((mattes >= 0) & (mattes <= 1)).all()


def test_a_config_survives_json() -> None:
    config = ShotNetworkConfig(matte_outputs=1, data_outputs=2, extra_inputs=4, curve_units=24, toe=0.004)
    assert ShotNetworkConfig(**json.loads(json.dumps(config.to_json()))) == config


def test_where_a_pixel_lies_in_the_picture_matters() -> None:
    network, pixels = busy_network(), plate()
    with torch.no_grad():
        moved = network(pixels, torch.tensor([64.0, -32.0]), PLACE[1])
        apart = network(torch.cat([pixels, pixels]), torch.tensor([[0.0, 0.0], [64.0, -32.0]]), PLACE[1])
    assert (moved - run(network, pixels)).abs().max() > 1e-3
    torch.testing.assert_close(apart[1:], moved, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("levels", "expected_px"), [(1, 8), (2, 48), (3, 128), (4, 256)])
def test_nothing_beyond_the_receptive_field_reaches_a_block_and_one_stride_less_would_not_do(
    levels: int, expected_px: int
) -> None:
    network = busy_network(levels=levels, width=4, hidden=8, curve_units=4).double()
    with torch.no_grad():  # nothing is cut off on the way, so everything that can arrive does
        for weight in network.parameters():
            weight.abs_().add_(0.01)
    config = network.config
    stride, halo = config.stride, config.receptive_px
    assert halo == expected_px
    size = 2 * halo + 3 * stride
    block = slice(halo + stride, halo + 2 * stride)
    random = torch.Generator().manual_seed(1)
    pixels = 0.5 + torch.rand((1, 3, size, size), generator=random, dtype=torch.float64)
    place = torch.zeros(2, dtype=torch.float64), torch.full((2,), float(size), dtype=torch.float64)

    def block_with_other_surroundings(distance: int) -> Tensor:
        near = slice(block.start - distance, block.stop + distance)
        other = 2.0 + pixels
        other[..., near, near] = pixels[..., near, near]
        with torch.no_grad():
            return network(other, *place)[..., block, block]

    with torch.no_grad():
        whole = network(pixels, *place)[..., block, block]
    assert torch.equal(block_with_other_surroundings(halo), whole)
    assert not torch.equal(block_with_other_surroundings(halo - stride), whole)


_MEASURE = """
import json, sys
from pathlib import Path
import numpy as np
from interpositive.inference.session import InferenceSession
from interpositive.models.manifest import TilingRecord
path, channels, stride, width, height = sys.argv[1], *map(int, sys.argv[2:])
tiling = TilingRecord(stride=stride, receptive_px=128, bytes_per_pixel=1)
session = InferenceSession(Path(path), tiling, "cpu", 1)
session.run(np.zeros((64, 64, channels), np.float32), (0, 0), (64, 64))
pixels = np.random.default_rng(0).random((height, width, channels), dtype=np.float32)
def status(name):
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith(name))
before = status("VmRSS")
for _ in range(3):
    result = session.run(pixels, (0, 0), (width, height))
print((status("VmHWM") - before) / (width * height))
"""


@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="reads /proc")
@pytest.mark.parametrize(
    "shape",
    [{}, {"has_region": True, "curve_units": 24}, {"changes_rgb": False, "matte_outputs": 1}],
    ids=str,
)
def test_bytes_per_pixel_covers_the_measured_peak_by_a_tenth_and_not_by_twice(
    shape: dict[str, Any], tmp_path: Any, child_environment: dict[str, str], python: str
) -> None:
    from interpositive.models.onnx_export import export_onnx

    config = ShotNetworkConfig(**shape)
    export_onnx(ShotNetwork(config), tmp_path / "model.onnx")
    size = ["1536", "1024"]
    arguments = [str(tmp_path / "model.onnx"), str(config.inputs), str(config.stride), *size]
    environment = {**child_environment, "PYTHONWARNINGS": "default"}
    done = subprocess.run(
        [python, "-c", _MEASURE, *arguments], env=environment, capture_output=True, text=True, check=True
    )
    measured = float(done.stdout)
    assert 1.1 * measured <= config.bytes_per_pixel <= 2.0 * measured
