"""The heads in the order of a measure."""

import re

import numpy as np
from textual.strip import Strip
from textual.widgets import Input
from viewing import FakeSource, Viewed, install, state_of, text_trace, view

from dlcc.cli.tui.screens.overview import Thumbnails
from dlcc.cli.tui.state import Choice
from dlcc.core.ablation import Effect
from dlcc.core.trace.heads import measured


def places(viewed: Viewed) -> list[str]:
    """The heads as they are drawn, line by line."""
    return re.findall(r">?(\d\.\d) [-+]?\d*\.\d+", viewed.text)


def by(values: np.ndarray, sign: int) -> list[str]:
    order = sorted(np.ndindex(*values.shape), key=lambda place: sign * values[place])
    return [f"{layer + 1}.{head + 1}" for layer, head in order]


def test_heads_are_sorted_by_each_measure_and_opened_from_there():
    trace = text_trace()
    values = measured(trace, ([(1,)], [(5,)]))

    async def steps(viewed: Viewed) -> None:
        await viewed.press("down", "right", "right", "right", "right", "right", "o")
        for name in ("entropy", "diagonal", "previous", "next", "special", "pair"):
            await viewed.press("m")
            assert f": {name} " in viewed.text
            assert places(viewed) == by(values[name], 1 if name == "entropy" else -1)
        assert "pair the → her" in viewed.text
        best = by(values["pair"], -1)[0]
        await viewed.press(*["left"] * 3, *["up"] * 3, "enter")
        layer, head = (int(part) - 1 for part in best.split("."))
        assert viewed.state.choice == Choice(0, layer, head)
        await viewed.press("o", *["m"] * 7)
        assert not places(viewed)  # in the order of layers again

    view(state_of(trace), steps)


def hue(strip: Strip) -> str:
    """Whether the background of a name is orange or blue, or neither."""
    (segment,) = strip
    red, _, blue = segment.style.bgcolor.get_truecolor()
    return "blue" if blue - red > 60 else "orange" if red - blue > 60 else ""


def test_heads_are_sorted_and_coloured_by_what_they_do_to_the_answer(monkeypatch, tmp_path):
    changes = dict(zip(np.ndindex(2, 3), (0.1, -0.5, -0.0001, 0.3, 0.02, -0.2), strict=True))

    def ablated(trace):
        return [Effect(*place, change, "") for place, change in changes.items()]

    async def steps(viewed: Viewed) -> None:
        await viewed.press("o", "x")
        assert places(viewed) == ["1.2", "2.1", "2.3", "1.1", "2.2", "1.3"]
        assert "change of the answer +0.100" in viewed.text
        assert "1.3 .000" in viewed.text
        assert "names: orange +0.500, blue -0.500" in viewed.text
        heads = viewed.app.screen.query_one(Thumbnails)
        against, in_favour, nearly = (heads._thumbnail(*at)[0] for at in [(0, 1), (1, 0), (1, 1)])
        assert [hue(against), hue(in_favour), hue(nearly)] == ["blue", "orange", ""]
        monkeypatch.chdir(tmp_path)
        await viewed.press("e")
        viewed.app.screen.query_one(Input).value = "heads.svg"
        await viewed.press("enter")
        words = re.findall(r">([^<>]+)</text>", (tmp_path / "heads.svg").read_text())
        drawn = [word for word in words if re.fullmatch(r"\d\.\d -?\d\.\d+", word)]
        assert drawn[:3] == ["1.2 -0.500", "2.1 0.300", "2.3 -0.200"]
        await viewed.press("m")
        assert ": entropy " in viewed.text
        await viewed.press("x")
        assert places(viewed)[0] == "1.2"

    source = FakeSource()
    source.ablated = ablated
    install(monkeypatch, attend=source)
    view(state_of(text_trace()), steps)
