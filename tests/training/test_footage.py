from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from interpositive.errors import (
    ChannelError,
    ColourSpaceError,
    KeyframeError,
    NothingToLearnError,
    SizeMismatchError,
)
from interpositive.images.colour import convert
from interpositive.images.image import Image, Pixels, Window
from interpositive.images.writing import write_exr
from tiny_shot import (
    FRAMES,
    GRADE,
    HEIGHT,
    WIDTH,
    Recorder,
    bits,
    footage_of,
    graded,
    matte_of,
    plate_of,
    relit_square,
    rgb_image,
    texture,
    with_alpha,
    write_frames,
    write_shot,
)

SRGB = "sRGB - Texture"
KEYS = (1001, 1004)


def write_pictures(folder: Path, name: str, pictures: dict[int, Pixels]) -> str:
    """8 bit PNGs without a colour tag, of code values 0..1."""
    folder.mkdir(parents=True, exist_ok=True)
    for frame, picture in pictures.items():
        levels = np.rint(np.clip(picture, 0, 1) * np.float32(255)).astype(np.uint8)
        cv2.imwrite(
            str(folder / f"{name}.{frame:04d}.png"), levels[..., ::-1] if levels.ndim == 3 else levels
        )
    return str(folder / f"{name}.%04d.png")


def test_colour_that_differs_is_learned_and_pixels_arrive_to_the_bit(tmp_path: Path) -> None:
    footage = footage_of(write_shot(tmp_path, graded, KEYS))
    assert [(layer.name, layer.channels, layer.kind) for layer in footage.outputs] == [
        ("beauty", ("R", "G", "B"), "rgb")
    ]
    assert footage.extent == (WIDTH, HEIGHT)
    for keyframe, frame in zip(footage.keyframes, KEYS, strict=True):
        assert keyframe.frame == frame
        assert np.array_equal(bits(keyframe.plate), bits(plate_of(frame)))
        assert np.array_equal(bits(keyframe.target), bits(graded(frame)))
        assert keyframe.valid.all() and not footage.has_region
        assert (keyframe.plate_file, keyframe.keyframe_file) == (f"pl.{frame}.exr", f"comp.{frame}.exr")
        assert len(keyframe.plate_sha256) == len(keyframe.keyframe_sha256) == 64
    assert footage.unlabelled_frames() == [frame for frame in FRAMES if frame not in KEYS]


def test_a_change_of_a_part_has_a_region(tmp_path: Path) -> None:
    footage = footage_of(write_shot(tmp_path, relit_square, KEYS))
    assert footage.has_region
    for keyframe in footage.keyframes:
        assert np.array_equal(keyframe.changed, matte_of(keyframe.frame)[..., 0] > 0)


def test_an_alpha_that_is_new_is_learned_alone(tmp_path: Path) -> None:
    footage = footage_of(write_shot(tmp_path, with_alpha, KEYS))
    assert [(layer.channels, layer.kind) for layer in footage.outputs] == [(("A",), "matte")]
    assert not footage.changes_rgb and not footage.has_region
    assert np.array_equal(footage.keyframes[0].target, matte_of(KEYS[0]))


def test_colour_and_alpha_that_both_differ_are_learned_together(tmp_path: Path) -> None:
    def both(frame: int) -> Image:
        pixels = np.concatenate([graded(frame), matte_of(frame)], 2)
        return Image(pixels, ("R", "G", "B", "A"))

    footage = footage_of(write_shot(tmp_path, both, KEYS))
    assert [layer.kind for layer in footage.outputs] == ["rgb", "matte"]


def test_an_alpha_of_ones_beside_changed_colour_is_no_matte(tmp_path: Path) -> None:
    def opaque(frame: int) -> Image:
        pixels = np.concatenate([graded(frame), np.ones((HEIGHT, WIDTH, 1), np.float32)], 2)
        return Image(pixels, ("R", "G", "B", "A"))

    assert [layer.kind for layer in footage_of(write_shot(tmp_path, opaque, KEYS)).outputs] == ["rgb"]


@pytest.mark.parametrize("planes", [1, 3])
def test_grey_pictures_are_a_matte_and_need_no_colour_space(tmp_path: Path, planes: int) -> None:
    shot = write_shot(tmp_path, graded, KEYS)
    mattes = {
        frame: matte_of(frame)[..., 0] if planes == 1 else np.repeat(matte_of(frame), 3, 2) for frame in KEYS
    }
    shot["keyframes"] = write_pictures(tmp_path / "mattes", "roto", mattes)
    footage = footage_of(shot)
    assert [layer.kind for layer in footage.outputs] == ["matte"]
    assert np.array_equal(footage.keyframes[1].target, matte_of(KEYS[1]))


def test_one_channel_exrs_are_a_matte(tmp_path: Path) -> None:
    footage = footage_of(write_shot(tmp_path, lambda frame: Image(matte_of(frame), ("matte.A",)), KEYS))
    assert [(layer.channels, layer.kind) for layer in footage.outputs] == [(("matte.A",), "matte")]


