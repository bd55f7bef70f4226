import csv
import json
from pathlib import Path

import pytest
from viewing import text_trace

from dlcc.core.files.paths import asset
from dlcc.core.trace.trace import load_traces, save_traces


def test_a_saved_trace_is_measured_and_sorted(run_dlcc, tmp_path):
    save_traces(tmp_path / "x.trace", [text_trace()])
    result = run_dlcc("heads", tmp_path / "x.trace", "--sort", "entropy", "--csv")
    rows = list(csv.DictReader(result.stdout.splitlines()))
    assert list(rows[0]) == ["map", "entropy", "diagonal", "previous", "next", "special"]
    entropies = [float(row["entropy"]) for row in rows]
    assert entropies == sorted(entropies)
    assert sorted(row["map"] for row in rows) == [f"1.{n}.{m}" for n in (1, 2) for m in (1, 2, 3)]


def test_the_best_head_is_what_view_shows(run_dlcc, tmp_path):
    save_traces(tmp_path / "x.trace", [text_trace()])
    pair = ("--pair", "her:student", "--sort", "pair", "--limit", 1, "--json")
    (head,) = json.loads(run_dlcc("heads", tmp_path / "x.trace", *pair).stdout)["results"]
    (trace,) = load_traces(tmp_path / "x.trace")
    weight = trace.weights[:, :, 5, 2:4].sum(-1)
    assert head["pair"] == pytest.approx(weight.max(), abs=1e-6)
    assert weight[head["layer"] - 1, head["head"] - 1] == weight.max()
    assert (
        f"head {head['head']} of 3"
        in run_dlcc("view", tmp_path / "x.trace", "--map", head["map"]).stdout
    )


def test_several_mechanisms_are_told_apart(run_dlcc):
    result = run_dlcc("heads", asset("demos") / "chapter-sentences-four-mechanisms.trace")
    heading, *rows = result.stdout.splitlines()
    assert heading.split() == ["map", "of", "entropy"]
    assert "4.1.2" in rows[-1]
    assert "multi-head" in rows[-1]


def test_a_source_is_averaged_over_texts(run_dlcc, tmp_path):
    (tmp_path / "texts.txt").write_text("the cat sat\n\nthe dog\n")
    options = ("--pair", "dog:the", "--json")
    result = run_dlcc("heads", "attend", "--file", tmp_path / "texts.txt", *options)
    both = json.loads(result.stdout)
    assert both["texts"] == 2
    alone = [
        json.loads(run_dlcc("heads", "attend", text, "--json").stdout)["results"]
        for text in ("the cat sat", "the dog")
    ]
    assert len(both["results"]) == len(alone[0]) > 3
    for mean, one, two in zip(both["results"], *alone, strict=True):
        assert mean["entropy"] == pytest.approx((one["entropy"] + two["entropy"]) / 2, abs=1e-5)
    assert both["results"][0]["pair"] is not None


def test_a_text_that_cannot_be_read_is_told_and_left_out(run_dlcc):
    result = run_dlcc("heads", "attend", "the cat", "")
    assert result.exit_code == 0
    assert "text 2: " in result.stderr


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        (("nothing-there",), 3, "no trace, source or model"),
        (("attend",), 2, "give TEXT, or --file"),
        (("attend", "a cat", "--sort", "pair"), 2, "--sort pair: name one by --pair"),
        (("attend", "a cat", "--sort", "size"), 2, "--sort size: choose one of entropy"),
        (("attend", "a cat", "--sort", "special"), 2, "no head here has one"),
        (("attend", "a cat", "--pair", "a:dog"), 2, "--pair a:dog"),
        (("attend", "a cat", "--checkpoint", "x"), 2, "attend has none"),
        (("attend", "a cat", "--file", "x"), 2, "not both"),
        (("X.trace", "a cat"), 2, "is a saved trace"),
    ],
)
def test_what_cannot_be_done_is_one_line(run_dlcc, tmp_path, monkeypatch, args, code, message):
    monkeypatch.chdir(tmp_path)
    save_traces(Path("X.trace"), [text_trace()])
    result = run_dlcc("heads", *args)
    assert result.exit_code == code
    assert message in result.stderr
    assert result.stderr.count("\n") == 1
