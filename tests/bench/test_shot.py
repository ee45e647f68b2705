"""Which parts there are, what they train on, and what they say; the tools are stood in for."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

import bench_parts
from interpositive.bench.exactness import identity_verdict
from interpositive.bench.shot import ShotBench
from interpositive.errors import UsageError
from interpositive.images.image import Image
from interpositive.images.reading import read_image_file
from interpositive.images.writing import write_exr
from interpositive.progress import Progress


@pytest.fixture
def bench(tmp_path: Path) -> ShotBench:
    rng = np.random.default_rng(0)
    for layer in ("plate", "relit"):
        (tmp_path / "data" / "car" / layer).mkdir(parents=True)
        for frame in range(1, 13):
            picture = rng.integers(0, 256, (32, 48, 3), np.uint8)
            cv2.imwrite(str(tmp_path / "data" / "car" / layer / f"a.{frame:04d}.png"), picture)
    return ShotBench(tmp_path / "data", tmp_path / "work", bench_parts.copy_target, 2, "cpu", Progress())


def test_the_car_is_asked_for_at_three_budgets(bench: ShotBench) -> None:
    names = [part.name for part in bench.parts()]
    assert names[:3] == ["car-relit-10", "car-relit-30", "car-relit-120"]
    assert {"seeds", "flicker", "suggested-car", "inference-1080p", "memory-8k", "identity"} <= set(names)


def test_any_budget_can_be_asked_for(bench: ShotBench) -> None:
    assert [part.name for part in bench.chosen(["car-relit-7"])] == ["car-relit-7"]


def test_an_unknown_part_is_answered_with_the_known_ones(bench: ShotBench) -> None:
    with pytest.raises(UsageError, match=r"car-relit-10.*CLIP-LAYER-SECONDS"):
        bench.chosen(["car-matte-10"])


def test_exact_results_pass_with_the_baselines_beside_them(bench: ShotBench, tmp_path: Path) -> None:
    rows = bench.run(bench.chosen(["car-relit-10"]))
    assert [row.what for row in rows] == [
        "car relit: untouched plate", "car relit: global cubic polynomial", "car relit, 10 CPU-s",
    ]  # fmt: skip
    assert rows[-1].measured == float("inf") and rows[-1].passed and rows[-1].aimed
    seen = (tmp_path / "work" / "car-relit-10s-seed0" / "model" / "seen.txt").read_text()
    assert seen == "a.0001.png a.0004.png a.0007.png a.0009.png a.0012.png"  # 0, 2.75, 5.5, 8.25, 11 rounded


def test_flicker_of_the_exact_target_is_one(bench: ShotBench) -> None:
    assert bench.run(bench.chosen(["flicker"]))[0].measured == pytest.approx(1.0)


def wide_range_frames(folder: Path, change: float, where: tuple[int, int]) -> None:
    from interpositive.bench import exactness

    for frame in range(1, 9):
        plate = exactness._wide_range_plate(frame)
        made = exactness._rounded(plate)
        made[where] *= np.float32(change)
        for name, pixels in (("plate", plate), ("result", made)):
            image = Image(pixels, ("R", "G", "B"), channel_formats=("float",) * 3)
            write_exr(folder / name / f"{name}.{frame:04d}.exr", image)
    assert read_image_file(folder / "plate" / "plate.0001.exr").main.pixels.max() == 60


@pytest.mark.parametrize(
    ("change", "where", "verdicts"),
    [(1.0, (0, 0), [True, True]), (1.0001, (0, 0), [False, True]), (1.003, (75, 120), [True, False])],
)
def test_identity_sees_bits_outside_and_a_thousandth_inside(
    tmp_path: Path, change: float, where: tuple[int, int], verdicts: list[bool]
) -> None:
    wide_range_frames(tmp_path, change, where)
    rows = identity_verdict(tmp_path, tmp_path / "result" / "result.%04d.exr", "identity")
    assert [row.passed for row in rows] == verdicts
