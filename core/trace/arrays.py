"""Attention weights that another program kept, as traces.

Shapes: L layers, H heads, Q query positions, K key positions.
"""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np

from dlcc.core.errors import DataError, UsageError
from dlcc.core.files.encodings import decode, lines_of
from dlcc.core.files.paths import being_read, read_bytes
from dlcc.core.files.tensors import load_tensors
from dlcc.core.trace.maps import renormalised
from dlcc.core.trace.trace import MAX_CELLS, AttentionTrace

ENDINGS = (".npz", ".npy", ".safetensors")
_OFF = 0.02  # of a row's sum: what half precision and rounding leave


def read_weights(path: Path, names: Sequence[str] = ()) -> dict[str, np.ndarray]:
    """The arrays of a file that may be weights, [L, H, Q, K], by their names in natural order.

    Arrays [Q, K] and [H, Q, K] are of one layer.

    Args:
        path: a .npy, .npz or .safetensors file.
        names: those that are meant; every one of floating-point numbers with two to four dimensions
            when empty.

    Raises:
        DataError: it cannot be read, or has none.
        UsageError: another ending, or a name that it does not have.
    """
    if path.suffix.lower() not in ENDINGS:
        raise UsageError(f"{path}: weights are read from {', '.join(ENDINGS)}")
    arrays = _arrays(path)
    held = ", ".join(f"{name} {list(array.shape)}" for name, array in arrays.items()) or "nothing"
    for name in names:
        if name not in arrays:
            raise UsageError(f"{path} holds {held}", "array", name)
    usable = {
        name: array
        for name, array in arrays.items()
        if array.dtype.kind == "f" and 2 <= array.ndim <= 4
    }
    chosen = names or sorted(usable, key=_natural)
    if not chosen or not set(chosen) <= set(usable):
        raise DataError(
            f"{path} holds {held}: weights are floating-point numbers [queries, keys], "
            "[heads, queries, keys] or [layers, heads, queries, keys]"
        )
    return {name: usable[name][(None,) * (4 - usable[name].ndim)] for name in chosen}


def read_tokens(path: Path) -> list[str]:
    """Tokens of a text file, one a line, or of a JSON list.

    Raises:
        DataError: it cannot be read, or is JSON but no list of texts.
    """
    data = read_bytes(path)
    if path.suffix.lower() != ".json":
        return lines_of(data, str(path))
    with being_read(path):
        tokens = json.loads(decode(data, str(path)))
    if not isinstance(tokens, list) or not all(isinstance(token, str) for token in tokens):
        raise DataError(f'{path} is no list of tokens: write ["the", "cat"]')
    return tokens


def traces_of(
    weights: Mapping[str, np.ndarray],
    tokens: Sequence[str] = (),
    key_tokens: Sequence[str] = (),
    title: str = "",
    normalise: bool = False,
    origin: Mapping[str, Any] | None = None,
) -> list[AttentionTrace]:
    """Traces of weights by name, as `read_weights` gives them.

    Arrays of one layer each and of one shape are the layers of one trace; any other is a trace of
    its own.

    Args:
        tokens: of the queries, and of keys that are as many.
        key_tokens: of the keys, where they are others. Without tokens positions are numbered.
        title: what the traces are called; by their arrays' names when empty.
        normalise: whether each row is divided by its sum.
        origin: how they were made.

    Raises:
        DataError: as many tokens as no side of an array has, or numbers that are no weights.
    """
    checked = {name: _checked(name, array, normalise) for name, array in weights.items()}
    layers = len({array.shape for array in checked.values()}) == 1 and len(checked) > 1
    if layers and all(len(array) == 1 for array in checked.values()):
        groups = {title: (np.concatenate(list(checked.values())), tuple(checked))}
    else:
        named = len(checked) > 1 or not title
        groups = {
            (f"{title} {name}".strip() if named else title): (array, ())
            for name, array in checked.items()
        }
    return [
        AttentionTrace(
            array,
            _side("queries", name, array.shape[2], (tokens, key_tokens)),
            _side("keys", name, array.shape[3], (key_tokens, tokens)),
            kind="import",
            title=name,
            layer_names=layer_names,
            made_by=dict(origin or {}),
        )
        for name, (array, layer_names) in groups.items()
    ]


def _arrays(path: Path) -> dict[str, np.ndarray]:
    ending = path.suffix.lower()
    with being_read(path):
        if ending == ".safetensors":
            return load_tensors(path)[0]
        if ending == ".npy":
            return {path.stem: np.load(path, mmap_mode="r", allow_pickle=False)}
        with ZipFile(path) as archive:
            size = sum(part.file_size for part in archive.infolist())
        if size > 8 * MAX_CELLS:
            raise DataError(f"{path} unpacks to {size:,} bytes: too large to show, keep less of it")
        with np.load(path, allow_pickle=False) as parts:
            return {name: parts[name] for name in parts.files}


def _checked(name: str, array: np.ndarray, normalise: bool) -> np.ndarray:
    """Weights as a trace takes them."""
    if array.size == 0 or array.size > MAX_CELLS:
        raise DataError(f"{name} has {array.size:,} cells: from 1 to {MAX_CELLS:,} can be shown")
    kept = array if array.dtype == np.float16 else array.astype(np.float32)
    wide = kept.astype(np.float32)
    if not np.isfinite(wide).all():
        raise DataError(f"{name} holds NaN or infinity: give the weights after the softmax")
    if wide.min() < 0:
        raise DataError(f"{name} holds {wide.min():.3g}: give the weights after the softmax")
    if normalise:
        return renormalised(wide)
    sums = wide.sum(-1)
    off = (np.abs(sums - 1) > _OFF) & (sums > _OFF)
    if off.any():
        layer, head, query = (int(place) + 1 for place in np.argwhere(off)[0])
        raise DataError(
            f"{name} needs it: query {query} of layer {layer}, head {head} sums to "
            f"{sums[off][0]:.3g}, not 1",
            "normalise",
        )
    return kept


def _side(
    side: str, name: str, count: int, offered: tuple[Sequence[str], Sequence[str]]
) -> tuple[str, ...]:
    """The tokens that are as many as this side has; its own first."""
    if not any(offered):
        return tuple(str(number) for number in range(1, count + 1))
    for tokens in offered:
        if len(tokens) == count:
            return tuple(tokens)
    given = " or ".join(f"{len(tokens)}" for tokens in offered if tokens)
    raise DataError(
        f"{name or 'the weights'} has {count} {side}, the tokens are {given}: give {count}"
    )


def _natural(name: str) -> list[Any]:
    """Names in the order of their numbers: layer2 before layer10."""
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", name)]
