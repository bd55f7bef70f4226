"""Reading and splitting labelled texts, and every way in which the data can be wrong."""

import csv
import io
import json
import tarfile
import zipfile
from pathlib import Path

import pytest

from dlcc.core.errors import DataError, UsageError
from dlcc.core.files.tables import TableConfig, open_table, read_rows
from dlcc.core.sentiment.answers import with_answers
from dlcc.core.sentiment.config import SplitConfig
from dlcc.core.sentiment.data import load_corpus, untested_texts
from dlcc.core.sentiment.mixture import load_corpora, path_and_share
from dlcc.core.sentiment.texts import read_texts

SPLIT = SplitConfig(validation_share=0.3)


def official(folder: Path, films: bool = False) -> Path:
    """Ten films with 50 positive and 50 negative reviews each, and some texts for the rest."""
    for part, count in (("train", 500), ("test", 1)):
        for label in ("pos", "neg"):
            (folder / part / label).mkdir(parents=True)
            for number in range(count):
                file = folder / part / label / f"{number}_{8 if label == 'pos' else 2}.txt"
                file.write_text(f"{part} {label} {number} of film {number // 50}")
            if films:
                names = "\n".join(f"http://film/{number // 50}" for number in range(count))
                (folder / part / f"urls_{label}.txt").write_text(names)
    (folder / "train/unsup").mkdir()
    for number in range(2):
        (folder / "train/unsup" / f"{number}_0.txt").write_text(f"no label {number}")
    (folder / "README.txt").write_text("not a review")
    return folder


def as_tar(folder: Path, path: Path) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        archive.add(folder, "aclImdb")
    return path


def test_the_official_layout_as_folder_and_archive(tmp_path: Path) -> None:
    folder = official(tmp_path / "aclImdb")
    for path in (folder, as_tar(folder, tmp_path / "a.tar.gz")):
        corpus = load_corpus(path, SPLIT)
        assert corpus.labels == ("neg", "pos")
        assert len(corpus.train) + len(corpus.validation) == 1000
        assert sorted(review.text for review in corpus.test) == [
            "test neg 0 of film 0",
            "test pos 0 of film 0",
        ]
        assert [review.text for review in corpus.unlabelled] == ["no label 0", "no label 1"]
        assert "urls_pos.txt is absent" in corpus.grouping
        blocks = {r.group for r in corpus.train} & {r.group for r in corpus.validation}
        assert blocks == set()
        assert len({review.group for review in corpus.train + corpus.validation}) == 10


def test_films_stay_on_one_side_when_they_are_known(tmp_path: Path) -> None:
    corpus = load_corpus(official(tmp_path / "aclImdb", films=True), SPLIT)
    films = [{r.text.split()[-1] for r in part} for part in (corpus.train, corpus.validation)]
    assert films[0] | films[1] == {str(number) for number in range(10)}
    assert films[0] & films[1] == set()
    assert "one film stay" in corpus.grouping


def test_the_test_part_is_never_practised_on(tmp_path: Path) -> None:
    texts = untested_texts(official(tmp_path / "aclImdb"))
    assert len(texts) == 1002
    assert not any(text.startswith("test") for text in texts)


def test_a_split_is_drawn_by_its_seed_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    rows = "".join(f"text number {number},{'ab'[number % 2]}\n" for number in range(200))
    path.write_text("text,label\n" + rows + "text number 7,b\n")
    first, again = load_corpus(path, SPLIT), load_corpus(path, SPLIT)
    assert first == again
    other = load_corpus(path, SplitConfig(validation_share=0.3, seed=1))
    assert other.split_hash != first.split_hash
    assert 40 < len(first.validation) < 80
    sides = [{review.text for review in part} for part in (first.train, first.validation)]
    assert sides[0] & sides[1] == set()  # the text that occurs twice as well


