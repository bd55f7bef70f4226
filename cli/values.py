"""What options and arguments may be, for the shell's completion: looked up when Tab is pressed."""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from importlib import import_module
from typing import Any

_DEVICES = ("auto", "cpu", "cuda", "mps")  # they stand beside torch, which takes too long
_THEMES = ("paper", "slide", "terminal")
_PALETTES = ("viridis", "cividis", "grey")


def _runs() -> Iterable[str]:
    from dlcc.core.train.runs import all_runs, name_of_run

    return map(name_of_run, all_runs())


def _sources() -> Iterable[str]:
    from dlcc.core.sources import names

    return names()


_KNOWN: Mapping[str, Iterable[Iterable[str] | str | Callable[[], Iterable[str]]]] = {
    "--by": (("epochs", "minutes"),),
    "--device": (_DEVICES,),
    "--embeddings": (("bundled", "none"),),
    "--explain": ("sentiment.explain:METHODS", ("none",)),
    "--format": ("files.tables:FORMATS",),
    "--list": (("hub-cache",),),
    "--load": ("attend.trained:BUNDLED", _runs),
    "--long": ("sentiment.codec:LONG_TEXTS",),
    "--mask": ("attend.mechanisms:MASKS",),
    "--mechanism": ("attend.mechanisms:MECHANISMS", ("all",)),
    "--method": ("vit.source:METHODS",),
    "--palette": (_PALETTES,),
    "--part": ("train.parts:PARTS",),
    "--runner": ("runner:RUNNERS",),
    "--sort": ("trace.heads:MEASURES",),
    "--theme": (_THEMES,),
    "--scale": ("trace.scales:SCALES",),
    "MODEL": (("translate", "sentiment", "vit"), _runs),
    "RELATION": ("attend.relations:RELATIONS", ("all",)),
    "RUN": (_runs,),
    "RUN...": (_runs,),
    "SOURCE|MODEL": (_sources,),
}
"""By option, or by what stands for an argument: names, the place of a constant in core, or what
looks for names."""
_NOT = {("--explain", "QUERY:KEY"), ("--embeddings", "FILE")}
"""Options of the same name that take something else."""


def offer_values(option: Any) -> None:
    """Have the shell offer what an option or argument may be, where that is known.

    Args:
        option: Typer's; one that offers something already keeps it.
    """
    is_option = option.param_type_name == "option"
    name = max(option.opts, key=len) if is_option else option.metavar
    known = name in _KNOWN and (name, option.metavar) not in _NOT
    if known and option._custom_shell_complete is None:
        option.shell_complete = partial(_completed, _KNOWN[name])


def _completed(where: Iterable[Any], context: Any, incomplete: str) -> list[Any]:
    from typer._click.shell_completion import CompletionItem

    names = (name for each in where for name in _names(each))
    return [CompletionItem(name) for name in names if name.startswith(incomplete)]


def _names(where: Any) -> Iterable[str]:
    if not isinstance(where, str):
        return where() if callable(where) else where
    module, _, name = where.partition(":")
    return getattr(import_module(f"dlcc.core.{module}"), name)
