"""The viewer as an app: what it shows, what is computed behind it, and its few own keys."""

import asyncio
import itertools
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console
from textual import events
from textual.app import App, ComposeResult
from textual.geometry import Size
from textual.screen import Screen
from textual.timer import Timer
from textual.widgets import Static

from dlcc.cli.draw.palette import color_system
from dlcc.cli.options import settings
from dlcc.cli.tui.export import print_state
from dlcc.cli.tui.finding import Finder, Found, words_of
from dlcc.cli.tui.keys import APP_KEYS, Key, Keys, bindings
from dlcc.cli.tui.messages import Compute, Failed, Opened
from dlcc.cli.tui.opening import frames_of, has_curves, remember_opened
from dlcc.cli.tui.screens.dialogs import Choose, Read, help_text
from dlcc.cli.tui.screens.map import MapScreen
from dlcc.cli.tui.screens.start import StartScreen
from dlcc.cli.tui.state import Choice, Frame, ViewState
from dlcc.cli.tui.widgets.graphics import ask_terminal
from dlcc.cli.tui.widgets.ink import PALETTE_NAMES
from dlcc.core.errors import DlccError
from dlcc.core.files.paths import log_file
from dlcc.core.files.remembered import damage, recall, remember
from dlcc.core.sources import Source
from dlcc.core.trace.trace import AttentionTrace

_LEAST_WIDTH, _LEAST_HEIGHT = 40, 14
_PATIENCE = 0.3  # seconds of work before the screen speaks of it
_LONG = 600  # seconds that it speaks of it, at most
_FEW_COLORS = (None, "standard", "windows")


class SmallScreen(Screen[None]):
    """Shown while the terminal is too small for anything else."""

    def compose(self) -> ComposeResult:
        yield Static(f"Please widen the terminal to {_LEAST_WIDTH} × {_LEAST_HEIGHT}; q leaves.")


