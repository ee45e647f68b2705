from __future__ import annotations

import numpy as np
import pytest

from interpositive.analysis.lighting import direction_of, shading_of
from interpositive.analysis.probes import (
    CHROME_REFLECTANCE,
    GREY_REFLECTANCE,
    BallCircle,
    chrome_ball_latlong,
    environment_light,
    grey_ball_light,
    light_latlong,
)
from interpositive.errors import UsageError
from interpositive.relight.environment import latlong_directions
from interpositive.relight.shot_light import ShotLight

CIRCLE = BallCircle(60.0, 50.0, 30.0)


def ball_normals() -> tuple[np.ndarray, np.ndarray]:
    y, x = np.mgrid[:100, :120].astype(np.float32) + 0.5
    dx, dy = (x - CIRCLE.x) / CIRCLE.radius, (CIRCLE.y - y) / CIRCLE.radius
    z = np.sqrt(np.maximum(1 - dx * dx - dy * dy, 0))
    return np.stack([dx, dy, z], 2), dx * dx + dy * dy < 1


def sun(azimuth: float, elevation: float) -> ShotLight:
    environment = np.zeros((9, 3), np.float32)
    environment[0], environment[1] = (0.4, 0.5, 0.7), (0.05, 0.1, 0.2)
    return ShotLight.of(direction_of(azimuth, elevation).tolist(), [2.0, 1.7, 1.2], environment.tolist())


def angle(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.degrees(np.arccos(np.clip(one @ other, -1, 1))))


@pytest.mark.parametrize(("azimuth", "elevation"), [(-50, 35), (20, 10), (75, 45)])
def test_a_grey_ball_gives_the_key_and_the_shading_of_the_set(azimuth: float, elevation: float) -> None:
    truth = sun(azimuth, elevation)
    normal, inside = ball_normals()
    plate = np.full((100, 120, 3), 0.05, np.float32)
    plate[inside] = GREY_REFLECTANCE * shading_of(truth, normal[inside].astype(np.float32))
    found = grey_ball_light(plate, CIRCLE)
    assert angle(found.direction.numpy(), truth.direction.numpy()) < 8
    made, true = shading_of(found, normal[inside]), shading_of(truth, normal[inside])
    assert np.abs(made - true).mean() < 0.04 * true.mean()


def chrome_plate(radiance_of: np.ndarray) -> np.ndarray:
    """A ball that mirrors a lat-long picture, by its own formula."""
    normal, inside = ball_normals()
    plate = np.zeros((100, 120, 3), np.float32)
    n = normal[inside]
    mirrored = 2 * n[:, 2:] * n - np.float32([0, 0, 1])
    height, width = radiance_of.shape[:2]
    row = (0.5 - np.arcsin(np.clip(mirrored[:, 1], -1, 1)) / np.pi) * height
    column = (np.arctan2(mirrored[:, 0], -mirrored[:, 2]) / (2 * np.pi) + 0.5) * width
    plate[inside] = (
        CHROME_REFLECTANCE
        * radiance_of[np.clip(row.astype(int), 0, height - 1), np.clip(column.astype(int), 0, width - 1)]
    )
    return plate


def test_a_chrome_ball_gives_the_environment_back() -> None:
    directions = latlong_directions(64, 128).numpy()
    truth = (1.5 + np.sin(2 * directions) + directions[..., ::-1]).astype(np.float32)
    found = chrome_ball_latlong(chrome_plate(truth), CIRCLE, height=64)
    in_front = directions[..., 2] > -0.7
    assert np.abs(found - truth)[in_front].mean() < 0.08


def test_a_chrome_balls_lamp_is_the_key() -> None:
    wanted = direction_of(-40, 30)
    directions = latlong_directions(128, 256).numpy()
    radiance = np.full((128, 256, 3), 0.3, np.float32)
    radiance[directions @ wanted > np.cos(np.radians(8))] = 60.0
    light = environment_light(chrome_ball_latlong(chrome_plate(radiance), CIRCLE))
    assert angle(light.direction.numpy(), wanted) < 4
    solid_angle = 2 * np.pi * (1 - np.cos(np.radians(8)))
    assert float(light.colour[0]) == pytest.approx((60 - 0.3) * solid_angle / np.pi, rel=0.15)


def test_an_even_environment_has_no_key() -> None:
    light = environment_light(np.full((32, 64, 3), 0.5, np.float32))
    assert light.key_level == 0
    normal = np.float32([[0, 0, 1], [0, 1, 0]])
    np.testing.assert_allclose(shading_of(light, normal), 0.5, rtol=0.02)


def test_infinity_in_a_probe_is_a_very_bright_lamp_and_nothing_worse() -> None:
    radiance = np.full((32, 64, 3), 0.5, np.float32)
    radiance[8, 40] = np.inf
    radiance[20, 3] = np.nan
    light = environment_light(radiance)
    assert np.isfinite(light.colour.numpy()).all() and np.isfinite(light.environment_sh.numpy()).all()


def test_the_lat_long_picture_of_a_light_is_that_light() -> None:
    truth = sun(30, 40)
    back = environment_light(light_latlong(truth))
    normal = ball_normals()[0][ball_normals()[1]].astype(np.float32)
    made, true = shading_of(back, normal), shading_of(truth, normal)
    assert np.abs(made - true).mean() < 0.05 * true.mean()


@pytest.mark.parametrize("text", ["1,2", "a,b,c", "10,10,nan", "50,50,2", ""])
def test_a_circle_that_makes_no_sense_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(UsageError) as refused:
        BallCircle.parse(text)
    assert "\n" not in str(refused.value)


def test_a_circle_outside_the_picture_is_refused() -> None:
    with pytest.raises(UsageError, match="inside the 120x100 picture"):
        grey_ball_light(np.ones((100, 120, 3), np.float32), BallCircle(5, 50, 30))
