from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch

from interpositive.errors import (
    Cancelled,
    ForeignModelError,
    InterpositiveError,
    KeyframeError,
    NewerModelError,
    OutputError,
    UsageError,
)
from interpositive.folder_lock import lock_folder
from interpositive.images.reading import read_image_file
from interpositive.models.model_folder import load_model
from interpositive.models.network import ShotNetworkConfig
from interpositive.progress import Progress
from interpositive.tools import apply
from interpositive.tools.train import Params, Result, run
from interpositive.training import closed_form, loop
from tiny_shot import (
    FRAMES,
    Recorder,
    matte_of,
    plate_of,
    relit_square,
    square_at,
    with_alpha,
    write_frames,
    write_shot,
)

SOME_STEPS = 12
_DRAFT = loop.QUALITIES["draft"]
_PRESETS = [(loop, "_CROP_PX", loop._CROP_PX)]
_PRESETS += [(closed_form, "_SAMPLES_PER_KEYFRAME", closed_form._SAMPLES_PER_KEYFRAME)]


@pytest.fixture(autouse=True)
def small_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """A network and crops in proportion to the frames."""
    small = dataclasses.replace(loop.QUALITIES["draft"], width=16, hidden=64)
    monkeypatch.setitem(loop.QUALITIES, "draft", small)
    monkeypatch.setattr(loop, "_CROP_PX", 64)
    monkeypatch.setattr(closed_form, "_SAMPLES_PER_KEYFRAME", 1000)


@pytest.fixture
def shot(tmp_path: Path) -> dict[str, str]:
    return write_shot(tmp_path)


def train(progress: Progress | None = None, **params: Any) -> Result:
    options: dict[str, Any] = {"device": "cpu", "quality": "draft", "steps": SOME_STEPS}
    if "time_budget" in params or "cpu_budget" in params:
        del options["steps"]
    return run(Params(**{**options, **params}), progress or Recorder())


def weights_of(shot: dict[str, str]) -> bytes:
    return load_model(Path(shot["out"])).weights_path.read_bytes()


def render(shot: dict[str, str], out: str) -> str:
    pattern = str(Path(shot["out"]).parent / out / "r.%04d.exr")
    options = {"device": "cpu", "threads": 1, "bit_depth": "float"}
    apply.run(apply.Params(model=shot["out"], plate=shot["plate"], out=pattern, **options), Recorder())
    return pattern


def test_a_model_folder_says_what_it_was_trained_on(shot: dict[str, str]) -> None:
    progress = Recorder()
    result = train(progress, **shot)
    folder = Path(shot["out"])
    assert sorted(path.name for path in folder.iterdir()) == [
        "contact_sheet.png",
        "loss.png",
        "manifest.json",
        "model.onnx",
        "training.jsonl",
        "weights.safetensors",
    ]
    manifest = load_model(folder).manifest
    assert (manifest.name, manifest.seed, manifest.device) == ("model", 1, "cpu")
    assert [frame.frame for frame in manifest.training.frames] == [1001, 1004, 1007]
    assert all(len(frame.keyframe_sha256) == 64 for frame in manifest.training.frames)
    assert (manifest.training.holdout, manifest.training.steps) == ((1004,), SOME_STEPS)
    assert manifest.software.keys() >= {"interpositive", "torch"}
    config = ShotNetworkConfig(**manifest.network)
    assert manifest.tiling.receptive_px == config.receptive_px == 128
    assert manifest.display_size == (96, 64)
    assert result.holdout_frame == 1004 and result.measured == manifest.measured
    assert any("1004 held out" in line for line in progress.lines)
    assert "dB" in result.lines()[0] and str(folder) in result.lines()[1]
    assert progress.updates[-1].stage == "writing the model"


