"""Habits: commands found by their words, keys that say why not, looks that are remembered."""

import pytest
from textual.widgets import Input, Static
from viewing import Viewed, random_weights, state_of, text_trace, view

from dlcc.cli.tui.keys import WHEN, WHY
from dlcc.cli.tui.opening import demos, recent, remember_opened
from dlcc.cli.tui.screens.dialogs import Ask, Read
from dlcc.cli.tui.screens.map import MapScreen
from dlcc.cli.tui.screens.start import Preview
from dlcc.cli.tui.widgets.grid import MapGrid
from dlcc.cli.tui.widgets.picture import Picture
from dlcc.core.files.paths import asset, remembered_file
from dlcc.core.trace.trace import AttentionTrace, load_traces, save_traces
from dlcc.core.train.folders import read_about


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("quit", "Leave"),
        ("open", "Another sentence"),
        ("zoom", "Wider cells"),
        ("overview", "All layers and heads"),
        ("theme", "Light or dark"),
        ("svg", "Export"),
        ("compare", "Maps side by side"),
    ],
)
def test_the_palette_finds_by_the_footers_words_and_synonyms(asked, found):
    async def steps(viewed: Viewed) -> None:
        await viewed.press("ctrl+p")
        await viewed.type(asked)
        await viewed.until(lambda: found in viewed.text)
        assert found in viewed.text

    view(state_of(text_trace()), steps, size=(100, 40))


def test_a_key_that_can_do_nothing_says_why():
    async def steps(viewed: Viewed) -> None:
        await viewed.press("X", "full_stop")
        assert "X: this is no mixed picture" in viewed.messages
        assert ".: these maps are of one moment" in viewed.messages
        await viewed.press("right")
        assert len(viewed.messages.splitlines()) == 2

    view(state_of(text_trace()), steps)


def test_reasons_are_given_for_keys_that_may_be_unavailable():
    assert WHY.keys() <= WHEN.keys()


def test_the_theme_is_remembered():
    async def turn(viewed: Viewed) -> None:
        await viewed.press("T")
        assert viewed.app.theme.endswith("-light")

    async def again(viewed: Viewed) -> None:
        assert viewed.app.theme.endswith("-light")
        remembered_file().write_text("{")

    async def damaged(viewed: Viewed) -> None:
        assert viewed.app.theme.endswith("-dark")
        assert "begun anew" in viewed.messages

    for steps in (turn, again, damaged):
        view(state_of(text_trace()), steps)


@pytest.mark.parametrize("width", [40, 60, 63, 80])
def test_the_footer_is_cut_between_words(width):
    whole = {}

    async def wide(viewed: Viewed) -> None:
        await viewed.until(lambda: bool(viewed.lines[-1].strip()))
        whole["line"] = viewed.lines[-1]

    async def steps(viewed: Viewed) -> None:
        await viewed.until(lambda: bool(viewed.lines[-1].strip()))
        line = viewed.lines[-1].strip()
        assert line
        assert (whole["line"].strip() + " ").startswith(line + " ")

    view(state_of(text_trace()), wide, size=(200, 24))
    view(state_of(text_trace()), steps, size=(width, 15))


def test_the_palette_of_colours_is_remembered_unless_one_is_asked_for():
    async def turn(viewed: Viewed) -> None:
        assert viewed.state.palette == "viridis"
        await viewed.press("p")
        assert viewed.state.palette == "cividis"

    async def again(viewed: Viewed) -> None:
        assert viewed.state.palette == "cividis"

    async def asked(viewed: Viewed) -> None:
        assert viewed.state.palette == "grey"

    view(state_of(text_trace()), turn)
    view(state_of(text_trace()), again)
    state = state_of(text_trace())
    state.palette, state.palette_asked = "grey", True
    view(state, asked)


def asks(viewed: Viewed) -> bool:
    screen = viewed.app.screen
    return isinstance(screen, Ask) and bool(screen.query(Input))


def test_tab_completes_a_path_and_a_wrong_one_keeps_what_was_typed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "traces here").mkdir()
    save_traces(tmp_path / "traces here" / "saved one.trace", [text_trace()])
    (tmp_path / "traces here" / "saved two.txt").write_text("no trace")

    async def steps(viewed: Viewed) -> None:
        assert "Open a trace" in viewed.text
        screen = viewed.app.screen
        screen._open()
        await viewed.until(lambda: asks(viewed))
        typed = viewed.app.screen.query_one(Input)
        await viewed.type("tr")
        await viewed.press("tab")
        assert typed.value == "traces here/"
        await viewed.press("tab")
        assert typed.value == "traces here/saved "
        await viewed.until(lambda: "saved one.trace  saved two.txt" in viewed.text)
        await viewed.type("tw")
        await viewed.press("tab", "enter")
        await viewed.until(lambda: viewed.messages != "")
        assert "saved two.txt" in viewed.messages
        await viewed.until(lambda: asks(viewed))
        typed = viewed.app.screen.query_one(Input)
        assert typed.value == "traces here/saved two.txt"
        await viewed.press("end", *["backspace"] * len("two.txt"))
        await viewed.type("o")
        await viewed.press("tab", "enter")
        await viewed.until(lambda: isinstance(viewed.app.screen, MapScreen))

    view(None, steps)
    assert recent() == [tmp_path / "traces here" / "saved one.trace"]
    (tmp_path / "traces here" / "saved one.trace").unlink()
    assert recent() == []


