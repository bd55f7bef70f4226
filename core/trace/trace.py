"""AttentionTrace: what was attended, by whom, and where that came from.

The one thing that every command makes and every picture is drawn from. It needs numpy alone, so a
saved trace opens in a moment on a machine that has no torch.

Shapes: L layers, H heads, Q query positions, K key positions, D width of a head.
"""

import json
import struct
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from dlcc.core.errors import DataError
from dlcc.core.files.paths import write_atomically

FORMAT_VERSION = 1
MAX_CELLS = 2**28  # 1 GiB of float32: far above any map a terminal can show


@dataclass(frozen=True)
class AttentionTrace:
    """Attention of one model on one input.

    Raises:
        DataError: shapes that do not fit together, or weights that are not probabilities.
    """

    weights: np.ndarray
    """[L, H, Q, K] float32: what each query puts on each key. A row sums to 1, or to 0 where the
    query may attend to nothing."""
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


def save_traces(path: Path, traces: list[AttentionTrace]) -> None:
    """Write one or several traces into one safetensors file, whole or not at all."""
    arrays: dict[str, np.ndarray] = {}
    texts = []
    for number, trace in enumerate(traces):
        text: dict[str, Any] = {}
        for item in fields(AttentionTrace):
            value = getattr(trace, item.name)
            if isinstance(value, np.ndarray):
                arrays[f"{number}.{item.name}"] = np.ascontiguousarray(value)
            elif item.name != "tensors":
                text[item.name] = value
        for name, array in trace.tensors.items():
            arrays[f"{number}.tensors.{name}"] = np.ascontiguousarray(array)
        texts.append(text)
    metadata = {"dlcc_trace": json.dumps({"format_version": FORMAT_VERSION, "traces": texts})}
    write_atomically(path, lambda temporary: save_file(arrays, temporary, metadata))


def load_traces(path: Path) -> list[AttentionTrace]:
    """Read what `save_traces` wrote.

    Raises:
        DataError: no such file, not a trace, damaged, or of a newer format.
    """
    try:
        with safe_open(path, framework="numpy") as file:
            text = (file.metadata() or {}).get("dlcc_trace")
            if text is None:
                raise DataError(f"{path} is not an attention trace: make one with --save")
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        return _from_parts(path, json.loads(text), arrays)
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from error
    except SafetensorError as error:
        raise DataError(f"{path} is damaged or not an attention trace ({error})") from error
    except (
        *(KeyError, TypeError, ValueError, AttributeError, struct.error),
        *(OverflowError, RecursionError),
    ) as error:
        raise DataError(f"{path} is a damaged attention trace ({error})") from error


def _from_parts(path: Path, header: Any, arrays: dict[str, np.ndarray]) -> list[AttentionTrace]:
    if header["format_version"] != FORMAT_VERSION:
        raise DataError(
            f"{path} has trace format {header['format_version']}, this dlcc reads "
            f"{FORMAT_VERSION}: install a newer dlcc"
        )
    traces = []
    for number, text in enumerate(header["traces"]):
        parts: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in text.items()
        }
        parts["tensors"] = {}
        for name, array in arrays.items():
            owner, _, rest = name.partition(".")
            if owner != str(number):
                continue
            if rest.startswith("tensors."):
                parts["tensors"][rest.removeprefix("tensors.")] = array
            else:
                parts[rest] = array
        try:
            traces.append(AttentionTrace(**parts))
        except DataError as error:
            raise DataError(f"{path}: {error}") from error
    if not traces:
        raise DataError(f"{path} holds no trace")
    return traces


