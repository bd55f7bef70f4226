"""Every key in tables: bindings, footer and help are made from them, and when a key exists."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass

from textual.binding import Binding, BindingType
from textual.widgets import Footer

from dlcc.cli.tui import info
from dlcc.cli.tui.state import ViewState
from dlcc.cli.tui.widgets import patches
from dlcc.core.trace import maps
from dlcc.core.trace.maps import join_pieces

When = Callable[[ViewState], bool]


@dataclass(frozen=True)
class Key:
    """One action and the keys that start it."""

    keys: str
    """Textual's names, separated by commas."""
    shown: str
    """As the help screen writes them."""
    action: str
    text: str
    when: When = lambda _: True
    """Whether it can do something on what is shown; a key that cannot does not exist."""
    footer: str = ""
    """A word for the footer; empty leaves it out there."""

    @property
    def name(self) -> str:
        """The action without its arguments."""
        return self.action.partition("(")[0]

    def binding(self) -> Binding:
        return Binding(
            self.keys,
            self.action,
            self.footer or self.text,
            show=bool(self.footer),
            key_display=self.shown.split()[0],
            priority=self.keys == "ctrl+c",
        )


Keys = dict[str, tuple[Key, ...]]
"""The keys of one screen by group."""


def arrows(left: str, right: str, up: str, down: str, footer: str = "") -> tuple[Key, ...]:
    """The keys that move, with what each does."""
    return (
        Key("left,h", "← h", "move(0,-1)", left, footer=footer),
        Key("right,l", "→ l", "move(0,1)", right),
        Key("up,k", "↑ k", "move(-1,0)", up),
        Key("down,j", "↓ j", "move(1,0)", down),
    )


APP_KEYS: Keys = {
    "Everywhere": (
        Key("question_mark", "?", "help", "This list", footer="help"),
        Key("ctrl+p", "^p", "command_palette", "Find a command by its name"),
        Key("T", "T", "theme", "Light or dark"),
        Key("ctrl+o", "^o", "open", "Another sentence, trace, run folder or demo", footer="open"),
        Key("q", "q", "quit", "Leave", footer="quit"),
        Key("ctrl+c", "^c", "quit", "Leave, from anywhere"),
    )
}


def _heads(state: ViewState) -> bool:
    return state.trace.num_heads > 1


def _layers(state: ViewState) -> bool:
    return state.trace.num_layers > 1


def _many(state: ViewState) -> bool:
    return _heads(state) or _layers(state)


def _rollout(state: ViewState) -> bool:
    return maps.can_roll_out(state.trace.weights.shape)


def _traces(state: ViewState) -> bool:
    return len(state.traces) > 1


def _epochs(state: ViewState) -> bool:
    return len(state.frames) > 1


def _beside(state: ViewState) -> bool:
    return len(state.choices()) > 1


def _minus(state: ViewState) -> bool:
    return state.minus is not None or bool(state.comparable())


def _one_map(state: ViewState) -> bool:
    return state.minus is None


def _on_map(state: ViewState) -> bool:
    return not state.in_picture


def _in_picture(state: ViewState) -> bool:
    return state.in_picture


def _picture(state: ViewState) -> bool:
    return state.trace.image is not None


def _follow(state: ViewState) -> bool:
    return state.in_picture and patches.first_key(state.trace) > 0 and patches.can_ask(state.trace)


def _palette(state: ViewState) -> bool:
    return state.uses_palette


def _special(state: ViewState) -> bool:
    """Special tokens, and others beside them among queries and keys."""
    special = set(state.trace.special)
    sides = (set(state.trace.query), set(state.trace.key))
    return any(side & special for side in sides) and all(side - special for side in sides)


def _pieces(state: ViewState) -> bool:
    """Words of more than one token, or tokens that bear the mark of a tokeniser."""
    trace = state.trace
    words = (trace.query_words, trace.key_words)
    several = any(a == b for side in words for a, b in itertools.pairwise(side))
    return several or any(join_pieces([token]) != token for token in (*trace.query, *trace.key))


def _matches(state: ViewState) -> bool:
    return bool(state.matches)


def _alternatives(state: ViewState) -> bool:
    step = state.shown.queries[state.row][0]
    return bool(info.alternatives(state.trace, step) and state.again)


def _explained(state: ViewState) -> bool:
    return any(name.startswith("explanation.") for name in state.trace.tensors)


def _mixed(state: ViewState) -> bool:
    return "cutmix" in state.trace.details and state.trace.image is not None


def _changed(state: ViewState) -> bool:
    return bool(state.rows or state.columns or state.matches or state.minus)


