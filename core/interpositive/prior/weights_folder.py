"""A prior on disk: float16 weights, the same as ONNX, and a manifest that says how they came to be."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors.torch
import torch

from .. import __version__
from ..errors import DamagedModelError, ForeignModelError, NewerModelError
from ..images.writing import whole_file
from ..models.manifest import who_and_when
from ..models.prior_network import PriorNetwork
from ..models.prior_onnx import prior_onnx_bytes

SCHEMA, VERSION = "interpositive.prior", 1
MANIFEST_FILE, WEIGHTS_FILE, ONNX_FILE = "manifest.json", "prior.safetensors", "prior.onnx"


def save_prior(
    folder: Path, network: PriorNetwork, training: Mapping[str, Any], measured: Mapping[str, float]
) -> None:
    """Write weights, ONNX and manifest into `folder`, the manifest last. Raises `OutputError`."""
    rounded = {k: tensor.detach().cpu().half().contiguous() for k, tensor in network.state_dict().items()}
    as_shipped = PriorNetwork(network.config)
    as_shipped.load_state_dict({name: tensor.float() for name, tensor in rounded.items()})
    contents = {WEIGHTS_FILE: safetensors.torch.save(rounded), ONNX_FILE: prior_onnx_bytes(as_shipped)}
    manifest = {
        "schema": SCHEMA,
        "version": VERSION,
        "created_utc": who_and_when()[1],
        "software": {"interpositive": __version__, "torch": str(torch.__version__)},
        "licence": "Apache-2.0",
        "network": network.config.to_json(),
        "training": dict(training),
        "measured": dict(measured),
        "files": {
            name: {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
            for name, data in contents.items()
        },
    }
    text = json.dumps(manifest, indent=2) + "\n"
    for name, data in {**contents, MANIFEST_FILE: text.encode()}.items():
        with whole_file(folder / name) as unfinished:
            unfinished.write_bytes(data)


def read_prior_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a prior's folder. Raises `ModelError`."""
    path = folder / MANIFEST_FILE
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DamagedModelError(
            f"{path} cannot be read as a prior's manifest. Install again, or name another prior."
        ) from error
    if not isinstance(document, dict) or document.get("schema") != SCHEMA:
        raise ForeignModelError(f'{path} is not of schema "{SCHEMA}": not a prior of Interpositive.')
    version = document.get("version")
    if not isinstance(version, int) or version > VERSION:
        raise NewerModelError(
            f"{path} has version {version}, this Interpositive reads up to {VERSION}. Update Interpositive."
        )
    return document


def checked_file(folder: Path, name: str, manifest: Mapping[str, Any]) -> Path:
    """The path of a file whose content is what the manifest says. Raises `DamagedModelError`."""
    path = folder / name
    try:
        found = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise DamagedModelError(f"{path} cannot be read: {error.strerror}. Install again.") from error
    expected = manifest.get("files", {}).get(name, {}).get("sha256")
    if found != expected:
        raise DamagedModelError(
            f"{path} has SHA-256 {found[:12]}, its manifest says {str(expected)[:12]}. Install again."
        )
    return path
