"""The `dlcc` command: its subcommands, the options they share, and the one place for errors."""

import io
import os
import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from dlcc.cli.groups import DefaultGroup
from dlcc.cli.options import settings

INTERRUPTED = 130


def main() -> None:
    """Run the command line of this process and exit with its code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # an ASCII terminal shows ? for what it lacks
    app(prog_name="dlcc")


class RootGroup(TyperGroup):
    """The root command: whatever goes wrong below it becomes one line and an exit code."""

    def list_commands(self, ctx: Any) -> list[str]:
        return sorted(self.commands)

    def main(self, args: Sequence[str] | None = None, *rest: Any, **options: Any) -> Any:
        arguments = list(sys.argv[1:] if args is None else args)
        settings.debug, settings.quiet = False, False
        options["standalone_mode"] = False
        sys.exit(_exit_code(lambda: super(RootGroup, self).main(arguments, *rest, **options)))


def _exit_code(run: Any) -> int:
    from dlcc.cli import console as screen
    from dlcc.core.errors import DlccError

    try:
        result = run()
        sys.stdout.flush()
        code = result if isinstance(result, int) else 0
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    except (BrokenPipeError, SystemExit):  # the reader has what it wants; typer exits then
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except DlccError as error:
        if settings.debug:
            raise
        screen.fail(str(error))
        return error.exit_code
    except Exception as error:
        if settings.debug:
            raise
        if hasattr(error, "format_message"):  # typer's own: a wrong option or argument
            screen.fail(f"{error.format_message()} (see --help)")
            return int(getattr(error, "exit_code", 2))
        screen.fail(f"{type(error).__name__}: {error}; run again with --debug and report it")
        return 1
    if code == INTERRUPTED:
        screen.fail("interrupted")
    return code


def _show_version(value: bool) -> None:
    if value:
        from importlib.metadata import version

        print(f"dlcc {version('dlcc')}")
        raise typer.Exit()


app = typer.Typer(
    cls=RootGroup,
    help="Attention you can run, train and look at, in a terminal.",
    invoke_without_command=True,
    pretty_exceptions_enable=False,
)


@app.callback()
def _root(
    context: typer.Context,
    show_version: Annotated[
        bool,
        typer.Option("--version", help="Show the version.", callback=_show_version, is_eager=True),
    ] = False,
) -> None:
    if context.invoked_subcommand is None:
        print(context.get_help())


def _add_commands() -> None:
    from dlcc.cli.commands import attend, sentiment, translate, view, vit

    app.add_typer(attend.app, name="attend", cls=DefaultGroup)
    app.add_typer(translate.app, name="translate", cls=DefaultGroup)
    app.add_typer(sentiment.app, name="sentiment", cls=DefaultGroup)
    app.add_typer(vit.app, name="vit")
    app.command()(view.view)


_add_commands()
