"""The parallel-processing claim, measured: a Transformer against a GRU of equal size."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F

from dlcc.core.nn.batches import SPECIAL
from dlcc.core.sentiment.model import SentimentModel
from dlcc.core.train.runtime import autocast


@dataclass(frozen=True)
class Speed:
    """Throughput of one model on texts of one length."""

    length: int
    """Tokens of each text."""
    train: float
    """Texts a second in training: forward, backward and AdamW."""
    infer: float
    """Texts a second in answering."""


def measure_speed(
    model: SentimentModel, length: int, batch_tokens: int = 8192, seconds: float = 1.0
) -> Speed:
    """Time batches of drawn tokens, after one that warms up; the median of each kind counts.

    Args:
        model: trained in place on noise: pass one that is not needed afterwards.
        seconds: least time for each of the two kinds, and at least three batches.
    """
    device = next(model.parameters()).device
    texts = max(1, batch_tokens // length)
    size = model.encoder.config.vocab_size
    generator = torch.Generator().manual_seed(0)
    tokens = torch.randint(len(SPECIAL) + 1, size, (texts, length), generator=generator).to(device)
    targets = torch.zeros(texts, dtype=torch.long, device=device)
    learned = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(learned, lr=1e-5, fused=True)

    def step() -> None:
        with autocast(device):
            loss = F.cross_entropy(model(tokens).float(), targets)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()

    def answer() -> None:
        with torch.no_grad():  # in float32, as it answers
            model(tokens).cpu()

    rates = []
    for training, run in ((True, step), (False, answer)):
        model.train(training)
        rates.append(texts / _median_seconds(run, seconds, device))
    return Speed(length, *rates)


def _median_seconds(run: Callable[[], object], least: float, device: torch.device) -> float:
    run()
    times: list[float] = []
    while len(times) < 3 or sum(times) < least:
        begun = time.perf_counter()
        run()
        if device.type == "cuda":
            torch.cuda.synchronize()
        times.append(time.perf_counter() - begun)
    return sorted(times)[len(times) // 2]
