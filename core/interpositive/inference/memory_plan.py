"""How one memory budget is shared between the frames in flight and the window that is computed."""

from __future__ import annotations

from dataclasses import dataclass

from ..images.image import ImageFile
from ..models.manifest import Manifest

_MOST_IN_FLIGHT = 4
_FLOAT_BYTES = 4
_LEAST_TILE_SHARE = 0.25  # of the budget, before a second frame is let in


@dataclass(frozen=True)
class MemoryPlan:
    """Frames that are read, computed and written at one time, and bytes left for the window."""

    frames_in_flight: int
    tile_bytes: int


def plan_memory(budget_bytes: int, frame: ImageFile, manifest: Manifest, has_matte: bool) -> MemoryPlan:
    """Share `budget_bytes` for frames like `frame`.

    A frame being computed holds its stored samples and, as float32, the network's input, its result and
    the matte; one being read its samples and the matte, one being written its result and samples.
    """
    area = frame.main.width * frame.main.height
    stored = sum(part.sample_bytes for part in frame.parts)
    taken = area * _FLOAT_BYTES * sum(len(layer.channels) for layer in manifest.inputs)
    given = area * _FLOAT_BYTES * sum(len(layer.channels) for layer in manifest.outputs)
    matte = area * _FLOAT_BYTES if has_matte else 0
    computing = stored + taken + given + matte
    least_tile = int(min(area * manifest.tiling.bytes_per_pixel, budget_bytes * _LEAST_TILE_SHARE))
    spare = budget_bytes - computing - least_tile
    # The second frame is one being read or one being written, the third the other, the fourth waits.
    others, in_flight = 0, 1
    for further in (max(given + stored // 2, stored + matte), stored + matte, stored + matte)[
        : _MOST_IN_FLIGHT - 1
    ]:
        if others + further > spare:
            break
        others, in_flight = others + further, in_flight + 1
    return MemoryPlan(in_flight, max(budget_bytes - computing - others, least_tile))
