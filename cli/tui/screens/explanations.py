"""Attention, rollout and the trace's explanations side by side, with their rank correlation."""

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.geometry import clamp
from textual.widgets import Static

from dlcc.cli.draw.bar import signs
from dlcc.cli.draw.labels import display, fit
from dlcc.cli.draw.pictures import LIGHT, LIT
from dlcc.cli.tui.export import Seen, panel_of
from dlcc.cli.tui.keys import EXPORT, Key, Keys, arrows, bindings, footer
from dlcc.cli.tui.screens.panes import PaneScreen
from dlcc.cli.tui.state import GLYPHS, ROLLOUT, Choice, ShownMap, ViewState, place_in
from dlcc.cli.tui.widgets import patches
from dlcc.cli.tui.widgets.grid import MapGrid
from dlcc.cli.tui.widgets.ink import bar_of, palette_of
from dlcc.cli.tui.widgets.picture import Picture
from dlcc.core.trace import maps
from dlcc.core.trace.scales import Scale, scale_of
from dlcc.core.trace.trace import AttentionTrace

if TYPE_CHECKING:
    from dlcc.cli.draw.figure.panels import Panel


def collected(state: ViewState) -> tuple[tuple[str, ...], dict[str, np.ndarray]]:
    """The labels of all K keys, special ones too, and each method's value [K] of them, for the
    query under the cursor."""
    whole = ViewState(state.frames, state.frame, words=state.words)
    shown = whole.map_of(state.choice)
    query = place_in(shown.queries, state.shown.queries[state.row][0])
    rows = {f"attention ({state.title_of(state.choice)})": shown.values[query]}
    if maps.can_roll_out(state.trace.weights.shape) and "rollout" not in state.explanations:
        rolled = Choice(state.choice.trace, 0, ROLLOUT)
        rows["rollout"] = whole.map_of(rolled).values[query]
    for name, values in state.explanations.items():
        rows[display(name)] = maps.merge(values[None], ((0,),), shown.keys)[0]
    return shown.column_labels, rows


def correlations(rows: dict[str, np.ndarray]) -> str:
    """Spearman's rank correlation of every two methods, as a table."""
    width = max(map(len, rows))
    head = " " * (width + 5) + "".join(f"{n + 1:>8}" for n in range(len(rows)))
    lines = ["Rank correlation (Spearman)", head]
    for number, (name, values) in enumerate(rows.items()):
        figures = (maps.rank_correlation(values, other) for other in rows.values())
        cells = "".join(f"{'-' if f != f else format(f, '.2f'):>8}" for f in figures)
        lines.append(f"{number + 1:>3}  {fit(name, width)}{cells}")
    return "\n".join(lines)


