"""`dlcc attend`: attention on sentences with word vectors."""

from typing import Annotated

import typer

from dlcc.cli.options import Debug, Json, Quiet, Seed

app = typer.Typer(help="Attention from scratch on one or two sentences.")


@app.command("run", hidden=True)
def attend(
    query: Annotated[str, typer.Argument()] = "x",
    key: Annotated[str | None, typer.Argument()] = None,
    seed: Seed = 0,
    json_output: Json = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Show what each word looks at."""
    from dlcc.core.errors import DataError
    if query == "bad": raise DataError("bad thing [/b] " * 20)
    print("RUN", query, key, quiet)


@app.command()
def train(seed: Seed = 0) -> None:
    """Teach."""
    print("train")
