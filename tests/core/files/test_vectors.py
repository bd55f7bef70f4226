"""Word vectors: the bundled ones, and text files in every wrapping, whole and damaged."""

import gzip
import hashlib
import json
import tracemalloc
import zipfile

import numpy as np
import pytest
from safetensors.numpy import save_file

from dlcc.core.errors import DataError, UsageError
from dlcc.core.files import vectors
from dlcc.core.files.paths import asset
from dlcc.core.files.vectors import BUNDLED, look_up

VECTOR = np.array([1, 2, -3], "<f4")
LINES = ["the 1 0 0.5", "cat 0 2 -1e-3", "Cat 9 9 9", "sat 0.25 1 3", "café 7 8 9"]


@pytest.fixture
def write(tmp_path):
    def write(lines, name="vectors.txt"):
        path = tmp_path / name
        path.write_bytes("".join(f"{line}\n" for line in lines).encode())
        return path

    return write


def test_the_bundled_vectors_are_glove():
    found = look_up(["the", "THE", "antananarivo", "n't", "xyzzyq", "\n", "xyzzyq", ""])
    assert found.vectors.shape == (8, 50)
    assert found.vectors.dtype == np.float32
    # the first numbers of GloVe 6B 50d's first line, in half precision
    assert found.vectors[0, :3] == pytest.approx([0.418, 0.24968, -0.41242], abs=2e-4)
    assert np.array_equal(found.vectors[0], found.vectors[1])
    assert found.vectors[2].any()
    assert found.vectors[3].any()
    assert not found.vectors[4:].any()
    assert found.missing == ("xyzzyq", "\n", "")


def test_the_bundled_file_is_the_one_described():
    about = json.loads(asset("glove-6b-50d.json").read_text("utf-8"))
    file = asset(BUNDLED)
    assert hashlib.sha256(file.read_bytes()).hexdigest() == about["sha256"]
    assert about["words"] >= 40_000
    assert file.stat().st_size < 4.5e6


def test_as_written_then_lower_case_then_zeros(write):
    found = look_up(["Cat", "CAT", "The", "dog", "café", "dog"], write(LINES))
    assert found.vectors.tolist() == [
        [9, 9, 9],
        pytest.approx([0, 2, -1e-3]),
        [1, 0, 0.5],
        [0, 0, 0],
        [7, 8, 9],
        [0, 0, 0],
    ]
    assert found.missing == ("dog",)
    assert found.source == "vectors.txt"


@pytest.mark.parametrize("header", [[], ["5 3"]], ids=["glove", "word2vec"])
@pytest.mark.parametrize("wrapping", ["plain", "gz", "zip", "inside a zip", "tabs", "blanks"])
def test_every_wrapping_gives_the_same(write, tmp_path, header, wrapping):
    path = write(header + LINES)
    if wrapping == "gz":
        packed = tmp_path / "vectors.txt.gz"
        packed.write_bytes(gzip.compress(path.read_bytes()))
        path = packed
    elif "zip" in wrapping:
        packed = tmp_path / "vectors.zip"
        with zipfile.ZipFile(packed, "w") as archive:
            archive.write(path, "a/vectors.txt")
            if wrapping == "inside a zip":
                archive.writestr("a/other.txt", "the 5 5\n")
        path = packed / "a/vectors.txt" if wrapping == "inside a zip" else packed
    elif wrapping == "tabs":
        path = write([line.replace(" ", "\t") for line in header + LINES])
    elif wrapping == "blanks":  # word2vec's own tool ends lines with one
        path = write([f"{line} " for line in header + LINES])
    found = look_up(["sat", "the"], path)
    assert found.vectors.tolist() == [[0.25, 1, 3], [1, 0, 0.5]]


