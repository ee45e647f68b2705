"""The continuity report of a project: what was compared, as data, and as files.

    FOLDER/index.html         the page: opens without a server, needs nothing beside `pictures`
    FOLDER/continuity.json    the same, schema "interpositive.continuity"
    FOLDER/continuity.csv     one row a shot
    FOLDER/proposed.ccc       the proposed CDLs, one for each shot that has one
    FOLDER/pictures/          small, before, after, scopes

Scenes are worked through one by one, so that the pictures of one scene are in memory at a time.
"""

from __future__ import annotations

import csv
import datetime
import difflib
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import __version__
from ..errors import ModelError, OutputError, UsageError
from ..folder_lock import lock_folder
from ..grade.cdl import CDL
from ..grade.cdl_files import NamedCDL, write_cdls
from ..grade.grading_space import GradingSpace
from ..images.writing import remove_unfinished, whole_file
from ..progress import Progress
from .catalogue import Catalogue
from .clips import Event, Record, Triple
from .continuity import QUANTITIES, UNITS, Limits, Scene, SceneState, ShotState, compare_scene, scenes_of
from .project_folder import ProjectFolder
from .report_page import page
from .report_pictures import FOLDER, Eyes, remove_other_pictures, view_name, write_pictures
from .rights import Permission, Rights, folded

if TYPE_CHECKING:
    from ..prior.predictor import Prior

SCHEMA = "interpositive.continuity"
VERSION = 1
PAGE_FILE, JSON_FILE, CSV_FILE, CDL_FILE = "index.html", "continuity.json", "continuity.csv", "proposed.ccc"

_STAGE = "continuity"
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True)
class Request:
    """What is asked for. `heroes` are clip names or paths; `prior` None leaves the key light out."""

    out: Path
    limits: Limits = field(default_factory=Limits)
    heroes: Sequence[str] = ()
    prior: Prior | None = None
    day: datetime.date = field(default_factory=datetime.date.today)


@dataclass(frozen=True)
class Report:
    """The report as plain values (see docs/continuity.md), and where it was written."""

    data: dict[str, Any]
    out: Path

    @property
    def page(self) -> Path:
        return self.out / PAGE_FILE

    def out_of_line(self) -> list[dict[str, Any]]:
        """The shots that are out of line in something."""
        return [shot for shot in self.data["shots"] if shot["out"]]


def write_report(
    project: ProjectFolder, catalogue: Catalogue, request: Request, progress: Progress
) -> Report:
    """Compare every scene, draw every shot, write page, JSON and CSV.

    Raises ProjectError and its kinds, UsageError (a hero that is not there), ColourSpaceError,
    FolderBusyError, OutputError, Cancelled.
    """
    records = [_light(record) for record in catalogue.records()]
    heroes = _heroes(request.heroes, records)
    scenes = scenes_of(records)
    chosen = _hero_of_each(scenes, heroes)
    eyes = Eyes(GradingSpace.of(None, "ACEScg"), request.prior)
    with lock_folder(request.out, "project report"):
        remove_unfinished(request.out / FOLDER)
        remove_unfinished(request.out)
        events = _events_by_clip(catalogue.events())
        rights = project.rights()
        shots: list[dict[str, Any]] = []
        rows: list[dict[str, Any]] = []
        for index, scene in enumerate(scenes):
            state = _compared(scene, index, chosen, eyes, request, progress, (len(shots), len(records)))
            rows.append(_scene_row(state, index))
            for shot in state.shots:
                progress.report(_STAGE, len(shots), len(records), shot.record.clip.name)
                permission = rights.may_train(shot.record.clip, request.day)
                told = events.get(shot.record.clip_id, ())
                drawn = _draw(shot, eyes, request.out)
                shots.append(_shot_row(shot, index, permission, told, drawn, eyes.failures))
            eyes.forget()
        progress.report(_STAGE, len(records), len(records))
        data = _data(project, request, rows, shots, rights, eyes)
        _write(request.out, data)
    return Report(data, request.out)


