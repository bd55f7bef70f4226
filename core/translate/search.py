"""Choosing the target sentence: greedy and beam search.

Shapes: B sources in a batch, N hypotheses a source, S source length, T steps of a hypothesis (one a
token, and one for the end), D width of a state, V vocabulary, A alternatives.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import torch
from torch import Tensor

from dlcc.core.nn.batches import BOS, EOS, PAD
from dlcc.core.translate.model import Decoded, Memory, Model

_ALTERNATIVES = 8
_MISSING = 5.0  # nats that an end costs while a word to copy is missing
Length = TypeVar("Length", int, Tensor)
Marks = Sequence[Sequence[int]]


@dataclass(frozen=True)
class Steps:
    """What the decoder looked at and weighed as it wrote one hypothesis."""

    compared: Tensor
    """What there was to look at: see `Memory.compared`."""
    query: Tensor
    """What each step asked: [T, D], or of a Transformer [T, L, H, D/H]."""
    weights: Tensor | None
    """What it looked at: [T, S], or of a Transformer [T, L, H, S]; None without attention."""
    probabilities: Tensor
    """[T, A] of its most probable tokens, best first."""
    tokens: Tensor
    """[T, A]: these tokens."""


@dataclass(frozen=True)
class Hypothesis:
    """One translation of one source."""

    tokens: tuple[int, ...]
    """Target tokens, without the start and the end."""
    score: float
    """Sum of the log probabilities of the tokens and of the end, by the length penalty."""
    finished: bool
    """False when the longest length cut it off."""
    steps: Steps | None = field(default=None, compare=False, repr=False)
    """How it was written, where that was to be kept."""


def longest_target(source_length: Length) -> Length:
    """How many tokens a translation of `source_length` tokens may have."""
    return 2 * source_length + 10


@torch.no_grad()
def greedy_search(
    model: Model,
    source: Tensor,
    prefix: Tensor | None = None,
    keep_steps: bool = False,
    marks: Marks = (),
) -> list[Hypothesis]:
    """Take the most probable token at each step.

    Args:
        model: in eval mode.
        source: tokens [B, S], padded on the right.
        prefix: target tokens [B, P] that every translation begins with.
        keep_steps: whether the hypotheses say how they were written.
        marks: placeholders, see `_Copies`.

    Returns:
        One hypothesis a source.
    """
    memory, state = model.encode(source), None
    record = _Record(memory, keep_steps)
    size, limits = len(source), longest_target(memory.mask.sum(1))
    token = torch.full((size, 1), BOS, device=source.device)
    if prefix is not None and prefix.shape[1]:
        token = torch.cat([token, prefix], 1)
    emitted, copies = [token[:, 1:]], _Copies(source, marks)
    score = torch.zeros(size, device=source.device)
    ended, over = (torch.zeros(size, dtype=torch.bool, device=source.device) for _ in range(2))
    for length in itertools.count(1):
        decoded = model.decode(memory, token, state, need_weights=keep_steps)
        record.add(decoded)
        state = decoded.state
        logits = copies.only(decoded.logits[:, -1], emitted)
        best, token = _log_probabilities(logits).max(-1, keepdim=True)
        score += best.squeeze(1).masked_fill(over, 0.0)
        token = token.masked_fill(over.unsqueeze(1), PAD)
        emitted.append(token)
        ended |= token.squeeze(1) == EOS
        over = ended | (limits <= length)
        if over.all():
            break
    texts = [_until_end(row) for row in torch.cat(emitted, 1).tolist()]
    found = zip(texts, score.tolist(), ended.tolist(), strict=True)
    return [
        Hypothesis(tokens, value, finished, record.steps(row, len(tokens) + finished))
        for row, (tokens, value, finished) in enumerate(found)
    ]


@torch.no_grad()
def beam_search(
    model: Model,
    source: Tensor,
    beam: int,
    length_penalty: float,
    keep_steps: bool = False,
    marks: Marks = (),
) -> list[list[Hypothesis]]:
    """Keep the `beam` most probable beginnings at each step (Sutskever et al. 2014, 3.2).

    Args:
        model: in eval mode.
        source: tokens [B, S], padded on the right.
        beam: hypotheses kept, N.
        length_penalty: the exponent of Wu et al. 2016, eq. 14; 0 prefers short translations.
        keep_steps: whether the best ones say how they were written.
        marks: placeholders, see `_Copies`.

    Returns:
        For each source its up to N best finished hypotheses, best first.
    """
    device, live = source.device, list(range(len(source)))  # live: sources still searched
    memory = model.encode(source)
    limits = longest_target(memory.mask.sum(1)).tolist()
    state, memory = model.start(memory).repeat_interleave(beam, 1), memory.repeat(beam)
    record, copies = _Record(memory, keep_steps), _Copies(source.repeat_interleave(beam, 0), marks)
    tokens = torch.full((len(live) * beam, 1), BOS, device=device)
    # All N beginnings are the same at first: only the first one may grow.
    scores = torch.full((len(live), beam), -torch.inf, device=device)
    scores[:, 0] = 0.0
    found: list[list[Hypothesis]] = [[] for _ in live]

    def keep(place: int, row: int, score: Tensor, finished: bool) -> None:
        """Move what stands in a row, with its log probability, to its source's hypotheses."""
        emitted = tuple(tokens[row, 1:].tolist())
        value = score.item() / _penalty(len(emitted) + finished, length_penalty)
        found[live[place]].append(Hypothesis(emitted, value, finished, record.steps(row)))

    length = 0
    while live:
        length += 1
        decoded = model.decode(memory, tokens[:, -1:], state, need_weights=keep_steps)
        record.add(decoded)
        logits = copies.only(decoded.logits[:, -1], [tokens])
        steps = _log_probabilities(logits).view(len(live), beam, -1)
        totals = (scores.unsqueeze(-1) + steps).flatten(1)  # [B, N·V]
        # 2 N candidates: even if N of them end here, N go on.
        values, places = totals.topk(min(2 * beam, totals.shape[1]), dim=1)
        first = torch.arange(len(live), device=device).unsqueeze(1) * beam
        origin, token = first + places // steps.shape[-1], places % steps.shape[-1]
        ends = token == EOS
        # Those among the N best of their source that end are finished.
        for n, rank in (ends[:, :beam] & values[:, :beam].isfinite()).nonzero().tolist():
            keep(n, int(origin[n, rank]), values[n, rank], True)
        values = values.masked_fill(ends, -torch.inf)
        scores, chosen = values.topk(beam, dim=1)  # [B, N]
        parents = origin.gather(1, chosen).flatten()
        tokens = torch.cat([tokens[parents], token.gather(1, chosen).view(-1, 1)], 1)
        state = decoded.state[:, parents]
        record.follow(parents)
        best, going_on = scores[:, 0].tolist(), []
        for n, source_number in enumerate(live):
            limit, hypotheses = limits[source_number], found[source_number]
            # No end is better than the best beginning without further loss, at the longest length.
            bound = best[n] / _penalty(limit, length_penalty)
            if length < limit and (len(hypotheses) < beam or _worst(hypotheses, beam) < bound):
                going_on.append(n)
            elif not hypotheses:
                keep(n, n * beam, scores[n, 0], False)
        if len(going_on) < len(live):
            kept = (first[going_on] + torch.arange(beam, device=device)).flatten()
            live = [live[n] for n in going_on]
            scores, tokens, state = scores[going_on], tokens[kept], state[:, kept]
            memory = memory.select(kept)
            record.follow(kept, memory)
            copies.select(kept)
    return [_ranked(hypotheses, beam) for hypotheses in found]


