#!/usr/bin/env python3
"""Make Interpositive's environment and start something in it.

    python3 install/bootstrap.py setup            make or bring up to date the environment
    python3 install/bootstrap.py demo [OPTIONS]   ... and run the demo; OPTIONS go to `interpositive demo`
    python3 install/bootstrap.py test [OPTIONS]   ... and run the tests; OPTIONS go to pytest

The environment is `.venv` beside this checkout, or the folder that INTERPOSITIVE_VENV names. What was
installed is stamped into it last, so a second run starts at once and an interrupted one goes on.
Standard library only; starts on any Python 3.9 or newer and finds a 3.11 for the environment itself.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Dict, Iterator, List, Optional, Sequence, Set, TextIO, Tuple

CHECKOUT = Path(__file__).resolve().parents[1]
OLDEST_PYTHON = (3, 11)
TRIED_PYTHONS = ("3.12", "3.11", "3.13", "3.14")  # best supported by the wheels first
DISK_NEEDED_GB = 3.0
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
BROWSER_VARIABLE = "INTERPOSITIVE_CHROMIUM"  # its path; "none" leaves the browser tests out
APT_LIMIT_S = 600
SHOWN_LOG_LINES = 12
STAMP_NAME = "interpositive-install.json"
LOCK_NAME = "interpositive-install.lock"

_PYTHON_PROBE = "import sys, struct, venv, ensurepip; print(*sys.version_info[:2], struct.calcsize('P'))"
_NO_NETWORK = re.compile(
    r"NewConnectionError|NameResolutionError|Temporary failure in name resolution|Connection(Timeout)?Error"
    r"|ConnectTimeoutError|ProxyError|Network is unreachable|getaddrinfo failed|Failed to establish"
)
_DISK_FULL = re.compile(r"No space left on device|Errno 28|WinError 112")


class SetupError(Exception):
    """Something that the person can put right; one line, printed as it is."""


# ------------------------------------------------------------------------------------------ find a Python


def probe_python(command: Sequence[str]) -> Optional[Tuple[int, int]]:
    """(major, minor) of a 64-bit Python that can make environments; None if it cannot or does not start."""
    try:
        answer = subprocess.run(
            [*command, "-I", "-c", _PYTHON_PROBE],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=30,
        )
        major, minor, pointer_bytes = (int(word) for word in answer.stdout.split())
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return None
    return (major, minor) if pointer_bytes == 8 else None


def python_candidates() -> Iterator[List[str]]:
    """Commands that may start a Python, the one running this first."""
    yield [sys.executable]
    for version in TRIED_PYTHONS:
        found = shutil.which("python" + version)
        if found:
            yield [found]
        if os.name == "nt" and shutil.which("py"):
            yield ["py", "-" + version]
    for root in (Path.home() / ".pyenv" / "versions", Path("/opt/homebrew/bin"), Path("/usr/local/bin")):
        for version in TRIED_PYTHONS:
            inside = sorted(root.glob(version + ".*/bin/python")) or sorted(root.glob("python" + version))
            if inside:
                yield [str(inside[-1])]


def find_python(candidates: Iterator[List[str]]) -> List[str]:
    """The first candidate that is new enough; raises SetupError that says how to get one."""
    for command in candidates:
        version = probe_python(command)
        if version is not None and version >= OLDEST_PYTHON:
            return command
    raise SetupError(how_to_get_python())


def how_to_get_python() -> str:
    """One line for this system; also says so when Python is new enough but cannot make environments."""
    running = f"{sys.version_info[0]}.{sys.version_info[1]}"
    if sys.version_info[:2] >= OLDEST_PYTHON:
        return (
            f"Python {running} is here but cannot make environments (venv, ensurepip or 64 bit is missing). "
            f"On Debian and Ubuntu: sudo apt install python{running}-venv. Then run the same command again."
        )
    advice = {
        "win32": "winget install Python.Python.3.12",
        "darwin": "brew install python@3.12, or the installer from python.org",
    }.get(sys.platform, "sudo apt install python3.11 python3.11-venv, or sudo dnf install python3.11")
    return (
        f"Interpositive needs Python 3.11 or newer; found only {running}. Get one: {advice}. "
        "Then run the same command again."
    )


# ------------------------------------------------------------------------------------------ the environment


def environment_folder() -> Path:
    chosen = os.environ.get("INTERPOSITIVE_VENV")
    return Path(chosen).expanduser().resolve() if chosen else CHECKOUT / ".venv"


def environment_python(folder: Path) -> Path:
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def environment_version(folder: Path) -> Optional[str]:
    """The version line of pyvenv.cfg, read without starting Python; None when there is no environment."""
    try:
        text = (folder / "pyvenv.cfg").read_text(encoding="utf-8")
    except OSError:
        return None
    found = re.search(r"^version(?:_info)?\s*=\s*(\S+)", text, re.MULTILINE)
    return found.group(1) if found and environment_python(folder).exists() else None


def fingerprint(folder: Path) -> str:
    """Changes when anything does that decides what has to be installed."""
    digest = hashlib.sha256()
    for name in ("pyproject.toml", "install/constraints.txt"):
        digest.update((CHECKOUT / name).read_bytes())
    digest.update(f"{environment_version(folder)} {CHECKOUT} {sys.platform}".encode())
    return digest.hexdigest()


def installed_extras(folder: Path) -> Optional[Set[str]]:
    """The extras that are installed and up to date; None when anything has to be installed."""
    try:
        stamp = json.loads((folder / STAMP_NAME).read_text(encoding="utf-8"))
        fresh = environment_version(folder) is not None and stamp["fingerprint"] == fingerprint(folder)
        return set(stamp["extras"]) if fresh else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def make_environment(folder: Path) -> None:
    """Make the environment unless one is there; one whose making was interrupted is made anew."""
    version = environment_version(folder)
    if version is not None:
        if tuple(int(part) for part in version.split(".")[:2]) < OLDEST_PYTHON:
            raise SetupError(
                f"{folder} holds Python {version}, and 3.11 is needed. Delete that folder and run this again."
            )
        probe = [str(environment_python(folder)), "-I", "-m", "pip", "--version"]
        if subprocess.run(probe, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0:
            return
    elif folder.exists() and any(folder.iterdir()) and not (folder / "pyvenv.cfg").exists():
        raise SetupError(
            f"{folder} is not an environment and not empty. Set INTERPOSITIVE_VENV to another folder."
        )
    command = find_python(python_candidates())
    say(f"Making the environment {folder} with {' '.join(command)}")
    made = subprocess.run(
        [*command, "-I", "-m", "venv", "--clear", str(folder)],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
    )  # fmt: skip
    if made.returncode != 0:
        raise SetupError(f"The environment {folder} cannot be made: {last_line(made.stdout)}")


def drop_half_installed(folder: Path) -> List[str]:
    """Forget packages whose installation was interrupted, so that pip lays them down again.

    pip writes RECORD and INSTALLER last: a dist-info folder that lacks one belongs to a half-copied package.
    """
    dropped = []
    packages = [folder / "Lib" / "site-packages", *folder.glob("lib/*/site-packages")]
    for info in [found for place in packages for found in place.glob("*.dist-info")]:
        if info.exists() and not ((info / "RECORD").exists() and (info / "INSTALLER").exists()):
            shutil.rmtree(info)
            dropped.append(info.name)
    return dropped


@contextlib.contextmanager
def install_lock(folder: Path) -> Iterator[None]:
    """Two installations into one environment would destroy each other: the second is refused.

    The lock is the system's own, so it ends with the process that holds it, however that ends.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with open(str(folder) + "." + LOCK_NAME, "a+b") as lock_file:
        try:
            if os.name == "nt":
                import msvcrt

                msvcrt.locking(lock_file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
            else:
                import fcntl

                fcntl.flock(lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as busy:
            raise SetupError(
                f"Another installation into {folder} is running. Wait until it has ended."
            ) from busy
        yield


# ------------------------------------------------------------------------------------------ pip


def install(folder: Path, extras: Set[str]) -> None:
    """Install the project, editable, with `extras`; the stamp is written last."""
    already = installed_extras(folder)
    if already is not None and extras <= already:
        return
    with install_lock(folder):
        make_environment(folder)
        wanted = sorted(extras | _stamped_extras(folder))
        stamp = folder / STAMP_NAME
        if stamp.exists():
            stamp.unlink()
        for name in drop_half_installed(folder):
            say(f"Laying down again, as the last installation stopped in the middle of it: {name}")
        project = str(CHECKOUT) + (f"[{','.join(wanted)}]" if wanted else "")
        run_pip(folder, ["install", "-c", str(CHECKOUT / "install" / "constraints.txt"), "-e", project])
        unfinished = stamp.with_suffix(".new")
        unfinished.write_text(
            json.dumps({"fingerprint": fingerprint(folder), "extras": wanted}), encoding="utf-8"
        )
        os.replace(unfinished, stamp)


def _stamped_extras(folder: Path) -> Set[str]:
    """Extras of an older installation: bringing it up to date keeps them."""
    try:
        return set(json.loads((folder / STAMP_NAME).read_text(encoding="utf-8"))["extras"])
    except (OSError, ValueError, KeyError, TypeError):
        return set()


def run_pip(folder: Path, arguments: List[str]) -> None:
    """Run pip with its output in a log file and the gist of it on the terminal; SetupError when it fails."""
    log_path = folder / "interpositive-install.log"
    command = [
        str(environment_python(folder)),
        "-I",
        "-m",
        "pip",
        "--disable-pip-version-check",
        "--no-input",
    ]
    say(f"Installing (some minutes and up to several GB the first time; log: {log_path})")
    display = PipDisplay(sys.stdout)
    with open(log_path, "w", encoding="utf-8", errors="replace") as log:
        pip = subprocess.Popen(
            [*command, *arguments, "--progress-bar", "off"],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
            text=True, encoding="utf-8", errors="replace",
        )  # fmt: skip
        try:
            for line in pip.stdout or ():
                log.write(line)
                log.flush()
                display.feed(line)
        except BaseException:
            pip.terminate()
            raise
        finally:
            pip.wait()
            display.close()
    if pip.returncode != 0:
        raise SetupError(explain_pip_failure(log_path, folder))


class PipDisplay:
    """One line a step of pip: rewritten in place on a terminal, one after the other elsewhere."""

    _STEP = re.compile(
        r"^\s*(Collecting|Processing|Downloading|Building|Installing|Preparing|Obtaining)\b\s*(.*)"
    )

    def __init__(self, stream: TextIO) -> None:
        self._stream, self._start, self._tty, self._collected = stream, time.monotonic(), stream.isatty(), 0

    def feed(self, line: str) -> None:
        found = self._STEP.match(line)
        if not found:
            return
        verb, rest = found.groups()
        self._collected += verb in ("Collecting", "Processing")
        if verb == "Installing" and rest.startswith("collected packages:"):
            rest = f"{rest.count(',') + 1} packages (this takes a while)"
        elif rest.startswith(("http://", "https://", "file:", "/")):
            rest = rest.rsplit("/", 1)[-1]
        text = (
            f"  {time.monotonic() - self._start:4.0f} s  {self._collected:3d} packages  {verb.lower()} {rest}"
        )
        if self._tty:
            width = shutil.get_terminal_size().columns - 1
            self._stream.write("\r" + text[:width].ljust(width))
        elif verb in ("Collecting", "Processing", "Installing"):
            self._stream.write(text[:150].rstrip() + "\n")
        self._stream.flush()

    def close(self) -> None:
        if self._tty:
            self._stream.write("\r" + " " * (shutil.get_terminal_size().columns - 1) + "\r")
        say(f"pip ended after {time.monotonic() - self._start:.0f} s")


def explain_pip_failure(log_path: Path, folder: Path) -> str:
    """What to tell the person: the cause where it is known, the end of the log where it is not."""
    text = log_path.read_text(encoding="utf-8", errors="replace")
    if _DISK_FULL.search(text) or shutil.disk_usage(folder).free < 2**28:
        return (
            f"The disk of {folder} is full. Free {DISK_NEEDED_GB:.0f} GB, or set INTERPOSITIVE_VENV to "
            f"another disk; the same command goes on. Log: {log_path}"
        )
    if _NO_NETWORK.search(text):
        return (
            "The package index cannot be reached. Connect this machine, or set PIP_INDEX_URL or "
            f"PIP_FIND_LINKS to a mirror; the same command goes on. Log: {log_path}"
        )
    tail = "\n".join("    " + line for line in text.splitlines()[-SHOWN_LOG_LINES:])
    return f"pip failed; the same command tries again. Its last lines (all of them: {log_path}):\n{tail}"


# ------------------------------------------------------------------------------------------ browser


def find_browser() -> Optional[str]:
    """The Chromium that the tests of the pages start, None where there is none."""
    named = os.environ.get(BROWSER_VARIABLE)
    return named or next((path for path in map(shutil.which, BROWSERS) if path), None)


def install_browser() -> None:
    """Get Chromium by apt-get where nobody has to be asked for it. Never fatal: without it its tests skip."""
    if find_browser() is not None or not sys.platform.startswith("linux") or shutil.which("apt-get") is None:
        return
    prefix = apt_prefix()
    if prefix is None:
        say("No Chromium: the browser tests are left out. To run them: sudo apt install chromium")
        return
    say(f"Installing Chromium for the browser tests by apt-get ({BROWSER_VARIABLE}=none leaves it out)")
    wanted = ["install", "-y", "-q", "--no-install-recommends", "chromium"]
    reason = apt_get(prefix, wanted)
    if reason is not None and apt_get(prefix, ["update", "-q"]) is None:
        reason = apt_get(prefix, wanted)
    if reason is not None:
        say(f"Chromium was not installed, so the browser tests are left out: {reason}")


def apt_prefix() -> Optional[List[str]]:
    """What makes apt-get run as root without a question; None where nothing does."""
    if os.geteuid() == 0:
        return []
    sudo = shutil.which("sudo")
    if sudo is None:
        return None
    try:
        asked = subprocess.run(
            [sudo, "-n", "true"], stdin=subprocess.DEVNULL, capture_output=True, timeout=20
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return [sudo, "-n"] if asked.returncode == 0 else None


def apt_get(prefix: Sequence[str], arguments: Sequence[str]) -> Optional[str]:
    """Run apt-get without questions; None when it went well, else the reason in a line."""
    command = [*prefix, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", *arguments]
    with tempfile.TemporaryFile() as told:  # a pipe would be held open by what a stopped apt-get leaves
        try:
            status = subprocess.run(
                command, stdin=subprocess.DEVNULL, stdout=told, stderr=told, timeout=APT_LIMIT_S
            ).returncode
        except subprocess.TimeoutExpired:
            return f"apt-get took longer than {APT_LIMIT_S} s"
        except OSError as error:
            return f"apt-get does not start: {error}"
        told.seek(0)
        text = told.read().decode("utf-8", errors="replace")
    return None if status == 0 else last_line(text)


# ------------------------------------------------------------------------------------------ commands


def run_in_environment(folder: Path, arguments: Sequence[str]) -> int:
    """Run the environment's Python; Ctrl-C is left to it. Returns its exit status."""
    foreign = ("PYTHONPATH", "PYTHONHOME")
    environment = {name: value for name, value in os.environ.items() if name not in foreign}
    child = subprocess.Popen([str(environment_python(folder)), *arguments], env=environment)
    while True:
        try:
            status = child.wait()
            return status if status >= 0 else 128 - status
        except KeyboardInterrupt:
            continue  # the child got it too and ends by itself


def set_up(folder: Path) -> int:
    """Tell the hosts where the engine is, and the person what to type next."""
    remember = "import sys, interpositive.host_bridge as bridge; bridge.remember_engine(sys.executable)"
    status = run_in_environment(folder, ["-I", "-c", remember])
    if status != 0:
        return status
    program = environment_python(folder).with_name("interpositive" + (".exe" if os.name == "nt" else ""))
    say(f"Ready. Next: {program} doctor")
    return 0


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="bootstrap.py", description="Make the environment and start something in it."
    )
    parser.add_argument("command", choices=("demo", "test", "setup"))
    known, rest = parser.parse_args(arguments[:1]), list(arguments[1:])
    folder = environment_folder()
    extras: Dict[str, Set[str]] = {"demo": set(), "test": {"test"}, "setup": set()}
    try:
        install(folder, extras[known.command])
        if known.command == "setup":
            return set_up(folder)
        if known.command == "demo":
            return run_in_environment(folder, ["-I", "-m", "interpositive", "demo", *rest])
        install_browser()
        os.chdir(CHECKOUT)
        return run_in_environment(folder, ["-m", "pytest", "-rs", *rest])
    except KeyboardInterrupt:
        say("\nStopped. The same command goes on from here.", sys.stderr)
        return 130
    except SetupError as error:
        say(str(error), sys.stderr)
        return 1
    except OSError as error:
        advice = "Set INTERPOSITIVE_VENV to a folder that can be written."
        say(f"Cannot write the environment {folder}: {error}. {advice}", sys.stderr)
        return 1


def say(text: str, stream: Optional[TextIO] = None) -> None:
    print(text, file=stream or sys.stdout, flush=True)


def last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "no reason given"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
