"""The screens beside the map: heads, maps side by side, a cell's story, pictures, dialogs."""

import asyncio
import functools
import json
import re
import threading

import numpy as np
import pytest
from textual import events
from textual.widgets import Input, OptionList
from viewing import (
    FakeSource,
    Viewed,
    image_trace,
    install,
    random_weights,
    state_of,
    text_trace,
    view,
)

from dlcc.cli.tui import app as app_module
from dlcc.cli.tui.app import SmallScreen, ViewerApp
from dlcc.cli.tui.messages import Opened
from dlcc.cli.tui.screens.dialogs import Ask
from dlcc.cli.tui.screens.explanations import collected
from dlcc.cli.tui.screens.map import MapScreen
from dlcc.cli.tui.screens.mixed import box_of, share_inside
from dlcc.cli.tui.screens.overview import Thumbnails
from dlcc.cli.tui.state import Choice
from dlcc.cli.tui.widgets.picture import Picture
from dlcc.core import sources
from dlcc.core.attend.mechanisms import BOOK_KEY, BOOK_QUERY
from dlcc.core.errors import DataError, UsageError
from dlcc.core.files.paths import log_file
from dlcc.core.trace.trace import AttentionTrace, load_traces, save_traces


def test_all_heads_at_once():
    async def steps(viewed: Viewed) -> None:
        await viewed.press("o")
        assert ">1.1" in viewed.text
        assert "2.3" in viewed.text
        await viewed.press("right", "down", "l")
        assert "layer 2, head 3: mean entropy" in viewed.text
        assert ">2.3" in viewed.text
        await viewed.press("right", "down")  # at the edge
        await viewed.press("enter")
        assert viewed.state.choice == Choice(0, 1, 2)
        await viewed.press("o", "left", "up", "escape")
        assert viewed.state.choice == Choice(0, 1, 2)

    view(state_of(text_trace()), steps)


def test_twelve_layers_of_twelve_heads_scroll():
    words = tuple(f"w{n}" for n in range(20))
    trace = AttentionTrace(random_weights(12, 12, 20, 20), words, words)

    async def steps(viewed: Viewed) -> None:
        await viewed.press("o", *["down"] * 11, *["right"] * 11)
        assert ">12.12" in viewed.text
        assert ">1.1" not in viewed.text

    view(state_of(trace), steps)


def test_mechanisms_side_by_side_under_one_cursor():
    async def steps(viewed: Viewed) -> None:
        await viewed.press("b")
        assert "model 0" in viewed.lines[0]
        assert "model 1" in viewed.lines[0]
        await viewed.press("down", "right")
        for trace in viewed.state.traces:
            assert f"{trace.weights[0, 0, 1, 1]:.4f}" in viewed.text
        await viewed.press("tab")
        assert viewed.lines[0].startswith("2/2 model 1")
        await viewed.press("enter")
        assert viewed.state.choice.trace == 1

    view(state_of(text_trace(0), text_trace(1)), steps)


def test_heads_side_by_side():
    async def steps(viewed: Viewed) -> None:
        await viewed.press("b")
        assert "head 1 of 3" in viewed.lines[0]
        assert "head 3 of 3" in viewed.lines[0]
        await viewed.press("escape")
        assert isinstance(viewed.app.screen, MapScreen)

    view(state_of(text_trace()), steps, size=(120, 30))


def test_how_a_cell_came_about():
    async def steps(viewed: Viewed) -> None:
        await viewed.press("down", "right", "right", "enter")
        trace = viewed.state.trace
        product = float(trace.tensors["query"][0, 0, 1] @ trace.tensors["key"][0, 0, 2])
        assert f"q · k = {product:.3f}" in viewed.text
        assert f"{trace.weights[0, 0, 1, 2]:.3f}" in viewed.text
        assert "the value of stu" in viewed.text
        await viewed.press("escape", "m", "enter")
        for head in range(3):
            assert f"head {head + 1}" in viewed.text
            assert f"{trace.weights[0, head, 1, 2]:.4f}" in viewed.text
        await viewed.press("escape", "m", "m", "m", "W", "enter")  # one head, pieces merged
        assert "the → stu " in viewed.text
        assert "the → dent " in viewed.text

    view(state_of(text_trace()), steps, size=(100, 50))


