"""A Transformer encoder and decoder (Vaswani et al. 2017; chapter 8), normalised first.

It answers as `Seq2Seq` does, so that the same search translates with either. What the decoder
carries from step to step are the keys and values of the tokens before.

Shapes: B batch, S source length, T target length, P target tokens before, D width, H heads, L
decoder layers, V vocabulary.
"""

import math

import torch
from torch import Tensor, nn

from dlcc.core.nn.attention import MultiHeadAttention
from dlcc.core.nn.dropout import dropout
from dlcc.core.nn.layers import BlockConfig, DecoderBlock, EncoderBlock, sinusoidal_positions
from dlcc.core.translate.config import Seq2SeqConfig
from dlcc.core.translate.model import Decoded, Memory, embedding


class Transformer(nn.Module):
    """The translator: source tokens in, a distribution over the next target token out.

    Args:
        padding: the token that fills batches up.
    """

    def __init__(self, config: Seq2SeqConfig, padding: int = 0) -> None:
        super().__init__()
        self.config, self.padding = config, padding
        self.source_embedding = embedding(config)
        self.target_embedding = self.source_embedding if config.tied else embedding(config)
        block = BlockConfig(
            config.embed_dim,
            config.num_heads,
            config.hidden_dim,
            dropout=config.dropout,
            inner_dropout=0.0,
        )
        self.encoder = nn.ModuleList(EncoderBlock(block) for _ in range(config.encoder_layers))
        self.encoder_norm = nn.LayerNorm(config.embed_dim)
        self.decoder = nn.ModuleList(DecoderBlock(block) for _ in range(config.decoder_layers))
        self.decoder_norm = nn.LayerNorm(config.embed_dim)
        self.output = nn.Linear(config.embed_dim, config.vocab_size)
        if config.tied:
            self.output.weight = self.source_embedding.weight
        for module in (*self.encoder.modules(), *self.decoder.modules()):
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                nn.init.zeros_(module.bias)
        nn.init.zeros_(self.output.bias)

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        """Logits [B, T, V] of the token after each of `target` [B, T], given `source` [B, S]."""
        return self.decode(self.encode(source), target, need_weights=False).logits

    def encode(self, source: Tensor) -> Memory:
        """Read `source` [B, S] int64, padded on the right, at least one token a row."""
        mask = source != self.padding
        x = self._embed(self.source_embedding, source, 0)
        for block in self.encoder:
            x, _ = block(x, mask[:, None, None])
        x = self.encoder_norm(x)
        crosses = (block.get_submodule("cross") for block in self.decoder)
        pairs = [
            torch.stack(cross.keys_and_values(x), 1)
            for cross in crosses
            if isinstance(cross, MultiHeadAttention)
        ]
        return Memory(x, mask, projected=torch.stack(pairs, 1))

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
            state: [L, B, 2, H, P, D/H]; None starts at the beginning.
            need_weights: whether to say what was looked at.
        """
        assert memory.projected is not None  # `encode` made it
        if state is None:
            state = self.start(memory)
        x = self._embed(self.target_embedding, target, state.shape[4])
        pasts, queries, maps = [], [], []
        for layer, block in enumerate(self.decoder):
            pair = (memory.projected[:, layer, 0], memory.projected[:, layer, 1])
            x, past, asked, weights = block(
                x, pair, memory.mask, state[layer], need_weights=need_weights
            )
            pasts.append(past)
            queries.append(asked)
            maps.append(weights)
        x = self.decoder_norm(x)
        logits = self.output(dropout(x, self.config.dropout, self.training))
        query = torch.stack(queries, 1).permute(0, 3, 1, 2, 4)  # [B, T, L, H, D/H]
        looked = torch.stack(maps, 1).permute(0, 3, 1, 2, 4) if need_weights else None
        return Decoded(logits, torch.stack(pasts), query, looked)

    def start(self, memory: Memory) -> Tensor:
        """What the decoder knows at the beginning: [L, B, 2, H, 0, D/H]."""
        heads, width = self.config.num_heads, self.config.embed_dim // self.config.num_heads
        shape = (len(self.decoder), memory.mask.shape[0], 2, heads, 0, width)
        return memory.states.new_zeros(shape)

    def _embed(self, table: nn.Embedding, tokens: Tensor, before: int) -> Tensor:
        # Rows have norm 1, as the output layer wants them; √D gives them the size of positions.
        width = table.embedding_dim
        end = before + tokens.shape[1]
        positions = sinusoidal_positions(end, width, table.weight.device)[before:]
        vectors = table(tokens) * math.sqrt(width) + positions
        return dropout(vectors, self.config.dropout, self.training)
