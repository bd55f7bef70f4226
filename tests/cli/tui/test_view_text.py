"""The text view: running words, filled by what the word that asks puts on them."""

from dataclasses import replace

import numpy as np
import pytest
from viewing import Viewed, image_trace, state_of, text_trace, view

from dlcc.cli.tui.opening import reproducing
from dlcc.cli.tui.state import MAP, PICTURE, TEXT
from dlcc.cli.tui.widgets.text import TextView, spaced
from dlcc.core.files.paths import asset
from dlcc.core.trace.trace import AttentionTrace, load_traces


def read(*labels: str, **known) -> str:
    return "".join(" " * space + text for text, space in spaced(labels, **known)).strip()


def test_tokens_become_running_text():
    assert read("▁el", "▁cerr", "ado", ".", "</s>", special={"</s>"}) == "el cerrado. </s>"
    assert read("[CLS]", "stu", "##dent", "s") == "[CLS] student s"
    assert read("stu@@", "dent", "asked", ",") == "student asked,"
    assert read("stu", "dent", "asked", words=(0, 0, 1)) == "student asked"


def long_trace(count: int) -> AttentionTrace:
    words = tuple(f"word{number}" for number in range(count))
    weights = np.full((1, 2, count, count), 1 / count, np.float32)
    weights[0, 1] = np.eye(count)[::-1]  # the second head looks from the end to the beginning
    return AttentionTrace(weights, words, words)


def test_more_than_twelve_tokens_are_a_text():
    assert state_of(long_trace(12)).views[0] == MAP
    assert state_of(long_trace(13)).views[0] == TEXT
    assert state_of(image_trace()).views[0] == PICTURE


@pytest.mark.parametrize("size", [(80, 24), (60, 15)])
@pytest.mark.parametrize("colors", ["truecolor", "standard", None])
def test_every_word_is_whole(size, colors):
    async def steps(viewed: Viewed) -> None:
        words = set(viewed.text.replace("[", " ").replace("]", " ").replace("█", " ").split())
        assert {f"word{number}" for number in range(42)} <= words

    view(state_of(long_trace(42)), steps, size=size, colors=colors)


def background(viewed: Viewed, word: str) -> object:
    segments = (segment for strip in viewed.strips for segment in strip)
    return next(s.style.bgcolor for s in segments if s.style and s.text == word)


def test_arrows_choose_the_word_and_the_head():
    async def steps(viewed: Viewed) -> None:
        await viewed.press("right", "l")
        assert viewed.state.row == 2
        assert "[word2]" in viewed.text
        await viewed.press("down")
        assert viewed.state.choice.head == 1
        assert background(viewed, "word17") != background(viewed, "word16")
        await viewed.press("j")
        assert viewed.state.choice.head == 0
        await viewed.press("G")
        assert "[word19]" in viewed.text
        await viewed.press("w")
        assert viewed.state.view == MAP

    view(state_of(long_trace(20)), steps)


def test_two_texts_explanations_and_layers():
    asking = ("[CLS]", "el", "estu", "diante", "le", "preguntó", "[SEP]")
    trace = replace(text_trace(), query=asking)

    async def steps(viewed: Viewed) -> None:
        assert "[[CLS]]el estudiante le preguntó [SEP]" in viewed.text
        assert "[CLS] the student asked her [SEP]" in viewed.text
        assert "occlusion, up to" in viewed.text
        await viewed.press("tab")
        assert viewed.state.choice.layer == 1
        assert "--as text" in reproducing(viewed.state)
        text = viewed.app.screen.query_one(TextView)
        line = next(y for y, shown in enumerate(viewed.lines) if "asked her" in shown)
        await viewed.pilot.click(TextView, offset=(13, line - text.region.y))
        assert trace.key[viewed.state.column] == "stu"

    view(state_of(trace, view=TEXT), steps)


def test_the_cursor_stays_in_sight():
    async def steps(viewed: Viewed) -> None:
        await viewed.press("G")
        assert "[word999]" in viewed.text
        await viewed.press("g")
        assert "[word0]" in viewed.text

    view(state_of(long_trace(1000)), steps)


def test_the_demo_review_is_read_whole():
    async def steps(viewed: Viewed) -> None:
        assert "but the story is slow and the ending is a waste of time." in viewed.text

    view(state_of(*load_traces(asset("demos/review-and-its-heads.trace"))), steps)
