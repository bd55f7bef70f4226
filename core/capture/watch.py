"""The functions of PyTorch that a model calls, and which of them are an attention.

Shapes: B batch, H heads, Q query positions, K key positions, D width of a head.
"""

from collections.abc import Sequence
from functools import cache
from types import FunctionType
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

from dlcc.core.capture.recorder import Product, Recorder, Softmax
from dlcc.core.errors import UsageError

_PENDING = 8  # products and softmaxes that wait for what is done with them
_SOFTMAXES = {torch.softmax, Tensor.softmax, F.softmax}
_PRODUCTS = {
    *(torch.matmul, Tensor.matmul, Tensor.__matmul__, torch.bmm, Tensor.bmm, torch.einsum),
    *(torch.baddbmm, Tensor.baddbmm),
}
_FACTORS = {torch.mul, Tensor.mul, Tensor.__mul__, Tensor.__rmul__, Tensor.mul_, Tensor.__imul__}
_DIVISORS = {torch.div, Tensor.div, Tensor.__truediv__, Tensor.div_, Tensor.__itruediv__}
# What leaves the weights what they were before: dropout, other types and other shapes.
_SAME = {
    *(F.dropout, torch.dropout, Tensor.to, Tensor.type, Tensor.type_as, Tensor.float),
    *(Tensor.half, Tensor.bfloat16, Tensor.view, Tensor.reshape, Tensor.flatten),
    *(torch.reshape, torch.flatten, Tensor.contiguous, Tensor.unflatten),
}


class Watch(TorchFunctionMode):
    """Sees every function of PyTorch that is called with tensors."""

    def __init__(self, recorder: Recorder) -> None:
        super().__init__()
        self.recorder = recorder
        self.products: dict[int, tuple[Tensor, Product]] = {}
        self.maps: dict[int, tuple[Tensor, Softmax]] = {}
        self.crosses: bool | None = None
        self.num_heads: int | None = None

    def __exit__(self, *error: Any) -> None:
        self.products.clear()
        self.maps.clear()
        super().__exit__(*error)

    def __torch_function__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        if function is F.multi_head_attention_forward:
            return self._inside(args, kwargs)
        output = function(*args, **kwargs)
        if function is F.scaled_dot_product_attention:
            output = self._graph(output)
            self._fused(output, *args, **kwargs)
        elif function is F.linear:
            self.recorder.projects(args[0] if args else kwargs.get("input"))
        elif not isinstance(output, Tensor):
            pass
        elif function in _SOFTMAXES:
            self._softmax(output, args, kwargs)
        elif function in _PRODUCTS:
            output = self._product(function, output, args, kwargs)
        elif self.products or self.maps:
            self._follow(function, output, args)
        return output

    def _graph(self, output: Tensor) -> Tensor:
        """An attention's output, which slopes can be asked of where they will be."""
        if self.recorder.asked.gradients and not output.requires_grad:
            if not torch.is_grad_enabled() or output.is_inference():
                raise UsageError("gradients need the model to run with them: leave no_grad")
            output.requires_grad_()
        return output

    def _inside(self, args: Any, kwargs: Any) -> Any:
        """`F.multi_head_attention_forward`, with what it calls seen."""
        query, key = (kwargs.get(name, args[n : n + 1]) for n, name in enumerate(("query", "key")))
        query, key = (x[0] if isinstance(x, tuple) else x for x in (query, key))
        before = self.crosses, self.num_heads
        self.crosses = query is not key
        self.num_heads = kwargs.get("num_heads", args[4] if len(args) > 4 else None)
        module = self.recorder.stack[-1].module if self.recorder.stack else None
        if not torch.is_grad_enabled() and module is not None and not module.training:
            self.recorder.say(
                "the fast path of nn.MultiheadAttention was left: outputs agree to 1e-5 with those "
                "of a model that is not looked at"
            )
        try:
            with self:
                return _multi_head_body()(*args, **kwargs)
        finally:
            self.crosses, self.num_heads = before

    def _fused(
        self,
        output: Tensor,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        attn_mask: Tensor | None = None,
        dropout_p: float = 0.0,
        is_causal: bool = False,
        scale: float | None = None,
        enable_gqa: bool = False,
    ) -> None:
        if query.is_nested:
            self.recorder.say("attention on nested tensors is not seen: give padded ones")
            return
        self.recorder.keep(
            *(query, key, value, query.shape[-1] ** -0.5 if scale is None else scale),
            mask=attn_mask,
            causal=is_causal,
            output=output,
            crosses=self.crosses,
            num_heads=self.num_heads,
        )

    def _softmax(self, output: Tensor, args: Any, kwargs: Any) -> None:
        scores = args[0] if args else kwargs["input"]
        dim = kwargs.get("dim", args[1] if len(args) > 1 else None)
        product = self.products.get(id(scores), (None, None))[1]
        named = self.recorder.asked.modules != "*"
        if dim in (-1, scores.dim() - 1) and (
            scores.dim() > 3 or (scores.dim() > 1 and (product or named))
        ):
            _put(self.maps, output, Softmax(scores, output, product))

    def _product(self, function: Any, output: Tensor, args: Any, kwargs: Any) -> Tensor:
        """Queries with keys, or weights with values."""
        left, right = _operands(function, args, kwargs)
        if left is None or right is None:
            return output
        found = self.maps.get(id(left), (None, None))[1]
        if found is None:
            if left.shape[-1] == right.shape[-2] and left.dim() == right.dim():
                _put(self.products, output, Product(left, right.mT, 1.0))
            return output
        if right.shape[-2] == left.shape[-1]:
            output = self._graph(output)
            product = found.product or Product(*[None] * 3)  # type: ignore[arg-type]
            self.recorder.keep(
                *(product.query, product.key, right, product.scale or 1.0),
                seen=found,
                output=output,
                crosses=self.crosses,
                num_heads=self.num_heads,
            )
            self.maps.clear()
            self.products.clear()
        return output

    def _follow(self, function: Any, output: Tensor, args: Any) -> None:
        """Scores stay scores as they are scaled and masked, weights weights as they are dropped."""
        for number, each in enumerate(args[:2]):
            if not isinstance(each, Tensor) or not _follows(output, each):
                continue
            if id(each) in self.products and output.shape[-1] == each.shape[-1]:
                _, product = self.products.pop(id(each))
                scale = _rescaled(function, product.scale, args[1 - number] if args[1:] else None)
                _put(self.products, output, Product(product.query, product.key, scale))
                return
            if id(each) in self.maps:
                _, found = self.maps.pop(id(each))
                if function not in _SAME:
                    found = Softmax(found.scores[..., : output.shape[-1]], output, found.product)
                _put(self.maps, output, found)
                return


