"""Any model's attention on a text, as traces, from a folder or the hub.

The model, transformers and torch come with the first text.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from dlcc.core.sources import Ask, made_by
from dlcc.core.trace.maps import renormalised
from dlcc.core.trace.trace import AttentionTrace

if TYPE_CHECKING:
    from dlcc.core.ablation import Effect, Head
    from dlcc.core.huggingface.model import TextModel
    from dlcc.core.progress import Progress

NAME = "hf"
_SINK = 0.3
"""Share of the attention of later tokens that makes the first one a sink (Xiao et al. 2024)."""


class HuggingFaceSource:
    """Any text model of Hugging Face's layout.

    Args:
        options: how it is loaded and asked: device, offline, generate, chat.
    """

    title = "Any model: a folder or a name on the hub, and a text"
    asks: Sequence[Ask] = (
        Ask("Model (a folder, or a name such as sentence-transformers/all-MiniLM-L6-v2)"),
        Ask("Text", "The teacher praised a student because she improved"),
    )

    def __init__(self, **options: Any) -> None:
        self.options = options

    def model(self, name: str) -> "TextModel":
        return _model(name, self.options.get("device", "auto"), self.options.get("offline", False))

    def traces(self, name: str, text: str, second: str | None = None) -> list[AttentionTrace]:
        model = self.model(name)
        generate = int(self.options.get("generate") or 0)
        chat = bool(self.options.get("chat"))
        encoded = model.encode(text, second, chat)
        asked = [name, text, *([] if second is None else [second])]
        origin = made_by(NAME, asked, {k: v for k, v in self.options.items() if v}, "transformers")
        return [replace(each, made_by=origin) for each in model.traces(encoded, generate)]

    def again(self, trace: AttentionTrace, step: int, word: str) -> list[AttentionTrace]:
        asked = trace.made_by.get("asked") or [""]
        found = self.model(str(asked[0])).again(trace, step, word)
        return [replace(each, made_by=trace.made_by) for each in found]

    def without(
        self, trace: AttentionTrace, heads: "Collection[Head]" = (), tokens: Collection[int] = ()
    ) -> list[AttentionTrace]:
        """The trace's text read without some heads, whose weighted values are then zero, and
        without some tokens, which nothing looks at. Both numbered from 0, as in the trace; the
        trace says what was off and, as `change`, what became of the answer: a classifier's, a
        mask's, or the next token.

        Raises:
            UsageError: the model answers nothing, or has no such head or token.
        """
        from dlcc.core.huggingface.ablation import Asked

        asked = Asked(self.model(str(trace.made_by["asked"][0])), trace, self.options.get("chat"))
        return [replace(asked.without(heads, tokens), made_by=trace.made_by)]

    def ablated(self, trace: AttentionTrace, progress: "Progress | None" = None) -> "list[Effect]":
        """What becomes of the answer without each of the heads, the largest change of its
        probability first.

        Raises:
            UsageError: the model answers nothing.
        """
        from dlcc.core.huggingface.ablation import Asked

        model = self.model(str(trace.made_by["asked"][0]))
        return Asked(model, trace, self.options.get("chat")).effects(progress)


@lru_cache(maxsize=2)
def _model(name: str, device: str, offline: bool) -> "TextModel":
    from dlcc.core.huggingface.loading import load
    from dlcc.core.huggingface.model import TextModel

    return TextModel(load(name, device, offline))


SOURCE = HuggingFaceSource()


def sink_of(trace: AttentionTrace) -> float:
    """The share of the attention of later queries that the first key takes, where it is a sink of
    self-attention; 0 where it is none."""
    if trace.details.get("attention") == "cross-attention" or len(trace.key) < 4:
        return 0.0
    later = trace.weights[:, :, 1:, 0] if trace.query == trace.key else trace.weights[..., 0]
    share = float(later.mean(dtype=np.float32)) if later.size else 0.0
    return share if share > max(_SINK, 3 / len(trace.key)) else 0.0


def without_sink(trace: AttentionTrace) -> AttentionTrace:
    """A trace without its first key, the rest of each row renormalised; without its row too, where
    it has one."""
    rows = int(trace.query[:1] == trace.key[:1] and len(trace.query) == len(trace.key))
    weights = renormalised(trace.weights[:, :, rows:, 1:].astype(np.float32))
    cut: Mapping[str, Any] = {
        "query": slice(rows, None),
        "key": slice(1, None),
        "value": slice(1, None),
    }
    details = dict(trace.details)
    for name in ("alternatives", "alternative_ids", "ids"):
        if name in details:
            details[name] = details[name][rows:]
    return replace(
        trace,
        weights=weights,
        query=trace.query[rows:],
        key=trace.key[1:],
        query_words=trace.query_words[rows:],
        key_words=trace.key_words[1:],
        scores=None if trace.scores is None else trace.scores[:, :, rows:, 1:],
        tensors={
            name: array[:, :, cut[name]] if name in cut else array
            for name, array in trace.tensors.items()
        },
        title=f"{trace.title} (sink hidden, rows renormalised)",
        details={**details, "hidden": trace.key[0]},
    )


def differences(
    first: Sequence[AttentionTrace], second: Sequence[AttentionTrace]
) -> list[AttentionTrace]:
    """First minus second, signed, of the traces that have the same tokens and shape."""
    found = []
    for a, b in zip(first, second, strict=False):
        same = (a.query, a.key, a.weights.shape) == (b.query, b.key, b.weights.shape)
        if same:
            weights = a.weights.astype(np.float32) - b.weights.astype(np.float32)
            found.append(
                replace(
                    a,
                    weights=weights,
                    kind="combined",
                    title=f"{a.title} minus {b.title}",
                    scores=None,
                    tensors={},
                    details={},
                    made_by={},
                )
            )
    return found
