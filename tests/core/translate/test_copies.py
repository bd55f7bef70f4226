import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from dlcc.core.files.paths import asset
from dlcc.core.nn.batches import BOS, EOS, padded
from dlcc.core.train.calibrated import log_softmax
from dlcc.core.translate.codec import Codec
from dlcc.core.translate.copies import MARKS, copied_names, is_strange, marked_pair, places
from dlcc.core.translate.search import beam_search, greedy_search
from dlcc.core.translate.translator import Translator

KEPT = Path(__file__).parents[2] / "data/kept.tsv"
PAIRS = [("I saw Tom.", "Vi a Tom."), ("We are in London.", "Estamos en Londres.")] * 2
PAIRS += [("He has 3 dogs, Tom.", "Tiene 3 perros, Tom.")] * 2


@pytest.fixture(scope="module")
def codec() -> Codec:
    sources, targets = zip(*PAIRS, strict=True)
    return Codec.learn(sources, targets, "subwords", 200)


@pytest.mark.parametrize(
    ("text", "copied"),
    [
        ("It weighs 3.5 kilos, or -5, in 2010.", ["3.5", "-5", "2010"]),
        ("4,275 people at 17:45 on the 25th, $5.", ["4,275", "17:45", "25", "$5"]),
        ("A 10-year-old has COVID-19.", ["10", "COVID-19"]),
        (
            "Write to a.b@c.org or https://c.org/x_1 or www.c.org.",
            ["a.b@c.org", "https://c.org/x_1", "www.c.org"],
        ),
        ("Zoë's Node.js, O.K.", ["Zoë", "Node.js"]),
        ("Write to O'Neill's dog, or D'Angelo", ["O'Neill", "D'Angelo"]),
        ("It weighs 10km at 5°C or -3 °F, in 45min", ["10km", "5°C", "-3 °F", "45min"]),
        ("https://c.org/a?b=1, @ana or #1", ["https://c.org/a?b=1", "@ana", "#1"]),
        (
            "Wei Ana has Node 5.2 or Zhang, Wei and 3 Zhang",
            ["Wei Ana", "Node 5.2", "Zhang", "Wei", "and", "3"],
        ),
        ("It is J. R. Zhang, Mrs. Wei or 😀😀", ["J. R. Zhang", "Mrs. Wei", "😀😀"]),
        ("dog.txt, c.org/dog, in/or", ["dog.txt", "c.org/dog"]),
        ("Is a well-known dog here?", []),
        ("Do dogs or an unfriendly doggy run?", ["unfriendly"]),
    ],
)
def test_numbers_names_and_unknown_words_are_found(text: str, copied: list[str]) -> None:
    words = "it weighs kilos or in people at on the a year old has write to now well known dog"
    words += " do an run here is s o k"
    known = frozenset(words.split())
    spans = places(text, lambda word: is_strange(word, known, frozenset()))
    assert [text[start:end] for start, end in spans] == copied


def test_names_that_stand_the_same_in_the_target_are_copied_others_learned() -> None:
    assert copied_names(PAIRS) == {"Tom"}


def test_a_pair_to_train_on_has_placeholders_where_both_sides_have_the_word() -> None:
    names = frozenset({"Tom"})
    source, target = marked_pair(*PAIRS[-1], names, frozenset(), random.Random(0))
    used = [letter for letter in source if letter in MARKS]
    assert len(set(used)) == 2
    assert target == source.replace("He has", "Tiene").replace("dogs", "perros")
    for pair in [PAIRS[1], ("It is 3.", "Son las tres."), ("3 of 3 Tom", "3 de 3")]:
        assert marked_pair(*pair, names, frozenset(), random.Random(0)) == pair


def test_copied_words_come_back_and_are_shown(codec: Codec) -> None:
    text = "Zoë saw 4,275 Tom in London."
    tokens = codec.encode_source([text])[0]
    assert tokens.copies == ("Zoë", "4,275", "Tom")
    assert [t for t in tokens.texts if t in tokens.copies] == list(tokens.copies)
    assert codec.decode(tokens.ids, tokens.copies) == text
    mark = codec.marks[0][1]
    assert codec.piece(mark, tokens.copies) == "▁Zoë"
    assert codec.token("▁Zoë", tokens.copies) == mark
    again = Codec.from_files(codec.files())
    assert again.encode_source([text])[0] == tokens


