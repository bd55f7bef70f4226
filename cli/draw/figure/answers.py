"""A classifier's answers as panels: the text in the colours of what each word did."""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from dlcc.cli.draw.figure.panels import Panel, weight_bar
from dlcc.cli.draw.figure.texts import Passage, TextPanel, Word
from dlcc.cli.draw.palette import PALETTES
from dlcc.cli.draw.words import SIGNED, meaning

if TYPE_CHECKING:
    from dlcc.core.sentiment.classifier import Answer
    from dlcc.core.sentiment.explain import Explained


def answer_panels(
    answers: "Sequence[Answer]", why: "Sequence[Explained | None]"
) -> Sequence[Panel]:
    """A panel a text, its label and probability in the title."""
    return [_panel(answer, each) for answer, each in zip(answers, why, strict=True)]


def _panel(answer: "Answer", why: "Explained | None") -> Panel:
    if answer.label is None:
        return TextPanel((Passage(words_of(answer.text, (), ())),), "no label")
    title = f"{answer.label} {answer.probability:.3f}"
    if why is None:
        return TextPanel((Passage(words_of(answer.text, (), ())),), title)
    signed, values = why.method == SIGNED, why.contributions
    palette = PALETTES["signed" if signed else "viridis"]
    top = float(np.abs(values).max(initial=0)) or 1.0
    bar = weight_bar(top, palette, meaning(why.method, answer.label))
    if signed:
        against, middle, in_favour = bar.ticks
        ticks = (0.0, f"{against[1]} against"), middle, (1.0, f"{in_favour[1]} for")
        bar = replace(bar, ticks=ticks)
    words = words_of(answer.text, why.tokens.spans, values / top)
    return TextPanel((Passage(words),), title, bar, palette=palette, top=top)


def words_of(
    text: str, spans: Sequence[tuple[int, int]], shades: "Sequence[float] | np.ndarray"
) -> list[Word]:
    """A text cut at spaces and where its shaded spans begin and end.

    Args:
        text: what is shown.
        spans: beginnings and ends of the shaded parts.
        shades: one a span.
    """
    shaded = {start: (end, float(shade)) for (start, end), shade in zip(spans, shades, strict=True)}
    words: list[Word] = []
    place, gap = 0, "\n"
    while place < len(text):
        if blank := re.compile(r"\s+").match(text, place):
            place, gap = blank.end(), blank.group()
            continue
        end, shade = shaded.get(place, (0, 0.0))
        if not end:
            stop = re.compile(r"\S+").match(text, place)
            following = min((start for start in shaded if start > place), default=len(text))
            end = min(stop.end() if stop else len(text), following)
        words.append(Word(text[place:end], shade, joined=not gap, begins="\n" in gap))
        place, gap = end, ""
    return words
