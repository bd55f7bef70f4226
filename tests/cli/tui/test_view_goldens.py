"""Whole screens, kept as text: the bundled demos in every view, at three sizes.

DLCC_GOLDENS=write pytest tests/cli/tui/test_view_goldens.py writes them anew: look at
the difference.
"""

import os
from pathlib import Path

import pytest
from viewing import Viewed, image_trace, state_of, view

from dlcc.cli.tui.frames import Frame
from dlcc.cli.tui.state import MAP, PICTURE, TEXT, ViewState
from dlcc.core.files.paths import asset
from dlcc.core.trace.trace import load_traces

FOLDER = Path(__file__).parent / "goldens"
CHAPTER = "demos/chapter-sentences-four-mechanisms.trace"
SCREENS = {
    "map": ((80, 24), ("j", "j", "j", "j", "j", "j", "greater_than_sign")),
    "map-wide": ((200, 50), ("space", "v")),
    "cell": ((80, 24), ("j", "j", "j", "j", "j", "j", "greater_than_sign", "enter")),
    "beside": ((160, 24), ("s", "b", "j")),
    "difference": ((80, 24), ("d", "enter")),
    "help": ((80, 50), ("question_mark",)),
    "words": ((80, 24), ("t",)),
}


async def check(name: str, viewed: Viewed) -> None:
    path = FOLDER / f"{name}.txt"
    if os.environ.get("DLCC_GOLDENS") == "write":
        await viewed.pilot.pause(1)
        path.write_text(viewed.text + "\n", "utf-8")
    golden = path.read_text("utf-8")
    await viewed.until(lambda: viewed.text + "\n" == golden)
    assert viewed.text + "\n" == golden, f"{path} is drawn otherwise"


@pytest.mark.parametrize("name", SCREENS)
def test_screens_of_the_chapter_s_sentences(name):
    size, keys = SCREENS[name]

    async def steps(viewed: Viewed) -> None:
        await viewed.pilot.pause(0.1)  # a dialog keeps what was behind it when it opened
        await viewed.press(*keys)
        await check(name, viewed)

    view(ViewState([Frame("", load_traces(asset(CHAPTER)))]), steps, size=size)


@pytest.mark.parametrize("colors", ["truecolor", None])
def test_a_picture(colors):
    async def steps(viewed: Viewed) -> None:
        await viewed.press("right")
        await check(f"picture-{colors or 'glyphs'}", viewed)

    view(state_of(image_trace()), steps, colors=colors)


SIZES = ((80, 24), (120, 36), (200, 50))
DEMOS = {
    "bank": ("bank-and-bank-of-the-river", MAP, TEXT),
    "chapter": ("chapter-sentences-four-mechanisms", MAP, TEXT),
    "picture": ("picture-and-its-patches", MAP, PICTURE),
    "review": ("review-and-its-heads", MAP, TEXT),
    "translation": ("translation-and-its-alignment", MAP, TEXT),
    "words": ("words-and-their-partners-trained", MAP, TEXT),
}


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("demo", DEMOS)
def test_demos_in_each_view(demo, size):
    name, *views = DEMOS[demo]
    traces = load_traces(asset(f"demos/{name}.trace"))

    async def steps(viewed: Viewed) -> None:
        for shown_as in views:
            viewed.state.view = shown_as
            viewed.map.redraw()
            await viewed.settle()
            await check(f"demo-{demo}-{shown_as}-{size[0]}x{size[1]}", viewed)

    view(ViewState([Frame("", traces)], view=views[0]), steps, size=size)
