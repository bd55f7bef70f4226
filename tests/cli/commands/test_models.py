"""`dlcc models`: what is bundled, what was trained, and how each was made."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from dlcc.core.files.paths import runs_dir
from dlcc.core.train.checkpoint import save_checkpoint

Run = Callable[..., Any]
BUNDLED = ["translate", "sentiment", "vit"]


def made(folder: Path) -> None:
    about = {
        "command": "dlcc train line",
        "seed": 3,
        "data": {"file": "points.csv", "split_hash": "ab12"},
        "metric": {"name": "error"},
        "metrics": {"error": 0.25, "epoch": 7},
        "made": {"date": "2026-01-02", "processor": "a fast one"},
    }
    save_checkpoint(folder, kind="line", weights={"w": torch.ones(3)}, config={"n": 3}, about=about)


def test_bundled_models_and_those_of_runs_are_listed(
    run_dlcc: Run, tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    for name in ("last", "best"):
        made(runs_dir() / "line-001" / name)
    (runs_dir() / "broken/last").mkdir(parents=True)
    found = {
        each["name"]: each for each in json.loads(run_dlcc("models", "--json").stdout)["results"]
    }
    assert [*found] == [*BUNDLED, "broken", "line-001"]
    mine = found["line-001"]
    assert (mine["data"], mine["metric"], mine["best"]) == ("points.csv", "error", 0.25)
    assert (mine["date"], mine["where"]) == ("2026-01-02", "run")
    assert "no checkpoint" in found["broken"]["damaged"]
    assert all(found[name]["best"] > 0.5 for name in BUNDLED)
    lines = run_dlcc("models").stdout.splitlines()
    assert all(len(line) <= 80 for line in lines)
    row = next(line.split() for line in lines if line.startswith("line-001"))
    assert row[:6] == ["line-001", "run", "line", "points.csv", "error", "0.25"]
    assert "damaged" in next(line for line in lines if line.startswith("broken"))


def test_how_one_was_made_is_shown_whole(run_dlcc: Run, tmp_path: Path) -> None:
    made(tmp_path / "mine")
    shown = run_dlcc("models", "show", tmp_path / "mine").stdout
    for part in (
        "model: line",
        "command: dlcc train line",
        "  split_hash: ab12",
        "  error: 0.25",
        "  processor: a fast one",
        "seed: 3",
        "  model.safetensors: ",
    ):
        assert part in shown, part
    (about,) = json.loads(run_dlcc("models", "show", "vit", "--json").stdout)["results"]
    assert about["model"] == "vit"
    assert about["data"]["split_hash"] in run_dlcc("models", "show", "vit").stdout
    assert "hardware: " in run_dlcc("models", "show", "translate").stdout
    missing = run_dlcc("models", "show", "nobody")
    assert (missing.exit_code, "is no run" in missing.stderr) == (3, True)
