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
from dlcc.core.trace.values import as_values


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

    def sides(self, trace: AttentionTrace) -> tuple[list[int], list[int]]:
        """The layers, and the heads, of its maps."""
        layers, heads = zip(*self.maps(trace), strict=True)
        return sorted(set(layers)), sorted(set(heads))


def traces_as_json(
    traces: list[AttentionTrace],
    cell: tuple[int, int] | None = None,
    chosen: Chosen = Chosen(),
) -> list[dict[str, Any]]:
    """JSON values of traces, as `dlcc.core.trace.values` has them.

    Args:
        traces: the traces.
        cell: a query and a key, to be explained in each head of them.
        chosen: their layers and heads.
    """
    values = []
    for trace in traces:
        each = as_values(trace, *chosen.sides(trace))
        each["made_by"] = {"command": command_of(trace.made_by), **trace.made_by}
        if cell is not None:
            each["explanation"] = [cell_as_json(trace, n, *cell) for n in range(trace.num_heads)]
        values.append(each)
    return values


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
