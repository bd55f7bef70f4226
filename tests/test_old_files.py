"""What earlier versions wrote is read as before: checkpoints answer, a run goes on to the same
weights. (`data/old` was made by the version of one flat folder.)"""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from dlcc.core.train.checkpoint import load_checkpoint

OLD = Path(__file__).parent / "data/old"
Run = Callable[..., Any]
OPTIONS = (
    "--width 8 --layers 1 --heads 2 --hidden 8 --vocab-size 80 --length 16 --adversarial 0 "
    "--epochs 10 --learning-rate 0.01 --word-dropout 0.1"
).split()


def test_a_run_goes_on_to_the_weights_it_had_then(run_dlcc: Run, tmp_path: Path) -> None:
    shutil.copytree(OLD / "run", tmp_path / "run")
    options = ("--data", OLD / "reviews.csv", *OPTIONS, "--run", tmp_path / "run", "--resume")
    result = run_dlcc("sentiment", "train", *options)
    assert result.exit_code == 0, result.stderr
    lines = (tmp_path / "run/metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["epoch"] for line in lines] == list(range(1, 11))
    for name in ("last", "best"):
        before = load_file(OLD / f"run-done/{name}.safetensors")
        after = load_checkpoint(tmp_path / "run" / name, "sentiment").weights
        assert after.keys() == before.keys()
        for key, tensor in after.items():  # another processor rounds otherwise
            learned, known = tensor, before[key]
            if key.endswith("in_proj.bias"):  # softmax undoes a key's bias: its slope is rounding
                (q, _, v), (p, _, w) = tensor.chunk(3), before[key].chunk(3)
                learned, known = torch.cat((q, v)), torch.cat((p, w))
            torch.testing.assert_close(learned, known, rtol=1e-3, atol=1e-4)


def test_a_translator_answers(run_dlcc: Run) -> None:
    result = run_dlcc("translate", "I see the dog.", "--checkpoint", OLD / "translate", "--json")
    (found,) = json.loads(result.stdout)["results"]
    assert found["translation"] == "Yo veo el perro."
    assert found["score"] == pytest.approx(-0.6413, abs=2e-3)
    assert found["attention"][0][:3] == pytest.approx([0.109, 0.2537, 0.1367], abs=2e-3)


def test_a_text_classifier_answers(run_dlcc: Run) -> None:
    result = run_dlcc("sentiment", "A lovely warm film.", "--checkpoint", OLD / "run", "--json")
    (found,) = json.loads(result.stdout)["results"]
    assert found["label"] == "pos"
    assert [word["word"] for word in found["words"]] == ["A", "lovely", "warm", "film", "."]


def test_a_picture_classifier_answers(run_dlcc: Run) -> None:
    picture = OLD / "red.png"
    result = run_dlcc("vit", "predict", picture, "--checkpoint", OLD / "vit", "--json")
    (found,) = json.loads(result.stdout)["results"]
    assert found["answers"][0]["label"] == "red"
    assert found["answers"][0]["probability"] == pytest.approx(0.540343, abs=2e-3)
