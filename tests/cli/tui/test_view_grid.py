"""What the map draws: labels of every script in line, colours, glyphs, only what is in sight."""

import numpy as np
import pytest
from rich.cells import cell_len
from viewing import Viewed, random_weights, state_of, text_trace, view

from dlcc.cli.draw.labels import Piece, display, head_lines, number
from dlcc.cli.tui.widgets.cells import HALF, ZOOMS
from dlcc.cli.tui.widgets.grid import MapGrid
from dlcc.cli.tui.widgets.ink import PALETTE_NAMES, Ink
from dlcc.core.trace.maps import join_pieces
from dlcc.core.trace.trace import AttentionTrace

TRICKY = (
    "[CLS]",
    "[/b]",
    "[red]",
    "👩\u200d🚀",
    "e\u0301l",
    "él",
    "日本",
    "\x1b[2J",
    "a\nb",
    "",
    " ",
)


def plain_trace(tokens: tuple[str, ...], **options) -> AttentionTrace:
    size = len(tokens)
    return AttentionTrace(random_weights(1, 1, size, size), tokens, tokens, **options)


def grid_of(viewed: Viewed) -> MapGrid:
    return viewed.map.body.grid


def drawn(viewed: Viewed) -> list[str]:
    grid = grid_of(viewed)
    return [grid.render_line(y).text for y in range(grid.size.height)]


@pytest.mark.parametrize(
    ("token", "shown"),
    [
        ("[/b]", "[/b]"),
        ("e\u0301", "é"),
        ("q\u0303", "q\u0303"),
        ("日本", "日本"),
        ("👩\u200d🚀", "👩\u200d🚀"),
        ("\x1b[2J", "␛[2J"),
        ("a\nb", "a␊b"),
        ("\x7f", "␡"),
        ("\x9b5n", "�5n"),
        ("\u202eabc", "�abc"),
        ("\ud800", "�"),
        ("", "␣"),
        ("  ", "␣␣"),
    ],
)
def test_tokens_are_shown_as_they_are_and_never_steer_the_terminal(token, shown):
    assert display(token) == shown


@pytest.mark.parametrize(
    ("pieces", "word"),
    [
        (["stu", "##dent"], "student"),
        (["▁stu", "dent"], "student"),
        (["Ġstu", "dent"], "student"),
        (["stu@@", "dent"], "student"),
        (["a", "b"], "ab"),
        (["##", "x"], "##x"),
        (["▁", "x"], "x"),
        (["▁"], "▁"),
    ],
)
def test_pieces_join_to_words(pieces, word):
    assert join_pieces(pieces) == word


def head_of(labels: tuple[str, ...], width: int, most: int = 9) -> list[str]:
    """The lines as they are drawn, three cells left of the first column."""
    lines = []
    for pieces in head_lines(labels, width, most):
        line = ""
        for piece in pieces:
            assert cell_len(line) <= piece.x + 3, f"{piece} overlaps {line!r}"
            line += " " * (piece.x + 3 - cell_len(line)) + piece.text
        lines.append(line)
    return lines


def test_labels_lie_flat_by_turns_on_two_lines_or_slanted():
    words = ("she", "asked", "him", "to", "help")
    assert head_of(words, 6) == ["    she  asked  him    to   help"]
    assert head_of(words, 3) == ["   she   him  help", "    │asked│ to  │"]
    slanted = ("teacher", "of", "students")
    assert head_of(slanted, 3) == [
        "          r     ts",
        "        he    en",
        "      ac    ud",
        "    te of st",
    ]
    assert head_of(slanted, 3, 2) == ["      a…    u…", "    te of st"]


def test_columns_too_narrow_for_letters_have_numbers():
    assert head_lines(("abc", "cd", "ef", "gh"), 1, 9) == [[Piece(1, 1, "2"), Piece(3, 3, "4")]]
    assert head_lines(("日本日", "日"), 2, 9) == [[Piece(0, 0, "1"), Piece(1, 2, "2")]]


