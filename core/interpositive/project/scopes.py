"""Scopes of a shot, drawn: RGB parade, vectorscope, and the scene's light in stops.

Sources
    Luma and colour difference: ITU-R BT.709-6, item 3. Bars of 75 %: SMPTE EG 1.
    The line of skin: the I axis of SMPTE ST 170, 123 degrees.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ..images.image import Pixels
from ..relight.colour_temperature import rgb_to_xyz

WIDTH = 480
PARADE_HEIGHT, VECTOR_HEIGHT, STOPS_HEIGHT = 220, 300, 150
HEIGHT = PARADE_HEIGHT + VECTOR_HEIGHT + STOPS_HEIGHT
LOWEST_STOP, HIGHEST_STOP = -8, 6

_AP1 = (0.713, 0.293, 0.165, 0.830, 0.128, 0.044, 0.32168, 0.33767)  # ACES S-2014-004
_LUMINANCE = np.float32(rgb_to_xyz(_AP1)[1])
_GROUND, _LINE, _SKIN_LINE, _TEXT = 19, 51, 82, 140
_TINTS = np.array([[0.86, 0.56, 0.54], [0.55, 0.80, 0.58], [0.56, 0.66, 0.90]], np.float32)
_LEFT, _TOP = 34, 20
_VECTOR_GAIN = 1.6
_SKIN_DEG = 123.0
_MIDDLE_GREY = 0.18

_PARADE_SIZE = (PARADE_HEIGHT - _TOP - 12, (WIDTH - _LEFT - 8) // 3)
_SIDE = VECTOR_HEIGHT - _TOP - 8
_STOPS_SIZE = (STOPS_HEIGHT - _TOP - 20, WIDTH - _LEFT - 8)

Picture = NDArray[np.float32]
Drawing = NDArray[np.uint8]


def scopes(shown: Pixels, acescg: Pixels) -> NDArray[np.uint8]:
    """The three scopes one below the other, (HEIGHT, WIDTH, 3) RGB for people.

    `shown` (H, W, 3) are display code values 0..1 of the view: parade and vectorscope. `acescg` (H, W, 3) are
    the same pixels scene-linear: the histogram, in stops about middle grey.
    """
    panels = (parade(shown), vectorscope(shown), stops_histogram(acescg))
    return np.rint(np.clip(np.concatenate(panels), 0, 1) * 255).astype(np.uint8)  # a picture for people


def parade(shown: Pixels) -> Picture:
    """Red, green and blue side by side: where in the picture across, code value in percent up."""
    panel = _lit(_parade_lines())
    height, width = _PARADE_SIZE
    columns = np.linspace(0, width - 5, shown.shape[1]).astype(int)
    for channel in range(3):
        rows = np.rint((1 - np.clip(shown[..., channel], 0, 1)) * (height - 1)).astype(int)
        density = _density(rows, np.broadcast_to(columns, rows.shape), height, width - 4)
        left = _LEFT + channel * width
        panel[_TOP : _TOP + height, left : left + width - 4] += density[..., None] * _TINTS[channel]
    return panel


def vectorscope(shown: Pixels) -> Picture:
    """Cb across, Cr up, 1.6 times enlarged; a cross for each 75 % colour bar, a line for skin."""
    panel = _lit(_vector_lines())
    cb, cr = colour_difference(np.clip(shown, 0, 1))
    columns = np.rint(_SIDE / 2 + cb * _VECTOR_GAIN * _SIDE).astype(int)
    rows = np.rint(_SIDE / 2 - cr * _VECTOR_GAIN * _SIDE).astype(int)
    inside = (columns >= 0) & (columns < _SIDE) & (rows >= 0) & (rows < _SIDE)
    density = _density(rows[inside], columns[inside], _SIDE, _SIDE)
    left = WIDTH // 2 - _SIDE // 2
    panel[_TOP : _TOP + _SIDE, left : left + _SIDE] += density[..., None] * 0.8
    return panel


def stops_histogram(acescg: Pixels) -> Picture:
    """Share of the picture by stops over and under middle grey, of scene-linear luminance."""
    panel = _lit(_stops_lines())
    height, width = _STOPS_SIZE
    luminance = np.nan_to_num(acescg @ _LUMINANCE, nan=0.0, posinf=65504.0, neginf=0.0)
    stops = np.log2(np.maximum(luminance, _MIDDLE_GREY * 2.0**-20) / _MIDDLE_GREY)
    held = np.clip(stops, LOWEST_STOP, HIGHEST_STOP)
    counts, _ = np.histogram(held, width // 2, (LOWEST_STOP, HIGHEST_STOP))
    shares = np.sqrt(counts / max(counts.max(), 1))  # the root lifts what is rare
    for place, share in enumerate(shares):
        top = _TOP + height - round(float(share) * (height - 4))
        panel[top : _TOP + height, _LEFT + 2 * place : _LEFT + 2 * place + 2] = 0.62
    return panel


def colour_difference(shown: Pixels) -> tuple[NDArray[Any], NDArray[Any]]:
    """Cb and Cr, -0.5 to 0.5, of non-linear R'G'B' (..., 3), BT.709."""
    red, green, blue = shown[..., 0], shown[..., 1], shown[..., 2]
    luma = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    return (blue - luma) / 1.8556, (red - luma) / 1.5748