def test_the_same_seed_gives_the_same_files_byte_for_byte(shot: dict[str, str], tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        train(**{**shot, "out": str(tmp_path / name)}, seed=seed)
    for name in ("weights.safetensors", "model.onnx"):
        one, same, other = ((tmp_path / folder / name).read_bytes() for folder in "abc")
        assert one == same != other


def test_a_stopped_training_continues_and_ends_with_the_same_bytes(
    shot: dict[str, str], tmp_path: Path
) -> None:
    train(**{**shot, "out": str(tmp_path / "straight")})
    with pytest.raises(Cancelled):
        train(Recorder("training", 5), **shot)
    assert not (Path(shot["out"]) / "manifest.json").exists()
    with pytest.raises(InterpositiveError, match="has not finished"):
        load_model(Path(shot["out"]))
    progress = Recorder()
    train(progress, **shot)
    assert progress.steps()[0] == 6
    assert weights_of(shot) == (tmp_path / "straight" / "weights.safetensors").read_bytes()
    assert not (Path(shot["out"]) / "checkpoint").exists()


def test_a_cancel_while_the_model_is_written_trains_nothing_twice(shot: dict[str, str]) -> None:
    with pytest.raises(Cancelled):
        train(Recorder("training", SOME_STEPS), **shot)
    progress = Recorder()
    train(progress, **shot)
    assert progress.steps() == []


def test_a_finished_training_returns_at_once_and_another_replaces_it(shot: dict[str, str]) -> None:
    first = train(**shot)
    before = weights_of(shot)
    progress = Recorder()
    assert train(progress, **shot) == first
    assert progress.steps() == [] and any("finished already" in line for line in progress.lines)
    progress = Recorder()
    train(progress, **shot, seed=2)
    assert any("replaced" in line for line in progress.lines)
    assert weights_of(shot) != before


def test_a_checkpoint_of_other_footage_is_not_continued(shot: dict[str, str], tmp_path: Path) -> None:
    with pytest.raises(Cancelled):
        train(Recorder("training", 5), **shot)
    write_frames(tmp_path / "keys", "comp", [1004], lambda frame: plate_of(frame) * 0.5)
    progress = Recorder()
    train(progress, **shot)
    assert progress.steps()[0] == 1
    assert any("other footage" in line for line in progress.lines)
    assert not (Path(shot["out"]) / "checkpoint").exists()


_SAVES_AT_EVERY_STEP = """
import dataclasses, sys
from interpositive.training import closed_form, loop
loop._CHECKPOINT_EVERY_S, loop._CROP_PX, closed_form._SAMPLES_PER_KEYFRAME = 0.0, 64, 1000
loop.QUALITIES["draft"] = dataclasses.replace(loop.QUALITIES["draft"], width=16, hidden=64)
from interpositive.cli import main
sys.exit(main(sys.argv[1:]))
"""


def command(shot: dict[str, str], *more: str) -> list[str]:
    words = ["train", "--device", "cpu", "--quality", "draft"]
    return [*words, *(word for name, value in shot.items() for word in (f"--{name}", value)), *more]


def child(environment: dict[str, str]) -> dict[str, str]:
    return {**environment, "PYTHONWARNINGS": "default", "OMP_NUM_THREADS": "1"}


def test_a_kill_loses_at_most_what_came_after_the_checkpoint(
    shot: dict[str, str], tmp_path: Path, child_environment: dict[str, str], python: str
) -> None:
    arguments = [python, "-c", _SAVES_AT_EVERY_STEP, *command(shot, "--steps", "40")]
    process = subprocess.Popen(arguments, env=child(child_environment), stderr=subprocess.DEVNULL)
    checkpoint = Path(shot["out"]) / "checkpoint" / "training.safetensors"
    deadline = time.monotonic() + 60
    while not checkpoint.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.005)
    process.kill()
    assert process.wait() == -9
    (Path(shot["out"]) / ".contact_sheet.png.1.part").write_bytes(b"half")
    progress = Recorder()
    assert train(progress, **shot, steps=40).steps == 40
    assert progress.steps()[0] > 1
    assert not checkpoint.parent.exists() and not list(Path(shot["out"]).glob(".*"))
    torch_threads = torch.get_num_threads()
    if torch_threads == 1:  # the child ran on one
        train(**{**shot, "out": str(tmp_path / "straight")}, steps=40)
        assert weights_of(shot) == (tmp_path / "straight" / "weights.safetensors").read_bytes()


