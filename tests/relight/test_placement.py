from __future__ import annotations

import math

import pytest

from interpositive.relight.lights import SCHEMA, VERSION, LightRig, rig_from
from interpositive.relight.placement import PlacedPart, ShotScale, direction_of, place_rig
from interpositive.relight.rig_files import open_environments
from interpositive.relight.shading import AreaLight, DirectionalLight, EnvironmentLight, LocalLight


def rig_of(*lights: dict, **more: object) -> LightRig:
    return rig_from({"schema": SCHEMA, "version": VERSION, "lights": list(lights), **more})


UNIT = ShotScale()


def placed(light: dict, scale: ShotScale = UNIT, frame: float = 1001, **more: object) -> PlacedPart:
    rig = rig_of({"name": "one", **light}, **more)
    environments, _ = open_environments(rig)
    (found,) = place_rig(rig, frame, scale, environments)
    return found.parts[0]


@pytest.mark.parametrize(
    ("azimuth", "elevation", "expected"),
    [(0, 0, (0, 0, 1)), (90, 0, (1, 0, 0)), (-90, 0, (-1, 0, 0)), (180, 0, (0, 0, -1)), (30, 90, (0, 1, 0))],
)
def test_angles_are_as_seen_by_the_camera(azimuth: float, elevation: float, expected: tuple) -> None:
    assert direction_of(azimuth, elevation) == pytest.approx(expected, abs=1e-9)


def test_no_stops_is_as_bright_as_the_shots_own_key_and_one_stop_twice_that() -> None:
    scale = ShotScale(level=0.35)
    for stops, level in ((0, 0.35), (1, 0.7), (-2, 0.0875)):
        light = placed({"type": "directional", "azimuth": 0, "elevation": 0, "exposure": stops}, scale).light
        assert light.colour == pytest.approx((level,) * 3)
    light = placed({"type": "directional", "azimuth": 0, "elevation": 0}, scale, units="scene").light
    assert light.colour == (1, 1, 1)


def test_distance_is_in_distances_of_the_subject_and_intensity_holds_at_the_subject() -> None:
    scale = ShotScale(depth=4.0, level=0.5)
    light = placed({"type": "point", "azimuth": 90, "elevation": 0, "distance": 0.5}, scale).light
    assert isinstance(light, LocalLight)
    assert light.position == pytest.approx((2.0, 0.0, -4.0)) and light.reference == pytest.approx(2.0)
    assert light.colour == pytest.approx((0.5,) * 3)


def test_a_lamp_that_comes_nearer_gets_brighter() -> None:
    moving = {"type": "point", "azimuth": 0, "elevation": 0, "distance": [[1, 1.0], [11, 0.5]]}
    first, last = (placed(moving, frame=frame).light for frame in (1, 11))
    assert first.reference == last.reference == pytest.approx(1.0)
    assert last.position == pytest.approx((0, 0, -0.5))


def test_a_place_in_camera_space_is_taken_as_it_is() -> None:
    spot = {"type": "spot", "position": [1, 2, -3], "target": [1, 2, -5], "cone": 60, "cone_edge": 10}
    light = placed(spot, ShotScale(depth=4.0), units="scene").light
    assert light.position == (1, 2, -3) and light.axis == (0, 0, -1) and light.reference == 1.0
    assert (light.inner, light.outer) == pytest.approx(
        (math.cos(math.radians(20)), math.cos(math.radians(30)))
    )


def test_a_rectangle_faces_its_target_and_keeps_its_sides() -> None:
    light = placed(
        {"type": "area", "azimuth": -90, "elevation": 0, "distance": 1, "width": 0.4, "height": 0.2}
    ).light
    assert isinstance(light, AreaLight)
    assert light.axis == pytest.approx((1, 0, 0))
    assert math.dist(light.right, (0, 0, 0)) == pytest.approx(0.2)
    assert light.up == pytest.approx((0, 0.1, 0))
    overhead = placed({"type": "area", "azimuth": 0, "elevation": 90, "distance": 1}).light
    assert overhead.axis == pytest.approx((0, -1, 0), abs=1e-9)


def test_softness_is_the_angle_under_which_the_light_is_seen() -> None:
    part = placed({"type": "directional", "azimuth": 0, "elevation": 0, "softness": 20})
    assert isinstance(part.light, DirectionalLight) and part.light.spread == pytest.approx(math.radians(10))
    assert part.shadow.softness == pytest.approx(math.tan(math.radians(10)))
    lamp = placed({"type": "point", "azimuth": 0, "elevation": 0, "distance": 0.5, "softness": 20}).light
    assert lamp.radius == pytest.approx(0.5 * math.tan(math.radians(10)))


def test_shadow_settings_follow_the_units_of_the_file() -> None:
    light = {"type": "directional", "azimuth": 0, "elevation": 0, "shadow_thickness": 0.2, "shadow": 0.4}
    assert placed(light, ShotScale(depth=3.0)).shadow.thickness == pytest.approx(0.6)
    assert placed(light, ShotScale(depth=3.0), units="scene").shadow.thickness == pytest.approx(0.2)
    assert placed(light).shadow_strength == 0.4


def test_kelvin_is_relative_to_the_white_of_the_shot() -> None:
    lamp = {"type": "directional", "azimuth": 0, "elevation": 0, "kelvin": 3200}
    red, _, blue = placed(lamp).light.colour
    assert red > 1.5 * blue
    assert placed(lamp, white_kelvin=3200).light.colour == pytest.approx((1, 1, 1))


def test_an_environment_is_as_bright_as_the_key_at_no_stops() -> None:
    harmonics = [[7.0, 7.0, 7.0], *[[0, 0, 0]] * 8]
    sky = placed({"type": "environment", "harmonics": harmonics}, ShotScale(level=0.3)).light
    assert isinstance(sky, EnvironmentLight)
    assert float(sky.harmonics[0, 0]) == pytest.approx(0.3 * math.sqrt(4 * math.pi), rel=1e-3)
    raw = placed({"type": "environment", "harmonics": harmonics}, ShotScale(level=0.3), units="scene").light
    assert float(raw.harmonics[0, 0]) == pytest.approx(7.0)


def test_a_light_of_no_intensity_on_a_frame_is_left_out_of_it() -> None:
    flash = {
        "name": "flash",
        "type": "directional",
        "azimuth": 0,
        "elevation": 0,
        "intensity": [[1, 0], [2, 1]],
    }
    rig = rig_of(flash)
    assert [bool(place_rig(rig, frame, ShotScale())[0].parts) for frame in (1, 2)] == [False, True]