def _light(record: Record) -> Record:
    """Without its look vector, of which a report needs none."""
    if record.measures is None:
        return record
    return replace(record, measures=replace(record.measures, look=None))


# ------------------------------------------------------------------------------------------- heroes


def _heroes(names: Sequence[str], records: Sequence[Record]) -> list[Record]:
    found = []
    for name in names:
        wanted = folded(name)
        matching = [
            record for record in records if wanted in (folded(record.clip.name), folded(record.clip.path))
        ]
        if not matching:
            near = difflib.get_close_matches(name, [record.clip.name for record in records], 3, 0.5)
            hint = f" Near to it: {', '.join(near)}." if near else ""
            raise UsageError(
                f"No clip of the project is called '{name}'.{hint} See interpositive project search."
            )
        if len(matching) > 1:
            paths = ", ".join(record.clip.path for record in matching[:4])
            raise UsageError(f"{len(matching)} clips are called '{name}': {paths}. Give --hero the path.")
        found.append(matching[0])
    return found


def _hero_of_each(scenes: Sequence[Scene], heroes: Sequence[Record]) -> dict[int, Record]:
    chosen: dict[int, Record] = {}
    wanted = {record.clip_id: record for record in heroes}
    for index, scene in enumerate(scenes):
        own = [record for record in scene.records if record.clip_id in wanted]
        if len(own) > 1:
            names = ", ".join(record.clip.name for record in own)
            raise UsageError(f"{names} are heroes of one {scene.grouped_by}, {scene.name}. Name one of them.")
        if own:
            chosen[index] = own[0]
    return chosen


def _compared(
    scene: Scene,
    index: int,
    chosen: Mapping[int, Record],
    eyes: Eyes,
    request: Request,
    progress: Progress,
    counts: tuple[int, int],
) -> SceneState:
    keys: dict[int, Triple] = {}
    for record in scene.records:
        progress.report(_STAGE, *counts, f"{scene.grouped_by} {scene.name}: {record.clip.name}")
        if record.measures is not None and (key := eyes.key_direction(record)) is not None:
            keys[record.clip_id] = key

    def compare(hero: Record, shot: Record) -> Any:
        progress.report(_STAGE, *counts, f"{shot.clip.name} against {hero.clip.name}")
        return eyes.compare(hero, shot)

    return compare_scene(scene, request.limits, compare, chosen.get(index), keys)


def _draw(shot: ShotState, eyes: Eyes, out: Path) -> dict[str, str]:
    picture = eyes.picture(shot.record) if shot.record.measures is not None else None
    if picture is None:
        return {}
    return write_pictures(out, shot.record.clip_id, picture, shot.proposal, eyes.space)


def _events_by_clip(events: Iterable[Event]) -> dict[int, list[Event]]:
    found: dict[int, list[Event]] = {}
    for event in events:
        if event.clip_id is not None:
            found.setdefault(event.clip_id, []).append(event)
    return found


# ------------------------------------------------------------------------------------------- plain values


def _data(
    project: ProjectFolder,
    request: Request,
    scenes: list[dict[str, Any]],
    shots: list[dict[str, Any]],
    rights: Rights,
    eyes: Eyes,
) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "version": VERSION,
        "made_by": f"Interpositive {__version__}",
        "created": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "project": {"title": project.title, "id": project.project_id, "folder": str(project.folder)},
        "view": view_name(),
        "cdl_space": eyes.space.described,
        "limits": asdict(request.limits),
        "units": dict(UNITS),
        "key_light": "estimated" if request.prior is not None else "not looked for",
        "rights": _rights_row(rights, request.day, shots),
        "model": _model_row(project),
        "scenes": scenes,
        "shots": shots,
    }


def _scene_row(state: SceneState, index: int) -> dict[str, Any]:
    return {
        "index": index,
        "name": state.scene.name,
        "grouped_by": state.scene.grouped_by,
        "hero": state.hero_id,
        "hero_is_named": state.hero_is_named,
        "note": state.note,
        "shots": len(state.shots),
        "out": sum(bool(shot.out) for shot in state.shots),
    }


