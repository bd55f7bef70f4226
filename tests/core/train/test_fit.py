"""`fit`: it learns, stops, resumes to the same weights, and refuses what it cannot go on from."""

import hashlib
import json
import math
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from dlcc.core.errors import DataError, DlccError, UsageError
from dlcc.core.files.tensors import load_tensors
from dlcc.core.trace.trace import AttentionTrace
from dlcc.core.train import runtime
from dlcc.core.train.checkpoint import load_checkpoint, load_weights, save_checkpoint
from dlcc.core.train.config import OPTIMIZERS, FitConfig, learning_rate_at
from dlcc.core.train.fit import fit
from dlcc.core.train.folders import best_of
from dlcc.core.train.learner import Learner, Losses
from dlcc.core.train.optimizers import optimizers_of, rate_shares
from dlcc.core.train.recipe import recipe
from dlcc.core.train.runtime import seeded_generator
from dlcc.core.train.task import EpochEnded, Finished, Recordable, Started, Stepped
from dlcc.core.vit.config import ViTConfig
from dlcc.core.vit.model import ViT


class LineTask:
    """Fit y = 2x - 1 with dropout in the way, so that random numbers matter."""

    kind = "line"
    metric = "error"
    higher_is_better = False
    files: dict[str, bytes] = {"vocab.json": b"[]"}  # noqa: RUF012
    about: dict[str, Any] = {"data": "made here"}  # noqa: RUF012

    def __init__(self, pause: float = 0.0) -> None:
        torch.manual_seed(0)
        self.model = nn.Sequential(nn.Linear(1, 16), nn.Dropout(0.1), nn.Linear(16, 1))
        self.config = {"width": 16}
        self.pause = pause
        self.done: list[float] = []

    def batches(self, epoch: int) -> list[Tensor]:
        x = torch.rand(6, 32, 1, generator=seeded_generator(0, epoch)) * 2 - 1
        return list(x)

    def loss(self, batch: Tensor, done: float) -> tuple[Tensor, int]:
        self.done.append(done)
        time.sleep(self.pause)
        return nn.functional.mse_loss(self.model(batch), 2 * batch - 1), len(batch)

    def validate(self) -> dict[str, float]:
        x = torch.linspace(-1, 1, 21)[:, None]
        return {"error": (self.model(x) - 2 * x + 1).abs().mean().item()}

    def sample(self) -> str:
        return f"f(0) = {self.model(torch.zeros(1, 1)).item():.2f}"

    def traces(self) -> list[AttentionTrace]:
        return []


CONFIG = FitConfig(epochs=5, learning_rate=0.05, ema_decay=0.9, bfloat16=False)


def weights_of(folder: Path) -> dict[str, Tensor]:
    return load_checkpoint(folder, "line").weights


def read_lines(run: Path) -> list[str]:
    return (run / "metrics.jsonl").read_text().splitlines()


def test_it_learns_and_says_so(tmp_path: Path) -> None:
    config = FitConfig(epochs=40, learning_rate=0.05, bfloat16=False)
    events = list(fit(LineTask(), config, tmp_path / "run"))
    assert isinstance(events[0], Started)
    assert events[0].num_parameters == 49
    assert sum(isinstance(event, Stepped) for event in events) == 240
    epochs = [event for event in events if isinstance(event, EpochEnded)]
    assert epochs[-1].metrics["error"] < 0.15 < epochs[0].metrics["error"]
    assert events[-1].reason == "epochs"
    lines = [json.loads(line) for line in read_lines(tmp_path / "run")]
    assert [line["epoch"] for line in lines] == list(range(1, 41))
    best = load_checkpoint(tmp_path / "run/best", "line")
    assert best.about["metrics"]["error"] == min(line["error"] for line in lines)
    assert best.files == {"vocab.json": b"[]"}


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("stop_after", [1, 6, 14])
def test_stopped_and_resumed_it_ends_with_the_same_weights(
    tmp_path: Path, stop_after: int, optimizer: str
) -> None:
    config = replace(CONFIG, optimizer=optimizer)
    list(fit(LineTask(), config, tmp_path / "whole"))
    left = iter([False] * (stop_after - 1) + [True] * 100)
    *_, end = fit(LineTask(), config, tmp_path / "parts", should_stop=lambda: next(left))
    assert isinstance(end, Finished)
    assert end.reason == "stopped"
    *_, end = fit(LineTask(), config, tmp_path / "parts", resume=True)
    assert end.reason == "epochs"
    for name in ("last", "best"):
        whole, parts = weights_of(tmp_path / "whole" / name), weights_of(tmp_path / "parts" / name)
        assert all(torch.equal(whole[key], parts[key]) for key in whole)
    epochs = [json.loads(line)["epoch"] for line in read_lines(tmp_path / "parts")]
    assert epochs == [1, 2, 3, 4, 5]


