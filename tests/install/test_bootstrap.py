"""The bootstrap, run on a small project without dependencies, and its answers to what goes wrong."""

from __future__ import annotations

import ast
import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
BOOTSTRAP = CHECKOUT / "install" / "bootstrap.py"
SECOND_RUN_LIMIT_S = 2.0

# A build backend of a few lines, so that nothing has to be fetched. It waits while a file `slow` exists.
BACKEND = '''
import os, time, zipfile
def build_editable(folder, config_settings=None, metadata_directory=None):
    open("building", "w").close()
    while os.path.exists("slow"):
        time.sleep(0.05)
    name = "interpositive-0.1-py3-none-any.whl"
    info = "interpositive-0.1.dist-info/"
    core = os.path.join(os.getcwd(), "core")
    with zipfile.ZipFile(os.path.join(folder, name), "w") as wheel:
        wheel.writestr("interpositive.pth", core)
        wheel.writestr(info + "METADATA", METADATA)
        wheel.writestr(info + "WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr(info + "RECORD", "")
    return name
METADATA = """\
Metadata-Version: 2.1
Name: interpositive
Version: 0.1
"""
'''


@pytest.fixture(scope="module")
def bootstrap() -> ModuleType:
    specification = importlib.util.spec_from_file_location("bootstrap", BOOTSTRAP)
    assert specification is not None and specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


class Project:
    """A checkout that installs in seconds and whose demo prints one line."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("install", "backend", "core/interpositive"):
            (folder / name).mkdir(parents=True)
        shutil.copy(BOOTSTRAP, folder / "install")
        (folder / "install/constraints.txt").write_text("")
        (folder / "backend/tiny_backend.py").write_text(BACKEND)
        (folder / "pyproject.toml").write_text(
            '[build-system]\nrequires = []\nbuild-backend = "tiny_backend"\nbackend-path = ["backend"]\n'
        )
        package = folder / "core/interpositive"
        (package / "__init__.py").write_text("")
        (package / "__main__.py").write_text(
            "import sys; print('demo', sys.argv[1:]); sys.exit(len(sys.argv) - 2)"
        )

    def command(self, *words: str) -> list[str]:
        return [sys.executable, str(self.folder / "install/bootstrap.py"), *words]

    def environment(self, **variables: str) -> dict[str, str]:
        own = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "PYTHON"))}
        return {**own, "PIP_CONFIG_FILE": os.devnull, "PIP_NO_INDEX": "1", **variables}

    def run(self, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*words), env=self.environment(**variables), capture_output=True, text=True
        )


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Installed once for the tests that look at what comes after."""
    project = Project(tmp_path_factory.mktemp("checkout"))
    done = project.run("demo")
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "demo ['demo']"), done.stdout + done.stderr
    return project


def test_second_run_does_not_start_over(project: Project) -> None:
    (project.folder / "building").unlink(missing_ok=True)
    start = time.monotonic()
    done = project.run("demo")
    assert time.monotonic() - start < SECOND_RUN_LIMIT_S
    assert (done.returncode, done.stdout) == (0, "demo ['demo']\n")
    assert not (project.folder / "building").exists()


def test_further_options_and_the_exit_status_pass_through(project: Project) -> None:
    done = project.run("demo", "--frames", "1-3")
    assert (done.returncode, done.stdout) == (2, "demo ['demo', '--frames', '1-3']\n")


def test_changed_requirements_are_installed(project: Project) -> None:
    (project.folder / "building").unlink(missing_ok=True)
    (project.folder / "install/constraints.txt").write_text("# changed\n")
    assert project.run("demo").returncode == 0
    assert (project.folder / "building").exists()


def test_unknown_command_is_wrong_usage(project: Project) -> None:
    done = project.run("dmeo")
    assert done.returncode == 2 and "dmeo" in done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C cannot be sent to one group on Windows")
