"""Colours that two shots share, where no places are found: the materials of a set, seen from elsewhere.

A picture is cut into blocks; calm blocks are gathered into a few hundred weighted colours with their texture.
Votes for the shift of log colour that lays one cloud on the other give starts; expectation-maximisation with
an outlier share then moves the shot's cloud by a CDL, both ways round so that soft matches do not shrink it.
Kernel votes: Y. Tsin, T. Kanade, "A Correlation-Based Approach to Robust Point Set Registration", ECCV 2004.
Soft matches with outliers: A. Myronenko, X. Song, "Point Set Registration: Coherent Point
Drift", PAMI 32(12), 2010.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from scipy.ndimage import gaussian_filter

from ..images.image import Pixels
from .cdl import CDL, LUMA_WEIGHTS, apply
from .cdl_fit import EXPECTED_LOG, fit_cdl

Array = np.ndarray

_BLOCK_PX = 6
_MOST_COLOURS = 200
_TEXTURE_SPREAD = 0.5  # in natural logarithm of the texture's strength
_LEAST_TEXTURE = 0.004
_VOTE_STEP = 0.008  # of the encoding
_VOTE_REACH = 0.36
_VOTE_BLUR = 2.0
_STARTS = 5
_FIRST_WIDTHS, _WIDTHS = (0.05,), (0.035, 0.025, 0.018, 0.013)
_FOLLOWED = 2  # of the starts
_OUTLIERS = 0.25


@dataclass(frozen=True)
class Cloud:
    """Weighted colours (N, 3) of a picture in a log encoding, weights (N,) that add up to 1, and the natural
    logarithm of the texture's strength about each (N,)."""

    colours: Array
    weights: Array
    texture: Array


@dataclass(frozen=True)
class Overlay:
    """The CDL that lays one cloud on the other, how much of the two then coincides (0..1), and the pairs."""

    cdl: CDL
    share: float
    shot: Array
    hero: Array
    weights: Array


def cloud_of(frames: list[Pixels]) -> Cloud:
    """The colours of pictures in a log encoding."""
    blocks = np.concatenate([_blocks(frame) for frame in frames])  # (N, 4) colour and texture
    return _gathered(blocks)


def overlay(hero: Cloud, shot: Cloud) -> Overlay:
    """Lay the shot's cloud on the hero's, starting from the shifts that most colours vote for."""
    first = [_refined(hero, shot, cdl, _FIRST_WIDTHS) for cdl in _voted(hero, shot)]
    first.sort(key=lambda one: -one.share)
    found = [_refined(hero, shot, one.cdl, _WIDTHS) for one in first[:_FOLLOWED]]
    return max(found, key=lambda one: one.share)


def coincidence(hero: Cloud, shot: Cloud, cdl: CDL, width: float = 0.02) -> float:
    """Share 0..1 of both clouds that has a partner within about `width` after the CDL."""
    moved = _moved(shot, cdl)
    square = _distances(moved, hero.colours)
    near = np.exp(-square.min(axis=1) / (2 * width**2))
    back = np.exp(-square.min(axis=0) / (2 * width**2))
    return float(min((near * shot.weights).sum(), (back * hero.weights).sum()))