def test_every_word_is_whole_somewhere_at_80_columns():
    words = tuple(f"{n}-extraordinarily"[:16] for n in range(42))
    trace = AttentionTrace(random_weights(1, 1, 42, 42), words, words)

    async def steps(viewed: Viewed) -> None:
        grid = grid_of(viewed)
        assert grid.cell.lines == 0
        await viewed.press("end")
        marked = drawn(viewed)[grid._head_height - 1]
        assert marked.rstrip().endswith(words[-1] + " v") or f"v {words[-1]}" in marked
        await viewed.press("down")
        row = next(line for line in drawn(viewed) if ">" in line)
        assert row.startswith(words[1] + " >")

    view(state_of(trace, view="map"), steps)


def test_two_rows_share_a_line_in_half_blocks():
    ink = Ink("viridis", "truecolor", 1)
    upper, lower = np.array([0, 64, 64], np.uint8), np.array([0, 64, 0], np.uint8)
    strong, weak = ink.styles[64].bgcolor, ink.styles[0].bgcolor
    segments = ink.pairs(upper, lower)
    assert [(s.text, s.style.color, s.style.bgcolor) for s in segments] == [
        ("▀", weak, weak),
        ("▀", strong, strong),
        ("▀", strong, weak),
    ]
    assert [s.style.bgcolor for s in ink.pairs(upper, None)] == [None, None]


@pytest.mark.parametrize(("size", "lines"), [((80, 24), 1), ((120, 36), 3), ((200, 50), 5)])
def test_cells_grow_with_the_screen_about_as_high_as_wide(size, lines):
    words = tuple(f"word{n}" for n in range(9))
    trace = AttentionTrace(random_weights(1, 1, 9, 9), words, words)

    async def steps(viewed: Viewed) -> None:
        grid = grid_of(viewed)
        assert grid.cell.lines == lines
        assert grid.cell.width <= max(2 * lines, 6)
        assert grid.virtual_size.height <= grid.size.height

    view(state_of(trace), steps, size=size)


@pytest.mark.parametrize("colors", ["truecolor", "standard"])
@pytest.mark.parametrize("zoom", [HALF, *ZOOMS])
def test_the_cursor_s_cell_keeps_its_colour(zoom, colors):
    weights = np.array([[[[0.1, 0.9, 0.0], [0.1, 0.0, 0.9]]]], dtype=np.float32)
    trace = AttentionTrace(weights, ("a", "b"), ("x", "y", "z"))

    async def steps(viewed: Viewed) -> None:
        grid = grid_of(viewed)
        grid.zoom = zoom
        viewed.map.redraw()
        middle = grid._head_height + grid.cell.lines // 2
        strip = grid.render_line(middle)
        start = grid._label_width + zoom.width
        cell = strip.crop(start, start + zoom.width)
        looks = {s.style.color if zoom == HALF else s.style.bgcolor for s in cell}
        assert looks == {grid._ink.styles[-1].bgcolor}
        assert not any(s.style.reverse for s in strip if s.style)
        around = strip.crop(start - 1, start + zoom.width + 1).text
        assert around.strip()[0] in "[┃" or zoom.width > 2
        assert "[" in strip.text or "┃" in strip.text

    view(state_of(trace, column=1), steps, size=(120, 40), colors=colors)


def test_projector_mode_is_the_map_alone():
    async def steps(viewed: Viewed) -> None:
        lines = grid_of(viewed).cell.lines
        await viewed.press("F")
        await viewed.until(lambda: grid_of(viewed).cell.lines > lines)
        assert grid_of(viewed).cell.lines > lines
        assert "looks most at" not in viewed.text
        assert "quit" not in viewed.text
        assert viewed.state.shown.title in viewed.text
        await viewed.press("escape")
        await viewed.until(lambda: grid_of(viewed).cell.lines == lines)
        await viewed.until(lambda: "quit" in viewed.text)
        assert grid_of(viewed).cell.lines == lines
        assert "quit" in viewed.text

    view(state_of(text_trace()), steps)


