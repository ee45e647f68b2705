from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from interpositive.models.prior_network import LIGHT_VALUES, PriorNetwork, PriorNetworkConfig, PriorOutput
from interpositive.prior.losses import LossWeights, prior_loss
from interpositive.prior.picture_maker import make_example, stacked
from interpositive.prior.stacks import StackFolder
from prior.stack_samples import sphere_shard

SMALL = PriorNetworkConfig(widths=(8, 8, 8, 8), stem=8, hidden=8, light_units=8)


@pytest.fixture(scope="module")
def batch(tmp_path_factory: pytest.TempPathFactory) -> dict[str, torch.Tensor]:
    folder: Path = tmp_path_factory.mktemp("stacks")
    sphere_shard(folder / "stack_00000.safetensors", scenes=2, size=64, lights=6)
    stacks = StackFolder(folder)
    examples = []
    for seed in range(4):
        random = np.random.default_rng(seed)
        examples.append(make_example(stacks.draw(stacks.names(), random), 64, random))
    return stacked(examples)


def perfect(batch: dict[str, torch.Tensor]) -> PriorOutput:
    count, _, height, width = batch["picture"].shape
    return PriorOutput(
        normal=batch["normal"],
        log_depth=torch.log1p(batch["depth"] / 1.5),
        albedo=batch["albedo"],
        shading=batch["shading"],
        roughness=batch["roughness"],
        visibility=batch["visibility"].clamp(0.001, 0.999),
        confidence=torch.ones(count, 1, height, width),
        light=batch["truth_light"].reshape(count, LIGHT_VALUES),
    )


def test_the_truth_has_next_to_no_loss(batch: dict[str, torch.Tensor]) -> None:
    _, parts = prior_loss(perfect(batch), batch, LossWeights())
    for name in ("normal", "albedo", "albedo_detail", "shading", "product", "depth", "roughness", "light"):
        assert float(parts[name]) < 2e-3, name
    assert float(parts["relit"]) < 0.02


@pytest.mark.parametrize("scale", [0.3, 4.0])
def test_the_scale_of_albedo_costs_only_through_the_product(
    batch: dict[str, torch.Tensor], scale: float
) -> None:
    truth = perfect(batch)
    _, before = prior_loss(truth, batch, LossWeights())
    _, after = prior_loss(truth._replace(albedo=truth.albedo * scale), batch, LossWeights())
    assert float(after["relit"]) == pytest.approx(float(before["relit"]), abs=1e-4)
    assert float(after["product"]) > 0.5


def test_old_shading_left_in_albedo_costs_relighting(batch: dict[str, torch.Tensor]) -> None:
    truth = perfect(batch)
    baked = batch["albedo"] * batch["shading"].mean(1, keepdim=True)
    _, before = prior_loss(truth, batch, LossWeights())
    _, after = prior_loss(truth._replace(albedo=baked), batch, LossWeights())
    assert float(after["relit"]) > float(before["relit"]) + 0.05


def test_gradients_reach_every_parameter(batch: dict[str, torch.Tensor]) -> None:
    torch.manual_seed(1)
    network = PriorNetwork(SMALL)
    total, _ = prior_loss(network(batch["picture"], batch["matte"], batch["light"]), batch, LossWeights())
    total.backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
        assert parameter.grad.abs().sum() > 0, name


def test_a_picture_of_nothing_gives_a_finite_loss(batch: dict[str, torch.Tensor]) -> None:
    torch.manual_seed(1)
    network = PriorNetwork(SMALL)
    empty = {name: torch.zeros_like(values) for name, values in batch.items()}
    total, _ = prior_loss(network(empty["picture"], empty["matte"], empty["light"]), empty, LossWeights())
    total.backward()
    assert torch.isfinite(total)
    assert all(torch.isfinite(p.grad).all() for p in network.parameters() if p.grad is not None)
