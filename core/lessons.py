"""The chapter as lessons: what each says, the map that it shows, and the answer to its question.

A lesson is a TOML file in `assets/lessons`: screens of text, on each a map, something to do on
some, and a question whose right answer is worked out from the map, not written down.
"""

import tomllib
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from dlcc.core import sources
from dlcc.core.errors import DataError, UsageError
from dlcc.core.files.paths import asset, being_read, read_bytes
from dlcc.core.trace import maps
from dlcc.core.trace.trace import AttentionTrace, load_traces


@dataclass(frozen=True)
class Page:
    """One screen of a lesson."""

    text: str
    shows: tuple[dict[str, Any], ...]
    """The maps that `[` and `]` go through; most often one."""
    turns: str = ""
    """What differs between them, such as temperature."""
    do: str = ""
    """What there is to do."""
    done: tuple[str, str | int] = ("", "")
    """When it is done: ("row", word), ("column", word) or ("turn", number of the map)."""


@dataclass(frozen=True)
class Question:
    """What is asked at the end."""

    ask: str
    options: tuple[str, ...]
    rule: str
    """One of RULES."""
    about: str
    """What the rule is about: a word, or two."""
    hint: str
    """After a wrong answer."""
    because: str
    """After the right one."""


@dataclass(frozen=True)
class Lesson:
    """One lesson."""

    number: int
    name: str
    """Of its file."""
    title: str
    words: str
    """By which it is found besides."""
    pages: tuple[Page, ...]
    question: Question

    def right(self) -> int:
        """The number of the right option, from the maps of the last page.

        Raises:
            DataError: none of them is.
        """
        traces = [trace_of(show) for show in self.pages[-1].shows]
        answer = RULES[self.question.rule](traces, self.question.about)
        if answer not in self.question.options:
            raise DataError(f"lesson {self.name} does not offer its answer, {answer}")
        return self.question.options.index(answer)


@cache
def lessons() -> tuple[Lesson, ...]:
    """All lessons, in order.

    Raises:
        DataError: the installation lacks one, or one is damaged.
    """
    files = sorted(asset("lessons").glob("*.toml"))
    return tuple(_read(file, number) for number, file in enumerate(files, 1))


def lesson(number: int) -> Lesson:
    """One lesson, from 1.

    Raises:
        UsageError: there is none of that number.
    """
    found = lessons()
    if not 1 <= number <= len(found):
        raise UsageError(f"lesson {number}: choose one from 1 to {len(found)}")
    return found[number - 1]


def _read(file: Path, number: int) -> Lesson:
    with being_read(file):
        told = tomllib.loads(read_bytes(file).decode())
        usual = told["show"]
        pages = tuple(
            Page(
                " ".join(page["text"].split()),
                tuple(usual | show for show in page.get("shows", [{}])),
                page.get("turns", ""),
                page.get("do", ""),
                tuple(page.get("done", ("", ""))),
            )
            for page in told["page"]
        )
        asked = dict(told["question"])
        question = Question(**asked | {"options": tuple(asked["options"])})
        return Lesson(number, file.stem, told["title"], told["words"], pages, question)


# The maps


def trace_of(show: dict[str, Any]) -> AttentionTrace:
    """The trace that a page shows.

    Args:
        show: `demo`, the name of a bundled trace, and `trace`, its number in it; or `asked`, what
            the source `attend` is asked. `mean` takes the mean of a layer's heads, `temperature`
            and `causal` change the softmax, `mix` is the box of a second picture in the first, in
            pixels.
    """
    if "demo" in show:
        trace = load_traces(asset("demos") / f"{show['demo']}.trace")[show.get("trace", 1) - 1]
    else:
        trace = sources.traces_of("attend", show["asked"])[0]
    if "mix" in show:
        return _mixed(trace, show["mix"])
    if "temperature" in show or "causal" in show:
        return _turned(trace, show.get("temperature", 1.0), show.get("causal", False))
    return maps.mean_of_heads(trace, show["mean"]) if "mean" in show else trace


