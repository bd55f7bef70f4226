"""`dlcc vit eval`: how good a classifier is on labelled pictures."""

from pathlib import Path
from typing import Annotated

import typer

from dlcc.cli.options import Checkpoint, ClassesAt, Device, Json, Limit, Part, Seed, Worst

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
    limit: Limit = None,
    tta: Annotated[
        bool, typer.Option("--tta", help="Average over ten views of each picture.")
    ] = False,
    worst: Worst = 6,
    seed: Seed = 0,
    json_output: Json = False,
    device: Device = "auto",
) -> None:
    """Score a classifier on labelled pictures.

    Examples:
        dlcc vit eval --data cifar-10-images.tar.gz
        dlcc vit eval --checkpoint runs/cifar --tta --worst 12
    """
    from dlcc.cli import console
    from dlcc.cli.console import by_model, counting, print_results, warn
    from dlcc.cli.draw.scores import print_scores, print_worst_pictures, scores_as_json
    from dlcc.core.train.runtime import drawn
    from dlcc.core.vit.data import read_pictures
    from dlcc.core.vit.score import pictures_to_score, score_pictures, split_of
    from dlcc.core.vit.source import PictureSource

    classifier = PictureSource(checkpoint, device, "torch").classifier
    side = classifier.config.image_size
    found = read_pictures(data, side, *split_of(classifier.about), console, classes_at=classes_at)
    chosen, pictures = pictures_to_score(classifier, found, part)
    if chosen.remark:
        warn(chosen.remark)
    pictures = pictures.part(drawn(len(pictures), limit, seed))
    with counting("pictures") as progress:
        scores = score_pictures(classifier, pictures, worst, tta, progress, chosen.calibrates)
    if json_output:
        values = {"part": chosen.name, "tta": tta, **scores_as_json(scores)}
        print_results([values], by_model(classifier))
        return
    print_scores(scores, "pictures", chosen.name + ", ten views each" * tta)
    print_worst_pictures(scores.worst, pictures)
