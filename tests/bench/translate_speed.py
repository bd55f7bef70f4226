"""Speed of the bundled translator: one sentence by the command, and sentences in a batch.

    python tests/bench/translate_speed.py --data spa-eng.zip [--sentences 2000] [--rounds 5]

Prints, as JSON, the median wall time of `dlcc translate "I bought a book."` and of
`python -c "import torch"`, run in turns, and the sentences a second of the test split, greedy,
in one batch call and one sentence at a time.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

COMMANDS = {
    "import torch": [sys.executable, "-c", "import torch"],
    "dlcc translate": [sys.executable, "-m", "dlcc.cli", "translate", "I bought a book."],
}


def wall_times(rounds: int) -> dict[str, float]:
    """Median seconds of each command; the first round only warms the file cache."""
    times: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(rounds + 1):
        for name, command in COMMANDS.items():
            begun = time.perf_counter()
            subprocess.run(command, check=True, capture_output=True)
            times[name].append(time.perf_counter() - begun)
    return {name: statistics.median(values[1:]) for name, values in times.items()}


def rates(data: Path, count: int) -> dict[str, float]:
    """Sentences a second, greedy, of the first `count` test sentences."""
    from dlcc.core.translate.data import read_pairs, split_pairs
    from dlcc.core.translate.source import TranslateSource
    from dlcc.core.translate.translator import GREEDY

    translator = TranslateSource(None, "cpu", runner="torch").translator
    split = split_pairs(read_pairs(data), translator.about["seed"])
    texts = [sentence.source for sentence in split.test[:count]]
    translator.translate(texts[:64], GREEDY)
    begun = time.perf_counter()
    translator.translate(texts, GREEDY)
    batched = len(texts) / (time.perf_counter() - begun)
    few = texts[:: max(1, len(texts) // 200)]
    begun = time.perf_counter()
    for text in few:
        translator.translate([text], GREEDY)
    single = len(few) / (time.perf_counter() - begun)
    return {"batched": batched, "one at a time": single, "ratio": batched / single}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--sentences", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    seconds = wall_times(arguments.rounds)
    ratio = seconds["dlcc translate"] / seconds["import torch"]
    found = {
        "seconds": seconds,
        "ratio": ratio,
        "sentences a second": rates(arguments.data, arguments.sentences),
    }
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
