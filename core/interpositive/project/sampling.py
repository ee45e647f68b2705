"""One clip looked at: its header, a few sampled frames, what was measured on them.

Sampled are N frames in the middles of N equal parts of the clip, and the frame after the middle one for
motion; each is read once, rising, and reduced at once, so one frame of a clip is in memory at a time. Further
frames are read only to find cuts inside a movie whose samples differ, or where every frame was asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from ..errors import ChannelError, ColourSpaceError, MissingFramesError, PlateError, SizeMismatchError
from ..images.colour import AS_IN_FILE, PlateColour, display_view, picture_space, plate_colour, space_name
from ..images.image import ImageFile
from ..images.reading import read_header
from ..images.sequence import PlateSequence
from . import measures as measuring
from . import timecode
from .clips import Clip, Measures
from .discovery import Found
from .headers import frame_timecode, from_header, from_name
from .thumbnails import thumbnail_path, write_thumbnail

Cuts = Literal["off", "sampled", "every-frame"]

SCENE_LINEAR_SUFFIXES = (".exr", ".hdr")
# How problems begin that leave a clip unmeasured, or measured in part.
NOT_WHOLE = ("Cannot be read: ", "Not measured: ", "Truncated: ", "Frame ", "Cuts ")
_SCENE_LINEAR_FORMATS = ("openexr", "hdr")
# For each field the sources that may state it, the one that is believed first.
_EDITORIAL = ("ale", "header", "timeline", "file name")
_TECHNICAL = ("header", "ale", "timeline", "file name")
_RANKS = {
    **dict.fromkeys(("reel", "scene", "take"), _EDITORIAL),
    **dict.fromkeys(
        ("fps", "timecode", "camera", "lens", "focal_mm", "iso", "white_balance_k", "tint"), _TECHNICAL
    ),
}
LIST_SOURCES = ("ale", "timeline")


class Vanished(Exception):
    """The files of a clip cannot be seen any more. Never leaves the package `project`."""


@dataclass(frozen=True)
class Settings:
    """How clips are read. `input_space` is the artist's for this run, `default_space` the project's."""

    project_folder: Path
    input_space: str | None = None
    default_space: str | None = None
    frames_per_clip: int = 3
    cuts: Cuts = "sampled"


@dataclass(frozen=True)
class Reading:
    """What came of a clip. `is_unread` where not one frame of it could be read."""

    clip: Clip
    measures: Measures | None = None
    thumbnails: tuple[str, ...] = ()
    is_unread: bool = False
    frames_read: int = 0


def stated(clip: Clip, values: dict[str, Any], source: str) -> Clip:
    """The clip with those `values` that a better source has not stated; the same source replaces its own."""
    changes: dict[str, Any] = {}
    sources = dict(clip.sources)
    for name, value in values.items():
        ranks = _RANKS.get(name)
        holder = sources.get(name)
        if ranks is None or (holder in ranks and ranks.index(holder) < ranks.index(source)):
            continue
        changes[name], sources[name] = value, source
    return replace(clip, **changes, sources=sources)


def sampled_frames(frames: Sequence[int], count: int) -> tuple[list[int], tuple[int, int] | None]:
    """(frames in the middles of `count` equal parts, the pair of following frames for motion or None)."""
    total = len(frames)
    count = min(count, total)
    places = sorted({min(int((k + 0.5) * total / count), total - 1) for k in range(count)})
    middle = places[len(places) // 2]
    for first, second in ((middle, middle + 1), (middle - 1, middle)):
        if 0 <= first and second < total and frames[second] == frames[first] + 1:
            return [frames[place] for place in places], (frames[first], frames[second])
    return [frames[place] for place in places], None


def clip_colour(
    image_file: ImageFile, declared: str | None, stated_spaces: Sequence[str | None] = ()
) -> PlateColour:
    """The colour of a clip. Raises ColourSpaceError where nothing says it.

    `declared` (the artist's, for many clips) goes before the header of movies and code value files when it is
    an encoding, and never makes an EXR anything but scene-linear. A scene-linear one says the primaries of
    EXRs that name none. `stated_spaces` (the list's, the project's) are for clips whose header says nothing.
    """
    try:
        own = plate_colour(image_file)
        unknown = None
    except ColourSpaceError as error:
        own, unknown = None, error
    if declared is not None:
        colour = plate_colour(image_file, declared)
        if _fits(colour, image_file, own) or (own is not None and _is_encoded(colour, image_file)):
            return colour
    for space in stated_spaces:
        if space is not None and (own is None or own.source == "file format"):
            colour = plate_colour(image_file, space)
            if _fits(colour, image_file, own):
                return colour
    if own is None:
        assert unknown is not None
        raise unknown
    return own


def _fits(colour: PlateColour, image_file: ImageFile, own: PlateColour | None) -> bool:
    """Whether a space that somebody names can be that of a file whose header says `own`."""
    if image_file.file_format in _SCENE_LINEAR_FORMATS:
        names_itself = own is not None and (own.source == "metadata" or own.chromaticities is not None)
        return colour.is_scene_linear and not names_itself
    return own is None


def _is_encoded(colour: PlateColour, image_file: ImageFile) -> bool:
    return not colour.is_scene_linear and image_file.file_format not in _SCENE_LINEAR_FORMATS


def colour_name(colour: PlateColour) -> str:
    """The space as the catalogue names it. An EXR without a word has Rec.709 primaries, as OpenEXR says."""
    if colour.input_space != AS_IN_FILE:
        return colour.input_space
    space = picture_space(colour)
    if colour.chromaticities is not None and space == "lin_rec709":
        known = measuring.is_rec709(colour.chromaticities)
        return space_name(space) if known else AS_IN_FILE
    return space_name(space)


def read_clip(found: Found, settings: Settings, ale_space: str | None, stop: Callable[[], None]) -> Reading:
    """Read and measure a clip; what is wrong with it becomes its problems.

    `stop()` is asked before each frame and may raise. Raises Vanished, OutputError (the project's disk).
    """
    return _ClipReader(found, settings, ale_space, stop).read()


class _ClipReader:
    def __init__(
        self, found: Found, settings: Settings, ale_space: str | None, stop: Callable[[], None]
    ) -> None:
        self._found, self._settings, self._stop = found, settings, stop
        self._ale_space = ale_space
        self._problems: list[str] = []
        self._colour: PlateColour | None = None
        self._frames_read = 0
        self._timecodes: dict[int, str] = {}
        self._clip = stated(
            Clip(
                name=found.name,
                path=found.path,
                kind=found.kind,
                first_frame=found.frames[0],
                last_frame=found.frames[-1],
                missing=found.missing,
            ),
            from_name(found.name),
            "file name",
        )

    def read(self) -> Reading:
        try:
            sequence = self._found.open()
        except PlateError as error:
            return self._failed(error)
        self._note_frames(sequence)
        chosen, pair = sampled_frames(sequence.frames, self._settings.frames_per_clip)
        pictures = self._pictures(sequence, sorted({*chosen, *(pair or ())}), chosen)
        if self._frames_read == 0:
            return self._reading(None)
        self._note_first_timecode(sequence)
        if self._colour is None or not pictures:
            return self._reading(None)
        return self._measured(sequence, pictures, chosen, pair)

    def _note_frames(self, sequence: PlateSequence) -> None:
        self._clip = replace(self._clip, first_frame=sequence.frames[0], last_frame=sequence.frames[-1])
        movie = sequence.movie
        if movie is not None and movie.lost_frames:
            total = len(movie) + movie.lost_frames
            self._problems.append(
                f"Truncated: {len(movie)} of {total} frames are there. Copy the file again."
            )
        if self._clip.missing:
            self._problems.append(f"Frames {self._clip.missing} are missing.")

    def _pictures(
        self, sequence: PlateSequence, frames: list[int], chosen: list[int]
    ) -> dict[int, measuring.Picture]:
        pictures: dict[int, measuring.Picture] = {}
        for frame in frames:
            try:
                image_file = self._read(sequence, frame)
                self._note_timecode(frame, image_file, sequence)
                if self._frames_read == 1:
                    self._note_header(sequence, image_file)
                self._require_same_size(image_file)
                if self._colour is not None:
                    pictures[frame] = measuring.reduce(frame, image_file, self._colour, frame in chosen)
            except (ColourSpaceError, ChannelError) as error:
                self._problems.append(f"Not measured: {_brief(error, sequence.path(frame))}")
                break
            except PlateError as error:
                self._problems.append(f"Frame {frame}: {_brief(error, sequence.path(frame))}")
                if self._found.kind == "video":
                    break
        return pictures

    def _require_same_size(self, image_file: ImageFile) -> None:
        shown = image_file.main.display_window
        width, height = self._clip.width, self._clip.height
        if (shown.width, shown.height) != (width, height):
            raise SizeMismatchError(
                f"{image_file.path} is {shown.width}x{shown.height} but others are {width}x{height}. "
                "Export it at the size of the others."
            )

    def _read(self, sequence: PlateSequence, frame: int) -> ImageFile:
        self._stop()
        try:
            image_file = sequence.read(frame)
        except PlateError as error:
            self._raise_if_vanished(sequence.path(frame), error)
            raise
        self._frames_read += 1
        return image_file

    def _raise_if_vanished(self, path: Path, error: PlateError) -> None:
        if isinstance(error, MissingFramesError) or not _can_be_seen(path):
            raise Vanished(str(error)) from error

    def _note_header(self, sequence: PlateSequence, image_file: ImageFile) -> None:
        """Facts of the first frame that was read; its colour last, since it may not be known."""
        main = image_file.main
        tags = sequence.movie.tags if sequence.movie is not None else None
        self._clip = replace(
            stated(self._clip, from_header(image_file, tags), "header"),
            width=main.display_window.width,
            height=main.display_window.height,
            bit_depth=main.channel_formats[0],
        )
        colour = clip_colour(
            image_file, self._settings.input_space, (self._ale_space, self._settings.default_space)
        )
        self._colour = colour
        source = self._colour_source(colour)
        self._clip = replace(
            self._clip,
            colour_space=colour_name(colour),
            sources={**self._clip.sources, "colour_space": source},
        )

    def _colour_source(self, colour: PlateColour) -> str:
        if colour.source == "metadata" or (colour.source == "file format" and colour.chromaticities):
            return "header"
        if colour.source == "file format":
            return "file format"
        if self._settings.input_space == colour.input_space:
            return "option"
        return "ale" if self._ale_space == colour.input_space else "project"

    def _note_timecode(self, frame: int, image_file: ImageFile, sequence: PlateSequence) -> None:
        value = frame_timecode(image_file)
        if value is not None and not (sequence.movie is None and isinstance(sequence.location, Path)):
            self._timecodes[frame] = value

    def _note_first_timecode(self, sequence: PlateSequence) -> None:
        """The timecode of the first frame from that of a sampled one, and whether they run on."""
        if not self._timecodes:
            return
        frame, value = next(iter(self._timecodes.items()))
        first, fps = sequence.frames[0], self._clip.fps
        if frame == first:
            start: str | None = value
        elif fps is None:
            start = self._header_timecode(sequence)
        else:
            start = self._running_timecode(frame, value, first, fps)
        if start is not None:
            self._clip = replace(self._clip, timecode=start)

    def _header_timecode(self, sequence: PlateSequence) -> str | None:
        try:
            header = read_header(sequence.path(sequence.frames[0]))
        except PlateError as error:
            self._raise_if_vanished(sequence.path(sequence.frames[0]), error)
            file = sequence.path(sequence.frames[0])
            self._problems.append(f"Frame {sequence.frames[0]}: {_brief(error, file)}")
            return None
        return frame_timecode(ImageFile((header,)))

    def _running_timecode(self, frame: int, value: str, first: int, fps: float) -> str | None:
        try:
            for other, found in self._timecodes.items():
                expected = timecode.later(value, other - frame, fps)
                if found != expected:
                    self._problems.append(
                        f"Timecode jumps: frame {frame} has {value}, frame {other} has {found}, "
                        f"not {expected}."
                    )
                    break
            return timecode.later(value, first - frame, fps)
        except PlateError as error:
            self._problems.append(str(error))
            return None

    def _measured(
        self,
        sequence: PlateSequence,
        pictures: dict[int, measuring.Picture],
        chosen: list[int],
        pair: tuple[int, int] | None,
    ) -> Reading:
        assert self._colour is not None
        sampled = [pictures[frame] for frame in chosen if frame in pictures] or list(pictures.values())
        middle = sampled[len(sampled) // 2]
        thumbnail = thumbnail_path(self._found.path, middle.frame)
        write_thumbnail(self._settings.project_folder, thumbnail, display_view(middle.working, self._colour))
        shown = [display_view(measuring.tiny(picture.working), self._colour) for picture in sampled]
        neighbours = []
        if pair is not None and pair[0] in pictures and pair[1] in pictures:
            neighbours = [(pictures[pair[0]], pictures[pair[1]])]
        boundaries = self._boundaries(sequence, pictures)
        measured = measuring.measure(sampled, neighbours, shown, boundaries)
        return self._reading(measured, (thumbnail,))

    def _boundaries(self, sequence: PlateSequence, pictures: dict[int, measuring.Picture]) -> list[int]:
        colour = self._colour
        assert colour is not None
        is_asked = self._settings.cuts == "every-frame"
        is_movie = self._settings.cuts == "sampled" and sequence.is_video
        if len(sequence.frames) < 2 or not (is_asked or is_movie):
            return []
        looks = {frame: measuring.look(picture) for frame, picture in pictures.items()}

        def look_of(frame: int) -> Any:
            if frame not in looks:
                picture = measuring.reduce(frame, self._read(sequence, frame), colour, with_tiles=False)
                looks[frame] = measuring.look(picture)
            return looks[frame] if not is_asked else looks.pop(frame)

        try:
            if is_asked:
                return measuring.every_boundary(sequence.frames, look_of)
            return measuring.sampled_boundaries(sequence.frames, looks, look_of)
        except PlateError as error:
            self._problems.append(f"Cuts were not looked for to the end: {error}")
            return []

    def _failed(self, error: PlateError) -> Reading:
        for file in self._found.files()[:1]:
            self._raise_if_vanished(file, error)
        self._problems.append(f"Cannot be read: {_brief(error, self._found.files()[0])}")
        return self._reading(None)

    def _reading(self, measured: Measures | None, thumbnails: tuple[str, ...] = ()) -> Reading:
        clip = replace(self._clip, problems=tuple(self._problems))
        return Reading(clip, measured, thumbnails, self._frames_read == 0, self._frames_read)


def _brief(error: Exception, path: Path) -> str:
    """The message without the path that its clip tells anyway."""
    text = str(error)
    return f"the file {text[len(str(path)) + 1 :]}" if text.startswith(f"{path} ") else text


def _can_be_seen(path: Path) -> bool:
    try:
        path.stat()
    except OSError:
        return False
    return True
