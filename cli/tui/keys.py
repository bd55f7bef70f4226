"""Every key in tables: bindings, footer and help are all made from them."""

from dataclasses import dataclass

from textual.binding import Binding, BindingType


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

APP_KEYS: Keys = {
    "Everywhere": (
        Key("question_mark", "?", "help", "This list", "help"),
        Key("ctrl+p", "^p", "command_palette", "Find a command by its name"),
        Key("T", "T", "theme", "Light or dark"),
        Key("ctrl+o", "^o", "open", "Another sentence, trace, run folder or demo", "open"),
        Key("q", "q", "quit", "Leave", "quit"),
        Key("ctrl+c", "^c", "quit", "Leave, from anywhere"),
    )
}

MAP_KEYS: Keys = {
    "Move": (
        Key("left,h", "← h", "move(0,-1)", "One cell to the left"),
        Key("right,l", "→ l", "move(0,1)", "One cell to the right"),
        Key("up,k", "↑ k", "move(-1,0)", "One cell up"),
        Key("down,j", "↓ j", "move(1,0)", "One cell down"),
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
        Key("o", "o", "overview", "All layers and heads at once", "heads"),
        Key("L,shift+right", "L ⇧→", "head(1)", "Next head"),
        Key("H,shift+left", "H ⇧←", "head(-1)", "Previous head"),
        Key("J,shift+down", "J ⇧↓", "layer(1)", "Next layer"),
        Key("K,shift+up", "K ⇧↑", "layer(-1)", "Previous layer"),
        Key("m", "m", "reduce", "Mean, sum and maximum of the heads; one head again"),
        Key("r", "r", "rollout", "Rollout over all layers, and back"),
        Key("tab", "Tab", "trace(1)", "Next mechanism or model", "next"),
        Key("shift+tab", "⇧Tab", "trace(-1)", "Previous mechanism or model"),
        Key("full_stop", ".", "epoch(1)", "Next epoch", "epoch"),
        Key("comma", ",", "epoch(-1)", "Previous epoch"),
        Key("b", "b", "beside", "Maps side by side", "beside"),
        Key("d", "d", "difference", "Subtract another map, and back"),
    ),
    "How it is drawn": (
        Key("plus,equals_sign", "+", "zoom(1)", "Wider cells, at last with numbers", "zoom"),
        Key("minus", "-", "zoom(-1)", "Narrower cells"),
        Key("z", "z", "fit", "The widest cells that fit"),
        Key("s", "s", "scale", "Colour scale: map, row, clipped"),
        Key("p", "p", "palette", "Next palette; the last is without colour"),
        Key("c", "c", "highlight", "Point out the row, the column, both or the cell"),
        Key("x", "x", "special", "Hide special tokens and renormalise, and back"),
        Key("w", "w", "words", "Merge subwords into words, and back"),
        Key("i", "i", "picture", "Picture or map", "picture"),
        Key("f", "f", "follow", "Picture: who asks, the patch under the cursor or the first token"),
        Key("u", "u", "blend", "Picture: lit or tinted by attention, plain, attention alone"),
    ),
    "Read": (
        Key("enter", "Enter", "explain", "How this cell came about", "explain"),
        Key("slash", "/", "search", "Search a word", "search"),
        Key("n", "n", "match(1)", "Next match"),
        Key("N", "N", "match(-1)", "Previous match"),
        Key("space", "Space", "select_row", "Select the row: sums and top partners"),
        Key("v", "v", "select_column", "Select the column"),
        Key("a", "a", "alternatives", "Choose another word, translate on", "words"),
        Key("E", "E", "explanations", "Explanations side by side"),
        Key("X", "X", "cutmix", "CutMix: sources, box and attention inside it"),
        Key("t", "t", "table", "The map in words"),
        Key("escape", "Esc", "clear", "Clear selection, search and difference"),
    ),
    "Take away": (
        Key("S", "S", "save", "Save the traces"),
        Key("e", "e", "export", "Export the view: SVG, HTML, CSV, JSON, text", "export"),
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