def _blocks(frame: Pixels) -> Array:
    side = _BLOCK_PX
    height, width = (size - size % side for size in frame.shape[:2])
    frame = np.asarray(frame[:height, :width], np.float32)
    luma = frame @ np.asarray(LUMA_WEIGHTS, np.float32)
    detail = np.abs(luma - cv2.GaussianBlur(luma, (0, 0), 2.0))
    tiles = frame.reshape(height // side, side, width // side, side, 3)
    means, spread = tiles.mean(axis=(1, 3)), tiles.std(axis=(1, 3)).mean(axis=-1)
    rough = detail.reshape(height // side, side, width // side, side).mean(axis=(1, 3))
    texture = np.log(rough + _LEAST_TEXTURE)
    flat = np.concatenate([means, texture[..., None], spread[..., None]], axis=-1).reshape(-1, 5)
    calm = flat[:, 4] <= max(float(np.median(flat[:, 4])) * 2, 0.02)
    return flat[calm, :4]


def _gathered(blocks: Array) -> Cloud:
    """Blocks by cells of a lattice of colour and texture; large areas count by the root of their size."""
    scale = np.array([0.02, 0.02, 0.02, 0.6])
    while True:
        cells, member = np.unique(np.floor(blocks / scale).astype(np.int64), axis=0, return_inverse=True)
        if len(cells) <= _MOST_COLOURS:
            break
        scale = scale * 1.15
    counts = np.bincount(member.ravel(), minlength=len(cells)).astype(np.float64)
    sums = np.stack([np.bincount(member.ravel(), blocks[:, k], len(cells)) for k in range(4)], axis=1)
    means, weights = sums / counts[:, None], np.sqrt(counts)
    return Cloud(means[:, :3], weights / weights.sum(), means[:, 3])


def _voted(hero: Cloud, shot: Cloud) -> list[CDL]:
    """Starts: the shifts of all three channels that most pairs of colours agree on."""
    size = round(2 * _VOTE_REACH / _VOTE_STEP) + 1
    shifts = hero.colours[None] - shot.colours[:, None]  # (N, M, 3)
    weight = np.sqrt(shot.weights[:, None] * hero.weights[None]) * _like_texture(hero, shot)
    place = np.rint((shifts + _VOTE_REACH) / _VOTE_STEP).astype(np.int64)
    inside = ((place >= 0) & (place < size)).all(axis=-1)
    index = np.ravel_multi_index(tuple(place[inside].T), (size, size, size))
    votes = np.bincount(index, weight[inside], size**3).reshape(size, size, size)
    votes = gaussian_filter(votes, _VOTE_BLUR, mode="constant")
    starts = []
    for _ in range(_STARTS):
        peak = np.array(np.unravel_index(int(votes.argmax()), votes.shape))
        offset = peak * _VOTE_STEP - _VOTE_REACH
        starts.append(CDL(offset=(float(offset[0]), float(offset[1]), float(offset[2]))))
        low = np.maximum(peak - 5, 0)
        votes[low[0] : peak[0] + 6, low[1] : peak[1] + 6, low[2] : peak[2] + 6] = 0
    return starts


def _refined(hero: Cloud, shot: Cloud, cdl: CDL, widths: tuple[float, ...]) -> Overlay:
    texture = _like_texture(hero, shot)
    for width in widths:
        for _ in range(3):
            likely = np.exp(-_distances(_moved(shot, cdl), hero.colours) / (2 * width**2)) * texture
            there = likely * hero.weights[None]
            back = likely * shot.weights[:, None]
            forth_share = there / (there.sum(axis=1, keepdims=True) + _OUTLIERS * hero.weights.mean())
            back_share = back / (back.sum(axis=0, keepdims=True) + _OUTLIERS * shot.weights.mean())
            pairs = _both_ways(hero, shot, forth_share, back_share)
            fitted = fit_cdl(*pairs, (2 * width,), cdl, EXPECTED_LOG * 0.6, steps=3)
            cdl = fitted.cdl
    share = coincidence(hero, shot, cdl)
    return Overlay(cdl, share, *pairs)


def _both_ways(hero: Cloud, shot: Cloud, forth: Array, back: Array) -> tuple[Array, Array, Array]:
    """Each colour of the shot with the mean of its partners, and each of the hero likewise."""
    forth_total, back_total = forth.sum(axis=1), back.sum(axis=0)
    partners = forth @ hero.colours / np.maximum(forth_total, 1e-9)[:, None]
    sources = back.T @ shot.colours / np.maximum(back_total, 1e-9)[:, None]
    weights = np.concatenate([forth_total * shot.weights, back_total * hero.weights])
    count = len(shot.colours) + len(hero.colours)
    return (
        np.concatenate([shot.colours, sources]),
        np.concatenate([partners, hero.colours]),
        weights / max(float(weights.sum()), 1e-12) * count / 4,
    )


def _moved(shot: Cloud, cdl: CDL) -> Array:
    return apply(cdl, shot.colours.astype(np.float32)).astype(np.float64)


def _distances(a: Array, b: Array) -> Array:
    return np.maximum((a**2).sum(1)[:, None] + (b**2).sum(1)[None] - 2 * a @ b.T, 0)


def _like_texture(hero: Cloud, shot: Cloud) -> Array:
    return np.exp(-(((shot.texture[:, None] - hero.texture[None]) / _TEXTURE_SPREAD) ** 2) / 2)
