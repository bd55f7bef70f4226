"""What was seen of a model's attention, as traces and slopes.

Shapes: H heads, Q query positions, K key positions, D width of a head, L layers.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dlcc.core.capture.calls import SCORES_UP_TO, Call, plain, taken
from dlcc.core.capture.recorder import Recorder, pattern
from dlcc.core.errors import DataError, UsageError
from dlcc.core.trace.trace import AttentionTrace


class Seen:
    """What was seen. Filled while the context of `capture` is open."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder

    @property
    def notes(self) -> list[str]:
        """What a reader should know of how it was seen."""
        return self._recorder.notes

    def __len__(self) -> int:
        """How many attentions are held."""
        return len(self._recorder.calls)

    # What came of it

    def trace(
        self, query: Sequence[str] = (), key: Sequence[str] = (), **more: Any
    ) -> AttentionTrace:
        """What was seen, as the one trace that it makes; arguments as for `traces`.

        Raises:
            UsageError: it makes several.
            DataError: nothing was seen.
        """
        found = self.traces(query, key, **more)
        if len(found) > 1:
            names = "; ".join(trace.title for trace in found)
            raise UsageError(f"{len(found)} kinds of attention were seen ({names}): take traces()")
        return found[0]

    def traces(
        self, query: Sequence[str] = (), key: Sequence[str] = (), **more: Any
    ) -> list[AttentionTrace]:
        """What was seen: one trace for each stack of layers alike, such as the encoder's, the
        decoder's and the one in which the decoder looks at the encoder.

        Where a text was generated token by token, its rows are joined. Of several runs the last
        counts otherwise.

        Args:
            query: the tokens; positions are numbered where none are given. A stack is named by
                those of its sides that have as many positions.
            key: the tokens that are looked at, where these are others.
            more: fields of `AttentionTrace`, such as `title` and `special`.

        Raises:
            DataError: nothing was seen, or tokens that are not as many as the positions.
        """
        if not self._recorder.calls:
            raise DataError(
                "no attention was seen: call the model inside the context, with layers that run "
                'as PyTorch code; in transformers load it with attn_implementation="sdpa"'
            )
        return [self._trace(stack, query, key, more) for stack in self._stacks()]

    def slopes(self, score: Tensor) -> list[np.ndarray]:
        """How much each weight raises `score`: its gradient [L, H, Q, K], one for each of `traces`.

        Args:
            score: one number that the model computed while it was watched with `gradients`.

        Raises:
            UsageError: it was watched without.
        """
        stacks = self._stacks()
        calls = [call for stack in stacks for call in stack]
        outputs = [call.output for call in calls if call.output is not None]
        if not outputs or len(outputs) < len(calls):
            raise UsageError("slopes need capture(model, gradients=True), and one run of the model")
        found = iter(torch.autograd.grad(score, outputs, retain_graph=True, allow_unused=True))
        return [np.stack([self._slope(call, next(found)) for call in stack]) for stack in stacks]

    def _slope(self, call: Call, gradient: Tensor | None) -> np.ndarray:
        """output = weights @ values, so its gradient times the values is that of the weights."""
        if gradient is None:  # the score does not depend on it
            return np.zeros(call.weights.shape, np.float32)
        assert call.values is not None
        with plain(call.values.device):
            mine = taken(gradient, call.batch, call.shape[0], self._recorder.asked.example)
            rows = mine.float() @ call.values.float().mT  # [H, Q, K]
        return rows.cpu().numpy()[np.ix_(call.heads, call.queries)]

    def _stacks(self) -> list[list[Call]]:
        """Calls by what they are alike in, those of a generated text joined."""
        stacks: dict[tuple[Any, ...], list[Call]] = {}
        for call in self._recorder.calls:
            stacks.setdefault((pattern(call.module), call.crosses), []).append(call)
        found = []
        for calls in stacks.values():
            runs = [list(group) for _, group in groupby(calls, lambda call: call.run)]
            joined = _joined(runs)
            if joined is None and len(runs) > 1:
                self._recorder.say(f"{len(runs)} runs were seen: the last one is shown")
            alike: dict[tuple[Any, ...], list[Call]] = {}
            for call in joined or runs[-1]:
                sizes = tuple(each.shape[1:] for each in call.vectors.values())
                alike.setdefault((call.weights.shape, sizes), []).append(call)
            found += list(alike.values())
        return found

    def _trace(
        self,
        calls: list[Call],
        query: Sequence[str],
        key: Sequence[str],
        more: Mapping[str, Any],
    ) -> AttentionTrace:
        first = calls[0]
        rows, columns = len(first.queries), first.weights.shape[-1]
        sides = [tuple(query), tuple(key) or tuple(query)]
        if first.crosses is False and key and len(query) != first.shape[1]:
            sides = [tuple(key), tuple(key)]  # the encoder, where both sides were given
        asking = _tokens(
            sides[0], first.shape[1], self._recorder.asked.queries and first.queries, rows
        )
        asked = _tokens(sides[0] if not first.crosses else sides[1], columns, None, columns)
        scales = {call.scale for call in calls}
        vectors = [call.vectors for call in calls]
        tensors = {name: _gathered(vectors, name) for name in first.vectors}
        if len(scales) > 1 and "query" in tensors:  # each layer its own: in the queries then
            tensors["query"] = np.stack([c.vectors["query"] * c.scale for c in calls])
        weights = _gathered([vars(call) for call in calls], "weights")
        details: dict[str, Any] = {
            "attention": _kind(first, weights),
            "modules": [call.module for call in calls],
        }
        if self._recorder.asked.heads is not None:
            details["heads"] = [head + 1 for head in first.heads]
        if weights.dtype == np.float16:
            details["precision"] = "float16"
        chosen: dict[str, Any] = {
            "kind": "look",
            "title": f"{type(self._recorder.model).__name__} {_name(first)}",
            "layer_names": tuple(f"layer {call.layer + 1}" for call in calls),
            "scores": _scores(calls) if weights.size <= SCORES_UP_TO else None,
            "tensors": tensors,
            "scale": 1.0 if len(scales) > 1 else first.scale,
        }
        chosen |= more
        chosen["details"] = details | chosen.get("details", {})
        return AttentionTrace(weights, asking, asked, **chosen)


