"""The command palette: what the keys do and which lessons there are, found by any word for it."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from textual.command import DiscoveryHit, Hit, Hits, Provider

_ALSO = {
    "quit": "exit close end bye stop",
    "open": "start file load home welcome menu demos",
    "theme": "theme colours dark light background mode appearance",
    "help": "keys shortcuts manual",
    "suspend_process": "background shell job",
    "overview": "overview all heads thumbnails grid",
    "head": "switch",
    "reduce": "average combine aggregate",
    "trace": "tab mechanism model",
    "epoch": "time step training",
    "beside": "compare side split",
    "difference": "minus compare difference delta",
    "zoom": "zoom bigger larger smaller size numbers",
    "fit": "zoom reset size",
    "scale": "brightness normalise",
    "palette": "colours colors theme viridis grey",
    "highlight": "crosshair cursor",
    "special": "cls sep padding tokens",
    "words": "tokens pieces subwords",
    "picture": "image photo patches",
    "blend": "overlay image",
    "explain": "why queries keys softmax terms",
    "search": "find word filter",
    "alternatives": "beam force word",
    "explanations": "why gradient rollout occlusion attribution",
    "cutmix": "mixed pictures",
    "table": "text accessible screen reader",
    "save": "write file trace",
    "export": "picture figure image svg png pdf html write",
    "copy_cell": "clipboard",
    "copy_row": "clipboard",
    "command": "reproduce shell command line",
    "lessons": "learn tutorial course teach chapter",
}
"""Other words for an action, besides those that the help and the footer print."""


class Found(NamedTuple):
    """One line of the palette."""

    text: str
    hint: str
    """Its key, or where it leads."""
    words: str
    """All words it is found by."""
    run: Callable[[], Any]


class Finder(Provider):
    """Finds whatever the app offers now by the beginnings of words, in any order."""

    async def discover(self) -> Hits:
        for found in self._offers():
            yield DiscoveryHit(found.text, found.run, help=found.hint)

    async def search(self, query: str) -> Hits:
        asked = query.casefold().split()
        matcher = self.matcher(query)
        for found in self._offers():
            words = found.words.casefold().split()
            if all(any(word.startswith(part) for word in words) for part in asked):
                # what its own line says comes before what a synonym says
                own = found.text.casefold().split()
                direct = all(any(word.startswith(part) for word in own) for part in asked)
                shown = matcher.highlight(found.text)
                yield Hit(2.0 if direct else 1.0, shown, found.run, help=found.hint)

    def _offers(self) -> Iterator[Found]:
        app: Any = self.app
        yield from app.offers(self.screen)


def words_of(action: str, text: str, footer: str) -> str:
    """The words by which an action is found."""
    return f"{text} {footer} {_ALSO.get(action, '')}".replace(",", " ").replace(":", " ")
