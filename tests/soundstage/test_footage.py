"""The sample shot on disk looks like footage and is not rendered twice."""

from __future__ import annotations

import multiprocessing
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from interpositive.errors import Cancelled
from interpositive.images.reading import read_image_file
from interpositive.progress import Progress
from interpositive.soundstage.footage import Footage, render_footage, timecode, write_frame
from interpositive.soundstage.sample_shot import SampleSettings, render_frame

SETTINGS = SampleSettings(width=64, height=36, frame_count=4)


@pytest.fixture(scope="module")
def footage(tmp_path_factory: pytest.TempPathFactory) -> Footage:
    return render_footage(tmp_path_factory.mktemp("shot"), SETTINGS, Progress())


def test_timecode_is_binary_coded_decimal() -> None:
    assert timecode(1001) == (0x01000000, 0)
    assert timecode(1001 + 24 * 61 + 13) == (0x01010113, 0)


def test_frames_are_half_exr_with_what_a_camera_writes(footage: Footage) -> None:
    image = read_image_file(footage.path("plate", 1003)).main
    assert image.channels == ("R", "G", "B") and set(image.channel_formats) == {"half"}
    assert image.metadata["smpte:TimeCode"] == (0x01000002, 0)
    assert image.metadata["chromaticities"][:2] == pytest.approx((0.713, 0.293))
    assert image.metadata["FramesPerSecond"] == (24, 1)
    assert {"cameraModel", "lensModel", "focus", "FNumber", "ExposureTime"} <= image.metadata.keys()


def test_pixels_on_disk_are_the_rendered_ones_as_half(footage: Footage) -> None:
    rendered = render_frame(SETTINGS, 1002)
    for layer, exact in (("plate", rendered.plate), ("target", rendered.target)):
        stored = read_image_file(footage.path(layer, 1002)).main.pixels
        assert np.array_equal(stored, exact.astype(np.float16).astype(np.float32))
    assert read_image_file(footage.path("matte", 1002)).main.channels == ("A",)


def test_only_missing_frames_are_rendered(footage: Footage) -> None:
    kept, lost = footage.path("plate", 1001), footage.path("plate", 1004)
    before, bits = kept.stat().st_mtime_ns, lost.read_bytes()
    lost.unlink()
    render_footage(footage.folder, SETTINGS, Progress())
    assert kept.stat().st_mtime_ns == before
    assert lost.read_bytes() == bits


def test_other_settings_replace_the_shot(tmp_path: Path) -> None:
    first = Footage(tmp_path, SETTINGS)
    write_frame(first, 1001)
    old = first.path("plate", 1001).read_bytes()
    shorter = SampleSettings(64, 36, 2)
    render_footage(tmp_path, shorter, Progress())
    assert first.path("plate", 1001).read_bytes() != old or not first.path("plate", 1004).exists()
    assert sorted(p.name for p in (tmp_path / "plate").iterdir()) == [
        "robot_plate.1001.exr",
        "robot_plate.1002.exr",
    ]


def test_a_cancel_does_not_wait_for_the_frames_in_work(tmp_path: Path) -> None:
    slow = SampleSettings(width=1024, height=576, frame_count=8)
    progress = Progress()
    threading.Timer(3.0, progress.cancel).start()
    started = time.monotonic()
    with pytest.raises(Cancelled):
        render_footage(tmp_path, slow, progress)
    assert time.monotonic() - started < 8.0
    assert multiprocessing.active_children() == []
    assert render_footage(tmp_path, SETTINGS, Progress()).is_whole(1004)
    assert list(tmp_path.rglob(".*")) == []
