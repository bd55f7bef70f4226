"""Tables: found to be what they are, said so, or refused by the line that does not fit."""

import csv
import gzip
import io
import json
import random
import zipfile
from pathlib import Path

import pytest

from dlcc.core.errors import DataError, DlccError, UsageError
from dlcc.core.files.delimited import looks_like_table
from dlcc.core.files.encodings import decode, lines_of
from dlcc.core.files.paths import read_bytes
from dlcc.core.files.tables import (
    TableConfig,
    is_table,
    label_column,
    open_table,
    read_rows,
    text_column,
)

ROWS = [("A lovely, warm film", "pos"), ('He said "no"\nand left', "neg")]

SIGNS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}


def texts(path: Path, **how: object) -> list[tuple[str, str]]:
    table = open_table(path, how=TableConfig(**how))  # type: ignore[arg-type]
    rows = read_rows(table, text_column(table), {label_column(table, None): ""})
    return [(text, label) for _, text, (label,) in rows]


def written(delimiter: str) -> str:
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter, lineterminator="\n").writerows([("text", "label"), *ROWS])
    return out.getvalue()


@pytest.mark.parametrize(
    "line",
    ["[" * 100_000, r'{"text": "\ud800"}', r'{"text": "a", "\udfff": "b"}', "9" * 5000, "5", "{"],
    ids=["nested", "half a pair", "half a pair in a name", "a long number", "a number", "cut off"],
)
def test_a_line_that_is_no_row_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "fine"}\n' + line + "\n")
    with pytest.raises(DataError, match=r"a\.jsonl, line 2 is "):
        list(read_rows(open_table(path), "text"))


def test_whole_pairs_are_characters(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(r'{"text": "\ud83d\ude00 \u00e9"}')
    assert [text for _, text, _ in read_rows(open_table(path), "text")] == ["😀 é"]


def test_a_file_without_an_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dlcc.core.files.paths._MAX_STREAM", 2**20)
    with pytest.raises(DataError, match="has no end"):
        read_bytes(Path("/dev/zero"))
    assert read_bytes(Path("/dev/null")) == b""


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
def test_delimiter_encoding_and_line_ends_are_found(
    tmp_path: Path, delimiter: str, encoding: str, ends: str
) -> None:
    path = tmp_path / ("a.tsv" if delimiter == "\t" else "a.csv")
    path.write_bytes(written(delimiter).replace("\n", ends).encode(encoding))
    wanted = [(text.replace("\n", ends), label) for text, label in ROWS]
    assert texts(path) == wanted
    assert ("UTF-16" in open_table(path).form) == encoding.startswith("utf-16")


def test_excels_own_first_line_names_the_delimiter(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("sep=;\ntext;label\nlovely, warm;pos\n")
    table = open_table(path)
    assert list(read_rows(table, "text")) == [(3, "lovely, warm", [])]
    assert table.form == "split at semicolons, UTF-8"


@pytest.mark.parametrize("kind", ["gz", "zip"])
@pytest.mark.parametrize("ending", ["csv", "jsonl", "json", "parquet"])
def test_packed_tables_and_those_of_objects(tmp_path: Path, kind: str, ending: str) -> None:
    objects = [{"text": text, "label": label} for text, label in ROWS]
    data = {
        "csv": written(",").encode(),
        "jsonl": "\n".join(map(json.dumps, objects)).encode(),
        "json": json.dumps(objects, indent=1).encode(),
    }.get(ending) or _parquet(objects)
    plain, packed = tmp_path / f"a.{ending}", tmp_path / f"b.{ending}.{kind}"
    plain.write_bytes(data)
    if kind == "gz":
        packed.write_bytes(gzip.compress(data))
    else:
        with zipfile.ZipFile(packed, "w") as archive:
            archive.writestr(f"a.{ending}", data)
            archive.writestr("__MACOSX/._a", b"")
    assert is_table(plain)
    assert is_table(packed)
    assert texts(plain) == texts(packed) == ROWS


def _parquet(objects: list[dict[str, str]]) -> bytes:
    import pyarrow
    from pyarrow import parquet

    out = io.BytesIO()
    parquet.write_table(pyarrow.Table.from_pylist(objects), out)
    return out.getvalue()


def test_one_list_in_a_json_object_is_the_table(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps({"version": 1, "data": [{"text": "x", "label": "a"}]}))
    assert texts(path) == [("x", "a")]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "text,label\nwell, but bad,neg\n", "line 2 has 3 columns, the header 2: quote"),
        ("a.csv", "text,label\nwell\n", "line 2: no column 'label', it has 1 of 2: complete"),
        ("a.csv", 'text,label\n"a \\"wow\\", b",pos\n', "line 2: ',' expected after '\"'"),
        ("a.csv", "text,text,label\na,b,c\n", "two columns 'text': rename one"),
        ("a.csv", "A lovely warm film\nAwful\n", "line 1 is no header but 'A lovely warm film'"),
        ("a.csv", "A lovely warm film!,1\nAwful.,0\n", "line 1 is no header but a row"),
        ("a.csv", "review,comment,label\na,b,c\n", "columns review, comment: name the one"),
        (
            "a.csv",
            "text,label\ncaf\xe9,pos\n",
            "line 2 is not UTF-8 .byte 0xe9.: it looks like cp1",
        ),
        ("a.jsonl", '{"text": ["a", "b"], "label": 1}', "line 1: the column 'text' holds a list"),
        ("a.jsonl", '{"text": "a", "label": null}', "line 1: nothing in the column 'label'"),
        ("a.jsonl", '{"text": "a \\ud83d", "label": 1}', r"line 1 is not whole: it holds \\ud83d"),
        ("a.json", "[1]", "item 1 is no JSON object"),
        ("a.parquet", "PAR1 and no more", "is damaged"),
        ("a.csv", "PK\x03\x04 no zip", "is damaged or no archive"),
        ("a.csv", "text,label\na\0b,pos\n", "line 2 holds a zero byte"),
    ],
)
def test_what_does_not_fit_is_named(tmp_path: Path, name: str, content: str, message: str) -> None:
    path = tmp_path / name
    path.write_bytes(content.encode("latin-1"))
    with pytest.raises(DataError, match=message):
        texts(path)


