"""One training loop for all models. It yields events and knows neither Typer nor Rich.

A run folder holds `last` (to resume from), `best` (the weights that validated best),
`metrics.jsonl` (see `metrics`) and, where the task draws them, `traces/epoch-NNN.trace`.

Every step draws its random numbers from its own seed, so a run that was killed and resumed ends
with the same weights as one that was not, on one machine with the same number of threads. A limit
in minutes ties the schedule to the clock and gives that up.
"""

import math
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from dlcc.core.errors import DataError, DlccError, UsageError
from dlcc.core.files.paths import being_read
from dlcc.core.nn.layers import count_parameters
from dlcc.core.progress import Progress
from dlcc.core.trace.trace import AttentionTrace, save_traces
from dlcc.core.train.checkpoint import (
    load_checkpoint,
    load_weights,
    save_checkpoint,
)
from dlcc.core.train.config import FitConfig, learning_rate_at
from dlcc.core.train.distributed import team
from dlcc.core.train.folders import whole
from dlcc.core.train.learner import Learner, Losses
from dlcc.core.train.metrics import add_line, read_metrics
from dlcc.core.train.parts import check_same_data
from dlcc.core.train.runtime import (
    computing_as,
    fast_products,
    has_fast_bfloat16,
    made_here,
    seconds_compiling,
)
from dlcc.core.train.state import STATE, At, restore_state, state_of
from dlcc.core.train.task import (
    EpochEnded,
    Event,
    Finished,
    Started,
    Stepped,
    Task,
    Validating,
)

_TELLS = 10.0  # seconds of training between two lines about its steps


def fit(
    task: Task,
    config: FitConfig,
    run: Path,
    *,
    resume: bool = False,
    should_stop: Callable[[], bool] = lambda: False,
    progress: Progress | None = None,
) -> Iterator[Event]:
    """Train `task.model`, yielding what happens.

    Args:
        task: model, data, loss and validation.
        config: how to train.
        run: the run folder.
        resume: go on from `run/last`; without it a folder that has one is refused.
        should_stop: asked after every step; True saves a resumable state and ends.
        progress: told how far a validation is, by tasks that know.

    Raises:
        UsageError: the run folder holds a training and `resume` is False.
        DataError: nothing to resume, or what is there is damaged or of another model; or the
            weights to begin with are no numbers.
        DlccError: the loss or a weight is no longer a number.
    """
    if hasattr(task, "progress"):
        task.progress = progress
    trainer = _Trainer(task, config, run)
    if resume:
        trainer.restore()
    elif whole(run / "last").exists():
        raise UsageError("holds a training: resume it, or choose another", "run", run)
    trainer.check_start()
    device = trainer.learner.device
    with computing_as(trainer.at.bfloat16):
        trainer.at.bfloat16 = trainer.team.agreed(has_fast_bfloat16(device))
    with computing_as(trainer.at.bfloat16), fast_products(device, config.bfloat16):
        trainer.learner.begin_together()
        if not resume:
            trainer.save_first()
        yield from trainer.run_epochs(should_stop)


