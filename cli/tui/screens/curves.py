"""A run's curves: an epoch is chosen on them, its attention stands beside."""

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Container, Vertical
from textual.geometry import clamp
from textual.screen import Screen
from textual.timer import Timer
from textual.widgets import Static

from dlcc.cli.draw.curves import Curve
from dlcc.cli.draw.export import PAGES
from dlcc.cli.draw.runs import called
from dlcc.cli.progress import figure
from dlcc.cli.tui.export import Seen, map_panel
from dlcc.cli.tui.keys import EXPORT, MAP_KEYS, Key, Keys, bindings, footer
from dlcc.cli.tui.messages import Failed
from dlcc.cli.tui.opening import frames_of
from dlcc.cli.tui.screens.beside import BesideScreen
from dlcc.cli.tui.screens.files import ask_and_export
from dlcc.cli.tui.screens.map import MapScreen
from dlcc.cli.tui.state import Choice, Frame, ViewState
from dlcc.cli.tui.widgets.grid import MapGrid
from dlcc.cli.tui.widgets.plots import Plots
from dlcc.core.errors import DataError
from dlcc.core.train.metrics import read_metrics
from dlcc.core.train.summary import Summary, summary_of

if TYPE_CHECKING:
    from dlcc.cli.draw.figure.panels import Panel

_PACE = 0.5  # seconds an epoch is shown when they are played
_SECOND = "train_loss"  # what is plotted below the figure that decides


@dataclass
class Run:
    """A run as this screen shows it."""

    path: Path

    @cached_property
    def summary(self) -> Summary:
        """Raises:
        DataError: the run is damaged, or no epoch of it has ended.
        """
        found = summary_of(self.path)
        if found.why:
            raise DataError(f"{self.path} is damaged ({found.why})")
        return found

    @cached_property
    def epochs(self) -> list[dict[str, float]]:
        """The figures of each epoch that has ended, by name."""
        return read_metrics(self.path)

    @cached_property
    def frames(self) -> dict[int, Frame]:
        """The attention of each epoch that kept it."""
        try:
            frames = frames_of(self.path)
        except DataError:
            return {}
        return {int(frame.label.split()[-1]): frame for frame in frames}

    @property
    def best(self) -> int:
        """The place of the best epoch."""
        numbers = [line["epoch"] for line in self.epochs]
        best = self.summary.best_epoch
        return numbers.index(best) if best in numbers else len(numbers) - 1


_BACK: Keys = {"Curves": (Key("backspace", "⌫", "back", "Back to the curves", footer="curves"),)}


class EpochMap(MapScreen):
    """The maps of an epoch, with a way back to the curves."""

    KEYS = MAP_KEYS | _BACK
    BINDINGS = bindings(_BACK, modal=True)

    def action_back(self) -> None:
        self.app.pop_screen()


