"""`dlcc data`: what data are, before anything is learned from them."""

from pathlib import Path
from typing import Annotated

import typer

from dlcc.cli.options import Encoding, Format, Json, SkipBadRows


def data(
    path: Annotated[
        Path,
        typer.Argument(
            help="Texts, tables, sentence pairs, word vectors or pictures: a file, a folder or an "
            "archive.",
            metavar="PATH",
        ),
    ],
    column: Annotated[
        str | None, typer.Option(help="A table's column with the text.", metavar="NAME")
    ] = None,
    label_column: Annotated[
        str | None, typer.Option(help="A table's column with the class.", metavar="NAME")
    ] = None,
    classes_at: Annotated[
        int | None,
        typer.Option(
            help="Which level of folders the classes are, from 1.", min=1, metavar="LEVEL"
        ),
    ] = None,
    format: Format = None,
    encoding: Encoding = None,
    skip_bad_rows: SkipBadRows = False,
    json_output: Json = False,
) -> None:
    """Look at data without training: kind, parts, classes, lengths, copies, problems.

    Examples:
        dlcc data reviews.csv.gz
        dlcc data pictures.zip
        dlcc data orders.tsv --column text --label-column kind --json
    """
    from dlcc.cli.console import print_results, put
    from dlcc.core.sentiment.config import SplitConfig
    from dlcc.core.survey import lines_of_survey, survey

    config = SplitConfig(
        column,
        label_column,
        format=format,
        encoding=encoding,
        skip_bad_rows=skip_bad_rows,
        classes_at=classes_at,
    )
    found = survey(path, config)
    if json_output:
        print_results([found.as_json()])
        return
    for line in lines_of_survey(found):
        put(line)
