from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from interpositive.errors import UsageError
from interpositive.relight.lights import SCHEMA, VERSION, matched_rig_data, read_lights, rig_from

KEY: dict[str, Any] = {"name": "key", "type": "directional", "azimuth": -40, "elevation": 30}
PRESETS = Path(__file__).resolve().parents[2] / "gizmos" / "presets"


def file_of(*lights: Any, **more: Any) -> dict[str, Any]:
    return {"schema": SCHEMA, "version": VERSION, "lights": list(lights), **more}


def test_what_is_not_said_is_filled_in() -> None:
    (light,) = rig_from(file_of(KEY)).lights
    assert light.number("intensity", 1) == 1 and light.number("shadow", 1) == 1
    assert "kelvin" not in light.curves and light.kind == "directional"


def test_lights_that_are_off_are_left_out() -> None:
    assert [light.name for light in rig_from(file_of({**KEY, "on": False}, {**KEY, "name": "b"})).lights] == [
        "b"
    ]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"softnes": 3}, "light 'key': softnes is not known"),
        ({"kelvin": 200}, "light 'key': kelvin: 200 should be from 1000 to 15000"),
        ({"exposure": "bright"}, "light 'key': exposure: 'bright' is not a number"),
        ({"exposure": float("nan")}, "exposure"),
        ({"direction": [0, 0, 1]}, "both place the light"),
        ({"azimuth": None}, "azimuth missing"),
        ({"azimuth": None, "elevation": None, "direction": [0, 0, 0]}, "points to the light"),
        ({"type": "sun"}, "directional, point, spot, area, environment"),
        ({"type": "point"}, "distance missing"),
        ({"type": "environment"}, "azimuth is not known"),
        ({"name": "the key"}, "letters, digits"),
        ({"name": None}, "name"),
        ({"shadow": 1.5}, "shadow: 1.5 should be from 0 to 1"),
        ({"elevation": [[10, 3], [5, 4]]}, "must rise"),
        ({"colour": [1, 1]}, "3 numbers"),
        ({"diffuse": -1}, "0 or more"),
    ],
)
def test_a_mistake_is_told_with_the_lights_name(change: dict[str, Any], reason: str) -> None:
    with pytest.raises(UsageError, match=reason) as caught:
        rig_from(file_of({**KEY, **change}), "my.json")
    assert str(caught.value).startswith("my.json: ") and "\n" not in str(caught.value)


def test_an_environment_needs_one_picture_or_harmonics() -> None:
    sky = {"name": "sky", "type": "environment"}
    for given in ({}, {"file": "a.exr", "harmonics": [[1, 1, 1]] * 9}):
        with pytest.raises(UsageError, match="either file"):
            rig_from(file_of({**sky, **given}))
    with pytest.raises(UsageError, match="harmonics"):
        rig_from(file_of({**sky, "harmonics": [[1, 1, 1]] * 4}))


def test_two_lights_cannot_share_a_layer() -> None:
    with pytest.raises(UsageError, match="two lights are called key"):
        rig_from(file_of(KEY, KEY))
    with pytest.raises(UsageError, match="may not be called existing"):
        rig_from(file_of({**KEY, "name": "existing"}))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("not json", "is not JSON"),
        ("[1, 2]", "does not say what it is"),
        ('{"schema": "com.other.lights", "version": 1}', "says it is 'com.other.lights'"),
        ('{"nodes": []}', "does not say what it is"),
        (json.dumps({"schema": SCHEMA, "version": 2, "lights": []}), "version 2 .* reads up to 1"),
        (json.dumps({"schema": SCHEMA, "version": "one", "lights": []}), "version 'one'"),
        (json.dumps({"schema": SCHEMA, "version": 1}), "lights is missing"),
        (json.dumps({"schema": SCHEMA, "version": 1, "lights": [], "light": []}), "light is not known"),
        (json.dumps({"schema": SCHEMA, "version": 1, "lights": [KEY, "x"]}), "light number 2"),
    ],
)
def test_a_file_that_is_not_ours_or_newer_is_refused_whole(tmp_path: Path, text: str, reason: str) -> None:
    path = tmp_path / "rig.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=reason) as caught:
        read_lights(path)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_absent_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no file"):
        read_lights(tmp_path / "none.json")


def test_negative_intensity_is_a_light_that_takes_light() -> None:
    (light,) = rig_from(file_of({**KEY, "intensity": -0.5})).lights
    assert light.takes_light and not light.is_dark
    assert rig_from(file_of({**KEY, "intensity": 0})).lights[0].is_dark


def test_the_existing_light_is_keyable_and_knows_when_it_must_be_told_apart() -> None:
    both = rig_from(file_of(existing={"exposure": [[1, 0], [11, -2]]})).existing
    assert both.at(1) == (1, 1) and both.at(11) == (0.25, 0.25) and not both.needs_shot_light
    apart = rig_from(file_of(existing={"gain": 0.5, "key": 0})).existing
    assert apart.at(5) == (0.0, 0.5) and apart.needs_shot_light
    assert not rig_from(file_of(existing={"key": 0.5, "rest": 0.5})).existing.needs_shot_light


def test_the_light_of_another_shot_is_a_lights_file() -> None:
    light = {"direction": [0, 0.6, 0.8], "colour": [1, 0.9, 0.8], "environment_sh": [[0.1, 0.2, 0.3]] * 9}
    rig = rig_from(matched_rig_data(light, "sh020"))
    key, sky = rig.lights
    assert rig.units == "scene" and rig.existing.at(1) == (0, 0)
    assert key.triple("direction", 1) == (0, 0.6, 0.8) and sky.harmonics == ((0.1, 0.2, 0.3),) * 9


def test_every_preset_is_a_valid_file_with_a_name_and_a_note() -> None:
    names = {path.stem for path in PRESETS.glob("*.json")}
    assert names >= {
        "key_fill_rim", "golden_hour", "moonlight", "practical_lamp", "window", "overcast", "flash",
    }  # fmt: skip
    for path in PRESETS.glob("*.json"):
        rig = read_lights(path)
        data = json.loads(path.read_text(encoding="utf-8"))
        assert rig.units == "shot" and rig.lights and data["name"] and data["note"], path
