"""`dlcc sentiment`: what it prints for which text, and what it says when it cannot."""

import csv
import io
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from rich.console import Console
from sentiment_samples import codec, corpus, table, trained, trained_run

from dlcc.cli.draw.words import coloured, print_answer
from dlcc.core.errors import DataError
from dlcc.core.files.paths import asset
from dlcc.core.sentiment.codec import ReviewCodec
from dlcc.core.sentiment.explain import Explained, Explainer
from dlcc.core.sentiment.model import TextEncoder
from dlcc.core.trace.trace import load_traces

Run = Callable[..., "object"]


@pytest.fixture
def ask(run_dlcc: Callable[..., object]) -> Callable[..., object]:
    """`dlcc sentiment` with the small classifier."""

    def run(*args: object, input: str | bytes | None = None) -> object:
        return run_dlcc("sentiment", *args, "--checkpoint", trained_run(), input=input)

    return run


def test_one_text_gets_label_probability_and_telling_words(ask) -> None:  # type: ignore[no-untyped-def]
    result = ask("The film was so awful and dull.")
    verdict, text, words, what = result.stdout.splitlines()
    label, probability = verdict.split()
    assert label == "bad"
    assert 0.8 < float(probability) < 1
    assert text == "The film was so awful and dull."
    assert {word.split()[0] for word in words.split(", ")} >= {"awful", "dull"}
    assert what == "change of the log odds of bad that each word makes"
    assert result.stderr == ""


def test_several_texts_keep_their_order(ask) -> None:  # type: ignore[no-untyped-def]
    result = ask("very lovely", "so boring", "superb music")
    rows = [line.split("\t") for line in result.stdout.splitlines()]
    assert [(row[0], row[2]) for row in rows] == [
        ("good", "very lovely"),
        ("bad", "so boring"),
        ("good", "superb music"),
    ]


def test_stdin_gives_a_text_a_line_or_one_text(ask) -> None:  # type: ignore[no-untyped-def]
    lines = ask("--csv", input="very lovely film\nso boring, the end\n").stdout
    rows = list(csv.DictReader(io.StringIO(lines)))
    assert [row["label"] for row in rows] == ["good", "bad"]
    assert float(rows[0]["p_good"]) == pytest.approx(float(rows[0]["probability"]))
    assert float(rows[0]["p_good"]) + float(rows[0]["p_bad"]) == pytest.approx(1, abs=1e-3)
    whole = json.loads(ask("-", "--json", input="very lovely film\nso lovely\n").stdout)
    assert [each["text"] for each in whole["results"]] == ["very lovely film\nso lovely\n"]


def test_json_has_every_word_in_its_place(ask) -> None:  # type: ignore[no-untyped-def]
    text = "It was <b>awful</b> — so dull"
    answer = json.loads(ask(text, "--json").stdout)
    assert answer["labels"] == ["bad", "good"]
    (result,) = answer["results"]
    assert result["method"] == "occlusion"
    assert [word["word"] for word in result["words"]] == "It was awful — so dull".split()
    for word in result["words"]:
        assert text[word["start"] : word["end"]] == word["word"]
    assert sum(each["probability"] for each in result["answers"]) == pytest.approx(1)
    assert result["label"] == "bad"


