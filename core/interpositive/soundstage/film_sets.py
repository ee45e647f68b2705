"""Three little film sets: a kitchen, a workshop and a salon, each with its things, its people and its light.

One stage unit is 25 cm. Each set stands on a floor at y = 0 before a wall; the same seed places and paints
the same set, and another seed another one of the kind. Albedo is scene-linear ACEScg.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..images.colour_chart import COLUMNS, ROWS, chart_acescg
from .materials import MATERIALS, Finish, Material
from .shading import Colour
from .shapes import Array, Blob, Shape, Solid, rotation_xyz
from .textures import bar, blend, cell_value, checker, disc, noise, solid, step, stripes

METRES_PER_UNIT = 0.25
CHART_PATCH = 0.26  # stage units from patch to patch
_CHART_AT: Colour = (2.75, 4.1, 1.3)
_CHART_TURN = (0.0, -9.0, 0.0)


@dataclass(frozen=True)
class FilmSet:
    """What stands on a set and how it is lit; temperatures in kelvin.

    The camera is balanced to `balance_k`. `key` is a soft square light; `key_level` and `fill_level` are the
    irradiance from it at `subject`, and the radiance of the dome, on the scale of the plate.
    """

    name: str
    solids: tuple[Solid, ...]
    finishes: dict[str, Material]
    floor: str
    backdrop: str
    wall_z: float
    balance_k: int
    key_position: Colour
    key_side: float
    key_k: float
    key_level: float
    fill_k: float
    fill_level: float
    lamp: Colour | None
    lamp_level: float
    subject: Colour

    def finish(self, name: str) -> Material:
        """The material of that name: the set's own, or one of the stage's."""
        return {**MATERIALS, "lamp": _plain((0.5, 0.5, 0.5)), **self.finishes}[name]


def chart_stand() -> tuple[tuple[Solid, ...], dict[str, Material]]:
    """A 24-patch chart on a stand, beside the subject, and its finishes."""
    half = (COLUMNS * CHART_PATCH / 2 + 0.07, ROWS * CHART_PATCH / 2 + 0.07, 0.03)
    x, y, z = _CHART_AT
    board = Solid("chart", Shape("box", half), _CHART_AT, "chart", rotation=rotation_xyz(*_CHART_TURN))
    pole = Solid("chart pole", Shape("cylinder", (0.05, y / 2, 0)), (x, y / 2, z - 0.12), "steel")
    return (board, pole), {"chart": _chart}


def chart_corners() -> Array:
    """Corners (3, 4) of the chart's patches on the stage: top left, top right, bottom right, bottom left."""
    half_width, half_height = COLUMNS * CHART_PATCH / 2, ROWS * CHART_PATCH / 2
    signs = np.array([[-1, 1, 1, -1], [1, 1, -1, -1], [0, 0, 0, 0]], np.float32)
    local = signs * np.array([[half_width], [half_height], [0]], np.float32)
    local[2] = 0.03
    return rotation_xyz(*_CHART_TURN) @ local + np.asarray(_CHART_AT, np.float32)[:, None]


def _chart(p: Array, footprint: Array) -> Finish:
    column = np.floor(p[0] / CHART_PATCH + COLUMNS / 2).astype(int)
    row = np.floor(ROWS / 2 - p[1] / CHART_PATCH).astype(int)
    inside = (column >= 0) & (column < COLUMNS) & (row >= 0) & (row < ROWS) & (p[2] > 0)
    paint = chart_acescg()[np.where(inside, row * COLUMNS + column, 0)].T
    across = np.abs((p[0] / CHART_PATCH + COLUMNS / 2) % 1 - 0.5) * CHART_PATCH
    upright = np.abs((p[1] / CHART_PATCH + ROWS / 2) % 1 - 0.5) * CHART_PATCH
    edge = np.float32(CHART_PATCH * 0.44)
    patch = (1 - step(float(edge), across, footprint)) * (1 - step(float(edge), upright, footprint)) * inside
    black = solid((0.03, 0.03, 0.031), footprint.size)
    return _matt(black + (np.maximum(paint, 0.002) - black) * patch, 0.9, 0.01)


# ------------------------------------------------------------------------------------------------ people


