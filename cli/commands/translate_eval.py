"""`dlcc translate eval`, `compare` and `alignments`: how good a translator is."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dlcc.cli.options import Checkpoint, Device, Json, Limit, Part, Seed

if TYPE_CHECKING:
    from dlcc.core.translate.data import Pair
    from dlcc.core.translate.score import TranslationScores
    from dlcc.core.translate.translator import Translator

_Data = Annotated[
    Path | None,
    typer.Option(
        "--data",
        help="A ManyThings zip, a folder or a two-column TSV; downloaded when left out.",
        metavar="PATH",
    ),
]
_Beam = Annotated[int, typer.Option("--beam", help="Beam width; 1 is greedy search.")]
_Penalty = Annotated[
    float, typer.Option("--length-penalty", help="Above 1 favours long translations.")
]


def evaluate(
    data: _Data = None,
    checkpoint: Checkpoint = None,
    baseline: Annotated[
        Path | None,
        typer.Option("--baseline", help="Another one to compare with.", metavar="FOLDER"),
    ] = None,
    part: Part = None,
    limit: Limit = None,
    beam: _Beam = 5,
    length_penalty: _Penalty = 1.4,
    seed: Seed = 0,
    json_output: Json = False,
    device: Device = "auto",
) -> None:
    """Score a translator with sacreBLEU and chrF2 on sentences it was not trained on.

    Examples:
        dlcc translate eval --data spa-eng.zip
        dlcc translate eval --data spa-eng.zip --checkpoint runs/mine --beam 1
    """
    from dlcc.cli.console import print_results
    from dlcc.cli.draw.scores import print_translation_scores

    folders = {"model": checkpoint} | ({"baseline": baseline} if baseline else {})
    translators = _load(folders, device)
    _, scores, results = _score(translators, data, part, (limit, seed), beam, length_penalty)
    if json_output:
        print_results(results)
    else:
        print_translation_scores(scores)


def compare(
    first: Annotated[Path, typer.Argument(help="Run folder of a model.", metavar="FIRST")],
    second: Annotated[Path, typer.Argument(help="Run folder of another.", metavar="SECOND")],
    more: Annotated[
        list[Path] | None, typer.Argument(help="Run folders of further models.", metavar="MORE")
    ] = None,
    data: _Data = None,
    part: Part = None,
    limit: Limit = None,
    beam: _Beam = 5,
    length_penalty: _Penalty = 1.4,
    examples: Annotated[
        int, typer.Option("--examples", help="Sentences to show where the two differ.")
    ] = 5,
    seed: Seed = 0,
    json_output: Json = False,
    device: Device = "auto",
) -> None:
    """Compare models, such as one with attention, one without, and a Transformer.

    By sentence length; and from English to Spanish by words that have several translations: how
    often it is the reference's.

    Examples:
        dlcc translate compare runs/mine runs/without --data spa-eng.zip
        dlcc translate compare runs/mine runs/without runs/heads --examples 10
    """
    from dlcc.cli.console import note, print_results, stdout
    from dlcc.cli.draw.scores import print_senses, print_translation_scores
    from dlcc.core.errors import UsageError
    from dlcc.core.translate.score import differences
    from dlcc.core.translate.senses import sense_scores, senses_as_json

    folders: dict[str, Path] = {}
    for folder in (first, second, *(more or ())):
        name = (folder.parent if folder.name == "best" else folder).name  # a run's, not "best"
        if name in folders:
            raise UsageError(f"{folder}: another model is called {name} already")
        folders[name] = folder
    translators = _load(folders, device)
    sentences, scores, results = _score(
        translators, data, part, (limit, seed), beam, length_penalty
    )
    for name, translator in translators.items():
        note(f"{name}: {_training(translator)}")
    one, other, *_ = scores.values()
    places = differences(sentences, one, other, examples)
    shown = [
        {
            "source": sentences[place].source,
            "reference": sentences[place].targets[0],
            **{name: each.hypotheses[place] for name, each in scores.items()},
        }
        for place in places
    ]
    about = next(iter(translators.values())).about
    languages = about.get("source_lang", "eng"), about.get("target_lang", "spa")
    senses = {
        name: sense_scores(sentences, each.hypotheses) if languages == ("eng", "spa") else []
        for name, each in scores.items()
    }
    if json_output:
        told = [
            {**each, "senses": senses_as_json(own)}
            for each, own in zip(results, senses.values(), strict=True)
        ]
        print_results(told, examples=shown)
        return
    print_translation_scores(scores)
    print_senses(senses)
    console = stdout()
    for example in shown:
        console.print(f"\n{example.pop('source')}", style="bold", soft_wrap=True)
        for name, text in example.items():
            console.print(f"  {name:9}  {text}", soft_wrap=True)


def alignments(
    file: Annotated[
        Path,
        typer.Argument(
            help="source<TAB>target<TAB>i-j i-j ... lines; words count from 0.", metavar="FILE"
        ),
    ],
    checkpoint: Checkpoint = None,
    json_output: Json = False,
    device: Device = "auto",
) -> None:
    """Measure where attention lands against word alignments made by hand.

    Examples:
        dlcc translate alignments alignments.tsv
    """
    from dataclasses import asdict

    from rich.table import Table

    from dlcc.cli.console import by_model, print_results, stdout
    from dlcc.core.translate.alignment import alignment_errors, read_alignments

    pairs = read_alignments(file)
    (translator,) = _load({"model": checkpoint}, device).values()
    errors = alignment_errors(translator, pairs)
    if json_output:
        print_results([asdict(errors)], by_model(translator))
        return
    table = Table(title=f"{errors.pairs} pairs, {errors.links} links", title_justify="left")
    table.add_column("word links from")
    table.add_column("alignment error rate", justify="right")
    table.add_row("attention at the step that emits a word", f"{errors.emission:.3f}")
    table.add_row("attention at the step that is given the word", f"{errors.fed_back:.3f}")
    table.add_row("the diagonal, no model", f"{errors.diagonal:.3f}")
    stdout().print(table)
    for what, (wrong, words) in {"single": errors.single, "phrase": errors.phrases}.items():
        if words:
            share = f"{wrong / words:.3f}"
            stdout().print(
                f"{what} words: {wrong} of {words} look elsewhere as they are emitted, {share}"
            )


def _load(folders: "Mapping[str, Path | None]", device: str) -> "dict[str, Translator]":
    """The translators of several folders, by the folders' names."""
    from dlcc.core.translate.source import TranslateSource

    return {
        name: TranslateSource(folder, device, runner="torch").translator
        for name, folder in folders.items()
    }


