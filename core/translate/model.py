"""A GRU encoder and decoder, with cross-attention between them or without (chapters 7 and 8).

The encoder reads the source in both directions. The first decoder layer asks, attention answers
with a mixture of encoder states, further decoder layers take the answer in. In training the
target is known, so every layer runs over the whole of it at once.

Shapes: B batch, S source length, T target length, E embedding width, D hidden width, L layers,
V vocabulary.
"""

import math
from dataclasses import dataclass, fields
from typing import Protocol

import torch
from torch import Tensor, nn

from dlcc.core.nn.attention import (
    AdditiveAttention,
    TrainableDotProductAttention,
    dot_product_attention,
)
from dlcc.core.nn.dropout import dropout
from dlcc.core.nn.recurrent import BidirectionalGRU
from dlcc.core.translate.config import Seq2SeqConfig


@dataclass(frozen=True)
class Memory:
    """What the encoder made of a batch of sources."""

    states: Tensor
    """[B, S, D]: one a source token; what attention looks at."""
    mask: Tensor
    """[B, S] boolean: True where there is a token."""
    summary: Tensor | None = None
    """[B, D]: both ends of the last layer; all that a decoder of GRUs without attention knows."""
    projected: Tensor | None = None
    """[B, L, 2, H, S, D/H]: keys and values of the states for each layer of a Transformer."""

    def repeat(self, times: int) -> "Memory":
        """Each source `times` times in a row, for `times` hypotheses of it."""
        return self.select(torch.arange(len(self.mask)).repeat_interleave(times))

    def select(self, rows: Tensor) -> "Memory":
        """The sources with these numbers."""
        parts = {each.name: getattr(self, each.name) for each in fields(self)}
        return Memory(**{name: part[rows] for name, part in parts.items() if part is not None})

    def compared(self, row: int) -> Tensor:
        """What queries are compared with in one source: its states [S, D], or the keys and values
        [L, 2, H, S, D/H] of every layer and head."""
        length = int(self.mask[row].sum())
        if self.projected is not None:
            return self.projected[row, ..., :length, :]
        return self.states[row, :length]


@dataclass(frozen=True)
class Decoded:
    """What the decoder made of a batch of targets."""

    logits: Tensor
    """[B, T, V]: of the token after each target token."""
    state: Tensor
    """[L, B, ...]: after the last token."""
    query: Tensor
    """[B, T, D]: what each step asked the source; [B, T, L, H, D/H] of a Transformer."""
    weights: Tensor | None
    """[B, T, S]: what it looked at; [B, T, L, H, S] of a Transformer; None without attention."""


class Model(Protocol):
    """What a search asks of a translator."""

    def encode(self, source: Tensor) -> Memory:
        """Read sources [B, S]."""
        ...

    def start(self, memory: Memory) -> Tensor:
        """The decoder's first state [L, B, ...]."""
        ...

    def decode(
        self,
        memory: Memory,
        target: Tensor,
        state: Tensor | None = None,
        *,
        need_weights: bool = True,
    ) -> Decoded:
        """Go on from `state` over targets [B, T]."""
        ...


