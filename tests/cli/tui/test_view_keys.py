"""Every key that the help screen lists does something, and what it says."""

from typing import Any

import pytest
from viewing import FakeSource, Viewed, image_trace, install, state_of, text_trace, view

from dlcc.cli.tui.keys import APP_KEYS, MAP_KEYS, Key
from dlcc.cli.tui.screens.map import MapScreen
from dlcc.cli.tui.state import PICTURE, ROLLOUT, Choice, Frame, ViewState
from dlcc.cli.tui.widgets import patches

ALL_KEYS = [
    key
    for table in (MAP_KEYS, APP_KEYS)
    for group in table.values()
    for key in group
    if key.action != "quit"  # test_quitting
]


def rich_state() -> ViewState:
    """Two epochs of two models, with the cursor in the middle and a selection."""
    frames = [Frame(f"epoch {n}", [text_trace(n), text_trace(n + 5)]) for n in range(1, 4)]
    state = ViewState(frames, 1, Choice(0, 1, 1), words=True, row=2, column=2)
    state.rows = {1}
    return state


def seen(viewed: Viewed) -> tuple[Any, ...]:
    """All that a key may change."""
    app = viewed.app
    stack = tuple(type(screen).__name__ for screen in app.screen_stack)
    colors = [str(list(strip)) for strip in app.screen._compositor.render_strips()]
    return stack, colors, app.theme, app.clipboard, viewed.messages


def test_every_key_that_exists_does_something(monkeypatch):
    source = FakeSource(lambda *_: [text_trace(9)], without=lambda *_, **__: [text_trace(8)])
    source.again = source.traces
    install(monkeypatch, attend=source)

    async def steps(viewed: Viewed) -> None:
        for key in ALL_KEYS:
            for name in key.keys.split(","):
                await start_again(viewed, rich_state())
                await try_key(viewed, key, name)

    view(rich_state(), steps, size=(60, 20))


def test_every_key_of_a_picture_does_something():
    keys = [key for group in ("Move", "How it is drawn") for key in MAP_KEYS[group]]

    async def steps(viewed: Viewed) -> None:
        for key in keys:
            await start_again(viewed, state_of(image_trace(), column=1))
            await try_key(viewed, key, key.keys.split(",")[0])

    view(state_of(image_trace(), column=1), steps, size=(60, 20))


async def try_key(viewed: Viewed, key: Key, name: str) -> None:
    """Press `name`, if it works on what is shown: something must be different then."""
    if not viewed.app._works(key, viewed.app.screen):
        return
    place = await prepare(viewed, key)
    before = seen(viewed)
    await viewed.press(name)
    await viewed.until(lambda: seen(viewed) != before)
    assert seen(viewed) != before, f"{name} ({key.text}) did nothing {place}"


async def start_again(viewed: Viewed, state: ViewState) -> None:
    """Show `state` as if just opened; quicker than another screen."""
    while viewed.app.screen is not viewed.map:
        viewed.app.pop_screen()
        await viewed.settle()
    screen = viewed.map
    state.system, screen.body.state, screen.body.grid.zoom = screen.state.system, state, None
    patches.begin(state)
    viewed.app.clear_notifications()
    screen.redraw()
    await viewed.settle()


async def prepare(viewed: Viewed, key: Key) -> str:
    """Put the cursor where `key` has something to do."""
    state = viewed.state
    if viewed.state.view == PICTURE:
        viewed.map.action_move(1, 1)
    elif key.action in ("edge(0,-1)", "edge(-1,0)", "page(0,-1)", "page(-1,0)"):
        viewed.map.go(4, 4)
    if key.action == "strongest":
        row = state.shown.values[state.row]
        viewed.map.go(state.row, int(row.argmin()))
    if key.action in ("fit", "zoom(1)"):
        await viewed.press("minus")
    await viewed.settle()
    return f"from {state.row}, {state.column}"


