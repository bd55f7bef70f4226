"""Answers of a classifier on the screen, as JSON and as CSV."""

import csv
from collections.abc import Iterable, Sequence
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.console import Console
from rich.text import Text

from dlcc.cli.console import put
from dlcc.cli.draw.labels import fit
from dlcc.cli.draw.palette import PALETTES, color_system

if TYPE_CHECKING:
    from dlcc.core.sentiment.classifier import Answer
    from dlcc.core.sentiment.explain import Explained

_TOP_WORDS = 8
_DIGITS = 4  # of a probability: further ones depend on how many texts are computed at once
_DIM = "dim"
SIGNED = "occlusion"
"""The method whose contributions can be negative."""


def print_answer(console: Console, answer: "Answer", why: "Explained | None") -> None:
    """One text: label and probability, the text in colours, its strongest words."""
    console.print(_verdict(answer))
    if why is None or answer.label is None:
        return
    console.print(coloured(answer.text, why, color_system(console)), soft_wrap=False)
    console.print(_strongest(answer, why))


def print_answers(
    console: Console,
    answers: "Sequence[Answer]",
    why: "Sequence[Explained | None]",
    labels: Sequence[str],
) -> None:
    """Many texts: a line each, cut to a terminal's width; whole and tab-separated in a pipe."""
    longest = max(map(len, labels))
    for answer, explained in zip(answers, why, strict=True):
        label = answer.label or "-"
        number = "" if answer.probability is None else f"{answer.probability:.3f}"
        if not console.is_terminal:
            text = " ".join(answer.text.split())
            put(f"{label}\t{number}\t{text}")
            continue
        line = Text(f"{fit(label, longest)} {number or '-':>5}  ")
        room = max(10, console.width - line.cell_len)
        if explained:
            shown = coloured(answer.text, explained, color_system(console))
            shown = Text(" ").join(part for part in shown.split("\n") if part)
            shown.truncate(room, overflow="ellipsis")
        else:
            shown = Text(fit(" ".join(answer.text.split()), room).rstrip())
        console.print(line.append_text(shown), no_wrap=True, crop=False)


def coloured(text: str, why: "Explained", colors: str | None) -> Text:
    """`text` with each word on the colour of its contribution."""
    palette = PALETTES["signed" if why.method == SIGNED else "viridis"]
    top = float(np.abs(why.contributions).max(initial=0)) or 1.0
    shown = Text(text)
    for (start, end), value in zip(why.tokens.spans, why.contributions, strict=True):
        share = float(value) / top
        if colors and abs(share) >= 0.1:  # the rest keeps the terminal's own colours
            shown.stylize(palette.style(share, colors), start, end)
    return shown


def as_json(answer: "Answer", labels: Sequence[str], why: "Explained | None") -> dict[str, Any]:
    """An answer as JSON values."""
    result: dict[str, Any] = {
        "text": answer.text,
        "label": answer.label,
        "probability": None if answer.probability is None else round(answer.probability, _DIGITS),
        "answers": answers_as_json(
            (label, round(share, _DIGITS))
            for label, share in zip(labels, answer.probabilities, strict=False)
        ),
        "tokens": answer.num_tokens,
        "stretches": answer.num_stretches,
        "mostly_unknown": answer.mostly_unknown,
    }
    if why:
        result["method"] = why.method
        result["words"] = [
            {"word": answer.text[start:end], "start": start, "end": end, "contribution": value}
            for (start, end), value in zip(
                why.tokens.spans, why.contributions.astype(float).round(4).tolist(), strict=True
            )
        ]
    return result


def answers_as_json(answers: Iterable[tuple[str, float]]) -> list[dict[str, Any]]:
    """Labels with their probabilities as JSON values, the most probable first."""
    ordered = sorted(answers, key=lambda each: -each[1])
    return [{"label": label, "probability": probability} for label, probability in ordered]


def print_csv(
    answers: "Sequence[Answer]",
    labels: Sequence[str],
    names: Sequence[str] | None,
    header: bool = True,
) -> None:
    """Answers as CSV on stdout, each after the name of its file where there are `names`."""
    writer = csv.writer(SimpleNamespace(write=lambda row: put(row, "")), lineterminator="\n")
    head = ["text", "label", "probability", *(f"p_{label}" for label in labels)]
    if header:
        writer.writerow(["file", *head] if names else head)
    for number, answer in enumerate(answers):
        numbers = [f"{value:.{_DIGITS}f}" for value in answer.probabilities] or [""] * len(labels)
        probability = "" if answer.probability is None else f"{answer.probability:.{_DIGITS}f}"
        row = [answer.text, answer.label or "", probability, *numbers]
        writer.writerow([names[number], *row] if names else row)


def _verdict(answer: "Answer") -> Text:
    if answer.label is None:
        return Text("no label: there is no word in this text", _DIM)
    return Text.assemble((answer.label, "bold"), f" {answer.probability:.3f}")


def _strongest(answer: "Answer", why: "Explained") -> Text:
    order = np.argsort(-np.abs(why.contributions), kind="stable")[:_TOP_WORDS]
    sign = "+" if why.method == SIGNED else ""
    words = [
        f"{answer.text[slice(*why.tokens.spans[place])]} {why.contributions[place]:{sign}.2f}"
        for place in order
        if why.contributions[place]
    ]
    return Text(f"{', '.join(words)}\n{meaning(why.method, str(answer.label))}", _DIM)


def meaning(method: str, label: str) -> str:
    """What the figures of an explanation by `method` are, in words."""
    return {
        "occlusion": f"change of the log odds of {label} that each word makes",
        "gradient": f"attention that raises {label} (gradient × attention)",
        "rollout": "attention that reaches the answer (rollout)",
    }[method]