def test_a_trace_without_tensors_says_so():
    async def steps(viewed: Viewed) -> None:
        await viewed.press("enter")
        assert "holds no queries and keys" in viewed.text

    view(state_of(text_trace(tensors={}, scores=None)), steps)


def test_the_map_in_words():
    async def steps(viewed: Viewed) -> None:
        await viewed.press("t")
        shown = viewed.state.shown
        top = int(shown.values[1].argmax())
        assert f"the: {shown.column_labels[top]} {shown.values[1, top]:.3f}" in viewed.text

    view(state_of(text_trace()), steps)


def test_another_word_is_translated_on(monkeypatch):
    asked = []

    def retranslate(trace, step, word):
        asked.append((step, word))
        return [text_trace(7, title="anew")]

    async def steps(viewed: Viewed) -> None:
        assert "uno 0.60, dos 0.30" in viewed.text  # beside the row
        await viewed.press("down", "down", "a")
        assert "In place of stu" in viewed.text
        await viewed.press("down", "enter")
        assert asked == [(2, "dos")]
        assert viewed.state.trace.title == "anew"

    install(monkeypatch, attend=FakeSource(again=retranslate))
    view(state_of(text_trace()), steps)


def test_what_comes_too_late_changes_nothing(tmp_path, monkeypatch):
    save_traces(tmp_path / "other.trace", [text_trace(4)])
    asked, may_go_on = threading.Semaphore(0), threading.Event()

    def retranslate(trace, step, word):
        asked.release()
        if word == "dos":
            may_go_on.wait(5)
        return [text_trace(7, title=f"with {word}")]

    async def ask(viewed: Viewed, *keys: str) -> None:
        for key in keys:
            event = events.Key(key, None)
            event.set_sender(viewed.app)
            viewed.app._driver.send_message(event)
            await viewed.pilot._wait_for_screen()
        await viewed.until(lambda: asked.acquire(blocking=False))

    async def steps(viewed: Viewed) -> None:
        await ask(viewed, "a", "down", "enter")
        await ask(viewed, "a", "enter")
        await viewed.until(lambda: viewed.state.trace.title == "with uno")
        may_go_on.set()
        await viewed.settle()
        assert viewed.state.trace.title == "with uno"  # asked for last
        may_go_on.clear()
        await ask(viewed, "a", "down", "enter")
        viewed.app.on_opened(Opened(tmp_path / "other.trace"))
        may_go_on.set()
        await viewed.settle()
        assert viewed.state.trace.title == "model 4"

    install(monkeypatch, attend=FakeSource(again=retranslate))
    view(state_of(text_trace()), steps)


def test_a_notice_goes_with_what_it_speaks_of(tmp_path, monkeypatch):
    """What is opened, or computed, takes the place of what is still computed, and of its notice."""
    save_traces(tmp_path / "other.trace", [text_trace(4)])
    may_go_on, done = threading.Event(), []

    def again(trace, step, word):
        if word == "dos":
            may_go_on.wait(5)
            done.append(word)
            raise UsageError("too late")
        return [text_trace(7)]

    async def ask(viewed: Viewed, *keys: str) -> None:
        for key in keys:
            event = events.Key(key, None)
            event.set_sender(viewed.app)
            viewed.app._driver.send_message(event)
            await viewed.pilot._wait_for_screen()

    async def steps(viewed: Viewed) -> None:
        for instead in (
            lambda: viewed.app.on_opened(Opened(tmp_path / "other.trace")),
            lambda: ask(viewed, "a", "enter"),
        ):
            viewed.app.open_traces([text_trace()])
            await viewed.pilot.pause()
            may_go_on.clear()
            await ask(viewed, "a", "down", "enter")
            await viewed.until(lambda: "Translating on from dos" in viewed.messages)
            other = instead()
            if other is not None:
                await other
            await viewed.until(lambda: not viewed.messages)
            assert viewed.messages == ""
            may_go_on.set()
            await viewed.settle()
            await viewed.until(lambda: bool(done))
            assert done.pop() == "dos"
            assert viewed.messages == ""  # not even why it failed

    install(monkeypatch, attend=FakeSource(again=again))
    view(state_of(text_trace()), steps)


