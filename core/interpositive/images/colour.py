"""Colour spaces through OpenColorIO: $OCIO, or the pinned built-in ACES config.

A plate's space is declared by the artist or written in the file; it is never guessed. Scene-linear plates are
worked on as they are; others are converted to the config's scene_linear role (ACEScg).
"""

from __future__ import annotations

import difflib
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
import PyOpenColorIO as ocio

from ..errors import ColourSpaceError
from .image import Image, ImageFile, Pixels

BUILTIN_CONFIG = "studio-config-v4.0.0_aces-v2.0_ocio-v2.5"
AS_IN_FILE = "scene-linear as in the file"
SRGB = "sRGB - Texture"

# CIE 1931 xy of red, green, blue, white: AP0 and AP1 from SMPTE ST 2065-1 and ACES S-2014-004, the others
# from ITU-R BT.709, BT.2020 and SMPTE EG 432-1. Keys are names that ACES configs know.
_CHROMATICITIES: dict[str, tuple[float, ...]] = {
    "ACEScg": (0.713, 0.293, 0.165, 0.830, 0.128, 0.044, 0.32168, 0.33767),
    "ACES2065-1": (0.7347, 0.2653, 0.0, 1.0, 0.0001, -0.077, 0.32168, 0.33767),
    "lin_rec709": (0.64, 0.33, 0.30, 0.60, 0.15, 0.06, 0.3127, 0.3290),
    "lin_rec2020": (0.708, 0.292, 0.170, 0.797, 0.131, 0.046, 0.3127, 0.3290),
    "lin_p3d65": (0.680, 0.320, 0.265, 0.690, 0.150, 0.060, 0.3127, 0.3290),
}
_ICC_SPACES = {"srgb": SRGB, "display p3": "srgb_p3d65", "adobe rgb": "adobergb"}
_VIDEO_SPACES = {
    ("bt709", "bt709"): "camera_rec709",
    ("smpte170m", "bt709"): "camera_rec709",
    ("srgb", "bt709"): SRGB,
    ("srgb", "p3-d65"): "srgb_p3d65",
    ("linear", "bt709"): "lin_rec709",
    ("linear", "bt2020"): "lin_rec2020",
}
_LIKELY_SPACES = {
    "dpx": ("ARRI LogC3 (EI800)", "ADX10", "S-Log3 S-Gamut3.Cine", "Log3G10 REDWideGamutRGB"),
    "cineon": ("ADX10", "ACEScct"),
    "video": ("Camera Rec.709", "Gamma 2.4 Encoded Rec.709", "ARRI LogC4", "Apple Log"),
    "tiff": (SRGB, "ACEScct", "Linear Rec.709 (sRGB)"),
}
_PICTURE_SPACES = (SRGB, "Gamma 2.2 Encoded Rec.709")
_BAND_ROWS = 128
_VIEW_EDGE = 65  # points of the baked view on each axis
_LOG_BLACK, _LOG_WHITE = 0.0, 1.4679964  # the part of ACEScct that the baked view covers: -0.007 to 65504


@dataclass(frozen=True)
class PlateColour:
    """How a sequence's colour is read. `chromaticities` are the file's own, for pictures of unnamed
    spaces.
    """

    input_space: str
    working_space: str
    is_scene_linear: bool
    source: Literal["declared", "metadata", "file format"]
    chromaticities: tuple[float, ...] | None = None


def config() -> Any:
    """The OpenColorIO config in use. Raises ColourSpaceError when $OCIO cannot be loaded."""
    return _load_config(os.environ.get("OCIO", ""))


@lru_cache(maxsize=4)
def _load_config(path: str) -> Any:
    if not path:
        return ocio.Config.CreateFromBuiltinConfig(BUILTIN_CONFIG)
    try:
        return ocio.Config.CreateFromFile(path)
    except (ocio.Exception, ocio.ExceptionMissingFile) as error:
        reason = str(error).splitlines()[0]
        raise ColourSpaceError(
            f"Cannot load the colour config $OCIO={path}: {reason}. Correct or unset $OCIO."
        ) from error


def space_name(text: str) -> str:
    """The config's own name for a space, alias or role. Raises ColourSpaceError with close matches."""
    loaded = config()
    found = loaded.getColorSpace(text)
    if found is not None:
        return str(found.getName())
    known: dict[str, str] = {}
    for space in loaded.getColorSpaces():
        known.update({name.lower(): space.getName() for name in (*space.getAliases(), space.getName())})
    close = dict.fromkeys(
        known[name] for name in difflib.get_close_matches(text.lower(), known, n=6, cutoff=0.5)
    )
    hint = f"Close names: {', '.join(close)}." if close else "`interpositive doctor` lists the config in use."
    raise ColourSpaceError(
        f"There is no colour space '{text}' in {loaded.getName() or 'the config $OCIO'}. {hint}"
    )


def is_scene_linear(name: str) -> bool:
    """Whether a space of the config is scene-linear, or holds data. Raises ColourSpaceError."""
    loaded = config()
    space = loaded.getColorSpace(space_name(name))
    is_linear = space.isData() or space.getEncoding() == "scene-linear"
    return is_linear or bool(loaded.isColorSpaceLinear(space.getName(), ocio.REFERENCE_SPACE_SCENE))