def test_help_lists_just_the_keys_that_work():
    async def steps(viewed: Viewed) -> None:
        await viewed.press("question_mark")
        assert "Next head" in viewed.text
        assert "rollout" not in viewed.text.lower()  # one layer: nothing to roll out
        assert "epoch" not in viewed.text
        await viewed.press("escape")
        assert isinstance(viewed.app.screen, MapScreen)

    view(state_of(text_trace(layers=1)), steps, size=(120, 70))


def test_moving():
    async def steps(viewed: Viewed) -> None:
        state = viewed.state

        async def at(*keys: str) -> tuple[int, int]:
            await viewed.press(*keys)
            return state.row, state.column

        assert await at("right", "l", "down", "j") == (2, 2)
        assert await at("left", "h", "up", "k") == (0, 0)
        assert await at("left", "up") == (0, 0)
        assert await at("end") == (0, 6)
        assert await at("G") == (6, 6)
        assert await at("circumflex_accent", "g") == (0, 0)
        assert await at("dollar_sign", "home", "pagedown") == (6, 0)
        assert await at("ctrl+u") == (0, 0)
        strongest = int(state.shown.values[0].argmax())
        assert await at("greater_than_sign") == (0, strongest)

    view(state_of(text_trace()), steps)


def test_choosing_heads_layers_and_combinations():
    async def steps(viewed: Viewed) -> None:
        async def choice(*keys: str) -> Choice:
            await viewed.press(*keys)
            return viewed.state.choice

        assert await choice("L") == Choice(0, 0, 1)
        assert await choice("H", "shift+left") == Choice(0, 0, 2)
        assert await choice("shift+right") == Choice(0, 0, 0)
        assert await choice("J") == Choice(0, 1, 0)
        assert await choice("K", "m") == Choice(0, 0, "mean")
        assert await choice("m") == Choice(0, 0, "sum")
        assert await choice("m") == Choice(0, 0, "max")
        assert await choice("m") == Choice(0, 0, 0)
        assert await choice("r") == Choice(0, 0, ROLLOUT)
        assert "rollout over 2 layers" in viewed.text
        assert await choice("r") == Choice(0, 0, 0)
        assert await choice("m", "L") == Choice(0, 0, 0)
        assert await choice("m", "H") == Choice(0, 0, 2)
        assert await choice("tab") == Choice(1, 0, 2)
        assert "[model 1]" in viewed.text
        assert await choice("shift+tab") == Choice(0, 0, 2)

    view(state_of(text_trace(0), text_trace(1)), steps)


def test_the_map_says_how_it_is_drawn():
    async def steps(viewed: Viewed) -> None:
        top = max(float(trace.weights.max()) for trace in viewed.state.traces)
        assert f"{top:.2f} one scale for all maps · viridis" in viewed.text
        await viewed.press("s", "p")
        own = viewed.state.trace.weights[0, 0].max()
        assert f"{own:.2f} this map's own scale · cividis" in viewed.text
        await viewed.press("s")
        assert "× each row's largest (" in viewed.text
        await viewed.press("s", "p", "p")
        assert "logarithmic" in viewed.text
        assert "glyphs" in viewed.text
        await viewed.press("x", "W")
        assert "1 word merged from pieces · special tokens hidden" in viewed.text
        labels = viewed.state.shown.row_labels
        assert labels == ("the", "student", "asked", "her")
        assert viewed.state.shown.values.sum(1) == pytest.approx(1, abs=1e-5)

    view(state_of(text_trace()), steps, size=(120, 30))


def test_merging_and_hiding_keep_the_cursor_on_its_token():
    async def steps(viewed: Viewed) -> None:
        state = viewed.state
        await viewed.press("x", "W")
        assert state.shown.row_labels[state.row] == "her"
        assert state.shown.column_labels[state.column] == "student"
        await viewed.press("x", "W")
        assert state.shown.row_labels[state.row] == "her"
        assert state.shown.column_labels[state.column] == "stu"

    view(state_of(text_trace(), row=5, column=3), steps)


