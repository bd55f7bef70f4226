"""Draw the README's pictures: screens of the viewer, after some keys.

python tests/tools/make_screens.py
"""

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path

os.environ |= {"COLORTERM": "truecolor", "TERM": "xterm-256color"}
os.environ.pop("NO_COLOR", None)

from dlcc.cli.tui.app import ViewerApp
from dlcc.cli.tui.opening import state_of
from dlcc.core.files.paths import asset

_ASSETS = Path(__file__).parents[2] / "assets"
_SHE, _HER = 6, 7
_SCREENS = {
    "screen.svg": (
        "chapter-sentences-four-mechanisms",
        (100, 21),
        ["down"] * _SHE + ["right"] * _HER,
    ),
    "text.svg": ("review-and-its-heads", (100, 21), ["right"]),
}
"""By file the demo that is shown, columns and rows, and the keys that are pressed."""


async def screen_of(app: ViewerApp, size: tuple[int, int], keys: Sequence[str]) -> str:
    """An SVG of the screen after some keys, without fonts from the network."""
    async with app.run_test(size=size) as pilot:
        await pilot.pause(0.2)
        for key in keys:
            await pilot.press(key)
        await pilot.pause(0.2)
        svg = app.export_screenshot()
    start, end = svg.find("@font-face"), svg.rfind("}", 0, svg.find("-matrix {"))
    svg = svg[:start] + svg[end + 1 :] if 0 < start < end else svg
    return "\n".join(line.rstrip() for line in svg.splitlines()) + "\n"


def showing(demo: str) -> ViewerApp:
    """The viewer on a demo."""
    path = asset("demos") / f"{demo}.trace"
    return ViewerApp(state_of(path, "1.1.1", None, 1, "shared", "viridis"))


if __name__ == "__main__":
    for name, (demo, size, keys) in _SCREENS.items():
        (_ASSETS / name).write_text(asyncio.run(screen_of(showing(demo), size, keys)))
