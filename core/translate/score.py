"""How good translations are: BLEU, chrF2 and alignment error rate; and how good translators are, by
sentence length, where two differ, and on which sentences that is measured.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dlcc.core.errors import DataError
from dlcc.core.train.parts import Part, alike, part_to_score
from dlcc.core.translate.data import Pair, read_pairs, split_pairs
from dlcc.core.translate.translator import SearchOptions, Translator

_LENGTHS = ((1, 5), (6, 10), (11, 15), (16, None))  # source words
_SPLIT = ("train", "validation", "test")
Links = frozenset[tuple[int, int]]


@dataclass(frozen=True)
class Score:
    """A score and how exactly it was computed."""

    value: float
    signature: str


def bleu(hypotheses: Sequence[str], references: Sequence[Sequence[str]]) -> Score:
    """sacreBLEU, from 0 to 100: cased, detokenised text, 13a tokens (Post 2018). Each hypothesis
    has one or more references."""
    from sacrebleu.metrics import BLEU

    return _score(BLEU(tokenize="13a"), hypotheses, references)


def chrf(hypotheses: Sequence[str], references: Sequence[Sequence[str]]) -> Score:
    """chrF2, from 0 to 100: character 6-grams, recall counted twice (Popović 2015)."""
    from sacrebleu.metrics import CHRF

    return _score(CHRF(), hypotheses, references)


def _score(metric: Any, hypotheses: Sequence[str], references: Sequence[Sequence[str]]) -> Score:
    longest = max(map(len, references))
    streams = [[r[n] if n < len(r) else None for r in references] for n in range(longest)]
    score = metric.corpus_score(list(hypotheses), streams).score
    return Score(score, str(metric.get_signature()))


def alignment_error_rate(judged: Sequence[Links], sure: Sequence[Links]) -> float:
    """1 - 2 |A ∩ S| / (|A| + |S|), from 0 (right) to 1 (Och and Ney 2003, with sure links only).

    Args:
        judged: for each sentence the links (source word, target word) to judge, A.
        sure: the right links, S.
    """
    common = sum(len(a & s) for a, s in zip(judged, sure, strict=True))
    total = sum(map(len, judged)) + sum(map(len, sure))
    return 1 - 2 * common / total if total else 0.0


@dataclass(frozen=True)
class LengthScore:
    """BLEU of the sentences of some lengths."""

    lengths: str
    """Their number of source words."""
    sentences: int
    bleu: float
    """Against the first reference of each."""


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
    by_length: tuple[LengthScore, ...]
    """Lengths that do not occur are left out."""
    seconds: float
    """Time to translate all sentences."""


def sentences_to_score(
    path: Path, asked: str | None, models: Sequence[Mapping[str, Any]]
) -> tuple[Part, Sequence[Pair]]:
    """The sentences of a part, the same for all models.

    Args:
        path: as `read_pairs` takes it.
        models: what each model says of how it was made.

    Raises:
        DataError: the models translate in opposite directions, and as of `read_pairs`,
            `part_to_score` and `alike`.
        UsageError: as of `part_to_score`.
    """
    directions = {model.get("reverse", False) for model in models}
    if len(directions) > 1:
        raise DataError("the two models translate in opposite directions")
    pairs = read_pairs(path, directions.pop())
    chosen = []
    for model in models:
        parts: dict[str, Sequence[Pair]] = {"all": tuple(pairs)}
        try:
            split = split_pairs(pairs, model.get("seed", 0))
        except DataError:  # too few to train on can still be scored
            own = False
        else:
            own = split.test_hash == model.get("data", {}).get("test_hash")
            if own and "left_out" in model["data"]:
                split = split.apart()
            parts |= {name: getattr(split, name) for name in _SPLIT}
        part = part_to_score(asked, own, _SPLIT, named=())
        chosen.append((part, parts[part.name]))
    return alike(chosen)


def score_translations(
    translator: Translator, pairs: Sequence[Pair], options: SearchOptions
) -> TranslationScores:
    """Translate the pairs' sources and score the translations."""
    begun = time.monotonic()
    results = translator.translate([pair.source for pair in pairs], options)
    seconds = time.monotonic() - begun
    hypotheses = [result.text for result in results]
    first = [pair.targets[:1] for pair in pairs]
    every = [pair.targets for pair in pairs]
    return TranslationScores(
        tuple(hypotheses),
        bleu(hypotheses, first),
        bleu(hypotheses, every),
        chrf(hypotheses, every),
        _by_length(pairs, hypotheses),
        seconds,
    )


def _by_length(pairs: Sequence[Pair], hypotheses: Sequence[str]) -> tuple[LengthScore, ...]:
    lengths = [len(pair.source.split()) for pair in pairs]
    scores = []
    for low, high in _LENGTHS:
        places = [n for n, length in enumerate(lengths) if low <= length <= (high or length)]
        if places:
            references = [pairs[n].targets[:1] for n in places]
            value = bleu([hypotheses[n] for n in places], references).value
            name = f"{low}–{high}" if high else f"{low} or more"
            scores.append(LengthScore(name, len(places), value))
    return tuple(scores)


def differences(
    pairs: Sequence[Pair],
    first: TranslationScores,
    second: TranslationScores,
    count: int,
) -> list[int]:
    """Places of `count` sentences that two translators translate differently.

    They are taken at equal distances from all such sentences, sorted by length: not the ones that
    flatter either.
    """
    both = zip(first.hypotheses, second.hypotheses, strict=True)
    places = [n for n, (one, other) in enumerate(both) if one != other]
    places.sort(key=lambda n: (len(pairs[n].source.split()), pairs[n].source))
    step = max(1, len(places) // max(count, 1))
    return places[step // 2 :: step][:count]
