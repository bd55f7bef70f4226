"""Sentence pairs: read them from a zip, a folder or a file, and split them by source sentence.

One source sentence often has several translations, so a split of the lines would put translations
of a test sentence into the training part. The split is made between source sentences, and those
that differ only in case and punctuation stay together. One target may still have sources on both
sides: `Split.apart` leaves its pairs out of the training part.
"""

import hashlib
import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

import torch

from dlcc.core.errors import DataError, UsageError
from dlcc.core.files.archives import each_file
from dlcc.core.files.download import RemoteFile, fetch
from dlcc.core.files.encodings import lines_of
from dlcc.core.files.paths import cache_dir, read_bytes
from dlcc.core.files.tables import TABLES
from dlcc.core.progress import Progress
from dlcc.core.train.runtime import seeded_generator
from dlcc.core.translate.codec import clean
from dlcc.core.translate.pairs import (
    Columns,
    Say,
    check_languages,
    check_sides,
    from_lines,
    from_table,
    from_tmx,
    from_two_files,
)

_URL = "https://www.manythings.org/anki/{name}"
_ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.xz", ".tar.bz2")
_TEST, _VALIDATION = 10_000, 2_000


@dataclass(frozen=True)
class Pair:
    """A source sentence and its translations, the first one first."""

    source: str
    targets: tuple[str, ...]


@dataclass(frozen=True)
class Split:
    """Source sentences in three parts that share none."""

    train: tuple[Pair, ...]
    validation: tuple[Pair, ...]
    test: tuple[Pair, ...]

    def apart(self) -> "Split":
        """Without the pairs to train on whose target, but for case and punctuation, is one of the
        other parts.

        Raises:
            DataError: no pair is left.
        """
        others = (*self.validation, *self.test)
        held = {_key(target) for sentence in others for target in sentence.targets}
        targets = (tuple(t for t in each.targets if _key(t) not in held) for each in self.train)
        pairs = zip(self.train, targets, strict=True)
        train = tuple(Pair(each.source, kept) for each, kept in pairs if kept)
        if not train:
            raise DataError("every target to train on also validates or tests: give more pairs")
        return replace(self, train=train)

    @property
    def num_pairs(self) -> int:
        """Pairs to train on."""
        return sum(len(sentence.targets) for sentence in self.train)

    @property
    def test_hash(self) -> str:
        """SHA-256 of the test sources: says which split a model was trained on."""
        text = "\n".join(sorted(pair.source for pair in self.test))
        return hashlib.sha256(text.encode()).hexdigest()


def unsaid(message: str) -> None:
    """For whom nobody listens."""


def read_pairs(
    path: Path,
    reverse: bool = False,
    say: Say = unsaid,
    target_file: Path | None = None,
    languages: tuple[str, str] = ("eng", "spa"),
) -> list[Pair]:
    """Read the pairs in `path`, cleaned, translations of one sentence together.

    Args:
        path: lines of `source<TAB>target`, a table with two named columns, a TMX file, or a
            folder, zip or tar that holds one such .txt or .tsv; names with _ or . in front are left
            aside.
        reverse: translate from the second column to the first.
        say: is told what was found and what was left out.
        target_file: has the translations of `path`, line by line.
        languages: of the two columns, by codes of three letters.

    Raises:
        DataError: nothing there, damaged, not in this format, or no pair in it.
    """
    targets: dict[str, dict[str, None]] = {}
    read: list[tuple[str, str]] = []
    half = 0
    for _, *columns in _columns(path, target_file, languages, say):
        source, target = (clean(column) for column in columns)
        if source and target:
            read.append((source, target))
        else:
            half += bool(source or target)
    if not read:
        raise DataError(f"{path} holds no sentence pair: source<TAB>target lines are expected")
    if half:
        say(f"{path.name}: {half:,} lines with one sentence alone left out")
    check_sides(read, path.name, say)
    check_languages(read, languages, path.name, say)
    for source, target in read:
        if reverse:
            source, target = target, source
        targets.setdefault(source, {})[target] = None
    return [Pair(source, tuple(known)) for source, known in targets.items()]