def test_muon_takes_the_matrices_and_leaves_the_rest_to_adamw(tmp_path: Path) -> None:
    begun = LineTask().model.state_dict()
    moved = {}
    for optimizer in OPTIMIZERS:
        config = FitConfig(epochs=1, learning_rate=0.01, optimizer=optimizer, bfloat16=False)
        list(fit(LineTask(), config, tmp_path / optimizer, should_stop=lambda: True))
        after = weights_of(tmp_path / optimizer / "last")
        moved[optimizer] = {name: after[name] - begun[name] for name in begun}
    for name in ("0.bias", "2.bias"):
        assert torch.equal(moved["muon"][name], moved["adamw"][name])
    for name in ("0.weight", "2.weight"):  # AdamW's first step has one size everywhere
        sizes = {optimizer: moved[optimizer][name].abs() for optimizer in OPTIMIZERS}
        assert sizes["adamw"].std() < 0.05 * sizes["adamw"].mean()
        assert sizes["muon"].std() > 0.2 * sizes["muon"].mean()


def test_lower_blocks_learn_at_a_share_of_the_rate() -> None:
    model = ViT(ViTConfig(2, image_size=4, patch_size=2, embed_dim=8, num_layers=2, num_heads=2))
    shares = rate_shares(model, 0.5)
    found = {name: shares[weight] for name, weight in model.named_parameters()}
    assert found["head.weight"] == found["norm.bias"] == 1
    assert found["blocks.1.attention.in_proj.weight"] == 0.5
    assert found["blocks.0.feed_forward.up.bias"] == 0.25
    assert found["embed.weight"] == found["class_token"] == found["positions"] == 0.125
    for optimizer in OPTIMIZERS:
        config = FitConfig(layer_decay=0.5, optimizer=optimizer)
        groups = [group for each in optimizers_of(model, config) for group in each.param_groups]
        given = {p: group["rate_share"] for group in groups for p in group["params"]}
        assert given == shares
    with pytest.raises(UsageError, match="one stack of blocks"):
        rate_shares(nn.Linear(2, 2), 0.5)


def test_the_rate_of_a_step_is_each_groups_share(tmp_path: Path) -> None:
    moved = {}
    for decay in (1.0, 0.5):
        task = LineTask()
        task.model = nn.Sequential(nn.ModuleList([nn.Linear(1, 1)]))
        task.model.forward = lambda x, model=task.model: model[0][0](x)  # type: ignore[assignment]
        before = task.model[0][0].weight.clone()
        config = FitConfig(epochs=1, layer_decay=decay, warmup=0, weight_decay=0, patience=1)
        events = fit(task, config, tmp_path / str(decay))
        next(event for event in events if isinstance(event, Stepped))
        moved[decay] = (task.model[0][0].weight - before).abs().item()
    assert moved[0.5] == pytest.approx(moved[1.0] / 2, rel=1e-3)


