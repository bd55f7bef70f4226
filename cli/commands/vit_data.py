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
    from dlcc.cli.commands.train import narrator
    from dlcc.core.vit.data import read_pictures

    return read_pictures(path, size, validation, seed, narrator())