def test_every_class_is_on_both_sides_of_a_small_split(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("text,label\n" + "".join(f"t{n}{c},{c}\n" for c in "abc" for n in range(2)))
    corpus = load_corpus(path, SplitConfig(validation_share=0.01))
    for part in (corpus.train, corpus.validation):
        assert {review.label for review in part} == {"a", "b", "c"}


def test_class_folders_also_zipped(tmp_path: Path) -> None:
    for label in ("ham", "spam", "eggs"):
        (tmp_path / "mail" / label).mkdir(parents=True)
        for number in range(4):
            (tmp_path / "mail" / label / f"{number}.txt").write_text(f"{label} {number}")
    (tmp_path / "mail/notes.txt").write_text("not a text")
    with zipfile.ZipFile(tmp_path / "mail.zip", "w") as archive:
        for file in (tmp_path / "mail").rglob("*.txt"):
            archive.write(file, file.relative_to(tmp_path))
    for path in (tmp_path / "mail", tmp_path / "mail.zip"):
        corpus = load_corpus(path, SPLIT)
        assert corpus.labels == ("eggs", "ham", "spam")
        assert len(corpus.train) + len(corpus.validation) == 12
        assert corpus.test == ()


def test_jsonl_and_other_columns(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    lines = [json.dumps({"id": n, "body": f"text {n}", "stars": n % 2}) for n in range(20)]
    path.write_text("\n".join(lines) + "\n\n")
    corpus = load_corpus(path, SplitConfig("body", "stars", 0.3))
    assert corpus.labels == ("0", "1")
    assert [*read_texts(path, "body")] == [f"text {n}" for n in range(20)]


def table(path: Path, *texts: str, labels: str = "ab") -> Path:
    path.parent.mkdir(exist_ok=True)
    rows = "".join(f'"{text}",{labels[n % len(labels)]}\n' for n, text in enumerate(texts))
    path.write_text("text,label\n" + rows)
    return path


def numbered(name: str, count: int = 40) -> list[str]:
    return [f"{name} number {number}" for number in range(count)]


def test_a_validation_part_of_its_own_takes_the_place_of_a_share(tmp_path: Path) -> None:
    for part, count in (("train", 30), ("validation", 6), ("test", 2)):
        table(tmp_path / "tables" / f"{part}.csv", *numbered(part, count))
        for label in "ab":
            (tmp_path / "folders" / part / label).mkdir(parents=True)
            for number in range(count // 2):
                file = tmp_path / "folders" / part / label / f"{number}.txt"
                file.write_text(f"{part} {label} {number}")
    for kind in ("tables", "folders"):
        corpus = load_corpus(tmp_path / kind, SPLIT)
        assert [len(part) for part in (corpus.train, corpus.validation, corpus.test)] == [30, 6, 2]
        assert all(review.text.startswith("validation") for review in corpus.validation)
        assert corpus.grouping == "the data names the texts that validate"
    table(tmp_path / "tables/validation.csv", "x", labels="c")
    with pytest.raises(DataError, match="class c has validation examples but none to train on"):
        load_corpus(tmp_path / "tables", SPLIT)


@pytest.mark.parametrize(
    "names", [("train", "val", "test"), ("Train", "valid", "Test"), ("training", "Val", "testing")]
)
def test_parts_are_known_by_their_usual_names(tmp_path: Path, names: tuple[str, ...]) -> None:
    for part, count in zip(names, (6, 3, 2), strict=True):
        for label in ("neg", "pos"):
            (tmp_path / part / label).mkdir(parents=True)
            for number in range(count):
                file = tmp_path / part / label / f"{number}.txt"
                file.write_text(f"{part} {number} {label}")
    corpus = load_corpus(tmp_path, SPLIT)
    assert [len(part) for part in (corpus.train, corpus.validation, corpus.test)] == [12, 6, 4]
    assert corpus.grouping == "the data names the texts that validate"
    assert {review.text.split()[0] for review in corpus.validation} == {names[1]}


def test_sources_follow_one_another_and_split_as_each_alone(tmp_path: Path) -> None:
    paths = [table(tmp_path / f"{name}.csv", *numbered(name)) for name in ("films", "phones")]
    alone = [load_corpus(path, SPLIT) for path in paths]
    both = load_corpora([(paths[0], 1), (paths[1], 2.5)], SPLIT)
    assert both.train == alone[0].train + alone[1].train
    assert both.validation == alone[0].validation + alone[1].validation
    assert [(source.name, source.share) for source in both.sources] == [
        ("films", 1),
        ("phones", 2.5),
    ]
    assert [(source.train, source.validation, source.split_hash) for source in both.sources] == [
        (len(corpus.train), len(corpus.validation), corpus.split_hash) for corpus in alone
    ]
    assert both.split_hash not in {corpus.split_hash for corpus in alone}
    (one,) = (load_corpora([(path, 1)], SPLIT) for path in paths[:1])
    assert (one.train, one.split_hash) == (alone[0].train, alone[0].split_hash)


def test_what_validates_in_one_source_is_trained_on_in_none(tmp_path: Path) -> None:
    films = table(tmp_path / "films.csv", *numbered("films"))
    held = load_corpus(films, SPLIT).validation[0].text
    cut = f"{held.upper()} ! ."
    others = table(
        tmp_path / "others.csv", *numbered("others"), *[f"{cut}{' ' * n}" for n in (0, 1)]
    )
    corpus = load_corpora([(films, 1), (others, 1)], SPLIT)
    assert not any(review.text.startswith(cut) for review in corpus.train)
    assert corpus.sources[1].train + corpus.sources[1].validation in (40, 41, 42)
    assert len(corpus.train) == sum(source.train for source in corpus.sources)
    answers = tmp_path / "answers.csv"
    answers.write_text(f"text,label,probability\n{cut},a,0.9\n{held},a,0.9\nnew,a,0.9\n")
    assert [review.text for review in with_answers(corpus, answers).train[-2:]] == [
        corpus.train[-1].text,
        "new",
    ]


def test_what_also_tests_or_validates_is_not_trained_on(tmp_path: Path) -> None:
    folder = tmp_path / "texts"
    for part, count in (("train", 40), ("test", 5)):
        for label in ("neg", "pos"):
            (folder / part / label).mkdir(parents=True)
            for number in range(count):
                text = f"{part} text {number} of {label}"
                (folder / part / label / f"{number}.txt").write_text(text)
    (folder / "train/pos/7.txt").write_text("TEST text 3 of pos!")
    kept = load_corpora([(folder, 1)], SPLIT, keep_copies=True)
    corpus = load_corpora([(folder, 1)], SPLIT)
    assert (corpus.split_hash, corpus.test) == (kept.split_hash, kept.test)
    assert (corpus.left_out, len(kept.train) - len(corpus.train)) == (1, 1)
    assert "train/pos/7.txt" not in {review.name for review in corpus.train}


def test_a_source_is_named_with_its_share(tmp_path: Path) -> None:
    assert path_and_share("a/films.csv") == (Path("a/films.csv"), 1)
    assert path_and_share("a=b/films.csv=2.5") == (Path("a=b/films.csv"), 2.5)
    assert path_and_share("a=films.csv") == (Path("a=films.csv"), 1)
    odd = table(tmp_path / "films.csv=3", "x")
    assert path_and_share(str(odd)) == (odd, 1)


def test_sources_that_do_not_go_together(tmp_path: Path) -> None:
    films = table(tmp_path / "films.csv", *numbered("films"))
    others = table(tmp_path / "others.csv", *numbered("others"), labels="01")
    twin = table(tmp_path / "more" / "films.tsv", "x")
    with pytest.raises(DataError, match="films has a, b; others has 0, 1"):
        load_corpora([(films, 1), (others, 1)], SPLIT)
    with pytest.raises(UsageError, match="another source is called films too"):
        load_corpora([(films, 1), (twin, 1)], SPLIT)
    for share in (0, -1, float("nan"), float("inf")):
        with pytest.raises(UsageError, match="give a share above 0"):
            load_corpora([(films, share)], SPLIT)


def test_answers_are_learned_but_never_those_to_texts_that_validate_or_test(
    tmp_path: Path,
) -> None:
    corpus = load_corpus(official(tmp_path / "aclImdb"), SPLIT)
    kept = [corpus.train[0], *corpus.unlabelled]
    left_out = [corpus.validation[0], corpus.test[0]]
    path = tmp_path / "a.csv"

    def write(*rows: tuple[str, str, str]) -> None:
        with path.open("w", newline="") as file:
            csv.writer(file).writerows([("text", "label", "probability"), *rows])

    write(("  ", "", ""), *((review.text, "pos", "0.7") for review in (*left_out, *kept)))
    more = with_answers(corpus, path)
    assert (more.validation, more.test) == (corpus.validation, corpus.test)
    answers = more.train[len(corpus.train) :]
    assert more.train[: len(corpus.train)] == corpus.train
    assert [(answer.text, answer.label, answer.probability) for answer in answers] == [
        (review.text, "pos", 0.7) for review in kept
    ]
    assert {review.probability for review in corpus.train} == {1.0}
    for wrong in ("0", "1.1", "nan", "often"):
        write(("x", "pos", "0.5"), ("y", "neg", wrong))
        with pytest.raises(DataError, match=f"line 3: '{wrong}' is no probability"):
            with_answers(corpus, path)
    write(("x", "mixed", "0.5"))
    with pytest.raises(DataError, match="line 2: the class 'mixed' is none of neg, pos"):
        with_answers(corpus, path)


def test_texts_without_labels_keep_their_order(tmp_path: Path) -> None:
    lines = tmp_path / "a.txt"
    lines.write_text("\ufefffirst\n\nthird\r\nfourth")
    assert [*read_texts(lines)] == ["first", "", "third", "fourth"]
    lines.write_text("one\fline\u2028still\u0085one\nsecond")
    assert [*read_texts(lines)] == ["one\fline\u2028still\u0085one", "second"]
    table = tmp_path / "a.csv"
    table.write_text('id,Review\n1,"two\nlines"\n2,not\u0085two\n')
    assert [*read_texts(table)] == ["two\nlines", "not\u0085two"]
    plain = tmp_path / "a.tsv"
    plain.write_text('text\tlabel\n"Great film said he\tpos\nthe "other" one\tneg\n')
    assert [*read_texts(plain)] == ['"Great film said he', 'the "other" one']
    with pytest.raises(UsageError, match="column text"):
        [*read_texts(lines, "text")]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "review,label\nx,a\ny,b\n", None),
        ("a.csv", "words,label\nx,a\ny,b\n", "columns words, label: name the one"),
        ("a.csv", "text,stars\nx,a\ny,b\n", "no column 'label', there are text, stars"),
        ("a.csv", "text,label\nx\n", "line 2: no column 'label'"),
        ("a.csv", "text,label\nx,\n", "line 2: no label"),
        ("a.csv", "text,label\nx,a\ny,a\n", r"classes \['a'\]: at least two"),
        ("a.csv", "text,label\nx,a\ny,a\nz,b\n", "the class b has a single example"),
        ("a.csv", "text,label\nx,a\nx,a\nz,b\ny,b\n", "the class a has too few different"),
        ("a.csv", "", r"classes \[\]"),
        ("a.csv", b"text,label\nfine,a\ncaf\xe9,b\n", "line 3 is not UTF-8 .byte 0xe9"),
        ("a.jsonl", '{"text": "x", "label": 1}\n{"text', "line 2 is not JSON"),
        ("a.jsonl", "[1, 2]\n", "line 1 is no JSON object"),
        ("a.csv", 'text,label\n"open,a\nx,b\n', "line 2: unexpected end of data"),
        ("a.tar.gz", b"\x1f\x8b not a tar", "damaged or no archive"),
        ("missing", None, "no such file or folder"),
    ],
)
def test_what_is_wrong_is_named(
    tmp_path: Path, name: str, content: str | bytes | None, message: str | None
) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    if message is None:
        assert [row[1] for row in read_rows(open_table(path), "review")] == ["x", "y"]
        return
    with pytest.raises(DataError, match=message):
        load_corpus(path, SPLIT)


