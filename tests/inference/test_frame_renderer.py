from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from interpositive.errors import DamagedModelError, SizeMismatchError
from interpositive.images.image import Image, ImageFile, Window
from interpositive.inference.frame_renderer import FrameRenderer, matte_on
from model_samples import sample_manifest


class ShiftingRunner:
    """Adds one to the plate, in as many planes as asked for, and remembers where it was told to be."""

    def __init__(self, planes: int = 3) -> None:
        self.planes = planes
        self.places: list[tuple[Any, Any]] = []

    def run(self, pixels: np.ndarray, origin: Any, extent: Any, between_tiles: Any) -> np.ndarray:
        self.places.append((origin, extent))
        return np.repeat(pixels[..., :1] + 1, self.planes, axis=2)


def frame(**windows: Window) -> ImageFile:
    pixels = np.random.default_rng(2).uniform(-1, 9, (6, 8, 4)).astype(np.float32)
    return ImageFile((Image(pixels, ("A", "R", "G", "B"), **windows),))


def test_the_network_is_told_where_the_data_lies_in_the_display_window() -> None:
    runner = ShiftingRunner()
    overscan = frame(data_window=Window(-3, 2, 8, 6), display_window=Window(1, 1, 20, 10))
    FrameRenderer(sample_manifest(), runner).render(overscan)
    assert runner.places == [((-4.0, 1.0), (20.0, 10.0))]


def test_channels_are_addressed_by_name_and_the_others_stay() -> None:
    plate = frame()
    before = plate.select(("A", "R")).copy()
    after = FrameRenderer(sample_manifest(), ShiftingRunner()).render(plate).image_file
    assert after.select(["A"]).tobytes() == before[..., :1].tobytes()
    np.testing.assert_array_equal(after.select(["B"])[..., 0], before[..., 1] + 1)


def test_layers_of_an_alpha_and_a_colour_model_go_to_their_places() -> None:
    outputs = [
        {"name": "beauty", "channels": ["R", "G", "B"], "kind": "rgb"},
        {"name": "key", "channels": ["key.A"], "kind": "matte"},
    ]
    plate = frame()
    after = FrameRenderer(sample_manifest(outputs=outputs), ShiftingRunner(4), 0.5).render(plate).image_file
    red = plate.select(["R"])
    np.testing.assert_allclose(after.select(["R"]), red + 0.5, rtol=1e-6)
    np.testing.assert_allclose(after.select(["key.A"]), (red + 1) / 2, rtol=1e-6)


def test_an_added_layer_is_there_in_frames_with_an_empty_matte_too() -> None:
    outputs = [{"name": "key", "channels": ["key.A"], "kind": "matte"}]
    renderer = FrameRenderer(sample_manifest(outputs=outputs), ShiftingRunner(1))
    after = renderer.render(frame(), np.zeros((6, 8), np.float32)).image_file
    assert not after.select(["key.A"]).any()


def test_an_empty_matte_costs_no_computation() -> None:
    runner = ShiftingRunner()
    FrameRenderer(sample_manifest(), runner).render(frame(), np.zeros((6, 8), np.float32))
    assert runner.places == []


def test_bad_pixels_are_named_in_the_display_window() -> None:
    plate = frame(data_window=Window(5, 7, 8, 6), display_window=Window(0, 0, 20, 20))
    plate.main.blocks[0].samples[2, 3, 1] = np.nan
    rendered = FrameRenderer(sample_manifest(), ShiftingRunner()).render(plate)
    assert rendered.bad_pixels is not None
    assert (rendered.bad_pixels.first_x, rendered.bad_pixels.first_y) == (8, 9)
    assert np.isnan(rendered.image_file.select(["R"])[2, 3, 0])


def test_a_model_that_gives_other_channels_than_its_manifest_says_is_damaged() -> None:
    with pytest.raises(DamagedModelError, match="5 channels"):
        FrameRenderer(sample_manifest(), ShiftingRunner(5)).render(frame())


def test_a_matte_is_an_alpha_before_a_colour() -> None:
    pixels = np.zeros((6, 8, 2), np.float32)
    pixels[..., 1] = 0.5
    matte = ImageFile((Image(pixels, ("R", "A")),))
    assert (matte_on(matte, frame().main) == 0.5).all()


def test_a_matte_outside_of_the_plate_is_nothing() -> None:
    far = Image(np.ones((2, 2, 1), np.float32), ("A",), Window(100, 100, 2, 2), Window(0, 0, 8, 6))
    assert not matte_on(ImageFile((far,)), frame().main).any()


def test_a_matte_of_another_format_is_refused() -> None:
    matte = ImageFile((Image(np.ones((3, 4, 1), np.float32), ("A",)),))
    with pytest.raises(SizeMismatchError, match="4x3"):
        matte_on(matte, frame().main)
