from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from interpositive.analysis.given import GivenPass
from interpositive.errors import ChannelError, MissingFramesError, SizeMismatchError
from interpositive.frames import FrameRange
from interpositive.images.image import Image, ImageFile, Window
from interpositive.images.writing import write_exr

FRAMES = FrameRange.parse("1001-1002")
CANVAS = Window(0, 0, 6, 4)


def plate_with(channels: tuple[str, ...], values: np.ndarray) -> ImageFile:
    pixels = np.concatenate([np.full((4, 6, 3), 0.2, np.float32), values], 2)
    return ImageFile((Image(pixels, ("R", "G", "B", *channels)),), Path("plate.1001.exr"))


def test_a_layer_of_the_plate_is_read_by_its_name() -> None:
    values = np.float32([0.6, 0.0, 0.8]) * np.ones((4, 6, 3), np.float32)
    own = GivenPass.parse("normal", "nrm", FRAMES)
    found = own.read(1001, plate_with(("nrm.X", "nrm.Y", "nrm.Z"), values), CANVAS)
    np.testing.assert_allclose(found, values, atol=1e-6)


def test_normals_coded_as_colours_are_decoded() -> None:
    values = np.float32([0.8, 0.5, 0.9]) * np.ones((4, 6, 3), np.float32)
    found = GivenPass.parse("normal", "N", FRAMES).read(
        1001, plate_with(("N.R", "N.G", "N.B"), values), CANVAS
    )
    np.testing.assert_allclose(found[0, 0], [0.6, 0.0, 0.8], atol=1e-6)


def test_holes_in_a_depth_are_far_away() -> None:
    values = np.full((4, 6, 1), 3.0, np.float32)
    values[0, 0], values[1, 1], values[2, 2] = 0, np.inf, 9
    found = GivenPass.parse("depth", "depth", FRAMES).read(1001, plate_with(("depth.Z",), values), CANVAS)
    assert found[0, 0] == 9 and found[1, 1] == 9 and found[3, 3] == 3


def test_a_missing_layer_is_refused_with_the_channels_that_there_are() -> None:
    with pytest.raises(ChannelError, match=r"no albedo layer 'dif'.*dif\.R.*it has B, G, R, x\.R"):
        GivenPass.parse("albedo", "dif", FRAMES).read(
            1001, plate_with(("x.R",), np.zeros((4, 6, 1), np.float32)), CANVAS
        )


def test_a_sequence_must_have_the_frames_and_the_size(tmp_path: Path) -> None:
    write_exr(tmp_path / "a.1001.exr", Image(np.ones((4, 6, 3), np.float32), ("R", "G", "B")))
    with pytest.raises(MissingFramesError, match=r"--albedo-layer: .*1002"):
        GivenPass.parse("albedo", str(tmp_path / "a.%04d.exr"), FRAMES)
    write_exr(tmp_path / "a.1002.exr", Image(np.ones((5, 7, 3), np.float32), ("R", "G", "B")))
    own = GivenPass.parse("albedo", str(tmp_path / "a.%04d.exr"), FRAMES)
    plate = plate_with((), np.zeros((4, 6, 0), np.float32))
    assert (own.read(1001, plate, CANVAS) == 1).all()
    with pytest.raises(SizeMismatchError, match="7x5, the plate is 6x4"):
        own.read(1002, plate, CANVAS)
