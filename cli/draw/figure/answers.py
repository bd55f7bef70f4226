"""A classifier's answers as panels: the text in the colours of what each word did."""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from dlcc.cli.draw.bar import signs
from dlcc.cli.draw.figure.panels import Panel
from dlcc.cli.draw.figure.texts import Passage, TextPanel, Word
from dlcc.cli.draw.palette import PALETTES
from dlcc.cli.draw.words import SIGNED, meaning
from dlcc.core.trace.scales import scale_of

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
    values = why.contributions
    scale = scale_of("own", values, signed=why.method == SIGNED)
    palette = PALETTES["signed" if scale.signed else "viridis"]
    label = meaning(why.method, answer.label) + (f" ({signs('truecolor')})" if scale.signed else "")
    words = words_of(answer.text, why.tokens.spans, values)
    return TextPanel((Passage(words),), title, scale, label, palette)


def words_of(
    text: str, spans: Sequence[tuple[int, int]], values: "Sequence[float] | np.ndarray"
) -> list[Word]:
    """A text cut at spaces and where its spans begin and end.

    Args:
        text: what is shown.
        spans: beginnings and ends of the parts that have a value.
        values: one a span.
    """
    valued = {start: (end, float(value)) for (start, end), value in zip(spans, values, strict=True)}
    words: list[Word] = []
    place, gap = 0, "\n"
    while place < len(text):
        if blank := re.compile(r"\s+").match(text, place):
            place, gap = blank.end(), blank.group()
            continue
        end, value = valued.get(place, (0, 0.0))
        if not end:
            stop = re.compile(r"\S+").match(text, place)
            following = min((start for start in valued if start > place), default=len(text))
            end = min(stop.end() if stop else len(text), following)
        words.append(Word(text[place:end], value, joined=not gap, begins="\n" in gap))
        place, gap = end, ""
    return words
