"""Shots: whether passes hold still along the plate's motion, and whether adaptation to a shot helps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ..images.image import Image, Pixels
from ..images.reading import read_image_file
from ..images.sequence import find_sequence
from ..images.writing import write_exr
from ..relight.lighting_file import SUFFIX, read_lighting
from ..relight.passes import Passes
from ..soundstage.relight_scenes import RelightScene, relight_shot
from .analyses import Analyses
from .metrics import Motion, Picture, motion_between
from .pictures import display_picture
from .real_objects import KnownLight
from .relight_method import relit, shot_light_of
from .relight_scores import gain_free_psnr, normal_error_deg
from .runs import SRGB
from .table import Row

ADAPTATION_MUST_DB, ADAPTATION_AIM_DB, ADAPTATION_MUST_PERCENT = 0.7, 2.0, 10.0
STEADINESS_MARKS = (0.5, 0.25)
STEADY_LAYERS = ("normal", "albedo")
_SHOTS, _SHOT_FRAMES = 3, 8
_STEADY_FRAMES = 20
_ADAPT_STEPS = 100


@dataclass(frozen=True)
class ShotScores:
    """Means over a shot: siPSNR of the relit frames, degrees of the normals."""

    psnr: float
    normals_deg: float


def adaptation_rows(analyses: Analyses, seeds: Sequence[int], part: str) -> list[Row]:
    """Soundstage shots analysed with and without adaptation to the shot."""
    scores: dict[str, dict[int, ShotScores]] = {"prior": {}, "adapted": {}}
    costs: dict[str, list[float]] = {"prior": [], "adapted": []}
    for seed in list(seeds)[:_SHOTS]:
        frames = relight_shot(seed, _SHOT_FRAMES)
        folder = analyses.runs.work / "adaptation" / str(seed)
        plate = _write_plates(str(folder / "plate" / "plate.%04d.exr"), frames)
        for name, adapt in (("prior", "off"), ("adapted", str(_ADAPT_STEPS))):
            out = str(folder / name / "passes.%04d.exr")
            done = analyses.analyse(plate, out, f"shot {seed}, {name}", threads=1, adapt=adapt)
            costs[name].append(done.cpu_seconds)
            scores[name][seed] = shot_scores(frames, out)
    return adaptation_verdict(scores, costs, part)


def adaptation_verdict(
    scores: dict[str, dict[int, ShotScores]], costs: dict[str, list[float]], part: str
) -> list[Row]:
    """Either better by decibels or by degrees is enough; which of them it was is told."""
    means = {
        name: ShotScores(
            float(np.mean([s.psnr for s in found.values()])),
            float(np.mean([s.normals_deg for s in found.values()])),
        )
        for name, found in scores.items()
    }
    decibels = means["adapted"].psnr - means["prior"].psnr
    percent = 100 * (1 - means["adapted"].normals_deg / means["prior"].normals_deg)
    share = max(decibels / ADAPTATION_MUST_DB, percent / ADAPTATION_MUST_PERCENT)
    details: dict[str, Any] = {
        "shots": {n: {k: [s.psnr, s.normals_deg] for k, s in f.items()} for n, f in scores.items()},
        "cpu_seconds": costs,
    }
    asked = f"{ADAPTATION_MUST_DB} dB or {ADAPTATION_MUST_PERCENT:g} %"
    return [
        Row(part, "shots, prior alone: siPSNR", means["prior"].psnr),
        Row(part, "shots, prior alone: normals", means["prior"].normals_deg, "deg"),
        Row(part, "adaptation: siPSNR better by", decibels, "dB", None, ADAPTATION_AIM_DB),
        Row(part, "adaptation: normal error less by", percent, "%"),
        Row(part, f"adaptation: of what is asked ({asked})", share, "x", 1.0, details=details),
    ]


def shot_scores(frames: Sequence[RelightScene], passes_pattern: str) -> ShotScores:
    """Passes of a shot against its truth: normals, and every frame lit by each other lamp of the stage."""
    lighting = read_lighting(_lighting_path(passes_pattern))
    psnr, angles = [], []
    for number, scene in enumerate(frames, 1):
        passes = read_passes(Path(passes_pattern % number))
        angles.append(normal_error_deg(passes.normal, scene.normals, scene.matte))
        old = lighting.at(number)
        for index in range(1, len(scene.directions)):
            wanted = KnownLight(scene.directions[index], scene.colours[index], scene.ambients[index])
            made = relit(scene.plate(0), passes, None, old, shot_light_of(wanted), lighting.focal)
            psnr.append(gain_free_psnr(made, scene.pictures[index].clip(0, 1), scene.matte))
    return ShotScores(float(np.mean(psnr)), float(np.mean(angles)))


def steadiness_rows(analyses: Analyses, plate: Path, part: str) -> list[Row]:
    """Frame-to-frame change of normals and albedo along the plate's motion, against frames taken singly."""
    sequence = find_sequence(plate)
    frames = list(sequence.frames)[:_STEADY_FRAMES]
    space = None if sequence.path(frames[0]).suffix.lower() == ".exr" else SRGB
    patterns: dict[str, str] = {}
    for name, steady in (("singly", False), ("steady", True)):
        patterns[name] = str(analyses.runs.work / "steadiness" / name / "passes.%04d.exr")
        analyses.analyse(
            str(plate), patterns[name], f"passes, {name}", frames=f"{frames[0]}-{frames[-1]}",
            steady=steady, input_space=space,
        )  # fmt: skip
    pictures = [display_picture(sequence.path(frame)) for frame in frames]
    changes = {name: sequence_change(pictures, found, frames) for name, found in patterns.items()}
    title = f"{sequence.path(frames[0]).parent.parent.name} plate, {len(frames)} frames"
    rows = []
    for layer in STEADY_LAYERS:
        singly, held = changes["singly"][layer], changes["steady"][layer]
        ratio = held / singly if singly > 0 else 1.0
        details = {"singly": singly, "steady": held}
        rows.append(
            Row(part, f"{title}: change of {layer} along the motion, of frames taken singly", ratio, "x",
                *STEADINESS_MARKS, False, details)
        )  # fmt: skip
    return rows


