"""A model's answers to unlabelled texts, to learn from (distillation, Hinton et al. 2015)."""

from dataclasses import replace
from pathlib import Path

from dlcc.core.errors import DataError
from dlcc.core.files.tables import open_table, read_rows
from dlcc.core.sentiment.data import Corpus, Review
from dlcc.core.sentiment.mixture import letters

_COLUMNS = ("text", "label", "probability")


def with_answers(corpus: Corpus, path: Path) -> Corpus:
    """Train on a model's answers as well, each with its probability. Texts that validate or test
    are left out (where there are several sources, however they are spelled), and those without an
    answer.

    Args:
        corpus: what is trained on so far.
        path: a table with the columns text, label and probability, as `dlcc sentiment` prints
            them as CSV.

    Raises:
        DataError: no such columns, a class that the corpus lacks, or what is no probability.
    """
    spelling = letters if len(corpus.sources) > 1 else str
    known = {spelling(review.text) for review in (*corpus.validation, *corpus.test)}
    answers = []
    rows = read_rows(open_table(path), "text", dict.fromkeys(_COLUMNS, ""))
    for line, _, (text, label, probability) in rows:
        where = f"{path}, line {line}"
        if not label:
            continue
        if label not in corpus.labels:
            raise DataError(
                f"{where}: the class {label!r} is none of {', '.join(corpus.labels)}, which are "
                f"trained"
            )
        if spelling(text) not in known:
            share = _probability(probability, where)
            answers.append(Review(text, label, f"{path.name}:{line}", text, share))
    return replace(corpus, train=(*corpus.train, *answers))


def _probability(value: str, where: str) -> float:
    try:
        share = float(value)
    except ValueError:
        share = -1.0
    if not 0 < share <= 1:
        raise DataError(f"{where}: {value!r} is no probability between 0 and 1")
    return share
