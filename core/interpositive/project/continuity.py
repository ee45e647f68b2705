"""Which shots of a scene fall out of line, in what, and by how much.

A scene's shots are compared with each other by what `matching` finds that two of them share; where nothing is
shared, by the catalogue's measures of whole pictures, which framing moves too. Those are therefore judged
against the scatter of the scene: three robust standard deviations, 1.4826 times the median absolute deviation
(F. R. Hampel, "The influence curve and its role in robust estimation", JASA 69, 1974).

The reference of a scene is its hero where one is named, else the median of its shots; a scene of two is
compared with its first shot.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import Literal

import numpy as np

from ..grade.cdl import CDL
from ..grade.matching import NOTHING_SHARED
from .catalogue import timecode_label
from .clips import Record, Triple
from .rights import folded

Grouping = Literal["scene", "reel", "folder"]
Basis = Literal["matched", "measured", "header", "estimated"]
Quantity = Literal["exposure", "white balance", "tint", "contrast", "lens", "key light"]
QUANTITIES: tuple[Quantity, ...] = ("exposure", "white balance", "tint", "contrast", "lens", "key light")
UNITS: dict[Quantity, str] = {
    "exposure": "stops",
    "white balance": "mireds",
    "tint": "Duv",
    "contrast": "stops",
    "lens": "mm",
    "key light": "degrees",
}

_ROBUST_SIGMA = 1.4826
_SIGMAS = 3.0
_FEWEST_FOR_SCATTER = 3
_LENS_MAJORITY = 0.6


@dataclass(frozen=True)
class Limits:
    """How far a shot may be from its scene's reference before it is called out of line.

    `focal_ratio` is how many times longer or shorter a lens may be than the scene's median; `key_deg` is an
    angle in camera space, so it holds what the camera's own turn adds.
    """

    exposure_stops: float = 0.3
    white_balance_mireds: float = 12.0
    tint_duv: float = 0.006
    contrast_stops: float = 1.0
    focal_ratio: float = 2.5
    key_deg: float = 35.0


@dataclass(frozen=True)
class Scene:
    """Clips that belong together, and what says so. Without a scene's name they are grouped by reel, else by
    folder."""

    name: str
    grouped_by: Grouping
    records: tuple[Record, ...]


@dataclass(frozen=True)
class Comparison:
    """What matching a shot with its scene's hero gave; differences are shot minus hero."""

    exposure_stops: float
    white_balance_mireds: float
    tint_duv: float
    confidence: float
    basis: str
    cdl: CDL

    @property
    def is_shared(self) -> bool:
        return self.confidence >= NOTHING_SHARED


@dataclass(frozen=True)
class Difference:
    """One quantity of a shot against the scene: `amount` in the unit of `UNITS`, and how far is allowed.

    A `note` says what a number cannot, such as another series of lenses.
    """

    quantity: Quantity
    amount: float
    limit: float
    basis: Basis
    is_out: bool
    note: str = ""


@dataclass(frozen=True)
class ShotState:
    """A shot in its scene. `proposal` brings it to the hero; `why_not` says why there is none."""

    record: Record
    is_hero: bool
    differences: tuple[Difference, ...] = ()
    comparison: Comparison | None = None
    key_direction: Triple | None = None
    why_not: str = ""

    @property
    def out(self) -> tuple[Quantity, ...]:
        """The quantities in which the shot is out of line."""
        return tuple(item.quantity for item in self.differences if item.is_out)

    @property
    def proposal(self) -> CDL | None:
        shared = self.comparison is not None and self.comparison.is_shared and not self.is_hero
        return self.comparison.cdl if shared and self.comparison is not None else None

    def difference(self, quantity: Quantity) -> Difference | None:
        return next((item for item in self.differences if item.quantity == quantity), None)


@dataclass(frozen=True)
class SceneState:
    """A scene compared: `note` says how, and why not where it was not. `hero_id` None: nothing to compare."""

    scene: Scene
    shots: tuple[ShotState, ...]
    hero_id: int | None
    hero_is_named: bool
    note: str


Compare = Callable[[Record, Record], Comparison | None]
"""(hero, shot) -> what matching gives, None where a picture of either cannot be had."""


