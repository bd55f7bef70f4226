"""From options to a `VisionTask`: presets, data and model."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlcc.cli.commands.training_options import merged, named
from dlcc.cli.commands.vit_presets import EITHER_MIX, FINE_TUNING, PRESETS, PROBING, Preset

if TYPE_CHECKING:
    from dlcc.core.train.config import FitConfig
    from dlcc.core.vit.data import ImageData
    from dlcc.core.vit.model import ViT
    from dlcc.core.vit.task import VisionTask


def choose(preset: str, backbone: str | None, freeze: bool) -> Preset:
    """The preset that is meant.

    Raises:
        UsageError: no such preset, or --freeze without --backbone.
    """
    from dlcc.core.errors import UsageError

    chosen = named("--preset", PRESETS, preset)
    if freeze and backbone is None:
        raise UsageError("--freeze needs --backbone: a model whose weights are worth keeping")
    if backbone is None:
        return chosen
    return PROBING if freeze else FINE_TUNING


def mix_share(asked: bool | None, preset: float) -> float:
    """Share of the batches: the preset's unless it was asked for otherwise."""
    if asked is None:
        return preset
    return (preset or EITHER_MIX) if asked else 0.0


def fit_config_of(chosen: Preset, **given: Any) -> "FitConfig":
    """The preset's schedule with what was given instead."""
    from dlcc.core.train.config import FitConfig

    return FitConfig(**merged(chosen.fit, **given))


def make_task(
    chosen: Preset,
    model: dict[str, Any],
    vision: dict[str, Any],
    backbone: str | None,
    freeze: bool,
    data: Path | None,
    validation: float,
    device: str,
    about: dict[str, Any],
    compiled: bool = False,
) -> "VisionTask":
    """Read the data and build the model; options that are None are the preset's."""
    import torch

    from dlcc.cli.commands.vit_data import load_data
    from dlcc.core.train.runtime import choose_device
    from dlcc.core.vit.model import ViT, ViTConfig
    from dlcc.core.vit.task import VisionConfig, VisionTask

    where = choose_device(device)
    config = VisionConfig(**merged(chosen.vision, **vision))
    torch.manual_seed(config.seed)
    if backbone is None:
        sizes = merged(chosen.model, **model)
        ViTConfig(num_classes=2, **sizes)  # complains before the long work
        pictures = load_data(data, sizes.get("image_size", 32), validation, config.seed)
        network = ViT(ViTConfig(num_classes=len(pictures.classes), **sizes))
    else:
        network, pictures = _pretrained(backbone, freeze, model, data, validation, config.seed)
        about = {**about, "backbone": Path(backbone).name, "freeze": freeze}
    about["data"] = {
        "file": data.name if data else "CIFAR-10",
        "validation_share": validation,
        "train": len(pictures.train),
        "validation": len(pictures.validation),
        "test": len(pictures.test),
        "split_hash": pictures.split_hash,
    }
    return VisionTask(network.to(where), pictures, config, about, compiled)


def _pretrained(
    backbone: str,
    freeze: bool,
    model: dict[str, Any],
    data: Path | None,
    validation: float,
    seed: int,
) -> "tuple[ViT, ImageData]":
    """A pretrained model with a new head for the classes of the data, and the data."""
    from dlcc.cli.commands.vit_data import load_data
    from dlcc.core.errors import UsageError
    from dlcc.core.vit.backbones import load_backbone

    wrong = [
        name
        for name, value in model.items()
        if value is not None and name not in ("image_size", "pooling", "class_token")
    ]
    if wrong:
        raise UsageError(f"--backbone brings its own {wrong[0].replace('_', ' ')}: leave it out")
    size, pooling = model["image_size"], model["pooling"] or "class"
    network = load_backbone(backbone, 1, size, pooling)
    pictures = load_data(data, network.config.image_size, validation, seed)
    network.replace_head(len(pictures.classes))
    if freeze:
        network.requires_grad_(False)
        network.head.requires_grad_(True)
    return network, pictures
