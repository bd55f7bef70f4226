"""What `dlcc translate` says on stderr of its translations."""

import time
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dlcc.core.translate.translator import Translation

_NAMED = 5  # lines of a kind, at most
_ALIKE = str.maketrans("’‘´`ʼ′“”„", "''''''\"\"\"")  # not worth a word


class Said:
    """What a person should know of translations: what could not be translated, or not well, and
    what was read otherwise than it was typed.

    Args:
        alone: whether there is one line.
        before: how many lines were translated before.
    """

    def __init__(self, alone: bool, before: int) -> None:
        self._alone, self._before, self._number, self._empty = alone, before, before, 0
        self._begun = time.monotonic()
        self._strange: list[str] = []
        self._changed: list[str] = []
        self._more = Counter[str]()
        self._problems = 0

    def take(self, line: str, translation: "Translation") -> None:
        """Learn of the next line, and say what is wrong with it."""
        from dlcc.cli.console import warn

        self._number += 1
        where = "" if self._alone else f"line {self._number}: "
        if not translation.source and where:
            self._empty += 1
        elif translation.problem:
            self._problems += 1
            if self._problems <= _NAMED:
                warn(where + translation.problem)
        if said := _strange(translation):
            self._keep(self._strange, where + said, "have words that were copied or are unknown")
        typed = " ".join(line.translate(_ALIKE).split())
        if translation.source and translation.source.translate(_ALIKE) != typed:
            said = f"{where}read as {translation.source!r}"
            said = said if len(said) < 200 else f"{said[:199]}…"
            self._keep(self._changed, said, "were read otherwise than they were typed")

    def _keep(self, examples: list[str], said: str, others: str) -> None:
        if len(examples) < _NAMED:
            examples.append(said)
        else:
            self._more[others] += 1

    def finish(self) -> None:
        """Say the rest."""
        from dlcc.cli.console import note, warn

        if self._problems > _NAMED:
            more = self._problems - _NAMED
            warn(f"{more:,} further lines have a problem: --json says which")
        if not self._alone:
            seconds = time.monotonic() - self._begun
            lines = self._number - self._before
            note(f"{lines:,} lines in {seconds:.1f} s, {lines / seconds:,.0f} a second")
        for said in self._strange + self._changed:
            note(said)
        for others, count in self._more.items():
            note(f"{count:,} further lines {others}")
        if self._empty:
            note(f"{self._empty} empty line{'s' if self._empty > 1 else ''} kept empty")


def _strange(translation: "Translation") -> str:
    """What a person should know of words that were not translated as others are."""
    parts = translation.parts or (translation,)
    words = [word for part in parts for word in part.source_tokens.copies]
    kept = dict.fromkeys(word for word in words if word in translation.text)
    unknown = [word for word in translation.unknown if not any(word in each for each in kept)]
    said = [f"copied: {', '.join(kept)}"] if kept else []
    if unknown and translation.text:
        said.append(f"not in the training data: {', '.join(unknown)}")
    return "; ".join(said)
