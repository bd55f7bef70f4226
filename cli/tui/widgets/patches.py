"""Between the cells of a map and the patches of its picture.

The last rows × columns keys of a trace are the patches; with as many queries, those are patches
too, and a picture can show where a patch looks.
"""

import numpy as np
from textual.geometry import clamp

from dlcc.cli.tui.state import PICTURE, ShownMap, ViewState, place_in
from dlcc.core.trace.trace import AttentionTrace


def first_key(trace: AttentionTrace) -> int:
    """The key position of the first patch: how many keys are no patches."""
    rows, columns = trace.grid or (0, 0)
    return len(trace.key) - rows * columns


def can_follow(trace: AttentionTrace) -> bool:
    """Whether patches are queries, and not they alone."""
    return len(trace.query) == len(trace.key) and first_key(trace) > 0


def weights(state: ViewState) -> np.ndarray:
    """[rows, columns] of patches: what the asking row puts on each, scaled for drawing."""
    trace, shown = state.trace, state.shown
    assert trace.grid is not None
    row = state.scale_for().places(shown.values)[state.row]
    return weights_of(shown, trace, row)


def weights_of(shown: ShownMap, trace: AttentionTrace, row: np.ndarray) -> np.ndarray:
    """[rows, columns] of patches, from a row of a map of the trace."""
    assert trace.grid is not None
    flat = np.zeros(trace.grid[0] * trace.grid[1], dtype=np.float32)
    start = first_key(trace)
    for column, group in enumerate(shown.keys):
        if group[0] >= start:
            flat[group[0] - start] = row[column]
    return flat.reshape(trace.grid)


def patch_of(trace: AttentionTrace, key: int) -> tuple[int, int] | None:
    """The patch (row, column) at a key position, or None where that is no patch."""
    place = key - first_key(trace)
    return None if place < 0 or trace.grid is None else divmod(place, trace.grid[1])


def query_name(trace: AttentionTrace, position: int, label: str) -> str:
    """What asks at a position: a patch by its place in the picture, else its label."""
    patch = patch_of(trace, position) if len(trace.query) == len(trace.key) else None
    return label if patch is None else _placed(patch)


def key_name(trace: AttentionTrace, position: int, label: str) -> str:
    """What is looked at, in the same way."""
    patch = patch_of(trace, position)
    return label if patch is None else _placed(patch)


def _placed(patch: tuple[int, int]) -> str:
    return f"row {patch[0] + 1}, column {patch[1] + 1}"


def asking(trace: AttentionTrace, shown: ShownMap, row: int) -> str:
    """What asks in a row of a map."""
    return query_name(trace, shown.queries[row][0], shown.row_labels[row])


def names(trace: AttentionTrace, shown: ShownMap, row: int, column: int) -> str:
    """What looks at what in a cell."""
    looked = key_name(trace, shown.keys[column][0], shown.column_labels[column])
    return f"{asking(trace, shown, row)} → {looked}"


def under_cursor(state: ViewState) -> tuple[int, int] | None:
    """The patch in the cursor's column of the map."""
    return patch_of(state.trace, state.shown.keys[state.column][0])


def touch(state: ViewState, patch: tuple[int, int]) -> None:
    """Put the cursor on a patch; where it is followed, that patch asks as well."""
    assert state.trace.grid is not None
    rows, columns = state.trace.grid
    down, right = clamp(patch[0], 0, rows - 1), clamp(patch[1], 0, columns - 1)
    key = first_key(state.trace) + down * columns + right
    state.column = place_in(state.shown.keys, key)
    if state.follow:
        state.row = place_in(state.shown.queries, key)


def begin(state: ViewState) -> None:
    """Show a state for the first time: a picture as a picture, a long text as a text."""
    state.view = state.view or state.views[0]
    state.follow = state.view == PICTURE and first_key(state.trace) == 0
    if state.view == PICTURE:
        enter(state)
        if state.scale == "shared":  # one strong row would leave the others dark
            state.scale = "row"


def enter(state: ViewState) -> None:
    """Come from the map to the picture: the cursor must be on a patch, and somebody asks."""
    if state.trace.grid is None:
        return
    middle = state.trace.grid[0] // 2, state.trace.grid[1] // 2
    touch(state, under_cursor(state) or middle)
    if not state.follow and can_follow(state.trace):
        state.row = 0


def move(state: ViewState, down: int, right: int) -> None:
    """Move the cursor by patches."""
    row, column = under_cursor(state) or (0, 0)
    touch(state, (row + down, column + right))
