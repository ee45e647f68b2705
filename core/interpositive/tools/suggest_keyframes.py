"""Suggest which frames to change by hand.

Before training those that cover the shot best, after it those where the model is least sure.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field

from ..errors import KeyframeError
from ..frames import FrameRange, compact_frames
from ..progress import Progress
from .footage_options import Plate

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..images.image import ImageFile
    from ..images.sequence import PlateSequence
    from ..training.suggestions import Descriptors

    Describe = Callable[[ImageFile], Descriptors]

_STAGE = "looking at frames"
_LEAST_SURE_SHOWN = 3


class Params(BaseModel):
    """Which shot, and how many frames."""

    model_config = ConfigDict(extra="forbid")

    plate: Plate
    count: int = Field(default=5, ge=1, le=100, title="Count", description="How many frames to suggest.")
    model: str | None = Field(
        default=None,
        title="Model",
        description="Model folder: suggests frames beside its keyframes, where it is least sure.",
    )
    have: str | None = Field(
        default=None,
        title="Frames at hand",
        description="Frames that are changed already, such as 1001,1020.",
    )
    frames: str | None = Field(
        default=None, title="Frames", description="Frames of the shot such as 1001-1100; without it, all."
    )
    input_space: str | None = Field(
        default=None,
        title="Input colour space",
        description="Colour space of the plate, where files do not say.",
    )


class Result(BaseModel):
    """`frames` in the order of their use; `uncovered` says how badly the keyframes cover each frame."""

    frames: list[int]
    uncovered: dict[int, float]
    by_model: bool

    def lines(self) -> list[str]:
        worst = sorted(self.uncovered, key=lambda frame: -self.uncovered[frame])[:_LEAST_SURE_SHOWN]
        kind = "The model is least sure" if self.by_model else "Least covered by them"
        return [
            f"Suggested keyframes, most useful first: {', '.join(map(str, self.frames))}",
            f"{kind}: {', '.join(f'{frame} ({self.uncovered[frame]:.2f})' for frame in worst)}",
        ]


def run(params: Params, progress: Progress) -> Result:
    """Look at the shot and choose. Raises an `InterpositiveError`."""
    from ..images.sequence import find_sequence
    from ..training.suggestions import MOST_CANDIDATES, suggest, whitened

    wanted = FrameRange.parse(params.frames) if params.frames is not None else None
    plate = find_sequence(params.plate, wanted)
    if wanted is not None:
        plate.require()
    have = list(FrameRange.parse(params.have)) if params.have is not None else []
    describe, trained = (
        _by_model(params, plate) if params.model is not None else (_by_look(params, plate), [])
    )
    have = sorted({*have, *trained})
    unknown = [frame for frame in have if frame not in plate.frames]
    if unknown and params.have is not None:
        raise KeyframeError(
            f"--have: {plate.name} has no frames {compact_frames(unknown)}, "
            f"only {compact_frames(plate.frames)}."
        )
    step = -(-len(plate.frames) // MOST_CANDIDATES)
    candidates = sorted({*plate.frames[::step], *(set(have) & set(plate.frames))})
    descriptors = []
    for done, frame in enumerate(candidates):
        progress.report(_STAGE, done, len(candidates), f"frame {frame}")
        descriptors.append(describe(plate.read(frame)))
    if params.model is not None:
        descriptors = whitened(descriptors)
    found = suggest(
        candidates, descriptors, params.count, have, lambda d, t: progress.report("comparing frames", d, t)
    )
    return Result(frames=list(found.frames), uncovered=found.uncovered, by_model=params.model is not None)


def _by_look(params: Params, plate: PlateSequence) -> Describe:
    """Frames described by how they look."""
    import numpy as np

    from ..images.colour import in_working_space, plate_colour
    from ..training.footage import RGB
    from ..training.suggestions import look_of
    from ..training.toe import TOE

    colour = plate_colour(plate.read(plate.frames[0]), params.input_space)

    def describe(image_file: ImageFile) -> Descriptors:
        return look_of(
            np.nan_to_num(in_working_space(image_file, colour).select(RGB), posinf=0, neginf=0), TOE
        )

    return describe


def _by_model(params: Params, plate: PlateSequence) -> tuple[Describe, list[int]]:
    """Frames described by the model's features, and the frames that it was trained on."""
    import numpy as np

    from ..images.colour import in_working_space, plate_colour
    from ..models.model_folder import load_model
    from ..models.network import load_network
    from ..training.suggestions import features_of

    model = load_model(Path(params.model or "").expanduser())
    network = load_network(model.manifest.network, model.weights_path)
    recorded = model.manifest.colour
    declared = params.input_space or (recorded.input_space if recorded.source == "declared" else None)
    colour = plate_colour(plate.read(plate.frames[0]), declared)
    channels = [name for layer in model.manifest.inputs for name in layer.channels]

    def describe(image_file: ImageFile) -> Descriptors:
        pixels = np.nan_to_num(in_working_space(image_file, colour).select(channels), posinf=0, neginf=0)
        data, display = image_file.main.data_window, image_file.main.display_window
        origin = (data.x - display.x, data.y - display.y)
        return features_of(network, pixels, origin, (display.width, display.height))

    return describe, [keyframe.frame for keyframe in model.manifest.training.frames]
