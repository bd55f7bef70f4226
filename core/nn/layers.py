"""What a Transformer is stacked from: positions, feed-forward layers, encoder blocks.

Shapes: B batch, T sequence length, D width, H heads.
"""

import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dlcc.core.nn.attention import MultiHeadAttention
from dlcc.core.nn.dropout import dropout


def sinusoidal_positions(length: int, embed_dim: int, device: torch.device | None = None) -> Tensor:
    """Fixed position vectors [length, embed_dim] (Vaswani et al. 2017, section 3.5).

    Even columns hold sines and odd columns cosines, of wavelengths from 2π to 10,000 · 2π.
    """
    position = torch.arange(length, dtype=torch.float32, device=device)[:, None]
    pairs = torch.arange(0, embed_dim, 2, device=device)
    frequency = torch.exp(pairs * (-math.log(10_000.0) / embed_dim))
    angles = position * frequency  # [length, ceil(D / 2)]
    table = torch.stack((angles.sin(), angles.cos()), -1).flatten(1)
    return table[:, :embed_dim]


class FeedForward(nn.Module):
    """Two linear layers with a GELU between, the same at every position (ibid., section 3.3)."""

    def __init__(self, embed_dim: int, hidden_dim: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.up = nn.Linear(embed_dim, hidden_dim)
        self.down = nn.Linear(hidden_dim, embed_dim)
        self.dropout = dropout

    def forward(self, x: Tensor) -> Tensor:
        """[..., D] to [..., D]."""
        hidden = dropout(F.gelu(self.up(x)), self.dropout, self.training)
        return self.down(hidden)


@dataclass(frozen=True)
class BlockConfig:
    """One encoder block."""

    embed_dim: int
    """Width of the sequence, D."""
    num_heads: int
    """Attention heads; a divisor of `embed_dim`."""
    hidden_dim: int
    """Width inside the feed-forward layer."""
    dropout: float = 0.0
    """Share dropped from what each half adds, and inside it."""
    norm_first: bool = True
    """Normalise before attention and feed-forward (pre-norm) or after, as the book does."""
    drop_path: float = 0.0
    """Share of samples for which a half is left out in training (Huang et al. 2016)."""
    layer_scale: bool = False
    """Whether what each half adds is scaled by learned factors (Touvron et al. 2021)."""
    inner_dropout: float | None = None
    """Share dropped inside the halves, from the weights and the feed-forward layer; `dropout` when
    None. On a CPU this is the expensive part of dropout."""
    norm_eps: float = 1e-6
    """Added to the variance in each normalisation."""
    attention_bias: bool = True
    """Whether the projections of attention have a bias."""


class EncoderBlock(nn.Module):
    """Self-attention and a feed-forward layer, each with a residual and a normalisation.

    Chapter 8, "Transformer encoder"; Vaswani et al. 2017, section 3.1.
    """

    def __init__(self, config: BlockConfig) -> None:
        super().__init__()
        width = config.embed_dim
        inner = config.dropout if config.inner_dropout is None else config.inner_dropout
        self.config = config
        self.attention_norm = nn.LayerNorm(width, eps=config.norm_eps)
        self.attention = MultiHeadAttention(width, config.num_heads, inner, config.attention_bias)
        self.feed_forward_norm = nn.LayerNorm(width, eps=config.norm_eps)
        self.feed_forward = FeedForward(width, config.hidden_dim, inner)
        if config.layer_scale:
            self.attention_scale = nn.Parameter(torch.full((width,), 1e-5))
            self.feed_forward_scale = nn.Parameter(torch.full((width,), 1e-5))

    def forward(
        self, x: Tensor, mask: Tensor | None = None, *, need_weights: bool = False
    ) -> tuple[Tensor, Tensor | None]:
        """Transform a batch of sequences.

        Args:
            x: [B, T, D].
            mask: boolean, broadcasts to [B, H, T, T]; True means may attend.
            need_weights: whether to return the attention weights.

        Returns:
            [B, T, D], and the weights [B, H, T, T] or None.
        """
        if self.config.norm_first:
            normed = self.attention_norm(x)
            added, weights = self.attention(normed, mask=mask, need_weights=need_weights)
            x = x + self._residual(added, "attention_scale")
            added = self.feed_forward(self.feed_forward_norm(x))
            return x + self._residual(added, "feed_forward_scale"), weights
        added, weights = self.attention(x, mask=mask, need_weights=need_weights)
        x = self.attention_norm(x + self._residual(added, "attention_scale"))
        added = self.feed_forward(x)
        return self.feed_forward_norm(x + self._residual(added, "feed_forward_scale")), weights

    def _residual(self, added: Tensor, scale: str) -> Tensor:
        if self.config.layer_scale:
            added = added * getattr(self, scale)
        added = dropout(added, self.config.dropout, self.training)
        if self.training and self.config.drop_path:
            keep = 1 - self.config.drop_path
            kept = torch.rand(len(added), *[1] * (added.ndim - 1), device=added.device) < keep
            added = added * kept / keep
        return added


class DecoderBlock(nn.Module):
    """Causal self-attention, attention to a memory and a feed-forward layer, normalised first.

    Vaswani et al. 2017, section 3.1. `BlockConfig`'s drop_path, layer_scale, norm_first and
    attention_bias are an encoder's.
    """

    def __init__(self, config: BlockConfig) -> None:
        super().__init__()
        width = config.embed_dim
        inner = config.dropout if config.inner_dropout is None else config.inner_dropout
        self.dropout = config.dropout
        self.attention_norm = nn.LayerNorm(width, eps=config.norm_eps)
        self.attention = MultiHeadAttention(width, config.num_heads, inner)
        self.cross_norm = nn.LayerNorm(width, eps=config.norm_eps)
        self.cross = MultiHeadAttention(width, config.num_heads, inner)
        self.feed_forward_norm = nn.LayerNorm(width, eps=config.norm_eps)
        self.feed_forward = FeedForward(width, config.hidden_dim, inner)

    def forward(
        self,
        x: Tensor,
        memory: tuple[Tensor, Tensor],
        memory_mask: Tensor,
        past: Tensor,
        *,
        need_weights: bool = False,
    ) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
        """Go on over a batch of sequences.

        Args:
            x: [B, T, D]: what follows the past.
            memory: keys and values of `cross`, [B, H, S, D/H] each.
            memory_mask: boolean [B, S]; True means may attend.
            past: [B, 2, H, P, D/H]: keys and values of the P tokens before.
            need_weights: whether to return the weights on the memory.

        Returns:
            [B, T, D]; keys and values [B, 2, H, P + T, D/H]; what the memory was asked
            [B, H, T, D/H]; and the weights on it [B, H, T, S] or None.
        """
        q, k, v = self.attention.project(self.attention_norm(x))
        past = torch.cat((past.to(k.dtype), torch.stack((k, v), 1)), 3)
        before, length = past.shape[3] - x.shape[1], past.shape[3]
        causal = torch.ones(x.shape[1], length, dtype=torch.bool, device=x.device).tril(before)
        added, _ = self.attention.mix(q, past[:, 0], past[:, 1], causal)
        x = x + dropout(added, self.dropout, self.training)
        asked = self.cross.queries(self.cross_norm(x))
        added, weights = self.cross.mix(
            asked, *memory, memory_mask[:, None, None], need_weights=need_weights
        )
        x = x + dropout(added, self.dropout, self.training)
        added = self.feed_forward(self.feed_forward_norm(x))
        return x + dropout(added, self.dropout, self.training), past, asked, weights


def count_parameters(parameters: Iterable[Tensor]) -> int:
    """How many numbers they hold."""
    return sum(parameter.numel() for parameter in parameters)


def as_array(*tensors: Tensor) -> np.ndarray:
    """Tensors joined along their first dimension, float32, away from gradients and device."""
    return torch.cat(tensors).detach().float().cpu().numpy()


@contextmanager
def recorded_projections(blocks: Iterable[nn.Module]) -> Iterator[dict[str, list[Tensor]]]:
    """Collect what the attention of each `EncoderBlock` compares, while the context is open.

    Yields:
        `query`, `key` and `value`, each a list that gets [B, H, T, D/H] from every block in turn.
    """
    parts: dict[str, list[Tensor]] = {"query": [], "key": [], "value": []}

    def keep(module: nn.Module, inputs: tuple[Tensor, ...], output: object) -> None:
        assert isinstance(module, MultiHeadAttention)
        for name, part in zip(parts, module.project(inputs[0]), strict=True):
            parts[name].append(part)

    hooks = [block.get_submodule("attention").register_forward_hook(keep) for block in blocks]
    try:
        yield parts
    finally:
        for hook in hooks:
            hook.remove()