def test_a_class_without_examples_is_named(tmp_path: Path) -> None:
    folder = official(tmp_path / "aclImdb")
    (folder / "train/mixed").mkdir()
    with pytest.raises(DataError, match="the class mixed has no examples"):
        load_corpus(folder, SPLIT)


def test_a_class_that_only_the_test_part_has_is_named(tmp_path: Path) -> None:
    folder = official(tmp_path / "aclImdb")
    (folder / "test/mixed").mkdir()
    (folder / "test/mixed/0_5.txt").write_text("so-so")
    with pytest.raises(DataError, match="mixed has test examples but none to train on"):
        load_corpus(folder, SPLIT)


def test_a_text_that_is_not_utf8_is_named(tmp_path: Path) -> None:
    folder = official(tmp_path / "aclImdb")
    (folder / "train/pos/3_9.txt").write_bytes(b"good\ncaf\xe9")
    with pytest.raises(DataError, match=r"train/pos/3_9.txt, line 2 is not UTF-8"):
        load_corpus(folder, SPLIT)


def test_an_archive_cut_short_is_damaged(tmp_path: Path) -> None:
    whole = as_tar(official(tmp_path / "aclImdb"), tmp_path / "a.tar.gz").read_bytes()
    (tmp_path / "short.tar.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match="damaged or no archive"):
        load_corpus(tmp_path / "short.tar.gz", SPLIT)
    with tarfile.open(tmp_path / "empty.tar", "w") as archive:
        archive.addfile(tarfile.TarInfo("readme"), io.BytesIO())
    with pytest.raises(DataError, match="no training texts"):
        load_corpus(tmp_path / "empty.tar", SPLIT)


@pytest.mark.parametrize("share", [0, 1, -0.5])
def test_a_share_to_validate_on_is_between_0_and_1(share: float) -> None:
    with pytest.raises(UsageError, match="validation"):
        SplitConfig(validation_share=share)


def test_labels_are_read_as_values_and_what_was_merged_is_said(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    values = ["1", "1.0", '"1 "', '" 0"', "0", '"Neg"', '"neg"']
    lines = (f'{{"text": "film {n}", "label": {v}}}' for n, v in enumerate(values * 2))
    path.write_text("\n".join(lines))
    said: list[str] = []
    config = SplitConfig(validation_share=0.3, labels=["0=neg"])
    corpus = load_corpus(path, config, said.append)
    assert corpus.labels == ("1", "Neg", "neg")
    assert said[0] == "a.jsonl: 14 rows; text = text, label = label; an object a line, UTF-8"
    assert "a.jsonl: 2 labels '1.0' read as '1'" in said
    assert "a.jsonl: 2 labels '0' read as 'neg'" in said
    assert "a.jsonl: the classes Neg and neg differ in case alone, and are kept apart" in said
    with pytest.raises(UsageError, match="give NAME=CLASS"):
        load_corpus(path, SplitConfig(labels=["0"]))


def test_the_columns_are_found_by_their_names(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    rows = "".join(f"{n},A film of {n} minutes,{n % 2}\n" for n in range(12))
    path.write_text("id,review,sentiment\n" + rows)
    assert load_corpus(path, SPLIT).labels == ("0", "1")
    path.write_text("id,review,sentiment,rating\n" + rows.replace("\n", ",5\n"))
    with pytest.raises(DataError, match="several columns may hold the class"):
        load_corpus(path, SPLIT)


def test_lines_that_look_like_a_table_are_asked_about(tmp_path: Path) -> None:
    path = tmp_path / "lines"
    path.write_text("text,label\nA film,pos\n")
    with pytest.raises(UsageError, match="looks like a table"):
        [*read_texts(path)]
    assert [*read_texts(path, how=TableConfig(format="csv"))] == ["A film"]
    assert [*read_texts(path, how=TableConfig(format="lines"))] == ["text,label", "A film,pos"]
