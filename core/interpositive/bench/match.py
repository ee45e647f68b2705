"""Matched and recovered grades against known ones.

A random CDL is put on one of two shots that show the same things; what matching finds is judged by the shot
as it was before. Exposure and balance are those of a neutral surface at the shot's middle level after both
CDLs; colour difference is CIEDE2000 on an sRGB screen. Settings were chosen on other seeds, sets and frames:
relight scenes 300 to 303, the productions of seeds 1 and 7, and the bike's other keyframes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from pathlib import Path

import numpy as np

from ..errors import UsageError
from ..grade.cdl import CDL, apply
from ..grade.grading_space import GradingSpace
from ..grade.matching import NOTHING_SHARED, Match, estimate, look_at
from ..grade.perception import perceived
from ..grade.recover import graded_by, recover
from ..grade.white_balance import mireds, to_luminance
from ..images.colour import SRGB, convert, plate_colour, primaries_of, to_working
from ..images.image import Pixels
from ..progress import Progress
from ..soundstage.production import ProductionShot, production_shots, render
from .clips import Clip, read_clips
from .colour_difference import mean_difference
from .colour_transfer import monge_kantorovich, reinhard
from .metrics import psnr_8bit
from .pictures import display_picture, eight_bit, stored_rgb
from .table import Row

Array = np.ndarray

SCORED_SEED = 13
_WORKING = "ACEScg"
_FRAME = 8  # of a shot, that is matched and judged
_CDLS_PER_PAIR = 2
_APART = {"car": (1001, 1040), "bike": (1001, 1069)}
_MOST_EDGE_PX = 480


@dataclass(frozen=True)
class Score:
    """One graded shot: errors after matching, and mean CIEDE2000 of the three ways."""

    name: str
    basis: str
    confidence: float
    stops: float
    mired: float
    matched: float
    reinhard: float
    monge_kantorovich: float
    seconds: float


@dataclass(frozen=True)
class MatchBench:
    """`data`: folder of real clips with `car`, `bike`, and plates beside it; parts whose data are absent are
    left out with a word."""

    data: Path
    progress: Progress
    seed: int = SCORED_SEED

    @cached_property
    def shots(self) -> Mapping[str, list[tuple[ProductionShot, Pixels]]]:
        """By set: each shot with its picture."""
        found: dict[str, list[tuple[ProductionShot, Pixels]]] = {}
        shots = production_shots(self.seed)
        for index, shot in enumerate(shots):
            self.progress.report("render", index, len(shots), shot.name)
            picture = render(shot, shot.frames[_FRAME]).plate
            found.setdefault(shot.set_name, []).append((shot, picture))
        return found

    @cached_property
    def clips(self) -> Mapping[str, Clip]:
        return read_clips(self.data) if self.data.is_dir() else {}


def random_cdl(rng: np.random.Generator) -> CDL:
    """A grade as one meets them between shots, in ACEScct: about a stop of exposure, 0.4 stop between
    channels, a tenth of contrast and gamma, a fifth of saturation, each way."""
    offset = rng.uniform(-0.07, 0.07) + rng.uniform(-0.025, 0.025, 3)
    slope = rng.uniform(0.9, 1.1) * rng.uniform(0.97, 1.03, 3)
    power = rng.uniform(0.9, 1.1) * rng.uniform(0.97, 1.03, 3)
    return CDL.of([*slope, *offset, *power, rng.uniform(0.8, 1.2)])


def set_rows(bench: MatchBench) -> list[Row]:
    """Every two shots of each set, the second graded at random."""
    scores = []
    for pairs in bench.shots.values():
        for (first, hero), (second, shot) in combinations(pairs, 2):
            for k in range(_CDLS_PER_PAIR):
                rng = np.random.default_rng((bench.seed, first.number, second.number, k))
                scores.append(_scored(f"{first.name} {second.name}", hero, shot, random_cdl(rng)))
                bench.progress.log(_line(scores[-1]))
    return _score_rows("sets", "two shots of a set", scores, strict=True)


def real_rows(bench: MatchBench) -> list[Row]:
    """The first and the last frame of real clips as two shots."""
    scores = []
    for name, (first, last) in _APART.items():
        if name not in bench.clips:
            bench.progress.log(f"No clip {name} in {bench.data}: left out.", "warning")
            continue
        hero, shot = (_linear_picture(bench.clips[name].files["plate"][f]) for f in (first, last))
        for k in range(4):
            scores.append(_scored(f"{name} {k}", hero, shot, random_cdl(np.random.default_rng((90, k)))))
            bench.progress.log(_line(scores[-1]))
    return _score_rows("real", "first and last frame of real clips", scores, strict=False) if scores else []


def unrelated_rows(bench: MatchBench) -> list[Row]:
    """Shots of different sets and unrelated plates: how many are taken for the same, and how many same ones
    are not recognised."""
    space = GradingSpace.of(None, _WORKING)
    sights = [
        (set_name, shot.name, look_at(picture, space))
        for set_name, pairs in bench.shots.items()
        for shot, picture in pairs
        if not shot.setup.has_chart
    ]
    plates = bench.data.parent / "exr_plates"
    for path in sorted(plates.glob("*.exr")) if plates.is_dir() else []:
        sights.append((path.stem, path.stem, look_at(_linear_picture(path), space)))
    mistaken, unrelated = [], 0
    for (first_set, first, hero), (second_set, second, shot) in combinations(sights, 2):
        if first_set == second_set:
            continue
        unrelated += 1
        match = estimate(hero, shot, space)
        if match.is_shared:
            mistaken.append(f"{first} {second} {match.basis} {match.confidence:.2f}")
            bench.progress.log(f"taken for the same: {mistaken[-1]}")
    share = 100 * len(mistaken) / max(unrelated, 1)
    return [
        Row(
            "unrelated", f"of {unrelated} unrelated pairs, taken for the same", share, "%",
            higher_is_better=False, details={"mistaken": mistaken},
        )
    ]  # fmt: skip


def recovery_rows(bench: MatchBench) -> list[Row]:
    """A grade read from the middle keyframe, scored on the frames of the few-shot protocol."""
    rows = []
    for name, layer, must, aim in (("bike", "graded", 32.9, 33.5), ("car", "relit", None, None)):
        if name not in bench.clips:
            bench.progress.log(f"No clip {name} in {bench.data}: left out.", "warning")
            continue
        rows += _recovered(bench.clips[name], layer, must, aim)
    return rows


# name -> rows, in the order of the table
PARTS: Mapping[str, Callable[[MatchBench], list[Row]]] = {
    "sets": set_rows,
    "real": real_rows,
    "unrelated": unrelated_rows,
    "recovery": recovery_rows,
}


def run_parts(bench: MatchBench, only: list[str]) -> list[Row]:
    """The rows of the named parts, or of all. Raises UsageError for a name that is no part."""
    for name in only:
        if name not in PARTS:
            raise UsageError(f"--only {name} is no part of this bench. Parts: {', '.join(PARTS)}.")
    return [row for name in only or list(PARTS) for row in PARTS[name](bench)]


def _recovered(clip: Clip, layer: str, must: float | None, aim: float | None) -> list[Row]:
    space = GradingSpace.of(None, _WORKING)
    middle = clip.keyframes[len(clip.keyframes) // 2]
    start = time.process_time()
    plate, graded = (convert(stored_rgb(clip.files[k][middle]), SRGB, _WORKING) for k in ("plate", layer))
    found = recover([plate], [graded], space)
    seconds = time.process_time() - start
    scores = []
    for lut in (None, found.lut):
        each = []
        for frame in clip.scored:
            pixels = convert(stored_rgb(clip.files["plate"][frame]), SRGB, _WORKING)
            shown = convert(graded_by(pixels, space, found.cdl, lut), _WORKING, SRGB)
            each.append(psnr_8bit(eight_bit(shown), display_picture(clip.files[layer][frame])))
        scores.append(float(np.mean(each)))
    return [
        Row("recovery", f"{clip.name} {layer}: CDL from one frame, other frames", scores[0]),
        Row("recovery", f"{clip.name} {layer}: CDL + LUT", scores[1], must=must, aim=aim),
        Row("recovery", f"{clip.name} {layer}: to find them", seconds, "CPU-s", higher_is_better=False),
    ]


def _scored(name: str, hero: Pixels, shot: Pixels, grade: CDL) -> Score:
    space = GradingSpace.of(None, _WORKING)
    graded = space.decode(apply(grade, space.encode(shot)))
    start = time.process_time()
    match = estimate(hero, graded, space)
    seconds = time.process_time() - start
    result = space.decode(apply(match.cdl, space.encode(graded)))
    stops, mired = _neutral_errors(shot, grade, match, space)
    shown_hero, shown, before, wanted = (_on_screen(p, space) for p in (hero, result, graded, shot))
    return Score(
        name, match.basis, match.confidence, stops, mired, mean_difference(shown, wanted),
        mean_difference(reinhard(before, shown_hero), wanted),
        mean_difference(monge_kantorovich(before, shown_hero), wanted), seconds,
    )  # fmt: skip


def _neutral_errors(shot: Pixels, grade: CDL, match: Match, space: GradingSpace) -> tuple[float, float]:
    """Stops and mireds by which a neutral of the shot's middle level is off after both CDLs."""
    chromaticities = primaries_of(space.working_space)
    luminance = to_luminance(chromaticities)
    level = max(float(np.median(shot @ luminance)), 1e-3)
    neutral = space.encode(np.full((1, 1, 3), level, np.float32))
    after = space.decode(apply(match.cdl, apply(grade, neutral)))[0, 0].astype(np.float64)
    stops = float(np.log2(max(float(after @ luminance), 1e-6) / level))
    return abs(stops), abs(mireds(after, chromaticities)[0] - mireds(np.ones(3), chromaticities)[0])


