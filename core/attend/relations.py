"""Pairs of words with a relation between them, as a task for attention.

A query word is shown the partners of all query words as keys, and has to put its weight on its own
partner. Some pairs are held out: none of their words takes part in training, and all their partners
are among the keys afterwards.

Shapes: N pairs, K different partners, E width of the word vectors.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dlcc.core.errors import DataError, reason_of
from dlcc.core.files.encodings import lines_of
from dlcc.core.files.paths import asset
from dlcc.core.files.vectors import look_up
from dlcc.core.progress import Progress
from dlcc.core.settings import Settings, at_least, setting

RELATIONS = (
    "country-capital",
    "singular-plural",
    "present-past",
    "adjective-opposite",
    "pronoun-object",
)


@dataclass(frozen=True)
class RelationConfig(Settings):
    """How a relation is taught. The defaults were chosen mostly on pairs split off the training
    pairs.

    Raises:
        UsageError: an option with a value that it cannot have.
    """

    held_out: int = setting(15, at_least(1))
    """Pairs of each relation that training never sees; of a short list a fifth."""
    num_seeds: int = setting(5, at_least(1), "seeds")
    """Runs, each with its own held-out pairs."""
    seed: int = 0
    steps: int = setting(100, at_least(1))
    """Steps of Adam, each on all training pairs; a random start takes twice as many."""
    learning_rate: float = 0.01
    """Adam's, relative to the size of each tensor's entries at a similarity start."""
    pull: float = 0.1
    """Weight in the loss of the squared relative distance from a similarity start."""
    sharpness: float = 30.0
    """What a similarity start multiplies a cosine by."""


@dataclass(frozen=True)
class RelationTask:
    """Pairs of words with their vectors."""

    queries: tuple[str, ...]
    """N different words that ask."""
    keys: tuple[str, ...]
    """K different words that are asked: every partner."""
    target: np.ndarray
    """[N] int: the key that is the query's partner."""
    relation: np.ndarray
    """[N] int: the number of the relation that the pair is of."""
    query_vectors: np.ndarray
    """[N, E] float32."""
    key_vectors: np.ndarray
    """[K, E] float32."""
    missing: tuple[str, ...]
    """Words left out, with their partners, for want of a vector."""
    source: str
    """The embeddings' name."""


def load_task(
    relations: list[str], embeddings: Path | None = None, progress: Progress | None = None
) -> RelationTask:
    """The pairs of bundled relations or of files with a `word<TAB>partner` a line.

    A word that asks in several relations is kept in the first.

    Raises:
        DataError: a file that cannot be read, a damaged line, or too few pairs.
    """
    pairs: dict[str, tuple[str, int]] = {}
    for number, name in enumerate(relations):
        for query, key in _read_pairs(name):
            pairs.setdefault(query, (key, number))
    words = sorted({*pairs, *(key for key, _ in pairs.values())})
    known = look_up(words, embeddings, progress)
    vectors = dict(zip(words, known.vectors, strict=True))
    gone = set(known.missing)
    kept = [(q, k, n) for q, (k, n) in pairs.items() if q not in gone and k not in gone]
    if len(kept) < 5:
        raise DataError(f"{len(kept)} pairs with word vectors: at least 5 are needed")
    keys = tuple(dict.fromkeys(k for _, k, _ in kept))
    return RelationTask(
        queries=tuple(q for q, _, _ in kept),
        keys=keys,
        target=np.array([keys.index(k) for _, k, _ in kept]),
        relation=np.array([n for _, _, n in kept]),
        query_vectors=np.stack([vectors[q] for q, _, _ in kept]),
        key_vectors=np.stack([vectors[k] for k in keys]),
        missing=known.missing,
        source=known.source,
    )


def _read_pairs(name: str) -> Iterator[tuple[str, str]]:
    path = asset(f"relations/{name}.tsv") if name in RELATIONS else Path(name)
    try:
        lines = lines_of(path.read_bytes(), str(path))
    except OSError as error:
        raise DataError(
            f"relation {name}: {reason_of(error)}; choose from {', '.join(RELATIONS)}, all, or "
            "give a file with a word, a tab and its partner a line"
        ) from error
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith("#"):
            continue
        parts = line.split("\t")
        if len(parts) != 2 or not all(part.strip() for part in parts):
            raise DataError(f"{path}, line {number}: not a word, a tab and its partner: {line!r}")
        yield parts[0].strip(), parts[1].strip()


def hold_out(task: RelationTask, config: RelationConfig, run: int) -> tuple[np.ndarray, np.ndarray]:
    """The numbers of the training and of the held-out pairs of one run."""
    rng = np.random.default_rng([config.seed, run])
    held: list[int] = []
    for number in np.unique(task.relation):
        members = rng.permutation(np.flatnonzero(task.relation == number))
        held += members[: min(config.held_out, max(len(members) // 5, 1))].tolist()
    training = sorted(set(range(len(task.queries))) - set(held))
    return np.array(training), np.array(sorted(held))
