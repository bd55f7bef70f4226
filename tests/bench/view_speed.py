"""How fast the viewer is: opening a saved trace, painting a large map, moving the cursor.

    python tests/bench/view_speed.py

Opening is timed from starting `dlcc view FILE` in a pseudo-terminal of 80 × 24 to the first byte
of the map, in a new process each time. Painting and moving are timed inside the process, at
200 × 50, in processor time, so that a busy machine does not count: painting is every line of a
197 × 197 map at one character a cell, moving is one cell, with the panel's text and the lines that
are drawn again; the same of the running text of 1,000 tokens, where moving is one
word. It asks for nothing but a POSIX system.
"""

import asyncio
import fcntl
import os
import pty
import signal
import statistics
import struct
import sys
import tempfile
import termios
import time
from pathlib import Path

import numpy as np

from dlcc.core.trace.trace import AttentionTrace, save_traces

SIZE = 197
WORDS = 1000
RUNS = 15


def random_trace(size: int) -> AttentionTrace:
    raw = np.random.default_rng(0).gamma(0.3, 1, (2, 3, size, size)).astype(np.float32)
    tokens = tuple(f"token{number}" for number in range(size))
    return AttentionTrace(raw / raw.sum(-1, keepdims=True), tokens, tokens)


def time_opening(command: list[str], mark: bytes) -> tuple[float, float]:
    """Seconds, and seconds of processor time, from a command to a mark on its screen."""
    started = time.perf_counter()
    process, screen = pty.fork()
    if process == 0:
        os.environ.update(TERM="xterm-256color", COLUMNS="80", LINES="24")
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # an installed program is compiled
        os.execv(command[0], command)
    fcntl.ioctl(screen, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    seen = b""
    while mark not in seen:
        seen += os.read(screen, 65536)
    seconds = time.perf_counter() - started
    os.kill(process, signal.SIGKILL)
    _, _, used = os.wait4(process, 0)
    os.close(screen)
    return seconds, used.ru_utime + used.ru_stime


def count_drawing(widget: type) -> list[float]:
    """From now on adds the processor time that `widget` spends on drawing lines."""
    total, draw = [0.0], widget.render_line

    def timed(self, y):
        started = time.process_time()
        strip = draw(self, y)
        total[0] += time.process_time() - started
        return strip

    widget.render_line = timed
    return total


async def time_drawing(
    trace: AttentionTrace, view: str
) -> tuple[list[float], list[float], list[float]]:
    """Processor time of each repaint, of each move down a row, and of each move along it."""
    from dlcc.cli.tui.app import ViewerApp
    from dlcc.cli.tui.frames import Frame
    from dlcc.cli.tui.screens.map import MapScreen
    from dlcc.cli.tui.state import TEXT, ViewState
    from dlcc.cli.tui.widgets.grid import MapGrid
    from dlcc.cli.tui.widgets.text import TextView

    app = ViewerApp(ViewState([Frame("", [trace])], view=view))
    app.color_system = "truecolor"
    paints, downs, alongs = [], [], []
    widget = TextView if view == TEXT else MapGrid
    drawing = count_drawing(widget)
    async with app.run_test(size=(200, 50)) as pilot:
        await pilot.pause()
        screen = app.screen
        assert isinstance(screen, MapScreen)
        grid = screen.query_one(widget)
        for _ in range(RUNS):
            started = time.process_time()
            screen.body.redraw()
            for y in range(grid.size.height):
                grid.render_line(y)
            paints.append(time.process_time() - started)
        for moves, down, right in ((downs, 1, 0), (alongs, 0, 1)):
            for _ in range(RUNS):
                await pilot.pause()
                drawing[0] = 0.0
                started = time.process_time()
                screen.action_move(down, right)
                moving = time.process_time() - started
                await pilot.pause()  # Textual asks for the lines that the move touched
                moves.append(moving + drawing[0])
    return paints, downs, alongs


def report(name: str, seconds: list[float], limit: float) -> None:
    middle, worst = statistics.median(seconds) * 1000, max(seconds) * 1000
    print(f"{name:<42} median {middle:7.1f} ms  worst {worst:7.1f} ms  (limit {limit:g} ms)")


def main() -> None:
    trace = random_trace(SIZE)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "map.trace"
        save_traces(path, [trace])
        opened = [
            time_opening([sys.executable, "-m", "dlcc.cli", "view", str(path)], b"token0")
            for _ in range(RUNS)
        ]
    paints, downs, alongs = asyncio.run(time_drawing(trace, "map"))
    print(f"{RUNS} runs each, a map of {SIZE} by {SIZE}")
    report("open a saved trace, to the first paint", [wall for wall, _ in opened], 600)
    report("  of that, processor time", [used for _, used in opened], 600)
    report("paint the map at 200 × 50, processor time", paints, 40)
    report("move the cursor down, processor time", downs, 5)
    report("move the cursor along, processor time", alongs, 5)
    paints, _, alongs = asyncio.run(time_drawing(random_trace(WORDS), "text"))
    report(f"paint a text of {WORDS} tokens, processor time", paints, 40)
    report("move its word along, processor time", alongs, 5)


if __name__ == "__main__":
    main()
