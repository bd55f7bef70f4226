"""`dlcc attend train`: teach attention a relation, and see what carries over."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dlcc.cli.options import Debug, Json, Quiet, Seed

if TYPE_CHECKING:
    from dlcc.core.relations import RelationConfig, RelationTask
    from dlcc.core.teaching import Comparison, Row


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
        int, typer.Option("--held-out", help="Pairs that training never sees.")
    ] = 15,
    steps: Annotated[int, typer.Option("--steps", help="Training steps.")] = 100,
    embeddings: Annotated[
        Path | None,
        typer.Option(
            "--embeddings",
            help="A GloVe or word2vec text file, plain, .gz or .zip, for the bundled vectors.",
            metavar="FILE",
        ),
    ] = None,
    save: Annotated[
        Path | None,
        typer.Option(
            "--save", help="Write the trained attention, for dlcc attend --load.", metavar="FILE"
        ),
    ] = None,
    json_output: Json = False,
    seed: Seed = 0,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Teach attention a relation between words, and see what carries over to unseen words.

    Each word is shown the partners of all words, and has to put its weight on its own.
    """
    import json

    from dlcc.cli.attend_traces import reading
    from dlcc.cli.screen import stdout, warn
    from dlcc.core.errors import UsageError
    from dlcc.core.relations import RELATIONS, RelationConfig, load_task

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
    comparison = _compare(task, config, kept or ("fixed", "learned"))
    about = _about(names, config, task, comparison)
    if save is not None:
        from dataclasses import replace

        from dlcc.core.trained import save_trained

        save_trained(save, replace(comparison.trained, about=about))
    if json_output:
        print(json.dumps(about, ensure_ascii=False))
        return
    console = stdout()
    console.print(_tables(about))
    console.print()
    for sentence in lessons(comparison.rows):
        console.print(sentence)


def _compare(
    task: "RelationTask", config: "RelationConfig", embeddings: tuple[str, ...]
) -> "Comparison":
    import torch
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    from dlcc.cli.options import settings
    from dlcc.cli.screen import stderr
    from dlcc.core.teaching import compare, kinds

    torch.set_num_threads(1)  # the matrices are too small to be worth sharing
    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}", markup=False))
    console = stderr()
    silent = settings.quiet or not console.is_terminal
    with Progress(*columns, console=console, transient=True, disable=silent) as bar:
        total = len(kinds(embeddings)) * config.num_seeds
        item = bar.add_task("training", total=total)
        return compare(
            task, config, embeddings, lambda words: bar.update(item, advance=1, description=words)
        )


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

    values: dict[str, Any] = asdict(row.kind)
    for name in ("before", "after", "training"):
        figures = [asdict(item) for item in getattr(row, name)]
        for figure in ("accuracy", "weight"):
            mean, spread = _mean([item[figure] for item in figures])
            values[f"{name}_{figure}"] = {"mean": round(mean, 4), "sd": round(spread, 4)}
    return values


def _mean(values: list[float]) -> tuple[float, float]:
    """Mean and standard deviation."""
    mean = sum(values) / len(values)
    return mean, (sum((value - mean) ** 2 for value in values) / len(values)) ** 0.5


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


def lessons(rows: "tuple[Row, ...]") -> list[str]:
    """What the figures say, in words that hold for these figures and no others."""
    found = {(row.kind.name, row.kind.embeddings, row.kind.start): row for row in rows}
    sentences = [_carry_over(found), _start(found), _memorise(found), _cost(found)]
    return [sentence for sentence in sentences if sentence]


def _accuracy(row: "Row", when: str) -> float:
    return _mean([figures.accuracy for figures in getattr(row, when)])[0]


def _carry_over(found: "dict[tuple[str, str, str], Row]") -> str:
    row = found.get(("trainable", "fixed", "similarity"))
    if row is None:
        return ""
    before, taught = _accuracy(row, "before"), _accuracy(row, "after")
    plain = _accuracy(found["dot-product", "fixed", ""], "after")
    cosine = _accuracy(found["cosine × 10", "fixed", ""], "after")
    if taught > max(plain, cosine, before):
        verdict = "what the projections learned carries over to words they never saw"
    elif taught > before:
        verdict = "the projections carry over, but no further than comparing the words as they are"
    else:
        verdict = "here the projections learned nothing that carries over"
    return (
        f"With fixed embeddings, trainable attention from a similarity start finds {taught:.0%} of "
        f"the held-out partners ({before:.0%} before training), plain dot-product attention "
        f"{plain:.0%}, the cosine {cosine:.0%}: {verdict}."
    )


def _start(found: "dict[tuple[str, str, str], Row]") -> str:
    drawn = found.get(("trainable", "fixed", "random"))
    alike = found.get(("trainable", "fixed", "similarity"))
    if drawn is None or alike is None:
        return ""
    low, high = _accuracy(drawn, "after"), _accuracy(alike, "after")
    fits = _accuracy(drawn, "training")
    if high - low > 0.05:
        verdict = (
            "with so few pairs, where the weights start and are held decides what carries over"
        )
    elif low - high > 0.05:
        verdict = "here the random start is the better one"
    else:
        verdict = "here the start matters little"
    return (
        f"From a random start it finds {low:.0%} of them, and {fits:.0%} of the training pairs: "
        f"{verdict}."
    )


def _memorise(found: "dict[tuple[str, str, str], Row]") -> str:
    row = found.get(("dot-product", "learned", ""))
    if row is None:
        return ""
    before, after, training = (_accuracy(row, when) for when in ("before", "after", "training"))
    if training > 0.9 and after < before - 0.05:
        verdict = (
            "each learned vector is one word's own, so fitting the training words leaves the "
            "held-out ones where they were, and behind"
        )
    elif after < before - 0.05:
        verdict = "the held-out words lose although the training words are not yet fitted"
    else:
        verdict = "here learning the vectors cost the held-out words nothing"
    return (
        f"With learned key vectors, plain dot-product attention finds {training:.0%} of the "
        f"training partners and {after:.0%} of the held-out ones ({before:.0%} before): {verdict}."
    )


def _cost(found: "dict[tuple[str, str, str], Row]") -> str:
    parts = []
    for name in ("trainable", "additive"):
        for start in ("random", "similarity"):
            fixed = found.get((name, "fixed", start))
            learned = found.get((name, "learned", start))
            if fixed is not None and learned is not None:
                change = f"{_accuracy(fixed, 'after'):.0%} → {_accuracy(learned, 'after'):.0%}"
                parts.append(f"{name} from a {start} start {change}")
    if not parts:
        return ""
    return f"Held-out accuracy when the key vectors are learned as well: {', '.join(parts)}."
