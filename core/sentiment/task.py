"""Learning to classify: what ties labelled reviews, a model and `fit`.

Shapes: N texts, B batch, T tokens, C classes, D width.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from dlcc.core.errors import UsageError
from dlcc.core.nn.batches import PAD, PAD_STEP, batches_by_length, pad
from dlcc.core.sentiment.classifier import KIND, Classifier
from dlcc.core.sentiment.codec import MASK, ReviewCodec, ends
from dlcc.core.sentiment.data import Corpus, Review
from dlcc.core.sentiment.explain import Explainer
from dlcc.core.sentiment.model import SentimentModel
from dlcc.core.sentiment.source import trace_of
from dlcc.core.trace.trace import AttentionTrace
from dlcc.core.train.calibration import calibrated_scores, fit_temperature
from dlcc.core.train.runtime import seeded_generator

EXAMPLE = "The plot was thin, but I could not stop smiling."


@dataclass(frozen=True)
class ClassifyConfig:
    """How batches of labelled texts are made and what the loss is."""

    batch_tokens: int = 16_384
    """Texts × longest of a batch, in tokens."""
    word_dropout: float = 0.0
    """Share of tokens masked in training."""
    adversarial: float = 0.0
    """Length of the step by which the tokens' vectors are moved to where the loss rises fastest;
    the loss there is learned from as well (Miyato et al. 2017). 0 leaves it out."""
    label_smoothing: float = 0.0
    """Share of the target that is spread over all classes."""
    seed: int = 0
    """Seed of the order of the batches."""

    def __post_init__(self) -> None:
        checks = {
            "--batch-tokens": (self.batch_tokens, self.batch_tokens >= 1),
            "--word-dropout": (self.word_dropout, 0 <= self.word_dropout < 1),
            "--adversarial": (self.adversarial, self.adversarial >= 0),
            "--label-smoothing": (self.label_smoothing, 0 <= self.label_smoothing < 1),
        }
        for flag, (value, valid) in checks.items():
            if not valid:
                raise UsageError(f"{flag} {value}: see --help for what it takes")


class ClassifyTask:
    """Learn the labels of a corpus; validated as `Classifier` answers.

    Of a corpus of several sources, the accuracy is the mean of theirs, so that a small one counts
    as much as a large one; log loss and calibration error are those of all texts together.
    """

    kind = KIND
    metric = "accuracy"
    higher_is_better = True

    def __init__(
        self,
        model: SentimentModel,
        codec: ReviewCodec,
        corpus: Corpus,
        config: ClassifyConfig,
        about: dict[str, Any],
    ) -> None:
        self.model, self.how, self.about = model, config, about
        self.answers = Classifier(model, codec, corpus.labels)
        self.config = {"encoder": asdict(model.encoder.config), "labels": list(corpus.labels)}
        self.files = codec.files()
        self.sources = corpus.sources
        self.targets = target_shares(corpus.train, corpus.labels)
        length = model.encoder.config.max_length
        texts = [review.text for review in corpus.train]
        self.ids = [ends(ids, length) for ids in codec.encode_many(texts)]
        self.validation = codec.encode_many([review.text for review in corpus.validation])
        self.validation_labels = label_numbers(corpus.validation, corpus.labels)

    def batches(self, epoch: int) -> Sequence[list[int]]:
        generator = seeded_generator(self.how.seed, epoch)
        drawn = self._drawn(generator)
        order = drawn[torch.randperm(len(drawn), generator=generator)].tolist()
        # Sorting by length keeps the drawn order among equals, so batches differ each epoch.
        lengths = [len(self.ids[number]) for number in order]
        found = batches_by_length(lengths, self.how.batch_tokens, PAD_STEP)
        shuffled = torch.randperm(len(found), generator=generator).tolist()
        return [[order[place] for place in found[number]] for number in shuffled]

    def _drawn(self, generator: torch.Generator) -> Tensor:
        """Numbers of an epoch's texts: of each source, its share of them."""
        shares = [(source.train, source.share) for source in self.sources]
        rest = len(self.ids) - sum(count for count, _ in shares)
        parts, start = [], 0
        for count, share in (*shares, (rest, 1.0)):
            numbers = torch.arange(start, start + count)
            parts += [numbers] * int(share)
            more = round(share % 1 * count)
            if more:
                parts.append(numbers[torch.randperm(count, generator=generator)[:more]])
            start += count
        return torch.cat(parts)

    def loss(self, batch: list[int]) -> tuple[Tensor, int]:
        device = self.answers.device
        tokens = pad([self.ids[number] or [PAD] for number in batch], PAD_STEP).to(device)
        targets = self.targets[batch].to(device)
        mask = tokens != PAD
        dropped = (torch.rand(tokens.shape, device=device) < self.how.word_dropout) & mask
        embedded = self.model.encoder.embed(tokens.masked_fill(dropped, MASK))
        loss = self._loss(embedded, mask, targets)
        if self.how.adversarial:
            (slope,) = torch.autograd.grad(loss, embedded, retain_graph=True)
            norm = slope.flatten(1).norm(dim=1).clamp(min=1e-12)[:, None, None]
            moved = embedded + self.how.adversarial * slope / norm
            loss = (loss + self._loss(moved, mask, targets)) / 2
        return loss, len(batch)

    def _loss(self, embedded: Tensor, mask: Tensor, targets: Tensor) -> Tensor:
        hidden, _ = self.model.encoder(embedded, mask)
        logits = self.model.classify(hidden, mask).float()
        return F.cross_entropy(logits, targets, label_smoothing=self.how.label_smoothing)

    def validate(self) -> dict[str, float]:
        logits = self.answers.logits(self.validation)
        self.answers.temperature = fit_temperature(logits, self.validation_labels)
        self.about["temperature"] = self.answers.temperature
        found = scores(self.answers, logits, self.validation_labels)
        if len(self.sources) < 2:
            return found
        sizes = [source.validation for source in self.sources]
        right = (logits.argmax(1) == self.validation_labels).float().split(sizes)
        each = {
            f"accuracy_{source.name}": part.mean().item()
            for source, part in zip(self.sources, right, strict=True)
        }
        return {**found, "accuracy": sum(each.values()) / len(each), **each}

    def sample(self) -> str:
        logits = self.answers.logits(self.answers.codec.encode_many([EXAMPLE]))
        probability, number = self.answers.probabilities(logits)[0].max(0)
        return f"{EXAMPLE} {self.answers.labels[int(number)]} {probability:.2f}"

    def traces(self) -> list[AttentionTrace]:
        tokens = self.answers.codec.encode(EXAMPLE)
        trace = trace_of(Explainer(self.answers, tokens, target=0), EXAMPLE)
        return [trace] if trace else []


def label_numbers(reviews: Sequence[Review], labels: Sequence[str]) -> Tensor:
    """Numbers [N] of the reviews' classes."""
    numbers = {label: number for number, label in enumerate(labels)}
    return torch.tensor([numbers[review.label] for review in reviews], dtype=torch.long)


def target_shares(reviews: Sequence[Review], labels: Sequence[str]) -> Tensor:
    """Probabilities [N, C] to learn: that of the review's class, the rest on all others alike."""
    certain = torch.tensor([review.probability for review in reviews])[:, None]
    own = F.one_hot(label_numbers(reviews, labels), len(labels))
    return torch.where(own == 1, certain, (1 - certain) / (len(labels) - 1))


def scores(answers: Classifier, logits: Tensor, labels: Tensor) -> dict[str, float]:
    """Accuracy, and log loss and calibration error of the calibrated probabilities."""
    return calibrated_scores(logits, labels, answers.temperature)
