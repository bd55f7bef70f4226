"""Vision Transformer: one class for small models from scratch and for pretrained backbones.

Chapter 8, "Vision Transformer"; Dosovitskiy et al. 2021, with the convolutional stem of Hassani et
al. 2021 as a choice.

Shapes: B batch, S side of the square pictures, P patches, T tokens (P, and 1 with a class token),
D width, H heads, N classes.
"""

from dataclasses import replace
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dlcc.core.nn.layers import BlockConfig, EncoderBlock, sinusoidal_positions
from dlcc.core.vit.config import ViTConfig


class ViT(nn.Module):
    """Pictures to class scores."""

    pixel_mean: Tensor
    pixel_std: Tensor

    def __init__(self, config: ViTConfig) -> None:
        super().__init__()
        self.config = config
        width, patch = config.embed_dim, config.patch_size
        self.register_buffer("pixel_mean", _channels(config.pixel_mean), persistent=False)
        self.register_buffer("pixel_std", _channels(config.pixel_std), persistent=False)
        self.embed = (
            conv_stem(config.stem, width) if config.stem else nn.Conv2d(3, width, patch, patch)
        )
        length = config.grid[0] * config.grid[1] + config.class_token
        if config.class_token:
            self.class_token = nn.Parameter(torch.zeros(1, 1, width))
        if config.positions == "learned":
            self.positions = nn.Parameter(torch.empty(1, length, width))
        else:
            fixed = sinusoidal_positions(length, width)[None]
            self.register_buffer("positions", fixed, persistent=False)
        self.blocks = nn.ModuleList(
            EncoderBlock(
                BlockConfig(
                    width,
                    config.num_heads,
                    config.hidden_dim,
                    dropout=config.dropout,
                    drop_path=config.drop_path * number / max(config.num_layers - 1, 1),
                    layer_scale=config.layer_scale,
                    norm_eps=config.norm_eps,
                    attention_bias=config.attention_bias,
                )
            )
            for number in range(config.num_layers)
        )
        self.norm = nn.LayerNorm(width, eps=config.norm_eps)
        if config.pooling == "sequence":
            self.pool = nn.Linear(width, 1)
        self.head = nn.Linear(width, config.num_classes)
        self._initialise()

    def forward(self, images: Tensor) -> Tensor:
        """Class scores [B, N] of pictures [B, 3, S, S], values from 0 to 1."""
        return self.classify(self.encode(images))

    def attend(self, images: Tensor) -> tuple[Tensor, list[Tensor], Tensor]:
        """As `forward`, with what was attended to.

        Returns:
            Scores [B, N]; for each layer the weights [B, H, T, T]; and the share [B, T] of each
            token in the pooled vector. Gradients run through the weights.
        """
        x, maps = self.embed_patches(images), []
        for block in self.blocks:
            x, weights = block(x, need_weights=True)
            maps.append(weights)
        x = self.norm(x)
        return self.classify(x), maps, self.pooling_shares(x)

    def encode(self, images: Tensor) -> Tensor:
        """Normalised tokens [B, T, D] after the last block."""
        x = self.embed_patches(images)
        for block in self.blocks:
            x, _ = block(x)
        return self.norm(x)

    def embed_patches(self, images: Tensor) -> Tensor:
        """Tokens [B, T, D] with their positions, before the first block."""
        images = (images - self.pixel_mean) / self.pixel_std
        images = images.contiguous(memory_format=torch.channels_last)  # faster convolutions on CPU
        patches = self.embed(images)  # [B, D, rows, columns]
        grid = (patches.shape[2], patches.shape[3])
        x = patches.flatten(2).transpose(1, 2)
        if self.config.class_token:
            x = torch.cat((self.class_token.expand(x.shape[0], -1, -1).to(x.dtype), x), 1)
        positions: Tensor = self.positions
        if grid != self.config.grid:
            positions = interpolate_positions(
                positions, self.config.grid, grid, self.config.class_token
            )
        return x + positions.to(x.dtype)

    def pooling_shares(self, tokens: Tensor) -> Tensor:
        """How much of each token [B, T, D] is in the pooled vector: [B, T], rows sum to 1."""
        first = int(self.config.class_token)
        shares = tokens.new_zeros(tokens.shape[:2])
        if self.config.pooling == "class":
            shares[:, 0] = 1.0
        elif self.config.pooling == "mean":
            shares[:, first:] = 1 / (tokens.shape[1] - first)
        else:
            weights = self.pool(tokens[:, first:]).squeeze(-1).softmax(-1)
            shares[:, first:] = weights.to(shares.dtype)
        return shares

    def classify(self, tokens: Tensor) -> Tensor:
        """Class scores [B, N] from the tokens of `encode` [B, T, D]."""
        patches = tokens[:, int(self.config.class_token) :]
        if self.config.pooling == "class":
            pooled = tokens[:, 0]
        elif self.config.pooling == "mean":
            pooled = patches.mean(1)
        else:
            weights = self.pool(patches).softmax(1)  # [B, P, 1]
            pooled = (weights.transpose(1, 2) @ patches).squeeze(1)
        return self.head(pooled)

    def replace_head(self, num_classes: int) -> None:
        """Start a new head, for other classes."""
        self.config = replace(self.config, num_classes=num_classes)
        self.head = nn.Linear(self.config.embed_dim, num_classes).to(self.head.weight.device)
        _initialise_linear(self.head)

    def _initialise(self) -> None:
        for module in self.modules():
            if isinstance(module, nn.Linear):
                _initialise_linear(module)
        if self.config.class_token:
            nn.init.trunc_normal_(self.class_token, std=0.02)
        if self.config.positions == "learned":
            nn.init.trunc_normal_(self.positions, std=0.02)


def interpolate_positions(
    positions: Tensor, old: tuple[int, int], new: tuple[int, int], class_token: bool
) -> Tensor:
    """Positions of another grid, bicubic (Dosovitskiy et al. 2021, section 3.2).

    Args:
        positions: [1, T, D] on the grid `old`; the class token's first where there is one.
        old: (rows, columns).
        new: (rows, columns).
        class_token: whether the first position is the class token's, which stays.

    Returns:
        [1, T', D] on the grid `new`.
    """
    first = int(class_token)
    table = positions[:, first:].float().transpose(1, 2).unflatten(2, old)  # [1, D, rows, columns]
    table = F.interpolate(table, new, mode="bicubic", align_corners=False)
    return torch.cat((positions[:, :first], table.flatten(2).transpose(1, 2)), 1)


def _initialise_linear(layer: nn.Linear) -> None:
    nn.init.trunc_normal_(layer.weight, std=0.02)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)


def _channels(values: tuple[float, ...]) -> Tensor:
    return torch.tensor(values)[:, None, None]  # [3, 1, 1]


class Convolution(nn.Module):
    """A 3×3 convolution, normalised over the batch, with a GELU.

    One that changes the width halves the picture; one that does not adds to its input.
    """

    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(before, after, 3, stride, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(after)
        self.adds = before == after

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, S, S] to [B, C', S', S']."""
        new = F.gelu(self.norm(self.conv(x)))
        return x + new if self.adds else new


def conv_stem(channels: tuple[int, ...], embed_dim: int) -> nn.Sequential:
    """Convolutions from pixels to one token per patch."""
    layers = [Convolution(3, channels[0], 1)]
    for before, after in pairwise((*channels, embed_dim)):
        layers.append(Convolution(before, after, 1 if before == after else 2))
    return nn.Sequential(*layers)
