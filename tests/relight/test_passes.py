from __future__ import annotations

import numpy as np
import pytest

from interpositive.errors import ChannelError, SizeMismatchError
from interpositive.images.image import Image
from interpositive.relight.passes import LAYERS, Passes
from lit_scene import ball_and_wall


def image_of(passes: Passes, without: tuple[str, ...] = ()) -> Image:
    whole = passes.to_image()
    kept = [name for name in whole.channels if name.partition(".")[0] not in without]
    return Image(whole.select(kept).copy(), kept, channel_formats=["float"] * len(kept))


def test_passes_come_back_from_their_layers() -> None:
    passes = ball_and_wall(12, 20)
    found = Passes.from_image(passes.to_image())
    for name in LAYERS:
        np.testing.assert_array_equal(getattr(found, name), getattr(passes, name))


@pytest.mark.parametrize("name", ["normal", "depth", "albedo"])
def test_a_pass_that_is_needed_and_absent_is_named(name: str) -> None:
    with pytest.raises(ChannelError, match=f"no {name} pass: expected channels {LAYERS[name][0]}"):
        Passes.from_image(image_of(ball_and_wall(4, 6), (name,)))


def test_what_is_not_needed_is_filled_in() -> None:
    passes = ball_and_wall(4, 6)
    plate = np.random.default_rng(0).uniform(0, 2, (4, 6, 3)).astype(np.float32)
    without = ("shading", "residual", "roughness", "visibility", "confidence")
    found = Passes.from_image(image_of(passes, without), plate)
    np.testing.assert_allclose(found.beauty(), plate, atol=1e-6)
    assert found.roughness[0, 0] == np.float32(0.6) and found.visibility.min() == 1


def test_the_names_of_renderers_are_understood() -> None:
    pixels = np.random.default_rng(0).random((4, 6, 7)).astype(np.float32)
    names = ("Z", "N.X", "N.Y", "N.Z", "albedo.R", "albedo.G", "albedo.B")
    found = Passes.from_image(Image(pixels, names))
    np.testing.assert_array_equal(found.depth, pixels[..., 0])
    np.testing.assert_array_equal(found.normal, pixels[..., 1:4])


def test_half_passes_are_read_as_float() -> None:
    whole = ball_and_wall(4, 6).to_image()
    found = Passes.from_image(Image(whole.pixels.astype(np.float16), whole.channels))
    assert all(getattr(found, name).dtype == np.float32 for name in LAYERS)


def test_passes_of_different_sizes_are_refused() -> None:
    passes = ball_and_wall(4, 6)
    values = {name: getattr(passes, name) for name in LAYERS}
    with pytest.raises(SizeMismatchError, match="albedo"):
        Passes(**{**values, "albedo": np.zeros((5, 6, 3), np.float32)})
