"""`dlcc help`: the help of any command, and what `--json` prints."""

from typing import Annotated, Any

import typer

_TOPICS = ("json",)


def _known(ctx: typer.Context, args: list[str], incomplete: str) -> list[str]:
    """What a shell offers: topics, commands, and the commands of those."""
    command: Any = ctx.find_root().command
    topics = () if ctx.params.get("words") else _TOPICS
    for word in ctx.params.get("words") or ():
        command = command.resolve_command(ctx, [word])[1]
    names = [*topics, *getattr(command, "commands", ())]
    return [name for name in names if name.startswith(incomplete) and name != "run"]


def show_help(
    context: typer.Context,
    words: Annotated[
        list[str] | None,
        typer.Argument(
            help="A command, such as vit train; or json: what --json prints.",
            metavar="COMMAND",
            autocompletion=_known,
        ),
    ] = None,
) -> None:
    """Show the help of a command, as -h does after it, or what --json prints.

    Examples:
        dlcc help
        dlcc help vit train
        dlcc help json
    """
    from dlcc.cli.console import put
    from dlcc.core.files.paths import asset

    if words and words[0] in _TOPICS:
        put(asset(f"help/{words[0]}.txt").read_text(), end="")
        return
    root: Any = context.find_root().command
    root.main([*(words or ()), "-h"], prog_name="dlcc")
