"""`dlcc attend train`: teach attention a relation, and see what carries over."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dlcc.cli.commands.together import refuse_together
from dlcc.cli.commands.train import Resumed, command_line, is_given
from dlcc.cli.commands.training import resume_line
from dlcc.cli.draw.lessons import lessons
from dlcc.cli.options import Embeddings, Json, Seed
from dlcc.core.train.runs import find_run, is_run, kind_of, read_record, write_record

if TYPE_CHECKING:
    from dlcc.core.attend.kept import Trainings
    from dlcc.core.attend.relations import RelationConfig, RelationTask
    from dlcc.core.attend.teaching import Comparison, Row

_OWN = ("rows", "made_by", "versions")  # which have their own place in the JSON


def train(
    context: typer.Context,
    relations: Annotated[
        list[str] | None,
        typer.Argument(
            help="country-capital, singular-plural, present-past, adjective-opposite, "
            "pronoun-object, all, or a file with a word, a tab and its partner a line; "
            "country-capital when left out.",
            metavar="RELATION",
            show_default=False,
        ),
    ] = None,
    freeze: Annotated[
        bool,
        typer.Option("--freeze-embeddings", help="Only the rows with fixed word vectors."),
    ] = False,
    learn: Annotated[
        bool,
        typer.Option("--learn-embeddings", help="Only the rows with learned key vectors."),
    ] = False,
    seeds: Annotated[
        int, typer.Option("--seeds", help="Runs, each with its own held-out pairs.")
    ] = 5,
    held_out: Annotated[
        int,
        typer.Option(
            "--held-out", help="Pairs of each relation that training never sees; at most a fifth."
        ),
    ] = 15,
    steps: Annotated[int, typer.Option("--steps", help="Training steps.")] = 100,
    embeddings: Embeddings = None,
    save: Annotated[
        Path | None,
        typer.Option(
            "--save", help="Write the trained attention, for dlcc attend --load.", metavar="FILE"
        ),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Replace the file that --save finds there.")
    ] = False,
    run: Annotated[
        Path | None,
        typer.Option(
            help="Folder that keeps what is done, so that it can be gone on with, and the result.",
            metavar="FOLDER",
        ),
    ] = None,
    resume: Resumed = False,
    json_output: Json = False,
    seed: Seed = 0,
) -> None:
    """Teach attention a relation between words, and see what carries over to unseen words.

    Each word is shown the partners of all words, and has to put its weight on its own.

    Examples:
        dlcc attend train
        dlcc attend train all --save mine.safetensors
        dlcc attend train pairs.tsv --held-out 5 --seeds 3 --run runs/pairs
    """
    refuse_together()
    from contextlib import nullcontext

    from dlcc.cli.console import note, print_results, stdout
    from dlcc.cli.draw.export import check_place
    from dlcc.core.attend.relations import RELATIONS
    from dlcc.core.errors import UsageError
    from dlcc.core.train.runs import alone_in

    if resume and run is None:
        raise UsageError("--resume needs --run FOLDER: the run to go on with")
    names = list(dict.fromkeys(relations or ["country-capital"]))
    if "all" in names:
        names = list(RELATIONS)
    kept = ("learned",) if learn and not freeze else ("fixed",) if freeze and not learn else ()
    asked = {
        "relations": names,
        "rows": list(kept or ("fixed", "learned")),
        "held_out": held_out,
        "seeds": seeds,
        "steps": steps,
        "seed": seed,
        "embeddings": embeddings and str(embeddings),
    }
    if run and resume:
        asked = _as_begun(context, run := find_run(str(run)), asked)
    elif run and is_run(run):
        raise UsageError(f"holds a training: {resume_line(run)} goes on with it", "run", run)
    if save is not None and asked["rows"] == ["learned"]:
        raise UsageError(
            "--save: learned key vectors fit the training words alone; leave out --learn-embeddings"
        )
    if save is not None:
        check_place(save, replace=force or resume, option="save")
    try:
        with alone_in(run) if run else nullcontext():
            about = _taught(asked, run, save, command_line(context))
    except KeyboardInterrupt:
        if run:
            note(f"stopped; go on with: {resume_line(run)}")
        raise
    if json_output:
        rest = {name: each for name, each in about.items() if name not in _OWN}
        print_results(about["rows"], **rest)
        return
    console = stdout()
    console.print(_tables(about))
    console.print()
    for sentence in about["lessons"]:
        console.print(sentence)


def _as_begun(context: typer.Context, run: Path, asked: dict[str, Any]) -> dict[str, Any]:
    """What a run was begun with.

    Raises:
        UsageError: something else was given, or the run is of another kind.
    """
    from dlcc.core.attend.relations import RelationConfig
    from dlcc.core.errors import UsageError
    from dlcc.core.files.paths import being_read
    from dlcc.core.train.runs import RECORD

    record = read_record(run)
    if record is None or record["recipe"] != "attend":
        raise UsageError(f"holds a training of {kind_of(run)}, not of attend", "run", run)
    parameters = {"rows": ("freeze", "learn")}
    with being_read(run / RECORD):
        before: dict[str, Any] = {n: record["values"][n] for n in (*asked, "train_hash")}
        numbers = (before[name] for name in ("held_out", "seeds", "seed", "steps"))
        RelationConfig(*numbers)  # asks for their bounds
        if not {*before["rows"]} <= {"fixed", "learned"}:
            raise ValueError(f"rows of {before['rows']}")
        _ = [*map(Path, before["relations"])], Path(before["embeddings"] or "")
    for name, value in _rooted(asked).items():
        given = any(is_given(context, each) for each in parameters.get(name, (name,)))
        if given and value != before.get(name):
            shown = {"rows": "freeze-embeddings"}.get(name, name)
            raise UsageError(f"the run has {before.get(name)}", shown, value)
    return before


def _rooted(asked: dict[str, Any]) -> dict[str, Any]:
    """What was asked, files with all folders from the root on."""
    from dlcc.core.attend.relations import RELATIONS

    relations = [
        each if each in RELATIONS else str(Path(each).absolute()) for each in asked["relations"]
    ]
    vectors = asked["embeddings"] and str(Path(asked["embeddings"]).absolute())
    return {**asked, "relations": relations, "embeddings": vectors}


def _taught(
    asked: dict[str, Any], run: Path | None, save: Path | None, command: str
) -> dict[str, Any]:
    """Teach what was asked, and keep it; the JSON values of the experiment."""
    from dataclasses import replace

    from dlcc.cli.console import reading, warn
    from dlcc.core.attend.kept import RESULT, Trainings, check_same, hash_of
    from dlcc.core.attend.relations import RelationConfig, load_task
    from dlcc.core.attend.trained import save_trained

    config = RelationConfig(asked["held_out"], asked["seeds"], asked["seed"], asked["steps"])
    vectors = Path(asked["embeddings"]) if asked["embeddings"] else None
    with reading(vectors) as progress:
        task = load_task(asked["relations"], vectors, progress)
    if task.missing:
        warn(f"no vector for {', '.join(task.missing)}: their pairs are left out")
    _warn_of_fewer(task, config)
    begun: dict[str, Any] = {"given": [], "preset": "", "seed": asked["seed"], "device": "cpu"}
    if run:
        check_same(run, asked.get("train_hash", hash_of(task)), task)
        begun |= {"values": {**_rooted(asked), "train_hash": hash_of(task)}}
        before = read_record(run)
        begun |= {"command": before["command"] if before else command}
        write_record(run, "attend", begun)
    comparison = _compare(task, config, tuple(asked["rows"]), Trainings(run) if run else None)
    about = _about(asked["relations"], config, task, comparison)
    trained = replace(comparison.trained, about=about)
    if save is not None:
        save_trained(save, trained)
    if run:
        if trained.mechanisms:
            save_trained(run / RESULT, trained)
        best = max(row["after_accuracy"]["mean"] for row in about["rows"])
        data = ", ".join(Path(each).name for each in asked["relations"])
        result = {"metric": "held_out_accuracy", "best": best, "data": data}
        write_record(run, "attend", begun | {"result": result})
    return about


def _warn_of_fewer(task: "RelationTask", config: "RelationConfig") -> None:
    """Say how many pairs are held out where the relations have too few for what was asked."""
    from dlcc.cli.console import warn
    from dlcc.core.attend.relations import hold_out

    held, asked = len(hold_out(task, config, 0)[1]), config.held_out * len(set(task.relation))
    if held < asked:
        warn(
            f"--held-out {config.held_out}: {held} of the {len(task.queries)} pairs are held out, "
            "no more than a fifth of a relation"
        )


def _compare(
    task: "RelationTask",
    config: "RelationConfig",
    embeddings: tuple[str, ...],
    kept: "Trainings | None",
) -> "Comparison":
    from dlcc.cli.console import counting
    from dlcc.core.attend.teaching import compare
    from dlcc.core.train.runtime import one_thread

    with one_thread(), counting("trainings") as progress:
        return compare(task, config, embeddings, progress, kept)


def _about(
    names: list[str], config: "RelationConfig", task: "RelationTask", comparison: "Comparison"
) -> dict[str, Any]:
    """JSON values of the whole experiment."""
    from dataclasses import asdict
    from importlib.metadata import version

    return {
        "made_by": "dlcc attend train",
        "relations": [Path(each).name for each in names],
        "pairs": len(task.queries),
        "keys": len(task.keys),
        "held_out_pairs": len(comparison.trained.about["held_out"]),
        "config": asdict(config),
        **comparison.trained.about,
        "rows": [_row_as_json(row) for row in comparison.rows],
        "lessons": lessons(comparison.rows),
        "versions": {name: version(name) for name in ("dlcc", "torch")},
    }


def _row_as_json(row: "Row") -> dict[str, Any]:
    from dataclasses import asdict
    from statistics import mean, pstdev

    values: dict[str, Any] = asdict(row.kind)
    for name in ("before", "after", "training"):
        figures = [asdict(item) for item in getattr(row, name)]
        for figure in ("accuracy", "weight"):
            found = [item[figure] for item in figures]
            values[f"{name}_{figure}"] = {
                "mean": round(mean(found), 4),
                "sd": round(pstdev(found), 4),
            }
    return values


def _tables(about: dict[str, Any]) -> Any:
    """One table for fixed and one for learned embeddings, 75 columns wide."""
    from rich.console import Group
    from rich.text import Text

    seeds = about["config"]["num_seeds"]
    heading = (
        f"{', '.join(about['relations'])}: {about['pairs']} pairs, {about['held_out_pairs']} of "
        f"them held out, {about['keys']} keys; mean over {seeds} "
        f"{'seed' if seeds == 1 else 'seeds'} ± standard deviation"
    )
    parts: list[Any] = [Text(heading)]
    for embeddings in ("fixed", "learned"):
        rows = [row for row in about["rows"] if row["embeddings"] == embeddings]
        if rows:
            parts += [Text(), _table(f"{embeddings} embeddings", rows)]
    return Group(*parts)


def _table(title: str, rows: list[dict[str, Any]]) -> Any:
    from rich.table import Table

    table = Table(box=None, title=title, title_justify="left", title_style="bold", pad_edge=False)
    table.padding = (0, 2, 0, 0)
    table.add_column("attention", min_width=11)
    table.add_column("start", min_width=10)
    for name, width in (("held-out accuracy", 10), ("weight on partner", 10)):
        table.add_column(f"{name.split()[0]}\nbefore", justify="right", min_width=8)
        table.add_column(f"{name.split(' ', 1)[1]}\nafter", justify="right", min_width=width)
    table.add_column("training\naccuracy", justify="right")
    for row in rows:
        cells = [row["name"], row["start"]]
        for figure in ("accuracy", "weight"):
            before, after = row[f"before_{figure}"], row[f"after_{figure}"]
            spread = f"{after['sd']:.2f}".lstrip("0")
            cells += [f"{before['mean']:.2f}", f"{after['mean']:.2f} ± {spread}"]
        table.add_row(*cells, f"{row['training_accuracy']['mean']:.2f}")
    return table
