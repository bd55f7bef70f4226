"""Traces as files: figures as SVG, PDF, PNG or HTML, plain text, numbers as CSV or JSON.

Nothing in them asks for the network.
"""

import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rich.text import Text

from dlcc.cli.console import CleanConsole, json_of, note
from dlcc.cli.draw.numbers import Chosen, as_csv, traces_as_json
from dlcc.cli.draw.palette import PALETTES, Palette
from dlcc.core.errors import DataError, UsageError
from dlcc.core.files.paths import write_atomically
from dlcc.core.trace.trace import AttentionTrace, save_traces

if TYPE_CHECKING:
    from dlcc.cli.draw.figure.panels import Panel

_WIDTH = 160  # of plain text
_MAX_CELLS = 400_000  # of a picture: a browser opens that, and it takes some seconds
_MOST_SIGNS = 8  # that are named
FIGURES = (".svg", ".pdf", ".png")
PAGES = (*FIGURES, ".html")
FORMATS = (*FIGURES, ".html", ".csv", ".json", ".txt")


@dataclass(frozen=True)
class Files:
    """What a command was asked to write; made before long work, since it says what cannot be.

    Raises:
        UsageError: an ending or a theme of none that there are, no such folder, or a file that is
            there already and may not be replaced.
    """

    save: Path | None = None
    """For the traces."""
    export: Path | None = None
    """For the figure or the numbers."""
    theme: str = "paper"
    title: str = ""
    """Above the figure."""
    force: bool = False
    """Whether files that are there are replaced."""
    formats: Sequence[str] = FORMATS
    """What the export may end in."""

    def __post_init__(self) -> None:
        from dlcc.cli.draw.figure.themes import chosen_theme

        chosen_theme(self.theme)
        if self.export is None and (self.title or self.theme != "paper"):
            raise UsageError("--theme and --title are for a figure: add --export FILE")
        for option, path in (("save", self.save), ("export", self.export)):
            if path is not None:
                check_place(path, self.force, option)
        if self.export is not None:
            check_ending(self.export, "export", self.formats)

    @property
    def wanted(self) -> bool:
        return self.save is not None or self.export is not None

    @property
    def takes_traces(self) -> bool:
        """Whether nothing can be written without attention, whatever panels there are."""
        drawn = self.export is None or self.export.suffix.lower() in PAGES
        return self.save is not None or not drawn

    def write(
        self,
        traces: list[AttentionTrace],
        palette: Palette = PALETTES["viridis"],
        numbers: bool = False,
        layer: int | None = None,
        head: int | None = None,
        panels: "Callable[[], Sequence[Panel]] | None" = None,
        to_save: list[AttentionTrace] | None = None,
    ) -> None:
        """Save and export what was asked for, and say so on stderr.

        Args:
            traces: every layer and head of each is exported, unless one is chosen.
            palette: colours of the maps.
            numbers: whether their cells show the weights; a .txt always shows them.
            layer: the only one that is exported, from 1.
            head: the same of heads.
            panels: what the figure shows, in place of the maps.
            to_save: the traces for the file of traces, where they are others.

        Raises:
            UsageError: more than a picture can show.
            DataError: a file cannot be written.
        """
        if self.save is not None:
            save_traces(self.save, to_save or traces)
            note(f"saved {self.save}: dlcc view {self.save}")
        if self.export is not None:
            chosen = Chosen(layer, head)
            said = export(
                self.export, traces, palette, numbers, chosen, self.theme, self.title, panels
            )
            note(f"wrote {self.export}")
            if said:
                note(said)


