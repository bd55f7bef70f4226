"""What data are, before anything is learned from them: kind, parts, classes, lengths, copies."""

import hashlib
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from dlcc.core.errors import DataError, DlccError, UsageError
from dlcc.core.files import hub
from dlcc.core.files.archives import each_file, is_archive, names_in
from dlcc.core.files.folders import shortened, sort_files
from dlcc.core.files.paths import being_read
from dlcc.core.files.tables import (
    is_table,
    label_column,
    open_table,
    read_rows,
    text_column,
)
from dlcc.core.files.vectors import layout_of
from dlcc.core.sentiment.config import SplitConfig
from dlcc.core.sentiment.data import read_parts
from dlcc.core.sentiment.labels import Classes
from dlcc.core.sentiment.texts import read_texts

_EXAMPLES = 5
_SHORT = 76  # letters of an example


@dataclass
class Survey:
    """What was found."""

    kind: str
    """texts, labelled texts, pairs, word vectors or pictures."""
    count: int = 0
    parts: dict[str, dict[str, int]] = field(default_factory=dict)
    """How many of each class in each part."""
    lengths: dict[str, tuple[int, int, int]] = field(default_factory=dict)
    """Least, middle and most, by what is counted."""
    examples: list[str] = field(default_factory=list)
    duplicates: int = 0
    """How many are copies of others."""
    notes: list[str] = field(default_factory=list)
    """What was found, chosen or passed over."""
    problems: list[str] = field(default_factory=list)
    """What has to be known before anything is learned from it."""

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def survey(path: Path, config: SplitConfig | None = None) -> Survey:
    """Look at data of any kind that some command takes.

    Args:
        path: a file, folder or archive.
        config: what is known of tables and folders.

    Raises:
        DataError: it cannot be read, or is nothing that a command takes.
    """
    config = config or SplitConfig()
    if hub.is_data_set(path):
        return _pictures(path, config) if hub.holds_pictures(path) else _labelled(path, config)
    if not path.exists() and not any(part.is_file() for part in path.parents):
        raise DataError(f"no data in {path}: no such file or folder")
    if (path / "config.json").is_file() or (path / "best/config.json").is_file():
        raise UsageError(f"{path} is a model or a run, no data: see dlcc runs and dlcc models")
    if path.is_dir() or (is_archive(path) and not is_table(path, config)):
        return _folder(path, config)
    if path.suffix.lower() == ".tmx":
        return _pairs(path)
    if is_table(path, config):
        try:
            return _table(path, config)
        except DataError:
            if path.suffix.lower() in (".tsv", ".tab"):
                with suppress(DataError):
                    return _pairs(path)
            raise
    return _file(path, config)


def _folder(path: Path, config: SplitConfig) -> Survey:
    from dlcc.core.vit.cifar import is_batch
    from dlcc.core.vit.pictures import suffixes

    names = names_in(path)
    endings = suffixes()
    pictures = sum(name.lower().endswith(endings) for name in names)
    texts = sum(name.lower().endswith(".txt") for name in names)
    if pictures > texts or any(is_batch(f"{path.name}/{name}") for name in names):
        return _pictures(path, config)
    if not path.is_dir() and texts <= 2 and pictures == 0:
        return _pairs(path)
    try:
        return _labelled(path, config)
    except DlccError as error:
        if path.is_dir() and texts and not any(each.is_dir() for each in path.iterdir()):
            return _texts(read_texts(path), Survey("texts"))
        if isinstance(error, DataError) and texts <= 2:
            return _pairs(path)
        raise


def _labelled(path: Path, config: SplitConfig) -> Survey:
    found = Survey("labelled texts")
    parts, grouping = read_parts(path, config, found.notes.append)
    found.notes.append(grouping)
    seen = _Seen(found)
    for part, reviews in parts.items():
        found.parts[part] = dict(sorted(Counter(review.label for review in reviews).items()))
        for review in reviews:
            seen.add(review.text)
    seen.finish()
    _check_classes(found)
    return found


