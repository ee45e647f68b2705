"""What a few frames of a clip look like, in numbers. All on one small scene-linear picture of each frame, but
for sharpness and noise, which need the plate's own pixels and take a few tiles of it.

Sources
    White balance: van de Weijer, Gevers, Gijsenij, "Edge-based color constancy", IEEE Transactions on Image
    Processing 16(9), 2007 (grey edge).
    Correlated colour temperature: CIE 15, nearest point of the Planckian locus in CIE 1960 u, v.
    Noise: Immerkaer, "Fast noise variance estimation", CVIU 64(2), 1996.
    Sharpness: Crete, Dolmiere, Ladret, Nicolas, "The blur effect: perception and estimation with a new
    no-reference perceptual blur metric", SPIE 6492, 2007.
    Motion: Kroeger, Timofte, Dai, Van Gool, "Fast optical flow using dense inverse search", ECCV 2016.
    Comparing histograms by their square roots: Arandjelovic, Zisserman, "Three things everyone should know to
    improve object retrieval", CVPR 2012.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ..errors import ChannelError
from ..images.colour import AS_IN_FILE, PlateColour, config, convert, primaries, space_name, to_working
from ..images.image import ImageFile, Pixels
from ..relight.colour_temperature import REC709, planckian_xy, rgb_to_xyz
from .clips import Measures, Triple

Array = NDArray[Any]

SMALL_PX = 320  # width of the picture that is measured
LOOK_SIZE = 128
SAME_SHOT = 0.12  # 1 - similarity of two looks below which frames are of one shot

_AP1 = (0.713, 0.293, 0.165, 0.830, 0.128, 0.044, 0.32168, 0.33767)  # ACES S-2014-004
_LUMINANCE = np.float32(rgb_to_xyz(_AP1)[1])
_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
_GREY = 0.18
_FLOOR = _GREY * 2.0**-10  # darker is counted as ten stops under grey
_TRIM = 0.01
_EDGE_SIGMA_PX = 1.0
_LEAST_EDGE = 1e-3  # mean slope over mean light below which a picture has no edges to go by
_TILE_PX, _TILES_A_SIDE = 64, 3
_FARTHEST_UV = 0.05  # CIE 15: no correlated colour temperature beyond it
_LEAST_FLOW_PX = 16  # the flow search takes no smaller picture
_PALETTE_SIZE = 5
_LOOK_WIDTH, _LOOK_HEIGHT = 48, 27
_CHROMA_FLOOR = _GREY * 2.0**-5  # keeps the colour of noise in blacks out
_MOST_BOUNDARY_READS = 24


@dataclass(frozen=True, eq=False)
class Picture:
    """One frame reduced. `working` (h, w, 3) in the plate's working space, for display; `acescg` (h, w, 3)
    scene-linear AP1 without NaN and infinities; `tiles` (n, t, t) log2 luminance of the plate's own pixels;
    `scale` plate pixels to one of the small picture."""

    frame: int
    working: Pixels
    acescg: Pixels
    tiles: Array
    scale: float


def reduce(frame: int, image_file: ImageFile, colour: PlateColour, with_tiles: bool = True) -> Picture:
    """The small picture and the tiles of a frame. Raises ChannelError where it holds no picture.

    Encoded plates are averaged in their code values. Of a large one only every second, third … row is taken,
    so that at least two are averaged, and all of its columns.
    """
    samples = _samples(image_file, picture_channels(image_file))
    height, width = samples.shape[:2]
    small = _as_float32(samples[:: max(1, width // SMALL_PX // 2)])
    if width > SMALL_PX:
        size = (SMALL_PX, max(1, round(height * SMALL_PX / width)))
        small = cv2.resize(small, size, interpolation=cv2.INTER_AREA)
    working = to_working(_as_rgb(small), colour)
    tiles = np.empty((0, 1, 1), np.float32)
    if with_tiles:
        stack = _tiles(samples)  # (n * t, t, 3)
        luminance = np.maximum(_to_acescg(to_working(stack, colour), colour) @ _LUMINANCE, _FLOOR)
        tiles = np.log2(luminance).reshape(-1, stack.shape[1], stack.shape[1])
    return Picture(frame, working, _to_acescg(working, colour), tiles, max(1.0, width / working.shape[1]))


def is_rec709(chromaticities: Sequence[float]) -> bool:
    """Whether CIE xy of red, green, blue and white are those of ITU-R BT.709."""
    return bool(np.allclose(chromaticities, REC709, atol=2e-3))


def picture_channels(image_file: ImageFile) -> tuple[str, ...]:
    """R, G, B of the main layer, else of the first layer that has them, else a single luminance channel."""
    layers = image_file.layers()
    for layer in ("", *layers):
        names = tuple(f"{layer}.{name}" if layer else name for name in "RGB")
        if set(names) <= set(layers.get(layer, ())):
            return names
    for name in ("Y", "I", "luminance"):
        if name in layers.get("", ()):
            return (name,)
    known = ", ".join(name for names in layers.values() for name in names[:4])
    raise ChannelError(f"{image_file.path} holds no R, G, B and no Y; it has {known}. Ingest a picture.")


def tiny(picture: Pixels) -> Pixels:
    """(27, 48, 3): enough for colours and layout."""
    size = (_LOOK_WIDTH, _LOOK_HEIGHT)
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.float32)


def measure(
    pictures: Sequence[Picture],
    neighbours: Sequence[tuple[Picture, Picture]] = (),
    shown: Sequence[Pixels] = (),
    boundaries: Sequence[int] = (),
) -> Measures:
    """Measures of a clip from its sampled `pictures`; `neighbours` are pairs of following frames, `shown` the
    pictures as displayed, 0..1, for the palette.
    """
    tones = [tone(picture.acescg[::2, ::2] @ _LUMINANCE) for picture in pictures]
    level = float(np.mean([mean for mean, _ in tones]))
    neutral = _mean_neutral([neutral_rgb(picture.acescg) for picture in pictures])
    tiles = np.concatenate([picture.tiles for picture in pictures])
    noise = noise_stops(tiles)
    flows = [
        motion_px(first, second)
        for first, second in neighbours
        if min(first.working.shape[:2]) >= _LEAST_FLOW_PX
    ]
    return Measures(
        frames=tuple(picture.frame for picture in pictures),
        exposure_stops=float(np.log2(max(level, _FLOOR) / _GREY)),
        neutral_rgb=neutral,
        mireds=correlated_mireds(neutral),
        contrast_stops=float(np.median([contrast for _, contrast in tones])),
        palette=palette(shown),
        sharpness=sharpness(tiles, noise),
        noise=noise,
        motion_px=float(np.median(flows)) if flows else None,
        boundaries=tuple(boundaries),
        look=mean_look([look(picture) for picture in pictures]),
    )


def tone(luminance: Array) -> tuple[float, float]:
    """(mean, contrast in stops) of luminances.

    The mean is without the darkest and the brightest hundredth, such as a lamp in shot; the contrast is from
    the 5th to the 95th percentile.
    """
    values = luminance.ravel()
    cut, last = int(values.size * _TRIM), values.size - 1
    places = (cut, round(0.05 * last), round(0.95 * last), last - cut)
    ordered = np.partition(values, places)
    mean = float(ordered[cut : last - cut + 1].mean(dtype=np.float64))
    low, high = (max(float(ordered[place]), _FLOOR) for place in places[1:3])
    return mean, float(np.log2(high / low))


def neutral_rgb(acescg: Pixels) -> Triple:
    """The colour of the light, green 1: steps of light and dark are grey on the average (first order, p = 1).

    Of an even picture, its mean colour.
    """
    smooth = cv2.GaussianBlur(np.maximum(acescg, 0), (0, 0), _EDGE_SIGMA_PX)
    slopes = [cv2.Sobel(smooth, cv2.CV_32F, dx, 1 - dx, borderType=cv2.BORDER_REPLICATE) for dx in (0, 1)]
    colour, mean = (np.array(cv2.mean(plane)[:3]) for plane in (cv2.magnitude(*slopes), smooth))
    if colour.min() < _LEAST_EDGE * mean.mean():
        colour = mean
    red, green, blue = (float(value) for value in np.maximum(colour, _FLOOR * 1e-3))
    return red / green, 1.0, blue / green


def correlated_mireds(neutral: Triple) -> float | None:
    """Correlated colour temperature of an AP1 colour in mireds, None far from the Planckian locus."""
    x, y, z = rgb_to_xyz(_AP1) @ np.asarray(neutral)
    uv = np.array([4 * x, 6 * y]) / (x + 15 * y + 3 * z)
    mireds, locus = _locus()
    distances = np.hypot(*(locus - uv).T)
    nearest = int(distances.argmin())
    if distances[nearest] > _FARTHEST_UV or nearest in (0, len(mireds) - 1):
        return None
    first, step = locus[nearest - 1], locus[nearest + 1] - locus[nearest - 1]
    share = float(np.clip((uv - first) @ step / (step @ step), 0, 1))
    return float(mireds[nearest - 1] + share * (mireds[nearest + 1] - mireds[nearest - 1]))


def noise_stops(tiles: Array) -> float:
    """Standard deviation of luminance noise in stops, from the flattest quarter of the tiles."""
    kernel = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)
    lit = [tile for tile in tiles if min(tile.shape) > 2 and tile.mean() > np.log2(_GREY) - 6.0]
    if not lit:
        return 0.0
    responses = [np.abs(cv2.filter2D(tile, -1, kernel)[1:-1, 1:-1]).mean() for tile in lit]
    return float(np.sqrt(np.pi / 2) / 6 * np.percentile(responses, 25))


def sharpness(tiles: Array, noise: float = 0.0) -> float:
    """0 (soft) to 1 (every edge one pixel wide): how much of the steps between neighbouring pixels a nine
    pixel blur takes away. Steps under three times the noise do not count."""
    best = 0.0
    for axis in (1, 2) if len(tiles) else ():
        size = (9, 1) if axis == 2 else (1, 9)
        blurred = np.stack([cv2.blur(tile, size) for tile in tiles])
        steps = np.abs(np.diff(tiles, axis=axis))
        steps = np.where(steps > 3 * np.sqrt(2) * noise + 1e-4, steps, 0)
        taken = np.maximum(0, steps - np.abs(np.diff(blurred, axis=axis)))
        total = float(steps.sum())
        best = max(best, float(taken.sum()) / total if total > 0 else 0.0)
    return best


def motion_px(first: Picture, second: Picture) -> float:
    """Median length of the optical flow between two following frames, in pixels of the plate."""
    planes = [np.log2(np.maximum(each.acescg @ _LUMINANCE, _FLOOR)) for each in (first, second)]
    low, high = np.percentile(planes[0][::4, ::4], (1, 99))
    gain = 235 / max(float(high - low), 1.0)
    # The flow search takes 8 bit; both pictures are scaled by the first one's tones.
    grey = [np.rint(np.clip((plane - low) * gain, 0, 255)).astype(np.uint8) for plane in planes]
    search = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
    flow = search.calc(*grey, None)
    return float(np.median(np.hypot(flow[..., 0], flow[..., 1])) * first.scale)


def palette(shown: Sequence[Pixels]) -> tuple[tuple[float, float, float, float], ...]:
    """(L*, a*, b*, share) of the five main colours of displayed pictures, CIE 1976, D65, largest first."""
    if not shown:
        return ()
    reduced = np.concatenate([tiny(picture) for picture in shown])
    lab = cv2.cvtColor(reduced, cv2.COLOR_RGB2Lab).reshape(-1, 3)
    ranks = np.argsort(np.argsort(lab[:, 0] + 0.5 * lab[:, 2], kind="stable"), kind="stable")
    start = (ranks * _PALETTE_SIZE // len(lab)).astype(np.int32)[:, None]  # the same in every run
    stop = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 8, 0.5)
    _, labels, centres = cv2.kmeans(lab, _PALETTE_SIZE, start, stop, 1, cv2.KMEANS_USE_INITIAL_LABELS)
    shares: dict[Triple, float] = {}  # a picture of fewer colours gives one of them several times
    for centre, count in zip(centres, np.bincount(labels.ravel(), minlength=_PALETTE_SIZE), strict=True):
        lightness, a, b = (round(float(value), 2) for value in centre)
        shares[lightness, a, b] = shares.get((lightness, a, b), 0.0) + count / len(lab)
    largest = sorted(shares.items(), key=lambda item: (-item[1], item[0]))
    return tuple((*colour, round(float(share), 4)) for colour, share in largest if share > 0)


# the look


def look(picture: Picture) -> NDArray[np.float32]:
    """128 numbers of unit length: tones 16, colours 49, where light and colour lie 24 + 24, edges 15."""
    small = np.maximum(tiny(picture.acescg), 0)
    stops = np.log2(np.maximum(small @ _LUMINANCE, _FLOOR) / _GREY)
    red, green, blue = (np.log2(small[..., k] + _CHROMA_FLOOR) for k in range(3))
    warm, yellow = np.clip(red - blue, -2.99, 2.99), np.clip(green - (red + blue) / 2, -1.49, 1.49)
    blocks = [
        _soft_histogram(np.clip(stops, -7.99, 7.99), -8, 8, 16),
        _soft_histogram_2d(warm, 3.0, yellow, 1.5, 7),
        np.tanh(_cells(stops - stops.mean(), 6, 4) / 3).ravel(),
        np.concatenate([np.tanh(_cells(plane, 4, 3)).ravel() for plane in (warm, 2 * yellow)]),
        _edge_histogram(stops, 15),
    ]
    return _unit(np.concatenate([_unit(block, 0.3) for block in blocks]))


def mean_look(looks: Iterable[NDArray[np.float32]]) -> NDArray[np.float32]:
    """The look of several frames together."""
    return _unit(np.mean(list(looks), axis=0))


def _soft_histogram(values: Array, low: float, high: float, bins: int) -> Array:
    """Square roots of shares; each value is split between the two nearest bins, so that nothing jumps."""
    place = (values.ravel() - low) / (high - low) * (bins - 1)
    lower = np.floor(place).astype(int)
    part = place - lower
    counts = np.bincount(lower, 1 - part, bins) + np.bincount(np.minimum(lower + 1, bins - 1), part, bins)
    return np.sqrt(counts / counts.sum())


def _soft_histogram_2d(x: Array, x_limit: float, y: Array, y_limit: float, bins: int) -> Array:
    counts = np.zeros(bins * bins)
    place_x, place_y = ((v.ravel() / limit + 1) / 2 * (bins - 1) for v, limit in ((x, x_limit), (y, y_limit)))
    left, top = np.floor(place_x).astype(int), np.floor(place_y).astype(int)
    for step_x in (0, 1):
        for step_y in (0, 1):
            weight = np.abs(1 - step_x - (place_x - left)) * np.abs(1 - step_y - (place_y - top))
            index = np.minimum(top + step_y, bins - 1) * bins + np.minimum(left + step_x, bins - 1)
            counts += np.bincount(index, weight, bins * bins)
    return np.sqrt(counts / counts.sum())


def _cells(plane: Array, columns: int, rows: int) -> Array:
    cells: Array = cv2.resize(plane.astype(np.float32), (columns, rows), interpolation=cv2.INTER_AREA)
    return cells


def _edge_histogram(stops: Array, bins: int) -> Array:
    """Directions of the edges, weighted by their strength; an edge and its opposite are one direction."""
    plane = stops.astype(np.float32)
    dx, dy = cv2.Sobel(plane, cv2.CV_32F, 1, 0), cv2.Sobel(plane, cv2.CV_32F, 0, 1)
    angle = np.mod(np.arctan2(dy, dx), np.pi) / np.pi * bins
    strength = np.bincount(np.minimum(angle.astype(int), bins - 1).ravel(), np.hypot(dx, dy).ravel(), bins)
    return np.sqrt(strength / plane.size)


def _unit(values: Array, least: float = 1e-6) -> NDArray[np.float32]:
    """Divided by its length, or by `least` where it is shorter: an empty block stays small."""
    return (values / max(float(np.linalg.norm(values)), least)).astype(np.float32)


# cuts inside a clip


def differs(first: NDArray[np.float32], second: NDArray[np.float32]) -> bool:
    """Whether two looks are of different shots."""
    return 1.0 - float(first @ second) > SAME_SHOT


def sampled_boundaries(
    frames: Sequence[int], looks: dict[int, NDArray[np.float32]], read: Callable[[int], NDArray[np.float32]]
) -> list[int]:
    """First frames of new shots between sampled frames that differ, by halving: `read` gives the look of a
    further frame and is called at most 24 times. A shot that begins and ends between two samples that look
    alike is not found; `every_boundary` finds it."""
    positions = sorted(frames.index(frame) for frame in looks)
    waiting = list(pairwise(positions))
    found: list[int] = []
    reads = 0
    while waiting:
        first, last = waiting.pop(0)
        if not differs(looks[frames[first]], looks[frames[last]]):
            continue
        if last - first == 1:
            found.append(frames[last])
        elif reads < _MOST_BOUNDARY_READS:
            middle = (first + last) // 2
            looks[frames[middle]] = read(frames[middle])
            reads += 1
            waiting += [(first, middle), (middle, last)]
    return sorted(found)


def every_boundary(frames: Sequence[int], read: Callable[[int], NDArray[np.float32]]) -> list[int]:
    """First frames of new shots, from every frame in order. A single frame that differs from both sides which
    are alike (a flash) is no shot."""
    found: list[int] = []
    before = previous = None
    for frame in frames:
        current = read(frame)
        if previous is not None and differs(previous, current):
            is_back = before is not None and found and found[-1] == _one_before(frames, frame)
            if is_back and not differs(before, current):  # type: ignore[arg-type]
                found.pop()
            else:
                found.append(frame)
        before, previous = previous, current
    return found


def _one_before(frames: Sequence[int], frame: int) -> int:
    return frames[max(frames.index(frame) - 1, 0)]


# pieces


def _samples(image_file: ImageFile, names: tuple[str, ...]) -> Array:
    """(H, W, 1 or 3) of the channels as the file holds them, half or float; a view where it can be."""
    for block in image_file.main.blocks:
        first = block.channels.index(names[0]) if names[0] in block.channels else -1
        is_float = block.samples.dtype in (np.float16, np.float32)
        if first >= 0 and is_float and block.channels[first : first + len(names)] == names:
            view: Array = block.samples[..., first : first + len(names)]
            return view
    return image_file.select(names)


def _as_float32(samples: Array) -> Pixels:
    """Half is converted by OpenCV, three times faster than by the table that `select` uses; only a signalling
    NaN comes out as another NaN."""
    if samples.dtype != np.float16:
        return np.ascontiguousarray(samples)
    converted: Pixels = cv2.subtract(samples, 0, dtype=cv2.CV_32F)
    return converted.reshape(samples.shape)


def _as_rgb(pixels: Pixels) -> Pixels:
    plane = pixels if pixels.ndim == 3 else pixels[..., None]
    return np.ascontiguousarray(plane if plane.shape[2] == 3 else np.repeat(plane, 3, axis=2))


def _tiles(samples: Array) -> Pixels:
    """Nine squares spread over the picture at its own resolution, one below the other: (n * t, t, 3). Of a
    small picture, the one in the middle."""
    height, width = samples.shape[:2]
    side = min(_TILE_PX, height, width)
    count = _TILES_A_SIDE if min(height, width) >= _TILES_A_SIDE * side else 1
    places = [(k + 0.5) / count for k in range(count)]
    corners = [(round((height - side) * y), round((width - side) * x)) for y in places for x in places]
    return _as_rgb(_as_float32(np.concatenate([samples[y : y + side, x : x + side] for y, x in corners])))


def _to_acescg(working: Pixels, colour: PlateColour) -> Pixels:
    """Working pixels in AP1: by the colour config, or by the file's primaries where its space has no name.
    NaN counts as black."""
    pixels = working
    if not np.isfinite(working).all():
        pixels = np.nan_to_num(working, nan=0.0, posinf=65504.0, neginf=0.0)
    way = _way_to_acescg(os.environ.get("OCIO", ""), colour)
    if way is None:
        return pixels
    if isinstance(way, str):
        return convert(pixels, colour.working_space, way)
    return (pixels @ way.T).astype(np.float32, copy=False)


@lru_cache(maxsize=64)
def _way_to_acescg(config_path: str, colour: PlateColour) -> str | Array | None:
    """The config's name of ACEScg to convert to, a matrix where the config cannot, None where nothing is to
    be done. `config_path` is only for the cache."""
    if colour.working_space == AS_IN_FILE or config().getColorSpace("ACEScg") is None:
        return _matrix_to_acescg(tuple(primaries(colour)))
    acescg = space_name("ACEScg")
    return None if space_name(colour.working_space) == acescg else acescg


def _matrix_to_acescg(chromaticities: tuple[float, ...]) -> Array:
    """(3, 3) float32: RGB of these primaries to AP1, white to white by Bradford (ICC.1, annex E)."""
    source, target = rgb_to_xyz(chromaticities), rgb_to_xyz(_AP1)
    cones = _BRADFORD @ np.stack([source.sum(1), target.sum(1)], 1)  # (3, 2) of the two whites
    adapt = np.linalg.solve(_BRADFORD, np.diag(cones[:, 1] / cones[:, 0]) @ _BRADFORD)
    matrix: Array = np.linalg.solve(target, adapt @ source).astype(np.float32)
    return matrix


@lru_cache(maxsize=1)
def _locus() -> tuple[Array, Array]:
    """(mireds, (n, 2) CIE 1960 u, v) of black bodies."""
    mireds = np.linspace(1e6 / 15000, 1e6 / 1000, 500)
    xy = np.array([planckian_xy(1e6 / value) for value in mireds])
    scale = -2 * xy[:, 0] + 12 * xy[:, 1] + 3
    return mireds, np.stack([4 * xy[:, 0] / scale, 6 * xy[:, 1] / scale], 1)


def _mean_neutral(neutrals: Sequence[Triple]) -> Triple:
    """Geometric mean, green 1."""
    red, _, blue = (float(value) for value in np.exp(np.log(neutrals).mean(axis=0)))
    return red, 1.0, blue
