"""Small screens over the view: ask for a line or two, choose from a list, read a text."""

from typing import Any, ClassVar

from rich.console import RenderableType
from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Input, Label, OptionList, Static
from textual.widgets.option_list import Option

from dlcc.cli.tui.keys import Key, Keys, bindings, footer
from dlcc.cli.tui.paths import completed, hint_of

_CLOSE = Key("escape", "Esc", "dismiss", "Close without a choice", footer="close")

_COMPLETE = Key("tab", "Tab", "complete", "Complete the path, as a shell does", footer="complete")
_TURN = Key("ctrl+t", "^t", "turn", "The next of the words below the line", footer="next")


class Menu(OptionList, inherit_bindings=False):
    """Lines to choose from, with the keys of the other screens."""

    KEYS: ClassVar[Keys] = {
        "Here": (
            Key("down,j", "↓ j", "cursor_down", "Down", footer="down"),
            Key("up,k", "↑ k", "cursor_up", "Up", footer="up"),
            Key("pagedown,ctrl+d", "PgDn ^d", "page_down", "One screen down"),
            Key("pageup,ctrl+u", "PgUp ^u", "page_up", "One screen up"),
            Key("home,g", "Home g", "first", "To the first"),
            Key("end,G", "End G", "last", "To the last"),
            Key("enter", "Enter", "select", "Take it", footer="take"),
        )
    }
    BINDINGS = bindings(KEYS)

    def __init__(self, lines: list[str]) -> None:
        super().__init__(*(Option(Text(line)) for line in lines), markup=False)


class Ask(ModalScreen[list[str] | None]):
    """One or several lines of text; the answer is what was typed, or None."""

    KEYS: ClassVar[Keys] = {
        "Here": (
            _CLOSE,
            Key("enter", "Enter", "submit", "Done; with several lines, on to the next", "done"),
            _TURN,
            _COMPLETE,
        )
    }
    BINDINGS = bindings({"Here": (_CLOSE, _TURN, _COMPLETE)}, modal=True)

    def __init__(
        self,
        title: str,
        fields: list[tuple[str, str]],
        choice: tuple[str, list[str]] | None = None,
        paths: bool = False,
    ) -> None:
        """Ask for `fields`, each a label and what stands there already; and for one of few words,
        where a `choice` gives a label and them, which comes last in the answer. Where what is typed
        are `paths`, they can be completed."""
        super().__init__()
        self._paths = paths
        self._title, self._fields = title, fields
        self._label, self._words = choice or ("", [])

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Label(Text(self._title, "bold"))
            for label, value in self._fields:
                yield Label(Text(label))
                yield Input(value)  # selected: typing replaces it
            if self._words:
                yield Label(self._choice(), id="choice")
            also = "Tab completes, " if self._paths else ""
            yield Label(f"{also}Enter goes on, Esc closes.", classes="hint", id="hint")
        yield footer()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        lines = list(self.query(Input))
        if event.input is lines[-1]:
            self.dismiss([line.value for line in lines] + self._words[:1])
        else:
            lines[lines.index(event.input) + 1].focus()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return {"turn": bool(self._words), "complete": self._paths}.get(action, True)

    def action_complete(self) -> None:
        """Write as much of the path as is sure, and show what there is to choose from."""
        line = self.query_one(Input)
        line.value, names = completed(line.value)
        line.cursor_position = len(line.value)
        self.query_one("#hint", Label).update(Text(hint_of(names), overflow="ellipsis"))

    def action_turn(self) -> None:
        self._words = [*self._words[1:], self._words[0]]
        self.query_one("#choice", Label).update(self._choice())

    def _choice(self) -> Text:
        return Text.assemble(f"{self._label} ", (self._words[0], "bold"), "  (^t: the next)")


class Choose(ModalScreen[Any]):
    """A list; the answer is the chosen value, or None. The first ten have a digit each."""

    KEYS: ClassVar[Keys] = {"Here": (*Menu.KEYS["Here"], _CLOSE)}
    BINDINGS = bindings({"Here": (_CLOSE,)}, modal=True)

    def __init__(self, title: str, options: list[tuple[str, Any]]) -> None:
        """Choose from `options`, each a line and the value it stands for."""
        super().__init__()
        self._title, self._options = title, options

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Label(Text(self._title, "bold"))
            yield Menu([line for line, _ in self._options])
            yield Label("Enter takes one, Esc closes.", classes="hint")
        yield footer()

    def on_key(self, event: events.Key) -> None:
        place = "1234567890".find(event.character or "-")
        if 0 <= place < len(self._options):
            event.stop()
            self.dismiss(self._options[place][1])

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(self._options[event.option_index][1])


class Read(ModalScreen[None]):
    """A text to read and scroll."""

    KEYS: ClassVar[Keys] = {
        "Here": (
            Key("escape,enter,q", "Esc q", "dismiss", "Close", footer="close"),
            Key("down,j", "↓ j", "scroll('scroll_down')", "Scroll down", footer="scroll"),
            Key("up,k", "↑ k", "scroll('scroll_up')", "Scroll up"),
            Key("pagedown,space,ctrl+d", "PgDn", "scroll('page_down')", "One screen down"),
            Key("pageup,ctrl+u", "PgUp", "scroll('page_up')", "One screen up"),
            Key("home,g", "Home", "scroll('scroll_home')", "To the beginning"),
            Key("end,G", "End", "scroll('scroll_end')", "To the end"),
        )
    }
    BINDINGS = bindings(KEYS, modal=True)

    def __init__(self, title: str, text: str | RenderableType) -> None:
        super().__init__()
        self._title, self._text = title, text

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog tall"):
            yield Label(Text(self._title, "bold"))
            with VerticalScroll():
                yield Static(Text(self._text) if isinstance(self._text, str) else self._text)
        yield footer()

    async def action_scroll(self, action: str) -> None:
        await self.app.run_action(action, self.query_one(VerticalScroll))


def help_text(keys: Keys) -> Text:
    """Keys and what they do, by group, in two columns."""
    width = max(len(key.shown) for group in keys.values() for key in group)
    text = Text()
    for heading, group in keys.items():
        text.append(f"{heading}\n", "bold underline")
        for key in group:
            text.append(f"  {key.shown.ljust(width)}  ", "bold").append(f"{key.text}\n")
        text.append("\n")
    text.right_crop(1)
    return text
