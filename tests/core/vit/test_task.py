"""Learning from pictures: batches, mixing, the calm end, and what a run leaves."""

import json
import shutil
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor
from vision_samples import CLASSES, TINY, image_data

from dlcc.core.errors import UsageError
from dlcc.core.trace.trace import load_traces
from dlcc.core.train.config import FitConfig
from dlcc.core.train.fit import fit
from dlcc.core.train.runtime import seconds_compiling
from dlcc.core.train.task import EpochEnded, Finished, Stepped
from dlcc.core.vit.classifier import PictureClassifier
from dlcc.core.vit.config import VisionConfig, ViTConfig
from dlcc.core.vit.model import ViT
from dlcc.core.vit.task import VisionTask

CONV = replace(TINY, stem=(4, 8), class_token=False, pooling="mean")
CONFIG = VisionConfig(
    batch_size=12,
    cutmix_share=0.5,
    mixup_share=0.2,
    augment="strong",
    label_smoothing=0.1,
    calm=0.3,
    small=0.3,
)
FIT = FitConfig(epochs=4, learning_rate=3e-3, ema_decay=0.9, bfloat16=False)


def made(
    config: VisionConfig = CONFIG, model: ViTConfig = CONV, compiled: bool = False
) -> VisionTask:
    torch.manual_seed(0)
    return VisionTask(ViT(model), image_data(), config, {"seed": 0}, compiled)


def test_batches_hold_each_picture_once_in_an_order_of_the_epoch() -> None:
    task = made(replace(CONFIG, batch_size=10))
    first, again, next_epoch = task.batches(0), task.batches(0), task.batches(1)
    assert [len(batch) for batch in first] == [10] * 4  # 8 of 48 are left out
    places = torch.cat(list(first))
    assert len(places.unique()) == 40
    assert torch.equal(places, torch.cat(list(again)))
    assert not torch.equal(places, torch.cat(list(next_epoch)))
    assert [len(batch) for batch in made(replace(CONFIG, batch_size=100)).batches(0)] == [48]


def test_it_learns_and_keeps_what_it_needs(tmp_path: Path) -> None:
    config = VisionConfig(batch_size=4, augment="none")
    events = list(fit(made(config, TINY), replace(FIT, epochs=6), tmp_path))
    epochs = [event for event in events if isinstance(event, EpochEnded)]
    assert epochs[-1].metrics["accuracy"] == 1.0 > epochs[0].metrics["accuracy"]
    assert "0.png, blue: blue" in epochs[-1].sample
    answers = PictureClassifier.load(tmp_path, torch.device("cpu"))
    assert answers.classes == CLASSES
    data = image_data()
    right = answers.logits(data.test.pixels).argmax(1) == data.test.labels
    assert right.float().mean() > 0.8  # its weights are the first that validate without a mistake
    assert answers.temperature == pytest.approx(answers.about["temperature"])
    assert answers.about["vision"]["batch_size"] == 4


@pytest.mark.parametrize("stop_after", [1, 5, 10])
def test_stopped_and_resumed_it_ends_with_the_same_weights(tmp_path: Path, stop_after: int) -> None:
    list(fit(made(), FIT, tmp_path / "whole"))
    left = iter([False] * (stop_after - 1) + [True] * 100)
    *_, end = fit(made(), FIT, tmp_path / "parts", should_stop=lambda: next(left))
    assert isinstance(end, Finished)
    assert end.reason == "stopped"
    list(fit(made(), FIT, tmp_path / "parts", resume=True))
    cpu = torch.device("cpu")
    for name in ("last", "best"):
        whole = PictureClassifier.load(tmp_path / "whole" / name, cpu).model.state_dict()
        parts = PictureClassifier.load(tmp_path / "parts" / name, cpu).model.state_dict()
        assert all(torch.equal(whole[key], parts[key]) for key in whole)


def learned_from(task: VisionTask, done: float, seed: int = 0) -> tuple[Tensor, Tensor]:
    """The pictures and probabilities that a step learns from."""
    seen: list[tuple[Tensor, Tensor]] = []

    def keep(images: Tensor, targets: Tensor) -> Tensor:
        seen.append((images, targets))
        return torch.zeros(())

    task._loss = keep  # type: ignore[method-assign]
    torch.manual_seed(seed)
    task.loss(torch.arange(12), done)
    return seen[0]


