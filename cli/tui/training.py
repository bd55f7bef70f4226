"""A training as it runs: its curves, and the attention of its sample as it changes."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import ClassVar

from rich.console import Console
from rich.text import Text
from textual.app import App, ComposeResult
from textual.containers import Container, Vertical
from textual.screen import ModalScreen
from textual.widgets import OptionList, Static

from dlcc.cli.draw.palette import color_system
from dlcc.cli.draw.runs import called
from dlcc.cli.progress import Watch
from dlcc.cli.tui.keys import Key, Keys, bindings, footer
from dlcc.cli.tui.state import Frame, ViewState
from dlcc.cli.tui.widgets.grid import MapGrid
from dlcc.cli.tui.widgets.plots import Plots
from dlcc.core.trace.trace import AttentionTrace
from dlcc.core.train.metrics import read_metrics
from dlcc.core.train.task import EpochEnded, Event, Finished, Started, Stepped

LEFT = "left"
"""What the app returns when it was left and the training is to go on."""
_REFRESH = 0.25  # seconds between two looks at the steps
_ATTENTION = 10.0  # seconds between two looks at the sample within an epoch
_SMOOTH = 0.95
_KEYS: Keys = {"Training": (Key("q,ctrl+c", "q", "ask", "Leave or stop", footer="leave or stop"),)}


class Leave(ModalScreen[str]):
    """What is to become of the training."""

    BINDINGS = [("escape", "dismiss('')", "back")]  # noqa: RUF012 - as Textual has it
    WAYS: ClassVar = {
        LEFT: "Leave it running: this screen closes, the training goes on below",
        "stop": "Stop it: dlcc resume goes on from here",
        "": "Go back",
    }

    def compose(self) -> ComposeResult:
        yield OptionList(*self.WAYS.values())

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        self.dismiss([*self.WAYS][event.option_index])


class TrainingApp(App[str]):
    """Draws the events of a training, which runs in a thread of its own."""

    BINDINGS = bindings(_KEYS, modal=True)
    ENABLE_COMMAND_PALETTE = False
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-wide")]  # noqa: RUF012 - as Textual has it
    CSS = """
    #now, #name { height: 1; padding: 0 1; text-wrap: nowrap; text-overflow: ellipsis; }
    #sample { height: 1; padding: 0 1; text-wrap: nowrap; text-overflow: ellipsis; }
    #both { height: 1fr; }
    #attention { width: 1fr; height: 1fr; }
    MapGrid { height: 1fr; }
    .-wide #both { layout: horizontal; }
    Leave { align: center middle; }
    Leave OptionList { width: 70; max-width: 95%; height: auto; border: round $primary; }
    """

    def __init__(
        self,
        events: Iterator[Event],
        watch: Watch,
        run: Path,
        metric: str,
        traces: Callable[[], list[AttentionTrace]],
    ) -> None:
        """Args:
        events: of the training.
        watch: what puts it into words.
        run: its folder.
        metric: what decides which epoch is best.
        traces: the sample's attention now.
        """
        super().__init__()
        self.animation_level = "none"
        self.narrated = watch
        self.stopping = self.leaving = False
        self.finished: Finished | None = None
        self.failure: BaseException | None = None
        self._events, self._metric, self._traces = events, metric, traces
        before = [line for line in read_metrics(run) if line.get(metric) is not None]
        self._figures = [(line["epoch"], line[metric]) for line in before]
        self._losses: list[tuple[float, float]] = []

    def compose(self) -> ComposeResult:
        yield Static(id="now")
        with Container(id="both"):
            yield Plots()
            with Vertical(id="attention"):
                yield Static(id="name")
                yield MapGrid()
        yield Static(id="sample")
        yield footer()

    def on_mount(self) -> None:
        self.query_one(MapGrid).can_focus = False
        self.run_worker(self._train, thread=True)

    def _train(self) -> None:
        """In a thread: draw event by event, until it is over or somebody leaves."""
        seen = looked = time.monotonic()
        try:
            for event in self._events:
                now = time.monotonic()
                if isinstance(event, Finished):
                    self.finished = event
                    break
                if isinstance(event, Stepped):
                    self._learned(event)
                if not isinstance(event, Stepped) or now - seen > _REFRESH:
                    seen = now
                    self.call_from_thread(self._draw, event)
                if isinstance(event, Started | EpochEnded) or now - looked > _ATTENTION:
                    looked = now
                    self.call_from_thread(self._look, self._traces())
                if self.leaving:
                    break
        except BaseException as error:
            self.failure = error
        self.call_from_thread(self.exit, "" if self.finished or self.failure else LEFT)

    def _learned(self, event: Stepped) -> None:
        self.narrated.take(event)
        place = event.epoch + event.step_in_epoch / max(event.steps_in_epoch, 1)
        before = self._losses[-1][1] if self._losses else event.loss
        self._losses.append((place, _SMOOTH * before + (1 - _SMOOTH) * event.loss))
        if len(self._losses) > 4000:  # more than any screen shows
            del self._losses[::2]

    def _draw(self, event: Event) -> None:
        if not isinstance(event, Stepped):
            self.narrated.take(event)
        if isinstance(event, EpochEnded):
            self._figures.append((event.epoch + 1, event.metrics[self._metric]))
            self.query_one("#sample", Static).update(Text(event.sample, "dim"))
        self.query_one("#now", Static).update(Text(self.narrated.now, "bold"))
        name = f"{called(self._metric)} on the validation part"
        plots = [(name, {called(self._metric): self._figures})] if self._figures else []
        self.query_one(Plots).show([*plots, ("training loss", {"loss": self._losses})])

    def _look(self, traces: list[AttentionTrace]) -> None:
        name, grid = self.query_one("#name", Static), self.query_one(MapGrid)
        grid.display = bool(traces)
        if not traces:
            name.update(Text("this training shows no attention", "dim"))
            return
        state = ViewState([Frame("now", traces)])
        state.system = color_system(Console(force_terminal=True))
        name.update(Text(state.shown.title))
        grid.fit_zoom()
        grid.show(state.shown, state)

    def action_ask(self) -> None:
        if isinstance(self.screen, Leave):
            return

        def chosen(way: str | None) -> None:
            self.leaving, self.stopping = way == LEFT, way == "stop"

        self.push_screen(Leave(), chosen)
