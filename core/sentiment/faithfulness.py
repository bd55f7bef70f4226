"""Which explanation earns trust: deletion curves of all methods over many texts."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from dlcc.core.progress import Progress
from dlcc.core.sentiment.classifier import Classifier
from dlcc.core.sentiment.codec import ReviewTokens, ends
from dlcc.core.sentiment.explain import METHODS, Explainer, deletion
from dlcc.core.train.runtime import seeded_generator

_RANDOM_ORDERS = 3  # their mean is what a method is held against


@dataclass(frozen=True)
class Faithfulness:
    """How one method did; lower areas are better."""

    method: str
    """The method, or `random`."""
    curve: tuple[float, ...]
    """Mean probability of the predicted class after each step of `STEPS`."""
    area: float
    """Mean of the curve."""
    gain: float
    """How much lower the area is than with words in random order, mean over the texts."""
    error: float | None
    """Standard error of `gain`; None of a single text."""


def faithfulness(
    classifier: Classifier,
    texts: Sequence[str],
    seed: int = 0,
    progress: Progress | None = None,
    explains: type[Explainer] = Explainer,
    cut: Callable[[str], Any] | None = None,
) -> list[Faithfulness]:
    """Deletion curves on `texts`, each cut to the model's length; best method first.

    Args:
        explains: how the classifier is explained.
        cut: makes tokens of a text; without, by its two ends.
    """
    methods = [name for name in METHODS if classifier.has_attention or name == "occlusion"]
    curves: dict[str, list[np.ndarray]] = {name: [] for name in (*methods, "random")}
    for number, text in enumerate(texts):
        tokens = cut(text) if cut else _cut(classifier.codec.encode(text), classifier.max_length)
        if not tokens.ids:
            continue
        count = len(tokens.spans)
        real = {word for word, span in enumerate(tokens.spans) if span != (0, 0)}  # no special ones
        target = int(classifier.logits([tokens.ids])[0].argmax())
        explainer = explains(classifier, tokens, target)
        for method in methods:
            order = np.argsort(-explainer.contributions(method), kind="stable").tolist()
            order = [word for word in order if word in real]
            curves[method].append(deletion(classifier, tokens, target, order))
        generator = seeded_generator(seed, number)
        orders = [
            [word for word in torch.randperm(count, generator=generator).tolist() if word in real]
            for _ in range(_RANDOM_ORDERS)
        ]
        at_random = [deletion(classifier, tokens, target, order) for order in orders]
        curves["random"].append(np.mean(at_random, axis=0))
        if progress:
            progress(number + 1, len(texts))
    results = [_summary(name, curves[name], curves["random"]) for name in curves if curves[name]]
    return sorted(results, key=lambda result: result.area)


def _cut(tokens: ReviewTokens, length: int) -> ReviewTokens:
    """The two ends of a text that has more than `length` tokens."""
    places = ends(range(len(tokens.ids)), length)
    words = [tokens.words[place] for place in places]
    numbers = {word: number for number, word in enumerate(dict.fromkeys(words))}
    return ReviewTokens(
        tuple(tokens.ids[place] for place in places),
        tuple(numbers[word] for word in words),
        tuple(tokens.spans[word] for word in numbers),
    )


def _summary(
    method: str, curves: Sequence[np.ndarray], random_curves: Sequence[np.ndarray]
) -> Faithfulness:
    mean = np.mean(curves, axis=0)
    gains = np.mean(random_curves, axis=1) - np.mean(curves, axis=1)
    error = float(gains.std(ddof=1) / np.sqrt(len(gains))) if len(gains) > 1 else None
    return Faithfulness(
        method, tuple(mean.tolist()), float(mean.mean()), float(gains.mean()), error
    )
