"""Convolutions from pixels to tokens, before the blocks of a Vision Transformer.

Hassani et al. 2021.

Shapes: B batch, C channels, S side of the square pictures.
"""

from itertools import pairwise

import torch.nn.functional as F
from torch import Tensor, nn


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
