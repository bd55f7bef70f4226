"""A trained text classifier that answers: texts in, calibrated probabilities out.

Shapes: N texts, C classes, B batch, T tokens.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor

from dlcc.core.nn.batches import PAD_STEP, batches_by_length, pad
from dlcc.core.progress import Progress
from dlcc.core.sentiment.codec import LONG_TEXTS, MASK, ReviewCodec, ReviewTokens, ends, windows
from dlcc.core.sentiment.config import EncoderConfig
from dlcc.core.sentiment.model import SentimentModel
from dlcc.core.settings import one_of
from dlcc.core.train.calibrated import Calibrated, class_names
from dlcc.core.train.checkpoint import load_checkpoint
from dlcc.core.train.runtime import autocast

KIND = "sentiment"
_BATCH_TOKENS = 4096  # more than that falls out of the processor's cache


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

    model: SentimentModel
    """In eval mode, on the device that computes."""
    codec: ReviewCodec
    labels: tuple[str, ...]
    temperature: float = 1.0
    """What logits are divided by, so that probabilities are calibrated."""
    long_texts: str = "windows"
    """How texts beyond the model's length are read: windows (all of it, logits averaged) or ends
    (the first quarter and the last three quarters of the length)."""
    about: Mapping[str, Any] = field(default_factory=dict)
    """How it was made."""
    mask: ClassVar[int] = MASK
    """The token that stands in for one that is taken away."""

    def __post_init__(self) -> None:
        one_of(LONG_TEXTS).ask(self.long_texts, "long")

    @classmethod
    def load(cls, folder: Path, device: torch.device, long_texts: str = "windows") -> "Classifier":
        """Read a checkpoint, or the best one of a run.

        Raises:
            DataError: none there, or damaged.
        """
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
        return self.model.encoder.config.max_length

    def stretches(self, length: int) -> list[Sequence[int]]:
        """Which tokens of a text of `length` tokens are read at once: at most `max_length`."""
        places = range(length)
        if self.long_texts == "ends":
            return [ends(places, self.max_length)]
        return [places[start:end] for start, end in windows(places, self.max_length)]

    @property
    def has_attention(self) -> bool:
        """Whether the model is a Transformer."""
        return self.model.encoder.config.architecture == "transformer"

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

    @torch.no_grad()
    def logits(self, texts: Sequence[Sequence[int]], progress: Progress | None = None) -> Tensor:
        """Logits [N, C], float32 on the CPU, before the temperature, of N texts' token numbers;
        means over a text's windows."""
        owners, pieces = [], []
        for number, ids in enumerate(texts):
            for places in self.stretches(len(ids)):
                owners.append(number)
                pieces.append([ids[place] for place in places])
        logits = torch.zeros(len(pieces), len(self.labels))
        done = 0
        for batch in batches_by_length([len(piece) for piece in pieces], _BATCH_TOKENS, PAD_STEP):
            logits[batch] = self.batch_logits([pieces[place] for place in batch])
            done += len(batch)
            if progress:
                progress(round(done / len(pieces) * len(texts)), len(texts))
        owner = torch.tensor(owners, dtype=torch.long)
        sums = torch.zeros(len(texts), len(self.labels)).index_add_(0, owner, logits)
        return sums / owner.bincount(minlength=len(texts))[:, None]

    @torch.no_grad()
    def batch_logits(self, pieces: Sequence[Sequence[int]]) -> Tensor:
        """Logits [B, C], float32 on the CPU, of one batch of at most `max_length` tokens each."""
        tokens = pad([piece or [0] for piece in pieces], PAD_STEP).to(self.device)
        with autocast(self.device):
            return self.model(tokens).float().cpu()
