"""Reviews to tokens: HTML, contractions, places in the text, unknown words, windows."""

import pytest
from sentiment_samples import codec, corpus
from tokenizers import normalizers

from dlcc.core.errors import DataError, UsageError
from dlcc.core.nn.batches import PAD, UNK
from dlcc.core.sentiment.codec import MASK, SPECIAL_TOKENS, ReviewCodec, ends, windows

ENGLISH = ["It's a GREAT film, isn't it?<br /><br />I can't stop smiling... wow!!! 3 < 4"] * 2


def words_of(codec: ReviewCodec, text: str) -> list[str]:
    return [text[slice(*span)] for span in codec.encode(text).spans]


@pytest.fixture(scope="module")
def english() -> ReviewCodec:
    return ReviewCodec.learn(ENGLISH, "subwords", 200)


def test_words_stand_where_the_text_has_them(english: ReviewCodec) -> None:
    text = "Wow!!! It’s <i>GREAT</i><br />I can't stop"
    words = "Wow !!! It ’s GREAT I ca n't stop".split()
    assert words_of(english, text) == words
    assert english.encode(text).ids == english.encode("wow!!! it's great i can't stop").ids


CUT_AND_TYPED = [
    ("It does n't work -lrb- at all -rrb- .", "It doesn't work (at all)."),
    ("i don 't care , i ca n't , and can not", "I don't care, I can't, and cannot"),
    ("`` great '' they say ; the ` best ' ,", '"Great" they say; the ‘best’,'),
    ("wow ! ! ! . fine . . . is it ? ?", "Wow!!! Fine... is it??"),
    ("it 's gon na be -- lem me see -- 50 \\/ 50", "It's gonna be — lemme see – 50/50"),
    ("what i 'd call -lsb- that -rsb-", "What I'd call [that]"),
]


@pytest.mark.parametrize(("cut", "typed"), CUT_AND_TYPED)
def test_text_cut_into_tokens_reads_as_typed_text_does(cut: str, typed: str) -> None:
    both = ReviewCodec.learn([cut, typed] * 2, "words", 60)
    assert UNK not in both.encode(typed).ids
    assert both.encode(cut).ids == both.encode(typed).ids
    kept = "".join(words_of(both, cut)).replace(" ", "")
    assert kept == cut.replace("! .", "!").replace(" ", "").replace("\\", "")


def test_a_codec_with_older_rules_keeps_them_until_it_is_renewed(english: ReviewCodec) -> None:
    old = ReviewCodec.from_files(english.files())
    old.tokenizer.normalizer = normalizers.Lowercase()
    again = ReviewCodec.from_files(old.files())
    assert words_of(again, "-lrb- <b>great") == ["-", "lrb", "-", "<", "b", ">", "great"]
    renewed = again.renewed()
    assert renewed.vocabulary() == english.vocabulary()
    assert renewed.files() == english.files()
    assert again.files() == old.files()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a<br />b", ["a", "b"]),
        ("<a href='x'>it</a>", ["it"]),
        ("3 < 4 > 2", ["3", "<", "4", ">", "2"]),
        ("a &quot;b&quot; &amp; c", ["a", "b", "c"]),
        ("stop....what?!?", ["stop", "....", "what", "?", "!", "?"]),
        ("", []),
        (" \n ", []),
        ("<br />", []),
        ("I <s>hate</s> like <pad> it", ["I", "hate", "like", "it"]),
        ("😀👍", ["😀", "👍"]),
    ],
)
def test_tags_are_stripped_and_little_else(
    english: ReviewCodec, text: str, words: list[str]
) -> None:
    assert words_of(english, text) == words


def test_a_word_in_pieces_is_one_word(english: ReviewCodec) -> None:
    tokens = english.encode("grasmit film")
    assert len(tokens.ids) > 2
    assert sorted(set(tokens.words)) == [0, 1]
    assert tokens.spans == ((0, 7), (8, 12))
    assert tokens.words == tuple(sorted(tokens.words))


def test_what_was_never_seen_is_unknown(english: ReviewCodec) -> None:
    assert english.encode("😀").ids == (UNK,)
    assert english.vocabulary()[: MASK + 1] == list(SPECIAL_TOKENS)


@pytest.mark.parametrize(
    ("text", "unknown"),
    [
        ("It is a great film", False),
        ("great", False),
        ("", False),
        ("... !!! ...", False),
        ("这部电影很好看", True),
        ("grazie mille bellissimo tramonto", True),
    ],
)
def test_another_language_is_noticed(english: ReviewCodec, text: str, unknown: bool) -> None:
    assert english.mostly_unknown(english.encode(text).ids) is unknown


def test_whole_words_are_kept_or_unknown() -> None:
    words = ReviewCodec.learn(ENGLISH, "words", 30)
    assert UNK not in words.encode("It's great").ids
    assert words.encode("unheard film").ids[0] == UNK


def test_encoding_many_agrees_with_one_and_survives_a_checkpoint() -> None:
    texts = ["The plot was dull", "", "A <b>very</b> lovely film"]
    again = ReviewCodec.from_files(codec().files())
    assert again.encode_many(texts) == [list(codec().encode(text).ids) for text in texts]
    for files in ({}, {"tokenizer.json": b"{}"}, {"tokenizer.json": b"\xff"}):
        with pytest.raises(DataError, match="tokenizer is missing or damaged"):
            ReviewCodec.from_files(files)
    with pytest.raises(UsageError, match="vocabulary letters"):
        ReviewCodec.learn([], "letters", 10)


@pytest.mark.parametrize("kind", ["subwords", "words"])
def test_the_same_texts_give_the_same_numbers(kind: str) -> None:
    texts = [review.text for review in corpus().train]
    found = {ReviewCodec.learn(texts, kind, 90).files()["tokenizer.json"] for _ in range(5)}
    assert len(found) == 1


def test_ends_keep_a_quarter_and_three_quarters() -> None:
    assert list(ends(range(8), 8)) == list(range(8))
    assert list(ends(range(20), 8)) == [0, 1, 14, 15, 16, 17, 18, 19]


@pytest.mark.parametrize("count", [0, 1, 7, 8, 9, 16, 17, 100])
def test_windows_cover_all_of_a_text(count: int) -> None:
    found = windows(range(count), 8)
    assert set().union(*(range(*window) for window in found)) == set(range(count))
    assert all(end - start == min(8, count) for start, end in found)
    assert len(found) == max(1, -(-count // 8))


def test_padding_is_no_token(english: ReviewCodec) -> None:
    assert PAD not in english.encode(ENGLISH[0]).ids
