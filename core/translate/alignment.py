"""Where attention lands: word links read from it, against links made by hand."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dlcc.core.errors import DataError
from dlcc.core.files.encodings import lines_of
from dlcc.core.files.paths import read_bytes
from dlcc.core.trace.maps import merge, word_groups
from dlcc.core.translate.codec import clean, split_words
from dlcc.core.translate.score import Links, alignment_error_rate
from dlcc.core.translate.source import aligned
from dlcc.core.translate.translator import Translator


@dataclass(frozen=True)
class AlignedPair:
    """A sentence pair, and which of its words belong together."""

    source: str
    target: str
    links: Links
    """(source word, target word), counted from 0; punctuation marks are words."""


@dataclass(frozen=True)
class AlignmentErrors:
    """Alignment error rates, from 0 (right) to 1."""

    emission: float
    """Attention at the step that emits a word."""
    fed_back: float
    """Attention at the step after, which is given the word."""
    diagonal: float
    """Each target word linked to the source word at the same relative place: no model at all."""
    pairs: int
    links: int
    single: tuple[int, int]
    """Target words linked to one source word that has no other: those whose strongest source word,
    at the step that emits them, is another one; and all of them."""
    phrases: tuple[int, int]
    """The same of target words in a phrase, with several links on either side."""


def read_alignments(path: Path) -> list[AlignedPair]:
    """Read `source<TAB>target<TAB>links` lines; a link is i-j, words counted from 0.

    A punctuation mark is a word, and so is 'm in "I'm". Lines that start with # are remarks.

    Raises:
        DataError: unreadable, or a line in another format.
    """
    lines = lines_of(read_bytes(path), str(path))
    pairs = []
    for number, line in enumerate(lines, 1):
        if not line or line.startswith("#"):
            continue
        try:
            source, target, links = line.split("\t")
            pair_of = (link.split("-") for link in links.split())
            numbers = frozenset((int(i), int(j)) for i, j in pair_of)
        except ValueError as error:
            raise DataError(
                f"{path}, line {number}: source<TAB>target<TAB>i-j i-j ... is expected"
            ) from error
        source, target = clean(source), clean(target)
        lengths = len(split_words(source)), len(split_words(target))
        if not all(lengths):
            raise DataError(f"{path}, line {number}: a side without a word")
        if not all(0 <= i < lengths[0] and 0 <= j < lengths[1] for i, j in numbers):
            raise DataError(f"{path}, line {number}: a link to a word that is not there")
        pairs.append(AlignedPair(source, target, numbers))
    if not any(pair.links for pair in pairs):
        raise DataError(f"{path} holds no aligned pair")
    return pairs


def alignment_errors(translator: Translator, pairs: Sequence[AlignedPair]) -> AlignmentErrors:
    """Let the model write each given target and compare its attention with the links.

    Each target word that has a link by hand is linked to the source word that it looks at most.
    """
    sure = [pair.links for pair in pairs]
    links = [(*_read(translator, pair), _diagonal(pair)) for pair in pairs]
    emission, fed_back, diagonal = (
        alignment_error_rate(read, sure) for read in zip(*links, strict=True)
    )
    wrong, words = [0, 0], [0, 0]
    for (read, _, _), hand in zip(links, sure, strict=True):
        for i, j in read:
            kind = _is_in_phrase(j, hand)
            words[kind] += 1
            wrong[kind] += (i, j) not in hand
    single, phrases = zip(wrong, words, strict=True)
    counts = len(pairs), sum(map(len, sure))
    return AlignmentErrors(emission, fed_back, diagonal, *counts, single, phrases)


def _is_in_phrase(target: int, links: Links) -> bool:
    """Whether a target word has several links, or its source word has."""
    sources = {i for i, j in links if j == target}
    return len(sources) > 1 or sum(i in sources for i, _ in links) > 1


def _read(translator: Translator, pair: AlignedPair) -> tuple[Links, Links]:
    """Each linked target word's strongest source word at the step that emits it, and after."""
    codec = translator.codec
    source = codec.encode_source([pair.source])[0]
    target = codec.encode_target([pair.target])[0]
    _, decoded = translator.decode(source.ids, target.ids)
    if decoded.weights is None:
        raise DataError("this model has no attention to read an alignment from")
    weights = aligned(decoded.weights[0].numpy(force=True))  # [target tokens + end, source tokens]
    targets = word_groups(target.words, len(target.ids))
    sources = word_groups(source.words, len(source.ids))

    def strongest(rows: np.ndarray) -> Links:
        words = merge(rows, targets, sources)
        return frozenset((int(words[j].argmax()), j) for _, j in pair.links)

    return strongest(weights[:-1]), strongest(weights[1:])  # row t emits token t, t + 1 is given it


def _diagonal(pair: AlignedPair) -> Links:
    length = len(split_words(pair.source))
    scale = length / len(split_words(pair.target))
    return frozenset((min(int((j + 0.5) * scale), length - 1), j) for _, j in pair.links)
