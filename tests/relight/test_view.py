from __future__ import annotations

import torch

from interpositive.relight.view import View


def test_the_middle_of_the_picture_lies_straight_ahead() -> None:
    x, y, z = View(5, 3, 1.5).positions(torch.full((3, 5), 2.0))
    assert (float(x[1, 2]), float(y[1, 2]), float(z[1, 2])) == (0.0, 0.0, -2.0)
    assert float(x[1, 4]) > 0 and float(y[0, 2]) > 0


def test_the_field_of_view_follows_from_the_focal_length() -> None:
    _, y, _ = View(100, 100, 1.5).positions(torch.ones(100, 100))
    assert abs(float(y[0, 0]) - 0.495 / 1.5) < 1e-6


def test_an_orthographic_view_is_in_picture_heights() -> None:
    x, y, z = View(200, 100, None).positions(torch.full((100, 200), 7.0))
    assert abs(float(x[0, -1]) - 0.995) < 1e-6 and abs(float(y[0, 0]) - 0.495) < 1e-6 and float(z[3, 3]) == -7


def test_a_data_window_is_a_part_of_the_picture() -> None:
    depth = torch.rand(40, 60) + 1
    whole = View(60, 40, 1.5).positions(depth)
    part = View(60, 40, 1.5, origin_x=10, origin_y=5).positions(depth[5:25, 10:40])
    for all_of_it, some in zip(whole, part, strict=True):
        torch.testing.assert_close(all_of_it[5:25, 10:40], some)


def test_a_band_lies_where_its_rows_are() -> None:
    depth = torch.rand(40, 60) + 1
    whole, band = (View(60, 40).positions(depth[top:], top)[1] for top in (0, 12))
    torch.testing.assert_close(whole[12:], band)
