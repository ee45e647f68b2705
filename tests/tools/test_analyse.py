from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from interpositive.errors import (
    Cancelled,
    ChannelError,
    ColourSpaceError,
    MissingFramesError,
    OutputError,
    SizeMismatchError,
    UsageError,
)
from interpositive.images.contact_sheet import write_png
from interpositive.images.image import Image, ImageFile, Window
from interpositive.images.reading import read_image_file
from interpositive.images.writing import write_exr
from interpositive.progress import Progress
from interpositive.relight.lighting_file import read_lighting
from interpositive.relight.passes import LAYERS, Passes
from interpositive.tools.analyse import Params, Result, run
from stand_in_prior import StandInPrior

HEIGHT, WIDTH = 40, 64
CHANNELS = {channel for channels in LAYERS.values() for channel in channels}


class Recorder(Progress):
    """Keeps log lines; cancels at the first report of `stage`."""

    def __init__(self, stage: str = "") -> None:
        super().__init__()
        self.lines: list[str] = []
        self._stage_to_stop = stage

    def show(self, update: Any) -> None:
        if update.stage == self._stage_to_stop:
            self.cancel()

    def show_log(self, message: str, level: str) -> None:
        assert "\n" not in message
        self.lines.append(message)


@pytest.fixture(autouse=True)
def stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "interpositive.prior.predictor.load_prior", lambda folder, threads, device: StandInPrior(0.02)
    )


def picture(frame: int) -> np.ndarray:
    """Half-exact values from -0.5 to 60 over soft texture that moves."""
    x = np.arange(WIDTH)[None, :] + 2 * (frame - 1001)
    y = np.arange(HEIGHT)[:, None]
    soft = 0.4 + 0.3 * np.sin(x / 7.0) * np.cos(y / 5.0)
    pixels = (soft[..., None] * np.float32([1.0, 0.8, 0.6])).astype(np.float32)
    pixels[:3, :4], pixels[-3:, -4:] = -0.5, 60
    return pixels.astype(np.float16).astype(np.float32)


def write_plate(folder: Path, frames: range = range(1001, 1004), **image: Any) -> str:
    for frame in frames:
        metadata = {"smpte:TimeCode": (frame, 0), "lensModel": "50 mm"}
        types = {"smpte:TimeCode": "timecode"}
        plate = Image(picture(frame), ("R", "G", "B"), metadata=metadata, metadata_types=types, **image)
        write_exr(folder / f"pl.{frame}.exr", plate)
    return str(folder / "pl.%04d.exr")


@pytest.fixture
def shot(tmp_path: Path) -> dict[str, Any]:
    return {"plate": write_plate(tmp_path / "plate"), "out": str(tmp_path / "passes" / "sh010.%04d.exr")}


def analyse(progress: Progress | None = None, **params: Any) -> Result:
    return run(Params(threads=1, working_px=64, **params), progress or Recorder())


def written(shot: dict[str, Any], frame: int = 1001) -> ImageFile:
    return read_image_file(shot["out"] % frame)


def plate_again(file: ImageFile) -> np.ndarray:
    return Passes.from_image(file).beauty()


def test_every_frame_gets_every_layer_and_the_plate_comes_back_bit_for_bit(shot: dict[str, Any]) -> None:
    result = analyse(**shot)
    assert (result.frames_written, result.frames_kept) == (3, 0)
    for frame in (1001, 1002, 1003):
        file = written(shot, frame)
        assert set(file.main.channels) == CHANNELS and set(file.main.channel_formats) == {"float"}
        back = plate_again(file).astype(np.float16)
        assert back.tobytes() == picture(frame).astype(np.float16).tobytes()


def test_windows_timecode_and_metadata_are_the_plates(shot: dict[str, Any], tmp_path: Path) -> None:
    window, display = Window(-5, 3, WIDTH, HEIGHT), Window(0, 0, 60, 44)
    shot["plate"] = write_plate(tmp_path / "overscan", data_window=window, display_window=display)
    analyse(**shot)
    main = written(shot, 1002).main
    assert (main.data_window, main.display_window) == (window, display)
    assert tuple(main.metadata["smpte:TimeCode"]) == (1002, 0)
    assert main.metadata["lensModel"] == "50 mm"


