"""Length-bucketed batches against the book's packed batch with one N×N mask.

    python tests/bench/sentiment_batches.py --data aclImdb_v1.tar.gz [--reviews 32] [--threads 2]

Both ways take the same reviews, drawn from the training part and cut to 512 tokens, and the same
model (the best preset's sizes, bfloat16 where the processor has it). Bucketed: sorted by length
into batches of at most 8,192 tokens, padded. Packed: all reviews end to end as one sequence of N
tokens with an N×N mask that keeps each to itself. A step is forward, backward and AdamW over all of
the reviews once. Each way runs in a process of its own; memory is the most that it had resident,
less what it had before the first step.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

WAYS = ("bucketed", "packed")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--reviews", type=int, default=32)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--way", choices=WAYS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.way:
        ids = json.load(sys.stdin)
        print(json.dumps(measure(options.way, ids, options.steps, options.threads)))
        return
    ids = json.dumps(draw(options.data, options.reviews))
    found = {}
    for way in WAYS:
        command = [sys.executable, __file__, *sys.argv[1:], "--way", way]
        done = subprocess.run(command, input=ids, capture_output=True, text=True, check=True)
        found[way] = json.loads(done.stdout)
        print(f"{way:9} {found[way]['ms']:8.0f} ms a step  {found[way]['mib']:7.0f} MiB")
    ratios = {name: found["packed"][name] / found["bucketed"][name] for name in ("ms", "mib")}
    print(
        f"{options.reviews} reviews, {sum(map(len, json.loads(ids))):,} tokens, "
        f"{options.threads} threads: packed takes {ratios['ms']:.1f} × the time and "
        f"{ratios['mib']:.1f} × the memory"
    )


def draw(path: Path, count: int) -> list[list[int]]:
    import torch

    from dlcc.core.sentiment.codec import ReviewCodec, ends
    from dlcc.core.sentiment.config import SplitConfig
    from dlcc.core.sentiment.data import read_parts
    from dlcc.core.train.runtime import seeded_generator

    parts, _ = read_parts(path, SplitConfig())
    texts = [review.text for review in parts["train"]]
    codec = ReviewCodec.learn(texts[::5], "subwords", 16_000)
    chosen = torch.randperm(len(texts), generator=seeded_generator(0))[:count].tolist()
    return [list(ends(ids, 512)) for ids in codec.encode_many([texts[n] for n in chosen])]


def measure(way: str, ids: list[list[int]], steps: int, threads: int) -> dict[str, float]:
    import torch

    from dlcc.core.sentiment.config import EncoderConfig
    from dlcc.core.sentiment.model import SentimentModel
    from dlcc.core.train.runtime import autocast

    torch.set_num_threads(threads)
    torch.manual_seed(0)
    model = SentimentModel(EncoderConfig(16_000, inner_dropout=0.0), 2)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-5, fused=True)
    learn = bucketed if way == "bucketed" else packed
    before, times = resident(), []
    for _ in range(steps):
        begun = time.perf_counter()
        with autocast(torch.device("cpu")):
            learn(model, ids)
        optimizer.step()
        optimizer.zero_grad()
        times.append(time.perf_counter() - begun)
    return {"ms": 1000 * sorted(times)[len(times) // 2], "mib": resident() - before}


def bucketed(model, ids: list[list[int]]) -> None:  # type: ignore[no-untyped-def]
    import torch.nn.functional as F

    from dlcc.core.nn.batches import PAD_STEP, batches_by_length, pad

    for batch in batches_by_length([len(row) for row in ids], 8192, PAD_STEP):
        tokens = pad([ids[number] for number in batch], PAD_STEP)
        targets = tokens[:, 0] % 2
        F.cross_entropy(model(tokens), targets, reduction="sum").div(len(ids)).backward()


def packed(model, ids: list[list[int]]) -> None:  # type: ignore[no-untyped-def]
    import torch
    import torch.nn.functional as F

    lengths = torch.tensor([len(row) for row in ids])
    owner = torch.arange(len(ids)).repeat_interleave(lengths)
    place = torch.cat([torch.arange(int(length)) for length in lengths])
    mask = (owner[:, None] == owner)[None, None]  # [1, 1, N, N]
    tokens = torch.tensor([[token for row in ids for token in row]])
    encoder = model.encoder
    x = encoder.embed(tokens) + encoder.positions[place]
    for block in encoder.layers:
        x, _ = block(x, mask)
    sums = torch.zeros(len(ids), x.shape[-1]).index_add(0, owner, encoder.norm(x)[0].float())
    logits = model.top(sums / lengths[:, None])
    starts = lengths.cumsum(0) - lengths
    F.cross_entropy(logits, tokens[0, starts] % 2).backward()


def resident() -> float:
    """Most MiB this process has had in memory."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / (2**20 if sys.platform == "darwin" else 2**10)


if __name__ == "__main__":
    main()
