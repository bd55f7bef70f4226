"""A trained picture classifier: sizes, views, saving, scores, and its attention as a trace."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from vision_samples import (
    CLASSES,
    COLOURS,
    TINY,
    classifier,
    image_set,
    learned_classifier,
    save_classifier,
)

from dlcc.core.errors import DataError, UsageError
from dlcc.core.trace.trace import load_traces, save_traces
from dlcc.core.train.checkpoint import save_checkpoint
from dlcc.core.vit.classifier import PictureClassifier
from dlcc.core.vit.config import ViTConfig
from dlcc.core.vit.model import ViT
from dlcc.core.vit.score import score_pictures
from dlcc.core.vit.source import METHODS, cutmix_trace, patch_relevance, trace_of

CPU = torch.device("cpu")
CONV = replace(TINY, stem=(4, 8), class_token=False, pooling="mean")


def test_pictures_of_any_size_are_taken() -> None:
    answers = classifier()
    for size in (8, 5, 31):
        images = answers.prepare(image_set(3).pixels.repeat(1, 1, 5, 5)[..., :size, :size])
        assert images.shape == (3, 3, 8, 8)
        assert 0 <= images.min() <= images.max() <= 1


def test_ten_views_are_averaged() -> None:
    answers = classifier()
    even = torch.full((1, 3, 8, 8), 77, dtype=torch.uint8)  # all its views are the same
    torch.testing.assert_close(answers.logits(even, tta=True), answers.logits(even))
    pixels = image_set(4).pixels
    tta = answers.logits(pixels, tta=True)
    assert not torch.allclose(tta, answers.logits(pixels))
    torch.testing.assert_close(answers.logits(pixels.flip(-1), tta=True), tta, atol=1e-5, rtol=1e-4)


def test_saved_and_loaded_it_answers_the_same(tmp_path: Path) -> None:
    answers = classifier(CONV)
    answers.temperature = 1.7
    folder = save_classifier(tmp_path / "run/best", answers)
    for place in (folder, folder.parent):
        loaded = PictureClassifier.load(place, CPU)
        pixels = image_set(5).pixels
        assert torch.equal(loaded.logits(pixels), answers.logits(pixels))
        assert (loaded.classes, loaded.temperature) == (CLASSES, 1.7)


def test_a_checkpoint_that_lacks_something_is_refused(tmp_path: Path) -> None:
    model = classifier().model
    save_checkpoint(
        tmp_path / "a", kind="vit", weights=model.state_dict(), config={"num_classes": 3}, about={}
    )
    with pytest.raises(DataError, match="damaged"):
        PictureClassifier.load(tmp_path / "a", CPU)
    files = {"classes.json": b'["a", "b", "c"]'}
    save_checkpoint(
        tmp_path / "b",
        kind="vit",
        weights=model.state_dict(),
        config={"num_classes": 3},
        about={},
        files=files,
    )
    with pytest.raises(DataError, match=r"is \["):
        PictureClassifier.load(tmp_path / "b", CPU)


@pytest.mark.parametrize(
    "odd",
    [
        {"stem": [-1]},
        {"stem": 5},
        {"pixel_mean": [0.5, 0.5]},
        {"num_classes": 1},
        {"num_classes": "x"},
        {"hidden_dim": 10**9},
        {"embed_dim": 2**62},
        {"num_heads": None},
        {"image_size": -8},
        {"nonsense": 1},
    ],
    ids=str,
)
def test_a_config_of_odd_values_is_damage(tmp_path: Path, odd: dict[str, object]) -> None:
    save_classifier(tmp_path, classifier())
    path = tmp_path / "config.json"
    header = json.loads(path.read_text())
    header["config"] |= odd
    path.write_text(json.dumps(header))
    with pytest.raises(DataError):
        PictureClassifier.load(tmp_path, CPU)


def test_a_config_that_asks_for_more_than_the_file_has_is_refused_before_it_is_built(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = classifier()
    wide = max(max(weight.shape) for weight in answers.model.state_dict().values())
    save_classifier(tmp_path, answers)
    path = tmp_path / "config.json"
    header = json.loads(path.read_text())
    header["config"] |= {"embed_dim": wide, "hidden_dim": wide, "num_layers": 20}
    path.write_text(json.dumps(header))
    devices = []
    built = ViT.__init__

    def build(self: ViT, config: ViTConfig) -> None:
        devices.append(torch.empty(0).device.type)
        built(self, config)

    monkeypatch.setattr(ViT, "__init__", build)
    with pytest.raises(DataError, match="the model has"):
        PictureClassifier.load(tmp_path, CPU)
    assert devices == ["meta"]


@pytest.mark.parametrize("odd", [{"pixel_mean": (0.5, 0.5, 1e38)}, {"temperature": 1e-320}])
def test_an_answer_that_is_no_number_is_damage(odd: dict[str, object]) -> None:
    mean = {name: value for name, value in odd.items() if name == "pixel_mean"}
    made = PictureClassifier(ViT(replace(TINY, **mean)).eval(), CLASSES)
    made.temperature = float(odd.get("temperature", 1.0))  # type: ignore[arg-type]
    with pytest.raises(DataError, match="answers with no number"):
        made.answer(np.full((1, 3, 8, 8), 200, np.uint8))


def test_scores_count_what_they_say() -> None:
    answers, data = learned_classifier(), image_set(30, 5000)
    swapped = replace(data, labels=torch.where(data.labels == 2, 1, data.labels))
    result = score_pictures(answers, swapped, worst=4)
    assert result.count == 30
    assert result.accuracy == pytest.approx(2 / 3)
    assert result.top5 == 1.0
    assert result.confusion == ((10, 0, 0), (0, 10, 10), (0, 0, 0))
    assert [(c.name, c.count) for c in result.classes] == [
        ("blue", 10),
        ("green", 20),
        ("red", 0),
    ]
    assert [c.accuracy for c in result.classes] == [1.0, 0.5, 0.0]
    assert [c.precision for c in result.classes] == [1.0, 1.0, 0.0]
    assert len(result.worst) == 4
    assert all((m.truth, m.given) == ("green", "red") for m in result.worst)
    chances = [mistake.probability for mistake in result.worst]
    assert chances == sorted(chances, reverse=True)
    assert data.names[result.worst[0].place] == result.worst[0].name
    with pytest.raises(DataError, match="no pictures"):
        score_pictures(answers, data.part(torch.arange(0)))


@pytest.mark.parametrize("config", [TINY, CONV, replace(CONV, pooling="sequence")])
def test_a_trace_holds_the_models_attention(config, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    answers = classifier(config)
    pixels = image_set(1).pixels[0]
    trace = trace_of(answers, pixels.numpy())
    tokens = 4 + config.class_token
    assert trace.weights.shape == (2, 2, tokens, tokens)
    assert trace.key[-4:] == ("1,1", "1,2", "2,1", "2,2")
    assert trace.key[0] == ("[CLS]" if config.class_token else "1,1")
    assert (trace.image == pixels.permute(1, 2, 0).numpy()).all()
    shares = np.exp(trace.scores) / np.exp(trace.scores).sum(-1, keepdims=True)
    np.testing.assert_allclose(shares, trace.weights, atol=1e-5)
    best = answers.probabilities(answers.logits(pixels[None]))[0].max(0)
    assert trace.details["answers"][0][0] == CLASSES[best.indices]
    assert trace.details["answers"][0][1] == pytest.approx(best.values.item(), abs=2e-3)
    assert all(p.grad is None for p in answers.model.parameters())
    save_traces(tmp_path / "x.trace", [trace])
    assert load_traces(tmp_path / "x.trace")[0].grid == (2, 2)


def test_relevance_of_a_class_token_is_its_row() -> None:
    trace = trace_of(classifier(), image_set(1).pixels[0].numpy())
    np.testing.assert_allclose(
        patch_relevance(trace, "last").ravel(), trace.weights[-1, :, 0, 1:].mean(0), atol=1e-6
    )
    np.testing.assert_allclose(
        patch_relevance(trace, "last", 0, 1).ravel(), trace.weights[0, 1, 0, 1:], atol=1e-6
    )


def test_relevance_of_mean_pooling_is_the_mean_row() -> None:
    trace = trace_of(classifier(CONV), image_set(1).pixels[0].numpy())
    np.testing.assert_allclose(
        patch_relevance(trace, "last").ravel(), trace.weights[-1].mean((0, 1)), atol=1e-6
    )
    assert patch_relevance(trace, "rollout").sum() == pytest.approx(1.0, abs=1e-5)


def test_a_frozen_model_is_explained_too() -> None:
    answers = classifier()
    open_trace = trace_of(answers, image_set(1).pixels[0].numpy())
    answers.model.requires_grad_(False)
    with torch.no_grad():
        frozen = trace_of(answers, image_set(1).pixels[0].numpy())
    for method in METHODS:
        np.testing.assert_array_equal(
            patch_relevance(open_trace, method), patch_relevance(frozen, method)
        )


def test_the_gradient_finds_what_the_answer_comes_from() -> None:
    """One patch has the colour that decides: it counts for more than a patch of noise."""
    answers, random = learned_classifier(), torch.Generator().manual_seed(0)
    shares = []
    for number in range(12):
        pixels = torch.randint(0, 90, (3, 8, 8), dtype=torch.uint8, generator=random)
        row, column = divmod(number % 4, 2)
        colour = torch.tensor(COLOURS[CLASSES[number % 3]], dtype=torch.uint8)
        pixels[:, 4 * row : 4 * row + 4, 4 * column : 4 * column + 4] = colour[:, None, None]
        relevance = patch_relevance(trace_of(answers, pixels.numpy(), number % 3), "gradient")
        shares.append(relevance[row, column] / relevance.sum())
    assert np.mean(shares) > 0.35  # 0.25 by chance


@pytest.mark.parametrize(
    ("method", "layer", "head", "message"),
    [
        ("best", None, None, "method best"),
        ("rollout", 0, None, "a layer and a head choose"),
        ("last", 2, None, "layer 3: this model has 2"),
        ("last", 0, -1, "head 0: this model has 2"),
    ],
)
def test_maps_that_there_are_not(
    method: str, layer: int | None, head: int | None, message: str
) -> None:
    trace = trace_of(classifier(), image_set(1).pixels[0].numpy())
    with pytest.raises(UsageError, match=message):
        patch_relevance(trace, method, layer, head)


def test_a_cutmix_trace_tells_its_parts() -> None:
    first, second = image_set(2).pixels
    trace = cutmix_trace(classifier(), first.numpy(), second.numpy(), ("blue", "green"))
    top, left, bottom, right = trace.details["cutmix"]["box"]
    expected = first.permute(1, 2, 0).numpy().copy()
    expected[top:bottom, left:right] = second.permute(1, 2, 0).numpy()[top:bottom, left:right]
    assert (trace.image == expected).all()
    np.testing.assert_allclose(trace.tensors["cutmix.first"], first.permute(1, 2, 0), atol=1e-3)
    (_, share), (_, pasted) = trace.details["cutmix"]["labels"]
    assert share + pasted == pytest.approx(1.0)
    assert pasted == pytest.approx((bottom - top) * (right - left) / 64, abs=1e-4)
