"""A trace of subwords as a trace of words. Needs numpy alone."""

from dataclasses import replace

import numpy as np

from dlcc.core.trace.maps import Groups, merge, word_groups
from dlcc.core.trace.trace import AttentionTrace

_WORD_START = "▁"


def by_word(trace: AttentionTrace) -> AttentionTrace:
    """The attention of words: summed over a key word's tokens, averaged over a query word's.

    Special tokens, such as the end of the sentence, are left out of the rows. What belongs to
    single tokens (scores, tensors, details by step) is left out too.
    """
    queries = word_groups(trace.query_words, len(trace.query))
    queries = tuple(g for g in queries if trace.query[g[0]] not in trace.special) or queries
    keys = word_groups(trace.key_words, len(trace.key))
    weights = [[merge(head, queries, keys) for head in layer] for layer in trace.weights]
    return replace(
        trace,
        weights=np.array(weights, dtype=np.float32),
        query=_joined(trace.query, queries),
        key=_joined(trace.key, keys),
        query_words=(),
        key_words=(),
        scores=None,
        tensors={},
        details={},
    )


def _joined(tokens: tuple[str, ...], groups: Groups) -> tuple[str, ...]:
    words = ("".join(tokens[place] for place in group) for group in groups)
    return tuple(word.removeprefix(_WORD_START) for word in words)
