"""Several processes that train one model end where one alone does."""

import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from together import learned

from dlcc.core.train.distributed import Team

SAMPLE = Path(__file__).parents[2] / "samples/together.py"


def _start(folder: Path, count: int) -> list["subprocess.Popen[str]"]:
    """Processes as torchrun starts them."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    shared = {"WORLD_SIZE": f"{count}", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": f"{port}"}
    return [
        subprocess.Popen(
            [sys.executable, SAMPLE, folder],
            env=os.environ | shared | {"RANK": f"{rank}", "LOCAL_RANK": f"{rank}"},
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(count)
    ]


def test_two_processes_learn_what_one_does(tmp_path: Path) -> None:
    before = torch.get_num_threads()
    processes = _start(tmp_path, 2)
    torch.set_num_threads(1)
    alone = learned(tmp_path / "alone")
    torch.set_num_threads(before)
    for process in processes:
        _, said = process.communicate(timeout=120)
        assert process.returncode == 0, said
    here, there = (torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in (0, 1))
    for name, (losses, weights) in alone.items():
        for other in (here, there):
            assert other[name][0] == pytest.approx(losses, abs=1e-4), name
            gaps = [
                (a - b).abs().max().item() for a, b in zip(weights, other[name][1], strict=True)
            ]
            assert max(gaps) < 1e-3, name
        assert all(map(torch.equal, here[name][1], there[name][1])), name
        assert losses[-1] < losses[0], name
        assert (tmp_path / name / "last" / "config.json").exists()  # by the first of the two


def test_shares_are_all_of_a_batch_and_their_mean_is_its_mean() -> None:
    counts = [3, 1, 4, 1, 5, 9, 2]
    for size in (1, 2, 3, 7):
        shares = [Team(rank, size).share(counts) for rank in range(size)]
        rows = [row for share, _ in shares for row in range(7)[share]]
        assert rows == list(range(7))
        total = sum(part for _, part in shares) / size
        assert total == pytest.approx(1)
    few = [Team(rank, 3).share(2) for rank in range(3)]
    assert sorted(part for _, part in few) == [0.0, 1.5, 1.5]
    assert all(len(range(2)[rows]) == 1 for rows, _ in few)


def test_who_may_be_started_by_torchrun(
    run_dlcc: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    places = {"RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "2", "MASTER_ADDR": "nowhere"}
    for name, value in {**places, "TORCHELASTIC_MAX_RESTARTS": "3"}.items():
        monkeypatch.setenv(name, value)
    refused = run_dlcc("attend", "train", "opposites")
    assert (refused.exit_code, "without torchrun" in refused.stderr) == (2, True)
    lost = run_dlcc("vit", "train")
    assert (lost.exit_code, "--max-restarts needs --run" in lost.stderr) == (2, True)
