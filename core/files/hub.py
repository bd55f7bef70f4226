"""Data sets of Hugging Face's `datasets`: by name, or in a folder that it saved; memory-mapped."""

import json
import logging
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dlcc.core.errors import DataError
from dlcc.core.files.folders import part_of
from dlcc.core.files.paths import being_read
from dlcc.core.files.tables import Table

PREFIX = "hf:"
_SAVED = ("dataset_dict.json", "state.json")


def is_data_set(path: Path) -> bool:
    """Whether a path is hf:NAME, or a folder that `save_to_disk` wrote."""
    return str(path).startswith(PREFIX) or any((path / name).is_file() for name in _SAVED)


def tables(path: Path) -> dict[str, Table]:
    """The parts as tables, classes by their names: train, validation, test, and by their own names
    those that are called otherwise.

    Raises:
        DataError: the library or the data set is not there, or damaged.
    """
    return {
        part: Table(
            f"{path}, {part}",
            tuple(split.column_names),
            "a data set of Hugging Face",
            _rows(split),
        )
        for part, split in _splits(path).items()
    }


def holds_pictures(path: Path) -> bool:
    """Whether a part has a column of pictures."""
    splits = _splits(path).values()
    return any(type(kind).__name__ == "Image" for each in splits for kind in each.features.values())


def each_picture(path: Path) -> Iterator[tuple[str, bytes]]:
    """PART/CLASS/NUMBER and the bytes of each picture.

    Raises:
        DataError: as of `tables`, and no column of pictures or of classes.
    """
    from datasets import Image

    for part, split in _splits(path).items():
        kinds = {name: type(feature).__name__ for name, feature in split.features.items()}
        image = _only(path, kinds, "Image", "pictures")
        label = _only(path, kinds, "ClassLabel", "classes")
        named = split.features[label].names
        rows = split.select_columns([image, label]).cast_column(image, Image(decode=False))
        with being_read(path):
            for number, row in enumerate(rows):
                if row[label] is None or row[label] < 0:
                    continue  # as the test parts of contests have it
                name = named[row[label]].replace("/", "_")
                data = row[image]["bytes"] or Path(row[image]["path"]).read_bytes()
                yield f"{part}/{name}/{number:07}.png", data


def _only(path: Path, kinds: dict[str, str], kind: str, what: str) -> str:
    found = [name for name, each in kinds.items() if each == kind]
    if len(found) != 1:
        shown = ", ".join(f"{name} ({each})" for name, each in kinds.items())
        raise DataError(f"{path} has {len(found)} columns of {what}, one is needed: {shown}")
    return found[0]


def _splits(path: Path) -> dict[str, Any]:
    """By part. Of several splits that are one part, such as of two configurations, none is taken
    for another."""
    loaded = _loaded(path)
    splits = loaded if hasattr(loaded, "items") else {"train": loaded}
    found: dict[str, Any] = {}
    for name, split in splits.items():
        part = part_of(str(name)) or str(name)
        if part in found:
            raise DataError(f"{path} has several parts to {part}: save the one that is meant")
        found[part] = split
    return found


def _loaded(path: Path) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import datasets
    except ImportError as error:
        raise DataError(
            f"{path} needs the datasets library: pip install 'dlcc[datasets]'"
        ) from error
    datasets.disable_progress_bars()
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)  # each of its retries is a line
    with being_read(path, "cannot be loaded ({})"):
        if not str(path).startswith(PREFIX):
            _check_state(path)
            return datasets.load_from_disk(str(path))
        name, _, config = str(path).removeprefix(PREFIX).partition(":")
        return datasets.load_dataset(name, config or None)


def _check_state(path: Path) -> None:
    """Hugging Face's models have a state.json too, now and then."""
    state = path / "state.json"
    if state.is_file() and "_data_files" not in json.loads(state.read_text("utf-8")):
        raise DataError(f"{path} is no data set that datasets saved: its state.json is another's")


def _rows(split: Any) -> Iterator[tuple[int, dict[str, Any]]]:
    """Rows by number, with the names of classes; without what would have to be decoded."""
    kinds = {name: type(feature).__name__ for name, feature in split.features.items()}
    plain = [name for name, kind in kinds.items() if kind not in ("Image", "Audio", "Video")]
    named = {n: split.features[n].names for n, kind in kinds.items() if kind == "ClassLabel"}
    for number, row in enumerate(split.select_columns(plain), 1):
        for column, names in named.items():
            value = row[column]
            row[column] = "" if value is None or value < 0 else names[value]
        yield number, row
