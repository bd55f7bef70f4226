"""CutMix: the two source pictures, the mixed one with its box, its label, and who looks inside.

A trace carries it as `details["cutmix"]`: `box` (top, left, bottom, right in pixels, end excluded)
and `labels` ([name, share] pairs), with the sources as tensors `cutmix.first` and `cutmix.second`
([rows, columns, 3], 0 to 255): the box of the first is filled from the second.
"""

from typing import Any, ClassVar

import numpy as np
from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.widgets import Static

from dlcc.cli.draw.labels import display
from dlcc.cli.draw.pictures import BLENDS, LIT, enlarged, palette_under
from dlcc.cli.tui.export import Seen, shown_trace
from dlcc.cli.tui.keys import EXPORT, Key, Keys, bindings, footer
from dlcc.cli.tui.screens.panes import PaneScreen
from dlcc.cli.tui.state import ViewState
from dlcc.cli.tui.widgets import patches
from dlcc.cli.tui.widgets.ink import bar_of, palette_of
from dlcc.cli.tui.widgets.picture import Box, Picture
from dlcc.core.trace.trace import AttentionTrace


def box_of(trace: AttentionTrace) -> Box | None:
    """The box in pixels, or None where a trace has none that fits its image."""
    mixed: Any = trace.details.get("cutmix")
    if trace.image is None or not isinstance(mixed, dict):
        return None
    box = mixed.get("box")
    if not (isinstance(box, list | tuple) and len(box) == 4 and all(type(n) is int for n in box)):
        return None
    top, left, bottom, right = box
    rows, columns = trace.image.shape[:2]
    fits = 0 <= top <= bottom <= rows and 0 <= left <= right <= columns
    return (top, left, bottom, right) if fits else None


def share_inside(row: np.ndarray, grid: tuple[int, int], shape: tuple[int, int], box: Box) -> float:
    """The part of the patches' attention that falls into a box.

    Args:
        row: [rows × columns] weights of the patches.
        grid: (rows, columns) of patches.
        shape: (rows, columns) of pixels.
        box: in pixels; a patch that it cuts counts by the area inside.
    """
    top, left, bottom, right = box
    weights = enlarged(row.reshape(grid), shape)
    total = float(weights.sum())
    return float(weights[top:bottom, left:right].sum()) / total if total > 0 else 0.0


class MixedScreen(PaneScreen):
    """First source, mixed picture with attention, second source."""

    KEYS: ClassVar[Keys] = {
        "CutMix": (
            Key("u", "u", "blend", "The mixed picture with attention, without, alone", "attention"),
            EXPORT,
            Key("escape,X", "Esc X", "dismiss", "Back", footer="back"),
        )
    }
    BINDINGS = bindings(KEYS)
    DEFAULT_CSS = """
    MixedScreen Vertical { margin-right: 1; }
    MixedScreen #mixed-text { height: 3; border-top: solid $primary; }
    """

    def __init__(self, state: ViewState) -> None:
        super().__init__(state)
        self._blend = LIT

    def compose(self) -> ComposeResult:
        tensors = self.state.trace.tensors
        with Horizontal():
            for name in ("first", "mixed", "second"):
                if name == "mixed" or f"cutmix.{name}" in tensors:
                    with Vertical():
                        yield Static(name, classes="line")
                        yield Picture(id=name)
        yield Static(id="mixed-bar", classes="line")
        yield Static(id="mixed-text", markup=False)
        yield footer()

    def seen(self) -> Seen:
        from dlcc.cli.draw.figure.panels import bar_of
        from dlcc.cli.draw.figure.pictures import Picture as Pictured
        from dlcc.cli.draw.figure.pictures import PicturePanel

        state, trace, box = self.state, self.state.trace, box_of(self.state.trace)
        assert trace.image is not None
        scale = state.scale_for()
        mixed = Pictured(trace.image, "mixed", patches.weights(state), self._blend, box)
        pictures = [mixed]
        for place, name in ((0, "first"), (2, "second")):
            source = trace.tensors.get(f"cutmix.{name}")
            if source is not None:
                pictures.insert(place, Pictured(np.clip(source, 0, 255).astype(np.uint8), name))
        palette = palette_of(state.palette, scale.signed)
        shade = palette_under(self._blend, palette, scale.signed)
        bar = bar_of(scale, shade, f"weight, {scale.meaning}")
        note = " ".join(self._text(box).split())
        panel = PicturePanel(pictures, state.trace.title, (), note, bar, palette)
        return Seen([panel], [shown_trace(state)], state.palette)

    def draw(self) -> None:
        state, trace, box = self.state, self.state.trace, box_of(self.state.trace)
        for picture in self.query(Picture):
            source = trace.tensors.get(f"cutmix.{picture.id}")
            if source is not None:
                picture.show(np.clip(source, 0, 255).astype(np.uint8), None, state)
            else:
                assert trace.image is not None
                picture.box = box
                picture.show(trace.image, patches.weights(state), state, self._blend)
        bar = bar_of(state.scale_for(), state, self.app.size.width - 9, blend=self._blend)
        self.query_one("#mixed-bar", Static).update(Text(" weight ").append_text(bar), layout=False)
        self.query_one("#mixed-text", Static).update(Text(self._text(box)))

    def _text(self, box: Box | None) -> str:
        trace, state = self.state.trace, self.state
        labels = trace.details["cutmix"].get("labels", ())
        names = " + ".join(f"{share:.1%} {display(str(name))}" for name, share in labels)
        if box is None:
            return f" label: {names}\n no box that fits the picture"
        assert trace.image is not None
        assert trace.grid is not None
        area = (box[2] - box[0]) * (box[3] - box[1]) / trace.image[..., 0].size
        plain = ViewState(state.frames, state.frame).map_of(state.choice).values
        row = plain[state.shown.queries[state.row][0], patches.first_key(trace) :]
        share = share_inside(row, trace.grid, trace.image.shape[:2], box)
        asks = patches.asking(trace, state.shown, state.row)
        return (
            f" label: {names}\n box: {area:.1%} of the picture; {share:.1%} of the attention of "
            f"{asks} ({state.title_of(state.choice)}) is inside"
        )

    def action_blend(self) -> None:
        self._blend = BLENDS[(BLENDS.index(self._blend) + 1) % len(BLENDS)]
        self.draw()
