"""metrics.jsonl of a run: a line an epoch and, in between, lines about the steps; without torch.

{"epoch": 3, "step": 936, "seconds": 512.5, "train_loss": 0.41, "accuracy": 0.83, ...}
{"epoch": 4, "step": 950, "seconds": 522.6, "step_loss": 0.39, "learning_rate": 0.0002}
"""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dlcc.core.files.paths import being_read, write_atomically

METRICS = "metrics.jsonl"
_STEP = "step_loss"  # what lines about steps have and those of epochs lack


def read_metrics(run: Path) -> list[dict[str, Any]]:
    """The lines of a run's epochs; none where no epoch has ended. A figure that was no number is
    None.

    Raises:
        DataError: the file is damaged.
    """
    return [line for line in _lines(run) if _STEP not in line]


def read_steps(run: Path) -> list[dict[str, Any]]:
    """The lines about a run's steps.

    Raises:
        DataError: the file is damaged.
    """
    return [line for line in _lines(run) if _STEP in line]


def add_line(run: Path, line: Mapping[str, float]) -> None:
    """Append a line, dropping any that a killed training wrote after the state it resumed from.

    Raises:
        DataError: the file is damaged, or cannot be written.
    """
    kept = [each for each in _lines(run) if _is_before(each, line)]
    numbers = {name: value if math.isfinite(value) else None for name, value in line.items()}
    text = "".join(f"{json.dumps(each)}\n" for each in (*kept, numbers))  # JSON has no NaN
    write_atomically(run / METRICS, lambda temporary: temporary.write_text(text))


def _is_before(line: Mapping[str, Any], other: Mapping[str, float]) -> bool:
    in_the_epoch = _STEP in line and line["step"] < other["step"] + (_STEP not in other)
    return bool(line["epoch"] < other["epoch"] or in_the_epoch)


def _lines(run: Path) -> list[dict[str, Any]]:
    path = run / METRICS
    if not path.exists():
        return []
    with being_read(path):
        lines = [dict(json.loads(text)) for text in path.read_text().splitlines()]
        for line in lines:
            _ = line["epoch"] + line["step"] + line["seconds"]
    return lines
