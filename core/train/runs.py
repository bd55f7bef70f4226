"""A run folder: how it was begun, who writes into it, where it is; without torch.

run.json        how it was begun, with the places of the data; it goes with no checkpoint
lock            there while a training writes; the system lets go of it when that ends or dies
metrics.jsonl   a line an epoch
last, best      checkpoints; `last` has all that resuming needs
traces          the attention of each epoch
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from dlcc.core.errors import DataError, UsageError
from dlcc.core.files.paths import being_read, read_bytes, runs_dir, write_atomically
from dlcc.core.train.folders import read_header, whole

RECORD, METRICS = "run.json", "metrics.jsonl"
_LOCK = "lock"
_PATIENCE = 1.0  # seconds; who only asks whether a run is written holds its lock for a moment
_VERSION = 1


def is_run(folder: Path) -> bool:
    """Whether a training was begun there."""
    return (folder / RECORD).is_file() or whole(folder / "last").is_dir()


def is_trained(run: Path) -> bool:
    """Whether there is a state to go on from."""
    return whole(run / "last").exists()


def find_run(name: str) -> Path:
    """A run by its path, by that of one of its checkpoints, or by its name among all runs.

    Raises:
        DataError: there is none.
    """
    for folder in (Path(name), Path(name).parent, runs_dir() / name):
        if is_run(folder):
            return folder
    missing = not Path(name).exists()
    raise DataError(f"{name} is no run: {'nothing is there' if missing else 'none began there'}")


def kind_of(run: Path) -> str:
    """The name of the recipe that a run was begun with; of an older run, the kind of its model.

    Raises:
        DataError: the run is damaged.
    """
    record = read_record(run)
    return str(record["recipe"] if record else read_header(whole(run / "last"))["kind"])


def read_record(run: Path) -> dict[str, Any] | None:
    """What `write_record` wrote; None of a run of an earlier version.

    Raises:
        DataError: it is damaged, or of a newer version.
    """
    path = run / RECORD
    if not path.exists():
        return None
    with being_read(path):
        record = dict(json.loads(read_bytes(path)))
        newer = record["format_version"] != _VERSION
        _ = str(record["recipe"]), dict(record["values"]), list(record["given"])
    if newer:
        raise DataError(f"{path} has format {record['format_version']}: install a newer dlcc")
    return record


def write_record(run: Path, recipe: str, begun: Mapping[str, Any]) -> None:
    """Write how a run was begun, or how it is gone on with.

    Args:
        run: its folder.
        recipe: the name of its recipe.
        begun: as `Chosen.begun` has it.

    Raises:
        DataError: it cannot be written.
    """
    now = datetime.now().astimezone().isoformat(timespec="seconds")
    before = read_record(run) or {"started": now}
    record = {"format_version": _VERSION, "recipe": recipe, "started": before["started"], **begun}
    text = json.dumps(record, indent=2, ensure_ascii=False)
    write_atomically(run / RECORD, lambda temporary: temporary.write_text(text, encoding="utf-8"))


@contextmanager
def alone_in(run: Path) -> Iterator[None]:
    """Within it no other process writes into a run folder, which is made where it is missing. What
    fails before anything was trained leaves no folder that was not there.

    Raises:
        UsageError: another process does.
        DataError: the folder cannot be made.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(run / _LOCK)
    try:
        is_new = not run.exists() or not any(run.iterdir())
        run.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=_PATIENCE)
    except Timeout:
        raise UsageError(
            "another process trains there: wait for it, or stop it", "run", run
        ) from None
    except OSError as error:
        raise DataError(f"cannot write {run}: {error.strerror or error}") from error
    try:
        yield
    finally:
        with suppress(OSError):
            (run / _LOCK).unlink()  # while it is held: who comes next makes another
            if is_new and not is_trained(run):
                (run / RECORD).unlink(missing_ok=True)
                run.rmdir()
        lock.release()


def is_written(run: Path) -> bool:
    """Whether a process trains there now."""
    from filelock import FileLock, Timeout

    if not (run / _LOCK).exists():
        return False
    lock = FileLock(run / _LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return True
    except OSError:  # another's folder
        return False
    lock.release()
    return False
