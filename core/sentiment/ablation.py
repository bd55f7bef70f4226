"""A text classifier without some of its heads.

Shapes: L layers, H heads, C classes.
"""

from collections.abc import Collection, Sequence

import numpy as np
from torch import nn

from dlcc.core import ablation
from dlcc.core.ablation import Effect, Head, effects_of, logits_without_each
from dlcc.core.errors import UsageError
from dlcc.core.progress import Progress
from dlcc.core.sentiment.classifier import Classifier
from dlcc.core.sentiment.graphs import graphs

_BATCH_TOKENS = 4096


def without_heads(classifier: Classifier, heads: Collection[Head]) -> Classifier:
    """The classifier as it answers without these heads; it has its weights.

    Raises:
        UsageError: a head that there is not.
    """
    model, attentions = classifier.model, _attentions(classifier)
    assert model is not None  # who asks has loaded it
    return ablation.without_heads(classifier, graphs(model), attentions, heads)


def effects(classifier: Classifier, text: str, progress: Progress | None = None) -> list[Effect]:
    """What becomes of the answer to a text without each head, the largest change first; of a long
    text as it is read, the means over its stretches.

    Raises:
        UsageError: a text without a token, or a model without heads.
    """
    model, attentions = classifier.model, _attentions(classifier)
    assert model is not None  # who asks has loaded it
    ids = classifier.codec.encode(text).ids
    if not ids:
        raise UsageError("the text has no word: give one")
    stretches, num_heads, parts = classifier.stretches(len(ids)), classifier.config.num_heads, []
    for number, places in enumerate(stretches):
        tokens = np.array([[ids[place] for place in places]], np.int64)
        rows = max(1, _BATCH_TOKENS // tokens.shape[1])
        given = model, graphs(model), attentions, num_heads, {"tokens": tokens}, rows
        parts.append(logits_without_each(*given))
        if progress:
            progress(number + 1, len(stretches))
    probabilities = classifier.probabilities(np.mean(parts, 0))
    return effects_of(probabilities, num_heads, classifier.labels)


def _attentions(classifier: Classifier) -> Sequence[nn.Module]:
    if not classifier.has_attention:
        raise UsageError("a GRU has no heads to switch off")
    assert classifier.model is not None
    return [block.get_submodule("attention") for block in classifier.model.encoder.layers]
