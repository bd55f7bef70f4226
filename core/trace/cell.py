"""How one cell of an attention map came about, from a trace alone.

Shapes: K keys, Dv width of the values.
"""

from dataclasses import dataclass

import numpy as np

from dlcc.core.trace.maps import rank_in_row
from dlcc.core.trace.trace import AttentionTrace


@dataclass(frozen=True)
class Term:
    """What one dimension adds to a score before it is scaled."""

    dimension: int
    query: float
    key: float
    amount: float
    """query × key; in additive attention w × tanh(query + key)."""


@dataclass(frozen=True)
class CellExplanation:
    """One query, one key, and each step between them. What the trace does not hold is None."""

    query: str
    key: str
    mechanism: str
    """dot-product or additive."""
    terms: tuple[Term, ...] | None
    """All dimensions, the largest amount (of either sign) first."""
    product: float | None
    """The sum of the terms: the raw dot product, or the additive score."""
    scale: float | None
    """What the product is multiplied by to give the score."""
    score: float | None
    """Before the softmax; -inf where masked."""
    masked: bool | None
    """Whether this query may not attend to this key."""
    weight: float
    rank: int
    """The weight's place in its row: 1 is the largest."""
    row_scores: np.ndarray | None
    """[K] the query's scores for all keys."""
    row_weights: np.ndarray
    """[K] the query's weights on all keys."""
    added: np.ndarray | None
    """[Dv] weight × value: what this key adds to the query's output."""
    added_norm: float | None
    output_norm: float | None
    share: float | None
    """The part of the output that this key adds: the length of `added` along the output over the
    output's length. A row's shares sum to 1; one is negative where the key pulls the other way."""


def explain_cell(
    trace: AttentionTrace, layer: int, head: int, query_index: int, key_index: int
) -> CellExplanation:
    """Take one cell apart.

    Args:
        trace: any trace; the more of its scores and tensors it holds, the fuller the answer.
        layer, head, query_index, key_index: the cell, counted from 0.

    Raises:
        IndexError: the trace has no such cell.
    """
    row_weights = trace.weights[layer, head, query_index]
    weight = float(row_weights[key_index])
    terms = _terms(trace, layer, head, query_index, key_index)
    row_scores = _row_scores(trace, layer, head, query_index)
    score = None if row_scores is None else float(row_scores[key_index])
    added, added_norm, output_norm, share = _added(trace, layer, head, row_weights, key_index)
    return CellExplanation(
        query=trace.query[query_index],
        key=trace.key[key_index],
        mechanism=trace.mechanism,
        terms=terms,
        product=None if terms is None else sum(term.amount for term in terms),
        scale=None if terms is None else trace.scale,
        score=score,
        masked=None if trace.scores is None else score == -np.inf,
        weight=weight,
        rank=rank_in_row(row_weights, key_index),
        row_scores=row_scores,
        row_weights=row_weights,
        added=added,
        added_norm=added_norm,
        output_norm=output_norm,
        share=share,
    )


def _vectors(trace: AttentionTrace, layer: int, head: int) -> tuple[np.ndarray, ...] | None:
    """Queries [Q, D], keys [K, D] and, for additive attention, w [D], where they fit together."""
    names = ("query", "key", "score") if trace.mechanism == "additive" else ("query", "key")
    if any(name not in trace.tensors for name in names):
        return None
    found = tuple(trace.tensors[name][layer, head].astype(np.float64) for name in names)
    return found if len({array.shape[-1] for array in found}) == 1 else None


def _terms(
    trace: AttentionTrace, layer: int, head: int, query_index: int, key_index: int
) -> tuple[Term, ...] | None:
    vectors = _vectors(trace, layer, head)
    if vectors is None:
        return None
    query, key = vectors[0][query_index], vectors[1][key_index]
    amounts = vectors[2] * np.tanh(query + key) if len(vectors) == 3 else query * key
    return tuple(
        Term(int(d), float(query[d]), float(key[d]), float(amounts[d]))
        for d in np.argsort(-np.abs(amounts), kind="stable")
    )


def _row_scores(
    trace: AttentionTrace, layer: int, head: int, query_index: int
) -> np.ndarray | None:
    if trace.scores is not None:
        return trace.scores[layer, head, query_index]
    vectors = _vectors(trace, layer, head)
    if vectors is None:
        return None
    query, keys = vectors[0][query_index], vectors[1]
    row = np.tanh(query + keys) @ vectors[2] if len(vectors) == 3 else keys @ query
    return (row * trace.scale).astype(np.float32)


def _added(
    trace: AttentionTrace, layer: int, head: int, row_weights: np.ndarray, key_index: int
) -> tuple[np.ndarray | None, float | None, float | None, float | None]:
    if "value" not in trace.tensors:
        return None, None, None, None
    values = trace.tensors["value"][layer, head].astype(np.float64)
    output = row_weights @ values
    added = row_weights[key_index] * values[key_index]
    length = float(np.linalg.norm(output))
    share = float(added @ output) / length**2 if length else None
    return added, float(np.linalg.norm(added)), length, share
