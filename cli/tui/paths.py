"""Paths that are typed: completed by Tab as a shell does."""

import os
from pathlib import Path

_SHOWN = 8  # names that a hint lists


def completed(typed: str) -> tuple[str, list[str]]:
    """What was typed with as much behind it as there is no choice about, and the names that there
    are to choose from, folders with a slash behind them; none where one is meant, or nothing."""
    folder, _, start = typed.rpartition("/")
    place = Path(folder + "/" if "/" in typed else ".").expanduser()
    try:
        entries = sorted(os.scandir(place), key=lambda entry: entry.name)
        names = [
            entry.name + "/" * entry.is_dir()
            for entry in entries
            if entry.name.startswith(start) and (start or not entry.name.startswith("."))
        ]
    except OSError:
        return typed, []
    if not names:
        return typed, []
    common = os.path.commonprefix(names)  # noqa: RUF071  # letters, as a shell completes
    return typed[: len(typed) - len(start)] + common, names if len(names) > 1 else []


def hint_of(names: list[str]) -> str:
    """Some names in a line."""
    more = f" … {len(names)} in all" if len(names) > _SHOWN else ""
    return "  ".join(names[:_SHOWN]) + more
