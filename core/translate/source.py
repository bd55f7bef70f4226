"""What a translator looked at and weighed while it wrote, as a trace; and writing on from one."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from dlcc.core.errors import DataError, UsageError
from dlcc.core.nn.attention import AdditiveAttention, TrainableDotProductAttention
from dlcc.core.nn.batches import EOS, SPECIAL
from dlcc.core.trace.trace import AttentionTrace
from dlcc.core.translate.codec import Codec
from dlcc.core.translate.model import Seq2Seq
from dlcc.core.translate.translator import KIND, Translation, Translator

_ALTERNATIVES = 8


def trace_of(
    translator: Translator, translation: Translation, made_by: Mapping[str, Any] | None = None
) -> AttentionTrace:
    """The attention at each step that emitted a token of `translation`, and at the end.

    Raises:
        UsageError: a model without attention.
        DataError: nothing was translated.
    """
    if translator.model.config.attention == "none":
        raise UsageError("this model has no attention to show")
    if not translation.tokens:
        raise DataError(f"nothing was translated: {translation.problem or 'an empty translation'}")
    source, target = translation.source_tokens, translation.tokens
    memory, decoded = translator.decode(source.ids, target)
    assert decoded.weights is not None  # the model has attention
    emitted = (*target, EOS)
    words = translator.codec.words(target)
    tensors, scale, mechanism = _tensors(translator.model, decoded.query, memory.states)
    return AttentionTrace(
        weights=_array(decoded.weights[0]),
        query=tuple(translator.codec.piece(token) for token in emitted),
        key=source.texts,
        kind=KIND,
        title=f"{translation.source} → {translation.text}",
        query_words=(*words, words[-1] + 1),
        key_words=source.words,
        special=SPECIAL,
        tensors=tensors,
        scale=scale,
        mechanism=mechanism,
        details={
            "source": translation.source,
            "translation": translation.text,
            "ids": list(emitted),
            "alternatives": _alternatives(decoded.logits[0], translator.codec),
        },
        made_by=dict(made_by or {}),
    )


def steps_of(translator: Translator, translation: Translation) -> dict[str, Any]:
    """JSON values: the alternatives and, with attention, the weights of each step."""
    _, decoded = translator.decode(translation.source_tokens.ids, translation.tokens)
    found: dict[str, Any] = {"alternatives": _alternatives(decoded.logits[0], translator.codec)}
    if decoded.weights is not None:
        rows = decoded.weights[0].tolist()
        found["attention"] = [[round(value, 4) for value in row] for row in rows]
    return found


def choose(translator: Translator, trace: AttentionTrace, step: int, piece: str) -> Translation:
    """Translate the source of `trace` again, with another token at one step.

    Args:
        translator: the one that made the trace.
        trace: from `trace_of`.
        step: the row whose token is replaced; the rows before it stay.
        piece: the other token, as it stands among the alternatives.

    Raises:
        UsageError: no such step or token.
    """
    token = translator.codec.tokenizer.token_to_id(piece)
    ids = trace.details.get("ids", ())
    if token is None or not 0 <= step < len(ids):
        raise UsageError(f"{piece!r} cannot stand at step {step + 1}")
    return translator.continue_from(trace.details["source"], [*ids[:step], token])


def _alternatives(logits: Tensor, codec: Codec) -> list[list[list[Any]]]:
    """For each step the most probable tokens, best first: [token, probability]."""
    values, ids = logits.float().softmax(-1).topk(min(_ALTERNATIVES, logits.shape[-1]))
    return [
        [[codec.piece(token), round(value, 4)] for token, value in zip(*row, strict=True)]
        for row in zip(ids.tolist(), values.tolist(), strict=True)
    ]


@torch.no_grad()
def _tensors(model: Seq2Seq, query: Tensor, states: Tensor) -> tuple[dict[str, Any], float, str]:
    """What the weights were computed from, the scale and the mechanism, as a trace has them."""
    attention, scale, mechanism = model.attention, states.shape[-1] ** -0.5, "dot-product"
    key = value = states
    tensors = {}
    if isinstance(attention, TrainableDotProductAttention):
        query, key = attention.query_proj(query), attention.key_proj(key)
        value = attention.value_proj(value)
    elif isinstance(attention, AdditiveAttention):
        query, key = attention.query_proj(query), attention.key_proj(key)
        tensors["score"] = _array(attention.score_proj.weight).squeeze(2)
        scale, mechanism = 1.0, "additive"
    tensors |= {"query": _array(query[0]), "key": _array(key[0]), "value": _array(value[0])}
    return tensors, scale, mechanism


def _array(tensor: Tensor) -> Any:
    """[rows, columns] as one layer and one head: float32 [1, 1, rows, columns]."""
    return tensor.detach().float().cpu().numpy()[None, None]
