from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from interpositive.errors import (
    Cancelled,
    ChannelError,
    FolderBusyError,
    MissingFramesError,
    OutputError,
    SizeMismatchError,
    UsageError,
)
from interpositive.folder_lock import lock_folder
from interpositive.images.image import Image, ImageFile, Window
from interpositive.images.reading import read_image_file
from interpositive.images.writing import write_exr
from interpositive.progress import Progress
from interpositive.relight.lighting_file import ShotLighting, write_lighting
from interpositive.relight.lights import SCHEMA, VERSION
from interpositive.relight.shot_light import ShotLight
from interpositive.tools.relight import Params, Result, run
from lit_scene import ball_and_wall

SIZE = (36, 64)  # height, width
KEY = {"name": "key", "type": "directional", "azimuth": -40, "elevation": 30, "kelvin": 4300}
LAMP = {"name": "lamp", "type": "point", "azimuth": 60, "elevation": 20, "distance": 0.4}
RGB = ("R", "G", "B")


class Recorder(Progress):
    """Keeps what the artist would see; cancels after `cancel_after` reports."""

    def __init__(self, cancel_after: int | None = None) -> None:
        super().__init__()
        self.lines: list[str] = []
        self._cancel_after, self._steps = cancel_after, 0

    def show(self, update: Any) -> None:
        self._steps += 1
        if self._cancel_after is not None and self._steps >= self._cancel_after:
            self.cancel()

    def show_log(self, message: str, level: str) -> None:
        assert "\n" not in message
        self.lines.append(message)


