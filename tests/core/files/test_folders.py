"""Which part and class a file belongs to; what is not plain is asked about."""

import random
import stat
import tarfile
import zipfile
from io import BytesIO
from pathlib import Path

import pytest

from dlcc.core.errors import DataError, UsageError
from dlcc.core.files.archives import each_file
from dlcc.core.files.folders import part_of, sort_files


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("Train", "train"),
        ("TRAINING", "train"),
        ("train_images", "train"),
        ("training-set", "train"),
        ("images_train", "train"),
        ("val", "validation"),
        ("Valid", "validation"),
        ("dev", "validation"),
        ("Testing", "test"),
        ("test data", "test"),
        ("trainer", ""),
        ("images", ""),
        ("trains", ""),
    ],
)
def test_parts_are_known_in_every_usual_spelling(name: str, part: str) -> None:
    assert part_of(name) == part


def made(pattern: str, **rest: int) -> list[str]:
    return [
        pattern.format(p=p, c=c, n=n)
        for p in ("train", "test")
        for c in ("cat", "dog")
        for n in range(2)
    ]


@pytest.mark.parametrize(
    "pattern",
    ["{p}/{c}/{n}", "x/{p}/{c}/{n}", "{p}/images/{c}/{n}", "images/{p}/{c}/{n}", "{p}_set/{c}/{n}",
     "{p}/{c}/images/{n}", "a/b/{p}/data/{c}/{n}"],
)  # fmt: skip
def test_parts_at_any_level(pattern: str) -> None:
    found = sort_files(made(pattern), "here")
    assert found.table() == "train: cat 2, dog 2; test: cat 2, dog 2"
    assert not found.passed


def test_without_parts_the_folder_is_the_class() -> None:
    names = ["data/cat/1", "data/dog/2", "data/README.txt", "data/notes", "data/cat/licence.txt"]
    found = sort_files(names, "here")
    assert found.table() == "all: cat 1, dog 1"
    assert found.left_out() == "1 beside the class folders, 2 readmes and licences"
    assert sort_files(["bus/1", "train/2", "car/3"], "here").table() == "all: bus 1, car 1, train 1"
    assert sort_files(["a/1", "a/2"], "here").table() == "all: a 2"


def test_what_lies_beside_the_parts_is_counted() -> None:
    found = sort_files([*made("{p}/{c}/{n}"), "extra/cat/1"], "here")
    assert found.left_out() == "1 beside the parts"


@pytest.mark.parametrize(
    ("names", "message", "table"),
    [
        (made("{c}/{p}/{n}"), "parts lie below folders that differ", "train: cat 2, dog 2; test"),
        (made("{c}/s{n}/{p}"), "2 levels of folders differ", "all: cat 4, dog 4"),
        (["neg/2019/a", "neg/2020/b", "pos/c"], "several depths .neg/2019/a.", "all: neg 2, pos 1"),
    ],
)
def test_what_is_not_plain_is_asked(names: list[str], message: str, table: str) -> None:
    with pytest.raises(UsageError, match=rf"classes_at: here: .*{message}.*level 1: "):
        sort_files(names, "here")
    assert sort_files(names, "here", level=1).table().startswith(table)


@pytest.mark.parametrize(
    ("others", "kinds"), [(["x/c/1.heic"], r"only \.heic"), (["x/c/"], "nothing")]
)
def test_a_class_that_would_vanish_is_an_error(others: list[str], kinds: str) -> None:
    with pytest.raises(DataError, match=rf"the class c has no examples that can be read, {kinds}"):
        sort_files(["x/a/1", "x/b/1"], "here", others=others)
    sort_files(["x/a/1", "x/b/1"], "here", others=["x/a/2.heic", "x/b/sub/3.txt", "notes.md"])


