"""The current view as a file or as printed lines: what is seen, hidden, merged and subtracted."""

from dataclasses import astuple
from pathlib import Path

from dlcc.cli.console import stdout
from dlcc.cli.draw.export import export
from dlcc.cli.draw.grid import GridStyle, attention_grid
from dlcc.cli.draw.palette import color_system
from dlcc.cli.tui.opening import reproducing
from dlcc.cli.tui.state import GLYPHS, ViewState
from dlcc.cli.tui.widgets.ink import NUMBER_WIDTH, palette_of
from dlcc.core.trace.trace import AttentionTrace


def shown_trace(state: ViewState) -> AttentionTrace:
    """The map on the screen as a trace of one layer and one head."""
    shown, trace, (_, layer, head) = state.shown, state.trace, astuple(state.choice)
    one_head = isinstance(head, int) and state.minus is None
    scores = trace.scores if one_head and not (state.words or state.hide_special) else None
    return AttentionTrace(
        shown.values[None, None],
        shown.row_labels,
        shown.column_labels,
        kind=trace.kind if one_head else "combined",
        title=shown.title,
        scores=None if scores is None else scores[layer, head][None, None],
        made_by={**trace.made_by, "command": reproducing(state)},
    )


def export_shown(path: Path, state: ViewState, cell_width: int) -> None:
    """Write the view into `path`, numbers in the picture where the screen has them.

    Raises:
        UsageError: an ending of no known format.
        DataError: the file cannot be written.
    """
    palette = palette_of(state.palette, state.shown.signed)
    export(path, [shown_trace(state)], palette, cell_width >= NUMBER_WIDTH)


def print_state(state: ViewState) -> None:
    """The view as a plain grid on stdout, for a pipe or a terminal without a cursor."""
    console = stdout()
    system = None if state.palette == GLYPHS else color_system(console)
    palette = palette_of(state.palette, state.shown.signed)
    style = GridStyle(palette, system, width=console.width, scale=state.scale_for())
    console.print(attention_grid(shown_trace(state), style=style))
