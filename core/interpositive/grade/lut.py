"""Small 3D LUTs: what a CDL leaves over, as a smooth table.

The table holds values of the grading log space over 0..1 of that space and is interpolated by tetrahedra, as
hosts do it. Outside, the change at the border goes on, so that values below zero and above one stay apart;
hosts clamp there. Fitting: least squares of penalised B-splines (P. Eilers, B. Marx, "Flexible Smoothing with
B-splines and Penalties", Statistical Science 11(2), 1996): their second differences are held small, so that
the table neither bands nor swings, and a little of their size, so that it does nothing far from the colours
seen.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import PyOpenColorIO as ocio
from scipy import sparse
from scipy.linalg import cho_factor, cho_solve

from ..errors import GradeError
from ..images.image import Pixels
from ..images.writing import whole_file
from .grading_space import GradingSpace
from .perception import encoded_from, perceived

Array = np.ndarray

POINTS = 33
_CONTROLS = 11  # of the fitted change, along each axis
_CELLS_PER_UNIT = 96
_LEAST_RANGE = 0.02
_FADE, _LEAST_FADE = 0.35, 1e-4  # of display values outside of the range of the colours


@dataclass(frozen=True, eq=False)
class Lut:
    """table (n, n, n, 3) float32 by red, green, blue; in and out are values of `space`, in over 0..1."""

    table: Pixels
    space: str

    def __post_init__(self) -> None:
        shape = self.table.shape
        if len(shape) != 4 or shape[3] != 3 or len(set(shape[:3])) != 1 or not 2 <= shape[0] <= 129:
            raise GradeError(f"A 3D LUT is a cube of 2 to 129 points: found {shape}.")
        if not np.isfinite(self.table).all():
            raise GradeError("A 3D LUT holds values that are not finite.")

    @property
    def points(self) -> int:
        return int(self.table.shape[0])

    @property
    def largest_change(self) -> float:
        """Of any point, in units of the space."""
        return float(np.abs(self.table - identity_table(self.points)).max())

    def apply(self, encoded: Pixels) -> Pixels:
        """Encoded pixels (H, W, 3) through the table, a new array."""
        inside = np.clip(encoded, 0.0, 1.0).astype(np.float32)
        looked_up = np.ascontiguousarray(inside).copy()
        _processor(self).applyRGB(looked_up)
        return np.asarray(looked_up + (encoded - inside), np.float32)


def identity_table(points: int) -> Pixels:
    """The table (n, n, n, 3) that changes nothing."""
    axis = np.linspace(0, 1, points, dtype=np.float32)
    return np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1)


def fit_lut(
    source: Array, target: Array, weights: Array, log: GradingSpace, smoothness: float, restraint: float
) -> Lut:
    """The table that turns colours (N, 3) into others (N, 3), both in the log space, with weights (N,).

    The change is a tensor product of cubic B-splines over the range of the colours, in display values;
    further out it fades to none. `smoothness` and `restraint` say what bending, and change at all, is worth
    beside the error of all samples. Raises GradeError for no samples.
    """
    if not len(source) or float(weights.sum()) <= 0:
        raise GradeError("There are no colours to fit a LUT to.")
    shown, wanted = perceived(source, log), perceived(target, log)
    x, y, weight = gathered(shown, wanted, weights / float(weights.sum()))
    low, high = x.min(axis=0), x.max(axis=0)
    high = np.maximum(high, low + _LEAST_RANGE)
    basis = _splines(x, low, high)
    weighted = basis.T.multiply(weight).tocsr()
    normal = (weighted @ basis).toarray() + _bending() * smoothness
    normal += np.eye(_CONTROLS**3) * (restraint / _CONTROLS**3)
    factor = cho_factor(normal, overwrite_a=True, check_finite=False)
    change = cho_solve(factor, weighted @ (y - x), check_finite=False)
    grid = identity_table(POINTS)
    points = perceived(grid.reshape(-1, 3), log)
    outside = np.maximum(np.maximum(low - points, points - high), 0)
    fade = np.exp(-(outside**2).sum(axis=1, keepdims=True) / _FADE**2)
    moved = encoded_from(points + fade * (_splines(points, low, high) @ change), log)
    table = np.where(fade > _LEAST_FADE, moved, grid.reshape(-1, 3))
    return Lut(np.ascontiguousarray(table.reshape(grid.shape), np.float32), log.name)


def gathered(source: Array, target: Array, weights: Array) -> tuple[Array, Array, Array]:
    """Means over the cells of a fine lattice, so that a large picture costs no more than its colours."""
    cells = np.floor(np.asarray(source) * _CELLS_PER_UNIT).astype(np.int64)
    _, member = np.unique(cells, axis=0, return_inverse=True)
    member, count = member.ravel(), int(member.max()) + 1

    weight = np.bincount(member, weights, count)

    def mean(values: Array) -> Array:
        sums = [np.bincount(member, values[:, k] * weights, count) for k in range(3)]
        return np.stack(sums, axis=1) / np.maximum(weight, 1e-15)[:, None]

    return mean(source), mean(target), weight


def _splines(colours: Array, low: Array, high: Array) -> Any:
    """(N, controls ** 3) values of the cubic B-splines, 64 a row; colours outside of the range are brought
    to its border."""
    spans = _CONTROLS - 3
    place = np.clip((colours - low) / (high - low), 0, 1) * spans
    cell = np.minimum(place.astype(np.int64), spans - 1)
    t = place - cell
    values = np.stack(
        [(1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3], axis=-1
    ) / 6  # (N, 3, 4)  # fmt: skip
    index = cell[:, :, None] + np.arange(4)  # (N, 3, 4)
    product = values[:, 0, :, None, None] * values[:, 1, None, :, None] * values[:, 2, None, None, :]
    columns = (index[:, 0, :, None, None] * _CONTROLS + index[:, 1, None, :, None]) * _CONTROLS
    columns = columns + index[:, 2, None, None, :]
    rows = np.repeat(np.arange(len(colours)), 64)
    return sparse.csr_matrix((product.ravel(), (rows, columns.ravel())), shape=(len(colours), _CONTROLS**3))


@lru_cache(maxsize=1)
def _bending() -> Array:
    """Mean of the squared second differences along the axes and across the planes, in units of the range."""
    size = _CONTROLS
    one, first, second = np.eye(size), np.diff(np.eye(size), axis=0), np.diff(np.eye(size), n=2, axis=0)
    total = np.zeros((size**3, size**3))
    for axis in range(3):
        along = [second if k == axis else one for k in range(3)]
        across = [one if k == axis else first for k in range(3)]
        for parts, share in ((along, 1.0), (across, 2.0)):
            squares = [part.T @ part for part in parts]
            total += share * np.kron(np.kron(squares[0], squares[1]), squares[2])
    return total * ((size - 3) ** 4 / size**3)


@lru_cache(maxsize=8)
def _processor(lut: Lut) -> Any:
    group = ocio.GroupTransform([_transform(lut)])
    return ocio.Config.CreateRaw().getProcessor(group).getDefaultCPUProcessor()


def _transform(lut: Lut) -> Any:
    transform = ocio.Lut3DTransform(gridSize=lut.points)
    transform.setData(np.ascontiguousarray(lut.table, np.float32).ravel())
    transform.setInterpolation(ocio.INTERP_TETRAHEDRAL)
    return transform


def write_clf(path: str | Path, lut: Lut, description: str) -> None:
    """Academy Common LUT Format through OpenColorIO. Raises OutputError."""
    group = ocio.GroupTransform([_transform(lut)])
    metadata = group.getFormatMetadata()
    metadata.setID(Path(path).stem)
    metadata.addChildElement("Description", description)
    metadata.addChildElement("InputDescriptor", lut.space)
    metadata.addChildElement("OutputDescriptor", lut.space)
    text = group.write(config=ocio.Config.CreateRaw(), formatName="Academy/ASC Common LUT Format")
    with whole_file(path) as unfinished:
        unfinished.write_text(text, encoding="utf-8")


def write_cube(path: str | Path, lut: Lut, description: str) -> None:
    """.cube, red changing fastest (Adobe Cube LUT Specification 1.0). Raises OutputError."""
    rows = lut.table.transpose(2, 1, 0, 3).reshape(-1, 3)
    title = Path(path).stem.replace('"', "'")
    lines = [f'TITLE "{title}"', f"# {description}", f"LUT_3D_SIZE {lut.points}"]
    lines += [f"{r:.7f} {g:.7f} {b:.7f}" for r, g, b in rows.tolist()]
    with whole_file(path) as unfinished:
        unfinished.write_text("\n".join(lines) + "\n", encoding="utf-8")
