"""A trained text classifier that answers: texts in, calibrated probabilities out.

Shapes: N texts, C classes, B batch, T tokens.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from dlcc.core.files.paths import being_read
from dlcc.core.nn.batches import batches_by_length, padded
from dlcc.core.progress import Progress
from dlcc.core.runner import Runner, TorchRunner, opened
from dlcc.core.sentiment.codec import LONG_TEXTS, MASK, ReviewCodec, ReviewTokens, ends, windows
from dlcc.core.sentiment.config import EncoderConfig
from dlcc.core.settings import one_of
from dlcc.core.train.calibrated import Calibrated, class_names

if TYPE_CHECKING:
    import torch

    from dlcc.core.sentiment.model import SentimentModel

KIND = "sentiment"
_BATCH_TOKENS = 4096  # more than that falls out of the processor's cache
_STEP = 8  # texts are padded to a multiple of so many tokens


@dataclass(frozen=True)
class Answer:
    """What became of one text."""

    text: str
    label: str | None
    """The most probable class; None for a text without a token."""
    probabilities: tuple[float, ...]
    """Calibrated, in the order of the classes; empty for a text without a token."""
    num_tokens: int
    num_stretches: int
    """How many windows a long text was read in; 1 for any other."""
    mostly_unknown: bool
    """Whether the words suggest another language than the model's."""
    tokens: ReviewTokens | None = None
    """The text cut up, where that was to be kept."""

    @property
    def probability(self) -> float | None:
        """Of the label."""
        return max(self.probabilities, default=None)


@dataclass
class Classifier(Calibrated):
    """A model with what it needs to read texts and to name classes."""

    model: "SentimentModel | None"
    """In eval mode, on the device that computes; None where `runner` is not torch's."""
    codec: ReviewCodec
    labels: tuple[str, ...]
    temperature: float = 1.0
    """What logits are divided by, so that probabilities are calibrated."""
    long_texts: str = "windows"
    """How texts beyond the model's length are read: windows (all of it, logits averaged) or ends
    (the first quarter and the last three quarters of the length)."""
    about: Mapping[str, Any] = field(default_factory=dict)
    """How it was made."""
    runner: Runner = None  # type: ignore[assignment]  # the model's, where it is left out
    config: EncoderConfig = None  # type: ignore[assignment]
    mask: ClassVar[int] = MASK
    """The token that stands in for one that is taken away."""

    def __post_init__(self) -> None:
        one_of(LONG_TEXTS).ask(self.long_texts, "long")
        if self.model is not None:
            from dlcc.core.sentiment.graphs import graphs

            self.runner = TorchRunner(self.model, graphs(self.model))
            self.config = self.model.encoder.config

    @classmethod
    def open(
        cls, place: Path, device: str = "auto", runner: str = "auto", long_texts: str = "windows"
    ) -> "Classifier":
        """What answers fastest: a checkpoint's graphs where it has them, else its model.

        Args:
            place: a checkpoint, a run or an exported graph.
            device: auto, or torch's name.
            runner: one of `runner.RUNNERS`.

        Raises:
            DataError: none there, or damaged.
            UsageError: as of `runner.opened`.
        """
        found = opened(place, KIND, runner, device)
        if found is None:
            from dlcc.core.train.runtime import choose_device

            return cls.load(place, choose_device(device), long_texts)
        with being_read(found.place):
            return cls(
                None,
                ReviewCodec.from_files(found.files),
                class_names(found.config["labels"]),
                float(found.about.get("temperature", 1.0)),
                long_texts,
                found.about,
                found.runner,
                EncoderConfig(**found.config["encoder"]),
            )

    @classmethod
    def load(
        cls, folder: Path, device: "torch.device", long_texts: str = "windows"
    ) -> "Classifier":
        """Read a checkpoint, or the best one of a run, for torch.

        Raises:
            DataError: none there, or damaged.
        """
        from dlcc.core.sentiment.model import SentimentModel
        from dlcc.core.train.checkpoint import load_checkpoint

        checkpoint = load_checkpoint(folder, KIND)
        with checkpoint.being_read():
            labels = class_names(checkpoint.config["labels"])
            encoder = checkpoint.config["encoder"]
            return cls(
                checkpoint.trained(
                    lambda: SentimentModel(EncoderConfig(**encoder), len(labels)), device
                ),
                ReviewCodec.from_files(checkpoint.files),
                labels,
                float(checkpoint.about.get("temperature", 1.0)),
                long_texts,
                checkpoint.about,
            )

    @property
    def max_length(self) -> int:
        """Most tokens that are read at once."""
        return self.config.max_length

    def stretches(self, length: int) -> list[Sequence[int]]:
        """Which tokens of a text of `length` tokens are read at once: at most `max_length`."""
        places = range(length)
        if self.long_texts == "ends":
            return [ends(places, self.max_length)]
        return [places[start:end] for start, end in windows(places, self.max_length)]

    @property
    def has_attention(self) -> bool:
        """Whether the model is a Transformer."""
        return self.config.architecture == "transformer"

    def answer(
        self, texts: Sequence[str], progress: Progress | None = None, keep_tokens: bool = False
    ) -> list[Answer]:
        """Classify texts, in their order."""
        kept = [self.codec.encode(text) if keep_tokens else None for text in texts]
        encoded = [each.ids for each in kept if each] or self.codec.encode_many(texts)
        rows = self.probabilities(self.logits(encoded, progress)).tolist()
        return [
            Answer(
                text,
                self.labels[row.index(max(row))] if ids else None,
                tuple(row) if ids else (),
                len(ids),
                len(self.stretches(len(ids))),
                self.codec.mostly_unknown(ids),
                tokens,
            )
            for text, ids, row, tokens in zip(texts, encoded, rows, kept, strict=True)
        ]

    def logits(
        self, texts: Sequence[Sequence[int]], progress: Progress | None = None
    ) -> np.ndarray:
        """Logits [N, C], float32, before the temperature, of N texts' token numbers; means over a
        text's windows."""
        owners, pieces = [], []
        for number, ids in enumerate(texts):
            for places in self.stretches(len(ids)):
                owners.append(number)
                pieces.append(places)
        logits = np.zeros((len(pieces), len(self.labels)), np.float32)
        done = 0
        for batch in batches_by_length([len(piece) for piece in pieces], _BATCH_TOKENS, _STEP):
            rows = [(texts[owners[number]], pieces[number]) for number in batch]
            logits[batch] = self.batch_logits([[ids[place] for place in has] for ids, has in rows])
            done += len(batch)
            if progress:
                progress(round(done / len(pieces) * len(texts)), len(texts))
        sums = np.zeros((len(texts), len(self.labels)), np.float32)
        np.add.at(sums, np.array(owners, int), logits)
        means: np.ndarray = sums / np.bincount(owners, minlength=len(texts))[:, None]
        return means.astype(np.float32)

    def batch_logits(self, pieces: Sequence[Sequence[int]]) -> np.ndarray:
        """Logits [B, C], float32, of one batch of at most `max_length` tokens each."""
        tokens = padded([piece or [0] for piece in pieces], _STEP)
        found: np.ndarray = self.runner.run("answer", tokens=tokens)["logits"]
        return found
