"""A lesson: a few screens of text, each on a live map, and a question that is checked."""

from typing import Any, ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Container, VerticalScroll
from textual.geometry import clamp
from textual.screen import Screen
from textual.widgets import Static

from dlcc.cli.tui.keys import Key, Keys, arrows, bindings, footer
from dlcc.cli.tui.state import MAP, PICTURE, Choice, Frame, ViewState
from dlcc.cli.tui.widgets import patches
from dlcc.cli.tui.widgets.body import MapBody
from dlcc.cli.tui.widgets.grid import MapGrid
from dlcc.cli.tui.widgets.picture import Picture
from dlcc.core.files.remembered import recall, remember
from dlcc.core.lessons import Lesson, Page, lessons, trace_of


def lesson_lines() -> list[str]:
    """The lessons by number and title, and which are done."""
    done = recall("lessons", list)
    return [
        f"{lesson.number:>2}  {lesson.title}{'  (done)' if lesson.name in done else ''}"
        for lesson in lessons()
    ]


def state_of(show: dict[str, Any], system: str | None = None) -> ViewState:
    """The map that a page shows, in whole words where its tokens are pieces."""
    trace = trace_of(show)
    view = MAP if trace.image is None else PICTURE
    state = ViewState([Frame("", [trace])], view=view, system=system)
    patches.begin(state)
    state.choose(Choice(0, show.get("layer", 1) - 1, show.get("head", 1) - 1))
    if "row" in show:
        state.row = state.shown.row_labels.index(show["row"])
    return state


