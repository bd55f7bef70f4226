"""What a model was trained on is scored only when it is asked for by name, whatever the family."""

import csv
import itertools
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from sentiment_samples import corpus, rows, table, trained
from vision_samples import classifier, image_data, write_pictures

from dlcc.core.errors import DataError, UsageError
from dlcc.core.sentiment.config import SplitConfig
from dlcc.core.sentiment.score import texts_to_score
from dlcc.core.train.parts import part_to_score
from dlcc.core.translate.data import read_pairs, split_pairs
from dlcc.core.translate.score import sentences_to_score
from dlcc.core.vit.data import load_images
from dlcc.core.vit.score import pictures_to_score

ALL = ("train", "validation", "test")


@pytest.mark.parametrize(
    ("asked", "present", "part", "remark"),
    [
        (None, ALL, "test", ""),
        (None, ALL[:2], "validation", "no test part"),
        ("validation", ALL, "validation", ""),
        ("validation", ALL[:2], "validation", ""),
        ("train", ALL, "train", "what the model was trained on"),
    ],
)
def test_of_its_own_data_a_model_is_scored_on_what_was_kept_from_it(
    asked: str | None, present: tuple[str, ...], part: str, remark: str
) -> None:
    found = part_to_score(asked, True, present, named=())
    assert found.name == part
    assert found.calibrates == (part == "validation")
    assert (remark in found.remark) if remark else not found.remark


@pytest.mark.parametrize(
    ("asked", "named", "part"),
    [
        (None, (), "all"),
        (None, ("test",), "test"),
        (None, ("validation",), "all"),
        ("validation", ("validation",), "validation"),
        ("all", ("test",), "all"),
    ],
)
def test_of_other_data_what_they_name_or_all_is_scored_and_it_is_said(
    asked: str | None, named: tuple[str, ...], part: str
) -> None:
    found = part_to_score(asked, False, ALL, named)
    assert found.name == part
    assert "trained on other data or another split" in found.remark
    assert not found.calibrates


