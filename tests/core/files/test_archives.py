"""Files in folders and archives; hostile and damaged ones are refused."""

import contextlib
import random
import tarfile
import zipfile
from io import BytesIO
from pathlib import Path

import pytest

from dlcc.core.errors import DataError
from dlcc.core.files import honest
from dlcc.core.files.archives import each_file

FILES = {"a/1.txt": b"one", "a/2.bin": b"two", "b/3.txt": b"three", ".hidden/4.txt": b"no"}


def made(folder: Path, kind: str, files: dict[str, bytes]) -> Path:
    path = folder / f"data.{kind}"
    if kind == "folder":
        for name, data in files.items():
            (path / name).parent.mkdir(parents=True, exist_ok=True)
            (path / name).write_bytes(data)
    elif kind == "zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in files.items():
                archive.writestr(name, data)
    else:
        with tarfile.open(path, "w:gz" if kind.endswith("gz") else "w") as archive:
            for name, data in files.items():
                member = tarfile.TarInfo(name)
                member.size = len(data)
                archive.addfile(member, BytesIO(data))
    return path


def texts(path: Path) -> dict[str, bytes]:
    return dict(each_file(path, lambda name: name.endswith(".txt")))


@pytest.mark.parametrize("kind", ["folder", "zip", "tar", "tar.gz"])
def test_the_wanted_files_are_read(tmp_path: Path, kind: str) -> None:
    assert texts(made(tmp_path, kind, FILES)) == {"a/1.txt": b"one", "b/3.txt": b"three"}


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
@pytest.mark.parametrize("name", ["../out.txt", "/etc/out.txt", "a/../../out.txt", "..\\out.txt"])
def test_a_path_outside_is_refused(tmp_path: Path, kind: str, name: str) -> None:
    with pytest.raises(DataError, match="outside its folder"):
        texts(made(tmp_path, kind, {"a/1.txt": b"one", name: b"bad"}))


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
def test_a_bomb_is_refused(tmp_path: Path, kind: str) -> None:
    zeros = bytes(2**26)
    path = made(tmp_path, kind, {"a/1.txt": zeros, "a/2.txt": zeros})
    assert path.stat().st_size < 2**18
    with pytest.raises(DataError, match="far too large"):
        texts(path)


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
def test_damage_and_truncation_are_named(tmp_path: Path, kind: str) -> None:
    path = made(tmp_path, kind, {f"a/{n}.txt": bytes(range(256)) * 40 for n in range(20)})
    whole = path.read_bytes()
    for data in (whole[: len(whole) // 2], whole[:10], b"", b"no archive at all" * 100):
        path.write_bytes(data)
        with pytest.raises(DataError, match="damaged or no archive"):
            texts(path)


def test_a_flipped_byte_in_a_zip_is_found(tmp_path: Path) -> None:
    path = made(tmp_path, "zip", {"a/1.txt": bytes(range(256)) * 40})
    data = bytearray(path.read_bytes())
    data[60] ^= 255
    path.write_bytes(bytes(data))
    with pytest.raises(DataError, match="damaged"):
        texts(path)


@pytest.mark.parametrize("kind", ["", "gz", "bz2", "xz"])
@pytest.mark.parametrize("header", [b"x", b"g", b"L", b"K"])
def test_a_header_of_many_bytes_is_not_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, header: bytes
) -> None:
    monkeypatch.setattr(honest, "MAX_HEADER", 2**14)
    read: list[int] = []
    path = tmp_path / "data.tar"
    with tarfile.open(path, f"w:{kind}") as archive:
        member = tarfile.TarInfo("a/1.txt")
        member.type, member.size = header, 2**20
        archive.addfile(member, BytesIO(bytes(2**20)))
    plain = honest.Unpacked.read

    def counted(self: honest.Unpacked, size: int) -> bytes:
        data = plain(self, size)
        read.append(len(data))
        return data

    monkeypatch.setattr(honest.Unpacked, "read", counted)
    with pytest.raises(DataError, match=r"header of .* far too large"):
        texts(path)
    assert sum(read) < 2**14


@pytest.mark.parametrize("kind", ["tar.gz", "tar.bz2", "tar.xz"])
def test_what_is_passed_over_counts_as_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(honest, "_SLACK", 2**14)
    path = tmp_path / "data"
    with tarfile.open(path, f"w:{kind[4:]}") as archive:
        for number in range(4):  # a sparse file says less of its size than it has
            member = tarfile.TarInfo(f"a/{number}.bin")
            member.size = 2**20
            archive.addfile(member, BytesIO(bytes(2**20)))
    monkeypatch.setattr(honest.Limit, "check", lambda *_: None)
    with pytest.raises(DataError, match="far too large"):
        texts(path)


@pytest.mark.parametrize("kind", ["gz", "bz2", "xz"])
def test_damage_of_every_packing_is_named(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "data"
    with tarfile.open(path, f"w:{kind}") as archive:
        for number in range(40):
            member = tarfile.TarInfo(f"a/{number}.txt")
            member.size = 999
            archive.addfile(member, BytesIO(random.Random(number).randbytes(999)))
    data = path.read_bytes()
    assert len(texts(path)) == 40
    for place in range(6, len(data) - 99, len(data) // 20):
        path.write_bytes(data[:place])
        with pytest.raises(DataError):
            texts(path)
        path.write_bytes(data[:place] + bytes([data[place] ^ 255]) + data[place + 1 :])
        with contextlib.suppress(DataError):  # some bytes mean nothing
            texts(path)


def test_a_member_without_a_name_is_no_crash(tmp_path: Path) -> None:
    path = made(tmp_path, "zip", {"x": b"a"})
    path.write_bytes(path.read_bytes().replace(b"x", b"", 1)[:-1])
    with pytest.raises(DataError):
        list(each_file(path, lambda name: True))


def test_links_are_not_followed(tmp_path: Path) -> None:
    path = tmp_path / "data.tar"
    with tarfile.open(path, "w") as archive:
        link = tarfile.TarInfo("a/1.txt")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    assert texts(path) == {}


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        texts(tmp_path / "none")
