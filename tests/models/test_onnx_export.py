from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch

from interpositive.images.image import Pixels
from interpositive.inference.session import InferenceSession
from interpositive.inference.tiles import plan_tiles, run_tiled
from interpositive.models.manifest import TilingRecord
from interpositive.models.network import ShotNetwork, ShotNetworkConfig
from interpositive.models.onnx_export import export_onnx, onnx_bytes

CONFIGS: list[dict[str, Any]] = [
    {},
    {"has_region": True},
    {"curve_units": 24},
    {"curve_units": 24, "has_region": True, "matte_outputs": 1, "data_outputs": 2, "extra_inputs": 3},
    {"changes_rgb": False, "matte_outputs": 1},
    {"changes_rgb": False, "data_outputs": 2, "extra_inputs": 1},
    {"changes_rgb": False, "matte_outputs": 3},
    {"data_outputs": 1},
    {"levels": 1},
    {"levels": 2, "has_region": True},
]


def busy_network(**shape: Any) -> ShotNetwork:
    torch.manual_seed(3)
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
            network.region_threshold.fill_(0.01)
    return network


def session_of(network: ShotNetwork, folder: Path, receptive_px: int | None = None) -> InferenceSession:
    config = network.config
    export_onnx(network, folder / "model.onnx")
    reach = config.receptive_px if receptive_px is None else receptive_px
    tiling = TilingRecord(stride=config.stride, receptive_px=reach, bytes_per_pixel=config.bytes_per_pixel)
    return InferenceSession(folder / "model.onnx", tiling, "cpu", threads=1)


def random_plate(network: ShotNetwork, height: int, width: int) -> Pixels:
    random = np.random.default_rng(5)
    pixels = random.uniform(-0.5, 3, (height, width, network.config.inputs)).astype(np.float32)
    pixels[:1, :3], pixels[-1:, -3:], pixels[0, 7] = -0.5, 60, 0
    return pixels


@torch.no_grad()
def by_torch(network: ShotNetwork, pixels: Pixels, origin: tuple[float, float]) -> Pixels:
    height, width = pixels.shape[:2]
    stride = network.config.stride
    padded = np.pad(pixels, ((0, -height % stride), (0, -width % stride), (0, 0)), mode="edge")
    planes = torch.from_numpy(np.ascontiguousarray(padded.transpose(2, 0, 1)))[None]
    result = network(planes, torch.tensor(origin), torch.tensor([300.0, 200.0]))
    return result[0, :, :height, :width].permute(1, 2, 0).numpy()


@pytest.mark.parametrize("shape", CONFIGS, ids=str)
def test_the_graph_gives_what_torch_gives_at_any_size(shape: dict[str, Any], tmp_path: Path) -> None:
    network = busy_network(**shape)
    session = session_of(network, tmp_path)
    for height, width, origin in ((64, 96, (0.0, 0.0)), (37, 61, (-8.0, 16.0)), (1, 130, (5.0, -3.0))):
        pixels = random_plate(network, height, width)
        expected = by_torch(network, pixels, origin)
        result = session.run(pixels, origin, (300.0, 200.0))
        assert result.shape == expected.shape
        assert np.abs(result - expected).max() <= 1e-5 * np.abs(expected).max()
        assert expected.std() > 0


def test_before_training_the_graph_gives_the_plate_to_the_bit(tmp_path: Path) -> None:
    network = ShotNetwork(ShotNetworkConfig(width=8, hidden=16, has_region=True, curve_units=24))
    pixels = random_plate(network, 64, 96)
    pixels[5, 8:12] = 1e-20
    result = session_of(network, tmp_path).run(pixels, (0, 0), (96, 64))
    assert np.ascontiguousarray(result).tobytes() == pixels.tobytes()


@pytest.mark.parametrize(
    "shape", [{}, {"curve_units": 24, "has_region": True}, {"levels": 2, "matte_outputs": 1}], ids=str
)
def test_tiles_give_the_whole_frame(shape: dict[str, Any], tmp_path: Path) -> None:
    network = busy_network(**shape)
    session = session_of(network, tmp_path)
    config = network.config
    height, width = (
        6 * config.stride + 2 * config.receptive_px - 5,
        5 * config.stride + 2 * config.receptive_px + 3,
    )
    pixels = random_plate(network, height, width)
    least = (2 * config.receptive_px + 2 * config.stride) ** 2
    assert len(plan_tiles(width, height, config.stride, config.receptive_px, least)) >= 4
    whole = session.run(pixels, (0, 0), (width, height))
    tiled = run_tiled(session, pixels, (0, 0), (width, height), least)
    assert np.abs(tiled - whole).max() <= 1e-4 * np.abs(whole).max()


def test_tiles_that_overlap_too_little_would_show(tmp_path: Path) -> None:
    network = busy_network(levels=2, curve_units=8)
    config = network.config
    session = session_of(network, tmp_path, receptive_px=config.receptive_px - 2 * config.stride)
    pixels = random_plate(network, 160, 176)
    whole = session.run(pixels, (0, 0), (176, 160))
    tiled = run_tiled(session, pixels, (0, 0), (176, 160), 80 * 80)
    assert np.abs(tiled - whole).max() > 1e-4 * np.abs(whole).max()


@pytest.mark.parametrize("shape", CONFIGS, ids=str)
def test_only_standard_operators_of_opset_17_are_used(shape: dict[str, Any]) -> None:
    model = onnx.load_from_string(onnx_bytes(busy_network(**shape)))
    assert [(entry.domain, entry.version) for entry in model.opset_import] == [("", 17)]
    assert model.ir_version == 8
    for node in model.graph.node:
        assert node.domain == ""
        assert onnx.defs.get_schema(node.op_type, 17, "").since_version <= 17
    onnx.checker.check_model(model, full_check=True)


def test_the_same_weights_give_the_same_bytes() -> None:
    assert onnx_bytes(busy_network(curve_units=24)) == onnx_bytes(busy_network(curve_units=24))
