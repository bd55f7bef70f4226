"""Dropout whose random numbers do not hold up a CPU."""

import torch
import torch.nn.functional as F
from torch import Tensor

_STEPS = 2**16  # that the share is rounded to


def dropout(x: Tensor, share: float, training: bool = True) -> Tensor:
    """`x` with a share of its elements zero and the rest scaled up (Srivastava et al. 2014).

    On a CPU torch draws one number after the other on one core, 5 ns each. Sixteen random bits an
    element do as well, and 64 of them are drawn at once.

    Args:
        x: [...], any float type.
        share: from 0 to 1.
        training: False returns `x`.
    """
    if x.device.type != "cpu" or not training or not 0 < share < 1:
        return F.dropout(x, share, training)
    dropped = min(round(share * _STEPS), _STEPS - 1)
    numbers = torch.empty((x.numel() + 3) // 4, dtype=torch.int64).random_(-(2**63), None)
    bits = numbers.view(torch.int16)[: x.numel()].view(x.shape)
    kept = bits.ge_(dropped - _STEPS // 2).to(x.dtype)  # 1 or 0; a product is faster than a choice
    return x * (kept * (_STEPS / (_STEPS - dropped)))
