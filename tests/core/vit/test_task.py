"""Learning from pictures: batches, mixing, the calm end, and what a run leaves."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from vision_samples import CLASSES, TINY, image_data

from dlcc.core.errors import UsageError
from dlcc.core.trace.trace import load_traces
from dlcc.core.train.config import FitConfig
from dlcc.core.train.fit import fit
from dlcc.core.train.task import EpochEnded, Finished
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
    assert [len(batch.places) for batch in first] == [10] * 4  # 8 of 48 are left out
    places = torch.cat([batch.places for batch in first])
    assert len(places.unique()) == 40
    assert torch.equal(places, torch.cat([batch.places for batch in again]))
    assert not torch.equal(places, torch.cat([batch.places for batch in next_epoch]))
    assert [len(b.places) for b in made(replace(CONFIG, batch_size=100)).batches(0)] == [48]


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


def test_the_end_is_calm_and_the_beginning_small() -> None:
    task = made()
    images, labels = torch.rand(12, 3, 16, 16), torch.arange(12) % 3
    sizes, mixed = [], []
    for step in range(16):
        drawn = [
            task._changed(images, labels, torch.Generator().manual_seed(seed), step / 16)
            for seed in range(20)
        ]
        sizes.append(drawn[0][0].shape[-1])
        mixed.append(any(targets.ndim == 2 for _, targets in drawn))
    assert sizes == [12] * 5 + [16] * 11
    assert mixed == [True] * 12 + [False] * 4


def test_mixed_labels_are_shares_of_both() -> None:
    task = made(replace(CONFIG, cutmix_share=1.0, mixup_share=0.0, small=0.0, augment="none"))
    images = torch.rand(12, 3, 8, 8)
    _, targets = task._changed(images, torch.arange(12) % 3, torch.Generator().manual_seed(0), 0.5)
    assert targets.shape == (12, 3)
    assert targets.sum(1).tolist() == pytest.approx([1.0] * 12)


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