def sequence_change(
    pictures: Sequence[Picture], passes_pattern: str, frames: Sequence[int]
) -> dict[str, float]:
    """Mean change of each layer between neighbouring frames: normals as vectors, albedo of its mean."""
    totals = dict.fromkeys(STEADY_LAYERS, 0.0)
    earlier: Passes | None = None
    for index, frame in enumerate(frames):
        later = read_passes(Path(passes_pattern % frame))
        if earlier is not None:
            motion = motion_between(pictures[index - 1], pictures[index])
            for layer in STEADY_LAYERS:
                before, after = getattr(earlier, layer), getattr(later, layer)
                level = 1.0 if layer == "normal" else float(after.mean()) + 1e-9
                totals[layer] += change_along(before, after, motion) / level / (len(frames) - 1)
        earlier = later
    return totals


def change_along(earlier: Pixels, later: Pixels, motion: Motion) -> float:
    """Mean absolute difference of `later` and `earlier` moved to it, where the motion is certain."""
    moved = cv2.remap(
        earlier, motion.sources[..., 0], motion.sources[..., 1], cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )  # fmt: skip
    difference = np.abs(moved - later).mean(axis=-1)
    return float(difference[motion.certain].mean()) if motion.certain.any() else 0.0


def read_passes(path: Path) -> Passes:
    """Passes that `analyse` wrote."""
    return Passes.from_image(read_image_file(path))


def _lighting_path(passes_pattern: str) -> Path:
    return Path(passes_pattern).parent / ("passes" + SUFFIX)


def _write_plates(pattern: str, frames: Sequence[RelightScene]) -> str:
    for number, scene in enumerate(frames, 1):
        write_exr(pattern % number, Image(scene.plate(0), ("R", "G", "B")), "half")
    return pattern
