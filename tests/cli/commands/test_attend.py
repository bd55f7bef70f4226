"""`dlcc attend` as a user meets it: pictures, JSON, explanations, files, errors."""

import json
import os
import shlex
import subprocess
import sys

import numpy as np
import pytest

from dlcc.core.trace.trace import load_traces


def traces_of(result):
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)["results"]


def test_alone_it_shows_the_books_pair(run_dlcc):
    result = run_dlcc("attend")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0] == "scaled dot-product"
    assert lines[2].split() == "A student asked the teacher to help her improve".split()
    looks = {line.split()[0]: line.split("→ ")[1] for line in lines[3:]}
    assert looks["she"] == "her 0.44"
    assert looks["teacher"].startswith("teacher ")
    assert looks["student"].startswith("student ")
    assert result.stderr == ""
    assert "\x1b" not in result.stdout


def test_json_holds_the_same(run_dlcc):
    (trace,) = traces_of(run_dlcc("attend", "--json"))
    weights = np.array(trace["weights"])[0, 0]
    assert weights[trace["query"].index("she"), trace["key"].index("her")] >= 0.40
    assert weights.sum(-1) == pytest.approx(1, abs=1e-4)
    scores = np.array(trace["scores"])[0, 0]
    softmax = np.exp(scores) / np.exp(scores).sum(-1, keepdims=True)
    assert weights == pytest.approx(softmax, abs=1e-4)
    assert trace["made_by"]["command"].startswith("dlcc attend ")


@pytest.mark.parametrize(
    ("options", "own"),
    [
        (["--no-scale"], ["--no-scale"]),
        (["--heads", "5", "--temperature", "0.5"], ["--temperature 0.5", "--heads 5"]),
    ],
)
def test_every_command_in_a_trace_gives_it_again(run_dlcc, options, own):
    made = traces_of(run_dlcc("attend", "a dog", "-m", "all", *options, "--json"))
    assert len(made) == 4
    for trace in made:
        again = shlex.split(trace["made_by"]["command"])[1:]
        (same,) = traces_of(run_dlcc(*again, "--json"))
        assert same["weights"] == trace["weights"]
    commands = " ".join(trace["made_by"]["command"] for trace in made)
    assert all(option in commands for option in own)


@pytest.mark.parametrize("command", [["attend"], ["translate", "Hi."], ["sentiment", "Good"]])
def test_json_and_the_viewer_are_one_or_the_other(run_dlcc, command):
    result = run_dlcc(*command, "--json", "--tui")
    assert result.exit_code == 2
    assert "--json and --tui: give one of them" in result.stderr


def test_json_of_the_chapters_pair_says_what_made_it(run_dlcc):
    (trace,) = traces_of(run_dlcc("attend", "--json"))
    assert trace["made_by"]["embeddings"] == "glove-6b-50d.safetensors"


def test_one_sentence_attends_to_itself_and_stdin_is_a_sentence(run_dlcc):
    (trace,) = traces_of(run_dlcc("attend", "a cat", "--json"))
    assert trace["query"] == trace["key"] == ["a", "cat"]
    (piped,) = traces_of(run_dlcc("attend", "-", "--json", input="a cat\n"))
    assert piped["weights"] == trace["weights"]


def test_several_mechanisms(run_dlcc):
    result = run_dlcc("attend", "a cat", "-m", "dot,additive", "-m", "multihead", "--json")
    assert [t["title"] for t in traces_of(result)] == [
        "scaled dot-product",
        "additive, untrained",
        "multi-head, untrained",
    ]
    assert "additive, multihead: untrained" in result.stderr
    assert "--load relations" in result.stderr
    assert run_dlcc("attend", "a cat", "-m", "all", "-q").stderr == ""
    shown = run_dlcc("attend", "a cat", "-m", "dot,additive").stdout.splitlines()
    assert "scaled dot-product" in shown[0]
    assert "additive" in shown[0]


