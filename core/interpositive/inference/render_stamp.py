"""What a rendered EXR says about its making, in its header; how a run that starts again knows its own frames.

The stamp travels with the frame and appears with it in one step, so there is no record beside the frames
that could disagree with them. It names files without their directories.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import OpenImageIO as oiio

PREFIX = "interpositive:"

Standing = Literal["absent", "current", "outdated", "foreign", "broken"]


@dataclass(frozen=True)
class RenderStamp:
    """Model, settings and inputs of one rendered frame, as EXR header attributes.

    What a frame was made with is a model and its weights, or, with other names in `maker`, something else
    that has a name and a content.
    """

    model: str
    weights_sha256: str
    version: str  # of Interpositive; not compared
    settings: str
    inputs: str
    maker: tuple[str, str] = ("model", "weights_sha256")

    def attributes(self) -> dict[str, object]:
        return {
            f"{PREFIX}{self.maker[0]}": self.model,
            f"{PREFIX}{self.maker[1]}": self.weights_sha256,
            f"{PREFIX}version": self.version,
            f"{PREFIX}settings": self.settings,
            f"{PREFIX}inputs": self.inputs,
        }

    def standing(self, path: Path) -> Standing:
        """What `path` is to a run with this stamp.

        "current": this very render, whole. "outdated": rendered here with another model, other settings or
        from another plate. "foreign": not rendered by Interpositive, or not readable. "broken": rendered
        here and cut short since. Costs one header and one row of pixels of each part.
        """
        if not path.exists():
            return "absent"
        image = oiio.ImageInput.open(str(path))
        if image is None:
            oiio.geterror()
            return "foreign"
        try:
            spec = image.spec()
            found = [spec.getattribute(f"{PREFIX}{key}") for key in (self.maker[1], "settings", "inputs")]
            if None in found:
                return "foreign"
            if found != [self.weights_sha256, self.settings, self.inputs]:
                return "outdated"
            return "current" if _is_whole(image) else "broken"
        finally:
            image.close()


def _is_whole(image: Any) -> bool:
    """Whether the last row of each part can be decoded."""
    part = 0
    while image.seek_subimage(part, 0):
        bottom = image.spec().y + image.spec().height
        if image.read_scanlines(part, 0, bottom - 1, bottom, 0, 0, 1, oiio.UNKNOWN) is None:
            image.geterror()
            return False
        part += 1
    return True


def settings_text(**settings: object) -> str:
    """Settings that change the picture, in one canonical line."""
    return json.dumps(settings, sort_keys=True, separators=(",", ":"))


def fingerprint(path: Path) -> str:
    """Name, size and time of change of a file: cheap, and different after every new render of a plate."""
    status = path.stat()
    return f"{path.name} {status.st_size} {status.st_mtime_ns}"