def test_a_failure_behind_the_screen_is_one_line_and_a_log(monkeypatch):
    def fails(trace, step, word):
        raise ZeroDivisionError("two\nlines")

    def refuses(trace, step, word):
        raise UsageError("no such word")

    async def steps(viewed: Viewed) -> None:
        await viewed.press("a", "enter")
        assert "ZeroDivisionError: two lines" in viewed.messages
        assert "Traceback" in log_file().read_text()
        install(monkeypatch, attend=FakeSource(again=refuses))
        await viewed.press("a", "enter")
        assert viewed.messages == "no such word"
        await viewed.press("down")
        assert viewed.state.row == 1  # the screen lives

    install(monkeypatch, attend=FakeSource(again=fails))
    view(state_of(text_trace()), steps)


def test_a_fault_of_the_viewer_itself_is_one_line_too(monkeypatch, run_dlcc, tmp_path, capsys):
    """An error in drawing cannot be shown on the screen: the command says it and fails."""
    save_traces(tmp_path / "t.trace", [text_trace()])
    monkeypatch.setattr(app_module, "is_interactive", lambda: True)
    monkeypatch.setattr(MapScreen, "on_mount", lambda self: 1 / 0, raising=False)
    run_headless = functools.partialmethod(ViewerApp.run, headless=True)
    monkeypatch.setattr(ViewerApp, "run", run_headless)
    result = run_dlcc("view", tmp_path / "t.trace")
    assert result.exit_code == 1
    assert "ZeroDivisionError" in result.stderr
    assert result.stderr.count("\n") == 1
    assert "Traceback" in log_file().read_text()


def test_explanations_are_of_whole_words():
    async def steps(viewed: Viewed) -> None:
        await viewed.press("E")
        labels, rows = collected(viewed.state)
        assert labels == ("[CLS]", "the", "student", "asked", "her", "[SEP]")
        occlusion = viewed.state.explanations["occlusion"]
        assert rows["occlusion"][2] == pytest.approx(occlusion[2:4].sum())
        assert "student" in viewed.text

    view(state_of(text_trace(), words=None), steps)


def test_explanations_of_text_and_their_rank_correlation():
    async def steps(viewed: Viewed) -> None:
        _, rows = collected(viewed.state)
        assert list(rows) == ["attention (layer 1, head 1 of 3)", "rollout", "occlusion"]
        await viewed.press("E")
        assert "Rank correlation (Spearman)" in viewed.text
        assert "1.00" in viewed.text
        await viewed.press("right", "right")
        assert viewed.lines[0].startswith(f" stu: attention (layer 1, head 1 of 3) {rows and ''}")
        assert f"occlusion {rows['occlusion'][2]:.4f}" in viewed.lines[0]
        await viewed.press("down", "left", "escape")
        assert isinstance(viewed.app.screen, MapScreen)

    view(state_of(text_trace()), steps, size=(160, 40))


def test_explanations_of_a_picture():
    async def steps(viewed: Viewed) -> None:
        await viewed.press("E")
        assert viewed.lines[0].startswith(" 0,0:")
        await viewed.press("down", "right", "up", "left", "left", "up")
        assert viewed.lines[0].startswith(" 0,0:")
        assert len(viewed.app.screen.query(Picture)) == 3

    view(state_of(image_trace()), steps, size=(120, 40))


