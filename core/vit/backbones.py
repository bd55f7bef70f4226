"""Pretrained Vision Transformers in our own `ViT`, so that their attention is ours to look at.

Two sources: torchvision's `vit_b_16`, and local folders in Hugging Face's layout (`config.json` and
`model.safetensors`) of type vit, deit or dinov2, or timm's. Classification heads are left behind.
"""

import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from dlcc.core.errors import DataError, UsageError
from dlcc.core.files.download import Progress, RemoteFile, fetch
from dlcc.core.files.paths import being_read
from dlcc.core.train.checkpoint import load_weights
from dlcc.core.vit import foreign
from dlcc.core.vit.config import ViTConfig
from dlcc.core.vit.model import ViT, interpolate_positions

TORCHVISION = {
    "vit_b_16": RemoteFile(
        "https://download.pytorch.org/models/vit_b_16-c867db91.pth",
        "sha256:c867db91d3e12c6cbadabb610d73c24a546bf82d8c03a9fea34f43a712ddb0e9",
        "name a folder",
    )
}
"""Published weights by name."""
_HEADS = {"vit_b_16": 12}  # the one thing that the weights do not tell
GRID = 7
"""Rows and columns of patches when no size is asked for: fast enough for a CPU."""
_IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))  # mean and standard deviation
_HALF = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))

_KINDS = ("vit", "deit", "dinov2")

Weights = foreign.Weights


def load_backbone(
    source: str,
    num_classes: int,
    image_size: int | None = None,
    pooling: str = "class",
    progress: Progress | None = None,
) -> ViT:
    """A pretrained model with a new head.

    Args:
        source: a name in `TORCHVISION`, which is downloaded, or a folder.
        image_size: side of the pictures; `GRID` patches when None. The positions are interpolated.
        pooling: class or mean.

    Raises:
        UsageError: neither a known name nor a folder; a size that the patches do not fit in.
        DataError: a folder that is incomplete, damaged or of another type; no download.
    """
    if source in TORCHVISION:
        state = _read_pth(fetch(TORCHVISION[source], progress))
        config, weights = from_torchvision(state, _HEADS[source])
    elif Path(source).is_dir():
        config, weights = from_hugging_face(Path(source))
    else:
        raise UsageError(
            f"neither a folder nor one of {', '.join(TORCHVISION)}", "backbone", source
        )
    size = image_size or GRID * config.patch_size
    config = replace(config, num_classes=num_classes, pooling=pooling)
    return build(config, weights, Path(source), size)


def build(config: ViTConfig, weights: Weights, source: Path, image_size: int) -> ViT:
    """A `ViT` for pictures of `image_size` that holds `weights`, all but the head's.

    Raises:
        DataError: `weights` does not fit `config`.
    """
    smaller = replace(config, image_size=image_size)
    model = ViT(smaller)
    weights = dict(weights)
    length = config.grid[0] * config.grid[1] + config.class_token
    if weights["positions"].shape[1] != length:
        raise DataError(
            f"{source}: {weights['positions'].shape[1]} positions, {config.grid} patches and "
            f"a class token need {length}"
        )
    if smaller.grid != config.grid:
        weights["positions"] = interpolate_positions(
            weights["positions"], config.grid, smaller.grid, config.class_token
        )
    own = {name: tensor for name, tensor in model.state_dict().items() if name.startswith("head.")}
    load_weights(model, {**weights, **own}, source)
    return model


def from_torchvision(state: Weights, num_heads: int) -> tuple[ViTConfig, Weights]:
    """The configuration and weights of a torchvision `VisionTransformer`'s `state_dict`."""
    width, _, patch, _ = state["conv_proj.weight"].shape
    side = round((state["encoder.pos_embedding"].shape[1] - 1) ** 0.5)
    prefix = "encoder.layers.encoder_layer_"
    layers = 1 + max(
        int(n.removeprefix(prefix).partition(".")[0]) for n in state if n.startswith(prefix)
    )
    weights = {
        "embed.weight": state["conv_proj.weight"],
        "embed.bias": state["conv_proj.bias"],
        "class_token": state["class_token"],
        "positions": state["encoder.pos_embedding"],
        **_renamed(state, "encoder.ln", "norm"),
    }
    names = {
        "ln_1": "attention_norm",
        "self_attention.out_proj": "attention.out_proj",
        "ln_2": "feed_forward_norm",
        "mlp.0": "feed_forward.up",
        "mlp.3": "feed_forward.down",
    }
    for layer in range(layers):
        here, there = f"blocks.{layer}", f"{prefix}{layer}"
        for theirs, ours in names.items():
            weights |= _renamed(state, f"{there}.{theirs}", f"{here}.{ours}")
        for end in ("weight", "bias"):
            weights[f"{here}.attention.in_proj.{end}"] = state[
                f"{there}.self_attention.in_proj_{end}"
            ]
    config = ViTConfig(
        num_classes=1,
        image_size=side * patch,
        patch_size=patch,
        embed_dim=width,
        num_layers=layers,
        num_heads=num_heads,
        hidden_dim=weights["blocks.0.feed_forward.up.weight"].shape[0],
        pixel_mean=_IMAGENET[0],
        pixel_std=_IMAGENET[1],
    )
    return config, weights