def _columns(path: Path, target_file: Path | None, languages: tuple[str, str], say: Say) -> Columns:
    """Line, first and second sentence of each pair."""
    if target_file is not None:
        return from_two_files(path, target_file)
    if path.suffix.lower() == ".tmx":
        return from_tmx(path, languages, say)
    tables = (ending for ending in TABLES if ending not in (".tsv", ".tab"))
    if path.name.lower().removesuffix(".gz").endswith(tuple(tables)):
        return from_table(path, languages, say)
    name, data = _find(path)
    return from_lines(lines_of(data, name), name, say)


def find_data(
    source_lang: str,
    target_lang: str,
    transferring: Callable[[str], AbstractContextManager[Progress]],
) -> Path:
    """The ManyThings archive of two languages, fetched into the cache once.

    Raises:
        UsageError: a language that is no code of three letters, or none is eng.
        DataError: the archive cannot be fetched.
    """
    languages = source_lang, target_lang
    if "eng" not in languages or not all(re.fullmatch("[a-z]{3}", code) for code in languages):
        raise UsageError(
            f"{source_lang} to {target_lang}: ManyThings has eng with another language, by codes "
            f"such as spa, fra, deu; for others give data"
        )
    name = f"{target_lang if source_lang == 'eng' else source_lang}-eng.zip"
    with transferring(f"downloading {name}") as progress:
        return fetch(RemoteFile(_URL.format(name=name)), progress, cache_dir() / name)


def split_pairs(pairs: list[Pair], seed: int) -> Split:
    """Split by source sentence: 10,000 for testing and 2,000 for validation.

    Small data give a tenth of their sentences for testing and a twentieth for validation.

    Raises:
        DataError: fewer than three sentences that differ.
    """
    groups: dict[str, list[Pair]] = {}
    for pair in pairs:
        groups.setdefault(_key(pair.source), []).append(pair)
    if len(groups) < 3:
        raise DataError(f"{len(groups)} different sentences cannot be split into three parts")
    keys = sorted(groups)
    order = torch.randperm(len(keys), generator=seeded_generator(seed)).tolist()
    sizes = [
        min(_TEST, max(1, len(pairs) // 10)),
        min(_VALIDATION, max(1, len(pairs) // 20)),
        len(pairs),
    ]
    parts: list[list[Pair]] = [[], [], []]
    for place in order:
        group = groups[keys[place]]
        part = next(n for n in range(3) if len(parts[n]) + len(group) <= sizes[n] or n == 2)
        parts[part] += group
    if not all(parts):
        raise DataError(f"{len(groups)} different sentences cannot be split into three parts")
    test, validation, train = map(tuple, parts)
    return Split(train, validation, test)


def _key(source: str) -> str:
    """What is left of a sentence without case and punctuation."""
    return " ".join(re.findall(r"\w+", source.casefold())) or source


def _find(path: Path) -> tuple[str, bytes]:
    """The name and the bytes of the one file of pairs in `path`."""
    if path.is_dir() or path.name.endswith(_ARCHIVES):
        files = list(each_file(path, _is_pairs))
        if len(files) != 1:
            names = ", ".join(name for name, _ in files[:3])
            what = f"{len(files)} files of pairs ({names})" if files else "no file of pairs"
            more = "; of two with a line a sentence name each" if len(files) == 2 else ""
            raise DataError(f"{path} holds {what}: one .txt or .tsv is expected{more}")
        name, data = files[0]
        return f"{path}/{name}", data
    return str(path), read_bytes(path)


def _is_pairs(name: str) -> bool:
    path = PurePosixPath(name)
    return path.suffix in (".txt", ".tsv") and not path.name.startswith("_")
