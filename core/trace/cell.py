"""How one cell of an attention map came about, from a trace alone.

Shapes: K keys, Dv width of the values.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from dlcc.core.trace.maps import rank_in_row
from dlcc.core.trace.trace import AttentionTrace

_ROUNDING = 2e-3  # of float16, in which large traces are kept


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
    bias: float | None
    """What is added to the scaled product, such as a distance's; None where nothing is."""
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
    added: np.ndarray | None = None
    """[Dv] weight × value: what this key adds to the query's output."""
    added_norm: float | None = None
    output_norm: float | None = None
    share: float | None = None
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
    row_weights = trace.map(layer, head)[query_index]
    vectors = _vectors(trace, layer, head, query_index)
    terms = None if vectors is None else _terms(*vectors, key_index)
    row_scores = None if vectors is None else _row_scores(*vectors, trace.scale)
    if trace.scores is not None:
        row_scores = trace.scores[layer, head, query_index]
    score = None if row_scores is None else float(row_scores[key_index])
    values = trace.tensors.get("value")
    product = None if terms is None else sum(term.amount for term in terms)
    return CellExplanation(
        query=trace.query[query_index],
        key=trace.key[key_index],
        mechanism=trace.mechanism,
        terms=terms,
        product=product,
        scale=None if terms is None else trace.scale,
        bias=_bias(product, trace.scale, score),
        score=score,
        masked=None if trace.scores is None else score == -np.inf,
        weight=float(row_weights[key_index]),
        rank=rank_in_row(row_weights, key_index),
        row_scores=row_scores,
        row_weights=row_weights,
        **({} if values is None else _added(values[layer, head], row_weights, key_index)),
    )


def _bias(product: float | None, scale: float, score: float | None) -> float | None:
    """What leads from the scaled product to the score, beyond rounding."""
    if product is None or score is None or score == -np.inf:
        return None
    rest = score - product * scale
    return rest if abs(rest) > _ROUNDING * max(1.0, abs(score), abs(product * scale)) else None


def _vectors(
    trace: AttentionTrace, layer: int, head: int, query_index: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None] | None:
    """Query [D], keys [K, D] and, of additive attention, w [D], where they fit together."""
    names = ("query", "key", "score") if trace.mechanism == "additive" else ("query", "key")
    if any(name not in trace.tensors for name in names):
        return None
    queries, keys, *w = (trace.tensors[name][layer, head].astype(np.float64) for name in names)
    if len({array.shape[-1] for array in (queries, keys, *w)}) > 1:
        return None
    return queries[query_index], keys, w[0] if w else None


def _terms(
    query: np.ndarray, keys: np.ndarray, w: np.ndarray | None, key_index: int
) -> tuple[Term, ...]:
    key = keys[key_index]
    amounts = query * key if w is None else w * np.tanh(query + key)
    return tuple(
        Term(int(d), float(query[d]), float(key[d]), float(amounts[d]))
        for d in np.argsort(-np.abs(amounts), kind="stable")
    )


def _row_scores(
    query: np.ndarray, keys: np.ndarray, w: np.ndarray | None, scale: float
) -> np.ndarray:
    row = keys @ query if w is None else np.tanh(query + keys) @ w
    return (row * scale).astype(np.float32)


def _added(values: np.ndarray, row_weights: np.ndarray, key_index: int) -> dict[str, Any]:
    values = values.astype(np.float64)
    output = row_weights @ values
    added = row_weights[key_index] * values[key_index]
    length = float(np.linalg.norm(output))
    return {
        "added": added,
        "added_norm": float(np.linalg.norm(added)),
        "output_norm": length,
        "share": float(added @ output) / length**2 if length else None,
    }
