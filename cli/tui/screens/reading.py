"""A map with a cursor, and the keys that lead from it to other screens, files and the clipboard."""

import itertools
import unicodedata
from functools import partial

from rich.console import RenderableType
from textual import events
from textual.app import ComposeResult
from textual.geometry import clamp
from textual.screen import Screen

from dlcc.cli.draw.labels import display
from dlcc.cli.tui import info
from dlcc.cli.tui.export import Seen, seen_in
from dlcc.cli.tui.keys import MAP_KEYS, WHEN, WHY, footer
from dlcc.cli.tui.messages import Compute
from dlcc.cli.tui.opening import reproducing
from dlcc.cli.tui.screens.dialogs import Ask, Choose, Read
from dlcc.cli.tui.screens.files import ask_and_export, ask_and_write
from dlcc.cli.tui.screens.panes import PaneScreen
from dlcc.cli.tui.state import Choice, ViewState
from dlcc.cli.tui.widgets.body import MapBody
from dlcc.core.trace.trace import AttentionTrace, save_traces


class Reading(Screen[None]):
    """Shows a state; `MapScreen` moves in it and changes how it is drawn."""

    def __init__(self, state: ViewState) -> None:
        super().__init__()
        self.body: MapBody = MapBody(state)
        self._match = 0  # the number of the match under the cursor
        self._working: frozenset[str] = frozenset()
        state.waits = True

    def on_mount(self) -> None:
        self.call_after_refresh(self._ask_sources)

    def _ask_sources(self) -> None:
        self.state.waits = False
        self._show_keys()

    @property
    def state(self) -> ViewState:
        return self.body.state

    def compose(self) -> ComposeResult:
        yield self.body
        yield footer()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return action not in WHEN or not self.is_mounted or WHEN[action](self.state)

    def on_key(self, event: events.Key) -> None:
        """A key that can do nothing here says why."""
        if event.key in self.active_bindings:
            return
        for key in itertools.chain.from_iterable(MAP_KEYS.values()):
            if event.key in key.keys.split(",") and not self.check_action(key.name, ()):
                why = WHY.get(key.name, "it can do nothing on this map")
                self.notify(f"{key.shown.split()[0]}: {why}", markup=False)

    def redraw(self) -> None:
        """Draw the state anew, with the keys that it has."""
        self.set_class(self.state.projector, "projector")
        self.body.redraw()
        self._show_keys()

    def _show_keys(self) -> None:
        """Show the keys that the state has, where these have changed."""
        working = frozenset(action for action, when in WHEN.items() if when(self.state))
        if working != self._working:
            self._working = working
            self.refresh_bindings()

    def choose(self, choice: Choice | None) -> None:
        """Show another map of the frame, if one was chosen."""
        if choice is not None:
            self.state.choose(choice)
            self.redraw()

    def go(self, row: int, column: int) -> None:
        """Put the cursor on a cell, inside the map."""
        rows, columns = self.state.shown.values.shape
        self.state.row = clamp(row, 0, rows - 1)
        self.state.column = clamp(column, 0, columns - 1)
        self.body.place_cursor()

    # Other screens

    def action_overview(self) -> None:
        from dlcc.cli.tui.screens.overview import OverviewScreen

        self._beside(OverviewScreen)

    def action_beside(self) -> None:
        from dlcc.cli.tui.screens.beside import BesideScreen

        self._beside(BesideScreen)

    def action_explanations(self) -> None:
        from dlcc.cli.tui.screens.explanations import ExplanationsScreen

        self._beside(ExplanationsScreen)

    def action_cutmix(self) -> None:
        from dlcc.cli.tui.screens.mixed import MixedScreen

        self._beside(MixedScreen)

    def _beside(self, screen: type[PaneScreen]) -> None:
        self.app.push_screen(screen(self.state), self.choose)

    def action_explain(self) -> None:
        from dlcc.cli.tui.screens.cell import cell_story

        self._read("How this cell came about", cell_story(self.state))

    def action_table(self) -> None:
        self._read("The map in words", info.table(self.state.shown))

    def action_command(self) -> None:
        command = reproducing(self.state)
        self.app.copy_to_clipboard(command)
        self._read("The command that reproduces this view (copied)", command)

    def _read(self, title: str, text: RenderableType) -> None:
        self.app.push_screen(Read(title, text))

    def action_difference(self) -> None:
        """Choose a map to subtract, or show the map itself again."""
        state = self.state
        if state.minus is not None:
            state.minus = None
            self.redraw()
            return

        def chosen(minus: Choice | None) -> None:
            if minus is not None:
                state.minus = minus
                self.redraw()

        options = [(state.title_of(choice), choice) for choice in state.comparable()]
        self.app.push_screen(Choose(f"Subtract from {state.shown.title}", options), chosen)

    def action_alternatives(self) -> None:
        """Choose another word at the cursor's row, and have the trace made again with it."""
        state, trace, again = self.state, self.state.trace, self.state.again
        step = state.shown.queries[state.row][0]
        options = [
            (f"{probability:.3f}  {display(word)}", word)
            for word, probability in info.alternatives(trace, step)
        ]

        def chosen(word: str | None) -> None:
            if word is not None and again is not None:
                what = f"Translating on from {display(word)}"
                done = partial(self.add_by_hand, trace)
                self.post_message(Compute(what, lambda: again(trace, step, word), done))

        title = f"In place of {display(trace.query[step])}"
        self.app.push_screen(Choose(title, options), chosen)

    def add_by_hand(self, base: AttentionTrace, traces: list[AttentionTrace]) -> None:
        self.state.add_by_hand(traces, base)
        self.redraw()

    # Searching

    def action_search(self) -> None:
        """Ask for a word, and go to the first row or column that holds it."""

        def find(answer: list[str] | None) -> None:
            if not answer or not answer[0]:
                return
            self.state.searched = unicodedata.normalize("NFC", answer[0]).casefold()
            if found := len(self.state.matches):
                self.notify(f"{found} found; n and N go through them", markup=False)
                self.action_match(0)
            else:
                self.notify(f"{answer[0]} is in no row or column", markup=False)
            self.redraw()

        fields = [("Part of a row's or column's token", "")]
        self.app.push_screen(Ask("Search a word", fields), find)

    def action_match(self, step: int) -> None:
        """Go to the next match (or with -1 the previous, with 0 the first)."""
        matches, state = self.state.matches, self.state
        self._match = (self._match + step) % len(matches) if step else 0
        side, place = matches[self._match]
        self.go(*((place, state.column) if side == "row" else (state.row, place)))

    # Taking away

    def action_save(self) -> None:
        traces = self.state.traces
        ask_and_write(
            self, "Save the traces", "attention.trace", lambda path, _: save_traces(path, traces)
        )

    def action_export(self) -> None:
        def seen() -> Seen:
            return seen_in(self.state, self.body.grid.has_numbers)

        ask_and_export(self, seen, "attention.svg")

    def action_copy_cell(self) -> None:
        state, shown = self.state, self.state.shown
        names = f"{shown.row_labels[state.row]}\t{shown.column_labels[state.column]}"
        self._copy(f"{names}\t{shown.values[state.row, state.column]:.6g}")

    def action_copy_row(self) -> None:
        shown, row = self.state.shown, self.state.row
        heading = "\t".join(["", *shown.column_labels])
        numbers = "\t".join(f"{value:.6g}" for value in shown.values[row].tolist())
        self._copy(f"{heading}\n{shown.row_labels[row]}\t{numbers}")

    def _copy(self, text: str) -> None:
        self.app.copy_to_clipboard(text)
        self.notify(f"Copied: {text.splitlines()[-1][:60]}", markup=False)
