"""What is seen goes into a file: each screen, in any theme, and nothing is replaced unasked."""

import base64
import json
import re
from html import unescape
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from textual.widgets import Input
from viewing import Viewed, image_trace, state_of, text_trace, view

from dlcc.cli.tui.export import seen_in
from dlcc.cli.tui.state import Choice
from dlcc.cli.tui.widgets import patches
from dlcc.core.trace.trace import AttentionTrace


async def export_as(viewed: Viewed, name: str) -> None:
    await viewed.press("e")
    viewed.app.screen.query_one(Input).value = name
    await viewed.press("enter")


def words_of(path: Path) -> list[str]:
    """The texts of an SVG."""
    return [unescape(word) for word in re.findall(">([^<]*)</text>", path.read_text("utf-8"))]


def test_what_each_screen_shows_is_exported(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    async def steps(viewed: Viewed) -> None:
        for key, name in (("o", "heads"), ("b", "beside"), ("E", "explained")):
            await viewed.press(key)
            await export_as(viewed, f"{name}.svg")
            await export_as(viewed, f"{name}.csv")
            await viewed.press("escape")
        assert {"layer 1", "layer 2", "head 1", "head 2"} <= set(words_of(Path("heads.svg")))
        assert "(b)" in words_of(Path("beside.svg"))
        assert {"occlusion", "ρ", "(b)"} <= set(words_of(Path("explained.svg")))
        assert "occlusion" in Path("explained.csv").read_text()
        assert len(Path("beside.csv").read_text().splitlines()) == 1 + 3 * 7 * 7

    view(state_of(text_trace()), steps)


def test_the_patch_that_asks_is_named_by_row_and_column(tmp_path):
    state = state_of(image_trace())
    patches.begin(state)
    state.row = 5
    seen_in(state).write(tmp_path / "a.svg", "paper")
    words = words_of(tmp_path / "a.svg")
    assert words[words.index("row") :][:5] == ["row", "2,", "column", "1", "asks"]


def test_pictures_are_exported_as_pictures(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    async def steps(viewed: Viewed) -> None:
        assert viewed.state.view == "picture"
        await export_as(viewed, "a.svg")
        await viewed.press("u")
        await export_as(viewed, "b.svg")
        for key, name in (("o", "heads"), ("b", "beside")):
            await viewed.press(key)
            await export_as(viewed, f"{name}.svg")
            await viewed.press("escape")
        assert Path("a.svg").read_text().count("<image") == 2  # plain and lit
        assert {"picture", "[CLS]", "asks"} <= set(words_of(Path("a.svg")))
        assert Path("a.svg").read_bytes() != Path("b.svg").read_bytes()
        count = viewed.state.trace.num_layers * viewed.state.trace.num_heads
        assert Path("heads.svg").read_text().count("<image") == count
        assert Path("beside.svg").read_text().count("<image") == viewed.state.trace.num_heads

    view(state_of(image_trace(), column=1), steps)


def test_a_file_is_replaced_when_that_is_said(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("mine.svg").write_text("mine")

    async def steps(viewed: Viewed) -> None:
        await export_as(viewed, "mine.svg")
        assert "mine.svg is there already" in viewed.text
        await viewed.press("escape")
        assert Path("mine.svg").read_text() == "mine"
        await export_as(viewed, "mine.svg")
        await viewed.press("enter")  # the first line is another name
        assert Path("mine.svg").read_text() == "mine"
        assert "Written: mine-2.svg" in viewed.messages
        await export_as(viewed, "mine.svg")
        await viewed.press("down", "enter")
        assert Path("mine.svg").read_text() != "mine"
        await export_as(viewed, "no/mine.svg")
        assert "no/mine.svg: no does not exist" in viewed.messages
        assert viewed.app.screen.query_one(Input).value == "no/mine.svg"
        assert not Path("no").exists()

    view(state_of(text_trace()), steps)


def test_the_theme_is_chosen_where_a_file_is_asked_for(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    async def steps(viewed: Viewed) -> None:
        await viewed.press("e")
        assert "Theme paper" in viewed.text
        await viewed.press("ctrl+t", "ctrl+t")
        assert "Theme terminal" in viewed.text
        viewed.app.screen.query_one(Input).value = "dark.svg"
        await viewed.press("enter")
        assert "#0c0c0c" in Path("dark.svg").read_text()
        await viewed.press("S")
        assert "Theme" not in viewed.text

    view(state_of(text_trace()), steps)


def test_the_sources_of_a_mixture_are_exported(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    async def steps(viewed: Viewed) -> None:
        await viewed.press("X")
        await export_as(viewed, "x.svg")
        assert Path("x.svg").read_text().count("<image") == 3
        assert {"first", "mixed", "second", "75.0%"} <= set(words_of(Path("x.svg")))

    view(state_of(image_trace(), column=1), steps)


def test_a_view_is_written_as_text(run_dlcc, tmp_path):
    trace = tmp_path / "a.trace"
    text_trace().save(trace)
    for name, more in (("text", ("--word", "her")), ("map", ("--numbers",))):
        figure = tmp_path / f"{name}.svg"
        run_dlcc("view", trace, "--as", name, "--export", figure, *more)
        words = words_of(figure)
        assert words.count("student") == 2  # looked at and explained, or a row and a column
        assert ("looks" in words) is ("occlusion," in words) is (name == "text")
    for wrong, said in (
        (("--as", "song"), "choose one of map, text, picture"),
        (("--as", "picture"), "this trace has none"),
        (("--word", "nobody"), "no row is called so; the rows are [cls], the,"),
    ):
        refused = run_dlcc("view", trace, "--export", tmp_path / "b.svg", *wrong)
        assert (refused.exit_code, said in refused.stderr) == (2, True), refused.stderr
    assert run_dlcc("view", trace, "--word", "her").exit_code == 2


def test_a_view_is_written_without_opening(run_dlcc, tmp_path):
    trace, figure = tmp_path / "a.trace", tmp_path / "a.svg"
    text_trace().save(trace)
    options = ("view", trace, "--map", "1.2.mean", "--export", figure, "--title", "Heads, averaged")
    assert run_dlcc(*options).stdout == ""
    assert {"averaged", "mean", "her"} <= set(words_of(figure))
    again = run_dlcc(*options)
    assert (again.exit_code, "a.svg: exists" in again.stderr) == (2, True)
    nothing = run_dlcc("view", "--export", tmp_path / "b.svg")
    assert (nothing.exit_code, "name a trace" in nothing.stderr) == (2, True)


@pytest.mark.parametrize("ending", ["png", "svg"])
def test_characters_that_no_font_has_are_named(run_dlcc, tmp_path, ending):
    trace, figure = tmp_path / "a.trace", tmp_path / f"a.{ending}"
    words = ("the", "\U00012000\ufdd0", "cat")
    AttentionTrace(np.full((1, 1, 3, 3), 1 / 3, np.float32), words, words).save(trace)
    said = run_dlcc("view", trace, "--export", figure).stderr
    assert ("no font here has" in said) is (ending == "png"), said


def opened_on(page: str) -> dict[str, Any]:
    """What a page's script draws from."""
    return json.loads(re.findall(r'<script type="application/json">(.*?)</script>', page)[0])


@pytest.mark.parametrize(("head", "number"), [(2, 2), ("mean", 3)])
def test_a_page_holds_all_heads_and_opens_on_the_one_that_is_seen(tmp_path, head, number):
    trace = text_trace()
    state = state_of(trace, choice=Choice(0, 1, head), words=True)
    state.scale = "log"
    path = tmp_path / "page.html"
    seen_in(state).write(path, "paper")
    page = path.read_text()
    data = opened_on(page)
    assert data["shape"] == [2, 3, 6, 6]  # pieces are one word, as on the screen
    assert data["key"][2] == "student"
    assert data["shown"] == [1, number]
    assert data["scale"] == "log"
    assert page.count("<img") == 6
    seen = state.map_of(Choice(0, 1, 1)).values
    codes = np.frombuffer(base64.b64decode(data["codes"]), "<u2").reshape(data["shape"])
    assert np.allclose(codes[1, 1] / 65535 * data["most"], seen, atol=1e-4)


def test_a_page_of_a_difference_holds_it_alone(tmp_path):
    state = state_of(text_trace(), choice=Choice(0, 1, 2))
    state.minus = Choice(0, 0, 0)
    path = tmp_path / "page.html"
    seen_in(state).write(path, "paper")
    assert opened_on(path.read_text())["shape"] == [1, 1, 7, 7]
