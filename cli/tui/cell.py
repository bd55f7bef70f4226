"""How the cell under the cursor came about, in words and figures, from the trace's own tensors."""

import numpy as np
from rich.text import Text

from dlcc.cli.tui.info import single_cell
from dlcc.cli.tui.labels import display, fit
from dlcc.cli.tui.state import ROLLOUT, ViewState
from dlcc.core.cell import CellExplanation, explain_cell

_TERMS = 8  # shown of each sign together
_ROW = 10  # keys of the softmax shown
_BAR = 20


def cell_text(state: ViewState) -> Text:
    """The whole story of the cell, or why there is none."""
    shown = state.shown
    head = f"{shown.row_labels[state.row]} → {shown.column_labels[state.column]}"
    text = Text.assemble((head, "bold"), f"   {shown.title}\n")
    place = single_cell(state, shown)
    if place is not None:
        _add_steps(text, explain_cell(state.trace, *place), state.trace.key)
        return text
    value = float(shown.values[state.row, state.column])
    text.append(f"\nShown: {value:.4f}, made from several cells.\n")
    _add_parts(text, state)
    return text


def _add_steps(text: Text, cell: CellExplanation, keys: tuple[str, ...]) -> None:
    _add_terms(text, cell)
    if cell.score is not None:
        if cell.product is not None and cell.scale is not None and not cell.masked:
            text.append(f"   {cell.product:+.4f} × scale {cell.scale:.4f}")
        text.append(f"   score {cell.score:.4f}\n")
    if cell.masked:
        text.append("   masked: this query may not attend to this key\n")
    _add_softmax(text, cell, keys)
    if cell.added_norm is not None and cell.output_norm is not None:
        share = "" if cell.share is None else f", {cell.share:.1%} of it"
        text.append("\nWhat the value adds\n", "bold")
        text.append(
            f"   weight × value has length {cell.added_norm:.4f}; "
            f"the row's output {cell.output_norm:.4f}{share}\n"
        )
    if cell.terms is None:
        text.append("\nThe trace holds no queries and keys: no term can be shown.\n", "dim")


def _add_terms(text: Text, cell: CellExplanation) -> None:
    if cell.terms is None:
        return
    additive = cell.mechanism == "additive"
    name = "w · tanh(q + k)" if additive else "q · k"
    text.append(f"\n{name}, term by term, {_TERMS} largest of {len(cell.terms)}\n", "bold")
    largest = max(abs(term.amount) for term in cell.terms) or 1.0
    for term in cell.terms[:_TERMS]:
        sign = "+" if additive else "×"
        bar = ("+" if term.amount >= 0 else "-") * round(_BAR * abs(term.amount) / largest)
        text.append(
            f"   [{term.dimension:>3}] {term.query:+8.4f} {sign} {term.key:+8.4f} "
            f"gives {term.amount:+8.4f}  {bar}\n"
        )
    rest = sum(term.amount for term in cell.terms[_TERMS:])
    text.append(f"   the other {max(0, len(cell.terms) - _TERMS)} give {rest:+.4f}\n")
    text.append(f"   together {cell.product:+.4f}\n")


def _add_softmax(text: Text, cell: CellExplanation, keys: tuple[str, ...]) -> None:
    text.append("\nSoftmax over the row\n", "bold")
    for place in np.argsort(-cell.row_weights, kind="stable")[:_ROW]:
        weight = float(cell.row_weights[place])
        mark = ">" if keys[place] == cell.key and weight == cell.weight else " "
        score = "" if cell.row_scores is None else f"score {cell.row_scores[place]:+9.4f}  "
        label = fit(display(keys[place]), 16, align="right")
        text.append(f" {mark} {label}  {score}weight {weight:.4f}  {'█' * round(_BAR * weight)}\n")
    text.append(
        f"   rank {cell.rank} of {len(cell.row_weights)}, row sum {cell.row_weights.sum():.4f}\n"
    )


def _add_parts(text: Text, state: ViewState) -> None:
    """The cells that a sum, mean, maximum, rollout or merged word is made of."""
    shown, trace = state.shown, state.trace
    queries, keys = shown.queries[state.row], shown.keys[state.column]
    several = state.choice.head == ROLLOUT
    layers = range(trace.num_layers) if several else [state.choice.layer]
    head = state.choice.head
    heads = [head] if isinstance(head, int) else range(trace.num_heads)
    text.append("\nThe weights behind it, as the model gave them\n", "bold")
    for layer in layers:
        for number in heads:
            for query in queries:
                for key in keys:
                    names = f"{display(trace.query[query])} → {display(trace.key[key])}"
                    weight = float(trace.weights[layer, number, query, key])
                    place = f"{display(trace.layer_names[layer])}, head {number + 1}"
                    bar = "█" * round(_BAR * weight)
                    text.append(f"   {place}: {names}  {weight:.4f}  {bar}\n")
    text.append("\nChoose one head, tokens not merged, for its terms.\n", "dim")
