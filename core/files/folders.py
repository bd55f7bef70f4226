"""Which part and which class a file belongs to, by the folders that it lies in.

One rule for texts and pictures: a part is a folder that is called so (train, Testing, val, ...), at
any level; the class is the one folder between it and the file. Folders that are the same for every
file, such as images/, say nothing. What is not plain is not guessed: the level has to be named.
"""

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import PurePosixPath

from dlcc.core.errors import DataError, UsageError

_PARTS = {
    **dict.fromkeys(("train", "training", "trn"), "train"),
    **dict.fromkeys(("test", "testing", "tst", "eval"), "test"),
    **dict.fromkeys(("val", "valid", "validation", "validate", "dev"), "validation"),
}
_FILLERS = r"(images?|imgs?|pictures?|photos?|data|dataset|set|texts?|reviews?|split|folder)"
_ABOUT = re.compile(r"(readme|licen[sc]e|changelog|authors|notice|citation)[\w.-]*", re.IGNORECASE)
_SHOWN = 4  # names in a message


@cache
def part_of(folder: str) -> str:
    """The part that a folder or a table holds, by its name: train, test or validation; or nothing.

    test_images and train-set are parts too.
    """
    name = re.sub(r"[\W_]+", " ", folder.lower()).strip()
    bare = re.sub(rf"(^{_FILLERS}\s*(?=\w)|(?<=\w)\s*{_FILLERS}$)", "", name).strip()
    return _PARTS.get(name) or _PARTS.get(bare, "")


def is_about(name: str) -> bool:
    """Whether a file tells of the data, such as README.txt."""
    return _ABOUT.fullmatch(name.rpartition("/")[2]) is not None


@dataclass
class Sorted:
    """Where files belong."""

    places: dict[str, tuple[str, str]]
    """By name the part (train, test, validation or nothing) and the class."""
    passed: Counter[str] = field(default_factory=Counter)
    """How many were passed over, by the reason."""

    def table(self) -> str:
        """Counts by part and class, in a line."""
        parts: dict[str, Counter[str]] = {}
        for part, label in self.places.values():
            parts.setdefault(part or "all", Counter())[label] += 1
        return "; ".join(
            f"{part}: " + ", ".join(f"{label} {n:,}" for label, n in shortened(counts).items())
            for part, counts in parts.items()
        )

    def left_out(self) -> str:
        """What was passed over and why, in a line; empty where nothing was."""
        return ", ".join(f"{n:,} {reason}" for reason, n in sorted(self.passed.items()))


def shortened(counts: Mapping[str, int], most: int = 12) -> dict[str, int]:
    """The first of many counts, and the sum of the others."""
    names = sorted(counts)
    if len(names) <= most:
        return {name: counts[name] for name in names}
    rest = names[most - 1 :]
    return {
        **{name: counts[name] for name in names[: most - 1]},
        f"{len(rest)} others": sum(counts[name] for name in rest),
    }


def sort_files(
    names: Sequence[str], where: str, level: int | None = None, others: Collection[str] = ()
) -> Sorted:
    """Sort files into parts and classes.

    Args:
        names: of files that can be read, with / between folders.
        where: what messages call their root.
        level: which folder is the class, from 1, not counting those that hold all others, nor the
            part; found when None.
        others: names of files that cannot be read, and of empty folders with a / behind: a class
            that has nothing else would vanish.

    Raises:
        UsageError: it is not plain which folders are the classes.
        DataError: a class has no file that can be read.
    """
    passed: Counter[str] = Counter()
    kept = []
    for name in names:
        if is_about(name):
            passed["readmes and licences"] += 1
        else:
            kept.append(name)
    folders = _without_container({name: _folders_of(name) for name in kept})
    part_level = _part_level(set(folders.values()))
    places_of = {parts: _without_part(parts, part_level) for parts in set(folders.values())}
    split = {name: places_of[parts] for name, parts in folders.items()}
    beside = [name for name, (part, rest) in split.items() if _is_beside(part, rest, part_level)]
    for name in beside:
        passed["beside the parts" if part_level is not None else "beside the class folders"] += 1
        del split[name]
    if level is None:
        _check_plain(split, folders, part_level, where)
    shared = _shared({rest for _, rest in split.values()}) if level is None else ()
    places = {}
    for name, (part, rest) in split.items():
        own = [each for number, each in enumerate(rest) if number not in shared] or rest[-1:]
        if level is not None:
            if len(rest) < level:
                passed[f"above level {level}"] += 1
                continue
            own = rest[level - 1 : level]
        if own:
            places[name] = (part, own[0])
        else:
            passed["beside the class folders"] += 1
    found = Sorted(places, passed)
    held = len(_folders_of(kept[0])) - len(folders[kept[0]]) if kept else 0
    below = [(name, _folders_of(name)[held:]) for name in others if not is_about(name)]
    _check_others(found, below, part_level, shared, level, where)
    return found


