"""A prior without training for tests of analysis: it knows one trick, and says it about any picture."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np

from interpositive.prior.predictor import WEIGHTS_FILE, Prepared

Array = np.ndarray[Any, np.dtype[np.float32]]
DIRECTION = (0.6, 0.3, 0.742)


class StandInPrior:
    """Takes blurred brightness for shading and the rest for albedo; slopes of brightness lean the normals.

    `noise` is added to what it says, another for each look, as an uncertain network would.
    """

    def __init__(self, noise: float = 0.0) -> None:
        self.manifest = {"name": "stand-in", "files": {WEIGHTS_FILE: {"sha256": "0" * 64}}}
        self.looks: list[Prepared] = []
        self._noise = noise
        self._random = np.random.default_rng(5)

    def run(self, look: Prepared) -> Mapping[str, Array]:
        self.looks.append(look)
        picture = look.picture[0].transpose(1, 2, 0)
        log = np.log(picture + 0.01)
        light = cv2.GaussianBlur(np.ascontiguousarray(log.mean(2)), (0, 0), 6.0)
        slope = np.stack([cv2.Sobel(light, cv2.CV_32F, 1, 0), -cv2.Sobel(light, cv2.CV_32F, 0, 1)], 2)
        normal = np.concatenate([slope, np.ones_like(light)[..., None]], 2)
        normal = normal + self._noise * self._random.standard_normal(normal.shape)
        normal = normal / np.linalg.norm(normal, axis=2, keepdims=True)
        shading = np.exp(np.repeat(light[..., None], 3, 2) + 0.7)
        wobble = np.exp(self._noise * self._random.standard_normal(shading.shape))
        one = np.ones_like(light)[..., None]
        direction = np.asarray(DIRECTION, np.float32)
        if look.light[0, 3] > 0:
            direction = look.light[0, :3]
        else:
            direction = look.orientation.vectors(direction)
        values = np.concatenate([direction, [0.8, 0.7, 0.6], np.zeros(27)])[None]
        planes = {
            "normal": normal,
            "log_depth": light[..., None] * 0.1,
            "albedo": picture / shading * wobble + 0.01,
            "shading": shading / wobble,
            "roughness": 0.5 * one,
            "visibility": one,
            "confidence": 0.9 * one,
        }
        output = {name: plane.transpose(2, 0, 1)[None].astype(np.float32) for name, plane in planes.items()}
        return {**output, "light": values.astype(np.float32)}
