"""What can be set of a text classifier and its trainings, the presets, and their recipes."""

from dataclasses import dataclass
from pathlib import Path

from dlcc.core.errors import UsageError
from dlcc.core.files.tables import TableConfig
from dlcc.core.settings import PART, PROPER_SHARE, Settings, at_least, given, one_of, setting
from dlcc.core.train.recipe import Recipe

ARCHITECTURES = ("transformer", "gru")
VOCABULARIES = ("subwords", "words")
BUNDLED_VECTORS = "bundled"
NO_VECTORS = "none"


@dataclass(frozen=True)
class EncoderConfig(Settings):
    """The encoder's sizes."""

    title = "Model"

    vocab_size: int = given(at_least(1))
    """Tokens in the vocabulary, V."""
    embed_dim: int = 256
    """Width of a token's vector, E; projected to `width` where they differ."""
    width: int = setting(256, at_least(1))
    """Width of the sequence, D."""
    num_layers: int = setting(4, at_least(1), "layers")
    """Encoder blocks."""
    num_heads: int = setting(4, at_least(1), "heads")
    """Attention heads of a block; a divisor of the width."""
    hidden_dim: int = setting(1024, at_least(1), "hidden")
    """Width inside the feed-forward layers."""
    dropout: float = setting(0.1, PROPER_SHARE)
    """Share of activations dropped."""
    inner_dropout: float | None = None
    """Share dropped inside attention and feed-forward layers; `dropout` when None."""
    norm_first: bool = True
    """Pre-norm, or post-norm as in the book."""
    max_length: int = setting(512, at_least(1), "length")
    """Most tokens at once; a longer text is read in several windows."""
    architecture: str = setting("transformer", one_of(ARCHITECTURES), "model")
    """transformer; or gru, its twin with as many parameters."""
    frozen_embeddings: bool = setting(False, name="freeze_embeddings")
    """Leave the tokens' vectors as they were loaded."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.width % self.num_heads:
            raise UsageError(f"does not divide the width {self.width}", "heads", self.num_heads)


@dataclass(frozen=True)
class ClassifyConfig(Settings):
    """How batches of labelled texts are made and what the loss is."""

    title = "Batches and loss"

    batch_tokens: int = setting(16_384, at_least(1))
    """Texts × longest of a batch, in tokens."""
    word_dropout: float = setting(0.0, PROPER_SHARE)
    """Share of tokens masked in training."""
    adversarial: float = setting(0.0, at_least(0))
    """Length of the step by which the tokens' vectors are moved to where the loss rises fastest;
    the loss there is learned from as well (Miyato et al. 2017). 0 leaves it out."""
    label_smoothing: float = setting(0.0, PROPER_SHARE)
    """Share of the target that is spread over all classes."""
    seed: int = 0
    """Seed of the order of the batches."""


@dataclass(frozen=True)
class MaskedWordConfig(Settings):
    """How masked words are practised."""

    title = "Batches and loss"

    length: int = setting(128, at_least(8), "stretch")
    """Tokens of a stretch; reviews stand one after another, cut wherever a stretch ends."""
    batch_tokens: int = setting(8192, at_least(1))
    """Tokens of a batch."""
    masked_share: float = setting(0.25, PART, "masked")
    """Share of the tokens to guess: of these 8 in 10 are masked, 1 is another word, 1 stays."""
    seed: int = 0
    """Seed of the order of the stretches."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.batch_tokens < self.length:
            raise UsageError(f"at most a batch's {self.batch_tokens}", "stretch", self.length)


@dataclass(frozen=True)
class TextsConfig:
    """What is learned from."""

    title = "Data"

    data: Path | None = setting(None)
    """aclImdb archive or folder, class folders of .txt files, .csv, .tsv or .jsonl. Left out, the
    official archive is downloaded (84 MB)."""


@dataclass(frozen=True)
class SourcesConfig:
    """What is learned from, together."""

    title = "Data"

    data: list[str] | None = setting(None)
    """aclImdb archive or folder, class folders of .txt files, .csv, .tsv or .jsonl, or a folder
    with train and validation tables; give it again for more sources. PATH=2 has each text twice an
    epoch, PATH=0.5 half of them. Left out, the official archive is downloaded (84 MB)."""


