from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from interpositive.prior.picture_maker import TARGETS, Example, Mixture, make_example, stacked
from interpositive.prior.reliefs import random_relief
from interpositive.prior.stacks import LightStack, StackFolder
from prior.stack_samples import sphere_shard

PLAIN = Mixture(
    light_known=1.0,
    several_lights=0.0,
    bright_ambient=0.0,
    bump=0.0,
    specular=0.0,
    noise=0.0,
    blur=0.0,
    clip=0.0,
    compression=0.0,
    light_error_deg=0.0,
)


@pytest.fixture
def stack(tmp_path: Path) -> LightStack:
    sphere_shard(tmp_path / "stack_00000.safetensors", scenes=1, size=96, lights=6)
    return StackFolder(tmp_path).shard("stack_00000.safetensors").read(0)


def test_same_seed_same_picture(stack: LightStack) -> None:
    first, second = (make_example(stack, 64, np.random.default_rng(3)) for _ in range(2))
    for field in fields(Example):
        np.testing.assert_array_equal(getattr(first, field.name), getattr(second, field.name))


@pytest.mark.parametrize("seed", range(12))
def test_everything_is_finite_and_of_one_size(stack: LightStack, seed: int) -> None:
    example = make_example(stack, 64, np.random.default_rng(seed))
    for field in fields(Example):
        assert np.isfinite(getattr(example, field.name)).all(), field.name
    assert example.picture.shape == (3, 64, 64)
    assert example.target.shape == (TARGETS, 64, 64)
    assert example.target_direction.shape == (3 * TARGETS,)
    assert set(np.unique(example.weight)) <= {0.0, 1.0}


@pytest.mark.parametrize("seed", range(8))
def test_turned_normals_still_explain_the_turned_shading(stack: LightStack, seed: int) -> None:
    """On spheres without shadows shading follows from normals and light: turns must keep that true."""
    example = make_example(stack, 64, np.random.default_rng(seed), PLAIN)
    inside = example.weight[0] > 0
    for target in range(TARGETS):
        direction = example.target_direction[3 * target : 3 * target + 3]
        cosine = np.maximum(np.einsum("chw,c->hw", example.normal, direction), 0)
        error = np.abs(cosine - example.target[target])[inside]
        assert np.quantile(error, 0.99) < 0.05
    assert example.light[3] == 1.0
    assert example.light[0] >= abs(example.light[1]) - 1e-6
    np.testing.assert_allclose(example.light[:3], example.truth_light[:3], atol=1e-5)


@pytest.mark.parametrize("seed", range(6))
def test_a_plain_picture_is_albedo_times_shading(stack: LightStack, seed: int) -> None:
    example = make_example(stack, 64, np.random.default_rng(seed), PLAIN)
    inside = np.broadcast_to(example.weight > 0, example.picture.shape)
    expected = (example.albedo * example.shading)[inside]
    ratio = example.picture[inside] / np.maximum(expected, 1e-6)
    assert np.median(np.abs(ratio - np.median(ratio))) < 0.1  # a vignette may be left


def test_an_unknown_light_and_matte_are_not_told(stack: LightStack) -> None:
    mixture = Mixture(light_known=0.0, matte_known=0.0)
    example = make_example(stack, 64, np.random.default_rng(1), mixture)
    assert not example.light.any()
    assert (example.matte == 1).all()


def test_bump_tilts_normals_and_light_together(stack: LightStack) -> None:
    bumped = make_example(stack, 64, np.random.default_rng(5), Mixture(**{**vars(PLAIN), "bump": 1.0}))
    inside = bumped.weight[0] > 0
    cosine = np.maximum(np.einsum("chw,c->hw", bumped.normal, bumped.target_direction[:3]), 0)
    lit = inside & (bumped.target[0] > 0.2)
    assert np.abs(cosine - bumped.target[0])[lit].mean() < 0.06


@pytest.mark.parametrize("seed", range(6))
def test_reliefs_have_unit_normals_and_shadows_only_take(seed: int) -> None:
    stack = random_relief(np.random.default_rng(seed), 64)
    inside = stack.matte > 127
    normal = stack.normal.astype(np.float32) / 127
    np.testing.assert_allclose(np.linalg.norm(normal[inside], axis=-1), 1, atol=0.02)
    assert (normal[inside][:, 2] > 0).all()
    for light in range(stack.lights):
        cosine = np.maximum(normal @ stack.light_direction[light], 0)
        assert (stack.direct[light].astype(np.float32) <= cosine + 0.02)[inside].all()


def test_batches_stack_examples(stack: LightStack) -> None:
    examples = [make_example(stack, 32, np.random.default_rng(seed)) for seed in range(3)]
    batch = stacked(examples)
    assert batch["picture"].shape == (3, 3, 32, 32)
    assert batch["truth_light"].shape == (3, 33)
