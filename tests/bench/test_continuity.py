"""The continuity bench makes one mistake a set and knows its size."""

from __future__ import annotations

import pytest

from interpositive.bench import continuity
from interpositive.bench.continuity import _mistakes, _truth
from interpositive.bench.project import PARTS
from interpositive.soundstage.production import Drift, production_shots


def test_every_production_has_a_mistake_in_each_set_and_all_kinds_come() -> None:
    made = [_mistakes(index, seed) for index, seed in enumerate(continuity._SEEDS)]
    names = {shot.name for shot in production_shots()}
    assert all(set(mistakes) <= names for mistakes in made)
    assert all(len({name.split("_")[0] for name in mistakes}) == 3 for mistakes in made)
    kinds = [kind for mistakes in made for kind, _ in mistakes.values()]
    assert {kind: kinds.count(kind) for kind in kinds} == {"exposure": 4, "white balance": 4, "key light": 4}


def test_the_truth_is_that_of_the_camera_s_gain() -> None:
    assert _truth(Drift()) == pytest.approx({"exposure": 0, "white balance": 0}, abs=1e-9)
    seen = _truth(Drift(exposure_stops=-0.5, mireds=30))
    assert seen["exposure"] == -0.5 and seen["white balance"] == pytest.approx(28.4, abs=0.3)


def test_the_part_is_in_the_table() -> None:
    assert PARTS["continuity"] is continuity.continuity_rows
