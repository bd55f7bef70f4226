"""What `dlcc vit eval` prints: scores, classes, the confusion as a grid, mistakes as pictures."""

from rich.cells import cell_len
from rich.console import Console
from rich.style import Style
from rich.table import Table
from rich.text import Text

from dlcc.cli.console import stdout
from dlcc.cli.draw.labels import fit
from dlcc.cli.draw.palette import PALETTES, color_system
from dlcc.cli.draw.pictures import half_blocks, resized, side_by_side
from dlcc.core.vit.classifier import PictureClassifier
from dlcc.core.vit.data import ImageSet
from dlcc.core.vit.score import Mistake, PictureScores

_CELL = 6  # columns of a confusion cell
_LABEL = 12  # of a class name
_PICTURE = 24  # columns of a mistake
_PLAIN_WIDTH = 80


def print_scores(
    result: PictureScores, answers: PictureClassifier, pictures: ImageSet, part: str, tta: bool
) -> None:
    """All of `result`; `pictures` are those that were scored."""
    console = stdout()
    views = ", ten views each" if tta else ""
    console.print(
        Text.assemble(
            f"{result.pictures:,} pictures ({part}{views})  accuracy ",
            (f"{result.accuracy:.2%}", "bold"),
            f"  top-5 {result.top5:.2%}  {result.pictures_per_second:,.0f} pictures/s\n"
            f"log loss {result.log_loss:.4f}  calibration error {result.calibration_error:.4f}",
        ),
        soft_wrap=True,
    )
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0))
    for name in ("class", "pictures", "accuracy", "precision"):
        table.add_column(name, justify="left" if name == "class" else "right")
    for each in result.classes:
        table.add_row(
            Text(each.name), f"{each.pictures:,}", f"{each.accuracy:.1%}", f"{each.precision:.1%}"
        )
    console.print(table)
    _print_confusion(console, result, answers.classes)
    _print_mistakes(console, result.worst, pictures)


def _print_confusion(console: Console, result: PictureScores, names: tuple[str, ...]) -> None:
    """True classes are rows, given ones columns; a cell is its share of the row."""
    width = console.width if console.is_terminal else 10**6
    per_block = max(1, (width - _LABEL - 1) // _CELL)
    palette, colors = PALETTES["viridis"], color_system(console)
    for start in range(0, len(names), per_block):
        columns = range(start, min(start + per_block, len(names)))
        console.print(Text("confusion: true classes are rows, given ones columns", style="dim"))
        head = "".join(fit(names[column], _CELL - 1, "right") + " " for column in columns)
        console.print(Text(" " * (_LABEL + 1) + head), no_wrap=True, crop=False)
        for name, counts in zip(names, result.confusion, strict=True):
            line = Text(fit(name, _LABEL, "right") + " ", no_wrap=True)
            total = max(sum(counts), 1)
            for column in columns:
                share = counts[column] / total
                style = palette.style(share**0.5, colors) if counts[column] else Style.null()
                line.append(f"{counts[column] or '·':>{_CELL - 1}} ", style)
            console.print(line, no_wrap=True, crop=False)


def _print_mistakes(console: Console, worst: tuple[Mistake, ...], pictures: ImageSet) -> None:
    """The most certain mistakes as pictures, as many in a row as the screen holds."""
    if not worst:
        return
    console.print(Text("most certain mistakes", style="dim"))
    width = console.width if console.is_terminal else _PLAIN_WIDTH
    per_row = max(1, (width + 2) // (_PICTURE + 2))
    for start in range(0, len(worst), per_row):
        blocks = [
            [*_drawn(console, pictures, mistake), *_caption(mistake)]
            for mistake in worst[start : start + per_row]
        ]
        for line in side_by_side(blocks):
            console.print(line, no_wrap=True, crop=False)


def _drawn(console: Console, pictures: ImageSet, mistake: Mistake) -> list[Text]:
    image = pictures.pixels[mistake.place].permute(1, 2, 0).numpy()
    return half_blocks(resized(image, _PICTURE, _PICTURE), color_system(console))


def _caption(mistake: Mistake) -> list[Text]:
    name = (
        mistake.name if cell_len(mistake.name) <= _PICTURE else "…" + mistake.name[1 - _PICTURE :]
    )
    given = f"{mistake.given} {mistake.probability:.2f}"
    return [Text(fit(text, _PICTURE)) for text in (name, f"{mistake.truth}, given", given)]