def scenes_of(records: Sequence[Record]) -> list[Scene]:
    """The records by scene, else reel, else folder; case and Unicode composition of a name do not count.

    Scenes come in the order of their names as people count (2 before 10); shots by timecode, then name.
    """
    groups: dict[tuple[Grouping, str], list[Record]] = {}
    for record in records:
        kind, name = _group(record)
        groups.setdefault((kind, folded(name)), []).append(record)
    scenes = []
    for (kind, _), members in groups.items():
        ordered = sorted(members, key=_shot_order)
        scenes.append(Scene(_group(ordered[0])[1], kind, tuple(ordered)))
    kinds = ("scene", "reel", "folder")
    return sorted(scenes, key=lambda scene: (kinds.index(scene.grouped_by), natural(scene.name)))


def natural(text: str) -> list[tuple[int, str]]:
    """A key that sorts 2 before 10, and 2A behind 2."""
    parts = re.split(r"(\d+)", folded(text))
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts if part]


def compare_scene(
    scene: Scene,
    limits: Limits,
    compare: Compare,
    hero: Record | None = None,
    keys: Mapping[int, Triple] | None = None,
) -> SceneState:
    """The shots of a scene against its reference. `keys` are directions of the key light by clip id."""
    keys = keys or {}
    measured = [record for record in scene.records if record.measures is not None]
    alone = _nothing_to_compare(scene, measured, hero)
    if alone is not None:
        shots = tuple(_plain_state(record, keys) for record in scene.records)
        return SceneState(scene, shots, None, hero is not None, alone)
    chosen = hero if hero is not None else _first_choice(measured)
    comparisons = _comparisons(chosen, measured, compare)
    if hero is None and len(measured) > 2:
        better = _better_hero(chosen, measured, comparisons, limits)
        if better is not chosen:
            chosen, comparisons = better, _comparisons(better, measured, compare)
    is_anchor = hero is not None or len(measured) == 2
    judged = _judged(scene, chosen, comparisons, limits, keys, is_anchor)
    return SceneState(scene, judged, chosen.clip_id, hero is not None, _how(chosen, measured, hero))


def trace(values: Sequence[float]) -> tuple[float, float]:
    """Median and robust standard deviation; the deviation is 0 for fewer than three values."""
    middle = float(np.median(values))
    if len(values) < _FEWEST_FOR_SCATTER:
        return middle, 0.0
    return middle, _ROBUST_SIGMA * float(np.median(np.abs(np.asarray(values) - middle)))


# ------------------------------------------------------------------------------------------ groups, heroes


def _group(record: Record) -> tuple[Grouping, str]:
    clip = record.clip
    if clip.scene:
        return "scene", clip.scene.strip()
    if clip.reel:
        return "reel", clip.reel.strip()
    return "folder", PurePosixPath(clip.path).parent.name or "/"


def _shot_order(record: Record) -> tuple[float, list[tuple[int, str]], int]:
    label = timecode_label(record.clip.timecode)
    return (float("inf") if label is None else label, natural(record.clip.name), record.clip_id)


def _nothing_to_compare(scene: Scene, measured: Sequence[Record], hero: Record | None) -> str | None:
    if len(scene.records) == 1:
        return "One shot: nothing to compare it with."
    if not measured:
        return "No shot of the scene was measured."
    if hero is not None and hero.measures is None:
        return f"The hero {hero.clip.name} was not measured, so nothing is compared with it."
    return "Only one shot of the scene was measured." if len(measured) == 1 else None


def _how(chosen: Record, measured: Sequence[Record], hero: Record | None) -> str:
    if hero is not None:
        return f"Compared with the hero {hero.clip.name}, which was named."
    if len(measured) == 2:
        return f"Two shots: the second is compared with {chosen.clip.name}."
    return f"Compared with the median of {len(measured)} shots; {chosen.clip.name} lies nearest to it."


def _first_choice(measured: Sequence[Record]) -> Record:
    """The first of two; of more, the one whose measures lie nearest to all medians."""
    if len(measured) == 2:
        return measured[0]
    rows = np.array([_vector(record) for record in measured])
    scatter = np.array([trace(column)[1] for column in rows.T]) + 0.05
    away = np.abs(rows - np.median(rows, axis=0)) / scatter
    return measured[int(away.sum(axis=1).argmin())]


def _vector(record: Record) -> tuple[float, float, float, float]:
    measures = record.measures
    assert measures is not None
    red, _, blue = measures.neutral_rgb
    warm = float(np.log2(max(red, 1e-3) / max(blue, 1e-3)))
    return measures.exposure_stops, warm, measures.contrast_stops, float(np.log2(record.clip.focal_mm or 35))


