"""Traces as panels: their maps with one scale, or all heads small where they are many."""

from collections.abc import Sequence

import numpy as np

from dlcc.cli.draw.figure.maps import HeadsPanel, MapPanel
from dlcc.cli.draw.figure.panels import Panel, weight_bar
from dlcc.cli.draw.grid import map_name
from dlcc.cli.draw.numbers import Chosen
from dlcc.cli.draw.palette import PALETTES, Palette
from dlcc.core.trace.trace import AttentionTrace

_FEW = 16  # maps that are drawn with their words


def map_panels(
    traces: list[AttentionTrace], chosen: Chosen, palette: Palette, numbers: bool
) -> Sequence[Panel]:
    """The chosen maps of traces, all on one scale; differences have one of their own.

    Args:
        traces: any.
        chosen: their layers and heads.
        palette: of what is not signed.
        numbers: whether cells show their weights.
    """
    top = tops_of(traces, chosen)
    count = sum(len(chosen.maps(trace)) for trace in traces)
    panels: list[Panel] = []
    for trace in traces:
        signed = is_signed(trace)
        colours = PALETTES["signed"] if signed else palette
        bar = weight_bar(top[signed], colours)
        if count > _FEW and len(chosen.maps(trace)) > 1:
            panels.append(_heads(trace, chosen, top[signed], colours))
            continue
        for layer, head in chosen.maps(trace):
            values = trace.map(layer, head)
            masked = None if trace.scores is None else np.isneginf(trace.scores[layer, head])
            panels.append(
                MapPanel(
                    *(values / top[signed], trace.query, trace.key, bar),
                    title=map_name(trace, layer, head),
                    values=values if numbers else None,
                    masked=masked,
                    palette=colours,
                )
            )
    return panels


def _heads(trace: AttentionTrace, chosen: Chosen, top: float, palette: Palette) -> HeadsPanel:
    places = chosen.maps(trace)
    layers, heads = (sorted({place[n] for place in places}) for n in (0, 1))
    maps = [[trace.map(layer, head) / top for head in heads] for layer in layers]
    names = tuple(trace.layer_names[layer] for layer in layers)
    numbered = tuple(f"head {head + 1}" for head in heads)
    return HeadsPanel(maps, names, numbered, weight_bar(top, palette), trace.title, palette)


def is_signed(trace: AttentionTrace) -> bool:
    """Whether it is a difference."""
    return trace.kind == "combined" and bool(trace.weights.min() < 0)


def tops_of(traces: Sequence[AttentionTrace], chosen: Chosen) -> dict[bool, float]:
    """The ends of the scales that the chosen maps share: of differences (True), of the others."""
    tops = {False: 0.0, True: 0.0}
    for trace in traces:
        most = max(float(np.abs(trace.map(*place)).max()) for place in chosen.maps(trace))
        tops[is_signed(trace)] = max(tops[is_signed(trace)], most)
    return {signed: top or 1.0 for signed, top in tops.items()}