def test_all_of_a_map_stands_on_the_theme_s_background():
    async def steps(viewed: Viewed) -> None:
        for key in ("T", "T"):
            await viewed.press(key)
            grid = grid_of(viewed)
            for y in range(grid.size.height):
                assert all(part.style and part.style.bgcolor for part in grid.render_line(y))

    view(state_of(text_trace()), steps)


def test_in_projector_mode_a_map_with_room_beside_it_stands_in_the_middle():
    async def steps(viewed: Viewed) -> None:
        grid = grid_of(viewed)
        await viewed.press("F", "down", "right")

        def difference() -> int:
            return abs(200 - 2 * grid.region.x - grid.virtual_size.width)

        await viewed.until(lambda: grid.region.x > 20 and difference() <= 1)
        assert grid.region.x > 20
        assert difference() <= 1
        cell = grid.cell
        grid._lay_out()
        assert grid.cell == cell
        row = round(2.5 * cell.lines) + grid._head_height
        await viewed.pilot.click(MapGrid, offset=(grid._label_width + 3 * cell.width + 1, row))
        assert (viewed.state.row, viewed.state.column) == (2, 3)
        await viewed.press("escape")
        await viewed.until(lambda: grid.region.x == 0)
        assert grid.region.x == 0

    view(state_of(text_trace()), steps, size=(200, 50))


@pytest.mark.parametrize("size", [(80, 24), (200, 50)])
@pytest.mark.parametrize("zoom", ZOOMS[:3])
def test_columns_stay_aligned_whatever_the_tokens(size, zoom):
    async def steps(viewed: Viewed) -> None:
        grid = grid_of(viewed)
        grid.zoom = zoom
        viewed.map.redraw()
        await viewed.settle()
        lines = drawn(viewed)
        assert {cell_len(line) for line in lines} == {grid.size.width}
        labels = {line.split(">")[0].split(" *")[0].strip() for line in lines}
        assert {"[/b]", "[red]", "👩\u200d🚀", "日本", "␛[2J"} <= {
            label.split()[0] for label in labels if label
        }
        row = next(line for line in lines if ">" in line)
        assert cell_len(row[: row.index(">")]) == grid._label_width - (2 if zoom.width == 2 else 1)

    view(state_of(plain_trace(TRICKY)), steps, size=size)


def test_only_what_is_in_sight_is_drawn():
    tokens = tuple(f"w{number}" for number in range(1000))

    async def steps(viewed: Viewed) -> None:
        grid, state = grid_of(viewed), viewed.state
        runs: list[int] = []
        draw = grid._ink.pairs
        grid._ink.pairs = lambda up, low: runs.append(len(up)) or draw(up, low)
        grid.render_line(grid._head_height + 3)
        assert 0 < sum(runs) <= 80
        await viewed.press("G", "end")
        assert (state.row, state.column) == (999, 999)
        lines = drawn(viewed)
        assert lines[-1].startswith("w999 >")
        assert "+" in viewed.text  # the minimap's frame
        assert viewed.map.body.minimap.display
        await viewed.press("g", "home")
        assert any(line.lstrip().startswith("w0>[") for line in drawn(viewed))

    view(state_of(plain_trace(tokens), view="map"), steps)


def test_a_cursor_move_draws_two_rows_and_the_head_only():
    async def steps(viewed: Viewed) -> None:
        grid = grid_of(viewed)
        lines: list[int] = []
        draw = MapGrid.render_line
        grid.render_line = lambda y: lines.append(y) or draw(grid, y)  # type: ignore[method-assign]
        await viewed.press("down")
        head = grid._head_height
        await viewed.until(lambda: len(lines) >= 2)
        assert set(lines) == {head, head + 1}
        lines.clear()
        await viewed.press("right")
        await viewed.until(lambda: len(lines) > head)
        assert set(lines) == {*range(head), head + 1}

    view(state_of(text_trace()), steps)


