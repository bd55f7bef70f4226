"""What classifiers that answer have in common; without torch.

Shapes: C classes.
"""

from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from dlcc.core.errors import DataError

if TYPE_CHECKING:
    import torch
    from torch import Tensor

Logits = TypeVar("Logits", "Tensor", np.ndarray)


class Calibrated:
    """Logits over a temperature give probabilities that mean what they say."""

    model: "Any"
    """Torch's, or None where something else computes."""
    temperature: float

    @property
    def device(self) -> "torch.device":
        device: torch.device = next(self.model.parameters()).device  # who asks computes by torch
        return device

    def probabilities(self, logits: Logits) -> Logits:
        """Calibrated probabilities of logits [..., C], an array's as an array.

        Raises:
            DataError: they are no numbers.
        """
        with np.errstate(all="ignore"):
            found = calibrated(logits, self.temperature)
        if isinstance(found, np.ndarray) and not np.isfinite(found).all():
            raise DataError("the model answers with no number: its weights or settings are damaged")
        return found


def calibrated(logits: Any, temperature: float) -> Any:
    """Calibrated probabilities of logits [..., C], an array's as an array."""
    scaled = logits / temperature
    return np.exp(log_softmax(scaled)) if isinstance(scaled, np.ndarray) else scaled.softmax(-1)


def log_softmax(logits: np.ndarray) -> np.ndarray:
    """Logarithms of the shares [..., C]."""
    shifted = logits - logits.max(-1, keepdims=True)
    shares: np.ndarray = shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))
    return shares


def class_names(given: Any) -> tuple[str, ...]:
    """The names of classes as a checkpoint has them.

    Raises:
        ValueError: they are no texts, or two are the same.
    """
    names = tuple(given)
    if isinstance(given, str) or not all(isinstance(name, str) for name in names):
        raise ValueError(f"it names classes that are no texts: {given!r:.60}")
    if len(set(names)) < len(names):
        raise ValueError("it names a class twice")
    return names