def test_ctrl_c_in_an_installation_says_one_line_and_the_next_run_goes_on(tmp_path: Path) -> None:
    project = Project(tmp_path / "checkout")
    (project.folder / "slow").touch()
    child = subprocess.Popen(
        project.command("demo"),
        env=project.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # Tests that a shell runs in the background have Ctrl-C switched off, and would pass that on.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    while not (project.folder / "building").exists():
        assert child.poll() is None
        time.sleep(0.05)
    other = project.run("setup")
    assert other.returncode == 1 and "Another installation" in other.stderr
    os.killpg(child.pid, signal.SIGINT)
    _, said = child.communicate(timeout=30)
    assert child.returncode == 130
    assert said.split() == "Stopped. The same command goes on from here.".split()
    assert not list(project.folder.glob(".venv/interpositive-install.json"))
    (project.folder / "slow").unlink()
    assert project.run("demo").returncode == 0


def test_no_network_is_one_clear_line(tmp_path: Path) -> None:
    project = Project(tmp_path / "checkout")
    backend = project.folder / "backend/tiny_backend.py"
    backend.write_text(
        BACKEND.replace("Version: 0.1\n", "Version: 0.1\nRequires-Dist: a-package-of-nobody\n")
    )
    nobody_listens = {"PIP_NO_INDEX": "", "PIP_INDEX_URL": "http://127.0.0.1:9/", "PIP_RETRIES": "1"}
    done = project.run("setup", **nobody_listens)
    assert done.returncode == 1
    assert done.stderr.startswith("The package index cannot be reached.") and done.stderr.count("\n") == 1


def test_stamp_is_worth_nothing_without_the_environment(bootstrap: ModuleType, tmp_path: Path) -> None:
    (tmp_path / bootstrap.STAMP_NAME).write_text(
        json.dumps({"fingerprint": bootstrap.fingerprint(tmp_path), "extras": []})
    )
    assert bootstrap.installed_extras(tmp_path) is None


def test_half_installed_packages_are_laid_down_again(bootstrap: ModuleType, tmp_path: Path) -> None:
    packages = tmp_path / "lib/python3.11/site-packages"
    for name, files in {
        "whole-1": ["RECORD", "INSTALLER"],
        "half-1": ["METADATA"],
        "third-1": ["RECORD"],
    }.items():
        (packages / f"{name}.dist-info").mkdir(parents=True)
        for file in files:
            (packages / f"{name}.dist-info" / file).touch()
    assert sorted(bootstrap.drop_half_installed(tmp_path)) == ["half-1.dist-info", "third-1.dist-info"]
    assert [path.name for path in packages.iterdir()] == ["whole-1.dist-info"]


def test_foreign_folder_is_not_touched(bootstrap: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "somebody's work.txt").touch()
    with pytest.raises(bootstrap.SetupError, match="is not an environment and not empty"):
        bootstrap.make_environment(tmp_path)


def test_old_environment_is_refused(bootstrap: ModuleType, tmp_path: Path) -> None:
    python = bootstrap.environment_python(tmp_path)
    python.parent.mkdir(parents=True)
    python.touch()
    (tmp_path / "pyvenv.cfg").write_text("home = /usr/bin\nversion = 3.9.2\n")
    with pytest.raises(bootstrap.SetupError, match=r"holds Python 3.9.2, and 3.11 is needed"):
        bootstrap.make_environment(tmp_path)


def test_candidate_that_does_not_start_is_passed_over(bootstrap: ModuleType, tmp_path: Path) -> None:
    candidates = iter([[str(tmp_path / "absent")], [sys.executable]])
    assert bootstrap.find_python(candidates) == [sys.executable]


def test_without_a_new_enough_python_it_says_how_to_get_one(
    bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 9, 2))
    with pytest.raises(bootstrap.SetupError, match=r"needs Python 3.11 or newer; found only 3.9. Get one: "):
        bootstrap.find_python(iter([]))


