"""One attention that was seen, what is asked of it, and the shapes that it comes in.

Shapes: B batch, H heads, Q query positions, K key positions, D width of a head.
"""

from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dlcc.core.errors import UsageError

MASKED = -1e30  # what models add in place of -inf
SCORES_UP_TO = 2**22  # cells of all layers: scores can be had from queries and keys again


@dataclass(frozen=True)
class Asked:
    layers: tuple[int, ...] | None
    heads: tuple[int, ...] | None
    queries: tuple[int, ...] | None
    modules: str
    example: int
    gradients: bool
    vectors: bool
    max_bytes: int
    half_above: int


@dataclass
class Call:
    """One attention that was computed, of one example."""

    module: str
    layer: int
    run: int
    """How often the model had been called."""
    crosses: bool
    shape: tuple[int, int, int]
    """(H, Q, K), all of them."""
    heads: tuple[int, ...]
    queries: tuple[int, ...]
    weights: np.ndarray
    """[heads, queries, K]"""
    scale: float
    vectors: dict[str, np.ndarray]
    """`query` [heads, queries, D], `key` and `value` [heads, K, D]."""
    added: np.ndarray | None
    """What was added to the scaled products, -inf where masked; [H or 1, queries or 1, K]."""
    scores: np.ndarray | None
    """[heads, queries, K] where the model wrote them out."""
    output: Tensor | None
    """Where gradients are asked for: what the weights made of the values, in the graph."""
    values: Tensor | None
    """[H, K, D]"""
    batch: int


def plain(device: torch.device) -> Any:
    """What is computed beside the model: without gradients, in full precision."""
    stack = ExitStack()
    stack.enter_context(torch.no_grad())
    stack.enter_context(torch.autocast(device.type, enabled=False))
    return stack


def four(tensor: Tensor, heads: int | None) -> Tensor:
    """[B, H, rows, columns], of [B · H, ...], of [H, ...] and of more dimensions."""
    rows = tensor.shape[-2:]
    if tensor.dim() == 3:
        count = heads if heads and not tensor.shape[0] % heads else 1
        return tensor.reshape(-1, count, *rows)
    if tensor.dim() == 2:
        return tensor[None, None]
    return tensor if tensor.dim() == 4 else tensor.reshape(tensor.shape[0], -1, *rows)


def taken(tensor: Tensor, batch: int, heads: int, example: int) -> Tensor:
    """[H, rows, columns] of one example; what several heads share is there for each of them."""
    rows = tensor.shape[-2:]
    if tensor.dim() == 4:
        mine = tensor.detach()[example if tensor.shape[0] > 1 else 0]
    else:
        mine = tensor.detach().reshape(batch, -1, *rows)[example]
    return mine if len(mine) == heads else mine.repeat_interleave(heads // len(mine), 0)


def all_of(places: tuple[int, ...], length: int) -> Any:
    """What takes `places`; a slice, which copies nothing, where these are all."""
    return slice(None) if places == tuple(range(length)) else list(places)


def added_by(mask: Tensor, example: int, heads: tuple[int, ...], rows: tuple[int, ...]) -> Tensor:
    """What a mask adds to the scores [1 or heads, 1 or rows, K]: -inf where it hides."""
    mask = mask.detach()
    while mask.dim() < 4:
        mask = mask[None]
    mask = mask[example if mask.shape[0] > 1 else 0]
    mask = mask if mask.shape[0] == 1 else mask[list(heads)]
    mask = mask if mask.shape[1] == 1 else mask[:, list(rows)]
    if mask.dtype == torch.bool:
        return torch.zeros(mask.shape, device=mask.device).masked_fill(~mask, -torch.inf)
    return mask.float().where(mask > MASKED, -torch.inf)


def chosen(name: str, asked: tuple[int, ...] | None, count: int) -> tuple[int, ...]:
    """Numbers from 0 that are asked for of `count`, in order."""
    if asked is None:
        return tuple(range(count))
    for number in asked:
        if not -count <= number < count and name != "layers":
            raise UsageError(f"there are {count}, from 0", name, number)
    return tuple(sorted({number % count for number in asked if -count <= number < count}))
