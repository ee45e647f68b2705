"""Claims about `interpositive suggest-keyframes`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from interpositive.errors import ColourSpaceError, KeyframeError
from interpositive.images.contact_sheet import write_png
from interpositive.images.image import Image
from interpositive.images.writing import write_exr
from interpositive.progress import Progress
from interpositive.tools import suggest_keyframes as tool
from interpositive.tools import train

PICTURES = {0: (0.9, 0.2, 0.1), 1: (0.1, 0.3, 0.9)}


def plate_frame(scene: int, frame: int) -> np.ndarray:
    random = np.random.default_rng(scene)
    base = np.asarray(PICTURES[scene]) * random.uniform(0.2, 1.0, (48, 80, 1))
    return (base * (1 + 0.001 * frame)).astype(np.float32)


@pytest.fixture
def plate(tmp_path: Path) -> str:
    """Six frames of one scene, then two of another."""
    for frame in range(1001, 1009):
        write_exr(
            tmp_path / f"plate.{frame}.exr", Image(plate_frame(int(frame > 1006), frame), ("R", "G", "B"))
        )
    return str(tmp_path / "plate.%04d.exr")


def test_both_scenes_are_suggested(plate: str) -> None:
    found = tool.run(tool.Params(plate=plate, count=2), Progress())
    assert sorted(frame > 1006 for frame in found.frames) == [False, True]
    assert set(found.uncovered) == set(range(1001, 1009))


def test_frames_limits_the_shot(plate: str) -> None:
    found = tool.run(tool.Params(plate=plate, count=3, frames="1001-1004"), Progress())
    assert set(found.frames) <= {1001, 1002, 1003, 1004}


def test_with_a_model_its_keyframes_count_as_covered(plate: str, tmp_path: Path) -> None:
    changed = tmp_path / "keyframes"
    write_exr(changed / "comp.1002.exr", Image(plate_frame(0, 1002) * 0.5, ("R", "G", "B")))
    model = str(tmp_path / "model")
    train.run(
        train.Params(plate=plate, keyframes=str(changed), out=model, steps=5, quality="draft"), Progress()
    )
    found = tool.run(tool.Params(plate=plate, count=1, model=model), Progress())
    assert found.by_model and found.frames[0] > 1006


def test_a_frame_at_hand_that_is_not_in_the_plate_is_an_error(plate: str) -> None:
    with pytest.raises(KeyframeError, match="1042"):
        tool.run(tool.Params(plate=plate, have="1042"), Progress())


def test_an_undeclared_colour_space_is_asked_for(tmp_path: Path) -> None:
    write_png(tmp_path / "p.1001.png", np.full((16, 16, 3), 0.5, np.float32))
    with pytest.raises(ColourSpaceError, match="--input-space"):
        tool.run(tool.Params(plate=str(tmp_path / "p.%04d.png")), Progress())
