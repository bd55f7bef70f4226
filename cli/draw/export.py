"""Traces as files: maps as SVG, HTML or text, pictures as PNG or HTML, numbers as CSV or JSON.

Nothing in them asks for the network.
"""

import base64
import csv
import html
import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from dlcc.cli.console import CleanConsole, note
from dlcc.cli.draw.cell import cell_as_json
from dlcc.cli.draw.palette import PALETTES, Palette
from dlcc.cli.draw.pictures import ALONE, LIT, PLAIN, blended, resized
from dlcc.cli.options import command_of
from dlcc.core.errors import UsageError
from dlcc.core.files.paths import write_atomically
from dlcc.core.trace import maps
from dlcc.core.trace.trace import AttentionTrace, save_traces

_WIDTH = 160
_MAX_CELLS = 400_000  # of a picture: a browser opens that, and it takes some seconds
_DRAWN = (".svg", ".html", ".txt")
# Rich's own page formats load a font from the network.
_SVG = """<svg class="rich-terminal" viewBox="0 0 {terminal_width} {terminal_height}"
 width="{terminal_width}" height="{terminal_height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{ font-family: monospace; font-size: {char_height}px;
 line-height: {line_height}px; }}
{styles}
</style>
<defs><clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}" /></clipPath>{lines}</defs>
<rect fill="#0c0c0c" width="{terminal_width}" height="{terminal_height}" />
<g clip-path="url(#{unique_id}-clip-terminal)">{backgrounds}
<g class="{unique_id}-matrix">{matrix}</g></g>
</svg>
"""
_HTML = """<!DOCTYPE html>
<html lang="en"><head><meta charset="UTF-8"><title>Attention</title>
<style>
body {{ color: {foreground}; background-color: {background}; }}
{stylesheet}
</style></head>
<body><pre style="font-family: monospace; line-height: 1.25">{code}</pre></body></html>
"""
_SIDE = 256  # of each picture, in pixels
_GAP = 8  # between them
_PICTURES_HTML = """<!DOCTYPE html>
<html lang="en"><head><meta charset="UTF-8"><title>Attention over pictures</title>
<style>
body {{ font-family: sans-serif; margin: 2em; }}
img {{ image-rendering: pixelated; }}
td {{ padding-right: 1em; }}
</style></head>
<body>
{sections}
</body></html>
"""
_SECTION = """<h2>{file}</h2>
<img src="data:image/png;base64,{picture}" alt="{file}, the same lit by attention, attention alone">
<p>What counted: {method}</p>
<table>{rows}</table>"""


def export(
    path: Path,
    traces: list[AttentionTrace],
    palette: Palette = PALETTES["viridis"],
    numbers: bool = False,
    layer: int | None = None,
    head: int | None = None,
) -> None:
    """Write traces into one file, in the format that its ending names.

    Args:
        path: ends in .svg, .html, .csv, .json or .txt.
        traces: every layer and head of each is written, unless one is chosen.
        palette: colours of the picture.
        numbers: whether the picture's cells show their weights; a .txt always shows them.
        layer: the only one that is written, from 1.
        head: the same of heads.

    Raises:
        UsageError: another ending, or more than a picture can show.
        DataError: the file cannot be written.
    """
    chosen = _Chosen(layer, head)
    cells = sum(len(trace.query) * len(trace.key) * len(chosen.maps(trace)) for trace in traces)
    if path.suffix.lower() in _DRAWN and cells > _MAX_CELLS:
        raise UsageError(
            f"--export {path}: {cells:,} cells are no picture; choose a layer and a head, or end "
            f"it in .csv or .json"
        )
    _write(path, FORMATS, traces, palette, numbers, chosen)


@dataclass(frozen=True)
class _Chosen:
    """Which maps are written: all, or those of one layer or one head."""

    layer: int | None = None
    head: int | None = None

    def maps(self, trace: AttentionTrace) -> list[tuple[int, int]]:
        """Layers and heads, from 0."""
        return [
            (layer, head)
            for layer in range(trace.num_layers)
            for head in range(trace.num_heads)
            if self.layer in (None, layer + 1) and self.head in (None, head + 1)
        ]


def export_pictures(
    path: Path, traces: list[AttentionTrace], results: list[dict[str, Any]]
) -> None:
    """Write each picture, the same lit by attention, and the attention alone.

    Args:
        path: ends in .png or .html.
        traces: with an image each.
        results: for each its file, method, answers and `patches` [rows][columns].

    Raises:
        UsageError: another ending.
        DataError: the file cannot be written.
    """
    _write(path, PICTURE_FORMATS, traces, results)


def check_ending(path: Path, formats: "Formats | None" = None) -> None:
    """Raise UsageError when `path` ends in none of the formats, `FORMATS` unless given; worth
    asking before long work."""
    *some, last = formats = formats or FORMATS
    if path.suffix.lower() not in formats:
        raise UsageError(f"--export {path}: end it in {', '.join(some)} or {last}")


def _write(path: Path, formats: "Formats", *what: Any) -> None:
    check_ending(path, formats)
    written = formats[path.suffix.lower()](*what)
    data = written.encode(errors="replace") if isinstance(written, str) else written
    write_atomically(path, lambda temporary: temporary.write_bytes(data))


