"""Why a classifier answered as it did, word by word, and whether such an explanation holds.

Three methods: occlusion, gradient × attention, attention rollout. Attention is no explanation by
itself: `deletion` measures how fast the probability falls as a method's top words go, against
words in random order.

Shapes: L layers, H heads, T tokens, W words, C classes, S steps.
"""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from dlcc.core.errors import UsageError
from dlcc.core.nn.batches import PAD
from dlcc.core.sentiment.classifier import Classifier
from dlcc.core.sentiment.codec import MASK, ReviewTokens
from dlcc.core.trace import maps

STEPS = tuple(step / 20 for step in range(11))
"""Shares of the words that `deletion` takes away: 0, 5, 10, ... 50 %."""


def explain(answers: Classifier, text: ReviewTokens, target: int, method: str) -> np.ndarray:
    """What each word contributes to class `target`.

    Args:
        answers: the classifier.
        text: the text; beyond the model's length it is explained as it is read, stretch by
            stretch.
        target: number of the class.
        method: `occlusion` (change of the log odds when a word is masked; signed), `gradient`
            (gradient × attention) or `rollout` (attention alone); the last two are not negative.

    Returns:
        [W] float32.

    Raises:
        UsageError: an unknown method, or one that needs attention, on a GRU.
    """
    if method not in METHODS:
        raise UsageError(f"--explain {method}: choose one of {', '.join(METHODS)}, none")
    has_attention = answers.model.encoder.config.architecture == "transformer"
    if method != "occlusion" and not has_attention:
        raise UsageError(f"--explain {method}: a GRU has no attention; use --explain occlusion")
    found = np.zeros(len(text.spans), np.float32)
    stretches = answers.stretches(len(text.ids))
    for places in stretches:
        ids = [text.ids[place] for place in places]
        words = np.array([text.words[place] for place in places], dtype=np.int64)
        if ids:
            METHODS[method](answers, ids, words, target, found)
    return found / len(stretches)


def occlusion(
    answers: Classifier, ids: Sequence[int], words: np.ndarray, target: int, found: np.ndarray
) -> None:
    """Add to `found` how much the log odds fall when a word's tokens are masked
    (Zeiler & Fergus 2014, section 4.2)."""
    present = np.unique(words)
    variants = [_without(ids, words, [word]) for word in present]
    odds = log_odds(answers, answers.logits([ids, *variants]), target).numpy()
    found[present] += odds[0] - odds[1:]


def gradient_attention(
    answers: Classifier, ids: Sequence[int], words: np.ndarray, target: int, found: np.ndarray
) -> None:
    """Add to `found` attention weighted by what raises the log odds, through all layers
    (Chefer et al. 2021, "Generic attention-model explainability", eq. 5 and 6)."""
    logits, weights = _attend(answers, ids)
    slopes = torch.autograd.grad(log_odds(answers, logits, target).sum(), weights)
    layers = torch.cat(weights).detach().cpu().numpy()
    # The model averages over all tokens.
    received = maps.relevance(layers, torch.cat(slopes).cpu().numpy()).mean(0)
    np.add.at(found, words, received)


def rollout(
    answers: Classifier, ids: Sequence[int], words: np.ndarray, target: int, found: np.ndarray
) -> None:
    """Add to `found` what reaches the mean over all tokens through attention and residuals
    (Abnar & Zuidema 2020); the same for every class."""
    with torch.no_grad():
        _, weights = _attend(answers, ids)
    received = maps.rollout(torch.cat(weights).cpu().numpy()).mean(0)
    np.add.at(found, words, received)


_Method = Callable[[Classifier, Sequence[int], np.ndarray, int, np.ndarray], None]
METHODS: dict[str, _Method] = {
    "occlusion": occlusion,
    "gradient": gradient_attention,
    "rollout": rollout,
}
"""By name; each adds the contributions of one stretch's words to those of the whole text."""


def log_odds(answers: Classifier, logits: Tensor, target: int) -> Tensor:
    """Calibrated log odds [...] of class `target` against all others, from logits [..., C]."""
    log_shares = (logits / answers.temperature).log_softmax(-1)
    others = [number for number in range(logits.shape[-1]) if number != target]
    return log_shares[..., target] - log_shares[..., others].logsumexp(-1)


def deletion(
    answers: Classifier, text: ReviewTokens, target: int, order: Sequence[int]
) -> np.ndarray:
    """Probabilities [S] of class `target` as the words of `order` are masked, step by step.

    Their mean is the area under the curve: the lower, the more these words mattered.

    Args:
        answers: the classifier.
        text: at most `max_length` tokens.
        target: number of the class.
        order: words, the one to go first in front.
    """
    words = np.array(text.words, dtype=np.int64)
    variants = [
        _without(text.ids, words, order[: round(share * len(text.spans))]) for share in STEPS
    ]
    return answers.probabilities(answers.logits(variants))[:, target].numpy()


def _without(ids: Sequence[int], words: np.ndarray, gone: Sequence[int]) -> list[int]:
    """The tokens with those of the words `gone` masked."""
    return np.where(np.isin(words, gone), MASK, np.array(ids, dtype=np.int64)).tolist()


def _attend(answers: Classifier, ids: Sequence[int]) -> tuple[Tensor, list[Tensor]]:
    """Logits [1, C] and, layer by layer, the attention weights [1, H, T, T] they came from."""
    tokens = torch.tensor([list(ids)], device=answers.device)
    mask = tokens != PAD
    encoder = answers.model.encoder
    hidden, weights = encoder(encoder.embed(tokens), mask, need_weights=True)
    return answers.model.classify(hidden, mask), weights