class ExplanationsScreen(PaneScreen):
    """One row a method for text, one picture a method for images."""

    KEYS: ClassVar[Keys] = {
        "Explanations": (
            *arrows(
                "One key to the left",
                "One key to the right",
                "One method, or patch, up",
                "One method, or patch, down",
                footer="move",
            ),
            EXPORT,
            Key("escape,E", "Esc E", "dismiss", "Back to the map", footer="back"),
        )
    }
    BINDINGS = bindings(KEYS)
    DEFAULT_CSS = """
    ExplanationsScreen #table { height: auto; border-top: solid $primary; }
    """

    def __init__(self, state: ViewState) -> None:
        super().__init__(state)
        self._labels, self._rows = collected(state)
        self._grid = state.trace.grid if state.trace.image is not None else None
        """(rows, columns) of patches, where there is a picture."""
        self._first = 0 if self._grid is None else patches.first_key(state.trace)
        self.column = self._first

    def compose(self) -> ComposeResult:
        yield Static(id="here", classes="line", markup=False)
        with Horizontal():
            if self._grid is None:
                with Vertical():
                    yield MapGrid()
                    yield Static(id="bar", classes="line")
            else:
                for number, name in enumerate(self._rows, 1):
                    with Vertical():
                        yield Static(f"{number} {name}", classes="line", markup=False)
                        yield Picture()
                        yield Static(classes="line bar")
        yield Static(Text(correlations(self._rows)), id="table")
        yield footer()

    def draw(self) -> None:
        trace = self.state.trace
        if trace.image is None:
            values = np.stack(list(self._rows.values())).astype(np.float32)
            names, signed = tuple(self._rows), bool(values.min() < 0)
            shown = ShownMap(values, names, self._labels, (), (), "", signed)
            scale = scale_of("row", values)
            self.query_one(MapGrid).show(shown, self.state, scale)
            self.query_one("#bar", Static).update(self._bar(scale, self.app.size.width))
        else:
            for picture, values in zip(self.query(Picture), self._rows.values(), strict=True):
                weights = values[self._first :].reshape(trace.grid)
                scale = scale_of("own", weights)
                picture.show(trace.image, scale.places(weights), self.state)
                bar = self._bar(scale, self.app.size.width // len(self._rows), named=False)
                picture.query_ancestor(Vertical).query_one(".bar", Static).update(bar)
        self.place()

    def seen(self) -> Seen:
        from dlcc.cli.draw.figure.panels import bar_of as figure_bar
        from dlcc.cli.draw.figure.pictures import Picture as Pictured
        from dlcc.cli.draw.figure.pictures import PicturePanel

        trace, names = self.state.trace, tuple(self._rows)
        values = np.stack(list(self._rows.values())).astype(np.float32)
        labels, signed = self._labels, bool(values.min() < 0)
        found = np.array([[maps.rank_correlation(a, b) for b in values] for a in values])
        panels: list[Panel] = []
        if trace.image is None:
            shown = ShownMap(values, names, labels, (), (), "Explanations", signed)
            panels.append(panel_of(shown, scale_of("row", values), self.state))
        else:
            for name, each in self._rows.items():
                weights = each[self._first :].reshape(trace.grid)
                scale = scale_of("own", weights)
                palette = palette_of(self.state.palette, scale.signed)
                lit = Pictured(trace.image, "", scale.places(weights), LIT)
                bar = figure_bar(scale, palette if scale.signed else LIGHT)
                panels.append(PicturePanel([lit], name, bar=bar, palette=palette))
        title = "Rank correlation (Spearman)"
        ranks = ShownMap(np.nan_to_num(found), names, names, (), (), title, True)
        scale = Scale("own", 1.0, signed=True)
        panels.append(replace(panel_of(ranks, scale, self.state, numbers=True), label="ρ"))
        shown_as = AttentionTrace(values[None, None], names, labels, "combined", "Explanations")
        return Seen(panels, [shown_as], self.state.palette)

    def _bar(self, scale: Scale, width: int, named: bool = True) -> Text:
        colored = None if self.state.palette_seen == GLYPHS else self.state.system
        legend = f" {signs(colored)}" if scale.signed else ""
        return bar_of(scale, self.state, width - len(legend) - 2, named).append(legend, "dim")

    def place(self) -> None:
        key = self._labels[self.column]
        parts = (f"{name} {values[self.column]:.4f}" for name, values in self._rows.items())
        self.query_one("#here", Static).update(f" {key}: {', '.join(parts)}")
        if self._grid is None:
            self.query_one(MapGrid).place(self.row, self.column)
        else:
            for picture in self.query(Picture):
                picture.place(divmod(self.column - self._first, self._grid[1]))

    def action_move(self, down: int, right: int) -> None:
        if self._grid is None:
            self.row = clamp(self.row + down, 0, len(self._rows) - 1)
        else:
            right += down * self._grid[1]
        if self._first <= self.column + right < len(self._labels):
            self.column += right
        self.place()

    def on_picture_touched(self, event: Picture.Touched) -> None:
        assert self._grid is not None
        row, column = event.patch
        self.column = self._first + row * self._grid[1] + column
        self.place()
