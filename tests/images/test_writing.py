"""EXR out: bit-identical plates, whole files or none."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import OpenImageIO as oiio
import pytest

from images.plates import REAL_PLATES, assert_same_bits, every_half, hard_floats, raw_exr_header
from interpositive.errors import OutputError
from interpositive.images.image import Block, Image, ImageFile, Window
from interpositive.images.reading import content_sha256, read_image_file
from interpositive.images.writing import remove_unfinished, whole_file, write_exr


def _round_trip(tmp_path: Path, image: Image | ImageFile, **options: str) -> ImageFile:
    write_exr(tmp_path / "a.exr", image, **options)  # type: ignore[arg-type]
    return read_image_file(tmp_path / "a.exr")


def test_each_of_the_65536_half_values_survives_bit_for_bit(tmp_path: Path) -> None:
    samples = np.stack([every_half(), every_half()[::-1]], axis=2)
    image = Image(samples, ["R", "G"])
    assert_same_bits(_round_trip(tmp_path, image), ImageFile((image,)))


def test_float_channels_stay_float_bit_for_bit(tmp_path: Path) -> None:
    image = Image(hard_floats(30, 40)[..., None], ["Z"], channel_formats=["float"])
    assert_same_bits(_round_trip(tmp_path, image), ImageFile((image,)))


def test_half_float_and_integer_channels_live_in_one_file(tmp_path: Path) -> None:
    ids = np.random.default_rng(0).integers(0, 2**32, (256, 256), dtype=np.uint32)
    ids[0, :2] = [0, 2**32 - 1]
    blocks = [
        Block(("R", "G"), np.stack([every_half(), every_half().T], axis=2)),
        Block(("depth.Z",), hard_floats(256, 256)[..., None]),
        Block(("id.object",), ids[..., None]),
    ]
    image = Image.from_blocks(blocks, channel_formats=["half", "half", "float", "uint32"])
    once = _round_trip(tmp_path, image)
    assert once.main.channel_formats == ("half", "half", "float", "uint32")
    np.testing.assert_array_equal(once.main.blocks[-1].samples[..., 0], ids)
    np.testing.assert_array_equal(
        once.main.select(["depth.Z"])[..., 0].view(np.uint32), hard_floats(256, 256).view(np.uint32)
    )
    for name, expected in (("R", every_half()), ("G", every_half().T)):
        got = once.main.select([name])[..., 0].astype(np.float16).view(np.uint16)
        np.testing.assert_array_equal(got, np.ascontiguousarray(expected).view(np.uint16))
    assert_same_bits(_round_trip(tmp_path, once), once)


def test_untouched_pixels_of_a_replaced_channel_are_the_plates(tmp_path: Path) -> None:
    plate = Image(every_half()[..., None], ["R"])
    result = plate.select(["R"]).copy()
    result[:100] = 0.5
    written = _round_trip(tmp_path, plate.replace(["R"], result)).main.blocks[0].samples[..., 0]
    np.testing.assert_array_equal(written[100:].view(np.uint16), every_half()[100:].view(np.uint16))


def test_values_beyond_half_are_held_counted_and_infinities_kept(tmp_path: Path) -> None:
    values = np.array([[1e6, -1e6, 65504, np.inf, -np.inf, np.nan, 65519]], np.float32)[..., None]
    image = Image(values, ["R"])
    assert write_exr(tmp_path / "a.exr", image) == 2  # 65519 rounds to 65504 by itself
    back = read_image_file(tmp_path / "a.exr").main.pixels[0, :, 0]
    np.testing.assert_array_equal(back, [65504, -65504, 65504, np.inf, -np.inf, np.nan, 65504])
    assert write_exr(tmp_path / "a.exr", image, bit_depth="float") == 0
    np.testing.assert_array_equal(read_image_file(tmp_path / "a.exr").main.pixels, values)


def test_values_beyond_half_beside_a_float_channel_are_held_too(tmp_path: Path) -> None:
    both = Image(np.full((3, 3, 2), 1e6, np.float32), ["R", "Z"], channel_formats=["half", "float"])
    assert write_exr(tmp_path / "a.exr", both) == 9
    back = read_image_file(tmp_path / "a.exr").main
    assert (back.select(["R"]) == 65504).all() and (back.select(["Z"]) == 1e6).all()


def test_windows_with_overscan_and_negative_offset_pass_through(tmp_path: Path) -> None:
    data, display = Window(-16, -9, 67, 33), Window(0, 4, 35, 15)
    image = Image(np.ones((33, 67, 3), np.float16), ["R", "G", "B"], data, display)
    back = _round_trip(tmp_path, image).main
    assert (back.data_window, back.display_window) == (data, display)


ATTRIBUTES = {
    "smpte:TimeCode": ("timecode", (0x10203004, 0)),
    "smpte:KeyCode": ("keycode", (1, 2, 3, 4, 5, 6, 7)),
    "framesPerSecond": ("rational", (24000, 1001)),
    "chromaticities": ("float[8]", (0.713, 0.293, 0.165, 0.83, 0.128, 0.044, 0.32168, 0.33767)),
    "worldToCamera": ("matrix", tuple(float(k) for k in range(16))),
    "cameraMake": ("string", "ARRI"),
    "lensModel": ("string", "Signature Prime 47"),
    "isoSpeed": ("float", 800.0),
    "studio/take": ("int", 7),
    "com.studio.offset": ("float2", (0.5, -0.25)),
    "pivot": ("vector", (1.0, 2.0, 3.0)),
    "PixelAspectRatio": ("float", 2.0),
    "DateTime": ("string", "2024:01:02 03:04:05"),
}


def test_camera_lens_timecode_and_studio_attributes_pass_through(tmp_path: Path) -> None:
    image = Image(
        np.zeros((4, 4, 1), np.float16),
        ["Y"],
        metadata={name: value for name, (_, value) in ATTRIBUTES.items()},
        metadata_types={name: kind for name, (kind, _) in ATTRIBUTES.items()},
    )
    once = _round_trip(tmp_path, image)
    for name, (kind, value) in ATTRIBUTES.items():
        assert once.main.metadata_types[name] == kind, name
        assert once.main.metadata[name] == (pytest.approx(value) if kind != "string" else value), name
    first = raw_exr_header(tmp_path / "a.exr")
    _round_trip(tmp_path, once)
    assert raw_exr_header(tmp_path / "a.exr") == first


def test_parts_keep_their_names_windows_formats_and_order(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    beauty = Image(rng.normal(size=(20, 30, 3)).astype(np.float16), ["R", "G", "B"], part_name="rgba")
    depth = Image(
        hard_floats(10, 15)[..., None],
        ["Z"],
        Window(3, 4, 15, 10),
        Window(0, 0, 30, 20),
        ["float"],
        part_name="depth",
    )
    ids = Image.from_blocks(
        [Block(("object",), rng.integers(0, 2**32, (20, 30, 1), dtype=np.uint32))],
        channel_formats=["uint32"],
        part_name="id",
    )
    whole = ImageFile((beauty, depth, ids))
    back = _round_trip(tmp_path, whole)
    assert [part.part_name for part in back.parts] == ["rgba", "depth", "id"]
    assert_same_bits(back, whole)


def test_the_same_image_gives_the_same_bytes(tmp_path: Path) -> None:
    image = Image(np.ones((8, 8, 3), np.float16), ["R", "G", "B"])
    for name in ("a", "b"):
        write_exr(tmp_path / f"{name}.exr", image)
    assert content_sha256(tmp_path / "a.exr") == content_sha256(tmp_path / "b.exr")
    assert "capDate" not in raw_exr_header(tmp_path / "a.exr")


def test_zip_is_the_default_and_other_compressions_are_lossless_where_they_say_so(tmp_path: Path) -> None:
    image = Image(every_half()[..., None], ["R"])
    write_exr(tmp_path / "a.exr", image)
    assert raw_exr_header(tmp_path / "a.exr")["compression"][1] == b"\x03"
    for compression in ("none", "rle", "zips", "piz"):
        assert_same_bits(_round_trip(tmp_path, image, compression=compression), ImageFile((image,)))
    with pytest.raises(OutputError, match=r"'htj2k'.*dwaa"):
        write_exr(tmp_path / "b.exr", image, compression="htj2k")


@pytest.mark.skipif(not REAL_PLATES.is_dir(), reason="no ../shared/data/exr_plates beside the project")
@pytest.mark.parametrize(
    "name", ["CandleGlass", "Carrots", "Cannon", "KernerEnvLatLong", "StillLife", "Tree"]
)
def test_real_plates_pass_through_bit_for_bit(tmp_path: Path, name: str) -> None:
    source = REAL_PLATES / f"{name}.exr"
    plate = read_image_file(source)
    assert_same_bits(_round_trip(tmp_path, plate), plate)
    before, after = raw_exr_header(source), raw_exr_header(tmp_path / "a.exr")
    storage = {"compression", "type", "preview", "tiles", "textureformat"}  # what belongs to the container
    assert {k: v for k, v in after.items() if k not in storage} == {
        k: v for k, v in before.items() if k not in storage
    }


def test_a_read_only_or_impossible_folder_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "models").write_text("a file where a folder should be")
    image = Image(np.zeros((4, 4, 1), np.float16), ["Y"])
    with pytest.raises(OutputError, match=r"Cannot write .*models.*a\.exr") as caught:
        write_exr(tmp_path / "models" / "out" / "a.exr", image)
    assert "\n" not in str(caught.value)
    (tmp_path / "b.exr").mkdir()
    with pytest.raises(OutputError, match=r"b\.exr"):
        write_exr(tmp_path / "b.exr", image)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b.exr", "models"]


@pytest.mark.skipif(sys.platform == "win32", reason="file size limits are POSIX")
def test_a_disk_that_fills_up_leaves_no_file_and_says_so(tmp_path: Path) -> None:
    script = textwrap.dedent(
        """
        import resource, signal, sys
        from pathlib import Path
        import numpy as np
        from interpositive.errors import OutputError
        from interpositive.images.image import Image
        from interpositive.images.writing import write_exr
        out = Path(sys.argv[1])
        noise = np.random.default_rng(0).normal(size=(300, 200, 3)).astype(np.float16)
        image = Image(noise, ["R", "G", "B"])
        write_exr(out / "whole.exr", image)
        size = (out / "whole.exr").stat().st_size
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        for limit in (0, 100, 1000, size // 2, size - 5000, size - 1):
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
            try:
                write_exr(out / "partial.exr", image)
            except OutputError as error:
                assert chr(10) not in str(error) and "partial.exr" in str(error), error
            else:
                sys.exit(f"no error at {limit} of {size} bytes")
        """
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)],
        env={"PYTHONPATH": str(Path(__file__).parents[2] / "core"), "PATH": ""},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["whole.exr"]


def test_an_error_while_writing_keeps_the_older_file(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("old")
    with pytest.raises(RuntimeError), whole_file(tmp_path / "a.txt") as unfinished:
        unfinished.write_text("new, half")
        raise RuntimeError
    assert (tmp_path / "a.txt").read_text() == "old"
    assert len(list(tmp_path.iterdir())) == 1


def test_leftovers_of_killed_runs_are_hidden_from_scans_and_can_be_removed(tmp_path: Path) -> None:
    leftover = tmp_path / ".sh010.1001.exr.123.part"
    leftover.write_bytes(b"half a frame")
    remove_unfinished(tmp_path)
    assert not leftover.exists()


def test_a_jpeg_becomes_half_without_its_container_attributes(tmp_path: Path) -> None:
    from images.plates import write_code_values

    write_code_values(tmp_path / "a.jpg", attributes={"Make": "Sony"})
    back = _round_trip(tmp_path, read_image_file(tmp_path / "a.jpg")).main
    assert back.channel_formats == ("half",) * 3
    assert not [name for name in back.metadata if name.startswith(("jpeg:", "oiio:ColorSpace"))]
    opened = oiio.ImageInput.open(str(tmp_path / "a.exr"))
    assert opened.spec().get_string_attribute("compression") == "zip"
