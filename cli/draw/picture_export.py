"""Pictures with their attention as a PNG, or as an HTML page that needs nothing else."""

import base64
import html
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from dlcc.cli.draw.pictures import heat, lit
from dlcc.core.errors import UsageError
from dlcc.core.files.paths import write_atomically
from dlcc.core.trace.trace import AttentionTrace

_SIDE = 256  # of each picture, in pixels
_GAP = 8
_PAGE = """<!DOCTYPE html>
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


def check_ending(path: Path) -> None:
    """Raise UsageError when `export_pictures` could not write `path`."""
    if path.suffix.lower() not in _FORMATS:
        raise UsageError(f"--export {path}: end it in {' or '.join(_FORMATS)}")


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
    check_ending(path)
    data = _FORMATS[path.suffix.lower()](traces, results)
    write_atomically(path, lambda temporary: _write(temporary, data))


def _png(traces: list[AttentionTrace], results: list[dict[str, Any]]) -> bytes:
    rows = [_row(trace, result) for trace, result in zip(traces, results, strict=True)]
    gap = np.full((_GAP, rows[0].shape[1], 3), 255, np.uint8)
    parts = [part for row in rows for part in (row, gap)][:-1]
    buffer = BytesIO()
    Image.fromarray(np.concatenate(parts)).save(buffer, "PNG")
    return buffer.getvalue()


def _html(traces: list[AttentionTrace], results: list[dict[str, Any]]) -> bytes:
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
    return _PAGE.format(sections="\n".join(sections)).encode()


def _row(trace: AttentionTrace, result: dict[str, Any]) -> np.ndarray:
    """[_SIDE, 3 × _SIDE and gaps, 3] uint8."""
    assert trace.image is not None
    weights = np.array(result["patches"])
    image = Image.fromarray(trace.image).resize((_SIDE, _SIDE), Image.Resampling.NEAREST)
    pixels = np.asarray(image)
    gap = np.full((_SIDE, _GAP, 3), 255, np.uint8)
    views = (pixels, lit(pixels, weights), heat(weights, (_SIDE, _SIDE)))
    parts = [part for view in views for part in (view.round().astype(np.uint8), gap)][:-1]
    return np.concatenate(parts, 1)


def _write(path: Path, data: bytes) -> None:
    path.write_bytes(data)


_FORMATS: dict[str, Callable[[list[AttentionTrace], list[dict[str, Any]]], bytes]] = {
    ".png": _png,
    ".html": _html,
}
