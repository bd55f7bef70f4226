"""What a translator looked at and weighed while it wrote, as a trace; and writing on from one.

The model comes with the first sentence.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dlcc.core.ablation import Effect, Head, off
from dlcc.core.errors import DataError, UsageError
from dlcc.core.progress import Progress
from dlcc.core.sources import Ask, ModelSource, loaded_once
from dlcc.core.trace.maps import mean_of_heads
from dlcc.core.trace.trace import AttentionTrace

if TYPE_CHECKING:
    from dlcc.core.translate.search import Steps
    from dlcc.core.translate.translator import SearchOptions, Translation, Translator


class TranslateSource(ModelSource):
    """A translator, which may search otherwise than usual."""

    kind = "translate"
    title = "Translate an English sentence, step by step"
    asks: Sequence[Ask] = (Ask("English", "The book that I bought yesterday is very interesting."),)

    def __init__(
        self,
        checkpoint: Path | None = None,
        device: str = "auto",
        options: "SearchOptions | None" = None,
        runner: str = "auto",
    ) -> None:
        super().__init__(checkpoint, device, runner)
        self.options = options

    @loaded_once
    def translator(self) -> "Translator":
        from dlcc.core.translate.translator import Translator

        return Translator.open(self.folder, self.device, self.runner)

    def traces(self, text: str) -> list[AttentionTrace]:
        return self.traces_of(self.translator.translate([text], self.options, keep_steps=True))

    def traces_of(self, translations: "list[Translation]") -> list[AttentionTrace]:
        """The attention of each translation that there is; made with their steps kept.

        Raises:
            DataError: there is none.
            UsageError: a model without attention.
        """
        parts = [part for each in translations for part in each.parts or (each,)]
        traces = [self._trace(part) for part in parts if part.tokens]
        if not traces:
            raise DataError("nothing was translated, so there is no attention to show")
        return traces

    def again(self, trace: AttentionTrace, step: int, word: str) -> list[AttentionTrace]:
        """The translation of `trace` with another word at one step, and what then follows.

        Raises:
            UsageError: the trace is another model's, or has no such step or word.
        """
        self.check_own(trace, self.translator.about)
        chosen = choose(self.translator, trace, step, word)
        made = self._trace(chosen)
        change = f"{trace.details['translation']} → {chosen.text}"
        return [replace(made, details={**made.details, "change": change})]

    @loaded_once
    def by_torch(self) -> "Translator":
        """The translator with its weights, which can be changed.

        Raises:
            UsageError: an exported graph has none.
        """
        from dlcc.core.train.runtime import choose_device
        from dlcc.core.translate.translator import Translator

        if self.translator.has_weights:
            return self.translator
        self.check_weights()
        return Translator.load(self.folder, choose_device(self.device))

    def without(
        self, trace: AttentionTrace, heads: Collection[Head] = (), tokens: Collection[int] = ()
    ) -> list[AttentionTrace]:
        """The trace's sentence translated without some heads, whose weighted values are then zero,
        by a decoder that cannot look at some of its tokens. Both numbered from 0, as in the trace;
        the trace says what was off and, as `change`, what became of the translation.

        Raises:
            UsageError: the trace is another model's, or has no such head or token.
            DataError: nothing is translated then.
        """
        from dlcc.core.translate.ablation import without

        self.check_own(trace, self.translator.about)
        if not all(0 <= token < len(trace.key) for token in tokens):
            raise UsageError(f"no such token: the trace has {len(trace.key)}")
        whole = self.by_torch if heads else self.translator
        part = without(whole, heads, tokens)
        (written,) = part.translate([trace.details["source"]], self.options, keep_steps=True)
        made = trace_of(part, written, trace.made_by)
        said = f"{trace.details['translation']} → {written.text}"
        return [off(made, trace, heads, tokens, said)]

    def ablated(self, trace: AttentionTrace, progress: Progress | None = None) -> list[Effect]:
        """What becomes of the translation of the trace's sentence without each of the heads, the
        largest change of the logarithm of its probability first.

        Raises:
            UsageError: the trace is another model's.
        """
        from dlcc.core.translate.ablation import effects

        self.check_own(trace, self.translator.about)
        return effects(self.by_torch, trace.details["source"], self.options, progress)

    def _trace(self, translation: "Translation") -> AttentionTrace:
        from dlcc.core.translate.translator import SearchOptions

        usual, options = vars(SearchOptions()), vars(self.options or SearchOptions())
        changed = {name: value for name, value in options.items() if value != usual[name]}
        origin = self.made_by(translation.source, self.translator.about, **changed)
        return trace_of(self.translator, translation, origin)


SOURCE = TranslateSource()


def trace_of(
    translator: "Translator", translation: "Translation", origin: Mapping[str, Any] | None = None
) -> AttentionTrace:
    """The attention at each step that emitted a token of `translation`, and at its end.

    Raises:
        UsageError: a model without attention.
        DataError: nothing was translated.
    """
    from dlcc.core.nn.batches import EOS, SPECIAL

    if translator.config.attention == "none":
        raise UsageError("this model has no attention to show")
    if not translation.tokens:
        raise DataError(f"nothing was translated: {translation.problem or 'an empty translation'}")
    source, codec, steps = translation.source_tokens, translator.codec, translation.steps
    assert steps is not None, "translate it with keep_steps"
    weights = _weights(steps)
    weights = weights[None, None] if weights.ndim == 2 else weights.transpose(1, 2, 0, 3)
    emitted = (*translation.tokens, EOS)[: weights.shape[2]]  # one cut off has no end
    words = codec.words(translation.tokens)
    tensors, scale, mechanism = translator.compared(steps)
    return AttentionTrace(
        weights=weights,
        query=tuple(codec.piece(token, source.copies) for token in emitted),
        key=source.texts,
        kind="translate",
        title=f"{translation.source} → {translation.text}",
        query_words=(*words, words[-1] + 1)[: len(emitted)],
        key_words=source.words,
        special=SPECIAL,
        tensors=tensors,
        scale=scale,
        mechanism=mechanism,
        details={
            "source": translation.source,
            "translation": translation.text,
            "ids": list(emitted),
            "alternatives": _alternatives(translator, steps, source.copies),
            "copies": list(source.copies),
            "opens_on": [aligning_layer(len(weights)), "mean"],
        },
        made_by=dict(origin or {}),
    )


def steps_of(
    translator: "Translator", steps: "Steps", copies: Sequence[str] = ()
) -> dict[str, Any]:
    """JSON values: the alternatives and, with attention, the weights of each step."""
    shown: dict[str, Any] = {"alternatives": _alternatives(translator, steps, copies)}
    if steps.weights is not None:
        rows = aligned(_weights(steps)).tolist()
        shown["attention"] = [[round(value, 4) for value in row] for row in rows]
    return shown


def choose(translator: "Translator", trace: AttentionTrace, step: int, piece: str) -> "Translation":
    """Translate the source of `trace` again, with another token at one step.

    Args:
        step: the row whose token is replaced; the rows before it stay.
        piece: the other token, as it stands among the alternatives.

    Raises:
        UsageError: no such step or token.
    """
    token = translator.codec.token(piece, trace.details.get("copies", ()))
    ids = trace.details.get("ids", ())
    if token is None or not 0 <= step < len(ids):
        raise UsageError(f"{piece!r} cannot stand at step {step + 1}")
    return translator.continue_from(trace.details["source"], [*ids[:step], token])


def _weights(steps: "Steps") -> np.ndarray:
    """[T, S] of GRUs or [T, L, H, S] of a Transformer, float32."""
    assert steps.weights is not None  # the model has attention
    return steps.weights


def aligned(weights: np.ndarray) -> np.ndarray:
    """What each step looked at, [T, S]: of a Transformer's weights [T, L, H, S] the mean of the
    heads of its last layer but one, which aligns best (Garg et al. 2019)."""
    if weights.ndim == 2:
        return weights
    mean: np.ndarray = weights[:, aligning_layer(weights.shape[1]) - 1].mean(1)
    return mean


def aligning_layer(count: int) -> int:
    """Which of `count` decoder layers says best what a word translates, from 1: the last but one
    (Garg et al. 2019)."""
    return max(count - 1, 1)


def alignment_of(trace: AttentionTrace) -> AttentionTrace:
    """The map of a translation's trace that says what each word translates, as `aligned` does."""
    if trace.num_layers == trace.num_heads == 1:
        return trace
    return mean_of_heads(trace, aligning_layer(trace.num_layers))


def _alternatives(
    translator: "Translator", steps: "Steps", copies: Sequence[str]
) -> list[list[list[Any]]]:
    """For each step the most probable tokens, best first: [token, probability]."""
    return [
        [
            [translator.codec.piece(token, copies), round(value, 4)]
            for token, value in zip(*row, strict=True)
        ]
        for row in zip(steps.tokens.tolist(), steps.probabilities.tolist(), strict=True)
    ]
