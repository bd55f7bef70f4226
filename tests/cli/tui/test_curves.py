"""A run opens on its curves; epochs are chosen, played, opened and compared."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from textual.widgets import Input, Static
from viewing import Viewed, text_trace, view

from dlcc.cli.progress import Watch
from dlcc.cli.tui import app as viewer
from dlcc.cli.tui.opening import best_frame, remember_opened, runs_near
from dlcc.cli.tui.screens.beside import BesideScreen
from dlcc.cli.tui.screens.curves import CurvesScreen, EpochMap
from dlcc.cli.tui.training import LEFT, TrainingApp
from dlcc.core.trace.trace import save_traces
from dlcc.core.train.checkpoint import save_checkpoint
from dlcc.core.train.metrics import add_line
from dlcc.core.train.task import EpochEnded, Event, Finished, Started, Stepped, Validating

ACCURACIES = (0.5, 0.6, 0.9, 0.8)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return made(tmp_path / "runs/mine")


def made(run: Path, accuracies: tuple[float, ...] = ACCURACIES) -> Path:
    """A run of so many epochs."""
    best = accuracies.index(max(accuracies))
    for number, accuracy in enumerate(accuracies):
        numbers = {"epoch": number + 1, "step": 10 * number + 10, "seconds": 60.0 * (number + 1)}
        add_line(run, {**numbers, "train_loss": 1 - accuracy, "accuracy": accuracy})
        save_traces(run / f"traces/epoch-{number + 1:03}.trace", [text_trace(number)])
    for name, epoch in (("last", len(accuracies)), ("best", best + 1)):
        about: dict[str, Any] = {"fit": {"epochs": 4}, "metric": {"name": "accuracy"}}
        if name == "best":
            about["metrics"] = {"accuracy": accuracies[best], "epoch": epoch}
        weights = {"w": torch.zeros(1)}
        save_checkpoint(run / name, kind="line", weights=weights, config={}, about=about)
    return run


def test_curves_and_the_map_of_an_epoch_are_exported(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    async def steps(viewed: Viewed) -> None:
        for name in ("c.csv", "c.svg"):
            await viewed.press("e")
            viewed.app.screen.query_one(Input).value = name
            await viewed.press("enter")
            await viewed.press("escape")
        assert "c.csv: end it in .svg, .pdf, .png or .html" in viewed.messages
        shown = Path("c.svg").read_text("utf-8")
        assert all(f">{word}</text>" in shown for word in ("(a)", "(c)", "epoch 3", "her"))

    view(None, steps, runs=[run])


def test_the_start_screen_shows_what_became_of_a_run(run: Path) -> None:
    remember_opened(run)

    async def steps(viewed: Viewed) -> None:
        lines = [way.line for way in viewed.app.screen._ways]
        await viewed.press(*["down"] * lines.index("Lately: mine"))
        said = viewed.app.screen.query_one("#previewed", Static).content
        assert "best accuracy 0.9 on the validation part, epoch 3" in str(said)

    view(None, steps, size=(160, 36))


def test_it_opens_at_the_best_epoch_and_keys_choose_others(run: Path) -> None:
    async def steps(viewed: Viewed) -> None:
        assert "epoch 3 of 4 (best)  accuracy 0.9000  train loss 0.1000" in viewed.text
        assert "● accuracy   ▲ epoch 3" in viewed.text
        assert "layer 1, head 1 of 3" in viewed.text
        for key, said in (
            ("home", "epoch 1 of 4  accuracy 0.5000"),
            ("end", "epoch 4 of 4  accuracy 0.8000"),
            ("left", "epoch 3 of 4 (best)"),
            ("comma", "epoch 2 of 4  accuracy"),
            ("asterisk", "epoch 3 of 4 (best)"),
        ):
            await viewed.press(key)
            assert said in viewed.text, key

    for size in ((80, 24), (200, 50)):
        view(None, steps, size=size, runs=[run])


def test_enter_opens_the_maps_of_the_epoch_and_backspace_leads_back(run: Path) -> None:
    async def steps(viewed: Viewed) -> None:
        await viewed.press("enter")
        assert isinstance(viewed.app.screen, EpochMap)
        assert viewed.state.frames[viewed.state.frame].label == "epoch 3"
        await viewed.press("full_stop")
        assert viewed.state.trace.title == "model 3"
        await viewed.press("backspace")
        assert isinstance(viewed.app.screen, CurvesScreen)

    view(None, steps, runs=[run])


def test_two_epochs_are_subtracted_and_stand_side_by_side(run: Path) -> None:
    async def steps(viewed: Viewed) -> None:
        await viewed.press("home", "d")
        assert "Mark another epoch" in viewed.messages
        await viewed.press("m", "end", "d")
        await viewed.press("W")
        state = viewed.state
        assert state.minus is not None
        assert "epoch 4 model 3" in state.traces[0].title
        difference = text_trace(3).weights[0, 0] - text_trace(0).weights[0, 0]
        assert state.shown.values == pytest.approx(difference)
        await viewed.press("backspace", "b")
        assert isinstance(viewed.app.screen, BesideScreen)
        assert "epoch 1 model 0" in viewed.text

    view(None, steps, runs=[run])


def test_epochs_are_played_to_the_last(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dlcc.cli.tui.screens.curves._PACE", 0.01)

    async def steps(viewed: Viewed) -> None:
        await viewed.press("home", "space")
        await viewed.until(lambda: "epoch 4 of 4" in viewed.text)
        assert "epoch 4 of 4" in viewed.text

    view(None, steps, runs=[run])


def test_runs_are_compared(run: Path, tmp_path: Path) -> None:
    other = made(tmp_path / "runs/other", (0.7, 0.2))

    async def steps(viewed: Viewed) -> None:
        assert "mine" in viewed.text
        await viewed.press("m", "tab")
        assert "epoch 1 of 2 (best)  accuracy 0.7000" in viewed.text
        await viewed.press("d")
        assert "other epoch 1 model 0" in viewed.state.traces[0].title
        assert "mine epoch 3 model 2" in viewed.state.traces[1].title

    view(None, steps, runs=[run, other])


def test_what_the_command_opens(
    run_dlcc: Callable[..., Any], run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert best_frame(run) == 3
    shown = run_dlcc("view", run).stdout  # in a pipe: the best epoch's map
    assert shown == run_dlcc("view", run, "--epoch", 3).stdout
    assert shown != run_dlcc("view", run, "--epoch", 1).stdout
    several = run_dlcc("view", run, run)
    assert (several.exit_code, "on a terminal" in several.stderr) == (2, True)
    opened: list[Any] = []
    monkeypatch.setattr(viewer, "is_interactive", lambda: True)
    monkeypatch.setattr(viewer, "view", lambda *arguments: opened.append(arguments))
    for options in ([run], [run, run], [run, "--epoch", 2]):
        assert run_dlcc("view", *options).exit_code == 0
    assert [len(each) for each in opened] == [2, 2, 1]
    assert opened[2][0].frame == 1
    monkeypatch.chdir(tmp_path)
    assert runs_near() == [Path("runs/mine")]
    (run / "metrics.jsonl").write_text("{")
    assert run_dlcc("view", run).exit_code == 3


def steps_of(stop: Callable[[], bool]) -> Iterator[Event]:
    """A training that goes on until it is stopped."""
    yield Started(Path("run"), 10, 0, 3, 1234, "cpu", True)
    for epoch in range(10**6):
        for step in range(10):
            yield Stepped(epoch, step, 0.1, 0.5, 8, 0.01, float(step), step + 1, 10)
            if stop():
                yield Finished("stopped", 0.5, 1.0)
                return
        yield Validating(epoch)
        yield EpochEnded(epoch, {"train_loss": 0.4, "accuracy": 0.75}, True, "a sample")


@pytest.mark.parametrize(("keys", "way"), [(["enter"], LEFT), (["down", "enter"], "")])
def test_a_training_is_watched_and_left_running_or_stopped(
    tmp_path: Path, keys: list[str], way: str
) -> None:
    app: Any = None
    events = steps_of(lambda: app.stopping)

    async def run() -> None:
        nonlocal app
        watch, traces = Watch("texts"), lambda: [text_trace(1)]
        app = TrainingApp(events, watch, tmp_path, "accuracy", traces)
        async with app.run_test(size=(120, 40)) as pilot:
            for _ in range(200):
                await pilot.pause(0.02)
                if len(app._figures) > 2 and app.screen.query_one("MapGrid").shown.title:
                    break
            await pilot.press("q")
            await pilot.pause()
            await pilot.press(*keys)
            for _ in range(200):
                await pilot.pause(0.02)
                if app._exit:
                    break

    asyncio.run(run())
    assert app.failure is None
    assert app.return_value == way
    if way == LEFT:
        assert isinstance(next(events), Stepped | Validating | EpochEnded)  # it goes on
    else:
        assert app.finished.reason == "stopped"
    assert app.narrated.now.startswith("epoch ")
