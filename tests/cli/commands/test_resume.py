"""`dlcc resume RUN`: a run knows itself how it goes on, and by which option it would be another."""

import itertools
import json
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file
from sentiment_samples import write_csv

from dlcc.core.files.paths import runs_dir
from dlcc.core.train import runs
from dlcc.core.train.folders import read_about
from dlcc.core.train.metrics import read_metrics

Run = Callable[..., Any]
SIZES = "--layers 1 --heads 2 --hidden 16 --width 8 --length 32 --vocab-size 80".split()
TRAIN = ("sentiment", "train", *SIZES, "--batch-tokens", 600, "--seed", 3, "--epochs", 3)


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    return write_csv(tmp_path / "texts.csv")


@pytest.fixture
def begun(run_dlcc: Run, texts: Path, tmp_path: Path) -> Path:
    """A run of three epochs, which are done."""
    result = run_dlcc(*TRAIN, "--data", texts, "--run", tmp_path / "run")
    assert result.exit_code == 0, result.stderr
    return tmp_path / "run"


def epochs(run: Path) -> list[int]:
    return [json.loads(line)["epoch"] for line in (run / "metrics.jsonl").read_text().splitlines()]


def start(*arguments: object, home: Path) -> subprocess.Popen[str]:
    code = "from dlcc.cli.app import main; main()"
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "DLCC_HOME": str(home), "OMP_NUM_THREADS": "1"},
    )


def wait_for(path: Path) -> None:
    for _ in range(1200):
        if path.exists():
            return
        time.sleep(0.05)
    raise AssertionError(f"{path} never came")


def test_a_killed_run_alone_ends_with_the_weights_of_an_undisturbed_one(
    run_dlcc: Run, texts: Path, tmp_path: Path
) -> None:
    options = (*TRAIN, "--data", texts, "--epochs", 30, "--checkpoint-seconds", 0)
    undisturbed, killed, home = tmp_path / "undisturbed", tmp_path / "killed", tmp_path / "home"
    assert run_dlcc(*options, "--run", undisturbed).exit_code == 0
    draw = random.Random(0)
    for number in itertools.count():
        command = ("resume", killed) if number else (*options, "--run", killed)
        with start(*command, home=home) as process:
            wait_for(killed / "last")
            time.sleep(draw.uniform(0, 1.5))
            process.kill()
            process.communicate()
        if number == 2:
            break
    result = run_dlcc("resume", killed)
    assert result.exit_code == 0, result.stderr
    assert epochs(killed) == [*range(1, 31)]
    for name in ("last", "best"):
        one, two = (load_file(run / name / "model.safetensors") for run in (undisturbed, killed))
        assert {key: each.tolist() for key, each in one.items()} == {
            key: each.tolist() for key, each in two.items()
        }


def test_it_is_found_by_name_and_by_its_checkpoint(
    run_dlcc: Run, begun: Path, tmp_path: Path
) -> None:
    shutil.copytree(begun, runs_dir() / "mine")
    for name, where in (("mine", runs_dir() / "mine"), (begun / "best", begun)):
        result = run_dlcc("resume", name, "--epochs", 4)
        assert (result.exit_code, result.stdout.strip()) == (0, str(where / "best")), result.stderr
        assert epochs(where) == [1, 2, 3, 4]
    assert read_about(begun / "last")["command"].endswith("--data texts.csv; then --epochs 4")


def test_what_may_change_is_said_and_kept(run_dlcc: Run, begun: Path) -> None:
    changed = run_dlcc("resume", begun, "--epochs", 5, "--batch-tokens", 300)
    assert changed.exit_code == 0
    assert "--epochs 5: the run had 3, its schedule is that of the new length" in changed.stderr
    assert "--batch-tokens 300: the run had 600, its weights will be those of" in changed.stderr
    again = run_dlcc("sentiment", "train", "--run", begun, "--resume", "--batch-tokens", 300)
    assert (again.exit_code, "the run had" in again.stderr) == (0, False)
    assert epochs(begun) == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--width", 16], "--width 16: the run has 8"),
        (["--layers", 3], "--layers 3: the run has 1"),
        (["--seed", 4], "--seed 4: the run has 3"),
        (["--learning-rate", 0.5], "--learning-rate 0.5: the run has 0.0002"),
        (["--validation", 0.3], "--validation 0.3: the run has 0.06"),
        (["--preset", "book"], "--preset book: the run has best"),
        (["--epochs", 0], "--epochs 0: at least 1"),
        (["--stem", "32"], "no option --stem"),
    ],
)
def test_what_would_be_another_training_is_refused_by_name(
    run_dlcc: Run, begun: Path, options: list[object], message: str
) -> None:
    result = run_dlcc("resume", begun, *options)
    assert (result.exit_code, message in result.stderr) == (2, True), result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert not (begun / "lock").exists()


