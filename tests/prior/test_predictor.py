from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from interpositive.errors import DamagedModelError, ForeignModelError, NewerModelError, UsageError
from interpositive.inference.providers import loading_devices
from interpositive.models.prior_network import PriorNetwork, PriorNetworkConfig
from interpositive.prior.predictor import Prior, load_prior, orientations, prepared
from interpositive.prior.weights_folder import save_prior

KEY = (0.2, 0.8, 0.55)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(3)
    config = PriorNetworkConfig(widths=(8, 8, 8, 8), stem=8, hidden=8, light_units=8)
    path = tmp_path_factory.mktemp("prior")
    network = PriorNetwork(config)
    network.out.weight.data *= 10  # an untrained network says more than nothing
    save_prior(path, network, {"steps": 0}, {"known_normal_deg": 90.0})
    return path


@pytest.fixture(scope="module")
def prior(folder: Path) -> Prior:
    return load_prior(folder, threads=1)


def plate(height: int, width: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).random((height, width, 3), np.float32)


def oval(height: int, width: int) -> np.ndarray:
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    return (x**2 + y**2 < 0.5).astype(np.float32)


@pytest.mark.parametrize("size", [(33, 47), (64, 64), (101, 30), (1, 1)])
@pytest.mark.parametrize("key", [None, KEY])
def test_any_size_gives_passes_of_the_working_size(
    prior: Prior, size: tuple[int, int], key: tuple[float, float, float] | None
) -> None:
    passes, light = prior.predict(plate(*size), key_direction=key, working_px=max(size))
    assert {name: values.shape for name, values in passes.items()} == {
        "normal": (*size, 3),
        "albedo": (*size, 3),
        "shading": (*size, 3),
        **{name: size for name in ("depth", "roughness", "visibility", "confidence")},
    }
    for values in passes.values():
        assert values.dtype == np.float32
        assert np.isfinite(values).all()
    np.testing.assert_allclose(np.linalg.norm(passes["normal"], axis=-1), 1, atol=1e-4)
    assert float(light.direction.norm()) == pytest.approx(1, abs=1e-5)


def test_outside_the_matte_nothing_is_claimed(prior: Prior) -> None:
    picture, matte = plate(90, 120), np.zeros((90, 120), np.float32)
    matte[30:60, 40:80] = 1
    passes, _ = prior.predict(picture, matte, KEY, working_px=120)
    assert (passes["confidence"][:20] == 0).all()
    np.testing.assert_array_equal(passes["albedo"][:20], picture[:20])
    assert (passes["confidence"][30:60, 40:80] > 0).all()


def test_a_known_light_changes_the_answer(prior: Prior) -> None:
    picture = plate(64, 64)
    one, _ = prior.predict(picture, key_direction=(0.9, 0.0, 0.4), working_px=64)
    other, _ = prior.predict(picture, key_direction=(0.2, 0.1, 0.97), working_px=64)
    assert np.abs(one["normal"] - other["normal"]).max() > 1e-4


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_a_turned_plate_and_light_give_the_turned_answer(prior: Prior, turns: int) -> None:
    picture, matte = plate(64, 96), oval(64, 96)
    direction = np.asarray([0.7, 0.2, 0.6], np.float32)
    x, y = direction[:2]
    for _ in range(turns):
        x, y = -y, x
    here, light = prior.predict(picture, matte, direction, working_px=96)
    there, turned_light = prior.predict(
        np.rot90(picture, turns).copy(), np.rot90(matte, turns).copy(), (x, y, direction[2]), working_px=96
    )
    np.testing.assert_allclose(np.rot90(here["albedo"], turns), there["albedo"], rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(light.colour, turned_light.colour, rtol=1e-3)


def test_exposure_changes_only_shading_and_light(prior: Prior) -> None:
    picture = plate(64, 64)
    one, light = prior.predict(picture, key_direction=KEY, working_px=64)
    brighter, brighter_light = prior.predict(picture * 8, key_direction=KEY, working_px=64)
    np.testing.assert_allclose(one["normal"], brighter["normal"], atol=1e-3)
    np.testing.assert_allclose(one["albedo"], brighter["albedo"], rtol=1e-3)
    np.testing.assert_allclose(one["shading"] * 8, brighter["shading"], rtol=1e-3)
    torch.testing.assert_close(light.colour * 8, brighter_light.colour, rtol=1e-3, atol=1e-5)


def test_onnx_and_torch_agree(prior: Prior) -> None:
    look = prepared(plate(70, 50), oval(70, 50), KEY, 70)
    answer = prior.run(look)
    inputs = (torch.from_numpy(values) for values in (look.picture, look.matte, look.light))
    with torch.no_grad():
        expected = prior.network()(*inputs)
    for name, values in answer.items():
        np.testing.assert_allclose(
            values, getattr(expected, name).numpy(), rtol=1e-4, atol=1e-4, err_msg=name
        )


@pytest.mark.parametrize("value", [0.0, np.nan, np.inf, -1.0, 6e4])
def test_flat_broken_and_clipped_plates_give_finite_passes(prior: Prior, value: float) -> None:
    passes, light = prior.predict(np.full((40, 40, 3), value, np.float32), working_px=40)
    assert all(np.isfinite(values).all() for values in passes.values())
    assert torch.isfinite(light.environment_sh).all()


def test_a_known_light_is_only_looked_at_from_where_the_prior_learnt_it() -> None:
    looks = orientations(KEY, 8)
    assert len(looks) == 2
    for look in looks:
        x, y, _ = look.vectors(np.asarray(KEY, np.float32))
        assert x >= abs(y)


def test_changed_files_are_refused(folder: Path, tmp_path: Path) -> None:
    for name in ("manifest.json", "prior.safetensors", "prior.onnx"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    (tmp_path / "prior.onnx").write_bytes((folder / "prior.onnx").read_bytes()[:-1])
    with pytest.raises(DamagedModelError, match="SHA-256"):
        load_prior(tmp_path).predict(plate(8, 8))
    manifest = json.loads((folder / "manifest.json").read_text())
    for change, error in (
        ({"schema": "other"}, ForeignModelError),
        ({"version": 99}, NewerModelError),
    ):
        (tmp_path / "manifest.json").write_text(json.dumps({**manifest, **change}))
        with pytest.raises(error):
            load_prior(tmp_path)
    (tmp_path / "manifest.json").write_text("{")
    with pytest.raises(DamagedModelError):
        load_prior(tmp_path)


def test_the_shipped_prior_is_whole_small_and_says_how_it_was_made() -> None:
    shipped = load_prior(threads=1)
    assert sum(path.stat().st_size for path in shipped.folder.iterdir()) <= 20e6
    assert shipped.manifest["training"]["is_finished"]
    assert shipped.manifest["measured"]["known_normal_deg"] < 30
    passes, _ = shipped.predict(plate(40, 60), oval(40, 60), KEY)
    assert passes["normal"][..., 2].mean() > 0.5
    assert sum(parameter.numel() for parameter in shipped.network().parameters()) > 1e6


@pytest.mark.skipif(not loading_devices()["cuda"], reason="CUDA is there")
def test_a_device_that_is_not_there_is_refused_when_it_is_needed(folder: Path) -> None:
    prior = load_prior(folder, device="cuda")
    with pytest.raises(UsageError, match="--device cuda does not load"):
        prior.predict(np.full((32, 32, 3), 0.2, np.float32))