class LessonScreen(Screen[None]):
    """Plays a lesson; after the right answer the next one follows."""

    KEYS: ClassVar[Keys] = {
        "Lesson": (
            Key("enter,space", "Enter", "go(1)", "On", footer="on"),
            Key("backspace", "⌫", "go(-1)", "Back", footer="back"),
            Key("right_square_bracket", "]", "turn(1)", "The next map", footer="next map"),
            Key("left_square_bracket", "[", "turn(-1)", "The map before", footer="map before"),
            *arrows("Cursor to the left", "Cursor to the right", "Cursor up", "Cursor down"),
            *(
                Key(str(n), str(n), f"answer({n})", f"Answer {n}", footer="answer" * (n == 1))
                for n in range(1, 5)
            ),
            Key("tab", "Tab", "alone", "The map alone, and back", footer="map alone"),
            Key("escape", "Esc", "leave", "Leave the lesson", footer="leave"),
        )
    }
    BINDINGS = bindings(KEYS)
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-wide")]  # noqa: RUF012 - as Textual has it
    DEFAULT_CSS = """
    LessonScreen #lesson { height: 1fr; layout: vertical; }
    LessonScreen #said { height: auto; max-height: 65%; padding: 0 1; }
    LessonScreen #side, LessonScreen #title { display: none; }
    LessonScreen.-wide #lesson { layout: horizontal; }
    LessonScreen.-wide #said { width: 46; height: 1fr; max-height: 100%; padding: 1 2;
                               border-right: solid $primary; }
    """

    def __init__(self, lesson: Lesson) -> None:
        """Raises:
        DataError: the installation lacks what the lesson shows.
        """
        super().__init__()
        self.lesson = lesson
        self.number = 0
        """Of the page; after the last one comes the question."""
        self.turned = 0
        """The number of the page's map."""
        self.reached = False
        """Whether what there is to do was done."""
        self.answered: int | None = None
        self.body = MapBody(state_of(self.page.shows[0]))

    @property
    def page(self) -> Page:
        return self.lesson.pages[min(self.number, len(self.lesson.pages) - 1)]

    @property
    def asks(self) -> bool:
        """Whether the question is on the screen."""
        return self.number == len(self.lesson.pages)

    @property
    def is_right(self) -> bool:
        return self.answered is not None and self.answered == self.lesson.right()

    def compose(self) -> ComposeResult:
        with Container(id="lesson"):
            with VerticalScroll(id="said", can_focus=False):
                yield Static(id="text")
            yield self.body
        yield footer()

    def on_mount(self) -> None:
        self._show_map()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "answer":
            return self.asks
        if action == "turn":
            return len(self.page.shows) > 1
        return action != "go" or parameters != (-1,) or self.number > 0

    # What is on the screen

    def _show_map(self) -> None:
        """The page's map, the cursor where it was if it still fits."""
        before = self.body.state
        state = state_of(self.page.shows[self.turned], getattr(self.app, "color_system", None))
        state.palette = before.palette
        if state.shown.row_labels == before.shown.row_labels and self.is_mounted:
            state.row, state.column = before.row, before.column
        self.body.state = state
        self.body.redraw()
        self._say()

    def _say(self) -> None:
        """The text of the page, and what is still to be done."""
        page, lesson = self.page, self.lesson
        kind, wanted = page.done
        labels = self.body.state.shown.row_labels, self.body.state.shown.column_labels
        at = {
            "row": labels[0][self.body.state.row],
            "column": labels[1][self.body.state.column],
            "turn": self.turned + 1,
        }
        self.reached = self.reached or at.get(kind) == wanted
        text = Text.assemble(
            (f"{lesson.number} {lesson.title}", "bold"),
            (f"  {self.number + 1} of {len(lesson.pages) + 1}\n", "dim"),
        )
        if self.asks:
            self._say_question(text)
        else:
            text.append(page.text)
            if page.do:
                mark = ("✓ ", "bold") if self.reached else ("→ ", "bold")
                text.append("\n").append(*mark).append(page.do, "bold")
                text.append(". Enter goes on." if self.reached else ".")
        if len(page.shows) > 1:
            count = len(page.shows)
            text.append(f"\nMap {self.turned + 1} of {count} ({page.turns}), [ and ] change it")
        self.query_one("#text", Static).update(text)
        self.refresh_bindings()

    def _say_question(self, text: Text) -> None:
        question = self.lesson.question
        text.append(question.ask, "bold")
        for number, option in enumerate(question.options):
            mark = ">" if number == self.answered else " "
            text.append(f"\n{mark} {number + 1}  {option}")
        if self.is_right:
            text.append(f"\n✓ Right. {question.because}", "bold")
            text.append(" Enter goes on.")
        elif self.answered is not None:
            text.append(f"\nNot this one. {question.hint}", "bold")

    # Keys

    def action_go(self, step: int) -> None:
        if self.asks and step > 0:
            if self.is_right:
                self._next_lesson()
            else:
                self.notify("Answer with a number first; Esc leaves.")
            return
        before = self.page
        self.number = max(0, self.number + step)
        self.answered = None
        if self.page is not before:
            self.turned, self.reached = 0, False
        self._show_map()

    def action_turn(self, step: int) -> None:
        self.turned = clamp(self.turned + step, 0, len(self.page.shows) - 1)
        self._show_map()

    def action_move(self, down: int, right: int) -> None:
        state = self.body.state
        if state.view == PICTURE:
            patches.move(state, down, right)
        else:
            rows, columns = state.shown.values.shape
            state.row = clamp(state.row + down, 0, rows - 1)
            state.column = clamp(state.column + right, 0, columns - 1)
        self.body.place_cursor()
        self._say()

    def on_map_grid_touched(self, event: MapGrid.Touched) -> None:
        self.body.state.row, self.body.state.column = event.row, event.column
        self.action_move(0, 0)

    def on_picture_touched(self, event: Picture.Touched) -> None:
        patches.touch(self.body.state, event.patch)
        self.body.place_cursor()

    def action_answer(self, number: int) -> None:
        self.answered = number - 1
        if self.is_right:
            done = recall("lessons", list)
            if self.lesson.name not in done:
                remember(lessons=[*done, self.lesson.name])
        self._say()
        said = self.query_one("#said", VerticalScroll)
        self.call_after_refresh(said.scroll_end, animate=False)  # what is said of the answer

    def action_alone(self) -> None:
        said = self.query_one("#said")
        said.display = not said.display

    def action_leave(self) -> None:
        if len(self.app.screen_stack) > 2:  # below the first is Textual's own
            self.app.pop_screen()
        else:
            self.app.exit()

    def _next_lesson(self) -> None:
        found = lessons()
        if self.lesson.number == len(found):
            self.notify("That was the last lesson. Esc leaves.")
        else:
            self.app.switch_screen(LessonScreen(found[self.lesson.number]))
