"""Choosing the target sentence: greedy and beam search.

Shapes: B sources in a batch, N hypotheses a source, S source length, T steps of a hypothesis (one a
token, and one for the end), D width of a state, V vocabulary, A alternatives.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np

from dlcc.core.nn.batches import BOS, EOS, PAD
from dlcc.core.runner import Runner, array_of

_MISSING = 10.0  # nats that an end costs while a word to copy is missing
Length = TypeVar("Length", int, np.ndarray)
Marks = Sequence[Sequence[int]]


@dataclass(frozen=True)
class Steps:
    """What the decoder looked at and weighed as it wrote one hypothesis."""

    compared: Mapping[str, np.ndarray]
    """What there was to look at: the memory, as `graphs` has it, of this source alone."""
    query: np.ndarray
    """What each step asked: [T, D], or of a Transformer [T, L, H, D/H]."""
    weights: np.ndarray | None
    """What it looked at: [T, S], or of a Transformer [T, L, H, S]; None without attention."""
    probabilities: np.ndarray
    """[T, A] of its most probable tokens, best first."""
    tokens: np.ndarray
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


def greedy_search(
    runner: Runner,
    vocabulary: int,
    source: np.ndarray,
    prefix: Sequence[int] = (),
    keep_steps: bool = False,
    marks: Marks = (),
    insist: bool = True,
) -> list[Hypothesis]:
    """Take the most probable token at each step.

    Args:
        runner: of a translator's functions.
        vocabulary: how many tokens it knows.
        source: tokens [B, S], padded on the right.
        prefix: target tokens that every translation begins with.
        keep_steps: whether the hypotheses say how they were written.
        marks: placeholders, see `_Copies`.
        insist: whether all of a source's are wanted.

    Returns:
        One hypothesis a source.
    """
    rows, copies = _Rows(runner, vocabulary, source, keep_steps), _Copies(source, marks, insist)
    size, limits = len(source), longest_target(rows.mask.sum(1))
    given = np.tile(np.array([BOS, *prefix]), (size, 1))
    emitted = [given[:, 1:]]
    score = np.zeros(size)
    ended, over = np.zeros((2, size), bool)
    length = 0
    while not over.all():
        length += 1
        values, tokens = rows.step(given, 1, copies.marked, copies.bias(emitted))
        score += np.where(over, 0.0, values[:, 0])
        given = np.where(over, PAD, tokens[:, 0])[:, None]
        emitted.append(given)
        ended |= given[:, 0] == EOS
        over = ended | (limits <= length)
    texts = [_until_end(row) for row in np.concatenate(emitted, 1).tolist()]
    found = zip(texts, score.tolist(), ended.tolist(), strict=True)
    return [
        Hypothesis(tokens, value, finished, rows.steps(row, len(tokens) + finished))
        for row, (tokens, value, finished) in enumerate(found)
    ]


def beam_search(
    runner: Runner,
    vocabulary: int,
    source: np.ndarray,
    beam: int,
    length_penalty: float,
    keep_steps: bool = False,
    marks: Marks = (),
    insist: bool = True,
) -> list[list[Hypothesis]]:
    """Keep the `beam` most probable beginnings at each step (Sutskever et al. 2014, 3.2).

    Args:
        runner: of a translator's functions.
        vocabulary: how many tokens it knows.
        source: tokens [B, S], padded on the right.
        beam: hypotheses kept, N.
        length_penalty: the exponent of Wu et al. 2016, eq. 14; 0 prefers short translations.
        keep_steps: whether the best ones say how they were written.
        marks: placeholders, see `_Copies`.
        insist: whether all of a source's are wanted.

    Returns:
        For each source its up to N best finished hypotheses, best first.
    """
    live = list(range(len(source)))  # sources still searched
    rows, copies = _Rows(runner, vocabulary, source, keep_steps), _Copies(source, marks, insist)
    limits = longest_target(rows.mask.sum(1)).tolist()
    each = np.repeat(np.arange(len(live)), beam)
    rows.select(each)
    copies.select(each)
    tokens = np.full((len(live) * beam, 1), BOS)
    # All N beginnings are the same at first: only the first one may grow.
    scores = np.full((len(live), beam), -np.inf)
    scores[:, 0] = 0.0
    found: list[list[Hypothesis]] = [[] for _ in live]

    def keep(place: int, row: int, score: float, finished: bool) -> None:
        """Move what stands in a row, with its log probability, to its source's hypotheses."""
        emitted = tuple(tokens[row, 1:].tolist())
        value = float(score) / _penalty(len(emitted) + finished, length_penalty)
        found[live[place]].append(Hypothesis(emitted, value, finished, rows.steps(row)))

    length = 0
    while live:
        length += 1
        # 2 N candidates: even if N of them end here, N go on. None of a row's others is among them.
        bias = copies.bias([tokens])
        values, following = rows.step(tokens[:, -1:], 2 * beam, copies.marked, bias)
        totals = scores[..., None] + values.reshape(len(live), beam, -1)  # [B, N, K]
        values, places = _best(totals.reshape(len(live), -1), 2 * beam)
        first = np.arange(len(live))[:, None] * beam
        origin = first + places // totals.shape[-1]
        token = np.take_along_axis(following.reshape(len(live), -1), places, 1)
        ends = token == EOS
        # Those among the N best of their source that end are finished.
        for n, rank in np.argwhere(ends[:, :beam] & np.isfinite(values[:, :beam])).tolist():
            keep(n, int(origin[n, rank]), values[n, rank], True)
        scores, chosen = _best(np.where(ends, -np.inf, values), beam)  # [B, N]
        parents = np.take_along_axis(origin, chosen, 1).ravel()
        new = np.take_along_axis(token, chosen, 1).reshape(-1, 1)
        tokens = np.concatenate([tokens[parents], new], 1)
        rows.follow(parents)
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
            kept = (first[going_on] + np.arange(beam)).ravel()
            live = [live[n] for n in going_on]
            scores, tokens = scores[going_on], tokens[kept]
            rows.select(kept)
            copies.select(kept)
    return [_ranked(hypotheses, beam) for hypotheses in found]


