"""A translator's functions, as torch runs them and as they are exported.

Shapes: B sources, S source length, R rows to write, T tokens that follow, K candidates, A
alternatives, M marked tokens, V vocabulary, D width; L layers and H heads of a Transformer.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from dlcc.core.nn.attention import AdditiveAttention, TrainableDotProductAttention
from dlcc.core.nn.batches import PAD
from dlcc.core.runner import Graph
from dlcc.core.translate.model import Memory, Seq2Seq
from dlcc.core.translate.transformer import Transformer

ALTERNATIVES = 8


def graphs(model: Seq2Seq | Transformer) -> dict[str, Graph]:
    """By name:

    `encode`: sources [B, S], padded on the right, to `mask` [B, S], the decoder's first `state`
    [L, B, ...] and what it reads of them, the memory: of GRUs `states` [B, S, D], without attention
    `summary` [B, D]; of a Transformer `projected` [B, L, 2, H, S, D/H]. Where states are projected
    before they are compared, also `key` and `value` [B, S, D], or `key` and `score` [1, D].

    `step`: how the tokens [R, T] go on. `bias` [R, M] is added to the logits of the tokens `marked`
    [M]. Gives the log probabilities of the K best next tokens, as many as `ranks` [K] has places,
    `values` [R, K], and these, `tokens` [R, K]; and the state after the given, `next`.

    `traced`: as `step`, and for each of the T places what was asked, `query` [R, T, D] or
    [R, T, L, H, D/H]; what was looked at, `weights` [R, T, S] or [R, T, L, H, S], if there is
    attention; and whatever is marked, the A most probable tokens, `alternatives` [R, T, A], and
    their probabilities, `shares`.
    """
    names = _names(model)
    read = [name for name in names if name in _READ]

    def encode(source: Tensor) -> tuple[Tensor, ...]:
        found = _memory(model, source)
        return tuple(found[name] for name in names)

    def step(*inputs: Tensor) -> tuple[Tensor, ...]:
        return _step(model, read, False, *inputs)

    def traced(*inputs: Tensor) -> tuple[Tensor, ...]:
        return _step(model, read, True, *inputs)

    def examples() -> dict[str, tuple[Tensor, dict[int, str]]]:
        source = torch.arange(13).expand(11, -1) % (model.config.vocab_size - 4) + 4
        source = source.masked_fill(torch.ones(11, 13).triu(3).bool(), PAD)
        encoded = _memory(model, source)
        with torch.no_grad():
            memory = _as_memory(encoded["mask"], encoded)
            given = source[-1:, :7].expand(11, -1)
            state = model.decode(memory, given, encoded["state"]).state
        before = {4: "before"} if isinstance(model, Transformer) else {}
        return {
            "source": (source, {0: "batch", 1: "source"}),
            "given": (source[:, :3] + 0, {0: "rows", 1: "length"}),
            "marked": (torch.arange(5), {0: "marks"}),
            "bias": (torch.ones(11, 5), {0: "rows", 1: "marks"}),
            "ranks": (torch.arange(min(19, model.config.vocab_size)), {0: "candidates"}),
            "state": (state, {1: "rows"} | before),
            "mask": (encoded["mask"], {0: "rows", 1: "source"}),
            **{name: (encoded[name], {0: "rows", **_READ[name]}) for name in read},
        }

    kept = frozenset((*names, "next")) - {"mask", "score"}
    inputs = ("given", "marked", "bias", "ranks", "state", "mask", *read)
    looked = ["query", "weights", "alternatives", "shares"]
    if model.config.attention == "none":
        looked.remove("weights")
    chosen = ("values", "tokens", "next")
    return {
        "encode": Graph(encode, ("source",), names, examples, kept),
        "step": Graph(step, inputs, chosen, examples, kept),
        "traced": Graph(traced, inputs, (*chosen, *looked), examples, kept),
    }


def exported(model: Seq2Seq | Transformer) -> dict[str, str]:
    """For each function that answering takes the graph that is exported for it."""
    return {"encode": "encode", "step": "traced", "traced": "traced"}


_READ: dict[str, dict[int, str]] = {"states": {1: "source"}, "projected": {4: "source"}}
_READ["summary"] = {}
"""What the decoder may read of the memory, and which of its axes has any length but the first."""


def _names(model: Seq2Seq | Transformer) -> tuple[str, ...]:
    """What `encode` gives."""
    if isinstance(model, Transformer):
        return "mask", "state", "projected"
    if model.config.attention == "none":
        return "mask", "state", "summary"
    extra = {"trainable": ("key", "value"), "additive": ("key", "score")}
    return "mask", "state", "states", *extra.get(model.config.attention, ())


def _memory(model: Seq2Seq | Transformer, source: Tensor) -> dict[str, Tensor]:
    """What `encode` gives, by name."""
    with torch.no_grad():
        memory = model.encode(source)
        found = {"mask": memory.mask, "state": model.start(memory)}
        if memory.projected is not None:
            return found | {"projected": memory.projected}
        assert memory.summary is not None  # GRUs have one
        attention = model.attention if isinstance(model, Seq2Seq) else None
        if model.config.attention == "none":
            return found | {"summary": memory.summary}
        found["states"] = memory.states
        if isinstance(attention, TrainableDotProductAttention):
            found["key"] = attention.key_proj(memory.states)
            found["value"] = attention.value_proj(memory.states)
        elif isinstance(attention, AdditiveAttention):
            found["key"] = attention.key_proj(memory.states)
            found["score"] = attention.score_proj.weight
        return found


def _as_memory(mask: Tensor, parts: Mapping[str, Tensor]) -> Memory:
    """What `decode` takes; of what it does not read, anything."""
    states = parts.get("states", mask)
    return Memory(states, mask, parts.get("summary"), parts.get("projected"))


def _step(
    model: Seq2Seq | Transformer,
    names: Sequence[str],
    traced: bool,
    given: Tensor,
    marked: Tensor,
    bias: Tensor,
    ranks: Tensor,
    state: Tensor,
    mask: Tensor,
    *parts: Tensor,
) -> tuple[Tensor, ...]:
    """`step` or `traced`; `parts` are what `names` names of the memory."""
    memory = _as_memory(mask, dict(zip(names, parts, strict=True)))
    decoded = model.decode(memory, given, state, need_weights=traced)
    logits = decoded.logits.float()
    last = logits[:, -1].scatter_add(1, marked.expand(bias.shape[0], -1), bias)
    values, tokens = last.log_softmax(-1).topk(ranks.shape[0])
    if not traced:
        return values, tokens, decoded.state
    query = decoded.query
    if isinstance(model, Seq2Seq) and isinstance(model.attention, _PROJECT):
        query = model.attention.query_proj(query)
    looked = () if decoded.weights is None else (decoded.weights,)
    shares, best = logits.softmax(-1).topk(min(ALTERNATIVES, model.config.vocab_size))
    return values, tokens, decoded.state, query, *looked, best, shares


_PROJECT = (TrainableDotProductAttention, AdditiveAttention)