def read(path: Path) -> tuple[dict[str, bytes], list[tuple[str, str]]]:
    passed: list[tuple[str, str]] = []
    found = each_file(path, lambda n: n.endswith(".txt"), lambda n, why: passed.append((n, why)))
    return dict(found), passed


def test_linked_folders_are_followed_once(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "there/a.txt").write_text("a")
    root = tmp_path / "root"
    (root / "own").mkdir(parents=True)
    (root / "own/b.txt").write_text("b")
    (root / "linked").symlink_to(tmp_path / "there")
    (root / "own/around").symlink_to(root)
    (root / "own/nothing.txt").symlink_to(tmp_path / "gone")
    found, passed = read(root)
    assert found == {"linked/a.txt": b"a", "own/b.txt": b"b"}
    assert sorted(passed) == [
        ("own/around", "linked twice"),
        ("own/nothing.txt", "links to nothing"),
    ]


def test_hard_and_symbolic_links_in_a_tar(tmp_path: Path) -> None:
    path = tmp_path / "data.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for name, kind, target in (
            ("early/1.txt", tarfile.SYMTYPE, "../a/1.txt"),
            ("a/1.txt", tarfile.REGTYPE, ""),
            ("b/2.txt", tarfile.LNKTYPE, "a/1.txt"),
            ("c", tarfile.SYMTYPE, "a"),
            ("d/3.txt", tarfile.SYMTYPE, "../b/2.txt"),
            ("out.txt", tarfile.SYMTYPE, "../../etc/passwd"),
            ("none.txt", tarfile.SYMTYPE, "missing.txt"),
            ("pipe.txt", tarfile.FIFOTYPE, ""),
        ):
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, target
            member.size = 3 if kind == tarfile.REGTYPE else 0
            archive.addfile(member, BytesIO(b"one"))
    found, passed = read(path)
    assert sorted(found) == ["a/1.txt", "b/2.txt", "c/1.txt", "d/3.txt", "early/1.txt"]
    assert set(found.values()) == {b"one"}
    assert sorted(passed) == [
        ("none.txt", "links to nothing"),
        ("out.txt", "no files, or links that lead out"),
        ("pipe.txt", "no files, or links that lead out"),
    ]


def test_links_in_a_zip(tmp_path: Path) -> None:
    path = tmp_path / "data.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a/1.txt", "one")
        for name, target in (("b.txt", "a/1.txt"), ("c", "a"), ("d.txt", "../../x")):
            member = zipfile.ZipInfo(name)
            member.create_system, member.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
            archive.writestr(member, target)
    found, passed = read(path)
    assert found == {"a/1.txt": b"one", "b.txt": b"one", "c/1.txt": b"one"}
    assert passed == [("d.txt", "no files, or links that lead out")]


def zipped(files: dict[str, bytes]) -> bytes:
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def test_archives_in_archives_and_folders(tmp_path: Path) -> None:
    parts = {f"{part}.zip": zipped({f"{part}/a/1.txt": b"one"}) for part in ("train", "test")}
    (tmp_path / "all.zip").write_bytes(zipped(parts))
    folder = tmp_path / "folder"
    folder.mkdir()
    for name, data in parts.items():
        (folder / name).write_bytes(data)
    for path in (tmp_path / "all.zip", folder):
        assert set(read(path)[0]) == {"train/train/a/1.txt", "test/test/a/1.txt"}
    (folder / "a.txt").write_text("here")
    found, passed = read(folder)
    assert found == {"a.txt": b"here"}
    assert [name for name, _ in passed] == ["test.zip", "train.zip"]
    (tmp_path / "bad.zip").write_bytes(zipped({"in.zip": b"no archive"}))
    with pytest.raises(DataError, match=r"bad.zip: in.zip is damaged or no archive"):
        read(tmp_path / "bad.zip")


