"""Before and after, side by side with the hero, in the show's view."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from ..images.colour import PlateColour, display_view
from ..images.contact_sheet import contact_sheet
from ..images.image import Pixels
from .cdl import CDL
from .grading_space import GradingSpace
from .lut import Lut
from .recover import graded_by

_WIDTH_PX = 384
_BORDER = 0.11
_LETTER_PX = 10


@dataclass(frozen=True, eq=False)
class SheetRow:
    """A shot's scene-linear picture (H, W, 3) with its grade."""

    label: str
    picture: Pixels
    colour: PlateColour
    space: GradingSpace
    cdl: CDL
    lut: Lut | None = None


def write_sheet(
    path: str | Path, hero: Pixels, hero_colour: PlateColour, rows: Sequence[SheetRow], hero_title: str
) -> None:
    """A PNG with a row a shot: hero, before, CDL and, where any shot has one, CDL + LUT. Raises
    OutputError."""
    shown_hero = _shown(hero, hero_colour)
    size = (shown_hero.shape[1], shown_hero.shape[0])
    has_lut = any(row.lut is not None for row in rows)
    pictures = []
    for row in rows:
        small = _small(row.picture)
        cells = [shown_hero, _fitted(_shown(small, row.colour), size)]
        for lut in (None, row.lut) if has_lut else (None,):
            graded = graded_by(small, row.space, row.cdl, lut)
            cells.append(_fitted(_shown(graded, row.colour), size))
        pictures.append((row.label, cells))
    titles = [hero_title, "before", "CDL", "CDL + LUT"][: 4 if has_lut else 3]
    label_px = _LETTER_PX * max(len(row.label) for row in rows) + 2 * _LETTER_PX
    contact_sheet(path, pictures, titles, picture_width_px=_WIDTH_PX, label_px=label_px)


def _shown(picture: Pixels, colour: PlateColour) -> Pixels:
    return display_view(_small(picture), colour)


def _small(picture: Pixels) -> Pixels:
    height, width = picture.shape[:2]
    if width <= _WIDTH_PX:
        return np.asarray(picture, np.float32)
    size = (_WIDTH_PX, max(1, round(height * _WIDTH_PX / width)))
    return np.asarray(cv2.resize(np.nan_to_num(picture), size, interpolation=cv2.INTER_AREA), np.float32)


def _fitted(picture: Pixels, size: tuple[int, int]) -> Pixels:
    """The whole picture within `size` (width, height), with borders where it has another shape."""
    width, height = size
    factor = min(width / picture.shape[1], height / picture.shape[0])
    inner = (max(1, round(picture.shape[1] * factor)), max(1, round(picture.shape[0] * factor)))
    fitted = np.full((height, width, 3), _BORDER, np.float32)
    left, top = (width - inner[0]) // 2, (height - inner[1]) // 2
    fitted[top : top + inner[1], left : left + inner[0]] = cv2.resize(
        picture, inner, interpolation=cv2.INTER_LINEAR
    )
    return fitted
