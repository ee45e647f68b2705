"""A tiny project on disk that may be learned from, and what its tests run in processes of their own."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from interpositive.project import backbone
from interpositive.project.catalogue import Catalogue
from interpositive.project.clips import Clip
from interpositive.project.project_folder import ProjectFolder, create_project
from interpositive.tools import project_train
from interpositive.tools.project_train import Params, run
from tiny_shot import Recorder, texture, write_frames

ADA = {
    "name": "Ada", "consent": "C-1", "scope": ["training"], "granted": "2026-01-01", "clips": ["sh020"],
}  # fmt: skip
EVE: dict[str, Any] = {"name": "Eve", "clips": ["sh030"]}
FORBIDDEN = {"clip": "sh040", "training": False, "note": "library footage"}
RIGHTS: Mapping[str, Any] = {
    "schema": "interpositive.rights",
    "version": 1,
    "owner": "Northlight",
    "licence": "own production",
    "default": {"training": True},
    "rules": [FORBIDDEN],
    "persons": [ADA, EVE],
}
FRAMES = range(1001, 1004)
DAY = "2026-06-01"


def make_project(folder: Path, title: str = "Little Show", clips: int = 4) -> ProjectFolder:
    """A project with clips sh010 .. in its catalogue: sh030 lacks consent, sh040 is forbidden."""
    rights = folder.parent / "rights.json"
    rights.write_text(json.dumps(RIGHTS))
    project = create_project(folder, title, rights)
    with Catalogue.open(folder) as catalogue:
        for number in range(1, clips + 1):
            catalogue.put(a_clip(folder.parent / "dailies", f"sh{number:02d}0", number), None)
    return project


def a_clip(dailies: Path, name: str, seed: int) -> Clip:
    """Frames on disk, and what the catalogue would say of them."""
    pattern = write_frames(dailies / name, name, FRAMES, lambda frame: texture(10 * seed + frame))
    return Clip(
        name=name,
        path=pattern,
        kind="images",
        first_frame=FRAMES[0],
        last_frame=FRAMES[-1],
        reel="A001",
        scene="1",
        stamp="one",
    )


def train_and_say(project: str, steps: str) -> None:
    """Train with a checkpoint every step, and say each step on stdout, for a test that kills it."""
    backbone._CROP_PX = 64
    project_train.CHECKPOINT_EVERY_S = 0.0

    class Saying(Recorder):
        def show(self, update: Any) -> None:
            if update.stage == "training the backbone":
                sys.stdout.write(f"{update.done}\n")
                sys.stdout.flush()

    run(Params(project=project, steps=int(steps), device="cpu", date=DAY), Saying())


if __name__ == "__main__":
    train_and_say(*sys.argv[1:])
