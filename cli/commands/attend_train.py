"""`dlcc attend train`: teach attention a relation, and see what carries over."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dlcc.cli.draw.lessons import lessons
from dlcc.cli.options import Embeddings, Json, Seed

if TYPE_CHECKING:
    from dlcc.core.attend.relations import RelationConfig, RelationTask
    from dlcc.core.attend.teaching import Comparison, Row


def train(
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
    json_output: Json = False,
    seed: Seed = 0,
) -> None:
    """Teach attention a relation between words, and see what carries over to unseen words.

    Each word is shown the partners of all words, and has to put its weight on its own.
    """
    from dlcc.cli.console import print_json, reading, stdout, warn
    from dlcc.core.attend.relations import RELATIONS, RelationConfig, load_task
    from dlcc.core.errors import UsageError

    names = list(dict.fromkeys(relations or ["country-capital"]))
    if "all" in names:
        names = list(RELATIONS)
    kept = ("learned",) if learn and not freeze else ("fixed",) if freeze and not learn else ()
    if save is not None and kept == ("learned",):
        raise UsageError(
            "--save: learned key vectors fit the training words alone; leave out --learn-embeddings"
        )
    config = RelationConfig(held_out, seeds, seed, steps)
    with reading(embeddings) as progress:
        task = load_task(names, embeddings, progress)
    if task.missing:
        warn(f"no vector for {', '.join(task.missing)}: their pairs are left out")
    _warn_of_fewer(task, config)
    comparison = _compare(task, config, kept or ("fixed", "learned"))
    about = _about(names, config, task, comparison)
    if save is not None:
        from dataclasses import replace

        from dlcc.core.attend.trained import save_trained

        save_trained(save, replace(comparison.trained, about=about))
    if json_output:
        print_json(about)
        return
    console = stdout()
    console.print(_tables(about))
    console.print()
    for sentence in lessons(comparison.rows):
        console.print(sentence)


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
    task: "RelationTask", config: "RelationConfig", embeddings: tuple[str, ...]
) -> "Comparison":
    from dlcc.cli.console import counting
    from dlcc.core.attend.teaching import compare
    from dlcc.core.train.runtime import one_thread

    with one_thread(), counting("trainings") as progress:
        return compare(task, config, embeddings, progress)


def _about(
    names: list[str], config: "RelationConfig", task: "RelationTask", comparison: "Comparison"
) -> dict[str, Any]:
    """JSON values of the whole experiment."""
    from dataclasses import asdict
    from importlib.metadata import version

    return {
        "made_by": "dlcc attend train",
        "relations": names,
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
