"""AttentionTrace: what was attended, by whom, and where that came from.

The one thing that every command makes and every picture is drawn from. It needs numpy alone, so a
saved trace opens in a moment on a machine that has no torch.

Shapes: L layers, H heads, Q query positions, K key positions, D width of a head.
"""

from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np

from dlcc.core.errors import DataError
from dlcc.core.files.tensors import load_tensors, save_tensors

FORMAT_VERSION = 1
_HEADER = "dlcc_trace"  # in a file: what is no array
MAX_CELLS = 2**28  # 1 GiB of float32: far above any map a terminal can show


@dataclass(frozen=True)
class AttentionTrace:
    """Attention of one model on one input.

    Raises:
        DataError: shapes that do not fit together, or weights that are not probabilities.
    """

    weights: np.ndarray
    """[L, H, Q, K] float32, or float16 of large ones: what each query puts on each key. A row sums
    to 1, or to 0 where the query may attend to nothing."""
    query: tuple[str, ...]
    """The Q tokens that ask. For images: one name a patch."""
    key: tuple[str, ...]
    """The K tokens that are asked."""
    kind: str = "attend"
    """The command that made it: attend, translate, sentiment or vit. `combined`: what a view made
    of several maps, such as their sum or difference; its weights may be any numbers."""
    title: str = ""
    """A few words for a heading, such as the mechanism or the model."""
    scores: np.ndarray | None = None
    """[L, H, Q, K] float32: before the softmax, -inf where masked."""
    layer_names: tuple[str, ...] = ()
    """L names; numbered from 1 when left out."""
    query_words: tuple[int, ...] = ()
    """For each query token the number of the word that it is a part of; empty: each its own."""
    key_words: tuple[int, ...] = ()
    """The same for the key tokens."""
    special: tuple[str, ...] = ()
    """Tokens that are no words, such as [CLS] or </s>: a view may hide them."""
    image: np.ndarray | None = None
    """[rows, columns, 3] uint8: the picture that the keys are patches of."""
    grid: tuple[int, int] | None = None
    """(rows, columns) of patches; the last rows × columns keys are the patches."""
    tensors: dict[str, np.ndarray] = field(default_factory=dict)
    """What the weights were computed from, float32, where the model kept it: `query` [L, H, Q, D],
    `key` [L, H, K, D], `value` [L, H, K, Dv] and, for additive attention, `score` [L, H, D].
    Explanations per key stand here as `explanation.NAME` [K], the two pictures that CutMix mixed as
    `cutmix.first` and `cutmix.second` [rows, columns, 3], 0 to 255."""
    mechanism: str = "dot-product"
    """dot-product or additive: how `scores` come from `tensors`."""
    scale: float = 1.0
    """What the dot product is multiplied by."""
    details: dict[str, Any] = field(default_factory=dict)
    """JSON values that only some commands have: `alternatives`, for each query a list of
    [token, probability]; `cutmix`, with `box` [top, left, bottom, right] in pixels, the ends
    excluded, filled from the second picture, and `labels`, a list of [name, share]."""
    made_by: dict[str, Any] = field(default_factory=dict)
    """JSON values: `source`, `asked` and `options`, which make it again; model, seed, versions. In
    traces of earlier versions `command`, the command line that makes it again."""

    def __post_init__(self) -> None:
        _check(self)
        if not self.layer_names:
            names = tuple(f"layer {n}" for n in range(1, self.num_layers + 1))
            object.__setattr__(self, "layer_names", names)

    @property
    def num_layers(self) -> int:
        return self.weights.shape[0]

    @property
    def num_heads(self) -> int:
        return self.weights.shape[1]

    def map(self, layer: int, head: int) -> np.ndarray:
        """One map [Q, K] float32."""
        return self.weights[layer, head].astype(np.float32, copy=False)

    def save(self, path: Path | str) -> None:
        """Write it into one file, for `load_traces` and `dlcc view`.

        Raises:
            DataError: the folder or the file cannot be written.
        """
        save_traces(Path(path), [self])

    def _repr_html_(self) -> str:
        """What a notebook shows of it."""
        from dlcc.core.trace.html import page_part

        heading = self.title or self.kind
        return page_part(heading, self.weights, self.query, self.key, self.layer_names)


def save_traces(path: Path, traces: list[AttentionTrace]) -> None:
    """Write one or several traces into one safetensors file, whole or not at all."""
    arrays: dict[str, np.ndarray] = {}
    texts = []
    for number, trace in enumerate(traces):
        text: dict[str, Any] = {}
        for item in fields(AttentionTrace):
            value = getattr(trace, item.name)
            if isinstance(value, np.ndarray):
                arrays[f"{number}.{item.name}"] = value
            elif item.name != "tensors":
                text[item.name] = value
        for name, array in trace.tensors.items():
            arrays[f"{number}.tensors.{name}"] = array
        texts.append(text)
    save_tensors(path, arrays, _HEADER, {"format_version": FORMAT_VERSION, "traces": texts})


def load_traces(path: Path) -> list[AttentionTrace]:
    """Read what `save_traces` wrote.

    Raises:
        DataError: no such file, not a trace, damaged, or of a newer format.
    """
    arrays, header = load_tensors(path, _HEADER)
    if header is None:
        raise DataError(f"{path} is not an attention trace: save one first")
    if header.get("format_version", FORMAT_VERSION) != FORMAT_VERSION:
        raise DataError(
            f"{path} has trace format {header['format_version']}, this dlcc reads "
            f"{FORMAT_VERSION}: install a newer dlcc"
        )
    texts = header.get("traces")
    if not isinstance(texts, list) or not texts:
        raise DataError(f"{path} holds no trace")
    try:
        return [_from_parts(text, number, arrays) for number, text in enumerate(texts)]
    except Exception as error:  # whatever odd values lead to
        raise DataError(f"{path} is a damaged attention trace: {error}") from error


