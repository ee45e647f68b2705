from __future__ import annotations

import numpy as np
import pytest
import torch

from interpositive.models.network import ShotNetwork, ShotNetworkConfig
from interpositive.training.backbone import BACKBONE_LAYERS, Backbone, fit_last_layer
from interpositive.training.crops import Picture
from interpositive.training.pictures import picture
from tiny_shot import texture

CONFIG = ShotNetworkConfig(width=8, hidden=48)
SIZE = (96, 64)


def a_network(seed: int, config: ShotNetworkConfig = CONFIG) -> ShotNetwork:
    torch.manual_seed(seed)
    return ShotNetwork(config)


def a_picture(network: ShotNetwork, seed: int = 0) -> Picture:
    """A plate of which the upper half is made brighter."""
    plate = texture(seed)
    target = plate.copy()
    target[: len(target) // 2] *= 1.5
    ones = np.ones(plate.shape[:2], np.float32)
    return picture(network, plate, target, ones, ones, (0, 0), 0)


def error_on(network: ShotNetwork, shown: Picture) -> float:
    with torch.no_grad():
        result = network(shown.plate[None], torch.zeros(2), torch.tensor(SIZE, dtype=torch.float32))
    return float((result[0] - shown.target[:3]).square().mean())


def test_fitted_last_layer_explains_most_of_the_change() -> None:
    network = a_network(1)
    shown = a_picture(network)
    before = error_on(network, shown)
    fit_last_layer(network, [shown], SIZE)
    assert error_on(network, shown) < 0.35 * before


def test_pixels_without_weight_do_not_count_in_the_fit() -> None:
    network = a_network(1)
    shown = a_picture(network)
    weight = torch.zeros_like(shown.weight)
    weight[:, : SIZE[1] // 2] = 1.0
    spoilt = shown.target.clone()
    spoilt[:, SIZE[1] // 2 :] = 50.0
    half = Picture(shown.plate, spoilt, weight, shown.region, shown.start_error, shown.origin, shown.keyframe)
    fit_last_layer(network, [half], SIZE)
    with torch.no_grad():
        result = network(shown.plate[None], torch.zeros(2), torch.tensor(SIZE, dtype=torch.float32))[0]
    upper = np.s_[:, : SIZE[1] // 2]
    assert (result[upper] - shown.target[upper]).abs().mean() < 0.05
    assert result.abs().max() < 5.0


def test_fit_leaves_region_and_matte_heads_alone() -> None:
    network = a_network(1, ShotNetworkConfig(width=8, hidden=48, matte_outputs=1, has_region=True))
    shown = a_picture(network)
    matte = torch.zeros_like(shown.weight)
    with_matte = Picture(
        shown.plate, torch.cat([shown.target, matte]), shown.weight, shown.region, shown.start_error,
        shown.origin, shown.keyframe,
    )  # fmt: skip
    fit_last_layer(network, [with_matte], SIZE)
    assert network.out.weight[: 3 * 64].abs().max() > 0
    assert network.out.weight[3 * 64 :].abs().max() == 0


def test_backbone_carries_all_layers_but_the_shots_own() -> None:
    source, goal = a_network(1), a_network(2)
    Backbone.of(source).put_into(goal)
    own = {name for name, _ in goal.named_parameters() if not name.startswith(BACKBONE_LAYERS)}
    assert own == {"out.weight", "out.bias", "detail.weight"}
    for name, tensor in goal.state_dict().items():
        if name.startswith(BACKBONE_LAYERS):
            assert torch.equal(tensor, source.state_dict()[name]), name


def test_extra_inputs_are_silent_at_the_start() -> None:
    with_depth = ShotNetworkConfig(width=8, hidden=48, extra_inputs=1)
    source, goal = a_network(1), a_network(2, with_depth)
    Backbone.of(source).put_into(goal)
    plate = torch.from_numpy(texture()).permute(2, 0, 1)[None]
    extent = torch.tensor(SIZE, dtype=torch.float32)
    loud = torch.cat([plate, 100 * torch.ones_like(plate[:, :1])], 1)
    with_noise, without = (
        goal.hidden(loud, torch.zeros(2), extent),
        source.hidden(plate, torch.zeros(2), extent),
    )
    assert torch.allclose(with_noise, without, atol=1e-4)


@pytest.mark.parametrize(("width", "hidden", "fits"), [(8, 48, True), (16, 48, False), (8, 96, False)])
def test_backbone_fits_networks_of_its_own_size_only(width: int, hidden: int, fits: bool) -> None:
    assert Backbone.of(a_network(1)).fits(width, hidden) is fits