def test_a_table_with_and_without_the_column(ask, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "mine.csv"
    path.write_text('id,remark\n1,very lovely\n2,"so dull, so\nboring"\n')
    lines = ask("--file", path, "--column", "remark", "--json").stdout.splitlines()
    assert [(r["label"], r["text"]) for r in map(json.loads, lines)] == [
        ("good", "very lovely"),
        ("bad", "so dull, so\nboring"),
    ]
    for args, message in ((["--column", "text"], "no column 'text'"), ([], "id, remark")):
        failed = ask("--file", path, *args)
        assert failed.exit_code == 3
        assert message in failed.stderr


def test_a_folder_and_many_texts(ask, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    for number, word in enumerate(["dull", "lovely"] * 60):
        (tmp_path / f"{number:03}.txt").write_text(f"so {word} and very {word}")
    result = ask("--file", tmp_path)
    assert [line.split("\t")[0] for line in result.stdout.splitlines()] == ["bad", "good"] * 60
    rows = list(csv.DictReader(io.StringIO(ask("--file", tmp_path, "--csv").stdout)))
    assert [row["file"] for row in rows] == [f"{number:03}.txt" for number in range(120)]
    found = ask("--file", tmp_path, "--json").stdout.splitlines()
    assert [json.loads(line)["file"] for line in found] == [row["file"] for row in rows]


@pytest.mark.parametrize("form", [[], ["--csv"], ["--json"]])
def test_what_was_cut_off_is_gone_on_with(ask, tmp_path: Path, form: list[str]) -> None:  # type: ignore[no-untyped-def]
    rows = [{"text": f"so {word},\nand very {word}"} for word in ["dull", "lovely"] * 30]
    table, answers = tmp_path / "a.jsonl", tmp_path / "answers"
    table.write_text("\n".join(map(json.dumps, rows)))
    whole = ask("--file", table, *form).stdout.encode()
    assert ask("--file", table, *form, "--resume-output", answers).stdout == ""
    assert answers.read_bytes() == whole
    for left in (len(whole) // 2, len(whole) - 1, 0):
        answers.write_bytes(whole[:left])
        result = ask("--file", table, *form, "--resume-output", answers)
        assert result.exit_code == 0
        assert answers.read_bytes() == whole
    assert ask("a", "--resume-output", answers, "--min-probability", "0.9").exit_code == 2


def test_a_text_is_answered_alike_in_any_company(ask) -> None:  # type: ignore[no-untyped-def]
    texts = [" ".join(["so", "dull", "and", "lovely"][: 1 + n % 4] * (1 + n)) for n in range(100)]
    together = ask("--explain", "none", input="\n".join(texts)).stdout.splitlines()
    assert len(together) == 100
    backwards = ask("--explain", "none", input="\n".join(texts[::-1])).stdout.splitlines()
    assert backwards[::-1] == together
    some = ask("--explain", "none", input="\n".join(texts[40:72])).stdout.splitlines()
    assert some == together[40:72]
    for number in range(0, 100, 7):
        (alone,) = csv.DictReader(
            io.StringIO(ask("--csv", texts[number], "--explain", "none").stdout)
        )
        label, share, _ = together[number].split("\t")
        assert (alone["label"], f"{float(alone['probability']):.3f}") == (label, share)


def test_the_first_answers_are_printed_before_the_rest_is_read(  # type: ignore[no-untyped-def]
    ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    def texts(*given: object) -> Iterator[str]:
        yield from ["very lovely"] * 40
        raise DataError("line 41 is damaged")

    monkeypatch.setattr("dlcc.core.sentiment.texts.read_texts", texts)
    result = ask("--file", "a.csv", "-q")
    assert result.exit_code == 3
    assert 1 < result.stdout.count("good") <= 40


def test_improbable_answers_are_left_out(ask, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    for name, text in {"a.txt": "very lovely film", "b.txt": "the", "c.txt": "so boring"}.items():
        (tmp_path / name).write_text(text)
    rows = list(csv.DictReader(io.StringIO(ask("--file", tmp_path, "--csv").stdout)))
    *_, least = sorted(float(row["probability"]) for row in rows)[:2]
    sure = ask("--file", tmp_path, "--csv", "--min-probability", least - 1e-4)
    kept = [row for row in rows if float(row["probability"]) >= least]
    assert len(kept) == 2
    assert list(csv.DictReader(io.StringIO(sure.stdout))) == kept
    assert "1 of 3 answers are less probable" in sure.stderr


def test_layer_and_head_need_a_grid(ask) -> None:  # type: ignore[no-untyped-def]
    for options in (["--layer", "1"], ["--attention", "--layer", "99"], ["--tui", "--head", "77"]):
        assert ask("fine", *options).exit_code == 2


@pytest.mark.parametrize(
    ("args", "given", "code", "message"),
    [
        ([""], None, 2, "text 1 is empty"),
        (["fine", " \n"], None, 2, "text 2 is empty"),
        ([], "", 2, "stdin is empty"),
        ([], b"caf\xe9\n", 3, "stdin, line 1 is not UTF-8 (byte 0xe9)"),
        (["x", "--file", "y"], None, 2, "give one of them"),
        (["x", "--column", "y"], None, 2, "--column y needs --file"),
        (["--file", "missing.txt"], None, 3, "missing.txt"),
        (["x", "--explain", "lime"], None, 2, "choose one of occlusion"),
        (["x", "--long", "middle"], None, 2, "--long middle"),
        (["very lovely", "--attention", "--layer", "3"], None, 2, "--layer 3: from 1 to 2"),
        (["very lovely", "--attention", "--head", "0"], None, 2, "--head 0: from 1 to 2"),
        (["x", "--export", "a.bmp"], None, 2, "a.bmp"),
        (["x", "--min-probability", "1"], None, 2, "lower --min-probability"),
    ],
)
def test_what_cannot_be_done_is_one_line(ask, args, given, code, message) -> None:  # type: ignore[no-untyped-def]
    result = ask(*args, input=given)
    assert result.exit_code == code
    assert message in result.stderr
    assert result.stderr.startswith("error: ")
    assert len(result.stderr.splitlines()) == 1
    assert result.stdout == ""


def test_without_a_model_it_says_how_to_get_one(run_dlcc, monkeypatch, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr("dlcc.core.files.paths.resources.files", lambda package: tmp_path)
    result = run_dlcc("sentiment", "fine")
    assert result.exit_code == 3
    assert "dlcc sentiment train" in result.stderr
    result = run_dlcc("sentiment", "fine", "--checkpoint", tmp_path)
    assert result.exit_code == 3
    assert "no checkpoint" in result.stderr


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("A wonderful film with great acting; I loved every minute of it.", "pos"),
        ("What a waste of time: boring, badly acted and far too long.", "neg"),
    ],
)
def test_the_bundled_model_answers(run_dlcc, text: str, label: str) -> None:  # type: ignore[no-untyped-def]
    answer = json.loads(run_dlcc("sentiment", text, "--json").stdout)["results"][0]
    assert answer["label"] == label
    assert answer["probability"] > 0.8


def test_the_bundled_model_scores_hand_written_reviews_as_its_record_says(run_dlcc) -> None:  # type: ignore[no-untyped-def]
    hand = Path(__file__).parents[2] / "data/hand_reviews.tsv"
    found = json.loads(run_dlcc("sentiment", "eval", "--data", hand, "--json", "-q").stdout)
    record = json.loads(asset("sentiment/config.json").read_text())["about"]["scores"]
    (found,) = found["results"]
    assert found["count"] == 40
    # Without bfloat16 a text in doubt may fall to the other side.
    assert found["accuracy"] == pytest.approx(record["hand_reviews"]["accuracy"], abs=0.051)


def test_one_word_html_and_emoji(ask) -> None:  # type: ignore[no-untyped-def]
    assert ask("lovely").stdout.startswith("good")
    plain = json.loads(ask("so awful, and dull", "--json").stdout)["results"][0]
    tagged = json.loads(ask("so <i>awful</i>,<br />and dull", "--json").stdout)["results"][0]
    assert tagged["probability"] == pytest.approx(plain["probability"])
    happy = ask("very lovely film 😀")
    assert happy.exit_code == 0
    assert "😀" in happy.stdout


def test_another_language_is_warned_of_even_when_quiet(ask) -> None:  # type: ignore[no-untyped-def]
    result = ask("La película fue muy mala, no me gustó nada", "-q")
    assert result.exit_code == 0
    assert "another language?" in result.stderr
    result = ask("这部电影很好看", "very lovely", "--explain", "none")
    assert "of 1 of 2 texts" in result.stderr


def test_an_empty_line_gets_no_label_and_keeps_its_place(ask) -> None:  # type: ignore[no-untyped-def]
    result = ask(input="very lovely\n\nso dull\n")
    assert [line.split("\t")[0] for line in result.stdout.splitlines()] == ["good", "-", "bad"]
    assert "1 of 3 texts hold no word" in result.stderr


def test_twenty_thousand_words_are_read_in_windows(ask) -> None:  # type: ignore[no-untyped-def]
    text = "the film was awful " * 5000
    result = ask("-", "--explain", "none", input=text)
    assert result.stdout.startswith("bad")
    assert "windows of 24: their logits are averaged" in result.stderr
    ends = ask("-", "--explain", "none", "--long", "ends", input=text)
    assert "only their ends read: 6 tokens and the last 18" in ends.stderr


@pytest.mark.parametrize("method", [None, "gradient"])
def test_a_text_is_cut_up_once_and_attended_to_once(
    ask, tmp_path: Path, monkeypatch, method
) -> None:  # type: ignore[no-untyped-def]
    calls = []
    for name in ("encode", "encode_many"):
        plain = getattr(ReviewCodec, name)
        monkeypatch.setattr(
            ReviewCodec, name, lambda *given, plain=plain: calls.append("cut up") or plain(*given)
        )
    forward = TextEncoder.forward

    def counted(self, *given, need_weights=False, **named):  # type: ignore[no-untyped-def]
        calls.extend(["attended to"] * need_weights)
        return forward(self, *given, need_weights=need_weights, **named)

    monkeypatch.setattr(TextEncoder, "forward", counted)
    options = ["--explain", method] if method else []
    assert ask("very lovely", "--save", tmp_path / "a.trace", *options).exit_code == 0
    assert calls == ["cut up", "attended to"]
    explained = {n for n in load_traces(tmp_path / "a.trace")[0].tensors if n.startswith("expl")}
    known = ("gradient", "rollout") if method else ("occlusion", "gradient", "rollout")
    assert explained == {f"explanation.{name}" for name in known}


def test_a_long_text_is_explained_the_quick_way(ask) -> None:  # type: ignore[no-untyped-def]
    text = "the film was awful " * 80
    result = json.loads(ask(text, "--json", "-q").stdout)["results"][0]
    assert result["method"] == "gradient"
    assert len(result["words"]) == 320


def test_attention_as_grid_trace_and_picture(ask, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    trace, picture = tmp_path / "a.trace", tmp_path / "a.html"
    result = ask("so awful", "--attention", "--head", "2", "--save", trace, "--export", picture)
    assert "head 2 of 2" in result.stdout
    assert "layer 2" in result.stdout
    (saved,) = load_traces(trace)
    assert saved.query[0] == "so"
    assert "explanation.occlusion" in saved.tensors
    assert "aw" in picture.read_text()  # a piece of "awful", or all of it


def test_the_coloured_text_is_exported(ask, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    figure, maps = tmp_path / "a.svg", tmp_path / "b.svg"
    label = ask("so awful", "--export", figure).stdout.split()[0]
    words = re.findall(">([^<]*)</text>", figure.read_text("utf-8"))
    assert words[0] == label
    assert {"so", "awful", "(orange:", "against)"} <= set(words)
    ask("so awful", "--attention", "--layer", "2", "--head", "2", "--export", maps)
    titles = re.findall(">(layer|head)</text>", maps.read_text("utf-8"))
    assert titles == ["layer", "head"]


def test_a_gru_answers_but_has_no_attention(run_dlcc, tmp_path) -> None:  # type: ignore[no-untyped-def]
    gru = trained_run("gru")
    assert run_dlcc("sentiment", "so awful", "--checkpoint", gru).stdout.startswith("bad")
    text = tmp_path / "a.svg"
    run_dlcc("sentiment", "so awful", "--checkpoint", gru, "--export", text)
    assert "awful" in text.read_text("utf-8")
    table = ["--export", tmp_path / "a.csv"]
    for args in (["--attention"], ["--explain", "rollout"], table):
        result = run_dlcc("sentiment", "so awful", "--checkpoint", gru, *args)
        assert result.exit_code == 2
        assert "GRU" in result.stderr


def test_words_are_coloured_by_their_contribution() -> None:
    text = "so awful [/b] film"
    tokens = codec().encode(text)
    values = Explainer(trained(), tokens, 0).contributions("occlusion")
    shown = coloured(text, Explained("occlusion", tokens, values), "truecolor")
    assert shown.plain == text
    styled = {shown.plain[span.start : span.end] for span in shown.spans}
    assert "awful" in styled
    console = Console(file=io.StringIO(), force_terminal=True, width=40, color_system="256")
    print_answer(console, trained().answer([text])[0], Explained("occlusion", tokens, values))
    printed = console.file.getvalue()
    assert "48;5;" in printed  # a background
    assert re.sub(r"\x1b\[[0-9;]*m", "", printed).splitlines()[1] == text


SIZES = "--width 16 --heads 2 --hidden 32 --layers 1 --length 24 --vocab-size 100".split()
QUICK = ["--epochs", "1", "--learning-rate", "0.01", "--seed", "1"]


def test_pretrain_then_train_then_resume_and_eval(run_dlcc, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    masked, run = tmp_path / "masked", tmp_path / "run"
    data = ["--data", table()]
    short = ["--stretch", "16", "--batch-tokens", "256"]
    result = run_dlcc("sentiment", "pretrain", *data, *SIZES, *QUICK, *short, "--run", masked)
    assert result.exit_code == 0, result.stderr
    assert result.stdout == f"{masked / 'best'}\n"
    assert "masked words of 216 texts" in result.stderr
    train = ["sentiment", "train", *data, *QUICK, "--batch-tokens", "600", "--run", run]
    result = run_dlcc(*train, "--from", masked)
    assert result.exit_code == 0
    assert "starts from masked-words checkpoint" in result.stderr
    again = run_dlcc(*train, "--from", masked)
    assert again.exit_code == 2
    assert "holds a training: resume it" in again.stderr
    assert run_dlcc(*train, "--from", masked, "--resume").exit_code == 0
    answers = tmp_path / "answers.csv"
    answers.write_text("text,label,probability\nfine,good,0.9\n")
    other = run_dlcc(*train, "--from", masked, "--resume", "--also", answers)
    assert other.exit_code == 2
    assert "--also answers.csv: the run has none" in other.stderr
    about = json.loads((run / "best/config.json").read_text())["about"]
    assert about["command"].startswith("dlcc sentiment train --data reviews.csv")
    assert " --from masked " in f"{about['command']} "
    assert " of dlcc sentiment pretrain --data reviews.csv" in about["start"]
    assert about["temperature"] > 0
    assert about["data"]["split_hash"]
    wrong = run_dlcc("sentiment", "--checkpoint", masked, "fine")
    assert wrong.exit_code == 3
    assert "masked-words model, sentiment was asked for" in wrong.stderr


def test_eval_counts_everything_once(run_dlcc) -> None:  # type: ignore[no-untyped-def]
    command = ["sentiment", "eval", "--checkpoint", trained_run(), "--data", table()]
    result = run_dlcc(*command, "--part", "validation", "--json", "-q")
    (values,) = json.loads(result.stdout)["results"]
    assert values["count"] == len(corpus().validation)
    assert values["accuracy"] > 0.9
    assert result.stderr == ""  # the same split as in training: no warning
    text = run_dlcc(*command, "--limit", "20")
    assert "no test part: the validation part is scored" in text.stderr
    assert "20 texts (validation)  accuracy" in text.stdout
    assert "true \\ given" in text.stdout
    wrong = run_dlcc(*command, "--part", "dev")
    assert wrong.exit_code == 2


def test_faithfulness_as_table_and_json(run_dlcc) -> None:  # type: ignore[no-untyped-def]
    command = [
        "sentiment",
        "eval",
        "--checkpoint",
        trained_run(),
        "--data",
        table(),
        "--faithfulness",
    ]
    values = json.loads(run_dlcc(*command, "--limit", "5", "--json", "-q").stdout)
    assert {each["method"] for each in values["results"]} == {
        "occlusion",
        "gradient",
        "rollout",
        "random",
    }
    assert values["count"] == 5
    assert "below random" in run_dlcc(*command, "--limit", "2", "-q").stdout


def test_compare_puts_the_twins_side_by_side(run_dlcc) -> None:  # type: ignore[no-untyped-def]
    runs = [trained_run(), trained_run("gru")]
    quick = ["--batch-tokens", "48", "--seconds", "0.01", "--data", table(), "-q"]
    values = json.loads(run_dlcc("sentiment", "compare", *runs, *quick, "--json").stdout)
    transformer, gru = values["results"]
    (row,) = transformer["by_length"]  # the models take 24 tokens at most
    assert (row["tokens"], row["accuracy"] > 0.9) == (24, True)
    assert gru["by_length"][0]["train_per_second"] > 0
    assert (gru["model"], gru["parameters"] > 1000) == ("gru", True)
    shown = run_dlcc("sentiment", "compare", *runs, *quick).stdout
    assert "accuracy transformer" in shown
    assert run_dlcc("sentiment", "compare", trained_run(), "-q").exit_code == 2


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        (["--preset", "worst"], 2, "--preset worst"),
        (["--model", "lstm"], 2, "--model lstm"),
        (["--heads", "7"], 2, "--heads 7"),
        (["--validation", "2"], 2, "--validation 2"),
        (["--column", "review"], 3, "no column 'review'"),
        (["--label-column", "stars"], 3, "no column 'stars'"),
        (["--also", table()], 3, "line 2: no column 'probability', there are text, label"),
        (["--also", "missing.csv"], 3, "missing.csv"),
        (["--from", "nowhere"], 3, "no checkpoint in nowhere"),
        (["--embeddings", "missing.txt"], 3, "missing.txt"),
        (["--resume"], 2, "--resume needs --run"),
        (["--epochs", "0"], 2, "--epochs 0"),
    ],
)
def test_training_that_cannot_be_is_one_line(run_dlcc, args, code, message) -> None:  # type: ignore[no-untyped-def]
    result = run_dlcc("sentiment", "train", "--data", table(), *args)
    assert result.exit_code == code
    assert message in result.stderr.splitlines()[-1]


def test_sources_are_trained_together_and_scored_apart(run_dlcc, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    more = tmp_path / "more"
    more.mkdir()
    for part, count in (("train", 40), ("validation", 12)):
        lines = table().read_text().splitlines()[: count + 1]
        (more / f"{part}.csv").write_text("\n".join(lines).replace("The", "Once the") + "\n")
    run = tmp_path / "run"
    sources = ["--data", table(), "--data", f"{more}=2.5"]
    result = run_dlcc("sentiment", "train", *sources, *SIZES, *QUICK, "--run", run)
    assert result.exit_code == 0, result.stderr
    assert "2.5 times an epoch, 12 to validate" in result.stderr
    assert "the best mean of the sources' accuracies" in result.stderr
    about = json.loads((run / "best/config.json").read_text())["about"]
    assert about["command"].startswith(
        "dlcc sentiment train --data reviews.csv --data more=2.5 --"
    ), about["command"]
    scores = about["metrics"]
    mean = (scores["accuracy_reviews"] + scores["accuracy_more"]) / 2
    assert scores["accuracy"] == pytest.approx(mean)
    assert [source["share"] for source in about["data"]["sources"]] == [1, 2.5]
    known = run_dlcc(
        "sentiment", "eval", "--checkpoint", run, "--data", more, "--part", "validation"
    )
    assert known.exit_code == 0
    assert "not the split" not in known.stderr
    result = run_dlcc("sentiment", "train", *sources[:3], f"{more}=0", "--run", tmp_path / "new")
    assert result.exit_code == 2
    assert result.stderr.endswith(f"--data {more}=0: give a share above 0\n"), result.stderr
    other = ["--data", table(), "--data", f"{more}=2", *SIZES, *QUICK, "--run", run, "--resume"]
    result = run_dlcc("sentiment", "train", *other)
    assert result.exit_code == 2
    assert result.stderr.endswith(f"--data {more}=2: the run has 2.5\n"), result.stderr


def test_a_class_without_examples(run_dlcc, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    for label, count in (("good", 3), ("bad", 3), ("mixed", 0)):
        (tmp_path / "data" / label).mkdir(parents=True)
        for number in range(count):
            (tmp_path / "data" / label / f"{number}.txt").write_text(f"{label} {number}")
    result = run_dlcc("sentiment", "train", "--data", tmp_path / "data")
    assert result.exit_code == 3
    assert "the class mixed has no examples" in result.stderr


def test_the_book_preset_can_start_from_another_run(run_dlcc, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    command = ["sentiment", "train", "--preset", "book", "--data", table(), *QUICK]
    result = run_dlcc(*command, "--from", trained_run(), "--run", tmp_path / "run")
    assert result.exit_code == 0, result.stderr
    assert run_dlcc(*command, "--validation", "0").exit_code == 2
    assert run_dlcc(*command, "--vocab-size", "0").exit_code == 2


def test_two_models_of_one_kind_are_not_compared(run_dlcc) -> None:  # type: ignore[no-untyped-def]
    result = run_dlcc("sentiment", "compare", trained_run(), trained_run(), "--data", table())
    assert result.exit_code == 2
    assert "TRANSFORMER GRU: these are transformer and transformer" in result.stderr


def test_json_stays_json_with_attention(run_dlcc) -> None:  # type: ignore[no-untyped-def]
    result = run_dlcc("sentiment", "a film", "--checkpoint", trained_run(), "--attention", "--json")
    assert json.loads(result.stdout)


def test_the_book_preset_starts_from_bundled_vectors(run_dlcc, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    sizes = "--width 24 --layers 1 --hidden 16 --length 24 --vocab-size 80".split()
    command = ["sentiment", "train", "--preset", "book", "--data", table(), *sizes, *QUICK]
    result = run_dlcc(*command, "--freeze-embeddings", "--run", tmp_path / "run")
    assert result.exit_code == 0
    assert "starts from glove-6b-50d" in result.stderr
    config = json.loads((tmp_path / "run/best/config.json").read_text())["config"]["encoder"]
    assert config["embed_dim"] == 50
    assert config["num_heads"] == 12
    assert config["frozen_embeddings"] is True
    assert config["norm_first"] is False


def test_heads_are_switched_off_in_turn(run_dlcc):
    given = ("sentiment", "A wonderful plot.", "--checkpoint", trained_run(), "--ablate", "heads")
    (result,) = json.loads(run_dlcc(*given, "--json").stdout)["results"]
    assert result["text"] == "A wonderful plot."
    assert sorted((each["layer"], each["head"]) for each in result["heads"]) == [
        (1, 1),
        (1, 2),
        (2, 1),
        (2, 2),
    ]
    lines = run_dlcc(*given).stdout.splitlines()
    first = result["heads"][0]
    assert lines[2].split() == [
        "head",
        f"{first['layer']}.{first['head']}",
        f"{first['change']:+.4f}",
        *first["answer"].split(),
    ]
    refused = run_dlcc(*given[:-1], "tails")
    assert (refused.exit_code, refused.stderr.count("\n")) == (2, 1)
