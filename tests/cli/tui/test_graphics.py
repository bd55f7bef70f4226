"""Pictures in the pixels of a terminal: which terminals are asked, and what they are given."""

import io
import os
import pty
import re
import subprocess
import sys
import termios
import time

import numpy as np
import pytest
from PIL import Image
from textual.geometry import Region
from textual.widget import Widget
from viewing import Viewed, image_trace, state_of, view

from dlcc.cli.tui.widgets import graphics as graphics_module
from dlcc.cli.tui.widgets.graphics import Graphics, ask_terminal, graphics, has_placeholders, sixels
from dlcc.cli.tui.widgets.picture import Picture, framed

_ASK = """
import sys
from dlcc.cli.tui.widgets.graphics import ask_terminal, graphics
ask_terminal()
found = graphics()
name = found and (found.widget.__name__ if found.widget else "sixels")
print("FOUND", found and found.cell, name, "textual_image.widget" in sys.modules, flush=True)
"""


def asked(answers: dict[bytes, bytes], delay: float = 0, **environ: str) -> str:
    """What is found in a terminal of 80 × 24 cells of 9 × 18 pixels that answers so, after a
    while each time."""
    parent, child = pty.openpty()
    termios.tcsetwinsize(child, (24, 80))
    known = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    process = subprocess.Popen(
        [sys.executable, "-c", _ASK], stdin=child, stdout=child, env=known | environ
    )
    os.close(child)
    said = b""
    waiting = {b"\x1b[6n": b"\x1b[1;1R", **answers}
    try:
        while b"FOUND" not in said or not said.endswith(b"\n"):
            said += os.read(parent, 4096)
            for question in [each for each in waiting if each in said]:
                time.sleep(delay)
                os.write(parent, waiting.pop(question))
    finally:
        process.wait(30)
        os.close(parent)
    return said.decode().partition("FOUND ")[2].strip()


def is_found(expected: str, answers: dict[bytes, bytes], **environ: str) -> bool:
    """Whether that is found by and by: a busy machine may answer too late."""
    return any(asked(answers, **environ) == expected for _ in range(5))


_CELL = {b"\x1b[16t": b"\x1b[6;18;9t"}
_NO_SIXELS = {b"\x1b[c": b"\x1b[?62;22c"}
_KITTY = {b"\x1b_G": b"\x1b_Gi=1;OK\x1b\\"}


def test_a_terminal_with_sixels_is_asked_and_used():
    answers = {b"\x1b[c": b"\x1b[?62;4;22c", **_CELL}
    found = "(18, 9) sixels True"
    assert is_found(found, answers, TERM="foot")
    assert is_found(found, answers, TERM="xterm-256color", DLCC_GRAPHICS="1")
    assert is_found("None None True", {**_NO_SIXELS, **_CELL}, TERM="foot")


def test_terminals_that_are_not_known_are_left_alone():
    assert asked({}, TERM="xterm-256color") == "None None False"
    assert asked({}, TERM="foot", TMUX="/tmp/tmux") == "None None False"
    assert asked({}, TERM="foot", DLCC_GRAPHICS="0") == "None None False"


def test_a_terminal_that_is_far_away_is_asked_one_thing_and_answers_it():
    sixels = {b"\x1b[c": b"\x1b[?62;4;22c", **_CELL}
    assert asked(sixels, 0.2, TERM="foot") == "None None False"


def test_without_a_terminal_nothing_is_asked(monkeypatch):
    monkeypatch.setenv("DLCC_GRAPHICS", "1")
    monkeypatch.setattr(sys, "__stdout__", io.StringIO())
    ask_terminal()
    assert graphics() is None


@pytest.mark.parametrize(
    ("version", "works"),
    [
        ("\x1bP>|kitty(0.41.1)\x1b\\", True),
        ("\x1bP>|kitty(0.28.0)\x1b\\", True),
        ("\x1bP>|kitty(0.26.5)\x1b\\", False),
        ("\x1bP>|ghostty 1.1.3\x1b\\", True),
        ("\x1bP>|WezTerm 20240203\x1b\\", False),
        ("", False),
    ],
)
def test_only_terminals_that_show_graphics_at_characters_are_given_them(version, works):
    assert has_placeholders(version) == works


