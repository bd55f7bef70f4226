"""Kills trainings of every kind at random moments, goes on, and compares the weights.

    python tests/bench/kill_drill.py --runs 10 --kills 3

Each training runs once undisturbed. Then it is killed (SIGKILL) at random moments and gone on with
by `dlcc resume RUN` alone until it ends; the weights of `last` and `best` have to be the same to
the last bit. `vit compare` trains by the clock: it has to end with all its trainings and no epoch
missing.
"""

import argparse
import itertools
import json
import os
import random
import signal
import sys
import tempfile
import time
import traceback
from dataclasses import dataclass
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"  # a process with threads is not to be forked
sys.path.insert(0, str(Path(__file__).parents[1] / "samples"))

from safetensors.torch import load_file
from sentiment_samples import write_csv
from vision_samples import TINY_OPTIONS, write_pictures

from dlcc.cli.app import app
from dlcc.core.train.checkpoint import load_checkpoint

FAMILIES = ("translate", "sentiment", "masked-words", "vit")


@dataclass(frozen=True)
class Kind:
    """One kind of training."""

    name: str
    options: tuple[object, ...]
    trainings: tuple[str, ...] = ("",)
    """Its run folders, below the one it is given."""
    by_the_clock: bool = False
    files: tuple[str, ...] = ()
    """What it leaves, where that is no checkpoint."""


def kinds(folder: Path, length: int) -> list[Kind]:
    """All kinds, on small data that are made in `folder`; their epochs grow with `length`."""
    texts, pairs = write_csv(folder / "texts.csv"), folder / "pairs.tsv"
    nouns, verbs = ("dog", "cat", "bird", "cow", "horse"), ("sees", "hears", "likes")
    several = itertools.product(nouns, verbs, ("a", "the"), nouns)
    known = [f"The {who} {does} {article} {whom}." for who, does, article, whom in several]
    pairs.write_text("".join(f"{text}\t{text.upper()}\n" for text in known))
    pictures = write_pictures(folder / "pictures", 16)
    often = ("--checkpoint-seconds", 0.05, "--seed", 3)
    sizes = ("--layers", 2, "--heads", 2, "--hidden", 32, "--width", 16, "--length", 32)
    words = ("--data", texts, "--vocab-size", 120, *sizes, *often)
    vit = ("--data", pictures, "--preset", "plain")
    found = {
        "translate": (
            *("translate", "train", "--data", pairs, "--vocab-size", 60, "--embed-dim", 16),
            *("--hidden-dim", 32, "--batch-tokens", 200, "--minutes", 0, *often),
            *("--epochs", length),
        ),
        "masked words": ("sentiment", "pretrain", *words, "--stretch", 16, "--epochs", 6 * length),
        "sentiment": ("sentiment", "train", *words, "--batch-tokens", 600, "--epochs", 3 * length),
        "sentiment gru": (
            *("sentiment", "train", "--model", "gru", *words, "--batch-tokens", 600),
            *("--epochs", length),
        ),
        "vit": ("vit", "train", *vit, *TINY_OPTIONS, "--cutmix", *often, "--epochs", 4 * length),
    }
    compare = ("vit", "compare", *vit, "--minutes", 0.02 * length)
    return [
        *(Kind(name, options) for name, options in found.items()),
        Kind(
            "attend",
            ("attend", "train", "all", "--seeds", length, "--steps", 5 * length),
            files=("attention.safetensors", "trainings.jsonl"),
        ),
        Kind("vit compare", compare, ("without-CutMix-0", "with-CutMix-0"), by_the_clock=True),
    ]


def start(kind: Kind, run: Path, log: Path) -> int:
    """Begin or go on with a training in a process of its own; its number."""
    options = [*kind.options, "--run", run]
    if not kind.by_the_clock and (run / "run.json").exists():
        options = ["resume", run]
    process = os.fork()
    if process:
        return process
    code = 1
    try:
        with log.open("ab") as file:
            for stream in (1, 2):
                os.dup2(file.fileno(), stream)
        app([str(option) for option in options], prog_name="dlcc")
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 1
    except BaseException:
        traceback.print_exc()
    os._exit(code)


def ended(process: int) -> None:
    """Wait for a process that has to end well."""
    code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    if code:
        raise RuntimeError(f"exit {code}")


def killed(process: int, seconds: float) -> bool:
    """Kill a process after so many seconds; False where it has ended well before."""
    time.sleep(seconds)
    os.kill(process, signal.SIGKILL)
    code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    if code > 0:
        raise RuntimeError(f"exit {code}")
    return code < 0


def weights_differ(kind: Kind, run: Path, other: Path) -> str:
    """What of two runs is not the same; nothing where all is."""
    for name in kind.files:
        if (run / name).read_bytes() != (other / name).read_bytes():
            return f"another {name}"
    for training in () if kind.files else kind.trainings:
        lines = (run / training / "metrics.jsonl").read_text().splitlines()
        epochs = [json.loads(line)["epoch"] for line in lines]
        if epochs != [*range(1, len(epochs) + 1)]:
            return f"epochs {epochs}"
        for name in ("last", "best"):
            load_checkpoint(run / training / name, *FAMILIES)  # checks every file
            here, there = (
                load_file(r / training / name / "model.safetensors") for r in (run, other)
            )
            if here.keys() != there.keys():
                return f"{name}: other tensors"
            for tensor in here if not kind.by_the_clock else ():
                if here[tensor].tolist() != there[tensor].tolist():
                    return f"{name}: {tensor}"
    left = [path.name for path in run.rglob(".*")]
    return f"left {left}" if left else ""


def drill(kind: Kind, folder: Path, runs: int, kills: int, draw: random.Random) -> str:
    """One line of what became of `runs` trainings, each killed `kills` times if it lasts."""
    log, undisturbed = folder / "log", folder / "whole"
    begun = time.monotonic()
    ended(start(kind, undisturbed, log))
    lasts = time.monotonic() - begun
    done, failed = 0, []
    for number in range(runs):
        run = folder / str(number)
        try:
            for _ in range(kills):
                if not killed(start(kind, run, log), draw.uniform(0, lasts * 0.6)):
                    break
                done += 1
            ended(start(kind, run, log))
            wrong = weights_differ(kind, run, undisturbed)
        except (RuntimeError, OSError) as error:
            wrong = str(error)
        if wrong:
            failed.append(f"run {number}: {wrong}")
    what = "ended whole" if kind.by_the_clock else "identical"
    said = f"{kind.name}: {runs} runs of {lasts:.1f} s, {done} kills, {runs - len(failed)} {what}"
    return "; ".join([said, *failed])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--kills", type=int, default=3)
    parser.add_argument("--length", type=int, default=10, help="how long each training is")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="*", metavar="KIND")
    parser.add_argument("--folder", type=Path, help="kept; a temporary one when left out")
    given = parser.parse_args()
    failed = False
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.folder or Path(temporary)
        (folder / "data").mkdir(parents=True)
        os.environ["DLCC_HOME"] = str(folder / "home")
        for kind in kinds(folder / "data", given.length):
            if given.only and kind.name not in given.only:
                continue
            where = folder / kind.name.replace(" ", "-")
            where.mkdir()
            draw = random.Random(f"{given.seed} {kind.name}")
            line = drill(kind, where, given.runs, given.kills, draw)
            failed = failed or ";" in line
            print(line, flush=True)
            if ";" in line:
                print((where / "log").read_text()[-2000:], file=sys.stderr)
    sys.exit(int(failed))


if __name__ == "__main__":
    main()