class CurvesScreen(Screen[None]):
    """Curves of one or several runs, one epoch of one of them chosen."""

    KEYS: ClassVar[Keys] = {
        "Epochs": (
            Key("enter", "Enter", "open_maps", "The maps of this epoch", footer="maps"),
            Key("right,l,full_stop", "→ .", "step(1)", "Next epoch"),
            Key("left,h,comma", "← ,", "step(-1)", "Previous epoch"),
            Key("home,0", "Home 0", "edge(0)", "First epoch"),
            Key("end,dollar_sign", "End $", "edge(-1)", "Last epoch"),
            Key("asterisk", "*", "best", "Best epoch", footer="best"),
            Key("space", "Space", "play", "Play the epochs, and stop", footer="play"),
            Key("tab", "Tab", "turn", "The next run", footer="run"),
            EXPORT,
        ),
        "Two epochs": (
            Key("m", "m", "mark", "Mark this epoch, to compare another with it", footer="mark"),
            Key("d", "d", "difference", "This epoch minus the marked one", footer="minus"),
            Key("b", "b", "beside", "This epoch beside the marked one", footer="beside"),
        ),
    }
    BINDINGS = bindings(KEYS)
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (110, "-wide")]  # noqa: RUF012 - as Textual has it
    DEFAULT_CSS = """
    CurvesScreen #about { height: 2; padding: 0 1; text-wrap: nowrap; text-overflow: ellipsis; }
    CurvesScreen #both { height: 1fr; }
    CurvesScreen #attention { height: 1fr; width: 1fr; }
    CurvesScreen #name { height: 1; text-wrap: nowrap; text-overflow: ellipsis; }
    CurvesScreen MapGrid { height: 1fr; }
    CurvesScreen.-wide #both { layout: horizontal; }
    """

    def __init__(self, paths: list[Path]) -> None:
        """Raises:
        DataError: a run is damaged, or no epoch of it has ended.
        """
        super().__init__()
        self.runs = [Run(path) for path in paths]
        for run in self.runs:
            if not run.summary or not run.epochs:
                raise DataError(f"{run.path}: no epoch has ended yet")
        self.number = 0
        self.place = self.run.best
        self.marked: tuple[int, int] | None = None
        """(number of the run, place of the epoch)."""
        self._playing: Timer | None = None

    @property
    def run(self) -> Run:
        return self.runs[self.number]

    def compose(self) -> ComposeResult:
        yield Static(id="about")
        with Container(id="both"):
            yield Plots()
            with Vertical(id="attention"):
                yield Static(id="name")
                yield MapGrid()
        yield footer()

    def on_mount(self) -> None:
        self.query_one(MapGrid).can_focus = False
        self.call_after_refresh(self.draw)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "turn":
            return len(self.runs) > 1
        if action in ("open_maps", "mark", "difference", "beside"):
            return bool(self.run.frames)
        return True

    # Drawing

    def draw(self) -> None:
        """Everything anew: the epoch in words, the curves, its attention."""
        epoch = self.run.epochs[self.place]
        self._draw_words(epoch)
        self._draw_curves(epoch)
        self._draw_map(int(epoch["epoch"]))
        self.refresh_bindings()

    def _draw_words(self, epoch: dict[str, float]) -> None:
        summary = self.run.summary
        best = " (best)" if self.place == self.run.best else ""
        number = f"epoch {epoch['epoch']:.0f} of {len(self.run.epochs)}{best}"
        names = [n for n in epoch if n not in ("epoch", "step", "seconds", summary.metric)]
        names.insert(0, summary.metric)
        shown = [f"{called(n)} {figure(epoch[n])}" for n in names if epoch.get(n) is not None]
        minutes = f"{epoch['seconds'] / 60:.1f} minutes"
        text = Text.assemble((f"{summary.name}  ", "bold"), f"{summary.kind}, {summary.state}\n")
        text.append(number, "bold").append(f"  {'  '.join(shown)}  {minutes}")
        self.query_one("#about", Static).update(text)

    def _draw_curves(self, epoch: dict[str, float]) -> None:
        self.query_one(Plots).show(self._plots(epoch))

    def _plots(self, epoch: dict[str, float]) -> list[tuple[str, dict[str, Curve]]]:
        plots: list[tuple[str, dict[str, Curve]]] = []
        for metric in (self.run.summary.metric, _SECOND):
            curves: dict[str, Curve] = {
                run.summary.name: run.summary.curve(metric) for run in self.runs
            }
            if len(self.runs) == 1:
                curves = dict(zip([called(metric)], curves.values(), strict=True))
            if epoch.get(metric) is not None:
                curves[f"epoch {epoch['epoch']:.0f}"] = [(epoch["epoch"], epoch[metric])]
            plots.append((called(metric), curves))
        return plots

    def action_export(self) -> None:
        self._stop()
        ask_and_export(self, self.seen, "curves.svg")

    def seen(self) -> Seen:
        """The curves and the map of the chosen epoch, for a file."""
        from dlcc.cli.draw.figure.curves import CurvesPanel

        epoch = self.run.epochs[self.place]
        panels: list[Panel] = [
            CurvesPanel(curves, name, "epochs", name) for name, curves in self._plots(epoch)
        ]
        state = self._state(int(epoch["epoch"]))
        if state is not None:
            panels.append(map_panel(state))
        return Seen(panels, formats=PAGES)

    def _draw_map(self, epoch: int) -> None:
        name, grid = self.query_one("#name", Static), self.query_one(MapGrid)
        try:
            state = self._state(epoch)
        except DataError as error:
            self.post_message(Failed(error))
            return
        grid.display = state is not None
        if state is None:
            name.update(Text("this run keeps no attention", "dim"))
            return
        name.update(Text(state.shown.title))
        grid.fit_zoom()
        grid.show(state.shown, state)

    def _state(self, epoch: int) -> ViewState | None:
        """The run's epochs as the map shows them, at one of them or the nearest before."""
        frames = self.run.frames
        if not frames:
            return None
        place = max(0, sum(number <= epoch for number in frames) - 1)
        state = ViewState([*frames.values()], place, path=self.run.path)
        state.system = getattr(self.app, "color_system", None)
        _ = state.traces
        return state

    # Which epoch

    def _go(self, place: int) -> None:
        self.place = clamp(place, 0, len(self.run.epochs) - 1)
        self.draw()

    def action_step(self, by: int) -> None:
        self._go(self.place + by)

    def action_edge(self, place: int) -> None:
        self._go(place % len(self.run.epochs))

    def action_best(self) -> None:
        self._go(self.run.best)

    def action_turn(self) -> None:
        self.number = (self.number + 1) % len(self.runs)
        self._go(self.run.best)

    def action_play(self) -> None:
        if self._playing:
            self._stop()
            return
        if self.place == len(self.run.epochs) - 1:
            self._go(0)
        self._playing = self.set_interval(_PACE, self._play_on)

    def _play_on(self) -> None:
        self._go(self.place + 1)
        if self.place == len(self.run.epochs) - 1:
            self._stop()

    def _stop(self) -> None:
        if self._playing:
            self._playing.stop()
        self._playing = None

    # Its maps

    def action_open_maps(self) -> None:
        self._stop()
        if state := self._state(int(self.run.epochs[self.place]["epoch"])):
            self.app.push_screen(EpochMap(state))

    def action_mark(self) -> None:
        self.marked = self.number, self.place
        self.notify(f"{self._called(*self.marked)} is marked: d subtracts it, b puts it beside.")

    def action_difference(self) -> None:
        if state := self._two():
            if state.minus is None:
                self.notify("Their maps have other sizes: b shows them side by side.")
                return
            self.app.push_screen(EpochMap(state))

    def action_beside(self) -> None:
        if state := self._two():
            state.minus = None
            self.app.push_screen(EpochMap(state))
            self.app.push_screen(BesideScreen(state), self._opened)

    def _opened(self, choice: Choice | None) -> None:
        """The map that was opened from those side by side is shown alone."""
        if isinstance(self.app.screen, EpochMap) and choice is not None:
            self.app.screen.choose(choice)

    def _called(self, number: int, place: int) -> str:
        run = self.runs[number]
        epoch = f"epoch {run.epochs[place]['epoch']:.0f}"
        return f"{run.summary.name} {epoch}" if len(self.runs) > 1 else epoch

    def _two(self) -> ViewState | None:
        """This epoch's maps and the marked one's (the first's where none is marked), together."""
        self._stop()
        here, other = (self.number, self.place), self.marked or (self.number, 0)
        if here == other:
            self.notify("Mark another epoch with m, then come back to this one.")
            return None
        traces = []
        try:
            for number, place in (here, other):
                run = self.runs[number]
                frame = run.frames[max(n for n in run.frames if n <= run.epochs[place]["epoch"])]
                name = self._called(number, place)
                traces += [replace(t, title=f"{name} {t.title}".rstrip()) for t in frame.traces[:1]]
        except (DataError, ValueError) as error:
            self.post_message(Failed(error))
            return None
        state = ViewState([Frame("two epochs", traces)])
        state.system = getattr(self.app, "color_system", None)
        minus = Choice(1, 0, 0)
        state.minus = minus if minus in state.comparable() else None
        return state
