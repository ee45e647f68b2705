from __future__ import annotations

import itertools
import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from interpositive.errors import (
    DamagedModelError,
    ForeignModelError,
    ModelError,
    NewerModelError,
    OutputError,
)
from interpositive.models import model_folder
from interpositive.models.model_folder import (
    CONTACT_SHEET_FILE,
    LOG_FILE,
    ONNX_FILE,
    WEIGHTS_FILE,
    LoadedModel,
    load_model,
    save_model,
)
from model_samples import manifest_fields, safetensors_bytes, sample_manifest


def save(folder: Path, name: str = "old", onnx: bytes = b"onnx of old") -> LoadedModel:
    values = len(name)
    return save_model(
        folder,
        sample_manifest(name=name),
        {WEIGHTS_FILE: safetensors_bytes(values), ONNX_FILE: onnx, LOG_FILE: b"{}\n"},
    )


def refused(kind: type[ModelError], folder: Path) -> str:
    with pytest.raises(kind) as raised:
        load_model(folder)
    assert "\n" not in str(raised.value) and str(folder) in str(raised.value)
    return str(raised.value)


def test_a_model_comes_back_as_it_was_saved(tmp_path: Path) -> None:
    saved = save(tmp_path / "models" / "sh010")
    loaded = load_model(tmp_path / "models" / "sh010")
    assert loaded == saved
    assert loaded.manifest.name == "old"
    assert loaded.weights_path.read_bytes() == safetensors_bytes(3)
    assert set(loaded.manifest.files) == {WEIGHTS_FILE, ONNX_FILE}
    assert sorted(path.name for path in loaded.folder.iterdir()) == [
        "manifest.json", "model.onnx", "training.jsonl", "weights.safetensors",
    ]  # fmt: skip


def test_a_file_can_be_given_by_its_path(tmp_path: Path) -> None:
    sheet = tmp_path / "sheet.png"
    sheet.write_bytes(b"png")
    files = {WEIGHTS_FILE: safetensors_bytes(), ONNX_FILE: b"", CONTACT_SHEET_FILE: sheet}
    save_model(tmp_path / "model", sample_manifest(), files)
    assert (tmp_path / "model" / CONTACT_SHEET_FILE).read_bytes() == b"png"


def test_saving_again_replaces_the_model_and_leaves_the_checkpoint(tmp_path: Path) -> None:
    save(tmp_path)
    (tmp_path / "checkpoint").mkdir()
    (tmp_path / "checkpoint" / "state").write_bytes(b"resume")
    save(tmp_path, "newer", b"onnx of new")
    assert load_model(tmp_path).manifest.name == "newer"
    assert load_model(tmp_path).onnx_path.read_bytes() == b"onnx of new"
    assert (tmp_path / "checkpoint" / "state").read_bytes() == b"resume"


class Killed(BaseException):
    """Ends the save as a kill would: nothing there catches it, so nothing is cleaned up."""