def test_bad_rows_are_left_out_and_counted_when_asked(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    bad = "".join(f"cut, here {n},neg\n" for n in range(4))
    path.write_text("text,label\nfine,pos\n" + bad + "short\nfine too,neg\n")
    table = open_table(path, how=TableConfig(skip_bad_rows=True))
    assert [text for _, text, _ in read_rows(table, "text")] == ["fine", "fine too"]
    (said,) = table.left_out()
    assert said.startswith("5 rows left out: ")
    assert "line 3 has 3 columns" in said
    assert said.endswith("; ...")


def test_an_encoding_may_be_named(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes("text,label\n“café”,pos\n".encode("cp1252"))
    assert texts(path, encoding="cp1252") == [("“café”", "pos")]
    with pytest.raises(UsageError, match="no such encoding"):
        texts(path, encoding="utf-9")


def test_a_table_may_come_through_a_pipe_or_a_stream() -> None:
    stream = io.BytesIO(b"text,label\n" + b"A film,pos\n" * 20_000)
    table = open_table(stream, "stdin", TableConfig(format="csv"))
    assert sum(1 for _ in table.rows()) == 20_000
    with pytest.raises(UsageError, match="stdin does not say what it is"):
        open_table(io.BytesIO(b"x"), "stdin")


@pytest.mark.parametrize(
    ("line", "is_one"),
    [
        ("text,label", True),
        ("id;review;stars", True),
        ("[", True),
        ('{"text": "a"}', True),
        ("A film, and a good one", False),
        ("The text, label and all, is fine.", False),
        ("", False),
    ],
)
def test_lines_that_look_like_a_table_are_noticed(line: str, is_one: bool) -> None:
    assert looks_like_table(line) is is_one


def test_lines_end_in_every_usual_way() -> None:
    assert lines_of(b"one\r\ntwo\rthree\n\nfive\x0csame", "a") == [
        "one",
        "two",
        "three",
        "",
        "five\x0csame",
    ]
    assert decode("naïve".encode("utf-16"), "a") == "naïve"


@pytest.mark.parametrize("count", [60, pytest.param(2000, marks=pytest.mark.slow)])
def test_damaged_tables_are_read_as_pythons_csv_reads_them_or_refused(
    tmp_path: Path, count: int
) -> None:
    """No other count than that of an independent reader, and no exception but ours."""
    draw, path, read = random.Random(0), tmp_path / "a.csv", 0
    named = refused = 0
    for _ in range(count):
        data = bytearray(_table(draw))
        for _ in range(draw.randrange(4)):
            place = draw.randrange(len(data))
            change = draw.randrange(3)
            if change == 0:
                data[place] = draw.choice(b'",;\n\r\t\0\xe9a1')
            elif change == 1:
                del data[place : place + draw.randrange(1, 9)]
            else:
                data[place:place] = draw.choice([b'"', b",", b"\n", b'""', b"\xff\xfe", b"a,b"])
        path.write_bytes(data)
        try:
            table = open_table(path)
            found = list(table.rows())
        except DlccError as error:
            named += "a.csv" in str(error)
            refused += 1
            continue
        delimiter = next(sign for sign, name in SIGNS.items() if name in table.form)
        lines = io.StringIO(data.decode("utf-8-sig"), newline="")
        header, *rows = [row for row in csv.reader(lines, delimiter=delimiter, strict=True) if row]
        assert tuple(cell.strip() for cell in header) == table.columns
        assert [list(row.values()) for _, row in found] == rows
        read += 1
    assert read > count / 10
    assert named == refused


def _table(draw: random.Random) -> bytes:
    out = io.StringIO()
    writer = csv.writer(
        out, delimiter=draw.choice(",;"), lineterminator=draw.choice(["\n", "\r\n"])
    )
    writer.writerow(("text", "label"))
    words = ["good", "bad", "film", 'a "quote"', "a, b", "c; d", "two\nlines", "é"]
    for _ in range(draw.randrange(2, 9)):
        row = " ".join(draw.choices(words, k=5)), draw.choice(["pos", "neg"])
        writer.writerow(row)
    return out.getvalue().encode()
