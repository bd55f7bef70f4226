"""`dlcc sentiment eval` and `dlcc sentiment compare`."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dlcc.cli.options import (
    Checkpoint,
    ClassesAt,
    Device,
    Encoding,
    Json,
    Limit,
    OptionGroup,
    Part,
    Seed,
    SkipBadRows,
    Worst,
)

if TYPE_CHECKING:
    from dlcc.core.sentiment.classifier import Classifier
    from dlcc.core.sentiment.config import SplitConfig
    from dlcc.core.sentiment.data import Review
    from dlcc.core.sentiment.model import SentimentModel
    from dlcc.core.train import parts

_EXPLAINED = 100  # texts that explanations are measured on
_READ = {"windows": "read in windows, logits averaged", "ends": "only their two ends read"}

Data = Annotated[
    Path | None,
    typer.Option(
        "--data",
        help="aclImdb archive or folder, class folders of .txt files, .csv, .tsv or .jsonl. "
        "Left out: the official archive is downloaded (84 MB).",
        metavar="PATH",
    ),
]
Long = Annotated[
    str, typer.Option(help="How long texts are read: windows (all of it) or ends.", metavar="HOW")
]


@dataclass(frozen=True)
class TextOptions(OptionGroup):
    """How labelled texts are read."""

    text_column: Annotated[
        str | None, typer.Option("--column", help="A table's column with the text.", metavar="NAME")
    ] = None
    label_column: Annotated[
        str | None, typer.Option(help="A table's column with the class.", metavar="NAME")
    ] = None
    classes_at: ClassesAt = None
    labels: Annotated[
        list[str] | None,
        typer.Option(help="Read a label as another class; again for more.", metavar="NAME=CLASS"),
    ] = None
    encoding: Encoding = None
    skip_bad_rows: SkipBadRows = False

    def split(self, seed: int) -> "SplitConfig":
        """How the texts are read, and set apart with a seed."""
        from dlcc.core.sentiment.config import SplitConfig

        return SplitConfig(**vars(self), seed=seed)


def evaluate(
    checkpoint: Checkpoint = None,
    data: Data = None,
    how: TextOptions = TextOptions(),
    part: Part = None,
    limit: Limit = None,
    long: Long = "windows",
    worst: Worst = 5,
    faithfulness: Annotated[
        bool,
        typer.Option(
            "--faithfulness",
            help="Which explanation earns trust: mask the top words of each method, on 100 texts "
            "or --limit. Lower areas are better.",
        ),
    ] = False,
    seed: Seed = 0,
    json_output: Json = False,
    device: Device = "auto",
) -> None:
    """Score a classifier on labelled texts.

    Examples:
        dlcc sentiment eval --data aclImdb_v1.tar.gz --limit 500
        dlcc sentiment eval --checkpoint runs/reviews --data orders.csv --column text
        dlcc sentiment eval --checkpoint runs/reviews --faithfulness
    """
    from dlcc.cli.console import by_model, counting, print_results, stdout
    from dlcc.cli.draw import scores as draw
    from dlcc.core.sentiment.score import score_texts
    from dlcc.core.sentiment.source import SentimentSource

    classifier = SentimentSource(checkpoint, device, long, "torch").classifier
    chosen, reviews = _texts([classifier], data, how.split(seed), part)
    reviews = _sample(reviews, limit or _EXPLAINED if faithfulness else limit, seed)
    if faithfulness:
        _measure_faithfulness(classifier, chosen.name, reviews, seed, json_output)
        return
    with counting("texts", len(reviews)) as progress:
        result = score_texts(classifier, reviews, worst, progress, chosen.calibrates)
    if json_output:
        values = {"part": chosen.name, **draw.scores_as_json(result.scores)}
        for mistake in values["worst"]:
            mistake["text"] = reviews[mistake["place"]].text
        values["by_length"] = draw.by_length_as_json(result.by_length)
        print_results([values], by_model(classifier), labels=classifier.labels)
        return
    draw.print_scores(result.scores, "texts", chosen.name)
    draw.print_by_length(result.by_length)
    stdout().print(f"texts beyond {classifier.max_length} tokens: {_READ[long]}\n", style="dim")
    draw.print_worst_texts(result.scores.worst, reviews)


def _measure_faithfulness(
    classifier: "Classifier", part: str, reviews: "Sequence[Review]", seed: int, as_json: bool
) -> None:
    from dlcc.cli.console import by_model, counting, print_results
    from dlcc.cli.draw.scores import print_faithfulness
    from dlcc.core.sentiment.explain import STEPS
    from dlcc.core.sentiment.faithfulness import faithfulness

    with counting("texts", len(reviews)) as progress:
        texts = [review.text for review in reviews]
        trust = faithfulness(classifier, texts, seed, progress)
    if as_json:
        measured = {"part": part, "count": len(texts), "masked_shares": STEPS}
        print_results(map(asdict, trust), by_model(classifier), **measured)
    else:
        print_faithfulness(trust, len(texts), STEPS)


def compare(
    transformer: Annotated[
        Path | None,
        typer.Argument(
            help="A trained Transformer: run or checkpoint.",
            metavar="TRANSFORMER",
            show_default=False,
        ),
    ] = None,
    gru: Annotated[
        Path | None,
        typer.Argument(help="A trained GRU: run or checkpoint.", metavar="GRU", show_default=False),
    ] = None,
    data: Data = None,
    how: TextOptions = TextOptions(),
    limit: Limit = None,
    batch_tokens: Annotated[int, typer.Option(help="Tokens of a timed batch.")] = 8192,
    seconds: Annotated[float, typer.Option(help="Least time of each measurement.")] = 2.0,
    seed: Seed = 0,
    json_output: Json = False,
    device: Device = "auto",
) -> None:
    """A Transformer against a GRU of equal size, at 64 to 512 tokens: speed and accuracy.

    Without checkpoints the speed of the best preset's sizes is measured, with drawn weights.

    Examples:
        dlcc sentiment compare
        dlcc sentiment compare runs/reviews runs/gru --limit 2000
    """
    from dlcc.cli.console import counting, print_results
    from dlcc.cli.draw.scores import print_by_architecture
    from dlcc.core.errors import UsageError
    from dlcc.core.nn.layers import count_parameters
    from dlcc.core.sentiment.config import ARCHITECTURES
    from dlcc.core.sentiment.score import LENGTHS, accuracy_at
    from dlcc.core.sentiment.source import SentimentSource
    from dlcc.core.sentiment.speed import measure_speed

    if (transformer is None) != (gru is None):
        raise UsageError("compare needs a trained Transformer and a trained GRU, or neither")
    folders = [folder for folder in (transformer, gru) if folder]
    trained = [SentimentSource(folder, device, "ends", "torch").classifier for folder in folders]
    models = [each.model for each in trained] or _with_drawn_weights(seed, device)
    names = tuple(model.encoder.config.architecture for model in models)
    if names != ARCHITECTURES:
        raise UsageError(f"compare TRANSFORMER GRU: these are {' and '.join(names)}")
    longest = min(model.encoder.config.max_length for model in models)
    lengths = [length for length in LENGTHS if length <= longest] or [longest]
    rows: list[dict[str, Any]] = [{"length": length} for length in lengths]
    if trained:
        _, reviews = _texts(trained, data, how.split(seed), None)
        reviews = _sample(reviews, limit, seed)
    for name, each in zip(names, trained, strict=False):
        for row in rows:
            with counting(f"{name}, {row['length']} tokens", len(reviews)) as progress:
                row[f"{name}_accuracy"] = accuracy_at(each, reviews, row["length"], progress)
    for name, model in zip(names, models, strict=True):  # last, since it changes the weights
        for row in rows:
            speed = measure_speed(model, row["length"], batch_tokens, seconds)
            row |= {f"{name}_train": speed.train, f"{name}_infer": speed.infer}
    sizes = {
        name: count_parameters(model.parameters())
        for name, model in zip(names, models, strict=True)
    }
    if json_output:
        print_results(_by_model(rows, sizes))
    else:
        print_by_architecture(rows, sizes)


def _by_model(rows: list[dict[str, Any]], sizes: dict[str, int]) -> list[dict[str, Any]]:
    """JSON values of a comparison: what was measured of each model, length by length."""
    figures = {"accuracy": "accuracy", "train": "train_per_second", "infer": "per_second"}
    return [
        {
            "model": name,
            "parameters": size,
            "by_length": [
                {
                    "tokens": row["length"],
                    **{
                        called: row[f"{name}_{figure}"]
                        for figure, called in figures.items()
                        if f"{name}_{figure}" in row
                    },
                }
                for row in rows
            ],
        }
        for name, size in sizes.items()
    ]


def _texts(
    classifiers: "list[Classifier]",
    data: Path | None,
    columns: "SplitConfig",
    part: str | None,
) -> "tuple[parts.Part, Sequence[Review]]":
    """The part that all classifiers are scored on, and its labelled texts."""
    from dlcc.cli.console import note, transferring, warn
    from dlcc.core.sentiment.data import find_data
    from dlcc.core.sentiment.score import texts_to_score

    abouts = [classifier.about for classifier in classifiers]
    where = data or find_data(transferring)
    chosen, reviews = texts_to_score(where, columns, part, abouts, note)
    if chosen.remark:
        warn(chosen.remark)
    return chosen, reviews


def _sample(reviews: "Sequence[Review]", limit: int | None, seed: int) -> "Sequence[Review]":
    """`limit` of the reviews, in their order."""
    if limit is None or limit >= len(reviews):
        return reviews
    from dlcc.core.train.runtime import drawn

    return [reviews[place] for place in drawn(len(reviews), limit, seed).tolist()]


def _with_drawn_weights(seed: int, device: str) -> "list[SentimentModel]":
    """A Transformer of the best preset's sizes and its twin."""
    import torch

    from dlcc.core.sentiment.config import ARCHITECTURES, RECIPE, EncoderConfig, VocabularyConfig
    from dlcc.core.sentiment.model import SentimentModel
    from dlcc.core.train.runtime import choose_device

    best, where = RECIPE.choose({}), choose_device(device)
    size = best.make(VocabularyConfig).vocab_size
    torch.manual_seed(seed)
    configs = (
        best.make(EncoderConfig, vocab_size=size, architecture=name) for name in ARCHITECTURES
    )
    return [SentimentModel(config, 2).to(where) for config in configs]
