"""`dlcc attend train`: the table, its words, and the trained attention it saves."""

import json

import pytest

from dlcc.cli.draw.lessons import lessons
from dlcc.core.attend.teaching import Figures, Kind, Row


@pytest.fixture
def pairs(tmp_path):
    """Pairs of a small relation of one's own."""
    words = "cat dog car house river bank book school girl boy letter game".split()
    path = tmp_path / "plural.tsv"
    path.write_text("".join(f"{word}\t{word}s\n" for word in words), "utf-8")
    return path


def test_the_table_and_what_it_says(run_dlcc, pairs, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    result = run_dlcc("attend", "train", pairs, "--seeds", 2, "--steps", 2, "--held-out", 2)
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert max(map(len, lines)) <= 80
    text = " ".join(result.stdout.split())
    assert "12 pairs, 2 of them held out, 12 keys; mean over 2 seeds" in text
    assert [line.split()[0] for line in lines if line.startswith(("dot", "trainable "))] == [
        *("dot-product", "trainable", "trainable"),
        *("dot-product", "trainable", "trainable"),
    ]
    assert "fixed embeddings" in text
    assert "learned embeddings" in text
    assert "With fixed embeddings, trainable attention from a similarity start finds" in text


def test_json_holds_every_figure_and_flags_choose_the_rows(run_dlcc, pairs):
    options = ("--seeds", 1, "--steps", 2, "--held-out", 2, "--json", "-q")
    frozen = json.loads(run_dlcc("attend", "train", pairs, "--freeze-embeddings", *options).stdout)
    assert {row["embeddings"] for row in frozen["results"]} == {"fixed"}
    assert len(frozen["results"]) == 6
    learned = run_dlcc("attend", "train", pairs, "--learn-embeddings", *options)
    rows = json.loads(learned.stdout)["results"]
    assert [(row["name"], row["embeddings"]) for row in rows[:3]] == [
        ("dot-product", "fixed"),
        ("cosine × 10", "fixed"),
        ("dot-product", "learned"),
    ]
    assert learned.stderr == ""
    plain = frozen["results"][0]
    assert plain["before_accuracy"] == plain["after_accuracy"]
    assert len(frozen["held_out"]) == 2


def test_fewer_held_out_pairs_than_asked_for_are_named(run_dlcc, pairs):
    options = ("attend", "train", pairs, "--seeds", 1, "--steps", 1, "--freeze-embeddings")
    result = run_dlcc(*options, "--held-out", 500)
    assert result.exit_code == 0
    assert "--held-out 500: 2 of the 12 pairs are held out" in " ".join(result.stderr.split())
    assert "held out" not in run_dlcc(*options, "--held-out", 2).stderr


def test_what_it_saves_dlcc_attend_loads(run_dlcc, pairs, tmp_path):
    path = tmp_path / "own.safetensors"
    options = ("--seeds", 1, "--freeze-embeddings", "--save", path, "-q")
    assert run_dlcc("attend", "train", pairs, *options).exit_code == 0
    result = run_dlcc("attend", "cat river", "cats rivers", "--load", path, "--json")
    trace = json.loads(result.stdout)["results"][0]
    assert trace["title"] == "trainable dot-product"
    assert trace["weights"][0][0][0][0] > 0.9
    assert trace["weights"][0][0][1][1] > 0.9


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["planets"], 3, "relation planets: No such file"),
        (["--seeds", "0"], 2, "--seeds 0: at least 1"),
        (["--learn-embeddings", "--save", "x"], 2, "--save: learned key vectors"),
        (["--save", "no/such/x"], 2, "--save no/such/x: no/such does not exist"),
    ],
)
def test_errors(run_dlcc, arguments, code, words):
    result = run_dlcc("attend", "train", *arguments)
    assert result.exit_code == code
    assert words in result.stderr


def row(name, embeddings, start, before, after, training):
    def figures(value):
        return (Figures(value, value),)

    return Row(Kind(name, embeddings, start), figures(before), figures(after), figures(training))


def test_the_words_follow_the_figures():
    plain, cosine = ("dot-product", "fixed", ""), ("cosine × 10", "fixed", "")
    base = (row(*plain, 0.5, 0.5, 0.5), row(*cosine, 0.7, 0.7, 0.7))
    taught = ("trainable", "fixed", "similarity")
    (good,) = lessons((*base, row(*taught, 0.7, 0.9, 1.0)))
    assert "finds 90% of the held-out partners (70% before training)" in good
    assert "carries over to words they never saw" in good
    assert "comparing the words as they are" in lessons((*base, row(*taught, 0.2, 0.6, 1.0)))[0]
    assert "nothing that carries over" in lessons((*base, row(*taught, 0.9, 0.8, 1.0)))[0]


