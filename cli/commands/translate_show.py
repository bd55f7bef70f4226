"""What `dlcc translate` says and shows of translations besides their text."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dlcc.cli.draw.palette import Palette
    from dlcc.cli.tui.app import ViewerActions
    from dlcc.core.trace.trace import AttentionTrace
    from dlcc.core.translate.translator import SearchOptions, Translation, Translator


_SHOWN = 5  # lines with unknown words that are named


def say_problems(done: "list[Translation]") -> None:
    """Say on stderr what could not be translated, or not well."""
    from dlcc.cli.console import note, warn

    empty, strange = 0, []
    for number, translation in enumerate(done, 1):
        where = f"line {number}: " if len(done) > 1 else ""
        if not translation.source and where:
            empty += 1
        elif translation.problem:
            warn(where + translation.problem)
        if translation.unknown and translation.text:
            strange.append(f"{where}not in the training data: {', '.join(translation.unknown)}")
    for line in strange[:_SHOWN]:
        note(line)
    if len(strange) > _SHOWN:
        note(f"{len(strange) - _SHOWN} further lines have words that were not in the training data")
    if empty:
        note(f"{empty} empty line{'s' if empty > 1 else ''} kept empty")


def print_json(translator: "Translator", done: "list[Translation]", n_best: int) -> None:
    """Print each translation with its tokens, scores, alternatives and weights."""
    import json

    results = [_as_json(translator, translation, n_best) for translation in done]
    print(json.dumps({"translations": results}, ensure_ascii=False))


def _as_json(translator: "Translator", translation: "Translation", n_best: int) -> dict[str, Any]:
    from dlcc.core.translate.source import steps_of

    result: dict[str, Any] = {
        "source": translation.source,
        "translation": translation.text,
        "score": round(translation.score, 4),
        "source_tokens": translation.source_tokens.texts,
        "tokens": [translator.codec.piece(token) for token in translation.tokens],
        "n_best": [
            {"translation": text, "score": round(score, 4)}
            for text, score in translation.others[:n_best]
        ],
        "unknown": translation.unknown,
        "problem": translation.problem,
    }
    if translation.parts:
        result["parts"] = [_as_json(translator, part, n_best) for part in translation.parts]
    if translation.tokens:
        result |= steps_of(translator, translation)
    return result


def traces_of(
    translator: "Translator",
    done: "list[Translation]",
    checkpoint: Path | None,
    options: "SearchOptions",
) -> "list[AttentionTrace]":
    """The attention of each translation that there is.

    Args:
        translator: what translated.
        done: what it made.
        checkpoint: where it came from; None for the bundled one.
        options: how it searched.

    Raises:
        DataError: there is none.
    """
    from dlcc.core.errors import DataError

    parts = [part for translation in done for part in translation.parts or (translation,)]
    traces = [_trace(translator, part, checkpoint, options) for part in parts if part.tokens]
    if not traces:
        raise DataError("nothing was translated, so there is no attention to show")
    return traces


def export(path: Path, traces: "list[AttentionTrace]", palette: "Palette", numbers: bool) -> None:
    """Write the pictures or the numbers of words, not of their tokens."""
    from dlcc.cli.draw.export import export as write
    from dlcc.core.trace.words import by_word

    write(path, [by_word(trace) for trace in traces], palette, numbers)


def draw(traces: "list[AttentionTrace]", palette: "Palette", numbers: bool) -> None:
    """Print the alignment of words as a grid."""
    from dlcc.cli.console import stdout
    from dlcc.cli.draw.grid import GridStyle, attention_grid
    from dlcc.cli.draw.palette import color_system
    from dlcc.core.trace.words import by_word

    console = stdout()
    style = GridStyle(palette, color_system(console), numbers, console.width)
    for trace in traces:
        console.print()
        console.print(attention_grid(by_word(trace), style=style))


def viewer_actions(translator: "Translator", checkpoint: Path | None) -> "ViewerActions":
    """What the viewer can ask of a translator, which came from `checkpoint`."""
    from dlcc.cli.tui.app import ViewerActions
    from dlcc.core.translate.source import choose
    from dlcc.core.translate.translator import SearchOptions

    usual = SearchOptions()

    def translate(text: str) -> "list[AttentionTrace]":
        return traces_of(translator, translator.translate([text], usual), checkpoint, usual)

    def retranslate(trace: "AttentionTrace", step: int, word: str) -> "list[AttentionTrace]":
        return [_trace(translator, choose(translator, trace, step, word), checkpoint, usual)]

    return ViewerActions(translate=translate, retranslate=retranslate)


def _trace(
    translator: "Translator",
    translation: "Translation",
    checkpoint: Path | None,
    options: "SearchOptions",
) -> "AttentionTrace":
    from dlcc.cli.made_by import by_model
    from dlcc.core.translate.source import trace_of
    from dlcc.core.translate.translator import SearchOptions

    usual = SearchOptions()
    made_by = by_model(
        translator.about,
        checkpoint,
        "translate",
        translation.source,
        beam=(options.beam, usual.beam),
        length_penalty=(options.length_penalty, usual.length_penalty),
    )
    return trace_of(translator, translation, made_by)
