"""The drill that kills trainings of every kind, in a short form."""

import subprocess
import sys
from pathlib import Path

import pytest

DRILL = Path(__file__).parents[2] / "bench/kill_drill.py"


@pytest.mark.slow
def test_killed_trainings_of_every_kind_end_as_undisturbed_ones() -> None:
    short = ["--runs", "1", "--kills", "2", "--length", "2"]
    ran = subprocess.run([sys.executable, DRILL, *short], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    lines = ran.stdout.splitlines()
    assert len(lines) >= 6
    assert all(line.endswith((" 1 identical", " 1 ended whole")) for line in lines)
