"""A model's folder or name on the hub: found, judged by its files alone, and loaded.

Weights are read from safetensors only, and no code that comes with a model is ever run.
"""

import json
import os
import re
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from dlcc.core.errors import DataError, UsageError
from dlcc.core.files.paths import being_read
from dlcc.core.huggingface.quick import quickly, uncollected, undrawn

if TYPE_CHECKING:
    import torch
    from torch import nn

HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+")
_WANTED = ("*.json", "*.safetensors", "*.txt", "*.model", "*.spm", "*.jinja")
_PICKLES = ("*.bin", "*.pt", "*.pth", "*.pkl", "*.ckpt")
_HEADLESS = ("pooler", "position_ids", "lm_head", "mask_token", "rotary", "cls.")
# What may be missing in a file: what is not looked at, and what is tied to other weights.


@dataclass(frozen=True)
class Loaded:
    """A model in eval mode and where it came from."""

    name: str
    folder: Path
    config: dict[str, Any]
    """Of its `config.json`."""
    model: "nn.Module"
    device: "torch.device"

    @property
    def kind(self) -> str:
        """What it answers with: guesses, text, translation, labels, picture or nothing."""
        return kind_of(self.config)


def kind_of(config: dict[str, Any]) -> str:
    """What a model of this config answers with."""
    name = (config.get("architectures") or [""])[0]
    if "vision_config" in config or "image_size" in config or "pretrained_cfg" in config:
        return "picture"
    if config.get("is_encoder_decoder"):
        return "translation"
    if name.endswith("ForSequenceClassification"):
        return "labels"
    if name.endswith("ForMaskedLM"):
        return "guesses"
    return "text" if name.endswith(("ForCausalLM", "LMHeadModel")) else "nothing"


def is_model(name: str) -> bool:
    """Whether that could name a model: a folder with a config, or what is in the hub's cache, or
    has the form of the hub's names."""
    path = Path(name).expanduser()
    return (
        (path / "config.json").is_file()
        or path.is_dir()
        or bool(HUB_NAME.fullmatch(name))
        or _cached(name) is not None
    )


def hub_cache() -> Path:
    """Where models of the hub are kept on this machine, as `huggingface_hub` has it."""
    home = os.environ.get("HF_HOME") or Path(
        os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"), "huggingface"
    )
    return Path(os.environ.get("HF_HUB_CACHE") or Path(home, "hub")).expanduser()


def _cached(name: str) -> Path | None:
    """The newest copy in the hub's cache."""
    folder = hub_cache() / f"models--{name.replace('/', '--')}" / "snapshots"
    copies = sorted(folder.glob("*/config.json"), key=lambda path: path.stat().st_mtime)
    return copies[-1].parent if copies else None


def found(name: str, offline: bool = False) -> Path:
    """The folder of a model; one of the hub is downloaded first.

    Raises:
        DataError: there is none, or none could be had.
    """
    path = Path(name).expanduser()
    if path.is_dir():
        return path
    if path.exists():
        raise DataError(f"{name} is no folder: name the folder of a model")
    copy = _cached(name)
    if copy is not None:
        return copy
    if not HUB_NAME.fullmatch(name) or offline or os.environ.get("HF_HUB_OFFLINE", "0") != "0":
        raise DataError(f"{name} is neither a folder nor in the hub's cache {hub_cache()}")
    try:
        from huggingface_hub import snapshot_download
    except ImportError:
        raise _lacking() from None
    try:
        return Path(snapshot_download(name, allow_patterns=list(_WANTED)))
    except Exception as error:  # whatever the network leads to
        raise DataError(f"cannot download {name}: {str(error).splitlines()[0]}") from error


def _lacking() -> UsageError:
    return UsageError("models from elsewhere need transformers: pip install 'dlcc[models]'")


def judged(folder: Path) -> dict[str, Any]:
    """A model's config, where its files can be loaded; nothing is executed.

    Raises:
        DataError: why not.
    """
    config = settings_in(folder / "config.json")
    for each in (config, settings_in(folder / "tokenizer_config.json", {})):
        if "auto_map" in each:
            raise DataError(f"{folder} needs code that comes with it, which is never run: no model")
    if "quantization_config" in config:
        raise DataError(f"{folder} has quantised weights, which are not read: take the full ones")
    if not any(folder.glob("*.safetensors")):
        pickled = any(True for pattern in _PICKLES for _ in folder.glob(pattern))
        why = "holds its weights as pickles, which may run code" if pickled else "has no weights"
        raise DataError(f"{folder} {why}: only safetensors are read")
    if not isinstance(config.get("model_type"), str) and "pretrained_cfg" not in config:
        raise DataError(f"{folder}/config.json names no model_type")
    return config


