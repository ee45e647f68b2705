"""Movies in."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from interpositive.errors import ColourSpaceError, DamagedFrameError, MissingFramesError
from interpositive.frames import FrameRange
from interpositive.images.colour import plate_colour
from interpositive.images.sequence import find_sequence
from interpositive.images.video import Movie, smpte_timecode

BT709, SRGB, LIMITED, FULL, UNTAGGED = 1, 13, 1, 2, 2


def _movie(
    path: Path,
    luma: list[int],
    pix_fmt: str = "yuv420p",
    value_range: int = LIMITED,
    transfer: int = BT709,
    options: dict[str, str] | None = None,
) -> None:
    """Lossless grey frames of the given luma codes; the right half has Cb, Cr moved by +32 (8 bit steps)."""
    container = av.open(str(path), "w", options={} if options is None else options)
    stream = container.add_stream("libx264", rate=24)
    stream.width, stream.height, stream.pix_fmt = 64, 48, pix_fmt
    stream.options = {"qp": "0", "bf": "2", "g": "12"}
    context = stream.codec_context
    context.color_range, context.colorspace, context.color_primaries, context.color_trc = (
        value_range,
        1,
        1,
        transfer,
    )
    for code in luma:
        frame = av.VideoFrame(64, 48, pix_fmt)
        frame.color_range, frame.colorspace = value_range, 1
        wide = "10" in pix_fmt
        for k, plane in enumerate(frame.planes):
            rows = np.zeros(
                (plane.height, plane.line_size // (2 if wide else 1)), np.uint16 if wide else np.uint8
            )
            rows[:] = (code if k == 0 else 128) << (2 if wide else 0)
            if k:
                rows[:, plane.width // 2 :] += 32 << (2 if wide else 0)
            plane.update(rows.tobytes())
        for packet in stream.encode(frame):
            container.mux(packet)
    for packet in stream.encode():
        container.mux(packet)
    container.close()


@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuv422p10le", "yuv444p"])
@pytest.mark.parametrize("suffix", [".mov", ".mp4"])
def test_code_values_are_the_files_with_superwhites_and_chroma(
    tmp_path: Path, pix_fmt: str, suffix: str
) -> None:
    path = tmp_path / f"clip{suffix}"
    _movie(path, [16, 126, 235, 254, 2], pix_fmt)
    sequence = find_sequence(path)
    assert sequence.is_video and sequence.frames == (1, 2, 3, 4, 5)
    for frame, code in enumerate([16, 126, 235, 254, 2], 1):
        image = sequence.read(frame).main
        grey = (code - 16) / 219
        np.testing.assert_allclose(image.pixels[:, :28], grey, atol=1e-5)
        chroma = 32 / 224
        red, blue = grey + 1.5748 * chroma, grey + 1.8556 * chroma  # ITU-R BT.709-6, item 3
        green = (grey - 0.2126 * red - 0.0722 * blue) / 0.7152
        np.testing.assert_allclose(image.pixels[10, 50], [red, green, blue], atol=1e-4)
    assert sequence.read(1).file_format == "video"
    assert "bt709 matrix, limited range" in sequence.describe()


def test_full_range_is_not_stretched(tmp_path: Path) -> None:
    _movie(tmp_path / "a.mov", [0, 100, 255], "yuv420p", FULL)
    movie = Movie(tmp_path / "a.mov")
    for frame, code in enumerate([0, 100, 255], 1):
        np.testing.assert_allclose(movie.read(frame).main.pixels[:, :28], code / 255, atol=1e-6)


def test_frames_are_the_same_in_any_order(tmp_path: Path) -> None:
    codes = [20 + 6 * k for k in range(30)]
    _movie(tmp_path / "a.mp4", codes)
    movie = Movie(tmp_path / "a.mp4")
    for frame in [17, 18, 3, 30, 1, 2, 29, 16]:
        assert movie.read(frame).main.pixels[0, 0, 1] == pytest.approx(
            (codes[frame - 1] - 16) / 219, abs=1e-5
        )
    with pytest.raises(MissingFramesError, match="frames 1-30, not 31"):
        movie.read(31)
    assert find_sequence(tmp_path / "a.mp4", FrameRange.parse("28-40")).frames == (28, 29, 30)
    sequence = find_sequence(tmp_path / "a.mp4")
    assert sequence.content_sha256(4) == sequence.content_sha256(4) != sequence.content_sha256(5)


def test_colour_comes_from_the_tags_and_untagged_movies_ask(tmp_path: Path) -> None:
    _movie(tmp_path / "tagged.mov", [100], transfer=SRGB)
    colour = plate_colour(Movie(tmp_path / "tagged.mov").read(1))
    assert colour.source == "metadata" and colour.input_space.startswith("sRGB")
    _movie(tmp_path / "untagged.mov", [100], transfer=UNTAGGED)
    with pytest.raises(ColourSpaceError, match=r"untagged\.mov .*--input-space.*Rec\.709"):
        plate_colour(Movie(tmp_path / "untagged.mov").read(1))


def test_a_truncated_movie_is_refused(tmp_path: Path) -> None:
    _movie(tmp_path / "a.mp4", [100] * 5)
    data = (tmp_path / "a.mp4").read_bytes()
    for cut in (0, 30, len(data) // 2):
        (tmp_path / "cut.mp4").write_bytes(data[:cut])
        with pytest.raises(DamagedFrameError, match=r"cut\.mp4 is damaged"):
            Movie(tmp_path / "cut.mp4")


@pytest.mark.parametrize(
    ("start", "later", "rate", "expected"),
    [
        ("01:02:03:04", 0, 24.0, 0x01020304),
        ("01:59:59:23", 1, 24.0, 0x02000000),
        ("23:59:59:24", 1, 25.0, 0x00000000),
        ("01:00:59;29", 1, 29.97, 0x01010002 | 0x40),  # drop frame leaves out ;00 and ;01
        ("01:09:59;29", 1, 29.97, 0x01100000 | 0x40),  # but not in every tenth minute
        ("01:00:00;00", 17982, 29.97, 0x01100000 | 0x40),  # ten minutes
    ],
)
def test_timecode_counts_as_smpte_does(start: str, later: int, rate: float, expected: int) -> None:
    assert smpte_timecode(start, later, rate) == (expected, 0)


def _intra_movie(path: Path, frames: int = 12) -> None:
    with av.open(str(path), "w", options={"movflags": "faststart"}) as container:
        stream = container.add_stream("mjpeg", rate=24)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuvj420p"
        for k in range(frames):
            code = np.full((48, 64, 3), 10 + 15 * k, np.uint8)
            frame = av.VideoFrame.from_ndarray(code, format="rgb24").reformat(format="yuvj420p")
            frame.pts = k
            for packet in stream.encode(frame):
                container.mux(packet)
        for packet in stream.encode(None):
            container.mux(packet)


def test_an_intra_movie_is_opened_by_its_index_without_reading_its_frames(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "intra.mov"
    _intra_movie(path)
    monkeypatch.setattr(Movie, "_index", lambda movie: ())
    by_frames = Movie(path)
    monkeypatch.undo()
    by_index = Movie(path)
    assert by_index._times == by_frames._times == by_index._indexed_times()
    assert len(by_index) == 12 and by_index.lost_frames == 0
    for frame in (12, 1, 7):
        assert by_index.read(frame).main.pixels.mean() == pytest.approx((15 * frame - 5) / 255, abs=0.02)


def test_a_truncated_intra_movie_holds_the_frames_before_the_cut(tmp_path: Path) -> None:
    path = tmp_path / "intra.mov"
    _intra_movie(path)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 2 // 3])
    movie = Movie(path)
    assert 0 < len(movie) < 12 and movie.lost_frames == 12 - len(movie)
    assert movie.read(len(movie)).main.width == 64


def test_tags_of_container_and_streams_are_told(tmp_path: Path) -> None:
    path = tmp_path / "intra.mov"
    _intra_movie(path)
    assert Movie(path).tags["major_brand"].strip() == "qt"
