"""`dlcc runs`: what is there, how good it is, and what differs."""

import json
import os
import re
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import pytest
from sentiment_samples import write_csv

from dlcc.core.files.paths import runs_dir
from dlcc.core.train import runs
from dlcc.core.train.checkpoint import load_checkpoint
from dlcc.core.train.metrics import add_line, read_metrics, read_steps

Run = Callable[..., Any]
SIZES = "--layers 1 --heads 2 --hidden 16 --width 8 --length 32 --vocab-size 80".split()


@cache
def trained() -> Path:
    """Two runs in one folder: a of 2 epochs, b of 3 at another rate."""
    from dlcc.cli.app import app

    folder = Path(mkdtemp())
    texts = write_csv(folder / "texts.csv")
    common = ("sentiment", "train", "--data", texts, *SIZES, "--batch-tokens", 600, "--quiet")
    for name, *options in (("a", "--epochs", 2), ("b", "--epochs", 3, "--learning-rate", 0.01)):
        with pytest.raises(SystemExit, match="0"):
            app([str(each) for each in (*common, *options, "--run", folder / name)])
    return folder


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in whose `runs` has a and b."""
    shutil.copytree(trained(), tmp_path / "runs")
    shutil.rmtree(runs_dir(), ignore_errors=True)  # that knows of those in the other folder
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_list_says_what_is_there_in_80_columns(
    run_dlcc: Run, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    shown = run_dlcc("runs").stdout.splitlines()
    assert all(len(line) <= 80 for line in shown)
    assert shown[0].split() == "run kind data epochs best (valid.) min date size state".split()
    rows = {line.split()[0]: line for line in shown[1:]}
    assert set(rows) == {"runs/a", "runs/b"}
    assert "sentiment" in rows["runs/b"]
    assert "texts.csv" in rows["runs/b"]
    assert "3/3" in rows["runs/b"]
    assert rows["runs/b"].split()[-1] == "done"
    values = json.loads(run_dlcc("runs", "--json").stdout)["results"]
    best = {each["name"]: (each["metric"], each["best"], each["of_epochs"]) for each in values}
    lines = read_metrics(Path("runs/b"))
    assert best["runs/b"] == ("accuracy", max(line["accuracy"] for line in lines), 3)


def test_states_are_told_apart(run_dlcc: Run, folder: Path) -> None:
    for name in ("unfinished", "damaged", "unread", "begun"):
        shutil.copytree("runs/a", f"runs/{name}")
    stopped = json.loads(Path("runs/unfinished/last/config.json").read_text())
    stopped["about"]["progress"] |= {"over": "", "epochs": 1.25}
    Path("runs/unfinished/last/config.json").write_text(json.dumps(stopped))
    Path("runs/damaged/metrics.jsonl").write_text("{")
    Path("runs/unread/last/model.safetensors").unlink()
    shutil.rmtree("runs/begun/last")
    with runs.alone_in(Path("runs/b")):
        result = run_dlcc("runs", "--json")
    found = {Path(each["name"]).name: each for each in json.loads(result.stdout)["results"]}
    assert {name: each["state"] for name, each in found.items()} == {
        "a": "done",
        "b": "running",
        "unfinished": "stopped",
        "damaged": "damaged",
        "unread": "damaged",
        "begun": "stopped",
    }
    assert (found["unfinished"]["epochs"], found["unfinished"]["of_epochs"]) == (1.25, 2)
    assert "metrics.jsonl is damaged" in found["damaged"]["why"]
    listed = run_dlcc("runs")
    assert "model.safetensors is missing" in listed.stderr
    refused = run_dlcc("runs", "show", "runs/damaged")
    assert (refused.exit_code, "is damaged" in refused.stderr) == (3, True)


def test_one_run_shows_its_options_curve_figures_and_use(run_dlcc: Run, folder: Path) -> None:
    shown = run_dlcc("runs", "show", "runs/b").stdout
    for part in (
        "runs/b: sentiment, done, 3 of 3 epochs",
        "--learning-rate 0.01",
        "layers 1",
        "on the validation part, epoch",
        "3 epochs",
        "dlcc sentiment TEXT --checkpoint runs/b",
        "dlcc view runs/b",
    ):
        assert part in shown
    (values,) = json.loads(run_dlcc("runs", "show", "runs/b", "--json").stdout)["results"]
    assert [point[0] for point in values["curve"]] == [1, 2, 3]
    assert values["settings"]["layers"] == 1
    assert values["about"]["data"]["train"] > 0


def test_two_runs_are_compared_by_what_differs(run_dlcc: Run, folder: Path) -> None:
    shown = run_dlcc("runs", "compare", "runs/a", "runs/b").stdout
    assert "● runs/a   ▲ runs/b" in shown
    rows = {line[:17].strip(): line[17:].split() for line in shown.splitlines()}
    assert rows["learning rate"] == ["0.0002", "0.01"]
    assert rows["epochs"] == ["2", "3"]
    assert "width" not in rows
    both = json.loads(run_dlcc("runs", "compare", "a", "b", "--json").stdout)["results"]
    assert [len(each["curve"]) for each in both] == [2, 3]
    assert run_dlcc("runs", "compare", "a", "b", "--by", "minutes").exit_code == 0
    wrong = run_dlcc("runs", "compare", "a", "b", "--by", "weeks")
    assert (wrong.exit_code, "choose one of epochs, minutes" in wrong.stderr) == (2, True)


def test_runs_begun_anywhere_are_known(run_dlcc: Run, folder: Path) -> None:
    run = folder / "far/away/mine"
    texts = folder / "runs/texts.csv"
    options = ("--data", texts, *SIZES, "--epochs", 1, "--batch-tokens", 600)
    assert run_dlcc("sentiment", "train", *options, "--run", run).exit_code == 0
    os.chdir("/")
    (found,) = json.loads(run_dlcc("runs", "--json").stdout)["results"]
    assert found["run"] == str(run)
    assert json.loads(run_dlcc("runs", "show", "mine", "--json").stdout)["results"][0][
        "run"
    ] == str(run)
    shutil.rmtree(run)
    assert "no runs yet" in run_dlcc("runs").stderr
    assert run_dlcc("runs", folder / "runs", "--json").stdout.count('"kind"') == 2


def test_curves_are_drawn_for_paper(run_dlcc: Run, folder: Path) -> None:
    assert run_dlcc("runs", "show", "a", "--export", "a.png").exit_code == 0
    assert (folder / "a.png").read_bytes().startswith(b"\x89PNG")
    assert run_dlcc("runs", "compare", "a", "b", "--export", "both.svg").exit_code == 0
    words = re.findall(">([^<]*)</text>", (folder / "both.svg").read_text("utf-8"))
    assert {"runs/a", "runs/b", "epochs", "1", "3"} <= set(words)
    refused = run_dlcc("runs", "show", "a", "--export", "a.csv")
    assert (refused.exit_code, "end it in .svg, .pdf, .png or .html" in refused.stderr) == (2, True)


def test_a_run_is_renamed_exported_and_deleted(run_dlcc: Run, folder: Path) -> None:
    assert run_dlcc("runs", "rename", "a", "b").exit_code == 2
    assert run_dlcc("runs", "rename", "a", "first").stdout == "runs/first\n"
    assert run_dlcc("runs", "export", "first", "out").stdout == "out\n"
    assert load_checkpoint(Path("out"), "sentiment").about["metrics"]
    assert {path.name for path in Path("out").iterdir()} == {
        "config.json",
        "model.safetensors",
        "tokenizer.json",
    }
    assert run_dlcc("runs", "export", "first", "out").exit_code == 2
    Path("runs/first/notes.txt").write_text("mine")
    asked = run_dlcc("runs", "rm", "first")
    assert (asked.exit_code, "give --yes" in asked.stderr) == (2, True)
    with runs.alone_in(Path("runs/first")):
        assert "a process trains there" in run_dlcc("runs", "rm", "first", "--yes").stderr
    gone = run_dlcc("runs", "rm", "first", "--yes")
    assert (gone.exit_code, "but for notes.txt" in gone.stderr) == (0, True)
    assert [path.name for path in Path("runs/first").iterdir()] == ["notes.txt"]
    assert run_dlcc("runs", "rm", "b", "--yes").exit_code == 0
    assert not Path("runs/b").exists()
    assert run_dlcc("runs", "rm", "/", "--yes").exit_code == 3


def test_a_damaged_checkpoint_is_not_exported(run_dlcc: Run, folder: Path) -> None:
    weights = Path("runs/a/best/model.safetensors")
    weights.write_bytes(weights.read_bytes()[:-1] + b"?")
    result = run_dlcc("runs", "export", "a", "out")
    assert (result.exit_code, "is damaged: its checksum" in result.stderr) == (3, True)
    assert not Path("out").exists()


def test_runs_are_kept_where_nobody_looks_too(run_dlcc: Run, folder: Path) -> None:
    shutil.copytree("runs/a", runs_dir() / "compared/with-CutMix-0")
    shown = run_dlcc("runs").stdout
    assert "compared/with-Cut" in shown
    result = run_dlcc("runs", "show", "compared/with-CutMix-0")
    assert result.stdout.startswith("compared/with-CutMix-0: sentiment, done")


def test_steps_are_told_between_epochs_and_again_after_a_kill(tmp_path: Path) -> None:
    for step in (5, 10):
        add_line(tmp_path, {"epoch": 1, "step": step, "seconds": step, "step_loss": 1.0})
    add_line(tmp_path, {"epoch": 1, "step": 12, "seconds": 12, "train_loss": 1.0, "error": 0.5})
    add_line(tmp_path, {"epoch": 2, "step": 15, "seconds": 15, "step_loss": float("nan")})
    assert [line["step"] for line in read_steps(tmp_path)] == [5, 10, 15]
    assert [line["step"] for line in read_metrics(tmp_path)] == [12]
    add_line(tmp_path, {"epoch": 1, "step": 10, "seconds": 11, "step_loss": 2.0})
    assert [line["step_loss"] for line in read_steps(tmp_path)] == [1.0, 2.0]
    assert read_metrics(tmp_path) == []
