"""Grids as text: what each layout shows, at every width, with and without colour."""

import io

import numpy as np
import pytest
from rich.cells import cell_len
from rich.console import Console, Group
from rich.text import Text

from dlcc.cli.draw.grid import (
    GridStyle,
    attention_grid,
    grid_lines,
    row_looks,
)
from dlcc.cli.draw.labels import fit, number, side_by_side
from dlcc.cli.draw.palette import PALETTES
from dlcc.core.trace.scales import scale_of
from dlcc.core.trace.trace import AttentionTrace


def make(weights, query=None, key=None, **fields):
    weights = np.asarray(weights, np.float32)
    weights = weights.reshape((1,) * (4 - weights.ndim) + weights.shape)
    query = query or tuple(f"q{n}" for n in range(weights.shape[2]))
    key = key or tuple(f"k{n}" for n in range(weights.shape[3]))
    return AttentionTrace(weights, tuple(query), tuple(key), **fields)


def random_trace(queries, keys, word="token"):
    weights = np.random.default_rng(0).dirichlet(np.full(keys, 0.2), queries)
    return make(
        weights, [f"{word}{n}" for n in range(queries)], [f"{word}{n}" for n in range(keys)]
    )


def text(trace, **style):
    return [line.plain for line in grid_lines(trace, 0, 0, GridStyle(**style))]


def printed(renderable, **options):
    console = Console(file=io.StringIO(), markup=False, highlight=False, **options)
    console.print(renderable)
    return console.file.getvalue()


def test_a_small_grid_in_glyphs():
    trace = make([[0.1, 0.9], [0.5, 0.5]], ("she", "of"), ("her", "[/b]"), title="dots")
    assert text(trace) == [
        "dots",
        "weight 0    ░░░.45▒▓▓▓███ 0.90",
        "     her [/b]",
        "she      ████  → [/b] 0.90",
        " of ▒▒▒▒ ▒▒▒▒  → 2 alike, 0.50",
    ]


def test_a_small_grid_in_numbers():
    trace = make([[0.004, 0.996], [0.25, 0.75]], ("she", "of"), ("her", "him"))
    assert text(trace, numbers=True)[3:] == [
        "she .00 1.0  → him 1.00",
        " of .25 .75  → him 0.75",
    ]


def test_masked_cells_and_empty_rows_say_so():
    scores = np.array([[[[1.0, -np.inf], [-np.inf, -np.inf]]]], np.float32)
    trace = make([[1.0, 0.0], [0.0, 0.0]], scores=scores)
    lines = text(trace, numbers=True)
    assert lines[-2:] == ["q0 1.0 ·    → k0 1.00", "q1 ·   ·    → nothing"]


def test_a_repeated_key_is_named_with_its_position():
    trace = make([[0.1, 0.2, 0.7]], key=("the", "cat", "the"))
    assert row_looks(trace) == ["3 the 0.70"]


def test_colours_are_those_of_the_palette():
    trace = make([[0.1, 0.9]])
    weights = trace.map(0, 0)
    palette = PALETTES["cividis"]
    line = grid_lines(trace, 0, 0, GridStyle(palette, "256"))[-1]
    assert [line.plain[span.start : span.end] for span in line.spans] == ["   ", "   "]
    assert [span.style for span in line.spans] == [
        palette.style(0.1 / 0.9, "256"),
        palette.style(1.0, "256"),
    ]
    top = grid_lines(
        trace, 0, 0, GridStyle(palette, "256", scale=scale_of("shared", weights, 1.8))
    )[-1]
    assert top.spans[1].style == palette.style(0.5, "256")


@pytest.mark.parametrize("numbers", [False, True])
@pytest.mark.parametrize("width", [40, 80, 200])
@pytest.mark.parametrize("keys", [1, 9, 30, 300])
@pytest.mark.parametrize("word", ["token", "长", "👩‍🔬", "e\u0301"])
def test_no_line_is_wider_than_the_screen(numbers, width, keys, word):
    trace = random_trace(12, keys, word)
    lines = text(trace, width=width, numbers=numbers)
    assert max(map(cell_len, lines)) <= width
    looks = [line for line in lines if "→" in line]
    assert len(looks) == 12
    assert looks[3].endswith(row_looks(trace)[3])


def test_words_are_slanted_where_they_do_not_fit():
    trace = random_trace(3, 20)
    lines = text(trace, width=80)
    left = len("token0 ")
    slanted = [line[left + 2 * 12 + n] for n, line in enumerate(reversed(lines[2:9]))]
    assert "".join(slanted) == "token12"
    assert len(lines) == 2 + 7 + 3


