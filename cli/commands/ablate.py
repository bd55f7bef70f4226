"""What `--ablate heads` prints: what becomes of each answer without each head."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dlcc.core.ablation import Effect
    from dlcc.core.trace.trace import AttentionTrace

_NAME = 60  # columns of a text, at most


def check_ablate(what: str, model: str | None = None) -> None:
    """Raise UsageError unless it can be switched off; of a `model` from elsewhere it cannot."""
    from dlcc.core.errors import UsageError
    from dlcc.core.settings import one_of

    one_of(("heads",)).ask(what, "ablate")
    if model is not None:
        raise UsageError("only heads of our own models are switched off", "ablate", what)


def ablated(
    source: Any,
    asked: "Iterable[tuple[str, Callable[[], list[AttentionTrace]]]]",
    as_json: bool,
    changed: str = "probability",
    model_name: str = "",
) -> None:
    """Print the effects of all heads on each answer, the largest change first.

    Args:
        source: whose heads they are.
        asked: what is answered, and what makes the trace of it.
        as_json: in which form.
        changed: what changes.
        model_name: of a model from elsewhere.
    """
    from rich.cells import cell_len
    from rich.text import Text

    from dlcc.cli.console import by_model, counting, print_results, stdout
    from dlcc.cli.draw.labels import display, fit
    from dlcc.cli.draw.scores import table

    console, results = stdout(), []
    for name, make in asked:
        with counting("heads") as progress:
            found = [(trace, source.ablated(trace, progress)) for trace in make()]
        for trace, effects in found:
            if as_json:
                results.append(_as_json(name, trace, changed, effects))
                continue
            said = display(trace.details.get("source", name))
            console.print(Text(fit(said, min(cell_len(said), _NAME)), "bold"))
            rows = table("without", changed, "answer")
            rows.columns[2].justify = "left"
            for each in effects:
                rows.add_row(
                    f"head {each.layer + 1}.{each.head + 1}",
                    f"{each.change:+.4f}",
                    Text(display(each.answer)),
                )
            console.print(rows)
    if as_json:
        model = source.classifier if hasattr(source, "classifier") else source
        print_results(results, {"model": model_name} if model_name else by_model(model))


def _as_json(
    name: str, trace: "AttentionTrace", changed: str, effects: "list[Effect]"
) -> dict[str, Any]:
    from dataclasses import asdict

    heads = [asdict(each) | {"layer": each.layer + 1, "head": each.head + 1} for each in effects]
    return {
        "text": trace.details.get("source", name),
        "answer": trace.details.get("translation", trace.title),
        "changed": changed,
        "heads": heads,
    }
