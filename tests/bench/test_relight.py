"""Which parts the relight bench has, and that its rows hold with the real tools where no prior is needed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from interpositive.bench import runs
from interpositive.bench.children import Measured
from interpositive.bench.relight import RelightBench, RelightData
from interpositive.bench.relight_exactness import kept_bits_percent, layer_error
from interpositive.errors import UsageError
from interpositive.images.image import Image
from interpositive.images.writing import write_exr
from interpositive.progress import Progress
from interpositive.tools.bench_shot import run_tool
from lit_objects import write_objects


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RelightBench:
    """The tools run in this process: only their speed needs fresh ones."""

    def measure(function: Any, *arguments: Any, threads: int | None, progress: Progress, title: str) -> Any:
        return Measured(function(progress, *arguments), 1.0, 1.0, 1)

    monkeypatch.setattr(runs, "measure", measure)

    def nothing(*_: object) -> None:
        raise AssertionError("no picture is to be understood here")

    data = RelightData(write_objects(tmp_path / "objects"), tmp_path)
    return RelightBench(data, tmp_path / "work", run_tool, nothing, Progress())  # type: ignore[arg-type]


def test_every_row_of_the_acceptance_table_has_a_part(bench: RelightBench) -> None:
    names = {part.name for part in bench.parts()}
    assert {
        "objects-known", "objects-unknown", "albedo", "scenes", "adaptation", "steadiness", "exactness",
        "sums", "analyse-1080p", "relight-1080p", "memory-4k",
    } <= names  # fmt: skip


def test_without_a_plate_there_is_no_steadiness_part(tmp_path: Path) -> None:
    data = RelightData(tmp_path, None)
    bench = RelightBench(data, tmp_path, run_tool, None, Progress())  # type: ignore[arg-type]
    assert "steadiness" not in {part.name for part in bench.parts()}


def test_an_unknown_part_is_answered_with_the_known_ones(bench: RelightBench) -> None:
    with pytest.raises(UsageError, match=r"nonsense.*objects-known, objects-unknown"):
        bench.chosen(["nonsense"])


def test_what_asks_for_nothing_keeps_the_plate_and_layers_add_up(bench: RelightBench) -> None:
    rows = [row for part in bench.chosen(["exactness", "sums"]) for row in part.rows()]
    assert [row.passed for row in rows] == [True] * 5
    assert {row.what.partition(":")[0] for row in rows[:4]} == {
        "lights off", "intensity zero", "strength zero", "empty matte",
    }  # fmt: skip


def test_a_single_flipped_bit_is_seen() -> None:
    plate = np.random.default_rng(0).random((10, 10, 3), dtype=np.float32)
    plate[3, 3] = np.nan
    made = plate.copy()
    assert kept_bits_percent(made, plate) == 100
    made[5, 5, 1] = np.nextafter(made[5, 5, 1], np.float32(2))
    assert kept_bits_percent(made, plate) == 99


def test_layers_that_do_not_add_up_are_seen(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    key, existing = rng.random((2, 8, 8, 3), dtype=np.float32)
    for name, spoil in (("right", 0.0), ("wrong", 1e-3)):
        result = key + existing + np.float32(spoil)
        channels = [f"{layer}{c}" for layer in ("", "light_key.", "existing.") for c in "RGB"]
        pixels = np.concatenate([result, key, existing], axis=2)
        image = Image(pixels, channels, channel_formats=["float"] * 9)
        write_exr(tmp_path / f"{name}.exr", image, "as-plate")
    assert layer_error(tmp_path / "right.exr") < 1e-6
    assert layer_error(tmp_path / "wrong.exr") == pytest.approx(1e-3, rel=0.3)
