"""An image in memory: named channels, windows, metadata.

Samples are held as the file has them (half stays half, 32 bit integers stay integers), so an untouched
channel is written back bit for bit and an 8K half frame takes half the memory. `pixels` and `select` give
float32.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ChannelError, SizeMismatchError

Pixels = NDArray[np.float32]
_FLOAT_OF_HALF = np.arange(65536, dtype=np.uint16).view(np.float16).astype(np.float32)
_TABLE_BLOCK = 1 << 16
ATTRIBUTE_TYPES = {bool: "int", int: "int", float: "float", str: "string"}  # of new metadata


@dataclass(frozen=True)
class Window:
    """A rectangle in pixels; x, y is its top-left pixel, which may be negative (overscan)."""

    x: int
    y: int
    width: int
    height: int

    def __str__(self) -> str:
        return f"{self.width}x{self.height}{self.x:+d}{self.y:+d}"


@dataclass(frozen=True, eq=False)
class Block:
    """Channels that lie interleaved in one array: samples (H, W, n) float16, float32 or uint32."""

    channels: tuple[str, ...]
    samples: NDArray[Any]


class Image:
    """One part of an image file. Treat it as frozen: `replace` and `with_metadata` give a new one that
    shares samples.

    `channels` are full EXR names ("R", "depth.Z", "albedo.R"); `channel_formats` says how the file holds
    each: "half", "float", "uint32", "uint8", "uint10", "uint12" or "uint16". `data_window` is where the
    pixels lie, `display_window` the picture's frame. `metadata_types` names the OpenImageIO type of an
    entry where the Python type does not say it ("timecode", "rational", "float[8]").
    """

    def __init__(
        self,
        pixels: NDArray[Any],
        channels: Sequence[str],
        data_window: Window | None = None,
        display_window: Window | None = None,
        channel_formats: Sequence[str] | None = None,
        metadata: Mapping[str, Any] | None = None,
        part_name: str = "",
        metadata_types: Mapping[str, str] | None = None,
    ) -> None:
        """`pixels` (H, W, C) float32 or float16; the windows default to the whole array, the formats to
        half.
        """
        self._set(
            (Block(tuple(channels), pixels),),
            data_window,
            display_window,
            channel_formats,
            metadata,
            part_name,
            metadata_types,
        )

    @classmethod
    def from_blocks(
        cls,
        blocks: Sequence[Block],
        data_window: Window | None = None,
        display_window: Window | None = None,
        channel_formats: Sequence[str] | None = None,
        metadata: Mapping[str, Any] | None = None,
        part_name: str = "",
        metadata_types: Mapping[str, str] | None = None,
    ) -> Image:
        """An image of several arrays of one size, such as half colour and float depth."""
        image = cls.__new__(cls)
        image._set(
            tuple(blocks), data_window, display_window, channel_formats, metadata, part_name, metadata_types
        )
        return image

    def _set(
        self,
        blocks: tuple[Block, ...],
        data_window: Window | None,
        display_window: Window | None,
        channel_formats: Sequence[str] | None,
        metadata: Mapping[str, Any] | None,
        part_name: str,
        metadata_types: Mapping[str, str] | None,
    ) -> None:
        height, width = blocks[0].samples.shape[:2]
        for block in blocks:
            if block.samples.ndim != 3 or block.samples.shape != (height, width, len(block.channels)):
                raise SizeMismatchError(
                    f"Samples of {', '.join(block.channels)} are {block.samples.shape}; expected "
                    f"{(height, width, len(block.channels))}."
                )
        self.blocks = blocks
        self.channels: tuple[str, ...] = tuple(name for block in blocks for name in block.channels)
        self.data_window = data_window or Window(0, 0, width, height)
        self.display_window = display_window or Window(0, 0, width, height)
        self.channel_formats = tuple(channel_formats or ("half",) * len(self.channels))
        self.metadata: dict[str, Any] = dict(metadata or {})
        self.metadata_types: dict[str, str] = dict(metadata_types or {})
        self.part_name = part_name
        if len(set(self.channels)) != len(self.channels) or len(self.channel_formats) != len(self.channels):
            raise ChannelError(
                f"Channels {', '.join(self.channels)} with formats {', '.join(self.channel_formats)}: "
                "each channel needs its own name and one format."
            )
        if (self.data_window.width, self.data_window.height) != (width, height):
            raise SizeMismatchError(f"Pixels are {width}x{height} but the data window is {self.data_window}.")

    @property
    def width(self) -> int:
        return self.data_window.width

    @property
    def height(self) -> int:
        return self.data_window.height

    @property
    def pixels(self) -> Pixels:
        """All channels as (H, W, C) float32 in the order of `channels`; may share memory."""
        return self.select(self.channels)

    @property
    def sample_bytes(self) -> int:
        """Memory held by the samples, in bytes."""
        return sum(block.samples.nbytes for block in self.blocks)

    def select(self, names: Sequence[str]) -> Pixels:
        """(H, W, len(names)) float32, contiguous, in the order of `names`. May share memory: do not write
        into it.

        Raises ChannelError for a channel that the image does not have.
        """
        places = [self._place(name) for name in names]
        block = places[0][0] if places else self.blocks[0]
        first = places[0][1] if places else 0
        if all(place == (block, first + k) for k, place in enumerate(places)):
            return _as_float(block.samples[..., first : first + len(places)])
        pixels = np.empty((self.height, self.width, len(names)), np.float32)
        for k, (block, index) in enumerate(places):
            pixels[..., k] = block.samples[..., index]
        return pixels

    def replace(self, names: Sequence[str], pixels: Pixels, new_format: str = "half") -> Image:
        """The image with `pixels` (H, W, len(names)) in place of the named channels.

        New names are added with `new_format`; the other channels keep their samples.
        """
        formats = dict(zip(self.channels, self.channel_formats, strict=True))
        formats.update({name: new_format for name in names if formats.get(name, "uint32") == "uint32"})
        kept = tuple(
            block for block in (_without(block, set(names)) for block in self.blocks) if block.channels
        )
        blocks = (*kept, Block(tuple(names), pixels))
        return Image.from_blocks(
            blocks,
            self.data_window,
            self.display_window,
            [formats[name] for block in blocks for name in block.channels],
            self.metadata,
            self.part_name,
            self.metadata_types,
        )

    def with_metadata(self, entries: Mapping[str, Any], types: Mapping[str, str] | None = None) -> Image:
        """The image with `entries` added to its metadata; an entry that is None is removed."""
        merged = {name: value for name, value in {**self.metadata, **entries}.items() if value is not None}
        kept_types = {name: kind for name, kind in self.metadata_types.items() if name not in entries}
        return Image.from_blocks(
            self.blocks,
            self.data_window,
            self.display_window,
            self.channel_formats,
            merged,
            self.part_name,
            {**kept_types, **(types or {})},
        )

    def layers(self) -> dict[str, tuple[str, ...]]:
        """Channel names of each layer; "" is the main layer (R, G, B, A, Z without a prefix)."""
        layers: dict[str, tuple[str, ...]] = {}
        for name in self.channels:
            layer = name.rpartition(".")[0]
            layers[layer] = (*layers.get(layer, ()), name)
        return layers

    def _place(self, name: str) -> tuple[Block, int]:
        for block in self.blocks:
            if name in block.channels:
                return block, block.channels.index(name)
        raise ChannelError(f"There is no channel '{name}'. The channels are {', '.join(self.channels)}.")


def _as_float(samples: NDArray[Any]) -> Pixels:
    """Contiguous float32. Half goes through a table of all its values: twice as fast on plates as a cast."""
    if samples.dtype != np.float16:
        return np.ascontiguousarray(samples, dtype=np.float32)
    pixels = np.empty(samples.shape, np.float32)
    rows = max(1, _TABLE_BLOCK // max(1, pixels[:1].size))  # bounds the indices that `take` makes
    for top in range(0, len(samples), rows):
        codes = samples[top : top + rows].view(np.uint16)
        np.take(_FLOAT_OF_HALF, codes, out=pixels[top : top + rows], mode="clip")
    return pixels


def _without(block: Block, names: set[str]) -> Block:
    kept = [k for k, name in enumerate(block.channels) if name not in names]
    if len(kept) == len(block.channels):
        return block
    channels = tuple(block.channels[k] for k in kept)
    if not kept or kept == list(range(kept[0], kept[-1] + 1)):
        first = kept[0] if kept else 0
        return Block(channels, block.samples[..., first : first + len(kept)])
    return Block(channels, block.samples[..., kept])


@dataclass(frozen=True, eq=False)
class ImageFile:
    """A whole file: one part, or the parts of a multi-part EXR. `file_format` is "openexr", "dpx", "png",
    "video", …
    """

    parts: tuple[Image, ...]
    path: Path = field(default_factory=Path)
    file_format: str = "openexr"

    @property
    def main(self) -> Image:
        """The first part, which holds the picture."""
        return self.parts[0]

    def layers(self) -> dict[str, tuple[str, ...]]:
        """Channel names of each layer of all parts, as `select` takes them."""
        layers: dict[str, tuple[str, ...]] = {}
        for name in self._places():
            layer = name.rpartition(".")[0]
            layers[layer] = (*layers.get(layer, ()), name)
        return layers

    def select(self, names: Sequence[str]) -> Pixels:
        """(H, W, len(names)) float32 of channels of one data window. May share memory: do not write into it.

        Raises ChannelError (no such channel) and SizeMismatchError (parts with other data windows).
        """
        places = [self._place(name) for name in names]
        if len({part for part, _ in places}) == 1:
            return self.parts[places[0][0]].select([channel for _, channel in places])
        windows = {self.parts[part].data_window for part, _ in places}
        if len(windows) > 1:
            raise SizeMismatchError(
                f"{self.path}: channels {', '.join(names)} lie in parts with data windows "
                f"{' and '.join(sorted(map(str, windows)))}. Choose channels of one part."
            )
        return np.concatenate([self.parts[part].select([channel]) for part, channel in places], axis=2)

    def replace(self, names: Sequence[str], pixels: Pixels, new_format: str = "half") -> ImageFile:
        """The file with `pixels` (H, W, len(names)) in place of the named channels, each in its own part.

        New channels are added to the main part.
        """
        places = self._places()
        owners = [places.get(name, (0, name)) for name in names]
        parts = list(self.parts)
        for index in sorted({part for part, _ in owners}):
            columns = [k for k, (part, _) in enumerate(owners) if part == index]
            chosen = pixels if len(columns) == len(owners) else np.ascontiguousarray(pixels[..., columns])
            parts[index] = parts[index].replace([owners[k][1] for k in columns], chosen, new_format)
        return ImageFile(tuple(parts), self.path, self.file_format)

    def with_main(self, image: Image) -> ImageFile:
        """The file with another first part."""
        return ImageFile((image, *self.parts[1:]), self.path, self.file_format)

    def _places(self) -> dict[str, tuple[int, str]]:
        """Full channel name to (part, its name there). A part "albedo" with a channel "R" gives
        "albedo.R".
        """
        places: dict[str, tuple[int, str]] = {}
        for index, part in enumerate(self.parts):
            for channel in part.channels:
                plain = index == 0 or "." in channel
                places.setdefault(
                    channel if plain else f"{part.part_name or f'part{index}'}.{channel}", (index, channel)
                )
        return places

    def _place(self, name: str) -> tuple[int, str]:
        places = self._places()
        if name not in places:
            raise ChannelError(f"{self.path} has no channel '{name}'. Its channels are {', '.join(places)}.")
        return places[name]


def placed(pixels: Pixels, source: Window, target: Window, fill: float = 0.0) -> Pixels:
    """Pixels (H, W) or (H, W, C) of window `source` on the window `target`; `fill` where there is none."""
    if source == target:
        return pixels
    moved = np.full((target.height, target.width, *pixels.shape[2:]), fill, np.float32)
    left, top = max(source.x, target.x), max(source.y, target.y)
    right = min(source.x + source.width, target.x + target.width)
    bottom = min(source.y + source.height, target.y + target.height)
    if left < right and top < bottom:
        part = pixels[top - source.y : bottom - source.y, left - source.x : right - source.x]
        moved[top - target.y : bottom - target.y, left - target.x : right - target.x] = part
    return moved
