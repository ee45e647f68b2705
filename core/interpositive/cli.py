"""The command line: `interpositive TOOL ...`, generated from the tools' `Params`.

Exit status: 0 done, 1 an expected error (one line on stderr), 2 wrong usage, 130 cancelled, 70 a bug (its
traceback is in the log that the line names).
"""

from __future__ import annotations

import argparse
import contextlib
import difflib
import os
import signal
import sys
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NoReturn

from . import __version__
from .errors import Cancelled, InterpositiveError, UsageError
from .host_bridge.folders import state_folder
from .host_bridge.protocol import one_line
from .terminal_progress import TerminalProgress
from .tools import TOOLS, Tool

EXIT_OK, EXIT_ERROR, EXIT_USAGE, EXIT_BUG, EXIT_CANCELLED = 0, 1, 2, 70, 130
WORKER_SUMMARY = "Serve a host: JSON lines on standard input and output."
_LARGEST_LOG_BYTES = 1024 * 1024


def main(arguments: Sequence[str] | None = None, tools: Mapping[str, Tool] = TOOLS) -> int:
    """Run one command; returns its exit status."""
    _let_waiting_threads_sleep()
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        return _run_command(words, tools)
    except Cancelled as cancelled:
        return _complain(str(cancelled), EXIT_CANCELLED)
    except UsageError as error:
        return _complain(str(error), EXIT_USAGE)
    except InterpositiveError as error:
        return _complain(str(error), EXIT_ERROR)
    except BrokenPipeError:  # `interpositive ... | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_OK
    except KeyboardInterrupt:
        return _complain("Stopped.", EXIT_CANCELLED)
    except Exception as bug:  # noqa: BLE001 - a bug is told in one line and kept in the log
        return _complain(_keep_traceback(bug), EXIT_BUG)


def _let_waiting_threads_sleep() -> None:
    """Set before any library reads it: threads of OpenMP spin while they wait, unless told to sleep.

    With another program on the same cores, spinning made the same training ten times slower.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def _run_command(words: list[str], tools: Mapping[str, Tool]) -> int:
    if not words or words[0] in ("-h", "--help", "help"):
        print(_overview(tools))
        return EXIT_OK
    if words[0] == "--version":
        print(f"interpositive {__version__}")
        return EXIT_OK
    if words[0] == "worker":
        from .worker import main as serve_host

        return serve_host()
    name, rest = _find_tool(words, tools)
    return _run_tool(name, tools[name], rest)


def _find_tool(words: list[str], tools: Mapping[str, Tool]) -> tuple[str, list[str]]:
    """The tool that the first words name ("bench shot" before "bench"), and the words after it."""
    for length in (2, 1):
        name = " ".join(words[:length])
        if len(words) >= length and name in tools:
            return name, words[length:]
    group = [name for name in tools if name.startswith(words[0] + " ")]
    if group:
        raise UsageError(f"interpositive {words[0]} goes on with one of: {', '.join(group)}.")
    close = _did_you_mean(words[0], [*tools, "worker"])
    raise UsageError(f"There is no tool {words[0]!r}.{close} `interpositive --help` lists them.")


def _run_tool(name: str, tool: Tool, words: list[str]) -> int:
    module = tool.load()
    from .tools.parameters import add_options, validate
    from .tools.results import check_json_target, result_lines, result_problem, write_json

    parser = _Parser(prog=f"interpositive {name}", description=tool.summary, allow_abbrev=False)
    add_options(parser, module.Params)
    parser.add_argument("--json", metavar="FILE", help="write the result as JSON; - prints it")
    values = parser.read(words)
    target = values.pop("json")
    if target is not None:
        check_json_target(target)
    params = validate(module.Params, values, as_options=True)
    progress = TerminalProgress(sys.stderr)
    with _ctrl_c_cancels(progress):
        try:
            result = module.run(params, progress)
        finally:
            progress.close()
    if _is_follower():
        return EXIT_OK
    if target is not None:
        write_json(result, target)
    for line in result_lines(result) if target != "-" else ():
        print(line)
    sys.stdout.flush()
    problem = result_problem(result)
    return EXIT_OK if problem is None else _complain(problem, EXIT_ERROR)


def _is_follower() -> bool:
    """Whether torchrun started this process beside a first one, which alone tells the result."""
    return os.environ.get("WORLD_SIZE", "1") != "1" and os.environ.get("RANK", "0") != "0"


class _Parser(argparse.ArgumentParser):
    """Raises UsageError where argparse would print its usage and exit."""

    def read(self, words: list[str]) -> dict[str, Any]:
        """The options by field name; a mistyped one is answered with the one that was probably meant."""
        values, unknown = self.parse_known_args(words)
        if unknown:
            known = [option for action in self._actions for option in action.option_strings]
            self.error(f"{unknown[0]} is not an option.{_did_you_mean(unknown[0].split('=')[0], known)}")
        return vars(values)

    def error(self, message: str) -> NoReturn:
        sentence = message[:1].upper() + message[1:]
        end = "" if sentence.endswith("?") else "."
        raise UsageError(f"{sentence.rstrip('.')}{end} `{self.prog} --help` lists the options.")


@contextlib.contextmanager
def _ctrl_c_cancels(progress: TerminalProgress) -> Iterator[None]:
    """Ctrl-C, or SIGTERM, cancels at the next step; a second one ends the process at once."""

    def stop(number: int, frame: object) -> None:
        if progress.cancelled:
            progress.close()
            sys.stderr.write("Stopped at once.\n")
            sys.stderr.flush()
            os._exit(EXIT_CANCELLED)
        progress.cancel()
        progress.log("Stopping after this step; press Ctrl-C again to stop at once.")

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _overview(tools: Mapping[str, Tool]) -> str:
    listed = {**{name: tool.summary for name, tool in tools.items()}, "worker": WORKER_SUMMARY}
    width = max(map(len, listed))
    lines = [
        "usage: interpositive TOOL ...",
        "",
        "Post-production tools that learn from a production's own footage.",
        "",
        *(f"  {name:<{width}}  {summary}" for name, summary in listed.items()),
        "",
        "`interpositive TOOL --help` lists a tool's options; `interpositive --version` tells the version.",
    ]
    return "\n".join(lines)


def _did_you_mean(word: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(word, known, n=1)
    return f" Did you mean {close[0]}?" if close else ""


def _complain(line: str, status: int) -> int:
    sys.stderr.write(f"interpositive: {one_line(line)}\n")
    return status


def _keep_traceback(bug: Exception) -> str:
    """Append the traceback to the log; returns the line that says where it is."""
    told = f"A bug: {type(bug).__name__}: {str(bug).rstrip('.')}."
    path = state_folder() / "interpositive.log"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists() and path.stat().st_size > _LARGEST_LOG_BYTES:
            path.replace(path.with_suffix(".log.1"))
        with path.open("a", encoding="utf-8") as log:
            command = " ".join(sys.argv[1:])
            log.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} interpositive {__version__} {command}\n")
            traceback.print_exception(bug, file=log)
    except OSError:
        traceback.print_exception(bug)
        return f"{told} The log {path} cannot be written, so its traceback is above."
    return f"{told} Its traceback is in {path}; report it with what you did."