def test_all_columns_of_a_map_have_one_width():
    trace = make(np.full((1, 3), 1 / 3), key=("a", "extraordinary", "of"))
    row = text(trace, numbers=True, width=80)[-1]
    assert [row.index(".33", start) for start in (3, 17, 31)] == [3, 17, 31]


def test_many_keys_are_numbered_in_blocks():
    trace = random_trace(4, 300)
    lines = text(trace, width=80)
    headings = [line for line in lines if line.startswith("keys ")]
    assert headings[0] == "keys 1 to 70 of 300"
    assert headings[-1] == "keys 281 to 300 of 300"
    ruler = lines[lines.index(headings[0]) + 1]
    row = lines[lines.index(headings[0]) + 2]
    cells = row[len("1 token0 ") :]
    weights = trace.weights[0, 0, 0]
    place = int(weights[:70].argmax())
    assert cells[place] == PALETTES["viridis"].glyph(weights[place] / trace.weights.max())
    assert ruler[len("1 token0 ") :].rstrip() == "".join(f"{n:>10}" for n in range(10, 71, 10))


def test_every_weight_is_there_in_numbers_at_80_columns():
    trace = random_trace(3, 40)
    lines = text(trace, width=80, numbers=True)
    rows = [line[7:] for line in lines if line.startswith("token1 ") and "→" not in line]
    found = [cell for row in rows for cell in row.split()]
    assert found == [number(w, 3) for w in trace.weights[0, 0, 1]]


def test_a_difference_shows_its_signs_and_a_sum_its_size():
    difference = make([[-0.5, 0.1], [0.2, 0.3]], kind="combined")
    signed = GridStyle(PALETTES["signed"], numbers=True)
    lines = [line.plain for line in grid_lines(difference, 0, 0, signed)]
    assert lines[1].startswith("weight -0.50 --")
    assert "++ 0.50" in lines[1]
    assert lines[3].split() == ["q0", "-.50", ".10", "→", "k0", "-0.50"]
    bare = [line.plain for line in grid_lines(difference, 0, 0, GridStyle(PALETTES["signed"]))]
    assert bare[3].split()[1:4] == ["-█", "+░", "→"]
    assert bare[4].split()[1:4] == ["+▒", "+▓", "→"]
    total = [
        line.plain
        for line in grid_lines(make([[2.4, 0.25]], kind="combined"), 0, 0, GridStyle(numbers=True))
    ]
    assert total[3].split()[:3] == ["q0", "2.4", ".25"]


def test_side_by_side_where_the_width_allows():
    grids = [text_lines(make([[0.1, 0.9]], title=title)) for title in ("one", "two")]
    wide = printed(Group(*side_by_side(grids, 80, gap=3)), width=80).splitlines()
    assert wide[0].split() == ["one", "two"]
    assert len(wide) == 4
    assert wide[3].count("→ k1 0.90") == 2
    narrow = printed(Group(*side_by_side(grids, 30, gap=3)), width=30).splitlines()
    assert len(narrow) == 9
    assert narrow[0] == "one"
    assert narrow[5] == "two"


def text_lines(trace):
    return grid_lines(trace, 0, 0, GridStyle())


def test_layers_and_heads_are_named():
    trace = make(np.full((2, 3, 1, 2), 0.5), title="encoder")
    heading = grid_lines(trace, 1, 2, GridStyle())[0]
    assert heading.plain == "encoder, layer 2, head 3 of 3"


def test_no_colour_leaves_no_escape_codes_and_tokens_are_no_markup():
    trace = make([[0.1, 0.9]], ("[red]",), ("[/b]", "[bold]x"))
    shown = printed(attention_grid(trace), width=80)
    assert "\x1b" not in shown
    assert "[red]" in shown
    assert "[/b]" in shown


def test_fit_counts_cells():
    assert fit("cat", 5) == "cat  "
    assert fit("cat", 5, "right") == "  cat"
    assert fit("crocodile", 5) == "croc…"
    assert fit("我爱北京", 5) == "我爱…"
    assert fit("我爱北京", 4) == "我… "
    assert cell_len(fit("👩‍🔬👩‍🔬👩‍🔬", 4)) == 4


def test_a_large_grid_is_drawn_in_good_time():
    import time

    trace = random_trace(300, 300)
    start = time.process_time()
    printed(attention_grid(trace, style=GridStyle(color_system="truecolor")), width=80)
    assert time.process_time() - start < 5


def test_as_many_blocks_in_a_row_as_the_width_holds():
    blocks = [[Text(word), Text(word)] for word in ("one", "two", "three", "four")]
    assert [line.plain for line in side_by_side(blocks, 9)] == [
        *("one  two", "one  two", "", "three", "three", "", "four", "four"),
    ]
    assert side_by_side(blocks, 2)[0].plain == "one"
    assert side_by_side(blocks)[1].plain == "one  two  three  four"
