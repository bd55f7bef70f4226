"""What each head does, in numbers: how widely it looks and where. For finding one among many.

Shapes: L layers, H heads, Q query positions, K key positions.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from dlcc.core.errors import UsageError
from dlcc.core.trace.maps import joined, word_groups
from dlcc.core.trace.trace import AttentionTrace

MEASURES = {
    "entropy": "how widely it looks: mean entropy of its rows, in bits",
    "diagonal": "weight of each token on itself",
    "previous": "weight of each token on the one before it",
    "next": "weight of each token on the one after it",
    "special": "weight on special tokens, such as [SEP]",
    "pair": "weight on the pair that was named",
}
"""What is measured. All but the entropy are means, over the queries that look at anything, of the
share of their weight."""
_OFFSETS = {"diagonal": 0, "previous": -1, "next": 1}

Pair = tuple[list[tuple[int, ...]], list[tuple[int, ...]]]
"""The words of the queries and of the keys that a pair names: the positions of each word's tokens.
"""


@dataclass(frozen=True)
class Head:
    """One head, or the same head over several texts."""

    trace: int
    """Which trace of its file, or which of those that its source makes of one text, from 0."""
    layer: int
    head: int
    name: str
    """What the trace is called, and its layer where that has a name of its own."""
    values: dict[str, float]
    """By `MEASURES`; NaN where there is nothing to measure."""

    @property
    def place(self) -> str:
        """As the viewer names it: trace, layer and head from 1."""
        return f"{self.trace + 1}.{self.layer + 1}.{self.head + 1}"


def measured(trace: AttentionTrace, pair: Pair | None = None) -> dict[str, np.ndarray]:
    """Each head's measures, [L, H] float32, by name; NaN where there is nothing to measure.

    Weights on the diagonal and beside it are told of self-attention alone, those on special tokens
    where there are any; `pair` where one is given.

    Raises:
        UsageError: differences of maps, which are no weights.
    """
    if trace.kind == "combined":
        raise UsageError("differences and sums of maps are no weights: measure the maps themselves")
    rows = [_of_layer(trace, layer.astype(np.float32), pair) for layer in trace.weights]
    return {name: np.stack([row[name] for row in rows]) for name in rows[0]}


def _of_layer(
    trace: AttentionTrace, weights: np.ndarray, pair: Pair | None
) -> dict[str, np.ndarray]:
    """The measures [H] of a layer's weights [H, Q, K]."""
    sums = weights.sum(-1)
    asks = sums > 0

    def mean(rows: np.ndarray, of: np.ndarray = asks) -> np.ndarray:
        """Over the rows [H, Q] that look at anything, of those in `of`."""
        counts, none = (asks & of).sum(-1), np.full(len(rows), np.nan, np.float32)
        return np.divide((rows * (asks & of)).sum(-1), counts, out=none, where=counts > 0)

    shares = weights / np.where(asks, sums, 1)[..., None]
    logs = np.log2(shares, out=np.zeros_like(shares), where=shares > 0)
    found = {"entropy": mean(-(shares * logs).sum(-1))}
    nothing = np.full(len(weights), np.nan, np.float32)
    for name, offset in _OFFSETS.items():
        found[name] = nothing
        if trace.query == trace.key:
            queries = np.arange(len(trace.query))
            keys = queries + offset
            there = (keys >= 0) & (keys < len(queries))
            found[name] = mean(shares[:, queries, np.where(there, keys, 0)], there)
    special = np.isin(trace.key, trace.special)
    found["special"] = mean(shares[..., special].sum(-1)) if special.any() else nothing
    if pair is not None:
        asking, asked = (sorted({place for word in side for place in word}) for side in pair)
        chosen = np.isin(np.arange(len(trace.query)), asking)
        found["pair"] = mean(shares[..., asked].sum(-1), chosen)
    return found


def find_pair(text: str, trace: AttentionTrace) -> Pair | None:
    """The words that `she:her` names, or `7:8` by position from 1; None where there are none.

    Words may hold a colon themselves: the first way to cut that names words on both sides counts.
    """
    for place in (n for n, character in enumerate(text) if character == ":"):
        asking = _words(text[:place], trace.query, trace.query_words)
        asked = _words(text[place + 1 :], trace.key, trace.key_words)
        if asking and asked:
            return asking, asked
    return None