def test_a_picture_shows_where_the_class_token_or_a_patch_looks():
    async def steps(viewed: Viewed) -> None:
        state, picture = viewed.state, viewed.map.body.picture
        assert picture.display
        assert state.row == 0
        assert picture.patch == (2, 2)
        await viewed.press("up", "right")
        assert picture.patch == (1, 3)
        assert "[CLS] → row 2, column 4" in viewed.text
        shares = state.shown.values[0, 1:].reshape(4, 4)
        assert np.allclose(picture._weights, shares / state.shown.values[0].max())
        await viewed.press("f", "left")
        assert "row 2, column 3 → row 2, column 3" in viewed.text
        assert state.row == state.column == 7
        await viewed.press("f")
        assert state.row == 0
        await viewed.pilot.click("#picture", offset=picture._corner()[::-1])
        assert picture.patch == (0, 0)
        await viewed.press("i")
        assert viewed.map.body.grid.display
        assert not viewed.map.body.query_one("#pictures").display
        await viewed.press("home", "i")  # from the column of [CLS], which is no patch
        assert picture.patch == (2, 2)

    view(state_of(image_trace()), steps)


@pytest.mark.parametrize("colors", ["truecolor", "256", "standard", None])
def test_a_picture_in_every_colour_system(colors):
    async def steps(viewed: Viewed) -> None:
        picture = viewed.map.body.picture
        lines = [picture.render_line(y) for y in range(4)]
        marks = set("".join(line.text for line in lines))
        assert ("▀" in marks) == (colors in ("truecolor", "256"))
        await viewed.press("u", "u", "u")

    view(state_of(image_trace()), steps, colors=colors)


@pytest.mark.parametrize("trace", [text_trace(), image_trace()])
def test_no_color_on_every_screen(monkeypatch, trace):
    monkeypatch.setenv("NO_COLOR", "1")

    async def steps(viewed: Viewed) -> None:
        for key in ("o", "b", "E", "X", "d", "ctrl+o"):
            await viewed.press(key)
            assert viewed.text
            colors = [s.style.color for strip in viewed.strips for s in strip if s.style]
            assert all(color is None or color.is_default for color in colors)
            if viewed.app.screen is not viewed.map:
                await viewed.press("escape")
        if trace.image is not None:
            await viewed.press("i", "minus", "minus")
            assert viewed.map.body.minimap.display or viewed.text

    view(state_of(trace), steps, colors=None)


def test_cutmix():
    async def steps(viewed: Viewed) -> None:
        await viewed.press("X")
        assert "75.0% cat + 25.0% dog" in viewed.text
        assert "box: 6.2% of the picture" in viewed.text
        row = viewed.state.shown.values[0, 1:]
        share = row[6] / row.sum()  # the box is patch (1, 2)
        assert f"{share:.1%} of the attention of [CLS]" in viewed.text
        (mixed,) = viewed.app.screen.query("#mixed").results(Picture)
        rows, columns, _ = mixed._colors.shape  # the box is an eighth from a quarter and a half on
        white = (mixed._colors == 255).all(2)
        frame = np.zeros_like(white)
        top, bottom = round(rows / 4), round(rows / 2)
        left, right = round(columns / 2), round(columns * 3 / 4)
        frame[top:bottom, left:right] = True
        frame[top + 1 : bottom - 1, left + 1 : right - 1] = False
        assert (white & frame).sum() == frame.sum()
        await viewed.press("u", "escape")

    view(state_of(image_trace()), steps, size=(100, 40))


def test_cutmix_without_colours_has_a_frame_of_letters():
    async def steps(viewed: Viewed) -> None:
        await viewed.press("X")
        assert "+--" in viewed.text

    view(state_of(image_trace()), steps, size=(100, 40), colors=None)


def test_the_plain_picture_stands_beside_the_lit_one_where_there_is_room():
    async def steps(viewed: Viewed) -> None:
        body = viewed.map.body
        await viewed.until(lambda: body.plain.display)
        assert body.plain.size.width == pytest.approx(body.picture.size.width, abs=1)
        await viewed.press("u", "u")  # plain itself
        assert not body.plain.display
        await viewed.pilot.resize_terminal(50, 40)
        await viewed.press("u")
        await viewed.until(lambda: not body.plain.display)

    view(state_of(image_trace()), steps)


