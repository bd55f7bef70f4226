"""The frame of the command line: help, errors as one line, exit codes."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import version
from typing import Any

import pytest
from typer.main import get_command

from dlcc.cli.app import app
from dlcc.core import errors

Run = Callable[..., Any]


def commands(command: Any = None, name: str = "dlcc") -> Iterator[tuple[str, Any]]:
    command = command or get_command(app)
    for child in getattr(command, "commands", {}):
        yield from commands(command.resolve_command(None, [child])[1], f"{name} {child}")
    if not hasattr(command, "commands"):
        yield name, command


COMMANDS = dict(commands())


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_and_the_shared_options(name: str) -> None:
    command = COMMANDS[name]
    options = {option for param in command.params for option in param.opts}
    assert command.help, name
    assert {"--debug", "--quiet"} <= options, name
    for param in command.params:
        assert getattr(param, "help", None), f"{name}: {param.name} has no help"


def test_alone_it_shows_help(run_dlcc: Run) -> None:
    result = run_dlcc()
    assert result.exit_code == 0
    assert "attend" in result.stdout
    assert result.stderr == ""


def test_the_help_of_what_needs_no_command_names_the_commands(run_dlcc: Run) -> None:
    shown = " ".join(run_dlcc("sentiment", "--help").stdout.split())
    assert "Usage: dlcc sentiment [OPTIONS] [TEXT]..." in shown
    assert "More commands, each with --help: dlcc sentiment train|pretrain|eval|compare" in shown


def test_version(run_dlcc: Run) -> None:
    assert run_dlcc("--version").stdout == f"dlcc {version('dlcc')}\n"


@pytest.mark.parametrize(
    "arguments", [["nope"], ["--nope"], ["attend", "--nope"], ["attend", "--seed", "x"]]
)
def test_a_wrong_argument_is_one_line_and_exit_code_2(run_dlcc: Run, arguments: list[str]) -> None:
    result = run_dlcc(*arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1
    assert result.stderr.startswith("error: ")


class BoomError(Exception):
    pass


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (errors.UsageError("--x 3: [/b] is wrong"), 2, "error: --x 3: [/b] is wrong"),
        (errors.DataError("two\nlines"), 3, "error: two lines"),
        (errors.DeviceError("no cuda"), 4, "error: no cuda"),
        (errors.DlccError("failed"), 1, "error: failed"),
        (KeyboardInterrupt(), 130, "error: interrupted"),
        (BoomError("bug"), 1, "error: BoomError: bug; run again with --debug and report it"),
    ],
)
def test_errors_become_one_line_and_an_exit_code(
    run_dlcc: Run, monkeypatch: pytest.MonkeyPatch, error: BaseException, code: int, line: str
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr("importlib.metadata.version", fail)
    result = run_dlcc("--version")
    assert (result.exit_code, result.stderr) == (code, line + "\n")


def test_debug_shows_the_traceback() -> None:
    command = [sys.executable, "-m", "dlcc.cli", "attend", "", "--debug"]
    run = subprocess.run(command, capture_output=True, text=True)
    assert "Traceback" in run.stderr
    assert "UsageError" in run.stderr


def test_a_reader_that_leaves_early_is_no_error() -> None:
    run = subprocess.run(
        f"set -o pipefail; {sys.executable} -m dlcc.cli attend --json | head -c 10",
        shell=True,
        executable="/bin/bash",
        capture_output=True,
        text=True,
    )
    assert run.stderr == ""
    assert run.returncode == 0


def test_an_ascii_terminal_is_no_error() -> None:
    command = [sys.executable, "-m", "dlcc.cli", "attend", "café", "-q"]
    ascii_only = {**os.environ, "PYTHONIOENCODING": "ascii"}
    run = subprocess.run(command, capture_output=True, text=True, env=ascii_only)
    assert run.returncode == 0
    assert "caf?" in run.stdout


def test_completion_is_offered(run_dlcc: Run) -> None:
    assert "--install-completion" in run_dlcc("--help").stdout
