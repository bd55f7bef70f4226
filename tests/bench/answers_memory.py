"""The memory that answers to many questions take, and how soon the first one is there.

    python tests/bench/answers_memory.py sentiment [LINES [OPTIONS OF dlcc sentiment]]
    python tests/bench/answers_memory.py translate [LINES [OPTIONS OF dlcc translate]]
    python tests/bench/answers_memory.py vit FOLDER [OPTIONS OF dlcc vit predict]

LINES short lines (1,000,000 and 200,000 unless told otherwise), or the pictures of FOLDER, are
answered with --json. Printed are the resident memory after a tenth of the answers and at the last
one, of it what is the process's own and what is of files, and the seconds until the first answer of
all, beside those until the only answer to a single question.
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

DLCC = [sys.executable, "-m", "dlcc.cli"]
LINES = {"sentiment": 1_000_000, "translate": 200_000}
WORDS = "the cat saw a dog and i liked it very much but my friend did not buy another book".split()


def line(number: int) -> str:
    """A short line, each another."""
    words = [WORDS[number // len(WORDS) ** place % len(WORDS)] for place in range(5)]
    return " ".join([*words, str(number)])


def resident(process: int) -> dict[str, float]:
    """MB of memory."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    values = dict(each.split(":", 1) for each in lines)
    names = {"all": "VmRSS", "own": "RssAnon", "files": "RssFile"}
    return {name: int(values[key].split()[0]) / 1024 for name, key in names.items()}


def measure(command: list[str], count: int) -> dict[str, float]:
    """Run a command that prints `count` lines."""
    begun = time.perf_counter()
    with subprocess.Popen([*DLCC, *command], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        found = {}
        for number, _ in enumerate(process.stdout, 1):
            if number == 1:
                found["first answer s"] = time.perf_counter() - begun
            if number in (max(1, count // 10), count):
                at = "10 %" if number < count else "end"
                found |= {f"{at} {name} MB": each for name, each in resident(process.pid).items()}
        assert number == count, f"{number} answers to {count} questions"
    found["per second"] = count / (time.perf_counter() - begun)
    return found


def main() -> None:
    what, *rest = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        if what == "vit":
            pictures, *options = rest
            files = [file for file in Path(pictures).rglob("*") if file.is_file()]
            count = len(files)
            command = ["vit", "predict", pictures, "--json", *options]
            single = ["vit", "predict", str(files[0]), "--json", "--no-attention", *options]
        else:
            count, options = int(rest[0]) if rest else LINES[what], rest[1:]
            many, one = Path(folder, "many.txt"), Path(folder, "one.txt")
            many.write_text("".join(f"{line(number)}\n" for number in range(count)))
            one.write_text(f"{line(0)}\n")
            command, single = (
                [what, "--file", str(file), "--json", *options] for file in (many, one)
            )
        subprocess.run([*DLCC, *single], check=True, capture_output=True)  # into the cache
        begun = time.perf_counter()
        subprocess.run([*DLCC, *single], check=True, capture_output=True)
        alone = time.perf_counter() - begun
        for name, value in measure(command, count).items():
            print(f"{name:16} {value:12,.1f}")
    print(f"{'one question s':16} {alone:12,.1f}")


if __name__ == "__main__":
    main()
