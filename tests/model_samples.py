"""A manifest and weights as training would write them, for tests of what reads model folders."""

from __future__ import annotations

import json
from typing import Any

from interpositive.models.manifest import Manifest

SHA = "0123456789abcdef" * 4


def manifest_fields(**changes: Any) -> dict[str, Any]:
    """Fields of a whole manifest of a shot model with RGB in and out."""
    fields: dict[str, Any] = {
        "schema": "interpositive.model",
        "version": 1,
        "kind": "shot",
        "name": "sh010",
        "created_utc": "2026-05-04T10:00:00Z",
        "created_by": "artist",
        "software": {"interpositive": "0.1.0"},
        "device": "cpu",
        "seed": 1,
        "lineage": [],
        "colour": {
            "input_space": "scene-linear as in the file",
            "working_space": "scene-linear as in the file",
            "is_scene_linear": True,
            "source": "file format",
        },
        "inputs": [{"name": "beauty", "channels": ["R", "G", "B"], "kind": "rgb"}],
        "outputs": [{"name": "beauty", "channels": ["R", "G", "B"], "kind": "rgb"}],
        "network": {"width": 16},
        "tiling": {"stride": 4, "receptive_px": 16, "bytes_per_pixel": 400.0},
        "display_size": [64, 48],
        "training": {
            "frames": [
                {
                    "frame": 1001,
                    "plate_file": "sh010_pl01.1001.exr",
                    "plate_sha256": SHA,
                    "keyframe_file": "sh010_comp.1001.exr",
                    "keyframe_sha256": SHA,
                }
            ],
            "holdout": [],
            "quality": "draft",
            "steps": 10,
            "cpu_seconds": 1.5,
            "wall_seconds": 1.0,
        },
        "measured": {"psnr_db": 35.0},
        "files": {},
    }
    return {**fields, **changes}


def sample_manifest(**changes: Any) -> Manifest:
    return Manifest.model_validate(manifest_fields(**changes))


def safetensors_bytes(values: int = 4, **header_changes: Any) -> bytes:
    """A file with one float32 tensor `weight` of zeros."""
    header = {
        "weight": {"dtype": "F32", "shape": [values], "data_offsets": [0, 4 * values], **header_changes}
    }
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + bytes(4 * values)