def from_hugging_face(folder: Path) -> tuple[ViTConfig, Weights]:
    """The configuration and weights of a folder of type vit, deit or dinov2, or of timm's.

    Raises:
        DataError: files missing or damaged, or a model that `ViT` cannot hold.
    """
    settings = foreign.read_settings(folder)
    kind = settings.get("model_type") or ""
    if not kind and "architecture" in settings:
        settings, state = foreign.from_timm(settings, foreign.read_weights(folder), folder)
        kind = settings["model_type"]
    else:
        _check_kind(kind, settings, folder)
        state = foreign.read_weights(folder)
    with being_read(folder, "is damaged or of another make ({})"):
        try:
            config = _hugging_face_config(kind, settings, folder)
            state = {name.removeprefix(f"{kind}."): tensor for name, tensor in state.items()}
            if "embeddings.distillation_token" in state:
                raise DataError(f"{folder} has a distillation token: take the undistilled model")
            return config, _from_hugging_face_names(kind, state, config.num_layers)
        except UsageError as error:  # settings that nobody has given
            raise DataError(f"{folder} is damaged ({error})") from error
        except KeyError as error:
            raise DataError(f"{folder} is incomplete: it lacks {error}") from error


def _check_kind(kind: str, settings: dict[str, Any], folder: Path) -> None:
    if "format_version" in settings:
        raise DataError(
            f"{folder} is a checkpoint of this program: it is no backbone to start from"
        )
    if settings.get("num_register_tokens"):
        raise DataError(
            f"{folder} has register tokens ({kind}), which cannot be loaded: take the model "
            "without registers"
        )
    if kind not in _KINDS:
        raise DataError(
            f"{folder} is of type {kind or None}: only {', '.join(_KINDS)} can be loaded"
        )
    if settings.get("use_swiglu_ffn") or settings.get("hidden_act", "gelu") != "gelu":
        raise DataError(f"{folder}: only feed-forward layers with a plain GELU can be loaded")
    if (colours := settings.get("num_channels", 3)) != 3:
        raise DataError(f"{folder} is for pictures of {colours} channels: only red, green and blue")


def _hugging_face_config(kind: str, settings: dict[str, Any], folder: Path) -> ViTConfig:
    width = foreign.whole(settings, "hidden_size", folder)
    hidden = settings["mlp_ratio"] * width if kind == "dinov2" else settings["intermediate_size"]
    mean, std = _HALF if kind == "vit" else _IMAGENET
    norm = settings
    if (folder / "preprocessor_config.json").is_file():
        norm = foreign.read_settings(folder, "preprocessor_config.json")
    return ViTConfig(
        num_classes=1,
        image_size=foreign.side(settings["image_size"], "image_size", folder),
        patch_size=foreign.side(settings["patch_size"], "patch_size", folder),
        embed_dim=width,
        num_layers=foreign.whole(settings, "num_hidden_layers", folder),
        num_heads=foreign.whole(settings, "num_attention_heads", folder),
        hidden_dim=int(hidden),
        layer_scale=kind == "dinov2",
        norm_eps=settings.get("layer_norm_eps", 1e-6),
        pixel_mean=foreign.channels(norm.get("image_mean"), mean),
        pixel_std=foreign.channels(norm.get("image_std"), std),
    )


def _from_hugging_face_names(kind: str, state: Weights, layers: int) -> Weights:
    weights = {
        **_renamed(state, "embeddings.patch_embeddings.projection", "embed"),
        "class_token": state["embeddings.cls_token"],
        "positions": state["embeddings.position_embeddings"],
        **_renamed(state, "layernorm", "norm"),
    }
    names = {"attention.output.dense": "attention.out_proj"}
    if kind == "dinov2":
        names |= {"norm1": "attention_norm", "norm2": "feed_forward_norm"}
        names |= {"mlp.fc1": "feed_forward.up", "mlp.fc2": "feed_forward.down"}
    else:
        names |= {"layernorm_before": "attention_norm", "layernorm_after": "feed_forward_norm"}
        names |= {"intermediate.dense": "feed_forward.up", "output.dense": "feed_forward.down"}
    for layer in range(layers):
        here, there = f"blocks.{layer}", f"encoder.layer.{layer}"
        for theirs, ours in names.items():
            weights |= _renamed(state, f"{there}.{theirs}", f"{here}.{ours}")
        weights |= _joined_projections(state, f"{there}.attention.attention", here)
        if kind == "dinov2":
            weights[f"{here}.attention_scale"] = state[f"{there}.layer_scale1.lambda1"]
            weights[f"{here}.feed_forward_scale"] = state[f"{there}.layer_scale2.lambda1"]
    return weights


def _joined_projections(state: Weights, there: str, here: str) -> Weights:
    """Query, key and value projections as our one; without biases, zeros."""
    parts = [f"{there}.{name}" for name in ("query", "key", "value")]
    weight = torch.cat([state[f"{part}.weight"] for part in parts])
    biases = [state.get(f"{part}.bias") for part in parts]
    bias = torch.cat([torch.zeros(len(weight) // 3) if b is None else b for b in biases])
    return {f"{here}.attention.in_proj.weight": weight, f"{here}.attention.in_proj.bias": bias}


def _renamed(state: Weights, theirs: str, ours: str) -> Weights:
    return {f"{ours}.{end}": state[f"{theirs}.{end}"] for end in ("weight", "bias")}


def _read_pth(path: Path) -> Weights:
    try:
        state: Weights = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise DataError(f"{path} is damaged or holds more than weights: not read") from error
    return state
