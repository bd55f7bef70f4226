"""The translate commands on a toy language that a small model learns in a moment."""

import itertools
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from typer.testing import CliRunner

from dlcc.cli.options import command_of
from dlcc.core.trace.trace import load_traces

ENGLISH = "a dog cat bird sees hears likes the"
SPANISH = "un perro gato ave ve oye quiere el"
SMALL = "--vocab-size 60 --embed-dim 16 --hidden-dim 32 --encoder-layers 1 --dropout 0".split()


def _toy(path: Path) -> Path:
    """All of "The dog sees a cat.", word by word the same in the other language."""
    words = dict(zip(ENGLISH.split(), SPANISH.split(), strict=True))
    nouns, verbs = ("dog", "cat", "bird"), ("sees", "hears", "likes")
    lines = []
    for parts in itertools.product(["the"], nouns, verbs, ["a", "the"], nouns):
        target = " ".join(words[word] for word in parts)
        lines.append(f"{' '.join(parts).capitalize()}.\t{target.capitalize()}.")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    """Threads wait for each other at every small step, for long when the machine is busy."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Holds toy.tsv and two trained runs, one with attention and one without."""
    from dlcc.cli.app import app

    folder = tmp_path_factory.mktemp("toy")
    data = _toy(folder / "toy.tsv")
    for name, epochs in (("with", 40), ("without", 2)):
        more = ["--run", folder / name, "--epochs", epochs, *SMALL]
        more += ["--minutes", 0, "--learning-rate", 0.02, "--batch-tokens", 200]
        more += ["--no-attention"] if name == "without" else []
        arguments = ["translate", "train", "--data", data, *more]
        result = CliRunner().invoke(app, [str(argument) for argument in arguments])
        assert result.exit_code == 0, result.stderr
        assert result.stdout.strip() == str(folder / name / "best")
    return folder


@pytest.fixture
def say(folder: Path, run_dlcc: Callable) -> Callable:
    return lambda *args, **more: run_dlcc(
        "translate", *args, "--checkpoint", folder / "with", **more
    )


def test_translates_words_and_quoted_text(say: Callable) -> None:
    assert say("The dog sees a cat.").stdout == "El perro ve un gato.\n"
    assert say("The", "dog", "sees", "a", "cat.").stdout == "El perro ve un gato.\n"
    assert say("The dog sees a cat.", "--beam", "3").stdout == "El perro ve un gato.\n"


def test_a_command_after_two_dashes_is_text(folder: Path, run_dlcc: Callable) -> None:
    result = run_dlcc("translate", "--checkpoint", folder / "with", "--", "train")
    assert result.exit_code == 0
    assert "not in the training data: train" in result.stderr


def test_a_long_line_has_parts(say: Callable) -> None:
    line = "The dog sees a cat. The cat hears the bird. The dog sees a cat."
    found = json.loads(say(line, "--json").stdout)["results"][0]
    assert [part["source"] for part in found["parts"]] == line.replace(". ", ".|").split("|")
    assert all(part["attention"] for part in found["parts"])


def test_lines_from_a_file_or_stdin_keep_their_order(say: Callable, tmp_path: Path) -> None:
    lines = "The dog sees a cat.\n\nThe cat hears the bird.\n中文\n"
    wanted = "El perro ve un gato.\n\nEl gato oye el ave.\n\n"
    (tmp_path / "a.txt").write_text(lines, encoding="utf-8")
    for result in (say("--file", tmp_path / "a.txt"), say("-", input=lines), say(input=lines)):
        assert result.stdout == wanted
        assert "1 empty line kept empty" in result.stderr
        assert "line 4: no character of it was in the training data" in result.stderr


