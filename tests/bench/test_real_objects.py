"""Objects under known lights: which pictures are relit into which, and files that are none."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from interpositive.bench.real_objects import object_files, read_object, tasks
from interpositive.bench.relight_scores import (
    gain_free_psnr,
    local_mean_squared_error,
    normal_error_deg,
)
from interpositive.errors import PlateError
from lit_objects import write_objects


def test_pictures_are_light_times_what_was_measured(tmp_path: Path) -> None:
    item = read_object(object_files(write_objects(tmp_path))[0])
    assert item.name == "mit_ball" and item.albedo_is_measured
    assert item.normals is not None and item.albedo is not None
    made = item.albedo * item.lights[0].shading(item.normals)
    np.testing.assert_allclose(made[item.matte], item.pictures[0][item.matte], atol=2e-3)


def test_lights_from_behind_are_neither_source_nor_target(tmp_path: Path) -> None:
    item = read_object(object_files(write_objects(tmp_path))[0])
    pairs = tasks(item)
    assert {s for s, _ in pairs} == {0, 2, 4} and 5 not in {t for _, t in pairs}
    assert all(s != t for s, t in pairs) and len(pairs) == 12


def test_at_most_twelve_targets_a_source(tmp_path: Path) -> None:
    item = read_object(object_files(write_objects(tmp_path, ("mit_many",), 20))[0])
    pairs = tasks(item)
    assert [len([1 for s, _ in pairs if s == source]) for source in sorted({s for s, _ in pairs})] == [12] * 3


def test_computed_albedo_is_not_measured(tmp_path: Path) -> None:
    assert not read_object(write_objects(tmp_path) / "uw_ball.npz").albedo_is_measured


def test_an_empty_folder_says_what_to_name(tmp_path: Path) -> None:
    with pytest.raises(PlateError, match="--data"):
        object_files(tmp_path)


def test_a_foreign_or_torn_file_is_named(tmp_path: Path) -> None:
    np.savez(tmp_path / "other.npz", imgs=np.zeros(3))
    (tmp_path / "torn.npz").write_bytes(b"PK\x03\x04 and then nothing")
    with pytest.raises(PlateError, match=r"other\.npz holds imgs but not mask"):
        read_object(tmp_path / "other.npz")
    with pytest.raises(PlateError, match=r"torn\.npz cannot be read"):
        read_object(tmp_path / "torn.npz")


@pytest.fixture
def independent(shared_data: Path) -> Path:
    """The independent scoring script beside the data; skips, and says so, where there is none."""
    script = shared_data.parent / "bench" / "relight_real.py"
    if not script.is_file():
        pytest.skip(f"no {script}")
    return script


def test_tasks_are_those_of_the_independent_script(
    shared_data: Path, independent: Path, tmp_path: Path, python: str
) -> None:
    listed = tmp_path / "tasks.json"
    folder = shared_data / "relight_real"
    subprocess.run(
        [python, str(independent), str(folder), "--tasks", str(listed)], check=True, stdout=subprocess.DEVNULL
    )
    theirs = [(t["object"], t["src"], t["tgt"]) for t in json.loads(listed.read_text())]
    ours = [(p.stem, s, t) for p in object_files(folder) for s, t in tasks(read_object(p))]
    assert ours == theirs


def test_scores_are_those_of_the_independent_script(shared_data: Path, independent: Path) -> None:
    script = _module(independent)
    path = shared_data / "relight_real" / "mit_frog1.npz"
    item, theirs = read_object(path), script.load(str(path))
    assert item.normals is not None and item.albedo is not None
    rng = np.random.default_rng(0)
    made = (1.3 * item.pictures[0] - 0.01 + rng.normal(0, 0.05, item.pictures[0].shape)).astype(np.float32)
    normals = (item.normals + rng.normal(0, 0.4, item.normals.shape)).astype(np.float32)
    scored = script.score(made, theirs["I"][1], theirs["m"])
    assert gain_free_psnr(made, item.pictures[1], item.matte) == pytest.approx(scored["sipsnr"], abs=1e-4)
    angle = script.nerr(normals, theirs["n"], theirs["m"])["mae"]
    assert normal_error_deg(normals, item.normals, item.matte) == pytest.approx(angle, abs=1e-4)
    lmse = script.albedo_err(np.clip(made, 0, None), theirs["a"], theirs["m"])["lmse"]
    assert local_mean_squared_error(made, item.albedo, item.matte) == pytest.approx(lmse, abs=1e-6)


def _module(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("relight_real", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules.pop("relight_real", None)
    spec.loader.exec_module(module)
    return module
