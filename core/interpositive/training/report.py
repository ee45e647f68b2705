"""What a training shows while it runs: a JSON-lines log, the loss plot and the contact sheet."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ..errors import OutputError
from ..images.charts import line_plot
from ..images.colour import PlateColour, display_view
from ..images.contact_sheet import contact_sheet, difference
from ..images.image import Pixels
from ..images.writing import whole_file
from ..models.network import ShotNetwork
from .footage import Footage
from .validation import run_frame

_PICTURE_WIDTH_PX = 360
_DIFFERENCE_GAIN = 4.0
_MOST_ROWS = 5
_TITLES = ("plate", "keyframe", "result", "difference")


class TrainingLog:
    """Appends one JSON object a line. Lines up to the step `resumed` at stay, those of steps run again go.

    Without a `path` nothing is written.
    """

    def __init__(self, path: Path | None, resumed: int = 0) -> None:
        self._path = path
        self._lines: list[dict[str, Any]] = []
        if path is not None:
            self._lines = (
                [line for line in _read_lines(path) if line.get("step", 0) <= resumed] if resumed else []
            )
            with whole_file(path) as unfinished:
                unfinished.write_text("".join(map(_json_line, self._lines)), encoding="utf-8")

    def add(self, **values: Any) -> None:
        """One more line; `step` is among the values, infinities become null. Raises `OutputError`."""
        line = {name: value if _is_sayable(value) else None for name, value in values.items()}
        self._lines.append(line)
        if self._path is None:
            return
        try:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(_json_line(line))
        except OSError as error:
            raise OutputError(
                f"Cannot write {self._path}: {error.strerror}. Free the disk or its permissions; the same "
                "command continues the training."
            ) from error

    def plot(self, path: Path) -> None:
        """Draw loss and held-out error over the steps."""
        lines = {}
        for name in ("loss", "holdout_error"):
            points = [(line["step"], line[name]) for line in self._lines if line.get(name) is not None]
            if points:
                lines[name.replace("_", " ")] = ([x for x, _ in points], [y for _, y in points])
        if lines:
            line_plot(path, lines, "Training", "step", "error", is_log=True)


def _json_line(values: dict[str, Any]) -> str:
    return json.dumps(values) + "\n"


def _is_sayable(value: object) -> bool:
    return not isinstance(value, float) or math.isfinite(value)


def _read_lines(path: Path) -> list[dict[str, Any]]:
    if not path.is_file():
        return []
    lines = []
    for text in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            line = json.loads(text)
        except json.JSONDecodeError:  # the last line of a run that was killed
            continue
        if isinstance(line, dict):
            lines.append(line)
    return lines


def sheet_rows(footage: Footage, network: ShotNetwork) -> list[tuple[str, Pixels, Pixels, Pixels]]:
    """(label, plate, keyframe, result) of at most five keyframes, small; the first output layer of each."""
    keyframes = footage.keyframes
    picks = sorted({round(k) for k in np.linspace(0, len(keyframes) - 1, _MOST_ROWS)})
    shown = slice(0, len(footage.outputs[0].channels))
    rows = []
    for keyframe in (keyframes[pick] for pick in picks):
        result = run_frame(network, keyframe.plate, keyframe.origin, footage.extent)
        planes = (keyframe.plate[..., :3], keyframe.target[..., shown], result[..., shown])
        plate, target, found = (_small(_three_channels(picture)) for picture in planes)
        rows.append((str(keyframe.frame), plate, target, found))
    return rows


def write_contact_sheet(
    path: Path, rows: Sequence[tuple[str, Pixels, Pixels, Pixels]], colour: PlateColour, is_rgb: bool
) -> None:
    """Write `sheet_rows`; the plate, and what is `is_rgb`, through the view, mattes and data as they are."""
    shown = []
    for label, plate, *others in rows:
        pictures = [display_view(plate, colour)]
        pictures += [display_view(p, colour) if is_rgb else np.clip(p, 0.0, 1.0) for p in others]
        shown.append((label, [*pictures, difference(pictures[1], pictures[2], _DIFFERENCE_GAIN)]))
    contact_sheet(path, shown, _TITLES, f"difference x {_DIFFERENCE_GAIN:g}", _PICTURE_WIDTH_PX)


def _three_channels(picture: Pixels) -> Pixels:
    if picture.shape[2] >= 3:
        return np.ascontiguousarray(picture[..., :3])
    return np.repeat(picture[..., :1], 3, axis=2)


def _small(picture: Pixels) -> Pixels:
    height, width = picture.shape[:2]
    if width <= _PICTURE_WIDTH_PX:
        return picture
    size = (_PICTURE_WIDTH_PX, max(1, round(height * _PICTURE_WIDTH_PX / width)))
    small: Pixels = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    return small
