"""Maps and coloured texts as parts of a page, for a notebook and for a file of its own.

A part needs nothing but itself: no address, no file beside it. It reads without a script; with one,
layers and heads can be switched and weights pointed at.
"""

import base64
import html
import json
import re
import struct
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from dlcc.core.files.paths import asset
from dlcc.core.trace.scales import Scale, scale_of
from dlcc.core.trace.small import shrink

Colour = tuple[int, int, int]

_MOST_TOKENS = 48  # a side, beyond which the map is a picture without words
_MOST_PICTURES = 400
_MOST_NUMBERS = 300_000  # that come along for the script
_WHITE_TO_BLUE: tuple[Colour, ...] = ((255, 255, 255), (8, 48, 107))
_SMALL = 56  # pixels of a map among all
_LARGE = 480
_MOST_LINES = 1000
# Controls, what turns the direction of writing, halves of characters: no page may hold them.
_UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")
_FAINT = 0.1  # a share of the largest value that is left without colour


@dataclass(frozen=True)
class Style:
    """The colours of a part, and how much of it is seen and kept."""

    ramp: Sequence[Colour] = _WHITE_TO_BLUE
    """From no weight to the largest, evenly spaced; where values have signs, from the most negative
    one."""
    signed: bool = False
    numbers: bool = False
    """Whether cells show their weights."""
    top: float = 0.0
    """The weight at the ramp's end at least, where parts share a scale."""
    scale: str = "shared"
    """One of `SCALES`; the script switches through them."""
    most: int = _MOST_NUMBERS
    """Weights that come along, so that heads can be switched; with more, none do."""


def page(title: str, parts: Iterable[str], background: str, ink: str, size: float = 13) -> str:
    """Parts as a page of their own.

    Args:
        title: of the window.
        parts: HTML.
        background, ink: colours.
        size: of letters, in pixels.
    """
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="UTF-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>{_safe(title)}</title>\n<style>\nbody {{ background: {background}; color: {ink}; "
        f"margin: 2em; }}\nsection.dlcc {{ font-size: {size}px; }}\n</style></head>\n"
        f"<body>\n{chr(10).join(parts)}\n</body></html>\n"
    )


def page_part(
    title: str,
    weights: np.ndarray,
    query: Sequence[str],
    key: Sequence[str],
    layer_names: Sequence[str],
    style: Style = Style(),
    shown: tuple[int, int] | None = None,
) -> str:
    """HTML: one map with its words, and below it every map small.

    Args:
        title: above it.
        weights: [L, H, Q, K].
        query: the Q tokens.
        key: the K tokens.
        layer_names: L names.
        style: its colours.
        shown: layer and head of the map, from 0; the mean of the last layer's heads when None.
    """
    layers, heads = weights.shape[:2]
    layer, head = shown or (layers - 1, heads if heads > 1 else 0)
    means = weights.mean(1, dtype=np.float32) if heads > 1 else weights[:, 0]  # [L, Q, K]
    values = means[layer] if head == heads else weights[layer, head]
    most, most_mean = (float(np.abs(each).max()) or 1.0 for each in (weights, means))
    tops = max(style.top, most), most_mean  # heads have one scale, and means have one
    scale = scale_of(style.scale, values, tops[head == heads], style.signed)
    places = scale.places(values)
    few = max(values.shape) <= _MOST_TOKENS
    name = f"head {head + 1} of {heads}" if head < heads else f"mean of {heads} heads"
    what = f"{layer_names[layer]}, {name}" if heads > 1 else layer_names[layer]
    what = "" if what in (title, "layer 1") else what
    heading = f"<b>{_safe(title)}</b>{': ' * bool(what)}"
    shared = ("one scale for all maps",) * 2 if style.top else ("", "")
    if layers * heads > 1:
        shared = "one scale for all heads", "one scale for all means"
    meaning = shared[head == heads] if style.scale == "shared" else scale.meaning
    drawn = _table(values, query, key, places, style) if few else ""
    parts = [
        f'<p>{heading}<span class="what">{_safe(what)}</span></p>',
        f'<div class="map">{drawn or _picture(places, style, _LARGE, what)}</div>',
        _bar(scale, style, ", ".join(part for part in ("weight", meaning) if part)),
        '<p class="says"></p>',
    ]
    if not few and len(query) <= _MOST_LINES:
        parts.append(_strongest(values, query, key))
    if 1 < layers * heads <= _MOST_PICTURES:
        parts.append(_all_heads(weights, layer_names, tops[0], style))
    if weights.size <= style.most:
        words = " ".join(f"<span>{_safe(word)}</span>" for word in key)
        data = _data(weights, (query, key, layer_names), tops, shared, style, (layer, head))
        parts += [f'<p class="text">{words}</p>', data]
    return _section(parts)