def test_what_was_cut_off_is_gone_on_with(say: Callable, tmp_path: Path) -> None:
    lines, answers = tmp_path / "a.txt", tmp_path / "answers"
    sentences = ["The dog sees a cat.", "", "The cat hears the bird.", "The bird"]
    lines.write_text("\n".join(sentences * 5))
    for form in ((), ("--json", "--n-best", "2")):
        whole = say("--file", lines, *form).stdout.encode()
        assert whole.count(b"\n") == 20
        for left in (0, len(whole) // 2, len(whole)):
            answers.write_bytes(whole[:left])
            result = say("--file", lines, *form, "--resume-output", answers)
            assert (result.exit_code, result.stdout) == (0, "")
            if form:
                pairs = zip(answers.read_bytes().splitlines(), whole.splitlines(), strict=True)
                found = [[json.loads(line)["translation"] for line in pair] for pair in pairs]
                assert all(one == other for one, other in found)
            else:
                assert answers.read_bytes() == whole
    assert say("a", "--n-best", "2", "--resume-output", answers).exit_code == 2


WHEN = ["", "today", "at the station last night", "in 1999", "when it rained", "twice"]


def test_of_many_lines_with_a_problem_the_first_are_named(say: Callable, tmp_path: Path) -> None:
    file = tmp_path / "strange.txt"
    file.write_text("日本\n" * 5 + "The dog sees a cat.\n" + "日本\n" * 1002, encoding="utf-8")
    warned = [line for line in say("--file", file).stderr.splitlines() if "warning" in line]
    assert warned[:-1] == [
        f"warning: line {number}: no character of it was in the training data"
        for number in range(1, 6)
    ]
    assert warned[-1] == "warning: 1,002 further lines have a problem: --json says which"


def test_a_line_is_translated_alike_in_any_company(run_dlcc: Callable) -> None:
    subjects, things = ["I", "She", "They", "Tom", "Our teacher"], ["a book", "it", "two old dogs"]
    lines = [f"{who} saw {what} {when}." for who in subjects for what in things for when in WHEN]
    together = run_dlcc("translate", "-q", input="\n".join(lines)).stdout.splitlines()
    assert len(set(together)) > 0.8 * len(lines)
    for some in (lines[:1], lines[20:27], lines[40:72]):
        found = run_dlcc("translate", "-q", input="\n".join(some)).stdout.splitlines()
        assert found == [together[lines.index(line)] for line in some]
    backwards = run_dlcc("translate", "-q", input="\n".join(lines[::-1])).stdout.splitlines()
    assert backwards[::-1] == together


def test_unknown_words_are_named_on_stderr(say: Callable) -> None:
    result = say("The wolf sees a dog.")
    assert "not in the training data: wolf" in result.stderr
    assert "the longest trained on had" in result.stderr
    assert "wolf" not in result.stdout
    assert say("The dog sees a cat", "-q").stderr == ""


def test_json_holds_tokens_scores_alternatives_and_weights(say: Callable) -> None:
    result = say("The dog sees a cat.", "--json", "--n-best", "2")
    found = json.loads(result.stdout)["results"][0]
    assert found["translation"] == "El perro ve un gato."
    assert found["score"] == found["n_best"][0]["score"] > found["n_best"][1]["score"]
    assert "".join(found["tokens"]).replace("▁", " ").strip() == "el perro ve un gato."
    assert len(found["alternatives"]) == len(found["attention"]) == len(found["tokens"]) + 1
    assert len(found["attention"][0]) == len(found["source_tokens"])


def test_n_best_lists_scores(say: Callable) -> None:
    lines = say("The dog sees a cat.", "--n-best", "3").stdout.splitlines()
    assert len(lines) == 3
    scores = [float(line.split("\t")[0]) for line in lines]
    assert scores == sorted(scores, reverse=True)
    two = "The dog sees a cat in the house. The dog sees a cat in the house."
    assert len(say(two, "--n-best", "3").stdout.splitlines()) == 3


def test_the_alignment_is_drawn_by_words_and_saved_by_tokens(
    say: Callable, folder: Path, tmp_path: Path
) -> None:
    drawn = say("The dog sees a cat.", "--attention", "--numbers").stdout
    assert "The dog sees a cat . " in " ".join(drawn.split()) + " "
    assert "perro" in drawn
    result = say(
        "The dog sees a cat.", "--save", tmp_path / "a.trace", "--export", tmp_path / "a.csv"
    )
    assert result.stdout == "El perro ve un gato.\n"
    trace = load_traces(tmp_path / "a.trace")[0]
    assert trace.kind == "translate"
    again = f"dlcc translate 'The dog sees a cat.' --checkpoint {folder / 'with'}"
    assert command_of(trace.made_by) == again
    assert "perro" in (tmp_path / "a.csv").read_text()


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["text", "--beam", "0"], 2, "--beam 0"),
        (["text", "--n-best", "0"], 2, "--n-best 0"),
        (["text", "--length-penalty", "-1"], 2, "--length-penalty -1.0"),
        (["text", "--palette", "pink"], 2, "--palette pink"),
        (["text", "--file", "x"], 2, "not both"),
        (["--file", "/nowhere/x"], 3, "cannot read /nowhere/x"),
        (["中文", "--attention"], 3, "nothing was translated"),
    ],
)
def test_what_cannot_be_done_is_one_line(
    say: Callable, arguments: list[str], code: int, message: str
) -> None:
    result = say(*arguments)
    assert result.exit_code == code
    assert message in result.stderr.splitlines()[-1]