def export(
    path: Path,
    traces: list[AttentionTrace],
    palette: Palette = PALETTES["viridis"],
    numbers: bool = False,
    chosen: Chosen = Chosen(),  # noqa: B008 - frozen
    theme: str = "paper",
    title: str = "",
    panels: "Callable[[], Sequence[Panel]] | None" = None,
    first: tuple[int, int] | None = None,
) -> str:
    """Write traces into one file, in the format that its ending names; `Files.write` says more.

    Args:
        first: layer and head that a page opens on, from 0; the number of heads for their mean.

    Returns:
        What there is to say of it; mostly nothing.

    Raises:
        UsageError: another ending, or more than a picture can show.
        DataError: the file cannot be written.
    """
    check_ending(path)
    ending = path.suffix.lower()
    cells = sum(len(trace.query) * len(trace.key) * len(chosen.maps(trace)) for trace in traces)
    draws = panels is None and ending not in (".csv", ".json")
    if (draws or ending == ".txt") and cells > _MAX_CELLS:
        raise UsageError(
            f"{cells:,} cells are no picture; choose a layer and a head, or end it in .csv or "
            ".json",
            "export",
            path,
        )
    data: bytes | str
    lacking = ""
    if ending == ".json":
        data = json.dumps(json_of(traces_as_json(traces, chosen=chosen)), ensure_ascii=False) + "\n"
    elif ending == ".csv":
        data = as_csv(traces, chosen)
    elif ending == ".txt":
        data = _text(traces, chosen)
    else:
        from dlcc.cli.draw.figure.page import page_of
        from dlcc.cli.draw.figure.panels import figure
        from dlcc.cli.draw.figure.themes import THEMES
        from dlcc.cli.draw.figure.traces import map_panels

        shown = panels() if panels else None
        if ending == ".html":
            parts = traces, chosen, palette, numbers, THEMES[theme], title, shown or ()
            data = page_of(*parts, first)
        else:
            shown = shown or map_panels(traces, chosen, palette, numbers)
            data, lacking = figure(ending, shown, THEMES[theme], title)
    written = data.encode(errors="replace") if isinstance(data, str) else data
    write_atomically(path, lambda temporary: temporary.write_bytes(written))
    if not lacking or ending == ".svg":  # whose reader has fonts of its own
        return ""
    signs = " ".join(lacking[:_MOST_SIGNS]) + " …" * (len(lacking) > _MOST_SIGNS)
    return f"no font here has {signs}: install one that does, such as Noto, or export to .svg"


def check_place(path: Path, replace: bool = False, option: str = "") -> None:
    """Ask, before long work, whether a file that a person named can be written there.

    Args:
        path: the file.
        replace: whether one that is there may be replaced.
        option: the setting that named it, for the message.

    Raises:
        UsageError: it is there already, or its folder is not.
        DataError: no file can be there.
    """
    name = "" if option else f"{path}: "
    try:
        there, folder_there = path.exists(), path.parent.is_dir()
    except OSError as error:
        raise DataError(f"cannot write {path}: {error.strerror}") from error
    if there and not path.is_file():
        raise DataError(f"cannot write {path}: it is no ordinary file")
    if there and not replace:
        raise UsageError(f"{name}exists; choose another name, or add --force", option, path)
    if not folder_there:
        folder = path.parent
        what = "is no folder" if folder.exists() else "does not exist: make that folder first"
        raise UsageError(f"{name}{folder} {what}", option, path)


def check_ending(path: Path, option: str = "", formats: Sequence[str] = FORMATS) -> None:
    """Raise UsageError when `path` ends in none of the formats."""
    *some, last = formats
    if path.suffix.lower() not in formats:
        name = "" if option else f"{path}: "
        raise UsageError(f"{name}end it in {', '.join(some)} or {last}", option, path)


def _text(traces: list[AttentionTrace], chosen: Chosen) -> str:
    """Every map as a grid of numbers."""
    from dlcc.cli.draw.grid import GridStyle, grid_lines

    style = GridStyle(PALETTES["viridis"], None, True, _WIDTH)
    lines = []
    for trace in traces:
        for layer, head in chosen.maps(trace):
            lines += [*grid_lines(trace, layer, head, style), Text()]
    width = max(line.cell_len for line in lines) + 1
    console = CleanConsole(record=True, file=io.StringIO(), width=width, color_system=None)
    for line in lines[:-1]:
        console.print(line)
    return str(console.export_text())
