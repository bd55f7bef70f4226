"""The folder of a checkpoint, whole or not there, and what it says of itself; without torch.

A folder is written beside its place and renamed. What it holds says `checkpoint`.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dlcc.core.errors import DataError
from dlcc.core.files.paths import being_read, read_bytes

FORMAT_VERSION = 1
CONFIG = "config.json"


def read_about(folder: Path) -> dict[str, Any]:
    """What a checkpoint says of how it was made; its other files are not read.

    Raises:
        DataError: no checkpoint there, of a newer format, or damaged.
    """
    about: dict[str, Any] = read_header(whole(folder))["about"]
    return about


def read_header(folder: Path) -> dict[str, Any]:
    """What `checkpoint` wrote into config.json.

    Raises:
        DataError: no checkpoint there, of a newer format, or damaged.
    """
    path = folder / CONFIG
    if not path.is_file():
        raise DataError(f"no checkpoint in {folder}: it has no {CONFIG}")
    with being_read(path):
        header = json.loads(read_bytes(path))
        if "format_version" not in header and (kind := _foreign(header)):
            raise DataError(
                f"{folder} is a model from elsewhere ({kind}), no checkpoint of this program: "
                "vit train takes pictures' models as a backbone, look hf opens texts'"
            )
        version_there, files = header["format_version"], dict(header["sha256"])
        missing = {"kind", "config", "about"} - header.keys()
        for name in ("config", "about"):
            dict(header.get(name, ()))
    if version_there != FORMAT_VERSION:
        raise DataError(f"{path} has format {version_there}: install a newer dlcc")
    if missing:
        raise DataError(f"{path} is damaged (it lacks {', '.join(sorted(missing))})")
    if any("/" in name or "\\" in name for name in files):
        raise DataError(f"{path} names a file outside its folder")
    found: dict[str, Any] = header
    return found


def _foreign(header: dict[str, Any]) -> str:
    """What Hugging Face's or timm's config.json says of a model; nothing where it is neither."""
    return next((str(header[k]) for k in ("model_type", "architecture") if header.get(k)), "")


def best_of(folder: Path) -> Path:
    """The best checkpoint of a training run, or the folder itself where it is no run."""
    best = whole(folder / "best")
    return best if best.is_dir() else folder


def copy_checkpoint(folder: Path, to: Path) -> None:
    """Copy a checkpoint, every file checked against its hash.

    Raises:
        DataError: it is damaged, or something else lies there, or it cannot be written.
    """
    folder = whole(folder)
    contents = {name: read_bytes(folder / name) for name in read_header(folder)["sha256"]}
    check_hashes(folder, contents)
    write_folder(to, {**contents, CONFIG: read_bytes(folder / CONFIG)})


def check_hashes(folder: Path, contents: Mapping[str, bytes]) -> None:
    """Compare files with what the config of their folder says of them.

    Raises:
        DataError: one is another.
    """
    expected = read_header(folder)["sha256"]
    for name, data in contents.items():
        if hashlib.sha256(data).hexdigest() != expected[name]:
            raise DataError(f"{folder / name} is damaged: its checksum differs from {CONFIG}")


def whole(folder: Path) -> Path:
    """`folder`; where writing was cut off between two renames, the new one, which is whole then."""
    new, old = _beside(folder)
    if folder.exists() or not (new.exists() or old.exists()):
        return folder
    try:
        read_header(new)  # it is written last
    except DataError:
        return old if old.exists() else folder
    return new


def write_folder(folder: Path, contents: Mapping[str, bytes]) -> None:
    """Write beside `folder`, then rename. The folder is missing between two renames alone, while
    the new and the old one are whole; what was cut off there is finished first."""
    new, old = _beside(folder)
    if folder.exists() and not _is_checkpoint(folder):
        raise DataError(f"{folder} exists and is no checkpoint: choose another folder")
    try:
        settle(folder)
        _fill(new, contents)
        shutil.rmtree(old, ignore_errors=True)
        if folder.exists():
            folder.replace(old)
        new.replace(folder)
        shutil.rmtree(old, ignore_errors=True)
    except OSError as error:
        raise DataError(f"cannot write {folder}: {error.strerror}") from error


def settle(folder: Path) -> None:
    """Finish what was cut off when a checkpoint was written, and take away what is left of it."""
    if (found := whole(folder)) != folder:
        found.replace(folder)
    for rest in _beside(folder):
        shutil.rmtree(rest, ignore_errors=True)


def _beside(folder: Path) -> tuple[Path, Path]:
    """Where its successor is written, and where it is set aside."""
    return folder.with_name(f".{folder.name}.new"), folder.with_name(f".{folder.name}.old")


def _fill(folder: Path, contents: Mapping[str, bytes]) -> None:
    """Write files into a new folder, in their order, or leave none: a full disk has no room."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        for name, data in contents.items():
            with (folder / name).open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _is_checkpoint(folder: Path) -> bool:
    return (folder / CONFIG).is_file() or not any(folder.iterdir())
