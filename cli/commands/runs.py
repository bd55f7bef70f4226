"""`dlcc runs`: the trainings that are there, one of them, several side by side."""

import shlex
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dlcc.cli.options import FigureTitle, Force, Json, Theme

if TYPE_CHECKING:
    from dlcc.core.train.summary import Summary

Name = Annotated[
    str, typer.Argument(help="A run's folder, or its name among all runs.", metavar="RUN")
]
Names = Annotated[
    list[str], typer.Argument(help="Runs' folders, or their names among all.", metavar="RUN...")
]

Figure = Annotated[
    Path | None,
    typer.Option("--export", help="Draw the curves: .svg, .pdf, .png or .html.", metavar="FILE"),
]

_USES = {
    "attend": ("attend --load {run} --mechanism trainable",),
    "translate": ("translate TEXT --checkpoint {run}", "translate eval --checkpoint {run}"),
    "sentiment": ("sentiment TEXT --checkpoint {run}", "sentiment eval --checkpoint {run}"),
    "masked-words": ("sentiment train --from {run}",),
    "vit": ("vit predict PICTURE --checkpoint {run}", "vit eval --checkpoint {run}"),
}
"""By kind of run what its model is for."""


def list_runs(
    folders: Annotated[
        list[Path] | None,
        typer.Argument(
            help="Where to look; left out, where all runs are kept, in ./runs, and wherever else "
            "one was begun.",
            metavar="FOLDER...",
            show_default=False,
        ),
    ] = None,
    json_output: Json = False,
) -> None:
    """List training runs, the latest first: what of, how far, how good, and whether one is running.

    "stopped" can be gone on with by dlcc resume RUN.

    Examples:
        dlcc runs
        dlcc runs experiments
        dlcc runs --json
    """
    from dlcc.cli.console import note, print_results, stdout
    from dlcc.cli.draw.runs import list_of
    from dlcc.core.train.runs import all_runs
    from dlcc.core.train.summary import summary_of

    found = [summary_of(run) for run in all_runs(folders or ())]
    found.sort(key=lambda each: each.started, reverse=True)
    if json_output:
        print_results(_as_json(each) for each in found)
        return
    if found:
        console = stdout()
        console.print(list_of(found, console.width))
    else:
        note("no runs yet: begin one with dlcc translate train, sentiment train or vit train")
    for each in found:
        if each.why:
            note(f"{each.name}: {each.why}")


def show(
    run: Name,
    export_to: Figure = None,
    theme: Theme = "paper",
    title: FigureTitle = "",
    force: Force = False,
    json_output: Json = False,
) -> None:
    """Show a run: how it was made, its curves and figures, and what to do with it.

    Examples:
        dlcc runs show vit-001
    """
    from dlcc.cli.console import print_results, stdout
    from dlcc.cli.draw.export import PAGES, Files
    from dlcc.cli.draw.runs import curves_panel, page_of

    files = Files(None, export_to, theme, title, force, PAGES)
    (found,) = _sound([run])
    files.write([], panels=lambda: [curves_panel({found.name: found}, found.metric)])
    if json_output:
        curve = found.curve(found.metric)
        print_results([_as_json(found) | {"curve": curve, "about": found.about}])
        return
    console = stdout()
    for line in page_of(found):
        console.print(line)
    console.print("\n".join(["", *uses(found)]), style="dim")