def text_part(
    title: str,
    lines: Sequence[Sequence[tuple[str, float, bool]]],
    style: Style,
    meaning: str,
    top: float,
) -> str:
    """HTML: running texts, each word on the colour of its value, with that as its hint.

    Args:
        title: above them.
        lines: of each text the words: text, value, and whether no space stands before it.
        style: its colours.
        meaning: what a value is.
        top: the size of a value at the ramp's end.
    """
    texts = []
    for words in lines:
        spans = []
        for word, value, joined in words:
            shade = _shades(np.array([[value / top]]), style)[0, 0]
            look = f"background:rgb({_rgb(shade)});color:{ink_on(shade)}"
            look = look if abs(value) >= _FAINT * top else "background:none"
            span = f'<span style="{look};padding:.15em 0" title="{value:.4f}">{_safe(word)}</span>'
            spans.append(("" if joined else " ") + span)
        texts.append(f'<p class="text">{"".join(spans)}</p>')
    bar = _bar(Scale("shared", top, style.signed), style, meaning)
    return _section([f"<p><b>{_safe(title)}</b></p>", *texts, bar])


def _section(parts: Sequence[str]) -> str:
    css, script = (asset(f"page/page.{ending}").read_text("utf-8") for ending in ("css", "js"))
    head, tail = f"<style>\n{css}</style>\n", f"\n<script>\n{script}</script>"
    return f'<section class="dlcc">{head}{"".join(parts)}{tail}</section>'


def _table(
    values: np.ndarray,
    queries: Sequence[str],
    keys: Sequence[str],
    places: np.ndarray,
    style: Style,
) -> str:
    """A cell a weight in the colour of its place; queries are rows, keys columns."""
    heads = "".join(f'<th scope="col">{_safe(key)}</th>' for key in keys)
    rows = []
    for query, row, shades in zip(queries, values, _shades(places, style), strict=True):
        cells = "".join(
            f'<td style="background:rgb({_rgb(shade)});color:{ink_on(shade)}" '
            f'title="{_safe(query)} → {_safe(key)} {weight:.3f}">'
            f"{f'{weight:.2f}'.replace('0.', '.', 1) if style.numbers else ''}</td>"
            for key, weight, shade in zip(keys, row.tolist(), shades, strict=True)
        )
        rows.append(f'<tr><th scope="row">{_safe(query)}</th>{cells}</tr>')
    return f'<table><tr class="top"><th></th>{heads}</tr>{"".join(rows)}</table>'


def _strongest(values: np.ndarray, queries: Sequence[str], keys: Sequence[str]) -> str:
    """A line a query: the key that it looks at most."""
    best = np.abs(values).argmax(1).tolist()
    lines = (
        f"<li>{_safe(query)} → {_safe(keys[place])} {row[place]:.3f}</li>"
        for query, row, place in zip(queries, values, best, strict=True)
    )
    return (
        f"<details><summary>where each row looks most</summary><ol>{''.join(lines)}</ol></details>"
    )


