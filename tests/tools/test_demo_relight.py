"""The relight demo goes the whole way on the sample shot and on a plate of one's own."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from interpositive.images.image import Image
from interpositive.images.reading import read_image_file
from interpositive.images.writing import write_exr
from interpositive.prior import predictor
from interpositive.progress import Progress
from interpositive.soundstage.footage import render_footage
from interpositive.soundstage.sample_shot import SampleSettings
from interpositive.tools import TOOLS, demo_relight
from stand_in_prior import StandInPrior

SMALL = {"width": 96, "frame_count": 4, "sample_frames": 2, "presets": ["key_fill_rim", "moonlight"]}


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("rendered") / "shot"
    return render_footage(folder, SampleSettings(96, 54, 4), Progress()).folder


@pytest.fixture
def folder(rendered: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(predictor, "load_prior", lambda folder, threads, device: StandInPrior())
    shutil.copytree(rendered, tmp_path / "demo" / "shot")
    return tmp_path / "demo"


def demo(folder: Path, **more: object) -> demo_relight.Result:
    return demo_relight.run(demo_relight.Params(folder=str(folder), **{**SMALL, **more}), Progress())


def test_demo_and_demo_relight_are_two_tools() -> None:
    assert TOOLS["demo relight"].load() is demo_relight and TOOLS["demo"].load() is not demo_relight


def test_every_preset_gives_every_asked_frame_and_sheets_to_look_at(folder: Path) -> None:
    (sample,) = demo(folder).shots
    assert list(sample.results) == ["key_fill_rim", "moonlight"]
    plate = read_image_file(Path(sample.plate % 1001)).select(("R", "G", "B"))
    pictures = {n: read_image_file(Path(p % 1001)).select(("R", "G", "B")) for n, p in sample.results.items()}
    assert all(not np.array_equal(picture, plate) for picture in pictures.values())
    assert not np.array_equal(pictures["key_fill_rim"], pictures["moonlight"])
    assert all(Path(p % 1002).is_file() and not Path(p % 1003).exists() for p in sample.results.values())
    assert Path(sample.presets_sheet).is_file() and Path(sample.passes_sheet).is_file()
    assert Path(sample.lighting).is_file()


def test_a_plate_of_one_s_own_is_lit_beside_the_sample(folder: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    ramp = np.linspace(0.1, 0.9, 80, dtype=np.float32)[:, None]
    pixels = ramp + np.float32(0.1) * rng.random((40, 80, 3), dtype=np.float32)
    write_exr(tmp_path / "own" / "own.0007.exr", Image(pixels, ("R", "G", "B")), "half")
    result = demo(folder, plate=str(tmp_path / "own" / "own.%04d.exr"), presets=["window"])
    sample, own = result.shots
    assert sample.name == "sample" and own.name == "plate"
    assert Path(own.results["window"] % 7).is_file()
    assert own.presets_sheet in "\n".join(result.lines())


def test_a_second_run_renders_nothing_again(folder: Path) -> None:
    first = demo(folder)
    path = Path(first.shots[0].results["moonlight"] % 1001)
    written = path.stat().st_mtime_ns
    demo(folder)
    assert path.stat().st_mtime_ns == written
