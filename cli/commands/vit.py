"""`dlcc vit`: a Vision Transformer on pictures; each command stands in its own file."""

import typer

from dlcc.cli.commands import vit_compare, vit_eval, vit_predict, vit_train

app = typer.Typer(help="Classify pictures with a Vision Transformer.", invoke_without_command=True)


@app.callback()
def _vit(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        print(context.get_help())


app.command()(vit_train.train)
app.command("eval")(vit_eval.evaluate)
app.command()(vit_predict.predict)
app.command()(vit_compare.compare)
