"""Data of every kind are told for what they are."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dlcc.core.errors import DataError, UsageError
from dlcc.core.survey import lines_of_survey, survey


def test_a_table_with_labels(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    rows = [("A good film", "pos"), ("A bad one", "neg "), ("A good film", "pos"), ("", "neg")]
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([("review", "sentiment"), *rows])
    found = survey(path)
    assert (found.kind, found.count, found.duplicates) == ("labelled texts", 4, 1)
    assert found.parts == {"train": {"neg": 2, "pos": 2}}
    assert found.lengths == {"words": (0, 3, 3)}
    assert found.notes[0] == "text = review, label = sentiment; split at commas, UTF-8"
    assert found.problems == ["1 of them are empty"]
    assert next(lines_of_survey(found)) == "labelled texts: 4"


def test_folders_of_texts_and_of_pictures(tmp_path: Path) -> None:
    for part in ("Train", "val"):
        for label in ("a", "b"):
            (tmp_path / "t" / part / label).mkdir(parents=True)
            (tmp_path / "p" / part / label).mkdir(parents=True)
            for n in range(2):
                (tmp_path / "t" / part / label / f"{n}.txt").write_text(f"{part} {label} {n}")
                color = (n * 90, ord(label), len(part))
                Image.new("RGB", (8, 6), color).save(tmp_path / "p" / part / label / f"{n}.png")
    counts = {"train": {"a": 2, "b": 2}, "validation": {"a": 2, "b": 2}}
    for folder, kind in (("t", "labelled texts"), ("p", "pictures")):
        found = survey(tmp_path / folder)
        assert (found.kind, found.count, found.parts) == (kind, 8, counts)
        assert not found.problems
    assert found.lengths == {"pixels of the shorter side": (6, 6, 6)}
    (tmp_path / "p/Train/a/2.png").write_bytes(b"no picture")
    assert "passed over: 1 damaged" in survey(tmp_path / "p").notes


def test_pairs_and_vectors(tmp_path: Path) -> None:
    pairs = tmp_path / "a.tsv"
    pairs.write_text("".join(f"{n}\tI see {n} cats.\t9\tVeo {n} gatos.\n" for n in range(5)))
    found = survey(pairs)
    assert (found.kind, found.count) == ("pairs", 5)
    assert found.examples[0] == "I see 0 cats. → Veo 0 gatos."
    assert set(found.lengths) == {"words of the source", "words of the target"}
    vectors = tmp_path / "a.txt"
    vectors.write_text("the 1 2 3 4\ncat 1 2 3 5\n")
    found = survey(vectors)
    assert (found.kind, found.count, found.notes) == ("word vectors", 2, ["4 numbers a word"])
    np.save(tmp_path / "b.npy", np.zeros((1, 2)))
    (tmp_path / "b.vocab").write_text("one\n")
    assert survey(tmp_path / "b.npy").examples == ["one"]


def test_lines_are_texts(tmp_path: Path) -> None:
    path = tmp_path / "lines.txt"
    path.write_text("One line.\nAnd another, longer.\nOne line.\n")
    found = survey(path)
    assert (found.kind, found.count, found.duplicates) == ("texts", 3, 1)


def test_what_is_no_data_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file or folder"):
        survey(tmp_path / "none")
    (tmp_path / "run").mkdir()
    (tmp_path / "run/config.json").write_text("{}")
    with pytest.raises(UsageError, match="is a model or a run, no data"):
        survey(tmp_path / "run")


def test_the_command_prints_it_and_its_numbers(run_dlcc: Callable, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("text,label\nfine,1\nbad,0\n")
    result = run_dlcc("data", path)
    assert result.exit_code == 0
    assert result.stdout.startswith("labelled texts: 2\n  train: 2 (0 1, 1 1)\n")
    (values,) = json.loads(run_dlcc("data", path, "--json").stdout)["results"]
    assert values["parts"] == {"train": {"0": 1, "1": 1}}
    assert run_dlcc("data", tmp_path / "none").exit_code == 3
