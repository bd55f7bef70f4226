"""The command `dlcc view`: what it opens, what it prints without a terminal, what it refuses."""

import os
import pty
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest
from viewing import image_trace, state_of, text_trace

from dlcc.cli.options import command_of
from dlcc.cli.tui import app as viewer
from dlcc.cli.tui.opening import frames_of, reproducing
from dlcc.cli.tui.opening import state_of as state_from_options
from dlcc.cli.tui.state import ROLLOUT, Choice
from dlcc.core import sources
from dlcc.core.errors import DataError
from dlcc.core.trace.trace import load_traces, save_traces

OLD = Path(__file__).parents[2] / "data" / "old"


@pytest.fixture
def trace_file(tmp_path):
    save_traces(tmp_path / "t.trace", [text_trace(0), text_trace(1)])
    return tmp_path / "t.trace"


def test_without_a_terminal_the_map_is_printed(run_dlcc, trace_file):
    result = run_dlcc("view", trace_file, "--map", "2.1.mean", "--words")
    assert result.exit_code == 0
    assert "model 1, layer 1, mean of 3 heads" in result.stdout
    assert "student" in result.stdout
    assert "\x1b" not in result.stdout


def test_differences_and_pictures_are_printed_too(run_dlcc, trace_file, tmp_path):
    assert "minus" in run_dlcc("view", trace_file, "--minus", "1.1.2").stdout
    save_traces(tmp_path / "i.trace", [image_trace()])
    assert "[CLS]" in run_dlcc("view", tmp_path / "i.trace").stdout


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--map", "1.1.9"], "trace 1 has 2 layers of 3 heads"),
        (["--map", "x"], "--map x"),
        (["--map", "0.1.1"], "--map 0.1.1"),
        (["--map", "1.1.median"], "--map 1.1.median"),
        (["--minus", "1.1.1"], "--minus 1.1.1"),
        (["--scale", "map"], "--scale map"),
        (["--palette", "rainbow"], "--palette rainbow"),
        (["--epoch", "2"], "--epoch 2"),
    ],
)
def test_options_that_name_nothing(run_dlcc, trace_file, options, said):
    result = run_dlcc("view", trace_file, *options)
    assert result.exit_code == 2
    assert said in result.stderr
    assert result.stderr.count("\n") == 1
    assert result.stdout == ""


def test_files_that_cannot_be_shown(run_dlcc, tmp_path):
    (tmp_path / "bad.trace").write_text("not a trace")
    for path in (tmp_path / "bad.trace", tmp_path / "absent.trace", tmp_path):
        result = run_dlcc("view", path)
        assert result.exit_code == 3
        assert result.stderr.startswith("error: ")
        assert result.stderr.count("\n") == 1


def test_without_trace_and_terminal_it_says_what_to_do(run_dlcc):
    result = run_dlcc("view")
    assert result.exit_code == 2
    assert "dlcc view FILE.trace" in result.stderr


def test_a_run_folder_opens_epoch_by_epoch(run_dlcc, tmp_path):
    (tmp_path / "traces").mkdir()
    for epoch in (1, 2, 10):
        save_traces(tmp_path / f"traces/epoch-{epoch:03}.trace", [text_trace(epoch)])
    (tmp_path / "traces/epoch-last.trace").write_text("not an epoch")
    frames = frames_of(tmp_path)
    assert [frame.label for frame in frames] == ["epoch 1", "epoch 2", "epoch 10"]
    assert frames[2].traces[0].title == "model 10"
    assert run_dlcc("view", tmp_path, "--epoch", "3").exit_code == 0
    (tmp_path / "traces/epoch-002.trace").write_text("damaged")
    state = state_from_options(tmp_path, "1.1.1", None, 1, "own", "viridis")
    with pytest.raises(DataError, match="epoch-002"):
        state.go_to_frame(1)
    assert state.frame == 0