class _Copies:
    """Which placeholders may be written: those of the source, each once, and all before the end.

    Args:
        source: tokens [R, S] of each row to write.
        marks: the tokens of each placeholder.
    """

    def __init__(self, source: Tensor, marks: Marks) -> None:
        self._marks = torch.tensor(marks, dtype=torch.long, device=source.device)  # [K, 2]
        self._asked = self._in(source) if marks else source[:, :0]

    def only(self, logits: Tensor, tokens: Sequence[Tensor]) -> Tensor:
        """`logits` [R, V] of what may follow `tokens`, parts of [R, T]."""
        if not self._asked.any():
            return self._without(logits, ~self._asked)
        left = self._asked & ~self._in(torch.cat([*tokens], 1))
        logits = self._without(logits, ~left)
        logits[left.any(1), EOS] -= _MISSING
        return logits

    def select(self, rows: Tensor) -> None:
        """Go on with these rows."""
        self._asked = self._asked[rows]

    def _in(self, tokens: Tensor) -> Tensor:
        """[R, K]: whether `tokens` [R, T] have a placeholder."""
        return (tokens[..., None, None] == self._marks).any(-1).any(1)

    def _without(self, logits: Tensor, forbidden: Tensor) -> Tensor:
        if self._marks.numel():
            logits = logits.clone()
            hidden = forbidden.unsqueeze(-1).expand(-1, -1, self._marks.shape[1])
            logits[:, self._marks] = logits[:, self._marks].masked_fill(hidden, -torch.inf)
        return logits