def _put(pending: dict[int, Any], tensor: Tensor, found: Any) -> None:
    """Hold on to it, so that its number stays its own, and let the oldest go."""
    pending[id(tensor)] = (tensor, found)
    while len(pending) > _PENDING:
        del pending[next(iter(pending))]


def _follows(output: Tensor, given: Tensor) -> bool:
    """The same shape, or the same rows in another batch, or a part of each row."""
    new, old = output.shape, given.shape
    if len(new) < 2 or len(old) < 2:
        return False
    return new == old or (
        new[-2] == old[-2]
        and ((new[-1] == old[-1] and output.numel() == given.numel()) or new[:-1] == old[:-1])
    )


def _rescaled(function: Any, scale: float | None, other: Any) -> float | None:
    """The factor on the products, after a multiplication or division by a number."""
    if function not in _FACTORS | _DIVISORS or scale is None:
        return scale
    if isinstance(other, Tensor):
        if other.numel() > 1:
            return None
        other = other.item()
    if not isinstance(other, int | float) or not other:
        return None
    return scale * other if function in _FACTORS else scale / other


def _operands(function: Any, args: Any, kwargs: Any) -> tuple[Tensor | None, Tensor | None]:
    """The two that are multiplied, the second as [..., inner, columns]."""
    given = [*args, *(kwargs[name] for name in ("other", "mat2", "batch2") if name in kwargs)]
    if function is torch.einsum:
        return _einsum_operands(given)
    if function in (torch.baddbmm, Tensor.baddbmm):
        given = given[1:]
    if len(given) < 2 or not all(isinstance(x, Tensor) and x.dim() > 1 for x in given[:2]):
        return None, None
    return given[0], given[1]


def _einsum_operands(given: Sequence[Any]) -> tuple[Tensor | None, Tensor | None]:
    if not isinstance(given[0], str) or "->" not in given[0]:
        return None, None
    tensors = list(given[1]) if isinstance(given[1], list | tuple) else list(given[1:])
    inputs, _, result = given[0].replace(" ", "").partition("->")
    names = inputs.split(",")
    if len(names) != 2 or len(tensors) != 2 or min(map(len, (*names, result))) < 2:
        return None, None
    left, right = names
    if left[-2] != result[-2] or left[:-2] != result[:-2]:
        return None, None
    if right[-1] == left[-1] and right[-2] == result[-1]:  # queries with keys
        return tensors[0], tensors[1].mT
    if right[-2] == left[-1] and right[-1] == result[-1]:  # weights with values
        return tensors[0], tensors[1]
    return None, None


@cache
def _multi_head_body() -> Any:
    """`F.multi_head_attention_forward` as it runs where nobody watches functions: it does not hand
    itself to who does, and what it calls is seen."""
    whole = F.multi_head_attention_forward
    names = {**whole.__globals__, "has_torch_function": lambda _: False}
    body = FunctionType(whole.__code__, names, whole.__name__, whole.__defaults__)
    body.__kwdefaults__ = whole.__kwdefaults__
    return body
