"""A whole shot at the working size: one exposure, one key light, passes that hold still, one light.

The frames' small plates go in; out come packed passes of every frame, in place, and the shot's light. What is
measured on set or given by the artist is taken before anything is estimated from the picture.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from ..progress import Progress
from ..relight.shot_light import ShotLight
from .agreement import agreed, agreement_level
from .exposure import shot_gain
from .frame_store import FrameStore
from .hints import Hint, corrected
from .lighting import fit_light, gather, mean_light
from .prediction import Looks, Map, WorkingPasses, guide_of, predict, predicted_light, scaled_light
from .probes import brightness_ratio
from .reconcile import ReconcileSettings, reconciled
from .steadiness import SteadinessSettings, carried_both_ways, steady

_ALL_TO_SHADING = ReconcileSettings(to_albedo=0.0)
_EXPOSURE_FRAMES, _KEY_FRAMES, _LIGHT_FRAMES = 12, 6, 12


@dataclass(frozen=True, eq=False)
class Knowledge:
    """What is known of the shot beside the plate.

    `light` was measured (ball, probe), in plate units if `light_is_calibrated`; `key_direction` (3,) is where
    the key comes from. `given` gives the artist's own passes of a frame index at the working size: "normal",
    "depth", "albedo". `hints` are painted corrections by frame index.
    """

    light: ShotLight | None = None
    light_is_calibrated: bool = True
    key_direction: Map | None = None
    given: Callable[[int], Mapping[str, Map]] = lambda k: {}
    hints: Mapping[int, Hint] = field(default_factory=dict)

    @property
    def known_direction(self) -> Map | None:
        """Where the key comes from, if the artist or a measured light says so."""
        if self.key_direction is None and self.light is not None and self.light.key_level > 0:
            return np.asarray(self.light.direction.numpy(), np.float32)
        return self.key_direction


@dataclass(frozen=True)
class ShotSettings:
    """How a shot is looked at. `views` mirrored looks are averaged; not `together`, every frame has an
    exposure and a key of its own, and nothing is averaged over time."""

    views: int = 2
    together: bool = True
    steadiness: SteadinessSettings = field(default_factory=SteadinessSettings)


@dataclass(frozen=True, eq=False)
class Understanding:
    """What came out: the exposure that the prior was shown, and the light in plate units."""

    gain: float
    light: ShotLight
    subject_depth: float


def spread_over(count: int, most: int) -> list[int]:
    """At most `most` indices spread evenly over `count` frames, first and last among them."""
    return sorted({round(float(k)) for k in np.linspace(0, count - 1, min(count, most))})


def exposure_of(plates: FrameStore, mattes: FrameStore | None) -> float:
    """The exposure that the whole shot is shown with."""
    chosen = spread_over(len(plates), _EXPOSURE_FRAMES)
    return shot_gain([plates.get(k) for k in chosen], [matte_at(mattes, k) for k in chosen])


def key_of(prior: Looks, plates: FrameStore, mattes: FrameStore | None, gain: float) -> Map:
    """Where the key is (3,), by the mean of the light that the prior sees in some frames."""
    chosen = spread_over(len(plates), _KEY_FRAMES)
    lights = [predicted_light(prior, plates.get(k), gain, matte_at(mattes, k)) for k in chosen]
    return np.asarray(mean_light(lights, [1.0] * len(lights)).direction.numpy(), np.float32)


def understand(
    prior: Looks,
    plates: FrameStore,
    mattes: FrameStore | None,
    passes: FrameStore,
    knowledge: Knowledge,
    settings: ShotSettings,
    progress: Progress,
    gain: float | None = None,
) -> Understanding:
    """Fill `passes` (h, w, PACKED_PLANES) from `plates` (h, w, 3) and `mattes` (h, w, 1), and find the
    light."""
    gain = exposure_of(plates, mattes) if gain is None else gain
    known = knowledge.known_direction
    direction = key_of(prior, plates, mattes, gain) if known is None else known
    shown = gain if settings.together else None
    looked_for = direction if settings.together or known is not None else None
    for k in range(len(plates)):
        progress.report("predicting passes", k, len(plates))
        plate = plates.get(k)
        found, _ = predict(prior, plate, shown, matte_at(mattes, k), looked_for, settings.views)
        passes.put(k, with_given(reconciled(found, plate), knowledge.given(k)).packed())
    progress.report("predicting passes", len(plates), len(plates))
    _apply_hints(plates, passes, gain, knowledge.hints)
    if settings.together:
        total = 2 * len(plates)
        steady(
            plates, passes, gain, settings.steadiness,
            lambda done: progress.report("steadying passes", done, total),
        )  # fmt: skip
    for k in range(len(plates)):
        # A mean fits no frame exactly: what is left is the frame's light. What is given needs no mean.
        held = reconciled(WorkingPasses.unpacked(passes.get(k)), plates.get(k), _ALL_TO_SHADING)
        passes.put(k, with_given(held, knowledge.given(k)).packed())
    light = _light_of(passes, mattes, knowledge, direction)
    _agree(passes, mattes, knowledge, light)
    return Understanding(gain, light, _subject_depth(passes, mattes))


def _agree(passes: FrameStore, mattes: FrameStore | None, knowledge: Knowledge, light: ShotLight) -> None:
    """Let the light have its say about albedo and shading, with one level for the whole shot."""
    frames = [(WorkingPasses.unpacked(passes.get(k)), k) for k in spread_over(len(passes), _KEY_FRAMES)]
    level = float(np.median([agreement_level(found, light, matte_at(mattes, k)) for found, k in frames]))
    for k in range(len(passes)):
        held = agreed(WorkingPasses.unpacked(passes.get(k)), light, level)
        passes.put(k, with_given(held, knowledge.given(k)).packed())


def matte_at(mattes: FrameStore | None, k: int) -> Map | None:
    """(h, w), or None without mattes."""
    return None if mattes is None else mattes.get(k)[..., 0]


def with_given(passes: WorkingPasses, given: Mapping[str, Map]) -> WorkingPasses:
    """`passes` with the artist's own in place; shading follows a given albedo."""
    if not given:
        return passes
    normal, depth = given.get("normal", passes.normal), given.get("depth", passes.depth)
    albedo, shading = passes.albedo, passes.shading
    if "albedo" in given:
        albedo = np.clip(given["albedo"], 1e-3, 4.0)
        shading = passes.albedo * passes.shading / albedo
    return WorkingPasses(
        normal, depth, albedo, shading, passes.roughness, passes.visibility, passes.confidence
    )


