"""What the panel says of the cell under the cursor: short sections of a heading and a text."""

import math
from typing import Any

import numpy as np
from rich.text import Text

from dlcc.cli.draw.bar import signs
from dlcc.cli.draw.labels import display
from dlcc.cli.tui.state import GLYPHS, ShownMap, ViewState
from dlcc.cli.tui.widgets import patches
from dlcc.core.trace import maps
from dlcc.core.trace.scales import Scale, scale_of
from dlcc.core.trace.trace import AttentionTrace

_PARTNERS = 5
_LEAST = 0.005  # a word less probable than that is not listed


def describe(state: ViewState) -> list[tuple[str, str]]:
    """(heading, text) of the cell, its row, its column, the selection and the alternatives."""
    shown = state.shown
    row, column = shown.values[state.row], shown.values[:, state.column]
    cell = patches.names(state.trace, shown, state.row, state.column)
    sections = [(cell, _cell(state, shown)), ("row", _row(row, shown.signed))]
    if isinstance(change := state.trace.details.get("change"), str):
        sections.insert(1, ("answer", display(change)))
    if not shown.signed:
        unit = " (row,column)" if state.trace.grid is not None else ""
        sections += [
            (f"looks most at{unit}", _partners(row, shown.column_labels) or "nothing"),
            (f"looked at most by{unit}", _partners(column, shown.row_labels) or "nothing"),
        ]
    if state.rows or state.columns:
        sections.append(_selection(state, shown))
    words = alternatives(state.trace, shown.queries[state.row][0])
    if words:
        sections.append(("alternatives", _listed(words, state)))
    return sections


def as_lines(sections: list[tuple[str, str]]) -> Text:
    """One line a section."""
    marks = ("  ", *[": "] * len(sections))
    return Text("\n").join(
        Text.assemble((heading + mark, "bold"), text)
        for mark, (heading, text) in zip(marks, sections, strict=False)
    )


def as_column(sections: list[tuple[str, str]]) -> Text:
    """Headings above texts."""
    return Text("\n\n").join(
        Text.assemble((heading, "bold"), "\n", text) for heading, text in sections
    )


def drawn_as(state: ViewState, palette: str) -> str:
    """What the colours mean beside the colour bar, and what was changed in the map."""
    parts = [palette] if palette and state.minus is None else []
    if state.minus is not None:
        parts = [signs(None if palette == GLYPHS else state.system, "more", "less")]
    if state.words and (merged := state.num_merged):
        parts.append(f"{merged} word{'s' * (merged > 1)} merged from pieces")
    if state.hide_special:
        parts.append("special tokens hidden, rows renormalised")
    return " · ".join(parts)


def explained(state: ViewState) -> list[tuple[str, np.ndarray, Scale]]:
    """Of each explanation what it is called, its values [K] summed over the map's keys, and their
    scale."""
    found = []
    for name, values in state.explanations.items():
        summed = np.array([values[list(group)].sum() for group in state.shown.keys])
        scale = scale_of("own", summed)
        found.append((f"{display(name)}, up to {scale.top:.3g}", summed, scale))
    return found


def alternatives(trace: AttentionTrace, query: int) -> list[tuple[str, float]]:
    """The words a model weighed at one step, best first; empty where the trace has none."""
    steps: Any = trace.details.get("alternatives")
    if not isinstance(steps, list | tuple) or query >= len(steps):
        return []
    try:
        return [(str(token), float(probability)) for token, probability in steps[query]]
    except (TypeError, ValueError):  # a file from elsewhere
        return []


def row_notes(state: ViewState) -> tuple[str, ...]:
    """For each row its alternatives in a line, where the trace has them."""
    steps = [alternatives(state.trace, group[0]) for group in state.shown.queries]
    return tuple(_listed(step, state) for step in steps) if any(steps) else ()


def table(shown: ShownMap) -> str:
    """The whole map in words, one line a row: for screen readers and narrow pipes."""
    rows = (
        f"{label}: {_partners(row, shown.column_labels) or 'looks at nothing'}"
        for label, row in zip(shown.row_labels, shown.values, strict=True)
    )
    return "\n".join([shown.title, "", *rows])


def _cell(state: ViewState, shown: ShownMap) -> str:
    row = shown.values[state.row]
    value = float(row[state.column])
    if shown.signed:
        return f"difference {value:+.4f}"
    text = f"weight {value:.4f}"
    if row.any():
        text += f", rank {maps.rank_in_row(row, state.column)} of {len(row)}"
    place = single_cell(state, shown)
    if place is not None and state.trace.scores is not None:
        score = float(state.trace.scores[place])
        text += ", masked" if math.isinf(score) else f", score {score:.3f}"
    return text


def single_cell(state: ViewState, shown: ShownMap) -> tuple[int, int, int, int] | None:
    """Layer, head, query and key of the cell under the cursor, if it is one cell of one head."""
    queries, keys = shown.queries[state.row], shown.keys[state.column]
    head = state.choice.head
    if state.minus is not None or not isinstance(head, int) or len(queries) + len(keys) > 2:
        return None
    return state.choice.layer, head, queries[0], keys[0]


def _row(row: np.ndarray, signed: bool) -> str:
    if signed:
        return f"from {row.min():+.4f} to {row.max():+.4f}, sum of gains {row[row > 0].sum():.4f}"
    if not row.any():
        return "looks at nothing"
    most = math.log2(len(row))
    return f"entropy {maps.row_entropy(row):.2f} of {most:.2f} bits, sum {row.sum():.3f}"


def _partners(values: np.ndarray, labels: tuple[str, ...]) -> str:
    top = [place for place in maps.top_keys(values, _PARTNERS) if values[place] != 0]
    return ", ".join(
        f"{place + 1} " * (labels.count(labels[place]) > 1) + f"{labels[place]} {values[place]:.3f}"
        for place in top  # after its position where another one is called the same
    )


def _selection(state: ViewState, shown: ShownMap) -> tuple[str, str]:
    """Sums of the selected rows or columns; where both are selected, of the cells they share."""
    rows, columns = sorted(state.rows), sorted(state.columns)
    names = [shown.row_labels[r] for r in rows] + [shown.column_labels[c] for c in columns]
    heading = f"selected {' '.join(names)}"
    if rows and columns:
        total = float(shown.values[np.ix_(rows, columns)].sum())
        return heading, f"{total:.3f} where rows and columns meet"
    if rows:
        sums, labels = shown.values[rows].sum(0), shown.column_labels
    else:
        sums, labels = shown.values[:, columns].sum(1), shown.row_labels
    return heading, f"sum {sums.sum():.3f}, most {_partners(sums, labels)}"


def _listed(words: list[tuple[str, float]], state: ViewState) -> str:
    likely = [pair for pair in words if pair[1] >= _LEAST] or words[:1]
    named = ((maps.join_pieces([word]) if state.words else word, share) for word, share in likely)
    return ", ".join(f"{display(word)} {share:.2f}" for word, share in named)
