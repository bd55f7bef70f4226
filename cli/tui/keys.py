"""Every key in tables: bindings, footer and help are made from them, and when a key exists."""

from collections.abc import Callable
from dataclasses import dataclass

from rich.cells import cell_len
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Footer
from textual.widgets._footer import FooterKey

from dlcc.cli.tui import info
from dlcc.cli.tui.state import MAP, PICTURE, ROLLOUT, TEXT, ViewState
from dlcc.cli.tui.widgets import patches
from dlcc.core.trace import maps


@dataclass(frozen=True)
class Key:
    """One action and the keys that start it."""

    keys: str
    """Textual's names, separated by commas."""
    shown: str
    """As the help screen writes them."""
    action: str
    text: str
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


SCALE = Key("s", "s", "scale", "Colour scale: shared, own, by row, logarithmic, by rank")

APP_KEYS: Keys = {
    "Everywhere": (
        Key("question_mark", "?", "help", "This list", footer="help"),
        Key("ctrl+p", "^p", "command_palette", "Find a command by its name"),
        Key("T", "T", "theme", "Light or dark"),
        Key("ctrl+o", "^o", "open", "Another sentence, trace, run folder or demo", footer="open"),
        Key("ctrl+l", "^l", "lessons", "Lessons: the chapter in ten", footer="learn"),
        Key("q", "q", "quit", "Leave", footer="quit"),
        Key("ctrl+c", "^c", "quit", "Leave, from anywhere"),
        Key("ctrl+z", "^z", "suspend_process", "Suspend; fg in the shell brings it back"),
    )
}


def _special(state: ViewState) -> bool:
    """Special tokens, and others beside them among queries and keys."""
    special = set(state.trace.special)
    sides = (set(state.trace.query), set(state.trace.key))
    return any(side & special for side in sides) and all(side - special for side in sides)


def _alternatives(state: ViewState) -> bool:
    step = state.shown.queries[state.row][0]
    return bool(info.alternatives(state.trace, step) and state.again)


def _marked(state: ViewState) -> bool:
    return bool(state.rows or state.columns or state.matches or state.minus or state.projector)


_ON_MAP = ("zoom", "fit", "highlight", "select_row", "select_column")
WHEN: dict[str, Callable[[ViewState], bool]] = {
    **dict.fromkeys(_ON_MAP, lambda state: state.view == MAP),
    "row": lambda state: state.view != TEXT,
    "next_head": lambda state: state.view == TEXT and state.trace.num_heads > 1,
    "line": lambda state: (
        state.view == TEXT and state.trace.num_heads == 1 and state.views[0] == TEXT
    ),
    "overview": lambda state: state.trace.num_heads > 1 or state.trace.num_layers > 1,
    "head": lambda state: state.trace.num_heads > 1,
    "layer": lambda state: state.trace.num_layers > 1,
    "reduce": lambda state: state.trace.num_heads > 1,
    "rollout": lambda state: maps.can_roll_out(state.trace.weights.shape),
    "trace": lambda state: (
        len(state.traces) > 1 or (state.view == TEXT and state.trace.num_layers > 1)
    ),
    "epoch": lambda state: len(state.frames) > 1,
    "beside": lambda state: len(state.choices()) > 1,
    "difference": lambda state: state.minus is not None or bool(state.comparable()),
    "palette": lambda state: state.uses_palette,
    "special": _special,
    "words": lambda state: maps.has_pieces(state.trace),
    "text": lambda state: state.trace.image is None,
    "picture": lambda state: state.trace.image is not None,
    "follow": lambda state: state.view == PICTURE and patches.can_follow(state.trace),
    "blend": lambda state: state.view == PICTURE,
    "explain": lambda state: state.minus is None,
    "match": lambda state: bool(state.matches),
    "alternatives": _alternatives,
    "knobs": lambda state: bool(state.turned),
    "head_off": lambda state: isinstance(state.choice.head, int) and bool(state.without),
    "layer_off": lambda state: state.choice.head != ROLLOUT and bool(state.without),
    "token_off": lambda state: bool(state.without),
    "explanations": lambda state: bool(state.explanations),
    "cutmix": lambda state: "cutmix" in state.trace.details and state.trace.image is not None,
    "clear": _marked,
}
"""When an action of the map can do something on what is shown; a key that cannot does not exist."""
EXPORT = Key("e", "e", "export", "Export what is seen: figure, page or numbers", footer="export")

_NO_MAP = "that belongs to the map: i leaves the picture"
WHY: dict[str, str] = {
    **dict.fromkeys(_ON_MAP, _NO_MAP),
    "next_head": "this layer has one head, and this text is short: ← → choose a word",
    "overview": "there is one head only",
    "head": "this layer has one head",
    "layer": "there is one layer only",
    "reduce": "this layer has one head: nothing to combine",
    "rollout": "rollout needs several layers of self-attention",
    "trace": "there is one mechanism or model only",
    "epoch": "these maps are of one moment: no other epochs",
    "beside": "there is one map only",
    "difference": "no other map of this shape to subtract",
    "palette": "this picture has its own colours",
    "special": "no special tokens in this trace",
    "words": "every token is a whole word",
    "picture": "these tokens are no picture",
    "follow": "that belongs to pictures with a token of their own that asks",
    "blend": "that belongs to the picture",
    "explain": "a difference of two maps has no terms: Esc ends it",
    "match": "nothing is searched: / asks for a word",
    "alternatives": "no other words were weighed here",
    "head_off": "no model can be asked again here: open a text, a picture or a translation",
    "layer_off": "no model can be asked again here: open a text, a picture or a translation",
    "token_off": "no model can be asked again here: open a text, a picture or a translation",
    "explanations": "this trace holds no explanations",
    "cutmix": "this is no mixed picture",
    "clear": "nothing is selected, searched or subtracted",
}
"""Why the key of an action does nothing now, for those of WHEN."""

