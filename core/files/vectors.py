"""Word vectors: the bundled GloVe subset, or a file as GloVe, word2vec, fastText or numpy write it.

Only the words that are asked for are kept, so a file of several GB needs little memory.
"""

import codecs
import gzip
import io
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO

import numpy as np

from dlcc.core.errors import DataError, DlccError, UsageError
from dlcc.core.files.matrices import MATRICES, read_matrix
from dlcc.core.files.paths import asset
from dlcc.core.files.tensors import load_tensors
from dlcc.core.progress import Progress

BUNDLED = "glove-6b-50d.safetensors"
_LINES_A_REPORT = 5000
_HEAD = 2**16  # bytes by which a layout is found
_SAMPLE = 50  # lines, likewise
_LEAST = 3  # numbers a word, where a file is not said to be one of vectors
_FASTTEXT = (793712314).to_bytes(4, "little")
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
        path: a word and its numbers a line, or word2vec's binary format, plain, gzipped or zipped;
            a table as .npy or .safetensors with its words beside it; also the way to a file inside
            a zip, such as glove.6B.zip/glove.6B.300d.txt. None: the bundled GloVe 6B 50d subset.
        progress: told how far reading `path` has come.

    Raises:
        DataError: no such file, or a damaged line, which is named by its number.
        UsageError: a .zip that holds several files of vectors.
    """
    wanted = {form for token in tokens for form in (token, token.lower())}
    found, width = _bundled(wanted) if path is None else _read(path, tokens, wanted, progress)
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


def _read(
    path: Path, tokens: list[str], wanted: set[str], progress: Progress | None
) -> tuple[dict[str, np.ndarray], int]:
    """The vectors of the wanted words, as far as they are in a file, and their width."""
    forms = {form.encode(errors="replace"): form for form in wanted}
    exact = len(set(tokens))  # when all are found as written, the rest need not be read
    found: dict[str, np.ndarray] = {}
    if path.suffix.lower() in MATRICES and path.is_file():
        words, matrix = read_matrix(path)
        places = {word: place for place, word in reversed(list(enumerate(words)))}
        known = {form: matrix[places[form]] for form in wanted if form in places}
        return {form: np.asarray(row, np.float32) for form, row in known.items()}, matrix.shape[1]
    number = 0
    try:
        with _open(path) as (file, report):
            head = file.peek(_HEAD)[:_HEAD]  # type: ignore[attr-defined]
            layout = _layout(path, head)
            each = _binary_words if layout.binary else _text_words
            for number, word, vector in each(file, path, layout):
                if number % _LINES_A_REPORT == 0 and progress is not None:
                    progress(*report())
                if word in forms and forms[word] not in found:
                    found[forms[word]] = vector()
                    if len(found) >= exact and all(token in found for token in tokens):
                        return found, layout.width
    except FileNotFoundError as error:
        raise DataError("there is no such file", "embeddings", path) from error
    except IsADirectoryError as error:
        raise DataError("a folder; name a file in it", "embeddings", path) from error
    except DlccError:
        raise
    except Exception as error:  # whatever gzip and zipfile raise of damage
        raise DataError(f"cannot read {path} after line {number}: {error}") from error
    if layout.promised is not None and number - 1 < layout.promised:
        raise DataError(
            f"{path} ends after line {number}, its first line promises {layout.promised} words: "
            "download it again"
        )
    return found, layout.width


def layout_of(path: Path) -> tuple[int, Iterator[str]] | None:
    """Numbers a word and all words of a file, if it is one of word vectors.

    Raises:
        DataError: it is, and is damaged; raised while the words are read.
    """
    if path.suffix.lower() in MATRICES:
        words, matrix = read_matrix(path)
        return matrix.shape[1], iter(words)
    try:
        with _open(path) as (file, _):
            layout = _layout(path, file.peek(_HEAD)[:_HEAD])  # type: ignore[attr-defined]
    except (DlccError, OSError, ValueError, EOFError):
        return None
    if layout.promised is None and layout.width < _LEAST:
        return None

    def words_of() -> Iterator[str]:
        with _open(path) as (file, _):
            each = _binary_words if layout.binary else _text_words
            for _, word, _ in each(file, path, layout):
                yield word.decode(errors="replace")

    return layout.width, words_of()


@dataclass(frozen=True)
class _Layout:
    """What the first lines of a file tell."""

    separator: bytes
    """What stands between the numbers of most lines."""
    width: int
    """Numbers a word."""
    promised: int | None
    """How many words a word2vec header tells of."""
    binary: bool
    """Whether numbers are written as float32 bytes."""


_Word = tuple[int, bytes, Callable[[], np.ndarray]]  # line, word, its vector


def _layout(path: Path, head: bytes) -> _Layout:
    """Decided by the first lines together: one may hold a word with blanks in it."""
    head = head.removeprefix(codecs.BOM_UTF8)
    if head.startswith(_FASTTEXT):
        raise DataError(f"{path} is fastText's own binary file: take its .vec file")
    lines = [line.rstrip() for line in head.split(b"\n")]
    whole = lines[:-1] or lines  # the last may be cut
    first, rest = lines[0], [line for line in whole[1:] if line.strip()]
    parts, width, promised = first.split(), 0, None
    if len(parts) == 2 and parts[0].isdigit() and parts[1].isdigit():
        if not max(map(len, parts)) < 10 or not 0 < int(parts[1]) <= _MAX_WIDTH:
            raise _damaged(path, 1, "a word2vec header that no file has", first)
        promised, width = int(parts[0]), int(parts[1])
        if _is_binary(head[len(lines[0]) : _HEAD // 2]):
            return _Layout(b" ", width, promised, True)
    else:
        rest = [line for line in whole if line.strip()]
        widths = Counter(filter(None, map(_trailing_numbers, rest[:_SAMPLE])))
        if not widths:
            what = "neither a word with its numbers nor a word2vec header"
            if len(parts) > 2:
                _numbers(path, 1, b" ".join(parts), b" ")
            raise _damaged(path, 1, what, first)
        width = widths.most_common(1)[0][0]
    tabs = sum(line.count(b"\t") >= width for line in rest[:_SAMPLE])
    return _Layout(b"\t" if 2 * tabs > len(rest[:_SAMPLE]) else b" ", width, promised, False)


def _is_binary(data: bytes) -> bool:
    return sum(byte < 9 or 13 < byte < 32 for byte in data[:4096]) > len(data[:4096]) / 50


def _trailing_numbers(line: bytes) -> int:
    """How many numbers stand at the end of a line, behind a word."""
    count = 0
    for part in reversed(line.split()[1:]):
        try:
            float(part)
        except ValueError:
            break
        count += 1
    return count


def _text_words(file: IO[bytes], path: Path, layout: _Layout) -> Iterator[_Word]:
    separator, width = layout.separator, layout.width
    for number, line in enumerate(_lines(file, path), 1):
        if number == 1:
            line = line.removeprefix(codecs.BOM_UTF8)
            if layout.promised is not None:
                continue
        stripped = line.rstrip()
        if stripped.count(separator) == width and separator * 2 not in stripped:
            word = stripped[: stripped.index(separator)]
            yield number, word, partial(_numbers, path, number, stripped, separator)
            continue
        parts = stripped.split()
        if not parts or (len(parts) == width and line[:1].isspace()):
            continue  # the word is a line feed or a blank
        if len(parts) == width + 1:
            yield number, parts[0], partial(_numbers, path, number, b" ".join(parts), b" ")
        else:
            _check_count(path, number, parts, width, stripped)  # a word with blanks in it


def _binary_words(file: IO[bytes], path: Path, layout: _Layout) -> Iterator[_Word]:
    """word2vec's binary format: a word, a blank and its numbers as float32, maybe a line feed."""
    file.readline(_MAX_LINE)
    for number in range(2, 2 + (layout.promised or 0)):
        word = b""
        while (byte := file.read(1)) not in (b" ", b""):
            word += byte
            if len(word) > _MAX_LINE:
                raise _damaged(path, number, "a word without an end", word)
        data = file.read(4 * layout.width)
        if len(data) < 4 * layout.width:
            raise DataError(
                f"{path} ends after {number - 2} of the {layout.promised} words that its first "
                "line promises: download it again"
            )
        yield number, word.lstrip(b"\n"), partial(_floats, path, number, data)


