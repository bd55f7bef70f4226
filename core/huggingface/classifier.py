"""Sequence classifiers of Hugging Face's layout, asked and explained as our own are.

Shapes: C classes, T tokens, W words.
"""

from collections.abc import Collection, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
import torch

from dlcc.core.ablation import Effect, Head
from dlcc.core.capture import capture
from dlcc.core.errors import UsageError
from dlcc.core.huggingface.ablation import Asked
from dlcc.core.huggingface.loading import load
from dlcc.core.huggingface.model import TextModel
from dlcc.core.huggingface.source import NAME
from dlcc.core.nn.batches import batches_by_length
from dlcc.core.progress import Progress
from dlcc.core.sentiment.classifier import Answer
from dlcc.core.sentiment.explain import Attended, Explainer, log_odds
from dlcc.core.sentiment.graphs import log_odds as log_odds_of
from dlcc.core.sentiment.source import SentimentSource
from dlcc.core.sources import made_by
from dlcc.core.trace import maps
from dlcc.core.trace.trace import AttentionTrace
from dlcc.core.train.calibrated import Calibrated

_BATCH_TOKENS = 2048


class TextClassifier(Calibrated):
    """A sequence classifier with its tokenizer; its probabilities are as it gives them.

    Raises:
        UsageError: a model of another kind.
    """

    temperature = 1.0
    has_attention = True
    long_texts = "start"
    codec = None

    def __init__(self, name: str, device: str = "auto") -> None:
        self.text = TextModel(load(name, device))
        self.name, self.model = name, self.text.model
        self.about: dict[str, Any] = {}
        config = self.text.config
        if self.text.loaded.kind != "labels":
            raise UsageError(f"{name} classifies no text: it is made for something else")
        count = int(self.model.config.num_labels)
        if count < 2:
            raise UsageError(f"{name} gives one number and no classes")
        names = config.get("id2label") or {}
        self.labels = tuple(str(names.get(str(n), f"LABEL_{n}")) for n in range(count))
        most = config.get("max_position_embeddings") or 512
        self.max_length = int(most) - (2 if config.get("model_type") == "roberta" else 0)
        mask = next((self.text.codec.number(m) for m in ("[MASK]", "<mask>")), None)
        self.mask = mask if mask is not None else int(config.get("pad_token_id") or 0)

    def encoded(self, text: str) -> Any:
        """A text cut up; of one that is too long, what stands first."""
        found = self.text.codec.encode(text)
        if len(found.ids) > self.max_length:
            keep = [*range(self.max_length - 1), len(found.ids) - 1]
            words = [found.words[n] for n in keep]
            numbers = {word: place for place, word in enumerate(dict.fromkeys(words))}
            found = replace(
                found,
                ids=tuple(found.ids[n] for n in keep),
                types=(0,) * len(keep),
                tokens=tuple(found.tokens[n] for n in keep),
                words=tuple(numbers[word] for word in words),
                spans=tuple(found.spans[word] for word in numbers),
            )
        return found

    def answer(
        self, texts: Sequence[str], progress: Progress | None = None, keep_tokens: bool = False
    ) -> list[Answer]:
        """Classify texts, in their order, batched by length."""
        found = [self.encoded(text) for text in texts]
        rows = self.probabilities(self.logits([each.ids for each in found], progress)).tolist()
        return [
            Answer(
                text,
                self.labels[row.index(max(row))] if text.strip() else None,
                tuple(row) if text.strip() else (),
                len(each.ids),
                1,
                False,
                each if keep_tokens else None,
            )
            for text, each, row in zip(texts, found, rows, strict=True)
        ]

    @torch.inference_mode()
    def logits(
        self, texts: Sequence[Sequence[int]], progress: Progress | None = None
    ) -> np.ndarray:
        """Logits [N, C], float32, of N texts' token numbers."""
        logits = torch.zeros(len(texts), len(self.labels))
        done = 0
        for batch in batches_by_length([len(ids) for ids in texts], _BATCH_TOKENS, 1):
            longest = max(len(texts[n]) for n in batch)
            pad = int(self.text.config.get("pad_token_id") or 0)
            ids = torch.full((len(batch), longest), pad, device=self.device)
            mask = torch.zeros_like(ids)
            for row, number in enumerate(batch):
                ids[row, : len(texts[number])] = torch.tensor(texts[number], device=self.device)
                mask[row, : len(texts[number])] = 1
            output = self.model(input_ids=ids, attention_mask=mask)
            logits[batch] = output.logits.float().cpu()
            done += len(batch)
            if progress:
                progress(done, len(texts))
        found: np.ndarray = logits.numpy()
        return found

    def explainer(self, tokens: Any, target: int) -> "StrangersExplainer":
        return StrangersExplainer(self, tokens, target)  # type: ignore[arg-type]


