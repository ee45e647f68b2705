from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from interpositive.errors import OutputError, UsageError
from interpositive.relight.lighting_file import ShotLighting, read_lighting, write_lighting
from interpositive.relight.shot_light import ShotLight


def light(direction: list[float]) -> ShotLight:
    return ShotLight.of(direction, [0.5, 0.4, 0.3], [[0.1 * k, 0.2, 0.3] for k in range(9)])


def test_what_is_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "sh010.lighting.json"
    written = ShotLighting(light([0, 3, 4]), 2.1, 1.7, "sh010", "chrome ball", {1005: light([1, 0, 0])})
    write_lighting(path, written)
    found = read_lighting(path)
    assert (found.focal, found.subject_depth, found.name, found.source) == (2.1, 1.7, "sh010", "chrome ball")
    torch.testing.assert_close(found.at(1001).direction, torch.tensor([0, 0.6, 0.8]))
    torch.testing.assert_close(found.at(1005).direction, torch.tensor([1.0, 0, 0]))
    torch.testing.assert_close(found.light.environment_sh, written.light.environment_sh)


def test_an_orthographic_view_has_no_focal_length(tmp_path: Path) -> None:
    write_lighting(tmp_path / "a.lighting.json", ShotLighting(light([0, 0, 1]), None))
    assert read_lighting(tmp_path / "a.lighting.json").focal is None


def test_light_that_is_not_finite_is_not_written(tmp_path: Path) -> None:
    bad = ShotLight.of([0, 0, 1], [float("nan"), 1, 1], [[0, 0, 0]] * 9)
    with pytest.raises(OutputError, match="not finite"):
        write_lighting(tmp_path / "a.lighting.json", ShotLighting(bad))
    assert not list(tmp_path.iterdir())


def test_a_file_that_lacks_something_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a.lighting.json"
    write_lighting(path, ShotLighting(light([0, 0, 1])))
    data = json.loads(path.read_text())
    for change, reason in (
        ({"version": 9}, "reads up to 1"),
        ({"schema": "interpositive.lights"}, "expected"),
        ({"extra": 1}, "extra is not known"),
        ({"light": {**data["light"], "environment_sh": [[0, 0, 0]]}}, "environment_sh"),
    ):
        path.write_text(json.dumps({**data, **change}))
        with pytest.raises(UsageError, match=reason):
            read_lighting(path)
