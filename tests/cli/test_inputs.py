"""What people bring, as they bring it: read rightly, or refused in one line that names the cause.

Each case is one that a public report on another tool of this kind tells of.
"""

import csv
import gzip
import io
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

VECTORS = ["the 1 0 0 0 0", "cat 0 1 0 0 0", "dog 0 0 1 0 0"]


def picture(kind: str = "PNG", shade: int = 0, mode: str = "RGB") -> bytes:
    file = io.BytesIO()
    Image.effect_noise((16, 12), 40 + shade).convert(mode).save(file, kind)
    return file.getvalue()


def zipped(files: Mapping[str, bytes], flags: int = 0) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    data = file.getvalue()
    if flags:  # of every entry, in both of the places that say it
        for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
            place = data.find(mark)
            while place >= 0:
                data = data[: place + offset] + bytes([flags]) + data[place + offset + 1 :]
                place = data.find(mark, place + 4)
    return data


def put(root: Path, files: Mapping[str, bytes | str]) -> None:
    for name, data in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        raw = data if isinstance(data, bytes) else data.encode()
        (root / name).write_bytes(raw)


WORD_VECTORS: dict[str, tuple[str, bytes | str, str]] = {
    "tab rows below a space header": (
        "v.txt",
        "3 5\n" + "\n".join(VECTORS).replace(" ", "\t") + "\n",
        "",
    ),
    "a blank last line": ("v.txt", "\n".join(VECTORS) + "\n\n", ""),
    "a mark before the first word": ("v.txt", "\ufeff" + "\n".join(VECTORS) + "\n", ""),
    "a mark before the header": ("v.txt", "\ufeff3 5\n" + "\n".join(VECTORS) + "\n", ""),
    "two spaces": ("v.txt", "\n".join(VECTORS).replace(" ", "  ") + "\n", ""),
    "a first token with spaces": ("v.txt", ". . . 1 1 1 1 1\n" + "\n".join(VECTORS) + "\n", ""),
    "an ending in capitals": (
        "V.ZIP",
        zipped({"v.txt": "\n".join(VECTORS).encode()}),
        "",
    ),
    "gzip of another ending": ("v.vec", gzip.compress("\n".join(VECTORS).encode()), ""),
    "sparse numbers": ("v.txt", "3 5\nthe 0:0.5 2:0.1\n", "line 2: fewer than"),
}


@pytest.mark.parametrize("case", WORD_VECTORS)
def test_word_vectors(case: str, run_dlcc: Callable[..., Any], tmp_path: Path) -> None:
    name, data, error = WORD_VECTORS[case]
    put(tmp_path, {name: data})
    options = ("--mechanism", "dot", "--json")
    result = run_dlcc("attend", "the cat", "--embeddings", tmp_path / name, *options)
    if error:
        assert (result.exit_code, error in result.stderr) == (3, True)
        return
    assert result.exit_code == 0, result.stderr
    assert "no vector" not in result.stderr
    scores = np.array(json.loads(result.stdout)["results"][0]["scores"])[0, 0]
    assert scores == pytest.approx(np.eye(2) / 5**0.5, abs=1e-5)


GOOD, BAD = "A lovely film", "Awful and boring"
TABLES: dict[str, tuple[str, bytes | str, list[str] | str]] = {
    "unquoted commas": (
        "a.csv",
        f"text,label\nWell, and then, bad,neg\n{GOOD},pos\n",
        "line 2 has",
    ),
    "semicolons": ("a.csv", f"text;label\n{GOOD}, warm;pos\n{BAD};neg\n", [f"{GOOD}, warm", BAD]),
    "a line of Excel's": ("a.csv", f"sep=;\ntext;label\n{GOOD};pos\n", [GOOD]),
    "no header": ("a.csv", f"{GOOD}\n{BAD}\n", "line 1 is no header"),
    "UTF-16 of Excel": ("a.csv", f"text,label\r\n{GOOD},pos\r\n".encode("utf-16"), [GOOD]),
    "half a character": ("a.jsonl", '{"text": "fine \\ud83d"}\n', "half of a character"),
    "an array": ("a.json", json.dumps([{"text": GOOD}, {"text": BAD}]), [GOOD, BAD]),
    "gzip": ("a.csv.gz", gzip.compress(f"text,label\n{GOOD},pos\n".encode()), [GOOD]),
    "a quoted line end": ("a.tsv", f'text\tlabel\n"{GOOD}\n{GOOD}"\tpos\n', [f"{GOOD}\n{GOOD}"]),
    "a list": ("a.jsonl", '{"text": ["A", "film"]}\n', "holds a list"),
    "old Mac line ends": ("a.txt", f"{GOOD}\r{BAD}\r", [GOOD, BAD]),
    "backslash quotes": ("a.csv", 'text,label\n"He said \\"wow\\"",pos\n', "line 2"),
    "two columns alike": ("a.csv", f"text,text\n{GOOD},{BAD}\n", "two columns 'text'"),
    "no Parquet": ("a.parquet", "PAR1 is all of it", "damaged"),
    "UTF-16 without a mark": ("a.txt", f"{GOOD}\n{BAD}\n".encode("utf-16-le"), [GOOD, BAD]),
    "Latin-1": ("a.txt", "Un caf\xe9 tr\xe8s bon\n".encode("latin-1"), "--encoding"),
}