@dataclass(frozen=True)
class _Look:
    """How a person is painted: skin, hair, cloth with its second colour."""

    skin: Colour
    hair: Colour
    cloth: Colour
    trim: Colour


def _person(name: str, at: Colour, turn_deg: float, height: float = 0.0) -> tuple[Solid, ...]:
    """Head, neck and shoulders; `at` is below the chin on the floor, the chin is about 4.1 units high."""
    x, _, z = at
    turn = rotation_xyz(0, turn_deg, 0)
    head = Blob(
        "capsule",
        (1, 1, 1),
        balls=(
            (0, 0.10, -0.05, 0.36), (0, -0.17, 0.04, 0.25), (0, -0.03, 0.34, 0.045), (0, -0.34, 0.14, 0.10),
            (-0.35, 0.0, -0.04, 0.05), (0.35, 0.0, -0.04, 0.05),
        ),
    )  # fmt: skip
    body = Blob(
        "capsule",
        (1, 1, 1),
        balls=(
            (-0.46, 0.46, 0, 0.2), (0.46, 0.46, 0, 0.2), (0, 0.38, 0, 0.40), (0, -0.25, 0.03, 0.52),
            (-0.66, -0.02, 0.06, 0.16), (0.66, -0.02, 0.06, 0.16), (0, -0.85, 0.05, 0.50),
        ),
        folds=(0.018, 9.0),
    )  # fmt: skip
    return (
        Solid(f"{name} head", head, (x, 4.52 + height, z), f"{name} face", "person", turn),
        Solid(f"{name} neck", Shape("cylinder", (0.17, 0.3, 0), 0.05), (x, 4.0 + height, z - 0.04),
              f"{name} neck", "person"),
        Solid(f"{name} body", body, (x, 3.15 + height, z), f"{name} cloth", "person", turn),
        Solid(f"{name} skirt", Shape("cylinder", (0.52, 1.2, 0), 0.2), (x, 1.2 + height, z), f"{name} skirt",
              "person"),
    )  # fmt: skip


def _painted(name: str, look: _Look) -> dict[str, Material]:
    return {
        f"{name} face": lambda p, footprint: _face(look, p, footprint),
        f"{name} neck": lambda p, footprint: _matt(_skin(look, p), 0.5, 0.028),
        f"{name} cloth": lambda p, footprint: _cloth(look, p, footprint),
        f"{name} skirt": _plain(look.trim, 0.85, 0.02),
    }


def _skin(look: _Look, p: Array) -> Array:
    tone = 0.9 + 0.2 * noise(p[0] * 7 + 3, p[1] * 7 + p[2] * 5)
    return np.asarray(solid(look.skin, p.shape[1]) * tone, np.float32)


def _face(look: _Look, p: Array, footprint: Array) -> Finish:
    x, y, z = p
    front = (z > 0.05).astype(np.float32)
    albedo = _skin(look, p)
    r, g, b = look.skin
    for side in (-1, 1):
        albedo = blend(
            albedo,
            (r * 1.05, g * 0.72, b * 0.72),
            0.6 * front * disc(x - side * 0.2, y + 0.13, 0.1, footprint + 0.08),
        )
    albedo = blend(
        albedo, (r * 0.85, g * 0.42, b * 0.4), front * bar(x, y + 0.235, 0.105, 0.026, footprint + 0.01)
    )
    for side in (-1, 1):
        u, v = x - side * 0.145, y - 0.055
        albedo = blend(albedo, look.hair, 0.8 * front * bar(u, v - 0.105, 0.085, 0.014, footprint + 0.008))
        albedo = blend(albedo, (0.62, 0.6, 0.57), front * disc(u, v * 1.7, 0.062, footprint))
        albedo = blend(albedo, (0.035, 0.028, 0.022), front * disc(u, v, 0.034, footprint))
    line = np.float32(0.27) - 0.42 * np.clip(0.12 - z, 0, 1) - 0.03 * noise(x * 9 + 5, z * 9 + 5)
    hair = np.clip((y - line) / (footprint + 0.01) + 0.5, 0, 1)
    strands = 0.75 + 0.5 * noise(x * 60, z * 12 + y * 12)
    albedo = albedo + (solid(look.hair, x.size) * strands - albedo) * hair
    return _matt(np.asarray(albedo, np.float32), 0.48, 0.03)