def _check(trace: AttentionTrace) -> None:
    weights = trace.weights
    if not isinstance(weights, np.ndarray) or weights.ndim != 4 or weights.dtype != np.float32:
        raise DataError("a trace's weights must be float32 [layers, heads, queries, keys]")
    if 0 in weights.shape:
        raise DataError(f"a trace with nothing in it: its weights have the shape {weights.shape}")
    if weights.size > MAX_CELLS:
        raise DataError(f"a trace of {weights.size} cells is too large to show")
    _check_header(trace)
    expected = (len(trace.query), len(trace.key))
    if weights.shape[2:] != expected:
        raise DataError(f"weights of {weights.shape[2:]} for {expected} query and key tokens")
    if not np.all(np.isfinite(weights)):
        raise DataError("a trace's weights must be numbers: found NaN or infinity")
    if trace.kind != "combined" and (weights.min() < 0 or weights.sum(-1).max() > 1.01):
        raise DataError("a trace's weights must be probabilities: found negatives or sums > 1")
    _check_scores(trace)
    if trace.layer_names and len(trace.layer_names) != weights.shape[0]:
        raise DataError(f"{len(trace.layer_names)} layer names for {weights.shape[0]} layers")
    for words, tokens in ((trace.query_words, trace.query), (trace.key_words, trace.key)):
        if words and len(words) != len(tokens):
            raise DataError(f"{len(words)} word numbers for {len(tokens)} tokens")
    _check_image(trace)
    _check_tensors(trace)


def _check_header(trace: AttentionTrace) -> None:
    texts = (trace.query, trace.key, trace.special, trace.layer_names, (trace.kind, trace.title))
    if not all(type(t) is tuple and all(isinstance(word, str) for word in t) for t in texts):
        raise DataError("a trace's tokens, names and titles must be text")
    numbers = (trace.query_words, trace.key_words, trace.grid or ())
    if not all(type(n) is tuple and all(type(number) is int for number in n) for n in numbers):
        raise DataError("a trace's word numbers and patch grid must be whole numbers")
    if trace.mechanism not in ("dot-product", "additive"):
        raise DataError(f"a trace's mechanism must be dot-product or additive: {trace.mechanism!r}")
    if not isinstance(trace.scale, int | float) or not np.isfinite(trace.scale):
        raise DataError(f"a trace's scale must be a number: {trace.scale!r}")
    if not isinstance(trace.details, dict) or not isinstance(trace.made_by, dict):
        raise DataError("a trace's details and origin must be JSON objects")


def _check_scores(trace: AttentionTrace) -> None:
    scores = trace.scores
    if scores is None:
        return
    if scores.shape != trace.weights.shape:
        raise DataError(f"scores of {scores.shape} for weights of {trace.weights.shape}")
    if np.isnan(scores).any() or np.isposinf(scores).any():
        raise DataError("a trace's scores must be numbers, or -inf where masked")


def _check_image(trace: AttentionTrace) -> None:
    image, grid = trace.image, trace.grid
    if image is not None and (
        image.ndim != 3
        or image.shape[2] != 3
        or 0 in image.shape
        or image.dtype != np.uint8
        or grid is None
    ):
        raise DataError("a trace's image must be uint8 [rows, columns, 3] with a patch grid")
    if grid is not None and (
        len(grid) != 2 or min(grid) < 1 or grid[0] * grid[1] > trace.weights.shape[3]
    ):
        raise DataError(f"a patch grid of {grid} for {trace.weights.shape[3]} keys")


def _check_tensors(trace: AttentionTrace) -> None:
    layers, heads, queries, keys = trace.weights.shape
    lengths = {"query": queries, "key": keys, "value": keys}
    for name, array in trace.tensors.items():
        if not np.all(np.isfinite(array)):
            raise DataError(f"the trace's tensor {name} holds NaN or infinity")
        if name in lengths and (
            array.ndim != 4 or array.shape[:3] != (layers, heads, lengths[name])
        ):
            raise DataError(f"the trace's tensor {name} has the shape {array.shape}")
        if name == "score" and (array.ndim != 3 or array.shape[:2] != (layers, heads)):
            raise DataError(f"the trace's tensor {name} has the shape {array.shape}")
        if name.startswith("cutmix.") and (
            array.ndim != 3 or array.shape[2] != 3 or 0 in array.shape
        ):
            raise DataError(f"the trace's picture {name} has the shape {array.shape}")
        if name.startswith("explanation.") and array.shape != (keys,):
            raise DataError(f"the trace's {name} has the shape {array.shape} for {keys} keys")