def _folders_of(name: str) -> tuple[str, ...]:
    return tuple(part for part in name.split("/")[:-1] if part not in ("", "."))


def _without_container(folders: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """Without the folders that hold all others."""
    while folders and all(folders.values()) and max(map(len, folders.values())) > 1:
        if len({parts[0] for parts in folders.values()}) > 1:
            break
        folders = {name: parts[1:] for name, parts in folders.items()}
    return folders


def _part_level(folders: set[tuple[str, ...]]) -> int | None:
    """The first level at which folders are parts: all of them, or a training part with another."""
    for level in range(max(map(len, folders), default=0)):
        names = {parts[level] for parts in folders if len(parts) > level}
        kinds = {part_of(name) for name in names} - {""}
        if "train" in kinds and (len(kinds) > 1 or all(map(part_of, names))):
            return level
        if kinds and all(map(part_of, names)) and len(names) > 1:
            return level
    return None


def _without_part(parts: tuple[str, ...], part_level: int | None) -> tuple[str, tuple[str, ...]]:
    if part_level is None or len(parts) <= part_level:
        return "", parts
    return part_of(parts[part_level]), parts[:part_level] + parts[part_level + 1 :]


def _is_beside(part: str, rest: tuple[str, ...], part_level: int | None) -> bool:
    return not rest or (part_level is not None and not part)


def _shared(folders: set[tuple[str, ...]]) -> tuple[int, ...]:
    """The levels at which all folders have the same name, the last of them but where it alone is
    left."""
    if not folders:
        return ()
    depth = min(map(len, folders))
    same = [n for n in range(depth) if len({parts[n] for parts in folders}) == 1]
    return tuple(same if len(same) < max(map(len, folders)) else same[:-1])


def _check_plain(
    split: Mapping[str, tuple[str, tuple[str, ...]]],
    folders: Mapping[str, tuple[str, ...]],
    part_level: int | None,
    where: str,
) -> None:
    """Raise UsageError where several levels of folders may be the classes."""
    rests = {rest for _, rest in split.values()}
    shared = _shared(rests)
    depths = {len(rest) - len(shared) for rest in rests}
    named = [
        {rest[n] for rest in rests if len(rest) > n} for n in range(max(map(len, rests), default=0))
    ]
    below = part_level is not None and any(
        n < part_level and len(names) > 1 for n, names in enumerate(named)
    )
    if not below and depths <= {0, 1}:
        return
    if below:
        what = "the parts lie below folders that differ"
    elif len(depths) > 1:
        what = "files lie at several depths"
    else:
        what = f"{max(depths)} levels of folders differ"
    example = next(name for name in split if len(folders[name]) == max(map(len, folders.values())))
    levels = "; ".join(
        f"level {n + 1}: {_few(names)}" for n, names in enumerate(named) if n not in shared
    )
    raise UsageError(
        f"{where}: {what} ({example}), so the classes are not plain: name their level ({levels})",
        "classes_at",
    )


def _few(names: set[str]) -> str:
    shown = sorted(names)
    more = ", ..." if len(shown) > _SHOWN else ""
    return ", ".join(shown[:_SHOWN]) + more


def _check_others(
    found: Sorted,
    others: Sequence[tuple[str, tuple[str, ...]]],
    part_level: int | None,
    shared: Sequence[int],
    level: int | None,
    where: str,
) -> None:
    """Raise DataError where a folder beside the classes has no file that can be read."""
    classes = {label for _, label in found.places.values()}
    place = level - 1 if level else next(n for n in range(99) if n not in shared)
    empty: dict[str, set[str]] = {}
    for name, folders in others:
        _, rest = _without_part(folders, part_level)
        if len(rest) == place + 1 and rest[place] not in classes:
            ending = PurePosixPath(name).suffix.lower()
            empty.setdefault(rest[place], set()).add(ending if not name.endswith("/") else "")
    for label, endings in sorted(empty.items()):
        kinds = ", ".join(sorted(filter(None, endings)))
        has = f"only {kinds}" if kinds else "nothing"
        raise DataError(
            f"{where}: the class {label} has no examples that can be read, {has} in it: convert "
            "what it holds, or remove it"
        )
