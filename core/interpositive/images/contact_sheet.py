"""Contact sheets: labelled rows of small pictures, such as plate, target, result and their difference."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ..errors import OutputError, SizeMismatchError
from .image import Pixels
from .writing import whole_file

_BACKGROUND, _INK = 0.11, 0.82
_GAP_PX, _TITLE_PX, _LABEL_PX = 8, 30, 64
_TEXT_SCALE = 0.5


def contact_sheet(
    path: str | Path,
    rows: Sequence[tuple[str, Sequence[Pixels]]],
    titles: Sequence[str],
    legend: str = "",
    picture_width_px: int = 320,
    label_px: int = _LABEL_PX,
) -> None:
    """Write a PNG of rows (label, pictures), one column a title, the legend below.

    Pictures are display-referred float 0..1, (H, W, 3) or (H, W, 1), all of one aspect ratio; see
    `colour.display_view` and `difference`. Raises SizeMismatchError, OutputError.
    """
    if not rows or any(len(pictures) != len(titles) for _, pictures in rows):
        raise SizeMismatchError(
            f"A contact sheet needs rows of {len(titles)} pictures ({', '.join(titles)})."
        )
    height, width = rows[0][1][0].shape[:2]
    cell_h, cell_w = max(1, round(height * picture_width_px / width)), picture_width_px
    step_x, step_y = cell_w + _GAP_PX, cell_h + _GAP_PX
    bottom = _TITLE_PX + len(rows) * step_y
    sheet = np.full(
        (bottom + (_TITLE_PX if legend else 0), label_px + len(titles) * step_x, 3), _BACKGROUND, np.float32
    )
    for column, title in enumerate(titles):
        _text(sheet, title, label_px + column * step_x, _TITLE_PX - 10)
    for k, (label, pictures) in enumerate(rows):
        top = _TITLE_PX + k * step_y
        _text(sheet, label, _GAP_PX, top + cell_h // 2 + 5)
        for column, picture in enumerate(pictures):
            left = label_px + column * step_x
            sheet[top : top + cell_h, left : left + cell_w] = _fitted(picture, cell_w, cell_h)
    if legend:
        _text(sheet, legend, label_px, bottom + _TITLE_PX - 12)
    write_png(path, sheet)


def difference(picture: Pixels, other: Pixels, gain: float = 4.0) -> Pixels:
    """Absolute difference of two pictures times `gain`, 0..1, for a contact sheet."""
    return np.clip(np.abs(picture - other) * np.float32(gain), 0.0, 1.0)


def write_png(path: str | Path, picture: Pixels) -> None:
    """An 8 bit PNG of a display-referred picture, float 0..1, (H, W, 3) RGB or (H, W, 1). Raises
    OutputError.
    """
    levels = np.rint(np.clip(np.nan_to_num(picture), 0.0, 1.0) * np.float32(255)).astype(np.uint8)
    encoded, data = cv2.imencode(".png", levels[..., ::-1] if picture.shape[2] == 3 else levels)
    if not encoded:
        raise OutputError(f"Cannot write {path}: a picture of {picture.shape} cannot be stored as PNG.")
    with whole_file(path) as unfinished:
        unfinished.write_bytes(data.tobytes())


def _fitted(picture: Pixels, width: int, height: int) -> Pixels:
    shrinks = picture.shape[1] > width
    fitted: NDArray[Any] = cv2.resize(
        np.ascontiguousarray(picture, np.float32),
        (width, height),
        interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR,
    )
    return fitted if fitted.ndim == 3 else fitted[..., None]


def _text(sheet: Pixels, text: str, x: int, baseline_y: int) -> None:
    """Draw ASCII text; OpenCV draws on 8 bit only, so it goes through a mask."""
    plain = text.encode("ascii", "replace").decode()
    mask = np.zeros(sheet.shape[:2], np.uint8)
    cv2.putText(mask, plain, (x, baseline_y), cv2.FONT_HERSHEY_SIMPLEX, _TEXT_SCALE, 255, 1, cv2.LINE_AA)
    cover = mask[..., None].astype(np.float32) / np.float32(255)
    sheet += (np.float32(_INK) - sheet) * cover
