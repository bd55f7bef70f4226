"""`dlcc sentiment eval` and `dlcc sentiment compare`."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dlcc.cli.options import Checkpoint, Debug, Device, Json, Quiet, Seed
from dlcc.cli.progress import counting

if TYPE_CHECKING:
    from dlcc.core.sentiment.classifier import Classifier
    from dlcc.core.sentiment.data import Review
    from dlcc.core.sentiment.model import SentimentModel

_EXPLAINED = 100  # texts that explanations are measured on

Data = Annotated[
    Path | None,
    typer.Option(
        "--data",
        help="aclImdb archive or folder, class folders of .txt files, .csv, .tsv or .jsonl. "
        "Left out: the official archive is downloaded (84 MB).",
        metavar="PATH",
    ),
]
Column = Annotated[str | None, typer.Option(help="A table's column with the text.", metavar="NAME")]
LabelColumn = Annotated[str, typer.Option(help="A table's column with the class.", metavar="NAME")]
Long = Annotated[
    str, typer.Option(help="How long texts are read: windows (all of it) or ends.", metavar="HOW")
]
Limit = Annotated[
    int | None, typer.Option(help="Only so many texts, drawn with --seed.", min=1, metavar="N")
]


def evaluate(
    checkpoint: Checkpoint = None,
    data: Data = None,
    column: Column = None,
    label_column: LabelColumn = "label",
    part: Annotated[
        str,
        typer.Option(
            help="test, validation (as it was split in training) or all. Data without a test part "
            "is taken whole.",
            metavar="PART",
        ),
    ] = "test",
    limit: Limit = None,
    long: Long = "windows",
    worst: Annotated[int, typer.Option(help="Mistakes to show.", min=0, metavar="N")] = 5,
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
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Score a classifier on labelled texts."""
    import json

    from dlcc.cli.draw.sentiment_tables import print_evaluation, print_faithfulness
    from dlcc.core.sentiment.explain import STEPS
    from dlcc.core.sentiment.faithfulness import faithfulness as measure
    from dlcc.core.sentiment.score import evaluate as score
    from dlcc.core.sentiment.source import SentimentSource

    answers = SentimentSource(checkpoint, device, long).classifier
    reviews, part = _reviews(answers, data, column, label_column, part, seed)
    if faithfulness:
        texts = [review.text for review in _drawn(reviews, limit or _EXPLAINED, seed)]
        with counting("texts", len(texts)) as progress:
            trust = measure(answers, texts, seed, progress)
        if json_output:
            steps = {"texts": len(texts), "masked_shares": STEPS}
            print(json.dumps({**steps, "methods": [asdict(method) for method in trust]}))
        else:
            print_faithfulness(trust, len(texts))
        return
    reviews = _drawn(reviews, limit, seed)
    with counting("texts", len(reviews)) as progress:
        result = score(answers, reviews, worst, progress)
    if json_output:
        print(json.dumps({"labels": answers.labels, **asdict(result)}, ensure_ascii=False))
    else:
        print_evaluation(result, answers, part)


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
    column: Column = None,
    label_column: LabelColumn = "label",
    limit: Limit = None,
    batch_tokens: Annotated[int, typer.Option(help="Tokens of a timed batch.")] = 8192,
    seconds: Annotated[float, typer.Option(help="Least time of each measurement.")] = 2.0,
    seed: Seed = 0,
    json_output: Json = False,
    device: Device = "auto",
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """A Transformer against a GRU of equal size, at 64 to 512 tokens: speed and accuracy.

    Without checkpoints the speed of the best preset's sizes is measured, with drawn weights.
    """
    import json

    from dlcc.cli.draw.sentiment_tables import print_comparison
    from dlcc.core.errors import UsageError
    from dlcc.core.nn.layers import count_parameters
    from dlcc.core.sentiment.config import ARCHITECTURES
    from dlcc.core.sentiment.score import LENGTHS, accuracy_at
    from dlcc.core.sentiment.source import SentimentSource
    from dlcc.core.sentiment.speed import measure_speed

    if (transformer is None) != (gru is None):
        raise UsageError("compare needs a trained Transformer and a trained GRU, or neither")
    models, answers = [], []
    if transformer and gru:
        answers = [SentimentSource(f, device, "ends").classifier for f in (transformer, gru)]
        models = [each.model for each in answers]
        kinds = tuple(model.encoder.config.architecture for model in models)
        if kinds != ARCHITECTURES:
            raise UsageError(f"compare TRANSFORMER GRU: these are {' and '.join(kinds)}")
    else:
        models = _drawn_models(seed, device)
    longest = min(model.encoder.config.max_length for model in models)
    lengths = [length for length in LENGTHS if length <= longest] or [longest]
    rows: list[dict[str, Any]] = [{"length": length} for length in lengths]
    names = [model.encoder.config.architecture for model in models]
    for name, each in zip(names, answers, strict=False):
        found, _ = _reviews(each, data, column, label_column, "test", seed)
        reviews = _drawn(found, limit, seed)
        for row, length in zip(rows, lengths, strict=True):
            with counting(f"{name}, {length} tokens", len(reviews)) as progress:
                row[f"{name}_accuracy"] = accuracy_at(each, reviews, length, progress)
    for name, model in zip(names, models, strict=True):  # last, since it changes the weights
        for row in rows:
            speed = measure_speed(model, row["length"], batch_tokens, seconds)
            row |= {f"{name}_train": speed.train, f"{name}_infer": speed.infer}
    sizes = {
        name: count_parameters(model.parameters())
        for name, model in zip(names, models, strict=True)
    }
    if json_output:
        print(json.dumps({"parameters": sizes, "rows": rows}))
    else:
        print_comparison(rows, sizes)


