"""Labelled pictures: decoded once into the cache, read from there, split.

Shapes: S side of the square pictures.
"""

import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from dlcc.core.errors import DataError, UsageError, reason_of
from dlcc.core.files.download import RemoteFile, fetch
from dlcc.core.files.memory import room_in_memory
from dlcc.core.files.paths import being_read, cache_dir
from dlcc.core.files.walk import paths_in
from dlcc.core.progress import Progress
from dlcc.core.settings import PART
from dlcc.core.train.recipe import Narrator
from dlcc.core.vit.decoding import decode
from dlcc.core.vit.images import ImageData, MappedPictures
from dlcc.core.vit.pictures import reads_heif
from dlcc.core.vit.split import split
from dlcc.core.vit.store import Content, Store, UnwritableError, kept

CIFAR10 = RemoteFile(
    "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",
    "md5:c58f30108f718f92721af3b95e74349a",
)
"""Krizhevsky 2009, chapter 3."""
_MOST_CLASSES = 12  # whose counts are shown
_CACHE_VERSION = 3
_MOST_UNKEPT = 2**34  # bytes


def load_images(
    path: Path | None,
    size: int,
    validation_share: float = 0.1,
    seed: int = 0,
    progress: Progress | None = None,
    keep_copies: bool = False,
    warn: Callable[[str], None] = lambda message: None,
    classes_at: int | None = None,
) -> ImageData:
    """Read pictures, or what an earlier call cached of them, and split them.

    Without a test part, a tenth is set apart, the same whatever the seed. Of pictures with the same
    pixels in several parts, those to train on are left out, and those to validate on.

    Args:
        path: a folder or archive with CLASS/NAME.jpg or .png, also in train/ and test/ (or val/),
            or CIFAR-10's official archive; None downloads that.
        size: largest side to keep; smaller pictures stay as they are, enlarged in use.
        validation_share: share of the training part that validates, where there is none of its own.
        seed: draws the validation part.
        progress: told how many pictures are decoded.
        keep_copies: whether equal pictures in several parts stay.
        warn: told that they could not be kept for the next time.
        classes_at: which level of folders the classes are, from 1; found when None.

    Raises:
        DataError: nothing there, fewer than two classes, a class without pictures to train on, or
            an archive that is damaged or hostile.
    """
    if not 0 < validation_share < 1:
        raise UsageError(PART.says, "validation", validation_share)
    path = path or fetch(CIFAR10)
    content = _content(path, size, classes_at, progress, warn)
    return split(content, path, validation_share, seed, keep_copies)


def read_pictures(
    path: Path | None,
    size: int,
    validation_share: float,
    seed: int,
    narrator: Narrator,
    keep_copies: bool = False,
    classes_at: int | None = None,
) -> ImageData:
    """As `load_images`, which is told while it lasts, and what was read."""
    where = path
    if where is None:
        with narrator.transferring("downloading CIFAR-10") as progress:
            where = fetch(CIFAR10, progress)
    with narrator.counting("decoding pictures") as progress:
        data = load_images(
            where, size, validation_share, seed, progress, keep_copies, narrator.warn, classes_at
        )
    side = data.train.pixels.shape[-1]
    narrator.note(
        f"{path.name if path else 'CIFAR-10'}: {len(data.classes)} classes, {side} × {side} pixels,"
        f" {len(data.train):,} pictures to train on, {len(data.validation):,} to validate, "
        f"{len(data.test):,} to test"
    )
    parts = {name: getattr(data, name) for name in ("train", "validation", "test")}
    if len(data.classes) <= _MOST_CLASSES:
        for name, part in parts.items():
            counts = part.labels.bincount(minlength=len(data.classes)).tolist()
            shown = ", ".join(f"{c} {n:,}" for c, n in zip(data.classes, counts, strict=True))
            narrator.note(f"  {name}: {shown}")
    if data.passed:
        narrator.note(f"passed over: {', '.join(data.passed)}")
    if data.left_out:
        narrator.note(f"{data.left_out:,} pictures left out: copies of some to validate or test")
    if isinstance(data.train.pixels, MappedPictures):
        mapped = data.train.pixels
        narrator.note(
            f"too many for the memory: decoded, {mapped.nbytes / 1e9:.1f} GB lie in "
            f"{mapped.folder}, to be removed when they are no longer needed"
        )
    if data.skipped:
        narrator.warn(f"{len(data.skipped)} pictures were left out; the first: {data.skipped[0]}")
    return data


def _content(
    path: Path,
    size: int,
    level: int | None,
    progress: Progress | None,
    warn: Callable[[str], None],
) -> Content:
    """What the cache keeps of a source, and else its pictures, decoded into it."""
    folder, of, total = _place(path, size, level)
    most = room_in_memory()

    def decoded(folder: Path, most: int) -> Content:
        decode(Store(folder, of, size, progress), path, level, total, progress)
        content = kept(folder, of, most)
        if content is None:
            raise DataError(f"{folder} was changed while it was written: try again")
        return content

    if content := kept(folder, of, most):
        return content
    try:
        with _alone_in(folder, warn):
            return kept(folder, of, most) or decoded(folder, most)
    except UnwritableError as error:
        warn(f"{error}: these pictures are decoded anew next time")
        with TemporaryDirectory() as temporary:
            return decoded(Path(temporary), _MOST_UNKEPT)


@contextmanager
def _alone_in(folder: Path, warn: Callable[[str], None]) -> Iterator[None]:
    """Within it no other process writes there."""
    from filelock import FileLock, Timeout

    lock = FileLock(f"{folder}.lock")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire(timeout=0.1)
        except Timeout:
            warn("another process decodes these pictures: waiting for it")
            lock.acquire()
    except OSError as error:
        raise UnwritableError(f"cannot write {folder}: {reason_of(error)}") from error
    try:
        yield
    finally:
        lock.release()


def _place(path: Path, size: int, level: int | None) -> tuple[Path, str, int | None]:
    """Where pictures are kept, by where they are and how they are decoded; by what they are known
    again, the names, sizes and times of the files; and how many these are in a folder."""
    place = f"{_CACHE_VERSION} {size} {level} {reads_heif()} {path.resolve()}"
    digest, passed = hashlib.sha256(), []
    with being_read(path):
        files = paths_in(path, lambda *each: passed.append(" ".join(each))) if path.is_dir() else []
        for name, file in files or [("", str(path))] * path.exists():
            state = os.stat(file)
            digest.update(os.fsencode(f"{name} {state.st_size} {state.st_mtime_ns}\n"))
    digest.update(os.fsencode("\n".join(sorted(passed))))
    name = hashlib.sha256(os.fsencode(place)).hexdigest()[:32]
    return cache_dir() / "pictures" / name, digest.hexdigest()[:32], len(files) or None
