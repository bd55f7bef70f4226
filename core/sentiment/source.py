"""A text classifier's attention on one text, as a trace for pictures and the viewer.

The model comes with the first text.

Shapes: W words.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dlcc.core.ablation import Effect, Head, change, off
from dlcc.core.errors import UsageError
from dlcc.core.progress import Progress
from dlcc.core.sources import Ask, ModelSource, loaded_once
from dlcc.core.trace.trace import AttentionTrace

if TYPE_CHECKING:
    from dlcc.core.sentiment.classifier import Answer, Classifier
    from dlcc.core.sentiment.explain import Explainer

NO_ATTENTION = "there is no attention to show: the model is a GRU, or the text is empty"
_QUICK = ("gradient", "rollout")  # what comes with the attention


class SentimentSource(ModelSource):
    """A text classifier, which may read long texts otherwise than usual (`long_texts`)."""

    kind = "sentiment"
    title = "Sentiment: what a classifier looks at in a review"
    asks: Sequence[Ask] = (
        Ask(
            "Review",
            "The acting is good, but the story is slow and the ending is a waste of time.",
        ),
    )

    def __init__(
        self,
        checkpoint: Path | None = None,
        device: str = "auto",
        long_texts: str = "windows",
        runner: str = "auto",
    ) -> None:
        super().__init__(checkpoint, device, runner)
        self.long_texts = long_texts

    @loaded_once
    def classifier(self) -> "Classifier":
        from dlcc.core.sentiment.classifier import Classifier

        return Classifier.open(self.folder, self.device, self.runner, self.long_texts)

    def traces(self, text: str) -> list[AttentionTrace]:
        explainer = self._explainer(text)
        return self._only(self.trace(text, explainer, explainer.explained().method))

    def attention(self, text: str) -> list[AttentionTrace]:
        """As `traces`, with the explanations that come with the attention alone."""
        return self._only(self.trace(text, self._explainer(text)))

    @loaded_once
    def by_torch(self) -> "Classifier":
        """The classifier with its weights, which can be changed.

        Raises:
            UsageError: an exported graph has none.
        """
        from dlcc.core.sentiment.classifier import Classifier
        from dlcc.core.train.runtime import choose_device

        if self.classifier.model is not None:
            return self.classifier
        self.check_weights()
        return Classifier.load(self.folder, choose_device(self.device), self.long_texts)

    def without(
        self, trace: AttentionTrace, heads: Collection[Head] = (), tokens: Collection[int] = ()
    ) -> list[AttentionTrace]:
        """The trace's text read without some heads, whose weighted values are then zero, and
        without some tokens, in whose place the mask token stands. Both numbered from 0, as in the
        trace; the trace says what was off and, as `change`, what became of the answer.

        Raises:
            UsageError: the trace is another model's, or has no such head or token.
        """
        from dlcc.core.sentiment.ablation import without_heads
        from dlcc.core.sentiment.explain import Explainer

        self.check_own(trace, self.classifier.about)
        text = str(trace.details.get("text", ""))
        (answer,) = self.classifier.answer([text], keep_tokens=True)
        if answer.tokens is None or answer.label is None:
            raise UsageError(NO_ATTENTION)
        classifier = without_heads(self.by_torch, heads) if heads else self.classifier
        ids = list(answer.tokens.ids)
        places = classifier.stretches(len(ids))[0]
        for token in tokens:
            if not 0 <= token < len(places):
                raise UsageError(f"no token {token + 1}: the trace has {len(places)}")
            ids[places[token]] = classifier.mask
        read = replace(answer.tokens, ids=tuple(ids))
        explainer = Explainer(classifier, read, classifier.labels.index(answer.label))
        after = classifier.probabilities(classifier.logits([ids]))[0]
        said = change(np.array(answer.probabilities), after, classifier.labels)
        return [
            off(each, trace, heads, tokens, said)
            for each in self._only(self.trace(text, explainer))
        ]

    def ablated(self, trace: AttentionTrace, progress: Progress | None = None) -> list[Effect]:
        """What becomes of the answer to the trace's text without each of the heads, the largest
        change of its probability first.

        Raises:
            UsageError: the trace is another model's.
        """
        from dlcc.core.sentiment.ablation import effects

        self.check_own(trace, self.classifier.about)
        return effects(self.by_torch, str(trace.details.get("text", "")), progress)

    def _explainer(self, text: str) -> "Explainer":
        (answer,) = self.classifier.answer([text], keep_tokens=True)
        explainer = self.explainer(answer)
        if explainer is None or not self.classifier.has_attention:
            raise UsageError(NO_ATTENTION)
        return explainer

    def _only(self, trace: AttentionTrace | None) -> list[AttentionTrace]:
        if trace is None:
            raise UsageError(NO_ATTENTION)
        return [trace]

    def explainer(self, answer: "Answer") -> "Explainer | None":
        """What says why a text got its label; None where it got none."""
        from dlcc.core.sentiment.explain import Explainer

        if answer.label is None:
            return None
        tokens = answer.tokens or self.classifier.codec.encode(answer.text)
        return Explainer(self.classifier, tokens, self.classifier.labels.index(answer.label))

    def trace(
        self, text: str, explainer: "Explainer", method: str | None = None
    ) -> AttentionTrace | None:
        """What is attended to in `text`, with explanations by the quick methods and by `method`."""
        if not explainer.classifier.has_attention:
            return None
        quick = [name for name in _QUICK if name != "gradient" or explainer.has_gradients]
        methods = dict.fromkeys([method, *quick] if method else quick)
        long = None if self.long_texts == "windows" else self.long_texts
        origin = self.made_by(text, self.classifier.about, long=long)
        return trace_of(
            explainer, text, {name: explainer.contributions(name) for name in methods}, origin
        )


SOURCE = SentimentSource()


def trace_of(
    explainer: "Explainer",
    text: str,
    explanations: Mapping[str, np.ndarray] | None = None,
    origin: Mapping[str, Any] | None = None,
) -> AttentionTrace | None:
    """All layers and heads on `text`, of a long text on the first stretch that is read.

    Args:
        explanations: contributions [W] of the text's words by the method's name.

    Returns:
        The trace; None of a GRU, which has no attention, and of a text without a token.
    """
    classifier, tokens, attended = explainer.classifier, explainer.tokens, explainer.attended
    if attended is None:
        return None
    words = tuple(tokens.words[place] for place in attended.places)
    pieces = np.maximum(np.bincount(words, minlength=len(tokens.spans)), 1)
    tensors = dict(attended.tensors)
    for name, values in (explanations or {}).items():
        tensors[f"explanation.{name}"] = (values / pieces)[list(words)].astype(np.float32)
    scale = tensors["query"].shape[-1] ** -0.5
    shares = classifier.probabilities(attended.logits)
    label, probability = int(shares.argmax()), shares.max()
    shown = tuple(classifier.codec.tokenizer.id_to_token(tokens.ids[n]) for n in attended.places)
    return AttentionTrace(
        attended.weights,
        shown,
        shown,
        kind="sentiment",
        title=f"{classifier.labels[label]} {probability:.2f}",
        scores=(tensors["query"] * scale) @ tensors["key"].swapaxes(-2, -1),
        query_words=words,
        key_words=words,
        tensors=tensors,
        scale=scale,
        details={"text": text},
        made_by=dict(origin or {}),
    )
