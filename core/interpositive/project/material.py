"""What of a production may be learned from, and the frames that are read of it."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from ..analysis.prediction import small_plate
from ..errors import ColourSpaceError, PlateError
from ..frames import FrameRange
from ..images.colour import in_working_space
from ..images.image import Pixels
from ..images.sequence import PlateSequence, find_sequence
from ..models.network import ShotNetworkConfig
from ..prior.predictor import PLATE_PX, Prior
from ..training.pictures import padded
from .backbone import LearningFrame
from .clips import Clip
from .model import LearnedClip, LeftOut
from .random_changes import GRID_PX, known_of
from .rights import Permission, Rights
from .sampling import clip_colour

RGB = ("R", "G", "B")
MOST_FRAMES, MOST_OF_A_CLIP = 48, 8
_STATED = ("ale", "project", "timeline")  # where a colour space counts unless the file says another
_MOST_PX = 960 * 544  # of a frame; larger ones are learned from by a window


@dataclass(frozen=True)
class Permitted:
    """A clip that may be learned from, and the frames of it that are read."""

    clip: Clip
    permission: Permission
    frames: tuple[int, ...]


def permitted_clips(
    clips: Iterable[Clip], rights: Rights, day: datetime.date
) -> tuple[list[tuple[Clip, Permission]], list[LeftOut]]:
    """The clips that `rights` let a model be trained on that day, in order, and those left out."""
    allowed, left_out = [], []
    for clip in sorted(clips, key=lambda clip: (clip.path, clip.first_frame)):
        permission = rights.may_train(clip, day)
        if permission.allowed:
            allowed.append((clip, permission))
        else:
            left_out.append(_left_out(clip, permission.reason))
    return allowed, left_out


def chosen_frames(allowed: Sequence[tuple[Clip, Permission]]) -> list[Permitted]:
    """Frames spread over the clips and within each: at most `MOST_FRAMES`, `MOST_OF_A_CLIP` of one clip.

    With more clips than frames, evenly spread ones are taken.
    """
    if len(allowed) > MOST_FRAMES:
        places = np.linspace(0, len(allowed) - 1, MOST_FRAMES)
        allowed = [allowed[round(float(place))] for place in places]
    each = min(MOST_OF_A_CLIP, MOST_FRAMES // max(len(allowed), 1))
    return [Permitted(clip, permission, _spread(clip, each)) for clip, permission in allowed]


def frame_hashes(
    chosen: Sequence[Permitted], input_space: str | None, report: Callable[[int, int, str], None]
) -> tuple[list[Permitted], list[LearnedClip], list[LeftOut]]:
    """The chosen clips with the frames that exist, and a record of each with their SHA-256.

    A clip that cannot be read is left out and the reason kept.
    """
    readable: list[Permitted] = []
    learned: list[LearnedClip] = []
    left_out: list[LeftOut] = []
    for done, permitted in enumerate(chosen):
        clip = permitted.clip
        report(done, len(chosen), clip.name)
        try:
            sequence = _sequence_of(clip)
            hashes = {f: sequence.content_sha256(f) for f in permitted.frames if f in sequence.frames}
            if hashes:
                _plate(sequence, min(hashes), clip, input_space)
        except (PlateError, ColourSpaceError) as error:
            left_out.append(_left_out(clip, str(error)))
            continue
        except OSError as error:
            left_out.append(_left_out(clip, f"{clip.path} cannot be read: {error.strerror}."))
            continue
        if not hashes:
            left_out.append(_left_out(clip, "None of the frames that would be read exists."))
            continue
        readable.append(replace(permitted, frames=tuple(hashes)))
        learned.append(_record(permitted, hashes))
    return readable, learned, left_out


def read_frames(
    chosen: Sequence[Permitted],
    input_space: str | None,
    prior: Prior,
    report: Callable[[int, int, str], None],
) -> list[LearningFrame]:
    """The frames as the backbone learns from them. Raises PlateError, ColourSpaceError."""
    found: list[LearningFrame] = []
    for done, permitted in enumerate(chosen):
        report(done, len(chosen), permitted.clip.name)
        sequence = _sequence_of(permitted.clip)
        found += [
            _learning_frame(sequence, frame, permitted.clip, input_space, prior) for frame in permitted.frames
        ]
    return found


def read_runs(chosen: Sequence[Permitted], input_space: str | None) -> list[list[Pixels]]:
    """Small plates (h, w, 3) of each clip in order, scene-linear, those of the size of its first."""
    runs: list[list[Pixels]] = []
    for permitted in chosen:
        sequence = _sequence_of(permitted.clip)
        plates = [
            small_plate(_plate(sequence, f, permitted.clip, input_space)[0], PLATE_PX)
            for f in permitted.frames
        ]
        runs.append([plate for plate in plates if plate.shape == plates[0].shape])
    return runs


def _sequence_of(clip: Clip) -> PlateSequence:
    return find_sequence(clip.path, FrameRange.parse(f"{clip.first_frame}-{clip.last_frame}"))


def _learning_frame(
    sequence: PlateSequence, frame: int, clip: Clip, input_space: str | None, prior: Prior
) -> LearningFrame:
    plate, origin, extent = _plate(sequence, frame, clip, input_space)
    before, after = (
        _plate(sequence, other, clip, input_space)[0] if other in sequence.frames else None
        for other in (frame - 1, frame + 1)
    )
    passes, _ = prior.predict(plate, views=1, scales=(1.0,))
    known = known_of(plate, passes, _like(before, plate), _like(after, plate))
    stride = ShotNetworkConfig().stride
    whole = padded(plate, stride)  # (3, H', W')
    rows, columns = whole.shape[1] // GRID_PX, whole.shape[2] // GRID_PX
    edges = ((0, 0), (0, rows - known.shape[1]), (0, columns - known.shape[2]))
    filled = torch.from_numpy(np.pad(known, edges, mode="edge"))
    return _windowed(LearningFrame(whole, filled, origin, extent), stride, frame)


def _like(other: Pixels | None, plate: Pixels) -> Pixels | None:
    """A neighbour of another data window tells nothing about motion."""
    return other if other is not None and other.shape == plate.shape else None


def _plate(
    sequence: PlateSequence, frame: int, clip: Clip, input_space: str | None
) -> tuple[Pixels, tuple[int, int], tuple[int, int]]:
    """(H, W, 3) scene-linear with bad pixels zero, its origin, and the display's (width, height)."""
    file = sequence.read(frame)
    source = clip.sources.get("colour_space", "")
    declared = clip.colour_space if source == "option" else None
    stated = (clip.colour_space if source in _STATED else None, input_space)
    file = in_working_space(file, clip_colour(file, declared, stated))
    data, display = file.main.data_window, file.main.display_window
    plate = np.nan_to_num(file.select(RGB), nan=0.0, posinf=0.0, neginf=0.0)
    return plate, (data.x - display.x, data.y - display.y), (display.width, display.height)


