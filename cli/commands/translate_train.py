"""`dlcc translate train`: the presets and the command."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dlcc.cli.commands.runs import command_line, run_folder, train_here
from dlcc.cli.commands.training_options import (
    BatchTokens,
    Dropout,
    Epochs,
    LabelSmoothing,
    LearningRate,
    Minutes,
    Patience,
    Resume,
    Run,
    merged,
    named,
)
from dlcc.cli.options import Debug, Device, Quiet, Seed

if TYPE_CHECKING:
    from dlcc.core.train.config import FitConfig
    from dlcc.core.translate.task import TranslationConfig, TranslationTask


@dataclass(frozen=True)
class Preset:
    """Where options that are not given take their values from."""

    data: dict[str, Any] = field(default_factory=dict)
    """Of `TranslationConfig`."""
    model: dict[str, Any] = field(default_factory=dict)
    """Of `Seq2SeqConfig`."""
    fit: dict[str, Any] = field(default_factory=dict)
    """Of `FitConfig`."""


PRESETS = {
    "best": Preset(
        {"vocabulary": "subwords", "vocab_size": 4000, "batch_tokens": 2500},
        {"embed_dim": 256, "hidden_dim": 448, "dropout": 0.25},
        {
            "epochs": 20,
            "minutes": 88.0,
            "learning_rate": 2e-3,
            "warmup": 0.03,
            "weight_decay": 0.01,
            "ema_decay": 0.999,
        },
    ),
    "book": Preset(
        {"vocabulary": "words", "vocab_size": 30000, "label_smoothing": 0.0},
        {
            "embed_dim": 300,
            "hidden_dim": 128,
            "encoder_layers": 1,
            "decoder_layers": 1,
            "dropout": 0.1,
            "tied": False,
        },
        {"epochs": 25, "learning_rate": 1e-3, "schedule": "constant", "warmup": 0.0},
    ),
}


def train(
    context: typer.Context,
    data: Annotated[
        Path | None,
        typer.Option(
            "--data",
            help="A ManyThings zip, a folder or a two-column TSV; downloaded when left out.",
            metavar="PATH",
        ),
    ] = None,
    source_lang: Annotated[str, typer.Option(help="Language of the first column.")] = "eng",
    target_lang: Annotated[str, typer.Option(help="Language of the second column.")] = "spa",
    reverse: Annotated[
        bool, typer.Option("--reverse", help="Translate from the second column to the first.")
    ] = False,
    run: Run = None,
    resume: Resume = False,
    preset: Annotated[
        str, typer.Option(help="best, or book for the book's sizes.", metavar="NAME")
    ] = "best",
    vocabulary: Annotated[
        str | None, typer.Option(help="subwords or words.", metavar="KIND")
    ] = None,
    vocab_size: Annotated[int | None, typer.Option(help="Most tokens there may be.")] = None,
    attention: Annotated[
        str | None,
        typer.Option(help="dot-product, trainable, additive or none.", metavar="KIND"),
    ] = None,
    no_attention: Annotated[
        bool, typer.Option("--no-attention", help="The same model without attention.")
    ] = False,
    embed_dim: Annotated[int | None, typer.Option(help="Width of a token's vector.")] = None,
    hidden_dim: Annotated[int | None, typer.Option(help="Width of a GRU state.")] = None,
    encoder_layers: Annotated[int | None, typer.Option(help="GRU layers that read.")] = None,
    decoder_layers: Annotated[int | None, typer.Option(help="GRU layers that write.")] = None,
    embeddings: Annotated[
        str | None,
        typer.Option(
            help="Begin with word vectors: a GloVe file, or bundled for the 50-d subset; for "
            "--vocabulary words.",
            metavar="FILE",
        ),
    ] = None,
    freeze_embeddings: Annotated[
        bool, typer.Option("--freeze-embeddings", help="Do not train these word vectors.")
    ] = False,
    dropout: Dropout = None,
    label_smoothing: LabelSmoothing = None,
    teacher_forcing: Annotated[
        float | None, typer.Option(help="Probability of showing the decoder the right token.")
    ] = None,
    batch_tokens: BatchTokens = None,
    epochs: Epochs = None,
    minutes: Minutes = None,
    learning_rate: LearningRate = None,
    patience: Patience = None,
    seed: Seed = 0,
    device: Device = "auto",
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Train a translator on sentence pairs."""
    from dlcc.cli.commands.translate_data import find_data
    from dlcc.core.errors import UsageError

    chosen = named("--preset", PRESETS, preset)
    run = run_folder(run, resume, "translate")
    data_config, sizes, fit_config = _configs(
        chosen,
        {
            "vocabulary": vocabulary,
            "vocab_size": vocab_size,
            "label_smoothing": label_smoothing,
            "teacher_forcing": teacher_forcing,
            "batch_tokens": batch_tokens,
        },
        {
            "attention": "none" if no_attention else attention,
            "embed_dim": embed_dim,
            "hidden_dim": hidden_dim,
            "encoder_layers": encoder_layers,
            "decoder_layers": decoder_layers,
            "dropout": dropout,
        },
        {
            "epochs": epochs,
            "minutes": minutes,
            "learning_rate": learning_rate,
            "patience": patience,
            "seed": seed,
        },
    )
    path = find_data(data, source_lang, target_lang)
    if data is None and target_lang == "eng":  # in the archive English comes first
        reverse, source_lang, target_lang = True, target_lang, source_lang
    about = {
        "command": command_line(context, "dlcc translate train"),
        "seed": seed,
        "source_lang": target_lang if reverse else source_lang,
        "target_lang": source_lang if reverse else target_lang,
        "reverse": reverse,
    }
    if freeze_embeddings and embeddings is None:
        raise UsageError("--freeze-embeddings: only with --embeddings")
    if embeddings is not None and embed_dim is None:
        del sizes["embed_dim"]  # the vectors bring their own
    about |= {"embeddings": embeddings and Path(embeddings).name, "frozen": freeze_embeddings}
    task = _task(path, data_config, sizes, seed, device, about, embeddings)
    train_here(task, fit_config, run, resume, "tokens")