def settings_in(path: Path, default: dict[str, Any] | None = None) -> dict[str, Any]:
    """A JSON object in a file; `default` where there is no file."""
    if default is not None and not path.is_file():
        return default
    with being_read(path, "is no JSON ({})"):
        values = json.loads(path.read_text("utf-8"))
    if not isinstance(values, dict):
        raise DataError(f"{path} is no model configuration")
    return values


def listed(where: Path) -> list[dict[str, str]]:
    """The models below a folder or in the hub's cache: name, type, and why one cannot be looked at.

    Raises:
        DataError: no such folder.
    """
    if not where.is_dir():
        raise DataError(f"no folder {where}")
    configs = sorted([*where.glob("config.json"), *where.glob("*/config.json")])
    configs += sorted(where.glob("models--*/snapshots/*/config.json"))
    rows = []
    for path in configs:
        hub = next((p.name for p in path.parents if p.name.startswith("models--")), "")
        name = hub.removeprefix("models--").replace("--", "/") or str(path.parent)
        row = {"name": name, "type": "", "answers": "", "error": ""}
        try:
            config = judged(path.parent)
            row |= {"type": str(config.get("model_type", "timm")), "answers": kind_of(config)}
        except DataError as error:
            row["error"] = str(error)
        rows.append(row)
    return rows


def load(name: str, device: str = "auto", offline: bool = False) -> Loaded:
    """Load a model in float32, with the attention that it has by default.

    Raises:
        UsageError: transformers is not installed.
        DataError: it cannot be loaded, and why.
        DeviceError: no such device.
    """
    folder = found(name, offline)
    config = judged(folder)
    with uncollected():
        from dlcc.core.train.runtime import choose_device

        where = choose_device(device)
        with being_read(folder, "cannot be loaded ({})"):
            if "pretrained_cfg" in config:
                model = _timm(folder, config)
            else:
                with quickly():
                    model = _load(folder, config)
    return Loaded(name, folder, config, model.to(where).eval(), where)


def _load(folder: Path, config: dict[str, Any]) -> Any:
    kind = _class(config, folder)
    from transformers.utils import logging

    logging.set_verbosity(logging.CRITICAL)
    logging.disable_progress_bar()
    import torch

    with undrawn():
        model, info = kind.from_pretrained(
            folder,
            local_files_only=True,
            use_safetensors=True,
            trust_remote_code=False,
            dtype=torch.float32,
            output_loading_info=True,
        )
    missing = [key for key in info["missing_keys"] if not any(part in key for part in _HEADLESS)]
    if missing or info.get("mismatched_keys"):
        raise DataError(
            f"{folder}: the weights do not fit the config: {len(missing)} are missing, such as "
            f"{min(missing, default='of other shapes')}"
        )
    return model


def _class(config: dict[str, Any], folder: Path) -> Any:
    """The class of transformers that the config names; of those with a vision tower, the tower."""
    kind = str(config["model_type"])
    try:
        package = import_module("transformers")
        place = kind.replace("-", "_")
        module = _modeling({"clip_vision_model": "clip"}.get(place, place))
    except ImportError as error:
        if "transformers" in str(error).split("'")[1:2]:
            raise _lacking() from None
        raise DataError(f"{folder}: transformers {_version()} knows no model {kind}") from error
    names = list(config.get("architectures") or [])
    if kind == "clip":
        names = ["CLIPVisionModel"]
    found = [getattr(module, name) for name in names if hasattr(module, name)]
    if not found:
        base = getattr(module, "__all__", [])
        found = [getattr(module, name) for name in base if name.endswith("Model")][-1:]
    if not found:
        raise DataError(f"{folder}: {package.__name__} has no {', '.join(names)} of type {kind}")
    return found[0]


def _modeling(place: str) -> ModuleType:
    if not re.fullmatch(r"\w+", place):
        raise ModuleNotFoundError(place)
    return import_module(f"transformers.models.{place}.modeling_{place}")


def _version() -> str:
    from importlib.metadata import version

    return version("transformers")


def _timm(folder: Path, config: dict[str, Any]) -> Any:
    """A timm model; its config is `timm`'s own."""
    try:
        import timm
    except ImportError:
        raise DataError(f"{folder} is a model of timm, which is not installed") from None
    from safetensors.torch import load_file

    model = timm.create_model(
        config["architecture"],
        pretrained=False,
        num_classes=config.get("num_classes", 1000),
        **config.get("model_args", {}),
    )
    model.load_state_dict(load_file(folder / "model.safetensors"))
    return model
