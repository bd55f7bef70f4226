"""`dlcc vit eval`: how good a classifier is on labelled pictures."""

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from dlcc.cli.commands.vit_data import Data
from dlcc.cli.options import Checkpoint, Debug, Device, Json, Quiet

if TYPE_CHECKING:
    from dlcc.core.vit.classifier import PictureClassifier
    from dlcc.core.vit.data import ImageSet

_PARTS = ("test", "validation")


def evaluate(
    data: Data = None,
    checkpoint: Checkpoint = None,
    part: Annotated[
        str, typer.Option(help="test, or validation as it was split in training.", metavar="PART")
    ] = "test",
    tta: Annotated[
        bool, typer.Option("--tta", help="Average over ten views of each picture.")
    ] = False,
    worst: Annotated[int, typer.Option(help="Mistakes to show.", min=0, metavar="N")] = 6,
    json_output: Json = False,
    device: Device = "auto",
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Score a classifier on labelled pictures."""
    from dlcc.cli.progress import counting
    from dlcc.core.errors import UsageError
    from dlcc.core.vit.score import score
    from dlcc.core.vit.source import PictureSource

    if part not in _PARTS:
        raise UsageError(f"--part {part}: choose one of {', '.join(_PARTS)}")
    answers = PictureSource(checkpoint, device).classifier
    pictures = labelled(answers, data, part)
    done = 0
    with counting("pictures", len(pictures)) as count:

        def add(more: int) -> None:
            nonlocal done
            done += more
            count(done)

        result = score(answers, pictures, worst, tta, add)
    if json_output:
        print(json.dumps({"part": part, "tta": tta, **asdict(result)}, ensure_ascii=False))
        return
    from dlcc.cli.draw.vit_tables import print_scores

    print_scores(result, answers, pictures, part, tta)


def labelled(answers: "PictureClassifier", data: "Data", part: str) -> "ImageSet":
    """The pictures of a part, with labels that are the classifier's.

    Raises:
        DataError: a class that the classifier does not know.
    """
    from dataclasses import replace

    import torch

    from dlcc.cli.commands.vit_data import load_data
    from dlcc.cli.console import warn
    from dlcc.core.errors import DataError

    made = answers.about.get("data", {})
    share, seed = made.get("validation_share", 0.1), answers.about.get("seed", 0)
    found = load_data(data, answers.model.config.image_size, share, seed)
    strange = sorted(set(found.classes) - set(answers.classes))
    if strange:
        known = ", ".join(answers.classes[:20])
        raise DataError(
            f"the class {strange[0]} is unknown to the model, which tells apart {known}"
        )
    if made.get("split_hash") not in (None, found.split_hash):
        warn(
            "these are not the pictures that the model was trained on, or they are split otherwise"
        )
    pictures = found.test if part == "test" else found.validation
    numbers = torch.tensor([answers.classes.index(name) for name in found.classes])
    return replace(pictures, labels=numbers[pictures.labels])