def _from_parts(text: Any, number: int, arrays: dict[str, np.ndarray]) -> AttentionTrace:
    parts: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in text.items()
    }
    parts["tensors"] = {}
    for name, array in arrays.items():
        owner, _, rest = name.partition(".")
        if owner == str(number) and rest.startswith("tensors."):
            parts["tensors"][rest.removeprefix("tensors.")] = array
        elif owner == str(number):
            parts[rest] = array
    return AttentionTrace(**parts)


_NAMES = {"L": "layers", "H": "heads", "Q": "queries", "K": "keys", "r": "rows", "c": "columns"}
_ARRAYS = {
    "weights": (np.floating, "LHQK"),
    "scores": (np.floating, "LHQK"),
    "image": (np.uint8, "rc3"),
    "query": (np.floating, "LHQd"),
    "key": (np.floating, "LHKd"),
    "value": (np.floating, "LHKd"),
    "score": (np.floating, "LHd"),
    "cutmix": (np.number, "rc3"),
    "explanation": (np.floating, "K"),
}
"""Type and dimensions of arrays and tensors; a capital is the same length in all of a trace."""
_TUPLES = {
    "query": (str, ""),
    "key": (str, ""),
    "layer_names": (str, "L"),
    "query_words": (int, "Q"),
    "key_words": (int, "K"),
    "special": (str, ""),
    "grid": (int, ""),
}
"""What they hold, and how many where there are any."""
_VALUES = {"kind": str, "title": str, "scale": int | float, "details": dict, "made_by": dict}


def _check(trace: AttentionTrace) -> None:
    weights, grid = trace.weights, trace.grid
    _check_array("weights", weights, {})
    if weights.size > MAX_CELLS:
        raise DataError(f"a trace of {weights.size} cells is too large to show")
    if weights.dtype not in (np.float32, np.float16):
        raise DataError(f"a trace's weights must be float32 or float16, not {weights.dtype}")
    if trace.kind != "combined" and (
        weights.min() < 0 or weights.sum(-1, dtype=np.float32).max() > 1.01
    ):
        raise DataError("a trace's weights must be probabilities: found negatives or sums > 1")
    sizes = dict(zip("LHQK3", (*weights.shape, 3), strict=True))
    for name, (kind, size) in _TUPLES.items():
        if name != "grid" or grid is not None:
            _check_tuple(name, getattr(trace, name), kind, sizes.get(size))
    tokens = (len(trace.query), len(trace.key))
    if weights.shape[2:] != tokens:
        raise DataError(f"weights of {weights.shape[2:]} for {tokens} query and key tokens")
    for name, kinds in _VALUES.items():
        if not isinstance(getattr(trace, name), kinds):
            raise DataError(f"a trace's {name} cannot be {getattr(trace, name)!r}")
    if trace.mechanism not in ("dot-product", "additive"):
        raise DataError(f"a trace's mechanism must be dot-product or additive: {trace.mechanism!r}")
    if not abs(trace.scale) < 1e38:
        raise DataError(f"a trace's scale must be a number: {trace.scale!r}")
    for name, array in (("scores", trace.scores), ("image", trace.image), *trace.tensors.items()):
        if array is not None:
            _check_array(name, array, sizes)
    if trace.image is not None and grid is None:
        raise DataError("a trace's image must have a patch grid")
    if grid is not None and (
        len(grid) != 2 or min(grid) < 1 or grid[0] * grid[1] > weights.shape[3]
    ):
        raise DataError(f"a patch grid of {grid} for {weights.shape[3]} keys")


def _check_array(name: str, array: Any, sizes: dict[str, int]) -> None:
    """Its type, its dimensions, of which `sizes` are known, and its numbers."""
    kind, dimensions = _ARRAYS.get(name.partition(".")[0], (np.number, None))
    if not isinstance(array, np.ndarray) or not np.issubdtype(array.dtype, kind):
        raise DataError(f"a trace's {name} must be an array of type {kind.__name__}")
    if dimensions is not None and (
        array.ndim != len(dimensions)
        or any(sizes.get(d, n) != n for d, n in zip(dimensions, array.shape, strict=True))
    ):
        wanted = ", ".join(_NAMES.get(dimension, dimension) for dimension in dimensions)
        raise DataError(f"a trace's {name} must be [{wanted}]: its shape is {array.shape}")
    if 0 in array.shape:
        raise DataError(f"a trace's {name} with nothing in it: its shape is {array.shape}")
    if not np.all(np.isfinite(array) | (name == "scores") & np.isneginf(array)):
        raise DataError(f"a trace's {name} must be numbers: found NaN or infinity")


def _check_tuple(name: str, value: Any, kind: type, size: int | None) -> None:
    if type(value) is not tuple or not all(isinstance(part, kind) for part in value):
        raise DataError(f"a trace's {name} must be {'text' if kind is str else 'whole numbers'}")
    if value and size not in (None, len(value)):
        raise DataError(f"a trace's {name} holds {len(value)}, {size} are needed")
