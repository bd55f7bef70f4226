"""Which part of labelled data tells how good a model is.

A split is known again by its hash. What a model was trained on is scored only when it is asked for
by name.
"""

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from dlcc.core.errors import DataError, UsageError
from dlcc.core.settings import one_of

PARTS = ("test", "validation", "train", "all")
T = TypeVar("T")


@dataclass(frozen=True)
class Part:
    """What is scored."""

    name: str
    """One of `PARTS`."""
    remark: str = ""
    """What whoever reads the scores should know of it."""
    own: bool = False
    """Whether it is of the split that the model was trained with."""

    @property
    def calibrates(self) -> bool:
        """Whether the model's temperature was fitted to it."""
        return self.own and self.name == "validation"


def part_to_score(
    asked: str | None, own: bool, present: Collection[str], named: Collection[str]
) -> Part:
    """The part that is scored.

    Data that are split as in the model's training give their test part; where there is none, the
    validation part. Of other data it is not known what the model has seen: they give the test part
    that they name themselves, else all there is.

    Args:
        asked: one of `PARTS`, or None for the most telling one that there is.
        own: whether the data are split as those that the model was trained on.
        present: the parts that the split has.
        named: those of test and validation that the data name themselves.

    Raises:
        UsageError: no such part, or one that holds what was trained on without saying so.
        DataError: the data have no such part, or the model may have been trained on it.
    """
    check_part(asked)
    if own:
        return _own(asked, present)
    name = asked or ("test" if "test" in named else "all")
    if name not in (*named, "all"):
        raise DataError(
            "these data give another split than the model was trained on, so it may have seen the "
            f"{name} part: give the data it was trained on, or take all where it has seen none"
        )
    what = "all of them are" if name == "all" else f"the {name} part that they name is"
    return Part(
        name,
        f"the model was trained on other data or another split: {what} scored, known to it or not",
    )


def check_part(asked: str | None) -> None:
    """Raise UsageError unless `asked` is one of `PARTS` or None."""
    if asked is not None:
        one_of(PARTS).ask(asked, "part")


def train_hash(examples: Iterable[str | bytes | tuple[int, Iterable[memoryview]]]) -> str:
    """By which a run that is gone on with knows again what it is trained on.

    Args:
        examples: texts or bytes; of many bytes how many, and these one piece after another.
    """
    digest = hashlib.sha256()
    for each in examples:
        data = each.encode(errors="surrogatepass") if isinstance(each, str) else each
        length, pieces = (len(data), (data,)) if isinstance(data, bytes) else data
        digest.update(length.to_bytes(8))
        for piece in pieces:
            digest.update(piece)
    return digest.hexdigest()[:16]


def check_same_data(run: Path, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Compare the hashes of what a run is trained and scored on, as far as both are known.

    Args:
        run: its folder.
        before: what its checkpoint says of how it was made.
        now: what is said of the training that is to go on with it.

    Raises:
        DataError: the data are others, or split otherwise.
    """
    data, here = (about.get("data") for about in (before, now))
    if not isinstance(data, dict) or not isinstance(here, dict):
        return
    hashes = [name for name in data.keys() & here.keys() if name.endswith("_hash")]
    if any(data[name] != here[name] for name in hashes):
        called = f" ({data['file']})" if data.get("file") else ""
        raise DataError(
            f"{run} learns from other data, or they are split otherwise: resume with the data it "
            f"began with, called as they were{called}"
        )


def _own(asked: str | None, present: Collection[str]) -> Part:
    if asked == "all":
        raise UsageError(
            "it holds what the model was trained on: choose test, validation or train",
            "part",
            asked,
        )
    name = asked or ("test" if "test" in present else "validation")
    if name not in present:
        raise DataError(f"the data have no {name} part: choose one of {', '.join(present)}")
    if name == "train":
        return Part(name, "these are what the model was trained on", own=True)
    if asked is None and name == "validation":
        return Part(name, "the data have no test part: the validation part is scored", own=True)
    return Part(name, own=True)


def alike(chosen: Sequence[tuple[Part, Sequence[T]]]) -> tuple[Part, Sequence[T]]:
    """What several models are scored on: the same for each.

    Raises:
        DataError: what one of them may be scored on is not what another may.
    """
    part, examples = chosen[0]
    if any(other != examples for _, other in chosen):
        raise DataError(
            "the models were not trained on the same split: give data that none of them has seen"
        )
    return part, examples
