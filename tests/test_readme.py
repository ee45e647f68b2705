"""What the README and the guides say can be typed, can be typed; what they say is there, is there."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from interpositive import cli
from interpositive.tools import TOOLS
from interpositive.tools.parameters import add_options, validate

CHECKOUT = Path(__file__).resolve().parents[1]
README = (CHECKOUT / "README.md").read_text(encoding="utf-8")
PAGES = [*sorted(CHECKOUT.glob("*.md")), *sorted((CHECKOUT / "docs").rglob("*.md"))]
GUIDES = [page for page in PAGES if page.parent.name != "decisions"]
LONGEST_DECISION_LINES = 50  # one screen
LARGEST_PICTURES_BYTES = 1_500_000


def code_blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def command_lines() -> list[tuple[str, str]]:
    """(page, line) of every `interpositive TOOL ...` that stands in a code block, fenced or indented."""
    found = set()
    for page in GUIDES:
        text = page.read_text(encoding="utf-8")
        lines = [line for block in code_blocks(text, "sh") for line in block.splitlines()]
        lines += [line.strip() for line in text.splitlines() if line.startswith("    ")]
        matches = [re.fullmatch(r"(?:torchrun .* -m )?(interpositive [a-z].*)", line) for line in lines]
        found |= {(page.name, match[1]) for match in matches if match}
    return sorted(found)


def tree_paths() -> list[Path]:
    """Every file and folder that the README's tree names."""
    tree = next(block for block in code_blocks(README, "text") if "core/interpositive/" in block)
    paths: list[Path] = []
    parents: list[Path] = []
    for line in tree.splitlines():
        indent = (len(line) - len(line.lstrip())) // 2
        shown = [word for word in line.split() if re.fullmatch(r"[\w./-]+(\.\w+|/)|LICENSE|\.ci/run", word)]
        names = shown[: next((k for k, word in enumerate(line.split()) if word not in shown), len(shown))]
        folder = parents[indent - 1] if indent else Path()
        paths += [folder / name for name in names]
        if names and names[0].endswith("/"):
            parents[indent:] = [folder / names[0]]
    return paths


@pytest.mark.parametrize(("page", "line"), command_lines())
def test_every_command_line_is_understood(page: str, line: str) -> None:
    name, words = cli._find_tool(shlex.split(line)[1:], TOOLS)
    module = TOOLS[name].load()
    parser = cli._Parser(prog=name, allow_abbrev=False)
    add_options(parser, module.Params)
    parser.add_argument("--json")
    values = parser.read(words)
    values.pop("json", None)
    assert validate(module.Params, values, as_options=True)


def test_the_readme_has_command_lines_of_its_own() -> None:
    assert sum(page == "README.md" for page, _ in command_lines()) >= 8


@pytest.mark.parametrize("command", ["demo", "test"])
def test_the_bootstrap_commands_exist(command: str) -> None:
    assert f"python3 install/bootstrap.py {command}\n" in code_blocks(README, "sh")
    assert f'"{command}"' in (CHECKOUT / "install" / "bootstrap.py").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", [*TOOLS, "worker"])
def test_every_tool_is_in_the_readme(name: str) -> None:
    assert f"interpositive {name}" in README or f"bootstrap.py {name}" in README


def test_everything_in_the_tree_is_there() -> None:
    paths = tree_paths()
    assert len(paths) > 40
    assert [str(path) for path in paths if not (CHECKOUT / path).exists()] == []


def test_every_tool_and_every_folder_of_the_engine_is_in_the_tree() -> None:
    named = {path.as_posix() for path in tree_paths()}
    engine = CHECKOUT / "core" / "interpositive"
    folders = {path.parent for path in engine.glob("*/__init__.py")}
    modules = {engine / "tools" / f"{tool.module.rsplit('.', 1)[1]}.py" for tool in TOOLS.values()}
    missing = {path.relative_to(CHECKOUT).as_posix() for path in folders | modules} - named
    assert missing == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#]+)", page.read_text(encoding="utf-8"))
    assert [target for target in targets if not (page.parent / target).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_pages_name_no_host_of_packages_and_no_place_on_one_machine(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert re.findall(r"https?://\S+|/(?:home|root|tmp|work|Users)/\S*", text) == []


def test_a_decision_fits_one_screen() -> None:
    decisions = sorted((CHECKOUT / "docs" / "decisions").glob("0*.md"))
    lengths = {path.name: len(path.read_text(encoding="utf-8").splitlines()) for path in decisions}
    assert {name: lines for name, lines in lengths.items() if lines > LONGEST_DECISION_LINES} == {}


def test_pictures_are_few_and_small() -> None:
    pictures = list((CHECKOUT / "docs" / "pictures").iterdir())
    assert sum(path.stat().st_size for path in pictures) < LARGEST_PICTURES_BYTES
    pages = "".join(page.read_text(encoding="utf-8") for page in PAGES)
    assert [path.name for path in pictures if path.name not in pages] == []
