"""The knobs of a trace, below its map: turned by the arrows, the map follows."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Static

from dlcc.cli.draw.labels import display, fit
from dlcc.cli.tui.keys import Key, Keys, bindings, footer
from dlcc.cli.tui.messages import Compute
from dlcc.cli.tui.screens.dialogs import Ask
from dlcc.cli.tui.state import ViewState
from dlcc.core.sources import Knob
from dlcc.core.trace.trace import AttentionTrace

_NAMES = {"scaled": "by 1/√D"}


class KnobsScreen(ModalScreen[None]):
    """A strip of knobs, a line each.

    Args:
        state: whose trace they are of.
        show: shows the traces that come of turning one.
    """

    KEYS: ClassVar[Keys] = {
        "Here": (
            Key("down,j", "↓ j", "choose(1)", "Next knob", footer="knob"),
            Key("up,k", "↑ k", "choose(-1)", "Knob above"),
            Key("right,l", "→ l", "turn(1)", "Turn it up", footer="turn"),
            Key("left,h", "← h", "turn(-1)", "Turn it down"),
            Key("enter", "Enter", "write", "Write: other words, another value", footer="write"),
            Key("escape,A", "Esc A", "dismiss", "Back to the map", footer="back"),
        )
    }
    BINDINGS = bindings(KEYS, modal=True)
    CSS = """
    KnobsScreen { background: transparent; align: left bottom; }
    KnobsScreen Vertical { height: auto; background: $surface; border-top: solid $primary; }
    KnobsScreen Static { height: auto; }
    """

    def __init__(self, state: ViewState, show: Callable[[list[AttentionTrace]], None]) -> None:
        super().__init__()
        self._state, self._show, self._place = state, show, 0
        self._wanted: dict[str, str] = {}  # turned, and perhaps not yet computed

    @property
    def _knobs(self) -> list[Knob]:
        """What there is to turn, as it was turned last."""
        knobs = self._state.knobs
        return [replace(knob, value=self._wanted.get(knob.name, knob.value)) for knob in knobs]

    def compose(self) -> ComposeResult:
        with Vertical():
            yield Static(id="knobs")
        yield footer()

    def on_mount(self) -> None:
        names = [knob.name for knob in self._knobs]
        self._place = names.index("temperature") if "temperature" in names else 0
        self.draw()

    def on_resize(self) -> None:
        self.draw()

    def draw(self) -> None:
        lines = [self._line(knob, number == self._place) for number, knob in enumerate(self._knobs)]
        self.query_one("#knobs", Static).update(Text("\n").join(lines))

    def _line(self, knob: Knob, here: bool) -> Text:
        room = self.app.size.width - 16
        name = f"{'>' if here else ' '}{_NAMES.get(knob.name, knob.name):<12} "
        line = Text(name, "bold" if here else "")
        if not knob.choices:
            value = display(knob.value) or "itself"
            return line.append(fit(value, min(len(value), room)))
        place = _place_of(knob)
        shown = [f"[{c}]" if n == place else f" {c} " for n, c in enumerate(knob.choices)]
        if knob.value not in knob.choices:
            shown = [f"[{knob.value}]"]
        while sum(map(len, shown)) > room and len(shown) > 1:  # as many as fit, around the chosen
            chosen = next(n for n, each in enumerate(shown) if each.startswith("["))
            shown.pop(0 if chosen > len(shown) // 2 else -1)
        for each in shown:
            line.append(each, "bold reverse" if each.startswith("[") else "dim")
        return line

    def action_choose(self, step: int) -> None:
        self._place = (self._place + step) % len(self._knobs)
        self.draw()

    def action_turn(self, step: int) -> None:
        knob = self._knobs[self._place]
        if not knob.choices:
            self.action_write()
            return
        place = min(max(_place_of(knob) + step, 0), len(knob.choices) - 1)
        if knob.choices[place] != knob.value:
            self._turn(knob.name, knob.choices[place])

    def action_write(self) -> None:
        knob = self._knobs[self._place]

        def written(answer: list[str] | None) -> None:
            if answer is not None and answer[0] != knob.value:
                self._turn(knob.name, answer[0].strip())

        self.app.push_screen(Ask("Attend anew", [(knob.name, knob.value)]), written)

    def _turn(self, name: str, value: str) -> None:
        turned, trace = self._state.turned, self._state.trace
        assert turned is not None  # else there are no knobs
        self._wanted[name] = value
        wanted = dict(self._wanted)

        def show(traces: list[AttentionTrace]) -> None:
            self._wanted.clear()
            self._show(traces)
            self._place = min(self._place, len(self._knobs) - 1)
            self.draw()

        def refused() -> None:
            self._wanted.clear()
            self.draw()

        work = partial(turned, trace, **wanted)
        self.post_message(Compute("Attending anew", work, show, refused))
        self.draw()


def _place_of(knob: Knob) -> int:
    """Where its value stands among the choices, or the last number below it."""
    if knob.value in knob.choices:
        return knob.choices.index(knob.value)
    return max(
        (n for n, each in enumerate(knob.choices) if float(each) <= float(knob.value)), default=0
    )
