"""Reviews to token numbers: HTML tags stripped, lower case, subwords or whole words.

Text that was cut into tokens before ("does n't", "-lrb-", as in the Penn Treebank) reads as typed
text does. The rules live in the tokenizer itself, so that every token knows its place in the text
as written.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers

from dlcc.core.errors import DataError, UsageError
from dlcc.core.nn.batches import SPECIAL, UNK
from dlcc.core.sentiment.config import VOCABULARIES
from dlcc.core.settings import one_of
from dlcc.core.typed import places_of, typed_letters

MASK = len(SPECIAL)
SPECIAL_TOKENS = (*SPECIAL, "<mask>")
LONG_TEXTS = ("windows", "ends")
"""How a text that is too long is read: all of it in windows, or its two ends."""

_TAG = r"</?[A-Za-z!][^<>]*>"
_ENTITY = r"&(amp|nbsp|quot|lt|gt|#\d+);"
# Patterns of lower-case text and what each becomes: one spelling for what is typed and for what was
# cut into tokens. A space before "n't" or a comma needs no rule, since words are cut there anyway.
_SPELLING = (
    ("[’‘`]", "'"),
    ("''|[“”„]", '"'),
    ("-l[rc]b-", "("),
    ("-r[rc]b-", ")"),
    ("-lsb-", "["),
    ("-rsb-", "]"),
    (r"\\(?=[/*])", ""),
    (r"(?<=n)\s+(?='t\b)", ""),  # don 't
    (r"(?<=\b(gon|wan))\s+(?=na\b)|(?<=\bgot)\s+(?=ta\b)|(?<=\b(gim|lem))\s+(?=me\b)", ""),
    (r"(?<=\bcan)n(?=ot\b)", " n"),
    (r"(?<=[!?])\s+\.(?!\S)", ""),
    (r"(?<=\.)\s+(?=\.)|(?<=!)\s+(?=!)|(?<=\?)\s+(?=\?)", ""),
    ("-{2,}|[–—]", "-"),
)
_ONE_CHARACTER = re.compile("-[lr][rcs]b-|-{2,}|[’‘`']{2}", re.IGNORECASE)
# "don't" becomes "do" and "n't", as in GloVe's texts; dots, marks of exclamation and of question
# in a row are one token.
_WORD = r"\w+(?=n't\b)|n't\b|'(s|m|d|ll|re|ve)\b|\w+|\.{2,}|!{2,}|\?{2,}|[^\w\s]"
_UNKNOWN_SHARE = 0.4  # 1 English sentence in 100 is above, 1 Spanish passage in 100 below
_AT_ONCE = 4096  # texts: what the tokenizer says of them takes 100 bytes a token
_MOST_LETTERS = 200


@dataclass(frozen=True)
class ReviewTokens:
    """One text, cut up."""

    ids: tuple[int, ...]
    words: tuple[int, ...]
    """For each token the number of the word that it is a part of."""
    spans: tuple[tuple[int, int], ...]
    """Where each word stands in the text, by its number."""


class ReviewCodec:
    """Text to token numbers."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.tokenizer = tokenizer
        tokenizer.encode_special_tokens = True  # "<s>" in a text is HTML, no token of ours
        tokens = self.vocabulary()
        self._continues = np.array([token.startswith("##") for token in tokens])
        self._in_words = np.array([token[0].isalnum() for token in tokens])
        self._in_words[UNK] = True

    @classmethod
    def learn(cls, texts: Iterable[str], kind: str, size: int) -> "ReviewCodec":
        """Build the vocabulary from training texts.

        Args:
            texts: the training texts.
            kind: subwords (WordPiece, Schuster & Nakajima 2012) or words.
            size: most tokens there may be.
        """
        if size <= len(SPECIAL_TOKENS):
            raise UsageError(f"more than {len(SPECIAL_TOKENS)} are needed", "vocab_size", size)
        if kind == "words":
            return cls(_learn_words(texts, size))
        if kind == "subwords":
            return cls(_learn_subwords(list(texts), size))
        raise UsageError(one_of(VOCABULARIES).says, "vocabulary", kind)

    @property
    def size(self) -> int:
        return self.tokenizer.get_vocab_size()

    def vocabulary(self) -> list[str]:
        """The tokens, by number."""
        return [self.tokenizer.id_to_token(number) for number in range(self.size)]

    def encode(self, text: str) -> ReviewTokens:
        """Cut up one text."""
        letters = typed_letters(text)
        encoding = self.tokenizer.encode(letters)
        spans: dict[int, tuple[int, int]] = {}
        for word, (start, end) in zip(encoding.word_ids, encoding.offsets, strict=True):
            first, last = spans.get(word, (start, end))
            spans[word] = (min(first, start), max(last, end))
        _widen(spans, letters)
        if letters != text:
            places = places_of(text)
            spans = {n: (places[a], places[b - 1] + 1) for n, (a, b) in spans.items()}
        numbers = {word: number for number, word in enumerate(spans)}
        return ReviewTokens(
            tuple(encoding.ids),
            tuple(numbers[word] for word in encoding.word_ids),
            tuple(spans.values()),
        )

    def encode_each(self, texts: Iterable[str]) -> Iterator[list[int]]:
        """Token numbers alone, many texts in parallel."""
        source = iter(texts)
        while lot := [typed_letters(text) for text in islice(source, _AT_ONCE)]:
            for encoding in self.tokenizer.encode_batch_fast(lot):
                yield encoding.ids

    def encode_many(self, texts: Iterable[str]) -> list[list[int]]:
        """As `encode_each`, all at once."""
        return list(self.encode_each(texts))

    def mostly_unknown(self, ids: Sequence[int]) -> bool:
        """Whether most words of a text are unknown or known by fragments alone: it is likely to be
        in another language, or in none."""
        if not ids:
            return False
        tokens = np.array(ids)
        starts = ~self._continues[tokens]
        broken = np.append(~starts[1:], False) | (tokens == UNK)
        words = starts & self._in_words[tokens]
        return bool((broken & words).sum() > _UNKNOWN_SHARE * words.sum())

    def files(self) -> dict[str, bytes]:
        """What a checkpoint keeps of it."""
        return {"tokenizer.json": self.tokenizer.to_str().encode()}

    def renewed(self) -> "ReviewCodec":
        """The same vocabulary with the rules of today, for a training that starts from weights
        whose own rules may be older."""
        return ReviewCodec(_with_rules(Tokenizer.from_str(self.tokenizer.to_str())))

    @classmethod
    def of_run(cls, run: Path, kind: str) -> "ReviewCodec":
        """The codec of a run that is gone on with: its rules may be older than today's."""
        from dlcc.core.train.checkpoint import load_checkpoint

        return cls.from_files(load_checkpoint(run / "last", kind).files)

    @classmethod
    def from_files(cls, files: dict[str, bytes]) -> "ReviewCodec":
        """The codec that `files` kept.

        Raises:
            DataError: it is missing or is none of ours.
        """
        try:
            return cls(Tokenizer.from_str(files["tokenizer.json"].decode()))
        except Exception as error:  # tokenizers raises plain Exception
            raise DataError(
                f"the checkpoint's tokenizer is missing or damaged ({error})"
            ) from error