def _all_heads(weights: np.ndarray, layer_names: Sequence[str], top: float, style: Style) -> str:
    heads = weights.shape[1]
    cells = ["<span></span>", *(f"<span>{n + 1}</span>" for n in range(heads))]
    for layer, (name, maps) in enumerate(zip(layer_names, weights, strict=True)):
        cells.append(f"<span>{_safe(name)}</span>")
        cells += [
            _picture(
                scale_of(style.scale, values, top, style.signed).places(values),
                style,
                _SMALL,
                f"{name}, head {n + 1}",
                f' data-layer="{layer}" data-head="{n}"',
            )
            for n, values in enumerate(maps)
        ]
    grid = f"grid-template-columns:auto repeat({heads}, auto)"
    return (
        "<details open><summary>all heads, a row a layer</summary>"
        f'<div class="heads" style="{grid}">{"".join(cells)}</div></details>'
    )


def _picture(places: np.ndarray, style: Style, side: int, title: str, more: str = "") -> str:
    """A map as a picture, its longer side of `side` pixels, each the largest of those it stands
    for."""
    rows, columns = places.shape
    wide, high = (max(1, round(side * n / max(places.shape))) for n in (columns, rows))
    small = shrink(places.astype(np.float32), min(rows, side), min(columns, side))
    data = base64.b64encode(png(_shades(small, style))).decode()
    return (
        f'<img alt="{_safe(title)}" title="{_safe(title)}" width="{wide}" height="{high}"{more} '
        f'src="data:image/png;base64,{data}">'
    )


def _bar(scale: Scale, style: Style, meaning: str) -> str:
    colours = ", ".join(f"rgb({_rgb(colour)})" for colour in style.ramp)
    low, middle, end = (_written(scale.value(place)) for place in (0.0, 0.5, 1.0))
    ends = (f"−{end}", "0", f"+{end}") if style.signed else (low, middle, end)
    numbers = "".join(f"<b>{end}</b>" for end in ends)
    return (
        f'<div class="bar"><small>{_safe(meaning)}</small>'
        f'<i style="background:linear-gradient(to right, {colours})"></i>'
        f"<span>{numbers}</span></div>"
    )


def _written(value: float) -> str:
    digits = 2 if value >= 0.1 else 4
    return f"{value:.{digits}f}" if round(value, digits) else "0"


def _data(
    weights: np.ndarray,
    names: tuple[Sequence[str], Sequence[str], Sequence[str]],
    tops: Sequence[float],
    shared: Sequence[str],
    style: Style,
    shown: tuple[int, int],
) -> str:
    """What the script draws from: weights in steps of a 65,535th of the largest."""
    query, key, layer_names = (list(map(_visible, each)) for each in names)
    most = float(np.abs(weights).max()) or 1.0
    shares = weights.astype(np.float32) / most
    steps = (shares + 1) * 32767 if style.signed else shares * 65535
    values = {
        "shape": weights.shape,
        "codes": base64.b64encode(steps.round().astype("<u2").tobytes()).decode(),
        "most": most,
        "tops": tops,
        "shared": shared,
        "scale": style.scale,
        "signed": style.signed,
        "ramp": [list(map(int, colour)) for colour in style.ramp],
        "numbers": style.numbers,
        "query": query,
        "key": key,
        "names": layer_names,
        "shown": shown,
    }
    text = json.dumps(values).replace("<", "\\u003c")  # no end of the script stands in a token
    return f'<script type="application/json">{text}</script>'


def _shades(places: np.ndarray, style: Style) -> np.ndarray:
    """[rows, columns, 3] uint8, for places on the bar."""
    shares = places.astype(np.float32)
    places = ((shares + 1) / 2 if style.signed else shares).clip(0, 1) * (len(style.ramp) - 1)
    ramp = np.array(style.ramp, np.float32)
    left = np.minimum(places.astype(int), len(ramp) - 2)
    rest = (places - left)[..., None]
    return (ramp[left] + (ramp[left + 1] - ramp[left]) * rest).round().astype(np.uint8)


def _rgb(colour: Iterable[int]) -> str:
    return ",".join(str(int(part)) for part in colour)


def ink_on(colour: np.ndarray) -> str:
    """Black or white, whichever stands out more on red, green and blue from 0 to 255."""
    return "#000" if colour @ np.array([0.299, 0.587, 0.114]) > 140 else "#fff"


def _safe(text: str) -> str:
    return html.escape(_visible(text))


def _visible(text: str) -> str:
    return _UNSEEN.sub("�", text)


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
