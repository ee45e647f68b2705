"""Small clips for tests of the catalogue, and what its tests run in processes of their own."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interpositive.project.catalogue import Catalogue
from interpositive.project.clips import Clip, Measures

LOOK_LENGTH = 16


def a_clip(number: int = 1, **changes: Any) -> Clip:
    """Clip `number` of a day's rushes."""
    name = f"A001_C{number:03d}"
    plain = Clip(
        name=name, path=f"/dailies/day1/A001/{name}.%04d.exr", kind="images", first_frame=1001,
        last_frame=1048, fps=24.0, timecode=f"10:00:{number % 60:02d}:00", reel="A001", scene="12",
        take=str(number), camera="ARRI ALEXA 35", lens="Cooke S4 32mm", focal_mm=32.0, iso=800.0,
        colour_space="ARRI LogC4", width=288, height=162, bit_depth="half", sources={"reel": "ale"},
        stamp=f"stamp {number}",
    )  # fmt: skip
    return replace(plain, **changes)


def a_look(number: int) -> NDArray[np.float32]:
    """Unit length, float32 (LOOK_LENGTH,), another one for every number."""
    look = np.random.default_rng(number).standard_normal(LOOK_LENGTH).astype(np.float32)
    return look / np.linalg.norm(look)


def some_measures(number: int = 1, **changes: Any) -> Measures:
    plain = Measures(
        frames=(1001, 1024), exposure_stops=-1.5, neutral_rgb=(1.1, 1.0, 0.8), mireds=180.0,
        contrast_stops=6.0,
        palette=((50.0, 1.0, -2.0, 0.6), (20.0, 0.0, 0.0, 0.4)), boundaries=(1020,), look=a_look(number),
    )  # fmt: skip
    return replace(plain, **changes)


def put_in_rounds(folder: str, clips: str) -> None:
    """Put clips 1 to `clips` over and over, each round with another stamp and look, and say so on stdout.

    A clip whose stamp is this round's already is left alone, as ingest does.
    """
    with Catalogue.open(Path(folder)) as catalogue:
        done = {clip.stamp for clip in catalogue.clips()}
        turn = min((int(stamp.split()[0]) for stamp in done), default=0)
        while True:
            for number in range(1, int(clips) + 1):
                clip = a_clip(number, stamp=f"{turn} of {number}")
                known = catalogue.stamp_of(clip.path, clip.first_frame)
                if known is None or int(known.split()[0]) < turn:
                    catalogue.put(clip, some_measures(number, look=a_look(1000 * turn + number)))
                    sys.stdout.write(f"{turn} {number}\n")
                    sys.stdout.flush()
            turn += 1


if __name__ == "__main__":
    put_in_rounds(*sys.argv[1:])