def _apply_hints(plates: FrameStore, passes: FrameStore, gain: float, hints: Mapping[int, Hint]) -> None:
    """Correct the normals of hinted frames, and carry the correction along the motion to the others."""
    if not hints:
        return
    height, width = plates.frame_shape[:2]
    nothing = np.zeros((height, width, 4), np.float32)
    turns: dict[int, Map] = {}
    for k, hint in hints.items():
        before = passes.get(k)[..., :3]
        change = corrected(before, guide_of(plates.get(k), gain), hint) - before
        weight = (np.abs(change).max(2, keepdims=True) > 1e-4).astype(np.float32)
        turns[k] = np.concatenate([change * weight, weight], 2)

    def own(k: int) -> Map:
        return turns.get(k, nothing)

    def apply(k: int, total: Map) -> None:
        planes = passes.get(k)
        change = total[..., :3] / np.maximum(total[..., 3:], 1.0)
        planes[..., :3] += turns[k][..., :3] if k in turns else change
        passes.put(k, planes)

    carried_both_ways(plates, gain, 1.0, own, apply, 4)


def _light_of(
    passes: FrameStore, mattes: FrameStore | None, knowledge: Knowledge, direction: Map
) -> ShotLight:
    chosen = spread_over(len(passes), _LIGHT_FRAMES)
    frames = [WorkingPasses.unpacked(passes.get(k)) for k in chosen]
    within = None if mattes is None else [matte_at(mattes, k) for k in chosen]
    samples = gather(frames, within)
    if knowledge.light is None:
        return fit_light(samples, direction, keep_direction=knowledge.key_direction is not None)
    ratio = brightness_ratio(
        knowledge.light, samples.normal, samples.visibility, samples.shading, samples.weight
    )
    if not knowledge.light_is_calibrated:
        return scaled_light(knowledge.light, 1.0 / ratio)
    # A measured light says how bright shading is; albedo takes the inverse.
    step = np.float32(np.log(np.clip(ratio, 1e-3, 1e3)))
    for k in range(len(passes)):
        planes = passes.get(k)
        if "albedo" not in knowledge.given(k):
            planes[..., 4:7] -= step
            planes[..., 7:10] += step
            passes.put(k, planes)
    return knowledge.light


def _subject_depth(passes: FrameStore, mattes: FrameStore | None) -> float:
    middle = len(passes) // 2
    depth, matte = np.exp(passes.get(middle)[..., 3]), matte_at(mattes, middle)
    inside = depth[matte > 0.5] if matte is not None else depth.ravel()
    return float(np.median(inside)) if inside.size else 1.0