def _configs(
    preset: Preset, data: dict[str, Any], model: dict[str, Any], fit: dict[str, Any]
) -> "tuple[TranslationConfig, dict[str, Any], FitConfig]":
    """The preset with what was given on the command line instead; the vocabulary comes later."""
    from dlcc.core.train.config import FitConfig
    from dlcc.core.translate.task import TranslationConfig

    return (
        TranslationConfig(**merged(preset.data, **data)),
        merged(preset.model, **model),
        FitConfig(**merged(preset.fit, **fit)),
    )


def _task(
    path: Path,
    config: "TranslationConfig",
    sizes: dict[str, Any],
    seed: int,
    device: str,
    about: dict[str, Any],
    embeddings: str | None,
) -> "TranslationTask":
    """Read, split and cut up the data, and build the model for it."""
    from dlcc.cli.console import note
    from dlcc.core.train.runtime import choose_device
    from dlcc.core.translate.data import read_pairs, split_pairs
    from dlcc.core.translate.model import Seq2SeqConfig
    from dlcc.core.translate.task import (
        TranslationTask,
        build_codec,
        build_model,
        start_from,
        word_vectors,
    )

    where = choose_device(device)
    Seq2SeqConfig(vocab_size=config.vocab_size, **sizes)  # complains before the long work
    split = split_pairs(read_pairs(path, about["reverse"]), seed)
    note(
        f"{path.name}: split by source sentence with seed {seed}: {len(split.train):,} to train "
        f"on, {len(split.validation):,} to validate, {len(split.test):,} to test"
    )
    codec = build_codec(split, config)
    vectors = None
    if embeddings is not None:
        vectors = word_vectors(codec, None if embeddings == "bundled" else Path(embeddings))
        sizes = {"embed_dim": vectors.shape[1]} | sizes | {"tied": False}
    model = build_model(Seq2SeqConfig(vocab_size=codec.size, **sizes), seed, where)
    if vectors is not None:
        start_from(model, vectors, about["frozen"])
        note(f"word vectors for {int(vectors.any(1).sum()):,} of {codec.size:,} tokens")
    about["data"] = {
        "file": path.name,
        "train": len(split.train),
        "validation": len(split.validation),
        "test": len(split.test),
        "test_hash": split.test_hash,
    }
    return TranslationTask(split, codec, config, model, about, seed)