class _Trainer:
    """The state of one `fit`."""

    def __init__(self, task: Task, config: FitConfig, run: Path) -> None:
        self.task, self.config, self.run = task, config, run
        self.learner = Learner(task, config)
        self.losses = Losses(self.learner.device)
        self.team = team()
        self.at = At()
        self.saved_at = time.monotonic()
        self.restored: int | None = None  # the epoch that is gone on with
        self.told_at, self.since = 0.0, (0.0, 0)  # training seconds of the last line; loss since

    def check_start(self) -> None:
        """Raise DataError where a weight is no number before anything was learned."""
        if wrong := self.learner.not_finite():
            raise DataError(
                f"{wrong} is not finite before the first step: the weights or vectors that the "
                "training begins with are damaged"
            )

    def run_epochs(self, should_stop: Callable[[], bool]) -> Iterator[Event]:
        config, at = self.config, self.at
        batches = self.task.batches(at.epoch)
        yield Started(
            self.run,
            len(batches),
            at.step,
            config.epochs,
            count_parameters(self.learner.parameters),
            str(self.learner.device),
            config.bfloat16 and has_fast_bfloat16(self.learner.device),
        )
        reason = self._over()
        while not reason:
            for stepped in self._epoch(batches):
                yield stepped
                if self._asked_to_stop(should_stop):
                    self.save_last()
                    yield Finished("stopped", _or_nan(at.best), at.seconds)
                    return
            if self._is_validated():
                self.save_last()  # before a validation that may take long
                yield Validating(at.epoch)
                yield self._end_epoch()
            else:
                self._next_epoch()
            reason = self._over()
            if not reason:
                batches = self.task.batches(at.epoch)
        yield Finished(reason, _or_nan(at.best), at.seconds)

    def _asked_to_stop(self, should_stop: Callable[[], bool]) -> bool:
        """Whether one of the processes is; they go by the clock of the first."""
        if self.team.size > 1 and self.config.minutes:
            self.at.seconds = self.team.agreed(self.at.seconds)
        return self.team.any(should_stop())

    def _epoch(self, batches: Sequence[Any]) -> Iterator[Stepped]:
        at, total = self.at, self.config.epochs * len(batches)
        if at.steps_in_epoch not in (0, len(batches)):  # batches have another size now
            at.step_in_epoch = round(at.step_in_epoch / at.steps_in_epoch * len(batches))
        at.steps_in_epoch = len(batches)
        self.learner.model.train()
        while at.step_in_epoch < len(batches) and not self._out_of_time():
            begun, compiling = time.monotonic(), seconds_compiling()
            done = (at.epoch * len(batches) + at.step_in_epoch) / total
            if self.config.minutes:
                done = max(done, at.seconds / (60 * self.config.minutes))
            rate = learning_rate_at(self.config, done)
            loss, items = self.learner.step(batches[at.step_in_epoch], done, rate, at.step)
            self.losses.add(loss, items)
            at.step_in_epoch += 1
            at.step += 1
            if self.losses.are_due:
                self._read()
            at.seconds += time.monotonic() - begun - (seconds_compiling() - compiling)
            self._tell_step(rate)
            if time.monotonic() - self.saved_at > self.config.checkpoint_seconds:
                self.save_last()
            place = at.step_in_epoch, at.steps_in_epoch
            loss_now = self.losses.mean
            yield Stepped(at.epoch, at.step, done, loss_now, items, rate, at.seconds, *place)

    def _read(self) -> None:
        """Count in the losses of the last steps.

        Raises:
            DlccError: one is no number.
        """
        at, (total, count) = self.at, self.since
        read = self.losses.read()
        for step, (value, items) in enumerate(read, at.step - len(read) + 1):
            if not math.isfinite(value):
                if step == 1 and self.restored is None:
                    raise self._never_began(value)
                raise self._diverged(f"the loss became {value} at step {step}")
            at.loss_sum, at.items = at.loss_sum + value * items, at.items + items
            total, count = total + value * items, count + items
        self.since = total, count

    def _never_began(self, loss: float) -> DataError:
        """What to say of a first loss that is no number; there is nothing to go on with."""
        if self.team.leads:
            shutil.rmtree(self.run / "last", ignore_errors=True)
        return DataError(
            f"the loss is {loss} before anything was learned: what the training begins with, or "
            "learns from, is damaged"
        )

    def _diverged(self, what: str) -> DlccError:
        """What to say of numbers that are none: soon after a resume, the state may be damaged."""
        if self.restored == self.at.epoch:
            return DataError(f"{what}: {self.run / 'last'} is damaged, or lower the learning rate")
        return DlccError(f"{what}: lower the learning rate")

    def _tell_step(self, rate: float) -> None:
        """Write a line about the steps since the last one, now and then."""
        if self.at.seconds - self.told_at >= _TELLS:
            self._read()
            total, count = self.since
            at = {"epoch": self.at.epoch + 1, "step": self.at.step, "seconds": self.at.seconds}
            self._write_line({**at, "step_loss": total / count, "learning_rate": rate})
            self._told()

    def _write_line(self, line: dict[str, Any]) -> None:
        if self.team.leads:
            add_line(self.run, line)

    def _told(self) -> None:
        self.told_at, self.since = self.at.seconds, (0.0, 0)

    def _is_validated(self) -> bool:
        """Whether the epoch that ends is."""
        number, config = self.at.epoch + 1, self.config
        return number % config.validate_every == 0 or number >= config.epochs or self._out_of_time()

    def _next_epoch(self) -> None:
        at = self.at
        at.missing += 1 - at.step_in_epoch / (at.steps_in_epoch or 1)
        at.epoch, at.step_in_epoch, at.steps_in_epoch = at.epoch + 1, 0, 0

    def _end_epoch(self) -> EpochEnded:
        at, begun = self.at, time.monotonic()
        self._read()
        if wrong := self.learner.not_finite():
            raise self._diverged(f"{wrong} became infinite by step {at.step}")
        learned = len(self.learner.parameters)
        self.team.average([each.data for each in self.learner.averaged[learned:]])
        self.learner.swap_average()
        self.learner.model.eval()
        metrics, sample, traces = self._validated()
        value = metrics[self.task.metric]
        is_best = self._is_best(value)
        metrics = {"train_loss": at.loss_sum / max(at.items, 1), **metrics}
        if is_best:
            at.best, at.epochs_since_best = value, 0
            numbers = {name: value for name, value in metrics.items() if math.isfinite(value)}
            self._save("best", {**numbers, "epoch": at.epoch + 1})
        else:
            at.epochs_since_best += self.config.validate_every
        self.learner.swap_average()
        if traces:
            save_traces(self.run / "traces" / f"epoch-{at.epoch + 1:03}.trace", traces)
        ended = EpochEnded(at.epoch, metrics, is_best, sample)
        at.seconds += time.monotonic() - begun
        self._next_epoch()
        at.loss_sum, at.items = 0.0, 0
        line = {"epoch": at.epoch, "step": at.step, "seconds": at.seconds}
        self._write_line({**line, **metrics})
        self._told()
        self.save_last()
        return ended

    def _validated(self) -> tuple[dict[str, float], str, list[AttentionTrace]]:
        """Metrics, sample and traces; the first process finds them for all."""
        metrics, sample, traces = {}, "", []
        if self.team.leads:
            with torch.no_grad():
                metrics = self.task.validate()
                if all(map(math.isfinite, metrics.values())):  # else there is nothing to show
                    sample, traces = self.task.sample(), self.task.traces()
        metrics, sample = self.team.agreed((metrics, sample))
        return metrics, sample, traces

    def _is_best(self, value: float) -> bool:
        """Whether it is the first or better than all before; NaN is worse than any number."""
        best = self.at.best
        if best is None or math.isnan(best) or math.isnan(value):
            return best is None or not math.isnan(value)
        return value > best if self.task.higher_is_better else value < best

    def _out_of_time(self) -> bool:
        return 0 < 60 * self.config.minutes <= self.at.seconds

    def _over(self) -> str:
        if self.at.epoch >= self.config.epochs:
            return "epochs"
        if self._out_of_time():
            return "minutes"
        if self.config.patience and self.at.epochs_since_best >= self.config.patience:
            return "patience"
        return ""

    def _save(self, name: str, metrics: dict[str, float], state: bytes | None = None) -> None:
        at = self.at
        if not self.team.leads:
            return
        about = {
            **self.task.about,
            "fit": asdict(self.config),
            "seconds": round(at.seconds),
            "made": made_here(self.learner.device),
            "metric": {"name": self.task.metric, "higher_is_better": self.task.higher_is_better},
        }
        if state:
            over = "" if at.step_in_epoch else self._over()
            trained = at.epoch - at.missing + at.step_in_epoch / (at.steps_in_epoch or 1)
            about["progress"] = {"epochs": trained, "over": over}
        save_checkpoint(
            self.run / name,
            kind=self.task.kind,
            weights=self.learner.model.state_dict(),
            config=self.task.config,
            about={**about, "metrics": metrics} if metrics else about,
            files={**self.task.files, **({STATE: state} if state else {})},
        )

    def save_last(self) -> None:
        """Write all that resuming needs."""
        self._read()  # what is no number is not kept
        if not self.team.leads:
            return
        learner = self.learner
        self._save("last", {}, state_of(self.at, learner.average, learner.optimizers))
        self.saved_at = time.monotonic()

    def save_first(self) -> None:
        """As `save_last`, so that a run killed at once can be resumed too; a run that cannot be
        written leaves no folder."""
        try:
            self.save_last()
        except DataError:
            with suppress(OSError):
                self.run.rmdir()
            raise

    def restore(self) -> None:
        """Go back to where `last` was saved."""
        checkpoint = load_checkpoint(self.run / "last", self.task.kind)
        files = {name: data for name, data in checkpoint.files.items() if name != STATE}
        if (checkpoint.config, files) != (self.task.config, self.task.files):
            raise DataError(
                f"{self.run} trains another model: resume with the data and options it began with"
            )
        check_same_data(self.run, checkpoint.about, self.task.about)
        learner = self.learner
        load_weights(learner.model, checkpoint.weights, checkpoint.folder)
        read_metrics(self.run)  # complains of damage before the long work
        with being_read(checkpoint.folder, "cannot be resumed ({})"):
            buffers = learner.averaged[len(learner.parameters) :]
            kept = learner.average, buffers, learner.optimizers
            self.at = restore_state(checkpoint.folder, *kept)
        self.restored = self.at.epoch


def _or_nan(best: float | None) -> float:
    return math.nan if best is None else best
