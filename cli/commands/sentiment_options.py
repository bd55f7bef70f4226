"""The presets of `dlcc sentiment train` and `pretrain`, and the options that both take."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import typer


@dataclass(frozen=True)
class Preset:
    """Where options that are not given take their values from."""

    vocabulary: str
    """subwords or words."""
    vocab_size: int
    embeddings: str
    """none, or bundled for the GloVe vectors that come with the program."""
    encoder: dict[str, Any]
    """Of `EncoderConfig`."""
    classify: dict[str, Any]
    """Of `ClassifyConfig`."""
    fit: dict[str, Any]
    """Of `FitConfig`."""
    masked_words: dict[str, Any] = field(default_factory=dict)
    """Of `MaskedWordConfig`."""
    masked_words_fit: dict[str, Any] = field(default_factory=dict)
    """Of `FitConfig`, when masked words are learned."""
    validation: float = 0.1
    """Share of the training texts."""


PRESETS = {
    "best": Preset(
        "subwords",
        16_000,
        "none",
        # On a CPU the dropout inside attention and feed-forward layers is the expensive part of it.
        {"dropout": 0.1, "inner_dropout": 0.0},
        {"batch_tokens": 12_288, "word_dropout": 0.1, "adversarial": 5.0},
        {
            "epochs": 5,
            "learning_rate": 2e-4,
            "warmup": 0.1,
            "weight_decay": 0.05,
            "ema_decay": 0.998,
        },
        {},
        {"epochs": 7, "learning_rate": 1e-3, "warmup": 0.03, "weight_decay": 0.01},
        validation=0.06,
    ),
    # The book's vectors are 300 wide; the bundled 50 are projected to that by a linear layer.
    "book": Preset(
        "words",
        20_000,
        "bundled",
        {"width": 300, "num_heads": 12, "hidden_dim": 512, "norm_first": False},
        {},
        {"epochs": 5, "learning_rate": 3e-4, "warmup": 0.1},
        masked_words_fit={"epochs": 5, "learning_rate": 3e-4},
    ),
}


def check_sizes(sizes: dict[str, Any]) -> None:
    """Complain of a model that cannot be, before the long work."""
    from dlcc.core.sentiment.model import EncoderConfig

    EncoderConfig(vocab_size=1, **sizes)


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
Validation = Annotated[
    float | None, typer.Option(help="Share of the training texts to validate on.")
]
PresetName = Annotated[
    str, typer.Option(help="best, or book for the book's sizes.", metavar="NAME")
]
Vocabulary = Annotated[str | None, typer.Option(help="subwords or words.", metavar="KIND")]
VocabSize = Annotated[int | None, typer.Option(help="Most tokens there may be.")]
Width = Annotated[int | None, typer.Option(help="Width of the sequence.")]
Layers = Annotated[int | None, typer.Option(help="Encoder blocks.")]
Heads = Annotated[int | None, typer.Option(help="Attention heads of a block.")]
Hidden = Annotated[int | None, typer.Option(help="Width inside the feed-forward layers.")]
Length = Annotated[int | None, typer.Option(help="Most tokens of a text at once.")]
