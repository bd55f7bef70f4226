import pytest

from dlcc.core.translate.score import alignment_error_rate, bleu, chrf


def test_bleu_counts_the_first_or_every_reference() -> None:
    hypotheses = ["El libro es muy viejo.", "Vi a Tom en casa ayer."]
    references = [["El libro es muy viejo.", "Este libro es viejo."], ["No.", hypotheses[1]]]
    assert bleu(hypotheses, references).value == pytest.approx(100)
    first = [r[:1] for r in references]
    assert 30 < bleu(hypotheses, first).value < 80
    assert bleu(hypotheses, first).signature.startswith("nrefs:1|case:mixed|eff:no|tok:13a")
    assert bleu([h.lower() for h in hypotheses], references).value < 100


def test_references_may_differ_in_number() -> None:
    assert bleu(["a b c d", "e f g h"], [["a b c d"], ["x", "e f g h"]]).value == pytest.approx(100)
    assert chrf(["casa"], [["casa", "hogar"]]).value == pytest.approx(100)


def test_alignment_error_rate() -> None:
    sure = [frozenset({(0, 0), (1, 1)}), frozenset({(0, 1)})]
    assert alignment_error_rate(sure, sure) == 0
    assert alignment_error_rate([frozenset({(5, 5)}), frozenset()], sure) == 1
    half = [frozenset({(0, 0), (1, 0)}), frozenset({(0, 1)})]
    assert alignment_error_rate(half, sure) == pytest.approx(1 - 2 * 2 / 6)
    assert alignment_error_rate([], []) == 0
