"""Image files in."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import OpenImageIO as oiio
import pytest

from images.plates import every_half, write_code_values
from interpositive.errors import DamagedFrameError, MissingFramesError
from interpositive.images import reading
from interpositive.images.image import Image, Window
from interpositive.images.reading import content_sha256, io_threads, read_header, read_image_file
from interpositive.images.writing import write_exr


@pytest.mark.parametrize(
    ("name", "bits", "kind", "file_format"),
    [
        ("a.png", 8, "uint8", "png"),
        ("a.png", 16, "uint16", "png"),
        ("a.jpg", 8, "uint8", "jpeg"),
        ("a.tif", 16, "uint16", "tiff"),
        ("a.dpx", 10, "uint10", "dpx"),
        ("a.dpx", 12, "uint12", "dpx"),
        ("a.dpx", 16, "uint16", "dpx"),
    ],
)
def test_code_values_become_float_0_to_1(
    tmp_path: Path, name: str, bits: int, kind: str, file_format: str
) -> None:
    write_code_values(tmp_path / name, bits)
    read = read_image_file(tmp_path / name)
    assert (read.file_format, read.main.channel_formats) == (file_format, (kind,) * 3)
    ramp = np.linspace(0, 1, 32 * 24 * 3, dtype=np.float32).reshape(24, 32, 3)
    steps = 1.01 if name.endswith("dpx") else 0.51  # the DPX writer of OpenImageIO rounds down
    tolerance = 0.02 if name.endswith("jpg") else steps / (2**bits - 1)
    np.testing.assert_allclose(read.main.select(["R", "G", "B"]), ramp, atol=tolerance)


@pytest.mark.parametrize("kept", [0, 3, 10, 200, 0.1, 0.5, 0.9, -100, -1])
def test_a_truncated_exr_is_refused_with_its_path(tmp_path: Path, kept: float) -> None:
    rng = np.random.default_rng(0)
    write_exr(
        tmp_path / "whole.exr", Image(rng.normal(size=(100, 80, 3)).astype(np.float16), ["R", "G", "B"])
    )
    data = (tmp_path / "whole.exr").read_bytes()
    cut = int(len(data) * kept) if isinstance(kept, float) else kept
    (tmp_path / "cut.exr").write_bytes(data[:cut])
    with pytest.raises(DamagedFrameError, match=r"cut\.exr .*again") as caught:
        read_image_file(tmp_path / "cut.exr")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.tif", "a.dpx"])
def test_a_truncated_picture_is_refused(tmp_path: Path, name: str) -> None:
    write_code_values(tmp_path / name, 8 if name.endswith(("png", "jpg")) else 16)
    data = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(data[: len(data) // 2])
    with pytest.raises(DamagedFrameError, match=name):
        read_image_file(tmp_path / name)


def test_a_file_that_is_no_image_and_a_missing_file_are_named(tmp_path: Path) -> None:
    (tmp_path / "notes.exr").write_text("not pixels at all")
    with pytest.raises(DamagedFrameError, match=r"notes\.exr"):
        read_image_file(tmp_path / "notes.exr")
    with pytest.raises(MissingFramesError, match=r"gone\.exr"):
        read_image_file(tmp_path / "gone.exr")


def test_half_samples_stay_half_in_memory(tmp_path: Path) -> None:
    write_exr(tmp_path / "a.exr", Image(every_half()[..., None], ["R"]))
    assert read_image_file(tmp_path / "a.exr").main.sample_bytes == 256 * 256 * 2


def test_the_header_is_read_without_the_pixels(tmp_path: Path) -> None:
    window = Window(-2, 3, 40, 30)
    image = Image(np.ones((30, 40, 1), np.float16), ["Y"], window, metadata={"cameraMake": "ARRI"})
    write_exr(tmp_path / "a.exr", image)
    header = read_header(tmp_path / "a.exr")
    assert (header.data_window, header.channels, header.metadata["cameraMake"]) == (window, ("Y",), "ARRI")
    assert header.blocks[0].samples.strides == (0, 0, 0)


def test_content_hash_is_of_the_files_bytes(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"frame")
    assert content_sha256(tmp_path / "a") == hashlib.sha256(b"frame").hexdigest()
    with pytest.raises(MissingFramesError):
        content_sha256(tmp_path / "b")


def test_a_large_frame_read_in_bands_is_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    samples = np.random.default_rng(0).normal(size=(600, 12, 3)).astype(np.float16)
    write_exr(tmp_path / "a.exr", Image(samples, "RGB", Window(-3, -700, 12, 600)))
    monkeypatch.setattr(reading, "_LARGE_PIXELS", 0)
    np.testing.assert_array_equal(read_image_file(tmp_path / "a.exr").main.blocks[0].samples, samples)
    data = (tmp_path / "a.exr").read_bytes()
    (tmp_path / "cut.exr").write_bytes(data[: len(data) // 2])
    with pytest.raises(DamagedFrameError, match=r"cut\.exr"):
        read_image_file(tmp_path / "cut.exr")


def test_threads_for_files_are_given_back_after_an_error() -> None:
    with pytest.raises(ValueError, match="stop"), io_threads(3):
        assert (oiio.get_int_attribute("threads"), oiio.get_int_attribute("exr_threads")) == (3, 3)
        raise ValueError("stop")
    assert oiio.get_int_attribute("exr_threads") == 0
