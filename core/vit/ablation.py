"""A picture classifier without some of its heads, or of a picture's patches.

Shapes: S side of the square pictures.
"""

from collections.abc import Collection, Sequence

import numpy as np
from torch import nn

from dlcc.core import ablation
from dlcc.core.ablation import Effect, Head, effects_of, logits_without_each
from dlcc.core.errors import UsageError
from dlcc.core.progress import Progress
from dlcc.core.vit.classifier import PictureClassifier
from dlcc.core.vit.graphs import graphs

_BATCH_TOKENS = 8192


def without_heads(classifier: PictureClassifier, heads: Collection[Head]) -> PictureClassifier:
    """The classifier as it answers without these heads; it has its weights.

    Raises:
        UsageError: a head that there is not.
    """
    model, attentions = classifier.model, _attentions(classifier)
    assert model is not None  # who asks has loaded it
    return ablation.without_heads(classifier, graphs(model), attentions, heads)


def without_patches(
    classifier: PictureClassifier, pixels: np.ndarray, tokens: Collection[int]
) -> np.ndarray:
    """A picture [3, S, S] uint8 with the mean colour of the training in place of some patches.

    Args:
        tokens: their numbers among the tokens, from 0.

    Raises:
        UsageError: no such patch.
    """
    config, found = classifier.config, pixels.copy()
    rows, columns = config.grid
    high, wide = pixels.shape[1] // rows, pixels.shape[2] // columns
    mean = np.round(np.array(config.pixel_mean) * 255).astype(np.uint8)[:, None, None]
    for token in tokens:
        patch = token - config.class_token
        if not 0 <= patch < rows * columns:
            raise UsageError("only patches can be taken away: choose one")
        row, column = divmod(patch, columns)
        found[:, row * high : (row + 1) * high, column * wide : (column + 1) * wide] = mean
    return found


def effects(
    classifier: PictureClassifier, pixels: np.ndarray, progress: Progress | None = None
) -> list[Effect]:
    """What becomes of the answer to a picture [3, S, S] uint8 without each head, the largest change
    first."""
    model, config = classifier.model, classifier.config
    assert model is not None  # who asks has loaded it
    rows = max(1, _BATCH_TOKENS // (config.grid[0] * config.grid[1]))
    logits = logits_without_each(
        model,
        graphs(model),
        _attentions(classifier),
        config.num_heads,
        {"pixels": pixels[None]},
        rows,
        progress,
    )
    return effects_of(classifier.probabilities(logits), config.num_heads, classifier.classes)


def _attentions(classifier: PictureClassifier) -> Sequence[nn.Module]:
    assert classifier.model is not None
    return [block.get_submodule("attention") for block in classifier.model.blocks]