def _shot_row(
    shot: ShotState,
    scene: int,
    permission: Permission,
    events: Sequence[Event],
    pictures: dict[str, str],
    failures: Mapping[int, str],
) -> dict[str, Any]:
    clip, proposal, found = shot.record.clip, shot.proposal, shot.comparison
    plain = (
        "name", "path", "reel", "take", "camera", "lens", "focal_mm", "iso", "white_balance_k", "timecode",
        "first_frame", "last_frame", "fps", "width", "height", "colour_space", "mhl",
    )  # fmt: skip
    failure = failures.get(shot.record.clip_id)
    return {
        "id": shot.record.clip_id,
        "scene": scene,
        **{name: getattr(clip, name) for name in plain},
        "measures": _measures_row(shot.record),
        "hero": shot.is_hero,
        "differences": {
            item.quantity: {
                "amount": item.amount, "limit": item.limit, "unit": UNITS[item.quantity], "basis": item.basis,
                "out": item.is_out, "note": item.note,
            }
            for item in shot.differences
        },
        "out": list(shot.out),
        "match": None if found is None else {"confidence": found.confidence, "basis": found.basis},
        "cdl": None if proposal is None else asdict(proposal),
        "why_no_cdl": shot.why_not,
        "key_direction": shot.key_direction,
        "pictures": pictures,
        "problems": [*shot.record.problems, *([] if failure is None else [f"Not compared: {failure}"])],
        "training": {"allowed": permission.allowed, "reason": permission.reason,
                     "consents": list(permission.consent_ids)},
        "events": [{"timeline": Path(event.timeline).name, "shot": event.shot, "record_in": event.record_in}
                   for event in events],
    }  # fmt: skip


