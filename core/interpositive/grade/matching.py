"""The grade that brings a shot to its hero, by what the two shots share.

    match = estimate(hero_frames, shot_frames, GradingSpace.of("ACEScct", working_space="ACEScg"))

Frames are scene-linear (H, W, 3) float32 in the space's `working_space`: one picture or several of a clip
(one to five, spread over it), of any size. `look_at` prepares a clip once where it meets several others.

What is compared, the surest first
    chart        the patches of a colour chart whose corners are given in both
    points       places found by their texture in both, from whatever side
    colours      the materials of the set, where no places are found
    statistics   the whole pictures, where nothing is shared: exposure and balance only, confidence below 0.3
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import cv2
import numpy as np

from ..errors import GradeError
from ..images.colour import primaries_of
from ..images.image import Pixels
from .cdl import CDL, apply, invert
from .cdl_fit import EXPECTED_LINEAR, CDLFit, fit_cdl
from .colour_cloud import Cloud, Overlay, cloud_of, coincidence, overlay
from .correspondence import CELLS, Features, Pairs, find_features, match_features
from .grading_space import GradingSpace
from .white_balance import mireds, to_luminance

Array = np.ndarray
Basis = Literal["chart", "points", "colours", "statistics"]
Corners = Sequence[tuple[float, float]]

NOTHING_SHARED = 0.3  # confidence below which two shots are said to share nothing

_LONGEST_PX = 480
_TOLERANCES = (0.1, 0.05, 0.025, 0.012)
_AGREES = 0.35  # weight of a match's middle cell above which it follows the grade
_LEAST_JOINT = 7  # matches of two frames that agree on camera and grade; unrelated pictures reach 5
_SURE_JOINT = 12  # below this the points must do better than the colours
_CHART_ROWS, _CHART_COLUMNS = 4, 6
_CHART_TRUST = 6.0
_LEAST_CHART_PX = 96
_CLOUD_SURE = (0.4, 0.7)  # share that coincides closely: no confidence, full confidence of the colours
_CLOSE = 0.01
_CLIPPED_SHARE = 0.002
_BLACK, _FLAT = 1e-4, 5e-3
_MOST_PAIRS = 6000


@dataclass(frozen=True)
class Match:
    """What brings a shot to the hero, and how the two differ.

    `cdl` works in `space`. `exposure_stops`, `white_balance_mireds` and `tint_duv` are the shot minus the
    hero, of a neutral surface at the hero's middle level: above zero the shot is brighter, warmer, greener.
    `confidence` 0..1 says how sure it is that the two show the same things. `pairs` are the colours it stands
    on, in `space.matching`, with their final weights.
    """

    cdl: CDL
    space: GradingSpace
    exposure_stops: float
    white_balance_mireds: float
    tint_duv: float
    confidence: float
    basis: Basis
    matches: int
    residual: float
    pairs: Pairs

    @property
    def is_shared(self) -> bool:
        return self.confidence >= NOTHING_SHARED


@dataclass(frozen=True, eq=False)
class Sight:
    """Frames of a clip, shrunk and in the log space where colours are compared."""

    encoded: tuple[Pixels, ...]
    usable: tuple[Array, ...]
    space: GradingSpace
    chart: Array | None = None  # (24, 3) encoded

    @cached_property
    def features(self) -> tuple[Features, ...]:
        return tuple(find_features(*pair) for pair in zip(self.encoded, self.usable, strict=True))

    @cached_property
    def cloud(self) -> Cloud:
        return cloud_of(list(self.encoded))

    @cached_property
    def flat(self) -> Array:
        """All colours (N, 3) that are not clipped, or all of them where nothing else is there."""
        colours = np.concatenate([e[u] for e, u in zip(self.encoded, self.usable, strict=True)])
        return colours if len(colours) else np.concatenate([e.reshape(-1, 3) for e in self.encoded])


def look_at(
    frames: Pixels | Sequence[Pixels], space: GradingSpace, chart: Corners | None = None, name: str = "A shot"
) -> Sight:
    """Prepare a clip for `estimate`.

    `chart`: x, y in px of the chart's four corners in the first frame, from its dark-skin patch clockwise.
    Raises GradeError for frames that are not (H, W, 3), black, or of one colour.
    """
    pictures = [frames] if isinstance(frames, np.ndarray) and frames.ndim == 3 else list(frames)
    if not pictures or any(p.ndim != 3 or p.shape[2] != 3 for p in pictures):
        raise GradeError(f"{name} has no frames of R, G, B to compare. Pass (H, W, 3) pictures.")
    log = space.matching
    encoded, usable = [], []
    for picture in pictures:
        small = _shrunk(np.nan_to_num(picture, nan=0.0, posinf=65504.0, neginf=-65504.0))
        if float(np.percentile(small, 99)) < _BLACK:
            continue
        encoded.append(log.encode(small))
        usable.append(_unclipped(small))
    if not encoded:
        raise GradeError(f"{name} is black: nothing in it can be matched. Choose other frames.")
    if max(float(e.std(axis=(0, 1)).max()) for e in encoded) < _FLAT:
        raise GradeError(f"{name} is of one colour: nothing in it can be matched. Choose other frames.")
    patches = None if chart is None else _chart_colours(pictures[0], chart, log, name)
    return Sight(tuple(encoded), tuple(usable), space, patches)


def estimate(
    hero: Pixels | Sequence[Pixels] | Sight, shot: Pixels | Sequence[Pixels] | Sight, space: GradingSpace
) -> Match:
    """The CDL that brings `shot` to `hero`. Raises GradeError."""
    a = hero if isinstance(hero, Sight) else look_at(hero, space, name="The hero")
    b = shot if isinstance(shot, Sight) else look_at(shot, space, name="The shot")
    (pairs, frames), chart = _points(a, b), _chart_pairs(a, b)
    fitted = fit_cdl(pairs.shot, pairs.hero, pairs.weights, _TOLERANCES) if pairs.matches >= 3 else None
    joint = _joint(pairs, frames, fitted)
    if chart is not None:
        known = fit_cdl(chart.shot, chart.hero, chart.weights, (0.05, 0.02))
        both = chart.join(pairs) if joint >= _LEAST_JOINT else chart
        fitted = fit_cdl(both.shot, both.hero, both.weights, _TOLERANCES[-2:], known.cdl)
        return _settled(a, space, both, fitted, 0.99, "chart")
    laid = overlay(a.cloud, b.cloud) if joint < _SURE_JOINT else None
    if fitted is not None and joint >= _LEAST_JOINT and not _is_closer(a, b, laid, fitted.cdl):
        sure = 1 - 0.7 * float(np.exp(-(joint - _LEAST_JOINT) / 8))
        return _settled(a, space, pairs, fitted, sure, "points")
    return _by_colours(a, b, space, laid or overlay(a.cloud, b.cloud))


def _is_closer(hero: Sight, shot: Sight, laid: Overlay | None, cdl: CDL) -> bool:
    """Whether laying all colours on each other brings them closer than few points do."""
    if laid is None:
        return False
    by_colours, by_points = (coincidence(hero.cloud, shot.cloud, c, _CLOSE) for c in (laid.cdl, cdl))
    return by_colours > max(by_points, _CLOUD_SURE[0])


def _points(hero: Sight, shot: Sight) -> tuple[Pairs, Array]:
    """The pairs of every two frames, and the number of the two frames that each match is from."""
    found = [match_features(there, here) for there in hero.features for here in shot.features]
    pairs = Pairs.none()
    for one in found:
        pairs = pairs.join(one)
    frames = np.repeat(np.arange(len(found)), [one.matches for one in found])
    step = -(-len(pairs.weights) // _MOST_PAIRS) or 1
    rows = (np.arange(0, pairs.matches, step)[:, None] * CELLS + np.arange(CELLS)).ravel()
    some = Pairs(pairs.shot[rows], pairs.hero[rows], pairs.weights[rows], pairs.geometric[rows])
    return (some, frames[::step]) if step > 1 else (pairs, frames)


def _joint(pairs: Pairs, frames: Array, fitted: CDLFit | None) -> int:
    """Matches that agree both on one camera move and on one grade, of those two frames that have most."""
    if fitted is None:
        return 0
    follows = np.median(fitted.weights.reshape(-1, CELLS), axis=1) > _AGREES
    return int(np.bincount(frames[follows & pairs.geometric[::CELLS]], minlength=1).max())


def _chart_pairs(hero: Sight, shot: Sight) -> Pairs | None:
    if hero.chart is None or shot.chart is None:
        return None
    count = len(hero.chart)
    return Pairs(shot.chart, hero.chart, np.full(count, _CHART_TRUST), np.ones(count, bool))


def _by_colours(hero: Sight, shot: Sight, space: GradingSpace, laid: Overlay) -> Match:
    close = coincidence(hero.cloud, shot.cloud, laid.cdl, _CLOSE)
    low, high = _CLOUD_SURE
    sure = float(np.clip((close - low) / (high - low), 0, 1)) * 0.8
    if sure >= NOTHING_SHARED:
        pairs = Pairs(laid.shot, laid.hero, laid.weights, np.zeros(len(laid.weights), bool))
        fitted = fit_cdl(pairs.shot, pairs.hero, pairs.weights, _TOLERANCES[-1:], laid.cdl)
        return _settled(hero, space, pairs, fitted, sure, "colours")
    source, target = _middle(shot), _middle(hero)
    offset = target - source
    cdl = CDL(offset=(float(offset[0]), float(offset[1]), float(offset[2])))
    count = 4
    pairs = Pairs(
        np.repeat(source[None], count, axis=0), np.repeat(target[None], count, axis=0),
        np.ones(count), np.zeros(count, bool),
    )  # fmt: skip
    fitted = CDLFit(cdl, np.ones(count), 0.0)
    return _settled(hero, space, pairs, fitted, min(sure, NOTHING_SHARED - 0.01), "statistics")


def _middle(sight: Sight) -> Array:
    """A typical neutral: the median of each channel over the less colourful half of the picture."""
    colours = sight.flat
    colourful = colours.max(axis=1) - colours.min(axis=1)
    return np.median(colours[colourful <= np.median(colourful)], axis=0).astype(np.float64)


def _settled(
    hero: Sight, space: GradingSpace, pairs: Pairs, fitted: CDLFit, confidence: float, basis: Basis
) -> Match:
    log = space.matching
    final = Pairs(pairs.shot, pairs.hero, pairs.weights * fitted.weights, pairs.geometric)
    stops, warmer, greener = _differences(hero, log, fitted.cdl)
    cdl = _in_linear(log, final, fitted.cdl) if space.is_linear else fitted.cdl
    return Match(
        cdl.rounded(), space, stops, warmer, greener, confidence, basis,
        pairs.matches if basis != "colours" else len(pairs.weights), fitted.residual, final,
    )  # fmt: skip


def _differences(hero: Sight, log: GradingSpace, cdl: CDL) -> tuple[float, float, float]:
    """Stops, mireds and Duv by which a neutral of the hero's middle level differs in the shot."""
    chromaticities = primaries_of(log.working_space)
    luminance = to_luminance(chromaticities)
    middle = np.median(hero.flat, axis=0).astype(np.float32)
    level = max(float(log.decode(middle[None, None])[0, 0] @ luminance), 1e-3)
    neutral = np.full((1, 1, 3), level, np.float32)
    seen = log.decode(invert(cdl, log.encode(neutral)))[0, 0].astype(np.float64)
    seen = np.maximum(seen, 1e-5)
    white_mired, white_duv = mireds(np.ones(3), chromaticities)
    mired, duv = mireds(seen, chromaticities)
    return float(np.log2(max(float(seen @ luminance), 1e-6) / level)), mired - white_mired, duv - white_duv