def _cloth(look: _Look, p: Array, footprint: Array) -> Finish:
    ribs = 0.85 + 0.3 * stripes(p[0] + 4, 0.07, 0.5, footprint)
    albedo = np.asarray(solid(look.cloth, p.shape[1]) * ribs, np.float32)
    albedo = blend(albedo, look.trim, bar(np.zeros_like(p[1]), p[1] - 0.12, 1, 0.09, footprint))
    return _matt(
        blend(albedo, look.trim, bar(np.zeros_like(p[1]), p[1] + 0.2, 1, 0.05, footprint)), 0.85, 0.02
    )


# ------------------------------------------------------------------------------------------------ surfaces


def _matt(albedo: Array, roughness: float, coat: float) -> Finish:
    count = albedo.shape[1]
    return Finish(
        np.asarray(albedo, np.float32),
        np.full(count, roughness, np.float32),
        np.full(count, coat, np.float32),
    )


def _plain(colour: Colour, roughness: float = 0.6, coat: float = 0.035) -> Material:
    """One colour with a little unevenness."""

    def finish(p: Array, footprint: Array) -> Finish:
        tone = 0.92 + 0.16 * noise(p[0] * 3.1 + p[2] * 2 + 11, p[1] * 3.1 + 5)
        return _matt(solid(colour, p.shape[1]) * tone, roughness, coat)

    return finish


def _tiles(first: Colour, second: Colour, side: float) -> Material:
    """A tiled floor with grout."""

    def finish(p: Array, footprint: Array) -> Finish:
        x, z = p[0] + 40, p[2] + 40
        tone = 0.88 + 0.24 * cell_value(x / side, z / side)
        field = blend(solid(first, x.size), second, checker(x, z, 2 * side, footprint)) * tone
        grout = np.maximum(stripes(x, side, 0.035, footprint), stripes(z, side, 0.035, footprint))
        return _matt(blend(field, (0.2, 0.19, 0.18), grout * 0.8), 0.3, 0.04)

    return finish


def _plaster(upper: Colour, lower: Colour, rail: float) -> Material:
    """A painted wall above a panelled lower part that ends in a rail at height `rail`."""

    def finish(p: Array, footprint: Array) -> Finish:
        x, y = p[0] + 60, p[1]
        mottle = 0.86 + 0.28 * (0.6 * noise(x * 0.7, y * 0.7) + 0.4 * noise(x * 4, y * 4))
        albedo: Array = solid(upper, x.size) * mottle
        below = 1 - step(rail, y, footprint)
        panel = solid(lower, x.size) * (0.9 + 0.2 * cell_value(x / 1.1, np.zeros_like(x)))
        albedo = albedo + (panel - albedo) * below
        albedo = blend(albedo, (0.05, 0.045, 0.04), below * stripes(x, 1.1, 0.03, footprint) * 0.8)
        return _matt(
            blend(albedo, (0.6, 0.58, 0.54), bar(np.zeros_like(y), y - rail, 1, 0.09, footprint)), 0.7, 0.03
        )

    return finish


def _brickwork(colour: Colour) -> Material:
    def finish(p: Array, footprint: Array) -> Finish:
        x, y = p[0] + 60, p[1]
        course = np.floor(y / 0.42)
        shift = x + (course % 2) * np.float32(0.55)
        tone = 0.7 + 0.5 * cell_value(shift / np.float32(1.1), course) + 0.25 * (noise(x * 6, y * 6) - 0.5)
        joint = np.maximum(stripes(y, 0.42, 0.1, footprint), stripes(shift, 1.1, 0.04, footprint))
        return _matt(blend(solid(colour, x.size) * tone, (0.32, 0.31, 0.29), joint * 0.85), 0.85, 0.025)

    return finish


def _paper(ground: Colour, stripe: Colour, period: float) -> Material:
    """Striped wallpaper over a dark skirting board."""

    def finish(p: Array, footprint: Array) -> Finish:
        x, y = p[0] + 60, p[1]
        albedo = blend(solid(ground, x.size), stripe, stripes(x, period, 0.42, footprint))
        fleck = disc((x / period) % 1 - 0.71, (y / period * 0.8) % 1 - 0.5, 0.14, footprint / period)
        albedo = blend(albedo, stripe, fleck * 0.8) * (0.92 + 0.16 * noise(x * 0.5, y * 0.5))
        return _matt(blend(albedo, (0.09, 0.06, 0.045), 1 - step(0.75, y, footprint)), 0.75, 0.03)

    return finish