def _measures_row(record: Record) -> dict[str, Any] | None:
    measures = record.measures
    if measures is None:
        return None
    return {
        "frame": measures.frames[len(measures.frames) // 2] if measures.frames else None,
        "exposure_stops": measures.exposure_stops,
        "mireds": measures.mireds,
        "contrast_stops": measures.contrast_stops,
    }


def _rights_row(rights: Rights, day: datetime.date, shots: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    reasons: dict[str, int] = {}
    for shot in shots:
        if not shot["training"]["allowed"]:
            reason = shot["training"]["reason"]
            reasons[reason] = reasons.get(reason, 0) + 1
    return {
        "owner": rights.owner,
        "licence": rights.licence,
        "date": day.isoformat(),
        "allowed": sum(shot["training"]["allowed"] for shot in shots),
        "refused": [
            {"reason": reason, "clips": count}
            for reason, count in sorted(reasons.items(), key=lambda item: -item[1])
        ],
    }


def _model_row(project: ProjectFolder) -> dict[str, Any] | None:
    """What the project model says it was trained on; None where there is none. A broken one is told."""
    if not project.model.is_dir() or not any(project.model.glob("*.json")):
        return None
    from .model import load_project_model

    try:
        model = load_project_model(project)
    except ModelError as error:
        return {"trained_on": [], "left_out": [], "consents": [], "lines": [f"It cannot be used: {error}"]}
    if model is None:
        return None
    manifest = model.manifest
    frames = sum(len(clip.frames) for clip in manifest.footage)
    consents = list(manifest.consent_ids)
    lines = [
        f"Trained {manifest.created_utc[:10]} on {frames} frames of {len(manifest.footage)} clips: "
        f"{', '.join(clip.clip for clip in manifest.footage)}.",
        f"Left out: {len(manifest.left_out)} clips. Rights judged on {manifest.rights_judged_on}, owner "
        f"{manifest.owner or 'not named'}.",
        f"Consents relied on: {', '.join(consents) or 'none needed'}.",
        f"It began from {', then '.join(ancestor.name for ancestor in manifest.lineage)}.",
    ]
    return {
        "created": manifest.created_utc,
        "trained_on": [
            {"clip": clip.clip, "scene": clip.scene, "frames": sorted(clip.frames)}
            for clip in manifest.footage
        ],
        "left_out": [{"clip": clip.clip, "reason": clip.reason} for clip in manifest.left_out],
        "consents": consents,
        "lines": lines,
    }


# ------------------------------------------------------------------------------------------- files


def _write(out: Path, data: dict[str, Any]) -> None:
    """The pictures are there; CSV, JSON and, last, the page."""
    kept = {name for shot in data["shots"] for name in shot["pictures"].values()}
    text = json.dumps(data, ensure_ascii=False, allow_nan=False)
    try:
        remove_other_pictures(out, kept)
    except OSError as error:
        raise OutputError(f"Old pictures in {out} cannot be removed: {error.strerror}.") from None
    _write_text(out / CSV_FILE, "\ufeff" + as_csv(data))  # the mark tells spreadsheets that it is UTF-8
    _write_text(out / JSON_FILE, json.dumps(data, ensure_ascii=False, allow_nan=False, indent=1) + "\n")
    _write_cdls(out / CDL_FILE, data)
    _write_text(out / PAGE_FILE, page(text, f"{data['project']['title']} - continuity"))


def _write_cdls(path: Path, data: dict[str, Any]) -> None:
    """Every proposal by its shot's name; one that two clips have is told apart by the reel or the number."""
    found: list[NamedCDL] = []
    for shot in data["shots"]:
        if shot["cdl"] is None:
            continue
        taken = {grade.name for grade in found}
        names = (shot["name"], f"{shot['name']} {shot['reel']}", f"{shot['name']} {shot['id']}")
        name = next(name for name in names if name not in taken)
        slope, offset, power = (tuple(shot["cdl"][part]) for part in ("slope", "offset", "power"))
        cdl = CDL(slope, offset, power, shot["cdl"]["saturation"])
        found.append(NamedCDL(name, cdl, data["cdl_space"]))
    if found:
        write_cdls(path, found)
    else:
        path.unlink(missing_ok=True)


def _write_text(path: Path, text: str) -> None:
    with whole_file(path) as unfinished:
        unfinished.write_text(text, encoding="utf-8", errors="backslashreplace", newline="")


def as_csv(data: Mapping[str, Any]) -> str:
    """One row a shot; texts that a spreadsheet would take for a formula begin with an apostrophe."""
    numbers = [f"{quantity.replace(' ', '_')}_{UNITS[quantity]}" for quantity in QUANTITIES]
    cdl = [f"{part}_{c}" for part in ("slope", "offset", "power") for c in "rgb"] + ["saturation"]
    head = ["scene", "shot", "reel", "take", "timecode", "path", "hero", "out_of_line", *numbers,
            "basis", "confidence", *cdl, "may_train", "why_not", "problems"]  # fmt: skip
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\r\n")
    writer.writerow(head)
    for shot in data["shots"]:
        writer.writerow(_csv_row(shot, data["scenes"][shot["scene"]]["name"]))
    return stream.getvalue()


def _csv_row(shot: Mapping[str, Any], scene: str) -> list[Any]:
    texts = [scene, shot["name"], shot["reel"], shot["take"], shot["timecode"], shot["path"]]
    amounts = [
        round(shot["differences"][quantity]["amount"], 4) if quantity in shot["differences"] else ""
        for quantity in QUANTITIES
    ]
    cdl, match, training = shot["cdl"], shot["match"], shot["training"]
    grade = [""] * 10 if cdl is None else [*cdl["slope"], *cdl["offset"], *cdl["power"], cdl["saturation"]]
    return [
        *(_cell(text) for text in texts), "yes" if shot["hero"] else "", "; ".join(shot["out"]), *amounts,
        match["basis"] if match else "", round(match["confidence"], 3) if match else "", *grade,
        "yes" if training["allowed"] else "no", "" if training["allowed"] else _cell(training["reason"]),
        _cell(" | ".join(shot["problems"])),
    ]  # fmt: skip


def _cell(text: str | None) -> str:
    return f"'{text}" if text and text.startswith(_FORMULA_STARTS) else text or ""
