"""Kills one of a training's processes at random moments; torchrun has to go on from `last`.

    python tests/bench/kill_ranks.py --kills 20

Each training is by two processes with `--max-restarts`; a random one is killed (SIGKILL) some
seconds after all of them began. The training has to end by itself, with all of its epochs.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "samples"))

from vision_samples import TINY_OPTIONS, write_pictures

TOGETHER = 2
A_RUN = 4  # kills


def children(process: int) -> set[int]:
    """The processes that torchrun started."""
    try:
        return set(map(int, Path(f"/proc/{process}/task/{process}/children").read_text().split()))
    except OSError:
        return set()


def drill(folder: Path, options: list[str], kills: int, draw: random.Random) -> str:
    """What became of one training that was hit so often."""
    run, log = folder / "run", folder / "log"
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", f"{TOGETHER}"]
    torchrun += ["--max-restarts", f"{kills + 1}", "-m", "--", "dlcc.cli"]
    with log.open("w") as file:
        process = subprocess.Popen(
            [*torchrun, *options, "--run", str(run)], stdout=file, stderr=file
        )
    done, hit = 0, set[int]()
    while done < kills and process.poll() is None:
        there = children(process.pid) - hit
        if len(there) < TOGETHER:
            time.sleep(0.1)
            continue
        time.sleep(draw.uniform(0, 12))
        if process.poll() is None and there <= children(process.pid):
            os.kill(draw.choice(sorted(there)), signal.SIGKILL)
            hit |= there
            done += 1
    code = process.wait()
    if code:
        return f"{done} kills, exit {code}: {log.read_text()[-1500:]}"
    lines = map(json.loads, (run / "metrics.jsonl").read_text().splitlines())
    epochs = [line["epoch"] for line in lines if "accuracy" in line]
    whole = epochs == [*range(1, len(epochs) + 1)]
    over = json.loads((run / "last/config.json").read_text())["about"]["progress"]["over"]
    if not whole or over != "epochs":
        return f"{done} kills, epochs {epochs}, over: {over!r}"
    return f"{done} kills, ended"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--epochs", type=int, default=400)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    draw, failed = random.Random(given.seed), False
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        os.environ |= {"DLCC_HOME": str(folder / "home"), "OMP_NUM_THREADS": "1"}
        pictures = write_pictures(folder / "pictures", 16)
        options = [
            "vit",
            "train",
            "--data",
            pictures,
            "--preset",
            "plain",
            *TINY_OPTIONS,
            "--cutmix",
        ]
        options += ["--epochs", given.epochs, "--checkpoint-seconds", 0.05]
        for number in range(-(-given.kills // A_RUN)):
            (folder / f"{number}").mkdir()
            line = drill(folder / f"{number}", list(map(str, options)), A_RUN, draw)
            failed = failed or not line.endswith("ended")
            print(f"training {number}: {line}", flush=True)
    sys.exit(int(failed))


if __name__ == "__main__":
    main()