def _learn_words(texts: Iterable[str], size: int) -> Tokenizer:
    tokenizer = cutter(models.WordLevel(unk_token=SPECIAL[UNK]))
    trainer = trainers.WordLevelTrainer(
        vocab_size=size, min_frequency=2, special_tokens=list(SPECIAL_TOKENS), show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def _learn_subwords(texts: Sequence[str], size: int) -> Tokenizer:
    learner = cutter(models.WordPiece(unk_token=SPECIAL[UNK]))
    letters = _letters(texts)
    trainer = trainers.WordPieceTrainer(
        vocab_size=size,
        initial_alphabet=letters,
        limit_alphabet=len(letters),
        # The trainer numbers letters inside words in an order that changes from run to run, unless
        # they are numbered before it begins.
        special_tokens=[*SPECIAL_TOKENS, *(f"##{letter}" for letter in letters)],
        show_progress=False,
    )
    learner.train_from_iterator(texts, trainer)
    tokenizer = cutter(models.WordPiece(learner.get_vocab(), unk_token=SPECIAL[UNK]))
    tokenizer.add_special_tokens(list(SPECIAL_TOKENS))
    return tokenizer


def cutter(model: models.Model) -> Tokenizer:
    """A tokenizer that cleans a text and cuts it into words for `model`."""
    return _with_rules(Tokenizer(model))


def _with_rules(tokenizer: Tokenizer) -> Tokenizer:
    """`tokenizer` with the rules of today, by which a text is cleaned and cut into words."""
    tokenizer.normalizer = normalizers.Sequence(
        [
            normalizers.Replace(Regex(_TAG), " "),
            normalizers.Replace(Regex(_ENTITY), " "),
            normalizers.NFC(),
            normalizers.Lowercase(),
            *(normalizers.Replace(Regex(pattern), new) for pattern, new in _SPELLING),
        ]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(_WORD), "removed", invert=True)
    return tokenizer


def _widen(spans: dict[int, tuple[int, int]], text: str) -> None:
    """What became one character stands in the text with all of its own."""
    for match in _ONE_CHARACTER.finditer(text):
        start, end = match.span()
        inside = [word for word, span in spans.items() if start <= span[0] < span[1] <= end]
        if len(inside) == 1:  # more of them where older rules cut it up
            spans[inside[0]] = match.span()


def _letters(texts: Iterable[str]) -> list[str]:
    """The most frequent characters but spaces, in order; those of a text's words are among them."""
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(text.lower())
    found = sorted((-count, letter) for letter, count in counts.items() if not letter.isspace())
    return sorted(letter for _, letter in found[:_MOST_LETTERS])


def ends(ids: Sequence[int], length: int) -> Sequence[int]:
    """The first quarter and the last three quarters of `length` tokens of a text that is longer.

    Reviews tend to close with the verdict ("head+tail", Sun et al. 2019, section 5.3).
    """
    head = length // 4
    return ids if len(ids) <= length else [*ids[:head], *ids[head - length :]]


def windows(ids: Sequence[int], length: int) -> list[tuple[int, int]]:
    """Evenly spaced stretches (start, end) of at most `length` tokens that cover all of a text."""
    count = max(1, -(-len(ids) // length))
    if count == 1:
        return [(0, len(ids))]
    last = len(ids) - length
    starts = [round(number * last / (count - 1)) for number in range(count)]
    return [(start, start + length) for start in starts]