def _reviews(
    answers: "Classifier",
    data: Path | None,
    column: str | None,
    label_column: str,
    part: str,
    seed: int,
) -> "tuple[list[Review], str]":
    """The labelled texts of a part, and the part's name: all where the data has no test part.
    Validation is set apart as it was when the model was trained."""
    from dlcc.cli.console import note, warn
    from dlcc.cli.progress import transferring
    from dlcc.core.errors import UsageError
    from dlcc.core.sentiment.config import SplitConfig
    from dlcc.core.sentiment.data import find_data, load_corpus, read_parts

    if part not in ("test", "validation", "all"):
        raise UsageError(f"--part {part}: choose test, validation or all")
    trained = (answers.about or {}).get("data", {})
    split = SplitConfig(
        column,
        label_column,
        trained.get("validation_share", SplitConfig.validation_share),
        trained.get("split_seed", seed),
    )
    path = data or find_data(transferring)
    if part == "validation":
        corpus = load_corpus(path, split)
        known = [trained, *trained.get("sources", ())]
        if corpus.split_hash not in [each.get("split_hash") for each in known]:
            warn("this is not the split that the model was trained with: it may know these texts")
        return list(corpus.validation), part
    parts, _ = read_parts(path, split)
    if part == "test" and "test" in parts:
        return parts["test"], part
    if part == "test":
        note(f"{path.name} names no test part: all of its texts are scored")
    return [*parts["train"], *parts.get("test", ())], "all"


def _drawn(reviews: "list[Review]", limit: int | None, seed: int) -> "list[Review]":
    """`limit` of the reviews, in their order."""
    if limit is None or limit >= len(reviews):
        return reviews
    import torch

    from dlcc.core.train.runtime import seeded_generator

    chosen = torch.randperm(len(reviews), generator=seeded_generator(seed))[:limit]
    return [reviews[number] for number in chosen.sort().values.tolist()]


def _drawn_models(seed: int, device: str) -> "list[SentimentModel]":
    """A Transformer of the best preset's sizes and its twin, on the device."""
    import torch

    from dlcc.core.sentiment.config import ARCHITECTURES, RECIPE, EncoderConfig, VocabularyConfig
    from dlcc.core.sentiment.model import SentimentModel
    from dlcc.core.train.runtime import choose_device

    torch.manual_seed(seed)
    models = []
    for name in ARCHITECTURES:
        best = RECIPE.choose({"architecture": name})
        size = best.make(VocabularyConfig).vocab_size
        models.append(SentimentModel(best.make(EncoderConfig, vocab_size=size), 2))
    return [model.to(choose_device(device)) for model in models]
