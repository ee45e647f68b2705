from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from interpositive.errors import ChannelError, MissingFramesError, UsageError
from interpositive.images.image import Image
from interpositive.images.writing import write_exr
from interpositive.relight.lighting_file import ShotLighting, write_lighting
from interpositive.relight.lights import SCHEMA, VERSION
from interpositive.relight.rig_files import match_rig, open_environments, open_rig
from interpositive.relight.shot_light import ShotLight


def lights_file(folder: Path, **light: object) -> Path:
    path = folder / "rig.json"
    sky = {"name": "sky", "type": "environment", "file": "sky.exr", **light}
    path.write_text(json.dumps({"schema": SCHEMA, "version": VERSION, "lights": [sky]}))
    return path


def test_a_preset_goes_by_its_name() -> None:
    assert open_rig("golden_hour").rig.name == open_rig("Golden-Hour").rig.name == "Golden hour"


def test_a_preset_that_there_is_not_is_told_with_those_that_there_are() -> None:
    with pytest.raises(UsageError, match=r"no preset sunset.*golden_hour"):
        open_rig("sunset")


def test_an_environment_is_found_beside_its_file_and_its_bad_samples_are_told(tmp_path: Path) -> None:
    pixels = np.full((16, 32, 3), 0.5, np.float32)
    pixels[3, 4], pixels[5, 6] = np.inf, np.nan
    write_exr(tmp_path / "sky.exr", Image(pixels, ("R", "G", "B")), "float")
    source = open_rig(str(lights_file(tmp_path)))
    found, repairs = open_environments(source.rig)
    assert found["sky"].level == pytest.approx(0.5, rel=0.02)
    assert (repairs["sky"].infinite, repairs["sky"].nan) == (3, 3)


def test_another_picture_is_another_rig(tmp_path: Path) -> None:
    digests = set()
    for value in (0.5, 0.6):
        write_exr(tmp_path / "sky.exr", Image(np.full((16, 32, 3), value, np.float32), ("R", "G", "B")))
        digests.add(open_rig(str(lights_file(tmp_path))).sha256)
    assert len(digests) == 2


def test_a_picture_that_is_no_environment_is_refused(tmp_path: Path) -> None:
    path = lights_file(tmp_path)
    with pytest.raises(MissingFramesError):
        open_environments(open_rig(str(path)).rig)
    write_exr(tmp_path / "sky.exr", Image(np.zeros((16, 16, 3), np.float32), ("R", "G", "B")))
    with pytest.raises(UsageError, match="twice as wide as high"):
        open_environments(open_rig(str(path)).rig)
    write_exr(tmp_path / "sky.exr", Image(np.zeros((16, 32, 1), np.float32), ("Y",)))
    with pytest.raises(ChannelError, match="no channels R, G, B"):
        open_environments(open_rig(str(path)).rig)


def test_the_light_of_another_shot_is_saved_as_a_file_that_gives_the_same_rig(tmp_path: Path) -> None:
    light = ShotLight.of([0, 0.6, 0.8], [1, 0.9, 0.8], [[0.1, 0.2, 0.3]] * 9)
    write_lighting(tmp_path / "sh020.lighting.json", ShotLighting(light, name="sh020"))
    source = match_rig(str(tmp_path / "sh020.lighting.json"))
    assert source.rig.name == "Light of sh020"
    source.save(tmp_path / "lights" / "match.json")
    again = open_rig(str(tmp_path / "lights" / "match.json"))
    assert again.sha256 == source.sha256 and [one.name for one in again.rig.lights] == ["key", "environment"]


def test_a_lights_file_is_not_the_light_of_a_shot(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"interpositive\.lighting"):
        match_rig(str(lights_file(tmp_path)))


def test_real_environments_light_without_surprises(shared_data: Path, tmp_path: Path) -> None:
    for picture in sorted((shared_data / "hdri").iterdir())[::6]:
        found, _ = open_environments(open_rig(str(lights_file(tmp_path, file=str(picture)))).rig)
        assert np.isfinite(found["sky"].level) and found["sky"].level > 0
        assert all(bool(one.isfinite().all()) for one in found["sky"].blurred)