def _windowed(frame: LearningFrame, stride: int, number: int) -> LearningFrame:
    """A window of a frame that is larger than is kept of one; another one for each frame number."""
    _, height, width = frame.plate.shape
    if height * width <= _MOST_PX:
        return frame
    scale = (_MOST_PX / (height * width)) ** 0.5
    rows, columns = (max(int(size * scale) // stride, 1) * stride for size in (height, width))
    random = np.random.default_rng(number)
    top, left = (
        int(random.integers((whole - part) // stride + 1)) * stride
        for whole, part in ((height, rows), (width, columns))
    )
    grid = np.s_[:, top // GRID_PX : (top + rows) // GRID_PX, left // GRID_PX : (left + columns) // GRID_PX]
    return LearningFrame(
        frame.plate[:, top : top + rows, left : left + columns].clone(),
        frame.known[grid].clone(),
        (frame.origin[0] + left, frame.origin[1] + top),
        frame.extent,
    )


def _spread(clip: Clip, count: int) -> tuple[int, ...]:
    """`count` frames evenly from the first to the last, less than half a step from the ends left free."""
    gaps = set(FrameRange.parse(clip.missing)) if clip.missing else set()
    present = [frame for frame in range(clip.first_frame, clip.last_frame + 1) if frame not in gaps]
    if len(present) <= count:
        return tuple(present)
    places = (np.arange(count) + 0.5) / count * len(present)
    return tuple(present[int(place)] for place in places)


def _record(permitted: Permitted, hashes: dict[int, str]) -> LearnedClip:
    clip = permitted.clip
    return LearnedClip(
        clip=clip.name,
        reel=clip.reel,
        scene=clip.scene,
        frames=hashes,
        permission=permitted.permission.reason,
        consent_ids=permitted.permission.consent_ids,
    )


def _left_out(clip: Clip, reason: str) -> LeftOut:
    return LeftOut(clip=clip.name, reel=clip.reel, scene=clip.scene, reason=reason)
