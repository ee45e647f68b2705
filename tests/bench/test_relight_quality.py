"""Rows of single pictures: an exact method scores exactly, and its predictions lie where they should."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from interpositive.bench.real_objects import KnownLight, read_object
from interpositive.bench.relight import scene_item
from interpositive.bench.relight_quality import Item, RelightQuality, Understood
from interpositive.progress import Progress
from interpositive.soundstage.relight_scenes import relight_scene
from lit_objects import write_objects


class Oracle:
    """A method that knows the truth of whatever is shown to it; it counts how often it is asked."""

    def __init__(self, *items: Item) -> None:
        self._items = items
        self.asked: list[bool] = []

    def __call__(self, picture: np.ndarray, matte: np.ndarray, light: KnownLight | None) -> Understood:
        self.asked.append(light is not None)
        truth = min(
            (item.truth for item in self._items if item.truth.matte.shape == matte.shape),
            key=lambda t: min(float(np.abs(p - picture).mean()) for p in t.pictures),
        )
        assert truth.normals is not None and truth.albedo is not None
        normals, albedo = truth.normals, truth.albedo
        return Understood(
            normals, albedo, light or truth.lights[0], lambda wanted: albedo * wanted.shading(normals)
        )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_objects(tmp_path / "objects")


def quality(folder: Path, predictions: Path | None = None, items: list[Item] | None = None) -> RelightQuality:
    shown = []
    for path in sorted(folder.glob("*.npz")):
        truth = read_object(path)
        shown.append(Item(truth, truth.pictures.__getitem__))
    items = items or []
    return RelightQuality(Oracle(*shown, *items), folder, lambda: items, predictions, Progress())


def test_exact_passes_relight_exactly_and_the_copy_does_not(folder: Path) -> None:
    copy, ratio, relit, normals = quality(folder).known_rows("objects-known")
    assert relit.measured > 50 and relit.passed and relit.aimed
    assert normals.measured < 0.5 and normals.aimed
    assert copy.measured < 20 and copy.must is None
    assert copy.measured < ratio.measured < relit.measured


def test_only_measured_albedo_is_scored(folder: Path) -> None:
    subject = quality(folder)
    assert subject.albedo_rows("albedo")[0].measured < 1e-4
    scores = subject.known_rows("objects-known")[2].details["objects"]
    assert "albedo" in scores["mit_ball"] and "albedo" not in scores["uw_ball"]


def test_without_the_light_none_is_told_and_its_error_is_a_row(folder: Path) -> None:
    subject = quality(folder)
    relit, _, light = subject.unknown_rows("objects-unknown")
    assert relit.must == 20.0 and light.measured > 5
    assert set(subject._understand.asked) == {False}


def test_objects_are_understood_once_for_both_rows(folder: Path) -> None:
    subject = quality(folder)
    subject.known_rows("objects-known")
    subject.albedo_rows("albedo")
    assert subject._understand.asked.count(True) == 6  # two objects of three sources


def test_predictions_are_named_as_the_independent_script_reads_them(folder: Path, tmp_path: Path) -> None:
    subject = quality(folder, tmp_path / "out")
    subject.known_rows("objects-known")
    subject.unknown_rows("objects-unknown")
    names = {p.name for p in (tmp_path / "out").glob("*.npy")}
    assert {"mit_ball_s0_t1.npy", "mit_ball_s0_normals.npy", "uw_ball_s4_albedo.npy"} <= names
    relit = np.load(tmp_path / "out" / "mit_ball_s0_t1.npy")
    assert relit.shape == (48, 48, 3) and relit.dtype == np.float32
    assert names == {p.name for p in (tmp_path / "out" / "light_unknown").glob("*.npy")}


def test_scenes_are_compared_with_the_best_of_four_baselines(folder: Path) -> None:
    item = scene_item(relight_scene(100, width=48))
    rows = quality(folder, items=[item]).scene_rows("scenes")
    known = rows[:4]
    names = ("copy", "flat", "inflated", "ratio")
    scores = known[0].details["scenes"]["soundstage_100"]
    best = max(scores[name] for name in names)
    assert known[1].measured == pytest.approx(known[0].measured - best)
    assert known[1].must == 2.0 and all(name in known[0].what for name in names)
    assert known[2].measured < 0.1
