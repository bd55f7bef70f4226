"""How good a text classifier is, by length as well, and on which texts that is measured.

Shapes: N texts.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from dlcc.core.errors import DataError
from dlcc.core.progress import Progress
from dlcc.core.sentiment.classifier import Classifier
from dlcc.core.sentiment.codec import ends
from dlcc.core.sentiment.config import SplitConfig
from dlcc.core.sentiment.data import (
    Corpus,
    Review,
    corpus_of,
    read_parts,
    split_hash,
)
from dlcc.core.sentiment.task import label_numbers
from dlcc.core.sentiment.texts import Say, unsaid
from dlcc.core.train.classify import Scores, score
from dlcc.core.train.parts import Part, alike, part_to_score

_SPLIT = ("train", "validation", "test")
LENGTHS = (64, 128, 256, 512)
"""Bounds of the lengths, in tokens, by which accuracy is told apart."""


@dataclass(frozen=True)
class LengthScore:
    """Accuracy on texts of similar length."""

    lengths: str
    """In tokens, such as 65 to 128."""
    texts: int
    accuracy: float


@dataclass(frozen=True)
class TextScores:
    """All of it."""

    scores: Scores
    by_length: tuple[LengthScore, ...]


def texts_to_score(
    path: Path,
    columns: SplitConfig,
    asked: str | None,
    models: Sequence[Mapping[str, Any]],
    say: Say = unsaid,
) -> tuple[Part, Sequence[Review]]:
    """The labelled texts of a part, the same for all models.

    Args:
        path: as `load_corpus` takes it.
        columns: of a table; the split itself is each model's own.
        models: what each model says of how it was made.
        say: is told what was found and what was left out.

    Raises:
        DataError: as of `read_parts`, `part_to_score` and `alike`.
        UsageError: as of `part_to_score`.
    """
    given, grouping = read_parts(path, columns, say)
    chosen = []
    for about in models:
        trained = about.get("data", {})
        config = SplitConfig(
            validation_share=trained.get("validation_share", columns.validation_share),
            seed=trained.get("split_seed", columns.seed),
        )
        parts, own = given, False
        try:
            corpus = corpus_of(given, grouping, path, config)
        except DataError:  # too little to train on can still be scored
            pass
        else:
            own = _is_own(corpus, path, trained)
            if own:
                parts = {part: list(getattr(corpus, part)) for part in _SPLIT}
        present = [name for name in _SPLIT if parts.get(name)]
        named = [name for name in ("test", "validation") if given.get(name)]
        part = part_to_score(asked, own, present, named)
        names = _SPLIT if part.name == "all" else (part.name,)
        chosen.append((part, [review for name in names for review in parts.get(name, ())]))
    return alike(chosen)


def _is_own(corpus: Corpus, path: Path, trained: Mapping[str, Any]) -> bool:
    """Whether a model was trained on this split, perhaps under another file name."""
    known = {source.get("split_hash") for source in (trained, *trained.get("sources", ()))}
    file = trained.get("file", path.name)
    renamed = [
        replace(review, name=review.name.replace(path.name, file, 1))
        for review in corpus.validation
    ]
    return not known.isdisjoint((corpus.split_hash, split_hash(renamed)))


def score_texts(
    classifier: Classifier,
    reviews: Sequence[Review],
    worst: int = 5,
    progress: Progress | None = None,
    fitted: bool = False,
) -> TextScores:
    """Classify labelled texts and compare.

    Args:
        classifier: what answers.
        reviews: the texts.
        worst: how many mistakes to keep.
        progress: told how many texts are done.
        fitted: whether the classifier's temperature was fitted to them.

    Raises:
        DataError: no texts, or a class that the classifier does not know.
    """
    strange = sorted({review.label for review in reviews} - set(classifier.labels))
    if strange or not reviews:
        problem = f"the class {strange[0]} is unknown to the model" if strange else "no texts"
        raise DataError(f"{problem}: it tells {', '.join(classifier.labels)} apart")
    begun = time.perf_counter()
    ids = classifier.codec.encode_many([review.text for review in reviews])
    logits = torch.from_numpy(classifier.logits(ids, progress))
    seconds = time.perf_counter() - begun
    labels = label_numbers(reviews, classifier.labels)
    scores = score(
        logits,
        labels,
        classifier.labels,
        classifier.temperature,
        fitted=fitted,
        names=[review.name for review in reviews],
        worst=worst,
        seconds=seconds,
    )
    return TextScores(scores, _by_length([len(row) for row in ids], labels == logits.argmax(1)))


def accuracy_at(
    classifier: Classifier,
    reviews: Sequence[Review],
    length: int,
    progress: Progress | None = None,
) -> float:
    """Accuracy when each text is cut to `length` tokens by its ends."""
    ids = classifier.codec.encode_many([review.text for review in reviews])
    cut = [ends(row, length) for row in ids]
    logits = torch.from_numpy(classifier.logits(cut, progress))
    labels = label_numbers(reviews, classifier.labels)
    return (logits.argmax(1) == labels).double().mean().item()


def _by_length(lengths: Sequence[int], right: Tensor) -> tuple[LengthScore, ...]:
    place = torch.bucketize(torch.tensor(lengths), torch.tensor(LENGTHS))
    names = [f"up to {LENGTHS[0]}"]
    names += [f"{low + 1} to {high}" for low, high in pairwise(LENGTHS)]
    names.append(f"from {LENGTHS[-1] + 1}")
    among = [(name, right[place == number]) for number, name in enumerate(names)]
    return tuple(
        LengthScore(name, len(part), part.double().mean().item())
        for name, part in among
        if len(part)
    )