class _Seen:
    """Counts texts one after another and keeps little of each."""

    def __init__(self, found: Survey, what: str = "words") -> None:
        self.found, self.what = found, what
        self._prints: set[int] = set()
        self._words = array("I")

    def add(self, text: str, shown: str | None = None) -> None:
        found = self.found
        found.count += 1
        digest = hash(text)
        found.duplicates += digest in self._prints
        self._prints.add(digest)
        self._words.append(text.count(" ") + 1 if text.strip() else 0)
        if len(found.examples) < _EXAMPLES:
            line = " ".join((shown or text).split())
            found.examples.append(line if len(line) <= _SHORT else f"{line[: _SHORT - 1]}…")

    def finish(self) -> None:
        if self._words:
            self.found.lengths[self.what] = _spread(np.frombuffer(self._words, np.uintc))
            if empty := int((np.frombuffer(self._words, np.uintc) == 0).sum()):
                self.found.problems.append(f"{empty:,} of them are empty")


def _spread(values: np.ndarray) -> tuple[int, int, int]:
    return int(values.min()), int(np.median(values)), int(values.max())


def _check_classes(found: Survey) -> None:
    """Note classes that cannot be learned or tested."""
    train = found.parts.get("train", {})
    if len(train) < 2:
        found.problems.append(f"{len(train)} class: two are needed to train")
    for label, count in train.items():
        if count < 2:
            found.problems.append(f"the class {label} has a single example")
    for part, counts in found.parts.items():
        for label in counts.keys() - train.keys() - {"unsup"}:
            found.problems.append(f"the class {label} is in {part} alone")
    if train and max(train.values()) > 20 * min(train.values()):
        found.problems.append("the largest class is over 20 times the smallest")


def _table(path: Path, config: SplitConfig) -> Survey:
    table = open_table(path, how=config)
    found = Survey("texts")
    try:
        text = config.text_column or text_column(table)
    except DataError:
        with suppress(DataError):
            return _pairs(path)
        raise
    label = ""
    if table.columns and set(table.columns) != {text}:
        try:
            label = label_column(table, config.label_column)
            found.kind = "labelled texts"
        except DataError as error:
            found.notes.append(f"no labels: {error.why}")
    classes, counts = Classes(config.renamed), Counter[str]()
    seen = _Seen(found)
    for _, value, (*given,) in read_rows(table, text, {label: ""} if label else {}):
        seen.add(value)
        if given:
            counts[classes.of(given[0])] += 1
    columns = f"text = {text}" + (f", label = {label}" if label else "")
    found.notes.insert(0, f"{columns}; {table.form}")
    if label:
        found.parts["train"] = dict(sorted(counts.items()))
        found.notes += classes.merged()
        _check_classes(found)
    found.problems += table.left_out()
    seen.finish()
    return found


def _file(path: Path, config: SplitConfig) -> Survey:
    layout = layout_of(path)
    if layout is not None:
        return _vectors(path, *layout)
    with being_read(path), path.open("rb") as file:
        head = list(islice(file, 50))
    if sum(b"\t" in line for line in head) > len(head) / 2:
        return _pairs(path)
    return _texts(read_texts(path, how=config), Survey("texts"))


def _vectors(path: Path, width: int, words: Iterator[str]) -> Survey:
    """Of word vectors."""
    found = Survey("word vectors")
    seen: set[str] = set()
    for word in words:
        found.count += 1
        found.duplicates += word in seen
        seen.add(word)
        if len(found.examples) < _EXAMPLES:
            found.examples.append(word)
    found.notes.append(f"{width} numbers a word")
    return found


def _texts(texts: Iterable[str], found: Survey) -> Survey:
    seen = _Seen(found)
    for text in texts:
        seen.add(text)
    seen.finish()
    return found


