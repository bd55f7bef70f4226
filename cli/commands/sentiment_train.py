"""`dlcc sentiment train`."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dlcc.cli.commands.sentiment_options import (
    PRESETS,
    Column,
    Data,
    Heads,
    Hidden,
    LabelColumn,
    Layers,
    Length,
    Preset,
    PresetName,
    Validation,
    VocabSize,
    Vocabulary,
    Width,
    check_sizes,
)
from dlcc.cli.commands.training_options import (
    BatchTokens,
    Dropout,
    EmaDecay,
    Epochs,
    LabelSmoothing,
    LearningRate,
    Minutes,
    Optimizer,
    Patience,
    Resume,
    Run,
    merged,
    named,
)
from dlcc.cli.options import Debug, Device, Quiet, Seed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dlcc.core.sentiment.codec import ReviewCodec
    from dlcc.core.sentiment.data import Corpus, Review, SplitConfig
    from dlcc.core.sentiment.model import SentimentModel


@dataclass(frozen=True)
class Words:
    """What texts are cut into, and the vectors of that."""

    embeddings: str
    vocabulary: str
    vocab_size: int


def train(
    context: typer.Context,
    data: Data = None,
    column: Column = None,
    label_column: LabelColumn = "label",
    also: Annotated[
        Path | None,
        typer.Option(
            help="Answers to learn from besides, as --csv prints them: text, label, probability.",
            metavar="FILE",
        ),
    ] = None,
    validation: Validation = None,
    start: Annotated[
        Path | None,
        typer.Option(
            "--from", help="Run or checkpoint to start from, such as of pretrain.", metavar="FOLDER"
        ),
    ] = None,
    run: Run = None,
    resume: Resume = False,
    preset: PresetName = "best",
    model: Annotated[
        str | None, typer.Option(help="transformer, or gru of equal size.", metavar="KIND")
    ] = None,
    embeddings: Annotated[
        str | None,
        typer.Option(
            help="Word vectors to start from: bundled, none, or a GloVe or word2vec text file.",
            metavar="FILE",
        ),
    ] = None,
    frozen: Annotated[
        bool, typer.Option("--frozen", help="Leave the word vectors as they are.")
    ] = False,
    vocabulary: Vocabulary = None,
    vocab_size: VocabSize = None,
    width: Width = None,
    layers: Layers = None,
    heads: Heads = None,
    hidden: Hidden = None,
    length: Length = None,
    dropout: Dropout = None,
    word_dropout: Annotated[float | None, typer.Option(help="Share of tokens masked.")] = None,
    adversarial: Annotated[
        float | None, typer.Option(help="Length of the adversarial step; 0: none.")
    ] = None,
    label_smoothing: LabelSmoothing = None,
    batch_tokens: BatchTokens = None,
    epochs: Epochs = None,
    minutes: Minutes = None,
    learning_rate: LearningRate = None,
    optimizer: Optimizer = None,
    ema_decay: EmaDecay = None,
    patience: Patience = None,
    seed: Seed = 0,
    device: Device = "auto",
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Train a text classifier on labelled texts."""
    from dlcc.cli.commands.runs import command_line, downloaded, run_folder, train_here
    from dlcc.cli.console import note
    from dlcc.core.sentiment.data import OFFICIAL, SplitConfig
    from dlcc.core.sentiment.task import ClassifyConfig, ClassifyTask
    from dlcc.core.train.config import FitConfig
    from dlcc.core.train.runtime import choose_device

    base = named("--preset", PRESETS, preset)
    folder, where = run_folder(run, resume, "sentiment"), choose_device(device)
    given = merged(
        {},
        architecture=model,
        width=width,
        num_layers=layers,
        num_heads=heads,
        hidden_dim=hidden,
        max_length=length,
        dropout=dropout,
        frozen_embeddings=frozen or None,
    )
    how = ClassifyConfig(
        **merged(
            base.classify,
            batch_tokens=batch_tokens,
            word_dropout=word_dropout,
            adversarial=adversarial,
            label_smoothing=label_smoothing,
        ),
        seed=seed,
    )
    fit_config = FitConfig(
        **merged(
            base.fit,
            epochs=epochs,
            minutes=minutes,
            learning_rate=learning_rate,
            optimizer=optimizer,
            ema_decay=ema_decay,
            patience=patience,
        ),
        seed=seed,
    )
    check_sizes(base.encoder | given)
    split = SplitConfig(
        column, label_column, base.validation if validation is None else validation, seed
    )
    corpus, about = _corpus(data or downloaded(OFFICIAL), split, also)
    about |= {"command": command_line(context, "dlcc sentiment train"), "seed": seed}
    words = Words(
        embeddings or base.embeddings,
        vocabulary or base.vocabulary,
        base.vocab_size if vocab_size is None else vocab_size,
    )
    if start:
        classifier, codec, origin = _from(start, corpus, base, given, seed)
    else:
        classifier, codec, origin = _anew(corpus, base.encoder | given, words, seed)
    about["start"] = origin
    note(f"starts from {origin}")
    task = ClassifyTask(classifier.to(where), codec, corpus, how, about)
    train_here(task, fit_config, folder, resume, "texts")


