"""Why a classifier answered as it did, word by word, and whether such an explanation holds.

Three methods: occlusion, gradient × attention, attention rollout. Attention is no explanation by
itself: `deletion` measures how fast the probability falls as a method's top words go, against
words in random order.

Shapes: L layers, H heads, T tokens, W words, C classes, S steps.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from dlcc.core.errors import UsageError
from dlcc.core.sentiment.classifier import Classifier
from dlcc.core.sentiment.codec import ReviewTokens
from dlcc.core.settings import one_of
from dlcc.core.trace import maps
from dlcc.core.train.calibrated import log_softmax

_OCCLUDED = 300  # words of a text that are masked one by one unasked
METHODS = ("occlusion", "gradient", "rollout")
STEPS = tuple(step / 20 for step in range(11))
"""Shares of the words that `deletion` takes away: 0, 5, 10, ... 50 %."""


@dataclass(frozen=True)
class Explained:
    """What each word of a text contributes to its label."""

    method: str
    tokens: ReviewTokens
    contributions: np.ndarray
    """[W] float32."""


@dataclass(frozen=True)
class Attended:
    """What one pass with attention through each stretch of a text gave.

    The arrays of tokens are those of the first stretch, of T tokens.
    """

    gradient: np.ndarray | None
    """[W] float32: gradient × attention; None of an exported graph, which has no gradients."""
    rollout: np.ndarray
    """[W] float32."""
    places: Sequence[int]
    """Where the T tokens stand in the text."""
    weights: np.ndarray
    """[L, H, T, T] float32."""
    tensors: dict[str, np.ndarray]
    """`query`, `key` and `value` [L, H, T, D] float32."""
    logits: np.ndarray
    """[C]"""


class Explainer:
    """Why a classifier gave one text the class number `target`.

    A text beyond the model's length is explained as it is read, stretch by stretch.
    """

    def __init__(self, classifier: Classifier, tokens: ReviewTokens, target: int) -> None:
        self.classifier, self.tokens, self.target = classifier, tokens, target

    def contributions(self, method: str) -> np.ndarray:
        """What each word contributes to the class: [W] float32.

        Args:
            method: `occlusion` (change of the log odds when a word is masked; signed), `gradient`
                (gradient × attention) or `rollout` (attention alone); the last two are not
                negative.

        Raises:
            UsageError: an unknown method, or one that needs attention, on a GRU.
        """
        if method not in METHODS:
            raise UsageError(one_of((*METHODS, "none")).says, "explain", method)
        if method != "occlusion" and not self.classifier.has_attention:
            raise UsageError("a GRU has no attention; use occlusion", "explain", method)
        if method == "gradient" and not self.has_gradients:
            raise UsageError("an exported graph has none; use occlusion", "explain", method)
        return self._occlusion if method == "occlusion" else getattr(self.attended, method)

    @property
    def has_gradients(self) -> bool:
        """Whether gradient × attention can be said."""
        return self.attended is not None and self.attended.gradient is not None

    def explained(self, method: str | None = None) -> Explained:
        """The contributions by `method`, by the usual one when None: occlusion, of a long text, for
        which that would take long, gradient × attention."""
        long = len(self.tokens.spans) > _OCCLUDED and self.has_gradients
        chosen = method or ("gradient" if long else "occlusion")
        return Explained(chosen, self.tokens, self.contributions(chosen))

    @cached_property
    def attended(self) -> Attended | None:
        """What comes of one pass with attention; None of a GRU and of a text without a token."""
        if not self.classifier.has_attention or not self.tokens.ids:
            return None
        first: tuple[Any, ...] = ()
        gradient, rollout = np.zeros((2, len(self.tokens.spans)), np.float32)
        stretches = self.classifier.stretches(len(self.tokens.ids))
        for places in stretches:
            ids, words = self._read(places)
            logits, weights, slopes, tensors = self._attend(ids)
            # The model averages over all tokens.
            if slopes is not None:
                np.add.at(gradient, words, maps.relevance(weights, slopes).mean(0))
            np.add.at(rollout, words, maps.rollout(weights).mean(0))
            first = first or (places, weights, tensors, logits)
        means = gradient / len(stretches), rollout / len(stretches)
        return Attended(means[0] if slopes is not None else None, means[1], *first)

    def _read(self, places: Sequence[int]) -> tuple[list[int], np.ndarray]:
        """The tokens at `places`, and the words that they are parts of."""
        words = np.array([self.tokens.words[place] for place in places], dtype=np.int64)
        return [self.tokens.ids[place] for place in places], words

    @cached_property
    def _occlusion(self) -> np.ndarray:
        """How much the log odds fall when a word's tokens are masked (Zeiler & Fergus 2014,
        section 4.2)."""
        contributions = np.zeros(len(self.tokens.spans), np.float32)
        stretches = self.classifier.stretches(len(self.tokens.ids))
        for places in stretches:
            ids, words = self._read(places)
            present = np.unique(words)
            mask = self.classifier.mask
            variants = [ids, *(_without(ids, words, [word], mask) for word in present)]
            logits = self.classifier.logits(variants)
            odds = log_odds(logits, self.classifier.temperature, self.target)
            contributions[present] += odds[0] - odds[1:]
        return contributions / len(stretches)

    def _attend(
        self, ids: Sequence[int]
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray | None, dict[str, np.ndarray]]:
        """Logits [C], the attention weights [L, H, T, T] they came from, the slopes of the log odds
        with respect to these (None of an exported graph), and what the weights compare.

        Attention weighted by what raises the log odds is Chefer et al. 2021, "Generic
        attention-model explainability", eq. 5 and 6; rollout is Abnar & Zuidema 2020.
        """
        found = self.classifier.runner.run(
            "attend",
            tokens=np.array([ids], np.int64),
            target=np.array([self.target]),
            temperature=np.array([self.classifier.temperature], np.float32),
        )
        each = {name: values[0] for name, values in found.items()}
        tensors = {name: each[name] for name in ("query", "key", "value")}
        return each["logits"], each["weights"], each.get("slopes"), tensors


def log_odds(logits: np.ndarray, temperature: float, target: int) -> np.ndarray:
    """Calibrated log odds [...] of class `target` against all others, from logits [..., C]."""
    shares = log_softmax(logits / temperature)
    others = np.delete(shares, target, -1)
    most = others.max(-1, keepdims=True)
    theirs = most[..., 0] + np.log(np.exp(others - most).sum(-1))
    odds: np.ndarray = shares[..., target] - theirs
    return odds


def deletion(
    classifier: Classifier, text: ReviewTokens, target: int, order: Sequence[int]
) -> np.ndarray:
    """Probabilities [S] of class `target` as the words of `order` are masked, step by step.

    Their mean is the area under the curve: the lower, the more these words mattered.

    Args:
        text: at most `max_length` tokens.
        order: words, the one to go first in front.
    """
    words = np.array(text.words, dtype=np.int64)
    variants = [
        _without(text.ids, words, order[: round(share * len(text.spans))], classifier.mask)
        for share in STEPS
    ]
    shares: np.ndarray = classifier.probabilities(classifier.logits(variants))[:, target]
    return shares


def _without(ids: Sequence[int], words: np.ndarray, gone: Sequence[int], mask: int) -> list[int]:
    """The tokens with those of the words `gone` masked."""
    return np.where(np.isin(words, gone), mask, np.array(ids, dtype=np.int64)).tolist()
