"""Draw every screen and every figure into a folder, to be looked at one by one.

    python tests/tools/make_sheets.py FOLDER [DEMO ...]

The demos in each view, the start screen and the lessons at three sizes, and the demos' figures in
each theme as SVG, PDF, PNG and HTML. SVG is drawn by rsvg-convert and by Chromium as well, PDF by
pdftoppm, HTML by Chromium: those of them that are installed.
"""

import argparse
import asyncio
import shutil
import subprocess
from pathlib import Path

from make_screens import screen_of, showing

from dlcc.cli.draw.figure.themes import THEMES
from dlcc.cli.tui.app import ViewerApp
from dlcc.cli.tui.export import seen_in
from dlcc.cli.tui.opening import demos, frames_of
from dlcc.cli.tui.state import ViewState
from dlcc.cli.tui.widgets import patches
from dlcc.core.lessons import lessons

SIZES = ((80, 24), (120, 36), (200, 50))
KEYS = {
    "opened": (),
    "other": ("w",),
    "heads": ("o",),
    "sorted": ("o", "m"),
    "beside": ("b",),
    "explained": ("E",),
    "cell": ("enter",),
    "large": ("F",),
}
RENDERERS = {
    ".svg": (
        ("rsvg-convert", "{file}", "-o", "{out}-rsvg.png"),
        ("chromium", *"--headless --no-sandbox --disable-gpu".split(), "--window-size=1200,900",
         "--screenshot={out}-chromium.png", "{file}"),
    ),
    ".pdf": (("pdftoppm", "-png", "-r", "100", "-singlefile", "{file}", "{out}-pdftoppm"),),
}  # fmt: skip
RENDERERS[".html"] = RENDERERS[".svg"][1:]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("demos", nargs="*", help="only these; left out, all")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    names = [path.stem for path in demos() if not options.demos or path.stem in options.demos]
    screens = []
    for name in names:
        for view, keys in KEYS.items():
            is_picture = name.startswith("picture") and view == "other"
            screens.append((f"{name}-{view}", showing, name, ("i",) if is_picture else keys))
    if not options.demos:
        screens.append(("start", lambda _: ViewerApp(None), "", ()))
        for lesson in lessons():
            opened = lesson.number
            screens.append((f"lesson-{opened}", lambda n: ViewerApp(None, (), n), opened, ()))
    for name, make, what, keys in screens:
        for size in SIZES:
            path = options.folder / f"{name}-{size[0]}x{size[1]}.svg"
            path.write_text(asyncio.run(screen_of(make(what), size, keys)))
            drawn(path, RENDERERS[".svg"][:1])
    for path in demos():
        if path.stem in names:
            figures(path, options.folder)


def figures(demo: Path, folder: Path) -> None:
    """What is seen of a demo at first, and its map, in each format and theme."""
    for view in ("", "map"):
        state = ViewState(frames_of(demo))
        patches.begin(state)
        state.view = view or state.view
        for theme in THEMES:
            for ending in (".svg", ".pdf", ".png", ".html"):
                path = folder / f"figure-{demo.stem}-{state.view}-{theme}{ending}"
                seen_in(state).write(path, theme)
                drawn(path, RENDERERS.get(ending, ()))


def drawn(path: Path, renderers: tuple[tuple[str, ...], ...]) -> None:
    """Draw a file by those of the programs that are there."""
    for program, *arguments in renderers:
        if shutil.which(program):
            out = path.with_suffix("")
            filled = [each.format(file=path, out=f"{out}{path.suffix}") for each in arguments]
            subprocess.run([program, *filled], check=True, capture_output=True)


if __name__ == "__main__":
    main()
