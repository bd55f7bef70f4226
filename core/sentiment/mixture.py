"""Labelled texts of several sources, learned together."""

import hashlib
import math
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from dlcc.core.errors import DataError, UsageError
from dlcc.core.sentiment.config import SplitConfig
from dlcc.core.sentiment.data import Corpus, Source, load_corpus
from dlcc.core.sentiment.texts import Say, unsaid


def path_and_share(given: str) -> tuple[Path, float]:
    """A source as it is named on a command line: PATH, of share 1, or PATH=SHARE."""
    path, _, share = given.rpartition("=")
    try:
        return (Path(path), float(share)) if path and not Path(given).exists() else (Path(given), 1)
    except ValueError:  # what follows is a part of the name
        return Path(given), 1.0


def load_corpora(
    given: Sequence[tuple[Path, float]],
    config: SplitConfig,
    keep_copies: bool = False,
    say: Say = unsaid,
) -> Corpus:
    """Read and split the texts of several sources, to be learned together.

    A text that validates or tests is trained on in no source, however it is spelled.

    Args:
        given: each source as `load_corpus` takes it, and its share: how often an epoch has each of
            its texts. 0.5 draws half of them anew each epoch.
        config: columns and split.
        keep_copies: whether a single source keeps training texts that also validate or test.
        say: is told what was found and what was left out.

    Raises:
        UsageError: a share of 0 or less, or two sources of one name.
        DataError: as of `load_corpus`, or sources whose classes differ.
    """
    names = [path.name.partition(".")[0] or path.name for path, _ in given]
    for (path, share), name in zip(given, names, strict=True):
        if not 0 < share < math.inf:
            raise UsageError("give a share above 0", "data", f"{path}={share:g}")
        if names.count(name) > 1:
            raise UsageError(f"another source is called {name} too: rename one", "data", path)
    found = [load_corpus(path, config, say) for path, _ in given]
    if any(corpus.labels != found[0].labels for corpus in found):
        shown = "; ".join(
            f"{name} has {', '.join(corpus.labels)}"
            for name, corpus in zip(names, found, strict=True)
        )
        raise DataError(f"the sources have different classes: {shown}")
    kept = found if keep_copies and len(found) == 1 else _without_held_out(found)
    for before, after in zip(found, kept, strict=True):
        if gone := {each.label for each in before.train} - {each.label for each in after.train}:
            raise DataError(f"every text of the class {min(gone)} also validates or tests")
    sources = [
        Source(name, share, len(corpus.train), len(corpus.validation), corpus.split_hash)
        for name, (_, share), corpus in zip(names, given, kept, strict=True)
    ]
    left_out = sum(len(corpus.train) for corpus in found) - sum(each.train for each in sources)
    return replace(_joined(kept, tuple(sources)), left_out=left_out)


def _joined(corpora: Sequence[Corpus], sources: tuple[Source, ...]) -> Corpus:
    """One corpus of several with the same classes."""
    first, *others = corpora
    if not others:
        return replace(first, sources=sources)
    hashes = "\n".join(corpus.split_hash for corpus in corpora)
    texts: dict[str, Any] = {
        part: tuple(review for corpus in corpora for review in getattr(corpus, part))
        for part in ("train", "validation", "test", "unlabelled")
    }
    return replace(
        first,
        **texts,
        grouping="; ".join(dict.fromkeys(corpus.grouping for corpus in corpora)),
        split_hash=hashlib.sha256(hashes.encode()).hexdigest()[:16],
        sources=sources,
    )


def _without_held_out(corpora: Sequence[Corpus]) -> list[Corpus]:
    """The corpora without the training texts that validate or test in any of them."""
    held_out = {
        letters(review.text) for corpus in corpora for review in (*corpus.validation, *corpus.test)
    }
    return [
        replace(
            corpus,
            train=tuple(each for each in corpus.train if letters(each.text) not in held_out),
        )
        for corpus in corpora
    ]


def letters(text: str) -> str:
    """A text's letters and digits, the same however it is cut, quoted and capitalised; all of it
    when it has none."""
    return re.sub(r"\W+", "", text.lower()) or text
