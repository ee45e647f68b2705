from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from interpositive.relight.compose import FrameLighting, RelitFrame, relight
from interpositive.relight.lights import SCHEMA, VERSION, LightRig, rig_from
from interpositive.relight.placement import ShotScale, place_rig
from interpositive.relight.shot_light import ShotLight
from interpositive.relight.view import View
from lit_scene import FOCAL, ball_and_wall, passes_of, wall

KEY = {"name": "key", "type": "directional", "azimuth": -40, "elevation": 30, "kelvin": 4300}
LAMP = {"name": "lamp", "type": "point", "azimuth": 60, "elevation": 20, "distance": 0.4, "exposure": -1}
SKY = {
    "name": "sky",
    "type": "environment",
    "harmonics": [[1.5, 1.7, 2.0], [0.4, 0.4, 0.5], *[[0, 0, 0]] * 7],
}


def rig_of(*lights: dict, **more: object) -> LightRig:
    return rig_from({"schema": SCHEMA, "version": VERSION, "lights": list(lights), **more})


def lighting_of(*lights: dict, **more: object) -> FrameLighting:
    from interpositive.relight.rig_files import open_environments

    rig = rig_of(*lights)
    environments, _ = open_environments(rig)
    return replace(FrameLighting(place_rig(rig, 1001, ShotScale(), environments)), **more)


def plate_of(height: int = 90, width: int = 160) -> np.ndarray:
    random = np.random.default_rng(1)
    plate = random.uniform(-0.1, 2.0, (height, width, 3)).astype(np.float16).astype(np.float32)
    plate[0, 0], plate[0, 1], plate[0, 2, 0] = -3.0, 40.0, -0.0
    return plate


def lit(plate: np.ndarray, lighting: FrameLighting, **more: object) -> RelitFrame:
    passes = more.pop("passes", None) or ball_and_wall(*plate.shape[:2])
    return relight(plate, passes, View(plate.shape[1], plate.shape[0], FOCAL), lighting, **more)


def test_the_layers_sum_to_the_result() -> None:
    plate, lighting = plate_of(), lighting_of(KEY, LAMP, SKY)
    found = lit(plate, lighting, layers="float")
    assert list(found.layers) == ["key", "lamp", "sky", "existing"]
    total = np.sum([layer.astype(np.float64) for layer in found.layers.values()], axis=0)
    assert np.abs(total - found.result).max() <= 1e-5
    assert all(found.lit.values()) and (found.layers["key"] > 0.01).any()
    np.testing.assert_array_equal(found.layers["existing"], plate)


def test_half_layers_sum_to_the_half_result_that_a_file_holds() -> None:
    plate = plate_of()
    found = lit(plate, lighting_of(KEY, LAMP), layers="half")
    assert found.layers["key"].dtype == np.float16 and found.layers["existing"].dtype == np.float32
    np.testing.assert_array_equal(found.result, found.result.astype(np.float16).astype(np.float32))
    total = np.sum([layer.astype(np.float64) for layer in found.layers.values()], axis=0)
    assert np.abs(total - found.result).max() <= 1e-5
    assert np.abs(found.layers["existing"] - plate).max() <= 2.0**-5  # half of a step of half at 40


@pytest.mark.parametrize(
    "lighting",
    [
        lighting_of(),
        lighting_of({**KEY, "intensity": 0}),
        lighting_of({**KEY, "on": False}),
        lighting_of(KEY, LAMP, strength=0.0),
        lighting_of(KEY, LAMP, matte=np.zeros((90, 160), np.float32)),
        lighting_of({**KEY, "elevation": 0, "azimuth": 180}),  # behind the wall, which is all that there is
    ],
    ids=["no lights", "intensity zero", "switched off", "strength zero", "empty matte", "behind everything"],
)
def test_where_nothing_is_added_the_plate_stays_bit_for_bit(lighting: FrameLighting) -> None:
    plate = plate_of()
    found = lit(plate, lighting, passes=wall(90, 160))
    assert found.result.tobytes() == plate.tobytes()
    assert not any(found.lit.values())


def test_outside_of_the_matte_the_plate_stays_bit_for_bit() -> None:
    plate, matte = plate_of(), np.zeros((90, 160), np.float32)
    matte[20:60, 30:90] = 1.0
    found = lit(plate, lighting_of(KEY, matte=matte))
    outside = matte == 0
    assert found.result[outside].tobytes() == plate[outside].tobytes()
    inside = lit(plate, lighting_of(KEY)).result
    np.testing.assert_array_equal(found.result[~outside], inside[~outside])


def test_negative_and_bright_pixels_are_lit_and_not_clamped() -> None:
    plate = plate_of()
    found = lit(plate, lighting_of(KEY), passes=wall(90, 160))
    added = found.result - plate
    np.testing.assert_allclose(added[0, 0], added[0, 1], rtol=2e-3)
    assert found.result[0, 0].max() < -2 and found.result[0, 1].min() > 40


def test_nan_and_infinity_of_the_plate_stay_where_they_are() -> None:
    plate = plate_of()
    plate[5, 6, 1], plate[7, 8, 0], plate[9, 10, 2] = np.nan, np.inf, -np.inf
    for more in ({}, {"existing": (0.0, 0.0)}):
        found = lit(plate, lighting_of(KEY, **more), layers="half").result
        assert np.isnan(found[5, 6, 1]) and found[7, 8, 0] == np.inf and found[9, 10, 2] == -np.inf
        assert np.isfinite(np.delete(found.reshape(-1), np.flatnonzero(~np.isfinite(plate)))).all()