class Seq2Seq(nn.Module):
    """The translator: source tokens in, a distribution over the next target token out.

    Args:
        padding: the token that fills batches up.
    """

    def __init__(self, config: Seq2SeqConfig, padding: int = 0) -> None:
        super().__init__()
        E, D = config.embed_dim, config.hidden_dim
        self.config, self.padding = config, padding
        self.source_embedding = embedding(config)
        self.target_embedding = self.source_embedding if config.tied else embedding(config)
        self.encoder = nn.ModuleList(
            BidirectionalGRU(D if layer else E, D) for layer in range(config.encoder_layers)
        )
        self.bridge = nn.Linear(D, config.decoder_layers * D)  # to the decoder's first states
        self.decoder = nn.ModuleList(
            nn.GRU(D if layer else E, D, batch_first=True) for layer in range(config.decoder_layers)
        )
        self.attention = _attention(config)
        self.combine = nn.Linear(2 * D, E)
        self.output = nn.Linear(E, config.vocab_size)
        if config.tied:
            self.output.weight = self.source_embedding.weight
        nn.init.zeros_(self.output.bias)

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        """Logits [B, T, V] of the token after each of `target` [B, T], given `source` [B, S]."""
        return self.decode(self.encode(source), target).logits

    def encode(self, source: Tensor) -> Memory:
        """Read `source` [B, S] int64, padded on the right, at least one token a row."""
        mask = source != self.padding
        lengths = mask.sum(1)
        states = self._embed(self.source_embedding, source)  # [B, S, E]
        for layer, gru in enumerate(self.encoder):
            outputs, summary = gru(states, lengths)
            outputs = self._dropped(outputs)
            states = states + outputs if layer else outputs  # [B, S, D]
        return Memory(states, mask, summary)

    def decode(
        self,
        memory: Memory,
        target: Tensor,
        state: Tensor | None = None,
        *,
        need_weights: bool = True,
    ) -> Decoded:
        """Go on from `state` over `target` [B, T].

        Args:
            memory: from `encode`.
            target: tokens [B, T]; the first ever is the start token.
            state: [L, B, D]; None starts from the memory's summary.
            need_weights: they are there in any case.
        """
        if state is None:
            state = self.start(memory)
        inputs = self._embed(self.target_embedding, target)  # [B, T, E]
        ends, outputs = [], inputs
        for layer, gru in enumerate(self.decoder):
            new, end = gru(inputs, state[layer : layer + 1])
            new = self._dropped(new)
            outputs = outputs + new if layer else new  # [B, T, D]
            ends.append(end)
            if layer == 0:
                query = outputs
                context, weights = self.look(query, memory)
            inputs = outputs + context if layer == 0 else outputs
        combined = self.combine(torch.cat([outputs, context], -1)).tanh()
        logits = self.output(self._dropped(combined))
        return Decoded(logits, torch.cat(ends), query, weights)

    def start(self, memory: Memory) -> Tensor:
        """The decoder's first state [L, B, D]."""
        assert memory.summary is not None  # `encode` made it
        states = self.bridge(memory.summary).tanh()
        return torch.stack(states.chunk(self.config.decoder_layers, -1))

    def look(self, query: Tensor, memory: Memory) -> tuple[Tensor, Tensor | None]:
        """What `query` [B, T, D] finds in the memory: context [B, T, D], weights [B, T, S]."""
        mask = memory.mask.unsqueeze(1)  # [B, 1, S]
        if self.config.attention == "none":
            assert memory.summary is not None  # `encode` made it
            return memory.summary.unsqueeze(1).expand(-1, query.shape[1], -1), None
        if self.attention is None:
            return dot_product_attention(query, memory.states, memory.states, mask)
        return self.attention(query, memory.states, memory.states, mask)

    def _embed(self, table: nn.Embedding, tokens: Tensor) -> Tensor:
        # Rows have norm 1, as the output layer wants them; √E gives the GRUs variance 1.
        return self._dropped(table(tokens) * math.sqrt(table.embedding_dim))

    def _dropped(self, x: Tensor) -> Tensor:
        return dropout(x, self.config.dropout, self.training)


def embedding(config: Seq2SeqConfig) -> nn.Embedding:
    """A table of token vectors [V, E] whose rows have a norm of about 1."""
    table = nn.Embedding(config.vocab_size, config.embed_dim)
    nn.init.normal_(table.weight, std=config.embed_dim**-0.5)
    return table


def _attention(config: Seq2SeqConfig) -> nn.Module | None:
    if config.attention == "trainable":
        return TrainableDotProductAttention(config.hidden_dim)
    if config.attention == "additive":
        return AdditiveAttention(config.hidden_dim)
    return None
