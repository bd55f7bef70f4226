"""Traces as panels: their maps with one scale, or all heads small where they are many."""

from collections.abc import Sequence

import numpy as np

from dlcc.cli.draw.figure.maps import HeadsPanel, MapPanel
from dlcc.cli.draw.figure.panels import Panel
from dlcc.cli.draw.grid import map_name
from dlcc.cli.draw.numbers import Chosen
from dlcc.cli.draw.palette import PALETTES, Palette
from dlcc.core.trace.scales import Scale
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
    scales = scales_of(traces, chosen)
    count = sum(len(chosen.maps(trace)) for trace in traces)
    panels: list[Panel] = []
    for trace in traces:
        signed = is_signed(trace)
        colours, scale = PALETTES["signed"] if signed else palette, scales[signed]
        label = "weight" if count == 1 else f"weight, {scale.meaning}"
        if count > _FEW and len(chosen.maps(trace)) > 1:
            panels.append(_heads(trace, chosen, scale, colours, label))
            continue
        for layer, head in chosen.maps(trace):
            masked = None if trace.scores is None else np.isneginf(trace.scores[layer, head])
            panels.append(
                MapPanel(
                    trace.map(layer, head),
                    trace.query,
                    trace.key,
                    scale,
                    map_name(trace, layer, head),
                    numbers,
                    masked,
                    colours,
                    label,
                )
            )
    return panels


def _heads(
    trace: AttentionTrace, chosen: Chosen, scale: Scale, palette: Palette, label: str
) -> HeadsPanel:
    layers, heads = chosen.sides(trace)
    shades = [[scale.places(trace.map(layer, head)) for head in heads] for layer in layers]
    names = tuple(trace.layer_names[layer] for layer in layers)
    numbered = tuple(f"head {head + 1}" for head in heads)
    return HeadsPanel(shades, names, numbered, scale, trace.title, palette, label)


def is_signed(trace: AttentionTrace) -> bool:
    """Whether it is a difference."""
    return trace.kind == "combined" and bool(trace.weights.min() < 0)


def scales_of(traces: Sequence[AttentionTrace], chosen: Chosen) -> dict[bool, Scale]:
    """The scales that the chosen maps share: of differences (True), and of the others."""
    tops = {False: 0.0, True: 0.0}
    for trace in traces:
        most = max(float(np.abs(trace.map(*place)).max()) for place in chosen.maps(trace))
        tops[is_signed(trace)] = max(tops[is_signed(trace)], most)
    return {signed: Scale("shared", top or 1.0, signed) for signed, top in tops.items()}
