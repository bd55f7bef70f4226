"""Traces as files: every format holds the numbers, and none asks for the network."""

import csv
import json
import re
from html import unescape
from xml.etree import ElementTree

import numpy as np
import pytest

from dlcc.cli.draw.export import FORMATS, Files, export
from dlcc.cli.draw.numbers import Chosen, traces_as_json
from dlcc.core.errors import DataError, UsageError
from dlcc.core.trace.trace import AttentionTrace

WEIGHTS = np.array([[[[0.25, 0.75], [1.0, 0.0]]]], np.float32)
SCORES = np.array([[[[1.0, 2.5], [0.5, -np.inf]]]], np.float32)


@pytest.fixture
def trace():
    return AttentionTrace(
        WEIGHTS, ("<she>", "[/b]"), ("her & him", 'a,"b"'), title="dot", scores=SCORES
    )


def test_json_holds_tokens_weights_and_scores(tmp_path, trace):
    export(tmp_path / "x.json", [trace, trace])
    found = json.loads((tmp_path / "x.json").read_text("utf-8"))
    assert found["results"] == traces_as_json([trace, trace])
    first = found["results"][0]
    assert first["query"] == ["<she>", "[/b]"]
    assert first["weights"] == WEIGHTS.tolist()
    assert first["scores"] == [[[[1.0, 2.5], [0.5, None]]]]
    assert len(found["results"]) == 2