def test_words_with_blanks_in_them_are_passed_over(write):
    path = write([LINES[0], ". . . 1 2 3", "at name@x 4 5 6", LINES[3]])
    assert look_up(["sat", "."], path).vectors.tolist() == [[0.25, 1, 3], [0, 0, 0]]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([*LINES, "dog 1 2"], "line 6: fewer than 3 numbers"),
        ([*LINES, "dog 1 2 3 sat 1 2 3"], "line 6: more than 3 numbers"),
        ([*LINES[:2], "dog 1 x 3"], "line 3: could not convert string to float: b'x'"),
        (["5 3", *LINES[:2], "dog 1 nan 3", LINES[3]], "line 4: NaN or infinity"),
        (["hello"], "line 1: neither a word with its numbers nor a word2vec header"),
        ([], "line 1: neither a word"),
        (["the a b c"], "line 1: could not convert"),
        (["9 3", *LINES], "ends after line 6, its first line promises 9 words"),
    ],
)
def test_a_damaged_file_names_the_line(write, lines, message):
    with pytest.raises(DataError, match=message):
        look_up(["dog"], write(lines))


def test_a_binary_file_is_told_from_a_text_file(write, tmp_path):
    path = tmp_path / "vectors.bin"
    path.write_bytes(b"2 3\nthe \x00\x01\x02\n\xff\xfe\x00 dog \x9a\x99")
    with pytest.raises(DataError, match=r"ends after 1 of the 2 words"):
        look_up(["dog"], path)
    path.write_bytes(b"2 3\nthe " + VECTOR.tobytes() + b"\ndog " + (2 * VECTOR).tobytes() + b"\n")
    assert look_up(["dog", "the"], path).vectors.tolist() == [[2, 4, -6], [1, 2, -3]]
    path.write_bytes(vectors._FASTTEXT + b"\x0c\0\0\0")
    with pytest.raises(DataError, match=r"fastText's own binary file: take its \.vec file"):
        look_up(["dog"], path)


@pytest.mark.parametrize(
    "lines",
    [
        ["5 3", *(line.replace(" ", "\t") for line in LINES)],
        [line.replace(" ", "  ") for line in LINES],
        ["\ufeff" + LINES[0], *LINES[1:]],
        ["\ufeff5 3", *LINES],
        [". . . 9 9 9", *LINES],
        [*LINES[:2], "", " 7 7 7", *LINES[2:], ""],
        ["1 9 9 9", "2009 8 8 8", *LINES],
    ],
    ids=["tab rows", "two blanks", "mark", "mark and header", "blanks first", "feeds", "numbers"],
)
def test_odd_lines_do_not_change_what_is_read(write, lines):
    found = look_up(["sat", "the", "none"], write(lines))
    assert found.vectors.tolist() == [[0.25, 1, 3], [1, 0, 0.5], [0, 0, 0]]


@pytest.mark.parametrize("wrapping", ["gz", "zip"])
def test_what_packs_a_file_is_found_whatever_its_name(write, tmp_path, wrapping):
    plain, packed = write(LINES), tmp_path / "vectors.VEC"
    if wrapping == "gz":
        packed.write_bytes(gzip.compress(plain.read_bytes()))
    else:
        with zipfile.ZipFile(packed, "w") as archive:
            archive.write(plain, "vectors.txt")
    assert look_up(["the"], packed).vectors.tolist() == [[1, 0, 0.5]]


def test_a_table_of_numbers_with_its_words_beside_it(tmp_path):
    matrix = np.array([[1, 2], [3, 4]], np.float16)
    np.save(tmp_path / "a.npy", matrix)
    with pytest.raises(DataError, match=r"needs its words: put them beside it, in a\.txt"):
        look_up(["dog"], tmp_path / "a.npy")
    (tmp_path / "vocab.json").write_text('{"dog": 1, "the": 0}')
    assert look_up(["dog"], tmp_path / "a.npy").vectors.tolist() == [[3, 4]]
    (tmp_path / "a.txt").write_text("the\ndog\ncat\n")
    with pytest.raises(DataError, match=r"a\.txt has 3 words, a\.npy 2 vectors"):
        look_up(["dog"], tmp_path / "a.npy")
    save_file({"embeddings": matrix}, tmp_path / "b.safetensors")
    (tmp_path / "b.vocab").write_text("the\t99\ndog\t7\n")
    assert look_up(["the"], tmp_path / "b.safetensors").vectors.tolist() == [[1, 2]]