def _score_rows(part: str, what: str, scores: list[Score], strict: bool) -> list[Row]:
    def mean(values: Iterator[float]) -> float:
        return float(np.mean(list(values)))

    ours = mean(s.matched for s in scores)
    others = {
        "Reinhard": mean(s.reinhard for s in scores),
        "Monge-Kantorovich": mean(s.monge_kantorovich for s in scores),
    }
    rows = [
        Row(
            part, f"{what}: exposure error", mean(s.stops for s in scores), "stop",
            0.1 if strict else None, 0.05 if strict else None, False, {"scores": [vars(s) for s in scores]},
        ),
        Row(
            part, f"{what}: white balance error", mean(s.mired for s in scores), "mired",
            5.0 if strict else None, 2.5 if strict else None, False,
        ),
        Row(part, f"{what}: CIEDE2000, match", ours, "", higher_is_better=False),
    ]  # fmt: skip
    for name, value in others.items():
        rows.append(Row(part, f"{what}: CIEDE2000, {name}", value, "", higher_is_better=False))
    below = 100 * (1 - ours / max(min(others.values()), 1e-9))
    rows.append(
        Row(
            part,
            f"{what}: below the better of them",
            below,
            "%",
            30.0 if strict else None,
            50.0 if strict else None,
        )
    )
    rows.append(
        Row(part, f"{what}: to match", mean(s.seconds for s in scores), "CPU-s", higher_is_better=False)
    )
    unsure = 100 * float(np.mean([s.confidence < NOTHING_SHARED for s in scores]))
    rows.append(Row(part, f"{what}: not recognised", unsure, "%", higher_is_better=False))
    return rows


def _line(score: Score) -> str:
    return (
        f"{score.name}: {score.stops:.3f} stop, {score.mired:.1f} mired, CIEDE2000 {score.matched:.2f} "
        f"(Reinhard {score.reinhard:.2f}, Monge-Kantorovich {score.monge_kantorovich:.2f}), {score.basis}, "
        f"confidence {score.confidence:.2f}"
    )


def _on_screen(pixels: Pixels, space: GradingSpace) -> Array:
    """sRGB code values 0..1."""
    encoded = space.encode(pixels)
    shown = perceived(encoded.reshape(-1, 3), space)
    return np.asarray(np.clip(shown, 0, 1)).reshape(pixels.shape)


def _linear_picture(path: Path) -> Pixels:
    """A file in ACEScg; pictures of 8 bit are sRGB."""
    from ..images.reading import read_image_file

    image_file = read_image_file(path)
    declared = None if image_file.file_format == "openexr" else SRGB
    pixels = to_working(image_file.select(("R", "G", "B")), plate_colour(image_file, declared))
    step = max(1, max(pixels.shape[:2]) // (2 * _MOST_EDGE_PX))
    return np.ascontiguousarray(pixels[::step, ::step])