class StrangersExplainer(Explainer):
    """Why a model from elsewhere gave a text its label; what pools is its first token."""

    @cached_property
    def attended(self) -> Attended:
        model: TextClassifier = self.classifier  # type: ignore[assignment]
        with torch.enable_grad(), capture(model.model, gradients=True) as seen:
            logits = model.model(**model.text.inputs(self.tokens.ids)).logits
        odds = log_odds_of(logits, 1.0, self.target).sum()
        slopes, trace = seen.slopes(odds)[0], seen.trace()
        words = np.array(self.tokens.words)
        gradient, rollout = np.zeros((2, len(self.tokens.spans)), np.float32)
        np.add.at(gradient, words, maps.relevance(trace.weights, slopes)[0])
        np.add.at(rollout, words, maps.rollout(trace.weights)[0])
        self.trace = trace
        keep = np.array([span != (0, 0) for span in self.tokens.spans])
        return Attended(
            gradient * keep,
            rollout * keep,
            range(len(words)),
            trace.weights,
            trace.tensors,
            logits[0].detach().float().cpu().numpy(),
        )

    @cached_property
    def _occlusion(self) -> np.ndarray:
        """How much the log odds fall when a word's tokens are masked."""
        model: TextClassifier = self.classifier  # type: ignore[assignment]
        words = np.array(self.tokens.words)
        real = [n for n, span in enumerate(self.tokens.spans) if span != (0, 0)]
        ids = np.array(self.tokens.ids)
        variants = [ids, *(np.where(words == word, model.mask, ids) for word in real)]
        odds = log_odds(model.logits([v.tolist() for v in variants]), 1.0, self.target)
        found = np.zeros(len(self.tokens.spans), np.float32)
        found[real] = odds[0] - odds[1:]
        return found


class ClassifierSource(SentimentSource):
    """A sequence classifier of Hugging Face's layout."""

    def __init__(self, name: str, device: str = "auto") -> None:
        super().__init__(None, device)
        self.classifier = TextClassifier(name, device)  # type: ignore[assignment]

    def without(
        self, trace: AttentionTrace, heads: Collection[Head] = (), tokens: Collection[int] = ()
    ) -> list[AttentionTrace]:
        model: Any = self.classifier
        asked = Asked(model.text, trace)
        return [replace(asked.without(heads, tokens), made_by=trace.made_by)]

    def ablated(self, trace: AttentionTrace, progress: Progress | None = None) -> list[Effect]:
        model: Any = self.classifier
        return Asked(model.text, trace).effects(progress)

    def explainer(self, answer: Answer) -> Any:
        if answer.label is None:
            return None
        model: Any = self.classifier
        tokens = answer.tokens or model.encoded(answer.text)
        return model.explainer(tokens, model.labels.index(answer.label))

    def trace(self, text: str, explainer: Any, method: str | None = None) -> AttentionTrace:
        """All layers and heads, with explanations by the quick methods and by `method`."""
        attended, tokens = explainer.attended, explainer.tokens
        words = np.array(tokens.words)
        pieces = np.bincount(words, minlength=len(tokens.spans))
        methods = dict.fromkeys([*([method] if method else []), "gradient", "rollout"])
        explanations = {
            f"explanation.{name}": (explainer.contributions(name) / pieces)[words].astype("f4")
            for name in methods
        }
        shares = self.classifier.probabilities(attended.logits)
        label = int(shares.argmax())
        return replace(
            explainer.trace,
            query=tokens.tokens,
            key=tokens.tokens,
            query_words=tokens.words,
            key_words=tokens.words,
            special=tokens.special,
            title=f"{self.classifier.labels[label]} {shares[label]:.2f}",
            tensors={**explainer.trace.tensors, **explanations},
            details={**explainer.trace.details, "text": text},
            made_by=made_by(NAME, [self.classifier.name, text], {}, "transformers"),
        )
