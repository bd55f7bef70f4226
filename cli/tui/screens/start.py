"""The start screen: a sentence, a saved trace, a run folder or a demo."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.screen import Screen
from textual.widgets import OptionList, Static

from dlcc.cli.draw.labels import display
from dlcc.cli.tui import opening
from dlcc.cli.tui.keys import Key, Keys, bindings, footer
from dlcc.cli.tui.messages import Compute, Failed, Opened
from dlcc.cli.tui.screens.dialogs import Ask, Menu
from dlcc.cli.tui.state import ViewState
from dlcc.cli.tui.widgets import patches
from dlcc.cli.tui.widgets.grid import MapGrid
from dlcc.cli.tui.widgets.picture import Picture
from dlcc.core import sources
from dlcc.core.errors import DlccError
from dlcc.core.sources import Source
from dlcc.core.train.runs import name_of_run

_OPENED = (
    "A .trace file, as --save writes it or dlcc import makes it of another program's weights;\n"
    "the folder of a training, with a map for each epoch; or a folder of traces."
)
_BACK = Key("escape", "Esc", "back", "Back to the map", footer="back")


@dataclass(frozen=True)
class Way:
    """One way to a picture."""

    line: str
    go: Path | Callable[[], Any]
    """What is opened, or done."""
    said: Callable[[], Text] | None = None
    """What it is, in a few lines."""
    trace: Callable[[], Path | None] | None = None
    """What it looks like."""


class Preview(Vertical):
    """What the way under the cursor leads to: in words, and as the first map or picture."""

    _way: Way | None = None

    def compose(self) -> ComposeResult:
        yield Static(id="previewed")
        yield MapGrid()
        yield Picture()

    def on_resize(self) -> None:
        if self._way is not None:  # there may be room for it now
            self.show(self._way)

    def show(self, way: Way) -> None:
        """Draw what there is to see; nothing of a file that cannot be read."""
        self._way = way
        grid, picture = self.query_one(MapGrid), self.query_one(Picture)
        grid.can_focus = False
        path = way.trace() if way.trace and self.display else None
        state = self._state_of(path) if path is not None else None
        image = state.trace.image if state is not None else None
        grid.display = state is not None and image is None
        picture.display = image is not None
        said = way.said() if way.said and self.display else Text()
        if state is not None:
            said = Text("\n").join(each for each in (said, Text(state.shown.title, "bold")) if each)
        self.query_one("#previewed", Static).update(said)
        if state is not None and image is not None:
            picture.show(image, patches.weights(state), state)
        elif state is not None:
            grid.highlight = ""
            grid.show(state.shown, state)

    def _state_of(self, path: Path) -> ViewState | None:
        try:
            state = ViewState(opening.frames_of(path)) if path.is_file() else None
        except DlccError:  # opening it will say why
            return None
        if state is not None:
            state.system = self.app.color_system  # type: ignore[attr-defined]  # our own app
            patches.begin(state)
        return state


def _opening(kind: str, path: Path, name: str) -> Way:
    """The way to what lies at a path."""
    if path.is_dir():
        return Way(f"{kind}: {display(name)}", path, partial(_run, path))
    return Way(f"{kind}: {display(name)}", path, trace=lambda: path)


def _asked_by(source: Source) -> Text:
    """What a source wants to know."""
    lines = []
    for ask in source.asks:
        such = f", such as “{display(ask.example)}”" if ask.example else ""
        lines.append(f"{ask.label}{such}{' (may be left out)' * ask.optional}")
    return Text("It asks for\n" + "\n".join(f"- {line}" for line in lines) + "\n" if lines else "")


def _lessons() -> Text:
    from dlcc.cli.tui.screens.lesson import lesson_lines

    return Text("\n".join(lesson_lines()))


def _run(path: Path) -> Text:
    """What became of a training."""
    from dlcc.cli.draw.runs import page_of
    from dlcc.core.train.summary import summary_of

    try:
        return Text("\n").join(page_of(summary_of(path)))
    except DlccError:  # opening it will say why
        return Text()


class StartScreen(Screen[None]):
    """A list of ways to a picture."""

    KEYS: ClassVar[Keys] = {"Start": (*Menu.KEYS["Here"], _BACK)}
    BINDINGS = bindings({"Start": (_BACK,)})
    DEFAULT_CSS = """
    StartScreen #welcome { height: 4; padding: 1 2; }
    StartScreen OptionList { height: 1fr; width: 1fr; }
    StartScreen Preview { display: none; width: 1fr; border-left: solid $primary; padding: 0 1; }
    StartScreen.-wide Preview { display: block; }
    Preview > MapGrid, Preview > Picture { height: 1fr; }
    """
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (110, "-wide")]  # noqa: RUF012 - as Textual has it

    def __init__(self, source: Source | None, over_map: bool) -> None:
        """Offer what there is, `source` in place of the installed one of its class.

        Args:
            source: what a command brought along.
            over_map: whether there is a map to go back to.
        """
        super().__init__()
        self._source, self._over_map = source, over_map

    def compose(self) -> ComposeResult:
        welcome = "  attention in the terminal\nWhat do you want to look at?"
        yield Static(Text.assemble(("dlcc view", "bold"), welcome), id="welcome")
        self._ways = list(self._offers())
        with Horizontal():
            yield Menu([way.line for way in self._ways])
            yield Preview()
        yield footer()

    def _offers(self) -> Iterator[Way]:
        for name in sources.names():
            try:
                source = sources.source(name)
            except DlccError as error:
                failed = partial(self.post_message, Failed(error))
                yield Way(f"{name}: cannot be loaded", failed)
            else:
                said, demo = partial(_asked_by, source), partial(opening.demo_of, name)
                yield Way(f"{source.title} ...", partial(self._ask, name), said, demo)
        yield Way("Open a trace or a run folder ...", self._open, lambda: Text(_OPENED))
        lessons = partial(self.call_later, self.app.run_action, "lessons")
        yield Way("Learn: the chapter in ten lessons ...", lessons, _lessons)
        files = [("Lately", path, path.name) for path in opening.recent()]
        files += [("Demo", path, path.stem.replace("-", " ")) for path in opening.demos()]
        files += [("Run", path, name_of_run(path)) for path in opening.runs_near()]
        files += [("Here", path, path.name) for path in opening.near()]
        for kind, path, name in files:
            yield _opening(kind, path, name)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return action != "back" or self._over_map

    def action_back(self) -> None:
        self.app.pop_screen()

    def on_option_list_option_highlighted(self, event: OptionList.OptionHighlighted) -> None:
        self.query_one(Preview).show(self._ways[event.option_index])

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        if not self.is_current:  # it was chosen twice, quickly
            return
        way = self._ways[event.option_index].go
        if isinstance(way, Path):
            self.post_message(Opened(way))
        else:
            way()

    def _open(self, typed: str = "") -> None:
        def asked(answer: list[str] | None) -> None:
            if answer and answer[0].strip():
                text = answer[0].strip()
                self.post_message(Opened(Path(text).expanduser(), partial(self._open, text)))

        self.app.push_screen(Ask("Open", [("Trace file or run folder", typed)], paths=True), asked)

    def _ask(self, name: str, filled: Sequence[str] = ()) -> None:
        """Ask what a source asks, and show the traces that it makes of the answers.

        Args:
            name: the source's.
            filled: what stands in the fields; its examples when empty.
        """
        asked = sources.source(name)
        texts = filled or [ask.example for ask in asked.asks]
        fields = [(ask.label, text) for ask, text in zip(asked.asks, texts, strict=True)]

        def answered(answer: list[str] | None) -> None:
            if answer is not None:
                lines = [line.strip() for line in answer]
                work = partial(sources.traces_of, name, lines, self._source)
                again = partial(self._ask, name, lines) if lines else lambda: None
                self.post_message(Compute(asked.title, work, otherwise=again))

        if fields:
            self.app.push_screen(Ask(asked.title, fields), answered)
        else:
            answered([])
