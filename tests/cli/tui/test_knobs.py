"""The knobs below a map: what they show, and the map that follows."""

import numpy as np
from viewing import Viewed, state_of, view

from dlcc.cli.tui.opening import reproducing
from dlcc.core import sources


def attended():
    return sources.traces_of("attend", ["the cat sat", "a dog saw the cat", "dot"])


def test_the_map_follows_the_knobs_and_the_command_too():
    (trace,) = attended()

    async def steps(viewed: Viewed) -> None:
        await viewed.press("A")
        assert ">temperature" in viewed.text
        assert "[1]" in viewed.text
        await viewed.press("right", "right")
        await viewed.until(lambda: "[2]" in viewed.text)
        assert len(viewed.state.traces) == 2  # the old one, and the last
        assert np.allclose(viewed.state.trace.scores * 2, trace.scores, atol=1e-5)
        await viewed.press("down", "right")
        await viewed.until(lambda: "[causal]" in viewed.text)
        assert viewed.state.trace.weights[0, 0, 0, 1:].sum() == 0
        await viewed.press("escape")
        assert "--temperature 2.0 --mask causal" in reproducing(viewed.state)
        assert viewed.state.traces[0] is trace
        await viewed.press("A", "left", "escape")
        assert len(viewed.state.traces) == 2
        assert viewed.state.traces[0] is trace  # not one between

    view(state_of(trace), steps)


def test_words_are_written_and_what_cannot_be_is_told():
    async def steps(viewed: Viewed) -> None:
        await viewed.press("A", "up", "up", "up", "enter")
        assert "Attend anew" in viewed.text
        await viewed.press("h", "e", "r", "enter")
        assert viewed.state.trace.query == ("her",)
        await viewed.press("enter", "space", "enter")
        assert "without a word" in viewed.messages
        assert viewed.state.trace.query == ("her",)
        assert "query        her" in viewed.text

    view(state_of(*attended()), steps)


def test_every_choice_fits_a_narrow_screen():
    async def steps(viewed: Viewed) -> None:
        await viewed.press("A", *["right"] * 20)
        await viewed.until(lambda: "[100]" in viewed.text)
        assert max(map(len, viewed.text.splitlines())) <= 44

    view(state_of(*attended()), steps, size=(44, 16))