@pytest.mark.parametrize(
    ("log", "said"),
    [
        (
            "ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device",
            "The disk of",
        ),
        (
            "NewConnectionError('...: Failed to establish a new connection')",
            "The package index cannot be reached.",
        ),
        (
            "line\n" * 50 + "ERROR: No matching distribution found for x",
            "ERROR: No matching distribution found for x",
        ),
    ],
)
def test_failed_pip_is_explained(bootstrap: ModuleType, tmp_path: Path, log: str, said: str) -> None:
    path = tmp_path / "pip.log"
    path.write_text(log)
    explained = bootstrap.explain_pip_failure(path, tmp_path)
    assert said in explained and str(path) in explained
    assert explained.count("\n") <= bootstrap.SHOWN_LOG_LINES


def test_bootstrap_is_readable_by_python_3_9() -> None:
    ast.parse(BOOTSTRAP.read_text(encoding="utf-8"), feature_version=(3, 9))


def test_bootstrap_imports_the_standard_library_and_nothing_else() -> None:
    tree = ast.parse(BOOTSTRAP.read_text(encoding="utf-8"))
    imported = {name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names}
    imported |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name.split(".")[0] for name in imported} <= sys.stdlib_module_names


# ------------------------------------------------------------------------------------------ browser


class Apt:
    """Programs on a PATH of their own: an apt-get that behaves as told, and perhaps a sudo."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.calls = folder, folder / "calls"
        monkeypatch.setenv("PATH", str(folder))
        monkeypatch.delenv("INTERPOSITIVE_CHROMIUM", raising=False)
        self.program("env", 'shift; exec "$@"')

    def program(self, name: str, script: str) -> None:
        path = self.folder / name
        path.write_text(f'#!/bin/sh\necho "{name} $*" >> {self.calls}\n{script}\n')
        path.chmod(0o755)

    def called(self) -> list[str]:
        lines = self.calls.read_text().splitlines() if self.calls.exists() else []
        return [line for line in lines if not line.startswith("env ")]


@pytest.fixture
def apt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Apt:
    if not sys.platform.startswith("linux"):
        pytest.skip("apt-get is of Linux")
    return Apt(tmp_path, monkeypatch)


def test_a_browser_that_is_there_is_left_alone(bootstrap: ModuleType, apt: Apt) -> None:
    apt.program("apt-get", "exit 0")
    apt.program("chromium", "exit 0")
    bootstrap.install_browser()
    assert apt.called() == []


def test_no_browser_is_installed_where_it_is_not_wanted(
    bootstrap: ModuleType, apt: Apt, monkeypatch: pytest.MonkeyPatch
) -> None:
    apt.program("apt-get", "exit 0")
    monkeypatch.setenv("INTERPOSITIVE_CHROMIUM", "none")
    bootstrap.install_browser()
    assert apt.called() == []


def test_root_installs_the_browser_and_updates_the_lists_only_when_needed(
    bootstrap: ModuleType, apt: Apt, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    apt.program("apt-get", f'[ "$1" = update ] && : > {apt.folder}/lists; [ -e {apt.folder}/lists ]')
    bootstrap.install_browser()
    install = "apt-get install -y -q --no-install-recommends chromium"
    assert apt.called() == [install, "apt-get update -q", install]


def test_others_install_it_by_a_sudo_that_does_not_ask(
    bootstrap: ModuleType, apt: Apt, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    apt.program("apt-get", "exit 0")
    apt.program("true", "exit 0")
    apt.program("sudo", "exit 1")
    bootstrap.install_browser()
    assert apt.called() == ["sudo -n true"] and "sudo apt install chromium" in capsys.readouterr().out
    apt.program("sudo", 'shift; exec "$@"')
    bootstrap.install_browser()
    assert apt.called()[-1].startswith("apt-get install")


def test_a_failed_installation_is_one_line_and_never_fatal(
    bootstrap: ModuleType, apt: Apt, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    apt.program("apt-get", "echo 'E: Unable to locate package chromium' >&2; exit 100")
    bootstrap.install_browser()
    assert capsys.readouterr().out.splitlines()[-1] == (
        "Chromium was not installed, so the browser tests are left out: E: Unable to locate package chromium"
    )
    monkeypatch.setattr(bootstrap, "APT_LIMIT_S", 0.3)
    apt.program("apt-get", "/bin/sleep 30")
    bootstrap.install_browser()
    assert "longer than 0.3 s" in capsys.readouterr().out
