"""How well single pictures are understood and relit: real objects, and scenes with exact answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..images.image import Pixels
from ..images.writing import whole_file
from ..progress import Progress
from .real_objects import KnownLight, LitObject, object_files, read_object, tasks
from .relight_baselines import flat_normals, inflated_normals, ratio_image
from .relight_scores import (
    Mask,
    gain_free_psnr,
    local_mean_squared_error,
    normal_error_deg,
    plain_psnr,
)
from .table import Row

KNOWN_MARKS_DB, KNOWN_MARKS_DEG = (21.5, 24.0), (23.0, 17.0)
UNKNOWN_MARKS_DB = (20.0, 22.5)
ALBEDO_MARKS = (0.045, 0.030)
SCENE_MARGIN_MUST_DB = 2.0
UNKNOWN_FOLDER = "light_unknown"  # of predictions made without the source light
# What shape from shading (Ikeuchi and Horn, "Numerical shape from shading and occluding boundaries",
# Artificial Intelligence 17, 1981) gives on the 16 objects: dB, degrees, LMSE. Quoted, not run here.
SHAPE_FROM_SHADING = (19.3, 32.0, 0.092)


@dataclass(frozen=True)
class Understood:
    """What a method makes of one picture: normals and albedo (H, W, 3), and the picture in another light."""

    normals: Pixels
    albedo: Pixels
    light: KnownLight
    relit: Callable[[KnownLight], Pixels]


# (picture (H, W, 3) scene-linear, matte, the picture's light or None where it must be estimated)
Understand = Callable[[Pixels, Mask, KnownLight | None], Understood]


@dataclass(frozen=True)
class Item:
    """An object or scene: what it is judged by, and the picture that a method is shown for each light."""

    truth: LitObject
    shown: Callable[[int], Pixels]


class RelightQuality:
    """Scores of one method. Each set of items is gone through once for each kind of knowledge."""

    def __init__(
        self, understand: Understand, data: Path, scene_items: Callable[[], Sequence[Item]],
        predictions: Path | None, progress: Progress,
    ) -> None:  # fmt: skip
        self._understand = understand
        self._data = data
        self._scene_items = scene_items
        self._predictions = predictions
        self._progress = progress
        self._object_scores: dict[bool, dict[str, dict[str, float]]] = {}

    def known_rows(self, part: str) -> list[Row]:
        """Objects with the source light given."""
        scores = self._objects(known=True)
        quoted_db, quoted_deg, _ = SHAPE_FROM_SHADING
        return [
            Row(part, f"objects: copy of the plate (shape from shading {quoted_db})", _mean(scores, "copy")),
            Row(part, "objects: ratio image with our normals", _mean(scores, "ratio")),
            Row(part, "objects, light known: siPSNR", _mean(scores, "relit"), "dB", *KNOWN_MARKS_DB,
                details={"objects": scores}),
            Row(part, f"objects, light known: normals (shape from shading {quoted_deg:g})",
                _mean(scores, "normals"), "deg", *KNOWN_MARKS_DEG, False),
        ]  # fmt: skip

    def unknown_rows(self, part: str) -> list[Row]:
        """Objects of which only the picture, the matte and the wanted light are given."""
        scores = self._objects(known=False)
        return [
            Row(part, "objects, light unknown: siPSNR", _mean(scores, "relit"), "dB", *UNKNOWN_MARKS_DB,
                details={"objects": scores}),
            Row(part, "objects, light unknown: normals", _mean(scores, "normals"), "deg"),
            Row(part, "objects: estimated light against the real one", _mean(scores, "light"), "deg"),
        ]  # fmt: skip

    def albedo_rows(self, part: str) -> list[Row]:
        """LMSE of objects whose albedo was measured, with the light given."""
        title = f"objects: albedo LMSE (shape from shading {SHAPE_FROM_SHADING[2]})"
        known, unknown = (_mean(self._objects(known), "albedo") for known in (True, False))
        return [
            Row(part, title, known, "", *ALBEDO_MARKS, False),
            Row(part, "objects, light unknown: albedo LMSE", unknown, ""),
        ]

    def scene_rows(self, part: str) -> list[Row]:
        """Exact scenes of the other renderer: the whole answer against the best baseline."""
        rows = []
        for known in (True, False):
            items, scores = self._scene_items(), {}
            for done, item in enumerate(items):
                self._progress.report(f"scenes, {_in_words(known)}", done, len(items), item.truth.name)
                scores[item.truth.name] = self._score(item, known, with_balloons=True)
            title = f"scenes, {_in_words(known)}"
            baselines = {name: _mean(scores, name) for name in ("copy", "flat", "inflated", "ratio")}
            best = max(baselines, key=lambda name: baselines[name])
            listed = ", ".join(f"{name} {value:.1f}" for name, value in baselines.items())
            relit = _mean(scores, "relit")
            rows += [
                Row(part, f"{title}: siPSNR ({listed})", relit, "dB", details={"scenes": scores}),
                Row(part, f"{title}: better than the best of these ({best})", relit - baselines[best], "dB",
                    SCENE_MARGIN_MUST_DB),
                Row(part, f"{title}: normals", _mean(scores, "normals"), "deg"),
                Row(part, f"{title}: albedo LMSE", _mean(scores, "albedo"), ""),
            ]  # fmt: skip
        return rows

    def _objects(self, known: bool) -> dict[str, dict[str, float]]:
        if known not in self._object_scores:
            folder = self._predictions
            if folder is not None and not known:
                folder = folder / UNKNOWN_FOLDER
            files = object_files(self._data)
            scores = {}
            for done, path in enumerate(files):
                self._progress.report(f"objects, {_in_words(known)}", done, len(files), path.stem)
                item = read_object(path)
                shown = Item(item, item.pictures.__getitem__)
                scores[item.name] = self._score(shown, known, folder)
            self._object_scores[known] = scores
        return self._object_scores[known]

    def _score(
        self, item: Item, known: bool, predictions: Path | None = None, with_balloons: bool = False
    ) -> dict[str, float]:
        """Means over the item's tasks. `with_balloons`: compare with ratio images of invented normals too."""
        truth = item.truth
        found: dict[str, list[float]] = {}
        by_source: dict[int, list[int]] = {}
        for source, target in tasks(truth):
            by_source.setdefault(source, []).append(target)
        for source, targets in by_source.items():
            self._progress.raise_if_cancelled()
            picture, light = item.shown(source), truth.lights[source]
            understood = self._understand(picture, truth.matte, light if known else None)
            if predictions is not None:
                _write_passes(predictions, truth, source, understood)
            by_normals = {"ratio": understood.normals}
            if with_balloons:
                by_normals |= {"flat": flat_normals(truth.matte), "inflated": inflated_normals(truth.matte)}
            scores = _source_scores(truth, understood, light)
            for target in targets:
                wanted, exact = truth.lights[target], truth.pictures[target]
                results = {"copy": picture, "relit": understood.relit(wanted)}
                for name, normals in by_normals.items():
                    results[name] = ratio_image(picture, normals, understood.light, wanted)
                scores |= {k: gain_free_psnr(v, exact, truth.matte) for k, v in results.items()}
                scores["plain"] = plain_psnr(results["relit"], exact, truth.matte)
                for name, value in scores.items():
                    found.setdefault(name, []).append(value)
                if predictions is not None:
                    _write(predictions / f"{truth.name}_s{source}_t{target}.npy", results["relit"])
        return {name: float(np.mean(values)) for name, values in found.items()}


