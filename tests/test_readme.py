"""The README's commands exist, its set-up is what CI runs, its help text is current."""

import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from dlcc.cli.app import app

README = (Path(__file__).parent.parent / "README.md").read_text()
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)
SHELL = [line for kind, text in BLOCKS if kind == "sh" for line in text.splitlines() if line]
COMMANDS = sorted({line for line in SHELL if re.match(r"(\S+ \| )?dlcc\b", line)})


def parsed(line: str) -> tuple[Any, list[str]]:
    """The command that a README line runs, and its arguments."""
    words = shlex.split(line.split("| ")[-1] if "| dlcc" in line else line, comments=True)
    words = words[
        : next(
            (n for n, word in enumerate(words) if word in ("|", ">", "2>", "<", "&&")), len(words)
        )
    ]
    command, rest = get_command(app), words[1:]
    while hasattr(command, "commands"):
        if rest and rest[0] in command.commands:
            command, rest = command.resolve_command(None, rest)[1:]
        elif "run" in command.commands:
            command = command.resolve_command(None, ["run"])[1]
        else:
            break
    return command, rest


def test_there_are_commands_to_check() -> None:
    assert len(COMMANDS) >= 10


@pytest.mark.parametrize("line", COMMANDS)
def test_every_command_parses(line: str) -> None:
    command, arguments = parsed(line)
    if arguments in (["--help"], ["--version"]):
        return
    assert not hasattr(command, "commands"), f"{line}: names no command"
    command.make_context("dlcc", arguments)


@pytest.mark.parametrize("name", get_command(app).commands)  # type: ignore[attr-defined]
def test_the_help_shown_is_the_commands_own(name: str) -> None:
    text = get_command(app).commands[name].help.splitlines()[0]  # type: ignore[attr-defined]
    assert re.search(rf"^│ {name} +{re.escape(text)} *│$", README, re.MULTILINE)


def test_set_up_is_two_lines_and_the_second_is_what_ci_runs() -> None:
    set_up = [line for line in SHELL if line.startswith("python3 -m venv")]
    assert len(set_up) == 2
    assert set_up[0].endswith("dlcc attend")
    assert set_up[1].endswith("pytest")


def test_the_screen_shown_is_the_viewers_own() -> None:
    golden = Path(__file__).parent / "cli" / "tui" / "goldens" / "map.txt"
    assert golden.read_text().rstrip() in README


def test_the_grid_shown_is_what_is_printed(run_dlcc: Callable[..., Any]) -> None:
    printed = run_dlcc("attend").stdout.splitlines()
    assert "\n".join(line.rstrip() for line in printed) in README


def test_the_pictures_are_there_and_ask_nothing_of_the_network() -> None:
    shown = re.findall(r"^!\[.+\]\((assets/\w+\.svg)\)$", README, re.MULTILINE)
    assert shown == ["assets/screen.svg", "assets/text.svg"]
    for name in shown:
        svg = (Path(__file__).parent.parent / name).read_text()
        assert not re.search(r"url\((?!#)|@import|<script", svg)


def test_how_figures_were_measured_is_where_the_readme_says() -> None:
    bench = (Path(__file__).parent / "bench/README.md").read_text()
    headings = {
        line[3:].lower().replace(" ", "-") for line in bench.splitlines() if line[:3] == "## "
    }
    assert {*re.findall(r"tests/bench/README\.md#([\w-]+)", README)} <= headings


@pytest.mark.parametrize("sample", ["letters/dlcc_letters.py", "next_word.py"])
def test_contributing_shows_the_samples_as_they_are_tested(sample: str) -> None:
    text = (Path(__file__).parent.parent / "CONTRIBUTING.md").read_text()
    assert f"```python\n{(Path(__file__).parent / 'samples' / sample).read_text()}```" in text
