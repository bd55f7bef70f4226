"""The pictures of a source, decoded into a `Store` in as many processes as there are cores."""

import os
import shutil
import signal
import threading
from collections import Counter, deque
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from itertools import chain, islice
from multiprocessing import connection, get_context, parent_process
from pathlib import Path
from typing import NamedTuple

import numpy as np

from dlcc.core.errors import DataError
from dlcc.core.files import hub
from dlcc.core.files.archives import Read, Wanted, each_unread
from dlcc.core.files.folders import Sorted, sort_files
from dlcc.core.files.paths import being_read
from dlcc.core.files.walk import Passed
from dlcc.core.progress import Progress
from dlcc.core.vit import cifar
from dlcc.core.vit.pictures import decode_picture, square, suffixes
from dlcc.core.vit.store import Store, digest_of

_LOT = 64  # pictures that are decoded and written at a time
_ALONE = 1024  # pictures before it is worth while to start processes

Unread = tuple[str, Read]


class Lot(NamedTuple):
    """Some pictures, decoded."""

    names: list[str]
    pictures: list[np.ndarray]
    """[3, s, s] uint8, s at most the side that was asked for."""
    digests: bytes
    damaged: dict[str, str]
    """Messages, by the names of files that cannot be decoded."""


def decode(
    store: Store, path: Path, level: int | None, total: int | None, progress: Progress | None
) -> None:
    """Decode the pictures of a source that are not in `store` yet, and finish it.

    Args:
        store: where they go, at the largest side that it takes.
        path: a folder, an archive or a data set, as of `load_images`.
        level: which level of folders the classes are, from 1; found when None.
        total: how many files there are, where that is known.
        progress: told how many are decoded.

    Raises:
        DataError: no pictures, a damaged archive, a class without a picture that can be read.
        UnwritableError: as of `Store`.
    """
    batches: dict[str, bytes] = {}
    others: list[str] = []
    passed: Counter[str] = Counter()
    endings = suffixes()

    def note(name: str, why: str) -> None:
        passed[why] += 1
        if why.startswith(("with", "empty", "link")):
            others.append(name)

    def is_batch(name: str) -> bool:
        return cifar.is_batch(f"{path.name}/{name}")

    def is_wanted(name: str) -> bool:
        return name.lower().endswith(endings) or is_batch(name)

    def pictures() -> Iterator[Unread]:
        for name, read in _unread(path, is_wanted, note):
            if is_batch(name):
                with being_read(path):
                    batches[name] = read()
            else:
                yield name, read

    for number, lot in enumerate(_decoded(islice(pictures(), store.taken, None), store.size)):
        store.add(*lot)
        if not number:
            _check_room(store, total or 0)
        if progress:
            progress(store.taken, total)
    if batches:
        _add_cifar(store, batches, path)
        return
    names, damaged = store.names, store.damaged
    found = sort_files(names, str(path), level, [*others, *damaged]) if names else Sorted({})
    if not found.places:
        reason = f"; {next(iter(damaged.values()))}" if damaged else ""
        raise DataError(f"{path} holds no pictures in class folders: CLASS/NAME.jpg{reason}")
    # an archive's own order may be any
    rows = sorted((n for n in range(len(names)) if names[n] in found.places), key=names.__getitem__)
    where = [found.places[names[n]] for n in rows]
    values = {
        "names": [names[n] for n in rows],
        "classes": [label for _, label in where],
        "parts": [part for part, _ in where],
        "skipped": [*damaged.values()],
        "passed": [f"{n:,} {why}" for why, n in sorted((passed + found.passed).items())],
    }
    store.finish(rows, values)


def _check_room(store: Store, total: int) -> None:
    """Raise DataError where the disk has no room for as many files as there are."""
    takes = (total - store.taken) * 3 * store.side**2
    free = shutil.disk_usage(store.folder).free
    if takes > free:
        raise DataError(
            f"{total:,} pictures so large take {takes / 1e9:,.1f} GB more, {free / 1e9:,.1f} GB "
            f"are free in {store.folder}: choose a smaller one, or another disk by DLCC_HOME",
            "size",
            store.size,
        )


def _unread(path: Path, is_wanted: Wanted, note: Passed) -> Iterator[Unread]:
    if hub.is_data_set(path):
        return ((name, partial(bytes, data)) for name, data in hub.each_picture(path))
    return each_unread(path, is_wanted, note)


def _add_cifar(store: Store, batches: dict[str, bytes], path: Path) -> None:
    """The pictures of CIFAR's own archive; others beside them do not count."""
    found, classes = cifar.read_parts(batches, path)
    first = len(store.names)
    for pixels, _, names in found.values():
        store.add(names, [*pixels], b"".join(map(digest_of, pixels)), {})
    parts = [(part, label) for part in found for label in found[part][1].tolist()]
    values = {
        "names": store.names[first:],
        "classes": [classes[label] for _, label in parts],
        "parts": [part for part, _ in parts],
        "skipped": [],
        "passed": [],
    }
    store.finish(range(first, len(store.names)), values)


def _decoded(pictures: Iterator[Unread], size: int) -> Iterator[Lot]:
    """Pictures in their order, some at a time; where they are many, side by side."""
    lots = iter(lambda: list(islice(pictures, _LOT)), [])
    for lot in islice(lots, _ALONE // _LOT):
        yield decode_lot(lot, size)
    if not (lot := next(lots, [])):
        return
    count = _cores()
    waiting: deque[Future[Lot]] = deque()
    try:
        with ProcessPoolExecutor(count, get_context("spawn"), _end_with_parent) as pool:
            for each in chain([lot], lots):
                waiting.append(pool.submit(decode_lot, each, size))
                if len(waiting) > 2 * count:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
    except BrokenProcessPool as error:
        raise DataError(
            "a process that decodes pictures was ended, perhaps for want of memory: start again, "
            "what is decoded stays"
        ) from error


def decode_lot(lot: list[Unread], size: int) -> Lot:
    """Decode pictures: their middle, at most `size` wide.

    Args:
        lot: names, and what reads each.
        size: the side of a square.
    """
    decoded = Lot([], [], b"", {})
    for name, read in lot:
        try:
            with being_read(name):
                image = decode_picture(read(), name, at_least=size)
        except DataError as error:
            decoded.damaged[name] = str(error)
            continue
        decoded.names.append(name)
        decoded.pictures.append(square(image, min(size, *image.size)))
    return decoded._replace(digests=b"".join(map(digest_of, decoded.pictures)))


def _cores() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # no Linux
        return os.cpu_count() or 1


def _end_with_parent() -> None:
    """Leave a Ctrl-C to the parent, and end when it was killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = parent_process()

    def wait() -> None:
        if parent:
            connection.wait([parent.sentinel])
            os._exit(1)

    threading.Thread(target=wait, daemon=True).start()
