"""How good translators are: scores on a test part, by sentence length, and where two differ."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from dlcc.core.errors import DataError, UsageError
from dlcc.core.translate.data import Sentence, Split
from dlcc.core.translate.metrics import Score, bleu, chrf
from dlcc.core.translate.translator import SearchOptions, Translator

PARTS = ("test", "validation", "all")
_LENGTHS = ((1, 5), (6, 10), (11, 15), (16, None))  # source words


@dataclass(frozen=True)
class Bucket:
    """The sentences of some lengths."""

    name: str
    """Their number of source words."""
    places: tuple[int, ...]
    """Where they stand among all."""


@dataclass(frozen=True)
class TranslationScores:
    """One translator on one set of sentences."""

    hypotheses: tuple[str, ...]
    bleu: Score
    """Against the first reference of each sentence."""
    bleu_all: Score
    """Against all references."""
    chrf: Score
    """chrF2 against all references."""
    by_length: tuple[float, ...]
    """`bleu` of each bucket."""
    seconds: float
    """Time to translate all sentences."""


def choose_part(split: Split, part: str, trained_hash: str | None) -> tuple[Sentence, ...]:
    """The sentences to score on.

    Args:
        split: of the data at hand.
        part: test, validation, or all.
        trained_hash: the test part's hash when the model was trained.

    Raises:
        UsageError: another part.
        DataError: the test part is not the one that was kept from training.
    """
    if part not in PARTS:
        raise UsageError(f"--part {part}: choose one of {', '.join(PARTS)}")
    if part == "all":
        return split.train + split.validation + split.test
    if trained_hash != split.test_hash:
        raise DataError(
            "these data give another split than the model was trained on, so it may have seen "
            f"the {part} part: give the --data it was trained on, or --part all for other data"
        )
    return split.test if part == "test" else split.validation


def buckets(sentences: Sequence[Sentence]) -> list[Bucket]:
    """The sentences by their number of words; lengths that do not occur are left out."""
    lengths = [len(sentence.source.split()) for sentence in sentences]
    found = []
    for low, high in _LENGTHS:
        places = (n for n, length in enumerate(lengths) if low <= length <= (high or length))
        found.append(Bucket(f"{low}–{high}" if high else f"{low} or more", tuple(places)))
    return [bucket for bucket in found if bucket.places]


def score(
    translator: Translator, sentences: Sequence[Sentence], options: SearchOptions
) -> TranslationScores:
    """Translate `sentences` and score the translations."""
    begun = time.monotonic()
    results = translator.translate([sentence.source for sentence in sentences], options)
    seconds = time.monotonic() - begun
    hypotheses = [result.text for result in results]
    first = [sentence.targets[:1] for sentence in sentences]
    every = [sentence.targets for sentence in sentences]
    by_length = tuple(
        bleu([hypotheses[n] for n in bucket.places], [first[n] for n in bucket.places]).value
        for bucket in buckets(sentences)
    )
    return TranslationScores(
        tuple(hypotheses),
        bleu(hypotheses, first),
        bleu(hypotheses, every),
        chrf(hypotheses, every),
        by_length,
        seconds,
    )


def differences(
    sentences: Sequence[Sentence],
    first: TranslationScores,
    second: TranslationScores,
    count: int,
) -> list[int]:
    """Places of `count` sentences that two translators translate differently.

    They are taken at equal distances from all such sentences, sorted by length: not the ones that
    flatter either.
    """
    pairs = zip(first.hypotheses, second.hypotheses, strict=True)
    places = [n for n, (one, other) in enumerate(pairs) if one != other]
    places.sort(key=lambda n: (len(sentences[n].source.split()), sentences[n].source))
    step = max(1, len(places) // max(count, 1))
    return places[step // 2 :: step][:count]
