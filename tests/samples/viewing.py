"""What the viewer's tests share: traces, an app on a given screen, and the text it draws."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from textual import events
from textual._context import visible_screen_stack
from textual.strip import Strip

from dlcc.cli.tui.app import ViewerApp
from dlcc.cli.tui.screens.map import MapScreen
from dlcc.cli.tui.state import Frame, ViewState
from dlcc.core import sources
from dlcc.core.sources import Ask
from dlcc.core.trace.trace import AttentionTrace

CHARACTERS = {"space": " ", "slash": "/", "full_stop": ".", "minus": "-", "underscore": "_"}
WORDS = ("[CLS]", "the", "stu", "dent", "asked", "her", "[SEP]")


def random_weights(*shape: int, seed: int = 0) -> np.ndarray:
    raw = np.random.default_rng(seed).gamma(0.5, 1, shape).astype(np.float32)
    return raw / raw.sum(-1, keepdims=True)


def text_trace(seed: int = 0, layers: int = 2, heads: int = 3, **changes: Any) -> AttentionTrace:
    """Self-attention of WORDS with everything that a text trace may hold."""
    size = len(WORDS)
    weights = random_weights(layers, heads, size, size, seed=seed)
    random = np.random.default_rng(seed)
    parts = {
        "title": f"model {seed}",
        "scores": np.log(weights),
        "query_words": (0, 1, 2, 2, 3, 4, 5),
        "key_words": (0, 1, 2, 2, 3, 4, 5),
        "special": ("[CLS]", "[SEP]"),
        "tensors": {
            "query": random.normal(size=(layers, heads, size, 4)).astype(np.float32),
            "key": random.normal(size=(layers, heads, size, 4)).astype(np.float32),
            "value": random.normal(size=(layers, heads, size, 4)).astype(np.float32),
            "explanation.occlusion": random.normal(size=size).astype(np.float32),
        },
        "details": {"alternatives": [[["uno", 0.6], ["dos", 0.3]]] * size},
        "made_by": {"command": "dlcc attend 'the student'"},
    }
    return AttentionTrace(weights, WORDS, WORDS, **(parts | changes))


def image_trace(**changes: Any) -> AttentionTrace:
    """A [CLS] and 4 × 4 patches of a picture with a bright box, mixed from two."""
    names = ("[CLS]", *(f"{row},{column}" for row in range(4) for column in range(4)))
    picture = np.full((32, 32, 3), 40, np.uint8)
    picture[8:16, 16:24] = (250, 200, 10)
    pixels = picture.astype(np.float32)
    parts = {
        "kind": "vit",
        "title": "picture",
        "special": ("[CLS]",),
        "image": picture,
        "grid": (4, 4),
        "tensors": {
            "explanation.occlusion": np.linspace(-1, 1, 17, dtype=np.float32),
            "cutmix.first": pixels,
            "cutmix.second": 255 - pixels,
        },
        "details": {"cutmix": {"box": [8, 16, 16, 24], "labels": [["cat", 0.75], ["dog", 0.25]]}},
    }
    return AttentionTrace(random_weights(2, 2, 17, 17), names, names, **(parts | changes))


def state_of(*traces: AttentionTrace, **options: Any) -> ViewState:
    """A state, with tokens as they are unless words are asked for."""
    return ViewState([Frame("", list(traces))], **({"words": False} | options))


class FakeSource:
    """A source that works as it is told."""

    title = "Fake"

    def __init__(
        self,
        traces: Callable[..., list[AttentionTrace]] | None = None,
        again: Callable[..., list[AttentionTrace]] | None = None,
        without: Callable[..., list[AttentionTrace]] | None = None,
        **asks: str,
    ) -> None:
        self.asks = [Ask(label, example) for label, example in asks.items()]
        if traces:
            self.traces = traces
        if again:
            self.again = again
        if without:
            self.without = without


def install(monkeypatch: pytest.MonkeyPatch, **installed: FakeSource) -> None:
    """Have these sources by their names, and no others."""
    monkeypatch.setattr(sources, "names", lambda: list(installed))
    monkeypatch.setattr(sources, "_loaded", installed.__getitem__)


Steps = Callable[["Viewed"], Awaitable[None]]


class Viewed:
    """A running viewer."""

    def __init__(self, app: ViewerApp, pilot: Any) -> None:
        self.app, self.pilot = app, pilot

    @property
    def map(self) -> MapScreen:
        return next(s for s in reversed(self.app.screen_stack) if isinstance(s, MapScreen))

    @property
    def state(self) -> ViewState:
        return self.map.state

    async def press(self, *keys: str) -> None:
        """Send keys as the terminal would; the pilot's own way sleeps after each."""
        assert self.app._driver is not None
        for key in keys:
            event = events.Key(key, key if len(key) == 1 else CHARACTERS.get(key))
            event.set_sender(self.app)
            self.app._driver.send_message(event)
            await self.settle()

    async def settle(self) -> None:
        """Wait until all is handled: a key may start a worker, and its end open a screen."""
        for _ in range(5):
            await self.pilot._wait_for_screen()
            await asyncio.sleep(0)
            await self.app.workers.wait_for_complete()
        for _ in range(3):
            await self.pilot._wait_for_screen()
            await asyncio.sleep(0)

    async def until(self, ready: Callable[[], bool]) -> None:
        """Wait for what a busy machine draws late; it has to come within two seconds."""
        for _ in range(100):
            if ready():
                return
            await self.pilot.pause(0.02)
        assert ready()

    async def type(self, text: str) -> None:
        names = {character: name for name, character in CHARACTERS.items()}
        await self.press(*(names.get(character, character) for character in text))

    @property
    def lines(self) -> list[str]:
        """What is on the screen now, line by line."""
        return [strip.text.rstrip() for strip in self.strips]

    @property
    def strips(self) -> list[Strip]:
        visible_screen_stack.set(self.app._background_screens)  # what is seen behind a dialog
        return self.app.screen._compositor.render_strips()

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    @property
    def messages(self) -> str:
        return "\n".join(note.message for note in self.app._notifications)


def view(
    state: ViewState | None,
    steps: Steps,
    size: tuple[int, int] = (80, 24),
    colors: str | None = "truecolor",
    runs: Sequence[Path] = (),
) -> None:
    """Run `steps` on a viewer of `state`, or of the curves of runs, in a terminal of `size` with
    `colors`."""

    async def run() -> None:
        app = ViewerApp(state, runs)
        app.color_system = colors
        async with app.run_test(size=size) as pilot:
            viewed = Viewed(app, pilot)
            await viewed.settle()
            await steps(viewed)

    asyncio.run(run())
