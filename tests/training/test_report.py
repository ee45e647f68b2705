from __future__ import annotations

import json
import math
from pathlib import Path

import cv2
import numpy as np
import pytest

from interpositive.errors import OutputError
from interpositive.models.network import ShotNetwork, ShotNetworkConfig
from interpositive.training.report import TrainingLog, sheet_rows, write_contact_sheet
from tiny_shot import FRAMES, footage_of, graded, with_alpha, write_shot


def lines_of(path: Path) -> list[dict[str, object]]:
    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is not JSON")

    return [json.loads(line, parse_constant=refuse) for line in path.read_text(encoding="utf-8").splitlines()]


def test_every_line_is_there_at_once_and_is_json(tmp_path: Path) -> None:
    log = TrainingLog(tmp_path / "log.jsonl")
    log.add(step=10, loss=0.5)
    assert lines_of(tmp_path / "log.jsonl") == [{"step": 10, "loss": 0.5}]
    log.add(step=20, loss=math.nan, restart="diverged")
    assert lines_of(tmp_path / "log.jsonl")[1] == {"step": 20, "loss": None, "restart": "diverged"}


def test_a_resumed_log_keeps_what_was_before_and_forgets_what_is_done_again(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    log = TrainingLog(path)
    for step in (10, 20, 30, 40):
        log.add(step=step, loss=1 / step)
    with path.open("a", encoding="utf-8") as file:
        file.write('{"step": 50, "lo')  # killed here
    resumed = TrainingLog(path, resumed=30)
    resumed.add(step=40, loss=0.0)
    assert [line["step"] for line in lines_of(path)] == [10, 20, 30, 40]
    assert lines_of(path)[-1]["loss"] == 0.0


def test_a_new_training_has_a_new_log(tmp_path: Path) -> None:
    TrainingLog(tmp_path / "log.jsonl").add(step=10, loss=1.0)
    TrainingLog(tmp_path / "log.jsonl")
    assert lines_of(tmp_path / "log.jsonl") == []


def test_a_log_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    log = TrainingLog(tmp_path / "log.jsonl")
    (tmp_path / "log.jsonl").unlink()
    (tmp_path / "log.jsonl").mkdir()
    with pytest.raises(OutputError, match=r"log\.jsonl"):
        log.add(step=1, loss=1.0)


def test_the_plot_shows_loss_and_held_out_error_and_skips_what_is_no_number(tmp_path: Path) -> None:
    log = TrainingLog(None)
    for step in range(10, 100, 10):
        log.add(step=step, loss=1 / step if step != 50 else math.inf)
    log.add(step=55, holdout_error=0.01)
    log.plot(tmp_path / "loss.png")
    picture = cv2.imread(str(tmp_path / "loss.png"))
    assert picture is not None and picture.std() > 5
    TrainingLog(None).plot(tmp_path / "nothing.png")
    assert not (tmp_path / "nothing.png").exists()


def test_the_sheet_has_at_most_five_keyframes_first_and_last_among_them(tmp_path: Path) -> None:
    footage = footage_of(write_shot(tmp_path, graded, FRAMES))
    network = ShotNetwork(ShotNetworkConfig(width=8, hidden=8))
    rows = sheet_rows(footage, network)
    assert [row[0] for row in rows] == ["1001", "1003", "1004", "1005", "1007"] or len(rows) == 5
    assert (rows[0][0], rows[-1][0]) == ("1001", "1007")
    np.testing.assert_array_equal(rows[0][1], footage.keyframes[0].plate)
    np.testing.assert_array_equal(rows[0][3], rows[0][1])  # an untrained network gives the plate
    write_contact_sheet(tmp_path / "sheet.png", rows, footage.colour, True)
    assert cv2.imread(str(tmp_path / "sheet.png")).shape[1] > 4 * 300


def test_mattes_are_shown_as_grey_pictures(tmp_path: Path) -> None:
    footage = footage_of(write_shot(tmp_path, with_alpha, (1001,)))
    network = ShotNetwork(ShotNetworkConfig(width=8, hidden=8, changes_rgb=False, matte_outputs=1))
    ((_, plate, target, result),) = sheet_rows(footage, network)
    assert plate.shape == target.shape == result.shape
    assert (result == 0.5).all() and set(np.unique(target)) == {0.0, 1.0}
    write_contact_sheet(tmp_path / "sheet.png", [("1001", plate, target, result)], footage.colour, False)