def test_a_kitty_of_today_is_used():
    version = {b"\x1b[>q": b"\x1bP>|kitty(0.41.1)\x1b\\"}
    answers = {**_NO_SIXELS, **_KITTY, **_CELL, **version}
    assert is_found("(18, 9) TGPImage True", answers, TERM="xterm-kitty")
    answers[b"\x1b[>q"] = b"\x1bP>|kitty(0.26.5)\x1b\\"
    assert is_found("None None True", answers, TERM="xterm-kitty")


def test_sixels_hold_the_picture():
    image = Image.fromarray(np.full((20, 30, 3), (255, 0, 0), np.uint8))
    said = sixels(image)
    assert said.startswith("\x1bP")
    assert said.endswith("\x1b\\")
    assert '"1;1;30;20' in said
    assert "#0;2;100;0;0#0!30~-!30~-!30~-!30B" in said.replace("$", "")


def test_sixels_are_drawn_over_the_half_blocks_after_their_last_line(monkeypatch):
    monkeypatch.setattr(graphics_module, "_found", Graphics((20, 10)))

    async def steps(viewed: Viewed) -> None:
        picture = viewed.app.screen.query_one("#picture", Picture)
        size = picture.size

        def lines() -> list[str]:
            strips = picture.render_lines(Region(0, 0, *size))
            return ["".join(segment.text for segment in strip) for strip in strips]

        drawn = lines()
        (number,) = (n for n, line in enumerate(drawn) if "\x1bP" in line)
        blocks = [n for n, line in enumerate(drawn) if "▀" in line]
        assert number == blocks[-1] + 1
        assert number < size.height  # room for what bands of six pixels take more
        found = re.search(r"\x1b7\x1b\[(\d+);(\d+)H\x1bP.*?\"1;1;(\d+);(\d+)#", drawn[number])
        line, column, width, height = map(int, found.groups())
        left = len(drawn[blocks[0]]) - len(drawn[blocks[0]].lstrip())
        assert line == picture.region.y + blocks[0] + 1
        assert column == picture.region.x + left + 1
        assert height == 20 * len(blocks)
        assert width == 10 * drawn[blocks[0]].count("▀")
        await viewed.press("right")
        assert lines()[number] != drawn[number]  # another patch asks
        await viewed.press("question_mark")
        assert not any("\x1bP" in line for line in lines())  # not over the dialog

    view(state_of(image_trace()), steps)


def test_kittys_graphics_fill_the_picture(monkeypatch):
    class Shown(Widget):
        image: Image.Image | None = None

    monkeypatch.setattr(graphics_module, "_found", Graphics((20, 10), Shown))

    async def steps(viewed: Viewed) -> None:
        picture = viewed.app.screen.query_one("#picture", Picture)
        shown = picture.query_one(Shown)
        first = np.asarray(shown.image)
        assert first.shape == (20 * picture.size.height, 10 * picture.size.width, 4)
        await viewed.press("right")
        assert not np.array_equal(np.asarray(shown.image), first)
        seen = first[..., 3] == 255
        assert seen.any()
        assert not seen.all()  # the theme's paper is around it
        await viewed.pilot.click(shown, offset=(picture.size.width // 2, 1))
        assert picture.patch is not None
        assert picture.patch[0] == 0

    view(state_of(image_trace()), steps)


def test_few_colours_have_half_blocks_though_the_terminal_has_graphics(monkeypatch):
    monkeypatch.setattr(graphics_module, "_found", Graphics((20, 10)))

    async def steps(viewed: Viewed) -> None:
        picture = viewed.app.screen.query_one("#picture", Picture)
        strips = picture.render_lines(Region(0, 0, *picture.size))
        assert not any("\x1bP" in segment.text for strip in strips for segment in strip)

    view(state_of(image_trace()), steps, colors=None)


def test_a_frame_is_white_around_black_where_lines_are_fine():
    pixels = np.full((400, 400, 3), 100.0)
    found = framed(pixels, (1, 1, 2, 2), (4, 4))
    assert (found[100:102, 100:200] == 255).all()
    assert (found[102:104, 102:198] == 0).all()
    assert (found[104:196, 104:196] == 100).all()
    assert (found[:100] == 100).all()
    small = framed(np.full((8, 8, 3), 100.0), (0, 0, 2, 2), (4, 4))
    assert (small[:4, :4][[0, -1]] == 255).all()
    assert (small[1:3, 1:3] == 100).all()