def _turned(trace: AttentionTrace, temperature: float, causal: bool) -> AttentionTrace:
    """The softmax once more, of the same scores."""
    if trace.scores is None:
        raise DataError(f"{trace.title} holds no scores")
    scores = (trace.scores / temperature).astype(np.float32)
    if causal:
        allowed = np.tri(*scores.shape[2:]) > 0  # a word sees itself and those before it
        scores = np.where(allowed, scores, -np.inf).astype(np.float32)
    raised = np.exp(scores - scores.max(-1, keepdims=True))
    parts = [f"temperature {temperature:g}"] if temperature != 1 else []
    parts += ["causal mask"] if causal else []
    title = ", ".join([trace.title, *parts])
    return replace(
        trace, weights=raised / raised.sum(-1, keepdims=True), scores=scores, title=title
    )


def _mixed(trace: AttentionTrace, box: list[int]) -> AttentionTrace:
    """A picture with a box of its own negative: two rows, where each label's share comes from."""
    if trace.image is None or trace.grid is None:
        raise DataError(f"{trace.title} holds no picture")
    top, left, bottom, right = box
    inside = np.zeros(trace.image.shape[:2], bool)
    inside[top:bottom, left:right] = True
    image = np.where(inside[..., None], 255 - trace.image, trace.image).astype(np.uint8)
    rows, columns = trace.grid
    high, wide = image.shape[0] // rows, image.shape[1] // columns
    second = inside.reshape(rows, high, columns, wide).mean((1, 3)).reshape(-1)  # [K]
    shares = np.stack([1 - second, second])
    weights = (shares / shares.sum(-1, keepdims=True)).astype(np.float32)[None, None]
    names = ("the picture", "the box")
    return AttentionTrace(
        weights, names, trace.key[-len(second) :], "vit", "CutMix", image=image, grid=trace.grid
    )


# The answers


def _most(traces: list[AttentionTrace], word: str) -> str:
    """The word that `word` looks at most."""
    trace = traces[0]
    return trace.key[int(trace.map(0, 0)[trace.query.index(word)].argmax())]


def _sharpest(traces: list[AttentionTrace], word: str) -> str:
    """The number of the map whose row has the lowest entropy."""
    rows = [trace.map(0, 0)[trace.query.index(word)] for trace in traces]
    return str(1 + int(np.argmin([maps.row_entropy(row) for row in rows])))


def _seen(traces: list[AttentionTrace], word: str) -> str:
    """How many words `word` may look at."""
    row = traces[-1].map(0, 0)[traces[-1].query.index(word)]
    return str(int((row > 0).sum()))


def _wrong(traces: list[AttentionTrace], _: str) -> str:
    """The first word that looks most at another than its partner."""
    best = traces[0].map(0, 0).argmax(-1)
    return traces[0].query[int(np.argmax(best != np.arange(len(best))))]


def _head(traces: list[AttentionTrace], pair: str) -> str:
    """The head, of those shown, that puts most on a pair of words."""
    query, key = pair.split()
    trace = traces[0]
    weights = trace.weights[0, :, trace.query.index(query), trace.key.index(key)]
    return f"head {int(weights.argmax()) + 1}"


def _explained(traces: list[AttentionTrace], method: str) -> str:
    """The word that an explanation holds for the most important."""
    values = np.abs(traces[0].tensors[f"explanation.{method}"])
    return traces[0].key[int(values.argmax())]


def _patches(traces: list[AttentionTrace], _: str) -> str:
    """How many patches there are."""
    rows, columns = traces[0].grid or (0, 0)
    return str(rows * columns)


def _share(traces: list[AttentionTrace], _: str) -> str:
    """The share of the picture that the box takes."""
    inside = (traces[0].weights[0, 0, 1] > 0).mean()
    return f"{inside:.0%}".replace("%", " %")


RULES: dict[str, Callable[[list[AttentionTrace], str], str]] = {
    "most": _most,
    "sharpest": _sharpest,
    "seen": _seen,
    "wrong": _wrong,
    "head": _head,
    "explained": _explained,
    "patches": _patches,
    "share": _share,
}
"""How a right answer is worked out from the maps."""
