"""Habits: commands found by their words, keys that say why not, looks that are remembered."""

import pytest
from viewing import Viewed, state_of, text_trace, view

from dlcc.cli.tui.keys import WHEN, WHY
from dlcc.core.files.paths import remembered_file


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