def keep(
    traces: list[AttentionTrace],
    save: Path | None,
    export: Path | None,
    write: Callable[[Path], None],
) -> None:
    """Save traces, and have `write` export them, where a path is given; say so on stderr."""
    if save is not None:
        save_traces(save, traces)
        note(f"saved {save}: dlcc view {save}")
    if export is not None:
        write(export)
        note(f"wrote {export}")


def traces_as_json(
    traces: list[AttentionTrace], cell: tuple[int, int] | None = None
) -> dict[str, Any]:
    """JSON values of traces: tokens, weights and scores [L, H, Q, K]; null is a masked score.

    Args:
        traces: the traces.
        cell: a query and a key, to be explained in each head of them.
    """
    return _as_json(traces, _Chosen(), cell)


def _as_json(
    traces: list[AttentionTrace], chosen: _Chosen, cell: tuple[int, int] | None = None
) -> dict[str, Any]:
    values = [_trace_as_json(trace, chosen) for trace in traces]
    if cell is not None:
        for trace, each in zip(traces, values, strict=True):
            each["explanation"] = [cell_as_json(trace, n, *cell) for n in range(trace.num_heads)]
    return {"traces": values}


def _trace_as_json(trace: AttentionTrace, chosen: _Chosen) -> dict[str, Any]:
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


def _json(traces: list[AttentionTrace], palette: Palette, numbers: bool, chosen: _Chosen) -> str:
    return json.dumps(_as_json(traces, chosen), ensure_ascii=False) + "\n"


def _csv(traces: list[AttentionTrace], palette: Palette, numbers: bool, chosen: _Chosen) -> str:
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


def _txt(traces: list[AttentionTrace], palette: Palette, numbers: bool, chosen: _Chosen) -> str:
    return _picture(traces, palette, True, chosen, None).export_text()


def _svg(traces: list[AttentionTrace], palette: Palette, numbers: bool, chosen: _Chosen) -> str:
    return _picture(traces, palette, numbers, chosen, "truecolor").export_svg(code_format=_SVG)


def _html(traces: list[AttentionTrace], palette: Palette, numbers: bool, chosen: _Chosen) -> str:
    from rich.terminal_theme import MONOKAI

    console = _picture(traces, palette, numbers, chosen, "truecolor")
    return console.export_html(theme=MONOKAI, code_format=_HTML)


def _picture(
    traces: list[AttentionTrace],
    palette: Palette,
    numbers: bool,
    chosen: _Chosen,
    colors: str | None,
) -> Any:
    """A console that has recorded every map of the traces, as wide as they are."""
    from dlcc.cli.draw.grid import GridStyle, grid_lines

    style = GridStyle(palette, colors, numbers, _WIDTH)
    lines = []
    for trace in traces:
        for layer, head in chosen.maps(trace):
            lines += [*grid_lines(trace, layer, head, style), None]
    shown = [line for line in lines if line is not None]
    console = CleanConsole(
        record=True,
        file=io.StringIO(),
        width=max(line.cell_len for line in shown) + 1,
        color_system="truecolor" if colors else None,
        force_terminal=True,
        legacy_windows=False,
        no_color=False,
    )
    for line in lines[:-1]:
        console.print("" if line is None else line)
    return console


def _png(traces: list[AttentionTrace], results: list[dict[str, Any]]) -> bytes:
    from PIL import Image

    rows = [_row(trace, result) for trace, result in zip(traces, results, strict=True)]
    gap = np.full((_GAP, rows[0].shape[1], 3), 255, np.uint8)
    parts = [part for row in rows for part in (row, gap)][:-1]
    buffer = io.BytesIO()
    Image.fromarray(np.concatenate(parts)).save(buffer, "PNG")
    return buffer.getvalue()


def _picture_html(traces: list[AttentionTrace], results: list[dict[str, Any]]) -> bytes:
    sections = []
    for trace, result in zip(traces, results, strict=True):
        answers = "".join(
            f"<tr><td>{html.escape(a['class'])}</td><td>{a['probability']:.1%}</td></tr>"
            for a in result["answers"]
        )
        section = _SECTION.format(
            file=html.escape(Path(result["file"]).name),
            picture=base64.b64encode(_png([trace], [result])).decode(),
            method=html.escape(result["method"]),
            rows=answers,
        )
        sections.append(section)
    return _PICTURES_HTML.format(sections="\n".join(sections)).encode(errors="replace")


def _row(trace: AttentionTrace, result: dict[str, Any]) -> np.ndarray:
    """[_SIDE, 3 × _SIDE and gaps, 3] uint8."""
    assert trace.image is not None
    weights = maps.scaled(np.array(result["patches"]), "map")
    pixels = resized(trace.image, _SIDE, _SIDE)
    gap = np.full((_SIDE, _GAP, 3), 255, np.uint8)
    views = [blended(pixels, weights, blend) for blend in (PLAIN, LIT, ALONE)]
    parts = [part for view in views for part in (view.round().astype(np.uint8), gap)][:-1]
    return np.concatenate(parts, 1)


Formats = Mapping[str, Callable[..., str | bytes]]
FORMATS: Formats = {
    ".svg": _svg,
    ".html": _html,
    ".csv": _csv,
    ".json": _json,
    ".txt": _txt,
}
PICTURE_FORMATS: Formats = {".png": _png, ".html": _picture_html}
