"""Choosing the target sentence: greedy and beam search.

Shapes: B sources in a batch, N hypotheses a source, S source length, V vocabulary.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from dlcc.core.nn.batches import BOS, EOS, PAD
from dlcc.core.translate.model import Seq2Seq


@dataclass(frozen=True)
class Hypothesis:
    """One translation of one source."""

    tokens: tuple[int, ...]
    """Target tokens, without the start and the end."""
    score: float
    """Sum of the log probabilities of the tokens and of the end, by the length penalty."""
    finished: bool
    """False when the longest length cut it off."""


def longest_target(source_length: int) -> int:
    """How many tokens a translation of `source_length` tokens may have."""
    return 2 * source_length + 10


@torch.no_grad()
def greedy_search(model: Seq2Seq, source: Tensor, prefix: Tensor | None = None) -> list[Hypothesis]:
    """Take the most probable token at each step.

    Args:
        model: in eval mode.
        source: tokens [B, S], padded on the right.
        prefix: target tokens [B, P] that every translation begins with.

    Returns:
        One hypothesis a source.
    """
    memory, state = model.encode(source), None
    size = len(source)
    token = torch.full((size, 1), BOS, device=source.device)
    if prefix is not None and prefix.shape[1]:
        token = torch.cat([token, prefix], 1)
    emitted = [token[:, 1:]]
    score = torch.zeros(size, device=source.device)
    done = torch.zeros(size, dtype=torch.bool, device=source.device)
    for _ in range(longest_target(source.shape[1])):
        decoded = model.decode(memory, token, state)
        state = decoded.state
        best, token = _log_probabilities(decoded.logits[:, -1]).max(-1, keepdim=True)
        score += best.squeeze(1).masked_fill(done, 0.0)
        token = token.masked_fill(done.unsqueeze(1), PAD)
        emitted.append(token)
        done |= token.squeeze(1) == EOS
        if done.all():
            break
    return [
        Hypothesis(_until_end(row), value, finished)
        for row, value, finished in zip(
            torch.cat(emitted, 1).tolist(), score.tolist(), done.tolist(), strict=True
        )
    ]


@torch.no_grad()
def beam_search(
    model: Seq2Seq, source: Tensor, beam: int, length_penalty: float
) -> list[list[Hypothesis]]:
    """Keep the `beam` most probable beginnings at each step (Sutskever et al. 2014, 3.2).

    Args:
        model: in eval mode.
        source: tokens [B, S], padded on the right.
        beam: hypotheses kept, N.
        length_penalty: the exponent of Wu et al. 2016, eq. 14; 0 prefers short translations.

    Returns:
        For each source its up to N best finished hypotheses, best first.
    """
    size, device = len(source), source.device
    memory = model.encode(source)
    state, memory = model.start(memory).repeat_interleave(beam, 1), memory.repeat(beam)
    tokens = torch.full((size * beam, 1), BOS, device=device)
    # All N beginnings are the same at first: only the first one may grow.
    scores = torch.full((size, beam), -torch.inf, device=device)
    scores[:, 0] = 0.0
    found: list[list[Hypothesis]] = [[] for _ in range(size)]
    rows = torch.arange(size, device=device).unsqueeze(1) * beam
    for length in range(1, longest_target(source.shape[1]) + 1):
        decoded = model.decode(memory, tokens[:, -1:], state)
        steps = _log_probabilities(decoded.logits[:, -1]).view(size, beam, -1)
        totals = (scores.unsqueeze(-1) + steps).flatten(1)  # [B, N·V]
        # 2 N candidates: even if N of them end here, N go on.
        values, places = totals.topk(min(2 * beam, totals.shape[1]), dim=1)
        origin, token = places // steps.shape[-1], places % steps.shape[-1]
        ends = token == EOS
        _collect(found, ends, values, tokens.view(size, beam, -1), origin, length, length_penalty)
        values = values.masked_fill(ends, -torch.inf)
        scores, chosen = values.topk(beam, dim=1)  # [B, N]
        parents = (rows + origin.gather(1, chosen)).flatten()
        tokens = torch.cat([tokens[parents], token.gather(1, chosen).view(-1, 1)], 1)
        state = decoded.state[:, parents]
        limit = scores[:, 0] / _penalty(length, length_penalty)
        if all(len(f) >= beam and _worst(f, beam) >= b for f, b in zip(found, limit, strict=True)):
            break
    return [
        _ranked(hypotheses, beam) or [_cut_off(tokens[row * beam], scores[row, 0], length_penalty)]
        for row, hypotheses in enumerate(found)
    ]


def _log_probabilities(logits: Tensor) -> Tensor:
    """[..., V], in which padding and the start can not be chosen."""
    logits = logits.float()
    logits[..., [PAD, BOS]] = -torch.inf
    return logits.log_softmax(-1)


def _collect(
    found: list[list[Hypothesis]],
    ends: Tensor,
    values: Tensor,
    tokens: Tensor,
    origin: Tensor,
    length: int,
    length_penalty: float,
) -> None:
    """Move the candidates that end, among the N best of their source, to the finished ones."""
    beam = tokens.shape[1]
    for row, rank in (ends[:, :beam] & values[:, :beam].isfinite()).nonzero().tolist():
        emitted = tuple(tokens[row, origin[row, rank], 1:].tolist())
        score = values[row, rank].item() / _penalty(length, length_penalty)
        found[row].append(Hypothesis(emitted, score, True))


def _penalty(length: int, exponent: float) -> float:
    return ((5 + length) / 6) ** exponent


def _ranked(hypotheses: list[Hypothesis], count: int) -> list[Hypothesis]:
    return sorted(hypotheses, key=lambda hypothesis: -hypothesis.score)[:count]


def _worst(hypotheses: list[Hypothesis], count: int) -> float:
    return _ranked(hypotheses, count)[-1].score


def _cut_off(tokens: Tensor, score: Tensor, length_penalty: float) -> Hypothesis:
    emitted = tuple(tokens[1:].tolist())
    return Hypothesis(emitted, score.item() / _penalty(len(emitted), length_penalty), False)


def _until_end(tokens: list[int]) -> tuple[int, ...]:
    return tuple(tokens[: tokens.index(EOS)] if EOS in tokens else tokens)