def test_of_an_endless_line_the_beginning_is_read(say: Callable) -> None:
    result = say("dog " * 5_000)
    assert result.exit_code == 0
    assert "only its first" in result.stderr
    assert "translate it in parts" in result.stderr


def test_nothing_to_translate_is_said(say: Callable, tmp_path: Path) -> None:
    assert "stdin is empty" in say(input="").stderr
    (tmp_path / "a.txt").write_text("")
    assert say("--file", tmp_path / "a.txt").exit_code == 2


def test_bytes_of_an_argument_that_are_no_utf8_are_unknown_letters(say: Callable) -> None:
    assert say("The dog\udce9 sees a cat.").exit_code == 0


def test_input_that_is_not_utf8_is_refused(say: Callable) -> None:
    result = say("-", input=b"fine\n\xff\xfe\n")
    assert (result.exit_code, result.stdout) == (3, "")
    assert "stdin, line 2 is not UTF-8" in result.stderr


def test_a_flipped_byte_in_a_checkpoint_is_refused(
    folder: Path, run_dlcc: Callable, tmp_path: Path
) -> None:
    for name in ("model.safetensors", "tokenizer.json", "words.json"):
        copy = tmp_path / name.partition(".")[0]
        copy.mkdir()
        for file in (folder / "with" / "best").iterdir():
            data = bytearray(file.read_bytes())
            if file.name == name:
                data[len(data) // 2] ^= 1
            (copy / file.name).write_bytes(data)
        result = run_dlcc("translate", "text", "--checkpoint", copy)
        assert (result.exit_code, result.stdout) == (3, "")
        assert f"{name} is damaged: its checksum differs" in result.stderr


def test_a_model_without_attention_translates_and_has_no_picture(
    folder: Path, run_dlcc: Callable
) -> None:
    plain = run_dlcc("translate", "The dog sees a cat.", "--checkpoint", folder / "without")
    assert plain.exit_code == 0
    result = run_dlcc("translate", "The dog.", "--checkpoint", folder / "without", "--attention")
    assert result.exit_code == 2
    assert "no attention" in result.stderr


def test_eval_scores_the_part_kept_from_training(folder: Path, run_dlcc: Callable) -> None:
    common = ("--data", folder / "toy.tsv", "--checkpoint", folder / "with")
    (found,) = json.loads(run_dlcc("translate", "eval", *common, "--json").stdout)["results"]
    assert (found["count"], found["beam"], found["length_penalty"]) == (5, 5, 1.4)
    assert found["bleu"] > 80
    assert found["by_length"][0]["count"] == 5
    assert "tok:13a" in found["bleu_signature"]
    table = run_dlcc("translate", "eval", *common, "--baseline", folder / "without").stdout
    assert "difference" in table
    assert "nrefs:1|case:mixed" in table
    some = run_dlcc("translate", "eval", *common, "--limit", 2, "--json")
    assert json.loads(some.stdout)["results"][0]["count"] == 2


def test_eval_refuses_data_of_another_split(
    folder: Path, run_dlcc: Callable, tmp_path: Path
) -> None:
    lines = (folder / "toy.tsv").read_text().splitlines()
    (tmp_path / "other.tsv").write_text("\n".join(lines[10:]))
    common = (
        "translate",
        "eval",
        "--data",
        tmp_path / "other.tsv",
        "--checkpoint",
        folder / "with",
    )
    refused = run_dlcc(*common, "--part", "test")
    assert refused.exit_code == 3
    assert "another split" in refused.stderr
    for whole in ([], ["--part", "all"]):
        result = run_dlcc(*common, *whole, "--json")
        assert result.exit_code == 0
        assert json.loads(result.stdout)["results"][0]["count"] == len(lines) - 10
        assert "another split: all of them are scored" in " ".join(result.stderr.split())


def test_compare_shows_sentences_that_differ(
    folder: Path, run_dlcc: Callable, tmp_path: Path
) -> None:
    common = ("translate", "compare", folder / "with", folder / "without")
    result = run_dlcc(*common, "--data", folder / "toy.tsv", "--examples", "2", "--json")
    found = json.loads(result.stdout)
    attention, without = found["results"]
    assert attention["bleu"] > without["bleu"]
    assert len(found["examples"]) == 2
    assert all(e["with"] != e["without"] for e in found["examples"])
    assert "parameters" in result.stderr
    assert (attention["senses"], without["senses"]) == ([], [])
    third = tmp_path / "third"
    third.symlink_to(folder / "with")
    three = run_dlcc(*common, third, "--data", folder / "toy.tsv", "--examples", "0")
    assert all(name in three.stdout.splitlines()[0] for name in ("with", "without", "third"))
    assert run_dlcc(*common, folder / "with").exit_code == 2


def test_compare_says_how_often_the_sense_is_the_reference_s(
    folder: Path, run_dlcc: Callable, tmp_path: Path
) -> None:
    (tmp_path / "a.tsv").write_text("The dog is a cat.\tEl perro es un gato.\n" * 2)
    common = ("translate", "compare", folder / "with", folder / "without")
    data = ("--data", tmp_path / "a.tsv", "--part", "all")
    found = json.loads(run_dlcc(*common, *data, "--json").stdout)["results"][0]["senses"]
    be, every = found
    assert (be["word"], be["total"], be["right"]) == ("be", 1, 0)
    assert every["interval"][0] == pytest.approx(0)
    assert "(0–79)" in run_dlcc(*common, *data).stdout


def test_alignments_are_measured(folder: Path, run_dlcc: Callable, tmp_path: Path) -> None:
    file = tmp_path / "a.tsv"
    file.write_text("The dog sees a cat.\tEl perro ve un gato.\t0-0 1-1 2-2 3-3 4-4\n")
    arguments = ("translate", "alignments", file, "--checkpoint", folder / "with")
    (found,) = json.loads(run_dlcc(*arguments, "--json").stdout)["results"]
    assert (found["pairs"], found["links"], found["diagonal"]) == (1, 5, 0.0)
    assert found["single"][1] == 5
    assert found["phrases"] == [0, 0]
    assert "the diagonal" in run_dlcc(*arguments).stdout


def test_training_says_what_it_did_and_keeps_it(folder: Path) -> None:
    lines = (folder / "with" / "metrics.jsonl").read_text().splitlines()
    assert len(lines) == 40
    assert {"epoch", "step", "seconds", "train_loss", "bleu"} <= json.loads(lines[-1]).keys()
    config = json.loads((folder / "with" / "best" / "config.json").read_text())
    command = config["about"]["command"]
    assert command.startswith("dlcc translate train --data toy.tsv --epochs 40 --vocab-size 60")
    assert config["about"]["data"]["test"] == 5
    assert len(config["about"]["data"]["test_hash"]) == 64
    assert str(folder) not in json.dumps(config)
    assert (folder / "with" / "traces" / "epoch-040.trace").exists()
    assert not (folder / "without" / "traces").exists()


def test_a_run_started_from_another_learns_to_copy(folder: Path, run_dlcc: Callable) -> None:
    data = folder / "numbers.tsv"
    more = [f"The dog sees {n}.\tEl perro ve {n}.\n" for n in range(1000, 1060)]
    data.write_text((folder / "toy.tsv").read_text("utf-8") + "".join(more), encoding="utf-8")
    train = ["translate", "train", "--data", data, "--from", folder / "with"]
    train += ["--run", folder / "copies", "--minutes", 0]
    wrong = run_dlcc(*train, "--embed-dim", 32)
    assert wrong.exit_code == 2
    assert "has 16" in wrong.stderr
    fast = ["--epochs", 25, "--learning-rate", 0.02, "--batch-tokens", 200, "--dropout", 0]
    begun = run_dlcc(*train, *fast)
    assert "its vocabulary and sizes" in begun.stderr
    shown = run_dlcc("translate", "The dog sees 3.5.", "--checkpoint", folder / "copies", "--json")
    assert json.loads(shown.stdout)["results"][0]["copied"] == ["3.5"]
    assert json.loads(shown.stdout)["results"][0]["translation"] == "El perro ve 3.5."
    assert "copied: 3.5" in shown.stderr


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"one column\n", "has one column"),
        (b"\n", "no sentence pair"),
        (b"a\tb\nc\t\xff\n", "line 2 is not UTF-8"),
        (b"a\tb\n", "cannot be split"),
    ],
)
def test_bad_data_leaves_nothing_behind(
    run_dlcc: Callable, tmp_path: Path, data: bytes, message: str
) -> None:
    (tmp_path / "a.tsv").write_bytes(data)
    run = tmp_path / "run"
    result = run_dlcc("translate", "train", "--data", tmp_path / "a.tsv", "--run", run)
    assert result.exit_code == 3
    assert message in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert not run.exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--preset", "worst"], "--preset worst"),
        (["--resume"], "--resume needs --run"),
        (["--attention", "hard"], "--attention hard"),
        (["--vocabulary", "letters"], "--vocabulary letters"),
        (["--epochs", "0"], "--epochs 0"),
        (["--teacher-forcing", "2"], "--teacher-forcing 2"),
        (["--freeze-embeddings"], "--freeze-embeddings: needs word vectors"),
        (["--embeddings", "bundled", "--embed-dim", "60"], "vectors of width 50"),
    ],
)
def test_impossible_options_are_refused(
    run_dlcc: Callable, folder: Path, arguments: list[str], message: str
) -> None:
    result = run_dlcc("translate", "train", "--data", folder / "toy.tsv", *arguments)
    assert result.exit_code == 2
    assert message in result.stderr


