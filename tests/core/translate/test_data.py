import csv
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest

from dlcc.core.errors import DataError, UsageError
from dlcc.core.translate.config import PairsConfig
from dlcc.core.translate.data import Pair, read_pairs, split_pairs

LINES = "Go.\tVe.\tremark\nGo.\tVete.\n\nHi.\t¡Hola!\nGo.\tVe.\n"
FOUND = [Pair("Go.", ("Ve.", "Vete.")), Pair("Hi.", ("¡Hola!",))]


def _zip(path: Path, **members: str) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in members.items():
            archive.writestr(name.replace("SLASH", "/").replace("DOT", "."), text)
    return path


def test_reads_a_file_a_folder_and_a_zip(tmp_path: Path) -> None:
    file = tmp_path / "data" / "spa.txt"
    file.parent.mkdir()
    file.write_text(LINES, encoding="utf-8")
    (file.parent / "_about.txt").write_text("not pairs")
    archive = _zip(tmp_path / "spa-eng.zip", spaDOTtxt=LINES, _aboutDOTtxt="not pairs")
    assert read_pairs(file) == read_pairs(file.parent) == read_pairs(archive) == FOUND


def test_reverse_translates_from_the_second_column(tmp_path: Path) -> None:
    file = tmp_path / "a.tsv"
    file.write_text("Go.\tVe.\nLeave.\tVe.\n")
    assert read_pairs(file, reverse=True) == [Pair("Ve.", ("Go.", "Leave."))]


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("a.tsv", b"one\ttwo\nonly one\n", "line 2, has one column"),
        ("a.tsv", b"one\ttwo\nx\t\xff\xfe\n", "line 2 is not UTF-8"),
        ("a.tsv", b"", "holds no sentence pair"),
        ("a.tsv", b"\t\n \t \n", "holds no sentence pair"),
        ("a.zip", b"PK\x03\x04rest is lost", "damaged or no archive"),
        ("a.zip", b"no zip at all", "damaged or no archive"),
    ],
)
def test_a_bad_file_is_refused(tmp_path: Path, name: str, data: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(DataError, match=message):
        read_pairs(tmp_path / name)


def test_a_zip_that_reaches_outside_is_not_read(tmp_path: Path) -> None:
    archive = _zip(tmp_path / "a.zip", DOTDOTSLASHspaDOTtxt=LINES)
    with pytest.raises(DataError, match="outside its folder"):
        read_pairs(archive)
    assert [p.name for p in tmp_path.iterdir()] == ["a.zip"]


def test_a_truncated_or_flipped_zip_is_refused(tmp_path: Path) -> None:
    archive = _zip(tmp_path / "a.zip", spaDOTtxt="".join(f"{n}\t{n * 7}\n" for n in range(999)))
    whole = archive.read_bytes()
    for damaged in (whole[: len(whole) // 2], whole[:60] + b"\x00\xff\x00" + whole[63:]):
        archive.write_bytes(damaged)
        with pytest.raises(DataError, match="damaged"):
            read_pairs(archive)


def test_a_folder_needs_exactly_one_file_of_pairs(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no file of pairs"):
        read_pairs(tmp_path)
    for name in ("a.tsv", "b.tsv"):
        (tmp_path / name).write_text(LINES)
    with pytest.raises(DataError, match=r"2 files of pairs \(a.tsv, b.tsv\)"):
        read_pairs(tmp_path)
    with pytest.raises(DataError, match="cannot read"):
        read_pairs(tmp_path / "missing.tsv")


def test_the_split_shares_no_sentence_and_depends_on_the_seed_alone() -> None:
    sentences = [Pair(f"Number {n}.", (str(n),)) for n in range(200)]
    sentences += [Pair(f"number {n}!", (str(n),)) for n in range(0, 200, 2)]
    split = split_pairs(sentences, 3)
    parts = [{s.source.lower().strip(".!") for s in part} for part in _parts(split)]
    assert [len(part) for part in _parts(split)] == [255, 15, 30]
    assert sum(map(len, parts)) == len(set.union(*parts))
    assert _same(split, split_pairs(sentences[::-1], 3))
    assert split.test_hash == split_pairs(sentences[::-1], 3).test_hash
    assert split.test_hash != split_pairs(sentences, 4).test_hash


def test_a_target_of_another_part_is_not_trained_on() -> None:
    sentences = [Pair(f"Number {n}.", (str(n), f"nº {n}")) for n in range(100)]
    whole = split_pairs(sentences, 3)
    tested, validated = whole.test[0].targets[0], whole.validation[0].targets[1]
    first, second, *_ = whole.train
    sentences[sentences.index(first)] = Pair(first.source, (f"¡{tested}!", "other"))
    sentences[sentences.index(second)] = Pair(second.source, (validated.upper(),))
    whole = split_pairs(sentences, 3)
    split = whole.apart()
    assert (split.test, split.validation) == (whole.test, whole.validation)
    assert split.test_hash == whole.test_hash
    kept = {sentence.source: sentence.targets for sentence in split.train}
    assert kept[first.source] == ("other",)
    assert second.source not in kept
    assert (whole.num_pairs - split.num_pairs, len(whole.train) - len(split.train)) == (2, 1)
    same = [Pair(f"Number {n}.", ("yes",)) for n in range(9)]
    with pytest.raises(DataError, match="every target to train on also validates or tests"):
        split_pairs(same, 0).apart()


def test_two_sentences_cannot_be_split() -> None:
    with pytest.raises(DataError, match="2 different sentences"):
        split_pairs([Pair("A", ("a",)), Pair("a!", ("a",)), Pair("B", ("b",))], 0)


def _parts(split):  # type: ignore[no-untyped-def]
    return split.train, split.validation, split.test


def _same(one, other):  # type: ignore[no-untyped-def]
    return [set(p) for p in _parts(one)] == [set(p) for p in _parts(other)]


SENTENCES = [(f"I want {n} apples.", f"Quiero {n} manzanas, señor.") for n in range(1, 31)]
WANTED = [Pair(source, (target,)) for source, target in SENTENCES]


def _lines(rows: Iterable[Sequence[object]]) -> str:
    return "".join("\t".join(map(str, row)) + "\n" for row in rows)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([(n, a, n + 500, b) for n, (a, b) in enumerate(SENTENCES)], "columns 2 and 4 are read"),
        ([("English", "Spanish"), *SENTENCES], "line 1 is a header (English, Spanish): left out"),
        ([*SENTENCES, ("Alone.", ""), ("", "Solo.")], "2 lines with one sentence alone left out"),
    ],
)
def test_what_is_no_pair_is_found_and_said(
    tmp_path: Path, rows: list[tuple[object, ...]], said: str
) -> None:
    path, notes = tmp_path / "a.tsv", []
    path.write_text("\ufeff" + _lines(rows), encoding="utf-8")
    assert read_pairs(path, say=notes.append) == WANTED
    assert len(notes) == 1
    assert said in notes[0]


def test_tables_translation_memories_and_two_files(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = [(n, b, a) for n, (a, b) in enumerate(SENTENCES)]
        csv.writer(file).writerows([("id", "es", "en"), *rows])
    assert read_pairs(path) == WANTED
    units = "".join(
        f'<tu><tuv xml:lang="es-MX"><seg>{b}</seg></tuv>'
        f'<tuv xml:lang="en"><seg><b>{a}</b></seg></tuv></tu>'
        for a, b in SENTENCES
    )
    memory = tmp_path / "a.tmx"
    memory.write_text(f"<tmx><body>{units}</body></tmx>", encoding="utf-8")
    assert read_pairs(memory) == WANTED
    with pytest.raises(DataError, match="has the languages es-mx, en, not eng and fra"):
        read_pairs(memory, languages=("eng", "fra"))
    sides = [tmp_path / name for name in ("a.en", "a.es")]
    for side, file in enumerate(sides):
        file.write_text("\n".join(pair[side] for pair in SENTENCES) + "\n", encoding="utf-8")
    assert read_pairs(sides[0], target_file=sides[1]) == WANTED
    sides[1].write_text("Una.\n")
    with pytest.raises(DataError, match="1: they do not match"):
        read_pairs(sides[0], target_file=sides[1])


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([(n, 7 * n) for n in range(30)], "of its first sentences hold no letter"),
        ([(a, a) for a, _ in SENTENCES], "100% of the sentences are their own translation"),
        ([(n, a, n) for n, (a, _) in enumerate(SENTENCES)], "of its 3 columns 1 hold sentences"),
        ([*SENTENCES, ("x", "y", "z"), ("one",)], "line 32, has one column"),
    ],
)
def test_columns_that_are_no_translation_are_refused(
    tmp_path: Path, rows: list[tuple[object, ...]], message: str
) -> None:
    path = tmp_path / "a.tsv"
    path.write_text(_lines(rows), encoding="utf-8")
    with pytest.raises(DataError, match=message):
        read_pairs(path)


def test_exchanged_sides_are_noticed(tmp_path: Path) -> None:
    path, notes = tmp_path / "a.tsv", []
    path.write_text(_lines((b, a) for a, b in SENTENCES), encoding="utf-8")
    read_pairs(path, say=notes.append)
    assert "the sides look exchanged" in notes[0]


def test_a_file_of_one_side_alone_is_refused() -> None:
    with pytest.raises(UsageError, match="target_file"):
        PairsConfig(source_file=Path("a.en"))
    with pytest.raises(UsageError, match="source_file"):
        PairsConfig(data=Path("b"), source_file=Path("a.en"), target_file=Path("a.es"))
