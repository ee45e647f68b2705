"""The whole way on a shot of our own: render it, train on three keyframes, apply, measure.

Every stage is skipped when its outputs are whole and its inputs unchanged, so a run that was stopped goes on
where it was, and a finished one only measures again.
"""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from .. import __version__
from ..progress import Progress

if TYPE_CHECKING:
    from ..soundstage.footage import Footage

KEYFRAME_COUNT = 3
_STATE_FILE = "demo.json"
_SHEET_ROWS = 4


class Params(BaseModel):
    """Where the demo goes and how long it may train."""

    model_config = ConfigDict(extra="forbid")

    folder: str = Field(
        default="interpositive_demo",
        title="Folder",
        description="Where the shot, the model and the results go.",
        json_schema_extra={"positional": True},
    )
    time_budget: float = Field(
        default=180.0,
        gt=0,
        title="Training time",
        description="Seconds that training may take.",
        json_schema_extra={"unit": "SECONDS"},
    )
    steps: int | None = Field(
        default=None,
        ge=1,
        title="Steps",
        description="Training steps, instead of seconds; repeats exactly.",
        json_schema_extra={"advanced": True},
    )
    device: Literal["auto", "cuda", "mps", "cpu"] = Field(
        default="auto", title="Device", description="Where the model trains and runs; auto is the fastest."
    )
    seed: int = Field(
        default=7,
        ge=0,
        title="Seed",
        description="Of grain and training.",
        json_schema_extra={"advanced": True},
    )
    width: int = Field(
        default=576, ge=64, le=2048, title="Width", description="Of the sample shot; its height is 9/16.",
        json_schema_extra={"advanced": True, "unit": "PX"},
    )  # fmt: skip
    frame_count: int = Field(
        default=24, ge=4, le=240, title="Frames", description="Length of the sample shot.",
        json_schema_extra={"advanced": True, "unit": "FRAMES"},
    )  # fmt: skip


class Result(BaseModel):
    """What was measured, where everything is, and what to type next."""

    folder: str
    plate: str
    keyframes: list[int]
    model: str
    result: str
    contact_sheet: str
    scored_frames: int
    psnr_untouched: float
    psnr_result: float
    flicker_ratio: float
    identical_percent: float
    next_commands: list[str]

    def lines(self) -> list[str]:
        """What a person reads at the end."""
        return [
            "",
            f"Learned from frames {', '.join(map(str, self.keyframes))}; measured on the other "
            f"{self.scored_frames} against the exact relight:",
            f"  plate as it was   {self.psnr_untouched:5.1f} dB",
            f"  result            {self.psnr_result:5.1f} dB",
            f"  flicker           {self.flicker_ratio:5.2f} x that of the exact relight",
            f"  plate kept      {self.identical_percent:5.1f} % of the pixels that the relight leaves alone "
            "are equal to the bit",
            "",
            f"Look at   {self.contact_sheet}",
            f"Results   {self.result}",
            f"Plate     {self.plate}",
            f"Model     {self.model}",
            "",
            "Now your own shot: put the frames that you have changed into a folder of their own, then",
            *(f"  {command}" for command in self.next_commands),
        ]


