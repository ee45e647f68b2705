"""Whether the continuity report finds mistakes of known size: productions in which one shot a set is off."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..grade.white_balance import mireds
from ..progress import Progress
from ..soundstage.footage import AP1_CHROMATICITIES
from ..soundstage.production import SHOTS_PER_SET, Drift, make_production, production_shots
from .table import Row

if TYPE_CHECKING:
    from .project import ProjectBench

_SEEDS = (11, 12, 13, 14)
_STOPS, _MIREDS, _KEY_DEG = 0.5, 30.0, 110.0
_QUANTITIES = ("exposure", "white balance", "key light")


def continuity_rows(bench: ProjectBench, part: str) -> list[Row]:
    """Mistakes found by their kind, shots called out of line without one, and errors of matched amounts."""
    found: dict[str, bool] = {}
    wrong: list[str] = []
    errors: dict[str, list[float]] = {"exposure": [], "white balance": []}
    for index, seed in enumerate(_SEEDS):
        bench.progress.report("productions", index, len(_SEEDS))
        mistakes = _mistakes(index, seed)
        for shot in _reported(bench, bench.work / f"{part}-{seed}", seed, mistakes):
            label, mistake = f"seed {seed}, {shot['name']}", mistakes.get(shot["name"])
            if mistake is not None:
                found[f"{label}, {mistake[0]}"] = mistake[0] in shot["out"]
            elif shot["out"]:
                wrong.append(f"{label}, {', '.join(shot['out'])}")
            for quantity, true in _truth(Drift() if mistake is None else mistake[1]).items():
                difference = shot["differences"].get(quantity)
                if difference is not None and difference["basis"] == "matched":
                    errors[quantity].append(abs(difference["amount"] - true))
    share = 100 * float(np.mean(list(found.values())))
    return [
        Row(part, f"mistakes found, of {len(found)}", share, "%", details={"found": found}),
        Row(part, "shots wrongly out of line", float(len(wrong)), "shots", details={"shots": wrong}),
        Row(part, "matched exposure, mean error", float(np.mean(errors["exposure"])), "stops"),
        Row(part, "matched white balance, mean error", float(np.mean(errors["white balance"])), "mireds"),
    ]


def _mistakes(index: int, seed: int) -> dict[str, tuple[str, Drift]]:
    """One shot of each set, and what is wrong with it: kinds, places and signs take turns."""
    sets = list(dict.fromkeys(shot.set_name for shot in production_shots(seed)))
    chosen: dict[str, tuple[str, Drift]] = {}
    for turn, name in enumerate(sets):
        kind = _QUANTITIES[(index + turn) % len(_QUANTITIES)]
        sign = 1.0 if (index + turn) % 2 else -1.0
        drifts = {
            "exposure": Drift(exposure_stops=sign * _STOPS),
            "white balance": Drift(mireds=sign * _MIREDS),
            "key light": Drift(key_turn_deg=sign * _KEY_DEG),
        }
        chosen[f"{name}_{((index + 2 * turn) % SHOTS_PER_SET + 1) * 10:03d}"] = (kind, drifts[kind])
    return chosen


def _truth(drift: Drift) -> dict[str, float]:
    white, seen = (mireds(rgb, AP1_CHROMATICITIES)[0] for rgb in (np.ones(3), drift.gain))
    return {"exposure": drift.exposure_stops, "white balance": seen - white}


def _reported(
    bench: ProjectBench, folder: Path, seed: int, mistakes: dict[str, tuple[str, Drift]]
) -> list[dict[str, Any]]:
    shutil.rmtree(folder, ignore_errors=True)
    drifts = {name: drift for name, (_, drift) in mistakes.items()}
    make_production(folder / "dailies", seed, frames=1, drifts=drifts)
    show = str(folder / "show")
    bench.run_tool(Progress(), "project create", {"folder": show, "title": "Sample production"})
    bench.run_tool(Progress(), "ingest", {"folders": [str(folder / "dailies")], "project": show})
    bench.run_tool(Progress(), "project report", {"project": show})
    text = (folder / "show" / "report" / "continuity.json").read_text(encoding="utf-8")
    shots: list[dict[str, Any]] = json.loads(text)["shots"]
    return shots
