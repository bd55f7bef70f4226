import pytest

from dlcc.core.errors import DataError, UsageError
from dlcc.core.nn.batches import BOS, EOS, PAD, UNK
from dlcc.core.translate.codec import (
    Casing,
    Codec,
    clean,
    split_lead,
    split_sentences,
    split_words,
    titled,
)

SOURCES = ["I saw Tom.", "We know Tom and Mary.", "Is the book old?", "The old book is Tom's."] * 3
TARGETS = ["Vi a Tom.", "Conocemos a Tom y Mary.", "¿Es viejo el libro?", "¡El libro viejo!"] * 3


@pytest.fixture
def codec() -> Codec:
    return Codec.learn(SOURCES, TARGETS, "subwords", 200)


def test_clean_composes_straightens_and_joins() -> None:
    assert clean(" A\u0301rbol\t’x’ \n “y”\u200b ") == "Árbol 'x' \"y\""


def test_casing_keeps_words_that_are_capitalised_inside_sentences() -> None:
    casing = Casing.learn(SOURCES)
    assert casing.keep == {"Tom", "Mary"}
    assert casing.lower("Tom ran. The end. Is it?") == "Tom ran. the end. is it?"
    assert casing.lower("NASA ran.") == "NASA ran."
    assert Casing.upper("¿es él? ¡sí! vale.") == "¿Es él? ¡Sí! Vale."


def test_missing_capitals_of_names_are_restored() -> None:
    casing = Casing.learn(SOURCES)
    assert casing.restore("tom saw the book, TOM.") == "Tom saw the book, Tom."
    assert Casing().restore("tom") == "tom"


def test_sentences_end_at_marks_but_not_at_titles() -> None:
    text = 'I saw Mr. Smith. He left! "Why?" Dr. No and Mrs. X knew... Did St. Tom?'
    assert split_sentences(text) == [
        "I saw Mr. Smith.",
        "He left!",
        '"Why?" Dr. No and Mrs. X knew...',
        "Did St. Tom?",
    ]


def test_initials_do_not_end_a_sentence_and_titles_get_their_full_stop() -> None:
    assert split_sentences("J. R. Tolkien wrote. So do I. You too.") == [
        "J. R. Tolkien wrote.",
        "So do I.",
        "You too.",
    ]
    assert titled("Mr and Mrs Brown know Dr Who, not Mr. X or Mrs.") == (
        "Mr. and Mrs. Brown know Dr. Who, not Mr. X or Mrs."
    )


@pytest.mark.parametrize(
    ("lead", "line"),
    [("- ", "a dog"), ("12. ", "a dog"), ("a) ", "3 dogs"), ("> ", "a"), ("## ", "A. B")]
    + [("", each) for each in ("-5 dogs", "3 dogs", "1.", "", "- ", "A. B", "(a b) c")],
)
def test_what_stands_before_a_line_is_kept_apart(lead: str, line: str) -> None:
    assert split_lead(lead + line) == (lead, line)


@pytest.mark.parametrize("text", ["", "?", "İ", "ßa", "中文", "123."])
def test_casing_leaves_what_has_no_capitals(text: str) -> None:
    assert Casing().lower(text) == text


@pytest.mark.parametrize("kind", ["subwords", "words"])
def test_training_sentences_come_back_whole(kind: str) -> None:
    codec = Codec.learn(SOURCES, TARGETS, kind, 200)
    for target, tokens in zip(TARGETS, codec.encode_target(TARGETS), strict=True):
        assert codec.decode([BOS, *tokens.ids, EOS, PAD]) == target


def test_tokens_know_their_text_and_their_word(codec: Codec) -> None:
    text = "Tom's books, Mary."
    tokens = codec.encode_source([text])[0]
    words = split_words(text)
    assert words == ["Tom", "'s", "books", ",", "Mary", "."]
    for number, word in enumerate(words):
        parts = [t for t, n in zip(tokens.texts, tokens.words, strict=True) if n == number]
        assert "".join(parts) == word
    target = codec.encode_target(["¿Es viejo?"])[0]
    assert codec.words(target.ids) == target.words


def test_an_unknown_script_is_unknown_and_unknown_words_are_named(codec: Codec) -> None:
    strange, mixed = codec.encode_source(["中文", "中文 Tom"])
    assert UNK in strange.ids
    assert strange.texts == ("▁", "中", "文")
    assert not codec.can_read(strange)
    assert codec.can_read(mixed)
    assert [codec.can_read(t) for t in codec.encode_source(["中文.", "?", ""])] == [
        False,
        True,
        False,
    ]
    assert codec.unknown("Tom saw 3 Zebras, the zebras.") == ("Zebras", "zebras")


def test_no_text_gives_no_tokens(codec: Codec) -> None:
    assert codec.encode_source([""])[0].ids == ()
    assert codec.decode([]) == ""
    assert codec.words([]) == ()


def test_the_names_of_special_tokens_are_text(codec: Codec) -> None:
    for text in ("<pad>", "Tom </s> knows <s> Mary <unk>"):
        ids = codec.encode_source([text])[0].ids
        assert ids
        assert not {PAD, BOS, EOS} & set(ids)


def test_files_bring_the_codec_back(codec: Codec) -> None:
    again = Codec.from_files(codec.files())
    assert again.encode_source(SOURCES) == codec.encode_source(SOURCES)
    assert again.known == codec.known
    assert again.source.keep == codec.source.keep
    assert again.size == codec.size


def test_damaged_files_and_unknown_kinds_are_refused(codec: Codec) -> None:
    with pytest.raises(DataError, match="vocabulary is damaged"):
        Codec.from_files({**codec.files(), "tokenizer.json": b"{"})
    with pytest.raises(UsageError, match="vocabulary letters"):
        Codec.learn(SOURCES, TARGETS, "letters", 200)
