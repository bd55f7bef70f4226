"""A run folder: how it was begun, who writes into it, where it is; without torch.

run.json        how it was begun, with the places of the data; it goes with no checkpoint
lock            there while a training writes; the system lets go of it when that ends or dies
metrics.jsonl   a line an epoch
last, best      checkpoints; `last` has all that resuming needs
traces          the attention of each epoch
"""

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from dlcc.core.errors import DataError, UsageError
from dlcc.core.files.paths import being_read, read_bytes, runs_dir, write_atomically
from dlcc.core.train.folders import read_header, settle, whole
from dlcc.core.train.metrics import METRICS

RECORD = "run.json"
_LOCK = "lock"
_KNOWN = "elsewhere.txt"  # the runs that lie in other places, a line each
_PATIENCE = 1.0  # seconds; who only asks whether a run is written holds its lock for a moment
_VERSION = 1
_OURS = (
    *(RECORD, _LOCK, METRICS, "traces", "tensorboard"),
    *(name for folder in ("last", "best") for name in (folder, f".{folder}.new", f".{folder}.old")),
)


def is_run(folder: Path) -> bool:
    """Whether a training was begun there."""
    return (folder / RECORD).is_file() or whole(folder / "last").is_dir()


def is_trained(run: Path) -> bool:
    """Whether there is a state to go on from."""
    return whole(run / "last").exists()


def find_run(name: str) -> Path:
    """A run by its path, by that of one of its checkpoints, or by its name among all runs.

    Raises:
        DataError: there is none, or there are several of that name.
    """
    for folder in (Path(name), Path(name).parent, runs_dir() / name):
        if is_run(folder):
            return folder
    if Path(name).exists():
        raise DataError(f"{name} is no run: none began there")
    alike = [run for run in all_runs() if run.name == name]
    if len(alike) > 1:
        raise DataError(f"{name} may be {' or '.join(map(str, alike))}: give its folder")
    if not alike:
        raise DataError(f"{name} is no run: nothing is there")
    return alike[0]


def name_of_run(run: Path) -> str:
    """What is typed for a run: its name where all runs are kept, else its path from here."""
    place = run.absolute()
    if place.is_relative_to(runs_dir().absolute()):
        return str(place.relative_to(runs_dir().absolute()))
    return str(place.relative_to(Path.cwd()) if place.is_relative_to(Path.cwd()) else place)


def all_runs(folders: Sequence[Path] = ()) -> list[Path]:
    """The runs in some folders; by default those in the runs' own place, in `runs` here, and
    wherever else one was begun."""
    places = folders or (runs_dir(), Path("runs"))
    found = [run for place in places for run in _below(place)]
    if not folders:
        found += [run for run in _elsewhere() if is_run(run)]
    return [*{run.resolve(): run for run in reversed(found)}.values()][::-1]


def _below(place: Path) -> list[Path]:
    """A folder where it is a run, else the runs in it, and in folders of several (a comparison)."""
    if is_run(place):
        return [place]
    try:
        folders = sorted(each for each in place.iterdir() if each.is_dir())
        deeper = [each if is_run(each) else [*each.iterdir()] for each in folders]
    except OSError:  # none there, or not to be read
        return []
    runs = [each for found in deeper for each in (found if isinstance(found, list) else [found])]
    return sorted(each for each in runs if is_run(each))


def _elsewhere() -> list[Path]:
    try:
        return [Path(line) for line in (runs_dir() / _KNOWN).read_text().splitlines()]
    except (OSError, UnicodeError):
        return []


def _remember(run: Path) -> None:
    """Note where a run is that nobody would look for; one that cannot be noted is found by path."""
    place = run.absolute()
    if runs_dir().absolute() in place.parents or place in _elsewhere():
        return
    with suppress(OSError):
        runs_dir().mkdir(parents=True, exist_ok=True)
        with (runs_dir() / _KNOWN).open("a") as known:
            known.write(f"{place}\n")


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
        json.dumps(record, ensure_ascii=False).encode()  # half a character is none
        newer = record["format_version"] != _VERSION
        _ = record["command"], record["started"]
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
    _remember(run)


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
        _clear(run)
        yield
    finally:
        with suppress(OSError):
            (run / _LOCK).unlink()  # while it is held: who comes next makes another
            if is_new and {path.name for path in run.iterdir()} <= {RECORD}:
                (run / RECORD).unlink(missing_ok=True)
                run.rmdir()
        lock.release()


def _clear(run: Path) -> None:
    """Finish or take away what a killed process left half done."""
    with suppress(OSError):  # who cannot write is told when it is tried
        for name in (RECORD, METRICS):
            for cut_off in run.glob(f".{name}.*"):
                cut_off.unlink(missing_ok=True)
        for name in ("last", "best"):
            settle(run / name)


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


def remove_run(run: Path) -> str:
    """Delete what trainings write into a run folder, and the folder unless more lies in it.

    Returns:
        The names of what was left there, in words.

    Raises:
        UsageError: a process trains there.
        DataError: it cannot be deleted.
    """
    _check_unwritten(run)
    try:
        for name in _OURS:
            shutil.rmtree(run / name, ignore_errors=True)
            with suppress(IsADirectoryError, PermissionError):
                (run / name).unlink(missing_ok=True)
        left = sorted(path.name for path in run.iterdir())
        if not left:
            run.rmdir()
    except OSError as error:
        raise DataError(f"cannot delete {run}: {error.strerror or error}") from error
    return ", ".join(left)


def move_run(run: Path, to: Path) -> Path:
    """Give a run another name beside its own, or another place where `to` is a path.

    Raises:
        UsageError: something is there, or a process trains in the run.
        DataError: it cannot be moved.
    """
    _check_unwritten(run)
    to = run.parent / to if len(to.parts) == 1 else to
    if to.exists():
        raise UsageError(f"{to} exists: choose another name")
    try:
        to.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(run, to)
    except OSError as error:
        raise DataError(f"cannot move {run}: {error.strerror or error}") from error
    _remember(to)
    return to


def _check_unwritten(run: Path) -> None:
    if is_written(run):
        raise UsageError("a process trains there: stop it first", "run", run)
