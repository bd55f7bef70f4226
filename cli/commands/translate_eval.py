"""`dlcc translate eval`, `compare` and `alignments`: how good a translator is."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dlcc.cli.options import Checkpoint, Debug, Device, Json, Quiet

if TYPE_CHECKING:
    from dlcc.core.translate.data import Sentence
    from dlcc.core.translate.score import Bucket, TranslationScores
    from dlcc.core.translate.translator import Translator

_Data = Annotated[
    Path | None,
    typer.Option(
        "--data",
        help="A ManyThings zip, a folder or a two-column TSV; downloaded when left out.",
        metavar="PATH",
    ),
]
_Part = Annotated[
    str,
    typer.Option("--part", help="test, validation, or all for data of your own.", metavar="NAME"),
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
    part: _Part = "test",
    beam: _Beam = 5,
    length_penalty: _Penalty = 1.4,
    json_output: Json = False,
    device: Device = "auto",
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Score a translator with sacreBLEU and chrF2 on sentences it was not trained on."""
    folders = [checkpoint] if baseline is None else [checkpoint, baseline]
    search = {"beam": beam, "length_penalty": length_penalty}
    sentences, results, _ = _evaluate(folders, data, part, beam, length_penalty, device)
    names = ["model"] if baseline is None else ["model", "baseline"]
    if json_output:
        _print_json(names, sentences, results, search)
    else:
        _print_table(names, sentences, results)


