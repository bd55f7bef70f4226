"""Traces as numbers: JSON values and CSV."""

import csv
import io
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from dlcc.cli.draw.cell import cell_as_json
from dlcc.cli.options import command_of
from dlcc.core.trace.trace import AttentionTrace


@dataclass(frozen=True)
class Chosen:
    """Which maps are written: all, or those of one layer or one head."""

    layer: int | None = None
    """From 1."""
    head: int | None = None

    def maps(self, trace: AttentionTrace) -> list[tuple[int, int]]:
        """Layers and heads, from 0."""
        return [
            (layer, head)
            for layer in range(trace.num_layers)
            for head in range(trace.num_heads)
            if self.layer in (None, layer + 1) and self.head in (None, head + 1)
        ]


def traces_as_json(
    traces: list[AttentionTrace],
    cell: tuple[int, int] | None = None,
    chosen: Chosen = Chosen(),
) -> dict[str, Any]:
    """JSON values of traces: tokens, weights and scores [L, H, Q, K]; null is a masked score.

    Args:
        traces: the traces.
        cell: a query and a key, to be explained in each head of them.
        chosen: their layers and heads.
    """
    values = [_trace_as_json(trace, chosen) for trace in traces]
    if cell is not None:
        for trace, each in zip(traces, values, strict=True):
            each["explanation"] = [cell_as_json(trace, n, *cell) for n in range(trace.num_heads)]
    return {"traces": values}


def _trace_as_json(trace: AttentionTrace, chosen: Chosen) -> dict[str, Any]:
    layers, heads = (sorted(set(places)) for places in zip(*chosen.maps(trace), strict=True))
    which = np.ix_(layers, heads)
    return {
        "title": trace.title,
        "kind": trace.kind,
        "query": list(trace.query),
        "key": list(trace.key),
        "layers": [trace.layer_names[layer] for layer in layers],
        "heads": [head + 1 for head in heads],
        "weights": _numbers(trace.weights[which]),
        "scores": None if trace.scores is None else _numbers(trace.scores[which]),
        "mechanism": trace.mechanism,
        "scale": trace.scale,
        "details": trace.details,
        "made_by": {"command": command_of(trace.made_by), **trace.made_by},
    }


def _numbers(array: np.ndarray) -> Any:
    if array.ndim > 1:
        return [_numbers(row) for row in array]
    return [round(float(x), 6) if np.isfinite(x) else None for x in array]


def as_csv(traces: list[AttentionTrace], chosen: Chosen) -> str:
    """One line a cell; positions are counted from 1, an empty score is masked or not kept."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    columns = "trace layer head query_position query key_position key weight score"
    writer.writerow(columns.split())
    for trace in traces:
        for (layer, head), (query, key) in product(
            chosen.maps(trace), np.ndindex(trace.weights.shape[2:])
        ):
            weight = trace.weights[layer, head, query, key]
            score = None if trace.scores is None else float(trace.scores[layer, head, query, key])
            writer.writerow(
                (
                    *(trace.title, trace.layer_names[layer], head + 1),
                    *(query + 1, trace.query[query], key + 1, trace.key[key]),
                    f"{weight:.6f}",
                    "" if score is None or not np.isfinite(score) else f"{score:.6f}",
                )
            )
    return file.getvalue()
