from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from interpositive.errors import (
    Cancelled,
    ChannelError,
    ColourSpaceError,
    DamagedFrameError,
    FolderBusyError,
    MissingFramesError,
    OutputError,
    SizeMismatchError,
    UsageError,
)
from interpositive.folder_lock import lock_folder
from interpositive.images.image import Image, ImageFile, Window
from interpositive.images.reading import read_image_file
from interpositive.images.writing import COMPRESSIONS, write_exr
from interpositive.models.model_folder import ONNX_FILE, WEIGHTS_FILE, save_model
from interpositive.progress import Progress
from interpositive.tools.apply import Params, Result, run
from model_samples import safetensors_bytes, sample_manifest
from tiny_model import write_tiny_model

SIZE = (48, 64)  # height, width


class Recorder(Progress):
    """Keeps what the artist would see; cancels after `cancel_after` reports."""

    def __init__(self, cancel_after: int | None = None) -> None:
        super().__init__()
        self.lines: list[str] = []
        self.steps: list[tuple[int, int]] = []
        self._cancel_after = cancel_after

    def show(self, update: Any) -> None:
        self.steps.append((update.done, update.total))
        if self._cancel_after is not None and len(self.steps) >= self._cancel_after:
            self.cancel()

    def show_log(self, message: str, level: str) -> None:
        assert "\n" not in message
        self.lines.append(message)


