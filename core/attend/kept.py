"""The trainings of a comparison that are done, in a run folder: one that was killed goes on there.

trainings.jsonl        a line each: which, and its figures
KIND.safetensors       what the first seed learned
attention.safetensors  the result, for attending with
"""

import json
from pathlib import Path

import numpy as np

from dlcc.core.attend.relations import RelationTask
from dlcc.core.errors import DataError
from dlcc.core.files.paths import being_read, write_atomically
from dlcc.core.files.tensors import load_tensors, save_tensors
from dlcc.core.train.parts import train_hash

RESULT = "attention.safetensors"
_LINES, _NAME = "trainings.jsonl", "dlcc_training"
Weights = dict[str, np.ndarray]
Done = tuple[list[list[float]], Weights | None]
"""(accuracy and weight: held out before, after, training after; what was learned)."""


class Trainings:
    """What is done, by the name of a training."""

    def __init__(self, run: Path) -> None:
        """Raises:
        DataError: what is there is damaged.
        """
        self.run = run
        self.lines: dict[str, list[list[float]]] = {}
        path = run / _LINES
        if path.exists():
            with being_read(path):
                for text in path.read_text().splitlines():
                    line = json.loads(text)
                    before, after, training = line["figures"]
                    if not all(0 <= each <= 1 for each in (*before, *after, *training)):
                        raise ValueError("a figure is no share")
                    self.lines[str(line["training"])] = [
                        [float(accuracy), float(weight)]
                        for accuracy, weight in (before, after, training)
                    ]

    def get(self, name: str) -> Done | None:
        """What a training came to; None where it is not done.

        Raises:
            DataError: what it learned is damaged.
        """
        if name not in self.lines:
            return None
        path = self._file(name)
        return self.lines[name], load_tensors(path, _NAME)[0] if path.exists() else None

    def put(self, name: str, figures: list[list[float]], learned: Weights | None) -> None:
        """Keep what a training came to.

        Raises:
            DataError: it cannot be written.
        """
        if learned:
            save_tensors(self._file(name), learned, _NAME, {})
        self.lines[name] = figures
        lines = [
            f"{json.dumps({'training': each, 'figures': pairs})}\n"
            for each, pairs in self.lines.items()
        ]
        text = "".join(lines)
        write_atomically(self.run / _LINES, lambda temporary: temporary.write_text(text))

    def _file(self, name: str) -> Path:
        return self.run / f"{name.replace(' ', '-')}.safetensors"


def hash_of(task: RelationTask) -> str:
    """By which pairs and vectors are known again."""
    vectors = (task.query_vectors.tobytes(), task.key_vectors.tobytes())
    return train_hash([*task.queries, *task.keys, task.target.tobytes(), *vectors])


def check_same(run: Path, before: str, task: RelationTask) -> None:
    """Raises:
    DataError: a run was begun with other pairs or vectors.
    """
    if before != hash_of(task):
        raise DataError(f"{run} learns from other pairs or word vectors: give those it began with")
