"""What every tool that renders a plate's frames does around the rendering: which frames are still to be made,
and what is told about their pixels.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..errors import OutputError, UsageError
from ..frames import SequencePath, compact_frames
from ..images.sequence import PlateSequence
from ..progress import Progress
from .mixing import BadPixels
from .render_stamp import RenderStamp


@dataclass
class Tally:
    """Counts of one run, each kept by one thread: the one that computes or the one that writes."""

    written: int = 0
    clamped: int = 0
    bad: int = 0
    first_bad: tuple[int, BadPixels] | None = None

    def count_bad(self, frame: int, bad: BadPixels) -> None:
        self.bad += bad.count
        if self.first_bad is None or frame < self.first_bad[0]:
            self.first_bad = frame, bad

    def count_written(self, clamped: int) -> None:
        self.written += 1
        self.clamped += clamped

    def warn(self, progress: Progress) -> None:
        """Tell about pixels that were kept or held, once for the whole run."""
        if self.first_bad is not None:
            frame, bad = self.first_bad
            progress.log(
                f"The plate has {self.bad} NaN or infinite pixels, first in frame {frame} at "
                f"x {bad.first_x}, y {bad.first_y} from the top left; they are kept as they are.",
                "warning",
            )
        if self.clamped:
            progress.log(
                f"{self.clamped} samples were too large for half and are held at 65504. "
                "Pass --bit-depth float to keep them.",
                "warning",
            )


def refuse_overwriting(out: SequencePath, sequence: PlateSequence, option: str, called: str) -> None:
    """Raise `UsageError` where `out`, given as `option`, names a frame of a sequence that is read."""
    for frame in sequence.frames:
        if out.frame_path(frame).resolve() == sequence.path(frame).resolve():
            raise UsageError(f"--out {option} would overwrite the {called}. Choose another folder or name.")


def frames_to_render(
    plate: PlateSequence,
    out: SequencePath,
    stamp: Callable[[int], RenderStamp],
    overwrite: bool,
    tool: str,
    outdated_because: str,
    progress: Progress,
) -> list[int]:
    """Frames without a whole result of this very job.

    Raises `OutputError` for files that `tool` did not make. `outdated_because` ends the sentence about frames
    that are made again.
    """
    if overwrite:
        return list(plate.frames)
    standing: dict[str, list[int]] = {}
    for frame in plate.frames:
        progress.raise_if_cancelled()
        standing.setdefault(stamp(frame).standing(out.frame_path(frame)), []).append(frame)
    if "foreign" in standing:
        raise OutputError(
            f"{out} exists for frames {compact_frames(standing['foreign'])} and was not made by "
            f"interpositive {tool}, or cannot be read. Choose another --out, or pass --overwrite."
        )
    if "outdated" in standing:
        progress.log(
            f"Frames {compact_frames(standing['outdated'])} were made {outdated_because}, and are rendered "
            "again."
        )
    if "current" in standing:
        progress.log(f"Frames {compact_frames(standing['current'])} are finished and kept.")
    current = set(standing.get("current", ()))
    return [frame for frame in plate.frames if frame not in current]