class ViewerApp(App[None]):
    """Shows a state, or the start screen."""

    TITLE = "dlcc view"
    KEYS = APP_KEYS
    BINDINGS = bindings(APP_KEYS)
    COMMANDS = {Finder}  # noqa: RUF012 - as Textual has it
    CSS = """
    ToastRack { margin: 0; overflow: hidden; }
    Toast { width: 1fr; max-width: 100%; margin: 0; padding: 0 1; border-left: none;
            text-style: bold; }
    ModalScreen { align: center middle; }
    .dialog { width: 76; max-width: 95%; height: auto; max-height: 90%; padding: 0 1;
              border: round $primary; background: $surface; }
    .dialog.tall { width: 90%; max-width: 110; height: 90%; }
    .dialog .hint { text-style: dim; }
    OptionList { border: none; background: transparent; }
    OptionList:nocolor > .option-list--option-highlighted { text-style: bold reverse; }
    .dialog OptionList { height: auto; max-height: 16; }
    """

    def __init__(
        self, state: ViewState | None, runs: Sequence[Path] = (), first: int | None = None
    ) -> None:
        self.color_system = color_system(Console(force_terminal=True))
        few = self.color_system in _FEW_COLORS
        super().__init__(ansi_color=True if few else None)  # else shades of grey stand for colours
        light = recall("theme", str) == "light"
        self.theme = f"{'ansi' if few else 'textual'}-{'light' if light else 'dark'}"
        self.animation_level = "none"  # what scrolls is there at once, over a slow line as well
        self.fault: BaseException | None = None
        """What nobody caught."""
        self._state = state
        self._runs = runs
        """Runs whose curves are shown first, in place of a state."""
        self._lesson = first
        """The number of the lesson that is shown first, in place of both."""
        self._source = None if state is None else state.source
        self._newest = 0
        """Number of the latest computation; older ones come too late."""
        self._notice: Timer | None = None
        """What will say that it takes a while."""

    def on_mount(self) -> None:
        for name in ("SIGTERM", "SIGHUP"):  # they end it as q does, or the terminal stays ours
            with suppress(NotImplementedError, AttributeError, ValueError):  # Windows; a thread
                number = getattr(signal, name)
                leave = partial(self.exit, return_code=128 + number)
                asyncio.get_running_loop().add_signal_handler(number, leave)
        if fault := damage():
            self.notify(fault, severity="warning", markup=False)
        if self._lesson is not None:
            self._open_lesson(self._lesson)
        elif self._runs:
            self.push_screen(_curves(self._runs))
        elif self._state is None:
            self.action_open()
        else:
            self.push_screen(self._map(self._state))

    def _map(self, state: ViewState) -> MapScreen:
        state.system, state.source = self.color_system, self._source
        left = recall("palette", str)
        if left in PALETTE_NAMES and not state.palette_asked:
            state.palette = left
        if state.path is not None:
            remember_opened(state.path)
        return MapScreen(state)

    def on_resize(self, event: events.Resize) -> None:
        self._fit(event.size)

    def _fit(self, size: Size) -> None:
        """Cover a screen that the terminal is too small for."""
        small = size.width < _LEAST_WIDTH or size.height < _LEAST_HEIGHT
        if small and not isinstance(self.screen, SmallScreen):
            self.push_screen(SmallScreen())
        elif not small and isinstance(self.screen, SmallScreen):
            self.pop_screen()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "open" and isinstance(self.screen, StartScreen):
            return False
        if action == "suspend_process":  # not on Windows, nor in a browser
            return self._driver is not None and self._driver.can_suspend
        covered = isinstance(self.screen, SmallScreen)
        return not covered or action not in ("help", "open", "command_palette")

    # Opening

    def open_traces(self, traces: list[AttentionTrace]) -> None:
        """Show traces in place of whatever is shown."""
        self._show(self._map(ViewState([Frame("", traces)])))

    def on_opened(self, message: Opened) -> None:
        """Show a trace file, the curves of a run or a folder of traces, or say why not."""
        path = message.path
        try:
            if has_curves(path):
                self._show(_curves([path]))
                remember_opened(path)
            else:
                self._show(self._map(ViewState(frames_of(path), path=path)))
        except DlccError as error:
            self.post_message(Failed(error))
            message.otherwise()

    def _show(self, screen: Screen[Any]) -> None:
        self._supersede()  # what is still computed belongs to what was shown
        while len(self.screen_stack) > 1:
            self.pop_screen()
        self.push_screen(screen)
        self._fit(self.size)

    # Work behind the screen

    def on_compute(self, message: Compute) -> None:
        """Work in a thread, tell what takes a while, and go on with the traces or the failure."""
        number = self._supersede()

        def failed(error: Exception) -> None:
            self.post_message(Failed(error))
            message.otherwise()

        def run() -> None:
            then: Callable[[Any], None] = message.then or self.open_traces
            result: Any = None
            try:
                result = message.work()
            except Exception as error:  # whatever it is, the screen lives on
                then, result = failed, error
            self.call_from_thread(self._finish, number, then, result)

        say = partial(self.notify, f"{message.what} ...", timeout=_LONG, markup=False)
        self._notice = self.set_timer(_PATIENCE, say)
        self.run_worker(run, thread=True, exclusive=True, group="sources")

    def _finish(self, number: int, then: Callable[[Any], None], result: Any) -> None:
        if number == self._newest:
            self._supersede()
            self.call_later(then, result)

    def _supersede(self) -> int:
        """Forget what is still computed, with its notice; the number of what comes next."""
        if self._notice is not None:
            self._notice.stop()
            self.call_later(self.clear_notifications)  # after it has come, if it is on its way
        self._notice = None
        self._newest += 1
        return self._newest

    def on_failed(self, message: Failed) -> None:
        """Say in one line what went wrong; the log has the rest."""
        error = message.error
        _log(error)
        said = str(error) if isinstance(error, DlccError) else f"{type(error).__name__}: {error}"
        self.notify(" ".join(said.split()), severity="error", timeout=15, markup=False)

    def _fatal_error(self) -> None:
        """Textual prints the traceback of an error that nobody caught: here only for --debug."""
        self.fault = sys.exception()
        if settings.debug:
            super()._fatal_error()
        else:
            self.panic()

    # Keys

    def action_help(self) -> None:
        self.push_screen(Read("Keys", help_text(self._working(self.screen))))

    def _working(self, screen: Screen[Any]) -> Keys:
        """The keys that do something now, by group."""
        tables = {**getattr(screen, "KEYS", {}), **APP_KEYS}
        groups = {
            group: tuple(key for key in keys if self._works(key, screen))
            for group, keys in tables.items()
        }
        return {group: keys for group, keys in groups.items() if keys}

    def action_theme(self) -> None:
        family, other = (
            self.theme.rpartition("-")[0],
            "light" if self.current_theme.dark else "dark",
        )
        self.theme = f"{family}-{other}"
        remember(theme=other)

    def action_open(self) -> None:
        over_map = any(isinstance(screen, MapScreen) for screen in self.screen_stack)
        self.push_screen(StartScreen(self._source, over_map))

    def action_lessons(self) -> None:
        """Choose a lesson; a digit does."""
        from dlcc.cli.tui.screens.lesson import lesson_lines

        def chosen(number: int | None) -> None:
            if number is not None:
                self._open_lesson(number)

        try:
            options = [(line, number) for number, line in enumerate(lesson_lines(), 1)]
        except DlccError as error:
            self.post_message(Failed(error))
        else:
            self.push_screen(Choose("Lessons: a digit opens one, 0 the tenth", options), chosen)

    def _open_lesson(self, number: int) -> None:
        from dlcc.cli.tui.screens.lesson import LessonScreen
        from dlcc.core.lessons import lesson

        self.push_screen(LessonScreen(lesson(number)))

    def offers(self, screen: Screen[Any]) -> Iterator[Found]:
        """Every key that works now, once, and every lesson, for the command palette."""
        from dlcc.core.lessons import lessons

        seen = {"command_palette"}
        for key in itertools.chain.from_iterable(self._working(screen).values()):
            if key.action not in seen:
                seen.add(key.action)
                owner = self._owner(key, screen)
                run = partial(self.call_later, self.run_action, key.action, owner)
                words = words_of(key.name, key.text, key.footer)
                yield Found(key.text, key.shown, words, run)
        for each in lessons():
            name = f"Lesson {each.number}: {each.title}"
            words = f"{name} learn {each.words}".replace(":", " ")
            open_it = partial(self.call_later, self._open_lesson, each.number)
            yield Found(name, f"{len(each.pages) + 1} screens", words, open_it)

    def _owner(self, key: Key, screen: Screen[Any]) -> "Screen[Any] | ViewerApp":
        return screen if hasattr(screen, f"action_{key.name}") else self

    def _works(self, key: Key, screen: Screen[Any]) -> bool:
        return self._owner(key, screen).check_action(key.name, ()) is not False


