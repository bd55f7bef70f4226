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

import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from fnmatch import fnmatch
from functools import cache, partial
from itertools import groupby
from types import FunctionType
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from dlcc.core.errors import DataError, UsageError
from dlcc.core.trace.trace import AttentionTrace

MAX_BYTES = 2**32
"""What is held at most where nothing else is said."""
HALF_ABOVE = 2**28
"""Bytes of float32 weights beyond which they are kept in float16."""
_SCORES_UP_TO = 2**22  # cells of all layers: scores can be had from queries and keys again
_PENDING = 8  # products and softmaxes that wait for what is done with them
_MASKED = -1e30  # what models add in place of -inf

_HEAD_COUNTS = ("num_heads", "num_attention_heads", "n_heads", "n_head", "heads", "nhead")
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
) -> Iterator["Seen"]:
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
    asked = _Asked(
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
    seen = Seen(model, asked)
    with ExitStack() as stack:
        for name, module in model.named_modules():
            if isinstance(module, torch.jit.ScriptModule):
                seen.say("what TorchScript runs is not seen: capture the model that was scripted")
                continue
            enter = module.register_forward_pre_hook(partial(seen._enter, name))
            stack.callback(enter.remove)
            leave = module.register_forward_hook(partial(seen._leave, name), always_call=True)
            stack.callback(leave.remove)
        if "torch._dynamo" in sys.modules:  # nothing was compiled without
            if any(hasattr(m, "_orig_mod") or m._compiled_call_impl for m in model.modules()):
                seen.say("the compiled model ran uncompiled while it was looked at")
            stack.enter_context(torch.compiler.set_stance("force_eager"))
        stack.callback(seen._forget)
        stack.enter_context(_Watch(seen))
        yield seen


@dataclass(frozen=True)
class _Asked:
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
class _Call:
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


@dataclass
class _Frame:
    """A module that is running."""

    name: str
    module: nn.Module
    inputs: list[Tensor] = field(default_factory=list)
    """What its projections were given."""


@dataclass(frozen=True)
class _Product:
    """Queries times keys, on the way to a softmax."""

    query: Tensor
    """[..., Q, D]"""
    key: Tensor
    """[..., K, D]"""
    scale: float | None


@dataclass(frozen=True)
class _Map:
    """A softmax, on the way to its values."""

    scores: Tensor
    weights: Tensor
    product: _Product | None


class Seen:
    """What was seen. Filled while the context of `capture` is open."""

    def __init__(self, model: nn.Module, asked: _Asked) -> None:
        self.notes: list[str] = []
        """What a reader should know of how it was seen."""
        self._model, self._asked = model, asked
        self._calls: list[_Call] = []
        self._stack: list[_Frame] = []
        self._run = 0
        self._held = 0
        self._half = False
        self._planned: dict[tuple[str, int, int, int], bool] = {}
        self._crossing: set[str] = set()
        self._layer_of: dict[tuple[int, str], int] = {}
        self._masks: dict[int, tuple[Tensor, np.ndarray]] = {}

    def __len__(self) -> int:
        """How many attentions are held."""
        return len(self._calls)

    def say(self, note: str) -> None:
        """Note something, once."""
        if note not in self.notes:
            self.notes.append(note)

    # What came of it

    def trace(
        self, query: Sequence[str] = (), key: Sequence[str] = (), **more: Any
    ) -> AttentionTrace:
        """What was seen, as the one trace that it makes; arguments as for `traces`.

        Raises:
            UsageError: it makes several.
            DataError: nothing was seen.
        """
        found = self.traces(query, key, **more)
        if len(found) > 1:
            names = "; ".join(trace.title for trace in found)
            raise UsageError(f"{len(found)} kinds of attention were seen ({names}): take traces()")
        return found[0]

    def traces(
        self, query: Sequence[str] = (), key: Sequence[str] = (), **more: Any
    ) -> list[AttentionTrace]:
        """What was seen: one trace for each stack of layers alike, such as the encoder's, the
        decoder's and the one in which the decoder looks at the encoder.

        Where a text was generated token by token, its rows are joined. Of several runs the last
        counts otherwise.

        Args:
            query: the tokens; positions are numbered where none are given. A stack is named by
                those of its sides that have as many positions.
            key: the tokens that are looked at, where these are others.
            more: fields of `AttentionTrace`, such as `title` and `special`.

        Raises:
            DataError: nothing was seen, or tokens that are not as many as the positions.
        """
        if not self._calls:
            raise DataError(
                "no attention was seen: call the model inside the context, with layers that run "
                'as PyTorch code; in transformers load it with attn_implementation="sdpa"'
            )
        return [self._trace(stack, query, key, more) for stack in self._stacks()]

    def slopes(self, score: Tensor) -> list[np.ndarray]:
        """How much each weight raises `score`: its gradient [L, H, Q, K], one for each of `traces`.

        Args:
            score: one number that the model computed while it was watched with `gradients`.

        Raises:
            UsageError: it was watched without.
        """
        stacks = self._stacks()
        calls = [call for stack in stacks for call in stack]
        outputs = [call.output for call in calls if call.output is not None]
        if not outputs or len(outputs) < len(calls):
            raise UsageError("slopes need capture(model, gradients=True), and one run of the model")
        found = iter(torch.autograd.grad(score, outputs, retain_graph=True, allow_unused=True))
        return [np.stack([self._slope(call, next(found)) for call in stack]) for stack in stacks]

    def _slope(self, call: _Call, gradient: Tensor | None) -> np.ndarray:
        """output = weights @ values, so its gradient times the values is that of the weights."""
        if gradient is None:  # the score does not depend on it
            return np.zeros(call.weights.shape, np.float32)
        assert call.values is not None
        with _plain(call.values.device):
            mine = _taken(gradient, call.batch, call.shape[0], self._asked.example)
            rows = mine.float() @ call.values.float().mT  # [H, Q, K]
        return rows.cpu().numpy()[np.ix_(call.heads, call.queries)]

    def _stacks(self) -> list[list[_Call]]:
        """Calls by what they are alike in, those of a generated text joined."""
        stacks: dict[tuple[Any, ...], list[_Call]] = {}
        for call in self._calls:
            stacks.setdefault((_pattern(call.module), call.crosses), []).append(call)
        found = []
        for calls in stacks.values():
            runs = [list(group) for _, group in groupby(calls, lambda call: call.run)]
            joined = _joined(runs)
            if joined is None and len(runs) > 1:
                self.say(f"{len(runs)} runs were seen: the last one is shown")
            alike: dict[tuple[Any, ...], list[_Call]] = {}
            for call in joined or runs[-1]:
                sizes = tuple(each.shape[1:] for each in call.vectors.values())
                alike.setdefault((call.weights.shape, sizes), []).append(call)
            found += list(alike.values())
        return found

    def _trace(
        self,
        calls: list[_Call],
        query: Sequence[str],
        key: Sequence[str],
        more: Mapping[str, Any],
    ) -> AttentionTrace:
        first = calls[0]
        rows, columns = len(first.queries), first.weights.shape[-1]
        sides = [tuple(query), tuple(key) or tuple(query)]
        if first.crosses is False and key and len(query) != first.shape[1]:
            sides = [tuple(key), tuple(key)]  # the encoder, where both sides were given
        asking = _tokens(sides[0], first.shape[1], self._asked.queries and first.queries, rows)
        asked = _tokens(sides[0] if not first.crosses else sides[1], columns, None, columns)
        scales = {call.scale for call in calls}
        tensors = {name: [call.vectors[name] for call in calls] for name in first.vectors}
        if len(scales) > 1 and "query" in tensors:  # each layer its own: in the queries then
            tensors["query"] = [c.vectors["query"] * c.scale for c in calls]
        weights = np.stack([call.weights for call in calls])
        details: dict[str, Any] = {
            "attention": _kind(first, weights),
            "modules": [call.module for call in calls],
        }
        if self._asked.heads is not None:
            details["heads"] = [head + 1 for head in first.heads]
        if weights.dtype == np.float16:
            details["precision"] = "float16"
        chosen: dict[str, Any] = {
            "kind": "look",
            "title": f"{type(self._model).__name__} {_name(first)}",
            "layer_names": tuple(f"layer {call.layer + 1}" for call in calls),
            "scores": _scores(calls) if weights.size <= _SCORES_UP_TO else None,
            "tensors": {name: np.stack(arrays) for name, arrays in tensors.items()},
            "scale": 1.0 if len(scales) > 1 else first.scale,
        }
        chosen |= more
        chosen["details"] = details | chosen.get("details", {})
        return AttentionTrace(weights, asking, asked, **chosen)

    # What is running

    def _enter(self, name: str, module: nn.Module, _: Any) -> None:
        if not name:
            self._run += 1
        self._stack.append(_Frame(name, module))

    def _leave(self, name: str, *_: Any) -> None:
        while self._stack and self._stack.pop().name != name:
            pass

    def _forget(self) -> None:
        self._stack.clear()
        self._masks.clear()

    def _projects(self, given: Any) -> None:
        """Note what a projection is given: two things tell cross- from self-attention."""
        if isinstance(given, Tensor) and given.dim() > 2:
            for frame in self._stack[-2:]:
                if all(given is not other for other in frame.inputs):
                    frame.inputs.append(given)

    def _crosses(self, name: str, sizes: tuple[int, int]) -> bool:
        """Whether queries and keys of lengths Q and K come from different things."""
        frame = self._stack[-1] if self._stack else None
        given = [] if frame is None else frame.inputs
        many = len({(x.data_ptr(), x.shape) for x in given if x.shape[-2] in sizes}) > 1
        if many or (not given and sizes[0] not in (1, sizes[1])):
            self._crossing.add(name)
        return name in self._crossing

    # What is kept

    def _keep(
        self,
        query: Tensor | None,
        key: Tensor | None,
        value: Tensor,
        scale: float,
        *,
        mask: Tensor | None = None,
        causal: bool = False,
        seen: "_Map | None" = None,
        output: Tensor,
        crosses: bool | None = None,
        num_heads: int | None = None,
    ) -> None:
        """Keep one attention: of queries, keys and a mask [B, H, Q, K], or as a softmax saw it."""
        name = self._stack[-1].name if self._stack else ""
        if not fnmatch(name, self._asked.modules):
            return
        count = num_heads or self._head_count()
        whole = query if seen is None else seen.weights
        assert whole is not None
        batch, H, Q, K = _four(whole, count).shape
        if seen is None:
            assert key is not None
            K = key.shape[-2]
        crosses = self._crosses(name, (Q, K)) if crosses is None else crosses
        place = (self._run, f"{_pattern(name)} {crosses}")
        layer = self._layer_of[place] = self._layer_of.get(place, -1) + 1
        total = self._alike(name, layer)
        if layer not in _chosen("layers", self._asked.layers, total):
            return
        example = self._asked.example
        if not -batch <= example < batch:
            raise UsageError(f"a batch of {batch} has none", "example", example)
        heads = _chosen("heads", self._asked.heads, H)
        rows = _chosen("queries", self._asked.queries, Q)
        self._plan(name, total, (len(heads), len(rows), K), value.shape[-1] * self._asked.vectors)

        def take(tensor: Tensor) -> Tensor:
            return _taken(tensor, batch, H, example)[_all(heads, H)]

        added = scores = None
        with _plain(value.device):
            q = None if query is None else take(query)[:, _all(rows, Q)]
            k = None if key is None else take(key)
            if seen is not None:
                weights = take(seen.weights)[:, _all(rows, Q)].float()
                if weights.numel() * total <= _SCORES_UP_TO:
                    observed = take(seen.scores)[:, _all(rows, Q)].float()
                    scores = self._array(observed.where(observed > _MASKED, -torch.inf))
            else:
                assert q is not None
                assert k is not None
                logits = (q.float() @ k.float().mT) * scale  # [H, Q, K]
                if causal:
                    mask = self._causal(Q, K, logits.device)
                if mask is not None:
                    more = _added(mask, example, heads, rows)
                    logits = logits + more
                    added = self._shared(mask, more)
                weights = logits.softmax(-1)
                if mask is not None:
                    weights = weights.nan_to_num(0.0)  # a row that may look at nothing
            vectors: dict[str, np.ndarray] = {}
            for part, tensor in (("query", q), ("key", k), ("value", take(value))):
                if self._asked.vectors and tensor is not None:
                    vectors[part] = self._array(tensor)
            array = self._array(weights)
        self._held += array.nbytes + sum(each.nbytes for each in vectors.values())
        grows = self._asked.gradients
        self._calls.append(
            _Call(
                module=name,
                layer=layer,
                run=self._run,
                crosses=crosses,
                shape=(H, Q, K),
                heads=heads,
                queries=rows,
                weights=array,
                scale=scale,
                vectors=vectors,
                added=added,
                scores=scores,
                output=output if grows else None,
                values=_taken(value, batch, H, example) if grows else None,
                batch=batch,
            )
        )

    def _array(self, tensor: Tensor) -> np.ndarray:
        """Away from the device and the graph; a copy that nobody else changes."""
        kind = torch.float16 if self._half else torch.float32
        return tensor.detach().to("cpu", kind, copy=True).contiguous().numpy()

    def _shared(self, mask: Tensor, added: Tensor) -> np.ndarray:
        """What a mask adds, once for all layers that are given the same."""
        if id(mask) not in self._masks:
            if len(self._masks) > _PENDING:
                self._masks.clear()
            self._masks[id(mask)] = (mask, added.float().cpu().numpy())
        return self._masks[id(mask)][1]

    def _causal(self, rows: int, columns: int, device: torch.device) -> Tensor:
        """[rows, columns], made once for all layers."""
        masks = (mask for mask, _ in self._masks.values())
        found = next((m for m in masks if getattr(m, "_dlcc_causal", 0) == (rows, columns)), None)
        if found is None or found.device != device:
            found = torch.ones(rows, columns, dtype=torch.bool, device=device).tril()
            found._dlcc_causal = (rows, columns)  # type: ignore[attr-defined]
        return found

    def _head_count(self) -> int | None:
        """What the running modules say of their heads."""
        for frame in reversed(self._stack[-3:]):
            for name in _HEAD_COUNTS:
                count = getattr(frame.module, name, None)
                if isinstance(count, int) and count > 0:
                    return count
        return None

    def _alike(self, name: str, layer: int) -> int:
        """How many layers there are of this kind: as many as modules that are called alike."""
        names = _names_alike(self._model)
        return max(names.get(_pattern(name), 1), layer + 1)

    def _plan(self, name: str, total: int, shape: tuple[int, int, int], width: int) -> None:
        """Before the first of its kind is held: does all of it fit, and in what precision."""
        H, Q, K = shape
        plan = (_pattern(name), *shape)
        cells = H * (Q * K + width * (Q + 2 * K))
        size = 2 if self._half else 4
        if plan not in self._planned:
            self._planned[plan] = True
            count = len(_chosen("layers", self._asked.layers, total))
            if not self._half and 4 * count * H * Q * K > self._asked.half_above:
                self._half, size = True, 2
                self.say(
                    f"kept in float16: {count} layers × {H} heads × {Q:,} × {K:,} weights take "
                    f"{_size(4 * count * H * Q * K)} in float32"
                )
            self._fits(count, cells * size, shape)
        if self._held + cells * size > self._asked.max_bytes:
            self._fits(1, cells * size, shape)

    def _fits(self, count: int, each: int, shape: tuple[int, int, int]) -> None:
        left = self._asked.max_bytes - self._held
        if count * each <= left:
            return
        H, Q, K = shape
        layers, heads, rows = left // each, left * H // each, left * H * Q // each
        if layers:
            would = f"layers=range({layers}) would fit"
        elif heads:
            would = f"layers=[0], heads=range({heads}) would fit"
        elif rows:
            would = f"layers=[0], heads=[0], queries=range({rows}) would fit"
        else:
            would = "not one row fits"
        raise UsageError(
            f"{count} layers × {H} heads × {Q:,} × {K:,} weights and their vectors take "
            f"{_size(count * each)}, and {_size(self._held)} are held: {would}",
            "max_bytes",
            self._asked.max_bytes,
        )


class _Watch(TorchFunctionMode):
    """Sees every function of PyTorch that is called with tensors."""

    def __init__(self, seen: Seen) -> None:
        super().__init__()
        self.seen = seen
        self.products: dict[int, tuple[Tensor, _Product]] = {}
        self.maps: dict[int, tuple[Tensor, _Map]] = {}
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
            self.seen._projects(args[0] if args else kwargs.get("input"))
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
        if self.seen._asked.gradients and not output.requires_grad:
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
        module = self.seen._stack[-1].module if self.seen._stack else None
        if not torch.is_grad_enabled() and module is not None and not module.training:
            self.seen.say(
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
            self.seen.say("attention on nested tensors is not seen: give padded ones")
            return
        self.seen._keep(
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
        named = self.seen._asked.modules != "*"
        if dim in (-1, scores.dim() - 1) and (
            scores.dim() > 3 or (scores.dim() > 1 and (product or named))
        ):
            _put(self.maps, output, _Map(scores, output, product))

    def _product(self, function: Any, output: Tensor, args: Any, kwargs: Any) -> Tensor:
        """Queries with keys, or weights with values."""
        left, right = _operands(function, args, kwargs)
        if left is None or right is None:
            return output
        found = self.maps.get(id(left), (None, None))[1]
        if found is None:
            if left.shape[-1] == right.shape[-2] and left.dim() == right.dim():
                _put(self.products, output, _Product(left, right.mT, 1.0))
            return output
        if right.shape[-2] == left.shape[-1]:
            output = self._graph(output)
            product = found.product or _Product(*[None] * 3)  # type: ignore[arg-type]
            self.seen._keep(
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
                _put(self.products, output, _Product(product.query, product.key, scale))
                return
            if id(each) in self.maps:
                _, found = self.maps.pop(id(each))
                if function not in _SAME:
                    found = _Map(found.scores[..., : output.shape[-1]], output, found.product)
                _put(self.maps, output, found)
                return


def _size(count: int) -> str:
    return f"{count:,} bytes" if count < 2**20 else f"{count / 2**20:,.0f} MiB"


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


def _plain(device: torch.device) -> Any:
    """What is computed beside the model: without gradients, in full precision."""
    stack = ExitStack()
    stack.enter_context(torch.no_grad())
    stack.enter_context(torch.autocast(device.type, enabled=False))
    return stack


def _four(tensor: Tensor, heads: int | None) -> Tensor:
    """[B, H, rows, columns], of [B · H, ...], of [H, ...] and of more dimensions."""
    rows = tensor.shape[-2:]
    if tensor.dim() == 3:
        count = heads if heads and not tensor.shape[0] % heads else 1
        return tensor.reshape(-1, count, *rows)
    if tensor.dim() == 2:
        return tensor[None, None]
    return tensor if tensor.dim() == 4 else tensor.reshape(tensor.shape[0], -1, *rows)


def _taken(tensor: Tensor, batch: int, heads: int, example: int) -> Tensor:
    """[H, rows, columns] of one example; what several heads share is there for each of them."""
    rows = tensor.shape[-2:]
    if tensor.dim() == 4:
        mine = tensor.detach()[example if tensor.shape[0] > 1 else 0]
    else:
        mine = tensor.detach().reshape(batch, -1, *rows)[example]
    return mine if len(mine) == heads else mine.repeat_interleave(heads // len(mine), 0)


def _all(places: tuple[int, ...], length: int) -> Any:
    """What takes `places`; a slice, which copies nothing, where these are all."""
    return slice(None) if places == tuple(range(length)) else list(places)


def _added(mask: Tensor, example: int, heads: tuple[int, ...], rows: tuple[int, ...]) -> Tensor:
    """What a mask adds to the scores [1 or heads, 1 or rows, K]: -inf where it hides."""
    mask = mask.detach()
    while mask.dim() < 4:
        mask = mask[None]
    mask = mask[example if mask.shape[0] > 1 else 0]
    mask = mask if mask.shape[0] == 1 else mask[list(heads)]
    mask = mask if mask.shape[1] == 1 else mask[:, list(rows)]
    if mask.dtype == torch.bool:
        return torch.zeros(mask.shape, device=mask.device).masked_fill(~mask, -torch.inf)
    return mask.float().where(mask > _MASKED, -torch.inf)


def _chosen(name: str, asked: tuple[int, ...] | None, count: int) -> tuple[int, ...]:
    """Numbers from 0 that are asked for of `count`, in order."""
    if asked is None:
        return tuple(range(count))
    for number in asked:
        if not -count <= number < count and name != "layers":
            raise UsageError(f"there are {count}, from 0", name, number)
    return tuple(sorted({number % count for number in asked if -count <= number < count}))


def _pattern(name: str) -> str:
    """A module's name with its numbers left out: the same in layers alike."""
    return re.sub(r"(?<![^._])\d+(?![^.])", "*", name)


@cache
def _names_alike_of(names: tuple[str, ...]) -> dict[str, int]:
    found: dict[str, int] = {}
    for name in names:
        found[_pattern(name)] = found.get(_pattern(name), 0) + 1
    return found


def _names_alike(model: nn.Module) -> dict[str, int]:
    """How many modules share each pattern."""
    return _names_alike_of(tuple(name for name, _ in model.named_modules()))


def _name(call: _Call) -> str:
    """Which stack it is, in words."""
    part = next((p for p in call.module.split(".") if "encoder" in p or "decoder" in p), "")
    kind = "cross-attention" if call.crosses else "self-attention"
    return f"{part.replace('_', ' ')} {kind}".strip()


def _kind(call: _Call, weights: np.ndarray) -> str:
    if call.crosses:
        return "cross-attention"
    rows, columns = weights.shape[2:]
    later = np.triu(np.ones((rows, columns), bool), columns - rows + 1)
    causal = columns > 1 and rows > 1 and not weights[:, :, later].any()
    return "causal self-attention" if causal else "self-attention"


def _tokens(
    given: tuple[str, ...], length: int, places: Sequence[int] | None, count: int
) -> tuple[str, ...]:
    """`count` tokens: as given, those chosen of as many as there are positions, or numbers."""
    if not given:
        return tuple(str(n + 1) for n in (places or range(count)))
    if places and len(given) == length:
        return tuple(given[n] for n in places)
    return given


def _scores(calls: list[_Call]) -> np.ndarray | None:
    """[L, H, Q, K] before the softmax, where they are known of all."""
    rows = []
    for call in calls:
        if call.scores is not None:
            rows.append(call.scores)
        elif "query" in call.vectors and "key" in call.vectors:
            q, k = (call.vectors[name].astype(np.float32) for name in ("query", "key"))
            scores = (q @ k.swapaxes(-1, -2)) * np.float32(call.scale)
            rows.append(scores if call.added is None else scores + call.added)
        else:
            return None
    return np.stack(rows).astype(np.float32)


def _joined(runs: list[list[_Call]]) -> list[_Call] | None:
    """The calls of a text that was generated token by token as one run; None of anything else."""
    first, last = runs[0], runs[-1]
    if len(runs) < 2 or any([c.module for c in run] != [c.module for c in first] for run in runs):
        return None
    total = sum(run[0].shape[1] for run in runs)
    steps = all(run[0].shape[1] == 1 for run in runs[1:])
    fits = last[0].shape[2] == (first[0].shape[2] if first[0].crosses else total)
    if not steps or not fits:
        return None
    return [_one([run[place] for run in runs]) for place in range(len(first))]


def _one(calls: list[_Call]) -> _Call:
    """One call with the rows of all, each with nothing on the keys that came later."""
    last = calls[-1]
    H, K = last.shape[0], last.shape[2]

    def wide(rows: np.ndarray, fill: float) -> np.ndarray:
        gap = K - rows.shape[-1]
        return np.pad(rows, [(0, 0), (0, 0), (0, gap)], constant_values=fill)

    weights = np.concatenate([wide(call.weights, 0.0) for call in calls], 1)
    vectors = dict(last.vectors)
    if "query" in vectors:
        vectors["query"] = np.concatenate([call.vectors["query"] for call in calls], 1)
    each = [_scores([call]) for call in calls]
    scores = None
    if weights.size <= _SCORES_UP_TO and all(rows is not None for rows in each):
        scores = np.concatenate([wide(rows[0], -np.inf) for rows in each if rows is not None], 1)
    count = weights.shape[1]
    return replace(
        last,
        shape=(H, count, K),
        queries=tuple(range(count)),
        weights=weights,
        vectors=vectors,
        added=None,
        scores=scores,
        output=None,
    )


@cache
def _multi_head_body() -> Any:
    """`F.multi_head_attention_forward` as it runs where nobody watches functions: it does not hand
    itself to who does, and what it calls is seen."""
    whole = F.multi_head_attention_forward
    names = {**whole.__globals__, "has_torch_function": lambda _: False}
    body = FunctionType(whole.__code__, names, whole.__name__, whole.__defaults__)
    body.__kwdefaults__ = whole.__kwdefaults__
    return body
