"""A recipe of a stranger's package is trained like our own."""

import json
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

import pytest
from next_word import RECIPE

from dlcc.cli.commands.training import new_run_folder
from dlcc.core.files.paths import runs_dir
from dlcc.core.trace.trace import load_traces
from dlcc.core.train import recipe as recipes
from dlcc.core.train.checkpoint import load_checkpoint
from dlcc.core.train.recipe import Recipe, names, recipe

Run = Callable[..., Any]
SAMPLE = Path(__file__).parents[2] / "samples/next_word.py"
TEXT = "the cat sat on the mat and the dog sat on the log and the cat saw the dog " * 3


@pytest.fixture(autouse=True)
def _installed(monkeypatch: pytest.MonkeyPatch) -> None:
    own = [*entry_points(group=recipes.GROUP)]
    strange = [
        EntryPoint("next-word", "next_word:RECIPE", recipes.GROUP),
        EntryPoint("broken", "next_word:NOTHING", recipes.GROUP),
    ]
    monkeypatch.setattr(recipes, "entry_points", lambda group: [*own, *strange])


@pytest.fixture
def text(tmp_path: Path) -> Path:
    path = tmp_path / "text.txt"
    path.write_text(TEXT)
    return path


def test_it_is_one_file_of_under_80_lines() -> None:
    assert len(SAMPLE.read_text().splitlines()) < 80


def test_it_trains_stops_goes_on_and_is_looked_at(
    run_dlcc: Run, text: Path, tmp_path: Path
) -> None:
    options = ("train", "next-word", "--text", text, "--words", 6, "--learning-rate", 0.01)
    result = run_dlcc(*options, "--epochs", 8, "--run", tmp_path / "run")
    assert result.exit_code == 0, result.stderr
    assert "windows" in run_dlcc("train", "next-word", "--help").stdout or RECIPE.unit == "windows"
    lines = [json.loads(line) for line in (tmp_path / "run/metrics.jsonl").read_text().splitlines()]
    assert lines[-1]["loss"] < 0.5 * lines[0]["loss"]
    found = load_checkpoint(tmp_path / "run/best", "next-word")
    assert found.config == {"text": "text.txt", "words": 6}
    (trace,) = load_traces(tmp_path / "run/traces/epoch-008.trace")
    assert trace.query == tuple(TEXT.split()[:6])
    assert (trace.weights.shape, trace.weights[0, 0, 0, 1]) == ((1, 2, 6, 6), 0)
    assert run_dlcc(*options, "--epochs", 8, "--run", tmp_path / "run").exit_code == 2
    again = run_dlcc(*options, "--epochs", 9, "--run", tmp_path / "run", "--resume")
    assert again.exit_code == 0, again.stderr


def test_trainings_that_start_together_take_folders_of_their_own(
    run_dlcc: Run, text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DLCC_HOME", str(tmp_path / "home"))
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: new_run_folder("vit"), range(8)))
    assert sorted(folder.name for folder in found) == [f"vit-{n:03}" for n in range(1, 9)]
    options = ("train", "next-word", "--text", text, "--words", 6, "--epochs", 1)
    assert run_dlcc(*options, "--learning-rate", -1).exit_code == 2
    assert not [*runs_dir().glob("next-word*")]  # a training that never began leaves none
    assert run_dlcc(*options).stdout.strip() == str(runs_dir() / "next-word-001/best")
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("DLCC_HOME", str(tmp_path / "file"))
    refused = run_dlcc(*options)
    assert (refused.exit_code, "cannot write" in refused.stderr) == (3, True)


def test_its_settings_are_options_with_their_help(run_dlcc: Run) -> None:
    shown = run_dlcc("train", "next-word", "--help").stdout
    for part in (
        "--text",
        "A text file.",
        "Words seen at once.",
        "--epochs",
        "Guess the next word.",
    ):
        assert part in " ".join(shown.split())


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        ([], 3, "--text: give a text of more than 8 words"),
        (["--words", "1"], 2, "--words 1: at least 2"),
        (["--preset", "best"], 2, "--preset best: choose one of plain"),
        (["--epochs", "0"], 2, "--epochs 0: at least 1"),
    ],
)
def test_what_is_wrong_is_said_with_its_option(
    run_dlcc: Run, options: list[str], code: int, message: str
) -> None:
    result = run_dlcc("train", "next-word", *options)
    assert (result.exit_code, message in result.stderr) == (code, True), result.stderr


