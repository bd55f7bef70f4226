"""Figures: what stands where, in each format, without a network and without a warning."""

import io
import re
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from dlcc.cli.draw.figure.answers import words_of
from dlcc.cli.draw.figure.maps import HeadsPanel, MapPanel
from dlcc.cli.draw.figure.page import page_of
from dlcc.cli.draw.figure.panels import bar_of, figure
from dlcc.cli.draw.figure.pictures import answer_panel
from dlcc.cli.draw.figure.sheet import Sheet, measured
from dlcc.cli.draw.figure.texts import Passage, TextPanel, Word, running
from dlcc.cli.draw.figure.themes import THEMES
from dlcc.cli.draw.figure.traces import map_panels
from dlcc.cli.draw.numbers import Chosen
from dlcc.cli.draw.palette import PALETTES
from dlcc.core.errors import UsageError
from dlcc.core.trace.scales import Scale, scale_of
from dlcc.core.trace.trace import AttentionTrace

PAPER = THEMES["paper"]
VIRIDIS = PALETTES["viridis"]
ODD = ("she", "<script>", "[/b]", "$x_1$ & y", "▁the", "中文", "a\x01\x1b[2J", "Ω")


def svg(*panels, theme="paper", title=""):
    return ElementTree.fromstring(figure(".svg", panels, THEMES[theme], title)[0])


def texts(root):
    """Every text with its place."""
    return [
        (each.text, float(each.get("x")), float(each.get("y")))
        for each in root.iter("{http://www.w3.org/2000/svg}text")
    ]


def map_of(words=ODD, title="dot", **more):
    values = np.linspace(0, 0.44, len(words) ** 2).reshape(len(words), -1)
    return MapPanel(values, words, words, scale_of("own", values), title, **more)


def test_every_word_of_a_map_stands_alone_at_its_own_place():
    found = texts(svg(map_of()))
    for word in ("she", "<script>", "[/b]", "$x_1$ & y", "▁the", "中文", "Ω"):
        places = {(x, y) for text, x, y in found if text == word}
        assert len(places) == 2, word  # as a row and as a column
    assert len({(x, y) for _, x, y in found}) == len(found)


def test_a_colour_bar_has_numbers():
    words = [text for text, *_ in texts(svg(map_of()))]
    numbers = ["0", "0.11", "0.22", "0.33", "0.44"]
    assert [each for each in words if each in numbers] == numbers
    signed = bar_of(Scale("own", 0.5, signed=True), PALETTES["signed"]).ticks
    assert signed == ((0, "−0.50"), (0.25, "−0.25"), (0.5, "0"), (0.75, "+0.25"), (1, "+0.50"))
    by_row = scale_of("row", np.array([[0.1, 0.2]]))
    assert bar_of(by_row, VIRIDIS).ticks[-1] == (1, "1.00")
    logarithmic = MapPanel(np.array([[0.1, 0.9]]), ("a",), ("b", "c"), Scale("log", 0.99))
    words = [text for text, *_ in texts(svg(logarithmic))]
    assert words[-2:] == ["0.00099", "0.99"]  # the end has its number where not all have room


def test_paper_is_white_and_the_terminal_is_as_the_screen():
    cells = MapPanel(np.array([[0.0, 1.0]]), ("a",), ("b", "c"), Scale("own", 1))
    white = ElementTree.tostring(svg(cells), "unicode")
    assert "#ffffff" in white
    assert "#fde725" not in white
    dark = ElementTree.tostring(svg(cells, theme="terminal"), "unicode")
    assert "#fde725" in dark
    assert "#0c0c0c" in dark


def test_panels_are_lettered_and_stand_in_columns():
    root = svg(*[map_of(("a", "b"), f"map {n}") for n in range(3)], title="Above all")
    found = {text: (x, y) for text, x, y in texts(root)}
    assert found["(a)"][1] == found["(b)"][1]
    assert found["(a)"][0] < found["(b)"][0] < found["(c)"][0]
    assert found["Above"][1] < found["(a)"][1]
    assert "(a)" not in dict.fromkeys(text for text, *_ in texts(svg(map_of())))


@pytest.mark.parametrize("theme", THEMES)
def test_nothing_is_clipped(theme):
    long = tuple(f"extraordinarily{n}" for n in range(42))
    root = svg(map_of(long), theme=theme, title="A title " * 20)
    wide, high = (float(part) for part in root.get("viewBox").split()[2:])
    size = THEMES[theme].size
    for text, x, y in texts(root):
        assert 0 < x < wide, text
        assert size < y < high, text
    words = [text for text, *_ in texts(root)]
    assert set(long) <= set(words)


def test_files_name_no_address_and_hold_words_as_text():
    data, _ = figure(".svg", [map_of()], PAPER)
    names = set(re.findall(rb"https?://[^\"' )<]+", data))
    assert names <= {b"http://www.w3.org/2000/svg", b"http://www.w3.org/1999/xlink"}
    assert b"<!DOCTYPE" not in data
    assert not re.search(rb'<svg[^>]*pt"', data)
    assert b"sans-serif" in data
    pdf, _ = figure(".pdf", [map_of()], PAPER)
    assert pdf.startswith(b"%PDF")
    assert b"/ToUnicode" in pdf  # words can be searched and copied
    assert figure(".pdf", [map_of()], PAPER)[0] == pdf  # the same again
    image = Image.open(io.BytesIO(figure(".png", [map_of()], PAPER)[0])).convert("RGB")
    assert {image.getpixel(at) for at in ((0, 0), (image.width - 1, image.height - 1))} == {
        (255, 255, 255)
    }


