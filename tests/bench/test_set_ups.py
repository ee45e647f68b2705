"""The share of neighbours from the same set, on catalogues whose looks are known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from clip_samples import a_clip, a_look, some_measures
from interpositive.bench import set_ups
from interpositive.bench.project import ProjectBench
from interpositive.progress import Progress
from interpositive.project.catalogue import Catalogue
from interpositive.soundstage.production import production_shots


def rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by_set: bool) -> list[float]:
    """The bench on looks that are nearly one for each set, or for each number within its set."""

    def tool(progress: Progress, name: str, params: dict[str, Any]) -> dict[str, Any]:
        show = Path(params["folder"] if name == "project create" else params["project"])
        show.mkdir(parents=True, exist_ok=True)
        with Catalogue.create(show) as catalogue:
            for number, shot in enumerate(production_shots(1) if name == "ingest" else ()):
                group = sum(map(ord, shot.set_name)) if by_set else shot.number
                look = (a_look(group) + 0.05 * a_look(500 + number)).astype(np.float32)
                clip = a_clip(number, name=shot.name)
                catalogue.put(clip, some_measures(look=look))
        return {}

    monkeypatch.setattr(set_ups, "make_production", lambda *_: None)
    bench = ProjectBench(tmp_path, tmp_path, tool, "cpu", Progress())
    return [row.measured for row in set_ups.set_up_rows(bench, "set-ups")]


def test_shots_that_look_like_their_set_are_all_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert rows(tmp_path, monkeypatch, by_set=True) == [100.0, pytest.approx(300 / 11)]


def test_shots_that_look_like_other_sets_are_worse_than_chance(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found, by_chance = rows(tmp_path, monkeypatch, by_set=False)
    assert found < by_chance
