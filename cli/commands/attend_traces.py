"""From the words and options of `dlcc attend` to traces, with what a user should know said."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

import numpy as np

from dlcc.cli.console import note, warn
from dlcc.cli.made_by import command
from dlcc.cli.progress import transferring
from dlcc.core.attend.mechanisms import (
    BOOK_KEY,
    BOOK_QUERY,
    MECHANISMS,
    AttendConfig,
    Weights,
    attend,
    tokenise,
)
from dlcc.core.attend.trained import TrainedAttention, prepare
from dlcc.core.errors import DataError, UsageError
from dlcc.core.files.vectors import BUNDLED, Progress, WordVectors, look_up
from dlcc.core.trace.trace import MAX_CELLS, AttentionTrace

_NAMED = 8  # words without a vector, at most, in the warning


def configs_of(
    names: list[str] | None,
    heads: int | None,
    scaled: bool,
    temperature: float,
    mask: str,
    seed: int,
    trained: TrainedAttention | None,
) -> list[AttendConfig]:
    """One configuration a mechanism, from the command's options as the user gave them."""
    mechanisms = [part for name in names or () for part in name.split(",")]
    if "all" in mechanisms:
        mechanisms = list(MECHANISMS)
    if not mechanisms:
        mechanisms = ["dot"] if trained is None else list(trained.mechanisms)
    if heads is not None and "multihead" not in mechanisms:
        raise UsageError(f"--heads {heads}: only with --mechanism multihead")
    if trained is not None and set(mechanisms) == {"dot"}:
        raise UsageError("--load: --mechanism dot has no weights to load")
    if not scaled and mechanisms == ["additive"]:
        raise UsageError("--no-scale: additive attention has no √D to leave out")
    return [
        AttendConfig(name, 2 if heads is None else heads, scaled, temperature, mask, seed)
        for name in dict.fromkeys(mechanisms)
    ]


def traces_of(query: str, key: str | None, mechanisms: list[str]) -> list[AttentionTrace]:
    """Attention with the bundled vectors and everything else as it is by default."""
    configs = configs_of(mechanisms, None, True, 1.0, "none", 0, None)
    return make_traces(query, key, configs, None, None, None)


def make_traces(
    query: str | None,
    key: str | None,
    configs: list[AttendConfig],
    embeddings: Path | None,
    trained: TrainedAttention | None,
    load: str | None,
) -> list[AttentionTrace]:
    """The traces of one command, one a mechanism.

    Args:
        query: the sentence that asks, - for stdin, None for the chapter's pair.
        key: the sentence that is asked, None for `query` itself.
        configs: the mechanisms.
        embeddings: a file of word vectors; the bundled ones when None.
        trained: learned attention for all mechanisms but dot.
        load: the name that `trained` was loaded by.
    """
    if query is None:
        query, key = BOOK_QUERY, BOOK_KEY
    texts = [_read(sentence) for sentence in (query, key) if sentence is not None]
    asks, asked = tokenise(texts[0]), tokenise(texts[-1])
    if len(asks) * len(asked) > MAX_CELLS:
        raise UsageError(
            f"{len(asks):,} × {len(asked):,} words: more than {MAX_CELLS:,} cells, give less"
        )
    with reading(embeddings) as progress:
        words = look_up(asks + asked, embeddings, progress)
    _warn_missing(words, configs)
    if trained is not None and trained.about.get("embeddings", words.source) != words.source:
        warn(f"--load {load} was trained with {trained.about['embeddings']}, not {words.source}")
    traces = []
    for config in configs:
        vectors, weights = words.vectors, None
        if trained is not None and config.mechanism != "dot":
            vectors, weights = _learned(config, vectors, trained, load)
        sides = (asks, vectors[: len(asks)]), (asked, vectors[len(asks) :])
        made_by = _made_by(texts, config, embeddings, None if weights is None else load)
        traces.append(attend(*sides, config, weights, made_by))
    untrained = [config.mechanism for config in configs if config.mechanism != "dot"]
    if untrained and trained is None:
        note(
            f"{', '.join(untrained)}: untrained, with weights drawn from the seed. For trained "
            "ones: --load relations, or dlcc attend train --save FILE and --load FILE"
        )
    return traces


