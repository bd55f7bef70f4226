"""`dlcc vit train`."""

from typing import Annotated

import typer

from dlcc.cli.commands.training_options import (
    EmaDecay,
    Epochs,
    LabelSmoothing,
    LearningRate,
    Minutes,
    Optimizer,
    Patience,
    Resume,
    Run,
)
from dlcc.cli.commands.vit_data import Data
from dlcc.cli.options import Debug, Device, Quiet, Seed

_MODEL = "Model"


def train(
    context: typer.Context,
    data: Data = None,
    preset: Annotated[
        str,
        typer.Option(
            help="best, plain (the same without the convolutional stem) or book (the book's).",
            metavar="NAME",
        ),
    ] = "best",
    backbone: Annotated[
        str | None,
        typer.Option(
            help="Fine-tune vit_b_16 (downloaded by torchvision) or a Hugging Face folder of type "
            "vit or dinov2.",
            metavar="NAME|PATH",
        ),
    ] = None,
    freeze: Annotated[
        bool, typer.Option("--freeze", help="Train the backbone's new head alone.")
    ] = False,
    cutmix: Annotated[
        bool | None,
        typer.Option(
            "--cutmix/--no-cutmix", help="Paste boxes of other pictures.", show_default=False
        ),
    ] = None,
    mixup: Annotated[
        bool | None,
        typer.Option("--mixup/--no-mixup", help="Blend with other pictures.", show_default=False),
    ] = None,
    augment: Annotated[
        str | None, typer.Option(help="none, light or strong.", metavar="LEVEL")
    ] = None,
    run: Run = None,
    resume: Resume = False,
    epochs: Epochs = None,
    minutes: Minutes = None,
    batch_size: Annotated[int | None, typer.Option(help="Pictures in a batch.")] = None,
    learning_rate: LearningRate = None,
    optimizer: Optimizer = None,
    weight_decay: Annotated[float | None, typer.Option(help="AdamW's.")] = None,
    ema_decay: EmaDecay = None,
    label_smoothing: LabelSmoothing = None,
    calm: Annotated[
        float | None, typer.Option(help="Last share of the training without mixing.")
    ] = None,
    small: Annotated[
        float | None, typer.Option(help="First share of the training on smaller pictures.")
    ] = None,
    patience: Patience = None,
    validation: Annotated[
        float, typer.Option(help="Share of the training pictures that validate.")
    ] = 0.1,
    size: Annotated[
        int | None,
        typer.Option(
            help="Side of the pictures; 32, or 7 patches of a backbone.", metavar="PIXELS"
        ),
    ] = None,
    patch_size: Annotated[
        int | None, typer.Option(help="Side of a patch in pixels.", rich_help_panel=_MODEL)
    ] = None,
    stem: Annotated[
        str | None,
        typer.Option(
            help="Widths of the convolutions before the tokens, such as 64,128; or none.",
            rich_help_panel=_MODEL,
        ),
    ] = None,
    width: Annotated[
        int | None, typer.Option(help="Width of a token.", rich_help_panel=_MODEL)
    ] = None,
    layers: Annotated[
        int | None, typer.Option(help="Encoder blocks.", rich_help_panel=_MODEL)
    ] = None,
    heads: Annotated[
        int | None, typer.Option(help="Attention heads of a block.", rich_help_panel=_MODEL)
    ] = None,
    hidden: Annotated[
        int | None, typer.Option(help="Width of the feed-forward layers.", rich_help_panel=_MODEL)
    ] = None,
    pooling: Annotated[
        str | None, typer.Option(help="class, mean or sequence.", rich_help_panel=_MODEL)
    ] = None,
    positions: Annotated[
        str | None, typer.Option(help="learned or sinusoidal.", rich_help_panel=_MODEL)
    ] = None,
    drop_path: Annotated[
        float | None, typer.Option(help="Blocks left out at random.", rich_help_panel=_MODEL)
    ] = None,
    compiled: Annotated[
        bool, typer.Option("--compile", help="Compile the training step: faster after a while.")
    ] = False,
    seed: Seed = 0,
    device: Device = "auto",
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Train a Vision Transformer on pictures, from scratch or from a pretrained backbone."""
    from dlcc.cli.commands.runs import command_line, run_folder, train_here
    from dlcc.cli.commands.vit_setup import choose, fit_config_of, make_task, mix_share

    folder = run_folder(run, resume, "vit")
    chosen = choose(preset, backbone, freeze)
    model = {
        "image_size": size,
        "patch_size": patch_size,
        "stem": stem and _widths(stem),
        "embed_dim": width,
        "num_layers": layers,
        "num_heads": heads,
        "hidden_dim": hidden,
        "pooling": pooling,
        "class_token": True if pooling == "class" else None,
        "positions": positions,
        "drop_path": drop_path,
    }
    vision = {
        "batch_size": batch_size,
        "cutmix": mix_share(cutmix, chosen.vision.get("cutmix", 0.0)),
        "mixup": mix_share(mixup, chosen.vision.get("mixup", 0.0)),
        "augment": augment,
        "label_smoothing": label_smoothing,
        "calm": calm,
        "small": small,
        "seed": seed,
    }
    fit_config = fit_config_of(
        chosen,
        epochs=epochs,
        minutes=minutes,
        learning_rate=learning_rate,
        optimizer=optimizer,
        weight_decay=weight_decay,
        ema_decay=ema_decay,
        patience=patience,
        seed=seed,
    )
    about = {"command": command_line(context, "dlcc vit train"), "seed": seed}
    task = make_task(
        chosen, model, vision, backbone, freeze, data, validation, device, about, compiled
    )
    train_here(task, fit_config, folder, resume, "pictures", task.watch)


def _widths(text: str) -> tuple[int, ...]:
    """ "64,128" as numbers; "none" as no convolutions."""
    from dlcc.core.errors import UsageError

    if text == "none":
        return ()
    try:
        widths = tuple(int(part) for part in text.split(","))
    except ValueError:
        widths = (0,)
    if min(widths) < 1:
        raise UsageError(f"--stem {text}: give widths such as 64,128, or none")
    return widths