def test_the_words_on_learned_vectors_and_on_the_start():
    base = (
        row("dot-product", "fixed", "", 0.5, 0.5, 0.5),
        row("cosine × 10", "fixed", "", 0.7, 0.7, 0.7),
        row("trainable", "fixed", "random", 0.0, 0.4, 1.0),
        row("trainable", "fixed", "similarity", 0.7, 0.9, 1.0),
    )
    learned = row("dot-product", "learned", "", 0.5, 0.0, 1.0)
    memory = row("trainable", "learned", "random", 0.0, 0.1, 1.0)
    _, start, memorised, cost = lessons((*base, learned, memory))
    assert "From a random start it finds 40% of them" in start
    assert "decides what carries over" in start
    assert "100% of the training partners and 0% of the held-out ones (50% before)" in memorised
    assert "leaves the held-out ones where they were" in memorised
    assert "trainable from a random start 40% → 10%" in cost
    harmless = row("dot-product", "learned", "", 0.5, 0.5, 1.0)
    assert "cost the held-out words nothing" in lessons((*base, harmless))[2]


def test_a_run_that_was_killed_goes_on_to_the_same_result(run_dlcc, pairs, tmp_path, monkeypatch):
    from dlcc.core.attend import teaching

    options = (pairs, "--seeds", 2, "--steps", 3, "--held-out", 2)
    whole, run = run_dlcc("attend", "train", *options, "--json"), tmp_path / "run"
    real, left = teaching._run, iter([True] * 5)

    def dies(*arguments):
        if not next(left, False):
            raise KeyboardInterrupt
        return real(*arguments)

    monkeypatch.setattr(teaching, "_run", dies)
    stopped = run_dlcc("attend", "train", *options, "--run", run)
    assert stopped.exit_code == 130
    assert f"stopped; go on with: dlcc resume {run}" in stopped.stderr
    assert len((run / "trainings.jsonl").read_text().splitlines()) == 5
    (listed,) = json.loads(run_dlcc("runs", "--json").stdout)["results"]
    assert (listed["kind"], listed["state"]) == ("attend", "stopped")
    left = iter([True] * 100)
    again = run_dlcc("resume", run, "--json")
    assert again.exit_code == 0, again.stderr
    assert json.loads(again.stdout)["results"] == json.loads(whole.stdout)["results"]
    (listed,) = json.loads(run_dlcc("runs", "--json").stdout)["results"]
    assert (listed["state"], listed["metric"]) == ("done", "held_out_accuracy")
    assert "best held out accuracy" in run_dlcc("runs", "show", run).stdout
    shown = run_dlcc("attend", "a b", "c d", "--load", run, "--mechanism", "trainable", "--json")
    assert shown.exit_code == 0, shown.stderr


def test_a_run_is_gone_on_with_as_it_was_begun(run_dlcc, pairs, tmp_path):
    options, run = ("--seeds", 1, "--steps", 2, "--held-out", 2), tmp_path / "run"
    assert run_dlcc("attend", "train", pairs, *options, "--run", run).exit_code == 0
    for command, message in (
        (("attend", "train", pairs, "--run", run), "holds a training: dlcc resume"),
        (("resume", run, "--steps", 3), "--steps 3: the run has 2"),
        (("resume", run, "--learn-embeddings"), "--freeze-embeddings"),
        (("attend", "train", "--resume"), "--resume needs --run"),
        (("attend", "train", "--run", tmp_path / "none", "--resume"), "is no run"),
    ):
        result = run_dlcc(*command)
        assert (result.exit_code in (2, 3), message in result.stderr) == (True, True), result.stderr
        assert len(result.stderr.splitlines()) == 1
    pairs.write_text(pairs.read_text().replace("\n", "\n# another\n", 1))
    assert run_dlcc("resume", run).exit_code == 0  # the same pairs
    lines = pairs.read_text().splitlines()
    pairs.write_text("\n".join(lines[2:]))
    other = run_dlcc("resume", run)
    assert (other.exit_code, "learns from other pairs" in other.stderr) == (3, True)
    pairs.write_text("\n".join(lines))
    for figures in ("[[1, 1]]", "[[NaN, 1], [1, 1], [1, 1]]", "[[1, 1, 1], [1, 1], [1, 1]]"):
        line = f'{{"training": "dot-product", "figures": {figures}}}'
        (run / "trainings.jsonl").write_text(line)
        damaged = run_dlcc("attend", "train", "--run", run, "--resume")
        assert (damaged.exit_code, "trainings.jsonl is damaged" in damaged.stderr) == (3, True)
    record = json.loads((run / "run.json").read_text())
    for name, value in (("embeddings", 3), ("rows", ["x"]), ("relations", 1), ("steps", "many")):
        odd = record | {"values": record["values"] | {name: value}}
        (run / "run.json").write_text(json.dumps(odd))
        damaged = run_dlcc("resume", run)
        assert (damaged.exit_code, "run.json is damaged" in damaged.stderr) == (3, True)
    for name in ("command", "started"):
        lacking = {key: value for key, value in record.items() if key != name}
        (run / "run.json").write_text(json.dumps(lacking))
        assert "run.json is damaged" in run_dlcc("resume", run).stderr
    del record["values"]["embeddings"]
    (run / "run.json").write_text(json.dumps(record))
    assert "run.json is damaged" in run_dlcc("resume", run).stderr
