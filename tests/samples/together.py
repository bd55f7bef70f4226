"""Short trainings of every kind, by one process or by several that were started together.

python together.py FOLDER      with RANK, WORLD_SIZE, LOCAL_RANK, MASTER_ADDR and MASTER_PORT
"""

import itertools
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from sentiment_samples import SIZES, codec, corpus, model
from vision_samples import TINY, image_data

from dlcc.core.sentiment.config import ClassifyConfig, EncoderConfig, MaskedWordConfig
from dlcc.core.sentiment.model import MaskedWordModel
from dlcc.core.sentiment.pretrain import MaskedWordTask
from dlcc.core.sentiment.task import ClassifyTask
from dlcc.core.train.config import FitConfig
from dlcc.core.train.distributed import joined
from dlcc.core.train.fit import fit
from dlcc.core.train.task import Stepped
from dlcc.core.translate.config import Seq2SeqConfig, TranslationConfig
from dlcc.core.translate.data import Pair, Split
from dlcc.core.translate.task import TranslationTask, build_codec, build_model
from dlcc.core.vit.config import VisionConfig
from dlcc.core.vit.model import ViT
from dlcc.core.vit.task import VisionTask

STEPS = 50


def _translation(architecture: str) -> TranslationTask:
    words = "dog cat bird sees hears likes".split()
    pairs = [
        Pair(" ".join(each).capitalize() + ".", (" ".join(each).upper() + ".",))
        for count in (2, 3)
        for each in itertools.product(words, repeat=count)
    ]
    split = Split(tuple(pairs[6:]), tuple(pairs[3:6]), tuple(pairs[:3]))
    data = TranslationConfig(vocab_size=60, batch_tokens=60, teacher_forcing=0.8)
    learned = build_codec(split, data)
    sizes = Seq2SeqConfig(learned.size, 16, 32, 1, 2, dropout=0.0, architecture=architecture)
    translator = build_model(sizes, 0, torch.device("cpu"))
    return TranslationTask(split, learned, data, translator, {"seed": 0}, 0)


def tasks() -> Iterator[tuple[str, Any]]:
    """All of them by name; without dropout, which each process draws for itself."""
    torch.manual_seed(0)
    vision = VisionConfig(batch_size=9, augment="light", cutmix_share=0.5)
    yield "vit", VisionTask(ViT(TINY), image_data(), vision, {})
    how = ClassifyConfig(batch_tokens=300, word_dropout=0.15, adversarial=0.5)
    yield "sentiment", ClassifyTask(model(), codec(), corpus(), how, {"data": {}})
    torch.manual_seed(0)
    guesser = MaskedWordModel(EncoderConfig(codec().size, max_length=24, dropout=0.0, **SIZES))
    texts = [review.text for review in corpus().train]
    config = MaskedWordConfig(length=16, batch_tokens=80)
    yield "masked words", MaskedWordTask(guesser, codec(), texts[40:], texts[:40], config, {})
    for architecture in ("gru", "transformer"):
        yield f"translate {architecture}", _translation(architecture)


def learned(folder: Path) -> dict[str, tuple[list[float], list[torch.Tensor]]]:
    """By name the losses of each step, and the weights after the last one."""
    found = {}
    for name, task in tasks():
        how = FitConfig(epochs=50, learning_rate=1e-3, bfloat16=False, ema_decay=0.9)
        losses: list[float] = []
        for event in fit(task, how, folder / name, should_stop=lambda: len(losses) == STEPS):  # noqa: B023
            if isinstance(event, Stepped):
                losses.append(event.loss)
        found[name] = losses, [weight.detach() for weight in task.model.parameters()]
    return found


if __name__ == "__main__":
    torch.set_num_threads(1)
    with joined() as team:
        torch.save(learned(Path(sys.argv[1])), Path(sys.argv[1]) / f"{team.rank}.pt")
