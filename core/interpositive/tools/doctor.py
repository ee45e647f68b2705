"""What works on this machine, from versions to hosts, and what to do about the rest."""

from __future__ import annotations

import importlib
import importlib.metadata
import os
import platform
import plistlib
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from .. import __version__
from ..errors import EngineNotFoundError, InterpositiveError
from ..host_bridge.folders import config_folder, state_folder
from ..host_bridge.locating import find_engine
from ..progress import Progress

LEAST_FREE_MEMORY_GB = 4.0
LEAST_FREE_DISK_GB = 5.0
GB = 1e9

# import name -> name of the installed package
_LIBRARIES = {
    "numpy": "numpy",
    "torch": "torch",
    "onnxruntime": "onnxruntime",
    "onnx": "onnx",
    "OpenImageIO": "OpenImageIO",
    "PyOpenColorIO": "opencolorio",
    "cv2": "opencv-python-headless",
    "av": "av",
}
_REINSTALL = "Run `python3 install/bootstrap.py setup` again."

# where installers put the hosts, by sys.platform
_NUKE_PLACES = {
    "linux": ("/usr/local/Nuke*", "/opt/Nuke*", "/opt/nuke/Nuke*", "~/Nuke*"),
    "darwin": ("/Applications/Nuke*",),
    "win32": ("C:/Program Files/Nuke*",),
}
_RESOLVE_PLACES = {
    "linux": ("/opt/resolve",),
    "darwin": ("/Applications/DaVinci Resolve/DaVinci Resolve.app", "/Applications/DaVinci Resolve.app"),
    "win32": ("C:/Program Files/Blackmagic Design/DaVinci Resolve",),
}


class Check(BaseModel):
    """One line of the table. A `fail` is something that no tool can do without."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    group: str
    name: str
    status: Literal["ok", "warn", "fail"]
    found: str
    advice: str = ""


class Params(BaseModel):
    """The doctor asks nothing."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Result(BaseModel):
    """Every check in the order of the table."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: str
    checks: list[Check]

    def lines(self) -> list[str]:
        """The table, a heading to each group, and advice under what needs it."""
        width = max(len(check.name) for check in self.checks)
        lines = [f"Interpositive {self.version}"]
        group = ""
        for check in self.checks:
            if check.group != group:
                group = check.group
                lines += ["", group]
            lines.append(f"  {check.status:<4}  {check.name:<{width}}  {check.found}")
            if check.advice:
                lines.append(f"  {'':<4}  {'':<{width}}  -> {check.advice}")
        counts = {status: sum(check.status == status for check in self.checks) for status in ("warn", "fail")}
        summary = (
            "Everything works."
            if not any(counts.values())
            else f"{counts['warn']} warn, {counts['fail']} fail."
        )
        return [*lines, "", summary]

    def problem(self) -> str | None:
        """Names what failed; None when the tools can run."""
        failed = [check.name for check in self.checks if check.status == "fail"]
        return (
            f"This machine cannot run the tools yet: {', '.join(failed)}. The table says what to do."
            if failed
            else None
        )


def run(params: Params, progress: Progress) -> Result:
    """Look at everything; a check that finds something broken reports it and the next one goes on."""
    groups: list[tuple[str, Callable[[], Iterator[Check]]]] = [
        ("Versions", version_checks),
        ("Devices", device_checks),
        ("Inference", provider_checks),
        ("Memory", memory_checks),
        ("Colour", colour_checks),
        ("Folders", folder_checks),
        ("Hosts", host_checks),
    ]
    checks: list[Check] = []
    for done, (name, look) in enumerate(groups):
        progress.report("looking", done, len(groups), name.lower())
        try:
            checks += look()
        except ImportError as missing:
            checks.append(
                Check(group=name, name=name.lower(), status="fail", found=str(missing), advice=_REINSTALL)
            )
    progress.report("looking", len(groups), len(groups))
    return Result(version=__version__, checks=checks)


def version_checks() -> Iterator[Check]:
    """Python and each library: its version, or why it does not import."""
    yield Check(
        group="Versions", name="python", status="ok", found=f"{platform.python_version()} ({sys.executable})"
    )
    for module, package in _LIBRARIES.items():
        try:
            importlib.import_module(module)
        except (ImportError, OSError) as error:
            yield Check(
                group="Versions", name=package, status="fail", found=_first_line(error), advice=_REINSTALL
            )
        else:
            yield Check(group="Versions", name=package, status="ok", found=_installed_version(package))


def device_checks() -> Iterator[Check]:
    """Where training can run."""
    import torch

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    instructions = torch.backends.cpu.get_cpu_capability()
    yield Check(
        group="Devices", name="cpu", status="ok", found=f"{cores} cores, {instructions}, {_processor()}"
    )
    if torch.cuda.is_available():
        for index in range(torch.cuda.device_count()):
            card = torch.cuda.get_device_properties(index)
            found = f"{card.name}, {card.total_memory / GB:.0f} GB, CUDA {torch.version.cuda}"
            yield Check(group="Devices", name=f"cuda:{index}", status="ok", found=found)
    elif shutil.which("nvidia-smi") is not None:
        built = f"CUDA {torch.version.cuda}" if torch.version.cuda else "no CUDA"
        advice = "Update the NVIDIA driver, or install the torch build for this driver."
        found = f"a driver is here, and torch (built with {built}) cannot use it"
        yield Check(group="Devices", name="cuda", status="warn", found=found, advice=advice)
    else:
        yield Check(group="Devices", name="cuda", status="ok", found="no NVIDIA GPU here")
    if sys.platform == "darwin":
        usable = torch.backends.mps.is_available()
        found = "Apple GPU" if usable else "no Apple GPU that torch can use"
        yield Check(group="Devices", name="mps", status="ok" if usable else "warn", found=found)


def provider_checks() -> Iterator[Check]:
    """Where models are applied: which of onnxruntime's execution providers really load."""
    import torch

    from ..inference.providers import loading_devices

    has_gpu = {"cuda": torch.cuda.is_available(), "mps": sys.platform == "darwin", "cpu": True}
    for device, reason in loading_devices().items():
        if not reason:
            yield Check(group="Inference", name=device, status="ok", found="loads")
        elif not has_gpu[device]:
            yield Check(group="Inference", name=device, status="ok", found="not on this machine")
        elif device == "cpu":
            yield Check(group="Inference", name=device, status="fail", found=reason, advice=_REINSTALL)
        else:
            advice = "Until the missing library is installed, models are applied on the CPU."
            yield Check(group="Inference", name=device, status="warn", found=reason, advice=advice)


