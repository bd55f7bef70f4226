"""What people type, as a model knows it."""

import pytest

from dlcc.core.attend.mechanisms import tokenise
from dlcc.core.sentiment.source import SentimentSource
from dlcc.core.translate.source import TranslateSource
from dlcc.core.typed import places_of, typed, typed_letters


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("I don`t know", "I don't know"),
        ("I don´t know, he′s here, itʼs ‘fine’", "I don't know, he's here, it's 'fine'"),
        ("“Yes,” he said", '"Yes," he said'),
        ("a bo\u00adok and a\u200d b\u200book\ufeff", "a book and a book"),
        ("Ｉ ｂｏｕｇｈｔ\u3000ｏｎｅ．", "I bought one."),
        ("a ﬁne oﬃce", "a fine office"),
        ("<b>I &amp; you</b><br />yes </s>", "I & you yes"),
        ("a < b and c > d, I <3 you", "a < b and c > d, I <3 you"),
        ("cafe\u0301", "café"),
        ("a 👨‍👩‍👧 family", "a 👨‍👩‍👧 family"),
    ],
)
def test_one_way_of_writing(text: str, read: str) -> None:
    assert typed(text) == read


def test_letters_know_where_they_stood() -> None:
    text = "\u00adof\u200dﬁce ‘ａ’"
    letters, places = typed_letters(text), places_of(text)
    assert letters == "office 'a'"
    assert len(places) == len(letters)
    assert [text[place] for place in places] == list("ofﬁﬁce ‘ａ’")


def test_apostrophes_mean_the_same_to_each_family() -> None:
    assert tokenise("I don´t kno\u00adw") == tokenise("I don't know")
    codec = SentimentSource().classifier.codec
    assert codec.encode("It isn`t go\u00adod.").ids == codec.encode("It isn't good.").ids
    assert codec.encode("go\u00adod").spans == ((0, 5),)
    assert codec.encode_many(["It isnʼt"]) == codec.encode_many(["It isn't"])


def test_capitals_are_read_as_words_and_names_kept() -> None:
    translator = TranslateSource().translator
    assert translator.read_as("I BOUGHT A BOOK IN BOSTON.") == "I bought a book in Boston."
    assert translator.read_as("I bought a BOOK.") == "I bought a book."
    assert translator.read_as("Tom lives in the USA.") == "Tom lives in the USA."
    assert translator.read_as("OK.") == "OK."