def test_what_was_opened_lately_is_offered_first(tmp_path):
    for number in range(3):
        save_traces(tmp_path / f"kept{number}.trace", [text_trace()])
        remember_opened(tmp_path / f"kept{number}.trace")
    remember_opened(tmp_path / "kept0.trace")
    remember_opened(demos()[0])

    async def steps(viewed: Viewed) -> None:
        lines = [line for line in viewed.lines if "Lately" in line]
        assert [line.split(": ")[1].split(".")[0].strip() for line in lines] == [
            "kept0",
            "kept2",
            "kept1",
        ]

    view(None, steps, size=(100, 40))


def test_names_of_traces_stay_in_their_places_and_are_clicked():
    traces = [text_trace(number) for number in range(3)]

    async def steps(viewed: Viewed) -> None:
        line = viewed.lines[0]
        places = [line.index(f"model {number}") for number in range(3)]
        await viewed.press("tab")
        assert viewed.state.choice.trace == 1
        assert [viewed.lines[0].index(f"model {number}") for number in range(3)] == places
        await viewed.pilot.click("#title", offset=(places[2] + 1, 0))
        assert viewed.state.choice.trace == 2
        assert "[model 2]" in viewed.lines[0]
        await viewed.pilot.click("#title", offset=(0, 0))
        assert viewed.state.choice.trace == 2

    view(state_of(*traces), steps, size=(120, 30))


def test_a_line_of_many_traces_shows_the_chosen_one():
    traces = [text_trace(number) for number in range(12)]

    async def steps(viewed: Viewed) -> None:
        await viewed.press("shift+tab")
        assert "[model 11]" in viewed.lines[0]

    view(state_of(*traces), steps)


def test_labels_are_clicked_and_a_cell_twice():
    async def steps(viewed: Viewed) -> None:
        grid, state = viewed.map.body.grid, viewed.state
        left, top = grid._label_width, grid._head_height
        high, wide = max(1, grid.cell.lines), grid.cell.width
        await viewed.pilot.click(grid, offset=(1, top + high))
        assert (state.row, state.column) == (1, 0)
        await viewed.pilot.click(grid, offset=(left + 2 * wide + 1, 0))
        assert (state.row, state.column) == (1, 2)
        await viewed.pilot.click(grid, offset=(1, 0))  # the corner is no label
        assert (state.row, state.column) == (1, 2)
        await viewed.pilot.click(grid, offset=(left + 1, top), times=2)
        await viewed.until(lambda: isinstance(viewed.app.screen, Read))
        assert "How this cell came about" in viewed.text

    view(state_of(text_trace()), steps)


def test_the_small_map_is_clicked():
    words = tuple(f"w{n}" for n in range(150))
    trace = AttentionTrace(random_weights(1, 1, 150, 150), words, words)

    async def steps(viewed: Viewed) -> None:
        body = viewed.map.body
        await viewed.press("w")
        await viewed.until(lambda: body.minimap.display and body.minimap.size.height)
        high, wide = body.minimap._small.shape
        await viewed.pilot.click(body.minimap, offset=(wide - 1, high - 1))
        await viewed.until(lambda: min(viewed.state.row, viewed.state.column) > 140)
        await viewed.pilot.click(body.minimap, offset=(0, 0))
        await viewed.until(lambda: max(viewed.state.row, viewed.state.column) < 10)

    view(state_of(trace), steps, size=(120, 30))


@pytest.mark.parametrize("width", [80, 120])
def test_the_start_screen_shows_what_is_under_the_cursor_where_there_is_room(width, tmp_path):
    (tmp_path / "damaged.trace").write_text("no trace")
    remember_opened(tmp_path / "damaged.trace")

    async def steps(viewed: Viewed) -> None:
        preview = viewed.app.screen.query_one(Preview)
        grid, picture = preview.query_one(MapGrid), preview.query_one(Picture)

        def said() -> str:
            return str(preview.query_one("#previewed", Static).content)

        if width >= 110:
            await viewed.until(lambda: bool(said()))  # it is laid out
        shown = {}
        for way in viewed.app.screen._ways:
            shown[way.line] = "map" * grid.display or "picture" * picture.display, said()
            await viewed.press("down")
        if width < 110:
            assert not preview.display
            return
        demonstrated = [seen for line, (seen, _) in shown.items() if line.startswith("Demo")]
        assert sorted(demonstrated) == ["map"] * (len(demos()) - 1) + ["picture"]
        kinds = {line.partition(":")[0]: each for line, each in shown.items()}
        assert kinds["Attend"][0] == "map"  # from the start
        assert "such as “The teacher" in kinds["Attend"][1]
        assert kinds["Picture"][0] == "picture"
        assert kinds["Lately"][0] == kinds["Any model"][0] == kinds["Learn"][0] == ""
        assert "10  CutMix" in kinds["Learn"][1]

    view(None, steps, size=(width, 36))


@pytest.mark.parametrize("path", demos(), ids=lambda path: path.stem)
def test_demos_were_made_by_what_is_bundled(path):
    """Else no head of theirs can be switched off."""
    for trace in load_traces(path):
        if "model" in trace.made_by:
            about = read_about(asset(trace.kind))
            assert trace.made_by["model"] == about["command"]