def _concrete(colour: Colour) -> Material:
    def finish(p: Array, footprint: Array) -> Finish:
        x, z = p[0] + 60, p[2] + 60
        tone = (
            0.75 + 0.3 * noise(x * 0.6, z * 0.6) + 0.12 * noise(x * 5, z * 5) + 0.08 * noise(x * 21, z * 21)
        )
        oil = np.clip((noise(x * 0.45 + 9, z * 0.45) - 0.68) * 6, 0, 1)
        return _matt(blend(solid(colour, x.size) * tone, (0.05, 0.048, 0.045), oil * 0.7), 0.55, 0.035)

    return finish


def _wood(dark: Colour, pale: Colour) -> Material:
    def finish(p: Array, footprint: Array) -> Finish:
        x, y, z = p + np.float32(20)
        rings = noise(x * 0.9 + y * 5, z * 5 + y * 0.3) * 0.65 + noise(x * 2, z * 27 + y * 27) * 0.35
        low, high = (np.asarray(c, np.float32)[:, None] for c in (dark, pale))
        return _matt(low + (high - low) * rings, 0.45, 0.04)

    return finish


def _leaves(colour: Colour) -> Material:
    def finish(p: Array, footprint: Array) -> Finish:
        tone = 0.5 + 1.0 * noise(p[0] * 11 + 30, p[1] * 11 + p[2] * 9 + 30)
        return _matt(solid(colour, p.shape[1]) * tone, 0.5, 0.03)

    return finish


# ------------------------------------------------------------------------------------------------ the sets


_SACK = Blob(
    "capsule",
    (1, 1, 1),
    balls=((0, 0, 0, 0.62), (0.35, -0.2, 0.1, 0.5), (-0.3, -0.25, 0.1, 0.5), (0, 0.55, 0, 0.3)),
    folds=(0.04, 6.5),
)
_BUST = Blob(
    "capsule",
    (1, 1, 1),
    balls=(
        (0, 0.25, 0, 0.36), (0, -0.02, 0.05, 0.26), (0, 0.1, 0.34, 0.05), (0, -0.4, 0, 0.2),
        (-0.35, -0.72, 0, 0.22), (0.35, -0.72, 0, 0.22), (0, -0.72, 0, 0.3),
    ),
)  # fmt: skip


def _table(at: Colour, half_width: float, half_depth: float, material: str) -> list[Solid]:
    x, y, z = at
    top = Solid("table", Shape("box", (half_width, 0.09, half_depth), 0.03), (x, y - 0.09, z), material)
    legs = [
        Solid(f"leg {k}", Shape("box", (0.11, y / 2 - 0.1, 0.11), 0.01),
              (x + a * (half_width - 0.2), y / 2 - 0.1, z + b * (half_depth - 0.2)), material)
        for k, (a, b) in enumerate([(-1, 1), (1, 1)])
    ]  # fmt: skip
    return [top, *legs]


def _jitter(rng: np.random.Generator) -> Callable[[Colour, float], Colour]:
    """Colours and places that vary a little with the seed."""

    def varied(value: Colour, share: float) -> Colour:
        x, y, z = np.asarray(value) * np.exp(rng.normal(0, share, 3))
        return (float(min(x, 0.85)), float(min(y, 0.85)), float(min(z, 0.85)))

    return varied