def _comparisons(hero: Record, measured: Sequence[Record], compare: Compare) -> dict[int, Comparison]:
    found: dict[int, Comparison] = {}
    for record in measured:
        if record.clip_id != hero.clip_id:
            comparison = compare(hero, record)
            if comparison is not None:
                found[record.clip_id] = comparison
    return found


def _better_hero(
    hero: Record, measured: Sequence[Record], comparisons: Mapping[int, Comparison], limits: Limits
) -> Record:
    """The shot nearest to the median of what matching says, where the first choice itself is off it."""
    rows = {hero.clip_id: (0.0, 0.0)}
    for clip_id, found in comparisons.items():
        if found.is_shared:
            stops = found.exposure_stops / limits.exposure_stops
            rows[clip_id] = (stops, found.white_balance_mireds / limits.white_balance_mireds)
    middle = np.median(list(rows.values()), axis=0)
    away = {clip_id: float(np.hypot(*(row - middle))) for clip_id, row in rows.items()}
    nearest = min(away, key=lambda clip_id: away[clip_id])
    if away[hero.clip_id] <= 0.5 or len(rows) < 3:
        return hero
    return next(record for record in measured if record.clip_id == nearest)


# ------------------------------------------------------------------------------------------ judging


@dataclass(frozen=True)
class _Reference:
    """The scene's own values: (middle, scatter) by quantity, of the matched and of the measured numbers."""

    matched: dict[Quantity, float]
    measured: dict[Quantity, tuple[float, float]]
    focal_mm: float | None
    lens_series: str | None
    key: np.ndarray | None


@dataclass(frozen=True)
class _Numbers:
    """What is known of a shot's quantities, by basis."""

    matched: dict[Quantity, float] = field(default_factory=dict)
    measured: dict[Quantity, float] = field(default_factory=dict)


def _judged(
    scene: Scene,
    hero: Record,
    comparisons: Mapping[int, Comparison],
    limits: Limits,
    keys: Mapping[int, Triple],
    is_anchor: bool,
) -> tuple[ShotState, ...]:
    numbers = {record.clip_id: _numbers(record, hero, comparisons) for record in scene.records}
    reference = _reference(scene, hero, numbers, keys, is_anchor)
    states = []
    for record in scene.records:
        state = _plain_state(record, keys)
        is_hero = record.clip_id == hero.clip_id
        if record.measures is None or (is_hero and is_anchor):
            states.append(replace(state, is_hero=is_hero))
            continue
        found = _differences(record, numbers[record.clip_id], reference, limits, keys)
        comparison = comparisons.get(record.clip_id)
        states.append(
            replace(
                state,
                is_hero=is_hero,
                differences=found,
                comparison=comparison,
                why_not="" if is_hero else _why_not(comparison, hero),
            )
        )
    return tuple(states)


def _plain_state(record: Record, keys: Mapping[int, Triple]) -> ShotState:
    why = "" if record.measures is not None else "Not measured."
    return ShotState(record, False, key_direction=keys.get(record.clip_id), why_not=why)


def _why_not(comparison: Comparison | None, hero: Record) -> str:
    if comparison is None:
        return "Its picture could not be compared."
    if not comparison.is_shared:
        return f"Nothing that it shares with {hero.clip.name} was found."
    return ""


def _numbers(record: Record, hero: Record, comparisons: Mapping[int, Comparison]) -> _Numbers:
    if record.measures is None:
        return _Numbers()
    measures = record.measures
    measured: dict[Quantity, float] = {
        "exposure": measures.exposure_stops,
        "contrast": measures.contrast_stops,
    }
    if measures.mireds is not None:
        measured["white balance"] = measures.mireds
    if record.clip_id == hero.clip_id:
        return _Numbers({"exposure": 0.0, "white balance": 0.0, "tint": 0.0}, measured)
    found = comparisons.get(record.clip_id)
    if found is None or not found.is_shared:
        return _Numbers({}, measured)
    matched: dict[Quantity, float] = {
        "exposure": found.exposure_stops,
        "white balance": found.white_balance_mireds,
        "tint": found.tint_duv,
    }
    return _Numbers(matched, measured)