def test_strength_mixes_in_scene_linear() -> None:
    plate = plate_of()
    whole, half = (lit(plate, lighting_of(KEY, strength=s)).result - plate for s in (1.0, 0.5))
    np.testing.assert_allclose(half, whole / 2, atol=1e-5)


def test_a_light_reaches_only_its_matte() -> None:
    plate, matte = np.zeros((90, 160, 3), np.float32), np.zeros((90, 160), np.float32)
    matte[:, :80] = 1.0
    linked = lighting_of({**KEY, "matte": "left"}, LAMP, mattes={"key": matte})
    found = lit(plate, linked, layers="float").layers
    assert not found["key"][:, 80:].any() and found["key"][:, :60].any() and found["lamp"][:, 80:].any()
    turned = lighting_of({**KEY, "matte": "left", "matte_invert": True}, mattes={"key": matte})
    found = lit(plate, turned, layers="float").layers
    assert not found["key"][:, :80].any() and found["key"][:, 80:].any()


def test_light_only_is_the_sum_of_the_lights_without_the_plate() -> None:
    plate = plate_of()
    found = lit(plate, lighting_of(KEY, LAMP), layers="float", light_only=True)
    assert "existing" not in found.layers
    np.testing.assert_allclose(found.result, found.layers["key"] + found.layers["lamp"], atol=1e-6)


def test_the_existing_light_can_be_halved_and_removed() -> None:
    plate = plate_of()
    halved = lit(plate, lighting_of(existing=(0.5, 0.5)), layers="float")
    np.testing.assert_allclose(halved.result, plate / 2, atol=1e-6)
    np.testing.assert_array_equal(halved.layers["existing"], halved.result)
    assert not lit(plate, lighting_of(existing=(0.0, 0.0))).result.any()


def test_the_shots_key_is_taken_out_and_the_rest_stays() -> None:
    """A ball lit by a key from the left and an even environment: without the key the environment is left."""
    passes = ball_and_wall()
    shot = ShotLight.of([-0.8, 0.2, 0.6], [1.0, 0.9, 0.8], [[0.7, 0.8, 0.9], *[[0, 0, 0]] * 8])
    import torch

    plate = passes.albedo * shot.shading(torch.from_numpy(passes.normal)).numpy()
    found = lit(plate, lighting_of(existing=(0.0, 1.0), shot_light=shot), passes=passes)
    expected = passes.albedo * shot.environment_shading(torch.from_numpy(passes.normal)).numpy()
    np.testing.assert_allclose(found.result, expected, atol=1e-5)


def test_a_negative_light_takes_light_away() -> None:
    plate = plate_of()
    more, less = (lit(plate, lighting_of({**KEY, "intensity": i})).result - plate for i in (1, -1))
    np.testing.assert_allclose(less, -more, atol=1e-5)


def test_holes_in_the_passes_are_not_lit_and_do_not_spread() -> None:
    passes = ball_and_wall()
    passes.depth[:20], passes.depth[20:22] = np.inf, 0.0
    passes.normal[30:32], passes.albedo[34:36], passes.roughness[38:40] = np.nan, np.nan, np.nan
    plate = plate_of()
    found = lit(plate, lighting_of(KEY, LAMP, SKY), passes=passes).result
    assert np.isfinite(found).all()
    assert found[:22].tobytes() == plate[:22].tobytes()


@pytest.mark.parametrize("size", [(1, 1), (1, 200), (37, 3), (3, 801)])
def test_any_size_is_lit(size: tuple[int, int]) -> None:
    plate = np.full((*size, 3), 0.5, np.float32)
    found = lit(plate, lighting_of(KEY, LAMP, SKY), passes=wall(*size))
    assert found.result.shape == plate.shape and (found.result > plate).all()


def test_bands_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    plate, lighting = plate_of(), lighting_of(KEY, LAMP, SKY)
    whole = lit(plate, lighting, shadow_px=40).result
    monkeypatch.setattr("interpositive.relight.compose._BAND_PIXELS", 7 * 160)
    np.testing.assert_allclose(lit(plate, lighting, shadow_px=40).result, whole, atol=2e-6)


def test_black_and_clipped_plates_are_lit_like_any_other() -> None:
    for value in (0.0, 65504.0):
        plate = np.full((90, 160, 3), value, np.float32)
        found = lit(plate, lighting_of(KEY))
        assert np.isfinite(found.result).all() and (found.result >= plate).all()


def test_the_wall_in_the_shadow_of_the_ball_is_darker_than_beside_it() -> None:
    plate = np.zeros((90, 160, 3), np.float32)
    found = lit(plate, lighting_of({**KEY, "azimuth": -45, "elevation": 0}), shadow_px=160).result[..., 1]
    assert found[45, 112] < 0.1 * found[45, 150]
    open_wall = lit(plate, lighting_of({**KEY, "azimuth": -45, "elevation": 0, "shadow": 0})).result[..., 1]
    assert open_wall[45, 112] > 0.9 * open_wall[45, 150]


def test_an_albedo_of_zero_still_shows_the_highlight() -> None:
    plate = np.zeros((20, 30, 3), np.float32)
    passes = passes_of(np.broadcast_to([0.0, 0.0, 1.0], (20, 30, 3)), np.ones((20, 30)), 0.0, 0.3)
    found = lit(plate, lighting_of({**KEY, "azimuth": 0, "elevation": 0}), passes=passes).result
    assert 0.05 < found.max() and np.isfinite(found).all()
