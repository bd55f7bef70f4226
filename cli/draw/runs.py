"""What is printed of training runs: a list, one of them, several side by side."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from dlcc.cli.console import drawing_width
from dlcc.cli.draw.curves import draw_curves
from dlcc.core.train.summary import Summary

if TYPE_CHECKING:
    from dlcc.cli.draw.figure.curves import CurvesPanel

_HEIGHT = 10  # rows of a plot
_COLUMNS = ("run", "kind", "data", "epochs", "best (valid.)", "min", "date", "size", "state")
_TEXTS = ("run", "model", "where", "kind", "data", "state")
_GAP = 1
_LEAST = 8  # columns of a name
_STYLES = {"running": "green", "damaged": "red", "stopped": "yellow"}


def list_of(summaries: Sequence[Summary], width: int) -> Table:
    """A row a run; names of runs and data are cut where the width does not do for them."""
    return _cut(_COLUMNS, [_row(each) for each in summaries], 2, width)


def _cut(names: Sequence[str], rows: Sequence[Sequence[str]], second: int, width: int) -> Table:
    """A table whose first column and `second` are cut where the width does not do for them."""
    longest = [max(map(len, column)) for column in zip(names, *rows, strict=True)]
    rest = width - sum(longest) + longest[0] + longest[second] - _GAP * len(names)
    longest[0] = min(longest[0], max(_LEAST, rest - min(longest[second], rest // 3)))
    longest[second] = min(longest[second], max(_LEAST, rest - longest[0]))
    table = _table(_GAP)
    for name, most in zip(names, longest, strict=True):
        side: Any = "left" if name in _TEXTS else "right"
        table.add_column(name, justify=side, no_wrap=True, overflow="ellipsis", max_width=most)
    for row in rows:
        table.add_row(*(Text(cell, _STYLES.get(cell, "")) for cell in row))
    return table


def _row(each: Summary) -> tuple[str, ...]:
    if each.state == "damaged":
        return each.name, each.kind, "", "", "", "", "", size(each.size), each.state
    best = "" if each.best is None else f"{called(each.metric)} {each.best:.3g}"
    minutes, begun = f"{each.minutes:.1f}", date(each.started)
    return (
        *(each.name, each.kind, each.data, epochs(each), best),
        *(minutes, begun, size(each.size), each.state),
    )


def models_table(models: Sequence[Mapping[str, Any]], width: int) -> Table:
    """A row a model, as `dlcc models` knows it."""
    rows = [
        (
            each["name"],
            each["where"],
            each.get("kind", "damaged"),
            each.get("data", ""),
            "" if each.get("best") is None else f"{called(each['metric'])} {each['best']:.3g}",
            each.get("date", ""),
            size(each["size"]) if "size" in each else "",
        )
        for each in models
    ]
    return _cut(
        ("model", "where", "kind", "data", "score (valid.)", "date", "size"), rows, 3, width
    )


def page_of(summary: Summary) -> list[Text]:
    """What became of a run: how it was made, its curves, its figures."""
    trained = f", {epochs(summary, ' of ')} epochs in {summary.minutes:.1f} minutes"
    about = (
        f"{trained if summary.epochs else ''}, begun {date(summary.started)}, {size(summary.size)}"
    )
    lines = [
        Text.assemble((summary.name, "bold"), f": {summary.kind}, {summary.state}{about}"),
        Text(summary.command, style="dim"),
    ]
    given = {name: summary.settings[name] for name in summary.given if name in summary.settings}
    if given:
        shown = ", ".join(f"{called(name)} {plain(value)}" for name, value in given.items())
        lines.append(Text(f"set for it: {shown}"))
    if summary.best is not None:
        others = {n: v for n, v in summary.figures.items() if n != summary.metric}
        lines.append(
            Text.assemble(
                "best ",
                (f"{called(summary.metric)} {summary.best:.4g}", "bold"),
                f" on the validation part, epoch {summary.best_epoch}" if summary.epochs else "",
            )
        )
        lines.append(Text("  " + ", ".join(f"{called(n)} {v:.4g}" for n, v in others.items())))
        lines += [Text(), *plot({summary.metric: summary}, summary.metric)]
    return lines


def plot(
    runs: Mapping[str, Summary],
    metric: str,
    by: str = "epochs",
    height: int = _HEIGHT,
    width: int | None = None,
) -> list[Text]:
    """One curve a run, of a figure on the validation part."""
    curves = {
        name if len(runs) > 1 else called(metric): summary.curve(metric, by)
        for name, summary in runs.items()
    }
    heading = Text(f"{called(metric)} on the validation part", style="dim")
    drawn = draw_curves(curves, min(width or drawing_width(), 100), height, by)
    return [heading, *drawn] if drawn else []


def curves_panel(runs: Mapping[str, Summary], metric: str, by: str = "epochs") -> "CurvesPanel":
    """What `plot` draws, for a figure."""
    from dlcc.cli.draw.figure.curves import CurvesPanel

    curves = {name: summary.curve(metric, by) for name, summary in runs.items()}
    title = next(iter(runs)) if len(runs) == 1 else ""
    return CurvesPanel(curves, title, by, f"{called(metric)} on the validation part")


def differences(summaries: Sequence[Summary]) -> Table:
    """What was set otherwise, and what came of it: a column a run."""
    table = _table()
    table.add_column("")
    for each in summaries:
        table.add_column(Text(each.name), justify="right", overflow="fold")
    names = dict.fromkeys(name for each in summaries for name in each.settings)
    for name in names:
        values = [plain(each.settings.get(name)) for each in summaries]
        if len({*values}) > 1:
            table.add_row(called(name), *map(Text, values))
    table.add_section()
    figures = dict.fromkeys(name for each in summaries for name in each.figures)
    for name in figures:
        found = [each.figures.get(name) for each in summaries]
        best = _best([f for f in found if f is not None], summaries[0], name)
        table.add_row(
            called(name),
            *(Text("" if f is None else f"{f:.4g}", "bold" if f == best else "") for f in found),
        )
    table.add_row("of epoch", *(str(each.best_epoch or "") for each in summaries))
    table.add_row("trained", *map(epochs, summaries))
    table.add_row("minutes", *(f"{each.minutes:.1f}" for each in summaries))
    return table


def _best(found: Sequence[float], summary: Summary, name: str) -> float | None:
    if name != summary.metric:
        return None
    return (max if summary.higher_is_better else min)(found)


def _table(gap: int = 2) -> Table:
    return Table(box=None, pad_edge=False, header_style="dim", padding=(0, gap, 0, 0))


def called(name: str) -> str:
    return name.replace("_", " ")


def plain(value: Any) -> str:
    """A setting's value in words."""
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return {None: "none", True: "yes", False: "no"}.get(value, str(value))


def epochs(summary: Summary, of: str = "/") -> str:
    return f"{round(summary.epochs, 1):g}{of}{summary.of_epochs}"


def date(started: str) -> str:
    """A day, of this day the time, of another year the year."""
    try:
        then, now = datetime.fromisoformat(started), datetime.now().astimezone()
    except ValueError:
        return ""
    if then.date() == now.date():
        return f"{then:%H:%M}"
    return f"{then.day} {then:%b}" if then.year == now.year else f"{then:%Y-%m-%d}"


def size(number: float) -> str:
    """Bytes in words."""
    for unit in ("B", "kB", "MB"):
        if number < 1000:
            return f"{number:.0f} {unit}"
        number = number / 1000
    return f"{number:.1f} GB"
