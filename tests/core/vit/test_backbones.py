"""Pretrained models in our class: the same outputs as their own code, and clear refusals."""

import hashlib
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torchvision.models import VisionTransformer, ViT_B_16_Weights
from vision_samples import BACKBONE, hugging_face_folder

from dlcc.core.errors import DataError, UsageError
from dlcc.core.files.download import RemoteFile
from dlcc.core.files.paths import cache_dir
from dlcc.core.vit import backbones
from dlcc.core.vit.backbones import build, from_hugging_face, from_torchvision, load_backbone


def randomised(model: nn.Module) -> nn.Module:
    """Every weight random, so that none hides behind a zero or a one."""
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn_like(parameter) * 0.2)
    return model.eval()


def pictures(size: int) -> Tensor:
    return torch.rand(2, 3, size, size, generator=torch.Generator().manual_seed(1))


def test_torchvision_gives_the_same_tokens() -> None:
    theirs = VisionTransformer(
        image_size=32, patch_size=8, num_layers=2, num_heads=3, hidden_dim=24, mlp_dim=40
    )
    randomised(theirs)
    config, weights = from_torchvision(theirs.state_dict(), num_heads=3)
    ours = build(config, weights, Path("theirs"), 32).eval()
    images = pictures(32)
    normalised = (images - ours.pixel_mean) / ours.pixel_std
    x = theirs._process_input(normalised)
    expected = theirs.encoder(torch.cat((theirs.class_token.expand(2, -1, -1), x), 1))
    torch.testing.assert_close(ours.encode(images), expected, atol=1e-5, rtol=1e-4)
    assert config.pixel_mean == (0.485, 0.456, 0.406)


class Hostile:
    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (Path("ran"),)


def publish(monkeypatch: pytest.MonkeyPatch, path: Path, content: object) -> None:
    """Have `vit_b_16` be what torch saves of `content` at `path`."""
    torch.save(content, path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    file = RemoteFile(path.as_uri(), f"sha256:{digest}", "name a folder")
    monkeypatch.setitem(backbones.TORCHVISION, "vit_b_16", file)


def test_torchvisions_weights_are_fetched_and_checked_every_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert backbones.TORCHVISION["vit_b_16"].url == ViT_B_16_Weights.DEFAULT.url
    theirs = VisionTransformer(
        image_size=32, patch_size=8, num_layers=1, num_heads=12, hidden_dim=24, mlp_dim=40
    )
    publish(monkeypatch, tmp_path / "theirs.pth", randomised(theirs).state_dict())
    told: list[int] = []
    ours = load_backbone("vit_b_16", 5, 32, progress=lambda done, _: told.append(done))
    assert torch.equal(ours.embed.weight, theirs.conv_proj.weight)
    assert told[-1] == (tmp_path / "theirs.pth").stat().st_size
    cached = cache_dir() / "downloads" / "theirs.pth"
    cached.write_bytes(cached.read_bytes()[:-1] + b"!")
    assert torch.equal(load_backbone("vit_b_16", 5, 32).embed.weight, theirs.conv_proj.weight)
    cached.unlink()
    (tmp_path / "theirs.pth").unlink()
    with pytest.raises(DataError, match="name a folder"):
        load_backbone("vit_b_16", 5, 32)


def test_nothing_in_published_weights_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    publish(monkeypatch, tmp_path / "hostile.pth", {"conv_proj.weight": Hostile()})
    with pytest.raises(DataError, match="more than weights"):
        load_backbone("vit_b_16", 5, 32)
    assert not Path("ran").exists()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", ["vit", "dinov2"])
@pytest.mark.parametrize("size", [28, 42])
def test_transformers_gives_the_same_tokens(tmp_path: Path, kind: str, size: int) -> None:
    transformers = pytest.importorskip("transformers")
    if kind == "vit":
        settings = transformers.ViTConfig(**BACKBONE, image_size=28, intermediate_size=40)
        theirs = transformers.ViTModel(settings)
    else:
        theirs = transformers.Dinov2Model(transformers.Dinov2Config(**BACKBONE, image_size=28))
    randomised(theirs).save_pretrained(tmp_path)
    ours = load_backbone(str(tmp_path), num_classes=2, image_size=size).eval()
    images = pictures(size)
    options = {"interpolate_pos_encoding": True} if kind == "vit" and size != 28 else {}
    normalised = (images - ours.pixel_mean) / ours.pixel_std
    expected = theirs(normalised, **options).last_hidden_state
    torch.testing.assert_close(ours.encode(images), expected, atol=1e-4, rtol=1e-3)


def test_a_folder_takes_its_normalisation_and_missing_biases_are_zero(tmp_path: Path) -> None:
    folder = hugging_face_folder(tmp_path)
    (folder / "preprocessor_config.json").write_text('{"image_mean": [0.1, 0.2, 0.3]}')
    model = load_backbone(str(folder), num_classes=5)
    assert model.config.pixel_mean == (0.1, 0.2, 0.3)
    assert model.config.pixel_std == (0.229, 0.224, 0.225)
    assert model.config.image_size == 49
    assert not model.blocks[0].attention.in_proj.bias.any()
    values = load_file(folder / "model.safetensors")[
        "encoder.layer.1.attention.attention.value.weight"
    ]
    assert torch.equal(model.blocks[1].attention.in_proj.weight[48:], values)
    assert model(pictures(49)).shape == (2, 5)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model_type": "bert"}, "type bert"),
        ({"use_swiglu_ffn": True}, "plain GELU"),
        ({"hidden_size": 32, "num_attention_heads": 4}, "is \\["),
        ({"image_size": 35}, "17 positions"),
        ({"num_hidden_layers": 3}, "incomplete"),
    ],
)
def test_a_folder_that_does_not_fit_is_refused(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        load_backbone(str(hugging_face_folder(tmp_path, **changes)), num_classes=2)


def test_damaged_and_missing_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="vit_b_16"):
        load_backbone("no-such-model", num_classes=2)
    with pytest.raises(DataError, match=r"config\.json"):
        load_backbone(str(tmp_path), num_classes=2)
    folder = hugging_face_folder(tmp_path)
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(DataError, match=r"model\.safetensors"):
        from_hugging_face(folder)
    weights.unlink()
    with pytest.raises(DataError, match=r"model\.safetensors"):
        from_hugging_face(folder)
    (folder / "config.json").write_text("{")
    with pytest.raises(DataError, match="no JSON"):
        from_hugging_face(folder)


def test_a_size_that_the_patches_do_not_fit_in_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="size 30"):
        load_backbone(str(hugging_face_folder(tmp_path)), num_classes=2, image_size=30)
