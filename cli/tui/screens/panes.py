"""What the screens beside the map share."""

from textual.screen import Screen

from dlcc.cli.tui.state import Choice, ViewState


class PaneScreen(Screen[Choice | None]):
    """Another look at the map's state; the answer is a map to show, if one was chosen."""

    DEFAULT_CSS = """
    PaneScreen .name { height: 1; text-wrap: nowrap; text-overflow: ellipsis; }
    """

    def __init__(self, state: ViewState) -> None:
        super().__init__()
        self.state: ViewState = state

    def on_mount(self) -> None:
        self.draw()

    def draw(self) -> None:
        """Draw everything anew."""
        raise NotImplementedError