def _pairs(path: Path) -> Survey:
    from dlcc.core.translate.data import read_pairs  # brings torch

    found = Survey("pairs")
    pairs = read_pairs(path, say=found.notes.append)
    source, target = _Seen(found, "words of the source"), _Seen(Survey(""), "words of the target")
    for pair in pairs:
        for one in pair.targets:
            source.add(pair.source, f"{pair.source} → {one}")
            target.add(one)
    source.finish()
    target.finish()
    found.lengths |= target.found.lengths
    found.duplicates = 0
    found.notes.append(
        f"{len(pairs):,} different source sentences, "
        f"{target.found.count - target.found.duplicates:,} different targets"
    )
    return found


def _pictures(path: Path, config: SplitConfig) -> Survey:
    from PIL import Image

    from dlcc.core.vit.cifar import is_batch
    from dlcc.core.vit.pictures import suffixes

    found = Survey("pictures")
    batches: dict[str, bytes] = {}
    endings = suffixes()
    names: list[str] = []
    others: list[str] = []
    passed: Counter[str] = Counter()
    prints: set[bytes] = set()
    sides = array("I")

    def note(name: str, why: str) -> None:
        passed[why] += 1
        others.append(name)

    def is_wanted(name: str) -> bool:
        return name.lower().endswith(endings) or is_batch(f"{path.name}/{name}")

    saved = hub.is_data_set(path)
    for name, data in hub.each_picture(path) if saved else each_file(path, is_wanted, note):
        if is_batch(f"{path.name}/{name}"):
            batches[name] = data
            continue
        try:
            with Image.open(BytesIO(data)) as image:
                sides.append(min(image.size))
                size = f"{image.width} × {image.height}"
        except Exception:  # whatever Pillow's plugins raise of damage
            passed["damaged"] += 1
            others.append(name)
            continue
        names.append(name)
        digest = hashlib.sha256(data).digest()
        found.duplicates += digest in prints
        prints.add(digest)
        if len(found.examples) < _EXAMPLES:
            found.examples.append(f"{name}, {size}")
    found.count = len(names)
    if batches:
        return _cifar(batches, path)
    if names:
        placed = sort_files(names, str(path), config.classes_at, others)
        passed += placed.passed
        for part, label in placed.places.values():
            counts = found.parts.setdefault(part or "train", {})
            counts[label] = counts.get(label, 0) + 1
        found.lengths["pixels of the shorter side"] = _spread(np.frombuffer(sides, np.uintc))
        _check_classes(found)
    found.notes += [f"passed over: {n:,} {why}" for why, n in sorted(passed.items())]
    return found


def _cifar(batches: dict[str, bytes], path: Path) -> Survey:
    from dlcc.core.vit.cifar import read_parts

    found, prints = Survey("pictures"), set()
    parts, classes = read_parts(batches, path)
    for part, (pixels, labels, names) in parts.items():
        counts = np.bincount(labels, minlength=len(classes)).tolist()
        found.parts[part] = {label: n for label, n in zip(classes, counts, strict=False) if n}
        found.count += len(labels)
        prints |= {hash(picture.tobytes()) for picture in pixels}
        found.examples += [
            f"{name}, {classes[label]}, 32 × 32"
            for name, label in zip(names[: _EXAMPLES - len(found.examples)], labels, strict=False)
        ]
    found.duplicates = found.count - len(prints)
    found.notes.append(f"CIFAR-{len(classes)}, in its own archive")
    return found


def lines_of_survey(found: Survey) -> Iterator[str]:
    """What a survey says, a line at a time."""
    yield f"{found.kind}: {found.count:,}"
    for part, counts in found.parts.items():
        shown = ", ".join(f"{label} {n:,}" for label, n in shortened(counts).items())
        yield f"  {part}: {sum(counts.values()):,} ({shown})"
    for what, (least, middle, most) in found.lengths.items():
        yield f"  {what}: {least:,} to {most:,}, half of them up to {middle:,}"
    if found.duplicates:
        yield f"  {found.duplicates:,} are copies of others"
    yield from (f"  {note}" for note in found.notes)
    yield from (f"  problem: {problem}" for problem in found.problems)
    if found.examples:
        yield "  such as:"
        yield from (f"    {example}" for example in found.examples)