@pytest.mark.parametrize("case", TABLES)
def test_tables(case: str, run_dlcc: Callable[..., Any], tmp_path: Path) -> None:
    name, data, wanted = TABLES[case]
    put(tmp_path, {name: data})
    result = run_dlcc("sentiment", "--file", tmp_path / name, "--csv")
    if isinstance(wanted, str):
        assert result.exit_code in (2, 3)
        assert wanted in result.stderr
        assert len(result.stderr.splitlines()) == 1
        assert not result.stdout
    else:
        assert result.exit_code == 0, result.stderr
        assert [row["text"] for row in csv.DictReader(io.StringIO(result.stdout))] == wanted


def reviews(*places: str, count: int = 4) -> dict[str, bytes | str]:
    return {
        f"{place}/{n}.txt": f"{place.split('/')[-1]} film number {n} in {place}"
        for place in places
        for n in range(count)
    }


def pictures(*places: str, ending: str = "png", count: int = 4) -> dict[str, bytes | str]:
    return {
        f"{place}/{n}.{ending}": picture("JPEG" if ending == "jfif" else "PNG", n)
        for place in places
        for n in range(count)
    }


TRAIN_AND_TEST = {"train": {"neg": 4, "pos": 4}, "test": {"neg": 4, "pos": 4}}
ALL = {"train": {"cat": 4, "dog": 4}}
FOLDERS: dict[str, tuple[dict[str, bytes | str], dict[str, Any] | str]] = {
    "parts in capitals": (
        reviews("Train/neg", "Train/pos", "Test/neg", "Test/pos"),
        TRAIN_AND_TEST,
    ),
    "training and testing": (
        reviews("training/neg", "training/pos", "testing/neg", "testing/pos"),
        TRAIN_AND_TEST,
    ),
    "its own validation": (
        reviews("train/neg", "train/pos", "val/neg", "val/pos"),
        {"train": {"neg": 4, "pos": 4}, "validation": {"neg": 4, "pos": 4}},
    ),
    "classes at two depths": (reviews("pos", "neg/2019", "neg/2020"), "level 1: neg, pos"),
    "a readme deeper down": (
        {**reviews("neg", "pos"), "neg/about/readme.txt": "what this is"},
        {"train": {"neg": 4, "pos": 4}},
    ),
    "labels of another form": (
        {
            "a.jsonl": "".join(
                f'{{"text": "film {n}", "label": {n % 2}{".0" * (n < 3)}}}\n' for n in range(6)
            )
        },
        {"train": {"0": 3, "1": 3}},
    ),
    "labels with blanks": (
        {
            "a.csv": "text,label\n"
            + "".join(f"film {n},{'neg pos'.split()[n % 2]} \n" for n in range(6))
        },
        {"train": {"neg": 3, "pos": 3}},
    ),
    "a label that is null": (
        {"a.jsonl": '{"text": "a", "label": "pos"}\n{"text": "b", "label": null}\n'},
        "line 2: nothing in the column 'label'",
    ),
    "a class of .jfif": (
        {**pictures("cat"), **pictures("dog", ending="jfif")},
        ALL,
    ),
    "a class of what is not read": (
        {**pictures("cat", "dog"), "ship/0.heic": "x", "ship/1.heic": "y"},
        "the class ship has no examples",
    ),
    "parts below images": (
        pictures("train/images/cat", "train/images/dog", "test/images/cat", "test/images/dog"),
        {**ALL, "test": ALL["train"]},
    ),
    "sessions below classes": (
        pictures("cat/session0", "cat/session1", "dog/session0", "dog/session1"),
        "--classes-at",
    ),
    "parts below classes": (
        pictures("cat/train", "cat/test", "dog/train", "dog/test"),
        "--classes-at",
    ),
    "what systems leave": (
        {
            **pictures("cat", "dog"),
            "__MACOSX/cat/._0.png": "x",
            "cat/._0.png": "x",
            "cat/Thumbs.db": "x",
            ".DS_Store": "x",
        },
        ALL,
    ),
    "backslashes in a zip": (
        {"a.zip": zipped({n.replace("/", "\\"): d for n, d in pictures("cat", "dog").items()})},  # type: ignore[misc]
        ALL,
    ),
    "a zip in a zip": (
        {"a.zip": zipped({"b.zip": zipped(pictures("cat", "dog"))})},  # type: ignore[arg-type]
        ALL,
    ),
    "an encrypted zip": (
        {"a.zip": zipped(pictures("cat", "dog"), flags=1)},  # type: ignore[arg-type]
        "is encrypted",
    ),
}


