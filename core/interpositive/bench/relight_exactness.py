"""Promises of relighting that are kept to the bit: the plate where nothing is asked, layers that add up."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from ..images.image import Image, Pixels
from ..images.reading import read_image_file
from ..images.writing import whole_file, write_exr
from ..relight.lights import SCHEMA, VERSION
from ..relight.passes import Passes
from ..soundstage.relight_scenes import VALIDATION_SEEDS, RelightScene, relight_scene
from .pictures import stored_rgb
from .runs import Runs
from .table import Row

SUM_MUST = 1e-5
_LOW, _HIGH = -0.5, 60.0


def three_lights(on: bool = True, intensity: float = 1.0) -> dict[str, Any]:
    """Key, fill and rim with shadows, as a lights file."""
    places = {"key": (-40, 30, 3200), "fill": (50, 10, 5600), "rim": (150, 45, 7000)}
    return {
        "schema": SCHEMA,
        "version": VERSION,
        "lights": [
            {
                "name": name, "type": "directional", "azimuth": azimuth, "elevation": elevation,
                "kelvin": kelvin, "intensity": intensity, "softness": 6, "on": on,
            }
            for name, (azimuth, elevation, kelvin) in places.items()
        ],
    }  # fmt: skip


def lights_file(path: Path, lights: dict[str, Any]) -> Path:
    """`lights` as JSON at `path`."""
    with whole_file(path) as unfinished:
        unfinished.write_text(json.dumps(lights) + "\n", encoding="utf-8")
    return path


def exactness_rows(runs: Runs, part: str) -> list[Row]:
    """Lights that are off, of no intensity, at no strength, or within an empty matte: the plate's bits."""
    folder = runs.work / "exactness"
    shot = _write_shot(folder, "float")
    matte = folder / "matte.0001.exr"
    plate = stored_rgb(Path(shot["plate"] % 1))
    write_exr(matte, Image(np.zeros((*plate.shape[:2], 1), np.float32), ("A",)), "half")
    asked: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
        "lights off": (three_lights(on=False), {}),
        "intensity zero": (three_lights(intensity=0.0), {}),
        "strength zero": (three_lights(), {"strength": 0.0}),
        "empty matte": (three_lights(), {"matte": str(folder / "matte.%04d.exr")}),
    }
    rows = []
    for name, (lights, more) in asked.items():
        out = folder / name / "relit.%04d.exr"
        params = {
            **shot, "lights": str(lights_file(folder / f"{name}.json", lights)), "out": str(out), **more,
        }  # fmt: skip
        runs.tool("relight", params, threads=None, title=name)
        kept = kept_bits_percent(stored_rgb(Path(str(out) % 1)), plate)
        rows.append(Row(part, f"{name}: pixels that keep the plate's bits", kept, "%", 100.0))
    return rows


def kept_bits_percent(made: Pixels, plate: Pixels) -> float:
    """Share of pixels (H, W, 3) float32 that are equal to the bit, NaN to NaN."""
    return 100 * float((made.view(np.uint32) == plate.view(np.uint32)).all(axis=-1).mean())


def sum_rows(runs: Runs, part: str) -> list[Row]:
    """Every light's layer and the existing light's, added up, against the result; half and float plates."""
    folder = runs.work / "exactness"
    errors = {}
    for kind in ("half", "float"):
        shot = _write_shot(folder / kind, kind)
        out = folder / kind / "layers" / "relit.%04d.exr"
        lights = lights_file(folder / "three.json", three_lights())
        params = {**shot, "lights": str(lights), "out": str(out), "layers": True}
        runs.tool("relight", params, threads=None, title=f"layers, {kind}")
        errors[kind] = layer_error(Path(str(out) % 1))
    title = "light layers added up against the result"
    return [Row(part, title, max(errors.values()), "", SUM_MUST, None, False, errors)]


def layer_error(path: Path) -> float:
    """The largest difference of the sum of all R, G, B layers from the result, relative above 1."""
    image_file = read_image_file(path)
    result = image_file.select(("R", "G", "B")).astype(np.float64)
    total = np.zeros_like(result)
    for name, channels in image_file.layers().items():
        colours = [c for c in channels if c.rpartition(".")[2] in ("R", "G", "B")]
        if name and len(colours) == 3:
            ordered = sorted(colours, key=lambda c: "RGB".index(c[-1]))
            total += image_file.select(tuple(ordered)).astype(np.float64)
    finite = np.isfinite(result)
    return float((np.abs(total - result) / np.maximum(np.abs(result), 1))[finite].max())


def _write_shot(folder: Path, kind: str) -> dict[str, str]:
    """One frame of a soundstage scene with its exact passes; plate values from -0.5 to 60, stored as
    `kind`."""
    scene = relight_scene(VALIDATION_SEEDS[1])
    plate = _wide_range_plate(scene)
    patterns = {name: str(folder / f"{name}.%04d.exr") for name in ("plate", "passes")}
    write_exr(patterns["plate"] % 1, Image(plate, ("R", "G", "B"), channel_formats=(kind,) * 3), "as-plate")
    shading = np.asarray(np.maximum(plate, 0) / np.maximum(scene.albedo, 1e-3), np.float32)
    constant = np.ones_like(scene.depth)
    passes = Passes(
        scene.normals, scene.depth, scene.albedo, shading,
        np.asarray(plate - scene.albedo * shading, np.float32),
        constant * np.float32(0.5), constant, constant,
    )  # fmt: skip
    write_exr(patterns["passes"] % 1, passes.to_image(), "float")
    return patterns


def _wide_range_plate(scene: RelightScene) -> Pixels:
    plate = np.ascontiguousarray(scene.plate(0))
    plate[10:20, 20:50], plate[60:66, 90:130] = np.float32(_HIGH), np.float32(_LOW)
    return plate
