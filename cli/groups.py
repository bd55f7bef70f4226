"""Groups of commands that are imported when one is chosen, and groups of which one is meant where
none is named."""

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, NamedTuple

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command, get_group

DEFAULT = "run"
"""The name of the command that is meant, which users neither see nor type."""


class Door(NamedTuple):
    """A command that is not imported yet."""

    target: str
    """`module:name` of a function, or of a Typer application."""
    help: str = ""
    """What a list of commands says of it; without, it is imported to be listed."""
    recipe: str = ""
    """With one the target makes the function from this name."""

    def open(self, name: str) -> Any:
        """The command, imported now."""
        module, _, attribute = self.target.partition(":")
        found = getattr(import_module(module), attribute)
        if isinstance(found, typer.Typer):
            return get_group(found)
        return command_of(found(self.recipe) if self.recipe else found, name)


def command_of(function: Callable[..., Any], name: str) -> Any:
    """The command that Typer makes of a function."""
    single = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    single.command(name)(function)
    return get_command(single)


class LazyGroup(TyperGroup):
    """A group that imports a command when it is chosen."""

    doors: Mapping[str, Door] = {}

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.closed = dict(self.doors)
        for name, door in self.doors.items():
            self.commands[name] = TyperCommand(name, help=door.help)

    def list_commands(self, ctx: Any) -> list[str]:
        return list(self.commands)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command, as far as a list of commands needs it."""
        door = self.closed.get(cmd_name)
        return self.commands.get(cmd_name) if door and door.help else self._opened(cmd_name)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        self._opened(args[0])
        return super().resolve_command(ctx, args)

    def _opened(self, name: str) -> Any:
        if door := self.closed.pop(name, None):
            self.commands[name] = door.open(name)
            self.commands[name].name = name
        return self.commands.get(name)


class DefaultGroup(LazyGroup):
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
