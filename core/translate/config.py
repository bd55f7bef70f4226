"""What can be set of a translator and its training, the presets, and its recipe."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dlcc.core.errors import UsageError
from dlcc.core.settings import PROPER_SHARE, SHARE, Settings, at_least, given, one_of, setting
from dlcc.core.train.recipe import Recipe

ATTENTIONS = ("dot-product", "trainable", "additive", "none")
VOCABULARIES = ("subwords", "words")
ARCHITECTURES = ("gru", "transformer")
BUNDLED_VECTORS = "bundled"


@dataclass(frozen=True)
class Seq2SeqConfig(Settings):
    """The sizes of a model."""

    title = "Model"

    vocab_size: int = given(at_least(1))
    """Tokens of both languages together."""
    embed_dim: int = setting(256, at_least(1))
    """Width of a token's vector, and of a Transformer."""
    hidden_dim: int = setting(512, at_least(2))
    """Width of an encoder state (half of it a direction) and of a decoder state of GRUs; inside a
    Transformer's feed-forward layers."""
    encoder_layers: int = setting(2, at_least(1))
    """Layers that read the source; a GRU's in both directions."""
    decoder_layers: int = setting(2, at_least(1))
    """Layers that write the target."""
    attention: str = setting("dot-product", one_of(ATTENTIONS))
    """How a decoder of GRUs looks at the source: dot-product, trainable, additive or none."""
    dropout: float = setting(0.2, PROPER_SHARE)
    """Share of activations dropped between layers in training."""
    tied: bool = True
    """One table of token vectors for source, target and output; or one each."""
    architecture: str = setting("gru", one_of(ARCHITECTURES), "model")
    """gru or transformer."""
    num_heads: int = setting(4, at_least(1), "heads")
    """A Transformer's attention heads; a divisor of the width."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.architecture == "transformer":
            if self.embed_dim % self.num_heads:
                raise UsageError(
                    f"does not divide the width {self.embed_dim}", "heads", self.num_heads
                )
            if self.attention != "dot-product":
                raise UsageError("a Transformer's is dot-product", "attention", self.attention)
        elif self.hidden_dim % 2:
            raise UsageError(
                "half of it a direction: give an even one", "hidden_dim", self.hidden_dim
            )


@dataclass(frozen=True)
class TranslationConfig(Settings):
    """What the training makes of the pairs."""

    title = "Batches and loss"

    vocabulary: str = setting("subwords", one_of(VOCABULARIES))
    """What a token is: subwords or words."""
    vocab_size: int = setting(4000, at_least(8))
    """Most tokens, of both languages together."""
    batch_tokens: int = setting(2500, at_least(1))
    """Target or source tokens in a batch, padding included."""
    label_smoothing: float = setting(0.1, PROPER_SHARE)
    """Share of the target probability spread over all tokens (Szegedy et al. 2016)."""
    teacher_forcing: float = setting(1.0, SHARE)
    """Probability that the decoder is given the right token before, not its own guess."""
    r_drop: float = setting(0.0, at_least(0.0))
    """Weight of the divergence between two passes with different dropout (R-Drop, Liang et al.
    2021), about 5 where data are few; a step takes twice as long. 0: one pass."""
    max_tokens: int = 80
    """Longer training sentences are left out."""


@dataclass(frozen=True)
class PairsConfig:
    """What is learned from, and what the training starts from."""

    title = "Data and start"

    data: Path | None = setting(None)
    """A ManyThings zip, a folder, tab-separated lines, a table with two named columns, or TMX;
    downloaded when left out."""
    source_file: Path | None = setting(None)
    """In place of data: a sentence a line."""
    target_file: Path | None = setting(None)
    """The translations of the source file, line by line."""
    source_lang: str = setting("eng")
    """Language of the first column."""
    target_lang: str = setting("spa")
    """Language of the second column."""
    reverse: bool = setting(False)
    """Translate from the second column to the first."""
    embeddings: str | None = setting(None)
    """Begin with word vectors: a GloVe file, or bundled for the 50-d subset; for a vocabulary of
    words."""
    start: Path | None = setting(None, name="from")
    """Run or checkpoint to start from, with its vocabulary and sizes."""
    freeze_embeddings: bool = setting(False)
    """Do not train these word vectors."""
    no_attention: bool = setting(False)
    """The same model without attention."""

    def __post_init__(self) -> None:
        if (self.source_file is None) != (self.target_file is None):
            missing = "target_file" if self.target_file is None else "source_file"
            raise UsageError("two files go together, a sentence a line: give both", missing)
        if self.source_file and self.data:
            raise UsageError("goes without data of another kind", "source_file")
        if self.freeze_embeddings and self.embeddings is None:
            raise UsageError("needs word vectors to begin with", "freeze_embeddings")
        if self.start is not None and self.embeddings is not None:
            raise UsageError("a checkpoint brings its own", "embeddings", self.embeddings)


_TRAINING = {"dropout": 0.25, "epochs": 20, "minutes": 88.0, "warmup": 0.03, "ema_decay": 0.999}
PRESETS: dict[str, dict[str, Any]] = {
    "best": {**_TRAINING, "hidden_dim": 448, "learning_rate": 2e-3},
    "book": {
        "vocabulary": "words",
        "vocab_size": 30000,
        "label_smoothing": 0.0,
        "embed_dim": 300,
        "hidden_dim": 128,
        "encoder_layers": 1,
        "decoder_layers": 1,
        "dropout": 0.1,
        "tied": False,
        "epochs": 25,
        "schedule": "constant",
        "warmup": 0.0,
    },
}
_TRANSFORMER = {
    **_TRAINING,
    "hidden_dim": 1024,
    "encoder_layers": 4,
    "decoder_layers": 3,
    "dropout": 0.2,
    "batch_tokens": 4000,
    "epochs": 30,
    "learning_rate": 2e-3,
}


def _preset(name: str | None, given: Mapping[str, Any]) -> Mapping[str, Any]:
    """A Transformer has sizes and a rate of its own."""
    is_transformer = given.get("architecture") == "transformer"
    return _TRANSFORMER if is_transformer and name != "book" else PRESETS[name or "best"]


RECIPE = Recipe(
    "Train a translator on sentence pairs.",
    "tokens",
    (PairsConfig, TranslationConfig, Seq2SeqConfig),
    "dlcc.core.translate.task:build",
    PRESETS,
    _preset,
    {
        "best": "BLEU 41.2 on the validation part of English to Spanish, translated greedily, "
        "after 20 epochs (88 minutes on one core)"
    },
    {"transformer": _TRANSFORMER},
    on_gpu=4,
)
