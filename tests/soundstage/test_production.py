"""The sample production: shots of a set share everything but the camera, and truth is true."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from interpositive.errors import Cancelled
from interpositive.images.colour_chart import COLUMNS, NEUTRALS, ROWS, chart_acescg
from interpositive.images.reading import read_image_file
from interpositive.progress import Progress, ProgressUpdate
from interpositive.soundstage.production import (
    Drift,
    ProductionFrame,
    ProductionShot,
    make_production,
    production_shots,
    render,
)

SHOTS = {shot.name: shot for shot in production_shots(size=(64, 36), frames=2)}
Rendered = Callable[..., ProductionFrame]


@pytest.fixture(scope="module")
def rendered() -> Rendered:
    kept: dict[ProductionShot, ProductionFrame] = {}

    def frame(name: str, **drift: float) -> ProductionFrame:
        shot = replace(SHOTS[name], drift=Drift(**drift))
        if shot not in kept:
            kept[shot] = render(shot, 1001)
        return kept[shot]

    return frame


def test_twelve_shots_on_three_sets_and_the_fourth_is_held_out() -> None:
    assert len(SHOTS) == 12 and len({shot.set_name for shot in SHOTS.values()}) == 3
    assert [shot.number for shot in SHOTS.values() if shot.held_out] == [4, 4, 4]


def test_the_same_shot_gives_the_same_bits_and_another_seed_another_set(rendered: Rendered) -> None:
    name = "salon_030"
    again = render(SHOTS[name], 1001)
    assert again.plate.tobytes() == rendered(name).plate.tobytes()
    other = render(replace(SHOTS[name], seed=2), 1001)
    assert np.abs(other.albedo - again.albedo).mean() > 0.01


def test_plates_are_finite_well_exposed_and_have_grain(rendered: Rendered) -> None:
    for name in ("kitchen_020", "workshop_040", "salon_010"):
        frame = rendered(name)
        assert frame.plate.dtype == np.float32 and np.isfinite(frame.plate).all()
        assert 0.05 < frame.plate.mean() < 0.4
        assert 0.001 < (frame.plate - frame.clean).std() < 0.02


def test_normals_are_unit_and_depth_is_in_metres(rendered: Rendered) -> None:
    frame = rendered("kitchen_020")
    np.testing.assert_allclose(np.linalg.norm(frame.normals, axis=-1), 1, atol=1e-4)
    assert (frame.normals[..., 2] > -0.2).mean() > 0.99
    assert 1.5 < frame.depth.min() < frame.depth.max() < 6
    assert frame.albedo.min() > 0 and frame.albedo.max() < 0.95


def test_the_camera_moves_and_the_set_stands_still(rendered: Rendered) -> None:
    first = rendered("workshop_020")
    last = render(SHOTS["workshop_020"], 1002)
    assert np.abs(first.albedo - last.albedo).mean() > 1e-3
    towards = [f.camera.axes() @ f.key_direction for f in (first, last)]
    np.testing.assert_allclose(towards[0], towards[1], atol=1e-5)


def test_shots_of_a_set_have_one_key(rendered: Rendered) -> None:
    towards = [(f := rendered(f"kitchen_0{k}0")).camera.axes() @ f.key_direction for k in (2, 4)]
    np.testing.assert_allclose(towards[0], towards[1], atol=1e-5)


def test_the_chart_lies_where_its_corners_say(rendered: Rendered) -> None:
    frame = render(replace(SHOTS["workshop_040"], width=112, height=63), 1001)
    assert frame.chart_px is not None
    top_left, top_right, _, bottom_left = frame.chart_px
    seen = []
    for index in range(ROWS * COLUMNS):
        row, column = divmod(index, COLUMNS)
        place = top_left + (top_right - top_left) * ((column + 0.5) / COLUMNS)
        x, y = place + (bottom_left - top_left) * ((row + 0.5) / ROWS)
        seen.append(frame.albedo[int(y), int(x)])
    np.testing.assert_allclose(np.array(seen), chart_acescg(), atol=0.12)
    neutral = np.array(seen)[NEUTRALS]
    assert (np.diff(neutral.mean(axis=1)) < 0).all()
    assert rendered("workshop_020").chart_px is None


def test_a_drift_moves_exposure_white_and_key_by_what_it_says(rendered: Rendered) -> None:
    plain, bright = rendered("salon_030"), rendered("salon_030", exposure_stops=0.5)
    assert np.log2(bright.clean.mean() / plain.clean.mean()) == pytest.approx(0.5, abs=1e-4)
    warm = rendered("salon_030", mireds=30).clean.mean((0, 1)) / plain.clean.mean((0, 1))
    assert warm[0] > 1.03 and warm[2] < 0.93
    turned = rendered("salon_030", key_turn_deg=40)
    cosine = float(turned.key_direction @ plain.key_direction)
    assert 25 < np.degrees(np.arccos(cosine)) < 41
    hard, filled = rendered("workshop_040"), rendered("workshop_040", fill_stops=1.5)
    spread = [np.subtract(*np.percentile(np.log2(f.clean.mean(-1)), [95, 5])) for f in (hard, filled)]
    assert spread[1] < spread[0] - 0.2


def test_a_grade_acts_on_the_finished_plate(rendered: Rendered) -> None:
    graded = render(SHOTS["salon_030"], 1001, grade=lambda pixels: pixels * np.float32(2))
    np.testing.assert_array_equal(graded.plate, rendered("salon_030").plate * 2)


def test_an_unknown_shot_or_frame_is_an_error() -> None:
    with pytest.raises(KeyError, match="attic_010"):
        production_shots(drifts={"attic_010": Drift()})
    with pytest.raises(KeyError, match="1001-1002"):
        render(SHOTS["salon_030"], 1003)


def test_footage_on_disk_has_what_a_camera_writes_and_is_not_rendered_twice(tmp_path: Path) -> None:
    settings = {"size": (48, 27), "frames": 1, "progress": Progress()}
    shots = make_production(tmp_path, with_truth=True, **settings)
    image = read_image_file(shots[5].pattern(tmp_path) % 1001).main
    assert set(image.channel_formats) == {"half"} and image.channels == ("R", "G", "B")
    expected = {
        "reelName": "A002C002", "scene": "2", "take": 2, "shot": "workshop_020", "cameraLabel": "A",
        "cameraCCTSetting": 3200.0, "isoSpeed": 800.0, "nominalFocalLength": 50.0,
    }  # fmt: skip
    assert {name: image.metadata.get(name) for name in expected} == expected
    assert image.metadata["smpte:TimeCode"] == (0x02020000, 0)
    truth = read_image_file(shots[5].truth_pattern(tmp_path) % 1001).main
    assert {"normal.X", "albedo.R", "depth.Z"} <= set(truth.channels)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.exr")}
    make_production(tmp_path, with_truth=True, **settings)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.exr")} == before
    assert len(before) == 24 and json.loads((tmp_path / "production.json").read_text())["version"] == 1


class _OneFrame(Progress):
    def show(self, update: ProgressUpdate) -> None:
        if update.done == 0:
            self.cancel()


def test_a_cancel_keeps_whole_frames_and_other_settings_replace_them(tmp_path: Path) -> None:
    first = Path(production_shots()[0].pattern(tmp_path) % 1001)
    seen = []
    for drift in ({}, {}, {"kitchen_010": Drift(exposure_stops=1)}):
        with pytest.raises(Cancelled):
            make_production(tmp_path, size=(32, 18), frames=1, drifts=drift, progress=_OneFrame())
        seen.append((first.read_bytes(), first.stat().st_mtime_ns))
    assert list(tmp_path.rglob("*.exr")) == [first]
    assert seen[0] == seen[1] and seen[2][0] != seen[0][0]
