"""How the cell under the cursor came about, from the trace's own tensors."""

from dataclasses import replace

from rich.console import Group, RenderableType
from rich.text import Text

from dlcc.cli.draw.cell import explanation
from dlcc.cli.draw.labels import display
from dlcc.cli.tui.info import single_cell
from dlcc.cli.tui.state import ROLLOUT, ViewState
from dlcc.cli.tui.widgets import patches

_BAR = 20
_MOST = 200  # cells listed of a rollout or a sum of many heads


def cell_story(state: ViewState) -> Group:
    """The steps from query and key to the weight, or the cells that a combined one is made of."""
    shown, trace = state.shown, state.trace
    place = single_cell(state, shown)
    if place is None:
        names = patches.names(state.trace, shown, state.row, state.column)
        value = float(shown.values[state.row, state.column])
        lines = [Text(f"{names}: {shown.title}", "bold"), Text(f"  {value:.4f}, combined from")]
        return Group(*lines, *_parts(state))
    query = tuple(patches.query_name(trace, *each) for each in enumerate(map(display, trace.query)))
    key = tuple(patches.key_name(trace, *each) for each in enumerate(map(display, trace.key)))
    safe = replace(trace, query=query, key=key, title=display(trace.title or trace.kind))
    story: list[RenderableType] = [Text(shown.title, "dim"), explanation(safe, *place)]
    if "query" not in trace.tensors or "key" not in trace.tensors:
        story.append(Text("  The trace holds no queries and keys: no term can be shown.", "dim"))
    return Group(*story)


def _parts(state: ViewState) -> list[Text]:
    """The weights behind a sum, mean, maximum, rollout or merged word, as the model gave them."""
    trace, choice = state.trace, state.choice
    layers = range(trace.num_layers) if choice.head == ROLLOUT else [choice.layer]
    heads = [choice.head] if isinstance(choice.head, int) else range(trace.num_heads)
    queries, keys = state.shown.queries[state.row], state.shown.keys[state.column]
    cells = [(la, h, q, k) for la in layers for h in heads for q in queries for k in keys]
    lines = []
    for layer, head, query, key in cells[:_MOST]:
        weight = float(trace.weights[layer, head, query, key])
        names = f"{display(trace.query[query])} → {display(trace.key[key])}"
        bar = "█" * round(_BAR * weight)
        where = f"{display(trace.layer_names[layer])}, head {head + 1}"
        lines.append(Text(f"  {where:<20} {names}  {weight:.4f} {bar}"))
    if len(cells) > _MOST:
        lines.append(Text(f"  and {len(cells) - _MOST} more", "dim"))
    lines.append(Text("  One head, with tokens not merged, shows its terms.", "dim"))
    return lines
