"""Folders of model weights from elsewhere, as their makers wrote them; nothing is unpickled.

Hugging Face's layout: config.json beside model.safetensors, whole or in shards.
"""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from dlcc.core.errors import DataError
from dlcc.core.files.paths import being_read

Weights = dict[str, Tensor]
_WEIGHTS = "model.safetensors"
_INDEX = f"{_WEIGHTS}.index.json"
_PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt")
_WRAPPERS = ("module.", "_orig_mod.")  # of DataParallel and of compiled models
_POINTER = b"version https://git-lfs"


def read_settings(folder: Path, name: str = "config.json") -> dict[str, Any]:
    """What a JSON file of the folder says.

    Raises:
        DataError: not there, or no JSON object.
    """
    path = folder / name
    with being_read(path, "is no JSON ({})"):
        raw = path.read_bytes()
        _check_whole(path, raw[: len(_POINTER)])
        values = json.loads(raw)
    if not isinstance(values, dict):
        raise DataError(f"{path} is no model configuration")
    return values


def read_weights(folder: Path) -> Weights:
    """All weights in float32, by their names without what wrappers put before them.

    Raises:
        DataError: no weights, pickled ones, a Git LFS pointer, a missing shard, damage, or values
            that are no numbers.
    """
    state: Weights = {}
    for path in _files(folder):
        with being_read(path):
            with path.open("rb") as file:
                _check_whole(path, file.read(len(_POINTER)))
            state |= load_file(path)
    for wrapper in _WRAPPERS:
        if state and all(name.startswith(wrapper) for name in state):
            state = {name.removeprefix(wrapper): tensor for name, tensor in state.items()}
    for name, tensor in state.items():
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            count = int((~torch.isfinite(tensor)).sum())
            raise DataError(
                f"{folder}: {count:,} of the numbers in {name} are NaN or infinite, so that "
                "nothing can be computed with them: take weights from before the training failed"
            )
    return {name: tensor.float() for name, tensor in state.items()}


def _files(folder: Path) -> list[Path]:
    if (folder / _WEIGHTS).is_file():
        return [folder / _WEIGHTS]
    if (folder / _INDEX).is_file():
        with being_read(folder / _INDEX):
            names = sorted(set(read_settings(folder, _INDEX)["weight_map"].values()))
        for name in names:
            if Path(name).name != name:
                raise DataError(f"{folder / _INDEX} names a file outside its folder")
            if not (folder / name).is_file():
                raise DataError(f"{folder} is incomplete: it lacks {name}, one of {len(names)}")
        return [folder / name for name in names]
    pickles = sorted(file.name for pattern in _PICKLES for file in folder.glob(pattern))
    if pickles:
        raise DataError(
            f"{folder} has its weights in {pickles[0]}, a pickle, which may run anything as it is "
            "read: save them as model.safetensors, as save_pretrained of transformers does"
        )
    raise DataError(f"{folder} has no {_WEIGHTS}: fetch the weights as well")


def _check_whole(path: Path, start: bytes) -> None:
    if start == _POINTER:
        raise DataError(
            f"{path} is a Git LFS pointer, not the file itself: run git lfs pull where it is from"
        )


def whole(settings: dict[str, Any], what: str, folder: Path) -> int:
    """A setting that has to be a whole number.

    Raises:
        KeyError: it is not there.
        DataError: it is something else.
    """
    value = settings[what]
    if type(value) is not int or value < 1:
        raise DataError(f"{folder}/config.json: {what} is {value!r}, and has to be a whole number")
    return value


def side(value: Any, what: str, folder: Path) -> int:
    """A size in pixels, also of [side, side] or {"height": side, "width": side}.

    Raises:
        DataError: no such thing, or not square.
    """
    sides = list(value.values()) if isinstance(value, dict) else value
    sides = sides if isinstance(sides, list | tuple) else [sides]
    try:
        numbers = {int(each) for each in sides}
    except (TypeError, ValueError):
        numbers = set()
    if len(numbers) != 1:
        raise DataError(f"{folder}: {what} is {value!r}, and only squares can be loaded")
    return numbers.pop()


def channels(value: Any, usual: tuple[float, ...]) -> tuple[float, ...]:
    """A number for each of red, green and blue, also where one is given for all."""
    if value is None:
        return usual
    values = tuple(value) if isinstance(value, list | tuple) else (value,)
    return values * 3 if len(values) == 1 else values


def from_timm(
    settings: dict[str, Any], state: Weights, folder: Path
) -> tuple[dict[str, Any], Weights]:
    """Settings and weights of timm's `VisionTransformer`, as a Hugging Face folder of type dinov2
    or vit has them.

    Raises:
        DataError: another architecture, or weights that are missing.
    """
    name = str(settings.get("architecture"))
    if not name.startswith(("vit_", "deit_")) or "dist" in name or "reg" in name:
        raise DataError(
            f"{folder} is timm's {name}: of timm's models only plain vit_ and deit_ can be loaded"
        )
    try:
        width, _, patch, _ = state["patch_embed.proj.weight"].shape
        length = state["pos_embed"].shape[1] - 1
        layers = 1 + max(int(n.split(".")[1]) for n in state if n.startswith("blocks."))
        hidden = state["blocks.0.mlp.fc1.weight"].shape[0]
    except KeyError as error:
        raise DataError(f"{folder} is incomplete: it lacks {error}") from error
    given = settings.get("pretrained_cfg") or {}
    heads = (settings.get("model_args") or {}).get("num_heads") or max(width // 64, 1)
    scaled = "blocks.0.ls1.gamma" in state
    made = {
        "model_type": "dinov2" if scaled else "vit",
        "hidden_size": width,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "intermediate_size": hidden,
        "mlp_ratio": hidden / width,
        "patch_size": patch,
        "image_size": round(length**0.5) * patch,
        "layer_norm_eps": 1e-6,
        "image_mean": given.get("mean"),
        "image_std": given.get("std"),
    }
    return made, _renamed_from_timm(state, layers, scaled)


def _renamed_from_timm(state: Weights, layers: int, scaled: bool) -> Weights:
    names = {
        "cls_token": "embeddings.cls_token",
        "pos_embed": "embeddings.position_embeddings",
        "patch_embed.proj": "embeddings.patch_embeddings.projection",
        "norm": "layernorm",
    }
    inner = {
        "attn.proj": "attention.output.dense",
        "norm1": "norm1" if scaled else "layernorm_before",
        "norm2": "norm2" if scaled else "layernorm_after",
        "mlp.fc1": "mlp.fc1" if scaled else "intermediate.dense",
        "mlp.fc2": "mlp.fc2" if scaled else "output.dense",
        "ls1.gamma": "layer_scale1.lambda1",
        "ls2.gamma": "layer_scale2.lambda1",
    }
    for layer in range(layers):
        for theirs, ours in inner.items():
            names[f"blocks.{layer}.{theirs}"] = f"encoder.layer.{layer}.{ours}"
    found: Weights = {}
    for name, tensor in state.items():
        stem, _, end = name.rpartition(".")
        if name in names:
            found[names[name]] = tensor
        elif stem in names:
            found[f"{names[stem]}.{end}"] = tensor
        elif stem.endswith(".attn.qkv"):
            there = f"encoder.layer.{stem.split('.')[1]}.attention.attention"
            for part, piece in zip(("query", "key", "value"), tensor.chunk(3), strict=True):
                found[f"{there}.{part}.{end}"] = piece
    return found