def test_zoom_from_one_character_to_numbers():
    async def steps(viewed: Viewed) -> None:
        widths = []
        await viewed.press(*["minus"] * 8)
        for _ in range(7):
            widths.append(tuple(viewed.map.body.grid.cell))
            await viewed.press("plus")
        assert widths == [(0, 1), (1, 2), (1, 5), (1, 8), (3, 6), (5, 10), (8, 16)]
        value = viewed.state.shown.values[1, 0]
        assert f"{value:.4f}" in viewed.text
        await viewed.press(*["minus"] * 4)
        assert f"{value:.2f}"[1:] in viewed.text
        await viewed.press("minus")
        assert f"{value:.2f}"[1:] not in viewed.text.split("───")[0]

    view(state_of(text_trace()), steps, size=(100, 30))


def test_selecting_rows_and_columns_sums_them():
    async def steps(viewed: Viewed) -> None:
        values = viewed.state.shown.values
        await viewed.press("space", "down", "space")
        sums = values[:2].sum(0)
        top = viewed.state.shown.column_labels[int(sums.argmax())]
        assert f"selected [CLS] the: sum {values[:2].sum():.3f}, most {top}" in viewed.text
        await viewed.press("v")
        assert f"{values[:2, 0].sum():.3f} where rows and columns meet" in viewed.text
        await viewed.press("escape")
        assert "selected" not in viewed.text
        assert not viewed.map.check_action("clear", ())

    view(state_of(text_trace()), steps)


def test_searching_a_word():
    async def steps(viewed: Viewed) -> None:
        state = viewed.state
        assert not viewed.map.check_action("match", ())
        await viewed.press("slash")
        await viewed.type("he")
        await viewed.press("enter")
        assert "4 found" in viewed.messages  # "the" and "her", as rows and as columns
        assert state.row == 1
        await viewed.press("n")
        assert state.row == 5
        await viewed.press("n")
        assert state.column == 1
        await viewed.press("N", "N")
        assert state.row == 1
        await viewed.press("W", "n")  # its place when words are merged
        assert state.shown.row_labels[state.row] == "her"
        await viewed.press("W")
        await viewed.press("slash")
        await viewed.type("xyz")
        await viewed.press("enter")
        assert "xyz is in no row or column" in viewed.messages

    view(state_of(text_trace()), steps)


def test_epochs():
    async def steps(viewed: Viewed) -> None:
        assert "epoch 2 |-O-| 2 of 3" in viewed.text
        before = viewed.state.shown.values
        await viewed.press("full_stop")
        assert "epoch 3 |--O| 3 of 3" in viewed.text
        assert (viewed.state.shown.values != before).any()
        await viewed.press("full_stop")
        assert "last epoch" in viewed.messages
        await viewed.press("comma", "comma")
        assert viewed.state.frame == 0

    view(rich_state(), steps)


def test_subtracting_a_map():
    async def steps(viewed: Viewed) -> None:
        state = viewed.state
        expected = state.map_of(Choice(0, 0, 0)).values - state.map_of(Choice(0, 0, 1)).values
        await viewed.press("d")
        assert "Subtract from" in viewed.text
        await viewed.press("enter")
        assert state.minus == Choice(0, 0, 1)
        assert (state.shown.values == expected).all()
        assert "head 1 of 3 minus" in viewed.text
        assert f"difference {expected[0, 0]:+.4f}" in viewed.text
        assert not viewed.map.check_action("explain", ())
        await viewed.press("d")
        assert state.minus is None

    view(state_of(text_trace()), steps, size=(120, 30))


def test_quitting():
    for key in ("q", "ctrl+c"):

        async def steps(viewed: Viewed, key: str = key) -> None:
            await viewed.pilot.press(key)
            assert viewed.app._exit

        view(state_of(text_trace()), steps)


@pytest.mark.parametrize(
    ("named", "choice"),
    [([2, "mean"], Choice(0, 1, "mean")), ([3, "mean"], Choice()), ([1, "best"], Choice())]
    + [(each, Choice()) for each in ("2", [], [1], {"layer": 1}, [None, "mean"])],
)
def test_a_trace_opens_on_the_map_that_it_names(named, choice):
    state = state_of(text_trace(details={"opens_on": named}))
    assert state.choice == choice
