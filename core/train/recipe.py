"""What a train command must know of a task: what can be set, the presets, and how it is built.

A recipe is named by an entry point of the group `dlcc.recipes`; naming them imports none.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import MISSING, dataclass, field, fields, replace
from importlib import import_module
from importlib.metadata import entry_points
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, get_args, get_type_hints

from dlcc.core.errors import DataError, UsageError
from dlcc.core.progress import Progress
from dlcc.core.settings import name_of, one_of, settings_of
from dlcc.core.train.config import FitConfig

if TYPE_CHECKING:
    from dlcc.core.train.task import Task

GROUP = "dlcc.recipes"
_SCHEDULE = ("epochs", "minutes")
_STEPS = ("batch_size", "batch_tokens")
_MAY_CHANGE = (*_SCHEDULE, *_STEPS, "patience", "checkpoint_seconds", "data")  # data have a hash
_PATHS = ("data", "embeddings", "backbone")  # paths, or the names of something known


class Narrator(Protocol):
    """Who tells a person what long work is doing."""

    def note(self, message: str) -> None:
        """Say what was read, chosen or left out."""

    def warn(self, message: str) -> None:
        """Say what a person should know of the result."""

    def working(self, what: str) -> AbstractContextManager[None]:
        """Within it, what is done takes a while, and nobody knows how long."""
        ...

    def counting(self, what: str, total: int | None = None) -> AbstractContextManager[Progress]:
        """Within it, tell the given function how much is done."""
        ...

    def transferring(self, what: str) -> AbstractContextManager[Progress]:
        """Within it, tell the given function how many bytes are done."""
        ...


def without_folder(name: str, value: Any) -> Any:
    """The value of a setting, of a path its last part alone: not where it lies."""
    if isinstance(value, list):
        return [without_folder(name, each) for each in value]
    is_path = isinstance(value, Path) or (name in _PATHS and isinstance(value, str))
    return Path(value).name if is_path else value


def rooted(name: str, value: Any) -> Any:
    """The value of a setting as JSON has it, of paths with all folders from the root on.

    A path may have a share of the training behind it: data.csv=2.
    """
    if isinstance(value, list | tuple):
        return [rooted(name, each) for each in value]
    if isinstance(value, Path):
        return str(value if str(value).startswith("hf:") else value.absolute())
    if name in _PATHS and isinstance(value, str):
        path, _, share = value.rpartition("=")
        if path and Path(path).exists() and not Path(value).exists():
            return f"{Path(path).absolute()}={share}"
        return str(Path(value).absolute()) if Path(value).exists() else value
    return value


def _gone(name: str, value: Any) -> Iterator[str]:
    """The paths of a setting, as `rooted` has it, where nothing is any more."""
    for each in value if isinstance(value, list) else [value]:
        text = str(each) if isinstance(each, Path) or name in _PATHS else ""
        there = [path for path in (text, text.rpartition("=")[0]) if Path(path).is_absolute()]
        if there and not any(Path(path).exists() for path in there):
            yield there[-1]


def _revived(hint: Any, value: Any) -> Any:
    """A value that JSON kept, as a setting of that type has it."""
    if isinstance(value, str) and Path in (hint, *get_args(hint)):
        return Path(value)
    return tuple(value) if isinstance(value, list) and "tuple" in str(hint) else value


@dataclass(frozen=True)
class Chosen:
    """What was set for one training."""

    values: Mapping[str, Any]
    """By field: the preset's, and over them what was given."""
    given: Mapping[str, Any]
    """What was given, over the preset's."""
    seed: int = 0
    device: str = "auto"
    resumed: Path | None = None
    """The run that is gone on with."""
    command: str = ""
    """How it was started, in words, for the checkpoint."""
    preset: str = ""

    def begun(self) -> dict[str, Any]:
        """JSON values from which `Recipe.again` chooses the same."""
        return {
            "values": {name: rooted(name, value) for name, value in self.values.items()},
            "given": sorted(self.given),
            "preset": self.preset,
            "seed": self.seed,
            "device": self.device,
            "command": self.command,
        }

    def make(self, config: type, **known: Any) -> Any:
        """A settings dataclass from the values, with `known` before them.

        Raises:
            UsageError: a value that is out of its bound.
        """
        return config(**self.part(config) | known)

    def settings(self) -> dict[str, Any]:
        """All values and the seed as JSON values, paths by their last part."""
        values = {**self.values, "seed": self.seed}
        settings = {name: without_folder(name, value) for name, value in values.items()}
        return dict(json.loads(json.dumps(settings)))  # tuples become lists

    def part(self, config: type) -> dict[str, Any]:
        """The values of a settings dataclass's fields, but for what the data give."""
        names = {each.name for each in fields(config) if each.default is not MISSING}
        values = {**self.values, "seed": self.seed}
        return {name: value for name, value in values.items() if name in names}

    @property
    def keeps_copies(self) -> bool:
        """Whether copies of what validates and tests stay among what is learned from, since the run
        that is gone on with was begun so, by an earlier version."""
        if self.resumed is None:
            return False
        from dlcc.core.train.folders import read_about

        return "left_out" not in read_about(self.resumed / "last").get("data", {})

    def __getitem__(self, name: str) -> Any:
        return self.values[name]


