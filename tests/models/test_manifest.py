from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from interpositive.errors import DamagedModelError, ForeignModelError, ModelError, NewerModelError
from interpositive.models import manifest as manifest_module
from interpositive.models.manifest import LARGEST_MANIFEST_BYTES, read_manifest, who_and_when
from model_samples import SHA, manifest_fields, sample_manifest


def written(folder: Path, document: object) -> Path:
    path = folder / "manifest.json"
    path.write_text(document if isinstance(document, str) else json.dumps(document), encoding="utf-8")
    return path


def refused(kind: type[ModelError], path: Path) -> str:
    with pytest.raises(kind) as raised:
        read_manifest(path)
    message = str(raised.value)
    assert "\n" not in message and len(message) < 500 and str(path) in message
    return message


def test_a_manifest_comes_back_as_it_was_written(tmp_path: Path) -> None:
    manifest = sample_manifest()
    assert read_manifest(written(tmp_path, manifest.to_json())) == manifest


def test_schema_and_version_stand_first() -> None:
    assert list(json.loads(sample_manifest().to_json()))[:3] == ["schema", "version", "kind"]


def test_a_newer_version_is_named_as_such(tmp_path: Path) -> None:
    message = refused(NewerModelError, written(tmp_path, manifest_fields(version=2, something_new=1)))
    assert "version 2" in message and "up to 1" in message


def test_an_older_version_is_upgraded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def rename_artist(document: dict[str, Any]) -> dict[str, Any]:
        return {
            **{k: v for k, v in document.items() if k != "artist"},
            "created_by": document["artist"],
            "version": 1,
        }

    monkeypatch.setitem(manifest_module._UPGRADES, 0, rename_artist)
    old = manifest_fields(version=0, artist="jo")
    del old["created_by"]
    assert read_manifest(written(tmp_path, old)).created_by == "jo"


@pytest.mark.parametrize(
    "document", ["{", "", "[" * 100_000, '{"schema": "\udcff'.encode("utf-8", "replace").decode()]
)
def test_damaged_json_is_one_line(tmp_path: Path, document: str) -> None:
    refused(DamagedModelError, written(tmp_path, document))


@pytest.mark.parametrize("document", [[], 3, {}, {"schema": "other.tool"}, {"schema": ["x" * 5000]}])
def test_json_of_something_else_is_foreign(tmp_path: Path, document: object) -> None:
    refused(ForeignModelError, written(tmp_path, document))


@pytest.mark.parametrize("version", [None, "1", 1.5, True, -1, 0])
def test_a_version_that_never_existed_is_damage(tmp_path: Path, version: object) -> None:
    refused(DamagedModelError, written(tmp_path, manifest_fields(version=version)))


def test_a_model_of_another_kind_is_foreign(tmp_path: Path) -> None:
    assert '"project"' in refused(ForeignModelError, written(tmp_path, manifest_fields(kind="project")))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("seed", "x"),
        ("unheard_of", 1),
        ("inputs", []),
        ("outputs", [{"name": "a", "channels": [], "kind": "rgb"}]),
        ("display_size", [1]),
        ("measured", {"psnr_db": float("nan")}),
        ("tiling", {"stride": 0, "receptive_px": 16, "bytes_per_pixel": 400.0}),
        ("training", None),
    ],
)
def test_a_wrong_field_is_named(tmp_path: Path, field: str, value: object) -> None:
    assert field in refused(DamagedModelError, written(tmp_path, manifest_fields(**{field: value})))


@pytest.mark.parametrize(
    "name",
    ["../weights.safetensors", "/etc/passwd", "a/b", "a\\b", "C:x", "..", ".commit", "", "x" * 200, "a\n"],
)
def test_file_names_that_lead_out_of_the_folder_are_refused(tmp_path: Path, name: str) -> None:
    refused(DamagedModelError, written(tmp_path, manifest_fields(files={name: {"sha256": SHA, "bytes": 1}})))


def test_a_huge_manifest_is_not_read(tmp_path: Path) -> None:
    path = written(tmp_path, "")
    with path.open("wb") as file:
        file.truncate(LARGEST_MANIFEST_BYTES + 1)
    assert "at most" in refused(DamagedModelError, path)


def test_a_manifest_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    refused(DamagedModelError, tmp_path / "manifest.json")


def test_the_machine_is_not_named() -> None:
    import socket

    user, when = who_and_when()
    assert user and when.endswith("Z") and len(when) == 20
    assert socket.gethostname() not in sample_manifest(created_by=user, created_utc=when).to_json()


def test_a_manifest_cannot_be_changed_in_place() -> None:
    with pytest.raises(ValidationError):
        sample_manifest().name = "other"  # type: ignore[misc]
