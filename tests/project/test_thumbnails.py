"""Small pictures of clips."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from interpositive.errors import OutputError
from interpositive.project.thumbnails import thumbnail_path, write_thumbnail


def test_a_thumbnail_shows_the_picture_in_its_own_colours(tmp_path: Path) -> None:
    shown = np.zeros((36, 64, 3), np.float32)
    shown[:, :32] = (1.0, 0.5, 0.0)
    relative = thumbnail_path("/dailies/a.%04d.exr", 1001)
    write_thumbnail(tmp_path, relative, shown)
    found = cv2.imread(str(tmp_path / relative))[..., ::-1]
    assert found.shape == (36, 64, 3)
    assert found[18, 10] == pytest.approx([255, 128, 0], abs=6)


def test_its_name_is_short_for_any_clip_and_the_same_in_every_run() -> None:
    path = "/dailies/" + "ü" * 4000 + ".%04d.exr"
    assert thumbnail_path(path, 7) == thumbnail_path(path, 7) != thumbnail_path(path, 8)
    assert len(thumbnail_path(path, 10**9)) < 60 and thumbnail_path(path, 7).isascii()


def test_a_folder_that_cannot_be_written_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "thumbnails").write_text("a file")
    with pytest.raises(OutputError):
        write_thumbnail(tmp_path, thumbnail_path("/a.mov", 1), np.zeros((4, 4, 3), np.float32))
