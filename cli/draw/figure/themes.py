"""What a figure is for: sizes, colours of paper and ink, and palettes that suit them."""

from dataclasses import dataclass, replace
from functools import lru_cache

from dlcc.cli.draw.palette import Palette
from dlcc.core.errors import UsageError

_INK = "ffffff f3f3c0 c3e39a 7fcb8e 3fa98f 24808d 2f5f8a 3f3c80 3d1a63"  # viridis, from white on
_CIVIDIS_INK = "ffffff f6e9a6 d8c573 b3a276 8f8a78 6f6f73 4c566d 24416e 00224e"
_GREY_INK = "ffffff e0e0e0 c4c4c4 a8a8a8 8c8c8c 707070 545454 383838 141414"
_SIGNED_INK = (
    "08306b 1c5a9c 3b83c0 7db1dc b9d6ee e6f0f8 ffffff fdeedd fbd3a5 f4a95c dd7d22 ab570d 6e3503"
)
_ON_WHITE = {
    "viridis": _INK,
    "cividis": _CIVIDIS_INK,
    "grey": _GREY_INK,
    "signed": _SIGNED_INK,
}
"""By palette its ramp on white: no weight is the paper, the largest is the darkest ink."""


@dataclass(frozen=True)
class Theme:
    """All lengths are in points, 72 an inch."""

    background: str
    ink: str
    dim: str
    """Of what explains: numbers of a bar, captions."""
    size: float
    """Of letters."""
    cell: float
    """The largest side of a map's cell."""
    width: float
    """What panels stand side by side in, and text is wrapped to."""
    picture: float
    """The longer side of a picture."""
    dpi: int
    """Dots an inch of a PNG."""
    on_white: bool = True

    @property
    def margin(self) -> float:
        return 1.5 * self.size

    @property
    def line(self) -> float:
        """From one line of text to the next."""
        return 1.35 * self.size

    def palette(self, palette: Palette) -> Palette:
        """The palette as it is drawn here: on white from white on, else as on the screen."""
        return _inked(palette) if self.on_white else palette


@lru_cache
def _inked(palette: Palette) -> Palette:
    return replace(palette, ramp=_ON_WHITE.get(palette.name, palette.ramp))


THEMES = {
    "paper": Theme("#ffffff", "#000000", "#555555", 8, 20, 540, 130, 300),
    "slide": Theme("#ffffff", "#111111", "#555555", 18, 48, 1000, 290, 150),
    "terminal": Theme("#0c0c0c", "#e6e6e6", "#9a9a9a", 10, 24, 620, 170, 200, on_white=False),
}
"""By the name that --theme takes."""


def chosen_theme(name: str) -> Theme:
    """What --theme NAME means.

    Raises:
        UsageError: there is none.
    """
    if name not in THEMES:
        raise UsageError(f"choose one of {', '.join(THEMES)}", "theme", name)
    return THEMES[name]