def test_csv_has_a_line_a_cell(tmp_path, trace):
    export(tmp_path / "x.csv", [trace])
    with (tmp_path / "x.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 4
    assert rows[1] == {
        "trace": "dot",
        "layer": "layer 1",
        "head": "1",
        "query_position": "1",
        "query": "<she>",
        "key_position": "2",
        "key": 'a,"b"',
        "weight": "0.750000",
        "score": "2.500000",
    }
    assert rows[3]["score"] == ""


def test_txt_has_the_numbers_and_no_colour(tmp_path, trace):
    export(tmp_path / "x.txt", [trace])
    text = (tmp_path / "x.txt").read_text("utf-8")
    assert "\x1b" not in text
    assert re.search(r"<she> \.25 +\.75 +→ a,\"b\" 0\.75", text)


def test_a_page_is_whole_coloured_and_offline(tmp_path, trace):
    path = tmp_path / "x.html"
    export(path, [trace], numbers=True, title="Two words")
    text = path.read_text("utf-8")
    assert "http" not in text
    assert "<she>" not in text  # escaped
    assert "<title>Two words</title>" in text
    shown = unescape(re.sub(r"<[^>]+>", "", text.split("<table", 1)[1]))
    for word in ("<she>", "[/b]", ".25", ".75"):
        assert word in shown


def test_every_layer_and_head_is_exported(tmp_path):
    trace = AttentionTrace(np.full((2, 3, 1, 2), 0.5, np.float32), ("a",), ("b", "c"))
    export(tmp_path / "x.txt", [trace])
    text = (tmp_path / "x.txt").read_text("utf-8")
    assert [f"layer {n}, head {m} of 3" in text for n in (1, 2) for m in (1, 2, 3)] == [True] * 6


def test_other_endings_and_places_are_errors(tmp_path, trace):
    with pytest.raises(UsageError, match=r"x.bmp: end it in .svg, .pdf, .png, .html, .csv, .json"):
        export(tmp_path / "x.bmp", [trace])
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cannot write"):
        export(tmp_path / "file" / "x.svg", [trace])
    assert set(FORMATS) == {".svg", ".pdf", ".png", ".html", ".csv", ".json", ".txt"}


@pytest.mark.parametrize("option", ["save", "export"])
def test_nothing_is_replaced_and_no_folder_made_unasked(tmp_path, trace, option):
    there = tmp_path / "x.svg"
    there.write_text("mine")
    with pytest.raises(UsageError, match=rf"{option} .*x.svg: exists; .* --force"):
        Files(**{option: there})
    with pytest.raises(UsageError, match=rf"{option} .*: {tmp_path / 'no'} does not exist"):
        Files(**{option: tmp_path / "no" / "x.svg"})
    assert list(tmp_path.iterdir()) == [there]
    assert there.read_text() == "mine"
    Files(**{option: there}, force=True).write([trace])
    assert there.read_bytes() != b"mine"


def test_what_is_for_a_figure_needs_one(tmp_path):
    with pytest.raises(UsageError, match="add --export FILE"):
        Files(theme="slide")
    with pytest.raises(UsageError, match="theme poster: choose one of paper, slide, terminal"):
        Files(export=tmp_path / "x.svg", theme="poster")


def heads_of(count: int) -> AttentionTrace:
    weights = np.zeros((2, 3, count, count), np.float32)
    words = tuple(map(str, range(count)))
    return AttentionTrace(weights, words, words, title="many")


def test_a_text_shows_the_maps_that_are_asked_for(tmp_path):
    def titles(**chosen):
        export(tmp_path / "x.txt", [heads_of(3)], chosen=Chosen(**chosen))
        text = (tmp_path / "x.txt").read_text("utf-8")
        return re.findall(r"layer (\d), head (\d) of 3", text)

    assert len(titles()) == 6
    assert titles(layer=2) == [("2", "1"), ("2", "2"), ("2", "3")]
    assert titles(layer=2, head=3) == [("2", "3")]


def test_a_page_has_the_maps_that_are_asked_for(tmp_path):
    def shape(**chosen):
        export(tmp_path / "x.html", [heads_of(3)], chosen=Chosen(**chosen))
        found = re.findall('"shape": (.*?])', (tmp_path / "x.html").read_text())
        return json.loads(found[0])

    assert shape() == [2, 3, 3, 3]
    assert shape(layer=2) == [1, 3, 3, 3]
    assert shape(layer=2, head=3) == [1, 1, 3, 3]


def test_numbers_are_those_of_the_maps_that_are_asked_for(tmp_path):
    export(tmp_path / "x.json", [heads_of(3)], chosen=Chosen(2, 3))
    (trace,) = json.loads((tmp_path / "x.json").read_text())["results"]
    assert (trace["layers"], trace["heads"]) == (["layer 2"], [3])
    assert np.shape(trace["weights"]) == (1, 1, 3, 3)
    export(tmp_path / "x.csv", [heads_of(3)], chosen=Chosen(head=2))
    rows = list(csv.DictReader((tmp_path / "x.csv").read_text().splitlines()))
    assert {(row["layer"], row["head"]) for row in rows} == {("layer 1", "2"), ("layer 2", "2")}
    assert len(rows) == 2 * 9


def test_a_picture_is_of_a_size_that_can_be_opened(tmp_path):
    trace = heads_of(300)
    with pytest.raises(UsageError, match="540,000 cells are no picture; choose a layer"):
        export(tmp_path / "x.svg", [trace])
    assert list(tmp_path.iterdir()) == []
    export(tmp_path / "x.txt", [trace], chosen=Chosen(1, 1))
    export(tmp_path / "x.json", [trace])
    assert (tmp_path / "x.txt").stat().st_size < 10**6


def test_control_characters_leave_a_picture_valid(tmp_path):
    words = ("a\x01\x1b[2J", "\x9b\ufffe\ud800")
    export(tmp_path / "x.svg", [AttentionTrace(WEIGHTS, words, words, title="\x0c\x08")])
    ElementTree.parse(tmp_path / "x.svg")
    export(tmp_path / "x.html", [AttentionTrace(WEIGHTS, words, words, title="\x0c\x08")])
    assert not re.search("[\x00-\x08\x1b\x7f-\x9f]", (tmp_path / "x.html").read_text("utf-8"))
    export(tmp_path / "x.json", [AttentionTrace(WEIGHTS, words, words)])
    export(tmp_path / "x.csv", [AttentionTrace(WEIGHTS, words, words)])
