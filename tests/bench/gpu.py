"""Training speed on a GPU: each of our trainings, and beside the pictures' a plain torch ViT.

    python tests/bench/gpu.py [--seconds N] [--only vit,words,texts,pairs] [--device cuda]

Ours are measured as they are trained, by `fit` and all it does in a step, without validations. The
plain ViT is torchvision's, of width 192 with 6 layers, on pictures that lie on the device as float
numbers, without augmentation, by a fused AdamW. Data are drawn: pictures of 32 × 32, texts of
about 230 words, pairs of about 7. Each figure is items by seconds, after a warm-up.
"""

import argparse
import csv
import math
import random
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import accumulate
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
import torchvision
from torch import nn

from dlcc.core.progress import Progress
from dlcc.core.train.config import FitConfig
from dlcc.core.train.fit import fit
from dlcc.core.train.recipe import Chosen, recipe
from dlcc.core.train.task import Stepped, Task
from dlcc.core.vit.config import RECIPE, VisionConfig, ViTConfig
from dlcc.core.vit.images import ImageData, ImageSet
from dlcc.core.vit.model import ViT
from dlcc.core.vit.task import VisionTask

SIDE, CLASSES = 32, 10
FOREVER = {"epochs": 1_000_000, "validate_every": 1_000_000, "minutes": 0.0, "warmup": 0.0}


class Quiet:
    """A narrator who says nothing."""

    def note(self, message: str) -> None: ...

    def warn(self, message: str) -> None: ...

    @contextmanager
    def working(self, what: str) -> Iterator[None]:
        yield

    @contextmanager
    def counting(self, what: str, total: int | None = None) -> Iterator[Progress]:
        yield lambda *_: None

    transferring = counting


def waited(device: torch.device) -> float:
    """The time when all is computed that was asked for."""
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()


def speed(task: Task, chosen: Chosen, device: torch.device, seconds: float) -> tuple[float, float]:
    """Items a second, and how often a step waits for the GPU."""
    begun, took, items, steps = 0.0, 0.0, 0, 0
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        first = None
        for event in fit(task, chosen.make(FitConfig), Path(folder) / "run"):
            if not isinstance(event, Stepped):
                continue
            first = first or time.perf_counter()
            if begun:
                items, steps = items + event.items, steps + 1
                if _over(begun, seconds):
                    took = waited(device) - begun
                    break
            elif event.step >= 10 and _over(first, seconds / 3):
                begun = waited(device)
                watch_waits(device, "warn")
        watch_waits(device, "default")
    waits = sum("synchroniz" in str(each.message) for each in caught)
    return items / took, waits / steps


def watch_waits(device: torch.device, how: str) -> None:
    """Have torch warn of every wait for the GPU, or not."""
    if device.type == "cuda":
        torch.cuda.set_sync_debug_mode(how)


def _over(begun: float, seconds: float) -> bool:
    return time.perf_counter() - begun > seconds


def vision_task(
    batch: int, small: float, compile: bool, device: torch.device, how: dict[str, Any]
) -> tuple[VisionTask, Chosen]:
    """--preset best --cutmix on drawn pictures, all of them of the whole side or of the small."""
    given = {**FOREVER, "cutmix": True, "batch_size": batch, "small": small, **how}
    chosen = RECIPE.choose(given, "best")
    torch.manual_seed(0)
    pictures = [_pictures(count) for count in (45_000, 1000, 10)]
    data = ImageData(tuple("abcdefghij"), *pictures, "", ())
    model = ViT(chosen.make(ViTConfig, num_classes=CLASSES)).to(device)
    config: VisionConfig = chosen.make(VisionConfig, cutmix_share=0.5)
    return VisionTask(model, data, config, {}, compile), chosen


def _pictures(count: int) -> ImageSet:
    pixels = torch.randint(256, (count, 3, SIDE, SIDE), dtype=torch.uint8)
    return ImageSet(pixels, torch.randint(CLASSES, (count,)), tuple(map(str, range(count))))


def plain_speed(batch: int, compile: bool, device: torch.device, seconds: float) -> float:
    """Pictures a second of torchvision's ViT."""
    model: nn.Module = torchvision.models.VisionTransformer(
        SIDE, 4, num_layers=6, num_heads=6, hidden_dim=192, mlp_dim=384, num_classes=CLASSES
    ).to(device)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, fused=True)
    called = torch.compile(model) if compile else model
    images = torch.rand(batch, 3, SIDE, SIDE, device=device)
    labels = torch.randint(CLASSES, (batch,), device=device)

    def step() -> None:
        with torch.autocast(device.type, torch.bfloat16):
            loss = F.cross_entropy(called(images).float(), labels)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()

    for _ in range(10):
        step()
    begun, steps = waited(device), 0
    while not _over(begun, seconds) or not steps:
        step()
        steps += 1
        if steps % 20 == 0:
            waited(device)
    return steps * batch / (waited(device) - begun)