def test_the_map_of_a_picture_has_a_small_one_that_says_where():
    async def steps(viewed: Viewed) -> None:
        body = viewed.map.body
        assert not body.locator.display
        await viewed.press("i")
        await viewed.until(lambda: body.locator.display)
        await viewed.press("home", "right")
        assert body.locator.patch == (0, 0)
        await viewed.press("right")
        assert body.locator.patch == (0, 1)

    view(state_of(image_trace()), steps, size=(120, 40))


@pytest.mark.parametrize("key", ["b", "o"])
def test_heads_of_a_picture_are_pictures(key):
    async def steps(viewed: Viewed) -> None:
        await viewed.press(key)
        screen = viewed.app.screen
        text = "".join(segment.text for strip in viewed.strips for segment in strip)
        assert text.count("▀") > 100
        if key == "b":
            first, *_ = screen._in_sight()
            await viewed.press("right")
            assert first.body.patch == (2, 3)
            await viewed.pilot.click(first.body, offset=first.body._corner()[::-1])
            assert first.body.patch == (0, 0)
            assert "[CLS] → row 1, column 1" in viewed.text
        assert screen.scale == viewed.state.scale

    view(state_of(image_trace()), steps, size=(120, 40))


def test_more_or_fewer_maps_stand_side_by_side_each_as_large_as_fits():
    weights = np.random.default_rng(0).dirichlet(np.ones(20), (1, 6, 20)).astype(np.float32)
    words = tuple(f"word{n}" for n in range(20))
    trace = AttentionTrace(weights, words, words)

    async def steps(viewed: Viewed) -> None:
        await viewed.press("b")
        screen = viewed.app.screen

        def sizes() -> set[tuple[int, int]]:
            return {(pane.body.cell.lines, pane.body.cell.width) for pane in screen._in_sight()}

        begun = len(screen._in_sight())
        await viewed.until(lambda: min(sizes()) >= (1, 2))
        for _ in range(8):
            await viewed.press("plus")
        most = len(screen._in_sight())
        assert begun < most <= 6
        await viewed.press(*["minus"] * 8)
        await viewed.until(lambda: len(screen._in_sight()) == 1)
        await viewed.until(lambda: min(sizes()) > (1, 2))
        assert viewed.text.count("0 of") <= 1
        for word in words:
            assert word in viewed.text

    view(state_of(trace), steps, size=(120, 36))


@pytest.mark.parametrize("size", [(80, 24), (120, 36), (200, 50)])
def test_the_overview_fills_the_screen(size):
    weights = np.random.default_rng(0).dirichlet(np.ones(30), (4, 4, 30)).astype(np.float32)
    trace = AttentionTrace(weights, tuple(map(str, range(30))), tuple(map(str, range(30))))

    async def steps(viewed: Viewed) -> None:
        await viewed.press("o")
        heads = viewed.app.screen.query_one(Thumbnails)
        used = heads.virtual_size
        assert used.height > 0.85 * heads.size.height - 4
        assert used.width <= heads.size.width
        assert used.width > 0.8 * heads.size.width or used.width > 3.5 * used.height

    view(state_of(trace), steps, size=size)


def test_attention_inside_a_box_counts_by_area():
    even = np.full(16, 1 / 16)
    assert share_inside(even, (4, 4), (32, 32), (0, 0, 32, 32)) == pytest.approx(1)
    assert share_inside(even, (4, 4), (32, 32), (4, 4, 12, 12)) == pytest.approx(1 / 16)
    assert share_inside(np.zeros(16), (4, 4), (32, 32), (0, 0, 8, 8)) == 0
    wrong = image_trace(details={"cutmix": {"box": [0, 0, 99, 99]}})
    assert box_of(wrong) is None


