"""Measures of pictures whose exposure, light, noise, motion and cuts are known."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from interpositive.errors import ChannelError
from interpositive.images.colour import convert, plate_colour
from interpositive.images.image import Image, ImageFile
from interpositive.project import measures as m
from interpositive.relight.colour_temperature import kelvin_rgb
from project.dailies import picture

Pixels = NDArray[np.float32]
AP1 = (0.713, 0.293, 0.165, 0.830, 0.128, 0.044, 0.32168, 0.33767)


def frame_file(pixels: Pixels, channels: tuple[str, ...] = ("R", "G", "B"), **metadata: object) -> ImageFile:
    metadata.setdefault("chromaticities", AP1)
    return ImageFile((Image(pixels.astype(np.float32), channels, metadata=metadata),))


def reduced(pixels: Pixels, frame: int = 1, **metadata: object) -> m.Picture:
    file = frame_file(pixels, **metadata)
    return m.reduce(frame, file, plate_colour(file))


def flat(level: float, height: int = 36, width: int = 64) -> Pixels:
    return np.full((height, width, 3), level, np.float32)


def looks(*seeds: int) -> list[Pixels]:
    return [m.look(reduced(picture(seed))) for seed in seeds]


@pytest.mark.parametrize(("level", "stops"), [(0.18, 0.0), (0.36, 1.0), (0.045, -2.0), (0.0, -10.0)])
def test_exposure_is_in_stops_from_middle_grey(level: float, stops: float) -> None:
    assert m.measure([reduced(flat(level))]).exposure_stops == pytest.approx(stops, abs=1e-3)


def test_one_lamp_in_shot_does_not_carry_the_exposure() -> None:
    pixels = flat(0.18)
    pixels[:2, :8] = 500.0
    assert m.measure([reduced(pixels)]).exposure_stops == pytest.approx(0.0, abs=0.01)


def test_contrast_is_the_span_of_the_tones_in_stops() -> None:
    pixels = np.repeat(0.01 * 2 ** np.linspace(0, 10, 320, dtype=np.float32)[None, :, None], 3, 2)
    assert m.measure([reduced(np.repeat(pixels, 180, 0))]).contrast_stops == pytest.approx(9.0, abs=0.05)


def test_half_float_and_thinned_rows_measure_the_same() -> None:
    large = cv2.resize(picture(4), (2560, 1440), interpolation=cv2.INTER_CUBIC)
    whole = m.measure([reduced(large)])
    half = ImageFile((Image(large.astype(np.float16), ("R", "G", "B"), metadata={"chromaticities": AP1}),))
    thinned = m.measure([m.reduce(1, half, plate_colour(half))])
    assert thinned.exposure_stops == pytest.approx(whole.exposure_stops, abs=2e-3)
    small = m.measure([reduced(cv2.resize(large, (320, 180), interpolation=cv2.INTER_AREA))])
    assert whole.exposure_stops == pytest.approx(small.exposure_stops, abs=0.01)
    assert whole.contrast_stops == pytest.approx(small.contrast_stops, abs=0.05)


def test_nan_infinities_and_negatives_do_not_spoil_the_measures() -> None:
    pixels = picture(2)
    clean = m.measure([reduced(pixels)])
    pixels[3, 4:7] = [[np.nan] * 3, [np.inf] * 3, [-5] * 3]
    measured = m.measure([reduced(pixels)])
    assert measured.exposure_stops == pytest.approx(clean.exposure_stops, abs=0.1)
    assert measured.look is not None and np.isfinite(measured.look).all()
    assert np.isfinite(measured.neutral_rgb).all()


def test_one_scene_in_two_primaries_measures_the_same() -> None:
    scene = picture(3)
    rec709 = convert(scene, "ACEScg", "lin_rec709")
    in_ap1 = m.measure([reduced(scene)])
    chromaticities = (0.64, 0.33, 0.30, 0.60, 0.15, 0.06, 0.3127, 0.3290)
    in_709 = m.measure([reduced(rec709, chromaticities=chromaticities)])
    assert in_709.exposure_stops == pytest.approx(in_ap1.exposure_stops, abs=2e-3)
    assert in_709.neutral_rgb == pytest.approx(in_ap1.neutral_rgb, rel=5e-3)
    unnamed = m.measure(
        [reduced(rec709, chromaticities=(0.64, 0.33, 0.31, 0.60, 0.15, 0.06, 0.3127, 0.3290))]
    )
    assert unnamed.exposure_stops == pytest.approx(in_ap1.exposure_stops, abs=0.05)


def test_the_colour_of_the_light_is_found() -> None:
    paint = np.random.default_rng(5).uniform(0.05, 0.9, (90, 160, 3))
    paint = cv2.resize(paint, (320, 180), interpolation=cv2.INTER_NEAREST)
    for light in ((1.0, 1.0, 1.0), (1.4, 1.0, 0.6), (0.8, 1.0, 1.3)):
        measured = m.measure([reduced(paint * np.array(light))])
        assert measured.neutral_rgb == pytest.approx(light, rel=0.02)
        assert m.neutral_rgb(flat(0.3) * np.float32(light)) == pytest.approx(light, rel=1e-4)


@pytest.mark.parametrize("kelvin", [2800, 4000, 5600, 9000])
def test_mireds_are_those_of_a_lamp_of_that_temperature(kelvin: float) -> None:
    red, green, blue = kelvin_rgb(kelvin, AP1)
    assert m.correlated_mireds((red / green, 1.0, blue / green)) == pytest.approx(1e6 / kelvin, abs=0.5)


def test_a_green_light_has_no_colour_temperature() -> None:
    assert m.correlated_mireds((0.3, 1.0, 0.3)) is None


@pytest.mark.parametrize("share", [0.0, 0.02, 0.08])
def test_noise_is_its_standard_deviation_in_stops(share: float) -> None:
    noise = np.random.default_rng(1).standard_normal((360, 640, 1)).astype(np.float32)
    measured = m.measure([reduced(0.2 * (1 + share * noise) * np.ones(3, np.float32))])
    assert measured.noise == pytest.approx(share / np.log(2), rel=0.1, abs=1e-3)


def test_sharpness_falls_with_every_blur() -> None:
    rng = np.random.default_rng(2)
    edges = cv2.resize(rng.uniform(0.05, 0.8, (40, 70, 3)), (700, 400), interpolation=cv2.INTER_NEAREST)
    values = [
        m.measure([reduced(cv2.GaussianBlur(edges, (0, 0), s) if s else edges)]).sharpness
        for s in (0, 1, 3, 6)
    ]
    assert values == sorted(values, reverse=True)
    assert values[0] > 0.75 and values[-1] < 0.35


def test_motion_is_in_pixels_of_the_plate() -> None:
    rng = np.random.default_rng(3)
    still = cv2.GaussianBlur(rng.uniform(0.05, 0.8, (360, 646, 3)).astype(np.float32), (0, 0), 4)
    first, second = reduced(still[:, 6:], 1), reduced(still[:, :-6], 2)
    assert m.measure([first], [(first, second)]).motion_px == pytest.approx(6, abs=0.6)
    assert m.measure([first], [(first, first)]).motion_px == pytest.approx(0, abs=0.05)
    assert m.measure([first]).motion_px is None


def test_the_palette_holds_the_main_colours_and_their_shares() -> None:
    shown = np.zeros((36, 64, 3), np.float32)
    shown[:, :48] = (1, 0, 0)
    palette = m.palette([shown])
    assert [round(share, 2) for *_, share in palette] == [0.75, 0.25]
    assert palette[0][:3] == pytest.approx((53.24, 80.09, 67.20), abs=0.1)  # CIE L*a*b* of sRGB red, D65
    assert m.palette([shown, shown]) == palette
    assert len(m.palette([picture(1)])) == 5


def test_looks_of_one_place_are_near_and_of_two_places_far() -> None:
    first, second, third = looks(1, 2, 3)
    moved = m.look(reduced(np.roll(picture(1), 3, axis=1)))
    assert np.linalg.norm(first) == pytest.approx(1.0, abs=1e-6) and first.shape == (m.LOOK_SIZE,)
    assert first.dtype == np.float32
    assert float(first @ moved) > 0.97
    assert max(float(first @ second), float(first @ third)) < float(first @ moved) - 0.1


def test_a_flat_picture_has_a_look() -> None:
    assert np.linalg.norm(m.look(reduced(flat(0.0)))) == pytest.approx(1.0, abs=1e-6)


def test_a_cut_between_samples_is_found_by_halving() -> None:
    one, two = looks(1, 2)
    frames = list(range(1, 1001))
    read: list[int] = []

    def look_of(frame: int) -> Pixels:
        read.append(frame)
        return one if frame < 700 else two

    known = {frame: look_of(frame) for frame in (167, 500, 834)}
    assert m.sampled_boundaries(frames, known, look_of) == [700]
    assert len(read) <= 3 + 9


def test_frames_are_only_read_where_samples_differ_and_never_more_than_24() -> None:
    rng = np.random.default_rng(0)
    frames = list(range(1, 10001))

    def restless(frame: int) -> Pixels:
        read.append(frame)
        vector = rng.standard_normal(m.LOOK_SIZE)
        return (vector / np.linalg.norm(vector)).astype(np.float32)

    read: list[int] = []
    m.sampled_boundaries(frames, {1: restless(1), 10000: restless(10000)}, restless)
    assert len(read) == 2 + 24
    (one,) = looks(1)
    read.clear()
    assert m.sampled_boundaries(frames, {1: one, 10000: one}, restless) == read == []


def test_every_cut_is_found_in_every_frame_and_a_flash_is_none() -> None:
    one, two = looks(1, 2)
    shots = [one] * 5 + [two] + [one] * 4 + [two] * 3 + [one] * 3
    assert m.every_boundary(range(101, 101 + len(shots)), lambda frame: shots[frame - 101]) == [111, 114]


def test_pictures_are_found_in_layers_and_grey_ones_count() -> None:
    grey = frame_file(flat(0.18)[..., :1], ("Y",))
    assert m.measure([m.reduce(1, grey, plate_colour(grey))]).exposure_stops == pytest.approx(0, abs=1e-3)
    layered = frame_file(
        np.concatenate([flat(9.0), flat(0.18)], 2), ("Z", "N.x", "N.y", "left.R", "left.G", "left.B")
    )
    assert m.measure([m.reduce(1, layered, plate_colour(layered))]).exposure_stops == pytest.approx(
        0, abs=1e-3
    )
    with pytest.raises(ChannelError, match="no R, G, B"):
        m.reduce(1, frame_file(flat(0.1)[..., :1], ("Z",)), plate_colour(grey))
