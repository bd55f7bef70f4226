"""Labels as people write them, read as classes."""

import re
from collections import Counter
from collections.abc import Mapping


class Classes:
    """Labels as values: trimmed, numbers by what they are worth, and as they were asked to be read.

    Args:
        renamed: the class that a label is read as.
    """

    def __init__(self, renamed: Mapping[str, str]) -> None:
        self._renamed = renamed
        self._found: dict[str, Counter[str]] = {}

    def of(self, given: str) -> str:
        """The class of a label; nothing where there is none."""
        name = given.strip()
        if re.fullmatch(r"[+-]?\d+\.0*", name):
            name = name.partition(".")[0]
        name = self._renamed.get(name, name)
        self._found.setdefault(name, Counter())[given] += 1
        return name

    def merged(self) -> list[str]:
        """Lines that say which labels were read as another, and which differ in case alone."""
        lines = [
            f"{count:,} labels {given!r} read as {name!r}"
            for name, spellings in sorted(self._found.items())
            for given, count in sorted(spellings.items())
            if given != name and name
        ]
        folded: dict[str, list[str]] = {}
        for name in sorted(self._found):
            folded.setdefault(name.casefold(), []).append(name)
        return lines + [
            f"the classes {' and '.join(names)} differ in case alone, and are kept apart"
            for names in folded.values()
            if len(names) > 1
        ]