def compare(
    attention: Annotated[
        Path, typer.Argument(help="Run folder of the model with attention.", metavar="ATTENTION")
    ],
    without: Annotated[
        Path, typer.Argument(help="Run folder of the model without attention.", metavar="WITHOUT")
    ],
    data: _Data = None,
    part: _Part = "test",
    beam: _Beam = 5,
    length_penalty: _Penalty = 1.4,
    examples: Annotated[
        int, typer.Option("--examples", help="Sentences to show where the two differ.")
    ] = 5,
    json_output: Json = False,
    device: Device = "auto",
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Compare a model with attention to one without, by sentence length."""
    from dlcc.cli.console import note, stdout
    from dlcc.core.translate.score import differences

    folders: list[Path | None] = [attention, without]
    search = {"beam": beam, "length_penalty": length_penalty}
    sentences, results, translators = _evaluate(folders, data, part, beam, length_penalty, device)
    names = ["attention", "without"]
    places = differences(sentences, results[0], results[1], examples)
    for name, translator in zip(names, translators, strict=True):
        note(f"{name}: {_training(translator)}")
    if json_output:
        _print_json(names, sentences, results, search, places)
        return
    _print_table(names, sentences, results)
    console = stdout()
    for place in places:
        console.print(f"\n{sentences[place].source}", style="bold", soft_wrap=True)
        rows = [("reference", sentences[place].targets[0])]
        rows += [(n, r.hypotheses[place]) for n, r in zip(names, results, strict=True)]
        for name, text in rows:
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
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Measure where attention lands against word alignments made by hand."""
    import json
    from dataclasses import asdict

    from rich.table import Table

    from dlcc.cli.console import stdout
    from dlcc.core.translate.alignment import alignment_errors, read_alignments
    from dlcc.core.translate.source import TranslateSource

    pairs = read_alignments(file)
    errors = alignment_errors(TranslateSource(checkpoint, device).translator, pairs)
    if json_output:
        print(json.dumps(asdict(errors)))
        return
    table = Table(title=f"{errors.pairs} pairs, {errors.links} links", title_justify="left")
    table.add_column("word links from")
    table.add_column("alignment error rate", justify="right")
    table.add_row("attention at the step that emits a word", f"{errors.emission:.3f}")
    table.add_row("attention at the step that is given the word", f"{errors.fed_back:.3f}")
    table.add_row("the diagonal, no model", f"{errors.diagonal:.3f}")
    stdout().print(table)


def _evaluate(
    folders: list[Path | None],
    data: Path | None,
    part: str,
    beam: int,
    length_penalty: float,
    device: str,
) -> "tuple[tuple[Sentence, ...], list[TranslationScores], list[Translator]]":
    """Evaluate several models on the part that all of them were kept from."""
    from dlcc.cli.console import note
    from dlcc.cli.progress import transferring
    from dlcc.core.errors import DataError
    from dlcc.core.translate import score as translation_scores
    from dlcc.core.translate.data import find_data, read_pairs, split_pairs
    from dlcc.core.translate.source import TranslateSource
    from dlcc.core.translate.translator import SearchOptions

    options = SearchOptions(beam, length_penalty)
    translators = [TranslateSource(folder, device).translator for folder in folders]
    abouts = [translator.about for translator in translators]
    if any(about.get("reverse") != abouts[0].get("reverse") for about in abouts):
        raise DataError("the two models translate in opposite directions")
    about = abouts[0]
    languages = about.get("source_lang", "eng"), about.get("target_lang", "spa")
    path = data or find_data(*languages, transferring)
    split = split_pairs(read_pairs(path, about.get("reverse", False)), about.get("seed", 0))
    for other in abouts:
        sentences = translation_scores.choose_part(
            split, part, other.get("data", {}).get("test_hash")
        )
    results = []
    for translator in translators:
        result = translation_scores.score(translator, sentences, options)
        note(f"{len(sentences):,} sentences in {result.seconds:.1f} s")
        results.append(result)
    return sentences, results, translators


def _training(translator: "Translator") -> str:
    """How long a model was trained, in words."""
    from dlcc.core.nn.layers import count_parameters

    about = translator.about
    metrics = about.get("metrics", {})
    size = count_parameters(translator.model.parameters())
    return (
        f"{size:,} parameters, best after epoch {metrics.get('epoch', '?')} and "
        f"{about.get('seconds', 0) / 60:.0f} minutes, validation BLEU {metrics.get('bleu', 0):.1f}"
    )


def _rows(
    sentences: "tuple[Sentence, ...]", buckets: "list[Bucket]", results: "list[TranslationScores]"
) -> list[tuple[str, str, list[float]]]:
    """(what, number of sentences, a score for each model)."""
    total = f"{len(sentences):,}"
    rows = [
        ("BLEU, first reference", total, [r.bleu.value for r in results]),
        ("BLEU, all references", total, [r.bleu_all.value for r in results]),
        ("chrF2, all references", total, [r.chrf.value for r in results]),
    ]
    for n, bucket in enumerate(buckets):
        scores = [result.by_length[n] for result in results]
        rows.append((f"BLEU, {bucket.name} words", f"{len(bucket.places):,}", scores))
    rows.append(("sentences a second", "", [len(sentences) / r.seconds for r in results]))
    return rows


def _print_table(
    names: list[str], sentences: "tuple[Sentence, ...]", results: "list[TranslationScores]"
) -> None:
    from rich.table import Table

    from dlcc.cli.console import stdout
    from dlcc.core.translate.score import buckets

    table = Table()
    table.add_column("")
    for name in ("sentences", *names, *(["difference"] if len(names) == 2 else [])):
        table.add_column(name, justify="right")
    for what, count, scores in _rows(sentences, buckets(sentences), results):
        cells = [f"{score:.1f}" for score in scores]
        if len(scores) == 2:
            cells.append(f"{scores[0] - scores[1]:+.1f}")
        table.add_row(what, count, *cells)
    console = stdout()
    console.print(table)
    console.print(f"BLEU {results[0].bleu.signature}", soft_wrap=True)
    console.print(f"chrF2 {results[0].chrf.signature}", soft_wrap=True)


def _print_json(
    names: list[str],
    sentences: "tuple[Sentence, ...]",
    results: "list[TranslationScores]",
    search: dict[str, float],
    places: list[int] | None = None,
) -> None:
    import json

    from dlcc.core.translate.score import buckets

    found: dict[str, Any] = {"sentences": len(sentences), **search}
    for name, result in zip(names, results, strict=True):
        found[name] = {
            "bleu": result.bleu.value,
            "bleu_all_references": result.bleu_all.value,
            "chrf2": result.chrf.value,
            "bleu_signature": result.bleu.signature,
            "chrf2_signature": result.chrf.signature,
            "by_source_words": {
                bucket.name: {"sentences": len(bucket.places), "bleu": score}
                for bucket, score in zip(buckets(sentences), result.by_length, strict=True)
            },
            "seconds": result.seconds,
        }
    if places is not None:
        found["examples"] = [
            {
                "source": sentences[place].source,
                "reference": sentences[place].targets[0],
                **{n: r.hypotheses[place] for n, r in zip(names, results, strict=True)},
            }
            for place in places
        ]
    print(json.dumps(found, ensure_ascii=False))