def _in_linear(log: GradingSpace, pairs: Pairs, cdl: CDL) -> CDL:
    """The CDL for scene-linear values that does to the pairs what `cdl` does in the log space; relative
    errors count, so that dark colours have their say."""
    source = log.decode(pairs.shot.astype(np.float32)[None])[0].astype(np.float64)
    target = log.decode(apply(cdl, pairs.shot.astype(np.float32))[None])[0].astype(np.float64)
    weights = pairs.weights / (np.abs(target).mean(axis=1) + 0.02) ** 2
    weights = weights * (pairs.weights.sum() / max(float(weights.sum()), 1e-12))
    return fit_cdl(source, target, weights, (10.0,), expected=EXPECTED_LINEAR, spread=0.01).cdl


def _shrunk(picture: Pixels) -> Pixels:
    height, width = picture.shape[:2]
    factor = _LONGEST_PX / max(height, width)
    if factor >= 1:
        return np.asarray(picture, np.float32)
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    return np.asarray(
        cv2.resize(np.ascontiguousarray(picture, np.float32), size, interpolation=cv2.INTER_AREA)
    )


def _unclipped(picture: Pixels) -> Array:
    """(H, W) False where a channel lies at its largest value together with many others."""
    clipped = np.zeros(picture.shape[:2], bool)
    for channel in range(3):
        values = picture[..., channel]
        top = values >= values.max() * 0.995
        if np.count_nonzero(top) > _CLIPPED_SHARE * values.size:
            clipped |= top
    return ~clipped


def _chart_colours(picture: Pixels, corners: Corners, log: GradingSpace, name: str) -> Array:
    """(24, 3) encoded mean colours of the inner part of each patch."""
    points = np.asarray(corners, np.float32).reshape(4, 2)
    area = float(cv2.contourArea(points))
    if area < _LEAST_CHART_PX:
        raise GradeError(
            f"{name}: the chart's corners {points.tolist()} enclose {area:.0f} px; "
            f"at least {_LEAST_CHART_PX} are needed."
        )
    side = 12
    width, height = _CHART_COLUMNS * side, _CHART_ROWS * side
    target = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    transform = cv2.getPerspectiveTransform(points, target)
    flat = cv2.warpPerspective(
        np.ascontiguousarray(np.nan_to_num(picture), np.float32), transform,
        (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE,
    )  # fmt: skip
    cells = flat.reshape(_CHART_ROWS, side, _CHART_COLUMNS, side, 3)[:, 4:-4, :, 4:-4]
    colours = np.median(cells.transpose(0, 2, 1, 3, 4).reshape(24, -1, 3), axis=1)
    return log.encode(colours[None].astype(np.float32))[0].astype(np.float64)
