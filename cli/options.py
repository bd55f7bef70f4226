"""Options that mean the same in every command, and the settings that outlive parsing.

Imported by every command before anything heavy: typer only.
"""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer


@dataclass
class Settings:
    """What holds for the whole run."""

    debug: bool = False
    quiet: bool = False


settings = Settings()


def _set_debug(value: bool) -> bool:
    settings.debug = settings.debug or value
    return value


def _set_quiet(value: bool) -> bool:
    settings.quiet = settings.quiet or value
    return value


def at_most_one(**flags: bool) -> None:
    """Raise UsageError where several of the flags, by name, were given."""
    given = [f"--{name}" for name, value in flags.items() if value]
    if len(given) > 1:
        from dlcc.core.errors import UsageError

        raise UsageError(f"{' and '.join(given)}: give one of them")


_COMMANDS = {
    "attend": ("attend",),
    "sentiment": ("sentiment",),
    "translate": ("translate",),
    "vit": ("vit", "predict"),
}
"""The sources that have a command of their own, which takes their options."""


def command_of(made_by: Mapping[str, Any]) -> str | None:
    """The command line that makes a trace again; None where the trace does not say how.

    Args:
        made_by: the trace's, as `core.sources.made_by` has it; older ones hold the command itself.
    """
    name, asked, options = (made_by.get(part) for part in ("source", "asked", "options"))
    if isinstance(made_by.get("command"), str):
        return str(made_by["command"])
    if not isinstance(name, str) or not isinstance(asked, list):
        return None
    answers, flags = [str(answer) for answer in asked], []
    if name in _COMMANDS and isinstance(options, dict):
        for option, value in options.items():
            flag = f"--{'no-' if value is False else ''}{option}"
            flags += [flag] if isinstance(value, bool) else [flag, str(value)]
    dashed = any(answer.startswith("-") for answer in answers)
    rest = [*flags, "--", *answers] if dashed else [*answers, *flags]
    return shlex.join(["dlcc", *_COMMANDS.get(name, ("look", name)), *rest])


Debug = Annotated[
    bool,
    typer.Option("--debug", help="Show the traceback of an error.", callback=_set_debug),
]
Quiet = Annotated[
    bool,
    typer.Option("--quiet", "-q", help="No progress and no notes.", callback=_set_quiet),
]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Seed = Annotated[int, typer.Option("--seed", help="Seed of everything random.", min=0)]
Device = Annotated[str, typer.Option("--device", help="auto, cpu, cuda or mps.", metavar="NAME")]
Save = Annotated[
    Path | None,
    typer.Option("--save", help="Write the attention trace, for dlcc view.", metavar="FILE"),
]
Export = Annotated[
    Path | None,
    typer.Option(
        "--export",
        help="Write the picture or the numbers: .svg, .html, .csv, .json or .txt.",
        metavar="FILE",
    ),
]
Checkpoint = Annotated[
    Path | None,
    typer.Option(
        "--checkpoint",
        help="A run or checkpoint folder; the bundled model when left out.",
        metavar="FOLDER",
    ),
]
Embeddings = Annotated[
    Path | None,
    typer.Option(
        "--embeddings",
        help="A GloVe or word2vec text file, plain, .gz or .zip, for the bundled vectors.",
        metavar="FILE",
    ),
]
