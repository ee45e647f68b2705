from __future__ import annotations

import numpy as np
import pytest

from interpositive.errors import UsageError
from interpositive.inference.session import DeviceMemoryError, InferenceSession
from interpositive.inference.tiles import FrameRunner, plan_tiles, run_tiled
from tiny_model import STRIDE, TILING, write_tiny_model

EXTENT = (200.0, 150.0)


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> InferenceSession:
    path = write_tiny_model(tmp_path_factory.mktemp("model") / "model.onnx")
    return InferenceSession(path, TILING, device="cpu", threads=1)


def plate(height: int, width: int, channels: int = 3) -> np.ndarray:
    return np.random.default_rng(7).uniform(-0.5, 60, (height, width, channels)).astype(np.float32)


@pytest.mark.parametrize("size", [(1, 1), (7, 3), (137, 191), (64, 200), (333, 90)])
@pytest.mark.parametrize("max_pixels", [1600, 3000, 9000, 10**9])
def test_cores_cover_every_pixel_once_and_windows_reach_the_halo(
    size: tuple[int, int], max_pixels: int
) -> None:
    height, width = size
    halo = 16
    seen = np.zeros(size, int)
    tiles = plan_tiles(width, height, STRIDE, halo, max_pixels)
    for tile in tiles:
        seen[tile.y.first : tile.y.last, tile.x.first : tile.x.last] += 1
        for span, length in ((tile.x, width), (tile.y, height)):
            assert span.start % STRIDE == 0
            assert span.start == 0 or span.first - span.start >= halo
            assert span.stop == length or span.stop - span.last >= halo
        assert (tile.x.stop - tile.x.start) * (tile.y.stop - tile.y.start) <= max_pixels
    assert (seen == 1).all()
    rounded = {(-(-(t.x.stop - t.x.start) // STRIDE), -(-(t.y.stop - t.y.start) // STRIDE)) for t in tiles}
    assert len(rounded) == 1


def test_a_frame_that_fits_is_one_tile() -> None:
    assert len(plan_tiles(1920, 1080, 8, 64, 1920 * 1080)) == 1


def test_tiling_an_8k_frame_computes_at_most_a_third_more_pixels_than_it_has() -> None:
    tiles = plan_tiles(8192, 4320, 8, 96, 2_000_000)
    computed = sum((tile.x.stop - tile.x.start) * (tile.y.stop - tile.y.start) for tile in tiles)
    assert computed / (8192 * 4320) < 1.34


def test_a_budget_below_the_smallest_window_is_refused() -> None:
    with pytest.raises(UsageError, match="--memory-gb"):
        plan_tiles(1920, 1080, 8, 64, 1000)


@pytest.mark.parametrize("max_pixels", [1600, 2500, 6000])
def test_tiled_equals_whole(session: InferenceSession, max_pixels: int) -> None:
    pixels = plate(131, 190)
    whole = run_tiled(session, pixels, (-8.0, 5.0), EXTENT, 10**9)
    tiled = run_tiled(session, pixels, (-8.0, 5.0), EXTENT, max_pixels)
    assert whole.shape == tiled.shape == pixels.shape
    assert np.abs(tiled - whole).max() <= 1e-4 * np.abs(whole).max()
    assert not np.array_equal(whole, pixels)


def test_a_halo_below_the_receptive_field_shows_seams(session: InferenceSession) -> None:
    """The test above can fail: with half of the halo the tiles differ."""
    short = InferenceSession.__new__(InferenceSession)
    short.__dict__.update(session.__dict__)
    short.tiling = TILING.model_copy(update={"receptive_px": 4})
    pixels = plate(131, 190)
    difference = run_tiled(short, pixels, (0, 0), EXTENT, 1600) - run_tiled(
        session, pixels, (0, 0), EXTENT, 10**9
    )
    assert np.abs(difference).max() > 1e-2


def test_outside_the_region_the_plate_comes_back_bit_for_bit(session: InferenceSession) -> None:
    pixels = plate(50, 61)
    pixels[:, :30] = -0.25
    result = run_tiled(session, pixels, (0, 0), EXTENT, 1600)
    assert result[:, :30].tobytes() == pixels[:, :30].tobytes()


def test_cancel_takes_effect_between_tiles(session: InferenceSession) -> None:
    class Stop(Exception):
        pass

    calls = []

    def between() -> None:
        calls.append(1)
        if len(calls) == 3:
            raise Stop

    with pytest.raises(Stop):
        run_tiled(session, plate(131, 190), (0, 0), EXTENT, 1600, between)
    assert len(calls) == 3


def test_an_exhausted_device_gets_smaller_tiles_and_keeps_them(
    session: InferenceSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    pixels, lines = plate(131, 190), []
    expected = run_tiled(session, pixels, (0, 0), EXTENT, 10**9)
    limited = session.run

    def run(window: np.ndarray, origin: tuple[float, float], extent: tuple[float, float]) -> np.ndarray:
        if window.shape[0] * window.shape[1] > 8000:
            raise DeviceMemoryError("Failed to allocate memory")
        return limited(window, origin, extent)

    monkeypatch.setattr(session, "run", run)
    runner = FrameRunner(session, 10**9, lines.append)
    result = runner.run(pixels, (0, 0), EXTENT)
    np.testing.assert_allclose(result, expected, rtol=1e-4, atol=1e-3)
    assert len(lines) == 2 and "half" in lines[0]
    runner.run(pixels, (0, 0), EXTENT)
    assert len(lines) == 2