def test_data_windows_that_change_along_the_shot_are_kept_each(shot: dict[str, Any], tmp_path: Path) -> None:
    display = Window(0, 0, WIDTH, HEIGHT)
    windows = {1001: Window(4, 2, 40, 30), 1002: Window(6, 0, 50, 40), 1003: display}
    for frame, window in windows.items():
        part = picture(frame)[window.y : window.y + window.height, window.x : window.x + window.width]
        cropped = Image(np.ascontiguousarray(part), ("R", "G", "B"), window, display)
        write_exr(tmp_path / "crops" / f"c.{frame}.exr", cropped)
    shot["plate"] = str(tmp_path / "crops" / "c.%04d.exr")
    analyse(**shot)
    for frame, window in windows.items():
        file = written(shot, frame)
        assert file.main.data_window == window
        part = picture(frame)[window.y : window.y + window.height, window.x : window.x + window.width]
        assert plate_again(file).astype(np.float16).tobytes() == part.astype(np.float16).tobytes()


def test_the_light_is_written_as_json_and_as_lat_long(shot: dict[str, Any]) -> None:
    result = analyse(**shot)
    lighting = read_lighting(result.lighting)
    assert (lighting.name, lighting.source) == ("sh010", "estimated")
    assert result.lighting.endswith("sh010.lighting.json")
    latlong = read_image_file(result.environment).main
    assert latlong.width == 2 * latlong.height and np.isfinite(latlong.pixels).all()


def test_a_contact_sheet_is_drawn(shot: dict[str, Any]) -> None:
    sheet = analyse(**shot).contact_sheet
    assert sheet is not None and read_image_file(sheet).main.width > 1000


def test_a_second_run_keeps_everything_and_a_lost_frame_alone_is_written_again(shot: dict[str, Any]) -> None:
    analyse(**shot)
    first = Path(shot["out"] % 1002).read_bytes()
    assert analyse(**shot).frames_kept == 3
    Path(shot["out"] % 1002).unlink()
    again = analyse(**shot)
    assert (again.frames_written, again.frames_kept) == (1, 2)
    assert Path(shot["out"] % 1002).read_bytes() == first


def test_a_changed_frame_of_the_plate_makes_the_whole_shot_anew(shot: dict[str, Any]) -> None:
    analyse(**shot)
    changed = Image(picture(1003) * 2, ("R", "G", "B"))
    write_exr(shot["plate"] % 1003, changed)
    assert analyse(**shot).frames_written == 3


def test_other_settings_make_the_shot_anew(shot: dict[str, Any]) -> None:
    analyse(**shot)
    assert analyse(**shot, key_direction="30,20").frames_written == 3


def test_files_of_others_are_not_overwritten_unless_asked(shot: dict[str, Any]) -> None:
    write_exr(shot["out"] % 1002, Image(picture(1002), ("R", "G", "B")))
    with pytest.raises(OutputError, match="1002 and was not made by"):
        analyse(**shot)
    assert analyse(**shot, overwrite=True).frames_written == 3


@pytest.mark.parametrize("stage", ["reading the shot", "predicting passes", "steadying passes"])
def test_a_cancel_leaves_nothing_half_done(shot: dict[str, Any], stage: str) -> None:
    with pytest.raises(Cancelled):
        analyse(Recorder(stage), **shot)
    assert list(Path(shot["out"]).parent.iterdir()) == []


def test_a_cancel_while_writing_continues_with_the_rest(shot: dict[str, Any]) -> None:
    with pytest.raises(Cancelled):
        analyse(Recorder("writing passes"), **shot)
    result = analyse(**shot)
    assert result.frames_written >= 2 and result.frames_written + result.frames_kept == 3
    assert plate_again(written(shot, 1003)).shape == (HEIGHT, WIDTH, 3)


# ------------------------------------------------------------------------------------- odd and bad plates


def test_a_still_is_a_shot_of_one_frame(shot: dict[str, Any], tmp_path: Path) -> None:
    write_exr(tmp_path / "still.exr", Image(picture(1001), ("R", "G", "B")))
    analyse(plate=str(tmp_path / "still.exr"), out=shot["out"])
    assert plate_again(written(shot, 1)).shape == (HEIGHT, WIDTH, 3)