def test_data_windows_that_differ_are_laid_over_each_other(tmp_path: Path) -> None:
    display = Window(0, 0, WIDTH, HEIGHT)

    def overscan(frame: int) -> Image:
        pixels = np.pad(plate_of(frame), ((8, 8), (16, 16), (0, 0)), mode="reflect")
        return rgb_image(pixels, data_window=Window(-16, -8, WIDTH + 32, HEIGHT + 16), display_window=display)

    def cropped(frame: int) -> Image:
        pixels = graded(frame)[10:50, 20:80]
        window = Window(120, 210, 60, 40)  # a comp whose display window lies elsewhere
        return rgb_image(
            np.ascontiguousarray(pixels), data_window=window, display_window=Window(100, 200, WIDTH, HEIGHT)
        )

    shot = write_shot(tmp_path, cropped, KEYS)
    write_frames(tmp_path / "plate", "pl", FRAMES, overscan)
    progress = Recorder()
    footage = footage_of(shot, progress)
    for keyframe in footage.keyframes:
        assert keyframe.origin == (-16, -8) and keyframe.valid.shape == (HEIGHT + 16, WIDTH + 32)
        assert int(keyframe.valid.sum()) == 40 * 60
        assert keyframe.valid[18:58, 36:96].all()
        inside = keyframe.valid
        np.testing.assert_array_equal(keyframe.target[inside], keyframe.plate[inside] * GRADE)
        assert not keyframe.target[~inside].any()
    assert any("outside the keyframe" in line for line in progress.warnings)


def test_bad_pixels_are_left_out_and_the_warning_names_frame_and_place(tmp_path: Path) -> None:
    def holed(frame: int) -> Pixels:
        pixels = graded(frame)
        if frame == 1004:
            pixels[30, 40], pixels[31, 41, 2] = np.nan, np.inf
        return pixels

    shot = write_shot(tmp_path, holed, KEYS)
    plate = plate_of(1004)
    plate[50, 60, 0] = -np.inf
    write_exr(tmp_path / "plate" / "pl.1004.exr", rgb_image(plate))
    progress = Recorder()
    keyframe = footage_of(shot, progress).keyframes[1]
    assert sorted(zip(*np.nonzero(~keyframe.valid), strict=True)) == [(30, 40), (31, 41), (50, 60)]
    assert np.isfinite(keyframe.plate).all() and np.isfinite(keyframe.target).all()
    assert [w for w in progress.warnings if "Frame 1004: 3 pixels" in w and "x 40, y 30" in w]
    assert len(progress.warnings) == 1


def test_a_keyframe_without_a_finite_pixel_is_refused(tmp_path: Path) -> None:
    shot = write_shot(tmp_path, graded, KEYS)
    write_exr(tmp_path / "keys" / "comp.1004.exr", rgb_image(np.full((HEIGHT, WIDTH, 3), np.nan, np.float32)))
    with pytest.raises(KeyframeError, match=r"comp\.1004\.exr has no pixel"):
        footage_of(shot)


def test_a_keyframe_of_another_size_is_refused(tmp_path: Path) -> None:
    shot = write_shot(tmp_path, graded, KEYS)
    write_exr(tmp_path / "keys" / "comp.1004.exr", rgb_image(texture(0, 32, 48)))
    with pytest.raises(SizeMismatchError, match=r"comp\.1004\.exr is 48x32.*1004 is 96x64"):
        footage_of(shot)


def test_plates_of_several_sizes_are_refused(tmp_path: Path) -> None:
    shot = write_shot(tmp_path, graded, KEYS)
    for folder, name in (("plate", "pl"), ("keys", "comp")):
        write_exr(tmp_path / folder / f"{name}.1004.exr", rgb_image(texture(len(name), 32, 48)))
    with pytest.raises(SizeMismatchError, match=r"pl\.1004\.exr is 48x32"):
        footage_of(shot)


def test_keyframes_without_a_plate_are_listed(tmp_path: Path) -> None:
    shot = write_shot(tmp_path, graded, (1001, 1004))
    write_frames(tmp_path / "keys", "comp", (2001, 2002, 2005), lambda frame: texture())
    with pytest.raises(KeyframeError, match=r"2001-2002, 2005 .*have no plate.*1001-1007"):
        footage_of(shot)
    with pytest.raises(KeyframeError, match=r"1001.*--frames"):
        footage_of(write_shot(tmp_path / "b", graded, (1001, 1004)), frames="1003-1007")


def test_no_difference_is_nothing_to_learn(tmp_path: Path) -> None:
    with pytest.raises(NothingToLearnError, match=r"1001, 1004.*no change to learn"):
        footage_of(write_shot(tmp_path, plate_of, KEYS))


def test_an_identity_that_is_asked_for_is_footage_all_the_same(tmp_path: Path) -> None:
    footage = footage_of(write_shot(tmp_path, plate_of, KEYS), output_layers=["rgb"])
    assert footage.changes_rgb and not footage.keyframes[0].changed.any()