def test_options_change_the_weights(run_dlcc):
    def weights(*options):
        (trace,) = traces_of(run_dlcc("attend", "one two three", "--json", "-q", *options))
        return np.array(trace["weights"])[0]

    plain = weights()
    assert weights("--mask", "causal")[0, 0].tolist() == [1, 0, 0]
    assert weights("--temperature", 9)[0].max() < plain[0].max()
    assert weights("--no-scale")[0].max() > plain[0].max()
    multihead = weights("-m", "multihead", "--heads", 5)
    assert len(multihead) == 5
    assert not np.allclose(multihead, weights("-m", "multihead", "--heads", 5, "--seed", 1))


def test_a_trained_attention_is_loaded_by_name(run_dlcc):
    result = run_dlcc("attend", "she visited france", "paris her", "--load", "relations", "--json")
    traces = traces_of(result)
    assert [trace["title"] for trace in traces] == ["trainable dot-product", "additive"]
    assert result.stderr == ""
    for trace in traces:
        weights = np.array(trace["weights"])[0, 0]
        assert weights[0, 1] > 0.9
        assert weights[2, 0] > 0.9
        assert trace["made_by"]["trained"] == "relations"


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ([""], 2, "a sentence without a word: ''"),
        (["a", " \n"], 2, "a sentence without a word"),
        (["-m", "magic"], 2, "--mechanism magic: choose one of dot, trainable"),
        (["--heads", "3"], 2, "--heads 3: only with --mechanism multihead"),
        (["-m", "multihead", "--heads", "3"], 2, "--heads 3: vectors of width 50 split into 1, 2"),
        (["--temperature", "0"], 2, "--temperature 0.0"),
        (["--mask", "x"], 2, "--mask x"),
        (["--palette", "signed"], 2, "--palette signed: choose one of viridis, cividis, grey"),
        (["-m", "additive", "--no-scale"], 2, "--no-scale"),
        (["--explain", "she:him"], 2, "--explain she:him: give QUERY:KEY"),
        (["--explain", "99:1"], 2, "--explain 99:1"),
        (["--export", "x.bmp"], 2, "--export x.bmp: end it in .svg"),
        (["--load", "nowhere"], 3, "--load nowhere: there is no such file"),
        (["--load", "relations", "-m", "multihead"], 3, "it holds trainable, additive, no multi"),
        (["--embeddings", "nowhere.txt"], 3, "--embeddings nowhere.txt: there is no such file"),
    ],
)
def test_errors_are_one_line_that_names_the_value(run_dlcc, arguments, code, words):
    result = run_dlcc("attend", *arguments)
    assert result.exit_code == code
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1
    assert words in result.stderr


def test_a_damaged_embeddings_file_names_the_line(run_dlcc, tmp_path):
    path = tmp_path / "v.txt"
    path.write_text("a 1 2\nb 1\n", "utf-8")
    result = run_dlcc("attend", "b", "--embeddings", path)
    assert result.exit_code == 3
    assert "v.txt, line 2: fewer than 2 numbers" in result.stderr


def test_embeddings_of_ones_own(run_dlcc, tmp_path):
    path = tmp_path / "v.txt"
    path.write_text("a 1 0\nb 0 1\nc 3 3\n", "utf-8")
    (trace,) = traces_of(run_dlcc("attend", "a b", "--embeddings", path, "--json", "-q"))
    assert np.array(trace["scores"])[0, 0] == pytest.approx(np.eye(2) / 2**0.5, abs=1e-5)
    assert trace["made_by"]["embeddings"] == "v.txt"
    wrong = run_dlcc("attend", "a b", "--embeddings", path, "--load", "relations", "-q")
    assert wrong.exit_code == 3
    assert "made for vectors of width 50, these have 2" in wrong.stderr


def test_words_without_a_vector_are_named_with_what_that_means(run_dlcc):
    result = run_dlcc("attend", "[CLS] xyzzyq cat [/b]", "--json")
    (trace,) = traces_of(result)
    assert "no vector for '[CLS]', 'xyzzyq', '[/b]' in glove" in result.stderr
    assert "its row is even" in result.stderr
    weights = np.array(trace["weights"])[0, 0]
    assert weights[0] == pytest.approx(0.25)
    assert weights[2].argmax() == 2
    many = run_dlcc("attend", " ".join(f"xyzzyq{n}" for n in range(20)), "-q")
    assert "and 12 more" in many.stderr


