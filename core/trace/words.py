"""Subwords as the words that they make. Needs numpy alone."""

from collections.abc import Collection, Sequence
from dataclasses import replace

import numpy as np

from dlcc.core.trace.maps import Groups, kept_groups, merge, word_groups
from dlcc.core.trace.trace import AttentionTrace

_WORD_STARTS = ("▁", "Ġ")
_PIECE_START = "##"
_PIECE_END = "@@"


def by_word(trace: AttentionTrace) -> AttentionTrace:
    """The attention of words: summed over a key word's tokens, averaged over a query word's.

    Special tokens, such as the end of the sentence, are left out of the rows. What belongs to
    single tokens (scores, tensors, details by step) is left out too.
    """
    queries = token_groups(trace.query, trace.query_words, trace.special)
    keys = token_groups(trace.key, trace.key_words)
    weights = [[merge(head, queries, keys) for head in layer] for layer in trace.weights]
    return replace(
        trace,
        weights=np.array(weights, dtype=np.float32),
        query=joined(trace.query, queries),
        key=joined(trace.key, keys),
        query_words=(),
        key_words=(),
        scores=None,
        tensors={},
        details={},
    )


def token_groups(
    tokens: Sequence[str], words: Sequence[int] = (), special: Collection[str] = ()
) -> Groups:
    """Positions by word, less those of `special` tokens unless there are no others.

    Args:
        tokens: what stands at each position.
        words: the number of each position's word; without them each position stands alone.
        special: tokens to leave out.
    """
    groups = word_groups(words, len(tokens))
    return kept_groups(groups, [token not in special for token in tokens]) or groups


def joined(tokens: Sequence[str], groups: Groups) -> tuple[str, ...]:
    """The word that the tokens of each group make."""
    return tuple(join_pieces([tokens[place] for place in group]) for group in groups)


def join_pieces(pieces: Sequence[str]) -> str:
    """The word that subword pieces make, without the marks that tokenisers put on them."""
    if len(pieces) > 1 and pieces[0] in _WORD_STARTS:
        pieces = pieces[1:]  # a start that stands apart from its letters
    word = ""
    for number, piece in enumerate(pieces):
        for mark in _WORD_STARTS if number == 0 else (*_WORD_STARTS, _PIECE_START):
            if piece != mark:
                piece = piece.removeprefix(mark)
        word += piece.removesuffix(_PIECE_END) if number < len(pieces) - 1 else piece
    return word
