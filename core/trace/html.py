"""A trace as a piece of a page, in which a notebook shows it: one map with words, all as pictures.

It needs nothing but itself: no script, no style sheet, no file beside it.
"""

import base64
import html
import struct
import zlib
from collections.abc import Sequence

import numpy as np

_MOST_TOKENS = 48  # a side, beyond which the map is a picture without words
_MOST_PICTURES = 400
_LIGHT, _DARK = np.array([255, 255, 255.0]), np.array([8, 48, 107.0])  # of no weight, of the most
_SMALL = 56  # pixels of a map among all
_LARGE = 480


def page_part(
    title: str,
    weights: np.ndarray,
    query: Sequence[str],
    key: Sequence[str],
    layer_names: Sequence[str],
) -> str:
    """HTML: the mean of the last layer's heads, and below it every map small.

    Args:
        title: above it.
        weights: [L, H, Q, K].
        query: the Q tokens.
        key: the K tokens.
        layer_names: L names.
    """
    layers, heads = weights.shape[:2]
    mean = weights[-1].mean(0, dtype=np.float32)
    few = max(mean.shape) <= _MOST_TOKENS
    what = f"{layer_names[-1]}, mean of {heads} heads"
    parts = [
        f"<p><b>{html.escape(title)}</b>: {html.escape(what)}</p>",
        _table(mean, query, key) if few else _picture(mean, _LARGE, what),
    ]
    if 1 < layers * heads <= _MOST_PICTURES:
        small = "".join(
            '<div style="white-space:nowrap">'
            + "".join(
                _picture(values, _SMALL, f"{name}, head {n}") for n, values in enumerate(layer, 1)
            )
            + "</div>"
            for name, layer in zip(layer_names, weights, strict=True)
        )
        parts.append(f"<details><summary>all heads, a row a layer</summary>{small}</details>")
    return f'<div style="font-family:sans-serif;font-size:12px">{"".join(parts)}</div>'


def _table(values: np.ndarray, queries: Sequence[str], keys: Sequence[str]) -> str:
    """A cell a weight; queries are rows, keys columns."""
    heads = "".join(
        f'<th style="writing-mode:vertical-rl;font-weight:normal">{html.escape(key)}</th>'
        for key in keys
    )
    rows = []
    for query, row, shades in zip(queries, values, _shades(values), strict=True):
        cells = "".join(
            f'<td style="background:rgb({r},{g},{b});width:16px;height:16px;padding:0" '
            f'title="{html.escape(query)} → {html.escape(key)} {weight:.3f}"></td>'
            for key, weight, (r, g, b) in zip(keys, row, shades.tolist(), strict=True)
        )
        label = f'<th style="text-align:right;font-weight:normal">{html.escape(query)}</th>'
        rows.append(f"<tr>{label}{cells}</tr>")
    return f'<table style="border-spacing:1px"><tr><th></th>{heads}</tr>{"".join(rows)}</table>'


def _picture(values: np.ndarray, side: int, title: str) -> str:
    """A map as a picture of `side` pixels, each the largest weight of those it stands for."""
    starts = [np.arange(min(side, n)) * n // min(side, n) for n in values.shape]
    sizes = np.abs(values.astype(np.float32))
    small = np.maximum.reduceat(np.maximum.reduceat(sizes, starts[0], 0), starts[1], 1)
    data = base64.b64encode(png(_shades(small))).decode()
    return (
        f'<img alt="{html.escape(title)}" title="{html.escape(title)}" width="{side}" '
        f'height="{side}" style="image-rendering:pixelated;margin:1px;border:1px solid #ccc" '
        f'src="data:image/png;base64,{data}">'
    )


def _shades(values: np.ndarray) -> np.ndarray:
    """[rows, columns, 3] uint8."""
    sizes = np.abs(values)
    strength = (sizes / (sizes.max() or 1.0))[..., None]
    return (_LIGHT + strength * (_DARK - _LIGHT)).round().astype(np.uint8)


def png(pixels: np.ndarray) -> bytes:
    """A PNG file of [rows, columns, 3] uint8 (its specification, sections 4 and 5)."""
    rows, columns = pixels.shape[:2]
    lines = np.concatenate((np.zeros((rows, 1), np.uint8), pixels.reshape(rows, -1)), 1)

    def chunk(name: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        )

    header = struct.pack(">IIBBBBB", columns, rows, 8, 2, 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(lines.tobytes())), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)