@pytest.mark.parametrize(
    ("asked", "own", "present", "error", "message"),
    [
        ("all", True, ALL, UsageError, "holds what the model was trained on"),
        ("test", True, ALL[:2], DataError, "no test part: choose one of train, validation"),
        ("test", False, ALL, DataError, "another split"),
        ("train", False, ALL, DataError, "may have seen the train part"),
        ("dev", True, ALL, UsageError, "part dev: choose one of test, validation, train, all"),
        ("dev", False, ALL, UsageError, "part dev"),
    ],
)
def test_what_is_not_scored(
    asked: str, own: bool, present: tuple[str, ...], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        part_to_score(asked, own, present, named=())


def texts(path: Path, asked: str | None = None, *abouts: Any) -> tuple[str, list[str]]:
    found = texts_to_score(path, SplitConfig(), asked, abouts or [trained().about])
    return found[0].name, [review.text for review in found[1]]


def write(path: Path, lines: list[tuple[str, str]]) -> Path:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([("text", "label"), *lines])
    return path


def test_texts_that_were_trained_on_are_not_scored_unasked(tmp_path: Path) -> None:
    kept, learned = ([r.text for r in part] for part in (corpus().validation, corpus().train))
    assert texts(table()) == texts(table(), "validation") == ("validation", kept)
    assert texts(table(), "train") == ("train", learned)
    with pytest.raises(UsageError, match="part all"):
        texts(table(), "all")
    about = {"data": {**trained().about["data"], "file": table().name}}
    renamed = shutil.copy(table(), tmp_path / "other.csv")
    assert texts(renamed, None, about) == ("validation", kept)
    mixed = {"data": {"validation_share": 0.2, "sources": [{"split_hash": corpus().split_hash}]}}
    assert texts(table(), None, mixed) == ("validation", kept)


def test_other_texts_are_scored_whole_even_too_few_to_train_on(tmp_path: Path) -> None:
    changed = write(tmp_path / "reviews.csv", rows()[3:])
    assert texts(changed) == texts(changed, "all") == ("all", [text for text, _ in rows()[3:]])
    with pytest.raises(DataError, match="another split"):
        texts(changed, "test")
    assert texts(write(tmp_path / "one.csv", [("fine", "good")])) == ("all", ["fine"])


def test_a_test_part_that_texts_name_is_scored(tmp_path: Path) -> None:
    for part, (text, label) in zip(("train", "train", "test"), rows(), strict=False):
        folder = tmp_path / part / label
        folder.mkdir(parents=True)
        (folder / "a.txt").write_text(text)
    assert texts(tmp_path) == ("test", [rows()[2][0]])


def test_models_are_compared_on_what_is_new_to_both() -> None:
    own = trained().about
    other = {"data": {**own["data"], "split_hash": "another"}}
    assert texts(table(), None, own, own)[0] == "validation"
    assert texts(table(), None, other, other)[0] == "all"
    with pytest.raises(DataError, match="not trained on the same split"):
        texts(table(), None, own, other)


def test_sentences_that_were_trained_on_are_not_scored_unasked(tmp_path: Path) -> None:
    words = itertools.product("abcde", "fghij", "kl")
    path = tmp_path / "pairs.tsv"
    path.write_text("".join(f"{' '.join(each)}\t{' '.join(each[::-1])}\n" for each in words))
    sentences = read_pairs(path)
    split = split_pairs(sentences, 3)
    own = {"seed": 3, "data": {"test_hash": split.test_hash}}

    def found(asked: str | None, *abouts: Any) -> tuple[str, tuple[Any, ...]]:
        part, chosen = sentences_to_score(path, asked, abouts)
        return part.name, tuple(chosen)

    assert found(None, own) == found("test", own) == ("test", split.test)
    assert found("validation", own) == ("validation", split.validation)
    assert found("train", own) == ("train", split.train)
    with pytest.raises(UsageError, match="part all"):
        found("all", own)
    other = {"data": {"test_hash": "another"}}
    assert found(None, other) == found("all", {}) == ("all", tuple(sentences))
    with pytest.raises(DataError, match="another split"):
        found("test", other)
    with pytest.raises(DataError, match="not trained on the same split"):
        found(None, own, other)
    with pytest.raises(DataError, match="opposite directions"):
        found(None, own, {"reverse": True})
    path.write_text("a b\tc d\n")
    assert found(None, other)[0] == "all"


def test_pictures_that_were_trained_on_are_not_scored_unasked() -> None:
    model, data = classifier(), image_data()

    def found(asked: str | None, known: str = data.split_hash, **changes: Any) -> tuple[str, int]:
        model.about = {"data": {"split_hash": known}}
        part, pictures = pictures_to_score(model, replace(data, **changes), asked)
        return part.name, len(pictures)

    assert found(None) == found("test") == ("test", len(data.test))
    assert found("validation") == ("validation", len(data.validation))
    assert found("train") == ("train", len(data.train))
    nothing = data.test.part(torch.arange(0))
    assert found(None, test=nothing) == ("validation", len(data.validation))
    with pytest.raises(UsageError, match="part all"):
        found("all")
    whole = len(data.train) + len(data.validation) + len(data.test)
    assert found(None, "another") == found("all", "another") == ("all", whole)
    assert found(None, "another", named=("test",)) == ("test", len(data.test))
    with pytest.raises(DataError, match="another split"):
        found("test", "another")


@pytest.mark.parametrize(
    ("parts", "named"),
    [
        (("train",), ()),
        (("train", "test"), ("test",)),
        (("train", "val"), ("test",)),
        (("train", "val", "test"), ("test", "validation")),
    ],
)
def test_pictures_know_which_parts_their_folders_name(
    parts: tuple[str, ...], named: tuple[str, ...], tmp_path: Path
) -> None:
    assert load_images(write_pictures(tmp_path, 3, parts), 8).named == named
