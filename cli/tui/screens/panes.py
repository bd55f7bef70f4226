"""What the screens beside the map share."""

from textual.screen import Screen

from dlcc.cli.tui.state import Choice, ViewState
from dlcc.cli.tui.widgets.grid import MapGrid


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

    def on_mount(self) -> None:
        self.draw()

    def on_map_grid_touched(self, event: MapGrid.Touched) -> None:
        self.row, self.column = event.row, event.column
        self.place()

    def draw(self) -> None:
        """Draw everything anew."""

    def place(self) -> None:
        """Draw what a move of the cursor changes."""
