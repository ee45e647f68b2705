"""Colour spaces: declared, tagged or asked for."""

from __future__ import annotations

import struct
import subprocess
import sys
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from images.plates import write_code_values
from interpositive.errors import ColourSpaceError
from interpositive.images import colour
from interpositive.images.image import Image, ImageFile
from interpositive.images.reading import read_image_file


@pytest.fixture(autouse=True)
def _builtin_config(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OCIO", raising=False)


def _exr(**metadata: object) -> ImageFile:
    return ImageFile(
        (Image(np.zeros((2, 2, 3), np.float16), "RGB", metadata=metadata),), Path("sh010.1001.exr")
    )


def _plain_png(path: Path) -> None:
    """Without a word on colour; OpenImageIO would write an sRGB chunk."""
    cv2.imwrite(str(path), np.zeros((4, 4, 3), np.uint8))


def _png_with_chunk(path: Path, kind: bytes, data: bytes) -> None:
    _plain_png(path)
    content = path.read_bytes()
    chunk = struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    path.write_bytes(content[:33] + chunk + content[33:])  # behind the signature and IHDR


def test_an_exr_is_scene_linear_as_in_the_file_and_never_converted() -> None:
    plate = colour.plate_colour(_exr())
    assert (plate.working_space, plate.is_scene_linear, plate.source) == (
        colour.AS_IN_FILE,
        True,
        "file format",
    )
    pixels = np.array([[[np.nan, -0.5, 60.0]]], np.float32)
    assert colour.to_working(pixels, plate) is pixels
    assert colour.from_working(pixels, plate) is pixels


def test_a_declared_scene_linear_space_is_not_converted() -> None:
    for text in ("lin_rec709", "ACEScg", "scene_linear", "Linear ARRI Wide Gamut 4", "Raw"):
        plate = colour.plate_colour(_exr(), text)
        assert plate.is_scene_linear and plate.working_space == plate.input_space, text


def test_a_declared_log_space_is_worked_on_in_acescg_and_comes_back() -> None:
    plate = colour.plate_colour(_exr(), "arri logc4")
    assert (plate.input_space, plate.working_space, plate.source) == ("ARRI LogC4", "ACEScg", "declared")
    rgba = np.random.default_rng(0).uniform(0.05, 0.9, (300, 5, 4)).astype(np.float32)
    working = colour.to_working(rgba, plate)
    np.testing.assert_array_equal(working[..., 3], rgba[..., 3])
    np.testing.assert_allclose(colour.from_working(working, plate), rgba, atol=2e-5)
    # ARRI LogC4 specification (2022), 18 % grey is code value 0.2783958; neutral stays neutral.
    grey = colour.to_working(np.full((1, 1, 3), 0.2783958, np.float32), plate)
    np.testing.assert_allclose(grey, 0.18, rtol=2e-3)


def test_rows_converted_in_parallel_equal_rows_converted_alone() -> None:
    rgb = np.random.default_rng(0).uniform(-0.1, 4, (700, 9, 3)).astype(np.float32)
    whole = colour.convert(rgb, "ACEScg", "ACEScct")
    rows = [colour.convert(rgb[k : k + 1], "ACEScg", "ACEScct") for k in range(0, 700, 99)]
    np.testing.assert_array_equal(whole[::99], np.concatenate(rows))


def test_srgb_values_match_the_standard() -> None:
    """IEC 61966-2-1: 0.18 is 0.4613561 and 0.0031308 is 0.0404500."""
    linear = np.array([[[0.18, 0.0031308, 1.0]]], np.float32)
    plate = colour.plate_colour(_exr(), "lin_rec709")
    np.testing.assert_allclose(colour.srgb_encode(linear, plate), [[[0.4613561, 0.04045, 1.0]]], atol=2e-5)


def test_an_unknown_space_names_close_ones() -> None:
    with pytest.raises(
        ColourSpaceError, match=r"no colour space 'ARRI LogC'.*ARRI LogC4, ARRI LogC3"
    ) as caught:
        colour.plate_colour(_exr(), "ARRI LogC")
    assert "\n" not in str(caught.value)
    with pytest.raises(ColourSpaceError, match="zzzz"):
        colour.space_name("zzzz")


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.tif", "a.dpx"])
def test_an_undeclared_picture_is_asked_about_and_not_guessed(tmp_path: Path, name: str) -> None:
    (_plain_png if name.endswith("png") else write_code_values)(tmp_path / name)
    with pytest.raises(
        ColourSpaceError, match=rf"{name} does not say its colour space. Pass --input-space .*such as '"
    ):
        colour.plate_colour(read_image_file(tmp_path / name))


def test_what_the_file_itself_says_is_taken(tmp_path: Path) -> None:
    write_code_values(tmp_path / "exif.jpg", attributes={"Exif:ColorSpace": 1})
    _png_with_chunk(tmp_path / "srgb.png", b"sRGB", b"\0")
    _png_with_chunk(tmp_path / "cicp.png", b"cICP", b"\x01\x0d\x00\x01")
    for name in ("exif.jpg", "srgb.png", "cicp.png"):
        plate = colour.plate_colour(read_image_file(tmp_path / name))
        assert (plate.source, plate.working_space) == ("metadata", "ACEScg"), name
        assert plate.input_space == colour.space_name(colour.SRGB), name
    tagged = colour.plate_colour(_exr(colorInteropID="lin_ap1_scene"))
    assert (tagged.source, tagged.working_space, tagged.is_scene_linear) == ("metadata", "ACEScg", True)


def test_an_exr_of_converted_pixels_carries_their_chromaticities() -> None:
    converted = colour.plate_colour(_exr(), "ACEScct")
    image = colour.tag_working(_exr().main, converted)
    assert image.metadata["chromaticities"][:2] == (0.713, 0.293)
    assert image.metadata_types["chromaticities"] == "float[8]"
    untouched = _exr().main
    assert colour.tag_working(untouched, colour.plate_colour(_exr())) is untouched


def test_pictures_of_an_unnamed_space_follow_its_chromaticities() -> None:
    ap0 = (0.7347, 0.2653, 0.0, 1.0, 0.0001, -0.077, 0.32168, 0.33767)
    assert colour.picture_space(colour.plate_colour(_exr(chromaticities=ap0))) == "ACES2065-1"
    assert colour.picture_space(colour.plate_colour(_exr())) == "lin_rec709"


def test_primaries_are_the_files_own_or_those_of_the_working_space() -> None:
    own = (0.713, 0.293, 0.165, 0.83, 0.128, 0.044, 0.32168, 0.33767)
    found = colour.PlateColour(colour.AS_IN_FILE, colour.AS_IN_FILE, True, "file format", own)
    assert colour.primaries(found) == own
    unnamed = colour.PlateColour(colour.AS_IN_FILE, colour.AS_IN_FILE, True, "file format")
    assert colour.primaries(unnamed) == (0.64, 0.33, 0.30, 0.60, 0.15, 0.06, 0.3127, 0.3290)
    acescg = colour.PlateColour("ARRI LogC3 (EI800)", "ACEScg", False, "declared")
    assert colour.primaries(acescg) == own


def test_the_baked_view_looks_like_the_exact_one_and_takes_any_value() -> None:
    import PyOpenColorIO as ocio

    plate = colour.plate_colour(_exr(), "ACEScg")
    rng = np.random.default_rng(0)
    levels = 2.0 ** rng.uniform(-9, 5, (60, 60, 1))
    pixels = (levels * rng.normal(1, 0.1, (60, 60, 3))).astype(np.float32)
    config = colour.config()
    display = config.getDefaultDisplay()
    exact = pixels.copy()
    transform = ocio.DisplayViewTransform("ACEScg", display, config.getDefaultView(display))
    config.getProcessor(transform).getDefaultCPUProcessor().applyRGB(exact)
    difference = np.abs(colour.display_view(pixels, plate) - exact.clip(0, 1))
    assert difference.mean() < 1 / 255 and difference.max() < 8 / 255
    wild = np.array([[[np.nan, np.inf, -np.inf], [-5, 1e9, 0]]], np.float32)
    shown = colour.display_view(wild, plate)
    assert np.isfinite(shown).all() and shown.min() >= 0 and shown.max() <= 1


def test_another_config_is_taken_from_the_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("OCIO", str(tmp_path / "gone.ocio"))
    with pytest.raises(ColourSpaceError, match=r"\$OCIO=.*gone\.ocio"):
        colour.config()
    monkeypatch.setenv("OCIO", "ocio://cg-config-v4.0.0_aces-v2.0_ocio-v2.5")
    with pytest.raises(ColourSpaceError, match="no colour space 'ARRI LogC4'"):
        colour.space_name("ARRI LogC4")


def test_no_warning_is_printed_without_a_config_in_the_environment() -> None:
    script = (
        "import numpy; from interpositive.images import colour; "
        "colour.convert(numpy.zeros((1, 1, 3), 'f4'), 'ACEScg', 'ACEScct')"
    )
    environment = {"PYTHONPATH": str(Path(__file__).parents[2] / "core")}
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout + done.stderr == ""