def written_texts(folder: Path, count: int, words: int) -> Path:
    """A table of drawn texts with two classes."""
    drawn, path = random.Random(0), folder / "texts.csv"
    known = [
        "".join(drawn.choices("abcdefghijklmnopqrstuvwxyz", k=drawn.randint(2, 9)))
        for _ in range(20_000)
    ]
    weights = list(accumulate(1 / (place + 10) for place in range(len(known))))
    with path.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(("text", "label"))
        for _ in range(count):
            length = max(10, round(drawn.lognormvariate(math.log(words), 0.6)))
            table.writerow(
                (" ".join(drawn.choices(known, cum_weights=weights, k=length)), drawn.choice("np"))
            )
    return path


def written_pairs(folder: Path, count: int) -> Path:
    """Drawn pairs, a line each."""
    texts = written_texts(folder, 2 * count, 7).read_text().splitlines()[1:]
    texts = [text.rpartition(",")[0][:200] for text in texts]
    path = folder / "pairs.tsv"
    path.write_text("".join(f"{a}\t{b}\n" for a, b in zip(texts[::2], texts[1::2], strict=True)))
    return path


def text_speed(
    name: str, given: dict[str, Any], device: torch.device, seconds: float
) -> tuple[float, float, int]:
    """Items a second of a training of texts, its waits a step and the size of a batch."""
    found = recipe(name)
    chosen = found.choose({**given, "validate_every": 10**6}, device=device.type)
    chosen = found.on_device(chosen, Quiet())
    size = chosen["batch_tokens"]
    task = found.task(chosen, Quiet())
    forever = Chosen({**chosen.values, **FOREVER}, chosen.given)
    return *speed(task, forever, device, seconds), size


def say(line: str) -> None:
    print(line, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--only", default="vit,words,texts,pairs")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--texts", type=int, default=12_000)
    parser.add_argument(
        "--steps",
        default="128@32,128@24,512@32,512@24,512c@32,512c@24,2048c@32,2048c@24",
        help="pictures in a batch, c where compiled, and their side",
    )
    parser.add_argument("--no-cuda-graphs", action="store_true")
    options = parser.parse_args()
    device, seconds, only = torch.device(options.device), options.seconds, options.only.split(",")
    name = torch.cuda.get_device_name() if device.type == "cuda" else "CPU"
    say(f"torch {torch.__version__}, {name}, bfloat16, {seconds:g} s each")
    how: dict[str, Any] = {"cuda_graphs": not options.no_cuda_graphs}
    plain: dict[str, float] = {}
    for each in options.steps.split(",") if "vit" in only else ():
        step, _, side = each.partition("@")
        batch, compile = int(step.removesuffix("c")), step.endswith("c")
        called = f"batch {batch}{', compiled' if compile else ''}"
        if step not in plain:
            plain[step] = plain_speed(batch, compile, device, seconds)
            say(f"plain torch, {called}: {plain[step]:,.0f} pictures/s")
        begun = time.perf_counter()
        task, chosen = vision_task(batch, 0.0 if int(side) == SIDE else 1.0, compile, device, how)
        ours, waits = speed(task, chosen, device, seconds)
        say(
            f"dlcc, {called}, {side} pixels: {ours:,.0f} pictures/s, {ours / plain[step]:.2f} of "
            f"that, {waits:.2f} waits a step (in {time.perf_counter() - begun:.0f} s with all)"
        )
    with tempfile.TemporaryDirectory() as folder:
        texts = written_texts(Path(folder), options.texts, 230)
        trainings = {
            "words": ("masked-words", {"data": texts}, "tokens"),
            "texts": ("sentiment", {"data": [str(texts)]}, "texts"),
            "texts, without adversarial steps": (
                "sentiment",
                {"data": [str(texts)], "adversarial": 0.0},
                "texts",
            ),
            "pairs, GRU": ("translate", {}, "tokens"),
            "pairs, Transformer": ("translate", {"architecture": "transformer"}, "tokens"),
        }
        for title, (name, given, unit) in trainings.items():
            if title.partition(",")[0] in only:
                given = given | how
                if name == "translate":
                    given = {**given, "data": written_pairs(Path(folder), 2 * options.texts)}
                speed_of, waits, size = text_speed(name, given, device, seconds)
                say(
                    f"{title}, {size:,} tokens a batch: {speed_of:,.0f} {unit}/s, "
                    f"{waits:.2f} waits a step"
                )


if __name__ == "__main__":
    main()
