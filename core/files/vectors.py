"""Word vectors: the bundled GloVe subset, or any GloVe or word2vec text file.

Only the words that are asked for are kept, so a file of several GB needs little memory.
"""

import gzip
import io
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import IO

import numpy as np

from dlcc.core.errors import DataError, DlccError, UsageError
from dlcc.core.files.paths import asset
from dlcc.core.files.tensors import load_tensors
from dlcc.core.progress import Progress

BUNDLED = "glove-6b-50d.safetensors"
_LINES_A_REPORT = 5000
_MAX_LINE = 2**20  # bytes of a word and its numbers
_MAX_WIDTH = 2**16  # numbers of a word


@dataclass(frozen=True)
class WordVectors:
    """One vector for each token that was asked for."""

    vectors: np.ndarray
    """[N, D] float32; zeros for a token without a vector."""
    missing: tuple[str, ...]
    """The tokens without a vector, each once, in the order of their first use."""
    source: str
    """The file's name."""


def look_up(
    tokens: list[str], path: Path | None = None, progress: Progress | None = None
) -> WordVectors:
    """Vectors of `tokens` the book's way: as written, else in lower case, else zeros.

    Args:
        tokens: N of them.
        path: a GloVe or word2vec text file, plain, .gz or .zip; also the way to a file inside a
            .zip, such as glove.6B.zip/glove.6B.300d.txt. None: the bundled GloVe 6B 50d subset.
        progress: told how far reading `path` has come.

    Raises:
        DataError: no such file, or a damaged line, which is named by its number.
        UsageError: a .zip that holds several files of vectors.
    """
    wanted = {form for token in tokens for form in (token, token.lower())}
    found, width = _bundled(wanted) if path is None else _read_text(path, tokens, wanted, progress)
    vectors = np.zeros((len(tokens), width), np.float32)
    missing: dict[str, None] = {}
    for row, token in enumerate(tokens):
        vector = found.get(token, found.get(token.lower()))
        if vector is None:
            missing[token] = None
        else:
            vectors[row] = vector
    return WordVectors(vectors, tuple(missing), BUNDLED if path is None else path.name)


def _bundled(wanted: set[str]) -> tuple[dict[str, np.ndarray], int]:
    arrays, _ = load_tensors(asset(BUNDLED))
    words, vectors = arrays["words"].tobytes(), arrays["vectors"]  # a line feed on both sides
    found = {}
    for word in wanted:
        place = words.find(b"\n" + word.encode(errors="replace") + b"\n")
        if place >= 0 and word:
            found[word] = vectors[words.count(b"\n", 0, place)]
    return found, vectors.shape[1]


def _read_text(
    path: Path, tokens: list[str], wanted: set[str], progress: Progress | None
) -> tuple[dict[str, np.ndarray], int]:
    forms = {form.encode(errors="replace"): form for form in wanted}
    exact = len(set(tokens))  # when all are found as written, the rest need not be read
    found: dict[str, np.ndarray] = {}
    number, width = 0, 0
    try:
        with _open(path) as (file, report):
            lines = _lines(file, path)
            first = next(lines, b"")
            separator, width, promised = _layout(path, first)
            number = 1 if promised is not None else 0
            for line in lines if promised is not None else chain([first], lines):
                number += 1
                if number % _LINES_A_REPORT == 0 and progress is not None:
                    progress(*report())
                line = line.rstrip()
                count = line.count(separator)
                if count != width:
                    _check_count(path, number, line.split(separator), width, line)
                    continue  # a word with blanks in it, as a few GloVe files have
                word = line[: line.index(separator)]
                if word in forms and forms[word] not in found:
                    found[forms[word]] = _numbers(path, number, line, separator)
                    if len(found) >= exact and all(token in found for token in tokens):
                        return found, width
    except FileNotFoundError as error:
        raise DataError("there is no such file", "embeddings", path) from error
    except IsADirectoryError as error:
        raise DataError("a folder; name a file in it", "embeddings", path) from error
    except DlccError:
        raise
    except Exception as error:  # whatever gzip and zipfile raise of damage
        raise DataError(f"cannot read {path} after line {number}: {error}") from error
    if promised is not None and number - 1 < promised:
        raise DataError(
            f"{path} ends after line {number}, its first line promises {promised} words: "
            "download it again"
        )
    return found, width