def _kitchen(rng: np.random.Generator) -> FilmSet:
    vary = _jitter(rng)
    shift = float(rng.uniform(-0.25, 0.25))
    bowl = (1.15 + shift, 3.0, 1.15)
    fruit = [
        Solid(
            f"fruit {k}",
            Shape("ball", (0.23, 0, 0)),
            (bowl[0] + dx, 3.36 + dy, bowl[2] + dz),
            f"fruit {k % 3}",
        )
        for k, (dx, dy, dz) in enumerate([(-0.22, 0, 0.1), (0.2, 0, 0.16), (0, 0, -0.2), (0.02, 0.3, 0.06)])
    ]
    solids = (
        *_person("cook", (-0.35 + shift, 0, 0), float(rng.uniform(-8, 22))),
        *_table((0, 3.0, 1.0), 3.3, 1.0, "oak"),
        Solid("bowl", Shape("torus", (0.42, 0.13, 0)), (bowl[0], 3.13, bowl[2]), "glaze",
              rotation=rotation_xyz(90, 0, 0)),
        *fruit,
        Solid("jug", Shape("cylinder", (0.33, 0.5, 0), 0.12), (-1.75, 3.5, 0.9 + shift), "glaze"),
        Solid("jug handle", Shape("torus", (0.22, 0.055, 0)), (-2.12, 3.55, 0.9 + shift), "glaze"),
        Solid("loaf", Shape("capsule", (0.27, 0.42, 0)), (-1.0, 3.26, 1.55), "crust",
              rotation=rotation_xyz(0, 25, 90)),
        Solid("shelf", Shape("box", (2.2, 0.07, 0.4), 0.02), (2.7, 5.6, -2.6), "oak"),
        Solid("tin a", Shape("cylinder", (0.34, 0.45, 0), 0.03), (1.6, 6.12, -2.55), "tin red"),
        Solid("tin b", Shape("box", (0.36, 0.55, 0.3), 0.04), (2.6, 6.22, -2.6), "tin blue"),
        Solid("pot", Shape("cylinder", (0.45, 0.32, 0), 0.05), (3.8, 5.99, -2.5), "copper"),
        Solid("lamp", Shape("ball", (0.36, 0, 0)), (-2.9, 6.5, -1.9), "lamp", casts_shadow=False),
        Solid("cord", Shape("capsule", (0.035, 2.5, 0)), (-2.9, 9.3, -1.9), "ink", casts_shadow=False),
    )  # fmt: skip
    finishes = {
        **_painted("cook", _Look(vary((0.42, 0.27, 0.19), 0.05), (0.06, 0.035, 0.02),
                                 vary((0.06, 0.12, 0.26), 0.15), (0.62, 0.6, 0.56))),
        "oak": _wood((0.20, 0.11, 0.055), vary((0.42, 0.27, 0.15), 0.06)),
        "glaze": _plain((0.68, 0.68, 0.665), 0.25, 0.05),
        "fruit 0": _plain(vary((0.56, 0.21, 0.045), 0.1), 0.45),
        "fruit 1": _plain(vary((0.62, 0.48, 0.07), 0.1), 0.45),
        "fruit 2": _plain(vary((0.22, 0.34, 0.06), 0.1), 0.35),
        "crust": _leaves((0.46, 0.25, 0.10)),
        "tin red": _plain(vary((0.42, 0.06, 0.045), 0.1), 0.3, 0.05),
        "tin blue": _plain(vary((0.07, 0.17, 0.35), 0.1), 0.3, 0.05),
        "copper": _plain((0.42, 0.2, 0.11), 0.3, 0.2),
        "ink": _plain((0.03, 0.03, 0.03)),
        "kitchen floor": _tiles((0.52, 0.49, 0.43), vary((0.17, 0.26, 0.26), 0.1), 0.9),
        "kitchen wall": _plaster(vary((0.46, 0.45, 0.40), 0.04), vary((0.20, 0.30, 0.29), 0.08), 4.1),
    }  # fmt: skip
    side = float(rng.uniform(-1, 1))
    return FilmSet(
        "kitchen", solids, finishes, "kitchen floor", "kitchen wall", -3.2, 5600, (-7.5 + side, 9.5, 7.5),
        2.6, 5300, 1.05, 6800, 0.16, (-2.9, 6.5, -1.35), 0.55, (0, 4.2, 0.3),
    )  # fmt: skip


