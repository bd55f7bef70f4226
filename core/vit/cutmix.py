"""CutMix and MixUp: pictures made of two, with labels in the same shares.

Pure tensor functions: every random number comes from the generator that is passed in.

Shapes: B batch, C channels, S side of the square pictures, N classes.
"""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True)
class Mixed:
    """A batch of which each picture is made of two."""

    images: Tensor
    """[B, C, S, S]: of the type that went in."""
    partner: Tensor
    """[B] int64: which picture of the batch the second part is from."""
    share: Tensor
    """[B] float32: how much of each picture is still the first, from 0 to 1."""
    box: Tensor | None = None
    """[B, 4] int64: top, left, bottom, right of what CutMix pasted; bottom and right exclusive."""


def cutmix(images: Tensor, generator: torch.Generator, alpha: float = 1.0) -> Mixed:
    """Paste a box of another picture into each (Yun et al. 2019, section 3.1 and algorithm A1).

    The box is clipped at the border, and the share is counted from the area really pasted.

    Args:
        images: [B, C, S, S].
        generator: on the CPU.
        alpha: the box takes 1 - λ of the area, λ from Beta(alpha, alpha), before clipping.
    """
    batch, _, rows, columns = images.shape
    side = (1 - _beta(batch, alpha, generator)).sqrt()
    partner = torch.randperm(batch, generator=generator)
    edges = []
    for length in (rows, columns):
        half = (side * length / 2).round()
        centre = torch.randint(length, (batch,), generator=generator)
        edges.append(
            ((centre - half).clamp(min=0).long(), (centre + half).clamp(max=length).long())
        )
    (top, bottom), (left, right) = edges
    inside = _between(top, bottom, rows)[:, :, None] & _between(left, right, columns)[:, None, :]
    mixed = torch.where(inside[:, None].to(images.device), images[partner], images)
    share = 1 - inside.flatten(1).float().mean(1)
    return Mixed(mixed, partner, share, torch.stack((top, left, bottom, right), 1))


def mixup(images: Tensor, generator: torch.Generator, alpha: float = 0.8) -> Mixed:
    """Blend each picture with another (Zhang et al. 2018, eq. 1).

    Args:
        images: [B, C, S, S], floating point.
        generator: on the CPU.
        alpha: the first picture's share is from Beta(alpha, alpha).
    """
    share = _beta(len(images), alpha, generator)
    partner = torch.randperm(len(images), generator=generator)
    weight = share.to(images.device, images.dtype)[:, None, None, None]
    return Mixed(images * weight + images[partner] * (1 - weight), partner, share)


def mixed_labels(labels: Tensor, mixed: Mixed, num_classes: int) -> Tensor:
    """Probabilities [B, N] of each class: the two labels [B] in the shares of their pictures."""
    one_hot = F.one_hot(labels, num_classes).float()
    share = mixed.share.to(labels.device)[:, None]
    return one_hot * share + one_hot[mixed.partner.to(labels.device)] * (1 - share)


def _between(first: Tensor, last: Tensor, length: int) -> Tensor:
    """[B, length] bool: True from `first` [B] up to before `last` [B]."""
    place = torch.arange(length)
    return (place >= first[:, None]) & (place < last[:, None])


def _beta(count: int, alpha: float, generator: torch.Generator) -> Tensor:
    """[count] float32 from Beta(alpha, alpha); NumPy's, as torch's takes no generator."""
    seed = int(torch.randint(2**62, (), generator=generator))
    return torch.from_numpy(np.random.default_rng(seed).beta(alpha, alpha, count)).float()
