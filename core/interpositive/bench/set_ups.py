"""Whether search by picture finds the other shots of a set: a sample production, taken in and searched."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..progress import Progress
from ..project.catalogue import Catalogue
from ..project.search import Query, search
from ..soundstage.production import SHOTS_PER_SET, make_production, production_shots
from .table import Row

if TYPE_CHECKING:
    from .project import ProjectBench

_SIZE = (160, 90)
_FRAMES = 3
_SEEDS = (1, 2)


def set_up_rows(bench: ProjectBench, part: str) -> list[Row]:
    """Of the clips most similar to each shot, as many as its set has besides it: the share from its set."""
    shares: dict[str, float] = {}
    for seed in _SEEDS:
        bench.progress.report("productions", len(shares), len(_SEEDS))
        folder = bench.work / f"{part}-{seed}"
        shares.update({f"seed {seed}, {shot}": found for shot, found in _shares(bench, folder, seed).items()})
    found = 100 * float(np.mean(list(shares.values())))
    others = SHOTS_PER_SET - 1
    by_chance = 100 * others / (len(production_shots(1, _SIZE, _FRAMES)) - 1)
    what = f"search by picture, of the {others} most similar from the shot's set"
    return [
        Row(part, what, found, "%", details={"shares": shares}),
        Row(part, f"{what}, by chance", by_chance, "%"),
    ]


def _shares(bench: ProjectBench, folder: Path, seed: int) -> dict[str, float]:
    shutil.rmtree(folder, ignore_errors=True)
    make_production(folder / "dailies", seed, _SIZE, _FRAMES, Progress())
    show = str(folder / "show")
    bench.run_tool(Progress(), "project create", {"folder": show, "title": "Sample production"})
    bench.run_tool(Progress(), "ingest", {"folders": [str(folder / "dailies")], "project": show})
    set_of = {shot.name: shot.set_name for shot in production_shots(seed, _SIZE, _FRAMES)}
    shares = {}
    with Catalogue.open(folder / "show") as catalogue:
        for record in list(catalogue.records()):
            look = record.measures.look if record.measures is not None else None
            nearest = search(catalogue, Query(), like=look, limit=SHOTS_PER_SET)
            others = [hit.record.clip.name for hit in nearest if hit.record.clip_id != record.clip_id]
            own = set_of[record.clip.name]
            shares[record.clip.name] = float(np.mean([set_of[name] == own for name in others]))
    return shares