class _Record:
    """What the decoder did so far in every row of its batch.

    Args:
        memory: of the batch.
        kept: False records nothing.
    """

    def __init__(self, memory: Memory, kept: bool) -> None:
        self._memory, self._kept = memory, kept
        self._parts: list[Tensor] = []  # [rows, T, ...]: query, weights, probabilities, tokens

    def add(self, decoded: Decoded) -> None:
        """Keep one call of the decoder: one step, or several that were given."""
        if not self._kept:
            return
        weights = decoded.query[..., :0] if decoded.weights is None else decoded.weights
        shares = decoded.logits.float().softmax(-1)
        new = [decoded.query, weights, *shares.topk(min(_ALTERNATIVES, shares.shape[-1]))]
        before = self._parts or [part[:, :0] for part in new]
        self._parts = [torch.cat(pair, 1) for pair in zip(before, new, strict=True)]

    def follow(self, parents: Tensor, memory: Memory | None = None) -> None:
        """Let each row go on from another one, of a batch with another memory if it is given."""
        self._memory = memory or self._memory
        self._parts = [part[parents] for part in self._parts]

    def steps(self, row: int, count: int | None = None) -> Steps | None:
        """The steps of a row so far, or the first `count` of them."""
        if not self._kept:
            return None
        length = int(self._memory.mask[row].sum())
        parts = [self._memory.compared(row), *(part[row, :count] for part in self._parts)]
        compared, query, weights, probabilities, tokens = (part.clone() for part in parts)
        looked = weights[..., :length] if weights.shape[-1] else None
        return Steps(compared, query, looked, probabilities, tokens)


def _log_probabilities(logits: Tensor) -> Tensor:
    """[..., V], in which padding and the start can not be chosen."""
    logits = logits.float()
    logits[..., [PAD, BOS]] = -torch.inf
    return logits.log_softmax(-1)


def _penalty(length: int, exponent: float) -> float:
    return ((5 + length) / 6) ** exponent


def _ranked(hypotheses: list[Hypothesis], count: int) -> list[Hypothesis]:
    return sorted(hypotheses, key=lambda hypothesis: -hypothesis.score)[:count]


def _worst(hypotheses: list[Hypothesis], count: int) -> float:
    return _ranked(hypotheses, count)[-1].score


def _until_end(tokens: list[int]) -> tuple[int, ...]:
    end = next((n for n, token in enumerate(tokens) if token in (EOS, PAD)), None)
    return tuple(tokens[:end])