@dataclass(frozen=True, kw_only=True)
class FilesConfig(TableConfig):
    """How tables and folders are read."""

    classes_at: int | None = setting(None, at_least(1))
    """Which level of folders the classes are, from 1, where that is not plain."""


@dataclass(frozen=True)
class ColumnConfig(FilesConfig):
    """How texts are read."""

    text_column: str | None = setting(None, name="column")
    """A table's column with the text; found by its name when left out."""


@dataclass(frozen=True)
class SplitConfig(ColumnConfig):
    """How labelled texts are read, and validation is set apart."""

    label_column: str | None = setting(None)
    """A table's column with the class; found by its name when left out."""
    validation_share: float = setting(0.1, PART, "validation")
    """Share of the training texts to validate on."""
    seed: int = 0
    """Draws the groups that validate."""
    labels: list[str] | None = setting(None)
    """NAME=CLASS reads a label as another class, such as positive=pos; give it again for more."""

    @property
    def renamed(self) -> dict[str, str]:
        """The class that a label is read as.

        Raises:
            UsageError: one that is not NAME=CLASS.
        """
        pairs = [each.rpartition("=") for each in self.labels or ()]
        for name, sign, label in pairs:
            if not (name and sign and label):
                raise UsageError("give NAME=CLASS", "labels", f"{name}{sign}{label}")
        return {name: label for name, _, label in pairs}


@dataclass(frozen=True)
class VocabularyConfig(Settings):
    """What texts are cut into."""

    title = "Model"

    vocabulary: str = setting("subwords", one_of(VOCABULARIES))
    """subwords or words."""
    vocab_size: int = setting(16_000, at_least(7))
    """Most tokens there may be."""


@dataclass(frozen=True)
class StartConfig:
    """What a classifier starts from, and what it learns besides."""

    title = "Start"

    start: Path | None = setting(None, name="from")
    """Run or checkpoint to start from, such as of pretrain."""
    embeddings: str = setting(NO_VECTORS)
    """Word vectors to start from: bundled, none, or a GloVe or word2vec text file."""
    also: Path | None = setting(None)
    """Answers to learn from besides, as sentiment prints them as CSV: text, label, probability."""


_BOOK = {
    "vocabulary": "words",
    "vocab_size": 20_000,
    "width": 300,
    "num_heads": 12,
    "hidden_dim": 512,
    "norm_first": False,
    "epochs": 5,
    "learning_rate": 3e-4,
}

RECIPE = Recipe(
    "Train a text classifier on labelled texts.",
    "texts",
    (SourcesConfig, SplitConfig, StartConfig, VocabularyConfig, ClassifyConfig, EncoderConfig),
    "dlcc.core.sentiment.task:build",
    {
        "best": {
            "validation_share": 0.06,
            # On a CPU the dropout inside attention and feed-forward layers is the expensive part.
            "inner_dropout": 0.0,
            "batch_tokens": 12_288,
            "word_dropout": 0.1,
            "adversarial": 5.0,
            "epochs": 5,
            "learning_rate": 2e-4,
            "warmup": 0.1,
            "weight_decay": 0.05,
            "ema_decay": 0.998,
        },
        # The book's vectors are 300 wide; the bundled 50 are projected to that by a linear layer.
        "book": {**_BOOK, "embeddings": BUNDLED_VECTORS, "warmup": 0.1},
    },
    usual={
        "best": "accuracy 0.887 on IMDB's validation part, from a run of masked words (two epochs, "
        "34 minutes)"
    },
    on_gpu=4,
)

MASKED_WORDS = Recipe(
    "Learn to guess masked words of all texts outside the test part; then train from it.",
    "tokens",
    (TextsConfig, ColumnConfig, VocabularyConfig, MaskedWordConfig, EncoderConfig),
    "dlcc.core.sentiment.pretrain:build",
    {
        "best": {
            "dropout": 0.0,
            "inner_dropout": 0.0,
            "epochs": 7,
            "warmup": 0.03,
        },
        "book": {**_BOOK, "dropout": 0.0},
    },
    on_gpu=8,
)