def _workshop(rng: np.random.Generator) -> FilmSet:
    vary = _jitter(rng)
    shift = float(rng.uniform(-0.3, 0.3))
    solids = (
        *_person("fitter", (0.3 + shift, 0, 0.2), float(rng.uniform(-25, 5)), height=0.35),
        Solid("drum", Shape("cylinder", (0.95, 1.5, 0), 0.08), (-2.6, 1.5, -0.6), "drum"),
        Solid("crate", Shape("box", (1.0, 0.9, 0.9), 0.04), (-2.2 + shift, 0.9, 1.7), "pine",
              rotation=rotation_xyz(0, 24, 0)),
        Solid("small crate", Shape("box", (0.6, 0.5, 0.5), 0.03), (-2.3 + shift, 2.3, 1.6), "pine",
              rotation=rotation_xyz(0, -12, 0)),
        Solid("tyre", Shape("torus", (0.8, 0.32, 0)), (3.4, 1.1, -0.9), "rubber",
              rotation=rotation_xyz(-14, -25, 0)),
        Solid("sack", _SACK, (2.15, 0.72, 1.5), "jute"),
        *_table((0.6, 3.0, 1.2), 1.9, 0.7, "bench"),
        Solid("paper roll", Shape("cylinder", (0.26, 0.75, 0), 0.02), (1.6, 3.27, 1.2), "grey card",
              rotation=rotation_xyz(0, 20, 90)),
        Solid("spanner", Shape("capsule", (0.07, 0.6, 0)), (-0.2, 3.08, 1.5), "steel",
              rotation=rotation_xyz(0, 60, 90)),
        Solid("can", Shape("cylinder", (0.22, 0.34, 0), 0.03), (-0.75, 3.35, 1.0), "can"),
        Solid("pipe", Shape("capsule", (0.16, 9.0, 0)), (0, 7.6, -3.3), "pipe",
              rotation=rotation_xyz(0, 0, 90)),
        Solid("notice", Shape("box", (0.8, 0.55, 0.03)), (2.4, 5.6, -3.55), "notice"),
    )  # fmt: skip
    finishes = {
        **_painted("fitter", _Look(vary((0.15, 0.082, 0.052), 0.05), (0.018, 0.015, 0.013),
                                   vary((0.42, 0.17, 0.05), 0.12), (0.3, 0.3, 0.31))),
        "drum": _plain(vary((0.055, 0.15, 0.25), 0.12), 0.4, 0.05),
        "pine": _wood((0.30, 0.19, 0.10), (0.50, 0.36, 0.22)),
        "rubber": _plain((0.032, 0.031, 0.031), 0.65),
        "jute": _leaves((0.36, 0.28, 0.17)),
        "bench": _wood((0.12, 0.10, 0.08), (0.26, 0.22, 0.18)),
        "grey card": _plain((0.40, 0.40, 0.40), 0.8, 0.02),
        "can": _plain(vary((0.58, 0.40, 0.05), 0.08), 0.35, 0.05),
        "pipe": _plain((0.18, 0.20, 0.19), 0.45, 0.06),
        "notice": _plain((0.62, 0.50, 0.07), 0.5),
        "workshop floor": _concrete((0.30, 0.30, 0.295)),
        "workshop wall": _brickwork(vary((0.27, 0.145, 0.10), 0.06)),
    }  # fmt: skip
    side = float(rng.uniform(-1, 1))
    return FilmSet(
        "workshop", solids, finishes, "workshop floor", "workshop wall", -3.7, 3200, (7.2 + side, 10.0, 6.0),
        1.2, 3250, 1.35, 4600, 0.09, None, 0.0, (0.3, 4.4, 0.3),
    )  # fmt: skip