def plate_colour(image_file: ImageFile, declared: str | None = None) -> PlateColour:
    """The colour of a plate: what the artist declared, else what the file says, else as EXR and HDR define
    it.

    Raises ColourSpaceError for an unknown space, or when nothing says what the space is.
    """
    chromaticities = _file_chromaticities(image_file.main)
    if declared:
        return _colour(space_name(declared), "declared", chromaticities)
    tagged = _tagged_space(image_file)
    if tagged is not None:
        return _colour(space_name(tagged), "metadata", chromaticities)
    if image_file.file_format in ("openexr", "hdr"):
        return PlateColour(AS_IN_FILE, AS_IN_FILE, True, "file format", chromaticities)
    likely = _LIKELY_SPACES.get(image_file.file_format, _PICTURE_SPACES)
    raise ColourSpaceError(
        f"{image_file.path} does not say its colour space. Pass --input-space with the space it was "
        f"written in, "
        f"such as {', '.join(repr(name) for name in likely)}."
    )


def to_working(pixels: Pixels, colour: PlateColour) -> Pixels:
    """(H, W, 3 or 4) of `input_space` to scene-linear `working_space`; alpha untouched.

    Gives `pixels` itself when nothing is to be done, else a new array.
    """
    if colour.is_scene_linear:
        return pixels
    return convert(pixels, colour.input_space, colour.working_space)


def in_working_space(image_file: ImageFile, colour: PlateColour) -> ImageFile:
    """R, G, B of the file brought to `working_space` and its header tagged; the file itself when they are
    there already."""
    if colour.is_scene_linear:
        return image_file
    rgb = ("R", "G", "B")
    converted = image_file.replace(rgb, to_working(image_file.select(rgb), colour))
    return converted.with_main(tag_working(converted.main, colour))


def from_working(pixels: Pixels, colour: PlateColour) -> Pixels:
    """The inverse of `to_working`."""
    if colour.is_scene_linear:
        return pixels
    return convert(pixels, colour.working_space, colour.input_space)


def convert(pixels: Pixels, source_space: str, target_space: str) -> Pixels:
    """(H, W, 3 or 4) float32 from one space of the config to another, a new array; alpha untouched."""
    return _apply(_converter(_config_key(), space_name(source_space), space_name(target_space)), pixels)


def srgb_encode(pixels: Pixels, colour: PlateColour) -> Pixels:
    """Working pixels (H, W, 3 or 4) as IEC 61966-2-1 code values of Rec.709 primaries, unclamped; no view
    transform.
    """
    return convert(pixels, picture_space(colour), SRGB)


def display_view(pixels: Pixels, colour: PlateColour) -> Pixels:
    """Working pixels (H, W, 3) through the config's default display and view, 0..1, for pictures people
    look at.

    "scene-linear as in the file" is shown by the file's chromaticities, and as Rec.709 primaries where it has
    none. In configs with ACEScct the view is baked to 65 points a side (error below one 8 bit step in the
    mean).
    """
    shown = _apply(
        _viewer(_config_key(), space_name(picture_space(colour))), np.nan_to_num(pixels, posinf=65504.0)
    )
    return np.clip(shown, 0.0, 1.0, out=shown)


def picture_space(colour: PlateColour) -> str:
    """The config space to show the working pixels with."""
    if colour.working_space != AS_IN_FILE:
        return colour.working_space
    if colour.chromaticities is not None:
        for name, known in _CHROMATICITIES.items():
            if np.allclose(colour.chromaticities, known, atol=2e-3):
                return name
    return "lin_rec709"


def primaries(colour: PlateColour) -> tuple[float, ...]:
    """CIE xy of red, green, blue and white of the working pixels: the file's own, else those of its space,
    else Rec.709's."""
    if colour.working_space == AS_IN_FILE and colour.chromaticities is not None:
        return tuple(colour.chromaticities)
    return primaries_of(picture_space(colour))


def primaries_of(space: str) -> tuple[float, ...]:
    """CIE xy of red, green, blue and white of a scene-linear space of the config; Rec.709's where it is none
    of those that are known."""
    name = space_name(space)
    for key, known in _CHROMATICITIES.items():
        if _is_known(key) and space_name(key) == name:
            return known
    return _CHROMATICITIES["lin_rec709"]


def tag_working(image: Image, colour: PlateColour) -> Image:
    """The image with the chromaticities of the working space, where its pixels were converted to it."""
    if colour.is_scene_linear:
        return image
    name = space_name(colour.working_space)
    known = next(
        (xy for key, xy in _CHROMATICITIES.items() if _is_known(key) and space_name(key) == name), None
    )
    stale: dict[str, Any] = {
        key: None for key in ("colorInteropID", "oiio:Gamma", "Exif:ColorSpace") if key in image.metadata
    }
    return image.with_metadata(
        {**stale, "chromaticities": known}, {"chromaticities": "float[8]"} if known else None
    )


