from __future__ import annotations

import pytest
import torch

from interpositive.relight.upsampling import Raster, Upsampler


@pytest.mark.parametrize(
    ("height", "width", "long_side"), [(90, 160, 40), (91, 163, 40), (7, 5, 3), (30, 40, 400), (1, 1, 9)]
)
def test_a_plane_comes_back_exactly_at_any_size(height: int, width: int, long_side: int) -> None:
    raster = Raster.over(height, width, long_side)
    row, column = torch.meshgrid(torch.arange(height).float(), torch.arange(width).float(), indexing="ij")
    full = 0.1 + 0.01 * column + 0.02 * row
    depth, guide = torch.ones(height, width), torch.full((3, height, width), 0.5)
    sampled = raster.sample(full)[None]
    assert sampled.shape[1:] == (raster.height, raster.width) and max(sampled.shape) <= max(long_side, 1)
    upsampler = Upsampler(raster, sampled, raster.sample(depth), raster.sample(guide))
    bands = [
        upsampler.band(depth[top : top + 16], guide[:, top : top + 16], top) for top in range(0, height, 16)
    ]
    found = torch.cat(bands, 1)[0]
    last_row = raster.first + (raster.height - 1) * raster.stride
    last_column = raster.first + (raster.width - 1) * raster.stride
    inside = (slice(raster.first, last_row + 1), slice(raster.first, last_column + 1))
    torch.testing.assert_close(found[inside], full[inside], atol=1e-4, rtol=0)
    assert found.shape == (height, width) and torch.isfinite(found).all()


def test_bands_of_any_height_are_the_same_picture() -> None:
    torch.manual_seed(0)
    depth = torch.where(torch.rand(60, 80) > 0.9, 0.5, 1.0)
    guide, raster = torch.rand(3, 60, 80), Raster.over(60, 80, 20)
    upsampler = Upsampler(
        raster, torch.rand(2, raster.height, raster.width), raster.sample(depth), raster.sample(guide)
    )
    whole = upsampler.band(depth, guide, 0)
    bands = [upsampler.band(depth[top : top + 7], guide[:, top : top + 7], top) for top in range(0, 60, 7)]
    torch.testing.assert_close(torch.cat(bands, 1), whole)


def test_values_do_not_cross_an_edge_of_the_depth() -> None:
    """Left is near and open, right is far and dark; the edge lies between samples."""
    depth = torch.ones(40, 60)
    depth[:, 33:] = 2.0
    full = (depth == 1.0).float()
    guide, raster = torch.full((3, 40, 60), 0.5), Raster.over(40, 60, 12)
    upsampler = Upsampler(raster, raster.sample(full)[None], raster.sample(depth), raster.sample(guide))
    torch.testing.assert_close(upsampler.band(depth, guide, 0)[0], full, atol=0.01, rtol=0)
