"""The sample shot on disk: half EXR sequences that look, to every tool, like footage from a camera.

A folder holds `plate`, `target` (the exact artist's version of every frame), `matte` (the robot's
coverage, channel
A) and `shot.json`, which says what was rendered. Frames appear whole; what is there is not rendered again.
"""

from __future__ import annotations

import json
import multiprocessing
import signal
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..images.image import Image
from ..images.writing import remove_unfinished, whole_file, write_exr
from ..memory import keep_freed_memory, usable_cores
from ..progress import Progress
from .camera import Camera
from .sample_shot import FIRST_FRAME, FRAMES_PER_SECOND, SampleSettings, render_frame

SHOT_FILE = "shot.json"
SCHEMA = "interpositive.sample_shot"
SCENE_VERSION = 1  # raise it whenever the picture changes
AP1_CHROMATICITIES = (0.713, 0.293, 0.165, 0.830, 0.128, 0.044, 0.32168, 0.33767)  # ACES S-2014-004
_FIRST_HOUR = 1
_F_NUMBER = 4.0
_CANCEL_INTERVAL_S = 0.2
_METRES_PER_UNIT = 0.1  # the robot is 29 cm tall


@dataclass(frozen=True)
class Footage:
    """Where the sequences of a rendered sample shot are."""

    folder: Path
    settings: SampleSettings

    def pattern(self, layer: str) -> str:
        """The sequence of "plate", "target" or "matte" as `folder/name.%04d.exr`."""
        return str(self.folder / layer / f"robot_{layer}.%04d.exr")

    def path(self, layer: str, frame: int) -> Path:
        """One frame of a sequence."""
        return Path(self.pattern(layer) % frame)

    def is_whole(self, frame: int) -> bool:
        """Whether every layer of the frame is on disk."""
        return all(self.path(layer, frame).is_file() for layer in LAYERS)


LAYERS = ("plate", "target", "matte")


def render_footage(folder: Path, settings: SampleSettings, progress: Progress) -> Footage:
    """Render what is missing of the shot into `folder`, one process a core. Raises OutputError, Cancelled."""
    footage = Footage(folder, settings)
    _claim(footage)
    missing = [frame for frame in settings.frames if not footage.is_whole(frame)]
    if not missing:
        return footage
    done = settings.frame_count - len(missing)
    progress.report("rendering the sample shot", done, settings.frame_count)
    context = multiprocessing.get_context("spawn")
    others = set(multiprocessing.active_children())
    with ProcessPoolExecutor(min(usable_cores(), len(missing)), context, initializer=_start_worker) as pool:
        waiting = {pool.submit(write_frame, footage, frame) for frame in missing}
        try:
            while waiting:
                finished, waiting = wait(waiting, _CANCEL_INTERVAL_S, return_when=FIRST_COMPLETED)
                progress.raise_if_cancelled()
                for future in finished:
                    future.result()
                    done += 1
                    progress.report("rendering the sample shot", done, settings.frame_count)
        except BaseException:
            for worker in set(multiprocessing.active_children()) - others:
                worker.terminate()  # frames appear whole, so one that is cut short is only rendered again
            raise
    return footage


def _start_worker() -> None:
    keep_freed_memory()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches every process; the first one decides


def write_frame(footage: Footage, frame: int) -> None:
    """Render one frame and write its three files."""
    rendered = render_frame(footage.settings, frame)
    attributes, types = _attributes(rendered.camera, frame)
    for layer, pixels in (
        ("target", rendered.target),
        ("matte", rendered.matte[..., None]),
        ("plate", rendered.plate),
    ):
        channels = ("A",) if layer == "matte" else ("R", "G", "B")
        image = Image(np.ascontiguousarray(pixels), channels, metadata=attributes, metadata_types=types)
        write_exr(footage.path(layer, frame), image, "half")


def timecode(frame: int) -> tuple[int, int]:
    """Timecode of a frame of the shot, see `packed_timecode`."""
    return packed_timecode(frame - FIRST_FRAME, _FIRST_HOUR)


def packed_timecode(frames: int, hours: int, minutes: int = 0) -> tuple[int, int]:
    """SMPTE ST 12-1 timecode as OpenEXR packs it, `frames` after that hour and minute: binary-coded hours,
    minutes, seconds, frames; no flags."""
    seconds, rest = divmod(frames, FRAMES_PER_SECOND)
    more, seconds = divmod(seconds, 60)
    packed = 0
    for value in (hours, minutes + more, seconds, rest):
        packed = (packed << 8) | ((value // 10) << 4) | value % 10
    return packed, 0


def _attributes(camera: Camera, frame: int) -> tuple[dict[str, Any], dict[str, str]]:
    """Metadata and its OpenImageIO types, as a camera would have written them."""
    distance = float(np.linalg.norm(np.subtract(camera.target, camera.position))) * _METRES_PER_UNIT
    attributes: dict[str, Any] = {
        "chromaticities": AP1_CHROMATICITIES,
        "smpte:TimeCode": timecode(frame),
        "FramesPerSecond": (FRAMES_PER_SECOND, 1),
        "worldtocamera": camera.world_to_camera(),
        "cameraMake": "Interpositive",
        "cameraModel": "Virtual Stage",
        "lensModel": f"{camera.focal_mm:g} mm T{_F_NUMBER:g}",
        "nominalFocalLength": camera.focal_mm,
        "FNumber": _F_NUMBER,
        "focus": distance,
        "ExposureTime": 1 / (2 * FRAMES_PER_SECOND),
        "ImageDescription": "Rendered sample shot",
    }
    types = {
        "chromaticities": "float[8]",
        "smpte:TimeCode": "timecode",
        "FramesPerSecond": "rational",
        "worldtocamera": "matrix",
    }
    return attributes, types


def _claim(footage: Footage) -> None:
    """Write `shot.json`; frames of other settings, of an older scene or half written are removed first."""
    wanted = {"schema": SCHEMA, "version": 1, "scene": SCENE_VERSION, **asdict(footage.settings)}
    record = footage.folder / SHOT_FILE
    for layer in LAYERS:
        remove_unfinished(footage.folder / layer)
    if record.is_file():
        try:
            found = json.loads(record.read_text(encoding="utf-8"))
        except ValueError:
            found = None
        if found == wanted:
            return
    for layer in LAYERS:
        for stale in (footage.folder / layer).glob(f"robot_{layer}.*.exr"):
            stale.unlink()
    with whole_file(record) as unfinished:
        unfinished.write_text(json.dumps(wanted, indent=2) + "\n", encoding="utf-8")
