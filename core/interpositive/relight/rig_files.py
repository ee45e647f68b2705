"""Where a rig of lights comes from: a lights file, a preset, the light of another shot; and its pictures."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from ..errors import ChannelError, UsageError
from ..images.reading import content_sha256, read_image_file
from ..images.writing import whole_file
from .environment import BadSamples, Environment, harmonic_environment, repaired
from .lighting_file import SCHEMA as LIGHTING_SCHEMA
from .lighting_file import VERSION as LIGHTING_VERSION
from .lighting_file import read_lighting, read_schema
from .lights import SCHEMA, VERSION, LightRig, matched_rig_data, rig_from
from .placement import environment_files

PRESETS = Path(__file__).resolve().parents[3] / "gizmos" / "presets"
_ORIGIN = "see docs/relight.md for how lights are written"


@dataclass(frozen=True, eq=False)
class RigSource:
    """A rig, the decoded file that it is from, and where files that it names are found."""

    rig: LightRig
    data: Mapping[str, Any]
    folder: Path

    @property
    def sha256(self) -> str:
        """Of what the file says and of the pictures that it names."""
        text = json.dumps(self.data, sort_keys=True)
        pictures = [content_sha256(path) for path in environment_files(self.rig).values()]
        return hashlib.sha256("\n".join([text, *pictures]).encode()).hexdigest()

    def save(self, path: str | Path) -> None:
        """Write it as a lights file. Raises `OutputError`."""
        with whole_file(path) as unfinished:
            unfinished.write_text(json.dumps(self.data, indent=2) + "\n", encoding="utf-8")


def open_rig(text: str) -> RigSource:
    """A lights file, or a preset by its name. Raises `UsageError`."""
    path = Path(text).expanduser()
    if not path.exists() and path.name == text and not path.suffix:
        name = text.replace("-", "_").replace(" ", "_").lower()
        path = PRESETS / f"{name}.json"
        if not path.exists():
            known = ", ".join(sorted(preset.stem for preset in PRESETS.glob("*.json")))
            raise UsageError(
                f"There is no file and no preset {text}. The presets are {known or 'not installed'}."
            )
    data = read_schema(path, SCHEMA, VERSION, _ORIGIN)
    return RigSource(rig_from(data, path.name, path.parent), data, path.parent)


def match_rig(text: str) -> RigSource:
    """The light of another shot, from its lighting file, in place of the shot's own. Raises `UsageError`."""
    path = Path(text).expanduser()
    lighting = read_lighting(path)
    data = read_schema(path, LIGHTING_SCHEMA, LIGHTING_VERSION, _ORIGIN)
    matched = matched_rig_data(data["light"], lighting.name or path.name.partition(".")[0])
    return RigSource(rig_from(matched, path.name, path.parent), matched, path.parent)


def open_environments(rig: LightRig) -> tuple[dict[str, Environment], dict[str, BadSamples]]:
    """The rig's environments by name of the light, and what was repaired in their pictures.

    Raises `UsageError` for a picture that is not lat-long, `ChannelError`, `MissingFramesError`,
    `DamagedFrameError`.
    """
    found, repairs = {}, {}
    for light in rig.lights:
        if light.harmonics is not None:
            found[light.name] = harmonic_environment(light.harmonics)
        elif light.file is not None:
            found[light.name], repairs[light.name] = _read_environment(light.file, light.sun)
    return found, {name: bad for name, bad in repairs.items() if bad.count}


def _read_environment(path: Path, split_sun: bool) -> tuple[Environment, BadSamples]:
    image = read_image_file(path)
    known = {name for channels in image.layers().values() for name in channels}
    if not {"R", "G", "B"} <= known:
        raise ChannelError(f"{path} has no channels R, G, B, but {', '.join(sorted(known)[:12])}.")
    if image.file_format not in ("openexr", "hdr"):
        raise UsageError(
            f"{path} is {image.file_format}, which is not scene-linear. Save the environment as .exr or .hdr."
        )
    width, height = image.main.width, image.main.height
    if not 1.9 <= width / height <= 2.1:
        raise UsageError(
            f"{path} is {width}x{height}; a lat-long environment is twice as wide as high. Convert a cube "
            "map or "
            "a ball to lat-long first."
        )
    radiance, bad = repaired(torch.from_numpy(image.select(("R", "G", "B")).copy()))
    return Environment.of(radiance, split_sun), bad
