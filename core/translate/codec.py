"""Sentences to token numbers and back: cleaning, casing, subwords or words, padding.

One vocabulary serves both languages. It is built from the training part alone.
"""

import json
import random
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

from dlcc.core.errors import DataError
from dlcc.core.nn.batches import EOS, SPECIAL, UNK
from dlcc.core.settings import one_of
from dlcc.core.translate import copies
from dlcc.core.translate.config import VOCABULARIES

_AT_ONCE = 4096  # pairs
_SPACE = "▁"  # stands for the space before a token, as in sentencepiece
_TOKEN = rf"'\w+|{_SPACE}?\w+|{_SPACE}?[^\w{_SPACE}]"
_WORD = re.compile(r"\w+")
_NOT_IN_ADDRESS = re.compile(r"(?<![@/.=&?#:])\b\w+(?![@/=&]|\.\w)\b")
_SENTENCE_START = re.compile(r"""(?:^|[.?!…]["»”]?\s+)[¿¡"«“(\[\-—']*(\w)""")
_SENTENCE_END = re.compile(
    r"(?<=[.!?…])(?<!\bMr\.)(?<!\bMrs\.)(?<!\bMs\.)(?<!\bDr\.)(?<!\bSt\.)(?<!\b[A-HJ-Z]\.)"
    r"\s+(?=\S)"
)
_TITLE = re.compile(r"\b(Mr|Mrs|Ms|Dr)(?= (?:[A-Z]|and\b))")
_LEAD = re.compile(r"(?:[-*+•–—>#]+|\d{1,3}[.)]|\(?\w{1,2}\)) (?=\S)")
_STRAIGHT = str.maketrans({"’": "'", "‘": "'", "“": '"', "”": '"', "\u200b": None})
_STRAIGHT |= dict.fromkeys(map(ord, copies.MARKS))


def clean(text: str) -> str:
    """Composed characters (NFC), straight quotes, single spaces."""
    return " ".join(unicodedata.normalize("NFC", text).translate(_STRAIGHT).split())


def titled(text: str) -> str:
    """A cleaned text in which Mr, Mrs, Ms and Dr end in a full stop: then they go with the name
    behind them."""
    return _TITLE.sub(r"\1.", text)


def split_lead(text: str) -> tuple[str, str]:
    """What stands before a cleaned line, such as a list's number or dash, and the line."""
    match = _LEAD.match(text)
    end = match.end() if match else 0
    return text[:end], text[end:]


def split_words(text: str) -> list[str]:
    """The words and punctuation marks of a cleaned text, as the vocabulary keeps them apart."""
    return [part.strip(_SPACE) for part in re.findall(_TOKEN, _SPACE + text.replace(" ", _SPACE))]


def split_sentences(text: str) -> list[str]:
    """The sentences of a cleaned text."""
    return _SENTENCE_END.split(text)


@dataclass(frozen=True)
class Tokens:
    """One sentence, cut up."""

    ids: tuple[int, ...]
    texts: tuple[str, ...]
    """Each token as it stands in the sentence; ▁ for the space before a word that is spelled."""
    words: tuple[int, ...]
    """For each token the number of the word that it is a part of."""
    copies: tuple[str, ...] = ()
    """What its placeholders stand for, in their order."""


class Casing:
    """Sentence-initial capitals, taken away before a model reads and given back after it wrote.

    Otherwise the first word of every sentence is a token of its own, rarer than the same word
    elsewhere ("truecasing", Koehn et al. 2007). Words that are capitalised inside sentences, such
    as names, keep their capital.
    """

    def __init__(self, keep: Iterable[str] = ()) -> None:
        self.keep = frozenset(keep)

    @classmethod
    def learn(cls, texts: Iterable[str]) -> "Casing":
        """Find the words of `texts` that are capitalised more often than not inside a sentence."""
        counts: Counter[str] = Counter()
        for text in texts:
            starts = {match.start(1) for match in _SENTENCE_START.finditer(text)}
            counts.update(m.group() for m in _WORD.finditer(text) if m.start() not in starts)
        return cls(w for w, n in counts.items() if w != w.lower() and n > counts[w.lower()])

    def lower(self, text: str) -> str:
        """`text` with its sentence-initial capitals taken away."""
        for match in _SENTENCE_START.finditer(text):
            at = match.start(1)
            word = _WORD.match(text, at).group()  # type: ignore[union-attr]  # \w is there
            rest_is_small = word[1:] == word[1:].lower()
            if word not in self.keep and rest_is_small and len(word[0].lower()) == 1:
                text = text[:at] + text[at].lower() + text[at + 1 :]
        return text

    def restore(self, text: str) -> str:
        """`text` with its capital for each word that is otherwise unknown without: i, boston."""

        def capital(match: re.Match[str]) -> str:
            word = match.group()
            return word.capitalize() if word.capitalize() in self.keep else word

        return _NOT_IN_ADDRESS.sub(capital, text) if self.keep else text

    @staticmethod
    def upper(text: str) -> str:
        """`text` with a capital at the start of each sentence."""
        return _SENTENCE_START.sub(lambda m: m.group()[:-1] + m.group(1).upper(), text)


