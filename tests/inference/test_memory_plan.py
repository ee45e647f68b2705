from __future__ import annotations

import numpy as np
import pytest

from interpositive.images.image import Image, ImageFile
from interpositive.inference.memory_plan import plan_memory
from interpositive.memory import GIB
from model_samples import sample_manifest


def header(width: int, height: int, channels: int = 3, kind: type = np.float16) -> ImageFile:
    names = [f"c{index}" for index in range(channels)]
    return ImageFile((Image(np.broadcast_to(kind(0), (height, width, channels)), names),))


@pytest.mark.parametrize("has_matte", [False, True])
@pytest.mark.parametrize("kind", [np.float16, np.float32])
@pytest.mark.parametrize("channels", [3, 4])
def test_an_8k_frame_stays_under_three_gb(channels: int, kind: type, has_matte: bool) -> None:
    frame = header(8192, 4320, channels, kind)
    plan = plan_memory(2 * GIB, frame, sample_manifest(), has_matte)
    computing = frame.main.sample_bytes + 8192 * 4320 * 4 * (3 + 3 + has_matte)
    others = (plan.frames_in_flight - 1) * (frame.main.sample_bytes + 8192 * 4320 * 4 * (3 + has_matte))
    assert computing + others + plan.tile_bytes < 2.75 * GIB


def test_an_8k_half_frame_is_read_or_written_while_another_is_computed() -> None:
    assert plan_memory(2 * GIB, header(8192, 4320), sample_manifest(), False).frames_in_flight == 2


def test_an_hd_frame_is_computed_whole_with_frames_waiting() -> None:
    plan = plan_memory(2 * GIB, header(1920, 1080), sample_manifest(), False)
    assert plan.frames_in_flight == 4
    assert plan.tile_bytes >= 1920 * 1080 * sample_manifest().tiling.bytes_per_pixel


def test_a_smaller_budget_gives_smaller_tiles_and_fewer_frames() -> None:
    plans = [
        plan_memory(budget, header(4096, 2160), sample_manifest(), False)
        for budget in (4 * GIB, GIB, GIB // 2)
    ]
    assert [plan.tile_bytes for plan in plans] == sorted((plan.tile_bytes for plan in plans), reverse=True)
    assert [plan.frames_in_flight for plan in plans] == sorted(
        (plan.frames_in_flight for plan in plans), reverse=True
    )
