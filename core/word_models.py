"""What an encoder is trained in on texts without labels: masked words, and replaced ones.

Shapes: B batch, T tokens, E width of a token's vector, D' width of the encoder's output, V tokens
in the vocabulary, M masked positions.
"""

from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dlcc.core.sentiment import EncoderConfig, TextEncoder


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

    def forward(self, tokens: Tensor, places: Tensor, start: int = 0) -> Tensor:
        """Logits [M, V] at the masked places alone.

        Args:
            tokens: [B, T], without padding, with the mask token at `places`.
            places: [M], positions in the flattened batch.
            start: position of the first token, so that all positions are practised.
        """
        mask = torch.ones_like(tokens, dtype=torch.bool)
        hidden, _ = self.encoder(self.encoder.embed(tokens), mask, start=start)
        picked = hidden.flatten(0, 1)[places]  # [M, D']
        picked = self.norm(F.gelu(self.down(picked)))  # [M, E]
        return F.linear(picked, self.encoder.embedding.weight, self.bias)


class ReplacedWordModel(nn.Module):
    """Encoder and a head that tells for every token whether it was replaced.

    What it is replaced with are the guesses of a masked-word model a quarter as wide, which learns
    beside it and shares its vectors (ELECTRA, Clark et al. 2020, section 2).
    """

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.encoder = TextEncoder(config)
        heads = max(1, config.num_heads // 4)
        width = max(1, config.width // (4 * heads)) * heads
        small = replace(
            config, width=width, num_heads=heads, hidden_dim=max(1, config.hidden_dim // 4)
        )
        self.generator = MaskedWordModel(small)
        self.generator.encoder.embedding = self.encoder.embedding
        self.top = nn.Sequential(
            nn.Linear(self.encoder.output_dim, config.width),
            nn.GELU(),
            nn.Linear(config.width, 1),
        )

    def forward(self, tokens: Tensor, places: Tensor, start: int = 0) -> Tensor:
        """As `MaskedWordModel.forward`: the guesses [M, V]."""
        return self.generator(tokens, places, start)

    def tell(self, tokens: Tensor, start: int = 0) -> Tensor:
        """Log odds [B, T] that a token of tokens [B, T], without padding, was replaced."""
        mask = torch.ones_like(tokens, dtype=torch.bool)
        hidden, _ = self.encoder(self.encoder.embed(tokens), mask, start=start)
        return self.top(hidden).squeeze(-1)