@dataclass(frozen=True)
class Recipe:
    """What a train command must know of a task."""

    help: str
    """What is trained, in a sentence."""
    unit: str
    """What an item of a batch is, in the plural."""
    settings: tuple[type, ...]
    """Dataclasses of `dlcc.core.settings`, whose settings can be given; `FitConfig` comes by
    itself."""
    build: str
    """`module:function`, imported to train: (Chosen, Narrator) -> Task."""
    presets: Mapping[str, Mapping[str, Any]] = field(default_factory=lambda: {"plain": {}})
    """By name what differs from the settings' defaults; the first is the usual one."""
    preset_of: Callable[[str | None, Mapping[str, Any]], Mapping[str, Any]] | None = None
    """(the preset's name if one was given, what else was given) -> the preset that is meant, where
    not its name alone decides."""
    usual: Mapping[str, str] = field(default_factory=dict)
    """By preset what it reached, on which part of which data, after how long: in words."""
    instead: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """What differs from the defaults where another setting decides and no preset; by its name."""
    on_gpu: int = 1
    """How many times as large a batch is on a GPU, which a small one leaves waiting."""

    @property
    def configs(self) -> tuple[type, ...]:
        """All dataclasses whose settings can be given."""
        return (*self.settings, FitConfig)

    def choose(self, given: Mapping[str, Any], preset: str | None = None, **rest: Any) -> Chosen:
        """The settings' defaults, over them the preset's values, over them those of `given` that
        are not None.

        Raises:
            UsageError: there is no such preset.
        """
        given = {name: value for name, value in given.items() if value is not None}
        if preset is not None:
            one_of(self.presets).ask(preset, "preset")
        if self.preset_of:
            base = self.preset_of(preset, given)
        else:
            base = self.presets[preset or next(iter(self.presets))]
        named = preset or next(iter(self.presets))
        return Chosen({**self._defaults, **base, **given}, given, preset=named, **rest)

    @property
    def _defaults(self) -> dict[str, Any]:
        return {each.name: each.default for each in chain(*map(settings_of, self.configs))}

    def on_device(self, chosen: Chosen, narrator: Narrator) -> Chosen:
        """On a GPU, with larger batches unless their size or the learning rate was given; the rate
        rises with the root of the size, as suits Adam (Malladi et al. 2022). What is changed is
        said."""
        from dlcc.core.train.runtime import choose_device

        if self.on_gpu == 1 or choose_device(chosen.device).type != "cuda":
            return chosen
        (size,) = (name for name in _STEPS if name in chosen.values)
        if chosen.given.keys() & {size, "learning_rate"}:
            return chosen
        before = {name: chosen[name] for name in (size, "learning_rate")}
        rate = float(f"{before['learning_rate'] * self.on_gpu**0.5:.2g}")
        now = {size: before[size] * self.on_gpu, "learning_rate": rate}
        narrator.note(
            f"on a GPU {self._called(size).replace('_', ' ')} {now[size]:,} in place of "
            f"{before[size]:,}, learning rate {rate:g} in place of {before['learning_rate']:g}; "
            "give either to choose"
        )
        return replace(chosen, values={**chosen.values, **now})

    def again(
        self,
        begun: Mapping[str, Any],
        given: Mapping[str, Any],
        preset: str | None = None,
        **other: Any,
    ) -> Chosen:
        """What a run was begun with, and over it what may change.

        Args:
            begun: its `Chosen.begun`.
            given: settings; those that are None are left as they were.
            preset: None, or the one that it began with.
            other: seed, device or command; None leaves it as it was. `resumed` is the run's folder
                where there is a state to go on from.

        Raises:
            UsageError: a setting that would make it another training.
            DataError: files that it needs are gone; the error's field says which.
        """
        if preset not in (None, begun["preset"]):
            raise UsageError(f"the run has {begun['preset']}", "preset", preset)
        before = self._before(begun)
        given = {name: value for name, value in given.items() if value is not None}
        chosen = replace(
            before,
            values={**before.values, **given},
            given={**before.given, **given},
            **{name: value for name, value in other.items() if value is not None},
        )
        self.check_resumable(chosen, before.settings())
        for name, value in chosen.values.items():
            for path in () if name in given else _gone(name, value):
                raise DataError("is no longer there: say where it is now", self._called(name), path)
        return chosen

    def usual_of(self, chosen: Chosen) -> str:
        """What the chosen preset usually reaches; nothing where that is not known."""
        preset = self.presets.get(chosen.preset)
        is_meant = self.preset_of is None or self.preset_of(chosen.preset, chosen.given) is preset
        return self.usual.get(chosen.preset, "") if is_meant else ""

    def settings_before(self, begun: Mapping[str, Any]) -> dict[str, Any]:
        """The `Chosen.settings` of a run that was begun so."""
        return self._before(begun).settings()

    def _before(self, begun: Mapping[str, Any]) -> Chosen:
        hints = {name: hint for each in self.configs for name, hint in get_type_hints(each).items()}
        kept = {name: _revived(hints.get(name), each) for name, each in begun["values"].items()}
        return Chosen(
            {**self._defaults, **kept},
            {name: kept[name] for name in begun["given"]},
            seed=int(begun["seed"]),
            device=str(begun["device"]),
            command=str(begun["command"]),
            preset=str(begun["preset"]),
        )

    def check_resumable(self, chosen: Chosen, before: Mapping[str, Any]) -> None:
        """Compare with the `Chosen.settings` that a run began with, as far as they make its result.

        Raises:
            UsageError: one is another.
        """
        for name, value in chosen.settings().items():
            if name not in _MAY_CHANGE and before.get(name, value) != value:
                has = "none" if before[name] is None else before[name]
                raise UsageError(f"the run has {has}", self._called(name), value)

    def effects(self, chosen: Chosen, before: Mapping[str, Any]) -> list[UsageError]:
        """What may change and does, against the `Chosen.settings` that a run began with, with what
        comes of it: said as an error is, but none."""
        what = {
            **dict.fromkeys(_SCHEDULE, "its schedule is that of the new length from here on"),
            **dict.fromkeys(_STEPS, "its weights will be those of no training with one size alone"),
        }
        return [
            UsageError(f"the run had {before[name]}, {what[name]}", self._called(name), value)
            for name, value in chosen.settings().items()
            if name in what and before.get(name, value) != value
        ]

    def _called(self, name: str) -> str:
        """What people call a setting."""
        called = {each.name: name_of(each) for each in chain(*map(settings_of, self.configs))}
        return called.get(name, name)

    def task(self, chosen: Chosen, narrator: Narrator) -> "Task":
        """Read the data and build the model: everything that `fit` needs."""
        module, _, function = self.build.partition(":")
        task: Task = getattr(import_module(module), function)(chosen, narrator)
        return task


def names() -> list[str]:
    """The recipes that are installed; none is imported."""
    return sorted({point.name for point in entry_points(group=GROUP)})


def recipe(name: str) -> Recipe:
    """The recipe of that name, imported now.

    Raises:
        UsageError: there is none, or it cannot be imported.
    """
    points = {point.name: point for point in entry_points(group=GROUP)}
    one_of(sorted(points)).ask(name, "recipe")
    try:
        loaded: Recipe = points[name].load()
    except (ImportError, AttributeError) as error:
        raise UsageError(f"cannot be loaded ({error}): install it anew", "recipe", name) from error
    return loaded
