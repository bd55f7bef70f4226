"""What every `dlcc vit` command reads: pictures."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from dlcc.core.vit.data import ImageData

Data = Annotated[
    Path | None,
    typer.Option(
        "--data",
        help="A folder, .zip or .tar.gz of CLASS/NAME.jpg or .png, also in train/ and test/, or "
        "CIFAR-10's official archive. Left out, CIFAR-10 is downloaded.",
        metavar="PATH",
    ),
]


def load_data(path: Path | None, size: int, validation: float, seed: int) -> "ImageData":
    """Read and split pictures, with a count on stderr while they are decoded."""
    from dlcc.cli.console import note, warn
    from dlcc.cli.progress import counting
    from dlcc.core.vit.data import load_images

    with counting("decoding pictures") as count:
        data = load_images(path, size, validation, seed, on_picture=count)
    side = data.train.pixels.shape[-1]
    note(
        f"{path.name if path else 'CIFAR-10'}: {len(data.classes)} classes, {side} × {side} pixels,"
        f" {len(data.train):,} pictures to train on, {len(data.validation):,} to validate, "
        f"{len(data.test):,} to test"
    )
    if data.skipped:
        warn(f"{len(data.skipped)} pictures were left out; the first: {data.skipped[0]}")
    return data