def _corpus(path: Path, split: "SplitConfig", also: Path | None) -> "tuple[Corpus, dict[str, Any]]":
    """The texts, and what a checkpoint says of them."""
    from collections import Counter

    from dlcc.cli.console import note
    from dlcc.core.sentiment.answers import with_answers
    from dlcc.core.sentiment.data import load_corpus

    corpus = load_corpus(path, split)
    counts = Counter(review.label for review in (*corpus.train, *corpus.validation))
    classes = ", ".join(f"{label} {counts[label]:,}" for label in corpus.labels)
    note(
        f"{path.name}: {classes}; {len(corpus.train):,} to train on, {len(corpus.validation):,} to "
        f"validate, {len(corpus.test):,} to test; {corpus.grouping}"
    )
    labelled = len(corpus.train)
    if also:
        corpus = with_answers(corpus, also)
        note(f"{also.name}: {len(corpus.train) - labelled:,} answers to train on as well")
    return corpus, {
        "data": {
            "file": path.name,
            "train": labelled,
            **_about_answers(corpus.train[labelled:]),
            "validation": len(corpus.validation),
            "test": len(corpus.test),
            "validation_share": split.validation_share,
            "split_seed": split.seed,
            "split_hash": corpus.split_hash,
            "grouping": corpus.grouping,
        }
    }


def _about_answers(answers: "Sequence[Review]") -> dict[str, Any]:
    """How many there are and a hash of them, by which a resumed training knows them again."""
    from hashlib import sha256

    if not answers:
        return {}
    lines = "\n".join(f"{each.label}\t{each.probability}\t{each.text}" for each in answers)
    return {"answers": len(answers), "answers_hash": sha256(lines.encode()).hexdigest()[:16]}


def _from(
    folder: Path, corpus: "Corpus", base: Preset, given: dict[str, Any], seed: int
) -> "tuple[SentimentModel, ReviewCodec, str]":
    from dlcc.core.sentiment.start import from_checkpoint

    free = ("dropout", "inner_dropout")  # the rest of the encoder is the checkpoint's
    dropout = {name: base.encoder[name] for name in free if name in base.encoder}
    return from_checkpoint(folder, len(corpus.labels), dropout | given, seed)


def _anew(
    corpus: "Corpus", sizes: dict[str, Any], words: Words, seed: int
) -> "tuple[SentimentModel, ReviewCodec, str]":
    from dlcc.cli.progress import reading
    from dlcc.core.sentiment.codec import ReviewCodec
    from dlcc.core.sentiment.start import BUNDLED_VECTORS, from_scratch, from_vectors

    texts = [review.text for review in corpus.train]
    with_vectors = words.embeddings != "none"
    kind = "words" if with_vectors else words.vocabulary
    codec = ReviewCodec.learn(texts, kind, words.vocab_size)
    if not with_vectors:
        sizes = {**sizes, "embed_dim": sizes.get("width", 256)}
        return from_scratch(codec, sizes, len(corpus.labels), seed), codec, "drawn weights"
    path = None if words.embeddings == BUNDLED_VECTORS else Path(words.embeddings)
    with reading(path) as progress:
        model, origin = from_vectors(
            codec, sizes, len(corpus.labels), seed, words.embeddings, progress
        )
    return model, codec, origin
