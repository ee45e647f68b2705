"""What headers, tags and names say about a clip."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from interpositive.errors import PlateError
from interpositive.images.image import Image, ImageFile
from interpositive.project import timecode
from interpositive.project.headers import from_header, from_name, number_in
from project.dailies import words


def header(**attributes: Any) -> ImageFile:
    return ImageFile((Image(np.zeros((1, 1, 1), np.float32), ("Y",), metadata=attributes),))


def test_the_standard_attributes_of_openexr_are_read() -> None:
    attributes = {
        "smpte:TimeCode": words("10:11:12:13"), "FramesPerSecond": (24000, 1001), "reelName": "A001",
        "cameraModel": "ALEXA 35", "lensModel": "Signature 35", "nominalFocalLength": 35.0, "isoSpeed": 800.0,
        "cameraCCTSetting": 5600.0, "cameraTintSetting": -2.0,
    }  # fmt: skip
    assert from_header(header(**attributes)) == {
        "timecode": "10:11:12:13", "fps": 24000 / 1001, "reel": "A001", "camera": "ALEXA 35",
        "lens": "Signature 35", "focal_mm": 35.0, "iso": 800.0, "white_balance_k": 5600.0, "tint": -2.0,
    }  # fmt: skip


def test_camera_makers_names_and_movie_tags_are_read() -> None:
    tags = {"com.arri.camera.ReelName": "B002", "timecode": "01:00:00;02", "com.apple.proapps.scene": "12A"}
    found = from_header(
        header(**{"interim/WhiteBalanceKelvin": "3200 K", "Exif:PhotographicSensitivity": 1600}), tags
    )
    assert found == {
        "reel": "B002",
        "timecode": "01:00:00;02",
        "scene": "12A",
        "white_balance_k": 3200.0,
        "iso": 1600.0,
    }


def test_the_header_of_a_frame_goes_before_the_tags_of_its_movie() -> None:
    found = from_header(header(**{"smpte:TimeCode": words("01:00:00:05")}), {"timecode": "01:00:00:00"})
    assert found["timecode"] == "01:00:00:05"


def test_nonsense_is_not_taken_for_a_fact() -> None:
    attributes = {
        "isoSpeed": 0.0, "cameraCCTSetting": 0.0, "whiteBalance": "Auto", "reelName": "  ",
        "smpte:TimeCode": (0xFFFFFFFF, 0), "FramesPerSecond": (0, 0), "nominalFocalLength": -1.0,
    }  # fmt: skip
    assert from_header(header(**attributes)) == {}


@pytest.mark.parametrize(
    ("name", "reel"),
    [("A001C003_210101_R1AB", "A001"), ("b002_C012_0102XY", "B002"), ("sh010_bg_v003", None), ("A001", None)],
)
def test_the_reel_is_read_from_names_that_cameras_give_and_from_no_others(
    name: str, reel: str | None
) -> None:
    assert from_name(name).get("reel") == reel


def test_numbers_are_found_in_text() -> None:
    values = ("5600 K", "50mm", "23,98", "T2.8", "", "Auto", (24000, 1001), 25)
    numbers = [5600, 50, 23.98, 2.8, None, None, 24000 / 1001, 25]
    assert [number_in(value) for value in values] == numbers


def test_drop_frame_survives_the_header() -> None:
    assert timecode.from_smpte_words(words("01:00:00;02")) == "01:00:00;02"
    assert timecode.from_smpte_words(words("23:59:59:23")) == "23:59:59:23"


def test_timecode_runs_exactly_over_the_dropped_numbers() -> None:
    ntsc = 30000 / 1001
    assert timecode.later("01:00:59;29", 1, 29.97) == "01:01:00;02"
    assert timecode.later("01:09:59;29", 1, ntsc) == "01:10:00;00"
    assert timecode.later("01:00:59:29", 1, ntsc) == "01:01:00:00"
    assert timecode.later("00:00:00:23", 1, 23.98) == "00:00:01:00"
    day = timecode.to_time("23:59:59:23", 24000 / 1001).value
    assert timecode.to_text(timecode.RationalTime(day, 24000 / 1001), False) == "23:59:59:23"
    assert timecode.to_time("01:00:00;00", ntsc).value == 107892  # SMPTE ST 12-1: 108 numbers less an hour


@pytest.mark.parametrize(
    ("text", "fps"), [("01:00:00;00", 24.0), ("01:00:00:24", 24.0), ("01:01:00;00", 0.5)]
)
def test_a_timecode_that_the_rate_does_not_have_is_an_error(text: str, fps: float) -> None:
    with pytest.raises(PlateError, match="Timecode"):
        timecode.to_time(text, fps)
