"""The `dlcc` command: its subcommands, the options they share, and the one place for errors."""

import io
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Annotated, Any

import typer

from dlcc.cli.groups import Door, LazyGroup, print_examples
from dlcc.cli.options import in_words, settings

INTERRUPTED = 130


def main() -> None:
    """Run the command line of this process and exit with its code."""
    sys.stdin, sys.stdout, sys.stderr = map(_opened, (sys.stdin, sys.stdout, sys.stderr), "rww")
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace" if stream is sys.stdin else "dlcc")
    if not os.environ.get("COLUMNS", "80").strip("0"):  # a screen without columns shows nothing
        del os.environ["COLUMNS"]
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)  # Windows has no SIGHUP, nohup ignores it
        if number and signal.getsignal(number) == signal.SIG_DFL:
            signal.signal(number, _leave)
    keep_freed_memory()
    app(prog_name="dlcc")


def _opened(stream: Any, mode: str) -> Any:
    """A stream, or nothing in place of one that was closed before the start."""
    return open(os.devnull, mode) if stream is None else stream


def _leave(number: int, frame: object) -> None:
    """End by a signal as by an error: temporary files go and the terminal is as it was."""
    raise SystemExit(128 + number)


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


_EXAMPLES = (
    "dlcc attend",
    "dlcc view",
    'dlcc translate "I bought a book."',
    'dlcc sentiment "I could not stop smiling."',
    "dlcc help vit train",
)


class RootGroup(LazyGroup):
    """The root command: whatever goes wrong below it becomes one line and an exit code."""

    takes = "view"
    doors: Mapping[str, Door] = {
        "attend": Door(
            help="Attention from scratch on one or two sentences.",
            doors={"run": Door("attend:attend"), "train": Door("attend_train:train")},
        ),
        "data": Door("data:data", "Look at data before anything is learned from them."),
        "heads": Door("heads:heads", "Find a head: measure and sort them all."),
        "help": Door("help:show_help", "Show the help of a command, or of --json."),
        "import": Door(
            "import_weights:import_weights", "Look at attention that another program kept."
        ),
        "learn": Door("learn:learn", "The chapter as ten lessons, beside live maps."),
        "look": Door(
            "look:look", "Look at attention from any source, one of a package of yours too."
        ),
        "models": Door(
            help="List trained models, and how each was made.",
            doors={"run": Door("models:list_models"), "show": Door("models:show")},
        ),
        "resume": Door("resume:resume", "Go on with a training that was stopped or killed."),
        "runs": Door(
            help="List trainings, show and compare them.",
            doors={
                "run": Door("runs:list_runs"),
                "show": Door("runs:show"),
                "compare": Door("runs:compare"),
                "rm": Door("runs:remove"),
                "rename": Door("runs:rename"),
                "export": Door("runs:export"),
            },
        ),
        "sentiment": Door(
            help="Classify texts with a Transformer, and see why.",
            doors={
                "run": Door("sentiment:sentiment"),
                "train": Door("train:train_command", recipe="sentiment"),
                "pretrain": Door("train:train_command", recipe="masked-words"),
                "eval": Door("sentiment_eval:evaluate"),
                "compare": Door("sentiment_eval:compare"),
                "export": Door("export:export_command", recipe="sentiment"),
            },
        ),
        "train": Door("train:Recipes", "Train any recipe that is installed."),
        "translate": Door(
            help="Translate with attention.",
            doors={
                "run": Door("translate:translate"),
                "train": Door("train:train_command", recipe="translate"),
                "eval": Door("translate_eval:evaluate"),
                "compare": Door("translate_eval:compare"),
                "export": Door("export:export_command", recipe="translate"),
                "alignments": Door("translate_eval:alignments"),
            },
        ),
        "view": Door("view:view", "Look at attention in the terminal, with the keyboard."),
        "vit": Door(
            help="Classify pictures with a Vision Transformer.",
            takes="predict",
            doors={
                "train": Door("train:train_command", recipe="vit"),
                "eval": Door("vit_eval:evaluate"),
                "predict": Door("vit_predict:predict"),
                "compare": Door("vit_compare:compare"),
                "export": Door("export:export_command", recipe="vit"),
            },
        ),
    }

    def format_help(self, ctx: Any, formatter: Any) -> None:
        super().format_help(ctx, formatter)
        print_examples(_EXAMPLES)

    def main(self, args: Sequence[str] | None = None, *rest: Any, **options: Any) -> Any:
        arguments = list(sys.argv[1:] if args is None else args)
        settings.debug, settings.quiet, settings.arguments = False, False, tuple(arguments)
        options["standalone_mode"] = False
        sys.exit(_exit_code(lambda: super(RootGroup, self).main(arguments, *rest, **options)))


def _exit_code(run: Any) -> int:
    from typer._click.exceptions import ClickException as TyperException

    from dlcc.cli import console as screen
    from dlcc.cli import usage
    from dlcc.core.errors import DataError, DlccError, reason_of

    try:
        result = run()
        sys.stdout.flush()
        code = result if isinstance(result, int) else 0
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    except BrokenPipeError:  # the reader has what it wants
        _drop_stdout()
        return 0
    except SystemExit as error:
        if isinstance(error.__context__, BrokenPipeError):  # typer makes it this
            _drop_stdout()
            return 0
        return error.code if isinstance(error.code, int) else int(error.code is not None)
    except DlccError as error:
        if settings.debug:
            raise
        screen.fail(in_words(error))
        return error.exit_code
    except OSError as error:  # what the machine refuses is no fault of the program
        if settings.debug:
            raise
        _drop_stdout()
        what = error.filename or "the result"
        screen.fail(f"cannot read or write {what}: {reason_of(error)}")
        return DataError.exit_code
    except Exception as error:
        if settings.debug:
            raise
        if isinstance(error, TyperException):  # a wrong option or argument
            screen.fail(usage.in_words(error))
            return error.exit_code
        screen.fail(f"{type(error).__name__}: {error}; run again with --debug and report it")
        return 1
    if code == INTERRUPTED:
        screen.stderr().print("interrupted", style="dim")
    return code


def _drop_stdout() -> None:
    """Let what could not be written go, or it is tried again at the end."""
    with suppress(OSError, ValueError):  # a stand-in in a test has no descriptor
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


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
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def _root(
    context: typer.Context,
    show_version: Annotated[
        bool,
        typer.Option(
            *("--version", "-V"),
            help="Show the version.",
            callback=_show_version,
            is_eager=True,
            metavar="",
        ),
    ] = False,
) -> None:
    pass  # without a command, `LazyGroup` asks for the help
