"""What the viewer can compute when `dlcc view` opened it: each command's own work, when asked.

A model is loaded at its first use, in the viewer's thread, and kept. Only models that are
installed are offered.
"""

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from dlcc.core.errors import DataError, UsageError
from dlcc.core.files.paths import asset

if TYPE_CHECKING:
    from dlcc.cli.tui.app import ViewerActions
    from dlcc.core.sentiment.classifier import Classifier
    from dlcc.core.trace.trace import AttentionTrace
    from dlcc.core.translate.translator import Translator
    from dlcc.core.vit.classifier import PictureClassifier


def installed_actions() -> "ViewerActions":
    """The actions of the models that came with the program."""
    from dlcc.cli.tui.app import ViewerActions

    can_translate = _installed("translate")
    return ViewerActions(
        attend=_attend,
        translate=_translate if can_translate else None,
        retranslate=_retranslate if can_translate else None,
        sentiment=_sentiment if _installed("sentiment") else None,
        picture=_picture if _installed("vit") else None,
    )


def _installed(name: str) -> bool:
    try:
        asset(f"{name}/config.json")
    except DataError:
        return False
    return True


def _attend(query: str, key: str, mechanism: str) -> "list[AttentionTrace]":
    from dlcc.cli.commands.attend_traces import traces_of

    return traces_of(query, key or None, [mechanism or "dot"])


def _translate(text: str) -> "list[AttentionTrace]":
    from dlcc.cli.commands.translate_show import viewer_actions

    translate = viewer_actions(_translator(), None).translate
    assert translate is not None
    return translate(text)


def _retranslate(trace: "AttentionTrace", step: int, word: str) -> "list[AttentionTrace]":
    from dlcc.cli.commands.translate_show import viewer_actions

    translator = _translator()
    if trace.made_by.get("model") != translator.about.get("command", ""):
        raise UsageError(
            "this trace was made by another model than the bundled one: to choose other words, "
            "open it with dlcc translate TEXT --checkpoint FOLDER --tui"
        )
    retranslate = viewer_actions(translator, None).retranslate
    assert retranslate is not None
    return retranslate(trace, step, word)


def _sentiment(text: str) -> "list[AttentionTrace]":
    from dlcc.cli.commands import sentiment_why

    answers = _classifier()
    found = answers.answer([text])
    why = sentiment_why.explained(answers, found, None)
    return sentiment_why.traces(answers, found, why, None)


def _picture(path: Path) -> "list[AttentionTrace]":
    from dlcc.cli.commands.vit_predict import trace_of_file

    return [trace_of_file(_picture_classifier(), path)]


@lru_cache
def _translator() -> "Translator":
    from dlcc.cli.commands.translate import load

    return load(None, "auto")


@lru_cache
def _classifier() -> "Classifier":
    from dlcc.cli.commands.sentiment import load_classifier

    return load_classifier(None, "auto", "windows")


@lru_cache
def _picture_classifier() -> "PictureClassifier":
    from dlcc.cli.commands.vit_data import load_classifier

    return load_classifier(None, "auto")
