"""The figures of a training for TensorBoard, as it reads them."""

from collections.abc import Iterator
from pathlib import Path

from dlcc.core.errors import UsageError
from dlcc.core.train.task import EpochEnded, Event, Started, Stepped

_EVERY = 1.0  # seconds of training between two figures of steps


def written(events: Iterator[Event], run: Path) -> Iterator[Event]:
    """The same events; their figures are written into the run's folder `tensorboard`.

    Figures after the step that a training goes on from are taken back.

    Raises:
        UsageError: TensorBoard is not installed.
    """
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        why = "it is not installed: pip install 'dlcc[tensorboard]'"
        raise UsageError(why, "tensorboard") from error
    return _written(events, SummaryWriter, run / "tensorboard")


def _written(events: Iterator[Event], make: type, folder: Path) -> Iterator[Event]:
    writer, told = None, 0.0
    step = 0
    try:
        for event in events:
            match event:
                case Started():
                    writer, step = make(str(folder), purge_step=event.step + 1), event.step
                case Stepped() if writer:
                    step = event.step
                    if event.seconds - told >= _EVERY:
                        told = event.seconds
                        writer.add_scalar("train/loss", event.loss, step)
                        writer.add_scalar("train/learning_rate", event.learning_rate, step)
                case EpochEnded() if writer:
                    for name, value in event.metrics.items():
                        writer.add_scalar(f"epoch/{name}", value, step)
                    writer.flush()
            yield event
    finally:
        if writer:
            writer.close()
