"""Groups of commands one of which is meant where none is named."""

from typing import Any

from typer.core import TyperCommand, TyperGroup

DEFAULT = "run"
"""The name of that one, which users neither see nor type."""


class DefaultGroup(TyperGroup):
    """`dlcc translate TEXT` translates TEXT; `dlcc translate -- train` the word "train"."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if not args or args[0] not in self.commands:
            args = [DEFAULT, *args]
        return super().parse_args(ctx, args)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name, command, rest = super().resolve_command(ctx, args)
        return "" if name == DEFAULT else name, command, rest


class DefaultCommand(TyperCommand):
    """The one that is meant; its help names the others."""

    def get_usage(self, ctx: Any) -> str:
        return super().get_usage(ctx).replace("  ", " ")  # one blank goes with its empty name

    def format_help(self, ctx: Any, formatter: Any) -> None:
        group = ctx.parent
        others = [name for name in group.command.list_commands(group) if name != DEFAULT]
        self.epilog = f"More commands, each with --help: {group.command_path} {'|'.join(others)}"
        super().format_help(ctx, formatter)
