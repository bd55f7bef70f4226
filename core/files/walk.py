"""The files below a folder, and those that links in it lead to; and which files are read at all."""

import os
from collections.abc import Callable
from pathlib import Path

_JUNK = ("thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r")

Passed = Callable[[str, str], None]
"""Told the name of a file that is not read, and why; of a folder its name and a /."""


def unheard(name: str, why: str) -> None:
    """For whom nobody listens."""


def unseen(name: str) -> str:
    """Why a file is left out whatever it holds; empty where it is not."""
    parts = name.split("/")
    if any(each == "__MACOSX" or (each[:1] == "." and each not in (".", "..")) for each in parts):
        return "hidden"
    return "left behind by a system" if parts[-1].lower() in _JUNK else ""


def readable(name: str) -> str:
    """A name; in an old encoding where its bytes are no UTF-8."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return name.encode("utf-8", "surrogateescape").decode("cp1252", "replace")
    return name


def paths_in(folder: Path, passed: Passed = unheard) -> list[tuple[str, str]]:
    """Names below `folder`, with / between folders, and paths, in the order of their names.

    Links to folders are followed, but for those inside what a link led to, and those that lead
    back. Hidden files are left out.

    Raises:
        OSError: `folder` itself cannot be read.
    """
    found: list[tuple[str, str, str]] = []
    waiting = [(str(folder), "", False)]
    while waiting:
        here, prefix, linked = waiting.pop()
        try:
            entries = list(os.scandir(here))
        except OSError:
            if not prefix:
                raise
            passed(readable(prefix), "links or folders that cannot be read")
            continue
        if not entries and prefix:
            passed(readable(prefix), "empty folders")
        for entry in entries:
            name = prefix + entry.name
            if why := unseen(entry.name):
                passed(readable(name), why)
            elif entry.is_dir():
                link = entry.is_symlink()
                if link and _leads_back(here, entry.path):
                    passed(readable(name), "linked twice")
                elif link and linked:
                    passed(f"{readable(name)}/", "links within what is linked")
                else:
                    waiting.append((entry.path, f"{name}/", linked or link))
            elif entry.is_file():
                found.append(
                    (name.replace("/", "\0"), readable(name), entry.path)
                )  # a folder first
            else:
                passed(readable(name), "links to nothing")
    return [(name, path) for _, name, path in sorted(found)]


def files_in(folder: Path, passed: Passed = unheard) -> list[tuple[str, Path]]:
    """As `paths_in`, with files; of a million these take seconds."""
    return [(name, Path(path)) for name, path in paths_in(folder, passed)]


def _leads_back(here: str, link: str) -> bool:
    back = os.path.realpath(link).rstrip(os.sep) + os.sep
    return f"{os.path.realpath(here)}{os.sep}".startswith(back)
