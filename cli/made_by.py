"""What a trace says of how it was made, and keeping it in files."""

import shlex
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dlcc.core.trace.trace import AttentionTrace


def command(*parts: str, **options: tuple[Any, Any]) -> str:
    """A `dlcc` command line.

    Args:
        parts: words of the command, quoted where they need it.
        options: by name a value and the default, at which the option is left out.
    """
    words = ["dlcc", *parts]
    for name, (value, default) in options.items():
        if value != default:
            words += [f"--{name.replace('_', '-')}", str(value)]
    return shlex.join(words)


def keep(
    traces: "list[AttentionTrace]",
    save: Path | None,
    export: Path | None,
    write: Callable[[Path], None],
) -> None:
    """Save traces, and have `write` export them, where a path is given; say so on stderr."""
    from dlcc.cli.console import note

    if save is not None:
        from dlcc.core.trace.trace import save_traces

        save_traces(save, traces)
        note(f"saved {save}: dlcc view {save}")
    if export is not None:
        write(export)
        note(f"wrote {export}")


def by_model(
    about: Mapping[str, Any] | None,
    checkpoint: Path | None,
    *parts: str,
    **options: tuple[Any, Any],
) -> dict[str, Any]:
    """`made_by` of a trace from a trained model.

    Args:
        about: how the model was made.
        checkpoint: as --checkpoint named it; None for the bundled one.
        parts: as `command` takes them.
        options: as `command` takes them.
    """
    known = about or {}
    return {
        "command": command(*parts, checkpoint=(checkpoint, None), **options),
        "model": known.get("command", ""),
        "seed": known.get("seed", 0),
        "versions": {name: version(name) for name in ("dlcc", "torch")},
    }