class Codec:
    """Text to token numbers and back, for both languages of a translator."""

    def __init__(
        self,
        tokenizer: Tokenizer,
        source: Casing,
        target: Casing,
        known: Iterable[str],
        names: Iterable[str] = (),
    ) -> None:
        self.tokenizer = tokenizer
        tokenizer.encode_special_tokens = True  # "<pad>" in a text is text
        self.source, self.target = source, target
        self.known = frozenset(known)
        """Words of the training sources, in lower case."""
        self._letters = frozenset("".join(self.known))
        self.names = frozenset(names)
        """Rare words of the training sources that are copied."""
        pieces = [[mark, _SPACE + mark] for mark in copies.MARKS]
        ids = [[tokenizer.token_to_id(piece) for piece in both] for both in pieces]
        self.marks: list[list[int]] = [both for both in ids if None not in both]
        """The two tokens of each placeholder; none in a model that copies nothing."""
        self.space = tokenizer.token_to_id(_SPACE)
        """The token for a space before a word that no token begins with it."""

    @classmethod
    def learn(cls, sources: Sequence[str], targets: Sequence[str], kind: str, size: int) -> "Codec":
        """Build the vocabulary of `size` tokens from cleaned training sentences.

        Args:
            sources: sentences to translate.
            targets: their translations.
            kind: subwords (byte-pair encoding, Sennrich et al. 2016) or words.
            size: most tokens there may be.
        """
        one_of(VOCABULARIES).ask(kind, "vocabulary")
        options = {"vocab_size": size, "special_tokens": list(SPECIAL), "show_progress": False}
        if kind == "words":
            tokenizer = Tokenizer(models.WordLevel(unk_token=SPECIAL[UNK]))
            trainer = trainers.WordLevelTrainer(**options)
        else:
            tokenizer = Tokenizer(models.BPE(unk_token=SPECIAL[UNK]))
            trainer = trainers.BpeTrainer(**options)
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
            [
                pre_tokenizers.Metaspace(prepend_scheme="always", split=False),
                pre_tokenizers.Split(Regex(_TOKEN), "isolated"),
            ]
        )
        tokenizer.decoder = decoders.Metaspace()
        source, target = Casing.learn(sources), Casing.learn(targets)
        texts = [*map(source.lower, sources), *map(target.lower, targets)]
        tokenizer.train_from_iterator(texts, trainer)
        known = {word.lower() for text in sources for word in _WORD.findall(text)}
        return cls(tokenizer, source, target, known).copying([*zip(sources, targets, strict=True)])

    def copying(self, pairs: Sequence[tuple[str, str]]) -> "Codec":
        """This codec with placeholders, if it has none and `pairs` to train on have words to copy;
        it becomes larger by them."""
        names = copies.copied_names(pairs)
        if self.marks or not copies.can_be_learned(pairs, names):
            return self
        tokenizer = copies.with_marks(self.tokenizer, _SPACE)
        return Codec(tokenizer, self.source, self.target, self.known, names)

    @property
    def size(self) -> int:
        return self.tokenizer.get_vocab_size()

    def encode_source(self, texts: Sequence[str]) -> list[Tokens]:
        """Cut up cleaned sentences to translate; words to copy become placeholders."""
        restored = [self.source.restore(text) for text in texts]
        if not self.marks:
            return self._encode(restored, self.source)
        pairs = [copies.marked(x, self._copied(x)) for x in restored]
        tokens = self._encode([text for text, _ in pairs], self.source)
        return [
            replace(each, texts=tuple(copies.unmarked(t, words) for t in each.texts), copies=words)
            for each, (_, words) in zip(tokens, pairs, strict=True)
        ]

    def encode_pairs(
        self, pairs: Iterable[tuple[str, str]], seed: int
    ) -> Iterator[tuple[list[int], list[int]]]:
        """Tokens of pairs to train on; words that both sides have may become placeholders."""
        draw, known = random.Random(seed), self.source.keep & self.target.keep
        waiting = iter(pairs)
        while lot := list(islice(waiting, _AT_ONCE)):
            if self.marks:
                lot = [copies.marked_pair(*pair, self.names, known, draw) for pair in lot]
            restored = [self.source.lower(self.source.restore(source)) for source, _ in lot]
            sources = self.tokenizer.encode_batch_fast(restored)
            targets = self.tokenizer.encode_batch_fast([self.target.lower(t) for _, t in lot])
            for source, target in zip(sources, targets, strict=True):
                yield source.ids, target.ids

    def _copied(self, text: str) -> list[tuple[int, int]]:
        """Where the words to copy stand in `text`; nowhere if it is all of another script."""
        if not any(letter.isdigit() or letter in self._letters for letter in text.lower()):
            return []
        return copies.places(text, lambda word: copies.is_strange(word, self.known, self.names))

    def plain_case(self, text: str) -> str:
        """`text` without words in capitals that are usually written small: "I BOUGHT A BOOK." as
        "I bought a book."; names that are known keep theirs."""
        words = [word for word in _WORD.findall(text) if any(map(str.isalpha, word))]
        if len(words) > 1 and text == text.upper() and any(len(word) > 2 for word in words):
            return Casing.upper(self.source.restore(text.lower()))

        def small(match: re.Match[str]) -> str:
            word = match.group()
            shouted = len(word) > 1 and word.isupper() and word not in self.source.keep
            lower = word.lower()
            if not shouted or lower not in self.known:
                return word
            return word.capitalize() if word.capitalize() in self.source.keep else lower

        return _WORD.sub(small, text)

    def encode_target(self, texts: Sequence[str]) -> list[Tokens]:
        """Cut up cleaned translations."""
        return self._encode(texts, self.target)

    def decode(self, ids: Sequence[int], words: Sequence[str] = ()) -> str:
        """The sentence that target tokens spell, with its capitals; its placeholders stand for
        `words`."""
        text = Casing.upper(self.tokenizer.decode([i for i in ids if i > EOS]))
        return copies.unmarked(text, words)

    def piece(self, token: int, words: Sequence[str] = ()) -> str:
        """A token as text; the space before a word is shown as ▁, a placeholder as its word."""
        return copies.unmarked(self.tokenizer.id_to_token(token), words)

    def token(self, piece: str, words: Sequence[str] = ()) -> int | None:
        """The token that `piece` shows; None where there is none."""
        for both in self.marks:
            for token in both:
                if self.piece(token, words) == piece:
                    return token
        return self.tokenizer.token_to_id(piece)

    def words(self, ids: Sequence[int]) -> tuple[int, ...]:
        """For each target token the number of the word that it is a part of."""
        pieces = [self.piece(token) for token in ids]
        text = "".join(pieces)
        starts = {m.start() for m in re.finditer(_TOKEN, text)}
        numbers: list[int] = []
        at = 0
        for token, piece in zip(ids, pieces, strict=True):
            begins = not numbers or at in starts or token <= UNK
            numbers.append(numbers[-1] + begins if numbers else 0)
            at += len(piece)
        return tuple(numbers)

    def can_read(self, tokens: Tokens) -> bool:
        """Whether any letter or digit of a source is known, or any mark where it has none."""
        pairs = zip(tokens.ids, tokens.texts, strict=True)
        letters = [token for token, text in pairs if any(map(str.isalnum, text))]
        return any(token not in (UNK, self.space) for token in letters or tokens.ids)

    def unknown(self, text: str) -> tuple[str, ...]:
        """The words of a cleaned source that were in no training sentence; numbers do not count."""
        words = (word for word in _WORD.findall(text) if not word.isdigit())
        return tuple(dict.fromkeys(word for word in words if word.lower() not in self.known))

    def files(self) -> dict[str, bytes]:
        """What a checkpoint keeps of it."""
        words = {
            "source_capitals": sorted(self.source.keep),
            "target_capitals": sorted(self.target.keep),
            "source_words": sorted(self.known),
            "copied_names": sorted(self.names),
        }
        return {
            "tokenizer.json": self.tokenizer.to_str().encode(),
            "words.json": json.dumps(words, ensure_ascii=False).encode(),
        }

    @classmethod
    def from_files(cls, files: Mapping[str, bytes]) -> "Codec":
        """The codec that `files` kept.

        Raises:
            DataError: a file is missing or is none of ours.
        """
        try:
            tokenizer = Tokenizer.from_str(files["tokenizer.json"].decode())
            words = json.loads(files["words.json"])
            source, target = (Casing(words[f"{side}_capitals"]) for side in ("source", "target"))
            names = words.get("copied_names", ())  # older ones copy nothing
            return cls(tokenizer, source, target, words["source_words"], names)
        except Exception as error:  # tokenizers raises plain Exception
            raise DataError(f"the checkpoint's vocabulary is damaged ({error})") from error

    def _encode(self, texts: Sequence[str], casing: Casing) -> list[Tokens]:
        encodings = self.tokenizer.encode_batch([casing.lower(text) for text in texts])
        tokens = []
        for text, encoding in zip(texts, encodings, strict=True):
            parts = (
                _SPACE if token == self.space else text[slice(*offset)].strip()
                for token, offset in zip(encoding.ids, encoding.offsets, strict=True)
            )
            tokens.append(Tokens(tuple(encoding.ids), tuple(parts), tuple(encoding.word_ids)))
        return tokens
