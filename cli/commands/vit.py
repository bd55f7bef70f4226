"""`dlcc vit`: a Vision Transformer on pictures; each command stands in its own file."""

from collections.abc import Mapping

import typer

from dlcc.cli.groups import Door, LazyGroup


class _Group(LazyGroup):
    doors: Mapping[str, Door] = {
        "train": Door("dlcc.cli.commands.train:train_command", recipe="vit"),
        "eval": Door("dlcc.cli.commands.vit_eval:evaluate"),
        "predict": Door("dlcc.cli.commands.vit_predict:predict"),
        "compare": Door("dlcc.cli.commands.vit_compare:compare"),
    }


app = typer.Typer(
    cls=_Group,
    help="Classify pictures with a Vision Transformer.",
    invoke_without_command=True,
)


@app.callback()
def _vit(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        print(context.get_help())
