"""Whole batches of pictures, changed on their device, never one picture at a time: augmentation,
and CutMix and MixUp, which make one picture of two with labels in the same shares.

Random numbers are drawn where the pictures are, by that device's generator, and none is asked for
in Python: a GPU need not be waited for. `torch.manual_seed` decides them all.

Shapes: B batch, C channels, S side of the square pictures, N classes.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.distributions import Beta


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


def augment(images: Tensor, config: AugmentConfig) -> Tensor:
    """Change each picture of a batch in its own way.

    Args:
        images: [B, C, S, S] float, values from 0 to 1.

    Returns:
        [B, C, S, S] float, values from 0 to 1.
    """
    if config.flip:
        mirrored = torch.rand(len(images), 1, 1, 1, device=images.device) < 0.5
        images = torch.where(mirrored, images.flip(-1), images)
    if config.shift:
        images = _shift(images, config.shift)
    if config.warp:
        images = _some_changed(images, config.warp, _warped)
    if config.colour:
        images = _some_changed(images, config.colour, _coloured)
    if config.cutout:
        images = _cutout(images, config.cutout)
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


def _shift(images: Tensor, share: float) -> Tensor:
    pad = max(1, round(share * images.shape[-1]))
    down, right = torch.randint(-pad, pad + 1, (2, len(images)), device=images.device)
    return shifted(images, down, right, pad)


def _some_changed(
    images: Tensor, share: float, change: Callable[[Tensor, Tensor], Tensor]
) -> Tensor:
    """A share of the pictures changed, always as many, each by three numbers from -1 to 1 of its
    own: [3, b]."""
    count = round(share * len(images))
    if not count:
        return images
    chosen = torch.rand(len(images), device=images.device).argsort()[:count]
    numbers = torch.rand(3, count, device=images.device) * 2 - 1
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
    brightness, contrast, saturation = (1 + 0.4 * numbers)[:, :, None, None, None]
    images = images * brightness
    grey = images.mean(1, keepdim=True)
    images = grey + (images - grey) * saturation
    middle = grey.mean((2, 3), keepdim=True)
    return (middle + (images - middle) * contrast).clamp(0, 1)


def _cutout(images: Tensor, share: float) -> Tensor:
    """Hide a square of each picture, anywhere (DeVries & Taylor 2017)."""
    side = images.shape[-1]
    half = max(1, round(share * side)) / 2
    centre = torch.rand(2, len(images), 1, device=images.device) * side
    near = ((torch.arange(side, device=images.device) + 0.5) - centre).abs() < half  # [2, B, S]
    hidden = near[0][:, :, None] & near[1][:, None, :]
    return images.masked_fill(hidden[:, None], 0.5)


@dataclass(frozen=True)
class Mixed:
    """A batch of which pictures are made of two: each of itself and of the next of the batch."""

    images: Tensor
    """[B, C, S, S]: of the type that went in."""
    share: Tensor
    """[B] float32: how much of each picture is still the first, from 0 to 1."""
    box: Tensor | None = None
    """[B, 4] int64: top, left, bottom, right of what CutMix pasted; bottom and right exclusive."""


def _next(batch: Tensor) -> Tensor:
    """The partner of each: batches are drawn, so the next is any."""
    return batch.roll(-1, 0)


def cutmix(images: Tensor, chosen: Tensor | None = None) -> Mixed:
    """Paste a box of the next picture into each (Yun et al. 2019, section 3.1 and algorithm A1).

    The box takes 1 - λ of the area, λ drawn evenly from 0 to 1, is clipped at the border, and the
    share is counted from the area really pasted.

    Args:
        images: [B, C, S, S].
        chosen: boolean [B]: which pictures get a box; all when None.
    """
    batch, _, rows, columns = images.shape
    device = images.device
    side = (1 - torch.rand(batch, device=device)).sqrt()
    if chosen is not None:
        side = side * chosen
    edges = []
    for length in (rows, columns):
        half = (side * length / 2).round()
        centre = torch.randint(length, (batch,), device=device)
        edges.append(
            ((centre - half).clamp(min=0).long(), (centre + half).clamp(max=length).long())
        )
    (top, bottom), (left, right) = edges
    inside = _between(top, bottom, rows)[:, :, None] & _between(left, right, columns)[:, None, :]
    mixed = torch.where(inside[:, None], _next(images), images)
    share = 1 - inside.flatten(1).float().mean(1)
    return Mixed(mixed, share, torch.stack((top, left, bottom, right), 1))


def mixup(images: Tensor, chosen: Tensor | None = None, alpha: float = 0.8) -> Mixed:
    """Blend each picture with the next (Zhang et al. 2018, eq. 1).

    Args:
        images: [B, C, S, S], floating point.
        chosen: boolean [B]: which pictures are blended; all when None.
        alpha: the first picture's share is from Beta(alpha, alpha).
    """
    alphas = torch.full((len(images),), alpha, device=images.device)
    share = Beta(alphas, alphas, validate_args=False).sample()
    if chosen is not None:
        share = torch.where(chosen, share, 1.0)
    weight = share.to(images.dtype)[:, None, None, None]
    return Mixed(images * weight + _next(images) * (1 - weight), share)


def mixed_labels(labels: Tensor, mixed: Mixed) -> Tensor:
    """Probabilities [B, N] of each class: of the first pictures [B, N], those of both pictures in
    their shares."""
    share = mixed.share[:, None]
    return labels * share + _next(labels) * (1 - share)


def _between(first: Tensor, last: Tensor, length: int) -> Tensor:
    """[B, length] bool: True from `first` [B] up to before `last` [B]."""
    place = torch.arange(length, device=first.device)
    return (place >= first[:, None]) & (place < last[:, None])
