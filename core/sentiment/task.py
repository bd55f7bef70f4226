"""Learning to classify: what ties labelled reviews, a model and `fit`.

Shapes: N texts, B batch, T tokens, C classes, D width.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from dlcc.core.errors import UsageError
from dlcc.core.files.rows import Rows
from dlcc.core.nn.batches import PAD, PAD_STEP, batches_by_length, pad
from dlcc.core.progress import Progress
from dlcc.core.sentiment.answers import with_answers
from dlcc.core.sentiment.classifier import KIND, Classifier
from dlcc.core.sentiment.codec import MASK, ReviewCodec, ends
from dlcc.core.sentiment.config import (
    BUNDLED_VECTORS,
    NO_VECTORS,
    ClassifyConfig,
    EncoderConfig,
    SourcesConfig,
    SplitConfig,
    StartConfig,
    VocabularyConfig,
)
from dlcc.core.sentiment.data import Corpus, Review, find_data
from dlcc.core.sentiment.explain import Explainer
from dlcc.core.sentiment.mixture import load_corpora, path_and_share
from dlcc.core.sentiment.model import SentimentModel
from dlcc.core.sentiment.source import trace_of
from dlcc.core.sentiment.start import from_checkpoint, from_scratch, from_vectors
from dlcc.core.trace.trace import AttentionTrace
from dlcc.core.train.classify import calibrate
from dlcc.core.train.distributed import team
from dlcc.core.train.folders import read_about
from dlcc.core.train.parts import train_hash
from dlcc.core.train.recipe import Chosen, Narrator
from dlcc.core.train.runtime import choose_device, moved, seeded_generator

EXAMPLE = "The plot was thin, but I could not stop smiling."


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
        self.model, self.settings, self.about = model, config, about
        self.progress: Progress | None = None
        self.classifier = Classifier(model, codec, corpus.labels)
        self.config = {"encoder": asdict(model.encoder.config), "labels": list(corpus.labels)}
        self.files = codec.files()
        self.sources = corpus.sources
        # Short texts would be padding for the most part; a single source keeps the batches it had.
        self.pad_step = PAD_STEP if len(corpus.sources) < 2 else PAD_STEP // 4
        self.targets = target_shares(corpus.train, corpus.labels)
        length = model.encoder.config.max_length
        tokens = codec.encode_each(review.text for review in corpus.train)
        self.ids = Rows(ends(ids, length) for ids in tokens)
        self.validation = Rows(codec.encode_each(review.text for review in corpus.validation))
        self.validation_labels = label_numbers(corpus.validation, corpus.labels)

    def batches(self, epoch: int) -> Sequence[list[int]]:
        generator = seeded_generator(self.settings.seed, epoch)
        drawn = self._drawn(generator)
        order = drawn[torch.randperm(len(drawn), generator=generator)].tolist()
        # Sorting by length keeps the drawn order among equals, so batches differ each epoch.
        lengths = [self.ids.lengths[number] for number in order]
        batches = batches_by_length(lengths, self.settings.batch_tokens, self.pad_step)
        shuffled = torch.randperm(len(batches), generator=generator).tolist()
        return [[order[place] for place in batches[number]] for number in shuffled]

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

    def loss(self, batch: list[int], done: float) -> tuple[Tensor, int]:
        device = self.classifier.device
        rows = pad([self.ids[number] or [PAD] for number in batch], self.pad_step)
        tokens, targets = moved(device, rows, self.targets[batch])
        mask = tokens != PAD
        dropped = (torch.rand(tokens.shape, device=device) < self.settings.word_dropout) & mask
        own, part = team().share(len(batch))
        tokens, mask, dropped, targets = (x[own] for x in (tokens, mask, dropped, targets))
        embedded = self.model.encoder.embed(tokens.masked_fill(dropped, MASK))
        loss = self._loss(embedded, mask, targets)
        if self.settings.adversarial:
            (slope,) = torch.autograd.grad(loss, embedded, retain_graph=True)
            norm = slope.flatten(1).norm(dim=1).clamp(min=1e-12)[:, None, None]
            worse = embedded + self.settings.adversarial * slope / norm
            loss = (loss + self._loss(worse, mask, targets)) / 2
        return loss * part, len(batch)

    def _loss(self, embedded: Tensor, mask: Tensor, targets: Tensor) -> Tensor:
        hidden, _ = self.model.encoder(embedded, mask)
        logits = self.model.classify(hidden, mask).float()
        return F.cross_entropy(logits, targets, label_smoothing=self.settings.label_smoothing)

    def validate(self) -> dict[str, float]:
        logits = torch.from_numpy(self.classifier.logits(self.validation, self.progress))
        scores = calibrate(self.classifier, logits, self.validation_labels)
        self.about["temperature"] = self.classifier.temperature
        if len(self.sources) < 2:
            return scores
        sizes = [source.validation for source in self.sources]
        right = (logits.argmax(1) == self.validation_labels).float().split(sizes)
        each = {
            f"accuracy_{source.name}": part.mean().item()
            for source, part in zip(self.sources, right, strict=True)
        }
        return {**scores, "accuracy": sum(each.values()) / len(each), **each}

    def sample(self) -> str:
        logits = self.classifier.logits(self.classifier.codec.encode_many([EXAMPLE]))
        shares = self.classifier.probabilities(logits)[0]
        number, probability = shares.argmax(), shares.max()
        return f"{EXAMPLE} {self.classifier.labels[int(number)]} {probability:.2f}"

    def traces(self) -> list[AttentionTrace]:
        tokens = self.classifier.codec.encode(EXAMPLE)
        trace = trace_of(Explainer(self.classifier, tokens, target=0), EXAMPLE)
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


def build(chosen: Chosen, narrator: Narrator) -> ClassifyTask:
    """Read the texts and build the model.

    Raises:
        UsageError: settings that do not go together.
        DataError: texts, answers or a checkpoint that cannot be read.
    """
    device = choose_device(chosen.device)
    config: ClassifyConfig = chosen.make(ClassifyConfig)
    asked: StartConfig = chosen.make(StartConfig)
    chosen.make(EncoderConfig, vocab_size=1)  # complains before the long work
    named = [path_and_share(each) for each in chosen.make(SourcesConfig).data or ()]
    sources = named or [(find_data(narrator.transferring), 1.0)]
    if chosen.resumed:
        _check_shares(sources, read_about(chosen.resumed / "last").get("data", {}))
    corpus, about = _read(sources, chosen, asked.also, narrator)
    about |= {"command": chosen.command, "seed": chosen.seed}
    if asked.start:
        free = {"dropout", "inner_dropout"}  # the rest of the encoder is the checkpoint's
        sizes = chosen.part(EncoderConfig)
        kept = {name: sizes[name] for name in sizes if name in free | chosen.given.keys()}
        model, codec, start = from_checkpoint(asked.start, len(corpus.labels), kept, chosen.seed)
        codec = ReviewCodec.of_run(chosen.resumed, KIND) if chosen.resumed else codec
    else:
        model, codec, start = _anew(corpus, chosen, asked.embeddings, narrator)
    about["start"] = start
    narrator.note(f"starts from {start}")
    with narrator.working("cutting texts into tokens"):
        return ClassifyTask(model.to(device), codec, corpus, config, about)


def _check_shares(given: Sequence[tuple[Path, float]], before: Mapping[str, Any]) -> None:
    """Raise UsageError where a source has another share than in a run that is gone on with."""
    for (path, share), source in zip(given, before.get("sources", ()), strict=False):
        if share != source["share"]:
            raise UsageError(f"the run has {source['share']:g}", "data", f"{path}={share:g}")


def _read(
    given: Sequence[tuple[Path, float]], chosen: Chosen, also: Path | None, narrator: Narrator
) -> tuple[Corpus, dict[str, Any]]:
    """The texts, and what a checkpoint says of them."""
    split: SplitConfig = chosen.make(SplitConfig)
    files = ", ".join(path.name for path, _ in given)
    with narrator.working(f"reading {files}"):
        corpus = load_corpora(given, split, chosen.keeps_copies, narrator.note)
    counts = Counter(review.label for review in (*corpus.train, *corpus.validation))
    classes = ", ".join(f"{label} {counts[label]:,}" for label in corpus.labels)
    narrator.note(
        f"{files}: {classes}; {len(corpus.train):,} to train on, {len(corpus.validation):,} to "
        f"validate, {len(corpus.test):,} to test; {corpus.grouping}"
    )
    if corpus.left_out:
        narrator.note(f"{corpus.left_out:,} texts left out of training: they validate or test")
    several = len(corpus.sources) > 1
    for source in corpus.sources if several else ():
        narrator.note(
            f"{source.name}: {source.train:,} to train on, {source.share:g} times an epoch, "
            f"{source.validation:,} to validate"
        )
    if several:
        narrator.note("the epoch with the best mean of the sources' accuracies is kept")
    labelled = len(corpus.train)
    if also:
        corpus = with_answers(corpus, also)
        narrator.note(f"{also.name}: {len(corpus.train) - labelled:,} answers to train on as well")
    return corpus, {
        "data": {
            "file": files,
            **({"sources": [asdict(source) for source in corpus.sources]} if several else {}),
            "train": labelled,
            **({} if chosen.keeps_copies else {"left_out": corpus.left_out}),
            **_about_answers(corpus.train[labelled:]),
            "validation": len(corpus.validation),
            "test": len(corpus.test),
            "validation_share": split.validation_share,
            "split_seed": split.seed,
            "split_hash": corpus.split_hash,
            "train_hash": train_hash(f"{each.label}\t{each.text}" for each in corpus.train),
            "grouping": corpus.grouping,
        }
    }


def _about_answers(answers: Sequence[Review]) -> dict[str, Any]:
    """How many there are and a hash of them, by which a resumed training knows them again."""
    if not answers:
        return {}
    lines = "\n".join(f"{each.label}\t{each.probability}\t{each.text}" for each in answers)
    return {"answers": len(answers), "answers_hash": sha256(lines.encode()).hexdigest()[:16]}


def _anew(
    corpus: Corpus, chosen: Chosen, embeddings: str, narrator: Narrator
) -> tuple[SentimentModel, ReviewCodec, str]:
    """A model with drawn weights or given word vectors, and the vocabulary of the texts."""
    words: VocabularyConfig = chosen.make(VocabularyConfig)
    kind = words.vocabulary if embeddings == NO_VECTORS else "words"
    if chosen.resumed:
        codec = ReviewCodec.of_run(chosen.resumed, KIND)
    else:
        with narrator.working("learning the tokenizer"):
            texts = (each.text for each in corpus.train)
            codec = ReviewCodec.learn(texts, kind, words.vocab_size)
    sizes, classes = chosen.part(EncoderConfig), len(corpus.labels)
    if embeddings == NO_VECTORS:
        sizes["embed_dim"] = sizes["width"]
        return from_scratch(codec, sizes, classes, chosen.seed), codec, "drawn weights"
    bundled = embeddings == BUNDLED_VECTORS
    what = f"reading {Path(embeddings).name}"
    with nullcontext() if bundled else narrator.transferring(what) as progress:
        model, start = from_vectors(codec, sizes, classes, chosen.seed, embeddings, progress)
    return model, codec, start
