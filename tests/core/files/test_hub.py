"""Data sets that Hugging Face's library saved, read through it."""

import builtins
from pathlib import Path
from typing import Any

import pytest
from PIL import Image as Picture

from dlcc.core.errors import DataError
from dlcc.core.files.hub import is_data_set, tables
from dlcc.core.sentiment.config import SplitConfig
from dlcc.core.sentiment.data import load_corpus, untested_texts
from dlcc.core.survey import survey
from dlcc.core.train.recipe import rooted
from dlcc.core.vit.data import load_images

pytestmark = pytest.mark.filterwarnings("ignore")
SPLIT = SplitConfig(validation_share=0.3)


def rows(part: str, count: int) -> dict[str, list[Any]]:
    return {
        "text": [f"{part} film {n}" for n in range(count)],
        "label": [n % 2 for n in range(count)],
    }


def saved(folder: Path) -> Path:
    datasets = pytest.importorskip("datasets")
    features = datasets.Features(
        {"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["neg", "pos"])}
    )
    made = {
        part: datasets.Dataset.from_dict(rows(part, count), features=features)
        for part, count in (("train", 20), ("test", 4), ("odd", 2))
    }
    unlabelled = {"text": ["no label"], "label": [-1]}
    made["unsupervised"] = datasets.Dataset.from_dict(unlabelled, features=features)
    datasets.DatasetDict(made).save_to_disk(str(folder))
    return folder


def test_texts_of_a_saved_data_set(tmp_path: Path) -> None:
    said: list[str] = []
    corpus = load_corpus(saved(tmp_path / "films"), SPLIT, said.append)
    assert corpus.labels == ("neg", "pos")
    assert len(corpus.train) + len(corpus.validation) == 20
    assert [(each.text, each.label) for each in corpus.test][:2] == [
        ("test film 0", "neg"),
        ("test film 1", "pos"),
    ]
    assert [each.text for each in corpus.unlabelled] == ["no label"]
    assert any("20 rows; text = text, label = label" in line for line in said)
    assert any("the part odd is neither" in line for line in said)
    seen = survey(tmp_path / "films")
    assert seen.parts["test"] == {"neg": 2, "pos": 2}
    texts = untested_texts(tmp_path / "films")
    assert "no label" in texts
    assert not any(text.startswith("test") for text in texts)


def test_a_single_part_is_split(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    datasets.Dataset.from_dict(rows("x", 20)).save_to_disk(str(tmp_path / "one"))
    corpus = load_corpus(tmp_path / "one", SPLIT)
    assert corpus.labels == ("0", "1")
    assert len(corpus.train) + len(corpus.validation) == 20


def test_pictures_of_a_saved_data_set(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    features = datasets.Features(
        {"img": datasets.Image(), "label": datasets.ClassLabel(names=["cat", "dog"])}
    )

    def part(first: int, count: int) -> Any:
        colours = [(first + n, 50, 90) for n in range(count)]
        pictures = [Picture.new("RGB", (8, 8), colour) for colour in colours]
        labels = [n % 2 for n in range(count)]
        return datasets.Dataset.from_dict({"img": pictures, "label": labels}, features=features)

    parts = {"train": part(0, 20), "test": part(100, 6)}
    datasets.DatasetDict(parts).save_to_disk(str(tmp_path / "pets"))
    data = load_images(tmp_path / "pets", 8)
    assert data.classes == ("cat", "dog")
    assert survey(tmp_path / "pets").kind == "pictures"
    assert (len(data.train) + len(data.validation), len(data.test)) == (20, 6)
    assert sorted(data.test.pixels[:, 0, 0, 0].tolist()) == list(range(100, 106))
    with pytest.raises(DataError, match=r"no column 'label'|0 columns of pictures"):
        load_images(saved(tmp_path / "films"), 8)


def test_what_cannot_be_loaded_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert is_data_set(Path("hf:imdb"))
    assert not is_data_set(tmp_path)
    assert rooted("data", Path("hf:cifar10")) == "hf:cifar10"
    plain = builtins.__import__

    def without(name: str, *rest: Any, **more: Any) -> Any:
        if name == "datasets":
            raise ImportError(name)
        return plain(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(DataError, match=r"pip install 'dlcc.datasets.'"):
        tables(Path("hf:imdb"))


def test_a_folder_that_the_library_did_not_save_is_named(tmp_path: Path) -> None:
    pytest.importorskip("datasets")
    (tmp_path / "state.json").write_text("{}")
    with pytest.raises(DataError, match="no data set that datasets saved"):
        tables(tmp_path)
