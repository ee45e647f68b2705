"""A model on disk: a folder with `manifest.json`, `weights.safetensors`, `model.onnx`, log and pictures.

Writing is all or nothing. New files are staged in `.staging-<pid>`, which is renamed to `.commit` in one
step: that rename is the moment from which the new model counts. Its files then replace the old ones, the
manifest last, and `.commit` goes away. A kill before the rename leaves the old model, a kill after it the
new one: whoever reads the folder takes a file from `.commit` where it lies there, and the next writer
finishes the move. The model that was in the folder is replaced, without a backup: versions are folders
(`models/sh010_v002`). Everything else in the folder, such as `checkpoint/`, is left alone.

The manifest lists hash and size of the two files that decide the result. Log and pictures are for people
and may be edited.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..errors import DamagedModelError, ForeignModelError, ModelError, NewerModelError, OutputError
from .manifest import MANIFEST_FILE, FileRecord, Manifest, parse_manifest, read_manifest

WEIGHTS_FILE = "weights.safetensors"
ONNX_FILE = "model.onnx"
LOG_FILE = "training.jsonl"
CONTACT_SHEET_FILE = "contact_sheet.png"
LOSS_PLOT_FILE = "loss.png"
CHECKPOINT_FOLDER = "checkpoint"

_LISTED_FILES = (WEIGHTS_FILE, ONNX_FILE)
_FOR_PEOPLE = (LOG_FILE, CONTACT_SHEET_FILE, LOSS_PLOT_FILE)
_COMMIT = ".commit"
_STAGING = ".staging-"
_PICKLE_SUFFIXES = {".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".bin", ".joblib", ".npy"}
_LARGEST_HEADER_BYTES = 16 * 1024**2
_LARGEST_FILE_BYTES = 8 * 1024**3
_SAFETENSORS_BITS = {
    "F64": 64, "F32": 32, "F16": 16, "BF16": 16, "I64": 64, "I32": 32, "I16": 16, "I8": 8,
    "U64": 64, "U32": 32, "U16": 16, "U8": 8, "BOOL": 8,
}  # fmt: skip
_READ_ATTEMPTS = 3


@dataclass(frozen=True)
class LoadedModel:
    """A checked model folder. The paths are valid until the next `save_model` into the folder."""

    folder: Path
    manifest: Manifest
    weights_path: Path
    onnx_path: Path

    @property
    def weights_sha256(self) -> str:
        return self.manifest.files[WEIGHTS_FILE].sha256


def save_model(folder: Path, manifest: Manifest, files: Mapping[str, bytes | Path]) -> LoadedModel:
    """Write a whole model into `folder`, replacing the one that is there, and return it as loaded.

    `files` maps file names of the layout to their bytes, or to a file to copy; `WEIGHTS_FILE` and
    `ONNX_FILE` must be among them. `manifest.files` is filled in here. The caller holds the folder's lock.
    Raises `OutputError` when the disk refuses; the old model is then still whole.
    """
    unknown = set(files) - {*_LISTED_FILES, *_FOR_PEOPLE}
    missing = set(_LISTED_FILES) - set(files)
    if unknown or missing:
        raise ValueError(f"not files of a model folder: {sorted(unknown)}; missing: {sorted(missing)}")
    staging = folder / f"{_STAGING}{os.getpid()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _finish_commit(folder)
        _remove_stagings(folder)
        staging.mkdir()
        records = {name: _stage(staging / name, content) for name, content in files.items()}
        listed = {name: records[name] for name in _LISTED_FILES}
        complete = manifest.model_copy(update={"files": listed})
        _write_durably(staging / MANIFEST_FILE, complete.to_json().encode("utf-8"))
        os.replace(staging, folder / _COMMIT)
    except OSError as error:
        shutil.rmtree(staging, ignore_errors=True)
        raise OutputError(
            f"Model folder {folder} cannot be written: {error.strerror}. Nothing in it was changed; "
            "free the disk or the permissions and run the same command again."
        ) from error
    # From here the new model counts. Windows refuses to replace a file that another program has open; it
    # then stays in `.commit`, where readers find it, until the next writer.
    with contextlib.suppress(OSError):
        _finish_commit(folder)
    return load_model(folder)


def load_model(folder: Path) -> LoadedModel:
    """Check a model folder and return it.

    Checked: schema, version and kind of the manifest; that the files it lists are there with the size and
    SHA-256 it names; that the weights are safetensors with a sane header. Pickles are refused: loading one
    runs whatever code it contains. Raises a `ModelError` of one line.
    """
    folder = Path(folder)
    _refuse_what_is_no_folder(folder)
    for attempt in range(_READ_ATTEMPTS):
        try:
            return _load_once(folder)
        except (ForeignModelError, NewerModelError):
            raise
        except ModelError:
            # A writer may be moving its files into place; they are then found on the next look.
            if attempt == _READ_ATTEMPTS - 1:
                raise
    raise AssertionError("unreachable")


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's content as 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _load_once(folder: Path) -> LoadedModel:
    manifest = read_manifest(_resolved(folder, MANIFEST_FILE))
    for name in _LISTED_FILES:
        if name not in manifest.files:
            raise DamagedModelError(f"Model {folder}: the manifest does not list {name}. Train again.")
    paths = {name: _checked_file(folder, name, record) for name, record in manifest.files.items()}
    _validate_safetensors(paths[WEIGHTS_FILE])
    return LoadedModel(folder, manifest, paths[WEIGHTS_FILE], paths[ONNX_FILE])


def _refuse_what_is_no_folder(folder: Path) -> None:
    if folder.suffix.lower() in _PICKLE_SUFFIXES and not folder.is_dir():
        raise ForeignModelError(
            f"{folder} is a pickle or another tool's checkpoint. Loading a pickle runs the code inside it, "
            "so Interpositive never does. Give the model folder that interpositive train wrote."
        )
    if folder.is_file():
        raise ForeignModelError(f"{folder} is a file, expected a model folder. Give the folder it lies in.")
    if not folder.exists():
        raise ForeignModelError(
            f"There is no model folder {folder}. Check the path, or run interpositive train first."
        )
    if not _resolved(folder, MANIFEST_FILE).is_file():
        pickles = sorted(path.name for path in folder.iterdir() if path.suffix.lower() in _PICKLE_SUFFIXES)
        if pickles:
            raise ForeignModelError(
                f"{folder} holds {pickles[0]} and no {MANIFEST_FILE}: another tool's checkpoint. Pickles are "
                "never loaded, because loading one runs the code inside it. "
                "Give a folder of interpositive train."
            )
        if (folder / CHECKPOINT_FOLDER).is_dir() or (folder / LOG_FILE).is_file():
            raise ForeignModelError(
                f"{folder} holds a training run that has not finished and no model yet. "
                "Run the same interpositive train command again; it continues."
            )
        raise ForeignModelError(f"{folder} has no {MANIFEST_FILE}: not a model folder of Interpositive.")


def _resolved(folder: Path, name: str) -> Path:
    """The file that counts: the one of an interrupted commit before the one it was about to replace."""
    pending = folder / _COMMIT / name
    return pending if pending.exists() else folder / name


def _checked_file(folder: Path, name: str, record: FileRecord) -> Path:
    path = _resolved(folder, name)
    advice = "Restore the folder from a copy or train again."
    try:
        if path.is_symlink() or not path.is_file():
            raise DamagedModelError(f"Model {folder}: {name} is missing or not a plain file. {advice}")
        size = path.stat().st_size
        if size != record.bytes or size > _LARGEST_FILE_BYTES:
            raise DamagedModelError(
                f"Model {folder}: {name} is {size} bytes, expected {record.bytes}. {advice}"
            )
        if file_sha256(path) != record.sha256:
            raise DamagedModelError(
                f"Model {folder}: {name} is not what was saved (SHA-256 differs). {advice}"
            )
    except OSError as error:
        raise DamagedModelError(f"Model {folder}: {name} cannot be read: {error.strerror}.") from error
    return path


def _validate_safetensors(path: Path) -> None:
    """Check the header alone: lengths, types, shapes and offsets must add up to the file exactly."""
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if not 2 <= length <= min(_LARGEST_HEADER_BYTES, size - 8):
                raise ValueError(f"header of {length} bytes in a file of {size}")
            header = json.loads(file.read(length))
        if not isinstance(header, dict):
            raise ValueError("header is not a table")
        header.pop("__metadata__", None)
        end = 0
        for entry in sorted(header.values(), key=lambda entry: entry["data_offsets"]):
            first, last = entry["data_offsets"]
            expected = math.prod(entry["shape"]) * _SAFETENSORS_BITS[entry["dtype"]] // 8
            if first != end or last - first != expected or min(entry["shape"], default=1) < 0:
                raise ValueError(f"tensor data at {first}..{last}, expected {expected} bytes at {end}")
            end = last
        if end != size - 8 - length:
            raise ValueError(f"{size - 8 - length} bytes of data, expected {end}")
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        reason = str(error).splitlines()[0][:120]
        raise DamagedModelError(
            f"{path} is not sound safetensors: {reason}. Restore it or train again."
        ) from error


def _stage(target: Path, content: bytes | Path) -> FileRecord:
    data = content.read_bytes() if isinstance(content, Path) else content
    _write_durably(target, data)
    return FileRecord(sha256=hashlib.sha256(data).hexdigest(), bytes=len(data))


def _write_durably(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _finish_commit(folder: Path) -> None:
    """Move the files of a commit into place, manifest last. Does nothing where there is none."""
    commit = folder / _COMMIT
    manifest_path = commit / MANIFEST_FILE
    if manifest_path.is_file():
        # Raises where `.commit` was not written here; nothing has been moved then.
        parse_manifest(manifest_path.read_bytes(), manifest_path)
        for path in sorted(commit.iterdir()):
            if path.name != MANIFEST_FILE:
                os.replace(path, folder / path.name)
        os.replace(manifest_path, folder / MANIFEST_FILE)
    if commit.is_dir():
        shutil.rmtree(commit)


def _remove_stagings(folder: Path) -> None:
    for path in folder.glob(f"{_STAGING}*"):
        shutil.rmtree(path, ignore_errors=True)