def test_the_end_is_calm_and_the_beginning_small() -> None:
    task = made(model=replace(CONV, image_size=16))
    sizes, mixed = [], []
    for step in range(16):
        images, targets = learned_from(task, step / 16)
        sizes.append(images.shape[-1])
        mixed.append(bool((targets.max(1).values < 1).any()))
    assert sizes == [12] * 5 + [16] * 11
    assert mixed == [True] * 12 + [False] * 4


@pytest.mark.parametrize(("cutmix", "mixup"), [(0.5, 0.2), (1.0, 0.0), (0.0, 0.4)])
def test_pictures_are_mixed_in_the_shares_that_were_set(cutmix: float, mixup: float) -> None:
    task = made(replace(CONFIG, cutmix_share=cutmix, mixup_share=mixup, small=0.0))
    targets = torch.cat([learned_from(task, 0.5, seed)[1] for seed in range(60)])
    assert targets.sum(1).tolist() == pytest.approx([1.0] * 720)
    own = torch.cat([task.labels[:12]] * 60)
    partner = torch.cat([task.labels[:12].roll(-1)] * 60)
    apart = own != partner  # of two pictures of one class nothing is seen
    whole = (targets[apart].max(1).values == 1).float().mean().item()
    # a box clipped away, or λ of 0 or 1, leaves a few whole
    assert 1 - whole == pytest.approx(cutmix + mixup, abs=0.07)


def test_a_step_is_two_whole_graphs() -> None:
    """Nothing in it is asked for in Python, which a GPU would be waited for."""
    task = made()
    whole = {"backend": "eager", "fullgraph": True, "dynamic": False}
    changed = torch.compile(task._changed, **whole)  # type: ignore[call-overload]
    images, targets = changed(task.pixels[:12], task.labels[:12], False, True)
    loss = torch.compile(task._loss_of, **whole)(images, targets)  # type: ignore[call-overload]
    torch.testing.assert_close(loss, task._loss_of(images, targets))


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler")
def test_compiled_it_learns_the_same(tmp_path: Path) -> None:
    calm = replace(CONFIG, cutmix_share=0.0, mixup_share=0.0, augment="none", small=0.0)
    for name, compile in (("plain", False), ("compiled", True)):
        begun, compiling = time.monotonic(), seconds_compiling()
        events = list(fit(made(calm, compiled=compile), FIT, tmp_path / name))
        wall, compiling = time.monotonic() - begun, seconds_compiling() - compiling
        assert (compiling > 0.1) is compile
        counted = [each.seconds for each in events if isinstance(each, Stepped)][-1]
        assert counted < wall - compiling
    cpu = torch.device("cpu")
    plain, other = (
        PictureClassifier.load(tmp_path / name / "last", cpu).model.state_dict()
        for name in ("plain", "compiled")
    )
    for name, weight in plain.items():
        torch.testing.assert_close(weight, other[name], rtol=0, atol=1e-3)


def test_a_training_with_cutmix_keeps_a_cutmix_trace(tmp_path: Path) -> None:
    list(fit(made(), replace(FIT, epochs=1), tmp_path))
    (trace,) = load_traces(tmp_path / "traces/epoch-001.trace")
    mixed = trace.details["cutmix"]
    assert [name for name, _ in mixed["labels"]] == ["blue", "green"]
    top, left, bottom, right = mixed["box"]
    assert mixed["labels"][1][1] == pytest.approx((bottom - top) * (right - left) / 64, abs=1e-4)
    inside = trace.image[top:bottom, left:right].astype(float)
    second = trace.tensors["cutmix.second"][top:bottom, left:right]
    assert abs(inside - second).max() <= 1
    list(fit(made(replace(CONFIG, cutmix_share=0.0)), replace(FIT, epochs=1), tmp_path / "without"))
    (trace,) = load_traces(tmp_path / "without/traces/epoch-001.trace")
    assert "cutmix" not in trace.details


def test_settings_that_make_no_sense_are_refused() -> None:
    for flag, changes in {
        "batch_size 0: at least 1": {"batch_size": 0},
        r"not \(0.5, 0.6\)": {"cutmix_share": 0.5, "mixup_share": 0.6},
        "augment wild: choose one of none, light": {"augment": "wild"},
        "label_smoothing 1: a share": {"label_smoothing": 1},
        "calm 2: a share": {"calm": 2},
    }.items():
        with pytest.raises(UsageError, match=flag):
            VisionConfig(**changes)


def test_the_classes_are_kept_as_json() -> None:
    assert json.loads(made().files["classes.json"]) == list(CLASSES)
