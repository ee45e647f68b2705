from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from interpositive.errors import OutputError, UsageError
from interpositive.images.image import Image
from interpositive.images.sequence import find_sequence, output_path
from interpositive.images.writing import write_exr
from interpositive.inference.frame_output import Tally, frames_to_render, refuse_overwriting
from interpositive.inference.mixing import BadPixels
from interpositive.inference.render_stamp import RenderStamp
from interpositive.progress import Progress


class Recorder(Progress):
    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def show_log(self, message: str, level: str) -> None:
        self.lines.append(message)


def stamp_of(settings: str, maker: tuple[str, str] = ("lights", "lights_sha256")) -> RenderStamp:
    return RenderStamp("rig", "0" * 64, "1", settings, "plate", maker)


def picture(stamp: RenderStamp | None = None) -> Image:
    image = Image(np.zeros((2, 3, 3), np.float32), ("R", "G", "B"))
    return image if stamp is None else image.with_metadata(stamp.attributes())


def test_what_is_made_is_kept_what_is_outdated_is_made_again_and_what_is_foreign_is_refused(
    tmp_path: Path,
) -> None:
    for frame in (1, 2, 3):
        write_exr(tmp_path / f"plate.{frame:04d}.exr", picture())
    plate, out = find_sequence(tmp_path / "plate.%04d.exr"), output_path(tmp_path / "out" / "o.%04d.exr")
    write_exr(out.frame_path(1), picture(stamp_of("new")))
    write_exr(out.frame_path(2), picture(stamp_of("old")))
    progress = Recorder()

    def todo(overwrite: bool = False) -> list[int]:
        return frames_to_render(
            plate, out, lambda frame: stamp_of("new"), overwrite, "relight", "with other lights", progress
        )

    assert todo() == [2, 3]
    assert progress.lines == [
        "Frames 2 were made with other lights, and are rendered again.",
        "Frames 1 are finished and kept.",
    ]
    write_exr(out.frame_path(3), picture(stamp_of("new", ("model", "weights_sha256"))))
    with pytest.raises(OutputError, match="frames 3 and was not made by interpositive relight"):
        todo()
    assert todo(overwrite=True) == [1, 2, 3]


def test_a_result_never_goes_over_what_it_is_made_from(tmp_path: Path) -> None:
    write_exr(tmp_path / "p.0001.exr", picture())
    plate = find_sequence(tmp_path / "p.%04d.exr")
    with pytest.raises(UsageError, match="overwrite the passes"):
        refuse_overwriting(output_path(tmp_path / "p.%04d.exr"), plate, "p.%04d.exr", "passes")


def test_the_first_bad_pixel_of_the_shot_is_told_once() -> None:
    tally, progress = Tally(), Recorder()
    tally.count_bad(1002, BadPixels(3, 5, 6))
    tally.count_bad(1001, BadPixels(2, 7, 8))
    tally.count_written(4)
    tally.warn(progress)
    assert "5 NaN or infinite pixels, first in frame 1001 at x 7, y 8" in progress.lines[0]
    assert "4 samples were too large for half" in progress.lines[1]