# What lies under the traces; lines and letters are drawn in 8 bit.


@lru_cache(maxsize=1)
def _parade_lines() -> Drawing:
    panel = _panel(PARADE_HEIGHT, "RGB parade: code values of the view, %")
    for level in (0, 25, 50, 75, 100):
        row = _TOP + round((1 - level / 100) * (_PARADE_SIZE[0] - 1))
        panel[row, _LEFT:-8] = _LINE
        _write(panel, str(level), 6, row + 4)
    return panel


@lru_cache(maxsize=1)
def _vector_lines() -> Drawing:
    panel = _panel(VECTOR_HEIGHT, f"Vectorscope: BT.709, x {_VECTOR_GAIN:g}")
    x, y, reach = WIDTH // 2, _TOP + _SIDE // 2, _SIDE // 2
    cv2.circle(panel, (x, y), reach, (_LINE,) * 3, 1, cv2.LINE_AA)
    cv2.line(panel, (x - reach, y), (x + reach, y), (_LINE,) * 3)
    cv2.line(panel, (x, y - reach), (x, y + reach), (_LINE,) * 3)
    angle = np.radians(_SKIN_DEG)
    end = (round(x + reach * float(np.cos(angle))), round(y - reach * float(np.sin(angle))))
    cv2.line(panel, (x, y), end, (_SKIN_LINE,) * 3, 1, cv2.LINE_AA)
    bars = {"R": (1, 0, 0), "YL": (1, 1, 0), "G": (0, 1, 0), "CY": (0, 1, 1), "B": (0, 0, 1), "MG": (1, 0, 1)}
    for name, colour in bars.items():
        cb, cr = colour_difference(np.array(colour, np.float32) * np.float32(0.75))
        across, up = float(cb) * _VECTOR_GAIN * _SIDE, float(cr) * _VECTOR_GAIN * _SIDE
        at = (round(x + across), round(y - up))
        cv2.drawMarker(panel, at, (_TEXT,) * 3, cv2.MARKER_CROSS, 8, 1)
        _write(panel, name, at[0] + 7, at[1] + 4)
    return panel


@lru_cache(maxsize=1)
def _stops_lines() -> Drawing:
    panel = _panel(STOPS_HEIGHT, "Scene-linear luminance: stops about middle grey")
    height, width = _STOPS_SIZE
    for stop in range(LOWEST_STOP, HIGHEST_STOP + 1, 2):
        column = _LEFT + round((stop - LOWEST_STOP) / (HIGHEST_STOP - LOWEST_STOP) * (width - 1))
        panel[_TOP : _TOP + height, column] = _LINE if stop else _SKIN_LINE
        _write(panel, f"{stop:+d}" if stop else "0", column - 8, STOPS_HEIGHT - 6)
    return panel


def _panel(height: int, title: str) -> Drawing:
    panel = np.full((height, WIDTH, 3), _GROUND, np.uint8)
    _write(panel, title, 6, 13)
    return panel


def _write(panel: Drawing, text: str, x: int, y: int) -> None:
    cv2.putText(panel, text, (x, y), cv2.FONT_HERSHEY_SIMPLEX, 0.36, (_TEXT,) * 3, 1, cv2.LINE_AA)


def _lit(panel: Drawing) -> Picture:
    return panel.astype(np.float32) / np.float32(255)


def _density(rows: NDArray[Any], columns: NDArray[Any], height: int, width: int) -> Picture:
    """How bright a scope's trace is, 0..1: even a single pixel can be seen, a thousand do not blow out."""
    counts = np.bincount((rows * width + columns).ravel(), minlength=height * width).reshape(height, width)
    return np.where(counts > 0, 0.16 + 0.84 * (1 - np.exp(-counts / 6.0)), 0).astype(np.float32)