def _gathered(holders: Sequence[dict[str, Any]], name: str) -> np.ndarray:
    """The array of that name of all layers as one, of which they hold parts from then on: nothing
    is there twice."""
    first = holders[0][name]
    whole = np.empty((len(holders), *first.shape), first.dtype)
    for number, holder in enumerate(holders):
        whole[number] = holder[name]
        holder[name] = whole[number]
    return whole


def _name(call: Call) -> str:
    """Which stack it is, in words."""
    part = next((p for p in call.module.split(".") if "encoder" in p or "decoder" in p), "")
    kind = "cross-attention" if call.crosses else "self-attention"
    return f"{part.replace('_', ' ')} {kind}".strip()


def _kind(call: Call, weights: np.ndarray) -> str:
    if call.crosses:
        return "cross-attention"
    rows, columns = weights.shape[2:]
    later = np.triu(np.ones((rows, columns), bool), columns - rows + 1)
    causal = columns > 1 and rows > 1 and not weights[:, :, later].any()
    return "causal self-attention" if causal else "self-attention"


def _tokens(
    given: tuple[str, ...], length: int, places: Sequence[int] | None, count: int
) -> tuple[str, ...]:
    """`count` tokens: as given, those chosen of as many as there are positions, or numbers."""
    if not given:
        return tuple(str(n + 1) for n in (places or range(count)))
    if places and len(given) == length:
        return tuple(given[n] for n in places)
    return given


def _scores(calls: list[Call]) -> np.ndarray | None:
    """[L, H, Q, K] before the softmax, where they are known of all."""
    rows = []
    for call in calls:
        if call.scores is not None:
            rows.append(call.scores)
        elif "query" in call.vectors and "key" in call.vectors:
            q, k = (call.vectors[name].astype(np.float32) for name in ("query", "key"))
            scores = (q @ k.swapaxes(-1, -2)) * np.float32(call.scale)
            rows.append(scores if call.added is None else scores + call.added)
        else:
            return None
    return np.stack(rows).astype(np.float32)


def _joined(runs: list[list[Call]]) -> list[Call] | None:
    """The calls of a text that was generated token by token as one run; None of anything else."""
    first, last = runs[0], runs[-1]
    if len(runs) < 2 or any([c.module for c in run] != [c.module for c in first] for run in runs):
        return None
    total = sum(run[0].shape[1] for run in runs)
    steps = all(run[0].shape[1] == 1 for run in runs[1:])
    fits = last[0].shape[2] == (first[0].shape[2] if first[0].crosses else total)
    if not steps or not fits:
        return None
    return [_one([run[place] for run in runs]) for place in range(len(first))]


def _one(calls: list[Call]) -> Call:
    """One call with the rows of all, each with nothing on the keys that came later."""
    last = calls[-1]
    H, K = last.shape[0], last.shape[2]

    def wide(rows: np.ndarray, fill: float) -> np.ndarray:
        gap = K - rows.shape[-1]
        return np.pad(rows, [(0, 0), (0, 0), (0, gap)], constant_values=fill)

    weights = np.concatenate([wide(call.weights, 0.0) for call in calls], 1)
    vectors = dict(last.vectors)
    if "query" in vectors:
        vectors["query"] = np.concatenate([call.vectors["query"] for call in calls], 1)
    each = [_scores([call]) for call in calls]
    scores = None
    if weights.size <= SCORES_UP_TO and all(rows is not None for rows in each):
        scores = np.concatenate([wide(rows[0], -np.inf) for rows in each if rows is not None], 1)
    count = weights.shape[1]
    return replace(
        last,
        shape=(H, count, K),
        queries=tuple(range(count)),
        weights=weights,
        vectors=vectors,
        added=None,
        scores=scores,
        output=None,
    )
