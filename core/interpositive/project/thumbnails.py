"""Small display pictures of clips: JPEG, for people."""

from __future__ import annotations

import hashlib
from pathlib import Path

import cv2
import numpy as np

from ..errors import OutputError
from ..images.image import Pixels
from ..images.writing import whole_file

FOLDER = "thumbnails"
_QUALITY = 88


def thumbnail_path(clip_path: str, frame: int) -> str:
    """Where the thumbnail of a frame lies, relative to the project folder; the same in every run."""
    name = hashlib.blake2b(clip_path.encode(), digest_size=10).hexdigest()
    return f"{FOLDER}/{name[:2]}/{name}_{frame}.jpg"


def write_thumbnail(project_folder: Path, relative: str, shown: Pixels) -> None:
    """Write a picture (h, w, 3), displayed values 0..1. Raises OutputError."""
    picture = np.rint(shown[..., ::-1] * 255).astype(np.uint8)  # a picture that people look at
    done, encoded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    path = project_folder / relative
    if not done:
        raise OutputError(f"Cannot make the thumbnail {path} of {picture.shape} pixels.")
    with whole_file(path) as unfinished:
        unfinished.write_bytes(encoded.tobytes())