MAP_KEYS: Keys = {
    "Move": (
        Key("left,h", "← h", "move(0,-1)", "One cell to the left; the word before in a text"),
        Key("right,l", "→ l", "move(0,1)", "One cell to the right; the next word in a text"),
        Key("up,k", "↑ k", "next_head(-1)", "The previous head over the text", footer="head"),
        Key("down,j", "↓ j", "next_head(1)", "The next head over the text"),
        Key("up,k", "↑ k", "line(-1)", "The word above in the text", footer="line"),
        Key("down,j", "↓ j", "line(1)", "The word below in the text"),
        Key("up,k", "↑ k", "row(-1)", "One cell up"),
        Key("down,j", "↓ j", "row(1)", "One cell down"),
        Key("pageup,ctrl+u", "PgUp ^u", "page(-1,0)", "One screen up"),
        Key("pagedown,ctrl+d", "PgDn ^d", "page(1,0)", "One screen down"),
        Key("left_parenthesis", "(", "page(0,-1)", "One screen to the left"),
        Key("right_parenthesis", ")", "page(0,1)", "One screen to the right"),
        Key("home,circumflex_accent", "Home ^", "edge(0,-1)", "First column"),
        Key("end,dollar_sign", "End $", "edge(0,1)", "Last column"),
        Key("g", "g", "edge(-1,0)", "First row"),
        Key("G", "G", "edge(1,0)", "Last row"),
        Key("greater_than_sign", ">", "strongest", "The strongest cell of the row"),
    ),
    "Which map": (
        Key("o", "o", "overview", "All layers and heads at once", footer="heads"),
        Key("L,shift+right", "L ⇧→", "head(1)", "Next head"),
        Key("H,shift+left", "H ⇧←", "head(-1)", "Previous head"),
        Key("J,shift+down", "J ⇧↓", "layer(1)", "Next layer"),
        Key("K,shift+up", "K ⇧↑", "layer(-1)", "Previous layer"),
        Key("m", "m", "reduce", "Mean, sum and maximum of the heads; one head again"),
        Key("r", "r", "rollout", "Rollout over all layers, and back"),
        Key(
            "tab",
            "Tab",
            "trace(1)",
            "Next mechanism or model; in a text layer",
            footer="next",
        ),
        Key(
            "shift+tab",
            "⇧Tab",
            "trace(-1)",
            "Previous mechanism or model; in a text layer",
        ),
        Key("full_stop", ".", "epoch(1)", "Next epoch", footer="epoch"),
        Key("comma", ",", "epoch(-1)", "Previous epoch"),
        Key("b", "b", "beside", "Maps side by side", footer="beside"),
        Key("d", "d", "difference", "Subtract another map, and back"),
    ),
    "How it is drawn": (
        Key("plus,equals_sign", "+", "zoom(1)", "Wider cells, at last with numbers", footer="zoom"),
        Key("minus", "-", "zoom(-1)", "Narrower cells"),
        Key("z", "z", "fit", "The widest cells that fit"),
        SCALE,
        Key("F", "F", "projector", "The map alone, as large as the screen, and back"),
        Key("p", "p", "palette", "Next palette; the last is without colour"),
        Key("c", "c", "highlight", "Point out the row, the column, both or the cell"),
        Key("x", "x", "special", "Hide special tokens and renormalise, and back"),
        Key("w", "w", "text", "Running text or map", footer="text"),
        Key("W", "W", "words", "Whole words, or tokens as the model reads them"),
        Key("i", "i", "picture", "Picture or map", footer="picture"),
        Key("f", "f", "follow", "Picture: who asks, the patch under the cursor or the first token"),
        Key("u", "u", "blend", "Picture: lit or tinted by attention, plain, attention alone"),
    ),
    "Read": (
        Key("enter", "Enter", "explain", "How this cell came about", footer="explain"),
        Key("slash", "/", "search", "Search a word", footer="search"),
        Key("n", "n", "match(1)", "Next match"),
        Key("N", "N", "match(-1)", "Previous match"),
        Key("space", "Space", "select_row", "Select the row: sums and top partners"),
        Key("v", "v", "select_column", "Select the column"),
        Key("a", "a", "alternatives", "Choose another word, translate on", footer="words"),
        Key("E", "E", "explanations", "Explanations side by side"),
        Key("X", "X", "cutmix", "CutMix: sources, box and attention inside it"),
        Key("t", "t", "table", "The map in words"),
        Key("escape", "Esc", "clear", "Small again; clear selection, search, difference"),
    ),
    "What if": (
        Key("A", "A", "knobs", "Attend anew: turn temperature, mask, mechanism, words", "anew"),
        Key("0", "0", "head_off", "Switch this head off, and on again", footer="off"),
        Key("Z", "Z", "layer_off", "Switch this layer's heads off, and on again"),
        Key("delete,backspace", "Del", "token_off", "Take this column's token away, and back"),
    ),
    "Take away": (
        Key("S", "S", "save", "Save the traces"),
        EXPORT,
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


class KeyLine(Footer):
    """As many keys as the width holds, each whole."""

    def compose(self) -> ComposeResult:
        room = self.app.size.width
        for key in super().compose():
            if isinstance(key, FooterKey):
                room -= cell_len(f"{key.key_display} {key.description}") + 1
                key.display = room >= -1  # the last needs no gap after it
            yield key

    def on_resize(self) -> None:
        self.call_after_refresh(self.recompose)


def footer() -> Footer:
    """The line below every screen."""
    return KeyLine(compact=True, show_command_palette=False)