def plate_pixels(frame: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    """Half-exact values from -0.5 to 60; the left half is below the tiny model's region."""
    random = np.random.default_rng(frame)
    pixels = random.uniform(1, 60, (*size, 3)).astype(np.float16).astype(np.float32)
    pixels[:, : size[1] // 2, 0] = -0.5
    return pixels


def write_plate(
    folder: Path, frames: range | list[int] = range(1001, 1004), size: tuple[int, int] = SIZE
) -> str:
    for frame in frames:
        write_exr(folder / f"pl.{frame:04d}.exr", Image(plate_pixels(frame, size), ("R", "G", "B")))
    return str(folder / "pl.%04d.exr")


def write_model(folder: Path, seed: int = 1, output_channels: int = 3, **manifest: Any) -> str:
    onnx = write_tiny_model(folder.parent / f"{folder.name}.onnx", 3, output_channels, seed)
    weights = safetensors_bytes(seed)
    save_model(folder, sample_manifest(**manifest), {WEIGHTS_FILE: weights, ONNX_FILE: onnx})
    return str(folder)


def apply(progress: Progress | None = None, **params: Any) -> Result:
    return run(Params(device="cpu", threads=1, **params), progress or Recorder())


@pytest.fixture
def shot(tmp_path: Path) -> dict[str, Any]:
    """Parameters of a run over three frames."""
    return {
        "model": write_model(tmp_path / "model"),
        "plate": write_plate(tmp_path / "plate"),
        "out": str(tmp_path / "out" / "sh.%04d.exr"),
    }


def result_frame(shot: dict[str, Any], frame: int = 1001) -> ImageFile:
    return read_image_file(shot["out"] % frame)


def rgb(shot: dict[str, Any], frame: int = 1001) -> np.ndarray:
    return result_frame(shot, frame).select(("R", "G", "B"))


def test_every_frame_is_rendered_and_outside_the_region_the_plate_stays(shot: dict[str, Any]) -> None:
    progress = Recorder()
    result = apply(progress, **shot)
    assert (result.frames_rendered, result.frames_kept, result.device) == (3, 0, "cpu")
    assert progress.steps[-1] == (3, 3)
    for frame in (1001, 1002, 1003):
        picture, plate = rgb(shot, frame), plate_pixels(frame)
        assert picture[:, :32].tobytes() == plate[:, :32].tobytes()
        assert np.abs(picture[:, 32:] - plate[:, 32:]).max() > 0.1
    assert sorted(path.name for path in Path(shot["out"]).parent.iterdir()) == [
        f"sh.{frame}.exr" for frame in (1001, 1002, 1003)
    ]


def test_strength_zero_is_the_plate_bit_for_bit(shot: dict[str, Any]) -> None:
    apply(**shot, strength=0)
    assert rgb(shot).tobytes() == plate_pixels(1001).tobytes()


def test_half_strength_is_half_the_change_in_scene_linear(shot: dict[str, Any]) -> None:
    apply(**shot, bit_depth="float")
    full = rgb(shot)
    apply(**shot, bit_depth="float", strength=0.5)
    np.testing.assert_allclose(rgb(shot), (full + plate_pixels(1001)) / 2, rtol=1e-5)


def test_a_black_matte_is_the_plate_bit_for_bit_and_a_white_one_the_whole_change(
    shot: dict[str, Any], tmp_path: Path
) -> None:
    apply(**shot)
    whole = rgb(shot)
    matte = np.zeros((*SIZE, 1), np.float32)
    matte[:20] = 1.0
    for frame in (1001, 1002, 1003):
        write_exr(tmp_path / "matte" / f"m.{frame}.exr", Image(matte, ("A",)))
    apply(**shot, matte=str(tmp_path / "matte" / "m.####.exr"))
    assert rgb(shot)[:20].tobytes() == whole[:20].tobytes()
    assert rgb(shot)[20:].tobytes() == plate_pixels(1001)[20:].tobytes()


def test_a_matte_counts_where_it_lies_in_the_display_window(shot: dict[str, Any], tmp_path: Path) -> None:
    apply(**shot)
    whole = rgb(shot)
    small = Image(np.ones((10, 8, 1), np.float32), ("A",), Window(50, 30, 8, 10), Window(0, 0, 64, 48))
    write_exr(tmp_path / "matte.exr", small)
    apply(**shot, matte=str(tmp_path / "matte.exr"))
    expected = plate_pixels(1001)
    expected[30:40, 50:58] = whole[30:40, 50:58]
    assert rgb(shot).tobytes() == expected.tobytes()


def test_a_matte_of_another_size_or_without_a_frame_is_refused(shot: dict[str, Any], tmp_path: Path) -> None:
    write_exr(tmp_path / "m.exr", Image(np.ones((10, 8, 1), np.float32), ("A",)))
    with pytest.raises(SizeMismatchError, match="8x10"):
        apply(**shot, matte=str(tmp_path / "m.exr"))
    write_exr(tmp_path / "m.1001.exr", Image(np.ones((*SIZE, 1), np.float32), ("A",)))
    with pytest.raises(MissingFramesError, match="1002-1003"):
        apply(**shot, matte=str(tmp_path / "m.%04d.exr"))


def test_other_channels_windows_and_attributes_pass_through(shot: dict[str, Any], tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    pixels = random.uniform(1, 9, (*SIZE, 5)).astype(np.float32)
    pixels[..., :3] = plate_pixels(1001)
    names = ("R", "G", "B", "A", "depth.Z")
    image = Image(
        pixels,
        names,
        Window(-8, -4, 64, 48),
        Window(0, 0, 48, 40),
        ("half", "half", "half", "half", "float"),
        {"cameraModel": "A", "chromaticities": (0.713, 0.293, 0.165, 0.83, 0.128, 0.044, 0.32168, 0.33767)},
        metadata_types={"chromaticities": "float[8]"},
    )
    path = tmp_path / "plate" / "pl.1001.exr"
    write_exr(path, image)
    apply(**shot, frames="1001")
    before, after = read_image_file(path).main, result_frame(shot).main
    assert set(after.channels) == set(names)
    assert dict(zip(after.channels, after.channel_formats, strict=True))["depth.Z"] == "float"
    for name in ("A", "depth.Z"):
        assert after.select([name]).tobytes() == before.select([name]).tobytes()
    assert (after.data_window, after.display_window) == (before.data_window, before.display_window)
    kept = {name: value for name, value in after.metadata.items() if not name.startswith("interpositive:")}
    assert kept == before.metadata


def test_the_header_says_what_made_the_frame_and_names_no_folder(
    shot: dict[str, Any], tmp_path: Path
) -> None:
    apply(**shot)
    tags = {k: v for k, v in result_frame(shot).main.metadata.items() if k.startswith("interpositive:")}
    assert tags["interpositive:model"] == "sh010"
    assert len(tags["interpositive:weights_sha256"]) == 64
    assert tags["interpositive:version"]
    assert not [value for value in tags.values() if str(tmp_path) in value]


def test_a_matte_model_adds_its_channel_and_leaves_rgb_alone(shot: dict[str, Any], tmp_path: Path) -> None:
    outputs = [{"name": "key", "channels": ["key.A"], "kind": "matte"}]
    shot["model"] = write_model(tmp_path / "keyer", output_channels=1, outputs=outputs)
    apply(**shot)
    assert set(result_frame(shot).main.channels) == {"R", "G", "B", "key.A"}
    assert rgb(shot).tobytes() == plate_pixels(1001).tobytes()
    assert result_frame(shot).select(["key.A"]).std() > 0


def test_running_again_keeps_finished_frames_and_renders_the_missing(shot: dict[str, Any]) -> None:
    apply(**shot)
    os.unlink(shot["out"] % 1002)
    before = os.stat(shot["out"] % 1001).st_mtime_ns
    progress = Recorder()
    result = apply(progress, **shot)
    assert (result.frames_rendered, result.frames_kept) == (1, 2)
    assert os.stat(shot["out"] % 1001).st_mtime_ns == before
    assert any("1001, 1003" in line and "kept" in line for line in progress.lines)
    assert apply(**shot).frames_rendered == 0


def test_another_model_other_settings_or_a_new_plate_render_again(
    shot: dict[str, Any], tmp_path: Path
) -> None:
    apply(**shot)
    progress = Recorder()
    assert apply(progress, **shot, strength=0.5).frames_rendered == 3
    assert len([line for line in progress.lines if "rendered again" in line]) == 1
    write_model(tmp_path / "model", seed=2)
    assert apply(**shot, strength=0.5).frames_rendered == 3
    write_plate(tmp_path / "plate", [1003], (48, 60))
    assert apply(**shot, strength=0.5).frames_rendered == 1


def test_overwrite_renders_everything_again(shot: dict[str, Any]) -> None:
    apply(**shot)
    assert apply(**shot, overwrite=True).frames_rendered == 3


def test_a_frame_that_was_cut_short_is_rendered_again(shot: dict[str, Any]) -> None:
    apply(**shot)
    path = Path(shot["out"] % 1002)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) * 2 // 3])
    assert apply(**shot).frames_rendered == 1
    assert path.read_bytes() == whole


def test_a_multi_part_frame_that_lost_its_last_part_is_rendered_again(
    shot: dict[str, Any], tmp_path: Path
) -> None:
    main = Image(plate_pixels(1001), ("R", "G", "B"), part_name="rgba")
    depth = Image(plate_pixels(7)[..., :1], ("depth.Z",), part_name="depth")
    write_exr(tmp_path / "plate" / "pl.1001.exr", ImageFile((main, depth)))
    apply(**shot)
    path = Path(shot["out"] % 1001)
    assert read_image_file(path).parts[1].select(["depth.Z"]).tobytes() == depth.pixels.tobytes()
    path.write_bytes(path.read_bytes()[:-300])
    assert apply(**shot).frames_rendered == 1


def test_files_that_others_made_are_never_overwritten_unasked(shot: dict[str, Any]) -> None:
    write_exr(shot["out"] % 1002, Image(plate_pixels(5), ("R", "G", "B")))
    before = Path(shot["out"] % 1002).read_bytes()
    with pytest.raises(OutputError, match=r"1002 and was not made by interpositive apply.*--overwrite"):
        apply(**shot)
    assert Path(shot["out"] % 1002).read_bytes() == before
    assert apply(**shot, overwrite=True).frames_rendered == 3


def test_the_plate_is_never_overwritten(shot: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="overwrite the plate"):
        apply(**{**shot, "out": shot["plate"]}, overwrite=True)


def test_frames_asked_for_but_missing_are_listed_before_anything_is_rendered(
    shot: dict[str, Any], tmp_path: Path
) -> None:
    os.unlink(tmp_path / "plate" / "pl.1002.exr")
    with pytest.raises(MissingFramesError, match=r"1002, 1004-1005"):
        apply(**shot, frames="1001-1005")
    assert not Path(shot["out"]).parent.exists()


def test_without_a_range_a_gap_is_a_warning_and_the_others_are_rendered(
    shot: dict[str, Any], tmp_path: Path
) -> None:
    os.unlink(tmp_path / "plate" / "pl.1002.exr")
    progress = Recorder()
    assert apply(progress, **shot).frames_rendered == 2
    assert any("lacks frames 1002" in line for line in progress.lines)


def test_a_damaged_plate_frame_stops_with_its_name_and_what_was_done_stays(
    shot: dict[str, Any], tmp_path: Path
) -> None:
    path = tmp_path / "plate" / "pl.1003.exr"
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(DamagedFrameError, match=r"pl\.1003\.exr"):
        apply(**shot)
    assert Path(shot["out"] % 1001).exists()
    write_plate(tmp_path / "plate", [1003])
    assert apply(**shot).frames_rendered <= 2


def test_bad_pixels_stay_and_the_first_is_named(shot: dict[str, Any], tmp_path: Path) -> None:
    pixels = plate_pixels(1002)
    pixels[7, 40], pixels[9, 41, 1] = np.nan, np.inf
    write_exr(tmp_path / "plate" / "pl.1002.exr", Image(pixels, ("R", "G", "B")))
    progress = Recorder()
    result = apply(progress, **shot)
    assert result.bad_pixels == 2
    assert np.isnan(rgb(shot, 1002)[7, 40]).all() and np.isposinf(rgb(shot, 1002)[9, 41, 1])
    assert (
        len(
            [
                line
                for line in progress.lines
                if "2 NaN or infinite pixels, first in frame 1002 at x 40, y 7" in line
            ]
        )
        == 1
    )


def test_a_plate_of_another_size_works_with_a_warning(shot: dict[str, Any], tmp_path: Path) -> None:
    shot["plate"] = write_plate(tmp_path / "small", [1001], (31, 45))
    progress = Recorder()
    apply(progress, **shot)
    assert rgb(shot).shape == (31, 45, 3)
    assert any("45x31" in line and "64x48" in line for line in progress.lines)


def test_each_frame_of_mixed_sizes_keeps_its_own(shot: dict[str, Any], tmp_path: Path) -> None:
    write_plate(tmp_path / "plate", [1002], (24, 36))
    apply(**shot)
    assert [rgb(shot, frame).shape[:2] for frame in (1001, 1002, 1003)] == [SIZE, (24, 36), SIZE]


def test_a_plate_without_the_models_channels_is_refused(shot: dict[str, Any], tmp_path: Path) -> None:
    write_exr(tmp_path / "grey" / "pl.1001.exr", Image(np.ones((*SIZE, 1), np.float32), ("Y",)))
    with pytest.raises(ChannelError, match="'R'"):
        apply(**{**shot, "plate": str(tmp_path / "grey" / "pl.%04d.exr")})


def test_a_plate_in_another_space_than_the_training_is_refused(shot: dict[str, Any]) -> None:
    with pytest.raises(ColourSpaceError, match="ACEScg"):
        apply(**shot, input_space="ACEScg")
    with pytest.raises(ColourSpaceError, match="Close names"):
        apply(**shot, input_space="ACEScgg")


def test_a_log_plate_is_converted_and_tagged_and_strength_zero_is_its_scene_linear_picture(
    shot: dict[str, Any], tmp_path: Path
) -> None:
    from interpositive.images.colour import convert

    space = "ARRI LogC4"
    shot["model"] = write_model(
        tmp_path / "log",
        colour={
            "input_space": space,
            "working_space": "ACEScg",
            "is_scene_linear": False,
            "source": "declared",
        },
    )
    code = np.random.default_rng(1).uniform(0.1, 0.6, (*SIZE, 3)).astype(np.float32)
    write_exr(
        tmp_path / "plate" / "pl.1001.exr",
        Image(code, ("R", "G", "B"), channel_formats=["float"] * 3),
        "float",
    )
    apply(**shot, frames="1001", strength=0)
    np.testing.assert_array_equal(rgb(shot), convert(code, space, "ACEScg"))
    assert result_frame(shot).main.metadata["chromaticities"][0] == pytest.approx(0.713)


def test_two_runs_on_one_folder_are_told_apart(shot: dict[str, Any]) -> None:
    with (
        lock_folder(Path(shot["out"]).parent, "apply"),
        pytest.raises(FolderBusyError, match="interpositive apply"),
    ):
        apply(**shot)


def test_cancel_stops_within_one_frame_and_the_next_run_continues(
    shot: dict[str, Any], tmp_path: Path
) -> None:
    write_plate(tmp_path / "plate", range(1001, 1011))
    with pytest.raises(Cancelled):
        apply(Recorder(cancel_after=3), **shot)
    done = sorted(Path(shot["out"]).parent.iterdir())
    assert 1 <= len(done) <= 3 and all(path.suffix == ".exr" and path.name.startswith("sh.") for path in done)
    assert apply(**shot).frames_kept == len(done)


def test_a_full_disk_is_one_line_and_finished_frames_stay(
    shot: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    replace = os.replace

    def full(source: Any, target: Any) -> None:
        if str(target).endswith("1002.exr"):
            raise OSError(28, "No space left on device")
        replace(source, target)

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OutputError, match="full"):
        apply(**shot)
    assert [path.name for path in Path(shot["out"]).parent.iterdir()] == ["sh.1001.exr"]


_KILLED = """
import os, sys
sys.path[:0] = {path!r}
from interpositive.images import writing
from interpositive.progress import Progress
from interpositive.tools.apply import Params, run
replace = os.replace
def dying(source, target):
    if target.name == "sh.1002.exr":
        os._exit(9)
    replace(source, target)
os.replace = dying
run(Params(device="cpu", threads=1, **{shot!r}), Progress())
"""


def test_a_kill_leaves_whole_frames_only_and_the_next_run_continues(shot: dict[str, Any]) -> None:
    script = _KILLED.format(path=sys.path, shot=shot)
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 9
    folder = Path(shot["out"]).parent
    assert [path.name for path in folder.iterdir() if not path.name.startswith(".")] == ["sh.1001.exr"]
    assert (apply(**shot).frames_kept, len(list(folder.iterdir()))) == (1, 3)


def test_what_a_killed_run_left_half_written_is_removed(shot: dict[str, Any]) -> None:
    leftover = Path(shot["out"]).parent / ".sh.1001.exr.123.part"
    leftover.parent.mkdir(parents=True)
    leftover.write_bytes(b"half")
    apply(**shot)
    assert not leftover.exists()


def test_tiles_change_nothing_that_can_be_seen(shot: dict[str, Any], tmp_path: Path) -> None:
    shot["plate"] = write_plate(tmp_path / "large", [1001], (300, 400))
    apply(**shot, bit_depth="float")
    whole = rgb(shot)
    apply(**shot, bit_depth="float", memory_gb=0.012)
    assert np.abs(rgb(shot) - whole).max() <= 1e-4 * np.abs(whole).max()


def test_reading_computing_and_writing_overlap(shot: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    from interpositive.images import sequence, writing

    threads = set()

    def noted(module: Any, name: str) -> None:
        function = getattr(module, name)

        def call(*arguments: Any, **keywords: Any) -> Any:
            threads.add((name, threading.current_thread().name))
            return function(*arguments, **keywords)

        monkeypatch.setattr(module, name, call)

    noted(sequence, "read_image_file")
    noted(writing, "write_exr")
    apply(**shot)
    assert len({thread for _, thread in threads if thread != "MainThread"}) == 2


def test_compressions_offered_are_those_that_can_be_written() -> None:
    choices = Params.model_json_schema()["properties"]["compression"]["enum"]
    assert tuple(choices) == COMPRESSIONS