def test_the_task_is_told_how_much_is_done_also_after_a_resume(tmp_path: Path) -> None:
    whole, first, second = LineTask(), LineTask(), LineTask()
    list(fit(whole, CONFIG, tmp_path / "whole"))
    assert whole.done == [step / 30 for step in range(30)]
    left = iter([False] * 10 + [True])
    list(fit(first, CONFIG, tmp_path / "parts", should_stop=lambda: next(left)))
    list(fit(second, CONFIG, tmp_path / "parts", resume=True))
    assert first.done + second.done == whole.done
    hurried = LineTask(pause=0.01)
    list(fit(hurried, replace(CONFIG, epochs=1000, minutes=0.002), tmp_path / "clock"))
    assert 0.5 < hurried.done[-1] < 1  # a clock that is further than the steps


def test_killed_at_any_moment_and_resumed_it_ends_with_the_same_weights(tmp_path: Path) -> None:
    script = (
        f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "from pathlib import Path; from dataclasses import replace\n"
        "from test_fit import CONFIG, LineTask, fit\n"
        "config = replace(CONFIG, checkpoint_seconds=0)\n"
        f"for _ in fit(LineTask(0.02), config, Path({str(tmp_path / 'killed')!r})): print('.')\n"
    )
    process = subprocess.Popen([sys.executable, "-uc", script], stdout=subprocess.PIPE)
    assert process.stdout is not None
    for _ in range(9):
        process.stdout.readline()
    time.sleep(0.013)
    process.send_signal(signal.SIGKILL)
    process.stdout.close()
    assert process.wait() == -signal.SIGKILL
    list(fit(LineTask(), CONFIG, tmp_path / "whole"))
    list(fit(LineTask(), CONFIG, tmp_path / "killed", resume=True))
    whole, killed = weights_of(tmp_path / "whole/last"), weights_of(tmp_path / "killed/last")
    assert all(torch.equal(whole[key], killed[key]) for key in whole)


def test_a_run_folder_is_not_trained_over(tmp_path: Path) -> None:
    list(fit(LineTask(), FitConfig(epochs=1), tmp_path))
    with pytest.raises(UsageError, match=r"run .*: holds a training: resume it"):
        list(fit(LineTask(), FitConfig(epochs=1), tmp_path))