def test_tokens_are_data_and_emoji_have_a_width(run_dlcc):
    result = run_dlcc("attend", "[CLS] [/b] [red] 😀 我", "-q")
    assert result.exit_code == 0
    assert result.stdout.splitlines()[2].split() == ["[CLS]", "[/b]", "[red]", "😀", "我"]


def test_a_long_sentence_at_80_columns(run_dlcc, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    sentence = " ".join(["the teacher and her student walked home"] * 43)
    result = run_dlcc("attend", sentence, "-q")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert max(map(len, lines)) <= 80
    assert "keys 1 to 60 of 301" in lines
    assert sum("→" in line for line in lines) == 301


def test_explain_takes_a_cell_apart(run_dlcc):
    result = run_dlcc("attend", "--explain", "she:her")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0] == "she → her: scaled dot-product"
    assert "the sum of 50 terms" in lines[1]
    row = next(line for line in lines if line.startswith("  ▸ her"))
    assert "0.440" in row
    assert "the value of her, times 0.440" in lines[-1]
    (trace,) = traces_of(run_dlcc("attend", "--explain", "she:her", "--json"))
    (cell,) = trace["explanation"]
    assert cell["weight"] == pytest.approx(0.44, abs=0.01)
    assert sum(t["amount"] for t in cell["terms"]) == pytest.approx(cell["product"])
    assert cell["product"] * cell["scale"] == pytest.approx(cell["score"], rel=1e-4)


def test_explain_for_each_mechanism_and_each_head(run_dlcc):
    result = run_dlcc("attend", "-m", "all", "--explain", "7:8", "-q")
    headings = [line for line in result.stdout.splitlines() if line.startswith("she → her")]
    assert [heading.split(": ")[1] for heading in headings] == [
        "scaled dot-product",
        "trainable dot-product, untrained",
        "additive, untrained",
        "multi-head, untrained, head 1 of 2",
        "multi-head, untrained, head 2 of 2",
    ]
    assert "w · tanh(q + k)" in result.stdout


def test_explain_says_when_a_word_stands_twice_or_is_masked(run_dlcc):
    result = run_dlcc("attend", "the cat the", "--explain", "THE:cat", "--mask", "causal")
    assert "'THE' stands at 1, 3 of the query: the first is taken" in result.stderr
    assert "masked: this query may not look there" in result.stdout
    colon = run_dlcc("attend", "a : b", "--explain", "::b", "-q")
    assert colon.stdout.startswith(": → b")


def test_a_saved_trace_opens_as_it_was(run_dlcc, tmp_path):
    path = tmp_path / "x.trace"
    (shown,) = traces_of(run_dlcc("attend", "--save", path, "--json"))
    (saved,) = load_traces(path)
    assert np.array(shown["weights"]) == pytest.approx(saved.weights, abs=1e-6)
    assert set(saved.tensors) == {"query", "key", "value"}
    run_dlcc("attend", "-m", "dot,additive", "-q", "--save", path, "--force")
    assert [trace.mechanism for trace in load_traces(path)] == ["dot-product", "additive"]


@pytest.mark.parametrize("ending", ["svg", "pdf", "png", "html", "csv", "json", "txt"])
def test_every_export(run_dlcc, tmp_path, ending):
    path = tmp_path / f"x.{ending}"
    result = run_dlcc("attend", "a cat", "--export", path)
    assert result.exit_code == 0
    assert "→ cat" in result.stdout
    assert ending in ("pdf", "png") or "cat" in path.read_text("utf-8")


def test_as_a_process_in_utf_8_and_without_torch(tmp_path):
    code = (
        "import sys; sys.argv = ['dlcc', 'attend', '-m', 'all', '-q']\n"
        "from dlcc.cli import main\n"
        "try: main()\n"
        "finally: print('torch' in sys.modules, 'textual' in sys.modules, file=sys.stderr)"
    )
    environment = {**os.environ, "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True
    )
    assert done.stderr == "False False\n"
    assert "multi-head" in done.stdout