def save_killed_at(step: int, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Save "newer" and die at the step-th call that touches the disk."""
    calls = 0

    def dying(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **keywords: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls == step:
                raise Killed
            return function(*arguments, **keywords)

        return call

    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", dying(os.replace))
        patched.setattr(os, "fsync", dying(os.fsync))
        patched.setattr(Path, "mkdir", dying(Path.mkdir))
        patched.setattr(shutil, "rmtree", dying(shutil.rmtree))
        save(folder, "newer", b"onnx of new")


def test_a_kill_at_any_moment_leaves_the_old_or_the_new_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = []
    for step in itertools.count(1):
        folder = tmp_path / str(step)
        save(folder)
        try:
            save_killed_at(step, folder, monkeypatch)
            break  # the save took fewer steps
        except Killed:
            pass
        loaded = load_model(folder)
        names.append(loaded.manifest.name)
        is_old = names[-1] == "old"
        assert loaded.onnx_path.read_bytes() == (b"onnx of old" if is_old else b"onnx of new")
        assert loaded.weights_path.read_bytes() == safetensors_bytes(3 if is_old else 5)
    assert names == sorted(names, reverse=True) and set(names) == {"old", "newer"}
    assert len(names) >= 10

    # The next writer finishes or discards what the killed one left.
    for step in range(1, len(names) + 1):
        save(tmp_path / str(step), "third", b"onnx")
        assert load_model(tmp_path / str(step)).manifest.name == "third"
        assert not [path for path in (tmp_path / str(step)).iterdir() if path.name.startswith(".")]


def test_a_full_disk_leaves_the_old_model_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(tmp_path)

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match="No space left"):
        save(tmp_path, "newer")
    assert load_model(tmp_path).manifest.name == "old"
    assert not list(tmp_path.glob(".staging*"))


def test_a_file_that_is_not_of_the_layout_is_a_bug(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="evil"):
        save_model(tmp_path, sample_manifest(), {WEIGHTS_FILE: b"", ONNX_FILE: b"", "evil.py": b""})


@pytest.mark.parametrize("name", [WEIGHTS_FILE, ONNX_FILE])
def test_a_changed_truncated_or_missing_file_is_damage(tmp_path: Path, name: str) -> None:
    save(tmp_path)
    whole = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(whole[:-1] + b"!")
    assert "SHA-256" in refused(DamagedModelError, tmp_path)
    (tmp_path / name).write_bytes(whole[:-1])
    assert f"expected {len(whole)}" in refused(DamagedModelError, tmp_path)
    (tmp_path / name).unlink()
    assert "missing" in refused(DamagedModelError, tmp_path)


def test_pictures_and_log_may_be_edited(tmp_path: Path) -> None:
    save(tmp_path)
    (tmp_path / LOG_FILE).write_bytes(b"cleaned up")
    load_model(tmp_path)


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege on Windows")
def test_a_link_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    save(tmp_path / "model")
    outside = tmp_path / "outside"
    (tmp_path / "model" / ONNX_FILE).rename(outside)
    (tmp_path / "model" / ONNX_FILE).symlink_to(outside)
    refused(DamagedModelError, tmp_path / "model")


@pytest.mark.parametrize("name", ["model.pt", "last.ckpt", "weights.pth", "model.pkl"])
def test_pickles_are_refused_with_the_reason(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"\x80\x04cos\nsystem\n")
    assert "runs the code inside it" in refused(ForeignModelError, tmp_path / name)
    with pytest.raises(ForeignModelError, match=name):
        load_model(tmp_path)


def test_what_is_no_model_folder_is_foreign(tmp_path: Path) -> None:
    refused(ForeignModelError, tmp_path)
    refused(ForeignModelError, tmp_path / "absent")
    (tmp_path / "manifest.json").write_text(json.dumps({"schema": "other"}))
    refused(ForeignModelError, tmp_path)
    assert "Give the folder" in refused(ForeignModelError, tmp_path / "manifest.json")


def test_an_unfinished_training_run_is_told_from_a_foreign_folder(tmp_path: Path) -> None:
    (tmp_path / "checkpoint").mkdir()
    assert "continues" in refused(ForeignModelError, tmp_path)


def test_a_newer_model_is_said_to_be_newer_before_its_files_are_looked_at(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text(json.dumps(manifest_fields(version=99)))
    refused(NewerModelError, tmp_path)


@pytest.mark.parametrize(
    "weights",
    [
        b"",
        b"1234567",
        (2**62).to_bytes(8, "little") + b"{}",
        (2).to_bytes(8, "little") + b"[]",
        (2).to_bytes(8, "little") + b"{}" + b"trailing",
        safetensors_bytes(data_offsets=[0, 12]),
        safetensors_bytes(data_offsets=[4, 20]),
        safetensors_bytes(shape=[-2, -2]),
        safetensors_bytes(shape=["4"]),
        safetensors_bytes(dtype="PICKLE"),
        safetensors_bytes(data_offsets=None),
    ],
)
def test_weights_that_are_not_sound_safetensors_are_refused(tmp_path: Path, weights: bytes) -> None:
    """The hash is right: such a folder was made to be so."""
    with pytest.raises(DamagedModelError, match="safetensors"):
        save_model(tmp_path, sample_manifest(), {WEIGHTS_FILE: weights, ONNX_FILE: b""})


def test_weights_of_the_safetensors_library_are_sound(tmp_path: Path) -> None:
    import numpy as np
    from safetensors.numpy import save as serialise

    tensors = {
        "a": np.ones((3, 5), np.float32),
        "b": np.zeros((), np.int64),
        "c": np.zeros((0, 4), np.float16),
    }
    data = serialise(tensors, metadata={"format": "np"})
    save_model(tmp_path, sample_manifest(), {WEIGHTS_FILE: data, ONNX_FILE: b""})


def test_a_reader_that_meets_a_writer_looks_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The manifest was read before, the weights after another save."""
    save(tmp_path)
    original = model_folder.read_manifest
    saved = []

    def read_then_save(path: Path) -> object:
        manifest = original(path)
        if not saved:
            saved.append(True)
            save(tmp_path, "newer", b"onnx of new")
        return manifest

    monkeypatch.setattr(model_folder, "read_manifest", read_then_save)
    assert load_model(tmp_path).manifest.name == "newer"
