"""The frame of the command line: help, errors as one line, exit codes."""

import os
import pty
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from importlib.metadata import version
from itertools import takewhile
from pathlib import Path
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
    assert "More commands, each with -h: dlcc sentiment train|pretrain|eval|compare" in shown


@pytest.mark.parametrize("name", COMMANDS)
def test_every_help_ends_with_examples_of_the_command_that_can_be_run(
    run_dlcc: Run, name: str
) -> None:
    command, wanted = COMMANDS[name], name.removesuffix(" run")
    if name.startswith("dlcc train "):  # the same as of the commands of families
        wanted = "dlcc"
    assert command.examples, name
    for line in command.examples:
        words = shlex.split(line.partition("| ")[2] if "| " in line else line)
        words = [*takewhile(lambda word: word not in ("<", ">"), words)]
        assert " ".join(words).startswith(wanted), line
        if len(words) > len(wanted.split()) and name != "dlcc help":
            command.make_context(name, words[len(wanted.split()) :] if wanted != "dlcc" else [])
    words = name.removesuffix(" run").split()[1:]
    shown = run_dlcc(*words, "-h").stdout
    assert shown == run_dlcc(*words, "--help").stdout == run_dlcc("help", *words).stdout
    assert shown.rstrip().endswith(command.examples[-1])


def test_panels_leave_arguments_in_their_order() -> None:
    arguments = [each.name for each in COMMANDS["dlcc translate compare"].params]
    assert arguments[:3] == ["first", "second", "more"]


def test_helps_show_panels_in_one_order_and_what_presets_set(run_dlcc: Run) -> None:
    shown = " ".join(run_dlcc("sentiment", "train", "-h").stdout.replace("│", " ").split())
    panels = ["Options", "Data", "Start", "Model", "Training", "Output", "Device", "General"]
    places = [shown.index(f"╭─ {name} ─") for name in panels]
    assert places == sorted(places)
    assert "[best: 12288; book: 16384]" in shown
    assert "<bool>" not in shown
    assert "pip install 'dlcc[models]'" in " ".join(
        run_dlcc("sentiment", "-h").stdout.replace("│", " ").split()
    )


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("attend --temperature abc", "--temperature abc: give a number (see dlcc attend -h)"),
        ("attend --seed -1", "--seed -1: at least 0 (see dlcc attend -h)"),
        ("vit train --epochs x", "--epochs x: give a whole number (see dlcc vit train -h)"),
        ("vit predict", "give IMAGE (see dlcc vit predict -h)"),
        ("attned", "no command attned: did you mean attend? (see dlcc -h)"),
        ("attend a b c", "too many arguments: (c) (see dlcc attend -h)"),
        ("attend --seed", "--seed: give a value"),
        ("vit ship.png", "ship.png is no command: did you mean dlcc vit predict ship.png?"),
        ("x.trace", "x.trace is no command: did you mean dlcc view x.trace?"),
        (
            "sentiment train --frozen",
            "no option --frozen: did you mean --freeze-embeddings? (see dlcc sentiment train -h)",
        ),
        ("view /nonexistent", "cannot read /nonexistent: No such file or directory"),
        (
            "attend --load nope",
            "--load nope: there is no such file; give a file that attend train saved, or relations",
        ),
    ],
)
def test_wrong_uses_are_said_in_our_own_words(run_dlcc: Run, line: str, said: str) -> None:
    assert run_dlcc(*line.split()).stderr == f"error: {said}\n"


def test_version(run_dlcc: Run) -> None:
    assert run_dlcc("-V").stdout == run_dlcc("--version").stdout == f"dlcc {version('dlcc')}\n"


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
        (KeyboardInterrupt(), 130, "interrupted"),
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