def test_resuming_needs_a_whole_checkpoint_of_the_same_model(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no checkpoint"):
        list(fit(LineTask(), CONFIG, tmp_path / "none", resume=True))
    list(fit(LineTask(), FitConfig(epochs=1), tmp_path))
    for name, value in (("config", {"width": 17}), ("files", {"vocab.json": b'["a"]'})):
        other = LineTask()
        setattr(other, name, value)
        with pytest.raises(DataError, match="another model"):
            list(fit(other, CONFIG, tmp_path, resume=True))
    state = tmp_path / "last/training_state.safetensors"
    damaged = bytearray(state.read_bytes())
    damaged[-3] ^= 1
    state.write_bytes(damaged)
    with pytest.raises(DataError, match="damaged"):
        list(fit(LineTask(), CONFIG, tmp_path, resume=True))


def test_resuming_needs_the_same_split_and_the_same_averaging(tmp_path: Path) -> None:
    task = LineTask()
    task.about = {"data": {"file": "a.csv", "split_hash": "one"}}
    list(fit(task, replace(CONFIG, epochs=1), tmp_path))
    other = LineTask()
    other.about = {"data": {"file": "a.csv", "split_hash": "two"}}
    with pytest.raises(DataError, match="split otherwise"):
        list(fit(other, CONFIG, tmp_path, resume=True))
    moved = LineTask()
    moved.about = {"data": {"file": "b.csv", "split_hash": "one"}}
    with pytest.raises(DataError, match="without averaged weights"):
        list(fit(moved, replace(CONFIG, ema_decay=0.0), tmp_path, resume=True))
    list(fit(moved, CONFIG, tmp_path, resume=True))


class StatisticsTask(LineTask):
    """With running statistics, a counter of steps and a mask of infinities as buffers."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.model = nn.Sequential(nn.BatchNorm1d(1), nn.Linear(1, 4), nn.Linear(4, 1))
        self.model.register_buffer("mask", torch.tensor([0.0, -math.inf]))
        self.means: list[float] = []

    def loss(self, batch: Tensor, done: float) -> tuple[Tensor, int]:
        found = super().loss(batch, done)
        self.means.append(self.model[0].running_mean.item())
        return found


def test_running_statistics_are_averaged_with_the_weights(tmp_path: Path) -> None:
    task = StatisticsTask()
    list(fit(task, replace(CONFIG, epochs=1), tmp_path))
    average = 0.0
    for step, mean in enumerate(task.means):
        decay = min(CONFIG.ema_decay, (1 + step) / (10 + step))
        average = decay * average + (1 - decay) * mean
    best, last = weights_of(tmp_path / "best"), weights_of(tmp_path / "last")
    assert best["0.running_mean"].item() == pytest.approx(average)
    assert last["0.running_mean"].item() == pytest.approx(task.means[-1])
    assert abs(average - task.means[-1]) > 1e-3
    assert best["0.num_batches_tracked"] == last["0.num_batches_tracked"] == 6
    assert best["mask"].tolist() == [0.0, -math.inf]


def test_averaged_statistics_are_resumed_and_may_be_absent(tmp_path: Path) -> None:
    list(fit(StatisticsTask(), CONFIG, tmp_path / "whole"))
    stops = iter([False] * 7 + [True])
    list(fit(StatisticsTask(), CONFIG, tmp_path / "parts", should_stop=lambda: next(stops)))
    shutil.copytree(tmp_path / "parts", tmp_path / "old")
    list(fit(StatisticsTask(), CONFIG, tmp_path / "parts", resume=True))
    whole, parts = weights_of(tmp_path / "whole/best"), weights_of(tmp_path / "parts/best")
    assert all(torch.equal(whole[key], parts[key]) for key in whole)
    forget_averages_of_buffers(tmp_path / "old/last", kept=6)
    list(fit(StatisticsTask(), CONFIG, tmp_path / "old", resume=True))
    old = weights_of(tmp_path / "old/best")
    assert old["0.running_mean"] != whole["0.running_mean"]
    assert old["0.running_mean"] == pytest.approx(whole["0.running_mean"], abs=0.1)
    assert all(torch.equal(whole[key], old[key]) for key in whole if "running" not in key)


def forget_averages_of_buffers(folder: Path, kept: int) -> None:
    """Write the state as it was when weights alone were averaged."""
    state = folder / "training_state.safetensors"
    tensors, progress = load_tensors(state, "progress", "pt")
    names = [name for name in tensors if name.startswith("average.")]
    assert len(names) > kept
    for name in names:
        if int(name.removeprefix("average.")) >= kept:
            del tensors[name]
    save_file(tensors, state, {"progress": json.dumps(progress)})
    config = json.loads((folder / "config.json").read_text())
    config["sha256"][state.name] = hashlib.sha256(state.read_bytes()).hexdigest()
    (folder / "config.json").write_text(json.dumps(config))


def test_a_validation_that_is_no_number_is_never_better(tmp_path: Path) -> None:
    values = iter([math.nan, 3.0, math.nan, 2.0, math.nan])
    task = LineTask()
    task.validate = lambda: {"error": next(values)}  # type: ignore[method-assign]
    *events, end = fit(task, CONFIG, tmp_path)
    bests = [event.is_best for event in events if isinstance(event, EpochEnded)]
    assert bests == [True, True, False, True, False]
    assert isinstance(end, Finished)
    assert end.best == 2.0
    assert load_checkpoint(tmp_path / "best", "line").about["metrics"]["epoch"] == 4

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is no JSON")

    lines = [json.loads(line, parse_constant=refuse) for line in read_lines(tmp_path)]
    assert [line["error"] for line in lines] == [None, 3.0, None, 2.0, None]


def test_a_best_that_is_no_number_is_valid_json(tmp_path: Path) -> None:
    task = LineTask()
    task.validate = lambda: {"error": math.nan}  # type: ignore[method-assign]
    *_, end = fit(task, CONFIG, tmp_path)
    assert isinstance(end, Finished)
    assert math.isnan(end.best)
    assert "NaN" not in (tmp_path / "best/config.json").read_text()
    assert load_checkpoint(tmp_path / "best", "line").about["metrics"]["epoch"] == 1


def test_patience_and_minutes_end_it_early(tmp_path: Path) -> None:
    task = LineTask()
    task.validate = lambda: {"error": 1.0}  # type: ignore[method-assign]
    *_, end = fit(task, FitConfig(epochs=50, patience=2), tmp_path / "patience")
    assert end.reason == "patience"
    *_, end = fit(LineTask(0.01), FitConfig(epochs=999, minutes=0.004), tmp_path / "minutes")
    assert end.reason == "minutes"
    assert (tmp_path / "minutes/best/model.safetensors").exists()


def test_a_loss_that_is_no_number_is_an_error(tmp_path: Path) -> None:
    task = LineTask()
    task.loss = lambda batch, done: (task.model(batch).sum() * (math.nan if done else 1), 1)  # type: ignore[method-assign]
    with pytest.raises(DlccError, match="became nan at step 2: lower the learning rate"):
        list(fit(task, FitConfig(), tmp_path))


def test_a_last_step_that_diverges_is_named(tmp_path: Path) -> None:
    task = LineTask()
    loss = task.loss

    def overflows(batch: Tensor, done: float) -> tuple[Tensor, int]:
        value, items = loss(batch, done)
        if len(task.done) == 6:
            value.register_hook(lambda slope: slope * math.inf)
        return value, items

    task.loss = overflows  # type: ignore[method-assign]
    task.validate = lambda: [][0]  # type: ignore[method-assign]
    config = FitConfig(epochs=1, bfloat16=False)
    with pytest.raises(DlccError, match=r"0.weight became infinite by step 6: lower the learning"):
        list(fit(task, config, tmp_path))
    assert not (tmp_path / "best").exists()


def test_after_a_validation_that_is_no_number_nothing_is_drawn(tmp_path: Path) -> None:
    task = LineTask()
    task.validate = lambda: {"error": math.nan}  # type: ignore[method-assign]
    task.sample = lambda: [][0]  # type: ignore[method-assign]
    task.traces = lambda: [][0]  # type: ignore[method-assign]
    assert list(fit(task, CONFIG, tmp_path))


def test_a_run_that_cannot_be_written_leaves_no_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DataError, match="No space left"):
        list(fit(LineTask(), CONFIG, tmp_path / "run"))
    assert list(tmp_path.iterdir()) == []


def test_damaged_metrics_are_named_before_anything_is_learned(tmp_path: Path) -> None:
    list(fit(LineTask(), FitConfig(epochs=1), tmp_path))
    (tmp_path / "metrics.jsonl").write_text('{"epoch": 1}\n{"epo')
    with pytest.raises(DataError, match=r"metrics.jsonl is damaged"):
        next(fit(LineTask(), CONFIG, tmp_path, resume=True))


def test_weights_that_are_no_numbers_to_begin_with_are_not_the_learning_rates_fault(
    tmp_path: Path,
) -> None:
    task = LineTask()
    task.model[2].weight.data[0, 3] = math.nan
    with pytest.raises(DataError, match=r"2.weight is not finite before the first step"):
        list(fit(task, CONFIG, tmp_path / "a"))
    assert not (tmp_path / "a").exists()
    save_checkpoint(
        tmp_path / "b", kind="line", weights=task.model.state_dict(), config={}, about={}
    )
    with pytest.raises(DataError, match=r"b: 2.weight is not a number: a training that diverged"):
        load_weights(LineTask().model, weights_of(tmp_path / "b"), tmp_path / "b")


def test_the_learning_rate_rises_and_falls() -> None:
    config = FitConfig(learning_rate=2.0, warmup=0.1)
    assert learning_rate_at(config, 0.05) == pytest.approx(1.0)
    assert learning_rate_at(config, 0.1) == pytest.approx(2.0)
    assert learning_rate_at(config, 0.55) == pytest.approx(1.0)
    assert learning_rate_at(config, 1.0) == pytest.approx(0.0)
    assert learning_rate_at(FitConfig(schedule="linear", warmup=0), 0.25) == pytest.approx(0.75e-3)


@pytest.mark.parametrize(
    "wrong", [{"epochs": 0}, {"minutes": -1}, {"learning_rate": 0}, {"schedule": "sine"}]
)
def test_a_wrong_setting_is_named(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="^" + next(iter(wrong))):
        FitConfig(**wrong)


def test_interrupted_writing_leaves_the_older_checkpoint(tmp_path: Path) -> None:
    list(fit(LineTask(), FitConfig(epochs=1), tmp_path))
    for name in ("best", "last"):
        os.rename(tmp_path / name, tmp_path / f".{name}.old")
    assert load_checkpoint(best_of(tmp_path), "line").config == {"width": 16}
    with pytest.raises(UsageError, match=r"run .*: holds a training: resume it"):
        list(fit(LineTask(), FitConfig(epochs=1), tmp_path))
    list(fit(LineTask(), FitConfig(epochs=2), tmp_path, resume=True))


def test_batches_of_another_size_go_on_from_the_same_share_of_the_epoch(tmp_path: Path) -> None:
    class Halves(LineTask):
        def batches(self, epoch: int) -> list[Tensor]:
            return [half for batch in super().batches(epoch) for half in batch.split(16)]

    left = iter([False] * 7 + [True])  # 2 of 6 steps in the second epoch
    list(fit(LineTask(), CONFIG, tmp_path, should_stop=lambda: next(left)))
    second = Halves()
    found = [e.step for e in fit(second, CONFIG, tmp_path, resume=True) if isinstance(e, Stepped)]
    assert found == [*range(9, 9 + 8 + 36)]  # 8 of 12 are left in epoch 2
    assert second.done == [step / 60 for step in range(16, 60)]


def test_a_resumed_state_that_diverges_at_once_may_be_damaged(tmp_path: Path) -> None:
    class Diverges(LineTask):
        def loss(self, batch: Tensor, done: float) -> tuple[Tensor, int]:
            loss, count = super().loss(batch, done)
            return loss * (math.nan if done else 1), count

    with pytest.raises(DlccError, match="lower the learning rate") as begun:
        list(fit(Diverges(), CONFIG, tmp_path / "new"))
    assert begun.type is DlccError
    list(fit(LineTask(), CONFIG, tmp_path / "run"))
    longer = replace(CONFIG, epochs=6)
    with pytest.raises(DataError, match="last is damaged, or lower the learning rate"):
        list(fit(Diverges(), longer, tmp_path / "run", resume=True))


@pytest.mark.parametrize("every", [2, 3, 9])
def test_only_some_epochs_are_validated_and_the_last(tmp_path: Path, every: int) -> None:
    config = replace(CONFIG, validate_every=every)
    ended = [e.epoch for e in fit(LineTask(), config, tmp_path) if isinstance(e, EpochEnded)]
    assert ended == sorted({*range(every - 1, 5, every), 4})
    lines = map(json.loads, read_lines(tmp_path))
    assert [line["epoch"] - 1 for line in lines if "error" in line] == ended
    list(fit(LineTask(), CONFIG, tmp_path / "each"))
    all_validated, some = weights_of(tmp_path / "each/last"), weights_of(tmp_path / "last")
    assert all(torch.equal(all_validated[name], some[name]) for name in some)


def test_losses_of_a_device_that_is_not_asked_are_counted_alike(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    list(fit(LineTask(), CONFIG, tmp_path / "asked"))
    monkeypatch.setattr(Losses, "are_due", property(lambda self: False))
    list(fit(LineTask(), CONFIG, tmp_path / "not"))
    asked, unasked = (
        [json.loads(line)["train_loss"] for line in read_lines(tmp_path / name)]
        for name in ("asked", "not")
    )
    assert asked == unasked


def test_a_first_loss_that_is_no_number_is_not_the_learning_rates_fault(tmp_path: Path) -> None:
    task = LineTask()
    task.model[2].weight.data[0, 3] = 3e38
    with pytest.raises(DataError, match=r"(nan|inf) before anything was learned"):
        list(fit(task, CONFIG, tmp_path))
    assert not any(tmp_path.iterdir())


def test_a_loss_that_is_no_number_is_found_though_it_is_read_late(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Breaks(LineTask):
        def loss(self, batch: Tensor, done: float) -> tuple[Tensor, int]:
            value, items = super().loss(batch, done)
            return value * (math.nan if len(self.done) == 9 else 1), items

    monkeypatch.setattr(Losses, "are_due", property(lambda self: False))
    with pytest.raises(DlccError, match="the loss became nan at step 9: lower"):
        list(fit(Breaks(), CONFIG, tmp_path))
    assert all(each.isfinite().all() for each in weights_of(tmp_path / "last").values())


class Repeats:
    """In place of CUDA graphs: what is recorded is done again."""

    def __init__(self) -> None:
        self.kinds: list[Any] = []

    def run(self, kind: Any, function: Any, inputs: tuple[Tensor, ...]) -> Tensor:
        self.kinds.append((kind, *(each.shape for each in inputs)))
        return function(*(each.clone() for each in inputs))


class RecordableLine(LineTask):
    def recordable(self, batch: Tensor, done: float) -> Recordable:
        def loss(x: Tensor) -> Tensor:
            return nn.functional.mse_loss(self.model(x), 2 * x - 1)

        return Recordable(done < 0.5, loss, (batch,), len(batch))


def test_a_step_that_is_recorded_learns_the_same(tmp_path: Path) -> None:
    list(fit(LineTask(), CONFIG, tmp_path / "plain"))
    learner = Learner(RecordableLine(), CONFIG)
    learner._graphs = repeats = Repeats()  # type: ignore[assignment]
    number = 0
    learner.model.train()
    for epoch in range(5):
        for batch in learner.task.batches(epoch):
            done = number / 30
            loss, items = learner.step(batch, done, learning_rate_at(CONFIG, done), number)
            assert loss.isfinite()
            assert items == 32
            number += 1
    plain = weights_of(tmp_path / "plain/last")
    assert all(torch.equal(plain[name], each) for name, each in learner.model.state_dict().items())
    assert {kind for kind, *_ in repeats.kinds} == {True, False}


def test_on_a_gpu_batches_are_larger_and_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []

    class Hears:
        def note(self, message: str) -> None:
            said.append(message)

    for name in ("vit", "sentiment", "masked-words", "translate"):
        found = recipe(name)
        chosen = found.choose({})
        monkeypatch.setattr(runtime, "choose_device", lambda name: torch.device("cpu"))
        assert found.on_device(chosen, Hears()) is chosen  # type: ignore[arg-type]
        monkeypatch.setattr(runtime, "choose_device", lambda name: torch.device("cuda"))
        larger = found.on_device(chosen, Hears())  # type: ignore[arg-type]
        (size,) = {"batch_size", "batch_tokens"} & larger.values.keys()
        factor = larger[size] / chosen[size]
        assert factor in (4, 8)
        rates = larger["learning_rate"], chosen["learning_rate"]
        assert rates[0] / rates[1] == pytest.approx(factor**0.5, rel=0.02)
        assert f"{larger[size]:,} in place of {chosen[size]:,}" in said[-1]
        for given in ({size: 7}, {"learning_rate": 1e-3}):
            asked = found.choose(given)
            assert found.on_device(asked, Hears()) is asked  # type: ignore[arg-type]
    assert len(said) == 4