def test_a_cut_archive_says_how_far_it_was_read(write, tmp_path):
    rng = np.random.default_rng(0)
    lines = [f"w{n} " + " ".join(map(str, rng.normal(size=3))) for n in range(5000)]
    packed = gzip.compress(write(lines).read_bytes())
    cut = tmp_path / "cut.gz"
    cut.write_bytes(packed[: len(packed) // 2])
    with pytest.raises(DataError, match=r"cannot read .*cut.gz after line \d{3,}"):
        look_up(["dog"], cut)
    fake = tmp_path / "fake.zip"
    fake.write_bytes(b"no archive")
    with pytest.raises(DataError, match="cannot read"):
        look_up(["dog"], fake)


def test_a_missing_file_and_an_archive_of_several(tmp_path):
    with pytest.raises(DataError, match="there is no such file"):
        look_up(["dog"], tmp_path / "none.txt")
    with zipfile.ZipFile(tmp_path / "two.zip", "w") as archive:
        archive.writestr("a.txt", "the 1 2 3\n")
        archive.writestr("b.txt", "the 4 5\n")
    with pytest.raises(UsageError, match=r"holds 2 files; name one, such as .*two.zip/a.txt"):
        look_up(["the"], tmp_path / "two.zip")
    with pytest.raises(DataError, match=r"holds no c\.txt; it holds a\.txt, b\.txt"):
        look_up(["the"], tmp_path / "two.zip" / "c.txt")
    assert look_up(["the"], tmp_path / "two.zip" / "b.txt").vectors.tolist() == [[4, 5]]


def test_progress_counts_the_bytes_of_the_file(write, tmp_path):
    path = write([f"w{n} 1 2 3" for n in range(12_000)])
    seen = []
    look_up(["dog"], path, lambda done, total: seen.append((done, total)))
    assert len(seen) == 2
    assert all(0 < done <= total == path.stat().st_size for done, total in seen)


def test_reading_stops_when_every_word_is_found(write):
    path = write([*LINES, "a damaged line"])
    assert look_up(["cat", "sat"], path).missing == ()


@pytest.mark.parametrize("wrapping", ["plain", "gz", "zip"])
def test_a_line_without_an_end_is_not_read_to_its_end(write, tmp_path, monkeypatch, wrapping):
    monkeypatch.setattr(vectors, "_MAX_LINE", 2**10)
    path = write(["the 1 2", "cat " + "1 " * 2**20])
    if wrapping == "gz":
        data = gzip.compress(path.read_bytes())
        path = tmp_path / "vectors.gz"
        path.write_bytes(data)
    elif wrapping == "zip":
        with zipfile.ZipFile(tmp_path / "vectors.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            archive.write(path, "vectors.txt")
        path = tmp_path / "vectors.zip"
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match=r"line 2: more than \d+ MiB"):
            look_up(["cat"], path)
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "header", ["0 0", "0 1000000000", "0 100000000", "9" * 5000 + " 5", "5 " + "9" * 5000, "3 0"]
)
def test_a_header_that_no_file_has_is_damage(write, header):
    with pytest.raises(DataError, match="header that no file has"):
        look_up(["the"], write([header, "the 1 2"]))


def test_a_number_beyond_float32_is_damage(write):
    with pytest.raises(DataError, match="infinity"):
        look_up(["the"], write(["the 1e39 1 2"]))


def test_a_zip_that_cannot_be_unpacked_says_why(write, tmp_path):
    path = tmp_path / "vectors.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("vectors.txt", "the 1 2\n")
    data = path.read_bytes()
    central = data.index(b"PK\x01\x02")
    for offset, value, reason in ((8, 1, "encrypted"), (10, 99, "compression method")):
        odd = bytearray(data)
        odd[offset - 2] = odd[central + offset] = value
        path.write_bytes(bytes(odd))
        with pytest.raises(DataError, match=reason):
            look_up(["the"], path)