def run(params: Params, progress: Progress) -> Result:
    """Render, train, apply, measure. Raises what those raise; finished stages stay."""
    from ..errors import OutputError
    from ..folder_lock import lock_folder
    from ..soundstage.footage import render_footage
    from ..soundstage.sample_shot import SampleSettings

    folder = Path(params.folder).expanduser()
    settings = SampleSettings(params.width, params.width * 9 // 16, params.frame_count, params.seed)
    with lock_folder(folder, "demo"):
        try:
            progress.log(f"1 of 4: the sample shot, {settings.frame_count} frames, in {folder}")
            footage = render_footage(folder / "shot", settings, progress)
            keyframes = _copy_keyframes(footage)
            progress.log(f"2 of 4: training on frames {', '.join(map(str, keyframes))}")
            model = _train(params, footage, keyframes, progress)
            progress.log("3 of 4: applying the model to every frame")
            result = _apply(params, footage, model, progress)
            progress.log("4 of 4: measuring against the exact relight")
            return _measure(folder, footage, keyframes, model, result, progress)
        except OSError as error:
            raise OutputError(
                f"Cannot write the demo in {folder}: {error.strerror}. Free space there, or name another "
                "folder: interpositive demo FOLDER."
            ) from error


def _copy_keyframes(footage: Footage) -> list[int]:
    """The artist's frames, in a folder of their own as a person would hand them over."""
    frames = list(footage.settings.frames)
    last = len(frames) - 1
    chosen = [frames[round(last * k / (KEYFRAME_COUNT - 1))] for k in range(KEYFRAME_COUNT)]
    folder = _keyframe_path(footage, 0).parent
    folder.mkdir(parents=True, exist_ok=True)
    wanted = {_keyframe_path(footage, frame): footage.path("target", frame) for frame in chosen}
    for stale in set(folder.iterdir()) - set(wanted):
        stale.unlink()
    for path, source in wanted.items():
        if not path.is_file() or path.read_bytes() != source.read_bytes():
            unfinished = path.with_suffix(".tmp")
            shutil.copyfile(source, unfinished)
            os.replace(unfinished, path)
    return chosen


def _keyframe_path(footage: Footage, frame: int) -> Path:
    return footage.folder.parent / "keyframes" / f"robot_comp.{frame:04d}.exr"


def _keyframe_pattern(footage: Footage) -> str:
    return str(_keyframe_path(footage, 0).parent / "robot_comp.%04d.exr")


def _train(params: Params, footage: Footage, keyframes: list[int], progress: Progress) -> Path:
    """The model's folder; training is left out when it stands and was trained on just this."""
    from ..errors import ModelError
    from ..models.model_folder import load_model
    from . import train

    model = footage.folder.parent / "model"
    state = footage.folder.parent / _STATE_FILE
    inputs = _fingerprint(params, footage, keyframes)
    trained = _read_state(state)
    if trained.get("trained_on") == inputs:
        try:
            load_model(model)
        except ModelError as damage:
            progress.log(f"The model has to be trained again: {damage}", "warning")
        else:
            progress.log("The model is there already.")
            return model
    if trained.get("training_on") != inputs and model.exists():
        shutil.rmtree(model)  # of other inputs, or of another version
    _write_state(state, {"training_on": inputs})
    train.run(
        train.Params(
            plate=footage.pattern("plate"), keyframes=_keyframe_pattern(footage), out=str(model),
            time_budget=None if params.steps else params.time_budget, steps=params.steps,
            seed=params.seed, device=params.device,
        ),
        progress,
    )  # fmt: skip
    _write_state(state, {"training_on": inputs, "trained_on": inputs})
    return model


def _apply(params: Params, footage: Footage, model: Path, progress: Progress) -> str:
    """The result's pattern. Frames that this model has rendered already are kept by the tool itself."""
    from . import apply

    out = str(footage.folder.parent / "result" / "robot_result.%04d.exr")
    apply.run(
        apply.Params(model=str(model), plate=footage.pattern("plate"), out=out, device=params.device),
        progress,
    )
    return out


def _measure(
    folder: Path, footage: Footage, keyframes: list[int], model: Path, result: str, progress: Progress
) -> Result:
    import numpy as np

    from ..bench.metrics import flicker_ratio, identical_share, psnr_8bit
    from ..bench.pictures import display_picture, stored_rgb

    frames = list(footage.settings.frames)
    pictures: dict[str, list[Any]] = {"plate": [], "target": [], "result": []}
    identical = []
    for done, frame in enumerate(frames):
        paths = {name: footage.path(name, frame) for name in ("plate", "target")}
        paths["result"] = Path(result % frame)
        for name, path in paths.items():
            pictures[name].append(display_picture(path))
        identical.append(
            identical_share(*(stored_rgb(paths[name]) for name in ("result", "plate", "target")))
        )
        progress.report("measuring", done + 1, len(frames))
    scored = [k for k, frame in enumerate(frames) if frame not in keyframes]
    psnr = {
        name: float(np.mean([psnr_8bit(pictures[name][k], pictures["target"][k]) for k in scored]))
        for name in ("plate", "result")
    }
    flicker = flicker_ratio(pictures["result"], pictures["target"], pictures["plate"])
    return Result(
        folder=str(folder),
        plate=footage.pattern("plate"),
        keyframes=keyframes,
        model=str(model),
        result=result,
        contact_sheet=str(_contact_sheet(folder, footage, keyframes, result)),
        scored_frames=len(scored),
        psnr_untouched=psnr["plate"],
        psnr_result=psnr["result"],
        flicker_ratio=flicker,
        identical_percent=100 * float(np.mean([identical[k] for k in scored])),
        next_commands=_next_commands(),
    )


def _contact_sheet(folder: Path, footage: Footage, keyframes: list[int], result: str) -> Path:
    """Frames that were not learned from: plate, exact target, result, difference."""
    from ..images.colour import display_view, plate_colour
    from ..images.contact_sheet import contact_sheet, difference
    from ..images.reading import read_image_file

    others = [frame for frame in footage.settings.frames if frame not in keyframes]
    count = min(_SHEET_ROWS, len(others))
    shown = [others[len(others) * (2 * k + 1) // (2 * count)] for k in range(count)]
    rows = []
    for frame in shown:
        views = []
        for path in (footage.path("plate", frame), footage.path("target", frame), Path(result % frame)):
            image_file = read_image_file(path)
            views.append(display_view(image_file.select(["R", "G", "B"]), plate_colour(image_file)))
        rows.append((str(frame), [*views, difference(views[2], views[1])]))
    path = folder / "contact_sheet.png"
    contact_sheet(
        path, rows, ("plate", "exact target", "result", "difference x 4"),
        f"Frames that the model has not seen; it learned from {', '.join(map(str, keyframes))}.",
    )  # fmt: skip
    return path


def _next_commands() -> list[str]:
    """Command lines for a shot of one's own, quoted for this system's shell."""
    program = _program()
    train = [program, "train", "--plate", "sh010_pl01.%04d.exr", "--keyframes", "sh010_comp.%04d.exr"]
    train += ["--out", "models/sh010"]
    apply = [program, "apply", "models/sh010", "--plate", "sh010_pl01.%04d.exr"]
    apply += ["--out", "out/sh010.%04d.exr"]
    join = subprocess.list2cmdline if os.name == "nt" else shlex.join
    return [join(train), join(apply)]


def _program() -> str:
    """How `interpositive` is typed here: its name where the shell finds this one, else its path."""
    installed = shutil.which("interpositive", path=str(Path(sys.executable).parent))
    if installed is None or installed == shutil.which("interpositive"):
        return "interpositive"
    path = Path(installed)
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def _fingerprint(params: Params, footage: Footage, keyframes: list[int]) -> str:
    """What the training depends on: version, options, and the content of the keyframes and their plates."""
    settings = (__version__, params.time_budget, params.steps, params.seed, params.device)
    digest = hashlib.sha256(repr(settings).encode())
    for frame in keyframes:
        digest.update(footage.path("plate", frame).read_bytes())
        digest.update(_keyframe_path(footage, frame).read_bytes())
    return digest.hexdigest()


def _read_state(path: Path) -> dict[str, Any]:
    try:
        state = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return state if isinstance(state, dict) else {}


def _write_state(path: Path, state: dict[str, str]) -> None:
    unfinished = path.with_suffix(".tmp")
    unfinished.write_text(json.dumps(state, indent=2) + "\n", encoding="utf-8")
    os.replace(unfinished, path)
