"""A shot of a few small frames, and changes of it, for tests of training."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from interpositive.frames import FrameRange
from interpositive.images.image import Image, Pixels
from interpositive.images.sequence import find_sequence
from interpositive.images.writing import write_exr
from interpositive.progress import Progress, ProgressUpdate
from interpositive.training.footage import Footage, read_footage

HEIGHT, WIDTH, SQUARE = 64, 96, 24
FRAMES = range(1001, 1008)
GRADE = np.float32([1.6, 1.1, 0.6])


class Recorder(Progress):
    """Keeps what the artist would see; asks to stop when `stage` reaches `step`."""

    def __init__(self, stage: str = "", step: int = 0) -> None:
        super().__init__()
        self.lines: list[str] = []
        self.warnings: list[str] = []
        self.updates: list[ProgressUpdate] = []
        self._stop_at = (stage, step)

    def show(self, update: ProgressUpdate) -> None:
        self.updates.append(update)
        if (update.stage, update.done) == self._stop_at:
            self.cancel()

    def show_log(self, message: str, level: str) -> None:
        assert "\n" not in message
        (self.warnings if level == "warning" else self.lines).append(message)

    def steps(self, stage: str = "training") -> list[int]:
        return [update.done for update in self.updates if update.stage == stage]


def texture(seed: int = 0, height: int = HEIGHT, width: int = WIDTH) -> Pixels:
    """(H, W, 3) scene-linear, soft and fine detail, about 0.02 to 0.9, exact in half."""
    random = np.random.default_rng(seed)
    soft = cv2.resize(random.random((5, 7, 3)), (width, height), interpolation=cv2.INTER_CUBIC)
    pixels = 0.02 + np.clip(soft, 0, 1) * (0.5 + 0.4 * random.random((height, width, 1)))
    return pixels.astype(np.float16).astype(np.float32)


def square_at(frame: int) -> tuple[slice, slice]:
    """Rows and columns of the square that moves."""
    left = 6 + 8 * (frame - FRAMES[0])
    return slice(20, 20 + SQUARE), slice(left, left + SQUARE)


def plate_of(frame: int) -> Pixels:
    """A red square over a texture, with values from -0.5 to 60 in the corners."""
    pixels = texture()
    pixels[square_at(frame)] = 0.2 * texture(1)[:SQUARE, :SQUARE] + np.float32([0.6, 0.05, 0.05])
    pixels[:4, :6], pixels[:4, -6:], pixels[-4:, :6], pixels[-4:, -6:] = -0.5, 60, 7.25, -0.0
    return pixels.astype(np.float16).astype(np.float32)


def matte_of(frame: int) -> Pixels:
    """(H, W, 1): one in the square."""
    matte = np.zeros((HEIGHT, WIDTH, 1), np.float32)
    matte[square_at(frame)] = 1
    return matte


def graded(frame: int) -> Pixels:
    """Everything changed by one gain."""
    return plate_of(frame) * GRADE


def relit_square(frame: int) -> Pixels:
    """The square changed, the rest the plate's bits."""
    pixels = plate_of(frame)
    pixels[square_at(frame)] *= GRADE
    return pixels


def relit_unevenly(frame: int) -> Pixels:
    """Everything changed, by more at the right and in the square: no global curve does that."""
    x = np.linspace(-1, 1, WIDTH, dtype=np.float32)[None, :, None]
    pixels = plate_of(frame) * (1 + 0.6 * x * np.float32([1, 0.5, -0.5]))
    pixels[square_at(frame)] *= GRADE
    return pixels


def rgb_image(pixels: Pixels, **windows: Any) -> Image:
    return Image(pixels, ("R", "G", "B"), channel_formats=("float",) * 3, **windows)


def with_alpha(frame: int) -> Image:
    pixels = np.concatenate([plate_of(frame), matte_of(frame)], 2)
    return Image(pixels, ("R", "G", "B", "A"), channel_formats=("float",) * 4)


def write_frames(
    folder: Path, name: str, frames: Iterable[int], make: Callable[[int], Pixels | Image]
) -> str:
    """Float EXRs; returns the pattern."""
    for frame in frames:
        made = make(frame)
        write_exr(folder / f"{name}.{frame:04d}.exr", made if isinstance(made, Image) else rgb_image(made))
    return str(folder / f"{name}.%04d.exr")


def write_shot(
    folder: Path,
    make: Callable[[int], Pixels | Image] = relit_unevenly,
    keyframes: Iterable[int] = (1001, 1004, 1007),
) -> dict[str, str]:
    """Plate and keyframes on disk, as parameters of the train tool."""
    return {
        "plate": write_frames(folder / "plate", "pl", FRAMES, plate_of),
        "keyframes": write_frames(folder / "keys", "comp", keyframes, make),
        "out": str(folder / "model"),
    }


def footage_of(shot: dict[str, str], progress: Progress | None = None, **options: Any) -> Footage:
    """The shot as training reads it."""
    frames = options.pop("frames", None)
    wanted = FrameRange.parse(frames) if frames else None
    values: dict[str, Any] = {
        "declared_space": None,
        "keyframe_space": None,
        "input_layers": [],
        "output_layers": [],
        **options,
    }
    return read_footage(
        find_sequence(shot["plate"], wanted),
        find_sequence(shot["keyframes"]),
        progress=progress or Progress(),
        **values,
    )


def bits(pixels: NDArray[np.float32]) -> NDArray[np.uint32]:
    return np.ascontiguousarray(pixels, np.float32).view(np.uint32)