def test_a_plate_whose_space_nobody_says_is_refused_and_a_wrong_name_is_answered(tmp_path: Path) -> None:
    codes = {frame: texture(frame) for frame in KEYS}
    shot = write_shot(tmp_path, graded, KEYS)
    shot["plate"] = write_pictures(tmp_path / "png", "pl", codes)
    with pytest.raises(ColourSpaceError, match="--input-space"):
        footage_of(shot)
    with pytest.raises(ColourSpaceError, match="ACEScg"):
        footage_of(shot, declared_space="ACEScgg")


def test_exr_keyframes_of_a_picture_plate_are_scene_linear_as_they_stand(tmp_path: Path) -> None:
    codes = {frame: texture(frame) for frame in KEYS}
    shot = write_shot(tmp_path, graded, KEYS)
    shot["plate"] = write_pictures(tmp_path / "png", "pl", codes)
    footage = footage_of(shot, declared_space=SRGB)
    assert footage.colour.working_space == "ACEScg"
    stored = np.rint(codes[1001] * np.float32(255)).astype(np.float32) / np.float32(255)
    np.testing.assert_allclose(footage.keyframes[0].plate, convert(stored, SRGB, "ACEScg"), atol=1e-5)
    assert np.array_equal(footage.keyframes[0].target, graded(1001))


def test_keyframes_in_a_space_of_their_own_are_brought_to_the_plates(tmp_path: Path) -> None:
    shot = write_shot(tmp_path, graded, KEYS)
    footage = footage_of(shot, declared_space="ACEScg", keyframe_space="lin_rec709")
    np.testing.assert_allclose(
        footage.keyframes[0].target, convert(graded(1001), "lin_rec709", "ACEScg"), rtol=1e-5, atol=1e-5
    )


def test_pictures_beside_an_exr_of_unknown_primaries_are_refused_rather_than_guessed(tmp_path: Path) -> None:
    shot = write_shot(tmp_path, graded, KEYS)
    shot["keyframes"] = write_pictures(tmp_path / "png", "comp", {frame: texture(frame) for frame in KEYS})
    with pytest.raises(ColourSpaceError, match=r"primaries.*--input-space"):
        footage_of(shot, keyframe_space=SRGB)
    target = footage_of(shot, keyframe_space=SRGB, declared_space="lin_rec709").keyframes[0].target
    stored = np.rint(texture(1001) * np.float32(255)).astype(np.float32) / np.float32(255)
    np.testing.assert_allclose(target, convert(stored, SRGB, "lin_rec709"), atol=1e-5)


def test_a_layer_that_is_not_there_is_answered_with_those_that_are(tmp_path: Path) -> None:
    shot = write_shot(tmp_path, with_alpha, KEYS)
    with pytest.raises(ChannelError, match=r"no layer or channel 'depth'; it has A, B, G, R"):
        footage_of(shot, output_layers=["depth"])
    with pytest.raises(ChannelError, match=r"'normal'"):
        footage_of(shot, input_layers=["normal"])
    with pytest.raises(ChannelError, match="needs R, G and B"):
        grey = write_frames(tmp_path / "grey", "pl", KEYS, lambda frame: Image(matte_of(frame), ("Y",)))
        footage_of({**shot, "plate": grey})


def layered(frame: int) -> Image:
    pixels = np.concatenate([graded(frame), matte_of(frame), 40 * matte_of(frame), texture(3)], 2)
    names = ("R", "G", "B", "A", "depth.Z", "normal.x", "normal.y", "normal.z")
    return Image(pixels, names, channel_formats=("float",) * 8)


def test_named_layers_come_in_the_networks_order_and_mattes_are_told_by_their_values(tmp_path: Path) -> None:
    shot = write_shot(tmp_path, layered, KEYS)
    footage = footage_of(shot, output_layers=["normal", "depth.Z", "A", "rgb", "A"])
    assert [(layer.name, layer.kind) for layer in footage.outputs] == [
        ("beauty", "rgb"),
        ("A", "matte"),
        ("normal", "data"),
        ("depth.Z", "data"),
    ]
    target = footage.keyframes[0].target
    np.testing.assert_array_equal(target[..., 3:4], matte_of(1001))
    np.testing.assert_array_equal(target[..., 7:8], 40 * matte_of(1001))


def test_more_input_layers_join_the_plate(tmp_path: Path) -> None:
    shot = write_shot(tmp_path, graded, KEYS)
    write_frames(tmp_path / "plate", "pl", FRAMES, layered)
    keyframe = footage_of(shot, input_layers=["depth.Z", "normal"], output_layers=["rgb"]).keyframes[0]
    assert keyframe.plate.shape == (HEIGHT, WIDTH, 7)
    np.testing.assert_array_equal(keyframe.plate[..., 3:4], 40 * matte_of(1001))


def test_dark_plates_get_a_smaller_toe(tmp_path: Path) -> None:
    shot = write_shot(tmp_path, lambda frame: 0.2 * texture(), KEYS)
    bright = footage_of(shot).toe
    write_frames(tmp_path / "plate", "pl", FRAMES, lambda frame: 0.1 * texture())
    assert footage_of(shot).toe < 0.2 * bright
