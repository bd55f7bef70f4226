"""Attention of any PyTorch model, without changing a line of it.

    with capture(model) as seen:
        model(**inputs)
    seen.trace(query=tokens).save("step-100.trace")

Fused kernels never write their weights down, so what they are given is watched, and the weights are
computed beside them: `F.scaled_dot_product_attention`, also where `nn.MultiheadAttention` calls it.
Attention that is written out by hand is seen as a softmax over the last dimension whose result is
multiplied with values next; what is multiplied with nothing is only a softmax.

Shapes: B batch, H heads, Q query positions, K key positions, D width of a head, L layers.
"""

import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial

import torch
from torch import nn

from dlcc.core.capture.calls import Asked
from dlcc.core.capture.recorder import Recorder
from dlcc.core.capture.seen import Seen
from dlcc.core.capture.watch import Watch

__all__ = ["HALF_ABOVE", "MAX_BYTES", "Seen", "capture"]

MAX_BYTES = 2**32
"""What is held at most where nothing else is said."""
HALF_ABOVE = 2**28
"""Bytes of float32 weights beyond which they are kept in float16."""


@contextmanager
def capture(
    model: nn.Module,
    *,
    layers: Iterable[int] | None = None,
    heads: Iterable[int] | None = None,
    queries: Iterable[int] | None = None,
    modules: str = "*",
    example: int = 0,
    gradients: bool = False,
    vectors: bool = True,
    max_bytes: int = MAX_BYTES,
    half_above: int = HALF_ABOVE,
) -> Iterator[Seen]:
    """Watch the attention of `model` while the context is open.

    The model's outputs stay what they are, bit for bit; where that takes another path through
    `nn.TransformerEncoder`, to 1e-5, and `Seen.notes` says so. All hooks are gone afterwards.

    Args:
        model: any module; compiled parts run uncompiled meanwhile.
        layers: numbers from 0 of those to keep, in the order that they run in, negative ones from
            the last; all when None. What is not chosen is never held.
        heads: the same for heads.
        queries: the same for query positions.
        modules: which modules' attention is meant, by name, * for any letters. Named ones may have
            a softmax of two or three dimensions without queries and keys.
        example: which of the batch.
        gradients: whether `Seen.slopes` will be asked for; holds on to the graph.
        vectors: whether queries, keys and values are kept, which say how a cell came about.
        max_bytes: of all that is kept.
        half_above: bytes of weights in float32 beyond which all is kept in float16.

    Raises:
        UsageError: more would be kept than `max_bytes`; gradients of a model that runs without.
    """
    asked = Asked(
        None if layers is None else tuple(layers),
        None if heads is None else tuple(heads),
        None if queries is None else tuple(queries),
        modules,
        example,
        gradients,
        vectors,
        max_bytes,
        half_above,
    )
    recorder = Recorder(model, asked)
    with ExitStack() as stack:
        for name, module in model.named_modules():
            if isinstance(module, torch.jit.ScriptModule):
                recorder.say("TorchScript is not seen: capture the model that was scripted")
                continue
            enter = module.register_forward_pre_hook(partial(recorder.enter, name))
            stack.callback(enter.remove)
            leave = module.register_forward_hook(partial(recorder.leave, name), always_call=True)
            stack.callback(leave.remove)
        if "torch._dynamo" in sys.modules:  # nothing was compiled without
            if any(hasattr(m, "_orig_mod") or m._compiled_call_impl for m in model.modules()):
                recorder.say("the compiled model ran uncompiled while it was looked at")
            stack.enter_context(torch.compiler.set_stance("force_eager"))
        stack.callback(recorder.forget)
        stack.enter_context(Watch(recorder))
        yield Seen(recorder)
