"""Rows of token numbers as batches: the tokens that mean no word, padding, and batches by length.

All families with a vocabulary number these tokens alike.
"""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor

PAD, BOS, EOS, UNK = range(4)
SPECIAL = ("<pad>", "<s>", "</s>", "<unk>")
PAD_STEP = 32
"""Batches of long texts are padded to multiples of this many tokens: a CPU's matrix kernels are
made anew for every shape, and kept."""


def padded_length(length: int, step: int = PAD_STEP) -> int:
    """`length` rounded up to a multiple of `step`."""
    return -(-length // step) * step


def pad(sequences: Sequence[Sequence[int]], step: int = 1) -> "Tensor":
    """As `padded`, as a tensor."""
    import torch

    return torch.from_numpy(padded(sequences, step))


def padded(sequences: Sequence[Sequence[int]], step: int = 1) -> np.ndarray:
    """Token numbers as one int64 array [B, T], filled up with `PAD` on the right.

    Args:
        sequences: of any lengths, B of them.
        step: T is the longest length, rounded up to a multiple of this.
    """
    rows = np.full((len(sequences), padded_length(max(map(len, sequences)), step)), PAD, np.int64)
    for row, numbers in zip(rows, sequences, strict=True):
        row[: len(numbers)] = numbers
    return rows


def batches_by_length(
    lengths: Sequence[int], max_tokens: int, step: int = 1, order: Iterable[int] | None = None
) -> list[list[int]]:
    """Numbers of rows, batch by batch: neighbours in length, with few places lost to padding.

    Args:
        lengths: of all rows, in tokens.
        max_tokens: rows × longest of a batch, padded to a multiple of `step`; a single longer row
            is a batch of its own.
        step: as `pad` takes it.
        order: the numbers to take, about in the order of their lengths; None takes all by length.
    """
    batches: list[list[int]] = []
    longest = 0
    for number in sorted(range(len(lengths)), key=lengths.__getitem__) if order is None else order:
        length = padded_length(max(1, lengths[number]), step)
        longest = max(longest, length)
        if not batches or longest * (len(batches[-1]) + 1) > max_tokens:
            batches.append([])
            longest = length
        batches[-1].append(number)
    return batches
