"""Channels by name, in memory."""

from __future__ import annotations

import numpy as np
import pytest

from images.plates import every_half
from interpositive.errors import ChannelError, SizeMismatchError
from interpositive.images.image import Block, Image, ImageFile, Window


def _half_rgba_and_float_depth() -> Image:
    rng = np.random.default_rng(1)
    colour = rng.normal(size=(5, 7, 4)).astype(np.float16)
    depth = rng.normal(size=(5, 7, 1)).astype(np.float32)
    blocks = [Block(("R", "G", "B", "A"), colour), Block(("depth.Z",), depth)]
    return Image.from_blocks(blocks, channel_formats=["half"] * 4 + ["float"])


def test_channels_are_selected_by_name_in_the_order_asked_for() -> None:
    image = _half_rgba_and_float_depth()
    chosen = image.select(["depth.Z", "B", "R"])
    assert chosen.dtype == np.float32 and chosen.shape == (5, 7, 3)
    np.testing.assert_array_equal(chosen[..., 0], image.blocks[1].samples[..., 0])
    np.testing.assert_array_equal(chosen[..., 1], image.blocks[0].samples[..., 2])
    np.testing.assert_array_equal(chosen[..., 2], image.blocks[0].samples[..., 0])
    assert image.select(["R", "G", "B"]).flags.c_contiguous
    assert image.pixels.shape == (5, 7, 5)


def test_float_samples_are_selected_without_a_copy() -> None:
    pixels = np.zeros((4, 4, 3), np.float32)
    assert np.shares_memory(Image(pixels, ["R", "G", "B"]).select(["R", "G", "B"]), pixels)


def test_every_half_value_becomes_the_float_that_numpy_casts_it_to() -> None:
    halves = np.stack([every_half(), every_half().T, every_half()[::-1]], axis=2)
    selected = Image(halves, ["R", "G", "B"]).select(["G", "B"])
    np.testing.assert_array_equal(
        selected.view(np.uint32), halves[..., 1:].astype(np.float32).view(np.uint32)
    )


def test_replacing_colour_keeps_the_other_channels_bits_and_formats() -> None:
    image = _half_rgba_and_float_depth()
    result = image.replace(["R", "G", "B"], np.ones((5, 7, 3), np.float32))
    assert set(result.channels) == set(image.channels)
    formats = dict(zip(result.channels, result.channel_formats, strict=True))
    assert formats == {"R": "half", "G": "half", "B": "half", "A": "half", "depth.Z": "float"}
    for name in ("A", "depth.Z"):
        np.testing.assert_array_equal(result.select([name]), image.select([name]))
    assert (result.select(["G"]) == 1).all()
    assert (image.select(["G"]) != 1).any()


def test_new_layers_are_added_beside_the_old_ones() -> None:
    image = _half_rgba_and_float_depth().replace(
        ["mask.A"], np.zeros((5, 7, 1), np.float32), new_format="float"
    )
    assert image.layers() == {"": ("R", "G", "B", "A"), "depth": ("depth.Z",), "mask": ("mask.A",)}
    assert image.channel_formats[-1] == "float"


def test_unknown_channels_and_wrong_sizes_are_named() -> None:
    image = _half_rgba_and_float_depth()
    with pytest.raises(ChannelError, match=r"no channel 'albedo.R'.*R, G, B, A, depth.Z"):
        image.select(["albedo.R"])
    with pytest.raises(SizeMismatchError):
        image.replace(["R"], np.zeros((5, 8, 1), np.float32))
    with pytest.raises(SizeMismatchError, match="data window"):
        Image(np.zeros((4, 4, 1), np.float32), ["R"], Window(0, 0, 5, 4))
    with pytest.raises(ChannelError, match="own name"):
        Image(np.zeros((4, 4, 2), np.float32), ["R", "R"])


def test_metadata_entries_are_added_and_removed() -> None:
    image = Image(np.zeros((2, 2, 1), np.float32), ["Y"], metadata={"owner": "a", "roll": "b"})
    changed = image.with_metadata({"owner": None, "fps": (24, 1)}, {"fps": "rational"})
    assert changed.metadata == {"roll": "b", "fps": (24, 1)}
    assert image.metadata == {"owner": "a", "roll": "b"}


def test_layers_of_other_parts_go_by_the_name_of_the_part() -> None:
    beauty = Image(np.zeros((4, 4, 3), np.float32), ["R", "G", "B"], part_name="rgba")
    albedo = Image(np.ones((4, 4, 3), np.float32), ["R", "G", "B"], part_name="albedo")
    both = ImageFile((beauty, albedo))
    assert both.layers() == {"": ("R", "G", "B"), "albedo": ("albedo.R", "albedo.G", "albedo.B")}
    assert (both.select(["albedo.G", "R"]) == [1, 0]).all()
    changed = both.replace(["R", "albedo.G"], np.full((4, 4, 2), 5, np.float32))
    assert changed.parts[0].select(["R"])[0, 0] == 5 and changed.parts[1].select(["G"])[0, 0] == 5
    assert changed.parts[1].select(["R"])[0, 0] == 1
    with pytest.raises(ChannelError, match=r"no channel 'normal\.X'"):
        both.select(["normal.X"])


def test_parts_of_different_windows_are_not_mixed() -> None:
    beauty = Image(np.zeros((4, 4, 1), np.float32), ["R"])
    other = Image(np.zeros((3, 4, 1), np.float32), ["mask.A"])
    with pytest.raises(SizeMismatchError, match="4x4"):
        ImageFile((beauty, other)).select(["R", "mask.A"])
