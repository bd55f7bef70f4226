"""Archives with random damage, against Python's own readers: no traceback, no wrong count."""

import io
import random
import tarfile
import zipfile
from pathlib import Path

import pytest

from dlcc.core.errors import DataError
from dlcc.core.files.archives import each_file
from dlcc.core.files.walk import unseen

ENDINGS = (".txt", ".TXT", ".jpg", ".heic", "")
KINDS = ("zip", "tar", "tar.gz", "tar.bz2", "tar.xz")


def made(kind: str, draw: random.Random) -> bytes:
    """An archive of some files in folders, hidden ones among them."""
    names = {
        f"{draw.choice(('', 'x/', './', '__MACOSX/'))}{draw.choice(('train', 'test', 'a'))}/"
        f"{draw.choice(('pos', 'neg', 'é', '.git'))}/{draw.choice(('', '._'))}{n}"
        f"{draw.choice(ENDINGS)}"
        for n in range(draw.randrange(1, 12))
    }
    buffer = io.BytesIO()
    if kind == "zip":
        with zipfile.ZipFile(buffer, "w", draw.choice((0, zipfile.ZIP_DEFLATED))) as archive:
            for name in sorted(names):
                archive.writestr(name, draw.randbytes(draw.randrange(200)))
    else:
        how = f"w:{kind[4:]}"
        form = draw.choice((tarfile.PAX_FORMAT, tarfile.GNU_FORMAT))
        with tarfile.open(fileobj=buffer, mode=how, format=form) as archive:  # type: ignore[call-overload]
            for name in sorted(names):
                member = tarfile.TarInfo(name)
                data = draw.randbytes(draw.randrange(200))
                member.size = len(data)
                archive.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def mutated(data: bytes, draw: random.Random) -> bytes:
    """Cut, or a few bytes changed, doubled or left out."""
    how = draw.randrange(5)
    if how == 0 or not data:
        return data
    if how == 1:
        return data[: draw.randrange(len(data))]
    changed = bytearray(data)
    for _ in range(draw.randrange(1, 4)):
        at = draw.randrange(len(changed))
        if how == 2:
            changed[at] = draw.randrange(256)
        elif how == 3:
            changed[at:at] = changed[at : at + draw.randrange(40)]
        else:
            del changed[at : at + draw.randrange(40)]
    return bytes(changed)


def independent(path: Path) -> dict[str, bytes] | None:
    """Names and contents of the visible texts as the standard library has them; None of damage."""
    found: dict[str, bytes] = {}
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                for member in archive.infolist():
                    if wanted(member.filename):
                        found[member.filename] = archive.read(member)
        else:
            with tarfile.open(path) as tar:
                for each in tar:
                    content = tar.extractfile(each) if each.isreg() else None
                    if content and wanted(each.name):
                        found[each.name] = content.read()
    except Exception:
        return None
    return found


def is_text(name: str) -> bool:
    return name.lower().endswith(".txt")


def wanted(name: str) -> bool:
    return is_text(name) and not unseen(name)


def read(path: Path) -> tuple[dict[str, bytes], list[str]] | DataError:
    """What we read, and why the rest was passed over; or why nothing was read."""
    passed: list[str] = []
    try:
        return dict(each_file(path, is_text, lambda _, why: passed.append(why))), passed
    except DataError as error:
        return error


def check(path: Path, numbers: range) -> int:
    """Compare; how many were read by both."""
    both = 0
    for number in numbers:
        draw = random.Random(number)
        kind = KINDS[number % len(KINDS)]
        path.write_bytes(mutated(made(kind, draw), draw))
        ours = read(path)
        if isinstance(ours, DataError):
            assert "\n" not in str(ours), number
            continue
        found, passed = ours
        theirs = independent(path)
        assert theirs is not None, f"{number}: {kind} read, but the standard library refuses it"
        if not any("link" in why for why in passed) and not any("\\" in name for name in theirs):
            assert found == theirs, f"{number}: {kind}"
            both += 1
    return both


def test_some_mutated_archives(tmp_path: Path) -> None:
    assert check(tmp_path / "data", range(60)) > 15


@pytest.mark.slow
def test_many_mutated_archives(tmp_path: Path) -> None:
    assert check(tmp_path / "data", range(1000, 1500)) > 100
