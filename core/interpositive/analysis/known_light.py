"""What the artist or the set says about the light: one of a ball, a probe and a direction."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..errors import UsageError
from ..images.reading import read_image_file
from ..relight.shot_light import ShotLight
from .frames import PlateFrames
from .lighting import direction_of
from .prediction import Map
from .probes import (
    BallCircle,
    chrome_ball_latlong,
    environment_light,
    grey_ball_light,
    parse_numbers,
)


@dataclass(frozen=True, eq=False)
class KnownLight:
    """`light` in plate units if `is_calibrated`, else up to a factor; or only the key's `direction`; or
    nothing. `source` says in a few words where it is from."""

    source: str
    light: ShotLight | None = None
    is_calibrated: bool = True
    direction: Map | None = None


def known_light(
    frames: PlateFrames,
    grey_ball: str | None,
    chrome_ball: str | None,
    ball_frame: int | None,
    environment: str | None,
    key_direction: str | None,
) -> KnownLight:
    """At most one of the four. Raises UsageError, `PlateError`."""
    said = {
        "--grey-ball": grey_ball,
        "--chrome-ball": chrome_ball,
        "--environment": environment,
        "--key-direction": key_direction,
    }
    given = [name for name, value in said.items() if value is not None]
    if len(given) > 1:
        raise UsageError(f"{' and '.join(given)} both say what the light is. Pass one of them.")
    if grey_ball is not None:
        return _from_ball(frames, BallCircle.parse(grey_ball), ball_frame, "grey ball", grey_ball_light)
    if chrome_ball is not None:
        circle = BallCircle.parse(chrome_ball)
        return _from_ball(frames, circle, ball_frame, "chrome ball", _chrome_ball_light)
    if ball_frame is not None:
        raise UsageError("--ball-frame needs --grey-ball or --chrome-ball.")
    if environment is not None:
        file = read_image_file(Path(environment).expanduser())
        height, width = file.main.height, file.main.width
        if width < 2 * height * 0.9 or width > 2 * height * 1.1:
            raise UsageError(
                f"{environment} is {width}x{height}; a lat-long environment is twice as wide as high."
            )
        return KnownLight("probe", environment_light(file.select(("R", "G", "B"))), False)
    if key_direction is not None:
        azimuth, elevation = parse_numbers(
            key_direction, 2, "a key direction is azimuth,elevation in degrees, such as -40,30"
        )
        return KnownLight("key direction given", direction=direction_of(azimuth, elevation))
    return KnownLight("estimated")


def _from_ball(
    frames: PlateFrames,
    circle: BallCircle,
    ball_frame: int | None,
    source: str,
    light_of: Callable[[Map, BallCircle], ShotLight],
) -> KnownLight:
    frame = frames.plate.frames[0] if ball_frame is None else ball_frame
    full = frames.read(frame)
    display = full.image_file.main.display_window
    on_canvas = BallCircle(
        circle.x + display.x - frames.canvas.x, circle.y + display.y - frames.canvas.y, circle.radius
    )
    light = light_of(full.plate, on_canvas)
    if not float(light.colour.abs().sum() + light.environment_sh.abs().sum()) > 0:
        raise UsageError(
            f"The {source} {circle} of frame {frame} is black. Check the circle and --ball-frame."
        )
    return KnownLight(source, light)


def _chrome_ball_light(plate: Map, circle: BallCircle) -> ShotLight:
    return environment_light(chrome_ball_latlong(plate, circle))
