import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from vision_samples import classifier, image_set, save_classifier

from dlcc.core.errors import UsageError
from dlcc.core.vit.ablation import effects, without_patches
from dlcc.core.vit.source import PictureSource

PIXELS = image_set(1).pixels[0].numpy()


@pytest.fixture
def source(tmp_path):
    return PictureSource(save_classifier(tmp_path / "vit", classifier()), "cpu", "torch")


def test_effects_are_those_of_weights_with_zeros():
    answers = classifier()
    before = answers.answer(PIXELS[None])[0]
    found = effects(answers, PIXELS)
    assert len(found) == 4
    for each in found:
        model = copy.deepcopy(answers.model)
        width = model.config.embed_dim // 2
        with torch.no_grad():
            out = model.blocks[each.layer].attention.out_proj.weight
            out[:, each.head * width : (each.head + 1) * width] = 0
        after = replace(answers, model=model, runner=None).answer(PIXELS[None])[0]
        label = before.argmax()
        assert each.change == pytest.approx(after[label] - before[label], abs=1e-6)
    assert max(abs(each.change) for each in found) > 1e-5


def test_a_patch_becomes_the_mean_colour():
    answers = classifier()
    found = without_patches(answers, PIXELS, [1 + 2])  # the class token is the first
    changed = (found != PIXELS).any(0)
    assert changed[4:, :4].any()
    assert np.all(found[:, 4:, :4] == 128)
    assert not changed[:4].any()
    assert not changed[4:, 4:].any()
    for token in (0, 5):
        with pytest.raises(UsageError, match="only patches"):
            without_patches(answers, PIXELS, [token])


def test_a_trace_without_a_head_and_a_patch(source):
    trace = replace(source.trace(PIXELS, source.folder), image=PIXELS.transpose(1, 2, 0))
    (without,) = source.without(trace, heads=[(1, 0)], tokens=[2])
    assert not without.weights[1, 0].any()
    assert without.weights[1, 1].any()
    assert without.image is not None
    assert np.all(without.image[:4, 4:] == 128)
    assert without.details["off"] == {"heads": [[1, 0]], "tokens": [2]}
    assert "→" in without.details["change"]
    assert without.made_by == trace.made_by
    with pytest.raises(UsageError, match="holds no picture"):
        source.without(replace(trace, image=None, grid=None), heads=[(0, 0)])
