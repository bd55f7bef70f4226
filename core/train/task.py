"""What `fit` trains: a model, its data and what a good one is."""

from collections.abc import Sequence
from typing import Any, Protocol

from torch import Tensor, nn

from dlcc.core.trace.trace import AttentionTrace


class Task(Protocol):
    """A model, its data and what a good one is."""

    kind: str
    """The model family, as checkpoints name it."""
    config: dict[str, Any]
    """JSON values that build the model again."""
    files: dict[str, bytes]
    """What a checkpoint needs besides, such as tokenizer.json."""
    about: dict[str, Any]
    """JSON values for the checkpoint: command, data, split hash."""
    metric: str
    """The key of `validate` that decides which weights are best."""
    higher_is_better: bool

    @property
    def model(self) -> nn.Module:
        """On the device it is trained on."""
        ...

    def batches(self, epoch: int) -> Sequence[Any]:
        """The batches of one epoch; the same for the same epoch."""
        ...

    def loss(self, batch: Any, done: float) -> tuple[Tensor, int]:
        """Mean loss of a batch, when the share `done` of the training is behind, and the number of
        items (tokens, texts, pictures) in it."""
        ...

    def validate(self) -> dict[str, float]:
        """Metrics on the validation part; the model is in eval mode, without gradients."""
        ...

    def sample(self) -> str:
        """One line that shows what the model does now; may be empty."""
        ...

    def traces(self) -> list[AttentionTrace]:
        """Attention on a fixed example, kept each epoch; may be empty."""
        ...