_LITTLE_DISK = """
import resource, sys
limit = int(sys.argv.pop(1))
from interpositive.training import loop
from interpositive.cli import main
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no RLIMIT_FSIZE")
def test_a_disk_that_takes_no_more_is_one_line_and_leaves_nothing_half(
    shot: dict[str, str], child_environment: dict[str, str], python: str
) -> None:
    arguments = [python, "-c", _LITTLE_DISK, "300000", *command(shot, "--steps", "2")]
    done = subprocess.run(
        arguments, env=child(child_environment), capture_output=True, text=True, check=False
    )
    last = done.stderr.strip().splitlines()[-1]
    assert (done.returncode, last.startswith("interpositive: ")) == (1, True), done.stderr
    assert "annot" in last and "Traceback" not in done.stderr
    left = {path.name for path in Path(shot["out"]).rglob("*") if path.stat().st_size}
    assert left <= {"checkpoint", "training.jsonl", "contact_sheet.png", "loss.png"}


def test_a_folder_that_cannot_be_written_is_one_line(shot: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    with pytest.raises(OutputError, match="another folder"):
        train(**{**shot, "out": str(tmp_path / "file" / "model")})


@pytest.mark.parametrize(
    ("document", "error"),
    [
        ('{"schema": "other.tool", "version": 1}', ForeignModelError),
        ('{"schema": "interpositive.model", "version": 99, "kind": "shot"}', NewerModelError),
    ],
)
def test_a_folder_that_is_not_ours_is_left_alone(
    shot: dict[str, str], document: str, error: type[Exception]
) -> None:
    manifest = Path(shot["out"]) / "manifest.json"
    manifest.parent.mkdir()
    manifest.write_text(document, encoding="utf-8")
    with pytest.raises(error):
        train(**shot)
    assert manifest.read_text(encoding="utf-8") == document
    assert [path.name for path in manifest.parent.iterdir()] == ["manifest.json"]


def test_a_damaged_model_is_said_and_replaced(shot: dict[str, str]) -> None:
    train(**shot)
    (Path(shot["out"]) / "weights.safetensors").write_bytes(b"gone")
    progress = Recorder()
    train(progress, **shot)
    assert any("weights.safetensors" in line and "replaced" in line for line in progress.warnings)
    load_model(Path(shot["out"]))


def test_two_trainings_in_one_folder_are_told_apart(shot: dict[str, str]) -> None:
    from interpositive.errors import FolderBusyError

    with lock_folder(Path(shot["out"]), "train"), pytest.raises(FolderBusyError, match="interpositive train"):
        train(**shot)


def test_lengths_cannot_be_combined(shot: dict[str, str]) -> None:
    with pytest.raises(UsageError, match="--time-budget and --steps cannot be combined"):
        run(Params(**shot, device="cpu", time_budget=5, steps=3), Recorder())
    with pytest.raises(UsageError, match="--time-budget and --cpu-budget and --steps"):
        run(Params(**shot, device="cpu", time_budget=5, cpu_budget=2, steps=3), Recorder())


@pytest.mark.skipif(torch.cuda.is_available(), reason="CUDA is here")
def test_a_device_that_is_not_there_is_refused_before_anything_is_read(shot: dict[str, str]) -> None:
    with pytest.raises(UsageError, match=r"--device cuda.*interpositive doctor"):
        train(**{**shot, "plate": "nowhere"}, device="cuda")


@pytest.mark.parametrize("holdout", ["1002", "first", "²", "-1"])
def test_a_held_out_frame_that_is_no_keyframe_is_refused(shot: dict[str, str], holdout: str) -> None:
    with pytest.raises(KeyframeError, match=r"1001, 1004, 1007.*auto or none"):
        train(**shot, holdout=holdout)


def test_the_only_keyframe_cannot_be_held_out_and_is_warned_of(tmp_path: Path) -> None:
    shot = write_shot(tmp_path, keyframes=[1004])
    with pytest.raises(KeyframeError, match="only keyframe"):
        train(**shot, holdout="1004")
    progress = Recorder()
    result = train(progress, **shot)
    assert any("One keyframe" in line for line in progress.warnings)
    assert result.holdout_frame is None and "not measured" in result.lines()[0]


def test_frames_of_the_range_that_are_missing_are_listed(shot: dict[str, str]) -> None:
    with pytest.raises(InterpositiveError, match="1008-1010"):
        train(**shot, frames="1001-1010")


def test_a_time_budget_tells_the_seconds_that_are_left(shot: dict[str, str]) -> None:
    progress = Recorder()
    result = train(progress, **shot, time_budget=1.5)
    left = [update.seconds_left for update in progress.updates if update.stage == "training"]
    assert left and all(seconds is not None and seconds <= 1.5 for seconds in left)
    assert result.wall_seconds < 6


def test_outside_the_region_every_frame_comes_out_to_the_bit(tmp_path: Path) -> None:
    shot = write_shot(tmp_path, relit_square, (1001, 1003, 1005, 1007))
    train(**shot, steps=150, holdout="none")
    out = render(shot, "out")
    for frame in FRAMES:
        result, plate = read_image_file(out % frame).main.select(["R", "G", "B"]), plate_of(frame)
        rows, columns = square_at(frame)
        far = np.ones(plate.shape[:2], bool)
        far[max(rows.start - 16, 0) : rows.stop + 16, max(columns.start - 16, 0) : columns.stop + 16] = False
        assert {-0.5, 60.0, 7.25} <= set(np.unique(plate[far]))
        np.testing.assert_array_equal(result[far].view(np.uint32), plate[far].view(np.uint32))
        assert np.any(result != plate, axis=2)[rows, columns].mean() > 0.9


def test_a_matte_is_rendered_as_the_alpha_and_colour_keeps_its_bits(tmp_path: Path) -> None:
    shot = write_shot(tmp_path, with_alpha, (1001, 1003, 1004, 1006, 1007))
    train(**shot, steps=150, holdout="none")
    out = render(shot, "out")
    for frame in FRAMES:
        image = read_image_file(out % frame).main
        assert set(image.channels) == {"R", "G", "B", "A"}
        assert image.select(["R", "G", "B"]).tobytes() == plate_of(frame).tobytes()
        found, wanted = image.select(["A"]) > 0.5, matte_of(frame) > 0.5
        assert (found & wanted).sum() / (found | wanted).sum() > 0.9


def test_two_processes_train_the_same_model_and_the_first_alone_writes(
    shot: dict[str, str],
    tmp_path: Path,
    child_environment: dict[str, str],
    python: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    launch = [python, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    arguments = [*command(shot, "--steps", "6", "--holdout", "none"), "--json", str(tmp_path / "result.json")]

    def launched() -> str:
        done = subprocess.run(
            [*launch, "-m", "interpositive", *arguments],
            env=child(child_environment),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert launched().count("Trained 6 steps") == 1
    assert json.loads((tmp_path / "result.json").read_text())["steps"] == 6
    both = load_model(Path(shot["out"]))
    alone = {**shot, "out": str(tmp_path / "alone")}
    for place, name, value in _PRESETS:  # those of the children
        monkeypatch.setattr(place, name, value)
    monkeypatch.setitem(loop.QUALITIES, "draft", _DRAFT)
    train(**alone, steps=6, holdout="none")
    ours, theirs = (
        safetensors.torch.load_file(str(model.weights_path))
        for model in (both, load_model(tmp_path / "alone"))
    )
    assert ours.keys() == theirs.keys()
    for name, tensor in ours.items():
        torch.testing.assert_close(tensor, theirs[name], rtol=0, atol=1e-4)
    assert launched().count("Trained 6 steps") == 1  # finished already, in both
    assert os.listdir(shot["out"]).count("manifest.json") == 1
