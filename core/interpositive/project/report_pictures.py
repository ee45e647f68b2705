"""What a continuity report looks at: one frame of each shot, matched with its hero, and drawn for people.

The pictures before and after a proposed CDL are both rendered here, from the same scene-linear pixels through
the same view. Pixels are ACEScg, float32, at most 640 wide.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ..errors import ColourSpaceError, GradeError, OutputError, PlateError
from ..grade.cdl import CDL, apply
from ..grade.grading_space import GradingSpace
from ..grade.matching import Sight, estimate, look_at
from ..images.colour import PlateColour, config, convert, display_view, picture_space, to_working
from ..images.image import Pixels
from ..images.sequence import find_sequence
from ..images.writing import whole_file
from .clips import Record, Triple
from .continuity import Comparison
from .measures import picture_channels
from .sampling import clip_colour
from .scopes import scopes

if TYPE_CHECKING:
    from ..prior.predictor import Prior

PICTURE_PX, SMALL_PX = 640, 208
KEY_PX = 288  # about what the prior was trained on
FOLDER = "pictures"

_JPEG_QUALITY = 88
_ACESCG = PlateColour("ACEScg", "ACEScg", True, "declared")
_DECLARED_BY_HAND = ("option",)
_STATED = ("ale", "project", "timeline")


class Eyes:
    """Reads, matches and draws the shots of one scene. Each shot's frame is read once.

    `failures` says by clip id why a shot's picture could not be had or compared.
    """

    def __init__(self, space: GradingSpace, prior: Prior | None = None) -> None:
        self.space = space
        self.failures: dict[int, str] = {}
        self._prior = prior
        self._pictures: dict[int, Pixels | None] = {}
        self._sights: dict[int, Sight | None] = {}

    def forget(self) -> None:
        """Let go of a scene's pictures."""
        self._pictures.clear()
        self._sights.clear()

    def picture(self, record: Record) -> Pixels | None:
        """(h, w, 3) of the shot's middle sampled frame; None, and a failure, where it cannot be read."""
        if record.clip_id not in self._pictures:
            try:
                self._pictures[record.clip_id] = read_picture(record)
            except (PlateError, ColourSpaceError) as error:
                self._pictures[record.clip_id] = None
                self.failures[record.clip_id] = str(error)
        return self._pictures[record.clip_id]

    def compare(self, hero: Record, shot: Record) -> Comparison | None:
        """What matching says of the two; None where one of them cannot be seen."""
        there, here = self._sight(hero), self._sight(shot)
        if there is None or here is None:
            return None
        found = estimate(there, here, self.space)
        return Comparison(
            found.exposure_stops, found.white_balance_mireds, found.tint_duv, found.confidence, found.basis,
            found.cdl,
        )  # fmt: skip

    def key_direction(self, record: Record) -> Triple | None:
        """Unit vector to the key light in camera space: as measured, else as the prior sees it."""
        if record.measures is not None and record.measures.key_direction is not None:
            return record.measures.key_direction
        picture = self.picture(record)
        if self._prior is None or picture is None:
            return None
        from ..analysis.prediction import predicted_light

        light = predicted_light(self._prior, fitted(picture, KEY_PX), None)
        x, y, z = (float(v) for v in light.direction.numpy())
        return (x, y, z)

    def _sight(self, record: Record) -> Sight | None:
        if record.clip_id not in self._sights:
            picture, sight = self.picture(record), None
            if picture is not None:
                try:
                    sight = look_at(picture, self.space, name=record.clip.name)
                except GradeError as error:
                    self.failures[record.clip_id] = str(error)
            self._sights[record.clip_id] = sight
        return self._sights[record.clip_id]


def read_picture(record: Record, width_px: int = PICTURE_PX) -> Pixels:
    """The frame that the clip's thumbnail shows, scene-linear ACEScg, at most `width_px` wide.

    Raises PlateError, ColourSpaceError.
    """
    clip = record.clip
    sequence = find_sequence(clip.path)
    sampled = record.measures.frames if record.measures is not None else ()
    wanted = sampled[len(sampled) // 2] if sampled else clip.first_frame
    frame = wanted if wanted in sequence.frames else sequence.frames[len(sequence.frames) // 2]
    image_file = sequence.read(frame)
    source = clip.sources.get("colour_space", "")
    declared = clip.colour_space if source in _DECLARED_BY_HAND else None
    stated = (clip.colour_space,) if source in _STATED else ()
    colour = clip_colour(image_file, declared, stated)
    pixels = image_file.select(picture_channels(image_file))
    small = np.nan_to_num(fitted(pixels, width_px), nan=0.0, posinf=65504.0, neginf=-65504.0)
    rgb = np.repeat(small[..., :1], 3, axis=2) if small.shape[2] == 1 else np.ascontiguousarray(small)
    return convert(to_working(rgb, colour), picture_space(colour), "ACEScg")


def graded(picture: Pixels, cdl: CDL, space: GradingSpace) -> Pixels:
    """Scene-linear pixels with the CDL applied in its own space."""
    return space.decode(apply(cdl, space.encode(picture)))


def view_name() -> str:
    """The display and view that pictures are shown with."""
    loaded = config()
    display = loaded.getDefaultDisplay()
    return f"{display} / {loaded.getDefaultView(display)}"


def write_pictures(
    folder: Path, clip_id: int, picture: Pixels, cdl: CDL | None, space: GradingSpace
) -> dict[str, str]:
    """Draw a shot into `folder`/pictures: small, before, scopes, and with a CDL after and its scopes.

    Gives the names relative to `folder`. Raises OutputError.
    """
    versions = {"before": picture} | ({} if cdl is None else {"after": graded(picture, cdl, space)})
    names: dict[str, str] = {}
    for version, pixels in versions.items():
        shown = display_view(pixels, _ACESCG)
        if version == "before":
            names["small"] = _write_jpeg(folder, f"{clip_id}_small.jpg", fitted(shown, SMALL_PX))
        names[version] = _write_jpeg(folder, f"{clip_id}_{version}.jpg", shown)
        name = f"{clip_id}_scopes_{version}.png"
        names[f"scopes_{version}"] = _write(folder, name, scopes(shown, pixels), [])
    return names


def remove_other_pictures(folder: Path, kept: set[str]) -> None:
    """Delete the pictures of earlier reports that this one does not show."""
    for path in (folder / FOLDER).glob("*_*.*"):
        if f"{FOLDER}/{path.name}" not in kept and path.name.split("_")[0].isdecimal():
            path.unlink()


def fitted(picture: Pixels, width_px: int) -> Pixels:
    """The picture at most `width_px` wide, averaged."""
    height, width = picture.shape[:2]
    if width <= width_px:
        return picture
    size = (width_px, max(1, round(height * width_px / width)))
    small = cv2.resize(np.ascontiguousarray(picture), size, interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.float32).reshape(size[1], size[0], -1)


def _write_jpeg(folder: Path, name: str, shown: Pixels) -> str:
    picture = np.rint(np.clip(shown, 0, 1) * 255).astype(np.uint8)  # a picture that people look at
    return _write(folder, name, picture, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])


def _write(folder: Path, name: str, picture: NDArray[np.uint8], options: list[Any]) -> str:
    done, encoded = cv2.imencode(Path(name).suffix, picture[..., ::-1], options)
    path = folder / FOLDER / name
    if not done:
        raise OutputError(f"Cannot make the picture {path} of {picture.shape} pixels.")
    with whole_file(path) as unfinished:
        unfinished.write_bytes(encoded.tobytes())
    return f"{FOLDER}/{name}"
