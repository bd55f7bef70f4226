"""Options that mean the same in every `train` command, and how they go before a preset's values."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

Run = Annotated[
    Path | None, typer.Option(help="Folder of the run; made anew when left out.", metavar="FOLDER")
]
Resume = Annotated[bool, typer.Option("--resume", help="Go on with the run in --run.")]
Epochs = Annotated[int | None, typer.Option(help="Passes over the training data.")]
Minutes = Annotated[
    float | None,
    typer.Option(
        help="Time budget: the schedule ends then. Resuming is exact only without; 0: none."
    ),
]
LearningRate = Annotated[float | None, typer.Option(help="Highest learning rate.")]
Optimizer = Annotated[
    str | None,
    typer.Option(help="adamw, or muon for the weights of linear layers.", metavar="NAME"),
]
EmaDecay = Annotated[float | None, typer.Option(help="Decay of the averaged weights; 0: none.")]
Patience = Annotated[
    int | None, typer.Option(help="Stop after so many epochs without a gain; 0: never.")
]
BatchTokens = Annotated[int | None, typer.Option(help="Tokens in a batch.")]
Dropout = Annotated[float | None, typer.Option(help="Share of activations dropped.")]
LabelSmoothing = Annotated[
    float | None, typer.Option(help="Share of the target that is spread over all answers.")
]

Value = TypeVar("Value")


def named(flag: str, known: Mapping[str, Value], name: str) -> Value:
    """What the option `flag` means by `name`.

    Raises:
        UsageError: there is none.
    """
    from dlcc.core.errors import UsageError

    if name not in known:
        raise UsageError(f"{flag} {name}: choose one of {', '.join(known)}")
    return known[name]


def merged(base: Mapping[str, Any], **given: Any) -> dict[str, Any]:
    """`base` with what was given on the command line instead."""
    return {**base, **{name: value for name, value in given.items() if value is not None}}
