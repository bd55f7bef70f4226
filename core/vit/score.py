"""How good a picture classifier is, and on which pictures that is measured."""

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch

from dlcc.core.errors import DataError
from dlcc.core.progress import Progress
from dlcc.core.train.classify import Scores, score
from dlcc.core.train.parts import Part, part_to_score
from dlcc.core.vit.classifier import PictureClassifier
from dlcc.core.vit.images import ImageData, ImageSet


def split_of(about: Mapping[str, Any]) -> tuple[float, int]:
    """The validation share and the seed by which a model's own data are split."""
    return about.get("data", {}).get("validation_share", 0.1), about.get("seed", 0)


def pictures_to_score(
    classifier: PictureClassifier, data: ImageData, asked: str | None
) -> tuple[Part, ImageSet]:
    """The pictures of a part, with labels that are the classifier's.

    Args:
        data: split by `split_of` what the classifier says of itself.

    Raises:
        DataError: a class that the classifier does not know, and as of `part_to_score`.
        UsageError: as of `part_to_score`.
    """
    sets = {"train": data.train, "validation": data.validation, "test": data.test}
    present = [name for name, pictures in sets.items() if len(pictures)]
    own = classifier.about.get("data", {}).get("split_hash") == data.split_hash
    part = part_to_score(asked, own, present, data.named)
    strange = sorted(set(data.classes) - set(classifier.classes))
    if strange:
        known = ", ".join(classifier.classes[:20])
        raise DataError(
            f"the class {strange[0]} is unknown to the model, which tells apart {known}"
        )
    pictures = data.everything() if part.name == "all" else sets[part.name]
    numbers = torch.tensor([classifier.classes.index(name) for name in data.classes])
    return part, replace(pictures, labels=numbers[pictures.labels])


def score_pictures(
    classifier: PictureClassifier,
    pictures: ImageSet,
    worst: int = 6,
    tta: bool = False,
    progress: Progress | None = None,
    fitted: bool = False,
) -> Scores:
    """Classify labelled pictures and compare.

    Args:
        pictures: labels are places in the classifier's classes.
        worst: how many mistakes to keep.
        tta: average over ten views of each picture.
        fitted: whether the classifier's temperature was fitted to them.

    Raises:
        DataError: no pictures.
    """
    if not len(pictures):
        raise DataError("no pictures to score: the data have no such part")
    begun = time.perf_counter()
    logits = classifier.logits(pictures.pixels, tta, progress)
    return score(
        logits,
        pictures.labels,
        classifier.classes,
        classifier.temperature,
        fitted=fitted,
        names=pictures.names,
        worst=worst,
        seconds=time.perf_counter() - begun,
    )
