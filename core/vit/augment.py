"""Whole batches of pictures, changed on their device, never one picture at a time: augmentation,
and CutMix and MixUp, which make one picture of two with labels in the same shares.

Every random number comes from the generator that is passed in.

Shapes: B batch, C channels, S side of the square pictures, N classes.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True)
class AugmentConfig:
    """How far pictures are changed. 0 or False leaves a step out."""

    flip: bool = True
    """Mirror half of the pictures."""
    shift: float = 0.125
    """Largest shift in both directions, as a share of the side; the border is mirrored."""
    warp: float = 0.0
    """Share of pictures turned by up to 20°, sheared by up to 0.2, scaled by 0.8 to 1.2."""
    colour: float = 0.0
    """Share of pictures whose brightness, contrast and saturation change by up to 40 %."""
    cutout: float = 0.0
    """Side of a grey square that hides a part of each picture, as a share of the side."""


LEVELS = {
    "none": AugmentConfig(flip=False, shift=0.0),
    "light": AugmentConfig(),
    "strong": AugmentConfig(warp=0.5, colour=0.5, cutout=0.25),
}
"""By name."""


def augment(images: Tensor, config: AugmentConfig, generator: torch.Generator) -> Tensor:
    """Change each picture of a batch in its own way.

    Args:
        images: [B, C, S, S] float, values from 0 to 1.
        generator: on the CPU.

    Returns:
        [B, C, S, S] float, values from 0 to 1.
    """
    if config.flip:
        mirrored = torch.rand(len(images), 1, 1, 1, generator=generator) < 0.5
        images = torch.where(mirrored.to(images.device), images.flip(-1), images)
    if config.shift:
        images = _shift(images, config.shift, generator)
    if config.warp:
        images = _some_changed(images, config.warp, _warped, generator)
    if config.colour:
        images = _some_changed(images, config.colour, _coloured, generator)
    if config.cutout:
        images = _cutout(images, config.cutout, generator)
    return images


def shifted(images: Tensor, down: Tensor, right: Tensor, pad: int) -> Tensor:
    """Move each picture by its own whole pixels; the border mirrors the picture.

    Args:
        images: [B, C, S, S].
        down: [B] int64, from -pad to pad.
        right: [B] int64, from -pad to pad.
        pad: the farthest a picture may move, less than S.
    """
    side = images.shape[-1]
    padded = F.pad(images, (pad, pad, pad, pad), mode="reflect")
    windows = padded.unfold(2, side, 1).unfold(3, side, 1)  # [B, C, 2p+1, 2p+1, S, S], a view
    picked = torch.arange(len(images), device=images.device)
    return windows[picked, :, (pad - down).to(picked), (pad - right).to(picked)]


def _shift(images: Tensor, share: float, generator: torch.Generator) -> Tensor:
    pad = max(1, round(share * images.shape[-1]))
    down, right = torch.randint(-pad, pad + 1, (2, len(images)), generator=generator)
    return shifted(images, down, right, pad)


def _some_changed(
    images: Tensor,
    share: float,
    change: Callable[[Tensor, Tensor], Tensor],
    generator: torch.Generator,
) -> Tensor:
    """A share of the pictures changed, each by three numbers from -1 to 1 of its own: [3, b]."""
    chosen = (torch.rand(len(images), generator=generator) < share).nonzero().squeeze(1)
    if not len(chosen):
        return images
    numbers = torch.rand(3, len(chosen), generator=generator) * 2 - 1
    chosen = chosen.to(images.device)
    return images.index_copy(0, chosen, change(images[chosen], numbers))


def _warped(images: Tensor, numbers: Tensor) -> Tensor:
    """Turned, sheared and scaled around their middle."""
    turn, shear, scale = numbers
    angle, scale = turn * math.radians(20), 1 + 0.2 * scale
    cos, sin = angle.cos() * scale, angle.sin() * scale
    zero = torch.zeros_like(cos)
    first = torch.stack((cos, -sin + 0.2 * shear, zero), 1)
    matrix = torch.stack((first, torch.stack((sin, cos, zero), 1)), 1)  # [b, 2, 3]
    grid = F.affine_grid(matrix.to(images), list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, padding_mode="reflection", align_corners=False)


def _coloured(images: Tensor, numbers: Tensor) -> Tensor:
    """With other brightness, contrast (around the mean grey) and saturation."""
    factors = (1 + 0.4 * numbers).to(images.device)
    brightness, contrast, saturation = factors[:, :, None, None, None]
    images = images * brightness
    grey = images.mean(1, keepdim=True)
    images = grey + (images - grey) * saturation
    middle = grey.mean((2, 3), keepdim=True)
    return (middle + (images - middle) * contrast).clamp(0, 1)


def _cutout(images: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """Hide a square of each picture, anywhere (DeVries & Taylor 2017)."""
    side = images.shape[-1]
    half = max(1, round(share * side)) / 2
    centre = torch.rand(2, len(images), 1, generator=generator) * side
    near = ((torch.arange(side) + 0.5) - centre).abs() < half  # [2, B, S]
    hidden = near[0][:, :, None] & near[1][:, None, :]
    return images.masked_fill(hidden[:, None].to(images.device), 0.5)


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
