"""The consoles: nothing from outside steers a terminal, and every stream shows something."""

import io
import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.progress import Progress
from rich.table import Table
from rich.text import Text

from dlcc.cli import console

Run = Callable[..., Any]
EVIL = "\x1b]0;pwned\x07\x1b[2J\x9b31m\x7f\u202e\x08"
_RICHS = re.compile(r"\x1b\[([\d;]*m|\?25[lh]|2K|1A)|\r")
_CONTROLS = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def controls(shown: str) -> list[str]:
    """What steers besides colours and bars, which Rich writes."""
    return _CONTROLS.findall(_RICHS.sub("", shown))


@pytest.mark.parametrize(
    "shown",
    [
        EVIL,
        Text(EVIL, "bold"),
        Text.assemble(("a", "red"), EVIL),
        pytest.param(lambda: Table(EVIL, title=EVIL), id="table"),
    ],
)
def test_a_console_lets_nothing_steer_a_terminal(shown: Any) -> None:
    shown = shown() if callable(shown) else shown
    for forced, clean in ((True, True), (False, False)):
        file = io.StringIO()
        console.CleanConsole(file=file, force_terminal=forced, width=90).print(shown)
        assert (not controls(file.getvalue())) == clean
        assert "pwned" in file.getvalue()


def test_a_bar_lets_nothing_steer_a_terminal() -> None:
    file = io.StringIO()
    screen = console.CleanConsole(file=file, force_terminal=True, width=90)
    with Progress(console=screen) as bar:
        bar.add_task(EVIL)
    assert "pwned" in file.getvalue()
    assert not re.search("\x1b]|\x1b\\[2J|[\x07\x7f\x9b\u202e]", file.getvalue())


def test_no_command_lets_its_input_steer_a_terminal(
    run_dlcc: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    (tmp_path / f"{EVIL}.csv").write_text(f"{EVIL},b\nx,y\n")
    for arguments in (
        ["attend", f"a {EVIL} cat"],
        ["attend", f"a {EVIL} cat", "--load", EVIL],
        ["attend", "a cat", "--embeddings", tmp_path / EVIL],
        ["sentiment", f"A lovely {EVIL} film", "--attention"],
        ["sentiment", f"A lovely {EVIL} film", "A film"],
        ["sentiment", "--file", tmp_path / f"{EVIL}.csv"],
        ["translate", f"I bought {EVIL} a book.", "--attention"],
        ["view", tmp_path / EVIL],
        ["vit", "predict", tmp_path / EVIL],
        [EVIL],
    ):
        result = run_dlcc(*arguments)
        assert "pwned" in result.stdout + result.stderr, arguments
        assert not controls(result.stdout + result.stderr), arguments


def test_data_are_harmless_on_a_terminal_and_whole_in_a_pipe() -> None:
    script = "from dlcc.cli.console import *; print_json(['\\x9b\\x7f']); put('\\x1b')"
    piped = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True).stdout
    assert piped.decode() == '["\x9b\x7f"]\n\x1b\n'
    ours, theirs = pty.openpty()
    subprocess.run([sys.executable, "-c", script], stdout=theirs, check=True)
    os.close(theirs)
    shown = os.read(ours, 99).decode().replace("\r\n", "\n")
    os.close(ours)
    assert shown == '["�␡"]\n␛\n'


def test_a_message_is_never_longer_than_a_screen(capsys: pytest.CaptureFixture[str]) -> None:
    for say in (console.note, console.warn, console.fail):
        say("the word " + "a" * 100_000 + " is unknown")
        said = capsys.readouterr().err
        assert len(said) < 1100
        assert "the word" in said
        assert "is unknown" in said


@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "latin-1"])
def test_a_stream_that_lacks_the_shades_gets_others(encoding: str) -> None:
    environment = {**os.environ, "PYTHONIOENCODING": encoding}
    shown = dlcc("attend", "cat dog", env=environment).stdout.decode(encoding)
    assert "?" not in shown
    assert "#" in shown
    shown = dlcc("attend", "猫 dog", "--json", env=environment).stdout.decode(encoding)
    assert "\\u732b" in shown


@pytest.mark.parametrize("columns", ["0", "", "00"])
def test_a_screen_without_columns_is_taken_for_one_that_says_nothing(columns: str) -> None:
    environment = {**os.environ, "COLUMNS": columns}
    assert b"cat" in dlcc("attend", "the cat", env=environment).stdout
    assert b"Usage" in dlcc("--help", env=environment).stdout


def dlcc(*arguments: str, **options: Any) -> "subprocess.CompletedProcess[bytes]":
    command = [sys.executable, "-m", "dlcc.cli", *arguments]
    return subprocess.run(command, capture_output=True, check=True, **options)