@pytest.mark.parametrize("case", FOLDERS)
def test_folders_and_archives(case: str, run_dlcc: Callable[..., Any], tmp_path: Path) -> None:
    files, wanted = FOLDERS[case]
    put(tmp_path / "data", files)
    (only,) = files if len(files) == 1 else [""]
    result = run_dlcc("data", tmp_path / "data" / only, "--json")
    if isinstance(wanted, str):
        assert result.exit_code in (2, 3)
        assert wanted in result.stderr
    else:
        assert result.exit_code == 0, result.stderr
        assert json.loads(result.stdout)["results"][0]["parts"] == wanted


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
def test_a_linked_class_is_one_of_the_classes(run_dlcc: Callable[..., Any], tmp_path: Path) -> None:
    put(tmp_path, pictures("data/cat", "elsewhere/dog"))
    (tmp_path / "data/dog").symlink_to(tmp_path / "elsewhere/dog")
    result = run_dlcc("data", tmp_path / "data", "--json")
    assert json.loads(result.stdout)["results"][0]["parts"] == ALL


def test_a_class_named_in_latin_1_is_shown_and_a_picture_exported(
    run_dlcc: Callable[..., Any], tmp_path: Path
) -> None:
    name = os.fsdecode(b"caf\xe9")
    try:
        put(tmp_path, pictures("data/dog", f"data/{name}"))
    except OSError:
        pytest.skip("this file system takes no such names")
    result = run_dlcc("data", tmp_path / "data")
    assert result.exit_code == 0
    assert "dog 4" in result.stdout
    out = tmp_path / "out.html"
    shown = tmp_path / "data" / name / "0.png"
    command = [sys.executable, "-m", "dlcc.cli", "vit", "predict", shown, "--export", out]
    done = subprocess.run(command, capture_output=True, check=False)  # a stream as a user's is
    assert done.returncode == 0, done.stderr
    assert out.read_bytes().decode("utf-8")


TYPED = {
    "I DON'T KNOW.": "I don't know.",
    "I don`t know.": "I don't know.",
    "I don\u00b4t know.": "I don't know.",
    "I don\u2032t know.": "I don't know.",
    "I don\u02bct know.": "I don't know.",
    "I bo\u00adught a book.": "I bought a book.",
    "I bou\u200dght a book.": "I bought a book.",
    "\uff29 bought a book.": "I bought a book.",
    "<b>I bought a book.</b>": "I bought a book.",
    "I bought a book.</s>": "I bought a book.",
    "I BOUGHT A BOOK.": "I bought a book.",
}


def test_what_is_typed_is_read_as_what_is_meant(run_dlcc: Callable[..., Any]) -> None:
    lines = [*TYPED, *TYPED.values()]
    result = run_dlcc("translate", "-", input="\n".join(lines))
    assert result.exit_code == 0, result.stderr
    found = result.stdout.splitlines()
    assert found[: len(TYPED)] == found[len(TYPED) :]


def test_numbers_stay_what_they_are(run_dlcc: Callable[..., Any]) -> None:
    numbers = ["3.5", "-5", "4,275", "1234"]
    lines = [f"I have {number} books." for number in numbers]
    found = run_dlcc("translate", "-", input="\n".join(lines)).stdout.splitlines()
    assert all(number in line for number, line in zip(numbers, found, strict=True)), found


PAIR = [f"I see {n} cats.\tVeo {n} gatos." for n in "one two three four five six".split()]
PAIRS: dict[str, tuple[str, str]] = {
    "Tatoeba's four columns": (
        "".join(
            f"{n}\t{p.replace(chr(9), f'{chr(9)}{n + 99}{chr(9)}')}\n" for n, p in enumerate(PAIR)
        ),
        "columns 2 and 4 are read",
    ),
    "a header": ("english\tspanish\n" + "\n".join(PAIR) + "\n", "line 1 is a header"),
    "half pairs": ("\n".join([*PAIR, "I see.\t", "We see.\t"]) + "\n", "2 lines with one sentence"),
    "marks and Windows' line ends": ("\ufeff" + "\r\n".join(PAIR) + "\r\n", "pairs: 6"),
}


@pytest.mark.parametrize("case", PAIRS)
def test_pairs(case: str, run_dlcc: Callable[..., Any], tmp_path: Path) -> None:
    text, said = PAIRS[case]
    put(tmp_path, {"a.tsv": text})
    result = run_dlcc("data", tmp_path / "a.tsv")
    assert result.exit_code == 0, result.stderr
    assert "pairs: 6" in result.stdout
    assert said in result.stdout
    assert "I see one cats. → Veo one gatos." in result.stdout


@pytest.mark.parametrize(
    "case", ["CMYK.jpg", "palette.png", "grey 16 bits.png", "jpeg.jfif", "moving.gif"]
)
def test_pictures(case: str, run_dlcc: Callable[..., Any], tmp_path: Path) -> None:
    path = tmp_path / case
    modes = {"CMYK.jpg": "CMYK", "palette.png": "P", "grey 16 bits.png": "I;16"}
    kinds = {".jpg": "JPEG", ".png": "PNG", ".jfif": "JPEG", ".gif": "GIF"}
    path.write_bytes(picture(kinds[path.suffix], mode=modes.get(case, "RGB")))
    result = run_dlcc("vit", "predict", path, "--no-attention", "--top", "1")
    assert result.exit_code == 0, result.stderr
    assert "%" in result.stdout