def test_recipes_are_listed_and_a_broken_one_is_one_line(run_dlcc: Run) -> None:
    assert names() == ["broken", "masked-words", "next-word", "sentiment", "translate", "vit"]
    shown = run_dlcc("train")
    assert (shown.exit_code, "cannot be loaded" in shown.stdout) == (0, True)
    assert "Guess the next word." in shown.stdout
    result = run_dlcc("train", "broken")
    assert (result.exit_code, "--recipe broken: cannot be loaded" in result.stderr) == (2, True)
    assert run_dlcc("train", "nothing").exit_code == 2
    assert recipe("vit").unit == "pictures"


def test_the_first_preset_is_the_usual_one() -> None:
    made = Recipe("", "", (), "", {"small": {"epochs": 3}, "large": {"epochs": 30}})
    assert made.choose({}).values["epochs"] == 3
    assert made.choose({"epochs": 4}, "large").values["epochs"] == 4


def test_a_run_is_gone_on_with_as_it_was_begun(run_dlcc: Run, text: Path, tmp_path: Path) -> None:
    options = ("train", "next-word", "--text", text, "--run", tmp_path / "run", "--epochs", 2)
    assert run_dlcc(*options, "--words", 6).exit_code == 0
    for more, message in (
        (["--words", 7], "--words 7: the run has 6"),
        (["--words", 8], "--words 8: the run has 6"),
        (["--words", 6, "--seed", 1], "--seed 1: the run has 0"),
        (["--words", 6, "--learning-rate", 0.5], "--learning-rate 0.5: the run has 0.001"),
    ):
        refused = run_dlcc(*options, *more, "--resume")
        assert (refused.exit_code, message in refused.stderr) == (2, True), refused.stderr
    again = run_dlcc(*options[:-1], 3, "--words", 6, "--resume")
    assert again.exit_code == 0, again.stderr


def test_a_run_says_nothing_of_where_files_lie() -> None:
    given = {
        "backbone": "/home/me/vit",
        "data": [Path("/home/me/a.csv"), "/home/me/b=2"],
        "stem": (1, 2),
    }
    settings = Recipe("", "", (), "").choose(given, seed=3).settings()
    assert settings["data"] == ["a.csv", "b=2"]
    assert (settings["backbone"], settings["stem"], settings["seed"]) == ("vit", [1, 2], 3)


def test_the_end_says_what_was_reached_and_what_comes_next(
    run_dlcc: Run, text: Path, tmp_path: Path
) -> None:
    options = ("train", "next-word", "--text", text, "--words", 6)
    whole = run_dlcc(*options, "--epochs", 2, "--run", tmp_path / "run").stderr
    assert "trained 2 of 2 epochs in 0.0 minutes\n" in whole
    assert re.search(r"best: loss [\d.]+ on the validation part, epoch [12]\n", whole)
    assert f"next:\n  dlcc view {tmp_path / 'run'}\n" in whole
    short = run_dlcc(*options, "--minutes", 1e-6, "--run", tmp_path / "short").stderr
    assert re.search(r"trained 0\.\d+ of 10 epochs in 0.0 minutes: the time was over\n", short)
    assert re.search(r"warning: only \d+% of the data was learned from: give it more", short)
    again = run_dlcc("resume", tmp_path / "run").stderr
    assert "nothing was left to train: give more epochs or minutes" in again


def test_what_a_preset_usually_reaches_is_said_of_it_alone() -> None:
    vit = recipe("vit")
    assert "CIFAR-10" in vit.usual_of(vit.choose({}))
    assert vit.usual_of(vit.choose({}, "plain")) == ""
    assert vit.usual_of(vit.choose({"backbone": "vit_b_16"})) == ""
