"""Groups of commands that are imported when one is chosen, and groups of which one is meant where
none is named."""

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, NamedTuple

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from dlcc.cli.options import SHARED, with_parameters

DEFAULT = "run"
"""The name of the command that is meant, which users neither see nor type."""


class Door(NamedTuple):
    """A command that is not imported yet, or a group of such."""

    target: str = ""
    """`module:function` below `dlcc.cli.commands`."""
    help: str = ""
    """What a list of commands says of it; without, it is imported to be listed."""
    recipe: str = ""
    """With one the target makes the function from this name."""
    doors: "Mapping[str, Door] | None" = None
    """Of a group."""

    def open(self, name: str) -> Any:
        """The command, imported now."""
        if self.doors:
            kind = DefaultGroup if DEFAULT in self.doors else LazyGroup
            return kind(name=name, help=self.help, doors=self.doors)
        module, _, attribute = self.target.partition(":")
        found = getattr(import_module(f"dlcc.cli.commands.{module}"), attribute)
        if isinstance(found, type):
            return found(name=name, help=self.help)
        return command_of(found(self.recipe) if self.recipe else found, name)


def command_of(function: Callable[..., Any], name: str) -> Any:
    """The command that Typer makes of a function, with the options that every command has."""
    single = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    is_default = name == DEFAULT
    kind = DefaultCommand if is_default else None
    how: Any = {"hidden": is_default, "context_settings": getattr(function, "context_settings", {})}
    single.command(name, cls=kind, **how)(with_parameters(function, SHARED))
    return get_command(single)


class LazyGroup(TyperGroup):
    """A group that imports a command when it is chosen. Without a command it shows its help."""

    doors: Mapping[str, Door] = {}

    def __init__(self, doors: Mapping[str, Door] | None = None, **options: Any) -> None:
        super().__init__(**options)
        self.closed = dict(self.doors if doors is None else doors)
        for name, door in self.closed.items():
            self.commands[name] = TyperCommand(name, help=door.help)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        return super().parse_args(ctx, args or ["--help"])

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
        return self.commands.get(name)


class DefaultGroup(LazyGroup):
    """`dlcc translate TEXT` translates TEXT; `dlcc translate -- train` the word "train"."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        return super().parse_args(
            ctx, args if args and args[0] in self.commands else [DEFAULT, *args]
        )

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