class _Copies:
    """Which placeholders may be written: those of the source, each once, and all before the end.

    Args:
        source: tokens [R, S] of each row to write.
        marks: the tokens of each placeholder.
        insist: whether an end costs something while one is missing.
    """

    def __init__(self, source: np.ndarray, marks: Marks, insist: bool) -> None:
        self._missing = _MISSING if insist else 0.0
        self._marks = np.array(marks or np.zeros((0, 2)), dtype=np.int64)  # [K, 2]
        self._asked = self._in(source)
        self.marked = np.array([PAD, BOS, EOS, *self._marks.ravel()])
        """[M]: the tokens that `bias` is of."""

    def bias(self, tokens: Sequence[np.ndarray]) -> np.ndarray:
        """What is added to the logits of what may follow `tokens`, parts of [R, T]: [R, M]."""
        left = self._asked & ~self._in(np.concatenate(tokens, 1))
        found = np.full((len(left), len(self.marked)), -np.inf, np.float32)  # PAD, BOS: never
        found[:, 2] = np.where(left.any(1), -self._missing, 0.0)
        found[:, 3:][np.repeat(left, self._marks.shape[1], 1)] = 0.0
        return found

    def select(self, rows: np.ndarray) -> None:
        """Go on with these rows."""
        self._asked = self._asked[rows]

    def _in(self, tokens: np.ndarray) -> np.ndarray:
        """[R, K]: whether `tokens` [R, T] have a placeholder."""
        if not len(self._marks):
            return np.zeros((len(tokens), 0), bool)
        found: np.ndarray = (tokens[..., None, None] == self._marks).any(-1).any(1)
        return found


class _Rows:
    """Translations that are being written, and what the decoder did so far in each.

    Args:
        source: tokens [B, S]: a row each.
        kept: whether what it did is kept.
    """

    def __init__(self, runner: Runner, vocabulary: int, source: np.ndarray, kept: bool) -> None:
        self._runner, self._vocabulary, self._kept = runner, vocabulary, kept
        self._memory = runner.run("encode", source=source)
        self._state = self._memory.pop("state")
        self._score = {name: self._memory.pop(name) for name in ("score",) if name in self._memory}
        self.mask: np.ndarray = self._memory["mask"]
        self._parts: dict[str, np.ndarray] = {}  # [rows, T, ...]

    def step(
        self, given: np.ndarray, count: int, marked: np.ndarray, bias: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Go on over tokens [R, T]: the `count` best that may follow, or all there are: their log
        probabilities [R, K] and numbers [R, K]. To the logits of the tokens `marked` [M] `bias`
        [R, M] is added."""
        found = self._runner.run(
            "traced" if self._kept else "step",
            given=given,
            marked=marked,
            bias=bias,
            ranks=np.arange(min(count, self._vocabulary)),
            state=self._state,
            **self._memory,
        )
        self._state = found.pop("next")
        values, tokens = found.pop("values"), found.pop("tokens")
        for name, part in found.items() if self._kept else ():
            before = self._parts.get(name)
            self._parts[name] = part if before is None else np.concatenate([before, part], 1)
        return values, tokens

    def follow(self, parents: np.ndarray) -> None:
        """Let each row go on from another one of the same source."""
        self._state = self._state[:, parents]
        self._parts = {name: part[parents] for name, part in self._parts.items()}

    def select(self, rows: np.ndarray) -> None:
        """Go on with these rows, each once or several times."""
        self.follow(rows)
        self._memory = {name: part[rows] for name, part in self._memory.items()}
        self.mask = self._memory["mask"]

    def steps(self, row: int, count: int | None = None) -> Steps | None:
        """The steps of a row so far, or the first `count` of them."""
        if not self._kept:
            return None
        length = int(self.mask[row].sum())
        parts = {name: part[row, :count].copy() for name, part in self._parts.items()}
        weights = parts.get("weights")
        compared = {
            name: array_of(part[row, ..., :length, :] if part.ndim > 2 else part[row])
            for name, part in self._memory.items()
            if name != "mask"
        }
        return Steps(
            {**compared, **self._score},
            parts["query"],
            None if weights is None else weights[..., :length],
            parts["shares"],
            parts["alternatives"],
        )


def _best(values: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The `count` largest of each row, or all there are, largest first; and their places."""
    count = min(count, values.shape[1])
    places = np.argpartition(-values, count - 1, 1)[:, :count]
    found = np.take_along_axis(values, places, 1)
    order = np.argsort(-found, 1, kind="stable")
    return np.take_along_axis(found, order, 1), np.take_along_axis(places, order, 1)


def _penalty(length: int, exponent: float) -> float:
    return ((5 + length) / 6) ** exponent


def _ranked(hypotheses: list[Hypothesis], count: int) -> list[Hypothesis]:
    return sorted(hypotheses, key=lambda hypothesis: -hypothesis.score)[:count]


def _worst(hypotheses: list[Hypothesis], count: int) -> float:
    return _ranked(hypotheses, count)[-1].score


def _until_end(tokens: list[int]) -> tuple[int, ...]:
    end = next((n for n, token in enumerate(tokens) if token in (EOS, PAD)), None)
    return tuple(tokens[:end])
