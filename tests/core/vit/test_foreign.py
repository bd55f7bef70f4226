"""Weights from elsewhere: loaded as they come, or refused by their own name."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from vision_samples import BACKBONE, hugging_face_folder

from dlcc.core.errors import DataError
from dlcc.core.train.checkpoint import load_checkpoint
from dlcc.core.vit.backbones import from_hugging_face, load_backbone

WEIGHTS = "model.safetensors"


def pictures(size: int) -> torch.Tensor:
    return torch.rand(2, 3, size, size, generator=torch.Generator().manual_seed(1))


def changed(folder: Path, **settings: Any) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | settings))


def same(folder: Path, plain: dict[str, torch.Tensor]) -> bool:
    _, weights = from_hugging_face(folder)
    return all(torch.equal(weights[name], tensor) for name, tensor in plain.items())


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "module._orig_mod.", "dinov2."])
def test_what_wrappers_put_before_names_is_taken_off(tmp_path: Path, prefix: str) -> None:
    folder = hugging_face_folder(tmp_path)
    _, plain = from_hugging_face(folder)
    state = load_file(folder / WEIGHTS)
    save_file({prefix + name: tensor for name, tensor in state.items()}, folder / WEIGHTS)
    assert same(folder, plain)


def test_shards_are_joined_and_a_missing_one_is_named(tmp_path: Path) -> None:
    folder = hugging_face_folder(tmp_path)
    _, plain = from_hugging_face(folder)
    state = load_file(folder / WEIGHTS)
    (folder / WEIGHTS).unlink()
    index = {name: f"{1 + number % 2}.safetensors" for number, name in enumerate(state)}
    for shard in set(index.values()):
        save_file({n: t for n, t in state.items() if index[n] == shard}, folder / shard)
    (folder / f"{WEIGHTS}.index.json").write_text(json.dumps({"weight_map": index}))
    assert same(folder, plain)
    (folder / "2.safetensors").unlink()
    with pytest.raises(DataError, match=r"lacks 2.safetensors, one of 2"):
        from_hugging_face(folder)
    (folder / f"{WEIGHTS}.index.json").write_text('{"weight_map": {"a": "../out"}}')
    with pytest.raises(DataError, match="outside its folder"):
        from_hugging_face(folder)


def test_half_precision_becomes_single(tmp_path: Path) -> None:
    folder = hugging_face_folder(tmp_path)
    state = load_file(folder / WEIGHTS)
    for kind in (torch.float16, torch.bfloat16):
        save_file({name: tensor.to(kind) for name, tensor in state.items()}, folder / WEIGHTS)
        _, weights = from_hugging_face(folder)
        assert {tensor.dtype for tensor in weights.values()} == {torch.float32}


def test_a_git_lfs_pointer_pickles_and_nan_are_named(tmp_path: Path) -> None:
    folder = hugging_face_folder(tmp_path)
    state = load_file(folder / WEIGHTS)
    state["layernorm.weight"][3] = float("nan")
    save_file(state, folder / WEIGHTS)
    with pytest.raises(DataError, match=r"1 of the numbers in layernorm.weight are NaN"):
        from_hugging_face(folder)
    (folder / WEIGHTS).write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\n")
    with pytest.raises(DataError, match=r"Git LFS pointer.*git lfs pull"):
        from_hugging_face(folder)
    (folder / WEIGHTS).unlink()
    with pytest.raises(DataError, match=r"has no model.safetensors"):
        from_hugging_face(folder)
    (folder / "pytorch_model.bin").write_bytes(b"")
    with pytest.raises(DataError, match=r"pytorch_model.bin, a pickle"):
        from_hugging_face(folder)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"num_register_tokens": 4, "model_type": "dinov2_with_registers"}, "register tokens"),
        ({"num_channels": 1}, "1 channels"),
        ({"image_size": [28, 14]}, "only squares"),
        ({"image_size": None}, "only squares"),
        ({"num_attention_heads": 5}, "does not divide the width"),
        ({"num_attention_heads": None}, "num_attention_heads is None"),
        ({"format_version": 1, "model_type": None}, "checkpoint of this program"),
        ({"hidden_act": "gelu_new"}, "plain GELU"),
        ({"model_type": None, "architecture": "resnet50"}, "timm's resnet50"),
        ({"model_type": None, "architecture": "vit_base_patch16_224"}, "incomplete: it lacks"),
    ],
)
def test_what_cannot_be_held_is_refused_by_its_name(
    tmp_path: Path, settings: dict[str, Any], message: str
) -> None:
    folder = hugging_face_folder(tmp_path)
    changed(folder, **settings)
    with pytest.raises(DataError, match=message):
        from_hugging_face(folder)


@pytest.mark.parametrize("size", [28, [28, 28], {"height": 28, "width": 28}, "28"])
def test_a_size_in_any_form(tmp_path: Path, size: Any) -> None:
    folder = hugging_face_folder(tmp_path)
    changed(folder, image_size=size)
    (folder / "preprocessor_config.json").write_text('{"image_mean": 0.5, "image_std": [0.25]}')
    config, _ = from_hugging_face(folder)
    assert (config.image_size, config.pixel_mean, config.pixel_std) == (
        28,
        (0.5, 0.5, 0.5),
        (0.25, 0.25, 0.25),
    )


@pytest.mark.parametrize("kind", ["dinov2", "timm"])
def test_a_model_from_elsewhere_is_no_checkpoint(tmp_path: Path, kind: str) -> None:
    folder = hugging_face_folder(tmp_path)
    if kind == "timm":
        changed(folder, model_type=None, architecture="vit_tiny_patch16_224")
    with pytest.raises(DataError, match=r"model from elsewhere.*as a backbone"):
        load_checkpoint(folder, "vit")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("scale", [None, 1e-2])
def test_timm_gives_the_same_tokens(tmp_path: Path, scale: float | None) -> None:
    timm = pytest.importorskip("timm")
    theirs = timm.models.VisionTransformer(
        img_size=28, patch_size=7, embed_dim=24, depth=2, num_heads=3, init_values=scale
    ).eval()
    torch.manual_seed(0)
    for parameter in theirs.parameters():
        parameter.data = torch.randn_like(parameter) * 0.2
    save_file(theirs.state_dict(), tmp_path / WEIGHTS)
    settings = {"architecture": "vit_tiny_patch16_224", "model_args": {"num_heads": 3}}
    mean = {"mean": [0.1, 0.2, 0.3], "std": [0.2, 0.2, 0.2]}
    (tmp_path / "config.json").write_text(json.dumps({**settings, "pretrained_cfg": mean}))
    ours = load_backbone(str(tmp_path), num_classes=2, image_size=28).eval()
    images = pictures(28)
    expected = theirs.forward_features((images - ours.pixel_mean) / ours.pixel_std)
    torch.testing.assert_close(ours.encode(images), expected, atol=1e-4, rtol=1e-3)
    assert ours.config.pixel_mean == (0.1, 0.2, 0.3)


@pytest.mark.filterwarnings("ignore")
def test_deit_gives_the_same_tokens(tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    settings = transformers.ViTConfig(**BACKBONE, image_size=28, intermediate_size=40)
    theirs = transformers.ViTModel(settings).eval()
    theirs.save_pretrained(tmp_path)
    changed(tmp_path, model_type="deit")
    state = load_file(tmp_path / WEIGHTS)
    save_file({f"deit.{name}": tensor for name, tensor in state.items()}, tmp_path / WEIGHTS)
    ours = load_backbone(str(tmp_path), num_classes=2, image_size=28).eval()
    images = pictures(28)
    expected = theirs((images - ours.pixel_mean) / ours.pixel_std).last_hidden_state
    torch.testing.assert_close(ours.encode(images), expected, atol=1e-4, rtol=1e-3)
