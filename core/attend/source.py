"""From sentences to traces, with numpy alone."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dlcc.core.attend.mechanisms import (
    BOOK_KEY,
    BOOK_QUERY,
    MASKS,
    MECHANISMS,
    AttendConfig,
    Weights,
    attend,
    tokenise,
)
from dlcc.core.attend.trained import TrainedAttention, load_trained, prepare
from dlcc.core.errors import DataError, UsageError
from dlcc.core.files.vectors import BUNDLED, WordVectors, look_up
from dlcc.core.progress import Progress
from dlcc.core.sources import Ask, Knob, made_by
from dlcc.core.trace.trace import MAX_CELLS, AttentionTrace


class AttendSource:
    """The mechanisms on the bundled word vectors."""

    title = "Attend: what one sentence looks at in another"
    asks: Sequence[Ask] = (
        Ask("The sentence that looks", BOOK_QUERY),
        Ask("The sentence it looks at (empty: itself)", BOOK_KEY, optional=True),
        Ask("Mechanism: dot; trainable, additive, multihead (untrained); all", "all"),
    )

    def traces(self, query: str, key: str, mechanism: str) -> list[AttentionTrace]:
        configs = [AttendConfig(name) for name in mechanisms_of(mechanism or "dot")]
        return traces_of(read_sentences([query, key] if key else [query]), configs)

    def knobs(self, trace: AttentionTrace) -> list[Knob]:
        """What the trace was made with; none of traces that do not say it."""
        made = trace.made_by
        if not all(name in made for name in ("asked", "options", *_KNOBS)):
            return []
        query, key = made["asked"][0], made["asked"][-1] if len(made["asked"]) > 1 else ""
        found = [Knob("query", query), Knob("key", key)]
        untrained = not made["options"].get("load")
        split = made["mechanism"] == "multihead" and untrained and "query" in trace.tensors
        choices = {
            "mechanism": MECHANISMS,
            "temperature": _TEMPERATURES,
            "mask": MASKS,
            "scaled": () if made["mechanism"] == "additive" else ("yes", "no"),
            "heads": _divisors(trace.num_heads * trace.tensors["query"].shape[-1]) if split else (),
            "seed": _SEEDS if made["mechanism"] != "dot" and untrained else (),
        }
        for name, each in choices.items():
            value = made[_KNOBS_BY_NAME[name]]
            said = {True: "yes", False: "no"}[value] if name == "scaled" else _plain(value)
            found += [Knob(name, said, each)] if each else []
        return found

    def turned(self, trace: AttentionTrace, **values: str) -> list[AttentionTrace]:
        """The trace made with other values of its knobs, one trace.

        Raises:
            UsageError: a value that it cannot have, or a sentence without a word.
        """
        now = {knob.name: knob.value for knob in self.knobs(trace)} | values
        options = trace.made_by["options"]
        mechanism, load = now["mechanism"], options.get("load")
        config = AttendConfig(
            mechanism,
            int(now.get("heads", trace.made_by["num_heads"])),
            now.get("scaled", "yes") == "yes",
            float(now["temperature"]),
            now["mask"],
            int(now.get("seed", trace.made_by["seed"])),
        )
        file = options.get("embeddings")
        texts = [now["query"], *([now["key"]] if now["key"].strip() else [])]
        trained = None if load is None or mechanism == "dot" else load_trained(load)
        sentences = read_sentences(texts, None if file is None else Path(file))
        return traces_of(sentences, [config], trained, load)


SOURCE = AttendSource()

_KNOBS_BY_NAME = {"heads": "num_heads"} | {
    name: name for name in ("mechanism", "temperature", "mask", "scaled", "seed")
}
_KNOBS = tuple(_KNOBS_BY_NAME.values())
_TEMPERATURES = ("0.05", "0.1", "0.2", "0.3", "0.5", "0.7", "1", "1.5", "2", "3", "5", "10", "100")
_SEEDS = tuple(map(str, range(10)))


def _divisors(width: int) -> tuple[str, ...]:
    return tuple(str(n) for n in range(1, width + 1) if width % n == 0)


def _plain(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


@dataclass(frozen=True)
class Sentences:
    """A sentence that asks and one that is asked, cut up, with the vectors of their words."""

    texts: tuple[str, ...]
    """As they were given; a single one attends to itself."""
    query: list[str]
    key: list[str]
    words: WordVectors
    """Of the query's tokens, and after them the key's."""
    embeddings: Path | None = None
    """The file of the vectors; None for the bundled ones."""


def read_sentences(
    texts: Sequence[str], embeddings: Path | None = None, progress: Progress | None = None
) -> Sentences:
    """Cut up a sentence and the one that it looks at, itself where there is but one, and look up
    their words.

    Raises:
        UsageError: a sentence without a word, or too long ones.
        DataError: embeddings that cannot be read.
    """
    asks, asked = tokenise(texts[0]), tokenise(texts[-1])
    if len(asks) * len(asked) > MAX_CELLS:
        raise UsageError(
            f"{len(asks):,} × {len(asked):,} words: more than {MAX_CELLS:,} cells, give less"
        )
    words = look_up(asks + asked, embeddings, progress)
    return Sentences(tuple(texts), asks, asked, words, embeddings)


def mechanisms_of(names: str | Iterable[str]) -> list[str]:
    """The mechanisms that names mean, which may be joined by commas; `all` means every one."""
    parts = ",".join([names] if isinstance(names, str) else names).split(",")
    return list(MECHANISMS) if "all" in parts else list(dict.fromkeys(parts))


def traces_of(
    sentences: Sentences,
    configs: Iterable[AttendConfig],
    trained: TrainedAttention | None = None,
    name: str | None = None,
) -> list[AttentionTrace]:
    """One trace a mechanism.

    Args:
        trained: learned attention for all mechanisms but dot; None draws them from their seeds.
        name: what `trained` was loaded by.

    Raises:
        DataError: `trained` lacks a mechanism, or was made for other vectors.
    """
    count, traces = len(sentences.query), []
    for config in configs:
        vectors, weights, loaded = sentences.words.vectors, None, None
        if trained is not None and config.mechanism != "dot":
            vectors, weights = _learned(config, vectors, trained, name)
            loaded = name
        sides = (sentences.query, vectors[:count]), (sentences.key, vectors[count:])
        traces.append(attend(*sides, config, weights, _made_by(sentences, config, loaded)))
    return traces


def _learned(
    config: AttendConfig, vectors: np.ndarray, trained: TrainedAttention, name: str | None
) -> tuple[np.ndarray, Weights]:
    """Word vectors prepared for a trained attention, and its tensors."""
    if config.mechanism not in trained.mechanisms:
        held = ", ".join(trained.mechanisms)
        raise DataError(f"it holds {held}, no {config.mechanism}", "load", name)
    if trained.centre.shape != vectors.shape[1:]:
        raise DataError(
            f"made for vectors of width {len(trained.centre)}, these have {vectors.shape[1]}; "
            f"use the embeddings that it was trained with",
            "load",
            name,
        )
    return prepare(vectors, trained.centre), trained.mechanisms[config.mechanism]


def _made_by(sentences: Sentences, config: AttendConfig, loaded: str | None) -> dict[str, Any]:
    """The options that give one trace again, and everything that it was made with."""
    usual = AttendConfig(config.mechanism)

    def unusual(field: str) -> Any:
        value = getattr(config, field)
        return None if value == getattr(usual, field) else value

    file = sentences.embeddings
    options = {
        "mechanism": config.mechanism,
        "scale": None if config.mechanism == "additive" else unusual("scaled"),
        "heads": unusual("num_heads") if config.mechanism == "multihead" else None,
        **{field: unusual(field) for field in ("temperature", "mask", "seed")},
        "embeddings": file,
        "load": loaded,
    }
    more = asdict(config) | {"embeddings": BUNDLED if file is None else file.name}
    more |= {"trained": loaded} if loaded else {}
    return made_by("attend", sentences.texts, options, "numpy", **more)
