"""How one cell came about, in words and numbers."""

from dataclasses import asdict
from typing import Any

import numpy as np
from rich.cells import cell_len
from rich.console import Group
from rich.style import Style
from rich.text import Text

from dlcc.cli.console import stdout
from dlcc.cli.draw.labels import fit
from dlcc.core.trace.cell import CellExplanation, explain_cell
from dlcc.core.trace.trace import AttentionTrace

_TERMS = 5  # of the largest, shown
_ROW = 12  # keys of the row, shown
_BAR = 20  # cells of a weight of 1
_DIM = Style(dim=True)
_JSON = "query key terms product scale bias score masked weight rank added_norm output_norm share"


def explanation(trace: AttentionTrace, layer: int, head: int, query: int, key: int) -> Group:
    """Score, row and output of one cell, step by step."""
    cell = explain_cell(trace, layer, head, query, key)
    title = f"{cell.query} → {cell.key}: {trace.title or trace.kind}"
    if trace.num_heads > 1:
        title += f", head {head + 1} of {trace.num_heads}"
    lines = [Text(title, Style(bold=True)), *_score_lines(cell), *_row_lines(trace, cell, key)]
    return Group(*lines, *_output_lines(cell))


def print_cells(traces: list[AttentionTrace], query: int, key: int) -> None:
    """Print one cell of every head of the traces' first layers."""
    console = stdout()
    for number, trace in enumerate(traces):
        for head in range(trace.num_heads):
            if number or head:
                console.print()
            console.print(explanation(trace, 0, head, query, key))


def _score_lines(cell: CellExplanation) -> list[Text]:
    if cell.terms is None or cell.product is None or cell.scale is None:
        return []
    additive = cell.mechanism == "additive"
    what = "w · tanh(q + k)" if additive else "q · k"
    lines = [
        Text(f"  {what} = {cell.product:.3f}, the sum of {len(cell.terms)} terms; the largest:")
    ]
    for term in cell.terms[:_TERMS]:
        sides = (
            f"w × tanh({term.query:+.3f} {term.key:+.3f})"
            if additive
            else f"{term.query:+.3f} × {term.key:+.3f}"
        )
        lines.append(Text(f"    dimension {term.dimension + 1:>3}   {sides} = {term.amount:+.3f}"))
    rest = sum(term.amount for term in cell.terms[_TERMS:])
    if len(cell.terms) > _TERMS:
        lines.append(Text(f"    the others together: {rest:+.3f}", _DIM))
    scaled = cell.product * cell.scale
    bias = "" if cell.bias is None else f" {cell.bias:+.3f} (bias)"
    score = scaled + (cell.bias or 0.0)
    lines.append(Text(f"  score = {cell.product:.3f} × {cell.scale:.4f}{bias} = {score:.3f}"))
    if cell.masked:
        lines.append(Text("  masked: this query may not look there, so the score becomes -inf"))
    return lines


def _row_lines(trace: AttentionTrace, cell: CellExplanation, key: int) -> list[Text]:
    """The row before and after the softmax, the largest weights and the cell itself."""
    order = np.argsort(-cell.row_weights, kind="stable")
    shown = order[:_ROW].tolist()
    if key not in shown:
        shown.append(key)
    width = min(max(cell_len(trace.key[n]) for n in shown), 20)
    lines = [Text(f"  the row of {cell.query}: score → softmax → weight")]
    for n in shown:
        score = "" if cell.row_scores is None else f"{cell.row_scores[n]:8.3f}"
        weight = float(cell.row_weights[n])
        bar = "█" * round(weight * _BAR)
        marker = "▸" if n == key else " "
        label = fit(trace.key[n], width)
        lines.append(Text(f"  {marker} {label} {score}  {weight:.3f} {bar}".rstrip()))
    if len(order) > len(shown):
        rest = sum(float(cell.row_weights[n]) for n in order if n not in shown)
        lines.append(Text(f"    {len(order) - len(shown)} more: {rest:.3f} together", _DIM))
    return lines


def _output_lines(cell: CellExplanation) -> list[Text]:
    if cell.added_norm is None or cell.output_norm is None:
        return []
    share = "" if cell.share is None else f", {cell.share:.0%} of it"
    return [
        Text(
            f"  the value of {cell.key}, times {cell.weight:.3f}, has length "
            f"{cell.added_norm:.3f}; the output of {cell.query} has {cell.output_norm:.3f}{share}"
        )
    ]


def cell_as_json(trace: AttentionTrace, head: int, query: int, key: int) -> dict[str, Any]:
    """JSON values of a cell's explanation."""
    cell = explain_cell(trace, 0, head, query, key)
    terms = cell.terms and [
        {**asdict(term), "dimension": term.dimension + 1} for term in cell.terms
    ]
    values = {name: getattr(cell, name) for name in _JSON.split()}
    score = None if cell.masked else cell.score
    return {"head": head + 1, **values, "terms": terms, "score": score}
