"""Answers without some heads: how much each head matters to one answer.

What a head looks at does not say that the answer needs it; switching it off does.

Shapes: L layers, H heads, C classes, N ways to switch heads off.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from dlcc.core.errors import UsageError
from dlcc.core.progress import Progress
from dlcc.core.runner import Graph, TorchRunner
from dlcc.core.trace.trace import AttentionTrace

if TYPE_CHECKING:
    from torch import nn

Classifier = TypeVar("Classifier", bound=Any)
Head = tuple[int, int]
"""Layer and head, from 0."""


@dataclass(frozen=True)
class Effect:
    """What becomes of an answer without one head."""

    layer: int
    head: int
    change: float
    """Of the answer's probability, or of the logarithm of a translation's."""
    answer: str
    """What the answer is then."""


class WithoutHeads(TorchRunner):
    """A model's functions while some of its heads are off, as `nn.ablation.heads_off` has it.

    Args:
        attentions: the L attentions whose heads are meant.
        kept: boolean [N, L, H] of each row of a batch; N may be 1, for all.
    """

    def __init__(
        self,
        model: "nn.Module",
        graphs: Mapping[str, Graph],
        attentions: "Sequence[nn.Module]",
        kept: np.ndarray,
    ) -> None:
        super().__init__(model, graphs)
        self.attentions, self.kept = attentions, kept

    def run(self, name: str, **inputs: Any) -> dict[str, Any]:
        import torch

        from dlcc.core.nn.ablation import heads_off

        with heads_off(self.attentions, torch.from_numpy(self.kept)):
            return super().run(name, **inputs)


def kept_but(shape: tuple[int, int], heads: Collection[Head]) -> np.ndarray:
    """Boolean [1, L, H], False for the given heads.

    Raises:
        UsageError: a head that there is not.
    """
    kept = np.ones((1, *shape), bool)
    for layer, head in heads:
        if not (0 <= layer < shape[0] and 0 <= head < shape[1]):
            raise UsageError(f"no head {layer + 1}.{head + 1}: {shape[0]} layers of {shape[1]}")
        kept[0, layer, head] = False
    return kept


def without_heads(
    classifier: Classifier,
    graphs: Mapping[str, Graph],
    attentions: "Sequence[nn.Module]",
    heads: Collection[Head],
) -> Classifier:
    """A classifier as it answers without some heads; it has its weights.

    Args:
        classifier: has `model`, `runner` and, in its config, how many heads a layer has.
        graphs: the model's functions.
        attentions: those whose heads are meant.
        heads: that are off.

    Raises:
        UsageError: a head that there is not.
    """
    kept = kept_but((len(attentions), classifier.config.num_heads), heads)
    runner = WithoutHeads(classifier.model, graphs, attentions, kept)
    return replace(classifier, model=None, runner=runner)


def logits_without_each(
    model: "nn.Module",
    graphs: Mapping[str, Graph],
    attentions: "Sequence[nn.Module]",
    num_heads: int,
    inputs: Mapping[str, np.ndarray],
    rows: int,
    progress: Progress | None = None,
) -> np.ndarray:
    """Logits [1 + L·H, C] of one input by the function `answer`: with all heads, then without each
    one in turn.

    Args:
        inputs: of the function, of one row.
        rows: of a batch.
        progress: told how many are done.
    """
    count = len(attentions) * num_heads
    flat = np.ones((1 + count, count), bool)
    flat[np.arange(1, 1 + count), np.arange(count)] = False
    kept = flat.reshape(1 + count, len(attentions), num_heads)
    found = []
    for start in range(0, len(kept), rows):
        part = kept[start : start + rows]
        runner = WithoutHeads(model, graphs, attentions, part)
        given = {name: np.repeat(array, len(part), 0) for name, array in inputs.items()}
        found.append(runner.run("answer", **given)["logits"])
        if progress:
            progress(min(start + rows, len(kept)), len(kept))
    return np.concatenate(found)


def effects_of(probabilities: np.ndarray, num_heads: int, classes: Sequence[str]) -> list[Effect]:
    """The effects on a classifier's answer, the largest first.

    Args:
        probabilities: [1 + L·H, C], as `logits_without_each` orders them.
        classes: C names.
    """
    whole, each = probabilities[0], probabilities[1:]
    label = int(whole.argmax())
    found = [
        Effect(
            *divmod(number, num_heads),
            float(row[label] - whole[label]),
            f"{classes[int(row.argmax())]} {row.max():.2f}",
        )
        for number, row in enumerate(each)
    ]
    return ranked(found)


def ranked(effects: Sequence[Effect]) -> list[Effect]:
    """The largest change first, whichever way."""
    return sorted(effects, key=lambda effect: -abs(effect.change))


def off(
    trace: AttentionTrace,
    before: AttentionTrace,
    heads: Collection[Head],
    tokens: Collection[int],
    change: str,
) -> AttentionTrace:
    """A trace that was made without some heads and tokens, with what it says of that in its title
    and details. The maps of heads that are off are zero: what they weigh goes nowhere.

    Args:
        before: the trace with all of them, or one that said already what was off.
        change: what became of the answer.
    """
    weights = trace.weights.copy()
    for layer, head in heads:
        weights[layer, head] = 0
    names = [f"head {layer + 1}.{head + 1}" for layer, head in sorted(heads)]
    layers = {layer for layer in range(trace.num_layers) if not weights[layer].any()}
    if layers:
        names = [f"layer {layer + 1}" for layer in sorted(layers)] + [
            name
            for name, (layer, _) in zip(names, sorted(heads), strict=True)
            if layer not in layers
        ]
    names += [before.key[token] for token in sorted(tokens)]
    return replace(
        trace,
        weights=weights,
        title=f"without {', '.join(names)}: {change}",
        details={
            **trace.details,
            "off": {"heads": sorted(map(list, heads)), "tokens": sorted(tokens)},
            "change": change,
        },
    )


def change(before: np.ndarray, after: np.ndarray, classes: Sequence[str]) -> str:
    """What became of an answer: "negative 0.98 → 0.61", or "→ positive 0.72" where it is another.

    Args:
        before, after: probabilities [C].
        classes: C names.
    """
    old, new = int(before.argmax()), int(after.argmax())
    name = "" if old == new else f"{classes[new]} "
    return f"{classes[old]} {before[old]:.2f} → {name}{after[new]:.2f}"