def _colour(
    name: str, source: Literal["declared", "metadata"], chromaticities: tuple[float, ...] | None
) -> PlateColour:
    if is_scene_linear(name):
        return PlateColour(name, name, True, source, chromaticities)
    if not config().hasRole(ocio.ROLE_SCENE_LINEAR):
        raise ColourSpaceError(
            "The config $OCIO has no scene_linear role. Use a config that has one, or unset $OCIO."
        )
    return PlateColour(name, space_name(ocio.ROLE_SCENE_LINEAR), False, source, chromaticities)


def _is_known(name: str) -> bool:
    return config().getColorSpace(name) is not None


def _file_chromaticities(image: Image) -> tuple[float, ...] | None:
    value = image.metadata.get("chromaticities")
    return tuple(float(number) for number in value) if value is not None and len(value) == 8 else None


def _tagged_space(image_file: ImageFile) -> str | None:
    """A space of the config that the file itself names, or None."""
    tags = image_file.main.metadata
    candidates: list[str | None] = [tags.get("colorInteropID")]
    if image_file.file_format == "video":
        candidates.append(_VIDEO_SPACES.get((tags["video:transfer"], tags["video:primaries"])))
    if image_file.file_format == "png":
        candidates.append(_png_space(image_file.path))
    if str(tags.get("dpx:Transfer", "")).startswith("ITU-R 709"):
        candidates.append("camera_rec709")
    if tags.get("Exif:ColorSpace") == 1:  # Exif 2.3: 1 is sRGB, 0xFFFF uncalibrated
        candidates.append(SRGB)
    profile = str(tags.get("ICCProfile:profile_description", "")).lower()
    candidates += [space for start, space in _ICC_SPACES.items() if profile.startswith(start)]
    return next((name for name in candidates if name and _is_known(name)), None)


def _png_space(path: Path) -> str | None:
    """sRGB when a PNG says so by an sRGB or cICP chunk (PNG third edition, 11.3.2). OpenImageIO assumes it
    for all.
    """
    with path.open("rb") as stream:
        stream.seek(8)
        while len(head := stream.read(8)) == 8:
            size, kind = int.from_bytes(head[:4], "big"), head[4:]
            if kind == b"sRGB" or (kind == b"cICP" and stream.read(2) == b"\x01\x0d"):
                return SRGB
            if kind in (b"IDAT", b"cICP"):
                return None
            stream.seek(size + 4, os.SEEK_CUR)
    return None


def _config_key() -> str:
    return os.environ.get("OCIO", "")


@lru_cache(maxsize=32)
def _converter(config_key: str, source_space: str, target_space: str) -> Any:
    processor = _load_config(config_key).getProcessor(source_space, target_space)
    return processor.getDefaultCPUProcessor()


@lru_cache(maxsize=16)
def _viewer(config_key: str, space: str) -> Any:
    """From a space to the default display and view; by a baked table behind ACEScct where the config has
    that.
    """
    loaded = _load_config(config_key)
    display = loaded.getDefaultDisplay()
    view = loaded.getDefaultView(display)
    if not _is_known("ACEScct"):
        exact = ocio.DisplayViewTransform(space, display, view)
        return loaded.getProcessor(exact).getDefaultCPUProcessor()
    span = _LOG_WHITE - _LOG_BLACK
    axis = np.linspace(_LOG_BLACK, _LOG_WHITE, _VIEW_EDGE, dtype=np.float32)
    grid = np.stack(
        np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1
    )  # blue fastest, as Lut3DTransform has it
    baker = loaded.getProcessor(ocio.DisplayViewTransform("ACEScct", display, view)).getDefaultCPUProcessor()
    baker.applyRGB(grid)
    table = ocio.Lut3DTransform(gridSize=_VIEW_EDGE)
    table.setData(grid.ravel())
    table.setInterpolation(ocio.INTERP_TETRAHEDRAL)
    fit = ocio.MatrixTransform([1 / span * (k % 5 == 0) for k in range(16)], [-_LOG_BLACK / span] * 3 + [0.0])
    baked = ocio.GroupTransform([ocio.ColorSpaceTransform(space, "ACEScct"), fit, table])
    return loaded.getProcessor(baked).getDefaultCPUProcessor()


_threads_lock = threading.Lock()


@lru_cache(maxsize=1)
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(min(os.cpu_count() or 1, 8), thread_name_prefix="colour")


def _apply(processor: Any, pixels: Pixels) -> Pixels:
    """A converted copy of (H, W, 3 or 4); OpenColorIO lets other threads run, so bands of rows go in
    parallel.
    """
    if pixels.ndim != 3 or pixels.shape[2] not in (3, 4):
        raise ColourSpaceError(
            f"Colour conversion takes RGB or RGBA, not {pixels.shape}. Select those channels."
        )
    converted = np.array(pixels, dtype=np.float32, order="C", copy=True)
    run = processor.applyRGB if pixels.shape[2] == 3 else processor.applyRGBA
    bands = [converted[top : top + _BAND_ROWS] for top in range(0, len(converted), _BAND_ROWS)]
    if len(bands) < 3:
        run(converted)
        return converted
    with _threads_lock:
        threads = _threads()
    for _ in threads.map(run, bands):
        pass
    return converted
