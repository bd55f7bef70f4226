"""What a bundled answer takes from the command to the text, beside importing torch.

    python tests/bench/answers_speed.py [RUNS]

Each in turns, medians; 9 runs unless told otherwise. With --tui until the viewer shows the answer.
"""

import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

from view_speed import time_opening

DLCC = [sys.executable, "-m", "dlcc.cli"]
SHIP = str(Path(__file__).parents[2] / "assets" / "ship.png")
REVIEW = "The acting is good, but the story is slow and the ending is a waste of time."
COMMANDS = {
    "import torch": [sys.executable, "-c", "import torch"],
    "translate": [*DLCC, "translate", "I bought a book."],
    "translate --attention": [*DLCC, "translate", "I bought a book.", "--attention"],
    "sentiment": [*DLCC, "sentiment", REVIEW],
    "vit predict": [*DLCC, "vit", "predict", SHIP],
    "vit predict --attention": [*DLCC, "vit", "predict", SHIP, "--attention"],
    "look translate": [*DLCC, "look", "translate", "I bought a book."],
    "look sentiment": [*DLCC, "look", "sentiment", REVIEW],
    "look vit": [*DLCC, "look", "vit", SHIP],
}
SCREENS = {
    "translate --tui": ([*DLCC, "translate", "I bought a book.", "--tui"], b"libro"),
    "sentiment --tui": ([*DLCC, "sentiment", REVIEW, "--tui"], b"waste"),
    "vit predict --tui": ([*DLCC, "vit", "predict", SHIP, "--tui"], b"layer"),
}


def main() -> None:
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 9
    seconds: dict[str, list[float]] = {name: [] for name in (*COMMANDS, *SCREENS)}
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # an installed program is compiled
    for _ in range(runs):
        for name, command in COMMANDS.items():
            begun = time.perf_counter()
            subprocess.run(command, check=True, capture_output=True)
            seconds[name].append(time.perf_counter() - begun)
        for name, (command, mark) in SCREENS.items():
            seconds[name].append(time_opening(command, mark)[0])
    medians = {name: statistics.median(each) for name, each in seconds.items()}
    for name, median in medians.items():
        print(f"{name:24} {median:.2f} s  {median / medians['import torch']:.2f}")


if __name__ == "__main__":
    main()