def plate_pixels(frame: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    random = np.random.default_rng(frame)
    pixels = random.uniform(-0.2, 1.5, (*size, 3)).astype(np.float16).astype(np.float32)
    pixels[0, 0] = -0.0
    return pixels


def write_shot(
    folder: Path, frames: Sequence[int] = (1001, 1002), size: tuple[int, int] = SIZE
) -> dict[str, Any]:
    for frame in frames:
        write_exr(folder / "plate" / f"pl.{frame}.exr", Image(plate_pixels(frame, size), RGB))
        write_exr(folder / "passes" / f"ps.{frame}.exr", ball_and_wall(*size).to_image())
    return {
        "plate": str(folder / "plate" / "pl.%04d.exr"),
        "passes": str(folder / "passes" / "ps.%04d.exr"),
        "out": str(folder / "out" / "sh.%04d.exr"),
        "lights": write_rig(folder / "rig.json", KEY, LAMP),
    }


def write_rig(path: Path, *lights: dict[str, Any], **more: Any) -> str:
    path.write_text(json.dumps({"schema": SCHEMA, "version": VERSION, "lights": list(lights), **more}))
    return str(path)


def write_shot_light(folder: Path, name: str = "ps") -> Path:
    light = ShotLight.of([-0.6, 0.3, 0.7], [0.8, 0.7, 0.6], [[0.7, 0.8, 0.9], *[[0, 0, 0]] * 8])
    path = folder / f"{name}.lighting.json"
    write_lighting(path, ShotLighting(light, 1.5, 1.1, name))
    return path


@pytest.fixture
def shot(tmp_path: Path) -> dict[str, Any]:
    return write_shot(tmp_path)


def relight(progress: Progress | None = None, **params: Any) -> Result:
    return run(Params(**{"device": "cpu", "threads": 1, **params}), progress or Recorder())


def result_file(shot: dict[str, Any], frame: int = 1001) -> ImageFile:
    return read_image_file(shot["out"] % frame)


def rgb(shot: dict[str, Any], frame: int = 1001) -> np.ndarray:
    return result_file(shot, frame).select(RGB)


def test_every_frame_is_lit_and_the_result_says_with_what(shot: dict[str, Any]) -> None:
    result = relight(**shot)
    assert (result.frames_rendered, result.lights, result.device) == (2, ["key", "lamp"], "cpu")
    assert (rgb(shot) - plate_pixels(1001)).mean() > 0.05
    assert "lit" in result.lines()[0] and "key, lamp" in result.lines()[1]


def test_the_layers_of_the_file_sum_to_its_picture(shot: dict[str, Any]) -> None:
    relight(**shot, layers=True)
    file = result_file(shot)
    assert set(file.main.channels) == {
        *RGB, *(f"{layer}.{c}" for layer in ("light_key", "light_lamp", "existing") for c in RGB),
    }  # fmt: skip
    formats = dict(zip(file.main.channels, file.main.channel_formats, strict=True))
    assert (formats["R"], formats["light_key.R"], formats["existing.R"]) == ("half", "half", "float")
    total = sum(
        file.select([f"{layer}.{c}" for c in RGB]).astype(np.float64)
        for layer in ("light_key", "light_lamp", "existing")
    )
    assert np.abs(total - file.select(RGB)).max() <= 1e-5
    relight(**shot, layers=True, bit_depth="float")
    assert set(result_file(shot).main.channel_formats) == {"float"}


@pytest.mark.parametrize("change", ["no lights", "strength", "zero", "matte", "light matte"])
def test_nothing_asked_is_the_plate_bit_for_bit(shot: dict[str, Any], tmp_path: Path, change: str) -> None:
    black = Image(np.zeros((*SIZE, 1), np.float32), ("A",))
    write_exr(tmp_path / "black.exr", black)
    if change == "no lights":
        shot["lights"] = write_rig(tmp_path / "rig.json")
    elif change == "zero":
        shot["lights"] = write_rig(tmp_path / "rig.json", {**KEY, "intensity": 0})
    elif change == "light matte":
        shot["lights"] = write_rig(tmp_path / "rig.json", {**KEY, "matte": "black.exr"})
    elif change == "strength":
        shot["strength"] = 0
    else:
        shot["matte"] = str(tmp_path / "black.exr")
    relight(**shot)
    for frame in (1001, 1002):
        assert rgb(shot, frame).tobytes() == plate_pixels(frame).tobytes()


def test_foreign_channels_windows_and_attributes_pass_through(shot: dict[str, Any], tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).uniform(0, 2, (*SIZE, 5)).astype(np.float32)
    pixels[..., :3] = plate_pixels(1001)
    image = Image(
        pixels,
        (*RGB, "A", "id.Z"),
        Window(-8, -4, SIZE[1], SIZE[0]),
        Window(0, 0, 48, 27),
        ("half", "half", "half", "half", "float"),
        {"cameraModel": "A"},
    )
    write_exr(tmp_path / "plate" / "pl.1001.exr", image)
    passes = ball_and_wall(*SIZE).to_image(Window(-8, -4, SIZE[1], SIZE[0]), Window(0, 0, 48, 27))
    write_exr(tmp_path / "passes" / "ps.1001.exr", passes)
    relight(**shot, frames="1001")
    before, after = read_image_file(tmp_path / "plate" / "pl.1001.exr").main, result_file(shot).main
    assert (after.data_window, after.display_window) == (before.data_window, before.display_window)
    for name in ("A", "id.Z"):
        assert after.select([name]).tobytes() == before.select([name]).tobytes()
    kept = {name: value for name, value in after.metadata.items() if not name.startswith("interpositive:")}
    assert kept == before.metadata


def test_passes_of_another_data_window_are_put_in_their_place(shot: dict[str, Any], tmp_path: Path) -> None:
    whole = ball_and_wall(*SIZE).to_image()
    part = Image(
        whole.pixels[10:30, 20:60].copy(),
        whole.channels,
        Window(20, 10, 40, 20),
        Window(0, 0, SIZE[1], SIZE[0]),
        ["float"] * len(whole.channels),
    )
    write_exr(tmp_path / "passes" / "ps.1001.exr", part)
    relight(**shot, frames="1001")
    added = rgb(shot) - plate_pixels(1001)
    outside = np.ones(SIZE, bool)
    outside[10:30, 20:60] = False
    assert not added[outside].any() and added[10:30, 20:60].mean() > 0.05


def test_a_light_is_linked_to_a_layer_or_to_footage(shot: dict[str, Any], tmp_path: Path) -> None:
    matte = np.zeros((*SIZE, 1), np.float32)
    matte[:, :20] = 1
    write_exr(tmp_path / "left.exr", Image(matte, ("A",)))
    pixels = np.concatenate([plate_pixels(1001), matte], 2)
    write_exr(tmp_path / "plate" / "pl.1001.exr", Image(pixels, (*RGB, "hero.A")))
    pictures = []
    for name in ("left.exr", "hero", "hero.A"):
        shot["lights"] = write_rig(tmp_path / "rig.json", {**KEY, "matte": name})
        relight(**shot, frames="1001")
        pictures.append(rgb(shot))
    added = pictures[0] - plate_pixels(1001)
    assert not added[:, 20:].any() and added[:, :20].any()
    assert pictures[0].tobytes() == pictures[1].tobytes() == pictures[2].tobytes()
    shot["lights"] = write_rig(tmp_path / "rig.json", {**KEY, "matte": "villain"})
    with pytest.raises(ChannelError, match="Light key is linked to matte 'villain'"):
        relight(**shot, frames="1001")


def test_keyframes_change_the_light_over_the_shot(shot: dict[str, Any], tmp_path: Path) -> None:
    shot["lights"] = write_rig(tmp_path / "rig.json", {**KEY, "intensity": [[1001, 0], [1002, 1]]})
    relight(**shot)
    assert rgb(shot, 1001).tobytes() == plate_pixels(1001).tobytes()
    assert (rgb(shot, 1002) - plate_pixels(1002)).max() > 0.1


def test_a_part_of_the_shot_is_lit_like_the_whole(shot: dict[str, Any]) -> None:
    relight(**shot)
    whole = rgb(shot, 1002)
    relight(**{**shot, "frames": "1002", "overwrite": True})
    assert rgb(shot, 1002).tobytes() == whole.tobytes()


def test_running_again_keeps_frames_and_other_lights_render_again(
    shot: dict[str, Any], tmp_path: Path
) -> None:
    relight(**shot)
    again = relight(**shot)
    assert (again.frames_rendered, again.frames_kept) == (0, 2)
    write_rig(tmp_path / "rig.json", {**KEY, "exposure": 1}, LAMP)
    progress = Recorder()
    assert relight(progress, **shot).frames_rendered == 2
    assert any("other lights" in line for line in progress.lines)
    write_exr(tmp_path / "passes" / "ps.1002.exr", ball_and_wall(*SIZE, albedo=0.4).to_image())
    assert relight(**shot).frames_rendered == 1
    write_shot_light(tmp_path / "passes")
    assert relight(**shot).frames_rendered == 2


def test_the_same_inputs_give_the_same_file(shot: dict[str, Any], tmp_path: Path) -> None:
    sky = {
        "name": "sky",
        "type": "environment",
        "harmonics": [[1.5, 1.7, 2.0], *[[0.1, 0.2, 0.3]] * 8],
        "rotation": 30,
    }
    shot["lights"] = write_rig(tmp_path / "rig.json", KEY, LAMP, sky)
    files = []
    for _ in range(2):
        relight(**shot, layers=True, overwrite=True)
        files.append(Path(shot["out"] % 1001).read_bytes())
    assert files[0] == files[1]


def test_files_of_others_and_a_busy_folder_are_left_alone(shot: dict[str, Any], tmp_path: Path) -> None:
    write_exr(tmp_path / "out" / "sh.1001.exr", Image(plate_pixels(7), RGB))
    with pytest.raises(OutputError, match="was not made by interpositive relight"):
        relight(**shot)
    with lock_folder(tmp_path / "out", "relight"), pytest.raises(FolderBusyError):
        relight(**shot, overwrite=True)
    for target in ("plate", "passes"):
        with pytest.raises(UsageError, match=f"overwrite the {target}"):
            relight(**{**shot, "out": shot[target]})


def test_no_depth_layer_is_told_with_what_is_there(shot: dict[str, Any], tmp_path: Path) -> None:
    whole = ball_and_wall(*SIZE).to_image()
    names = [name for name in whole.channels if name != "depth.Z"]
    write_exr(tmp_path / "passes" / "ps.1001.exr", Image(whole.select(names).copy(), names))
    with pytest.raises(ChannelError, match=r"no depth pass: expected channels depth\.Z"):
        relight(**shot)


def test_passes_of_another_size_are_refused(shot: dict[str, Any], tmp_path: Path) -> None:
    write_exr(tmp_path / "passes" / "ps.1001.exr", ball_and_wall(18, 32).to_image())
    with pytest.raises(SizeMismatchError, match="32x18, the plate is 64x36"):
        relight(**shot)


def test_passes_of_other_frames_are_refused(shot: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "passes" / "ps.1002.exr").unlink()
    with pytest.raises(MissingFramesError, match="1002"):
        relight(**shot)
    (tmp_path / "passes" / "ps.1001.exr").rename(tmp_path / "passes" / "ps.0009.exr")
    with pytest.raises(MissingFramesError, match="none of 1001-1002"):
        relight(**shot)


def test_a_light_that_reaches_nothing_is_told(shot: dict[str, Any], tmp_path: Path) -> None:
    shot["lights"] = write_rig(tmp_path / "rig.json", {**KEY, "azimuth": 180, "elevation": -90}, LAMP)
    write_exr(tmp_path / "plate" / "pl.1001.exr", Image(plate_pixels(1001), RGB))
    shot["lights"] = write_rig(
        tmp_path / "rig.json", {"name": "lost", "type": "point", "position": [0, 0, -9], "shadow": 0}, LAMP
    )
    progress = Recorder()
    relight(progress, **shot)
    assert any("Light lost added nothing" in line for line in progress.lines)


def test_a_negative_light_is_told_and_takes_light_away(shot: dict[str, Any], tmp_path: Path) -> None:
    shot["lights"] = write_rig(tmp_path / "rig.json", {**KEY, "intensity": -0.5})
    progress = Recorder()
    relight(progress, **shot)
    assert (rgb(shot) - plate_pixels(1001)).max() <= 0
    assert any("takes light away" in line for line in progress.lines)


def test_an_environment_with_infinity_is_lit_and_told(shot: dict[str, Any], tmp_path: Path) -> None:
    pixels = np.full((16, 32, 3), 0.5, np.float32)
    pixels[4, 20] = np.inf
    write_exr(tmp_path / "sky.exr", Image(pixels, RGB), "float")
    shot["lights"] = write_rig(
        tmp_path / "rig.json", {"name": "sky", "type": "environment", "file": "sky.exr"}
    )
    progress = Recorder()
    relight(progress, **shot)
    assert np.isfinite(rgb(shot)).all() and (rgb(shot) - plate_pixels(1001)).mean() > 0.05
    assert any("3 infinite samples" in line for line in progress.lines)


@pytest.mark.parametrize("value", [0.0, 65504.0])
def test_flat_black_and_clipped_plates_are_lit(shot: dict[str, Any], tmp_path: Path, value: float) -> None:
    for frame in (1001, 1002):
        flat = Image(np.full((*SIZE, 3), value, np.float32), RGB)
        write_exr(tmp_path / "plate" / f"pl.{frame}.exr", flat)
    progress = Recorder()
    result = relight(progress, **shot)
    assert np.isfinite(rgb(shot)).all()
    if value == 0.0:
        assert rgb(shot).max() > 0.1 and any("is black" in line for line in progress.lines)
    else:
        assert result.clamped_samples > 0 and any("65504" in line for line in progress.lines)


def test_one_frame_and_a_still_are_shots_too(tmp_path: Path) -> None:
    shot = write_shot(tmp_path, [1001])
    assert relight(**shot).frames_rendered == 1
    write_exr(tmp_path / "still.exr", Image(plate_pixels(3), RGB))
    write_exr(tmp_path / "still_passes.exr", ball_and_wall(*SIZE).to_image())
    still = {**shot, "plate": str(tmp_path / "still.exr"), "passes": str(tmp_path / "still_passes.exr")}
    out = tmp_path / "stills" / "s.%04d.exr"
    assert relight(**{**still, "out": str(out)}).frames_rendered == 1


def test_a_stereo_file_is_lit_a_view_at_a_time(shot: dict[str, Any], tmp_path: Path) -> None:
    left, right = plate_pixels(1), plate_pixels(2)
    parts = (
        Image(left, RGB, part_name="left", metadata={"view": "left"}),
        Image(right, RGB, part_name="right", metadata={"view": "right"}),
    )
    for frame in (1001, 1002):
        write_exr(tmp_path / "plate" / f"pl.{frame}.exr", ImageFile(parts))
    progress = Recorder()
    relight(progress, **shot)
    assert any("views left and right" in line and "--layer right" in line for line in progress.lines)
    file = result_file(shot)
    assert (file.select(RGB) - left).max() > 0.1
    assert file.select(["right.R", "right.G", "right.B"]).tobytes() == right.tobytes()
    relight(**{**shot, "layer": "right", "overwrite": True})
    file = result_file(shot)
    assert file.select(RGB).tobytes() == left.tobytes()
    assert (file.select(["right.R", "right.G", "right.B"]) - right).max() > 0.1
    with pytest.raises(ChannelError, match="no layer middle"):
        relight(**{**shot, "layer": "middle", "overwrite": True})


def test_key_and_rest_apart_need_the_shots_light(shot: dict[str, Any], tmp_path: Path) -> None:
    shot["lights"] = write_rig(tmp_path / "rig.json", existing={"key": 0.0})
    with pytest.raises(UsageError, match="Run interpositive analyse"):
        relight(**shot)
    write_shot_light(tmp_path / "passes")
    relight(**shot)
    plate = plate_pixels(1001)
    change = np.abs(rgb(shot)) - np.abs(plate)
    assert change.max() <= 1e-3 and change.min() < -0.1


def test_the_light_of_another_shot_replaces_this_ones(shot: dict[str, Any], tmp_path: Path) -> None:
    other = write_shot_light(tmp_path, "sh020")
    shot.pop("lights")
    saved = tmp_path / "lights" / "like_sh020.json"
    relight(**shot, match_lighting=str(other), save_lights=str(saved), layers=True, bit_depth="float")
    file = result_file(shot)
    assert not file.select([f"existing.{c}" for c in RGB]).any()
    matched = file.select(RGB)
    relight(**{**shot, "lights": str(saved), "bit_depth": "float", "overwrite": True})
    assert rgb(shot).tobytes() == matched.tobytes()
    # The wall faces the camera: its key and environment are those of the other shot's light.
    expected = 0.5 * (0.7 * 0.7 / np.sqrt(0.94) + 0.8 / np.sqrt(4 * np.pi))
    assert matched[18, 2, 1] == pytest.approx(expected, abs=0.06)


def test_lights_come_from_one_place(shot: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="either --lights or --match-lighting"):
        relight(**shot, match_lighting=str(write_shot_light(tmp_path)))
    shot.pop("lights")
    with pytest.raises(UsageError, match="either --lights or --match-lighting"):
        relight(**shot)


@pytest.mark.parametrize("preset", ["key_fill_rim", "golden_hour", "practical_lamp", "window", "overcast"])
def test_presets_fit_any_shot(tmp_path: Path, preset: str) -> None:
    shot = write_shot(tmp_path, [1001])
    write_shot_light(tmp_path / "passes")
    relight(**{**shot, "lights": preset})
    lit = rgb(shot)
    assert np.isfinite(lit).all() and 0.02 < lit.mean() < 4 and lit.max() > 0.1


def test_nan_of_the_plate_stays_and_is_counted(shot: dict[str, Any], tmp_path: Path) -> None:
    pixels = plate_pixels(1001)
    pixels[3, 4, 1] = np.nan
    write_exr(tmp_path / "plate" / "pl.1001.exr", Image(pixels, RGB))
    progress = Recorder()
    assert relight(progress, **shot).bad_pixels == 1
    assert (
        np.isnan(rgb(shot)[3, 4, 1])
        and np.isfinite(np.delete(rgb(shot).reshape(-1), (3 * 64 + 4) * 3 + 1)).all()
    )
    assert any("1 NaN" in line for line in progress.lines)


def test_a_cancel_stops_and_leaves_no_half_file(shot: dict[str, Any]) -> None:
    with pytest.raises(Cancelled):
        relight(Recorder(cancel_after=2), **shot)
    assert not list(Path(shot["out"]).parent.glob(".*.part"))


def test_the_header_says_which_lights_and_names_no_folder(shot: dict[str, Any], tmp_path: Path) -> None:
    relight(**shot)
    tags = {k: v for k, v in result_file(shot).main.metadata.items() if k.startswith("interpositive:")}
    assert tags["interpositive:lights"] == "rig.json" and len(tags["interpositive:lights_sha256"]) == 64
    assert not [value for value in tags.values() if str(tmp_path) in value]