def test_a_run_is_not_begun_twice_nor_resumed_as_another(folder: Path, run_dlcc: Callable) -> None:
    common = ("translate", "train", "--data", folder / "toy.tsv", "--run", folder / "without")
    again = run_dlcc(*common, *SMALL, "--no-attention")
    assert again.exit_code == 2
    assert f"--run {folder / 'without'}: holds a training: resume it" in again.stderr
    other = run_dlcc(*common, *SMALL, "--no-attention", "--hidden-dim", "34", "--resume")
    assert other.exit_code == 2
    assert "the run has" in other.stderr  # which option, and what it was


def test_no_network_says_what_to_give(run_dlcc: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dlcc.core.translate.data._URL", "http://127.0.0.1:1/{name}")
    result = run_dlcc("translate", "train", "--target-lang", "fra")
    assert result.exit_code == 3
    assert "fra-eng.zip" in result.stderr
    assert "give data of your own" in result.stderr
    result = run_dlcc("translate", "train", "--source-lang", "spa", "--target-lang", "fra")
    assert result.exit_code == 2


def _start(data: Path, run: Path, *more: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "dlcc.cli", "translate", "train", "--data", str(data)]
    options = ["--run", str(run), "--epochs", "6", "--minutes", "0", *SMALL, *more]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.Popen([*command, *options], env=environment, text=True, stdout=-1, stderr=-1)


def test_killed_and_resumed_gives_the_same_weights(tmp_path: Path) -> None:
    data = _toy(tmp_path / "toy.tsv")
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    with _start(data, whole) as other, _start(data, cut) as process:
        second = cut / "traces" / "epoch-002.trace"
        while not second.exists() and process.poll() is None:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert process.returncode == -signal.SIGKILL, "it ended before it was killed"
        with _start(data, cut, "--resume") as resumed:
            _, narration = resumed.communicate()
        assert resumed.returncode == 0, narration
        assert "going on from step" in narration
        other.communicate()
    for part in ("last", "best"):
        one, two = (load_file(run / part / "model.safetensors") for run in (whole, cut))
        assert all(torch.equal(one[name], two[name]) for name in one)
    lines = [(run / "metrics.jsonl").read_text().splitlines() for run in (whole, cut)]
    assert [json.loads(line)["bleu"] for line in lines[0]] == [
        json.loads(line)["bleu"] for line in lines[1]
    ]


def test_ctrl_c_leaves_a_resumable_state(tmp_path: Path) -> None:
    data, run = _toy(tmp_path / "toy.tsv"), tmp_path / "run"
    with _start(data, run) as process:
        while not (run / "last" / "config.json").exists() and process.poll() is None:
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        _, narration = process.communicate()
    assert process.returncode == 130
    assert f"stopped; go on with: dlcc resume {run}\n" in narration
    assert "Traceback" not in narration
    assert (run / "last" / "training_state.safetensors").exists()


def test_heads_are_switched_off_in_turn(run_dlcc):
    given = ("translate", "I bought a book.", "--ablate", "heads")
    (result,) = json.loads(run_dlcc(*given, "--json").stdout)["results"]
    head, *others = result["heads"]
    assert len(others) == 11
    assert all(abs(head["change"]) >= abs(each["change"]) > 0 for each in others)
    assert result["changed"] == "log probability"
    lines = run_dlcc(*given).stdout.splitlines()
    assert lines[0] == "I bought a book."
    named = f"{head['layer']}.{head['head']}"
    assert lines[2].split()[:3] == ["head", named, f"{head['change']:+.4f}"]
    assert head["answer"] in lines[2]