@pytest.mark.parametrize("colors", ["truecolor", "256", "standard"])
def test_stronger_cells_have_other_colours(colors):
    weights = np.array([[[[0.0, 0.3, 0.7]]]], dtype=np.float32)

    async def steps(viewed: Viewed) -> None:
        grid = grid_of(viewed)
        strip = grid.render_line(grid._head_height + grid.cell.lines // 2)
        backgrounds = [s.style.bgcolor for s in strip if s.style and "." in s.text]
        assert len(set(backgrounds)) == 3

    view(state_of(AttentionTrace(weights, ("a",), ("x", "y", "z"))), steps, colors=colors)


def test_without_colour_glyphs_tell_the_weights():
    weights = np.array([[[[0.0, 0.3, 0.7]]]], dtype=np.float32)

    async def steps(viewed: Viewed) -> None:
        assert "glyphs" in viewed.text
        assert not viewed.map.check_action("palette", ())
        grid_of(viewed).take(ZOOMS[0])
        row = next(line for line in drawn(viewed) if ">" in line)
        assert row.split(">")[1].rstrip() == "[  ]▒██"

    trace = AttentionTrace(weights, ("a",), ("x", "y", "z"))
    view(state_of(trace), steps, colors=None)


def test_a_difference_has_signs_without_colour():
    ink = Ink("viridis", None, 2, signed=True)
    levels = ink.levels(np.array([-1.0, 0.0, 1.0]))
    assert "".join(segment.text for segment in ink.run(levels)) == "-█  +█"


@pytest.mark.parametrize("palette", PALETTE_NAMES)
def test_runs_of_equal_cells_share_a_segment(palette):
    ink = Ink(palette, "truecolor", 2)
    segments = ink.run(ink.levels(np.array([0.0, 0.0, 1.0, 1.0, 1.0])))
    assert [len(segment.text) for segment in segments] == [4, 6]
    assert ink.run(ink.levels(np.array([]))) == []


@pytest.mark.parametrize(
    ("value", "width", "text"),
    [
        (0.4432, 3, ".44"),
        (0.4432, 6, "0.4432"),
        (0.4432, 5, ".4432"),
        (1.0, 3, "1.0"),
        (0.999, 3, "1.0"),
        (12.3, 3, "12"),
        (-0.4432, 3, "-.4"),
        (-0.25, 6, "-.2500"),
        (0.0, 3, ".00"),
    ],
)
def test_numbers_fit_their_cells(value, width, text):
    assert number(value, width) == text
    assert len(number(value, width)) <= width


def test_highlights_point_out_row_and_column():
    async def steps(viewed: Viewed) -> None:
        def underlined() -> bool:
            grid = grid_of(viewed)
            strip = grid.render_line(grid._head_height)
            return any(s.style and s.style.underline for s in strip)

        assert underlined()
        await viewed.press("c")
        assert not underlined()
        assert "|" in drawn(viewed)[grid_of(viewed)._head_height + 2]
        await viewed.press("c")
        assert underlined()

    view(state_of(text_trace()), steps)


def test_the_mouse_moves_the_cursor_and_a_second_click_explains():
    async def steps(viewed: Viewed) -> None:
        grid = grid_of(viewed)
        x = grid._label_width + 3 * grid.cell.width + 1
        await viewed.pilot.click(MapGrid, offset=(x, grid._head_height + 2))
        assert (viewed.state.row, viewed.state.column) == (2, 3)
        await viewed.pilot.click(MapGrid, offset=(x, grid._head_height + 2), times=2)
        assert "How this cell came about" in viewed.text

    view(state_of(text_trace()), steps)
