"""The start screen: a sentence, a saved trace, a run folder or a demo."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.screen import Screen
from textual.widgets import Footer, OptionList, Static

from dlcc.cli.draw.labels import display
from dlcc.cli.tui import opening
from dlcc.cli.tui.keys import Key, Keys, bindings
from dlcc.cli.tui.screens.dialogs import Ask, Menu
from dlcc.core.attend.mechanisms import BOOK_KEY, BOOK_QUERY
from dlcc.core.trace.trace import AttentionTrace

if TYPE_CHECKING:
    from dlcc.cli.tui.app import ViewerApp

_BACK = Key("escape", "Esc", "back", "Back to the map", "back")
_ENGLISH = "The book that I bought yesterday is very interesting."
_REVIEW = "The acting is good, but the story is slow and the ending is a waste of time."


class StartScreen(Screen[None]):
    """A list of ways to a picture."""

    KEYS: ClassVar[Keys] = {"Start": (*Menu.KEYS["Here"], _BACK)}
    BINDINGS = bindings({"Start": (_BACK,)})
    DEFAULT_CSS = """
    StartScreen #welcome { height: 4; padding: 1 2; }
    StartScreen OptionList { height: 1fr; }
    """
    app: "ViewerApp"

    def compose(self) -> ComposeResult:
        yield Static(
            Text.assemble(
                ("dlcc view", "bold"),
                "  attention in the terminal\n",
                "What do you want to look at?",
            ),
            id="welcome",
        )
        self._ways = list(self._offers())
        yield Menu([line for line, _ in self._ways])
        yield Footer(compact=True, show_command_palette=False)

    def _offers(self) -> Iterator[tuple[str, Path | Callable[[], None]]]:
        actions = self.app.actions
        if actions.attend:
            yield "Attend: what one sentence looks at in another ...", self._attend
        if actions.translate:
            yield "Translate an English sentence, step by step ...", self._translate
        if actions.sentiment:
            yield "Sentiment: what a classifier looks at in a review ...", self._sentiment
        if actions.picture:
            yield "Picture: what a Vision Transformer looks at ...", self._picture
        yield "Open a trace or a run folder ...", self._open
        for path in opening.demos():
            yield f"Demo: {display(path.stem.replace('-', ' '))}", path
        for path in opening.near():
            yield f"Here: {display(path.name)}", path

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return action != "back" or self.app.has_map

    def action_back(self) -> None:
        self.app.pop_screen()

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        way = self._ways[event.option_index][1]
        if isinstance(way, Path):
            self.app.open_path(way)
        else:
            way()

    def _attend(self) -> None:
        fields = [
            ("The sentence that looks", BOOK_QUERY),
            ("The sentence it looks at (empty: itself)", BOOK_KEY),
            ("Mechanism: dot; trainable, additive, multihead (untrained); all", "all"),
        ]
        self._compute("Attend", fields, self.app.actions.attend)

    def _translate(self) -> None:
        self._compute("Translate", [("English", _ENGLISH)], self.app.actions.translate)

    def _sentiment(self) -> None:
        self._compute("Sentiment", [("Review", _REVIEW)], self.app.actions.sentiment)

    def _picture(self) -> None:
        look = self.app.actions.picture
        assert look is not None
        self._compute("Picture", [("File", "")], lambda name: look(Path(name).expanduser()))

    def _open(self) -> None:
        def asked(answer: list[str] | None) -> None:
            if answer and answer[0].strip():
                self.app.open_path(Path(answer[0].strip()).expanduser())

        self.app.push_screen(Ask("Open", [("Trace file or run folder", "")]), asked)

    def _compute(
        self,
        title: str,
        fields: list[tuple[str, str]],
        work: Callable[..., list[AttentionTrace]] | None,
    ) -> None:
        """Ask for `fields`, and show the traces that `work` makes of the answers."""
        assert work is not None

        def asked(answer: list[str] | None) -> None:
            if answer:
                lines = [line.strip() for line in answer]
                filled = [(label, line) for (label, _), line in zip(fields, lines, strict=True)]
                self.app.compute(
                    title,
                    lambda: work(*lines),
                    self.app.open_traces,
                    lambda: self._compute(title, filled, work),
                )

        self.app.push_screen(Ask(title, fields), asked)
