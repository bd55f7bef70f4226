"""The `dlcc` command: its subcommands, the options they share, and the one place for errors."""

import io
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer

from dlcc.cli.groups import Door, LazyGroup
from dlcc.cli.options import in_words, settings

INTERRUPTED = 130


def main() -> None:
    """Run the command line of this process and exit with its code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # an ASCII terminal shows ? for what it lacks
    keep_freed_memory()
    app(prog_name="dlcc")


def keep_freed_memory() -> None:
    """Let this process use the memory of freed tensors again instead of giving it back.

    Otherwise glibc maps every large tensor anew and the kernel clears its pages: on a CPU that is
    up to half of the time of a training step. Elsewhere than on glibc nothing changes.
    """
    import ctypes

    try:
        set_option = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # macOS; a library without it; Windows
        return
    trim_threshold, mmap_max = -1, -4  # of malloc.h
    set_option(mmap_max, 0)
    set_option(trim_threshold, -1)  # never: steps of more than 2 GB gave theirs back


class RootGroup(LazyGroup):
    """The root command: whatever goes wrong below it becomes one line and an exit code."""

    doors: Mapping[str, Door] = {
        "attend": Door(
            help="Attention from scratch on one or two sentences.",
            doors={"run": Door("attend:attend"), "train": Door("attend_train:train")},
        ),
        "look": Door(
            "look:look", "Look at attention from any source, one of a package of yours too."
        ),
        "sentiment": Door(
            help="Classify texts with a Transformer, and see why.",
            doors={
                "run": Door("sentiment:sentiment"),
                "train": Door("train:train_command", recipe="sentiment"),
                "pretrain": Door("train:train_command", recipe="masked-words"),
                "eval": Door("sentiment_eval:evaluate"),
                "compare": Door("sentiment_eval:compare"),
            },
        ),
        "train": Door("train:Recipes", "Train any recipe that is installed."),
        "translate": Door(
            help="Translate with a GRU and attention.",
            doors={
                "run": Door("translate:translate"),
                "train": Door("train:train_command", recipe="translate"),
                "eval": Door("translate_eval:evaluate"),
                "compare": Door("translate_eval:compare"),
                "alignments": Door("translate_eval:alignments"),
            },
        ),
        "view": Door("view:view", "Look at attention in the terminal, with the keyboard."),
        "vit": Door(
            help="Classify pictures with a Vision Transformer.",
            doors={
                "train": Door("train:train_command", recipe="vit"),
                "eval": Door("vit_eval:evaluate"),
                "predict": Door("vit_predict:predict"),
                "compare": Door("vit_compare:compare"),
            },
        ),
    }

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
        screen.fail(in_words(error))
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
