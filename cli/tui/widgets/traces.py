"""The line with the names of all traces, each in its place; a click shows one."""

from dataclasses import dataclass

from rich.cells import cell_len
from rich.text import Text
from textual import events
from textual.message import Message
from textual.widgets import Static


class TraceNames(Static):
    """Names of traces, the chosen one in brackets."""

    @dataclass
    class Touched(Message):
        """The mouse chose a trace."""

        number: int

    def show(self, before: str, names: list[str], chosen: int) -> None:
        """Draw `names` behind a text; where they are too long, from the first on that lets the
        chosen one be seen."""
        shown = [
            f"[{name}]" if number == chosen else f" {name} " for number, name in enumerate(names)
        ]
        room, first = self.app.size.width - cell_len(before), 0
        while first < chosen and sum(map(cell_len, shown[first : chosen + 1])) > room:
            first += 1
        line = Text(before, "bold")
        self._starts: list[tuple[int, int]] = []
        for number, name in enumerate(shown[first:], first):
            self._starts.append((cell_len(line.plain), number))
            line.append(name, "bold" if number == chosen else "")
        self.update(line, layout=False)

    def write(self, text: Text) -> None:
        """Draw something else, on which a click does nothing."""
        self._starts = []
        self.update(text, layout=False)

    def on_click(self, event: events.Click) -> None:
        touched = [number for start, number in self._starts if start <= event.x]
        if touched:
            self.post_message(self.Touched(touched[-1]))