def test_numbers_and_masks_stand_in_the_cells():
    values = np.array([[0.25, 0.75], [1.0, 0.0]])
    masked = np.array([[False, False], [False, True]])
    panel = MapPanel(values, ("q", "r"), ("k", "l"), Scale("own", 1), "", True, masked)
    words = [text for text, *_ in texts(svg(panel))]
    assert words[4:8] == [".250", ".750", "1.00", "·"]


def test_many_heads_are_small_multiples_on_one_scale():
    weights = np.full((4, 5, 3, 3), 1 / 3, np.float32)
    trace = AttentionTrace(weights, ("a", "b", "c"), ("a", "b", "c"), title="model")
    (panel,) = map_panels([trace], Chosen(), VIRIDIS, False)
    assert isinstance(panel, HeadsPanel)
    words = [text for text, *_ in texts(svg(panel))]
    assert [words.count(word) for word in ("layer", "0.33")] == [0, 1]
    assert {"layer 1", "layer 4", "head 1", "head 5"} <= set(words)
    few = map_panels([trace], Chosen(2), VIRIDIS, False)
    assert [each.title for each in few[:2]] == [
        "model, layer 2, head 1 of 5",
        "model, layer 2, head 2 of 5",
    ]
    assert {each.scale for each in few} == {few[0].scale}


def test_texts_are_wrapped_whole():
    words = [Word(f"word{n}", n / 200, marked=n == 3) for n in range(200)]
    root = svg(TextPanel([Passage(words, "key")], "a review", Scale("own", 1)))
    found = {text: (x, y) for text, x, y in texts(root)}
    assert len({found[word.text] for word in words}) == 200
    right = max(x + measured(text, PAPER.size) for text, (x, _) in found.items())
    assert right <= float(root.get("viewBox").split()[2])
    assert found["word199"][1] > found["word0"][1]


def strokes(root):
    """Of every line its ends and its width."""
    found = []
    for path in root.iter("{http://www.w3.org/2000/svg}path"):
        width = re.search(r"stroke-width: ([\d.]+)", path.get("style", ""))
        ends = re.findall(r"[ML] ([\d.]+) ([\d.]+)", path.get("d"))
        if "stroke-opacity" in path.get("style", "") and width and len(ends) == 2:
            found.append((*[tuple(map(float, end)) for end in ends], float(width[1])))
    return found


def test_lines_lead_from_the_word_that_asks_to_what_it_looks_at():
    asking = Passage([Word("el"), Word("libro", marked=True)])
    asked = Passage([Word("The", 0.3), Word("book", 0.9), Word("is", 0.01)], "looks at")
    root = svg(TextPanel([asking, asked], scale=Scale("own", 0.9), has_rays=True))
    places = {text: (x, y) for text, x, y in texts(root)}
    middles = {word: places[word][0] + measured(word, PAPER.size) / 2 for word in places}
    (to_the, to_book) = strokes(root)
    for (begin, end, _), word in ((to_the, "The"), (to_book, "book")):
        assert begin[0] == pytest.approx(middles["libro"], abs=0.5)
        assert end[0] == pytest.approx(middles[word], abs=0.5)
        assert places["libro"][1] < begin[1] < end[1] < places[word][1] < places["looks"][1]
    assert to_the[2] < to_book[2]
    long = Passage([Word(f"word{n}", 1.0) for n in range(100)])
    assert not strokes(svg(TextPanel([asking, long], scale=Scale("own", 1), has_rays=True)))


def test_what_explains_has_a_scale_of_its_own():
    looked = Passage([Word("good", 0.5)], "asked")
    told = Passage([Word("bad", -4.0)], "told", Scale("own", 4, signed=True), PALETTES["signed"])
    root = svg(TextPanel([looked, told], scale=Scale("own", 1)))
    fills = [each.get("style", "") for each in root.iter("{http://www.w3.org/2000/svg}path")]
    assert any("#08306b" in fill for fill in fills)  # the far end of blue
    panel = TextPanel([looked, told], "a text", Scale("own", 1))
    page = page_of([], Chosen(), VIRIDIS, False, PAPER, panels=[panel])
    assert page.index("a text") < page.index(">good<") < page.index("told") < page.index(">bad<")


def test_a_text_is_cut_where_its_spans_begin_and_end():
    words = words_of("It was un-\nbelievable!", [(0, 2), (18, 21)], [0.5, -1])
    assert [(w.text, w.value, w.joined, w.begins) for w in words] == [
        ("It", 0.5, False, True),
        ("was", 0, False, False),
        ("un-", 0, False, False),
        ("believa", 0, False, True),
        ("ble", -1, True, False),
        ("!", 0, True, False),
    ]


def test_tokens_run_as_text():
    def read(*tokens):
        words = running(tokens, range(len(tokens)), 1)
        assert [word.marked for word in words] == [n == 1 for n in range(len(tokens))]
        return "".join(word.text if word.joined else f" {word.text}" for word in words).strip()

    assert read("she", "slept", ",", "and", "woke", ".") == "she slept, and woke."
    assert read("▁el", "▁cerr", "ado", ".", "</s>") == "el cerrado. </s>"
    assert read("[CLS]", "stud", "##ent", "##s") == "[CLS] students"


def test_a_picture_has_its_classes_and_its_bar():
    image = np.zeros((8, 8, 3), np.uint8)
    answers = [("ship", 0.967), ("horse", 0.004)]
    root = svg(answer_panel(image, np.eye(4), "ship.png", answers, "rollout"))
    words = [text for text, *_ in texts(root)]
    assert {"ship.png", "ship", "96.7%", "0.4%", "(rollout)", "1.00"} <= set(words)
    assert len(list(root.iter("{http://www.w3.org/2000/svg}image"))) == 3


def test_a_figure_that_no_reader_opens_is_refused():
    with pytest.raises(UsageError, match=r"400 × 1 inches cannot be opened"):
        Sheet(28_800, 72, PAPER)
