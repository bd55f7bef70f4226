"""Whether the terminal can show pixels, by sixel or kitty graphics, and what makes it do so.

Both are textual-image's, which asks the terminal while it is imported: before Textual reads it.
"""

import logging
import os
import re
import sys
import time
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.segment import Segment

_TERMS = ("xterm-kitty", "xterm-ghostty", "foot", "mlterm", "contour", "wezterm")
_PROGRAMS = ("WezTerm", "iTerm.app", "mintty", "ghostty", "rio")
_MARKS = ("KITTY_WINDOW_ID", "KONSOLE_VERSION", "WT_SESSION", "MLTERM", "XTERM_VERSION")
"""By what terminals with graphics are known: TERM, TERM_PROGRAM, and what else they set. Others are
not asked: one that does not answer costs time, and the keys that are typed meanwhile."""
_BETWEEN = ("TMUX", "STY", "ZELLIJ")
"""Set within multiplexers, which answer for a terminal that they may not let through to."""
_PLACEHOLDERS = {"kitty": (0, 28), "ghostty": (1, 0)}
"""Since when terminals with kitty's graphics put them where certain characters stand, as they are
used here; Debian 12 still has a kitty that answers alike and shows the characters."""

_DEFINED = re.compile(r"#(\d+);2;\d+;\d+;\d+")
_PATIENCE = 0.1  # seconds that textual-image waits for an answer


@dataclass(frozen=True)
class Graphics:
    """How this terminal shows pixels."""

    cell: tuple[int, int]
    """(height, width) of a cell in pixels."""
    widget: type[Any] | None = None
    """What shows its `image`, a Pillow image, by kitty's graphics; None where sixels do it."""


def sixels(image: Any) -> str:
    """What a terminal draws a Pillow image of whole cells from, its corner at the cursor."""
    from textual_image.renderable import SixelImage

    console = Console()
    drawn = SixelImage(image).__rich_console__(console, console.options.update(width=image.width))
    texts = (each.text for each in drawn if isinstance(each, Segment))
    found = next(text for text in texts if text.startswith("\x1bP"))
    return _DEFINED.sub(r"\g<0>#\1", found)  # to xterm, to define a colour is not to choose it


_found: Graphics | None = None


def graphics() -> Graphics | None:
    """What `ask_terminal` found."""
    return _found


def ask_terminal() -> None:
    """Ask a terminal that may have graphics for them, if it answers at once."""
    global _found
    streams = (sys.__stdin__, sys.__stdout__)
    if not all(stream is not None and stream.isatty() for stream in streams) or not _may_have():
        return
    began = time.monotonic()
    if not _answer("\x1b[6n", "\x1b[", "R", 1) or time.monotonic() - began > _PATIENCE / 2:
        return  # far away: answers that come too late would be taken for keys
    logging.getLogger("textual_image").addHandler(logging.NullHandler())  # not on the screen
    from textual_image import renderable, widget

    size = widget.get_cell_size()
    cell, kind = (size.height, size.width), renderable.Image
    if kind is renderable.SixelImage:
        _found = Graphics(cell)
    elif kind is renderable.TGPImage and has_placeholders(
        _answer("\x1b[>q", "\x1bP>|", "\x1b\\", _PATIENCE)
    ):
        _found = Graphics(cell, widget.TGPImage)


def _may_have() -> bool:
    """Whether it is worth asking; DLCC_GRAPHICS says 1 or 0 where this is wrong."""
    known = os.environ
    if (wanted := known.get("DLCC_GRAPHICS", "")) in ("0", "1"):
        return wanted == "1"
    if any(name in known for name in _BETWEEN):
        return False
    is_marked = known.get("TERM_PROGRAM") in _PROGRAMS or any(name in known for name in _MARKS)
    return is_marked or known.get("TERM", "").startswith(_TERMS)


def has_placeholders(version: str) -> bool:
    """Whether a terminal whose name and version are so shows graphics in place of characters."""
    found = re.search(rf"({'|'.join(_PLACEHOLDERS)})\D*(\d+)\.(\d+)", version)
    return found is not None and (int(found[2]), int(found[3])) >= _PLACEHOLDERS[found[1]]


def _answer(question: str, first: str, last: str, seconds: float) -> str:
    """What the terminal answers, such as its cursor's place or, to XTVERSION, kitty(0.41.1); empty
    where it says nothing."""
    from textual_image._terminal import TerminalError, capture_terminal_response

    stdout = sys.__stdout__
    assert stdout is not None
    try:
        with capture_terminal_response(first, last, seconds) as response:
            stdout.write(question)
            stdout.flush()
    except (TerminalError, TimeoutError):
        return ""
    return str(response.sequence)
