"""Clips with known answers, and which of their frames are learned from and which are scored.

A data folder holds one folder a clip; in it `plate` and one or more of `relit`, `graded`, `matte`, each one
sequence `name.####.ext`. Keyframes are round(linspace(0, n-1, 5)); scored is every sixth of the other
frames, from the fourth.
"""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import MissingFramesError

KEYFRAME_COUNT = 5
_NUMBERED = re.compile(r"^(?P<stem>.*?)(?P<number>\d+)(?P<suffix>\.\w+)$")


@dataclass(frozen=True)
class Clip:
    """Frames of a clip by layer name and frame number."""

    name: str
    files: dict[str, dict[int, Path]]

    @property
    def frames(self) -> list[int]:
        """Frame numbers in order."""
        return sorted(self.files["plate"])

    @property
    def keyframes(self) -> list[int]:
        """Frames that training may see."""
        return evenly_spaced(self.frames, KEYFRAME_COUNT)

    @property
    def scored(self) -> list[int]:
        """Frames that are scored, the same whatever was learned from."""
        return [f for f in self.frames if f not in self.keyframes][3::6]


def evenly_spaced(frames: list[int], count: int) -> list[int]:
    """`count` frames at equal steps, the first and the last among them (halves round to even, as numpy
    does)."""
    return [frames[round(position)] for position in np.linspace(0, len(frames) - 1, count).tolist()]


def read_clips(data: Path) -> dict[str, Clip]:
    """Clips below `data` by name. Raises MissingFramesError where a layer has not the plate's frames."""
    clips: dict[str, Clip] = {}
    for folder in sorted(data.iterdir()) if data.is_dir() else []:
        if not (folder / "plate").is_dir():
            continue
        files = {layer.name: _numbered_files(layer) for layer in sorted(folder.iterdir()) if layer.is_dir()}
        for layer, found in files.items():
            lacking = sorted(set(files["plate"]) - set(found))
            if lacking:
                raise MissingFramesError(
                    f"{folder / layer} lacks {len(lacking)} of the {len(files['plate'])} plate "
                    f"frames, the first is "
                    f"{lacking[0]}. Complete the folder or take it out of the data."
                )
        clips[folder.name] = Clip(folder.name, files)
    if not clips:
        raise MissingFramesError(
            f"No clips in {data}: expected folders with a `plate` folder inside. Point --data at "
            f"such a folder."
        )
    return clips


def pattern(files: dict[int, Path]) -> str:
    """The sequence as `folder/name.%04d.ext`."""
    first = files[min(files)]
    match = _NUMBERED.match(first.name)
    if match is None:
        raise MissingFramesError(f"{first} carries no frame number. Rename it to name.1001.ext.")
    return str(first.parent / f"{match['stem']}%0{len(match['number'])}d{match['suffix']}")


def copy_frames(files: dict[int, Path], frames: list[int], folder: Path) -> str:
    """Copy some frames into an empty `folder`, so that nothing else can be learned from; returns their
    pattern."""
    folder.mkdir(parents=True, exist_ok=True)
    copies = {f: folder / files[f].name for f in frames}
    for frame, path in copies.items():
        shutil.copyfile(files[frame], path)
    return pattern(copies)


def _numbered_files(folder: Path) -> dict[int, Path]:
    found: dict[int, Path] = {}
    for path in sorted(folder.iterdir()):
        match = _NUMBERED.match(path.name)
        if match and not path.name.startswith("."):
            found[int(match["number"])] = path
    return found
