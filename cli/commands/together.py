"""A training by several processes: torchrun -m -- dlcc.cli vit train ..."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING

from dlcc.cli import console
from dlcc.core.errors import UsageError
from dlcc.core.train import distributed, runs
from dlcc.core.train.recipe import Chosen, Recipe

if TYPE_CHECKING:
    from dlcc.core.train.task import Task


@contextmanager
def together() -> Iterator[distributed.Team]:
    """Within it this process trains with those that torchrun started beside it, if any; only the
    first one prints."""
    with distributed.joined() as team:
        if team.leads:
            yield team
            return
        with open(os.devnull, "w") as nothing, redirect_stdout(nothing), redirect_stderr(nothing):
            yield team


@contextmanager
def alone_in(run: Path) -> Iterator[None]:
    """As `runs.alone_in`, for all processes of one training."""
    team = distributed.team()
    if not team.leads:
        team.agreed(None)  # the first one is in
        yield
        return
    with runs.alone_in(run):
        team.agreed(None)
        yield


def built(recipe: Recipe, chosen: Chosen) -> "Task":
    """The task of a recipe, its data read by all processes."""
    with distributed.first_here():
        return recipe.task(chosen, console)


def refuse_together() -> None:
    """Raise UsageError where torchrun started this process, for what one process does alone."""
    if distributed.is_one_of_several():
        raise UsageError("this trains in one process: start it without torchrun")
