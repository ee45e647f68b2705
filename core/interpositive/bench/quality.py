"""How good a shot model gets for how much training: the few-shot rows of the table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .baselines import polynomial_psnr, untouched_psnr
from .clips import Clip
from .metrics import flicker_ratio, iou, psnr_8bit, sad, ssim
from .pictures import display_picture, matte_picture
from .runs import Runs, Training
from .table import Row

MATTE_LAYER = "matte"
# (clip, layer, CPU-seconds): marks of the few-shot footage; other footage is measured without marks
PSNR_MARKS: dict[tuple[str, str, float], tuple[float, float]] = {
    ("car", "relit", 10): (31.5, 33.0),
    ("car", "relit", 30): (34.5, 36.0),
    ("car", "relit", 120): (35.5, 38.0),
    ("bike", "graded", 20): (33.0, 34.0),
}
MATTE_MARKS: dict[tuple[str, str, float], tuple[tuple[float, float], tuple[float, float]]] = {
    ("car", "matte", 75): ((0.965, 0.985), (1.8, 1.0)),
}
SEED_SPREAD_MUST_DB = 0.5
FLICKER_MARKS = (1.05, 1.0)
SUGGESTED_MARKS_DB = (0.0, 1.0)


def training_rows(runs: Runs, clip: Clip, layer: str, cpu_seconds: float, seed: int, part: str) -> list[Row]:
    """Train once and score: PSNR and SSIM of pictures, IoU and SAD of mattes."""
    training = runs.train(clip, layer, cpu_seconds, seed)
    scores = score(runs, training)
    title = f"{clip.name} {layer}, {cpu_seconds:g} CPU-s"
    details = {**scores, **_cost(training)}
    if layer == MATTE_LAYER:
        unmarked = ((None, None), (None, None))
        (must_iou, aim_iou), (must_sad, aim_sad) = MATTE_MARKS.get((clip.name, layer, cpu_seconds), unmarked)
        return [
            Row(part, f"{title}: IoU", scores["iou"], "", must_iou, aim_iou, details=details),
            Row(part, f"{title}: SAD / 1000", scores["sad"], "", must_sad, aim_sad, False),
        ]
    must, aim = PSNR_MARKS.get((clip.name, layer, cpu_seconds), (None, None))
    return [Row(part, title, scores["psnr"], "dB", must, aim, details=details)]


def baseline_rows(clip: Clip, layer: str, part: str) -> list[Row]:
    """The untouched plate and one global cubic polynomial on the same frames."""
    plate, target = clip.files["plate"], clip.files[layer]
    fitted, seconds = polynomial_psnr(plate, target, clip.keyframes, clip.scored)
    title = f"{clip.name} {layer}"
    return [
        Row(part, f"{title}: untouched plate", untouched_psnr(plate, target, clip.scored)),
        Row(part, f"{title}: global cubic polynomial", fitted, details={"cpu_seconds": seconds}),
    ]


def score(runs: Runs, training: Training, frames: Sequence[int] | None = None) -> dict[str, Any]:
    """Means over the scored frames, and each frame's own value."""
    clip, layer = training.clip, training.layer
    scored = list(frames or clip.scored)
    files = runs.render(training, scored)
    if layer == MATTE_LAYER:
        mattes = [(matte_picture(files[f]), matte_picture(clip.files[layer][f])) for f in scored]
        return {"frames": scored, **_means(mattes, {"iou": iou, "sad": sad})}
    pictures = [(display_picture(files[f]), display_picture(clip.files[layer][f])) for f in scored]
    return {"frames": scored, **_means(pictures, {"psnr": psnr_8bit, "ssim": ssim})}


def seed_rows(runs: Runs, clip: Clip, layer: str, steps: int, seeds: Sequence[int], part: str) -> list[Row]:
    """How far apart the seeds end: a run that is stuck shows here."""
    scores = [score(runs, runs.train(clip, layer, 0.0, seed, steps=steps))["psnr"] for seed in seeds]
    details = {"seeds": list(seeds), "psnr": scores}
    title = f"{clip.name} {layer}, {len(seeds)} seeds at {steps} steps: best less worst"
    return [
        Row(part, title, max(scores) - min(scores), "dB", SEED_SPREAD_MUST_DB, None, False, details=details)
    ]


def flicker_rows(runs: Runs, clip: Clip, layer: str, cpu_seconds: float, seed: int, part: str) -> list[Row]:
    """Frame-to-frame change along the plate's motion over the whole clip, against the exact target's."""
    training = runs.train(clip, layer, cpu_seconds, seed)
    files = runs.render(training, clip.frames)
    ratio = flicker_ratio(
        [display_picture(files[f]) for f in clip.frames],
        [display_picture(clip.files[layer][f]) for f in clip.frames],
        [display_picture(clip.files["plate"][f]) for f in clip.frames],
    )
    title = f"{clip.name} {layer}: flicker against the target's"
    return [Row(part, title, ratio, "x", *FLICKER_MARKS, higher_is_better=False, details=_cost(training))]


def suggested_rows(
    runs: Runs, clip: Clip, layer: str, steps: int, seed: int, suggested: list[int], part: str
) -> list[Row]:
    """Suggested keyframes against as many evenly spaced ones, scored on frames that neither has seen."""
    evenly = clip.keyframes
    frames = [f for f in clip.scored if f not in suggested]
    with_suggested = score(runs, runs.train(clip, layer, 0.0, seed, suggested, steps), frames)["psnr"]
    with_evenly = score(runs, runs.train(clip, layer, 0.0, seed, steps=steps), frames)["psnr"]
    details = {
        "suggested": suggested, "suggested_psnr": with_suggested,
        "evenly": evenly, "evenly_psnr": with_evenly, "frames": frames,
    }  # fmt: skip
    title = f"{clip.name} {layer}, {steps} steps: suggested less evenly spaced keyframes"
    return [Row(part, title, with_suggested - with_evenly, "dB", *SUGGESTED_MARKS_DB, details=details)]


def _means(pairs: list[tuple[Any, Any]], measures: dict[str, Callable[[Any, Any], float]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, measure in measures.items():
        values = [measure(result, target) for result, target in pairs]
        found[name], found[f"{name}_by_frame"] = float(np.mean(values)), values
    return found


def _cost(training: Training) -> dict[str, Any]:
    return {
        "keyframes": list(training.keyframes),
        "steps": training.steps,
        "training_cpu_seconds": training.cpu_seconds,
        "process_cpu_seconds": training.process_cpu_seconds,
        "training_wall_seconds": training.wall_seconds,
    }