def test_the_command_brings_the_view_back(trace_file):
    state = state_from_options(trace_file, "2.2.3", "1.1.mean", 1, "row", "grey")
    state.regroup(words=True, hide_special=True)
    command = reproducing(state)
    assert command == (
        f"dlcc view {trace_file} --map 2.2.3 --minus 1.1.mean --hide-special "
        "--scale row --palette grey"
    )
    again = state_from_options(trace_file, "2.2.3", "1.1.mean", 1, "row", "grey")
    assert again.choice == state.choice == Choice(1, 1, 2)
    assert again.words
    again.regroup(words=False, hide_special=False)
    assert "--tokens" in reproducing(again)
    made = state_of(text_trace(), words=None)
    made.choose(Choice(0, 0, ROLLOUT))
    assert reproducing(made) == (
        "dlcc attend 'the student' --save view.trace && dlcc view view.trace --map 1.1.rollout"
    )
    several = state_of(text_trace(0), text_trace(1), words=None)
    several.choose(Choice(1, 0, 2))
    assert reproducing(several).endswith("dlcc view view.trace --map 1.1.3")
    several.minus = Choice(0, 0, 0)
    assert reproducing(several).startswith("dlcc view SAVED.trace --map 2.1.3 --minus 1.1.1")
    made.add_by_hand([text_trace()], made.trace)
    assert reproducing(made).startswith("dlcc view SAVED.trace")


def test_the_viewer_attends_with_what_is_installed():
    traces = sources.traces_of("attend", ["the cat", "", "all"])
    assert len(traces) == 4
    assert traces[0].title == "scaled dot-product"
    assert traces[0].query == traces[0].key == ("the", "cat")
    assert len(sources.traces_of("attend", ["the cat", "a dog", "dot"])) == 1


@pytest.mark.parametrize(
    ("name", "command"),
    [
        (
            "attend",
            "dlcc attend 'the cat sat' 'a dog stood' --mechanism dot --temperature 0.5 --seed 3",
        ),
        ("sentiment", "dlcc sentiment 'Fine film.' --long ends"),
        ("translate", "dlcc translate 'I bought a book.' --beam 3"),
        ("vit", "dlcc vit predict photo.png --checkpoint run"),
    ],
)
def test_traces_of_earlier_versions_open_with_their_command(run_dlcc, name, command):
    file = OLD / f"{name}.trace"
    assert run_dlcc("view", file).exit_code == 0
    trace = load_traces(file)[0]
    assert trace.kind == name
    assert trace.made_by["command"] == command
    shown = reproducing(state_of(trace, words=None))
    assert shown == f"{command} --save view.trace && dlcc view view.trace"


@pytest.mark.parametrize(
    ("made_by", "command"),
    [
        ({"source": "translate", "asked": ["-1 is less."]}, "dlcc translate -- '-1 is less.'"),
        (
            {"source": "vit", "asked": ["a b.png"], "options": {"checkpoint": "runs/mine"}},
            "dlcc vit predict 'a b.png' --checkpoint runs/mine",
        ),
        (
            {"source": "attend", "asked": ["a"], "options": {"scale": False, "heads": 5}},
            "dlcc attend a --no-scale --heads 5",
        ),
        ({"source": "mine", "asked": ["a", "b c"], "options": {"x": 1}}, "dlcc look mine a 'b c'"),
        ({"source": "attend"}, None),
        ({"source": ["attend"], "asked": 3}, None),
        ({}, None),
    ],
)
def test_a_command_is_written_of_what_a_trace_says(made_by, command):
    assert command_of(made_by) == command


@pytest.mark.parametrize(("term", "interactive"), [("xterm-256color", True), ("dumb", False)])
def test_a_dumb_terminal_gets_the_table(monkeypatch, term, interactive):
    monkeypatch.setenv("TERM", term)
    monkeypatch.delenv("TEXTUAL_DRIVER", raising=False)
    for stream in (sys.stdin, sys.stdout):
        monkeypatch.setattr(stream, "isatty", lambda: True)
    assert viewer.is_interactive() == interactive


def test_a_real_process_opens_without_torch_and_leaves_cleanly(trace_file):
    """In a pseudo-terminal: the map comes, q leaves, the terminal is restored."""
    code = (
        "import sys; from dlcc.cli.app import app\n"
        "try: app(['view', sys.argv[1]])\n"
        "finally: print('TORCH', 'torch' in sys.modules)"
    )
    main, side = pty.openpty()
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "80", "LINES": "24"}
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(trace_file)],
        stdin=side,
        stdout=side,
        stderr=side,
        env=environment,
    )
    os.close(side)
    seen, sent, deadline = b"", False, time.monotonic() + 30
    while process.poll() is None and time.monotonic() < deadline:
        if select.select([main], [], [], 0.1)[0]:
            try:
                seen += os.read(main, 65536)
            except OSError:
                break
        if not sent and b"looks most at" in seen:
            os.write(main, b"q")
            sent = True
    assert process.wait(10) == 0
    os.close(main)
    assert b"TORCH False" in seen
    assert b"\x1b[?1049l" in seen  # back from the alternate screen
    assert b"\x1b[?25h" in seen  # the cursor is there again
