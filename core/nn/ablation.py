"""Heads switched off: what a model does without them.

Shapes: B batch, L attentions, H heads, T tokens, D width.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from torch import Tensor, nn

from dlcc.core.nn.attention import MultiHeadAttention


@contextmanager
def heads_off(attentions: Sequence[nn.Module], kept: Tensor) -> Iterator[None]:
    """Within it heads that are not kept add nothing: the values that they have weighted are zero
    before the heads are joined (Michel et al. 2019, eq. 2; Voita et al. 2019, section 4, with gates
    of 0 and 1). Their weights and all other heads of the layer stay as they are.

    Args:
        attentions: the L multi-head attentions.
        kept: boolean [B, L, H], of each sequence of a batch; B may be 1, for all.

    Raises:
        ValueError: something else than multi-head attention.
    """
    with ExitStack() as hooks:
        for layer, attention in enumerate(attentions):
            if not isinstance(attention, MultiHeadAttention):
                raise ValueError(f"{type(attention).__name__} has no heads to switch off")
            hook = attention.out_proj.register_forward_pre_hook(_gate(kept[:, layer]))
            hooks.callback(hook.remove)
        yield


def _gate(kept: Tensor) -> Any:
    def gate(module: nn.Module, inputs: tuple[Tensor, ...]) -> Tensor:
        (joined,) = inputs  # [B, T, D]: head beside head
        width = joined.shape[-1] // kept.shape[-1]
        gates = kept.repeat_interleave(width, -1)[:, None].to(joined.device, joined.dtype)
        return joined * gates

    return gate
