"""A project of a few tiny shots for the tests of the continuity report, with everything that can be odd."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from interpositive.images.image import Image
from interpositive.images.writing import write_exr
from interpositive.project.clips import Clip, Measures
from interpositive.project.project_folder import ProjectFolder, create_project

ACESCG = (0.713, 0.293, 0.165, 0.830, 0.128, 0.044, 0.32168, 0.33767)
EVIL = '</script><script>document.title="taken"</script><img src=x onerror=document.title="taken">'
UNICODE = "Küche_東京_🎬"
BRIGHTER = 0.6  # stops, of the second shot
RIGHTS = """{"schema": "interpositive.rights", "version": 1, "owner": "Northlight <b>Pictures</b>",
 "licence": "own production", "default": {"training": true},
 "rules": [{"scene": "2", "training": false, "note": "second unit"}]}"""


def place(seed: int, width: int = 420, height: int = 260) -> NDArray[np.float32]:
    """A textured place, (height, width, 3) scene-linear, that crops of can be matched."""
    rng = np.random.default_rng(seed)
    picture = np.zeros((height, width, 3), np.float32)
    for size in (3, 9, 30, 90):
        noise = rng.random((height // size + 2, width // size + 2, 3)).astype(np.float32)
        picture += cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC) * (
            0.3 if size < 9 else 0.6
        )
    for _ in range(60):
        x, y = int(rng.integers(0, width)), int(rng.integers(0, height))
        colour = tuple(float(v) for v in rng.uniform(0.2, 2.4, 3))
        cv2.rectangle(
            picture, (x, y), (x + int(rng.integers(8, 40)), y + int(rng.integers(8, 40))), colour, -1
        )
    return np.asarray(0.12 * np.maximum(picture, 0.02), np.float32)


def make_project(folder: Path) -> ProjectFolder:
    """Scene 1: three shots, the second brighter, the third with an evil name. Scene 2: a shot alone, not for
    training. A clip without scene, one that was not measured, and one whose file is gone."""
    (folder / "rights_source.json").write_text(RIGHTS, encoding="utf-8")
    project = create_project(folder / "show", f"Title <i>& {UNICODE}</i>", folder / "rights_source.json")
    whole = place(1)
    views = [whole[10:190, 20:340], whole[20:200, 40:360], whole[30:210, 30:350]]
    views[1] = views[1] * np.float32(2.0**BRIGHTER)
    with project.catalogue() as catalogue:
        for number, (name, view) in enumerate(zip(("sh010", UNICODE, EVIL), views, strict=True), start=1):
            path = write_still(folder / "dailies" / f"a{number}.%04d.exr", view)
            clip = _clip(name, path, scene="1", take=str(number), timecode=f"01:0{number}:00:00")
            catalogue.put(clip, _measures(view))
        alone = write_still(folder / "dailies" / "alone.%04d.exr", place(2)[:180, :320])
        catalogue.put(_clip("alone", alone, scene="2", reel="=1+1"), _measures(place(2)))
        loose = _clip("loose", write_still(folder / "dailies" / "loose.%04d.exr", views[0]))
        catalogue.put(loose, _measures(views[0]))
        unmeasured = replace(loose, name="dark", path=str(folder / "dailies" / "dark.%04d.exr"))
        catalogue.put(replace(unmeasured, problems=("Frame 1001: damaged <b>file</b>.",)), None)
        gone = _clip("gone", str(folder / "dailies" / "gone.%04d.exr"))
        catalogue.put(gone, _measures(views[1]))
    return project


def write_still(pattern: Path, pixels: NDArray[np.float32]) -> str:
    """One frame, 1001, of a sequence; gives the pattern as the catalogue holds it."""
    metadata: dict[str, Any] = {"chromaticities": ACESCG}
    image = Image(np.ascontiguousarray(pixels), ("R", "G", "B"), metadata=metadata,
                  metadata_types={"chromaticities": "float[8]"})  # fmt: skip
    write_exr(str(pattern) % 1001, image, "half")
    return pattern.as_posix()


def _clip(name: str, path: str, **facts: Any) -> Clip:
    clip = Clip(name, path, "images", 1001, 1001, width=320, height=180, focal_mm=40.0, lens="Prime 40 mm")
    return replace(clip, colour_space="ACEScg", sources={"colour_space": "header"}, **facts)


def _measures(pixels: NDArray[np.float32]) -> Measures:
    level = float(np.log2(pixels.mean() / 0.18))
    return Measures((1001,), level, (1.0, 1.0, 1.0), 160.0, 4.0, look=np.full(128, 1.0, np.float32))
