"""Labelled texts: the official movie reviews, class folders, CSV and JSONL; and how they are split.

Nothing is unpacked to disk: an archive is read in one pass.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from dlcc.core.errors import DataError
from dlcc.core.files import hub
from dlcc.core.files.archives import each_file
from dlcc.core.files.download import RemoteFile, fetch
from dlcc.core.files.encodings import decode
from dlcc.core.files.folders import part_of, sort_files
from dlcc.core.files.tables import (
    Table,
    is_table,
    label_column,
    open_table,
    read_rows,
    text_column,
)
from dlcc.core.progress import Progress
from dlcc.core.sentiment.config import ColumnConfig, SplitConfig
from dlcc.core.sentiment.labels import Classes
from dlcc.core.sentiment.texts import Say, is_text, read_texts, table_texts, tell, unsaid

OFFICIAL = RemoteFile(
    "https://ai.stanford.edu/~amaas/data/sentiment/aclImdb_v1.tar.gz",
    "md5:7c2ac02c03563afcf9b574c7e56c153a",
)
"""The Large Movie Review Dataset (Maas et al. 2011)."""

UNLABELLED = "unsup"  # the official archive's folder of reviews without a label
_OFFICIAL_NAME = re.compile(r"(\d+)_\d+")
_BLOCK = 100  # neighbouring numbers of the official files that stay together
_BY_FILM = "reviews of one film stay on one side of the validation split"
_BY_NUMBER = (
    "the data names no films (train/urls_pos.txt is absent): the validation split keeps blocks of "
    f"{_BLOCK} neighbouring numbers together, since reviews of one film are neighbours"
)
_BY_TEXT = "equal texts stay on one side of the validation split"
_GIVEN = "the data names the texts that validate"


@dataclass(frozen=True)
class Review:
    """One text."""

    text: str
    label: str
    """Its class."""
    name: str
    """The file, or the table and its line."""
    group: str
    """Texts of one group, such as one film, stay on one side of a split."""
    probability: float = 1.0
    """Of the class; the rest is spread over all others."""


@dataclass(frozen=True)
class Source:
    """Where a stretch of a corpus is from."""

    name: str
    """Of the file or folder, without what follows its first dot."""
    share: float
    """How often an epoch has a text of it, in the mean."""
    train: int
    """How many training texts it gives; sources follow one another in their order."""
    validation: int
    """How many validation texts it gives, likewise."""
    split_hash: str
    """Of the names and labels of these."""


@dataclass(frozen=True)
class Corpus:
    """Texts to learn from and to test on."""

    labels: tuple[str, ...]
    """The classes, in alphabetical order."""
    train: tuple[Review, ...]
    validation: tuple[Review, ...]
    """Taken from the training part."""
    test: tuple[Review, ...]
    """Empty where the data names no test part."""
    unlabelled: tuple[Review, ...]
    grouping: str
    """In words: what was kept on one side of the split."""
    split_hash: str
    """Of the names and labels in the validation part."""
    sources: tuple[Source, ...] = ()
    """Where its texts are from; of a training text beyond them, an epoch has it once."""
    left_out: int = 0
    """Training texts that are no longer there, since they also validate or test."""


def find_data(transferring: Callable[[str], AbstractContextManager[Progress]]) -> Path:
    """The official archive, fetched into the cache once.

    Args:
        transferring: shows how far a download has come.

    Raises:
        DataError: it cannot be fetched.
    """
    with transferring(f"downloading {OFFICIAL.url.rpartition('/')[2]}") as progress:
        return fetch(OFFICIAL, progress)


def load_corpus(path: Path, config: SplitConfig, say: Say = unsaid) -> Corpus:
    """Read and split labelled texts.

    Args:
        path: the official archive or folder, class folders of .txt files (also in train/,
            val/ and test/, also as .tar.gz or .zip), a table, or a folder with tables named
            train, val and test.
        config: columns and split; the split is not needed where there is a validation part.
        say: is told what was found and what was left out.

    Raises:
        DataError: nothing there, fewer than two classes, a class without examples, a text that is
            not UTF-8, or a damaged file; the message names it.
    """
    return corpus_of(*read_parts(path, config, say), path, config)


def corpus_of(
    parts: Mapping[str, list[Review]], grouping: str, path: Path, config: SplitConfig
) -> Corpus:
    """What `read_parts` found in `path`, split to be learned from.

    Raises:
        DataError: as of `load_corpus`, for what concerns the classes.
    """
    counts = Counter(review.label for review in parts["train"])
    labels = tuple(sorted(counts))
    if len(labels) < 2:
        raise DataError(f"{path} has the classes {list(labels)}: at least two are needed to train")
    for part in ("validation", "test"):
        for label in sorted({review.label for review in parts.get(part, ())} - set(labels)):
            raise DataError(f"{path}: the class {label} has {part} examples but none to train on")
    if parts.get("validation"):
        train, validation, grouping = parts["train"], parts["validation"], _GIVEN
    else:
        for label in labels:
            if counts[label] < 2:
                raise DataError(f"{path}: the class {label} has a single example; give two or more")
        train, validation = _split(parts["train"], config)
    return Corpus(
        labels,
        tuple(train),
        tuple(validation),
        tuple(parts.get("test", ())),
        tuple(parts.get(UNLABELLED, ())),
        grouping,
        split_hash(validation),
    )


def split_hash(validation: Sequence[Review]) -> str:
    """By which a split is known again: of the names and labels in its validation part."""
    names = "\n".join(sorted(f"{review.name}\t{review.label}" for review in validation))
    return hashlib.sha256(names.encode()).hexdigest()[:16]


def read_parts(
    path: Path, config: SplitConfig, say: Say = unsaid
) -> tuple[dict[str, list[Review]], str]:
    """Labelled texts as they stand: the parts `train`, `validation`, `test` and `unsup`, as far as
    there are any, and in words what a split keeps together.

    Raises:
        DataError: as of `load_corpus`, but for what concerns the classes.
    """
    if hub.is_data_set(path):
        return _from_data_set(path, config, say), _BY_TEXT
    if path.is_file() and is_table(path, config):
        return {"train": _from_table(path, config, say)}, _BY_TEXT
    tables = _tables_by_part(path)
    if "train" in tables:
        return {name: _from_table(table, config, say) for name, table in tables.items()}, _BY_TEXT
    return _from_files(path, config.classes_at, say)


def _from_data_set(path: Path, config: SplitConfig, say: Say) -> dict[str, list[Review]]:
    parts: dict[str, list[Review]] = {"train": []}
    for part, table in hub.tables(path).items():
        if part in ("train", "validation", "test"):
            parts[part] = _reviews_of(table, f"{path.name}/{part}", config, say)
        elif part == UNLABELLED + "ervised":
            text = config.text_column or text_column(table)
            rows = read_rows(table, text)
            parts[UNLABELLED] = [Review(t, UNLABELLED, f"{part}:{n}", t) for n, t, _ in rows]
        else:
            say(f"{path.name}: the part {part} is neither train, validation nor test: passed over")
    return parts


def _tables_by_part(folder: Path) -> dict[str, Path]:
    """The tables of a folder that are called train, test or validation."""
    if not folder.is_dir():
        return {}
    tables = [file for file in sorted(folder.iterdir()) if file.is_file() and is_table(file)]
    found: dict[str, Path] = {}
    for table in tables:
        if part := part_of(table.name.partition(".")[0]):
            if part in found:
                both = f"{found[part].name} and {table.name}"
                raise DataError(f"{folder} has two tables of one part, {both}: leave one")
            found[part] = table
    return found


def untested_texts(path: Path, config: ColumnConfig | None = None, say: Say = unsaid) -> list[str]:
    """All texts outside the test part, labelled or not: what masked words are learned from.

    Raises:
        DataError: as of `load_corpus` and `read_texts`.
    """
    if path.is_file() and (is_table(path, config) or path.suffix.lower() == ".txt"):
        return [*read_texts(path, config.text_column if config else None, config, say)]
    if hub.is_data_set(path):
        return [
            text
            for part, table in hub.tables(path).items()
            if part != "test"
            for text in table_texts(table, config.text_column if config else None, say)
        ]
    parts, _ = _from_files(path, config.classes_at if config else None, say)
    return [review.text for name in ("train", UNLABELLED) for review in parts.get(name, ())]


def _from_table(path: Path, config: SplitConfig, say: Say) -> list[Review]:
    table = open_table(path, how=config)
    if not table.columns:
        next(table.rows(), None)  # none, or the first says why it does not fit
        return []
    return _reviews_of(table, path.name, config, say)


def _reviews_of(table: Table, called: str, config: SplitConfig, say: Say) -> list[Review]:
    text = config.text_column or text_column(table)
    label = label_column(table, config.label_column)
    classes, reviews = Classes(config.renamed), []
    for line, value, (given,) in read_rows(table, text, {label: "label_column"}):
        name = classes.of(given)
        if not name:
            where = f"{table.name}, line {line}"
            table.leave_out(DataError(f"{where}: no label in the column {label}"))
            continue
        reviews.append(Review(value, name, f"{called}:{line}", value))
    tell(say, table, len(reviews), text, label)
    for message in classes.merged():
        say(f"{called}: {message}")
    return reviews


def _from_files(
    path: Path, level: int | None = None, say: Say = unsaid
) -> tuple[dict[str, list[Review]], str]:
    passed: Counter[str] = Counter()
    others: list[str] = []

    def note(name: str, why: str) -> None:
        passed[why] += 1
        if why.startswith(("with", "empty", "link")):
            others.append(name)

    files = {
        PurePosixPath(name): decode(data, f"{path}: {name}")
        for name, data in each_file(path, is_text, note)
    }
    listed = [name for name in files if name.name.startswith("urls_") and part_of(name.parent.name)]
    films = {n.parent / n.stem.removeprefix("urls_"): files.pop(n).split() for n in listed}
    names = {str(name): name for name in sorted(files)}
    found = sort_files(list(names), str(path), level, others)
    if counts := passed + found.passed:
        say(f"{path.name}: passed over: {', '.join(f'{n:,} {why}' for why, n in counts.items())}")
    parts: dict[str, list[Review]] = {"train": []}
    official = False
    for written, (part, label) in found.places.items():
        name = names[written]
        number = _OFFICIAL_NAME.fullmatch(name.stem)
        official = official or number is not None
        group = _group(files[name], name, number, films.get(name.parent, []))
        review = Review(files[name], label, written, group)
        unlabelled = part in ("", "train") and label == UNLABELLED
        parts.setdefault(UNLABELLED if unlabelled else part or "train", []).append(review)
    if not parts["train"]:
        raise DataError(f"{path} holds no training texts: put them in CLASS/NAME.txt")
    return parts, _BY_FILM if films else _BY_NUMBER if official else _BY_TEXT


def _group(
    text: str, name: PurePosixPath, number: re.Match[str] | None, films: Sequence[str]
) -> str:
    if number is None:
        return text
    line = int(number[1])
    return films[line] if line < len(films) else f"{name.parent}/{line // _BLOCK}"


def _split(reviews: list[Review], config: SplitConfig) -> tuple[list[Review], list[Review]]:
    """Training and validation part. A group's hash decides, so a group is never on both sides,
    whatever else is in the data; a class left without an example on one side gets one moved."""
    train: list[Review] = []
    validation: list[Review] = []
    for review in reviews:
        digest = hashlib.sha256(f"{config.seed}:{review.group}".encode()).digest()
        drawn = int.from_bytes(digest[:8], "big") / 2**64
        (validation if drawn < config.validation_share else train).append(review)
    for full, empty in ((train, validation), (validation, train)):
        present = {review.label for review in empty}
        for label in sorted({review.label for review in full} - present):
            moved = next(review for review in full if review.label == label)
            together = [review for review in full if review.group == moved.group]
            if any(r.label == label and r.group != moved.group for r in full):
                empty += together
                full[:] = [review for review in full if review.group != moved.group]
            else:
                raise DataError(
                    f"the class {label} has too few different examples to validate on: give more"
                )
    return train, validation