def _learned(
    config: AttendConfig, vectors: np.ndarray, trained: TrainedAttention, load: str | None
) -> tuple[np.ndarray, Weights]:
    """Word vectors prepared for a trained attention, and its tensors."""
    if config.mechanism not in trained.mechanisms:
        held = ", ".join(trained.mechanisms)
        raise DataError(f"--load {load}: it holds {held}, no {config.mechanism}")
    if trained.centre.shape != vectors.shape[1:]:
        raise DataError(
            f"--load {load}: made for vectors of width {len(trained.centre)}, these have "
            f"{vectors.shape[1]}; use the embeddings that it was trained with"
        )
    return prepare(vectors, trained.centre), trained.mechanisms[config.mechanism]


def _made_by(
    texts: list[str], config: AttendConfig, embeddings: Path | None, load: str | None
) -> dict[str, object]:
    made: dict[str, object] = {
        "command": _command(texts, config, embeddings, load),
        **asdict(config),
        "embeddings": BUNDLED if embeddings is None else embeddings.name,
        "versions": {name: version(name) for name in ("dlcc", "numpy")},
    }
    return made | {"trained": load} if load else made


def _command(
    texts: list[str], config: AttendConfig, embeddings: Path | None, load: str | None
) -> str:
    """The command line that gives one trace again; what is left at its default is left out."""
    usual = AttendConfig(config.mechanism)
    parts = ["attend", *texts, "--mechanism", config.mechanism]
    if not config.scaled and config.mechanism != "additive":
        parts.append("--no-scale")
    heads = config.num_heads if config.mechanism == "multihead" else usual.num_heads
    return command(
        *parts,
        heads=(heads, usual.num_heads),
        temperature=(config.temperature, usual.temperature),
        mask=(config.mask, usual.mask),
        seed=(config.seed, usual.seed),
        embeddings=(embeddings, None),
        load=(load, None),
    )


def _read(sentence: str) -> str:
    return sys.stdin.read() if sentence == "-" else sentence


@contextmanager
def reading(path: Path | None) -> Iterator[Progress | None]:
    """A progress bar on stderr for reading `path`, where there is one."""
    if path is None:
        yield None
        return
    with transferring(f"reading {path.name}") as progress:
        yield progress


def _warn_missing(words: WordVectors, configs: list[AttendConfig]) -> None:
    if not words.missing:
        return
    named = ", ".join(repr(word) for word in words.missing[:_NAMED])
    more = len(words.missing) - _NAMED
    text = f"no vector for {named}" + (f" and {more} more" if more > 0 else "")
    text += f" in {words.source}: taken as zeros."
    mechanisms = {config.mechanism for config in configs}
    if mechanisms & {"dot", "trainable"}:
        text += (
            " As a query such a word scores 0 with every key, so that its row is even; as a key "
            "it scores 0 with every query, which still draws weight."
        )
    if mechanisms & {"additive", "multihead"}:
        text += " In additive and multi-head attention the biases alone speak for it."
    warn(text)


def find_cell(text: str, trace: AttentionTrace) -> tuple[int, int]:
    """The cell that `she:her` or `7:8` (positions from 1) names."""
    for place, character in enumerate(text):
        if character != ":":
            continue
        pair = (text[:place], trace.query), (text[place + 1 :], trace.key)
        found = [_positions(word, tokens) for word, tokens in pair]
        if all(found):
            sides = zip(("query", "key"), pair, found, strict=True)
            for side, (word, _), positions in sides:
                if len(positions) > 1:
                    places = ", ".join(str(n + 1) for n in positions)
                    note(
                        f"{word!r} stands at {places} of the {side}: the first is taken; name one "
                        "by position"
                    )
            return found[0][0], found[1][0]
    raise UsageError(
        f"--explain {text}: give QUERY:KEY, a word or position of each sentence; the query has "
        f"{_numbered(trace.query)}, the key {_numbered(trace.key)}"
    )


def _positions(word: str, tokens: tuple[str, ...]) -> list[int]:
    found = [n for n, token in enumerate(tokens) if token == word]
    found = found or [n for n, token in enumerate(tokens) if token.lower() == word.lower()]
    if not found and word.isdecimal() and 1 <= int(word) <= len(tokens):
        found = [int(word) - 1]
    return found


def _numbered(tokens: tuple[str, ...]) -> str:
    shown = " ".join(f"{n} {token}" for n, token in enumerate(tokens[:30], 1))
    return shown + (" ..." if len(tokens) > 30 else "")
