"""What the eval and compare commands print of how good a model is."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.cells import cell_len
from rich.console import Console
from rich.style import Style
from rich.table import Table
from rich.text import Text

from dlcc.cli.console import drawing_width, print_lines, stdout
from dlcc.cli.draw.labels import fit, side_by_side
from dlcc.cli.draw.palette import PALETTES, color_system
from dlcc.cli.draw.pictures import half_blocks, resized

if TYPE_CHECKING:
    from dlcc.core.sentiment.data import Review
    from dlcc.core.sentiment.faithfulness import Faithfulness
    from dlcc.core.sentiment.score import LengthScore
    from dlcc.core.train.classify import Mistake, Scores
    from dlcc.core.translate.score import LengthScore as LengthBleu
    from dlcc.core.translate.score import TranslationScores
    from dlcc.core.translate.senses import SenseScore
    from dlcc.core.vit.images import ImageSet

_CELL = 6  # columns of a confusion cell, at least
_LABEL = 12  # of a class name
_PICTURE = 24  # columns of a mistake


def table(*columns: str) -> Table:
    """An empty table without lines: what a row is about, then figures."""
    empty = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 3, 0, 0))
    for number, column in enumerate(columns):
        empty.add_column(Text(column), justify="left" if number == 0 else "right")
    return empty


def print_scores(scores: "Scores", unit: str, what: str) -> None:
    """Scores, classes and confusion of a classifier.

    Args:
        scores: of the classifier.
        unit: what an example is, in the plural.
        what: which of them were scored.
    """
    console = stdout()
    top5 = f"  top-5 {scores.top5:.2%}" if len(scores.classes) > 5 else ""
    line = Text(f"{scores.count:,} {unit} ({what})  accuracy ")
    line.append(f"{scores.accuracy:.2%}", "bold")
    line.append(f"{top5}  {scores.per_second:,.0f} {unit}/s")
    console.print(line, soft_wrap=True)
    console.print(
        f"log loss {scores.log_loss:.4f}  calibration error {scores.calibration_error:.4f}\n"
    )
    classes = table("class", unit, "accuracy", "precision")
    for each in scores.classes:
        shares = f"{each.accuracy:.1%}", f"{each.precision:.1%}"
        classes.add_row(Text(each.name), f"{each.count:,}", *shares)
    console.print(classes, "")
    _print_confusion(console, scores)


def scores_as_json(scores: "Scores") -> dict[str, Any]:
    """JSON values of a classifier's scores."""
    values = asdict(scores)
    values["classes"] = [_renamed(each, name="label") for each in values["classes"]]
    values["worst"] = [_renamed(each, given="label", name="file") for each in values["worst"]]
    return values


def _renamed(values: Mapping[str, Any], **names: str) -> dict[str, Any]:
    return {names.get(name, name): value for name, value in values.items()}


def by_length_as_json(scores: "Iterable[LengthScore | LengthBleu]") -> list[dict[str, Any]]:
    """JSON values of what was scored length by length."""
    values = [_renamed(asdict(each), texts="count", sentences="count") for each in scores]
    return [{**each, "lengths": each["lengths"].replace("–", " to ")} for each in values]


