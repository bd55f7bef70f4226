"""Text for models: tokens with their places in it, so that what is shown is what was written."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dlcc.core.errors import DataError
from dlcc.core.files.paths import being_read
from dlcc.core.trace.maps import CONTINUED

_BLANKS = {"\n": "⏎", "\t": "⇥", " ": "␣", "\r": "⏎"}


@dataclass(frozen=True)
class Encoded:
    """One or two texts as a model is given them, T tokens."""

    ids: tuple[int, ...]
    types: tuple[int, ...]
    """0 for the first text and 1 for the second, as the tokenizer says."""
    tokens: tuple[str, ...]
    """What each stands for in the text; special ones by their names."""
    words: tuple[int, ...]
    """For each token the number of the word that it is a part of."""
    special: tuple[str, ...]
    spans: tuple[tuple[int, int], ...]
    """Where each word stands in the first text; (0, 0) of special tokens and others."""


class Codec:
    """A model's tokenizer: the fast one of its folder, or what transformers makes of its files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        path = folder / "tokenizer.json"
        if path.is_file():
            from tokenizers import Tokenizer

            with being_read(path, "is damaged ({})"):
                self.fast: Any = Tokenizer.from_file(str(path))
        else:
            self.fast = _fast_of(folder)
        self.fast.no_padding()
        self.fast.no_truncation()
        added = self.fast.get_added_tokens_decoder()
        self.special = {number for number, token in added.items() if token.special}

    def encode(self, text: str, second: str | None = None, special: bool = True) -> Encoded:
        """One text, or two of which the model is to know that they are."""
        pair = () if second is None else (second,)
        found = self.fast.encode(text, *pair, add_special_tokens=special)
        texts = (text, second or "")
        places = [
            (texts[sequence or 0], span, sequence)
            for sequence, span in zip(found.sequence_ids, found.offsets, strict=True)
        ]
        return self._encoded(found.ids, found.type_ids, places, found.word_ids)

    def of_ids(self, ids: Sequence[int]) -> Encoded:
        """Tokens that a model wrote, with the text that they make."""
        pieces, ends = "", []
        for place in range(len(ids)):
            whole = self.text(ids[: place + 1])
            if not whole.endswith("\N{REPLACEMENT CHARACTER}"):  # a character is whole
                pieces = whole
            ends.append(len(pieces))
        spans = list(zip([0, *ends], ends, strict=False))
        places = [(pieces, span, 0) for span in spans]
        return self._encoded(ids, [0] * len(ids), places, [None] * len(ids))

    def text(self, ids: Sequence[int]) -> str:
        return self.fast.decode(list(ids), skip_special_tokens=True)

    def name(self, number: int) -> str:
        """What one token stands for."""
        piece = self.fast.decode([number], skip_special_tokens=False)
        return _shown(piece) or str(self.fast.id_to_token(number))

    def number(self, name: str) -> int | None:
        """Of a special token."""
        return self.fast.token_to_id(name)

    def _encoded(
        self,
        ids: Sequence[int],
        types: Sequence[int],
        places: Sequence[tuple[str, tuple[int, int], int | None]],
        numbers: Sequence[int | None],
    ) -> Encoded:
        tokens: list[str] = []
        words: list[int] = []
        spans: list[tuple[int, int]] = []
        special: list[str] = []
        before: tuple[Any, ...] = ()
        for number, (text, (start, end), sequence), word in zip(ids, places, numbers, strict=True):
            mine = (number in self.special) or sequence is None
            piece = text[start:end]
            if mine:
                token = str(self.fast.id_to_token(number))
                special.append(token)
            elif before and before[:2] == (sequence, (start, end)) and piece.strip():
                token = CONTINUED  # a part of the same character
            else:
                token = _shown(piece) or CONTINUED
            start += len(piece) - len(piece.lstrip())
            apart = (
                not before
                or mine
                or before[3]
                or before[0] != sequence
                or (word is not None and word != before[2])
                or (token != CONTINUED and (start == 0 or text[start - 1].isspace()))
            )
            if apart:
                words.append(len(spans))
                spans.append((0, 0) if mine or sequence else (start, end))
            else:
                words.append(len(spans) - 1)
                spans[-1] = (spans[-1][0], max(end, spans[-1][1]))
            tokens.append(token)
            before = (sequence, places[len(tokens) - 1][1], word, mine)
        return Encoded(
            tuple(ids),
            tuple(types),
            tuple(tokens),
            tuple(words),
            tuple(dict.fromkeys(special)),
            tuple(spans),
        )


def _shown(piece: str) -> str:
    """A token's text: without the blanks around it, or these made visible."""
    return piece.strip() or "".join(_BLANKS.get(letter, letter) for letter in piece)


def _fast_of(folder: Path) -> Any:
    """The fast tokenizer that transformers makes of a vocabulary."""
    if not any(p for kind in ("vocab.*", "*.spm", "*.model") for p in folder.glob(kind)):
        raise DataError(f"{folder} has no tokenizer: a tokenizer.json is needed")
    with being_read(folder, "has a tokenizer that cannot be loaded ({})"):
        from transformers import AutoTokenizer

        made = AutoTokenizer.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False, use_fast=True
        )
        if not hasattr(made, "backend_tokenizer"):
            raise ValueError("it tells no places of its tokens")
        return made.backend_tokenizer


class PieceCodec(Codec):
    """A tokenizer that has no fast form, such as Marian's: words begin where its pieces say so."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with being_read(folder, "has a tokenizer that cannot be loaded ({})"):
            from transformers import AutoTokenizer

            self.slow: Any = AutoTokenizer.from_pretrained(
                folder, local_files_only=True, trust_remote_code=False
            )
        self.special = set(self.slow.all_special_ids)

    def encode(self, text: str, second: str | None = None, special: bool = True) -> Encoded:
        return self.of_ids(self.slow(text, second, add_special_tokens=special)["input_ids"])

    def of_ids(self, ids: Sequence[int]) -> Encoded:
        pieces = self.slow.convert_ids_to_tokens(list(ids))
        tokens: list[str] = []
        words: list[int] = []
        special: list[str] = []
        for number, piece in zip(ids, pieces, strict=True):
            new = number in self.special or piece.startswith("▁") or not words
            after = bool(special) and bool(tokens) and tokens[-1] in special
            words.append(words[-1] + 1 if words and (new or after) else words[-1] if words else 0)
            tokens.append(piece.removeprefix("▁") or CONTINUED)
            special += [piece] if number in self.special else []
        spans = ((0, 0),) * (words[-1] + 1 if words else 0)
        kept = tuple(dict.fromkeys(special))
        return Encoded(tuple(ids), (0,) * len(ids), tuple(tokens), tuple(words), kept, spans)

    def text(self, ids: Sequence[int]) -> str:
        return str(self.slow.decode(list(ids), skip_special_tokens=True))

    def name(self, number: int) -> str:
        return str(self.slow.convert_ids_to_tokens(number)).removeprefix("▁") or CONTINUED

    def number(self, name: str) -> int | None:
        found = self.slow.convert_tokens_to_ids(name)
        return found if isinstance(found, int) and found != self.slow.unk_token_id else None


def codec_of(folder: Path) -> Codec:
    """The tokenizer of a model's folder.

    Raises:
        DataError: it has none, or a damaged one.
    """
    whole = (folder / "tokenizer.json").is_file()
    return PieceCodec(folder) if not whole and (folder / "source.spm").is_file() else Codec(folder)