def _floats(path: Path, number: int, data: bytes) -> np.ndarray:
    vector = np.frombuffer(data, "<f4")
    if not np.all(np.isfinite(vector)):
        raise _damaged(path, number, "NaN or infinity", b"")
    return vector


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
        f"{path}, line {number}: {what}, at {start!r}; this reads a word and its numbers a line, "
        "as GloVe, word2vec and fastText write them, and word2vec's binary ones"
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
    """The bytes of a plain, gzipped or zipped file, and a function that says how far they are
    read."""
    archive = next((p for p in (path, *path.parents) if p.is_file()), None)
    named = archive is not None and (archive != path or path.suffix.lower() == ".zip")
    if archive is not None and (named or zipfile.is_zipfile(path)):
        with zipfile.ZipFile(archive) as packed:
            member = packed.getinfo(_member(packed, path, archive))
            with packed.open(member) as file, io.BufferedReader(file, _HEAD) as lines:  # type: ignore[type-var]
                yield lines, lambda: (file.tell(), member.file_size)
        return
    size = path.stat().st_size
    with path.open("rb") as raw:
        if raw.peek(2).startswith(b"\x1f\x8b") or path.suffix == ".gz":
            unpacked = gzip.GzipFile(fileobj=raw)
            with unpacked, io.BufferedReader(unpacked, _HEAD) as lines:
                yield lines, lambda: (raw.tell(), size)
        else:
            with io.BufferedReader(raw, _HEAD) as lines:
                yield lines, lambda: (raw.tell(), size)


def _member(packed: zipfile.ZipFile, path: Path, archive: Path) -> str:
    visible = (item.filename for item in packed.infolist() if not item.is_dir())
    names = [name for name in visible if not name.startswith("__MACOSX/")]
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