def memory_checks() -> Iterator[Check]:
    """Memory that a run could take now."""
    import psutil

    memory = psutil.virtual_memory()
    enough = memory.available >= LEAST_FREE_MEMORY_GB * GB
    yield Check(
        group="Memory",
        name="memory",
        status="ok" if enough else "warn",
        found=f"{memory.available / GB:.1f} GB free of {memory.total / GB:.1f} GB",
        advice="" if enough else f"Training wants {LEAST_FREE_MEMORY_GB:.0f} GB: close other programs.",
    )


def colour_checks() -> Iterator[Check]:
    """The colour config that plates are read with."""
    import PyOpenColorIO

    from ..images.colour import config

    chosen = os.environ.get("OCIO")
    source = f"$OCIO, {chosen}" if chosen else "built in"
    try:
        loaded = config()
        loaded.getProcessor("scene_linear", "scene_linear")
        found = f"{loaded.getName() or 'unnamed'} ({source})"
    except InterpositiveError as error:
        yield Check(group="Colour", name="config", status="fail", found=str(error))
    except PyOpenColorIO.Exception as error:
        advice = "Point $OCIO to a config that has a scene_linear role, or unset it."
        yield Check(
            group="Colour",
            name="config",
            status="fail",
            found=f"{source}: {_first_line(error)}",
            advice=advice,
        )
    else:
        yield Check(group="Colour", name="config", status="ok", found=found)


def folder_checks() -> Iterator[Check]:
    """Folders that are written to, and the room in them."""
    temporary = Path(tempfile.gettempdir())
    places = {"here": Path.cwd(), "temporary": temporary, "logs": state_folder(), "settings": config_folder()}
    for name, folder in places.items():
        existing = next(parent for parent in (folder, *folder.parents) if parent.exists())
        free_gb = shutil.disk_usage(existing).free / GB
        found = f"{folder}, {free_gb:.0f} GB free"
        if not _can_write(existing):
            advice = f"Make {existing} writable" + (
                ", or set INTERPOSITIVE_STATE." if name == "logs" else "."
            )
            yield Check(
                group="Folders", name=name, status="warn", found=f"{found}, cannot be written", advice=advice
            )
        elif free_gb < LEAST_FREE_DISK_GB and name in ("here", "temporary"):
            yield Check(
                group="Folders", name=name, status="warn", found=found, advice="Free some disk space."
            )
        else:
            yield Check(group="Folders", name=name, status="ok", found=found)


def host_checks() -> Iterator[Check]:
    """Hosts in their usual places, and the engine as hosts will find it."""
    for name, places in (("Nuke", _NUKE_PLACES), ("Resolve", _RESOLVE_PLACES)):
        installed = [_with_version(path) for path in _installed(places.get(sys.platform, ()))]
        found = ", ".join(installed) or "not in its usual places"
        yield Check(group="Hosts", name=name, status="ok", found=found)
    try:
        yield Check(group="Hosts", name="engine", status="ok", found=f"hosts start {find_engine()}")
    except EngineNotFoundError as error:
        yield Check(
            group="Hosts", name="engine", status="warn", found="hosts do not find it", advice=str(error)
        )


def _installed(places: tuple[str, ...]) -> list[Path]:
    found = []
    for place in places:
        pattern = Path(place).expanduser()
        found += [path for path in pattern.parent.glob(pattern.name) if path.is_dir()]
    return sorted(found)


def _with_version(path: Path) -> str:
    """The folder, with its version where a property list tells it; Nuke's folder names carry theirs."""
    try:
        with (path / "Contents" / "Info.plist").open("rb") as properties:
            version = plistlib.load(properties).get("CFBundleShortVersionString")
    except (OSError, plistlib.InvalidFileException):
        version = None
    return f"{path} ({version})" if version else str(path)


def _installed_version(package: str) -> str:
    for name in (package, f"{package}-gpu"):
        try:
            return importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return "unknown"


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        return platform.processor() or platform.machine()
    return platform.processor() or platform.machine()


def _can_write(folder: Path) -> bool:
    try:
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
