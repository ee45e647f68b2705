from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from interpositive.errors import DamagedModelError, ModelError
from interpositive.inference.providers import ORT_ERRORS
from interpositive.inference.session import DeviceMemoryError, InferenceSession
from tiny_model import STRIDE, TILING, write_tiny_model

EXTENT = (200.0, 150.0)


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> InferenceSession:
    path = write_tiny_model(tmp_path_factory.mktemp("model") / "model.onnx")
    return InferenceSession(path, TILING, device="cpu", threads=1)


def test_any_size_comes_back_in_its_own_size(session: InferenceSession) -> None:
    for height, width in ((1, 1), (5, 9), (8, 8), (31, 66)):
        result = session.run(np.ones((height, width, 3), np.float32), (0, 0), EXTENT)
        assert (result.shape, result.dtype) == ((height, width, 3), np.float32)


def test_a_window_off_the_stride_is_padded_with_its_last_row_and_column(session: InferenceSession) -> None:
    pixels = np.random.default_rng(5).uniform(1, 60, (30, 45, 3)).astype(np.float32)
    padded = np.pad(pixels, ((0, -30 % STRIDE), (0, -45 % STRIDE), (0, 0)), mode="edge")
    expected = session.run(padded, (0, 0), EXTENT)[:30, :45].copy()
    assert session.run(pixels, (0, 0), EXTENT).tobytes() == expected.tobytes()


def test_a_result_is_not_changed_by_the_next_run(session: InferenceSession) -> None:
    first = session.run(np.ones((8, 8, 3), np.float32), (0, 0), EXTENT)
    before = first.copy()
    session.run(np.full((8, 8, 3), 9.0, np.float32), (0, 0), EXTENT)
    np.testing.assert_array_equal(first, before)


def test_the_plate_is_not_changed(session: InferenceSession) -> None:
    pixels = np.random.default_rng(5).uniform(-1, 60, (9, 7, 3)).astype(np.float32)
    before = pixels.tobytes()
    session.run(pixels, (0, 0), EXTENT)
    assert pixels.tobytes() == before


def test_the_origin_moves_the_coordinates(session: InferenceSession) -> None:
    pixels = np.ones((8, 8, 3), np.float32)
    moved = session.run(pixels, (20.0, 0.0), EXTENT) - session.run(pixels, (0.0, 0.0), EXTENT)
    np.testing.assert_allclose(moved, 20.0 / 200.0, atol=1e-5)


def test_a_wrong_number_of_channels_is_a_model_error_of_one_line(session: InferenceSession) -> None:
    with pytest.raises(ModelError, match="4 channels") as raised:
        session.run(np.ones((8, 8, 4), np.float32), (0, 0), EXTENT)
    assert "\n" not in str(raised.value)


class ExhaustedDevice:
    """Answers as onnxruntime does when a card is full."""

    def run(self, outputs: list[str], feed: dict[str, np.ndarray]) -> list[np.ndarray]:
        raise ORT_ERRORS[-1]("Failed to allocate memory for requested buffer of size 8847360")


def test_a_full_card_is_told_from_other_failures(
    session: InferenceSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "_session", ExhaustedDevice())
    with pytest.raises(DeviceMemoryError, match="8847360"):
        session.run(np.ones((8, 8, 3), np.float32), (0, 0), EXTENT)


def test_a_file_that_is_no_model_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(b"not a model")
    with pytest.raises(DamagedModelError):
        InferenceSession(path, TILING, device="cpu")


def test_a_model_with_other_inputs_is_refused(tmp_path: Path) -> None:
    path = write_tiny_model(tmp_path / "model.onnx")
    path.write_bytes(path.read_bytes().replace(b"extent", b"extend"))
    with pytest.raises(DamagedModelError, match="extend"):
        InferenceSession(path, TILING, device="cpu")


def test_a_new_size_needs_no_file_any_more(tmp_path: Path) -> None:
    path = write_tiny_model(tmp_path / "model.onnx")
    session = InferenceSession(path, TILING, device="cpu", threads=1)
    pixels = np.random.default_rng(5).uniform(-1, 60, (40, 24, 3)).astype(np.float32)
    first = session.run(pixels, (0, 0), EXTENT).copy()
    path.unlink()
    session.run(pixels[:16], (0, 0), EXTENT)
    assert session.run(pixels, (0, 0), EXTENT).tobytes() == first.tobytes()
