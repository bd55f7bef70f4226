"""Lessons in the viewer: found in few keys, done, asked, remembered."""

import pytest
from viewing import Viewed, state_of, text_trace, view

from dlcc.cli.tui.screens.lesson import LessonScreen
from dlcc.core.files.remembered import recall
from dlcc.core.lessons import lesson


def test_the_lesson_on_masks_is_two_keys_away():
    async def steps(viewed: Viewed) -> None:
        await viewed.press("ctrl+l", "3")
        await viewed.until(lambda: "3 Masks" in viewed.text)
        assert isinstance(viewed.app.screen, LessonScreen)
        assert "minus infinity" not in viewed.text
        await viewed.press("enter")
        await viewed.until(lambda: "2 of 3" in viewed.text)
        await viewed.press("right_square_bracket")
        await viewed.until(lambda: "✓ Put the causal mask on" in viewed.text)
        assert "✓ Put the causal mask on" in viewed.text
        assert "causal mask" in viewed.app.screen.body.state.trace.title
        await viewed.press("escape")
        assert not isinstance(viewed.app.screen, LessonScreen)

    for state in (state_of(text_trace()), None):  # from a map, and from the start screen
        view(state, steps)


def test_the_palette_finds_lessons():
    async def steps(viewed: Viewed) -> None:
        await viewed.press("ctrl+p")
        await viewed.type("mask")
        await viewed.until(lambda: "Lesson 3: Masks" in viewed.text)
        assert "Lesson 3: Masks" in viewed.text

    view(state_of(text_trace()), steps)


@pytest.mark.parametrize("size", [(60, 15), (80, 24), (120, 36)])
def test_a_wrong_answer_gets_a_hint_and_the_right_one_is_remembered(size):
    async def steps(viewed: Viewed) -> None:
        await viewed.press("ctrl+l", "1")
        await viewed.until(lambda: "Queries and keys" in viewed.text)
        await viewed.press("2", "enter")  # no question yet: a number does nothing
        for _ in range(6):
            await viewed.press("down")
        await viewed.until(lambda: "✓" in viewed.text)
        assert "✓" in viewed.text
        await viewed.press("enter")
        right = lesson(1).right()
        await viewed.press(str((right + 1) % 4 + 1))
        await viewed.until(lambda: "Not this one." in viewed.text)
        assert "Not this one." in viewed.text
        assert recall("lessons", list) == []
        await viewed.press("enter")
        assert "1 Queries and keys" in viewed.text  # not without the answer
        await viewed.press(str(right + 1))
        await viewed.until(lambda: "✓ Right." in viewed.text)
        assert "✓ Right." in viewed.text
        assert recall("lessons", list) == ["01-queries-and-keys"]
        await viewed.press("enter")
        await viewed.until(lambda: "2 Softmax" in viewed.text)
        assert "2 Softmax" in viewed.text

    view(state_of(text_trace()), steps, size=size)


@pytest.mark.parametrize("number", range(1, 11))
def test_every_page_of_every_lesson_is_drawn(number):
    async def steps(viewed: Viewed) -> None:
        viewed.app._open_lesson(number)
        await viewed.settle()
        screen = viewed.app.screen
        assert isinstance(screen, LessonScreen)
        for page in screen.lesson.pages:
            for _ in page.shows[1:]:
                await viewed.press("right_square_bracket")
            if page.do and page.done[0] == "turn":
                assert screen.reached
            await viewed.press("enter")
        assert screen.asks
        await viewed.press("backspace")
        assert not screen.asks

    view(state_of(text_trace()), steps)
