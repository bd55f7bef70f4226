"""What `dlcc sentiment eval` and `compare` print."""

from collections.abc import Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from dlcc.cli.console import stdout
from dlcc.core.sentiment.classifier import Classifier
from dlcc.core.sentiment.config import ARCHITECTURES
from dlcc.core.sentiment.explain import STEPS
from dlcc.core.sentiment.faithfulness import Faithfulness
from dlcc.core.sentiment.score import Evaluation


def print_evaluation(result: Evaluation, answers: Classifier, part: str) -> None:
    """Scores, confusion, accuracy by length and the worst mistakes."""
    console = stdout()
    console.print(
        Text.assemble(
            f"{result.texts:,} texts ({part})  accuracy ",
            (f"{result.accuracy:.2%}", "bold"),
            f"  log loss {result.log_loss:.4f}  calibration error {result.calibration_error:.4f}"
            f"  {result.texts_per_second:,.0f} texts/s",
        ),
        soft_wrap=True,
    )
    console.print(
        f"texts beyond {answers.max_length} tokens: {_HOW[answers.long_texts]}", style="dim"
    )
    table = _table("true \\ given", *answers.labels)
    for label, row in zip(answers.labels, result.confusion, strict=True):
        table.add_row(Text(label), *(f"{count:,}" for count in row))
    console.print(table)
    table = _table("tokens", "texts", "accuracy")
    for each in result.by_length:
        table.add_row(each.lengths, f"{each.texts:,}", f"{each.accuracy:.2%}")
    console.print(table)
    if result.worst:
        console.print("most certain mistakes")
    for mistake in result.worst:
        text = " ".join(mistake.text.split())
        console.print(
            Text(f"  {mistake.truth}, given {mistake.label} {mistake.probability:.3f}: {text}"),
            no_wrap=True,
            overflow="ellipsis",
        )


_HOW = {"windows": "read in windows, logits averaged", "ends": "only their two ends read"}


def print_faithfulness(trust: Sequence[Faithfulness], texts: int) -> None:
    """The deletion curves of all methods, the most trustworthy first."""
    console = stdout()
    console.print(
        f"probability of the given label as a method's top words are masked, mean over {texts} "
        "texts: the lower the area, the more those words mattered",
        style="dim",
    )
    shown = STEPS[::2]
    table = _table("method", "area", "below random", "±", *(f"{share:.0%}" for share in shown))
    for method in trust:
        gain = (
            ("", "") if method.method == "random" else (f"{method.gain:.3f}", f"{method.error:.3f}")
        )
        curve = (f"{value:.3f}" for value in method.curve[::2])
        table.add_row(method.method, f"{method.area:.3f}", *gain, *curve)
    console.print(table)


def print_comparison(rows: Sequence[dict[str, Any]], sizes: dict[str, int]) -> None:
    """Transformer against GRU, a line a length."""
    console = stdout()
    names = [name for name in ARCHITECTURES if name in sizes]
    console.print(
        ", ".join(f"{name}: {sizes[name]:,} parameters" for name in names)
        + "; texts a second, padded to the same length",
        style="dim",
    )
    kinds = ["train", "infer"] + (["accuracy"] if f"{names[0]}_accuracy" in rows[0] else [])
    table = _table("tokens", *(f"{kind} {name}" for kind in kinds for name in names))
    for row in rows:
        cells = [row[f"{name}_{kind}"] for kind in kinds for name in names]
        texts = [f"{cell:.2%}" if cell <= 1 else f"{cell:,.1f}" for cell in cells[4:]]
        table.add_row(str(row["length"]), *(f"{cell:,.1f}" for cell in cells[:4]), *texts)
    console.print(table)


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for number, column in enumerate(columns):
        table.add_column(Text(column), justify="left" if number == 0 else "right")
    return table
