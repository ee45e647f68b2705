"""The second reading of a shot: every frame at full size, with its neighbours beside it."""

from __future__ import annotations

from ..relight.passes import Passes
from .fine_detail import FineFrame, held_still
from .frame_store import FrameStore
from .frames import FullFrame, PlateFrames
from .prediction import WorkingPasses
from .upsampling import Enlarger


class FrameWindow:
    """Reads frames with `neighbours` before and after each, and makes their passes.

    A frame's passes depend on these frames alone, so that any of them can be made again by itself. In a run
    from first to last every frame is read, and its albedo found, once. `read` and `passes` may each be called
    from a thread of its own.
    """

    def __init__(self, frames: PlateFrames, small: FrameStore, gain: float, neighbours: int = 1) -> None:
        self._frames, self._small, self._gain = frames, small, gain
        self._neighbours = neighbours
        self._index = {frame: k for k, frame in enumerate(frames.plate.frames)}
        self._held: dict[int, FullFrame] = {}
        self._begun: dict[int, tuple[Enlarger, FineFrame]] = {}

    def read(self, frame: int) -> dict[int, FullFrame]:
        """The frame and its neighbours by number. Raises `PlateError`, `ColourSpaceError`."""
        wanted = self._around(frame)
        self._held = {
            number: self._held[number] if number in self._held else self._frames.read(number)
            for number in wanted
        }
        return dict(self._held)

    def passes(self, frame: int, around: dict[int, FullFrame]) -> Passes:
        """The passes of `frame`, of what `read` gave."""
        wanted = self._around(frame)
        self._begun = {number: begun for number, begun in self._begun.items() if number in wanted}
        full = around[frame]
        given = self._frames.given_at(frame, full.image_file)
        enlarger, fine = self._begin(frame, full)
        if len(wanted) > 1:
            others = [self._begin(number, around[number])[1] for number in wanted if number != frame]
            fine = held_still(fine, others)
        return enlarger.finished(fine, full.is_half, given)

    def _begin(self, frame: int, full: FullFrame) -> tuple[Enlarger, FineFrame]:
        if frame not in self._begun:
            small = WorkingPasses.unpacked(self._small.get(self._index[frame]))
            enlarger = Enlarger.of(small, full.plate, self._gain)
            self._begun[frame] = enlarger.lighter(), enlarger.fine()
        return self._begun[frame]

    def _around(self, frame: int) -> list[int]:
        k, numbers = self._index[frame], self._frames.plate.frames
        return list(numbers[max(k - self._neighbours, 0) : k + self._neighbours + 1])