def test_data_that_moved_are_asked_for_and_known_again(
    run_dlcc: Run, begun: Path, texts: Path, tmp_path: Path
) -> None:
    (tmp_path / "elsewhere").mkdir()
    moved = texts.rename(tmp_path / "elsewhere" / texts.name)  # a split depends on the name
    lost = run_dlcc("resume", begun, "--epochs", 4)
    assert (lost.exit_code, lost.stderr) == (
        3,
        f"error: --data {texts}: is no longer there: say where it is now\n",
    )
    other = write_csv(tmp_path / texts.name)
    other.write_text(other.read_text().replace("film", "book"))
    wrong = run_dlcc("resume", begun, "--epochs", 4, "--data", other)
    assert (wrong.exit_code, "were (texts.csv)" in wrong.stderr) == (3, True), wrong.stderr
    other.unlink()
    found = run_dlcc("resume", begun, "--epochs", 4, "--data", moved)
    assert found.exit_code == 0, found.stderr
    assert run_dlcc("resume", begun, "--epochs", 5).exit_code == 0  # it knows the place now


def test_damage_and_what_is_no_such_run_are_one_line(
    run_dlcc: Run, begun: Path, tmp_path: Path
) -> None:
    damaged = tmp_path / "damaged"
    cases = [
        (("resume", tmp_path / "none"), "is no run: nothing is there"),
        (("resume", tmp_path), "is no run: none began there"),
        (("translate", "train", "--run", begun, "--resume"), "training of sentiment, not of tra"),
        (("vit", "train", "--run", tmp_path / "none", "--resume"), "is no run: nothing is there"),
        (("resume", damaged), "run.json is damaged"),
    ]
    shutil.copytree(begun, damaged)
    (damaged / "run.json").write_text('{"format_version": 1}')
    for command, message in cases:
        result = run_dlcc(*command)
        assert (result.exit_code in (2, 3), message in result.stderr) == (True, True), result.stderr
        assert len(result.stderr.splitlines()) == 1
    half = (begun / "run.json").read_text().replace('"best"', '"\\ud800"')
    (damaged / "run.json").write_text(half)
    assert "run.json is damaged" in run_dlcc("resume", damaged).stderr
    shutil.copy(begun / "run.json", damaged)
    (damaged / "metrics.jsonl").write_text("{")
    result = run_dlcc("resume", damaged, "--epochs", 4)
    assert (result.exit_code, "metrics.jsonl is damaged" in result.stderr) == (3, True)


def test_a_second_process_gets_one_line(run_dlcc: Run, begun: Path) -> None:
    with runs.alone_in(begun):
        assert runs.is_written(begun)
        for command in (("resume", begun), (*TRAIN, "--run", begun, "--resume")):
            result = run_dlcc(*command)
            assert (result.exit_code, result.stderr) == (
                2,
                f"error: --run {begun}: another process trains there: wait for it, or stop it\n",
            )
    assert not runs.is_written(begun)


def test_a_lock_goes_with_its_process(run_dlcc: Run, texts: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    options = (*TRAIN, "--data", texts, "--epochs", 1000)
    with start(*options, "--run", run, home=tmp_path / "home") as process:
        wait_for(run / "best")
        assert runs.is_written(run)
        process.kill()
        process.communicate()
    assert ((run / "lock").exists(), runs.is_written(run)) == (True, False)
    (run / ".metrics.jsonl.abcd").write_text("{")  # killed before it was renamed
    shutil.copytree(run / "last", run / ".last.new", dirs_exist_ok=True)
    (run / ".last.new/config.json").unlink()  # killed before it was whole
    assert run_dlcc("resume", run, "--epochs", 1).exit_code == 0
    assert not (run / "lock").exists()
    assert not [*run.glob(".*")]


def test_a_training_that_never_began_leaves_nothing(run_dlcc: Run, tmp_path: Path) -> None:
    def fail() -> None:
        with runs.alone_in(tmp_path / "new"):
            runs.write_record(tmp_path / "new", "vit", {"values": {}, "given": []})
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert not (tmp_path / "new").exists()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/diary.txt").write_text("dear")
    with runs.alone_in(tmp_path / "mine"):
        pass
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["diary.txt"]


def test_tensorboard_reads_the_same_figures(
    run_dlcc: Run, texts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    run = tmp_path / "run"
    options = (*TRAIN, "--data", texts, "--run", run, "--tensorboard")
    assert run_dlcc(*options).exit_code == 0
    assert run_dlcc("resume", run, "--epochs", 4, "--tensorboard").exit_code == 0
    read = accumulator.EventAccumulator(str(run / "tensorboard"))
    read.Reload()
    found = [each.value for each in read.Scalars("epoch/accuracy")]
    assert found == pytest.approx([line["accuracy"] for line in read_metrics(run)])
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    missing = run_dlcc("resume", run, "--epochs", 5, "--tensorboard")
    assert (missing.exit_code, "pip install 'dlcc[tensorboard]'" in missing.stderr) == (2, True)