def shell(line: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        ["bash", "-c", line.replace("dlcc", f"{sys.executable} -m dlcc.cli")],
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.parametrize(
    ("line", "code", "said"),
    [
        ("dlcc attend - <&-", 2, "error: a sentence without a word"),
        ("dlcc sentiment <&-", 2, "error: stdin is empty"),
        ("dlcc translate <&-", 2, "error: stdin is empty"),
        ("dlcc attend 'the cat' >&-", 0, ""),
        ("dlcc attend 'the cat' >/dev/full", 3, "error: cannot read or write the result: No space"),
        ("dlcc --help >/dev/full", 3, "error: cannot read or write the result: No space"),
        ("dlcc attend 'the cat' --json >/dev/full", 3, "No space left on device"),
    ],
)
def test_streams_that_are_closed_or_full_are_one_line(line: str, code: int, said: str) -> None:
    ended = shell(line)
    assert (ended.returncode, ended.stderr.count("\n")) == (code, bool(said))
    assert said in ended.stderr


def test_a_full_disk_is_one_line_and_leaves_nothing(tmp_path: Path) -> None:
    words = " ".join(map(str, range(150)))
    for what in ("--save x.trace", "--export x.json"):
        ended = shell(f"cd {tmp_path}; ulimit -f 8; dlcc attend '{words}' {what} >/dev/null")
        assert (ended.returncode, ended.stderr.count("error: cannot write")) == (3, 1)
        assert ended.stderr.splitlines()[-1].startswith("error: cannot write ")
        assert list(tmp_path.iterdir()) == []


def test_a_name_that_no_file_can_have_is_one_line(run_dlcc: Run) -> None:
    for arguments in (["view", "a" * 300], ["attend", "the cat", "--save", "a" * 300]):
        result = run_dlcc(*arguments)
        assert (result.exit_code, result.stderr.count("\n")) == (3, 1)
        assert "File name too long" in result.stderr


def test_other_exits_keep_their_code(run_dlcc: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from dlcc.cli.commands import attend

    def leave(*_: object) -> None:
        raise SystemExit(7)

    monkeypatch.setattr(attend, "_texts", leave)
    assert run_dlcc("attend", "the cat").exit_code == 7


@pytest.mark.skipif(os.name == "nt", reason="Windows has other signals")
@pytest.mark.parametrize("delay", [0.05, 0.1, 0.2, 0.3, 0.45])
def test_ctrl_c_at_the_start_is_no_traceback(delay: float) -> None:
    # From the first line of ours on; before it the interpreter itself starts.
    # A shell may have started the tests in the background, deaf to it.
    listen = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    script = f"{listen}; print(flush=True); from dlcc.cli import main; main()"
    command = [sys.executable, "-c", script, "attend", "-"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        process.stdout.readline()
        time.sleep(delay)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert "Traceback" not in said
    assert (process.returncode, said) == (130, "interrupted\n")


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such terminal")
@pytest.mark.parametrize(
    "line",
    [
        "dlcc attend 'the cat' --json | dlcc view -",
        "echo 'I bought a book.' | dlcc translate - --tui",
        "dlcc sentiment - --tui < review.txt",
    ],
)
def test_the_viewer_has_its_keys_where_stdin_is_a_pipe(tmp_path: Path, line: str) -> None:
    (tmp_path / "review.txt").write_text("the cat is a fine film\n")
    pid, screen = pty.fork()
    if not pid:
        os.chdir(tmp_path)
        os.environ.update(TERM="xterm-256color", COLUMNS="80", LINES="24")
        os.execv("/bin/sh", ["sh", "-c", line.replace("dlcc", f"{sys.executable} -m dlcc.cli")])
    shown, pressed = b"", 0.0
    while True:
        try:
            data = os.read(screen, 1 << 16)
        except OSError:
            break
        if not data:
            break
        shown += data
        if b"\x1b[?1049h" in shown and b"help" in shown and time.monotonic() > pressed + 1:
            pressed = time.monotonic()
            os.write(screen, b"q")
    os.close(screen)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0, shown[-500:]
    assert pressed, shown[-500:]


@pytest.mark.skipif(os.name == "nt", reason="Windows has other signals")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_the_viewer_gives_the_terminal_back_when_it_is_ended(number: signal.Signals) -> None:
    pid, screen = pty.fork()
    if not pid:
        os.environ.update(TERM="xterm-256color", COLUMNS="80", LINES="24")
        command = [sys.executable, "-m", "dlcc.cli", "attend", "the cat", "--tui"]
        os.execv(command[0], command)
    shown, asked = b"", False
    while True:
        try:
            data = os.read(screen, 1 << 16)
        except OSError:
            break
        if not data:
            break
        shown += data
        if not asked and b"the" in shown and b"\x1b[?1049h" in shown:
            asked = True
            os.kill(pid, number)
    os.close(screen)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    assert status == 128 + number
    for mode in (b"1049l", b"1000l", b"25h"):  # other screen, mouse, cursor
        assert b"\x1b[?" + mode in shown
    assert b"Traceback" not in shown
