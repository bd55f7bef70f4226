"""Text classifiers: an encoder-only Transformer and a GRU twin of equal size.

Chapter 8, "Sentiment analysis with a Transformer". The encoder can learn from unlabelled texts
first, by guessing masked words.

Shapes: B batch, T tokens, E width of a token's vector, D width of the encoder, D' of its output,
C classes, H heads, V tokens in the vocabulary, M masked positions.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dlcc.core.nn.attention import being_recorded, can_be_asked
from dlcc.core.nn.batches import PAD, padded_length
from dlcc.core.nn.dropout import dropout
from dlcc.core.nn.layers import (
    BlockConfig,
    EncoderBlock,
    count_parameters,
    sinusoidal_positions,
)
from dlcc.core.nn.recurrent import BidirectionalGRU
from dlcc.core.sentiment.config import EncoderConfig


class TextEncoder(nn.Module):
    """Tokens to one vector each that knows its surroundings."""

    positions: Tensor

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.config = config
        drawn = torch.randn(config.vocab_size, config.embed_dim) * 0.02
        self.embedding = nn.Embedding(
            config.vocab_size, config.embed_dim, _weight=drawn, _freeze=config.frozen_embeddings
        )
        same_width = config.embed_dim == config.width
        self.project = nn.Identity() if same_width else nn.Linear(config.embed_dim, config.width)
        self.embedding_norm = nn.LayerNorm(config.width, eps=1e-6)
        self.layers = _gru_layers(config) if config.architecture == "gru" else _blocks(config)
        self.output_dim = gru_width(config) if config.architecture == "gru" else config.width
        needs_norm = config.norm_first and config.architecture == "transformer"
        self.norm = nn.LayerNorm(config.width, eps=1e-6) if needs_norm else nn.Identity()
        positions = sinusoidal_positions(padded_length(config.max_length), config.width)
        self.register_buffer("positions", positions, persistent=False)

    def embed(self, tokens: Tensor) -> Tensor:
        """Normalised vectors [B, T, D] of tokens [B, T], without positions."""
        return self.embedding_norm(self.project(self.embedding(tokens)))

    def forward(
        self,
        embedded: Tensor,
        mask: Tensor | None,
        *,
        start: Tensor | int = 0,
        need_weights: bool = False,
    ) -> tuple[Tensor, list[Tensor]]:
        """Encode a batch.

        Args:
            embedded: [B, T, D] from `embed`; T is at most `max_length`.
            mask: boolean [B, T]; True is a token, False is padding on the right. None where there
                is no padding, which is faster.
            start: position of the first token; [1] int64 where a GPU draws it.
            need_weights: whether to return the attention weights.

        Returns:
            [B, T, D'] and, layer by layer, weights [B, H, T, T]: none for a GRU or if not needed.
        """
        config = self.config
        if config.architecture == "gru":
            x = dropout(embedded, config.dropout, self.training)
            every = embedded.new_full(embedded.shape[:1], embedded.shape[1], dtype=torch.long)
            lengths = every if mask is None else mask.sum(1).clamp(min=1)
            for layer in self.layers:
                x, _ = layer(x, lengths)
                x = dropout(x, config.dropout, self.training)
            return x, []
        x = embedded + self._positions(embedded, start)
        x = dropout(x, config.dropout, self.training)
        may_attend = None if mask is None else mask[:, None, None]  # [B, 1, 1, T]
        kept = []
        for block in self.layers:
            x, weights = block(x, may_attend, need_weights=need_weights)
            kept.append(weights)
        return self.norm(x), kept if need_weights else []

    def _positions(self, embedded: Tensor, start: Tensor | int) -> Tensor:
        """The positions [T, D] of `embedded` [B, T, D]. A graph that is recorded makes them: the
        table is larger than all else in it."""
        if isinstance(start, Tensor):
            return self.positions[start + torch.arange(embedded.shape[1], device=start.device)]
        end = start + embedded.shape[1]
        if being_recorded(embedded):
            return sinusoidal_positions(end, self.config.width)[start:]
        return self.positions[start:end]


class SentimentModel(nn.Module):
    """Encoder, masked mean over the tokens, dense top: tokens [B, T] to logits [B, C]."""

    def __init__(self, config: EncoderConfig, num_classes: int) -> None:
        super().__init__()
        self.encoder = TextEncoder(config)
        self.top = nn.Sequential(
            nn.Dropout(config.dropout),
            nn.Linear(self.encoder.output_dim, config.width),
            nn.GELU(),
            nn.Dropout(config.dropout),
            nn.Linear(config.width, num_classes),
        )

    def forward(self, tokens: Tensor) -> Tensor:
        """Logits [B, C] of tokens [B, T], padded on the right with PAD."""
        mask = tokens != PAD
        is_full = can_be_asked(mask) and bool(mask.all())
        hidden, _ = self.encoder(self.encoder.embed(tokens), None if is_full else mask)
        return self.classify(hidden, mask)

    def classify(self, hidden: Tensor, mask: Tensor) -> Tensor:
        """Logits [B, C] from the encoder's output [B, T, D'] and mask [B, T]."""
        counts = mask.sum(1, keepdim=True).clamp(min=1)
        # In float32: bfloat16's steps are as large as what a word in a long text changes.
        with torch.autocast(hidden.device.type, enabled=False):
            mean = (hidden.float() * mask[..., None]).sum(1) / counts  # [B, D']
            return self.top(mean)


class MaskedWordModel(nn.Module):
    """Encoder and a head that guesses the tokens which were masked; the vectors are tied.

    Devlin et al. 2019, section 3.1.
    """

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.encoder = TextEncoder(config)
        self.down = nn.Linear(self.encoder.output_dim, config.embed_dim)
        self.norm = nn.LayerNorm(config.embed_dim, eps=1e-6)
        self.bias = nn.Parameter(torch.zeros(config.vocab_size))

    def forward(self, tokens: Tensor, places: Tensor, start: Tensor | int = 0) -> Tensor:
        """Logits [M, V] at the masked places alone.

        Args:
            tokens: [B, T], without padding, with the mask token at `places`.
            places: [M], positions in the flattened batch.
            start: position of the first token, so that all positions are practised.
        """
        hidden, _ = self.encoder(self.encoder.embed(tokens), None, start=start)
        picked = hidden.flatten(0, 1)[places]  # [M, D']
        picked = self.norm(F.gelu(self.down(picked)))  # [M, E]
        return F.linear(picked, self.encoder.embedding.weight, self.bias)


def gru_width(config: EncoderConfig) -> int:
    """Output width of the GRU layers that come nearest to the blocks' number of parameters."""
    target = count_parameters(EncoderBlock(_block_config(config)).parameters())
    target *= config.num_layers

    def size(half: int) -> int:
        """Parameters of all GRU layers with `half` units a direction."""
        inputs = [config.width, *[2 * half] * (_num_gru_layers(config) - 1)]
        return sum(2 * 3 * half * (width + half + 2) for width in inputs)

    half = 1
    while abs(size(half + 1) - target) < abs(size(half) - target):
        half += 1
    return 2 * half


def _num_gru_layers(config: EncoderConfig) -> int:
    """Two at most: more of them learn no better and run one after the other."""
    return min(2, config.num_layers)


def _gru_layers(config: EncoderConfig) -> nn.ModuleList:
    width = gru_width(config)
    return nn.ModuleList(
        BidirectionalGRU(width if layer else config.width, width)
        for layer in range(_num_gru_layers(config))
    )


def _blocks(config: EncoderConfig) -> nn.ModuleList:
    return nn.ModuleList(EncoderBlock(_block_config(config)) for _ in range(config.num_layers))


def _block_config(config: EncoderConfig) -> BlockConfig:
    return BlockConfig(
        config.width,
        config.num_heads,
        config.hidden_dim,
        dropout=config.dropout,
        norm_first=config.norm_first,
        inner_dropout=config.inner_dropout,
    )