def _print_confusion(console: Console, scores: "Scores") -> None:
    """True classes are rows, given ones columns; a cell is coloured by its share of the row."""
    names = [each.name for each in scores.classes]
    cell = max(_CELL, len(f"{scores.count:,}") + 1)
    width = console.width if console.is_terminal else 10**6
    per_block = max(1, (width - _LABEL - 1) // cell)
    palette, colors = PALETTES["viridis"], color_system(console)
    for start in range(0, len(names), per_block):
        columns = range(start, min(start + per_block, len(names)))
        head = "".join(fit(names[column], cell - 1, "right") + " " for column in columns)
        corner = fit("true \\ given", _LABEL, "right")
        lines = [Text(f"{corner} {head}", "dim")]
        for name, counts in zip(names, scores.confusion, strict=True):
            line = Text(fit(name, _LABEL, "right") + " ", no_wrap=True)
            total = max(sum(counts), 1)
            for column in columns:
                share = counts[column] / total
                style = palette.style(share**0.5, colors) if counts[column] else Style.null()
                shown = f"{counts[column]:,}" if counts[column] else "·"
                line.append(f"{shown:>{cell - 1}} ", style)
            lines.append(line)
        print_lines([*lines, Text()])


def print_by_length(by_length: "Sequence[LengthScore]") -> None:
    """Accuracy on texts of similar length."""
    lengths = table("tokens", "texts", "accuracy")
    for each in by_length:
        lengths.add_row(each.lengths, f"{each.texts:,}", f"{each.accuracy:.2%}")
    stdout().print(lengths, "")


def print_worst_texts(worst: "Sequence[Mistake]", reviews: "Sequence[Review]") -> None:
    """The most certain mistakes, a line each; `reviews` are those that were scored."""
    console = stdout()
    if worst:
        console.print("most certain mistakes", style="dim")
    for mistake in worst:
        text = " ".join(reviews[mistake.place].text.split())
        console.print(
            Text(f"  {mistake.truth}, given {mistake.given} {mistake.probability:.3f}: {text}"),
            no_wrap=True,
            overflow="ellipsis",
        )


def print_worst_pictures(worst: "Sequence[Mistake]", pictures: "ImageSet") -> None:
    """The most certain mistakes as pictures, as many in a row as the screen holds; `pictures` are
    those that were scored."""
    if not worst:
        return
    console = stdout()
    console.print(Text("most certain mistakes", style="dim"))
    blocks = []
    for mistake in worst:
        image = pictures.pixels[mistake.place].permute(1, 2, 0).numpy()
        picture = half_blocks(resized(image, _PICTURE, _PICTURE), color_system(console))
        blocks.append([*picture, *_caption(mistake)])
    print_lines(side_by_side(blocks, drawing_width()))


def _caption(mistake: "Mistake") -> list[Text]:
    name = mistake.name
    if cell_len(name) > _PICTURE:
        name = "…" + name[1 - _PICTURE :]
    given = f"{mistake.given} {mistake.probability:.2f}"
    return [Text(fit(text, _PICTURE)) for text in (name, f"{mistake.truth}, given", given)]


def print_faithfulness(trust: "Sequence[Faithfulness]", texts: int, steps: Sequence[float]) -> None:
    """The deletion curves of all methods, the most trustworthy first.

    Args:
        trust: one a method.
        texts: how many they were measured on.
        steps: shares of the words that are masked.
    """
    console = stdout()
    console.print(
        f"probability of the given label as a method's top words are masked, mean over {texts} "
        "texts: the lower the area, the more those words mattered",
        style="dim",
    )
    shown = table("method", "area", "below random", "±", *(f"{share:.0%}" for share in steps[::2]))
    for method in trust:
        gain = f"{method.gain:.3f}", "" if method.error is None else f"{method.error:.3f}"
        curve = (f"{value:.3f}" for value in method.curve[::2])
        gain = ("", "") if method.method == "random" else gain
        shown.add_row(method.method, f"{method.area:.3f}", *gain, *curve)
    console.print(shown)


def print_by_architecture(rows: Sequence[Mapping[str, Any]], sizes: Mapping[str, int]) -> None:
    """Speed and accuracy of several architectures, a line a length.

    Args:
        rows: `length`, and by architecture NAME `NAME_train` and `NAME_infer` (texts a second), and
            `NAME_accuracy` where it was measured.
        sizes: parameters by architecture.
    """
    console = stdout()
    console.print(
        ", ".join(f"{name}: {size:,} parameters" for name, size in sizes.items())
        + "; texts a second, padded to the same length",
        style="dim",
    )
    figures = {"train": "{:,.1f}", "infer": "{:,.1f}", "accuracy": "{:.2%}"}
    shown = {
        f"{figure} {name}": (f"{name}_{figure}", style)
        for figure, style in figures.items()
        for name in sizes
        if f"{name}_{figure}" in rows[0]
    }
    lengths = table("tokens", *shown)
    for row in rows:
        cells = (style.format(row[field]) for field, style in shown.values())
        lengths.add_row(str(row["length"]), *cells)
    console.print(lengths)


def print_translation_scores(scores: "Mapping[str, TranslationScores]") -> None:
    """Scores of one translator or several, by name, on the same sentences."""
    console, results = stdout(), list(scores.values())
    count = len(results[0].hypotheses)
    both = len(results) == 2
    shown = table("", "sentences", *scores, *(["difference"] if both else []))
    rows = [
        ("BLEU, first reference", f"{count:,}", [each.bleu.value for each in results]),
        ("BLEU, all references", f"{count:,}", [each.bleu_all.value for each in results]),
        ("chrF2, all references", f"{count:,}", [each.chrf.value for each in results]),
    ]
    for same in zip(*(each.by_length for each in results), strict=True):
        what, number = f"BLEU, {same[0].lengths} words", f"{same[0].sentences:,}"
        rows.append((what, number, [each.bleu for each in same]))
    rows.append(("sentences a second", "", [count / each.seconds for each in results]))
    for what, number, values in rows:
        difference = [f"{values[0] - values[1]:+.1f}"] if both else []
        shown.add_row(what, number, *(f"{value:.1f}" for value in values), *difference)
    console.print(shown)
    console.print(f"BLEU {results[0].bleu.signature}", soft_wrap=True)
    console.print(f"chrF2 {results[0].chrf.signature}", soft_wrap=True)


def translation_scores_as_json(scores: "TranslationScores") -> dict[str, Any]:
    """JSON values of a translator's scores."""
    return {
        "bleu": scores.bleu.value,
        "bleu_all_references": scores.bleu_all.value,
        "chrf2": scores.chrf.value,
        "bleu_signature": scores.bleu.signature,
        "chrf2_signature": scores.chrf.signature,
        "by_length": by_length_as_json(scores.by_length),
        "seconds": scores.seconds,
        "per_second": len(scores.hypotheses) / scores.seconds,
    }


def print_senses(senses: "Mapping[str, Sequence[SenseScore]]") -> None:
    """How often translators, by name, have the reference's sense of words with several."""
    console, columns = stdout(), list(senses.values())
    if not columns[0]:
        return
    shown = table("word", "times", *senses, "commonest")
    for same in zip(*columns, strict=True):
        first = same[0]
        cells = []
        for each in same:
            low, high = each.interval
            share = f"{each.right / each.total:.0%}"
            cells.append(f"{each.right:,} {share} ({100 * low:.0f}–{100 * high:.0f})")
        shown.add_row(
            first.word, f"{first.total:,}", *cells, f"{first.commonest / first.total:.0%}"
        )
    console.print("", shown)
    remark = (
        "how often a word has the reference's sense, with the 95 % confidence interval (Wilson);"
    )
    console.print(f"{remark} and if it always had the commonest", style="dim", soft_wrap=True)
