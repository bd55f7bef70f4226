"""`dlcc translate`: translate text, train, evaluate and compare translators."""

import typer

from dlcc.cli.translate_train import train

app = typer.Typer(help="Translate with a GRU and attention.")

app.command()(train)
