"""A text classifier's functions, as torch runs them and as they are exported.

Shapes: B texts, T tokens, C classes; L layers, H heads, D width of a head.
"""

import torch
from torch import Tensor

from dlcc.core.nn.batches import PAD
from dlcc.core.nn.layers import recorded_projections
from dlcc.core.runner import Graph
from dlcc.core.sentiment.model import SentimentModel

_PARTS = ("query", "key", "value")


def graphs(model: SentimentModel) -> dict[str, Graph]:
    """By name, of tokens [B, T], padded on the right:

    `answer`: `logits` [B, C].
    `attend`: of one text without padding, also what was attended to, `weights` [1, L, H, T, T]; how
    much each of these raises the log odds of the class `target` [1] at the `temperature` [1],
    `slopes`; and what the weights compare, `query`, `key` and `value` [1, L, H, T, D].
    `shown`: of texts, as `attend` without slopes.

    A GRU has `answer` alone.
    """

    def many() -> dict[str, tuple[Tensor, dict[int, str]]]:
        tokens = torch.arange(17).expand(13, -1) % (model.encoder.config.vocab_size - 1) + 1
        tokens = tokens.masked_fill(torch.ones(13, 17).triu(5).bool(), PAD)
        return {"tokens": (tokens, {0: "batch", 1: "length"})}

    def one() -> dict[str, tuple[Tensor, dict[int, str]]]:
        tokens, _ = many()["tokens"]
        return {
            "tokens": (tokens[-1:], {1: "length"}),
            "target": (torch.tensor([1]), {}),
            "temperature": (torch.tensor([1.5]), {}),
        }

    def answer(tokens: Tensor) -> tuple[Tensor, ...]:
        return (model(tokens),)

    def shown(tokens: Tensor) -> tuple[Tensor, ...]:
        mask = tokens != PAD
        with recorded_projections(model.encoder.layers) as parts:
            hidden, weights = model.encoder(model.encoder.embed(tokens), mask, need_weights=True)
        compared = (torch.stack(parts[name], 1) for name in _PARTS)
        return model.classify(hidden, mask), torch.stack(weights, 1), *compared

    def attend(tokens: Tensor, target: Tensor, temperature: Tensor) -> tuple[Tensor, ...]:
        with torch.enable_grad(), recorded_projections(model.encoder.layers) as parts:
            # Of the vectors, so that a model with frozen weights has gradients too.
            embedded = model.encoder.embed(tokens).detach().requires_grad_()
            hidden, weights = model.encoder(embedded, None, need_weights=True)
            logits = model.classify(hidden, torch.ones_like(tokens, dtype=torch.bool))
            odds = log_odds(logits, temperature, target)
            slopes = torch.autograd.grad(odds, weights, torch.ones_like(odds))
        compared = (torch.stack(parts[name], 1) for name in _PARTS)
        return logits, torch.stack(weights, 1), torch.stack(slopes, 1), *compared

    found = {"answer": Graph(answer, ("tokens",), ("logits",), many)}
    if model.encoder.config.architecture == "transformer":
        asked = ("tokens", "target", "temperature")
        found["attend"] = Graph(attend, asked, ("logits", "weights", "slopes", *_PARTS), one)
        found["shown"] = Graph(shown, ("tokens",), ("logits", "weights", *_PARTS), many)
    return found


def exported(model: SentimentModel) -> dict[str, str]:
    """For each function that answering takes the graph that is exported for it."""
    if model.encoder.config.architecture == "gru":
        return {"answer": "answer"}
    return {"answer": "shown", "attend": "shown"}


def log_odds(logits: Tensor, temperature: float | Tensor, target: int | Tensor) -> Tensor:
    """Calibrated log odds [...] of class `target` against all others, from logits [..., C]."""
    shares = (logits / temperature).log_softmax(-1)
    chosen = torch.arange(logits.shape[-1], device=logits.device) == target
    theirs = shares.masked_fill(chosen, -torch.inf).logsumexp(-1)
    return shares.masked_fill(~chosen, 0.0).sum(-1) - theirs
