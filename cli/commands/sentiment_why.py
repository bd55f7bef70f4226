"""Why a classifier answered: words' contributions, traces and attention grids of its answers."""

from pathlib import Path

import numpy as np

from dlcc.cli.console import stdout
from dlcc.cli.draw.grid import GridStyle, attention_grid
from dlcc.cli.draw.palette import color_system
from dlcc.cli.draw.words import Explained
from dlcc.cli.made_by import by_model
from dlcc.core.errors import UsageError
from dlcc.core.sentiment.classifier import Answer, Classifier
from dlcc.core.sentiment.explain import explain
from dlcc.core.sentiment.source import trace_of
from dlcc.core.trace.trace import AttentionTrace

_EXPLAINED = 20  # texts that are explained unasked
_OCCLUDED = 300  # words of a text that are masked one by one unasked


def explained(
    answers: Classifier, found: list[Answer], method: str | None
) -> list[Explained | None]:
    """Contributions of each text's words; None where nobody asked and there are many texts."""
    if method == "none" or (method is None and len(found) > _EXPLAINED):
        return [None] * len(found)
    has_attention = answers.model.encoder.config.architecture == "transformer"
    why: list[Explained | None] = []
    for answer in found:
        if answer.label is None:
            why.append(None)
            continue
        tokens = answers.codec.encode(answer.text)
        quick = has_attention and len(tokens.spans) > _OCCLUDED
        chosen = method or ("gradient" if quick else "occlusion")
        target = answers.labels.index(answer.label)
        why.append(Explained(chosen, tokens, explain(answers, tokens, target, chosen)))
    return why


def traces(
    answers: Classifier,
    found: list[Answer],
    why: list[Explained | None],
    checkpoint: Path | None,
) -> list[AttentionTrace]:
    """Attention on each text that has a label, with what its words contribute.

    Args:
        answers: what answered.
        found: what it said.
        why: the contributions.
        checkpoint: where it came from; None for the bundled one.

    Raises:
        UsageError: too many texts, or no attention to show.
    """
    if len(found) > _EXPLAINED:
        raise UsageError(f"attention of {len(found):,} texts: choose at most {_EXPLAINED}")
    traces = []
    for answer, each in zip(found, why, strict=True):
        made_by = by_model(
            answers.about,
            checkpoint,
            "sentiment",
            answer.text,
            long=(answers.long_texts, "windows"),
        )
        traces.append(trace_of(answers, answer.text, _by_method(answers, answer, each), made_by))
    kept = [trace for trace in traces if trace is not None]
    if not kept:
        raise UsageError("there is no attention to show: the model is a GRU, or the text is empty")
    return kept


def _by_method(answers: Classifier, answer: Answer, why: Explained | None) -> dict[str, np.ndarray]:
    """Contributions by each method that is quick, and by the one that was asked for."""
    has_attention = answers.model.encoder.config.architecture == "transformer"
    if answer.label is None or not has_attention:
        return {}
    tokens, target = answers.codec.encode(answer.text), answers.labels.index(answer.label)
    known = {why.method: why.contributions} if why else {}
    missing = (name for name in ("gradient", "rollout") if name not in known)
    return known | {name: explain(answers, tokens, target, name) for name in missing}


def check_grid(traces: list[AttentionTrace], layer: int | None, head: int | None) -> None:
    """Raise UsageError unless all traces have such a layer and head, numbered from 1."""
    layers, heads = traces[0].num_layers, traces[0].num_heads
    for flag, value, most in (("--layer", layer, layers), ("--head", head, heads)):
        if value is not None and not 1 <= value <= most:
            raise UsageError(f"{flag} {value}: from 1 to {most}")


def print_grid(traces: list[AttentionTrace], layer: int | None, head: int | None) -> None:
    """One layer (None: the last) and head (None: the first) of each trace, numbered from 1."""
    console = stdout()
    style = GridStyle(color_system=color_system(console), width=console.width)
    for trace in traces:
        console.print(
            attention_grid(trace, (layer or trace.num_layers) - 1, (head or 1) - 1, style)
        )
