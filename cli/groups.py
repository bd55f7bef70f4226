"""Commands with examples and options in panels, groups of them that are imported when one is
chosen, and groups of which one is meant where none is named."""

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from dlcc.cli.options import GENERAL, SHARED, panel_of, place_of, with_parameters
from dlcc.cli.values import offer_values
from dlcc.core.errors import UsageError

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
    takes: str = ""
    """The command of a group that takes what is no command but a file."""

    def open(self, name: str) -> Any:
        """The command, imported now."""
        if self.doors:
            kind = DefaultGroup if DEFAULT in self.doors else LazyGroup
            return kind(name=name, help=self.help, doors=self.doors, takes=self.takes)
        module, _, attribute = self.target.partition(":")
        found = getattr(import_module(f"dlcc.cli.commands.{module}"), attribute)
        if isinstance(found, type):
            return found(name=name, help=self.help)
        return command_of(found(self.recipe) if self.recipe else found, name)


def command_of(function: Callable[..., Any], name: str) -> Any:
    """The command that Typer makes of a function, with the options that every command has.

    What stands below "Examples:" in its docstring are command lines.
    """
    said, _, examples = (inspect.getdoc(function) or "").partition("\nExamples:\n")
    said = re.sub(r"(?<!\n)\n(?!\n)", " ", said)  # lines end where the screen does
    single = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    is_default = name == DEFAULT
    kind = DefaultCommand if is_default else Command
    settings = getattr(function, "context_settings", {})
    how: Any = {"hidden": is_default, "context_settings": settings, "help": said}
    single.command(name, cls=kind, **how)(with_parameters(function, SHARED))
    command: Any = get_command(single)
    command.examples = tuple(line.strip() for line in examples.splitlines() if line.strip())
    return command


class Command(TyperCommand):
    """A command whose options stand in panels, the same everywhere, with examples below."""

    examples: Sequence[str] = ()

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.help = _unmarked(self.help)
        for each in self.params:
            self._arrange(each)
            offer_values(each)
        self.params.sort(key=place_of)

    @staticmethod
    def _arrange(option: Any) -> None:
        """Name an option's panel and what it takes."""
        option.help = _unmarked(option.help)
        if option.param_type_name == "option":
            option.rich_help_panel = panel_of(option) or None
            kind = option.type_descriptor.annotation
            names = {bool: "", int: "N", float: "NUMBER"}
            option.metavar = names.get(kind) if option.metavar is None else option.metavar

    def get_help_option(self, ctx: Any) -> Any:
        option = super().get_help_option(ctx)
        if option:
            option.rich_help_panel, option.metavar = GENERAL, ""
        return option

    def format_help(self, ctx: Any, formatter: Any) -> None:
        super().format_help(ctx, formatter)
        print_examples(self.examples)


def print_examples(lines: Sequence[str]) -> None:
    """Command lines to paste, below a help."""
    from typer.rich_utils import _get_rich_console, highlighter

    console = _get_rich_console()
    if lines:
        console.print(" Examples:", style="bold")
    for line in lines:
        console.print(highlighter(f"   {line}"), soft_wrap=True)
    console.print()


def _unmarked(text: str | None) -> str | None:
    """A help text whose brackets are no markup."""
    return text and text.replace("[", r"\[")


class LazyGroup(TyperGroup):
    """A group that imports a command when it is chosen. Without a command it shows its help."""

    doors: Mapping[str, Door] = {}
    takes = ""

    def __init__(
        self, doors: Mapping[str, Door] | None = None, takes: str = "", **options: Any
    ) -> None:
        super().__init__(**options)
        self.closed = dict(self.doors if doors is None else doors)
        self.takes = takes or self.takes
        for name, door in self.closed.items():
            self.commands[name] = TyperCommand(name, help=door.help)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        return super().parse_args(ctx, args or ["--help"])

    def get_help_option(self, ctx: Any) -> Any:
        option = super().get_help_option(ctx)
        if option:
            option.metavar = ""
        return option

    def list_commands(self, ctx: Any) -> list[str]:
        return list(self.commands)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command, as far as a list of commands needs it."""
        door = self.closed.get(cmd_name)
        return self.commands.get(cmd_name) if door and door.help else self._opened(cmd_name)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        self._opened(args[0])
        is_file = args[0] not in self.commands and Path(args[0]).suffix
        if self.takes and is_file and not ctx.resilient_parsing:
            raise UsageError(
                f"{args[0]} is no command: did you mean {ctx.command_path} {self.takes} {args[0]}?"
            )
        return super().resolve_command(ctx, args)

    def _opened(self, name: str) -> Any:
        if door := self.closed.pop(name, None):
            self.commands[name] = door.open(name)
        return self.commands.get(name)


class DefaultGroup(LazyGroup):
    """`dlcc translate TEXT` translates TEXT; `dlcc translate -- train` the word "train"."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if ctx.resilient_parsing and not args:  # a shell that asks what may follow the name
            return TyperGroup.parse_args(self, ctx, args)
        return super().parse_args(
            ctx, args if args and args[0] in self.commands else [DEFAULT, *args]
        )

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name, command, rest = super().resolve_command(ctx, args)
        return "" if name == DEFAULT else name, command, rest

    def shell_complete(self, ctx: Any, incomplete: str) -> list[Any]:
        """Its commands, and what the one that is meant takes."""
        meant = self._opened(DEFAULT)
        with meant.make_context("", [], parent=ctx, resilient_parsing=True) as own:
            arguments = [each for each in meant.params if each.param_type_name == "argument"]
            known = meant if incomplete.startswith("-") or not arguments else arguments[0]
            items = known.shell_complete(own, incomplete)
        commands = [] if incomplete.startswith("-") else super().shell_complete(ctx, incomplete)
        return [*(each for each in commands if each.value != DEFAULT), *items]


class DefaultCommand(Command):
    """The one that is meant; its help names the others."""

    def get_usage(self, ctx: Any) -> str:
        return super().get_usage(ctx).replace("  ", " ")  # one blank goes with its empty name

    def format_help(self, ctx: Any, formatter: Any) -> None:
        group = ctx.parent
        others = [name for name in group.command.list_commands(group) if name != DEFAULT]
        self.epilog = f"More commands, each with -h: {group.command_path} {'|'.join(others)}"
        super().format_help(ctx, formatter)
