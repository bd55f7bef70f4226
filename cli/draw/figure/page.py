"""Traces and panels as one page: weights under the pointer, layers and heads to be switched."""

from collections.abc import Iterator, Sequence

import numpy as np

from dlcc.cli.draw.figure.maps import HeadsPanel, MapPanel
from dlcc.cli.draw.figure.panels import Panel, figure
from dlcc.cli.draw.figure.texts import TextPanel
from dlcc.cli.draw.figure.themes import Theme
from dlcc.cli.draw.figure.traces import is_signed, scales_of
from dlcc.cli.draw.numbers import Chosen
from dlcc.cli.draw.palette import PALETTES, Palette
from dlcc.core.trace.html import Style, page, page_part, text_part
from dlcc.core.trace.scales import Scale
from dlcc.core.trace.trace import AttentionTrace

MOST = 4_000_000
"""Weights that a page carries for its script: 11 MB."""


def page_of(
    traces: Sequence[AttentionTrace],
    chosen: Chosen,
    palette: Palette,
    numbers: bool,
    theme: Theme,
    title: str = "",
    panels: Sequence[Panel] = (),
    shown: tuple[int, int] | None = None,
) -> str:
    """HTML in one file: the panels, below them the maps of the traces.

    Args:
        traces: what can be switched through.
        chosen: their layers and heads.
        palette: of what is not signed.
        numbers: whether cells show their weights.
        theme: colours.
        title: of all.
        panels: what stands above: an answer, a picture.
        shown: layer and head that are seen first, from 0; the number of heads for their mean.
    """
    parts: list[str] = []
    seen = Scale("shared", 0.0)
    for panel in panels:
        if traces and isinstance(panel, MapPanel | HeadsPanel):
            seen = panel.scale
            continue  # that map is the one below
        if isinstance(panel, TextPanel):
            parts += _texts(panel, theme)
        else:
            svg = figure(".svg", [panel], theme)[0].decode()
            parts.append(f"<div>{svg.partition('?>')[2]}</div>")
    scales = scales_of(traces, chosen)
    for trace in traces:
        layers, heads = chosen.sides(trace)
        signed = is_signed(trace)
        colours = _ramp(PALETTES["signed"] if signed else palette, theme)
        top = scales[signed].top if len(traces) > 1 else 0.0
        if seen.name in ("shared", "log"):  # of maps that are not on the page as well
            top = max(top, seen.top)
        style = Style(colours, signed, numbers, top, seen.name, MOST)
        names = [trace.layer_names[layer] for layer in layers]
        weights = trace.weights[np.ix_(layers, heads)]
        alone = (len(layers) - 1, 0) if len(traces) > 1 or len(layers) * len(heads) == 1 else shown
        name = trace.title or trace.kind
        parts.append(page_part(name, weights, trace.query, trace.key, names, style, alone))
    heading = title or (traces[0].title if traces else "") or "Attention"
    return page(heading, parts, theme.background, theme.ink)


def _texts(panel: TextPanel, theme: Theme) -> Iterator[str]:
    """What shares the panel's scale, and what has its own."""
    shared = [passage for passage in panel.passages if passage.scale is None]
    parts = [(panel.title, shared, panel.scale, panel.palette, panel.label)]
    for each in panel.passages:
        if each.scale is not None:
            parts.append((each.heading, [each], each.scale, each.palette, "value"))
    for title, passages, scale, palette, label in parts:
        lines = [[(w.text, w.value, w.joined) for w in passage.words] for passage in passages]
        style = Style(_ramp(palette, theme), palette.signed)
        yield text_part(title, lines, style, label, scale.top if scale else 1.0)


def _ramp(palette: Palette, theme: Theme) -> list[tuple[int, int, int]]:
    colours = (bytes.fromhex(colour) for colour in theme.palette(palette).ramp.split())
    return [(red, green, blue) for red, green, blue in colours]
