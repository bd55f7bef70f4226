"""What `dlcc attend train` found, in words that hold for its figures and no others."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dlcc.core.attend.teaching import Row


def lessons(rows: "tuple[Row, ...]") -> list[str]:
    """One sentence for each thing that the rows show."""
    found = {(row.kind.name, row.kind.embeddings, row.kind.start): row for row in rows}
    sentences = [_carry_over(found), _start(found), _memorise(found), _cost(found)]
    return [sentence for sentence in sentences if sentence]


def _accuracy(row: "Row", when: str) -> float:
    figures = getattr(row, when)
    return sum(each.accuracy for each in figures) / len(figures)


def _carry_over(found: "dict[tuple[str, str, str], Row]") -> str:
    row = found.get(("trainable", "fixed", "similarity"))
    if row is None:
        return ""
    before, taught = _accuracy(row, "before"), _accuracy(row, "after")
    plain = _accuracy(found["dot-product", "fixed", ""], "after")
    cosine = _accuracy(found["cosine × 10", "fixed", ""], "after")
    if taught > max(plain, cosine, before):
        verdict = "what the projections learned carries over to words they never saw"
    elif taught > before:
        verdict = "the projections carry over, but no further than comparing the words as they are"
    else:
        verdict = "here the projections learned nothing that carries over"
    return (
        f"With fixed embeddings, trainable attention from a similarity start finds {taught:.0%} of "
        f"the held-out partners ({before:.0%} before training), plain dot-product attention "
        f"{plain:.0%}, the cosine {cosine:.0%}: {verdict}."
    )


def _start(found: "dict[tuple[str, str, str], Row]") -> str:
    drawn = found.get(("trainable", "fixed", "random"))
    alike = found.get(("trainable", "fixed", "similarity"))
    if drawn is None or alike is None:
        return ""
    low, high = _accuracy(drawn, "after"), _accuracy(alike, "after")
    fits = _accuracy(drawn, "training")
    if high - low > 0.05:
        verdict = (
            "with so few pairs, where the weights start and are held decides what carries over"
        )
    elif low - high > 0.05:
        verdict = "here the random start is the better one"
    else:
        verdict = "here the start matters little"
    return (
        f"From a random start it finds {low:.0%} of them, and {fits:.0%} of the training pairs: "
        f"{verdict}."
    )


def _memorise(found: "dict[tuple[str, str, str], Row]") -> str:
    row = found.get(("dot-product", "learned", ""))
    if row is None:
        return ""
    before, after, training = (_accuracy(row, when) for when in ("before", "after", "training"))
    if training > 0.9 and after < before - 0.05:
        verdict = (
            "each learned vector is one word's own, so fitting the training words leaves the "
            "held-out ones where they were, and behind"
        )
    elif after < before - 0.05:
        verdict = "the held-out words lose although the training words are not yet fitted"
    else:
        verdict = "here learning the vectors cost the held-out words nothing"
    return (
        f"With learned key vectors, plain dot-product attention finds {training:.0%} of the "
        f"training partners and {after:.0%} of the held-out ones ({before:.0%} before): {verdict}."
    )


def _cost(found: "dict[tuple[str, str, str], Row]") -> str:
    parts = []
    for name in ("trainable", "additive"):
        for start in ("random", "similarity"):
            fixed = found.get((name, "fixed", start))
            learned = found.get((name, "learned", start))
            if fixed is not None and learned is not None:
                change = f"{_accuracy(fixed, 'after'):.0%} → {_accuracy(learned, 'after'):.0%}"
                parts.append(f"{name} from a {start} start {change}")
    if not parts:
        return ""
    return f"Held-out accuracy when the key vectors are learned as well: {', '.join(parts)}."
