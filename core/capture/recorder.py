"""Which module is running, and what is kept of the attentions that it computes."""

import re
from dataclasses import dataclass, field
from fnmatch import fnmatch
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from dlcc.core.capture.calls import (
    MASKED,
    SCORES_UP_TO,
    Asked,
    Call,
    added_by,
    all_of,
    chosen,
    four,
    plain,
    taken,
)
from dlcc.core.errors import UsageError
from dlcc.core.trace.trace import MAX_CELLS

_MASKS = 8  # that are held for layers that are given the same
_HEAD_COUNTS = ("num_heads", "num_attention_heads", "n_heads", "n_head", "heads", "nhead")


@dataclass
class Frame:
    """A module that is running."""

    name: str
    module: nn.Module
    inputs: list[Tensor] = field(default_factory=list)
    """What its projections were given."""


@dataclass(frozen=True)
class Product:
    """Queries times keys, on the way to a softmax."""

    query: Tensor
    """[..., Q, D]"""
    key: Tensor
    """[..., K, D]"""
    scale: float | None


@dataclass(frozen=True)
class Softmax:
    """A softmax, on the way to its values."""

    scores: Tensor
    weights: Tensor
    product: Product | None


class Recorder:
    """Fills `calls` while a model runs."""

    def __init__(self, model: nn.Module, asked: Asked) -> None:
        self.model, self.asked = model, asked
        self.calls: list[Call] = []
        self.notes: list[str] = []
        self.stack: list[Frame] = []
        self._run = 0
        self._held = 0
        self._half = False
        self._planned: dict[tuple[str, int, int, int], bool] = {}
        self._crossing: set[str] = set()
        self._layer_of: dict[tuple[int, str], int] = {}
        self._masks: dict[int, tuple[Tensor, np.ndarray]] = {}

    def say(self, note: str) -> None:
        """Note something, once."""
        if note not in self.notes:
            self.notes.append(note)

    # What is running

    def enter(self, name: str, module: nn.Module, _: Any) -> None:
        """A forward pre-hook."""
        if not name:
            self._run += 1
        self.stack.append(Frame(name, module))

    def leave(self, name: str, *_: Any) -> None:
        """A forward hook, called after errors as well."""
        while self.stack and self.stack.pop().name != name:
            pass

    def forget(self) -> None:
        """Let go of what only a running model needs."""
        self.stack.clear()
        self._masks.clear()

    def projects(self, given: Any) -> None:
        """Note what a projection is given: two things tell cross- from self-attention."""
        if isinstance(given, Tensor) and given.dim() > 2:
            for frame in self.stack[-2:]:
                if all(given is not other for other in frame.inputs):
                    frame.inputs.append(given)

    def _crosses(self, name: str, sizes: tuple[int, int]) -> bool:
        """Whether queries and keys of lengths Q and K come from different things."""
        frame = self.stack[-1] if self.stack else None
        given = [] if frame is None else frame.inputs
        many = len({(x.data_ptr(), x.shape) for x in given if x.shape[-2] in sizes}) > 1
        if many or (not given and sizes[0] not in (1, sizes[1])):
            self._crossing.add(name)
        return name in self._crossing

    # What is kept

    def keep(
        self,
        query: Tensor | None,
        key: Tensor | None,
        value: Tensor,
        scale: float,
        *,
        mask: Tensor | None = None,
        causal: bool = False,
        seen: Softmax | None = None,
        output: Tensor,
        crosses: bool | None = None,
        num_heads: int | None = None,
    ) -> None:
        """Keep one attention: of queries, keys and a mask [B, H, Q, K], or as a softmax saw it."""
        name = self.stack[-1].name if self.stack else ""
        if not fnmatch(name, self.asked.modules):
            return
        count = num_heads or self._head_count()
        whole = query if seen is None else seen.weights
        assert whole is not None
        batch, H, Q, K = four(whole, count).shape
        if seen is None:
            assert key is not None
            K = key.shape[-2]
        crosses = self._crosses(name, (Q, K)) if crosses is None else crosses
        place = (self._run, f"{pattern(name)} {crosses}")
        layer = self._layer_of[place] = self._layer_of.get(place, -1) + 1
        total = self._alike(name, layer)
        if layer not in chosen("layers", self.asked.layers, total):
            return
        example = self.asked.example
        if not -batch <= example < batch:
            raise UsageError(f"a batch of {batch} has none", "example", example)
        heads = chosen("heads", self.asked.heads, H)
        rows = chosen("queries", self.asked.queries, Q)
        self._plan(name, total, (len(heads), len(rows), K), value.shape[-1] * self.asked.vectors)

        def take(tensor: Tensor) -> Tensor:
            return taken(tensor, batch, H, example)[all_of(heads, H)]

        added = scores = None
        with plain(value.device):
            q = None if query is None else take(query)[:, all_of(rows, Q)]
            k = None if key is None else take(key)
            if seen is not None:
                weights = take(seen.weights)[:, all_of(rows, Q)].float()
                if weights.numel() * total <= SCORES_UP_TO:
                    observed = take(seen.scores)[:, all_of(rows, Q)].float()
                    scores = self._array(observed.where(observed > MASKED, -torch.inf))
            else:
                assert q is not None
                assert k is not None
                logits = (q.float() @ k.float().mT) * scale  # [H, Q, K]
                if causal:
                    mask = self._causal(Q, K, logits.device)
                if mask is not None:
                    more = added_by(mask, example, heads, rows)
                    logits = logits + more
                    added = self._shared(mask, more)
                weights = logits.softmax(-1)
                if mask is not None:
                    weights = weights.nan_to_num(0.0)  # a row that may look at nothing
            vectors: dict[str, np.ndarray] = {}
            for part, tensor in (("query", q), ("key", k), ("value", take(value))):
                if self.asked.vectors and tensor is not None:
                    vectors[part] = self._array(tensor)
            array = self._array(weights)
        self._held += array.nbytes + sum(each.nbytes for each in vectors.values())
        grows = self.asked.gradients
        self.calls.append(
            Call(
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
                values=taken(value, batch, H, example) if grows else None,
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
            if len(self._masks) > _MASKS:
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
        for frame in reversed(self.stack[-3:]):
            for name in _HEAD_COUNTS:
                count = getattr(frame.module, name, None)
                if isinstance(count, int) and count > 0:
                    return count
        return None

    def _alike(self, name: str, layer: int) -> int:
        """How many layers there are of this kind: as many as modules that are called alike."""
        names = _names_alike(self.model)
        return max(names.get(pattern(name), 1), layer + 1)

    def _plan(self, name: str, total: int, shape: tuple[int, int, int], width: int) -> None:
        """Before the first of its kind is held: does all of it fit, and in what precision."""
        H, Q, K = shape
        plan = (pattern(name), *shape)
        cells = H * (Q * K + width * (Q + 2 * K))
        size = 2 if self._half else 4
        if plan not in self._planned:
            self._planned[plan] = True
            count = len(chosen("layers", self.asked.layers, total))
            if not self._half and 4 * count * H * Q * K > self.asked.half_above:
                self._half, size = True, 2
                self.say(
                    f"kept in float16: {count} layers × {H} heads × {Q:,} × {K:,} weights take "
                    f"{_size(4 * count * H * Q * K)} in float32"
                )
            self._fits(count, cells * size, shape)
        if self._held + cells * size > self.asked.max_bytes:
            self._fits(1, cells * size, shape)

    def _fits(self, count: int, each: int, shape: tuple[int, int, int]) -> None:
        """Raise UsageError, with what would fit, unless `count` layers of `each` bytes do."""
        H, Q, K = shape
        room, shown = (self.asked.max_bytes - self._held) / each, MAX_CELLS / (H * Q * K)
        layers = min(room, shown)
        if count <= layers:
            return
        heads, rows = int(layers * H), int(layers * H * Q)
        if layers >= 1:
            would = f"layers=range({int(layers)}) would fit"
        elif heads:
            would = f"layers=[0], heads=range({heads}) would fit"
        elif rows:
            would = f"layers=[0], heads=[0], queries=range({rows}) would fit"
        else:
            would = "not one row fits"
        weights = f"{count} layers × {H} heads × {Q:,} × {K:,} weights"
        if shown < room:
            raise UsageError(f"{weights} are more than the {MAX_CELLS:,} of a trace: {would}")
        raise UsageError(
            f"{weights} and their vectors take {_size(count * each)}, and {_size(self._held)} are "
            f"held: {would}",
            "max_bytes",
            self.asked.max_bytes,
        )


def pattern(name: str) -> str:
    """A module's name with its numbers left out: the same in layers alike."""
    return re.sub(r"(?<![^._])\d+(?![^.])", "*", name)


@cache
def _names_alike_of(names: tuple[str, ...]) -> dict[str, int]:
    found: dict[str, int] = {}
    for name in names:
        found[pattern(name)] = found.get(pattern(name), 0) + 1
    return found


def _names_alike(model: nn.Module) -> dict[str, int]:
    """How many modules share each pattern."""
    return _names_alike_of(tuple(name for name, _ in model.named_modules()))


def _size(count: int) -> str:
    return f"{count:,} bytes" if count < 2**20 else f"{count / 2**20:,.0f} MiB"
