"""What a train command must know of a task: what can be set, the presets, and how it is built.

A recipe is named by an entry point of the group `dlcc.recipes`; naming them imports none.
"""

import json
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import MISSING, dataclass, field, fields
from importlib import import_module
from importlib.metadata import entry_points
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from dlcc.core.errors import UsageError
from dlcc.core.progress import Progress
from dlcc.core.settings import name_of, one_of, settings_of
from dlcc.core.train.config import FitConfig

if TYPE_CHECKING:
    from dlcc.core.train.task import Task

GROUP = "dlcc.recipes"
_MAY_CHANGE = ("epochs", "minutes", "patience", "checkpoint_seconds", "data")  # data have a hash
_PATHS = ("data", "embeddings", "backbone")  # paths, or the names of something known


class Narrator(Protocol):
    """Who tells a person what long work is doing."""

    def note(self, message: str) -> None:
        """Say what was read, chosen or left out."""

    def warn(self, message: str) -> None:
        """Say what a person should know of the result."""

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
        from dlcc.core.train.checkpoint import read_about

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
        defaults = {
            each.name: each.default for config in self.configs for each in settings_of(config)
        }
        return Chosen({**defaults, **base, **given}, given, **rest)

    def check_resumable(self, chosen: Chosen, before: Mapping[str, Any]) -> None:
        """Compare with the `Chosen.settings` that a run began with, as far as they make its result.

        Raises:
            UsageError: one is another.
        """
        called = {each.name: name_of(each) for each in chain(*map(settings_of, self.configs))}
        for name, value in chosen.settings().items():
            if name not in _MAY_CHANGE and before.get(name, value) != value:
                has = "none" if before[name] is None else before[name]
                raise UsageError(f"the run has {has}", called.get(name, name), value)

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
