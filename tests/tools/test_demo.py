"""The demo goes the whole way, and a second time only where something is missing."""

from __future__ import annotations

import shutil
import sys
import types
from pathlib import Path

import pytest
from pydantic import BaseModel, ConfigDict

import interpositive.tools
from interpositive.errors import Cancelled, OutputError
from interpositive.models.model_folder import ONNX_FILE, WEIGHTS_FILE, save_model
from interpositive.progress import Progress
from interpositive.soundstage.footage import render_footage
from interpositive.soundstage.sample_shot import SampleSettings
from interpositive.tools import demo
from model_samples import safetensors_bytes, sample_manifest
from tiny_model import TILING, write_tiny_model

SMALL = {"width": 96, "frame_count": 6, "time_budget": 6.0, "device": "cpu"}


class Log(Progress):
    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def show_log(self, message: str, level: str) -> None:
        self.lines.append(message)


class StandInParams(BaseModel):
    """The fields that the demo may pass, and no others."""

    model_config = ConfigDict(extra="forbid")

    plate: str
    keyframes: str
    out: str
    time_budget: float | None
    steps: int | None
    seed: int
    device: str


@pytest.fixture
def trainings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[StandInParams]:
    """Training takes no time: it saves a small model that changes something. Gives what it was asked."""
    asked: list[StandInParams] = []

    def train(params: StandInParams, progress: Progress) -> None:
        progress.report("training", 1, 1)
        asked.append(params)
        onnx = write_tiny_model(tmp_path / "tiny.onnx")
        manifest = sample_manifest(tiling=TILING.model_dump(), display_size=[96, 54])
        save_model(
            Path(params.out), manifest, {WEIGHTS_FILE: safetensors_bytes(), ONNX_FILE: onnx.read_bytes()}
        )

    module = types.ModuleType("interpositive.tools.train")
    module.Params, module.run = StandInParams, train  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "interpositive.tools.train", module)
    monkeypatch.setattr(interpositive.tools, "train", module, raising=False)
    return asked


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    settings = SampleSettings(96, 54, 6)
    return render_footage(tmp_path_factory.mktemp("rendered") / "shot", settings, Progress()).folder


@pytest.fixture
def folder(rendered: Path, tmp_path: Path) -> Path:
    """A demo whose shot is rendered already."""
    shutil.copytree(rendered, tmp_path / "demo" / "shot")
    return tmp_path / "demo"


def run_demo(folder: Path, progress: Progress | None = None, **changes: object) -> demo.Result:
    params = demo.Params.model_validate({"folder": str(folder), **SMALL, **changes})
    return demo.run(params, progress or Progress())


def test_the_demo_leaves_shot_model_results_and_sheet(trainings: list[StandInParams], folder: Path) -> None:
    result = run_demo(folder)
    assert trainings[0].keyframes.endswith("robot_comp.%04d.exr")
    keyframes = sorted(p.name for p in (folder / "keyframes").iterdir())
    assert keyframes == ["robot_comp.1001.exr", "robot_comp.1003.exr", "robot_comp.1006.exr"]
    assert result.keyframes == [1001, 1003, 1006] and result.scored_frames == 3
    assert all(Path(result.result % frame).is_file() for frame in range(1001, 1007))
    assert Path(result.contact_sheet).read_bytes()[:4] == b"\x89PNG"
    assert 5 < result.psnr_untouched < 40


def test_what_it_says_names_the_numbers_the_files_and_the_next_commands(
    trainings: list[StandInParams], folder: Path
) -> None:
    result = run_demo(folder)
    text = "\n".join(result.lines())
    for expected in (f"{result.psnr_result:.1f} dB", result.contact_sheet, result.result):
        assert expected in text
    assert "interpositive train --plate" in text and "interpositive apply models/sh010" in text


def test_a_second_run_trains_and_renders_nothing(trainings: list[StandInParams], folder: Path) -> None:
    first = run_demo(folder)
    stamps = {p: p.stat().st_mtime_ns for p in (folder).rglob("*.exr")}
    assert run_demo(folder) == first
    assert len(trainings) == 1
    assert {p: p.stat().st_mtime_ns for p in (folder).rglob("*.exr")} == stamps


def test_a_damaged_model_is_trained_again(trainings: list[StandInParams], folder: Path) -> None:
    run_demo(folder)
    (folder / "model" / "model.onnx").write_bytes(b"cut")
    log = Log()
    run_demo(folder, log)
    assert len(trainings) == 2
    assert any("trained again" in line for line in log.lines)


def test_another_training_time_trains_again_and_keeps_the_shot(
    trainings: list[StandInParams], folder: Path
) -> None:
    run_demo(folder)
    plate = next((folder / "shot" / "plate").iterdir())
    stamp = plate.stat().st_mtime_ns
    run_demo(folder, time_budget=7.0)
    assert [t.time_budget for t in trainings] == [6.0, 7.0]
    assert plate.stat().st_mtime_ns == stamp


def test_a_lost_frame_of_any_stage_comes_back(trainings: list[StandInParams], folder: Path) -> None:
    first = run_demo(folder)
    lost = [
        folder / "shot" / "target" / "robot_target.1002.exr",
        folder / "keyframes" / "robot_comp.1003.exr",
        folder / "result" / "robot_result.1005.exr",
    ]
    for path in lost:
        path.unlink()
    assert run_demo(folder) == first
    assert all(path.is_file() for path in lost) and len(trainings) == 1


def test_a_run_stopped_in_training_goes_on_from_the_rendered_shot(
    trainings: list[StandInParams], folder: Path
) -> None:
    class StopInTraining(Progress):
        def show_log(self, message: str, level: str) -> None:
            if message.startswith("2 of 4"):
                self.cancel()

    with pytest.raises(Cancelled):
        run_demo(folder, StopInTraining())
    assert len(list((folder / "shot" / "plate").iterdir())) == 6 and not trainings
    run_demo(folder)
    assert len(trainings) == 1


def test_a_file_in_place_of_the_folder_is_told_in_one_line(
    trainings: list[StandInParams], folder: Path
) -> None:
    (folder / "file").write_text("not a folder")
    with pytest.raises(OutputError):
        run_demo(folder / "file")


def test_the_real_training_beats_the_untouched_plate(folder: Path) -> None:
    result = run_demo(folder, steps=120)
    assert result.psnr_result > result.psnr_untouched + 2
    assert result.identical_percent > 50
