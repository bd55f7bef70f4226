"""The start screen: a sentence, a saved trace, a run folder or a demo."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
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
from dlcc.core import sources
from dlcc.core.errors import DlccError

if TYPE_CHECKING:
    from dlcc.cli.tui.app import ViewerApp

_BACK = Key("escape", "Esc", "back", "Back to the map", "back")


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
        for name in sources.names():
            try:
                title = sources.source(name).title
            except DlccError as error:
                yield f"{name}: cannot be loaded", partial(self.app.fail, error)
            else:
                yield f"{title} ...", partial(self._ask, name)
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

    def _open(self) -> None:
        def asked(answer: list[str] | None) -> None:
            if answer and answer[0].strip():
                self.app.open_path(Path(answer[0].strip()).expanduser())

        self.app.push_screen(Ask("Open", [("Trace file or run folder", "")]), asked)

    def _ask(self, name: str, filled: Sequence[str] = ()) -> None:
        """Ask what a source asks, and show the traces that it makes of the answers.

        Args:
            name: the source's.
            filled: what stands in the fields; its examples when empty.
        """
        asked = sources.source(name)
        examples = filled or [ask.example for ask in asked.asks]

        def answered(answer: list[str] | None) -> None:
            if answer is not None:
                lines = [line.strip() for line in answer]
                self.app.compute(
                    asked.title,
                    lambda: sources.traces_of(name, lines, self.app.source),
                    self.app.open_traces,
                    lambda: self._ask(name, lines),
                )

        fields = [(ask.label, text) for ask, text in zip(asked.asks, examples, strict=True)]
        self.app.push_screen(Ask(asked.title, fields), answered)