def _source_scores(truth: LitObject, understood: Understood, light: KnownLight) -> dict[str, float]:
    """Scores of what was understood, whatever the light that is wanted."""
    cosine = float(np.clip(light.direction @ understood.light.direction, -1, 1))
    scores = {"light": float(np.degrees(np.arccos(cosine)))}
    if truth.normals is not None:
        scores["normals"] = normal_error_deg(understood.normals, truth.normals, truth.matte)
    if truth.albedo is not None and truth.albedo_is_measured:
        scores["albedo"] = local_mean_squared_error(understood.albedo, truth.albedo, truth.matte)
    return scores


def _write_passes(folder: Path, truth: LitObject, source: int, understood: Understood) -> None:
    _write(folder / f"{truth.name}_s{source}_normals.npy", understood.normals)
    _write(folder / f"{truth.name}_s{source}_albedo.npy", understood.albedo)


def _write(path: Path, pixels: Pixels) -> None:
    with whole_file(path) as unfinished, unfinished.open("wb") as file:
        np.save(file, np.asarray(pixels, np.float32))


def _mean(scores: Mapping[str, Mapping[str, Any]], name: str) -> float:
    """Over the items that have the score."""
    values: Sequence[float] = [item[name] for item in scores.values() if name in item]
    return float(np.mean(values)) if values else float("nan")


def _in_words(known: bool) -> str:
    return "light known" if known else "light unknown"
