"""A trained attention on word vectors as a file: what teaching saves and attention loads.

numpy alone, so that using one needs no torch.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dlcc.core.attend.kept import RESULT
from dlcc.core.attend.mechanisms import MECHANISMS, Weights
from dlcc.core.errors import DataError
from dlcc.core.files.paths import asset
from dlcc.core.files.tensors import load_tensors, save_tensors

FORMAT_VERSION = 1
BUNDLED = ("relations",)
_NAME = "dlcc_attention"  # of the JSON values in its file


@dataclass(frozen=True)
class TrainedAttention:
    """Learned tensors of one or more mechanisms, and how the word vectors are prepared for them."""

    mechanisms: dict[str, Weights]
    """trainable, additive or multihead to the tensors of its module in `core.nn.attention`."""
    centre: np.ndarray
    """[E] float32: subtracted from every word vector, which is then brought to length 1."""
    about: dict[str, Any]
    """JSON values: relations, held-out pairs, figures, seed, embeddings, versions."""


def prepare(vectors: np.ndarray, centre: np.ndarray) -> np.ndarray:
    """Centred vectors [N, E] of length 1. A word without a vector (zeros) stays at zero."""
    known = vectors.any(-1, keepdims=True)
    centred = np.where(known, vectors - centre, 0)
    lengths = np.linalg.norm(centred, axis=-1, keepdims=True)
    return (centred / np.where(lengths > 0, lengths, 1)).astype(np.float32)


def save_trained(path: Path, trained: TrainedAttention) -> None:
    """Write a trained attention, whole or not at all."""
    arrays = {"centre": trained.centre}
    for mechanism, weights in trained.mechanisms.items():
        arrays |= {f"{mechanism}.{name}": array for name, array in weights.items()}
    about = {"format_version": FORMAT_VERSION, **trained.about}
    save_tensors(path, arrays, _NAME, about)


def load_trained(name: str) -> TrainedAttention:
    """Read what `save_trained` wrote.

    Args:
        name: a bundled attention (`BUNDLED`) or a file's path.

    Raises:
        DataError: no such file, not a trained attention, damaged, or of another format.
    """
    path = asset(f"{name}.safetensors") if name in BUNDLED else Path(name)
    if (path / RESULT).is_file():  # a run
        path = path / RESULT
    if path.is_dir():
        raise DataError("a folder; give a file that attend train saved", "load", name)
    wanted = f"give a file that attend train saved, or {' or '.join(BUNDLED)}"
    if not path.exists():
        raise DataError(f"there is no such file; {wanted}", "load", name)
    try:
        arrays, about = load_tensors(path, _NAME)
    except DataError as error:
        raise DataError(f"{error}; {wanted}", "load", name) from error
    if about is None or "centre" not in arrays:
        raise DataError("not a trained attention; save one with attend train", "load", name)
    if about.pop("format_version", None) != FORMAT_VERSION:
        raise DataError("written by another version of dlcc; train it again", "load", name)
    centre = arrays.pop("centre")
    mechanisms: dict[str, Weights] = {}
    for key, array in arrays.items():
        mechanism, _, tensor = key.partition(".")
        mechanisms.setdefault(mechanism, {})[tensor] = array
    if not all(np.all(np.isfinite(array)) for array in (centre, *arrays.values())):
        raise DataError("damaged, it holds NaN or infinity; train it again", "load", name)
    ordered = {name: mechanisms[name] for name in MECHANISMS if name in mechanisms}
    if not ordered:
        raise DataError("it holds no attention; save one with attend train", "load", name)
    return TrainedAttention(ordered, centre, about)
