from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from grade_samples import view, wall
from interpositive.bench import match as bench_match
from interpositive.bench.match import MatchBench, _score_rows, _scored, random_cdl, recovery_rows, run_parts
from interpositive.errors import UsageError
from interpositive.grade.cdl import CDL
from interpositive.progress import Progress


def test_random_grades_repeat_and_stay_in_their_range() -> None:
    first, second = (random_cdl(np.random.default_rng(4)) for _ in range(2))
    assert first == second != random_cdl(np.random.default_rng(5))
    for seed in range(50):
        cdl = random_cdl(np.random.default_rng(seed))
        assert max(map(abs, cdl.offset)) < 0.096 and 0.8 <= cdl.saturation <= 1.2


def test_a_score_is_small_for_a_match_and_large_for_none(monkeypatch: pytest.MonkeyPatch) -> None:
    hero, shot = view(wall(), 0), view(wall(), 1)
    grade = random_cdl(np.random.default_rng(6))
    good = _scored("wall", hero, shot, grade)
    assert good.stops < 0.05 and good.mired < 3 and good.matched < 0.5 * good.reinhard
    found = bench_match.estimate(hero, shot, bench_match.GradingSpace.of(None, "ACEScg"))
    nothing = type(found)(**{**vars(found), "cdl": CDL()})
    monkeypatch.setattr(bench_match, "estimate", lambda *_: nothing)
    assert _scored("wall", hero, shot, grade).matched > 3 * good.matched
    rows = {row.what: row for row in _score_rows("sets", "x", [good], strict=True)}
    assert rows["x: exposure error"].passed and rows["x: white balance error"].aimed


def test_recovery_meets_its_mark_on_the_bike(shared_data: Path) -> None:
    bench = MatchBench(shared_data / "fewshot", Progress())
    rows = {row.what: row for row in recovery_rows(bench)}
    assert rows["bike graded: CDL + LUT"].passed


def test_a_part_that_is_none_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="Parts: sets, real, unrelated, recovery"):
        run_parts(MatchBench(tmp_path, Progress()), ["set"])
