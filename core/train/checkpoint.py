"""Checkpoints: a folder that holds a model, what it was built from, and how it was made.

    model.safetensors           the weights
    config.json                 format version, kind, model config, how it was made, checksums
    vocab.json, tokenizer.json  whatever else the model needs
    training_state.safetensors  only in a run's `last` folder, for resuming

Nothing is pickled. A folder is written beside its place and renamed: it is whole or not there.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors.torch import load, save
from torch import Tensor, nn

from dlcc.core.errors import DataError, UsageError
from dlcc.core.files.paths import being_read, read_bytes
from dlcc.core.train.folders import (
    CONFIG,
    FORMAT_VERSION,
    best_of,
    check_hashes,
    read_header,
    whole,
    write_folder,
)

_WEIGHTS = "model.safetensors"
_FAR_MORE = 8  # times as many numbers
_TABLES = ("vocab", "classes", "length", "longest")  # names of sizes that a table has as rows
Model = TypeVar("Model", bound=nn.Module)


@dataclass(frozen=True)
class Checkpoint:
    """What `load_checkpoint` found, every file checked against its hash."""

    folder: Path
    kind: str
    """The model family: translate, sentiment, masked-words or vit."""
    config: dict[str, Any]
    """The model's configuration, as its Config dataclass takes it."""
    about: dict[str, Any]
    """How it was made: command, seed, data, metrics, versions."""
    weights: dict[str, Tensor]
    """float32, by the model's own names."""
    files: dict[str, bytes]
    """The further files, by name."""

    def being_read(self) -> AbstractContextManager[None]:
        """Within it, what the config or the files lack is damage, and is called so."""
        return being_read(self.folder)

    def trained(self, make: Callable[[], Model], device: torch.device) -> Model:
        """The model that `make` builds, with these weights, on the device, ready to answer.

        A config is nobody's but the file's: odd sizes are compared before they take memory. (That
        loads a good part of torch besides, so others are compared afterwards.)
        """
        try:
            if _has_odd_sizes(self.config, self.weights):
                with torch.device("meta"):
                    _check_shapes(make().state_dict(), self.weights, self.folder)
            model = make()
        except UsageError as error:  # settings that nobody has given
            raise DataError(f"{self.folder} is damaged ({error})") from error
        load_weights(model, self.weights, self.folder)
        return model.to(device).eval()


def save_checkpoint(
    folder: Path,
    *,
    kind: str,
    weights: Mapping[str, Tensor],
    config: Mapping[str, Any],
    about: Mapping[str, Any],
    files: Mapping[str, bytes] | None = None,
    half: bool = False,
) -> None:
    """Write a checkpoint folder, replacing an older checkpoint there as a whole.

    Args:
        folder: where to; its parents are made.
        kind: the model family.
        weights: a model's `state_dict`.
        config: JSON values that build the model.
        about: JSON values that say how it was made.
        files: further files by name.
        half: save floating-point weights as float16, half the size.

    Raises:
        DataError: the folder holds something else, or cannot be written.
    """
    saved = {name: weights[name].detach() for name in _saved_as(weights).values()}
    if half:
        saved = {n: t.half() if t.is_floating_point() else t for n, t in saved.items()}
    # safetensors refuses a part of another tensor.
    saved = {n: t.cpu().clone(memory_format=torch.contiguous_format) for n, t in saved.items()}
    contents = {_WEIGHTS: save(saved), **(files or {})}
    header = {
        "format_version": FORMAT_VERSION,
        "kind": kind,
        "config": dict(config),
        "about": {**about, "versions": {name: version(name) for name in ("dlcc", "torch")}},
        "sha256": {name: hashlib.sha256(data).hexdigest() for name, data in contents.items()},
    }
    contents[CONFIG] = json.dumps(header, indent=2, ensure_ascii=False).encode()
    write_folder(folder, contents)


def load_checkpoint(folder: Path, *kinds: str) -> Checkpoint:
    """Read a checkpoint of one of `kinds`, the best of a training run, and check every file of it.

    Raises:
        DataError: no checkpoint there, of another kind, of a newer format, or damaged.
    """
    folder = whole(best_of(folder))
    header = read_header(folder)
    if header["kind"] not in kinds:
        wanted = " or ".join(kinds)
        raise DataError(f"{folder} holds a {header['kind']} model, {wanted} was asked for")
    contents = {name: read_bytes(folder / name) for name in header["sha256"]}
    check_hashes(folder, contents)
    with being_read(folder / _WEIGHTS):
        weights = load(contents.pop(_WEIGHTS))
    weights = {n: t.float() if t.is_floating_point() else t for n, t in weights.items()}
    return Checkpoint(folder, header["kind"], header["config"], header["about"], weights, contents)


def load_weights(model: nn.Module, weights: Mapping[str, Tensor], source: Path) -> None:
    """Copy `weights` into `model`, of which tied ones are there once.

    Raises:
        DataError: a name or a shape differs, or a value is no number; the message names the first.
    """
    state = model.state_dict()
    _check_shapes(state, weights, source)
    for name in sorted(weights):
        if weights[name].isnan().any():
            raise DataError(f"{source}: {name} is not a number: a training that diverged wrote it")
    model.load_state_dict({name: weights[saved] for name, saved in _saved_as(state).items()})


def _has_odd_sizes(config: Mapping[str, Any], weights: Mapping[str, Tensor]) -> bool:
    """Whether a config's sizes could make far more numbers than the weights have: a layer makes no
    more than the square of all widths together, a vocabulary a row of that length a word."""
    sizes = list(_sizes(config))
    layers = sum(size for name, size in sizes if "layers" in name)
    rows = sum(size for name, size in sizes if any(table in name for table in _TABLES))
    width = sum(size for _, size in sizes) - layers - rows
    there = sum(tensor.numel() for tensor in weights.values())
    return max(layers, 1) * width**2 + rows * width > _FAR_MORE * there


def _sizes(config: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
    """All whole numbers in a config, with their names."""
    for name, value in config.items():
        if isinstance(value, Mapping):
            yield from _sizes(value)
        for each in value if isinstance(value, list) else [value]:
            if isinstance(each, int):
                yield name, abs(each)


def _check_shapes(state: Mapping[str, Tensor], weights: Mapping[str, Tensor], source: Path) -> None:
    for name in sorted({*_saved_as(state).values(), *weights}):
        here, there = state.get(name), weights.get(name)
        if here is None or there is None or here.shape != there.shape:
            shapes = [list(t.shape) if t is not None else "nothing" for t in (there, here)]
            raise DataError(f"{source}: {name} is {shapes[0]} there, the model has {shapes[1]}")


def _saved_as(state: Mapping[str, Tensor]) -> dict[str, str]:
    """For each name in `state` the one it is saved by: the first of the same tensor (tied weights).

    Tensors that merely begin at the same place, such as a part of another, are others.
    """
    first: dict[Any, str] = {}
    names = {}
    for name, tensor in state.items():
        place = (tensor.data_ptr(), tensor.shape, tensor.stride(), tensor.dtype)
        names[name] = first.setdefault(place if tensor.numel() else name, name)
    return names
