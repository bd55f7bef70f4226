"""Which keys of the map screen mean something now: the others do not exist."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from dlcc.cli.tui import info
from dlcc.cli.tui.state import can_hide, can_merge
from dlcc.cli.tui.widgets import patches
from dlcc.core.trace import maps

if TYPE_CHECKING:
    from dlcc.cli.tui.screens.map import MapScreen


def _has_alternatives(screen: "MapScreen") -> bool:
    state = screen.state
    query = state.shown.queries[state.row][0]
    return bool(info.alternatives(state.trace, query) and state.again)


_WHEN: dict[str, Callable[["MapScreen"], bool]] = {
    "overview": lambda s: s.state.trace.num_layers * s.state.trace.num_heads > 1,
    "head": lambda s: s.state.trace.num_heads > 1,
    "layer": lambda s: s.state.trace.num_layers > 1,
    "reduce": lambda s: s.state.trace.num_heads > 1,
    "rollout": lambda s: maps.can_roll_out(s.state.trace.weights.shape),
    "trace": lambda s: len(s.state.traces) > 1,
    "epoch": lambda s: len(s.state.frames) > 1,
    "beside": lambda s: len(s.state.choices()) > 1,
    "difference": lambda s: s.state.minus is not None or bool(s.state.comparable()),
    "zoom": lambda s: not s.body.in_picture,
    "fit": lambda s: not s.body.in_picture,
    "highlight": lambda s: not s.body.in_picture,
    "select_row": lambda s: not s.body.in_picture,
    "select_column": lambda s: not s.body.in_picture,
    "palette": lambda s: s.body.uses_palette,
    "special": lambda s: can_hide(s.state.trace),
    "words": lambda s: can_merge(s.state.trace),
    "picture": lambda s: s.state.trace.image is not None,
    "follow": lambda s: (
        s.body.in_picture
        and patches.can_ask(s.state.trace)
        and patches.first_key(s.state.trace) > 0
    ),
    "blend": lambda s: s.body.in_picture,
    "explain": lambda s: s.state.minus is None,
    "match": lambda s: bool(s.matches),
    "alternatives": _has_alternatives,
    "explanations": lambda s: any(n.startswith("explanation.") for n in s.state.trace.tensors),
    "cutmix": lambda s: "cutmix" in s.state.trace.details and s.state.trace.image is not None,
    "clear": lambda s: bool(s.state.rows or s.state.columns or s.matches or s.state.minus),
}


def all_available(screen: "MapScreen") -> frozenset[str]:
    """The actions that can do something now, of those that sometimes cannot."""
    return frozenset(action for action, when in _WHEN.items() if when(screen))


def available(screen: "MapScreen", action: str) -> bool:
    """Whether `action` can do something on what `screen` shows."""
    when = _WHEN.get(action)
    return when is None or not screen.is_mounted or when(screen)