def _score(
    translators: "Mapping[str, Translator]",
    data: Path | None,
    part: str | None,
    at_most: tuple[int | None, int],
    beam: int,
    length_penalty: float,
) -> "tuple[Sequence[Pair], dict[str, TranslationScores], list[dict[str, Any]]]":
    """The sentences of a part, the scores of each translator on them, and all as JSON values.

    Args:
        at_most: the most sentences, and the seed that they are drawn with.
    """
    from dlcc.cli.console import note, transferring, warn
    from dlcc.cli.draw.scores import translation_scores_as_json
    from dlcc.core.train.runtime import drawn
    from dlcc.core.translate.data import find_data
    from dlcc.core.translate.score import score_translations, sentences_to_score
    from dlcc.core.translate.translator import SearchOptions

    options = SearchOptions(beam, length_penalty)
    abouts = [translator.about for translator in translators.values()]
    languages = (abouts[0].get("source_lang", "eng"), abouts[0].get("target_lang", "spa"))
    chosen, sentences = sentences_to_score(
        data or find_data(*languages, transferring), part, abouts
    )
    if chosen.remark:
        warn(chosen.remark)
    sentences = [sentences[place] for place in drawn(len(sentences), *at_most).tolist()]
    scores = {}
    for name, translator in translators.items():
        scores[name] = score_translations(translator, sentences, options)
        note(f"{len(sentences):,} sentences ({chosen.name}) in {scores[name].seconds:.1f} s")
    values = {"part": chosen.name, "count": len(sentences)}
    values |= {"beam": beam, "length_penalty": length_penalty}
    results = [
        {"model": name, **values, **translation_scores_as_json(each)}
        for name, each in scores.items()
    ]
    return sentences, scores, results


def _training(translator: "Translator") -> str:
    """How long a model was trained, in words."""
    from dlcc.core.nn.layers import count_parameters

    about = translator.about
    metrics = about.get("metrics", {})
    return (
        f"{count_parameters(translator.model.parameters()):,} parameters, best after epoch "
        f"{metrics.get('epoch', '?')} and {about.get('seconds', 0) / 60:.0f} minutes, validation "
        f"BLEU {metrics.get('bleu', 0):.1f}"
    )
