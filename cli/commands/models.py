"""`dlcc models`: the trained models that there are, and all that is known of how each was made."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from dlcc.cli.options import Json

_BUNDLED = ("translate", "sentiment", "vit")
_SHORT = 8  # values of a list that are printed


def list_models(json_output: Json = False) -> None:
    """List trained models: those bundled with the program, and the best of each training run.

    Examples:
        dlcc models
        dlcc models --json
    """
    from dlcc.cli.console import print_results, stdout
    from dlcc.cli.draw.runs import models_table

    found = [_model(name, where, folder) for name, where, folder in _folders()]
    if json_output:
        print_results(found)
        return
    console = stdout()
    console.print(models_table(found, console.width))


def show(
    name: Annotated[
        str,
        typer.Argument(
            help="translate, sentiment or vit for a bundled one; a run; or a checkpoint's folder.",
            metavar="MODEL",
        ),
    ],
    json_output: Json = False,
) -> None:
    """Show how a model was made: command, data and their hashes, seed, hardware, figures, files.

    Examples:
        dlcc models show vit
        dlcc models show runs/mine
    """
    from dlcc.cli.console import print_results, stdout
    from dlcc.core.files.paths import asset
    from dlcc.core.train.folders import best_of, read_header, whole
    from dlcc.core.train.runs import find_run

    if name in _BUNDLED:
        folder = asset(name)
    elif (Path(name) / "config.json").is_file():
        folder = Path(name)
    else:
        folder = whole(best_of(find_run(name)))
    header = read_header(folder)
    shown = {
        "model": header["kind"],
        "folder": str(folder),
        **header["about"],
        "config": header["config"],
        "sha256": header["sha256"],
    }
    if json_output:
        print_results([shown])
        return
    for line in _lines(shown):
        stdout().print(line, soft_wrap=True)


def _folders() -> Iterator[tuple[str, str, Path]]:
    """(name, where it is, the folder of its checkpoint) of each."""
    from dlcc.core.files.paths import asset
    from dlcc.core.train.folders import best_of, whole
    from dlcc.core.train.runs import all_runs, is_trained, name_of_run

    for name in _BUNDLED:
        yield name, "bundled", asset(name)
    for run in filter(is_trained, all_runs()):
        best = best_of(run)
        yield name_of_run(run), "run", best if best != run else whole(run / "last")


def _model(name: str, where: str, folder: Path) -> dict[str, Any]:
    """What the list says of a model; of one that cannot be read, why."""
    from dlcc.core.errors import DlccError
    from dlcc.core.train.folders import read_header
    from dlcc.core.train.summary import deciding

    known: dict[str, Any] = {"name": name, "where": where, "folder": str(folder)}
    try:
        header = read_header(folder)
        about = header["about"]
        figures, metric = about.get("metrics", {}), deciding(about)
        size = sum(file.stat().st_size for file in folder.iterdir())
        return known | {
            "kind": header["kind"],
            "data": str(about.get("data", {}).get("file", "")),
            "metric": metric,
            "best": figures.get(metric),
            "date": about.get("made", {}).get("date", ""),
            "size": size,
        }
    except (DlccError, OSError, AttributeError, TypeError) as error:
        return known | {"damaged": str(error)}


def _lines(values: Any, depth: int = 0) -> Iterator[str]:
    """JSON values as indented lines; of long lists how many values there are."""
    pad = "  " * depth
    for name, value in values.items():
        if isinstance(value, dict) and value:
            yield f"{pad}{name}:"
            yield from _lines(value, depth + 1)
        elif isinstance(value, list) and (len(value) > _SHORT or any(map(_is_nested, value))):
            yield f"{pad}{name}: {len(value)} of them (--json has all)"
        elif isinstance(value, list):
            yield f"{pad}{name}: {', '.join(map(str, value))}"
        else:
            yield f"{pad}{name}: {f'{value:.4g}' if isinstance(value, float) else value}"


def _is_nested(value: Any) -> bool:
    return isinstance(value, dict | list)