def test_saving_exporting_copying(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    async def answer(viewed: Viewed, key: str, name: str) -> None:
        await viewed.press(key)
        viewed.app.screen.query_one(Input).value = name
        await viewed.press("enter")

    async def steps(viewed: Viewed) -> None:
        await answer(viewed, "S", "mine.trace")
        assert len(load_traces(tmp_path / "mine.trace")) == 2
        await viewed.press("W", "x")
        await answer(viewed, "e", "view.json")
        exported = json.loads((tmp_path / "view.json").read_text())["results"][0]
        assert exported["query"] == ["the", "student", "asked", "her"]
        assert np.allclose(exported["weights"][0][0], viewed.state.shown.values, atol=1e-5)
        await viewed.press("m", "m")
        await viewed.press("d", "enter")
        for ending in ("svg", "pdf", "html", "csv", "txt"):
            await answer(viewed, "e", f"view.{ending}")
            assert (tmp_path / f"view.{ending}").stat().st_size > 100
        shown = viewed.state.shown
        most = f"{shown.values.flat[np.abs(shown.values).argmax()]:.2f}"
        assert shown.signed
        assert f" {most}" in (tmp_path / "view.txt").read_text()
        await answer(viewed, "e", "view.bmp")
        assert "view.bmp: end it in .svg, .pdf" in viewed.messages
        await viewed.press("escape", "y")
        names = viewed.state.shown
        assert viewed.app.clipboard.startswith(f"{names.row_labels[0]}\t{names.column_labels[0]}")
        await viewed.press("Y")
        assert viewed.app.clipboard.splitlines()[0] == "\tthe\tstudent\tasked\ther"

    view(state_of(text_trace(0), text_trace(1)), steps)


def test_the_start_screen_leads_everywhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save_traces(tmp_path / "near.trace", [text_trace(3)])
    asked = []

    def attend(query, key, mechanism):
        asked.append((query, key, mechanism))
        return [text_trace(1)]

    def translate(text):
        asked.append(text)
        return [text_trace(2)]

    async def steps(viewed: Viewed) -> None:
        assert "What do you want to look at?" in viewed.text
        assert "Here: near.trace" in viewed.text
        await viewed.press("enter", "enter", "enter", "enter")  # three lines, as they stand
        await viewed.until(lambda: isinstance(viewed.app.screen, MapScreen))
        assert asked[0][2] == "all"
        assert viewed.state.trace.title == "model 1"
        await viewed.press("ctrl+o", "j", "enter", "enter")
        await viewed.until(lambda: len(asked) > 1)
        assert "book" in asked[1]
        await viewed.until(lambda: viewed.state.trace.title == "model 2")
        assert viewed.state.trace.title == "model 2"
        await viewed.press("ctrl+o", "escape")
        assert isinstance(viewed.app.screen, MapScreen)
        await viewed.press("ctrl+o", "down", "down", "enter")
        await viewed.type("absent")
        await viewed.press("enter")
        assert "absent" in viewed.messages
        await viewed.until(lambda: isinstance(viewed.app.screen, Ask))  # what was typed is there
        await viewed.press("escape", "k", "k", "k", "enter")  # wraps to the last
        await viewed.until(lambda: viewed.state.trace.title == "model 3")
        assert viewed.state.trace.title == "model 3"

    ask = {"query": BOOK_QUERY, "key": BOOK_KEY, "mechanism": "all"}
    book = "The book that I bought yesterday is very interesting."
    install(
        monkeypatch, attend=FakeSource(attend, **ask), translate=FakeSource(translate, English=book)
    )
    view(None, steps)


def test_a_way_that_is_chosen_twice_at_once_is_gone_once(monkeypatch):
    async def steps(viewed: Viewed) -> None:
        menu = viewed.app.screen.query_one(OptionList)
        menu.action_select()
        menu.action_select()
        await viewed.until(lambda: isinstance(viewed.app.screen, Ask))
        await viewed.press("escape")
        assert "What do you want to look at?" in viewed.text

    install(monkeypatch, attend=FakeSource(lambda query: [], query="he saw"))
    view(None, steps)


def test_a_form_that_failed_comes_back_as_it_was_filled_in(monkeypatch):
    asked = []

    def attend(query, key, mechanism):
        asked.append((query, key, mechanism))
        raise UsageError("no such mechanism")

    async def steps(viewed: Viewed) -> None:
        assert "Enter take" in viewed.lines[-1]
        assert "^o" not in viewed.lines[-1]  # it is where that leads to
        await viewed.press("enter")
        await viewed.type("she saw")  # in place of the example
        await viewed.press("enter", "enter", "enter")
        await viewed.until(lambda: bool(viewed.messages))
        assert asked == [("she saw", BOOK_KEY, "all")]
        assert "no such mechanism" in viewed.messages
        assert [line.value for line in viewed.app.screen.query(Input)] == list(asked[0])

    install(monkeypatch, attend=FakeSource(attend, query="he saw", key=BOOK_KEY, mechanism="all"))
    view(None, steps)


def test_a_source_that_does_not_load_says_so_and_one_that_asks_nothing_answers(monkeypatch):
    def load(name):
        if name == "broken":
            raise DataError("broken: ModuleNotFoundError: No module named 'nowhere'")
        return FakeSource(lambda: [text_trace(6)])

    async def steps(viewed: Viewed) -> None:
        assert "broken: cannot be loaded" in viewed.text
        await viewed.press("enter")
        assert "No module named 'nowhere'" in viewed.messages
        await viewed.press("j", "enter")
        await viewed.until(lambda: isinstance(viewed.app.screen, MapScreen))
        assert viewed.state.trace.title == "model 6"
        assert viewed.state.trace.made_by["source"] == "silent"

    monkeypatch.setattr(sources, "names", lambda: ["broken", "silent"])
    monkeypatch.setattr(sources, "_loaded", load)
    view(None, steps)


def test_saving_twice_offers_another_name_and_a_wrong_ending_asks_again(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    async def steps(viewed: Viewed) -> None:
        await viewed.press("S", "enter", "S", "enter")
        assert {path.name for path in tmp_path.iterdir()} == {
            "attention.trace",
            "attention-2.trace",
        }
        await viewed.press("e")
        await viewed.type("a.bmp")
        await viewed.press("enter")
        assert "a.bmp: end it in" in viewed.messages
        assert viewed.app.screen.query_one(Input).value == "a.bmp"

    view(state_of(text_trace()), steps)


def test_sums_go_back_to_the_head_that_they_came_from():
    async def steps(viewed: Viewed) -> None:
        await viewed.press("L", "L")
        assert "layer 1, head 3 of 3   model 0 [model 1]" in viewed.lines[0]
        await viewed.press("m", "m", "m")
        assert isinstance(viewed.state.choice.head, str)
        await viewed.press("m")
        assert viewed.state.choice.head == 2

    view(state_of(text_trace(0), text_trace(1), choice=Choice(1)), steps)


def test_a_number_is_never_cut_by_the_edge():
    async def steps(viewed: Viewed) -> None:
        await viewed.press("plus", "plus", "plus")
        row = next(line for line in viewed.lines if line.lstrip().startswith("the"))
        numbers = re.findall(r"[01]?\.\d+", row)
        assert 0 < len(numbers) < 7
        assert len(set(map(len, numbers))) == 1
        await viewed.press("end")
        row = next(line for line in viewed.lines if line.lstrip().startswith("the"))
        assert len(set(map(len, re.findall(r"[01]?\.\d+", row)))) == 1

    view(state_of(text_trace()), steps, size=(61, 24))


def test_the_command_palette_finds_what_the_keys_do():
    async def steps(viewed: Viewed) -> None:
        commands = {c.text: c for c in viewed.app.offers(viewed.app.screen)}
        assert "Next head" in commands
        assert not any("epoch" in title for title in commands)
        commands["Next head"].run()
        await viewed.settle()
        assert viewed.state.choice.head == 1
        commands["Light or dark"].run()
        await viewed.settle()
        assert "light" in viewed.app.theme

    view(state_of(text_trace()), steps)


def test_a_small_terminal_gets_a_sentence_and_growing_brings_the_map_back():
    async def steps(viewed: Viewed) -> None:
        assert isinstance(viewed.app.screen, SmallScreen)
        assert "widen the terminal" in viewed.text
        await viewed.pilot.resize_terminal(100, 30)
        await viewed.pilot.pause()
        assert isinstance(viewed.app.screen, MapScreen)
        assert "model 0" in viewed.text
        await viewed.pilot.resize_terminal(30, 8)
        await viewed.pilot.pause()
        assert "widen the terminal" in viewed.text
        await viewed.press("ctrl+o", "question_mark", "ctrl+p")
        assert isinstance(viewed.app.screen, SmallScreen)
        viewed.app.open_traces([text_trace(5)])
        await viewed.settle()
        assert isinstance(viewed.app.screen, SmallScreen)
        await viewed.pilot.resize_terminal(100, 30)
        await viewed.pilot.pause()
        assert "model 5" in viewed.text

    view(state_of(text_trace()), steps, size=(30, 8))


def test_wide_and_narrow_panels():
    async def steps(viewed: Viewed) -> None:
        side = viewed.map.body.query_one("#side")
        assert side.size.height <= 6
        await viewed.pilot.resize_terminal(200, 50)
        await viewed.pilot.pause()
        assert side.size.height > 20
        assert side.region.x > 100

    view(state_of(text_trace()), steps)


def test_heads_layers_and_tokens_are_switched_off_beside_the_old_answer(monkeypatch):
    asked = []

    def without(trace, heads, tokens):
        asked.append((trace.title, sorted(heads), sorted(tokens)))
        off = {"heads": sorted(map(list, heads)), "tokens": sorted(tokens)}
        details = {"off": off, "change": "neg 0.98 → 0.61"}
        return [text_trace(3, title=f"off {len(asked)}", details=details)]

    async def steps(viewed: Viewed) -> None:
        await viewed.press("L", "0")
        assert asked == [("model 0", [(0, 1)], [])]
        assert "answer: neg 0.98 → 0.61" in viewed.text
        assert [trace.title for trace in viewed.state.traces] == ["model 0", "off 1"]
        assert viewed.state.choice == Choice(1, 0, 1)
        await viewed.press("right", "right", "delete")
        assert asked[-1] == ("model 0", [(0, 1)], [2])  # from the old one, both together
        await viewed.press("Z")
        assert asked[-1] == ("model 0", [(0, 0), (0, 1), (0, 2)], [2])
        assert [trace.title for trace in viewed.state.traces] == ["model 0", "off 3"]
        await viewed.press("b")
        assert "model 0" in viewed.text
        assert "off 3" in viewed.text
        await viewed.press("escape", "Z", "backspace")
        assert [trace.title for trace in viewed.state.traces] == ["model 0"]  # all is on again
        assert len(asked) == 4

    install(monkeypatch, attend=FakeSource(without=without))
    view(state_of(text_trace()), steps)


def test_a_forced_word_stands_beside_what_was_written(monkeypatch):
    made = iter(range(1, 9))

    async def steps(viewed: Viewed) -> None:
        await viewed.press("a", "enter")
        assert [trace.title for trace in viewed.state.traces] == ["model 0", "model 1"]
        await viewed.press("a", "enter")
        assert [trace.title for trace in viewed.state.traces] == ["model 0", "model 1", "model 2"]
        await viewed.press("tab", "a", "enter")
        assert [trace.title for trace in viewed.state.traces] == ["model 0", "model 3"]

    install(monkeypatch, attend=FakeSource(again=lambda *_: [text_trace(next(made))]))
    view(state_of(text_trace()), steps)


def test_a_map_that_is_whole_has_no_minimap():
    words = tuple(f"word{number}" for number in range(19))
    trace = AttentionTrace(random_weights(1, 1, 19, 19), words, words)

    async def run() -> None:
        app = ViewerApp(state_of(trace))
        async with app.run_test(size=(120, 36)) as pilot:
            await pilot.pause(0.3)  # nothing else is drawn on the way
            await pilot.press("w")
            await pilot.pause(0.3)
            assert app.screen.body.state.view == "map"
            assert app.screen.body.grid.sight[2:] >= (19, 19)
            assert not app.screen.body.minimap.display

    asyncio.run(run())
