"""Sentence pairs out of the files that people have: tab-separated lines, tables, TMX, two files.

Which columns hold the sentences is found and said; what is no pair is left out and counted, or
refused where it would be learned from as one.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from xml.etree import ElementTree

from dlcc.core.errors import DataError
from dlcc.core.files.encodings import lines_of
from dlcc.core.files.paths import being_read, read_bytes
from dlcc.core.files.tables import Table, TableConfig, open_table

Say = Callable[[str], None]
Columns = Iterator[tuple[int, str, str]]  # line, first and second sentence

_SAMPLE = 500  # lines that columns are found by
_NAMES = {
    "eng": ("eng", "en", "english", "source", "src"),
    "spa": ("spa", "es", "spanish", "español", "target", "tgt"),
    "fra": ("fra", "fr", "french", "français"),
    "deu": ("deu", "de", "german", "deutsch"),
    "ita": ("ita", "it", "italian", "italiano"),
    "por": ("por", "pt", "portuguese", "português"),
}
_OTHERS = ("text", "translation", "sentence", "target", "source", "tgt", "src")
_HEADER = {name for names in _NAMES.values() for name in names} | set(_OTHERS)


def from_lines(lines: Sequence[str], name: str, say: Say) -> Columns:
    """Pairs of `first<TAB>second` lines; columns of numbers, such as Tatoeba's, are passed over.

    Raises:
        DataError: a line with one column.
    """
    rows = [line.split("\t") for line in lines]
    first, second = _two_columns([row for row in rows[:_SAMPLE] if any(row)], name)
    if (first, second) != (0, 1):
        say(f"{name}: columns {first + 1} and {second + 1} are read, the others hold no sentences")
    start = 0
    if rows and len(rows[0]) > second and _is_header(rows[0][first], rows[0][second]):
        say(f"{name}: line 1 is a header ({rows[0][first]}, {rows[0][second]}): left out")
        start = 1
    for number, row in enumerate(rows[start:], start + 1):
        if not any(cell.strip() for cell in row):
            continue
        if len(row) <= second:
            raise DataError(
                f"{name}, line {number}, has one column: source<TAB>target is expected"
                if len(row) == 1
                else f"{name}, line {number}, has {len(row)} columns, the lines above {second + 1}"
            )
        yield number, row[first], row[second]


def _two_columns(rows: Sequence[Sequence[str]], name: str) -> tuple[int, int]:
    """The first two columns that hold no numbers alone."""
    width = Counter(map(len, rows)).most_common(1)[0][0] if rows else 2
    whole = [row for row in rows if len(row) == width]
    numbers = [
        sum(cell.strip().isdigit() for cell in column) > 0.95 * len(whole)
        for column in zip(*whole, strict=True)
    ]
    texts = [place for place, is_number in enumerate(numbers) if not is_number]
    if width > 2 and len(texts) < 2:
        raise DataError(
            f"{name}: of its {width} columns {len(texts)} hold sentences, two are needed"
        )
    return (texts[0], texts[1]) if width > 2 else (0, 1)


def _is_header(*cells: str) -> bool:
    return all(cell.strip().strip('"').lower() in _HEADER for cell in cells)


def from_table(path: Path, languages: tuple[str, str], say: Say) -> Columns:
    """Pairs of a table with named columns: those that are called by the languages, or the only two
    with text.

    Raises:
        DataError: which columns are meant is not plain.
    """
    table = open_table(path, how=TableConfig())
    first, second = _named_columns(table, languages)
    say(f"{path.name}: {first} and {second} are read; {table.form}")
    for line, row in table.rows():
        cells = (row.get(first), row.get(second))
        yield line, *("" if cell is None else str(cell) for cell in cells)  # type: ignore[misc]


def _named_columns(table: Table, languages: tuple[str, str]) -> tuple[str, str]:
    lower = {name.lower(): name for name in table.columns}
    sides = (("source", "src"), ("target", "tgt", "translation"))
    found = []
    for language, others in zip(languages, sides, strict=True):
        names = (language, *_NAMES.get(language, ()), *others)
        found.append(next((lower[name] for name in names if name in lower), None))
    if None not in found and found[0] != found[1]:
        return found[0], found[1]  # type: ignore[return-value]
    if len(table.columns) == 2:
        return table.columns[0], table.columns[1]
    shown = ", ".join(table.columns)
    raise DataError(
        f"{table.name} has the columns {shown}: call the two with the sentences source and target"
    )


def from_tmx(path: Path, languages: tuple[str, str], say: Say) -> Columns:
    """Pairs of a translation memory (TMX 1.4).

    Raises:
        DataError: damaged, or without the languages.
    """
    units: list[dict[str, str]] = []
    with being_read(path, "is damaged ({})"):
        for _, element in ElementTree.iterparse(path):
            if element.tag == "tu":
                units.append(dict(_variants(element)))
                element.clear()
    codes = Counter(code for unit in units for code in unit)
    chosen = [next((code for code in codes if _is_of(code, lang)), None) for lang in languages]
    if None in chosen or chosen[0] == chosen[1]:
        shown = ", ".join(codes) or "none"
        raise DataError(f"{path} has the languages {shown}, not {languages[0]} and {languages[1]}")
    first, second = chosen
    say(f"{path.name}: {len(units):,} units, {first} and {second} are read")
    for number, unit in enumerate(units, 1):
        yield number, unit.get(str(first), ""), unit.get(str(second), "")


_LANG = "{http://www.w3.org/XML/1998/namespace}lang"


def _variants(unit: ElementTree.Element) -> Iterator[tuple[str, str]]:
    for variant in unit.iter("tuv"):
        code = (
            variant.get("{http://www.w3.org/XML/1998/namespace}lang") or variant.get("lang") or ""
        )
        segment = variant.find("seg")
        if segment is not None:
            yield code.lower(), "".join(segment.itertext())


def _is_of(code: str, language: str) -> bool:
    """Whether a code such as en-US is of a language such as eng."""
    return re.split("[-_]", code)[0] in (language, language[:2], *_NAMES.get(language, ()))


def from_two_files(source: Path, target: Path) -> Columns:
    """Pairs of two files with a sentence a line, as Moses has them.

    Raises:
        DataError: not as many lines in both.
    """
    sides = [lines_of(read_bytes(path), str(path)) for path in (source, target)]
    first, second = map(len, sides)
    if first != second:
        raise DataError(f"{source} has {first:,} lines and {target} {second:,}: they do not match")
    yield from ((n, a, b) for n, (a, b) in enumerate(zip(*sides, strict=True), 1))


def check_sides(pairs: Sequence[tuple[str, str]], name: str, warn: Say) -> None:
    """Say what looks as if a side were in another language, or no language at all.

    Raises:
        DataError: a side without letters, or both alike.
    """
    if len(pairs) < 20:
        return
    sample = pairs[:: max(1, len(pairs) // 2000)]
    for place, side in enumerate(("first", "second")):
        lettered = sum(any(map(str.isalpha, pair[place])) for pair in sample) / len(sample)
        if lettered < 0.7:
            raise DataError(
                f"{name}: {1 - lettered:.0%} of its {side} sentences hold no letter: are these the "
                "columns that are meant?"
            )
    alike = sum(a == b for a, b in sample) / len(sample)
    if alike > 0.5:
        raise DataError(f"{name}: {alike:.0%} of the sentences are their own translation")
    ratios = sorted((len(a) + 1) / (len(b) + 1) for a, b in sample)
    middle = ratios[len(ratios) // 2]
    if not 1 / 3 < middle < 3:
        warn(f"{name}: one side is {max(middle, 1 / middle):.1f} times as long as the other")


def check_languages(
    pairs: Sequence[tuple[str, str]], languages: tuple[str, str], name: str, warn: Say
) -> None:
    """Say where the two sides look exchanged: by the letters that only Spanish has."""
    if set(languages) != {"eng", "spa"} or len(pairs) < 20:
        return
    shares = [sum(bool(re.search("[ñ¿¡áéíóú]", pair[side])) for pair in pairs) for side in (0, 1)]
    wrong = shares[0] > 2 * shares[1] if languages[0] == "eng" else shares[1] > 2 * shares[0]
    if wrong and max(shares) > len(pairs) / 10:
        warn(f"{name}: the sides look exchanged, the one read as English has Spanish letters")
