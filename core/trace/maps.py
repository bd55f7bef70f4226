"""Arithmetic on attention maps, in numpy alone: combine heads and layers, merge, hide, compare; and
subwords as the words that they make.

Shapes: L layers, H heads, Q query positions, K key positions. A map is float [Q, K].
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np

from dlcc.core.errors import UsageError
from dlcc.core.trace.trace import AttentionTrace

Groups = tuple[tuple[int, ...], ...]
"""Positions that belong together, group by group, each in rising order."""

_REDUCTIONS: dict[str, Callable[..., np.ndarray]] = {"mean": np.mean, "sum": np.sum, "max": np.max}
REDUCTIONS = tuple(_REDUCTIONS)


def reduce_heads(weights: np.ndarray, reduction: str) -> np.ndarray:
    """One map [Q, K] from the heads [H, Q, K] of a layer: their mean, sum or max."""
    return _REDUCTIONS[reduction](weights, axis=0)


def can_roll_out(shape: tuple[int, ...]) -> bool:
    """Whether rollout is defined: self-attention [L, H, Q, Q] through more than one layer."""
    return len(shape) == 4 and shape[0] > 1 and shape[2] == shape[3]


def rollout(weights: np.ndarray) -> np.ndarray:
    """What reaches each position through all layers (Abnar & Zuidema 2020, section 3).

    Half of each layer's mean head is the residual path, each row is renormalised, and the layers
    are multiplied from the first to the last.

    Args:
        weights: [L, H, Q, Q], self-attention.

    Returns:
        [Q, Q]; each row sums to 1.
    """
    if weights.ndim != 4 or weights.shape[2] != weights.shape[3]:
        raise UsageError(f"rollout needs self-attention, these weights are {weights.shape[2:]}")
    identity = np.eye(weights.shape[-1], dtype=np.float32)
    total = identity
    for layer in weights.mean(1):
        mixed = layer + identity
        total = (mixed / mixed.sum(-1, keepdims=True)) @ total
    return total


def relevance(weights: np.ndarray, slopes: np.ndarray) -> np.ndarray:
    """Attention weighted by what raises a score, through all layers (Chefer et al. 2021,
    "Generic attention-model explainability", eq. 5 and 6), less what each position is to itself.

    Args:
        weights: [L, H, Q, Q], self-attention.
        slopes: [L, H, Q, Q], the score's gradient with respect to the weights.

    Returns:
        [Q, Q], at least 0: how much each key counts for each query.
    """
    identity = np.eye(weights.shape[-1], dtype=np.float32)
    total = identity
    for layer in (weights * slopes).clip(min=0).mean(1):
        total = total + layer @ total
    return total - identity


def row_entropy(row: np.ndarray) -> float:
    """Entropy in bits of one row of weights [K], taken as shares of their sum; 0 for an empty row.

    0 bits looks at one key; log2(K) bits looks at all alike.
    """
    total = row.sum()
    if total <= 0:
        return 0.0
    shares = row[row > 0] / total
    return abs(float(-(shares * np.log2(shares)).sum()))


def rank_in_row(row: np.ndarray, key: int) -> int:
    """1 for the largest of the row [K]; equal values share the better rank."""
    return int((row > row[key]).sum()) + 1


def top_keys(row: np.ndarray, count: int) -> list[int]:
    """Positions of the `count` largest by magnitude, largest first, the earlier of equals first."""
    return [int(key) for key in np.argsort(-np.abs(row), kind="stable")[:count]]


def kept_groups(groups: Groups, keep: Sequence[bool]) -> Groups:
    """The groups less the positions that are not kept; a group without any is left out."""
    kept = (tuple(place for place in group if keep[place]) for group in groups)
    return tuple(group for group in kept if group)


def word_groups(words: Sequence[int], length: int) -> Groups:
    """Positions by word: neighbours with the same number. Without words each stands alone."""
    groups: list[list[int]] = []
    for place in range(length):
        if words and groups and words[place] == words[place - 1]:
            groups[-1].append(place)
        else:
            groups.append([place])
    return tuple(tuple(group) for group in groups)


def merge(values: np.ndarray, queries: Groups, keys: Groups) -> np.ndarray:
    """A map of groups: the weights of a group's keys added, its queries averaged.

    Args:
        values: [Q, K].
        queries: the groups that become rows; positions in none of them are dropped.
        keys: the groups that become columns.

    Returns:
        [len(queries), len(keys)].
    """
    columns = _gather(values.T, keys).T
    counts = np.array([[len(group)] for group in queries], dtype=values.dtype)
    return _gather(columns, queries) / counts


def renormalised(values: np.ndarray) -> np.ndarray:
    """Each row divided by its sum; a row without weight stays zero."""
    sums = values.sum(-1, keepdims=True)
    return np.divide(values, sums, out=np.zeros_like(values), where=sums > 0)


def difference(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """first - second, signed.

    Raises:
        UsageError: unequal shapes.
    """
    if first.shape != second.shape:
        raise UsageError(f"maps of {first.shape} and {second.shape} cannot be subtracted")
    return first - second


def rank_correlation(first: np.ndarray, second: np.ndarray) -> float:
    """Spearman's rank correlation of two vectors [K], equal values sharing their mean rank.

    NaN where one of them is constant: it ranks nothing.
    """
    a, b = _ranks(first), _ranks(second)
    a, b = a - a.mean(), b - b.mean()
    norm = float(np.sqrt((a * a).sum() * (b * b).sum()))
    return float((a * b).sum()) / norm if norm else float("nan")


def _gather(values: np.ndarray, groups: Groups) -> np.ndarray:
    """Sums of the rows of each group."""
    order = [place for group in groups for place in group]
    starts = np.cumsum([0] + [len(group) for group in groups[:-1]])
    taken = values[order]
    return taken if len(order) == len(groups) else np.add.reduceat(taken, starts, 0)


def _ranks(values: np.ndarray) -> np.ndarray:
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[places.ravel()]


_WORD_STARTS = ("▁", "Ġ")
_PIECE_START = "##"
_PIECE_END = "@@"
CONTINUED = "⁺"
"""A token that is a further part of a character that another one began."""


def has_pieces(trace: AttentionTrace) -> bool:
    """Whether it has words of more than one token, or tokens that bear the mark of a tokeniser."""
    words = (trace.query_words, trace.key_words)
    several = any(a == b for side in words for a, b in pairwise(side))
    return several or any(join_pieces([token]) != token for token in (*trace.query, *trace.key))


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


def mean_of_heads(trace: AttentionTrace, layer: int) -> AttentionTrace:
    """One layer, from 1, with its heads as their mean: a first picture that fits a screen."""
    heads = trace.weights[layer - 1].astype(np.float32)
    name = f"{trace.layer_names[layer - 1]}, mean of {trace.num_heads} heads"
    return replace(
        trace,
        weights=reduce_heads(heads, "mean")[None, None],
        layer_names=(name,),
        scores=None,
        tensors={},
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
    pieces = [piece for piece in pieces if piece != CONTINUED] or pieces
    if len(pieces) > 1 and pieces[0] in _WORD_STARTS:
        pieces = pieces[1:]  # a start that stands apart from its letters
    word = ""
    for number, piece in enumerate(pieces):
        for mark in _WORD_STARTS if number == 0 else (*_WORD_STARTS, _PIECE_START):
            if piece != mark:
                piece = piece.removeprefix(mark)
        word += piece.removesuffix(_PIECE_END) if number < len(pieces) - 1 else piece
    return word