@pytest.mark.parametrize(
    "level", [0.0, 1.0, 65504.0, -1.0], ids=["black", "clipped white", "half maximum", "negative"]
)
def test_a_flat_plate_has_sane_passes(shot: dict[str, Any], tmp_path: Path, level: float) -> None:
    flat = np.full((HEIGHT, WIDTH, 3), level, np.float32)
    for frame in (1001, 1002):
        write_exr(tmp_path / "flat" / f"f.{frame}.exr", Image(flat, ("R", "G", "B")))
    result = analyse(plate=str(tmp_path / "flat" / "f.%04d.exr"), out=shot["out"])
    file = written(shot)
    assert np.isfinite(file.main.pixels).all() and np.isfinite(result.key_azimuth_deg)
    np.testing.assert_array_equal(plate_again(file).astype(np.float16), flat.astype(np.float16))
    assert (Passes.from_image(file).albedo <= 1.3).all()


def test_nan_and_infinity_stay_in_the_residual_and_are_told(shot: dict[str, Any], tmp_path: Path) -> None:
    pixels = picture(1001)
    pixels[10, 20], pixels[11, 21, 0] = np.nan, np.inf
    write_exr(tmp_path / "bad" / "b.1001.exr", Image(pixels, ("R", "G", "B")))
    progress = Recorder()
    result = analyse(progress, plate=str(tmp_path / "bad" / "b.%04d.exr"), out=shot["out"])
    assert result.bad_pixels == 2 and any("2 NaN or infinite" in line for line in progress.lines)
    passes = Passes.from_image(written(shot))
    assert np.isnan(passes.beauty()[10, 20]).all() and passes.beauty()[11, 21, 0] == np.inf
    for name in ("normal", "depth", "albedo", "shading", "roughness", "visibility", "confidence"):
        assert np.isfinite(getattr(passes, name)).all()


def test_a_stereo_file_is_said_to_be_one_and_either_view_can_be_chosen(
    shot: dict[str, Any], tmp_path: Path
) -> None:
    views = [
        Image(picture(1001) * k, ("R", "G", "B"), part_name=name) for k, name in ((1, "left"), (2, "right"))
    ]
    write_exr(tmp_path / "stereo" / "s.1001.exr", ImageFile(tuple(views)))
    plate = str(tmp_path / "stereo" / "s.%04d.exr")
    progress = Recorder()
    analyse(progress, plate=plate, out=shot["out"])
    assert any("views left and right" in line and "--layer right" in line for line in progress.lines)
    assert (
        plate_again(written(shot)).astype(np.float16).tobytes() == picture(1001).astype(np.float16).tobytes()
    )
    shot["out"] = shot["out"].replace("sh010", "sh010_right")
    analyse(plate=plate, out=shot["out"], layer="right")
    right = (picture(1001) * 2).astype(np.float16)
    assert plate_again(written(shot)).astype(np.float16).tobytes() == right.tobytes()


def test_a_layer_that_is_not_there_is_refused(shot: dict[str, Any]) -> None:
    with pytest.raises(ChannelError, match="no layer 'right'"):
        analyse(**shot, layer="right")


def test_two_sizes_in_one_plate_are_refused(shot: dict[str, Any], tmp_path: Path) -> None:
    write_exr(shot["plate"] % 1002, Image(np.zeros((10, 12, 3), np.float32), ("R", "G", "B")))
    with pytest.raises(SizeMismatchError, match=r"pl\.1002\.exr is 12x10"):
        analyse(**shot)