def _curves(runs: Sequence[Path]) -> Screen[None]:
    """The curves of runs; they are imported when they are asked for.

    Raises:
        DataError: a run is damaged.
    """
    from dlcc.cli.tui.screens.curves import CurvesScreen

    return CurvesScreen([*runs])


def is_interactive() -> bool:
    """Whether there is a screen to draw on and a keyboard: a terminal, or textual's web driver.

    The keyboard is the terminal's also where stdin is a pipe or a file.
    """
    if "TEXTUAL_DRIVER" in os.environ:
        return True
    known = os.environ.get("TERM", "") not in ("", "dumb", "unknown") or os.name == "nt"
    return known and sys.stdout.isatty() and (sys.stdin.isatty() or _keyboard() is not None)


def take_keyboard() -> None:
    """Let keys come from the terminal where stdin was a pipe, which has been read."""
    if not sys.stdin.isatty() and (keyboard := _keyboard(keep=True)) is not None:
        os.dup2(keyboard, 0)


def _keyboard(keep: bool = False) -> int | None:
    """The terminal that this process belongs to, opened and closed again unless kept."""
    try:
        keyboard = os.open("/dev/tty", os.O_RDWR)
    except OSError:  # Windows; a process that belongs to none
        return None
    if not keep:
        os.close(keyboard)
    return keyboard


def view_traces(
    traces: list[AttentionTrace],
    source: Source | None = None,
    *,
    layer: int = 1,
    head: int = 1,
    words: bool | None = None,
) -> None:
    """Open the viewer on traces; where there is no screen to draw on, print them as tables.

    Args:
        traces: what to show.
        source: where they come from, in place of the installed source of that name.
        layer: of the first trace, from 1.
        head: of that layer, from 1.
        words: whether pieces are merged to words; left out, they are.
    """
    choice = Choice(0, layer - 1, head - 1)
    view(ViewState([Frame("", traces)], choice=choice, source=source, words=words))


def view(
    state: ViewState | None, runs: Sequence[Path] = (), lesson_number: int | None = None
) -> None:
    """Open the viewer on a state, on the curves of runs, on a lesson or on the start screen."""
    if is_interactive():
        take_keyboard()
        ask_terminal()
        app = ViewerApp(state, runs, lesson_number)
        app.run()
        if (app.return_code or 0) > 128:
            raise SystemExit(app.return_code)
        if app.fault is not None:
            _log(app.fault)
            said = f"{type(app.fault).__name__}: {app.fault}"
            raise DlccError(f"the viewer failed ({said}); {log_file()} says where: report it")
    elif state is not None:
        print_state(state)


def _log(error: BaseException) -> None:
    try:
        path = log_file()
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as log:
            log.write(f"{datetime.now().isoformat(timespec='seconds')}\n")
            log.writelines(traceback.format_exception(error))
    except OSError:  # a log that cannot be written must not hide the error itself
        pass