def test_archives_in_a_tar_and_empty_folders(tmp_path: Path) -> None:
    path = tmp_path / "all.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for name, data in (("train.zip", zipped({"a/1.txt": b"one"})), ("b/2.txt", b"two")):
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, BytesIO(data))
        for name in ("b", "c"):
            folder = tarfile.TarInfo(name)
            folder.type = tarfile.DIRTYPE
            archive.addfile(folder)
    found, passed = read(path)
    assert found == {"train/a/1.txt": b"one", "b/2.txt": b"two"}
    assert passed == [("c/", "empty folders")]


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
def test_drawings_shrink_like_bombs_and_are_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr("dlcc.core.files.honest._SLACK", 2**19)
    files = {f"a/{n}.bmp": bytes(2**20) for n in range(4)}
    path = tmp_path / f"a.{kind}"
    path.write_bytes(zipped(files))
    if kind == "tar.gz":
        with tarfile.open(path, "w:gz") as archive:
            for name, data in files.items():
                member = tarfile.TarInfo(name)
                member.size = len(data)
                archive.addfile(member, BytesIO(data))
    assert len(list(each_file(path, lambda name: name.endswith(".bmp")))) == 4


def test_names_in_an_old_encoding(tmp_path: Path) -> None:
    folder = bytes(tmp_path) + b"/caf\xe9"
    Path(folder.decode(errors="surrogateescape")).mkdir()
    with open(folder + b"/a.txt", "wb") as file:
        file.write(b"a")
    assert read(tmp_path)[0] == {"café/a.txt": b"a"}


def test_zips_of_other_systems(tmp_path: Path) -> None:
    inner, path = tmp_path / "in.zip", tmp_path / "a.zip"
    with zipfile.ZipFile(inner, "w") as archive:
        archive.writestr("x/deep.txt", b"deep")
    with zipfile.ZipFile(path, "w") as archive:
        backslashes = zipfile.ZipInfo("a")
        backslashes.filename = "data\\cat\\1.txt"
        archive.writestr(backslashes, b"one")
        archive.writestr("cafX/2.txt", b"two")
        archive.writestr("cat/Thumbs.db", b"junk")
        archive.write(inner, "train.zip")
    data = path.read_bytes().replace(b"cafX", "caé".encode())
    path.write_bytes(data)
    found, passed = read(path)
    assert found == {"data/cat/1.txt": b"one", "caé/2.txt": b"two", "train/x/deep.txt": b"deep"}
    assert passed == [("cat/Thumbs.db", "left behind by a system")]


@pytest.mark.parametrize(
    ("offset", "value", "message"), [(8, 1, "encrypted"), (10, 9, "Deflate64")]
)
def test_what_cannot_be_unpacked_is_named(
    tmp_path: Path, offset: int, value: int, message: str
) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/1.txt", b"one" * 50)
    data = bytearray(path.read_bytes())
    data[data.index(b"PK\x01\x02") + offset] = value
    path.write_bytes(data)
    with pytest.raises(DataError, match=message):
        read(path)


@pytest.mark.parametrize("count", [40, pytest.param(500, marks=pytest.mark.slow)])
def test_damaged_archives_are_read_as_zipfile_reads_them_or_refused(
    tmp_path: Path, count: int
) -> None:
    draw, path, whole = random.Random(0), tmp_path / "a.zip", 0
    for _ in range(count):
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for n in range(draw.randrange(1, 9)):
                archive.writestr(f"{draw.choice('ab')}/{n}.txt", draw.randbytes(draw.randrange(90)))
        data = bytearray(path.read_bytes())
        for _ in range(draw.randrange(3)):
            data[draw.randrange(len(data))] = draw.randrange(256)
        path.write_bytes(data)
        try:
            found, _ = read(path)
        except DataError:
            continue
        with zipfile.ZipFile(path) as archive:
            wanted = [
                name
                for name in archive.namelist()
                if name.endswith(".txt") and not any(p.startswith(".") for p in name.split("/"))
            ]
            assert len(found) == len(set(wanted))
        whole += 1
    assert whole > count / 5
