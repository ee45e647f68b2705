"""Passes at the plate's size from passes at the working size, with edges where the plate has them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import cv2
import numpy as np

from ..relight.passes import Passes
from .exposure import seen
from .fine_detail import FineFrame, grey_of
from .guided import RADIUS_PX, SMOOTHNESS, GuidedFilter, Map, enlarged
from .prediction import WorkingPasses, guide_of, shrunk, unit
from .split import (
    SETTINGS,
    SplitSettings,
    exact_split,
    fine_albedo,
    rounded,
    rounded_signed,
    split_by_albedo,
)

_GUIDED = (0, 1, 2, 11, *range(3, 10))  # packed planes: normal, visibility, log depth, albedo and shading
_FIRST_LOG = 4
_SHARE_BITS, _DEPTH_BITS = 9, 14  # significant bits that are written; a coarse depth would cast steps
_ROOM = np.float32(0.7)  # natural log units
_LEAST_CONFIDENCE = 0.05  # a window without any trusted pixel still has a fit


@dataclass(frozen=True)
class UpsamplingSettings:
    """`radius_px` in working pixels and `smoothness` of the guided filter; how the plate is split."""

    radius_px: int = RADIUS_PX
    smoothness: float = SMOOTHNESS
    split: SplitSettings = SETTINGS


@dataclass(frozen=True, eq=False)
class Enlarger:
    """One frame on its way to the plate's size: its guides and its fitted passes (h, w, 11, 4)."""

    plate: Map
    _gain: float
    _guide: Map | None  # (H, W, 3); made again where it is not kept
    _chosen: Map
    _fitted: Map
    _rest: Map  # (h, w, 2): roughness, confidence
    _settings: UpsamplingSettings

    @classmethod
    def of(
        cls, passes: WorkingPasses, plate: Map, gain: float, settings: UpsamplingSettings | None = None
    ) -> Enlarger:
        """`plate` (H, W, 3) scene-linear with any values; `gain` is the shot's exposure."""
        settings = settings or UpsamplingSettings()
        size = (passes.depth.shape[1], passes.depth.shape[0])
        guide = guide_of(plate, gain)
        weight = np.maximum(passes.confidence, _LEAST_CONFIDENCE)
        small = GuidedFilter.of(shrunk(guide, size), weight, settings.radius_px, settings.smoothness)
        planes = passes.packed()  # (h, w, 14)
        chosen = planes[..., _GUIDED]
        return cls(plate, gain, guide, chosen, small.fit(chosen), planes[..., [10, 12]], settings)

    def fine(self) -> FineFrame:
        """Albedo with the plate's texture, normals and shading of this frame alone."""
        guide = self.guide()
        normal = unit(cv2.merge(self._large(slice(0, 3), guide)))
        logs = self._large(slice(5, 11), guide)
        shading = cv2.exp(cv2.merge(logs[3:]))
        expected = cv2.exp(cv2.merge(logs[:3]))
        albedo = fine_albedo(seen(self.plate), expected, shading, self._settings.split)
        return FineFrame(albedo, normal, shading, grey_of(guide))

    def guide(self) -> Map:
        """The log plate (H, W, 3)."""
        return guide_of(self.plate, self._gain) if self._guide is None else self._guide

    def lighter(self) -> Enlarger:
        """The same in less memory: the guide will be made again."""
        return replace(self, _guide=None)

    def finished(
        self, fine: FineFrame, is_half: bool = False, given: Mapping[str, Map] | None = None
    ) -> Passes:
        """All passes. albedo * shading + residual is the plate bit for bit, rounded to half where `is_half`
        says that the plate is. `given` are passes of the artist's own: "normal", "depth" and "albedo"."""
        given = given or {}
        if "albedo" in given:
            parts = split_by_albedo(self.plate, given["albedo"], fine.shading, is_half)
        else:
            parts = exact_split(self.plate, fine.albedo, fine.shading, is_half)
        visibility, depth = self._large(slice(3, 5), self.guide())
        height, width = self.plate.shape[:2]
        smooth = cv2.resize(np.ascontiguousarray(self._rest), (width, height))
        return Passes(
            normal=rounded_signed(given.get("normal", fine.normal)),
            depth=np.asarray(given["depth"], np.float32)
            if "depth" in given
            else rounded(cv2.exp(depth), _DEPTH_BITS),
            albedo=parts.albedo,
            shading=parts.shading,
            residual=parts.residual,
            roughness=rounded(np.clip(smooth[..., 0], 0, 1), _SHARE_BITS),
            visibility=rounded(np.clip(visibility, 0, 1), _SHARE_BITS),
            confidence=rounded(np.clip(smooth[..., 1], 0, 1), _SHARE_BITS),
        )

    def _large(self, which: slice, guide: Map) -> list[Map]:
        large = enlarged(self._fitted[:, :, which], guide)
        for k, plane in enumerate(large, which.start):
            if k >= _FIRST_LOG:
                _hold_within(plane, self._chosen[..., k])
        return large


def upsample(
    passes: WorkingPasses,
    plate: Map,
    gain: float,
    settings: UpsamplingSettings | None = None,
    is_half: bool = False,
    given: Mapping[str, Map] | None = None,
) -> Passes:
    """Passes of one `plate` (H, W, 3) on its own; see `Enlarger`."""
    frame = Enlarger.of(passes, plate, gain, settings)
    return frame.finished(frame.fine(), is_half, given)


def _hold_within(large: Map, small: Map) -> None:
    """Hold `large` to the range of `small` with a little room: a fit must not run away on a lamp."""
    np.clip(large, small.min() - _ROOM, small.max() + _ROOM, out=large)