def _salon(rng: np.random.Generator) -> FilmSet:
    vary = _jitter(rng)
    shift = float(rng.uniform(-0.25, 0.25))
    plant = tuple(
        (float(x), float(y), float(z), float(r))
        for x, y, z, r in rng.uniform((-0.45, -0.4, -0.35, 0.22), (0.45, 0.7, 0.35, 0.4), (7, 4))
    )
    sofa = [
        Solid("seat", Shape("box", (2.4, 0.85, 1.0), 0.2), (0.2, 1.0, 0.1), "velvet"),
        Solid("back", Shape("box", (2.4, 1.5, 0.35), 0.25), (0.2, 2.1, -0.9), "velvet"),
        Solid("arm l", Shape("box", (0.4, 1.25, 1.0), 0.25), (-2.4, 1.3, 0.1), "velvet"),
        Solid("arm r", Shape("box", (0.4, 1.25, 1.0), 0.25), (2.8, 1.3, 0.1), "velvet"),
    ]
    solids = (
        *_person("guest", (0.1 + shift, 0, 0.25), float(rng.uniform(5, 25)), height=-0.1),
        *sofa,
        Solid("plant pot", Shape("cylinder", (0.6, 0.65, 0), 0.06), (-3.7, 0.65, 0.3), "terracotta"),
        Solid("plant", Blob("capsule", (1, 1, 1), balls=plant, folds=(0.05, 12.0)), (-3.7, 2.35, 0.3),
              "leaves"),
        Solid("plinth", Shape("box", (0.5, 1.6, 0.5), 0.03), (4.1, 1.6, -0.7), "marble"),
        Solid("bust", _BUST, (4.1, 4.1, -0.7), "plaster", rotation=rotation_xyz(0, -30, 0)),
        Solid("lamp pole", Shape("capsule", (0.05, 2.6, 0)), (-2.9, 2.6, -1.2), "brass"),
        Solid("lamp", Shape("cylinder", (0.55, 0.42, 0), 0.08), (-2.9, 5.4, -1.2), "lamp",
              casts_shadow=False),
        Solid("cushion", Shape("box", (0.5, 0.5, 0.2), 0.19), (1.75, 2.2, -0.25), "cushion",
              rotation=rotation_xyz(-18, -12, 8)),
        Solid("picture", Shape("box", (1.1, 0.75, 0.06), 0.01), (1.6, 6.7, -2.5), "picture"),
        Solid("vase", Shape("capsule", (0.22, 0.3, 0)), (3.4, 0.52, 1.4), "glass blue"),
    )  # fmt: skip
    finishes = {
        **_painted("guest", _Look(vary((0.48, 0.34, 0.26), 0.05), (0.35, 0.33, 0.31),
                                  vary((0.17, 0.08, 0.20), 0.12), (0.55, 0.48, 0.3))),
        "velvet": _plain(vary((0.28, 0.045, 0.05), 0.1), 0.8, 0.025),
        "terracotta": _plain((0.38, 0.17, 0.09), 0.8),
        "leaves": _leaves(vary((0.09, 0.17, 0.05), 0.1)),
        "marble": _plain((0.60, 0.60, 0.59), 0.35, 0.045),
        "plaster": _plain((0.66, 0.65, 0.64), 0.8, 0.02),
        "brass": _plain((0.40, 0.29, 0.11), 0.3, 0.2),
        "cushion": _plain(vary((0.50, 0.38, 0.12), 0.08), 0.85),
        "picture": _framed(vary((0.16, 0.26, 0.34), 0.2), vary((0.42, 0.36, 0.2), 0.2)),
        "salon wall": _paper(vary((0.28, 0.36, 0.29), 0.05), vary((0.42, 0.46, 0.38), 0.05), 0.85),
    }  # fmt: skip
    side = float(rng.uniform(-1, 1))
    return FilmSet(
        "salon", solids, finishes, "planks", "salon wall", -2.6, 4300, (-5.0 + side, 8.5, 9.0), 4.5,
        4100, 0.80, 3600, 0.14, (-2.9, 5.3, -0.75), 1.1, (0.1, 4.2, 0.3),
    )  # fmt: skip


def _framed(sky: Colour, land: Colour) -> Material:
    """A landscape in a gilt frame."""

    def finish(p: Array, footprint: Array) -> Finish:
        x, y = p[0], p[1]
        albedo = blend(solid((0.36, 0.26, 0.09), x.size), sky, bar(x, y, 0.98, 0.63, footprint))
        hills = step(0, -0.1 + 0.16 * np.sin(x * 3.1 + 1) + 0.05 * np.sin(x * 11) - y, footprint)
        return _matt(blend(albedo, land, hills * bar(x, y, 0.98, 0.63, footprint)), 0.5, 0.04)

    return finish


FILM_SETS: dict[str, Callable[[np.random.Generator], FilmSet]] = {
    "kitchen": _kitchen,
    "workshop": _workshop,
    "salon": _salon,
}


def film_set(name: str, seed: int) -> FilmSet:
    """The set `name` ("kitchen", "workshop" or "salon") of a production's seed."""
    order = list(FILM_SETS).index(name)
    return FILM_SETS[name](np.random.default_rng((seed, 40 + order)))
