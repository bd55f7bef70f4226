"""What the screens beside the map share."""

from textual.screen import Screen

from dlcc.cli.tui.export import Seen
from dlcc.cli.tui.screens.files import ask_and_export
from dlcc.cli.tui.state import PICTURE, Choice, ViewState
from dlcc.cli.tui.widgets.grid import MapGrid
from dlcc.core.trace.scales import SCALES


class PaneScreen(Screen[Choice | None]):
    """Another look at the map's state; the answer is a map to show, if one was chosen."""

    DEFAULT_CSS = """
    PaneScreen Horizontal { height: 1fr; }
    PaneScreen Vertical { width: 1fr; }
    PaneScreen Picture, PaneScreen MapGrid { height: 1fr; }
    PaneScreen .line { height: 1; text-wrap: nowrap; text-overflow: ellipsis; }
    """

    def __init__(self, state: ViewState) -> None:
        super().__init__()
        self.state: ViewState = state
        self.row = self.column = 0
        """A cursor of its own."""
        alone = state.scale in ("own", "row") and state.view != PICTURE
        self.scale = "shared" if alone else state.scale
        """Maps that stand side by side share a scale, unless somebody asks for another; of pictures
        one strong row would leave all others dark."""

    def on_mount(self) -> None:
        self.draw()

    def on_map_grid_touched(self, event: MapGrid.Touched) -> None:
        self.row, self.column = event.row, event.column
        self.place()

    def action_scale(self) -> None:
        self.scale = SCALES[(SCALES.index(self.scale) + 1) % len(SCALES)]
        self.draw()

    def action_export(self) -> None:
        ask_and_export(self, self.seen, "attention.svg")

    def seen(self) -> Seen:
        """What is shown, for a file."""
        raise NotImplementedError

    def draw(self) -> None:
        """Draw everything anew."""

    def place(self) -> None:
        """Draw what a move of the cursor changes."""
