"""`dlcc sentiment pretrain`."""

from typing import Annotated

import typer

from dlcc.cli.commands.sentiment_options import (
    PRESETS,
    Column,
    Data,
    Heads,
    Hidden,
    Layers,
    Length,
    PresetName,
    VocabSize,
    Vocabulary,
    Width,
    check_sizes,
)
from dlcc.cli.commands.training_options import (
    BatchTokens,
    Epochs,
    LearningRate,
    Minutes,
    Optimizer,
    Resume,
    Run,
    merged,
    named,
)
from dlcc.cli.options import Debug, Device, Quiet, Seed


def pretrain(
    context: typer.Context,
    data: Data = None,
    column: Column = None,
    run: Run = None,
    resume: Resume = False,
    preset: PresetName = "best",
    model: Annotated[str, typer.Option(help="transformer or gru.", metavar="KIND")] = "transformer",
    vocabulary: Vocabulary = None,
    vocab_size: VocabSize = None,
    width: Width = None,
    layers: Layers = None,
    heads: Heads = None,
    hidden: Hidden = None,
    length: Length = None,
    dropout: Annotated[float, typer.Option(help="Share of activations dropped.")] = 0.0,
    stretch: Annotated[int | None, typer.Option(help="Tokens of a stretch of text.")] = None,
    masked: Annotated[float | None, typer.Option(help="Share of tokens to guess.")] = None,
    batch_tokens: BatchTokens = None,
    epochs: Epochs = None,
    minutes: Minutes = None,
    learning_rate: LearningRate = None,
    optimizer: Optimizer = None,
    seed: Seed = 0,
    device: Device = "auto",
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Learn to guess masked words of all texts outside the test part; then train --from it."""
    from dlcc.cli.commands.runs import command_line, downloaded, run_folder, train_here
    from dlcc.cli.console import note
    from dlcc.core.sentiment.codec import ReviewCodec
    from dlcc.core.sentiment.data import OFFICIAL, untested_texts
    from dlcc.core.sentiment.pretrain import MaskedWordConfig, MaskedWordTask
    from dlcc.core.sentiment.start import held_out, masked_words_from_scratch
    from dlcc.core.train.config import FitConfig
    from dlcc.core.train.runtime import choose_device

    base = named("--preset", PRESETS, preset)
    folder, where = run_folder(run, resume, "masked-words"), choose_device(device)
    sizes = merged(
        base.encoder,
        architecture=model,
        width=width,
        num_layers=layers,
        num_heads=heads,
        hidden_dim=hidden,
        max_length=length,
    )
    sizes |= {"dropout": dropout, "embed_dim": sizes.get("width", 256)}
    how = MaskedWordConfig(
        **merged(base.masked_words, length=stretch, masked_share=masked, batch_tokens=batch_tokens),
        seed=seed,
    )
    fit_config = FitConfig(
        **merged(
            base.masked_words_fit,
            epochs=epochs,
            minutes=minutes,
            learning_rate=learning_rate,
            optimizer=optimizer,
        ),
        seed=seed,
    )
    check_sizes(sizes)
    path = data or downloaded(OFFICIAL)
    practised, validation = held_out(untested_texts(path, column))
    note(
        f"{path.name}: masked words of {len(practised):,} texts outside the test part, validated "
        f"on {len(validation):,} others"
    )
    about = {
        "command": command_line(context, "dlcc sentiment pretrain"),
        "seed": seed,
        "data": {"file": path.name, "texts": len(practised), "validation": len(validation)},
    }
    codec = ReviewCodec.learn(
        practised,
        vocabulary or base.vocabulary,
        base.vocab_size if vocab_size is None else vocab_size,
    )
    learner = masked_words_from_scratch(codec, sizes, seed).to(where)
    task = MaskedWordTask(learner, codec, practised, validation, how, about)
    train_here(task, fit_config, folder, resume, "tokens")
