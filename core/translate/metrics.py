"""Scores of translations: BLEU and chrF2 (the sacreBLEU library), alignment error rate."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

Links = frozenset[tuple[int, int]]


@dataclass(frozen=True)
class Score:
    """A score and how exactly it was computed."""

    value: float
    signature: str


def bleu(hypotheses: Sequence[str], references: Sequence[Sequence[str]]) -> Score:
    """sacreBLEU, from 0 to 100: cased, detokenised text, 13a tokens (Post 2018).

    Args:
        hypotheses: translations.
        references: for each of them one or more right translations.
    """
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


def alignment_error_rate(found: Sequence[Links], sure: Sequence[Links]) -> float:
    """1 - 2 |A ∩ S| / (|A| + |S|), from 0 (right) to 1 (Och and Ney 2003, with sure links only).

    Args:
        found: for each sentence the links (source word, target word) to judge, A.
        sure: the right links, S.
    """
    common = sum(len(a & s) for a, s in zip(found, sure, strict=True))
    total = sum(map(len, found)) + sum(map(len, sure))
    return 1 - 2 * common / total if total else 0.0
