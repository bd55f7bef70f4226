"""Where a classifier's weights come from before training: drawn, word vectors, or a checkpoint."""

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import torch

from dlcc.core.errors import DataError, UsageError
from dlcc.core.files.vectors import look_up
from dlcc.core.progress import Progress
from dlcc.core.sentiment import pretrain as masked_words
from dlcc.core.sentiment.classifier import KIND
from dlcc.core.sentiment.codec import ReviewCodec
from dlcc.core.sentiment.config import BUNDLED_VECTORS, EncoderConfig
from dlcc.core.sentiment.model import SentimentModel
from dlcc.core.settings import name_of
from dlcc.core.train.checkpoint import Checkpoint, load_checkpoint, load_weights

_ENCODER = "encoder."


def from_scratch(
    codec: ReviewCodec, sizes: dict[str, Any], num_classes: int, seed: int
) -> SentimentModel:
    """A classifier with drawn weights; `sizes` are of `EncoderConfig`."""
    torch.manual_seed(seed)
    return SentimentModel(EncoderConfig(vocab_size=codec.size, **sizes), num_classes)


def from_vectors(
    codec: ReviewCodec,
    sizes: dict[str, Any],
    num_classes: int,
    seed: int,
    vectors: str,
    progress: Progress | None = None,
) -> tuple[SentimentModel, str]:
    """A classifier whose tokens start as word vectors, linearly projected to its width.

    Args:
        codec: of whole words.
        sizes: of `EncoderConfig`, but for `embed_dim`, which the vectors give.
        seed: draws all other weights, and the vectors of words that have none.
        vectors: `bundled`, or the path of a GloVe or word2vec text file.

    Returns:
        The model, and in words where its vectors come from.
    """
    path = None if vectors == BUNDLED_VECTORS else Path(vectors)
    words = look_up(codec.vocabulary(), path, progress)
    model = from_scratch(codec, {**sizes, "embed_dim": words.vectors.shape[1]}, num_classes, seed)
    given = torch.from_numpy(words.vectors)
    has_vector = given.abs().sum(1) > 0
    if not has_vector.any():
        raise DataError(f"{words.source} has a vector for none of the words in the texts")
    weight = model.encoder.embedding.weight
    with torch.no_grad():
        weight.mul_(given[has_vector].std() / weight.std())
        weight[has_vector] = given[has_vector]
    share = has_vector.float().mean().item()
    return model, f"{words.source}, for {share:.0%} of {codec.size} words"


def from_checkpoint(
    folder: Path, num_classes: int, changes: dict[str, Any], seed: int
) -> tuple[SentimentModel, ReviewCodec, str]:
    """A classifier whose encoder was trained before, on masked words or as a classifier.

    Args:
        folder: a run or a checkpoint of it.
        changes: fields of `EncoderConfig` that leave the weights as they are, such as dropout.
        seed: draws the dense top anew.

    Returns:
        The model, its codec, and in words what it starts from.

    Raises:
        DataError: no such checkpoint, or a damaged one.
        UsageError: `changes` would need other weights.
    """
    checkpoint = load_checkpoint(folder, masked_words.KIND, KIND)
    with checkpoint.being_read():
        codec = ReviewCodec.from_files(checkpoint.files).renewed()
        before = EncoderConfig(**checkpoint.config["encoder"])
    _check_changes(before, changes)
    torch.manual_seed(seed)
    model = SentimentModel(replace(before, **changes), num_classes)
    weights = {
        name.removeprefix(_ENCODER): tensor
        for name, tensor in checkpoint.weights.items()
        if name.startswith(_ENCODER)
    }
    load_weights(model.encoder, weights, checkpoint.folder)
    return model, codec, _what(checkpoint)


def _check_changes(before: EncoderConfig, changes: dict[str, Any]) -> None:
    free = {"dropout", "inner_dropout", "max_length", "frozen_embeddings"}
    for each in fields(EncoderConfig):
        value, own = changes.get(each.name), getattr(before, each.name)
        if value not in (None, own) and each.name not in free:
            raise UsageError(
                f"what is started from has {own}: leave that option out", name_of(each), value
            )


def _what(checkpoint: Checkpoint) -> str:
    metrics = checkpoint.about.get("metrics", {})
    shown = ", ".join(f"{name} {value:.4g}" for name, value in metrics.items())
    command, seconds = checkpoint.about.get("command"), checkpoint.about.get("seconds", 0)
    made = f" of {command}, after {seconds / 60:.0f} minutes" if command else ""
    return f"{checkpoint.kind} checkpoint ({shown}){made}"
