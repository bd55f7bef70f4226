"""What is shown of a training while it runs: nothing stale, nothing wider than the screen."""

import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from dlcc.cli import console, progress
from dlcc.cli.options import settings
from dlcc.core.train.task import EpochEnded, Event, Finished, Started, Stepped, Validating

METRICS = {"train_loss": 0.7692, "accuracy": 0.5833, "log_loss": 0.6925, "calibration_error": 12.5}


def events(watch: progress.Watch, epochs: int = 2) -> Iterator[Event]:
    yield Started(Path("run"), 100, 0, epochs, 1234, "cpu", True)
    for epoch in range(epochs):
        for step in range(100):
            done = epoch * 100 + step
            place = step + 1, 100
            yield Stepped(epoch, done + 1, done / 200, 0.5, 128, 0.001, done / 10, *place)
        yield Validating(epoch)
        watch.validating(40, 100)
        yield EpochEnded(epoch, METRICS, epoch == 0, "A sentence that shows what it does. " * 4)
    yield Finished("epochs", 0.5833, 20.0)


def shown(monkeypatch: pytest.MonkeyPatch, terminal: bool) -> str:
    file = io.StringIO()
    made = Console(file=file, force_terminal=terminal, width=80, color_system=None)
    monkeypatch.setattr(console, "stderr", lambda: made)
    watch = progress.Watch("pictures")
    assert watch.follow(events(watch)).reason == "epochs"
    return file.getvalue()


def test_in_a_pipe_there_are_lines_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = shown(monkeypatch, False).splitlines()
    assert lines == [
        "1,234 parameters on cpu, bfloat16, 100 steps an epoch",
        "               on the validation part:",
        "        train               log  calibration",
        "epoch    loss  accuracy    loss        error",
        "    1  0.7692    0.5833  0.6925        12.50  best",
        *(lines[5:6]),
        "    2  0.7692    0.5833  0.6925        12.50",
        *(lines[7:8]),
    ]
    assert lines[5] == lines[7]
    assert lines[5].startswith("       A sentence that shows")
    assert lines[5].rstrip().endswith("what it does.")  # whole: nothing is cut there


@pytest.mark.parametrize("terminal", [True, False])
def test_figures_that_a_screen_has_no_room_for_are_left_out(
    monkeypatch: pytest.MonkeyPatch, terminal: bool
) -> None:
    monkeypatch.setattr("rich.live.Live.start", lambda self, refresh=False: None)
    more = {f"accuracy_of_source{number}": 0.5 for number in range(9)}
    monkeypatch.setitem(globals(), "METRICS", METRICS | more)
    lines = [line for line in shown(monkeypatch, terminal).splitlines() if line[:5] == "    1"]
    assert lines[0].count("0.5000") == (3 if terminal else 9)
    assert lines[0].endswith("best")
    assert len(lines[0]) <= 80 or not terminal


def test_on_a_terminal_a_bar_says_what_is_going_on_and_leaves(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    memory: Any = lambda: 1_234_000_000  # noqa: E731
    monkeypatch.setattr("dlcc.core.train.runtime.memory_in_use", memory)
    monkeypatch.setattr("rich.live.Live.start", lambda self, refresh=False: None)
    monkeypatch.setattr(progress, "clock", lambda seconds: "1:02:03")
    texts: list[str] = []
    real = progress.Watch._show

    def show(self: progress.Watch, done: float | None = None) -> None:
        real(self, done)
        assert self.bar
        (task,) = self.bar.tasks
        texts.append(f"{task.description} | {task.fields['rest']}")

    monkeypatch.setattr(progress.Watch, "_show", show)
    written = shown(monkeypatch, True)
    assert "epoch 2/2  50/100  loss 0.500 | 1:02:03 left  1,280 pictures/s  1.2 GB" in texts
    assert "epoch 1/2  validating  40% | 1:02:03 left  1,280 pictures/s  1.2 GB" in texts
    assert not re.search("━.*\n.*epoch +loss", written)


def test_quiet_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "quiet", True)
    assert shown(monkeypatch, True) == ""


def test_a_time_is_short() -> None:
    assert [progress.clock(seconds) for seconds in (5, 65.4, 3723)] == ["0:05", "1:05", "1:02:03"]
