"""A classifier's attention on one text, as a trace for pictures and the viewer.

Shapes: L layers, H heads, T tokens, D width of a head, W words.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from dlcc.core.nn.batches import PAD
from dlcc.core.nn.layers import recorded_projections
from dlcc.core.sentiment.classifier import Classifier
from dlcc.core.trace.trace import AttentionTrace


@torch.no_grad()
def trace_of(
    answers: Classifier,
    text: str,
    explanations: Mapping[str, np.ndarray] | None = None,
    made_by: Mapping[str, Any] | None = None,
) -> AttentionTrace | None:
    """All layers and heads on `text`, of a long text on the first stretch that is read.

    Args:
        answers: the classifier.
        text: what it reads.
        explanations: contributions [W] of the text's words by the method's name.
        made_by: kept in the trace.

    Returns:
        The trace; None of a GRU, which has no attention, and of a text without a token.
    """
    encoder = answers.model.encoder
    tokens = answers.codec.encode(text)
    places = answers.stretches(len(tokens.ids))[0]
    ids = [tokens.ids[place] for place in places]
    words = tuple(tokens.words[place] for place in places)
    if encoder.config.architecture != "transformer" or not ids:
        return None
    numbers = torch.tensor([ids], device=answers.device)
    with recorded_projections(encoder.layers) as parts:
        hidden, weights = encoder(encoder.embed(numbers), numbers != PAD, need_weights=True)
    logits = answers.model.classify(hidden, numbers != PAD)
    tensors = {name: torch.cat(each).float().cpu().numpy() for name, each in parts.items()}
    scale = tensors["query"].shape[-1] ** -0.5
    pieces = np.bincount(words, minlength=len(tokens.spans))
    for name, values in (explanations or {}).items():
        tensors[f"explanation.{name}"] = (values / np.maximum(pieces, 1))[list(words)].astype(
            np.float32
        )
    probability, label = answers.probabilities(logits.float().cpu())[0].max(0)
    shown = tuple(answers.codec.tokenizer.id_to_token(token) for token in ids)
    return AttentionTrace(
        torch.cat(weights).float().cpu().numpy(),
        shown,
        shown,
        kind="sentiment",
        title=f"{answers.labels[int(label)]} {probability:.2f}",
        scores=(tensors["query"] * scale) @ tensors["key"].swapaxes(-2, -1),
        query_words=words,
        key_words=words,
        tensors=tensors,
        scale=scale,
        details={"text": text},
        made_by=dict(made_by or {}),
    )