def test_more_words_than_placeholders_are_spelled(codec: Codec) -> None:
    tokens = codec.encode_source(["10 20 30 40 50 60 70."])[0]
    assert tokens.copies == ("10", "20", "30", "40", "50", "60")


def test_a_vocabulary_without_placeholders_copies_nothing() -> None:
    bare = Codec.learn(["a dog"], ["un perro"], "subwords", 60)
    assert bare.marks == []
    assert bare.encode_source(["a dog 3"])[0].copies == ()
    grown = bare.copying(PAIRS)
    assert grown.size > bare.size
    assert grown.encode_source(["a dog 3"])[0].copies == ("3",)
    assert grown.copying(PAIRS) is grown


class _Likes:
    """A model that always wants token 5, then 4, then the end, then 6, whatever it reads."""

    def run(self, name: str, **given: Any) -> dict[str, Any]:
        if name == "encode":
            source = given["source"]
            return {"mask": source != 0, "state": np.zeros((1, len(source), 1))}
        logits = np.full((len(given["given"]), 7), -30.0)
        logits[:, [5, 4, EOS, 6]] = [9.0, 8.0, 7.0, 5.0]
        logits[:, given["marked"]] += given["bias"]
        best = np.argsort(-logits, 1)[:, : len(given["ranks"])]
        values = np.take_along_axis(log_softmax(logits), best, 1)
        return {"values": values, "tokens": best, "next": given["state"]}


def test_a_placeholder_is_written_once_and_only_if_the_source_has_it() -> None:
    source, marks = padded([[5, 3], [6, 3], [3]]), [[5], [4], [6]]
    found = [each.tokens for each in greedy_search(_Likes(), 7, source, marks=marks)]
    assert found == [(5,), (6,), ()]
    beams = beam_search(_Likes(), 7, source, 2, 0.0, marks=marks)
    assert [each[0].tokens for each in beams] == found
    assert greedy_search(_Likes(), 7, source)[0].tokens[:2] == (5, 5)
    assert BOS not in found[0]


def test_placeholders_that_are_not_insisted_on_may_be_left_out() -> None:
    source, marks = padded([[5, 4, 6]]), [[5], [4], [6]]
    for insist, wanted in ((True, (5, 4, 6)), (False, (5, 4))):
        (found,) = greedy_search(_Likes(), 7, source, marks=marks, insist=insist)
        assert found.tokens == wanted
        assert beam_search(_Likes(), 7, source, 2, 0.0, marks=marks, insist=insist)[0][0] == found


def test_rather_than_never_ending_a_translation_leaves_a_word_out_and_says_so() -> None:
    translator = Translator.load(asset("translate"), torch.device("cpu"))
    text = "Tom and Mary O'Brien have 2 children: Anna (5) and Luis (7)."
    (found,) = translator.translate([text])
    left = [word for word in ("O'Brien", "2", "Anna", "5", "Luis", "7") if word not in found.text]
    assert left
    assert found.problem == f"the translation leaves out {', '.join(left)}"


def test_the_bundled_model_keeps_names_numbers_and_rare_words() -> None:
    lines = KEPT.read_text(encoding="utf-8").splitlines()
    pairs = [line.split("\t") for line in lines if not line.startswith("#")]
    translator = Translator.load(asset("translate"), torch.device("cpu"))
    results = translator.translate([source for source, _ in pairs])
    kept = [
        all(part in result.text for part in parts.split("|"))
        for result, (_, parts) in zip(results, pairs, strict=True)
    ]
    assert len(kept) == 60
    assert all(sum(kept[first : first + 20]) >= 18 for first in (0, 20, 40))
    assert translator.translate(["I live in London."])[0].text.endswith(" Londres.")
