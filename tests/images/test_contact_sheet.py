"""Pictures for people."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from interpositive.errors import OutputError, SizeMismatchError
from interpositive.images.charts import line_plot
from interpositive.images.contact_sheet import contact_sheet, difference, write_png


def _picture(*rgb: float) -> np.ndarray:
    return np.broadcast_to(np.array(rgb, np.float32), (54, 96, 3)).copy()


def test_rows_and_columns_hold_their_pictures_labels_and_legend(tmp_path: Path) -> None:
    red, green, grey = _picture(1, 0, 0), _picture(0, 1, 0), _picture(0.5, 0.5, 0.5)
    rows = [("1001", [red, green]), ("1002", [green, grey[..., :1]])]
    contact_sheet(tmp_path / "sheet.png", rows, ["plate", "result"], "difference x 4", picture_width_px=96)
    sheet = cv2.imread(str(tmp_path / "sheet.png"))[..., ::-1]
    (top, left, step_x, step_y) = (30, 64, 104, 62)
    assert tuple(sheet[top + 27, left + 48]) == (255, 0, 0)
    assert tuple(sheet[top + 27, left + step_x + 48]) == (0, 255, 0)
    assert tuple(sheet[top + step_y + 27, left + 48]) == (0, 255, 0)
    assert tuple(sheet[top + step_y + 27, left + step_x + 48]) == (128, 128, 128)
    background = sheet[0, 0]
    titles, labels, legend = sheet[:top, left:], sheet[top : top + 54, :left], sheet[-30:, left:]
    for text in (titles, labels, legend):
        assert (text != background).any()
    assert [path.name for path in tmp_path.iterdir()] == ["sheet.png"]


def test_difference_has_a_gain_and_stays_a_picture() -> None:
    np.testing.assert_allclose(
        difference(_picture(0.5, 0, 0), _picture(0.6, 0, 1), gain=4)[0, 0], [0.4, 0, 1], atol=1e-6
    )


def test_a_row_without_its_picture_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SizeMismatchError, match="2 pictures"):
        contact_sheet(tmp_path / "a.png", [("1001", [_picture(0, 0, 0)])], ["plate", "result"])


def test_nan_is_black_in_a_picture_and_a_bad_folder_is_an_error(tmp_path: Path) -> None:
    write_png(tmp_path / "a.png", _picture(np.nan, 0.25, 2.0))
    assert tuple(cv2.imread(str(tmp_path / "a.png"))[0, 0]) == (255, 64, 0)
    with pytest.raises(OutputError):
        write_png(tmp_path / "a.png" / "b.png", _picture(0, 0, 0))


def test_a_loss_plot_is_the_same_file_each_time(tmp_path: Path) -> None:
    for name in ("a", "b"):
        lines = {"training": ([0, 1, 2], [1.0, 0.1, 0.01]), "held out": ([0, 2], [1.0, 0.05])}
        line_plot(tmp_path / f"{name}.png", lines, "Loss", "step", "loss", is_log=True)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    assert cv2.imread(str(tmp_path / "a.png")).shape == (450, 800, 3)