def _reference(
    scene: Scene,
    hero: Record,
    numbers: Mapping[int, _Numbers],
    keys: Mapping[int, Triple],
    is_anchor: bool,
) -> _Reference:
    matched: dict[Quantity, float] = {}
    measured: dict[Quantity, tuple[float, float]] = {}
    for quantity in QUANTITIES:
        shared = [n.matched[quantity] for n in numbers.values() if quantity in n.matched]
        matched[quantity] = 0.0 if is_anchor or not shared else float(np.median(shared))
        whole = [n.measured[quantity] for n in numbers.values() if quantity in n.measured]
        if whole:
            middle, scatter = trace(whole)
            own = numbers[hero.clip_id].measured.get(quantity)
            measured[quantity] = (own if is_anchor and own is not None else middle, scatter)
    focal = [r.clip.focal_mm for r in scene.records if r.clip.focal_mm]
    middle_mm = hero.clip.focal_mm if is_anchor else (float(np.median(focal)) if focal else None)
    found = [keys[r.clip_id] for r in scene.records if r.clip_id in keys]
    key = _mean_key(found) if not is_anchor else _key_of(keys.get(hero.clip_id))
    return _Reference(matched, measured, middle_mm, _majority_series(scene), key)


def _mean_key(found: Sequence[Triple]) -> np.ndarray | None:
    """The direction with the least sum of angles to the others: a median that one shot does not move."""
    if len(found) < 2:
        return None
    rows = np.asarray(found)
    angles = np.arccos(np.clip(rows @ rows.T, -1, 1))
    best: np.ndarray = rows[int(angles.sum(axis=1).argmin())]
    return best


def _key_of(direction: Triple | None) -> np.ndarray | None:
    return None if direction is None else np.asarray(direction)


def _differences(
    record: Record, numbers: _Numbers, reference: _Reference, limits: Limits, keys: Mapping[int, Triple]
) -> tuple[Difference, ...]:
    plain: dict[Quantity, float] = {
        "exposure": limits.exposure_stops,
        "white balance": limits.white_balance_mireds,
        "tint": limits.tint_duv,
        "contrast": limits.contrast_stops,
    }
    found: list[Difference | None] = [
        _light_difference(quantity, numbers, reference, limit) for quantity, limit in plain.items()
    ]
    found.append(_lens_difference(record, reference, limits))
    found.append(_key_difference(keys.get(record.clip_id), reference, limits))
    return tuple(item for item in found if item is not None)


def _light_difference(
    quantity: Quantity, numbers: _Numbers, reference: _Reference, limit: float
) -> Difference | None:
    if quantity in numbers.matched:
        amount = numbers.matched[quantity] - reference.matched[quantity]
        return Difference(quantity, amount, limit, "matched", abs(amount) > limit)
    if quantity not in numbers.measured or quantity not in reference.measured:
        return None
    middle, scatter = reference.measured[quantity]
    amount = numbers.measured[quantity] - middle
    allowed = max(limit if quantity == "contrast" else 2 * limit, _SIGMAS * scatter)
    return Difference(quantity, amount, allowed, "measured", abs(amount) > allowed)


def _lens_difference(record: Record, reference: _Reference, limits: Limits) -> Difference | None:
    focal, middle = record.clip.focal_mm, reference.focal_mm
    series = _series(record.clip.lens)
    is_other = series is not None and reference.lens_series not in (None, series)
    note = "another series of lenses than the scene's" if is_other else ""
    if not focal or not middle:
        return Difference("lens", 0.0, 0.0, "header", True, note) if is_other else None
    ratio = max(focal / middle, middle / focal)
    allowed = middle * (limits.focal_ratio - 1)
    return Difference("lens", focal - middle, allowed, "header", is_other or ratio > limits.focal_ratio, note)


def _key_difference(key: Triple | None, reference: _Reference, limits: Limits) -> Difference | None:
    if key is None or reference.key is None:
        return None
    angle = float(np.degrees(np.arccos(np.clip(np.dot(key, reference.key), -1, 1))))
    return Difference("key light", angle, limits.key_deg, "estimated", angle > limits.key_deg)


def _series(lens: str | None) -> str | None:
    """The name of a lens without its numbers: the series that it belongs to."""
    words = re.sub(r"\b[tf]?/?\d+([.,]\d+)?\s*(mm)?\b", " ", folded(lens or ""))
    plain = " ".join(re.findall(r"[^\W\d_]{2,}", words))
    return plain or None


def _majority_series(scene: Scene) -> str | None:
    """The series that most shots of a scene of at least three have."""
    named = [series for record in scene.records if (series := _series(record.clip.lens)) is not None]
    if len(named) < 3:
        return None
    most = max(sorted(set(named)), key=named.count)
    return most if named.count(most) >= _LENS_MAJORITY * len(named) else None