MAP_KEYS: Keys = {
    "Move": (
        *arrows("One cell to the left", "One cell to the right", "One cell up", "One cell down"),
        Key("pageup,ctrl+u", "PgUp ^u", "page(-1,0)", "One screen up"),
        Key("pagedown,ctrl+d", "PgDn ^d", "page(1,0)", "One screen down"),
        Key("left_parenthesis", "(", "page(0,-1)", "One screen to the left"),
        Key("right_parenthesis", ")", "page(0,1)", "One screen to the right"),
        Key("home,0", "Home 0", "edge(0,-1)", "First column"),
        Key("end,dollar_sign", "End $", "edge(0,1)", "Last column"),
        Key("g", "g", "edge(-1,0)", "First row"),
        Key("G", "G", "edge(1,0)", "Last row"),
        Key("greater_than_sign", ">", "strongest", "The strongest cell of the row"),
    ),
    "Which map": (
        Key("o", "o", "overview", "All layers and heads at once", _many, footer="heads"),
        Key("L,shift+right", "L ⇧→", "head(1)", "Next head", _heads),
        Key("H,shift+left", "H ⇧←", "head(-1)", "Previous head", _heads),
        Key("J,shift+down", "J ⇧↓", "layer(1)", "Next layer", _layers),
        Key("K,shift+up", "K ⇧↑", "layer(-1)", "Previous layer", _layers),
        Key("m", "m", "reduce", "Mean, sum and maximum of the heads; one head again", _heads),
        Key("r", "r", "rollout", "Rollout over all layers, and back", _rollout),
        Key("tab", "Tab", "trace(1)", "Next mechanism or model", _traces, footer="next"),
        Key("shift+tab", "⇧Tab", "trace(-1)", "Previous mechanism or model", _traces),
        Key("full_stop", ".", "epoch(1)", "Next epoch", _epochs, footer="epoch"),
        Key("comma", ",", "epoch(-1)", "Previous epoch", _epochs),
        Key("b", "b", "beside", "Maps side by side", _beside, footer="beside"),
        Key("d", "d", "difference", "Subtract another map, and back", _minus),
    ),
    "How it is drawn": (
        Key(
            "plus,equals_sign",
            "+",
            "zoom(1)",
            "Wider cells, at last with numbers",
            _on_map,
            footer="zoom",
        ),
        Key("minus", "-", "zoom(-1)", "Narrower cells", _on_map),
        Key("z", "z", "fit", "The widest cells that fit", _on_map),
        Key("s", "s", "scale", "Colour scale: map, row, clipped"),
        Key("p", "p", "palette", "Next palette; the last is without colour", _palette),
        Key("c", "c", "highlight", "Point out the row, the column, both or the cell", _on_map),
        Key("x", "x", "special", "Hide special tokens and renormalise, and back", _special),
        Key("w", "w", "words", "Merge subwords into words, and back", _pieces),
        Key("i", "i", "picture", "Picture or map", _picture, footer="picture"),
        Key(
            "f",
            "f",
            "follow",
            "Picture: who asks, the patch under the cursor or the first token",
            _follow,
        ),
        Key(
            "u",
            "u",
            "blend",
            "Picture: lit or tinted by attention, plain, attention alone",
            _in_picture,
        ),
    ),
    "Read": (
        Key("enter", "Enter", "explain", "How this cell came about", _one_map, footer="explain"),
        Key("slash", "/", "search", "Search a word", footer="search"),
        Key("n", "n", "match(1)", "Next match", _matches),
        Key("N", "N", "match(-1)", "Previous match", _matches),
        Key("space", "Space", "select_row", "Select the row: sums and top partners", _on_map),
        Key("v", "v", "select_column", "Select the column", _on_map),
        Key(
            "a",
            "a",
            "alternatives",
            "Choose another word, translate on",
            _alternatives,
            footer="words",
        ),
        Key("E", "E", "explanations", "Explanations side by side", _explained),
        Key("X", "X", "cutmix", "CutMix: sources, box and attention inside it", _mixed),
        Key("t", "t", "table", "The map in words"),
        Key("escape", "Esc", "clear", "Clear selection, search and difference", _changed),
    ),
    "Take away": (
        Key("S", "S", "save", "Save the traces"),
        Key("e", "e", "export", "Export the view: SVG, HTML, CSV, JSON, text", footer="export"),
        Key("y", "y", "copy_cell", "Copy the cell"),
        Key("Y", "Y", "copy_row", "Copy the row"),
        Key("C", "C", "command", "The command that reproduces the view"),
    ),
}


_FIRST = (
    Binding("question_mark", "app.help", "help", key_display="?"),
    Binding("q", "app.quit", "quit"),
)


def bindings(keys: Keys, modal: bool = False) -> list[BindingType]:
    """What Textual takes, in the order of the table; ahead of it, for the footer, help and quit."""
    own: list[BindingType] = [key.binding() for group in keys.values() for key in group]
    return own if modal else [*_FIRST, *own]


def footer() -> Footer:
    """The line below every screen."""
    return Footer(compact=True, show_command_palette=False)