def _layout(path: Path, first: bytes) -> tuple[bytes, int, int | None]:
    """Separator, numbers a line, and the number of words where a word2vec header tells it."""
    separator = b"\t" if b"\t" in first else b" "
    parts = first.split()
    if len(parts) == 2 and parts[0].isdigit() and parts[1].isdigit():
        if not max(map(len, parts)) < 10 or not 0 < int(parts[1]) <= _MAX_WIDTH:
            raise _damaged(path, 1, "a word2vec header that no file has", first)
        return separator, int(parts[1]), int(parts[0])
    if len(parts) < 3:
        raise _damaged(path, 1, "neither a word with its numbers nor a word2vec header", first)
    _numbers(path, 1, separator.join(parts), separator)
    return separator, len(parts) - 1, None


def _numbers(path: Path, number: int, line: bytes, separator: bytes) -> np.ndarray:
    try:
        with np.errstate(over="ignore"):  # found below
            vector = np.array([float(part) for part in line.split(separator)[1:]], np.float32)
    except ValueError as error:
        raise _damaged(path, number, str(error)[:60], line) from error
    if not np.all(np.isfinite(vector)):
        raise _damaged(path, number, "NaN or infinity", line)
    return vector


def _check_count(path: Path, number: int, parts: list[bytes], width: int, line: bytes) -> None:
    if len(parts) <= width:
        raise _damaged(path, number, f"fewer than {width} numbers", line)
    try:
        float(parts[1])
    except ValueError:
        return
    raise _damaged(path, number, f"more than {width} numbers", line)


def _damaged(path: Path, number: int, what: str, line: bytes) -> DataError:
    start = line[:40].decode(errors="replace").strip()
    return DataError(
        f"{path}, line {number}: {what}, at {start!r}; this reads GloVe and word2vec text files "
        "(a word and its numbers a line), not binary ones"
    )


def _lines(file: IO[bytes], path: Path) -> Iterator[bytes]:
    """The lines, none longer than a vector's: a packed file may hold one of many gigabytes."""
    number = 0
    while line := file.readline(_MAX_LINE + 1):
        number += 1
        if len(line) > _MAX_LINE:
            raise _damaged(path, number, f"more than {_MAX_LINE >> 20} MiB", line)
        yield line


@contextmanager
def _open(path: Path) -> Iterator[tuple[IO[bytes], Callable[[], tuple[int, int]]]]:
    """The lines of a plain, .gz or .zip file, and a function that says how far they are read."""
    archive = next((p for p in (path, *path.parents) if p.suffix == ".zip" and p.is_file()), None)
    if archive is not None:
        with zipfile.ZipFile(archive) as packed:
            member = packed.getinfo(_member(packed, path, archive))
            with packed.open(member) as file, io.BufferedReader(file) as lines:  # type: ignore[type-var]
                yield lines, lambda: (file.tell(), member.file_size)
        return
    size = path.stat().st_size
    with path.open("rb") as raw:
        if path.suffix == ".gz":
            with gzip.GzipFile(fileobj=raw) as unpacked:
                yield unpacked, lambda: (raw.tell(), size)  # type: ignore[misc]
        else:
            yield raw, lambda: (raw.tell(), size)


def _member(packed: zipfile.ZipFile, path: Path, archive: Path) -> str:
    names = [item.filename for item in packed.infolist() if not item.is_dir()]
    if path != archive:
        name = path.relative_to(archive).as_posix()
        if name not in names:
            raise DataError(f"{archive} holds no {name}; it holds {', '.join(names)}")
        return name
    if len(names) != 1:
        raise UsageError(
            f"it holds {len(names)} files; name one, such as {path}/{(names or ['FILE'])[0]}",
            "embeddings",
            path,
        )
    return names[0]
