"""Where traces come from: a source makes them of what a person answers. Ours and strangers' alike.

A source is named by an entry point of the group `dlcc.sources`; naming them imports none.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property
from importlib.metadata import entry_points, version
from pathlib import Path
from threading import RLock
from typing import Any, NamedTuple, Protocol, TypeVar

from dlcc.core.errors import DataError, UsageError
from dlcc.core.files import paths
from dlcc.core.trace.trace import AttentionTrace

GROUP = "dlcc.sources"
_LOADING = RLock()
_T = TypeVar("_T")


class Ask(NamedTuple):
    """One thing that a source asks of a person."""

    label: str
    example: str = ""
    """What is taken where nothing else is answered."""
    optional: bool = False
    """Whether nothing, an empty text, is an answer too."""


@dataclass(frozen=True)
class Knob:
    """One setting that a trace was made with, to be turned."""

    name: str
    """By which it is turned."""
    value: str
    choices: tuple[str, ...] = ()
    """In order; of text none."""


class Source(Protocol):
    """Makes traces.

    It may have besides: `again(trace, step, word) -> list[AttentionTrace]`, a trace of its own once
    more, with another word in one of its rows; and `attention(*answers)`, as `traces`, but without
    explanations that take long, for many texts. And interventions: `without(trace, heads, tokens)`,
    the trace once more while some heads and tokens, numbered from 0, are off; `ablated(trace,
    progress)`, a `core.ablation.Effect` for each head. And where it answers at once:
    `knobs(trace)`, what may be turned, and `turned(trace, **values)`, the trace with these turned.
    """

    title: str
    """What it shows, in a few words."""
    asks: Sequence[Ask]

    def traces(self, *answers: Any, **_: Any) -> list[AttentionTrace]:
        """At least one trace, of one answer (text) to each of `asks`."""
        ...


def names() -> list[str]:
    """The sources of all installed packages."""
    return sorted({point.name for point in entry_points(group=GROUP)})


def source(name: str, given: Source | None = None) -> Source:
    """The source of that name, imported now; `given` in its place where that is one of its class.

    Raises:
        UsageError: there is none.
        DataError: it cannot be loaded.
    """
    loaded = _loaded(name)
    return given if given is not None and type(given) is type(loaded) else loaded


def traces_of(
    name: str, answers: Sequence[str], given: Source | None = None
) -> list[AttentionTrace]:
    """What a source makes of `answers`; its own examples stand in for those left out.

    Raises:
        UsageError: more answers than it asks for, or one too few that has no example.
        DataError: it made no trace.
    """
    maker = source(name, given)
    examples = [ask.example for ask in maker.asks]
    if len(answers) > len(examples):
        labels = "; ".join(ask.label for ask in maker.asks) or "nothing"
        raise UsageError(f"{len(answers)} answers, but {name} asks for {len(examples)}: {labels}")
    for ask in maker.asks[len(answers) :]:
        if not ask.example:
            raise UsageError(f"{name} asks for {ask.label}: give it")
    asked = [*answers, *examples[len(answers) :]]
    traces = maker.traces(*asked)
    if not traces or not all(isinstance(trace, AttentionTrace) for trace in traces):
        raise DataError(f"the source {name} made no attention trace of {asked}")
    origin = {"source": name, "asked": asked}
    return [replace(trace, made_by=origin | trace.made_by) for trace in traces]


def made_by(
    name: str,
    asked: Sequence[str],
    options: Mapping[str, Any],
    library: str = "torch",
    **more: Any,
) -> dict[str, Any]:
    """How a trace was made, as JSON values.

    Args:
        name: the source's.
        asked: what it was answered.
        options: what was set besides, by name; what is None was not.
        library: what it was computed with.
        more: what else there is to know, such as the model and the seed.
    """
    return {
        "source": name,
        "asked": list(asked),
        "options": {
            option: str(value) if isinstance(value, Path) else value
            for option, value in options.items()
            if value is not None
        },
        **more,
        "versions": {each: version(each) for each in ("dlcc", library)},
    }


class ModelSource:
    """What sources of trained models have in common.

    Args:
        checkpoint: a checkpoint or run folder; the bundled model when None.
        device: auto, or torch's name.
        runner: what computes: auto, onnx or torch.
    """

    kind = ""
    """The source's name, which is the model's kind."""

    def __init__(
        self, checkpoint: Path | None = None, device: str = "auto", runner: str = "auto"
    ) -> None:
        self.checkpoint, self.device, self.runner = checkpoint, device, runner

    @property
    def folder(self) -> Path:
        """Where the model is.

        Raises:
            DataError: this installation has none.
        """
        if self.checkpoint is not None:
            return self.checkpoint
        try:
            return paths.asset(self.kind)
        except DataError:
            raise DataError(
                f"no model is bundled for {self.kind}: train one with dlcc {self.kind} train, and "
                "name its run as the checkpoint"
            ) from None

    def check_weights(self) -> None:
        """Raise UsageError where an exported graph is all that there is of the model."""
        if self.folder.suffix == ".onnx":
            raise UsageError("an exported graph has no heads to switch off: name the run")

    def check_own(self, trace: AttentionTrace, about: Mapping[str, Any]) -> None:
        """Raise UsageError unless the model that was made as `about` says made the trace."""
        if trace.made_by.get("model") != about.get("command", ""):
            raise UsageError("this trace was made by another model: have that one make it again")

    def made_by(self, asked: str, about: Mapping[str, Any], **options: Any) -> dict[str, Any]:
        """As `made_by` has it, of a model that was made as `about` says."""
        known = {"model": about.get("command", ""), "seed": about.get("seed", 0)}
        return made_by(self.kind, [asked], {"checkpoint": self.checkpoint, **options}, **known)


class loaded_once(cached_property[_T]):  # noqa: N801 - used as a decorator
    """A property that is computed once, even where two threads ask for it at the same time."""

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        with _LOADING:
            return super().__get__(instance, owner)


@cache
def _loaded(name: str) -> Source:
    points = tuple(entry_points(group=GROUP, name=name))
    if not points:
        raise UsageError(f"no source {name}: choose one of {', '.join(names())}")
    try:
        loaded: Source = points[0].load()
    except Exception as error:  # a stranger's module: whatever it is
        reason = f"{type(error).__name__}: {error}"
        raise DataError(
            f"the source {name} cannot be loaded from {points[0].value} ({reason})"
        ) from error
    lacks = [part for part in ("title", "asks", "traces") if not hasattr(loaded, part)]
    if lacks:
        raise DataError(f"{points[0].value} is no source: it has no {', no '.join(lacks)}")
    return loaded