def compare(
    names: Names,
    by: Annotated[str, typer.Option(help="What runs to the right: epochs or minutes.")] = "epochs",
    export_to: Figure = None,
    theme: Theme = "paper",
    title: FigureTitle = "",
    force: Force = False,
    json_output: Json = False,
) -> None:
    """Compare runs: their curves in one plot, what was set otherwise, and what came of it.

    Examples:
        dlcc runs compare runs/mine runs/without
        dlcc runs compare vit-001 vit-002 --by minutes
    """
    from dlcc.cli.console import print_lines, print_results, stdout
    from dlcc.cli.draw.export import PAGES, Files
    from dlcc.cli.draw.runs import curves_panel, differences, plot
    from dlcc.core.errors import UsageError
    from dlcc.core.settings import one_of

    one_of(("epochs", "minutes")).ask(by, "by")
    files = Files(None, export_to, theme, title, force, PAGES)
    found = _sound(names)
    metric = found[0].metric
    for each in found:
        if each.metric != metric or not metric:
            said = each.metric or "no epoch that has ended"
            raise UsageError(
                f"{each.name} has {said}, {found[0].name} {metric or 'none'}: "
                "compare runs with the same figure"
            )
    shown = {each.name: each for each in found}
    files.write([], panels=lambda: [curves_panel(shown, metric, by)])
    if json_output:
        print_results((_as_json(each) | {"curve": each.curve(metric, by)} for each in found), by=by)
        return
    print_lines(plot(shown, metric, by))
    stdout().print(differences(found))


def remove(
    names: Names,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Delete runs: their checkpoints, metrics and traces; what else lies in a folder stays.

    Examples:
        dlcc runs rm vit-001
        dlcc runs rm vit-001 vit-002 --yes
    """
    from dlcc.cli.console import note
    from dlcc.cli.draw.runs import size
    from dlcc.core.errors import UsageError
    from dlcc.core.train.runs import find_run, remove_run
    from dlcc.core.train.summary import summary_of

    found = [summary_of(find_run(name)) for name in dict.fromkeys(names)]
    if not yes:
        if not sys.stdin.isatty():
            raise UsageError("nobody can be asked here: give --yes to delete without being asked")
        for each in found:
            trained = f"{each.minutes:.0f} minutes of training"
            note(f"{each.name}: {each.kind}, {trained}, {size(each.size)}")
        typer.confirm("Delete for good?", abort=True, err=True)
    for each in found:
        left = remove_run(each.run)
        note(f"deleted {each.name}{f', but for {left}' if left else ''}")


def rename(
    run: Name, to: Annotated[str, typer.Argument(help="The new name, or a path.", metavar="NAME")]
) -> None:
    """Rename a run, or move it to another folder.

    Examples:
        dlcc runs rename vit-001 without-cutmix
    """
    from dlcc.cli.console import put
    from dlcc.core.train.runs import find_run, move_run

    put(str(move_run(find_run(run), Path(to))))


def export(
    run: Name,
    folder: Annotated[Path, typer.Argument(help="Where to; made anew.", metavar="FOLDER")],
) -> None:
    """Copy a run's best checkpoint alone, for --checkpoint: without states, metrics and paths.

    Examples:
        dlcc runs export runs/mine mine
    """
    from dlcc.cli.console import put
    from dlcc.core.errors import UsageError
    from dlcc.core.train.folders import best_of, copy_checkpoint
    from dlcc.core.train.runs import find_run

    if folder.exists():
        raise UsageError("exists: choose another", "folder", folder)
    copy_checkpoint(best_of(find_run(run)), folder)
    put(str(folder))


def uses(found: "Summary") -> list[str]:
    """Commands to paste: what to do with a run next."""
    name = shlex.quote(found.name)
    checkpoint = shlex.quote(str(found.run))
    lines = [f"dlcc {use.format(run=checkpoint)}" for use in _USES.get(found.kind, ())]
    if found.has_traces:
        lines.append(f"dlcc view {checkpoint}")
    if found.state == "stopped":
        lines.insert(0, f"dlcc resume {name}")
    return lines


def _sound(names: Sequence[str]) -> "list[Summary]":
    """The runs of these names.

    Raises:
        DataError: one of them is damaged, or is none.
    """
    from dlcc.core.errors import DataError
    from dlcc.core.train.runs import find_run
    from dlcc.core.train.summary import summary_of

    found = [summary_of(find_run(name)) for name in dict.fromkeys(names)]
    for each in found:
        if each.why:
            raise DataError(f"{each.name} is damaged ({each.why})")
    return found


def _as_json(found: "Summary") -> dict[str, Any]:
    values = {**asdict(found), "run": str(found.run.absolute())}
    del values["about"]
    return values