def _words(word: str, tokens: tuple[str, ...], words: Sequence[int]) -> list[tuple[int, ...]]:
    groups = word_groups(words, len(tokens))
    names = joined(tokens, groups)
    found = [group for group, name in zip(groups, names, strict=True) if name == word]
    found = found or [
        g for g, name in zip(groups, names, strict=True) if name.lower() == word.lower()
    ]
    if not found and word.isdecimal() and 1 <= int(word) <= len(groups):
        found = [groups[int(word) - 1]]
    return found


@dataclass
class Mean:
    """The heads of traces of many texts, each the mean of what its texts give: `add` each text's
    traces. Where a measure has nothing to measure in a text, the text does not count for it."""

    pair: str | None = None
    """As of `find_pair`."""
    texts: int = 0
    _sums: dict[Any, dict[str, np.ndarray]] = field(default_factory=dict)
    _counts: dict[Any, dict[str, np.ndarray]] = field(default_factory=dict)
    _firsts: dict[Any, AttentionTrace] = field(default_factory=dict)

    def add(self, traces: Iterable[AttentionTrace]) -> None:
        """Count what a source made of one text.

        Raises:
            UsageError: as of `measured`.
        """
        for trace in traces:
            key = _same(trace)
            found = None if self.pair is None else find_pair(self.pair, trace)
            values = measured(trace, found)
            self._firsts.setdefault(key, trace)
            sums, counts = self._sums.setdefault(key, {}), self._counts.setdefault(key, {})
            for name, value in values.items():
                sums[name] = sums.get(name, 0.0) + np.nan_to_num(value)
                counts[name] = counts.get(name, 0) + ~np.isnan(value)
        self.texts += 1

    def heads(self) -> list[Head]:
        """Every head of each kind of trace that was added.

        Raises:
            UsageError: the pair is in none of them.
        """
        found = []
        for number, (key, trace) in enumerate(self._firsts.items()):
            counts = self._counts[key]
            means = {
                name: np.divide(sums, counts[name], out=sums * np.nan, where=counts[name] > 0)
                for name, sums in self._sums[key].items()
            }
            found += _heads(number, trace, means, str(_mechanism(trace) or ""))
        if self.pair is not None and all("pair" not in head.values for head in found):
            raise UsageError("no text has these words: give QUERY:KEY", "pair", self.pair)
        return found


def heads_of(traces: Sequence[AttentionTrace], pair: str | None = None) -> list[Head]:
    """Every head of every trace.

    Args:
        pair: as of `find_pair`.

    Raises:
        UsageError: no trace has that pair, or as of `measured`.
    """
    pairs = [None if pair is None else find_pair(pair, trace) for trace in traces]
    if pair is not None and not any(pairs):
        seen = " ".join(joined(traces[0].key, word_groups(traces[0].key_words, len(traces[0].key))))
        raise UsageError(f"give QUERY:KEY of its words: {seen[:200]}", "pair", pair)
    return [
        head
        for number, (trace, found) in enumerate(zip(traces, pairs, strict=True))
        for head in _heads(number, trace, measured(trace, found), trace.title * (len(traces) > 1))
    ]


def ranked(heads: Iterable[Head], measure: str) -> list[Head]:
    """Heads by one measure: the sharpest first by entropy, the largest first by a share; those
    without it last."""
    return sorted(heads, key=lambda head: rank(measure, head.values.get(measure, np.nan)))


def rank(measure: str, value: float) -> tuple[bool, float]:
    """What heads are sorted by: small entropies and large shares or changes come first."""
    missing = bool(np.isnan(value))
    return missing, 0.0 if missing else value if measure == "entropy" else -abs(value)


def _heads(
    number: int, trace: AttentionTrace, values: dict[str, np.ndarray], title: str
) -> list[Head]:
    usual = [trace.title, *(f"layer {layer}" for layer in range(1, trace.num_layers + 1))]
    names = ["" if name in usual else name for name in trace.layer_names]
    return [
        Head(
            number,
            layer,
            head,
            ", ".join(filter(None, (title, names[layer]))),
            {name: float(each[layer, head]) for name, each in values.items()},
        )
        for layer in range(trace.num_layers)
        for head in range(trace.num_heads)
    ]


def _same(trace: AttentionTrace) -> Any:
    """Equal of traces of the same heads on different texts."""
    return trace.kind, trace.layer_names, trace.num_heads, _mechanism(trace)


def _mechanism(trace: AttentionTrace) -> Any:
    options = trace.made_by.get("options")
    return options.get("mechanism") if isinstance(options, dict) else None
