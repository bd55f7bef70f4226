"""Options that mean the same in every command, and the settings that outlive parsing.

Imported by every command before anything heavy: typer only.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

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
