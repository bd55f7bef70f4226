"""`dlcc vit eval`: how good a classifier is on labelled pictures."""

from pathlib import Path
from typing import Annotated

import typer

from dlcc.cli.options import Checkpoint, ClassesAt, Device, Json, Part, Worst

Data = Annotated[
    Path | None,
    typer.Option(
        "--data",
        help="A folder, .zip or .tar.gz of CLASS/NAME.jpg or .png, also in train/ and test/, or "
        "CIFAR-10's or CIFAR-100's official archive. Left out, CIFAR-10 is downloaded.",
        metavar="PATH",
    ),
]


def evaluate(
    data: Data = None,
    classes_at: ClassesAt = None,
    checkpoint: Checkpoint = None,
    part: Part = None,
    tta: Annotated[
        bool, typer.Option("--tta", help="Average over ten views of each picture.")
    ] = False,
    worst: Worst = 6,
    json_output: Json = False,
    device: Device = "auto",
) -> None:
    """Score a classifier on labelled pictures."""
    from dlcc.cli import console
    from dlcc.cli.console import counting, print_json, warn
    from dlcc.cli.draw.scores import print_scores, print_worst_pictures, scores_as_json
    from dlcc.core.vit.data import read_pictures
    from dlcc.core.vit.score import pictures_to_score, score_pictures, split_of
    from dlcc.core.vit.source import PictureSource

    classifier = PictureSource(checkpoint, device, "torch").classifier
    side = classifier.config.image_size
    found = read_pictures(data, side, *split_of(classifier.about), console, classes_at=classes_at)
    chosen, pictures = pictures_to_score(classifier, found, part)
    if chosen.remark:
        warn(chosen.remark)
    with counting("pictures") as progress:
        scores = score_pictures(classifier, pictures, worst, tta, progress, chosen.calibrates)
    if json_output:
        values = scores_as_json(scores, "pictures")
        print_json({"part": chosen.name, "tta": tta, **values})
        return
    print_scores(scores, "pictures", chosen.name + ", ten views each" * tta)
    print_worst_pictures(scores.worst, pictures)