def test_missing_frames_and_undeclared_pictures_are_refused(shot: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(MissingFramesError, match="1004"):
        analyse(**shot, frames="1001-1004")
    write_png(tmp_path / "still.png", np.full((20, 20, 3), 0.5, np.float32))
    with pytest.raises(ColourSpaceError, match="--input-space"):
        analyse(plate=str(tmp_path / "still.png"), out=shot["out"])


def test_the_plate_is_never_overwritten(shot: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="overwrite the plate"):
        analyse(plate=shot["plate"], out=shot["plate"])


# ------------------------------------------------------------------------------------- what the artist knows


def test_a_key_direction_comes_back_in_the_result(shot: dict[str, Any]) -> None:
    result = analyse(**shot, key_direction="-40,25")
    assert (result.key_azimuth_deg, result.key_elevation_deg) == pytest.approx((-40, 25), abs=0.1)
    assert result.light_source == "key direction given"


@pytest.mark.parametrize(
    ("known", "reason"),
    [
        ({"key_direction": "north"}, "azimuth,elevation"),
        ({"key_direction": "1,2", "grey_ball": "9,9,5"}, "both say"),
        ({"grey_ball": "1,1,30"}, "inside the 64x40 picture"),
        ({"chrome_ball": "20,20"}, "x,y,radius"),
        ({"ball_frame": 1001}, "needs --grey-ball"),
        ({"adapt": "much"}, "a number of steps, or off"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_line(
    shot: dict[str, Any], known: dict[str, Any], reason: str
) -> None:
    with pytest.raises(UsageError, match=reason):
        analyse(**shot, **known)


def test_a_black_ball_is_refused(shot: dict[str, Any], tmp_path: Path) -> None:
    black = Image(np.zeros((HEIGHT, WIDTH, 3), np.float32), ("R", "G", "B"))
    write_exr(tmp_path / "black" / "b.1001.exr", black)
    with pytest.raises(UsageError, match="is black"):
        analyse(plate=str(tmp_path / "black" / "b.%04d.exr"), out=shot["out"], grey_ball="20,20,10")


def test_a_ball_of_the_plate_is_where_the_light_is_from(shot: dict[str, Any]) -> None:
    for name in ("grey_ball", "chrome_ball"):
        result = analyse(**shot, **{name: "30,20,12"}, ball_frame=1002)
        assert result.light_source == name.replace("_", " ")


def test_a_probe_is_read_and_its_shape_is_checked(shot: dict[str, Any], tmp_path: Path) -> None:
    probe = np.full((32, 64, 3), 0.4, np.float32)
    probe[8:11, 50:53] = 900
    write_exr(tmp_path / "probe.exr", Image(probe, ("R", "G", "B")), "float")
    result = analyse(**shot, environment=str(tmp_path / "probe.exr"))
    assert result.light_source == "probe" and 30 < result.key_elevation_deg < 42
    write_exr(tmp_path / "square.exr", Image(np.ones((32, 32, 3), np.float32), ("R", "G", "B")))
    with pytest.raises(UsageError, match="twice as wide as high"):
        analyse(**shot, environment=str(tmp_path / "square.exr"))


def test_a_normal_layer_of_the_plates_own_is_used(shot: dict[str, Any]) -> None:
    own = np.broadcast_to(np.float32([0.6, 0.0, 0.8]), (HEIGHT, WIDTH, 3))
    for frame in (1001, 1002, 1003):
        plate = Image(picture(frame), ("R", "G", "B"))
        write_exr(shot["plate"] % frame, plate.replace(("N.X", "N.Y", "N.Z"), own, "float"))
    analyse(**shot, normal_layer="N")
    np.testing.assert_allclose(Passes.from_image(written(shot, 1003)).normal, own, atol=1e-3)


def test_an_albedo_sequence_replaces_the_estimate_and_the_plate_still_comes_back(
    shot: dict[str, Any], tmp_path: Path
) -> None:
    own = np.full((HEIGHT, WIDTH, 3), 0.25, np.float32)
    for frame in (1001, 1002, 1003):
        write_exr(tmp_path / "own" / f"alb.{frame}.exr", Image(own, ("R", "G", "B")))
    analyse(**shot, albedo_layer=str(tmp_path / "own" / "alb.%04d.exr"))
    passes = Passes.from_image(written(shot, 1002))
    inside = picture(1002).min(2) > 0
    np.testing.assert_allclose(passes.albedo[inside], 0.25, rtol=1e-3)
    assert passes.beauty().astype(np.float16).tobytes() == picture(1002).astype(np.float16).tobytes()


def test_a_painted_hint_turns_the_surface(shot: dict[str, Any], tmp_path: Path) -> None:
    paint = np.zeros((HEIGHT, WIDTH, 4), np.float32)
    paint[10:30, 20:44] = (0.1, 0.5, 0.8, 1)
    write_exr(tmp_path / "hint.1002.exr", Image(paint, ("R", "G", "B", "A")))
    analyse(**shot, hints=str(tmp_path / "hint.%04d.exr"))
    for frame in (1001, 1002, 1003):
        assert Passes.from_image(written(shot, frame)).normal[20, 32, 0] < -0.6


def test_a_hint_of_another_size_is_refused(shot: dict[str, Any], tmp_path: Path) -> None:
    write_exr(tmp_path / "hint.1002.exr", Image(np.ones((8, 8, 1), np.float32), ("A",)))
    with pytest.raises(SizeMismatchError, match="the plate is 64x40"):
        analyse(**shot, hints=str(tmp_path / "hint.%04d.exr"))
