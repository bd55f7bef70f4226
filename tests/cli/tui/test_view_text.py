"""The text view: running words, filled by what the word that asks puts on them."""

import re
from dataclasses import replace

import numpy as np
import pytest
from textual.widgets import Input
from viewing import Viewed, image_trace, state_of, text_trace, view

from dlcc.cli.tui.opening import reproducing
from dlcc.cli.tui.state import MAP, PICTURE, TEXT, Choice
from dlcc.cli.tui.widgets.rays import rays
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
        apart = re.sub(" +", " ", viewed.text)
        assert "[[CLS]] el estudiante le preguntó [SEP]" in apart
        assert "[CLS] the student asked her [SEP]" in apart
        assert "occlusion, up to" in viewed.text
        await viewed.press("tab")
        assert viewed.state.choice.layer == 1
        assert "--as text" in reproducing(viewed.state)
        text = viewed.app.screen.query_one(TextView)
        line = next(y for y, shown in enumerate(viewed.lines) if "student" in shown)
        at = viewed.lines[line].index("student") + 1, line - text.region.y
        await viewed.pilot.click(TextView, offset=at)
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


def test_the_exported_text_has_the_explanations_that_are_seen(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    async def steps(viewed: Viewed) -> None:
        await viewed.press("e")
        viewed.app.screen.query_one(Input).value = "text.svg"
        await viewed.press("enter")
        words = re.findall(r">([^<>]+)</text>", (tmp_path / "text.svg").read_text())
        seen = [line for line in viewed.lines if " up to " in line]
        assert len(seen) == 3
        for line in seen:
            assert line.split()[0] in words
        assert words.count("waste") == 4

    view(state_of(*load_traces(asset("demos/review-and-its-heads.trace"))), steps)


def two_texts(keys: int = 8) -> AttentionTrace:
    """Each word looks at the one below it, the last at nothing."""
    query, key = tuple("abcdefgh"), tuple(f"key{number}" for number in range(keys))
    weights = np.eye(8, keys, dtype=np.float32)
    weights[7] = 0
    return AttentionTrace(weights[None, None], query, key)


def test_a_word_that_looks_at_nothing_says_so():
    async def steps(viewed: Viewed) -> None:
        await viewed.press(*["right"] * 7)
        assert "row: looks at nothing" in viewed.text
        assert "looks most at: nothing" in viewed.text
        assert "rank" not in viewed.text

    view(state_of(two_texts(), view=TEXT), steps)


def braille(viewed: Viewed) -> list[str]:
    lines = ("".join(c for c in line if "\u2800" < c < "\u28ff") for line in viewed.lines)
    return [line for line in lines if line]


@pytest.mark.parametrize("colors", ["truecolor", "standard", None])
def test_lines_lead_from_the_word_to_what_it_looks_at(colors):
    async def steps(viewed: Viewed) -> None:
        await viewed.press("right", "right", "right")
        assert len(braille(viewed)) == 11
        lines = viewed.lines
        first = next(y for y, line in enumerate(lines) if "[d" in line)
        last = next(y for y, line in enumerate(lines) if "key7" in line)
        assert last - first == 12
        lowest = [place for place, c in enumerate(lines[last - 1]) if "\u2800" < c < "\u28ff"]
        assert lines[last].find("key3") <= lowest[0] <= lowest[-1] < lines[last].find("key4")
        await viewed.press("G")
        assert not braille(viewed)  # it looks at nothing

    view(state_of(two_texts(), view=TEXT), steps, colors=colors)


def test_short_texts_stand_in_the_middle_wide_apart():
    async def steps(viewed: Viewed) -> None:
        first = next(y for y, line in enumerate(viewed.lines) if "[a]" in line)
        last = next(y for y, line in enumerate(viewed.lines) if "key7" in line)
        text = viewed.app.screen.query_one(TextView)
        above, below = first - text.region.y, text.region.bottom - last
        assert abs(above - below) <= 2
        line = viewed.lines[last].partition("│")[0].rstrip()
        left = len(line) - len(line.lstrip())
        assert abs(left - (text.size.width - len(line))) <= 2
        assert "key0     key1" in line  # five cells
        at = line.index("key6"), last - text.region.y
        await viewed.pilot.click(TextView, offset=at)
        assert viewed.state.column == 6

    view(state_of(two_texts(), view=TEXT), steps, size=(200, 50))


def test_lines_need_short_texts():
    async def steps(viewed: Viewed) -> None:
        assert not braille(viewed)
        assert "is asked" in viewed.text

    view(state_of(two_texts(40), view=TEXT), steps)


def test_lines_are_stronger_for_more_weight():
    characters, strengths = rays(10, (1, 10, 20), (0.1, 1.0, 0.01), (4, 24))
    dots = [bin(int(code) - 0x2800).count("1") for code in characters[:, 10] if code != 32]
    assert strengths.max() == 1.0
    assert len(dots) == 4
    assert sum(dots) == 2 * 16  # two dots thick
    assert not (strengths[:, 12:] > 0).any()  # too weak to be drawn
    assert strengths[3, 1] == 0.1


def test_with_one_head_arrows_and_pages_go_by_lines():
    words = tuple(f"word{number:03}" for number in range(400))
    trace = AttentionTrace(np.eye(400, dtype=np.float32)[None, None], words, words)

    async def steps(viewed: Viewed) -> None:
        await viewed.until(lambda: "↑ line" in viewed.text)  # the footer comes last
        await viewed.press("right", "right", "down")
        a_line = viewed.state.row - 2
        assert 5 < a_line < 12  # words in a line: the word straight below
        await viewed.press("up")
        assert viewed.state.row == 2
        await viewed.press("pagedown")
        height = viewed.app.screen.query_one(TextView).size.height - 1
        assert viewed.state.row == 2 + height * a_line
        await viewed.press("pageup", "up", "up")
        assert viewed.state.row == 2
        assert viewed.state.column == 2

    view(state_of(trace), steps)


def test_a_text_is_searched_explained_and_copied():
    async def steps(viewed: Viewed) -> None:
        await viewed.press("slash")
        await viewed.type("word7")
        await viewed.press("enter")
        assert "1 found" in viewed.messages
        assert "[word7]" in viewed.text
        await viewed.press("greater_than_sign", "y")
        label, other, number = viewed.app.clipboard.split("\t")
        assert (label, other, float(number)) == ("word7", "word12", 1.0)
        await viewed.press("Y")
        assert viewed.app.clipboard.splitlines()[1].startswith("word7\t0\t")
        await viewed.press("enter")
        assert "How this cell came about" in viewed.text
        assert "word12" in viewed.text

    state = state_of(long_trace(20))
    state.choose(Choice(0, 0, 1))
    view(state, steps)


def test_a_long_text_is_exported_as_text(run_dlcc, tmp_path):
    trace, figure = tmp_path / "a.trace", tmp_path / "a.svg"
    long_trace(20).save(trace)
    run_dlcc("view", trace, "--export", figure)
    assert "looks" in figure.read_text("utf-8")


def test_pieces_are_words_unless_asked_otherwise():
    trace = text_trace()

    async def steps(viewed: Viewed) -> None:
        assert "student" in viewed.text
        assert "1 word merged from pieces" in viewed.text
        await viewed.press("W")
        assert "student" not in viewed.text
        assert "merged" not in viewed.text

    view(state_of(trace, words=None, view=MAP), steps, size=(120, 36))
    assert not state_of(long_trace(3), words=None).words


def test_a_short_text_leaves_room_for_what_explains_it():
    trace = AttentionTrace(
        np.full((1, 1, 2, 2), 0.5, np.float32),
        ("so", "good"),
        ("so", "good"),
        tensors={"explanation.occlusion": np.array([-0.5, 1.5], np.float32)},
    )

    async def steps(viewed: Viewed) -> None:
        assert "occlusion, up to 1.5 (orange: for, blue: against)" in viewed.text

    view(state_of(trace, view=TEXT), steps, size=(60, 24))
