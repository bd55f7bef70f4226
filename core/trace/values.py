"""Traces as JSON values, and read back from what commands print and export as JSON.

Pictures and what the weights were computed from stay out of them: a saved trace holds these.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dlcc.core.errors import DataError
from dlcc.core.files.paths import being_read, read_bytes
from dlcc.core.trace.trace import AttentionTrace, load_traces

VERSION = 1
"""Of the JSON that every command prints; raised where a key goes or changes its meaning."""
_PLAIN = ("kind", "title", "mechanism", "scale", "details", "made_by")
_TUPLES = ("query", "key", "query_words", "key_words", "special", "grid")


def as_values(
    trace: AttentionTrace, layers: Sequence[int] | None = None, heads: Sequence[int] | None = None
) -> dict[str, Any]:
    """JSON values of a trace: tokens, weights and scores [L, H, Q, K]; null is a masked score.

    Args:
        trace: the trace.
        layers: numbers from 0 of those that are told; all when None.
        heads: the same of heads.
    """
    layers = range(trace.num_layers) if layers is None else layers
    heads = range(trace.num_heads) if heads is None else heads
    which = np.ix_(layers, heads)
    values = {name: getattr(trace, name) for name in _PLAIN}
    values |= {name: list(each) for name in _TUPLES if (each := getattr(trace, name))}
    return values | {
        "layers": [trace.layer_names[layer] for layer in layers],
        "heads": [head + 1 for head in heads],
        "weights": _numbers(trace.weights[which]),
        "scores": None if trace.scores is None else _numbers(trace.scores[which]),
    }


def read_traces(path: Path) -> list[AttentionTrace]:
    """The traces of a file: one that was saved, or the JSON of a command that shows attention.

    Raises:
        DataError: as of `load_traces` and `traces_from_json`.
    """
    return traces_from_json(read_bytes(path), str(path)) if _is_json(path) else load_traces(path)


def _is_json(path: Path) -> bool:
    """Whether it begins as a JSON object does and a tensor file, with its binary length, never."""
    with being_read(path), path.open("rb") as file:
        start = file.read(8)
    return start.lstrip()[:1] == b"{" and b"\0" not in start


def traces_from_json(text: str | bytes, where: str) -> list[AttentionTrace]:
    """The traces among the results that a command printed as JSON.

    Args:
        text: the JSON.
        where: what it is called in an error.

    Raises:
        DataError: no JSON, of a newer version, or without attention.
    """
    try:
        values = json.loads(text)
    except ValueError as error:
        raise DataError(f"{where} is damaged or no JSON ({str(error)[:200]})") from error
    if not isinstance(values, dict):
        raise DataError(f"{where} is no JSON object")
    if (version := values.get("dlcc", VERSION)) != VERSION:
        raise DataError(
            f"{where} has JSON of version {version}, this dlcc reads {VERSION}: install a newer one"
        )
    results = values.get("results", values.get("traces"))  # so called by earlier versions
    found = [each for each in results or () if isinstance(each, dict) and "weights" in each]
    if not found:
        raise DataError(f"{where} holds no attention: give what attend, look or an export wrote")
    try:
        return [_from_values(each) for each in found]
    except Exception as error:  # whatever odd values lead to
        raise DataError(f"{where} holds a damaged attention trace: {error}") from error


def _from_values(values: dict[str, Any]) -> AttentionTrace:
    parts = {name: values[name] for name in _PLAIN if name in values}
    parts |= {name: tuple(values[name]) for name in _TUPLES if values.get(name)}
    if values.get("scores") is not None:
        scores = np.array(values["scores"], np.float64)  # null becomes NaN: masked
        parts["scores"] = np.where(np.isnan(scores), -np.inf, scores).astype(np.float32)
    weights = np.array(values["weights"], np.float32)
    return AttentionTrace(weights, layer_names=tuple(values.get("layers", ())), **parts)


def _numbers(array: np.ndarray) -> Any:
    if array.ndim > 1:
        return [_numbers(row) for row in array]
    return [float(x) if np.isfinite(x) else None for x in array]
