"""Every folder and file the program touches on its own, and the one way it writes a file.

`DLCC_HOME` moves all of it into one folder; without it the platform's own places are used.
"""

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path

import platformdirs

from dlcc.core.errors import DataError, DlccError, reason_of

_MAX_STREAM = 2**28  # bytes of a pipe or a device, which says of no end


def cache_dir() -> Path:
    """Downloads and decoded data sets: may be deleted at any time."""
    return _home("cache") or Path(platformdirs.user_cache_dir("dlcc", appauthor=False))


def runs_dir() -> Path:
    """Training runs, one folder each: checkpoints, metrics, traces."""
    data = _home("data") or Path(platformdirs.user_data_dir("dlcc", appauthor=False))
    return data / "runs"


def log_file() -> Path:
    """Where the viewer writes what went wrong behind the screen."""
    logs = _home("log") or Path(platformdirs.user_log_dir("dlcc", appauthor=False))
    return logs / "dlcc.log"


def remembered_file() -> Path:
    """What the viewer remembers: looks, what was opened, lessons that are done."""
    config = _home("config") or Path(platformdirs.user_config_dir("dlcc", appauthor=False))
    return config / "remembered.json"


def asset(name: str) -> Path:
    """A file or folder that was installed with the program.

    Raises:
        DataError: the installation lacks it.
    """
    path = Path(str(resources.files("dlcc.assets"))) / name
    if not path.exists():
        raise DataError(f"the installation lacks {name}: install dlcc again")
    return path


def read_bytes(path: Path) -> bytes:
    """All of a file.

    Raises:
        DataError: it cannot be read.
    """
    with being_read(path):
        if path.is_file():
            return path.read_bytes()
        with path.open("rb") as stream:
            data = stream.read(_MAX_STREAM + 1)
    if len(data) > _MAX_STREAM:
        raise DataError(f"{path} has no end: more than {_MAX_STREAM >> 20} MiB came")
    return data


@contextmanager
def being_read(what: object, fault: str = "is damaged ({})") -> Iterator[None]:
    """Within it, whatever the content of a file makes its reader raise is a fault of the file.

    Parsers raise what nobody listed: recursion, bad sizes, errors of the C libraries below.

    Args:
        what: the file, or a line of it.
        fault: what is said of it; {} is the reason.

    Raises:
        DataError: in place of every exception but those that say already what to do.
    """
    try:
        yield
    except DlccError:
        raise
    except OSError as error:
        raise DataError(f"cannot read {what}: {reason_of(error)}") from error
    except Exception as error:
        reason = str(error).split("\n")[0].rstrip(":") or type(error).__name__
        raise DataError(f"{what} {fault.format(reason[:200])}") from error


def write_atomically(path: Path, write: Callable[[Path], object]) -> None:
    """Have `write` fill a temporary file beside `path`, then rename it: all of it or nothing.

    Raises:
        DataError: the folder or the file cannot be written.
    """
    if path.exists() and not path.is_file():
        raise DataError(f"cannot write {path}: it is no ordinary file")
    path = path.resolve()  # a link stays a link
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise DataError(f"cannot write {path}: {error.filename} is no folder") from error
    except OSError as error:
        raise DataError(f"cannot write {path}: {error.strerror}") from error
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as error:
        raise DataError(f"cannot write {path}: {error.strerror}") from error
    os.close(handle)
    temporary = Path(name)
    try:
        write(temporary)
        with temporary.open("r+b") as written:  # Windows syncs no file that is open to read
            os.fsync(written.fileno())
        temporary.chmod(0o666 & ~_umask())  # mkstemp's 0600 would hide a shared result
        temporary.replace(path)
    except OSError as error:
        raise DataError(f"cannot write {path}: {reason_of(error)}") from error
    finally:
        temporary.unlink(missing_ok=True)


def _home(kind: str) -> Path | None:
    home = os.environ.get("DLCC_HOME")
    return Path(home).expanduser() / kind if home else None


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
