"""What it takes to look at a model from elsewhere, beside what transformers does by itself.

    python tests/bench/look_speed.py MODEL [RUNS]

From the command to the picture beside `import torch, transformers`; a pass of 128 tokens that is
looked at beside an eager one with `output_attentions=True`, in turns, and the memory of both, each
in a process of its own. Medians; 9 runs unless told otherwise.
"""

import statistics
import subprocess
import sys
import time

SENTENCE = "The teacher praised a student because she improved"
TOKENS = 128
PASS = f"""
import resource, statistics, sys, time
import torch
from dlcc.core.capture import capture
from transformers import AutoModel
name, looked, runs = sys.argv[1], sys.argv[2] == "captured", int(sys.argv[3])
eager = {{}} if looked else {{"attn_implementation": "eager"}}
model = AutoModel.from_pretrained(name, **eager).eval()
ids = torch.randint(1000, 2000, (1, {TOKENS}), generator=torch.Generator().manual_seed(0))
def run():
    with torch.inference_mode():
        if looked:
            with capture(model) as seen:
                model(input_ids=ids)
            return seen.trace().weights
        return [each.numpy() for each in model(input_ids=ids, output_attentions=True).attentions]
with torch.inference_mode():
    model(input_ids=ids)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
seconds = []
for _ in range(runs):
    begun = time.perf_counter()
    run()
    seconds.append(time.perf_counter() - begun)
print(statistics.median(seconds), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def main() -> None:
    model, runs = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 9
    commands = {
        "import torch, transformers": [sys.executable, "-c", "import torch, transformers"],
        "dlcc look MODEL TEXT": [sys.executable, "-m", "dlcc.cli", "look", model, SENTENCE],
    }
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(runs):
        for name, command in commands.items():
            begun = time.perf_counter()
            subprocess.run(command, check=True, capture_output=True)
            seconds[name].append(time.perf_counter() - begun)
    ours, theirs = (statistics.median(each) for each in reversed(seconds.values()))
    print(f"to the picture {ours:.2f} s, {ours / theirs:.2f} × import torch, transformers")
    passes: dict[str, list[tuple[float, int]]] = {"eager": [], "captured": []}
    for _ in range(runs):
        for name, found in passes.items():
            command = [sys.executable, "-c", PASS, model, name, "20"]
            shown = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            taken, kilobytes = shown.split()
            found.append((float(taken), int(kilobytes)))
    (eager, eager_kb), (captured, captured_kb) = (
        (statistics.median(each[part] for each in found) for part in (0, 1))
        for found in passes.values()
    )
    print(f"a pass of {TOKENS} tokens {captured * 1e3:.1f} ms, {captured / eager:.2f} × eager")
    print(f"memory above the model {captured_kb / 1024:.0f} MiB, eager {eager_kb / 1024:.0f} MiB")


if __name__ == "__main__":
    main()
