"""`dlcc translate export`, `sentiment export` and `vit export`: a trained model as ONNX."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

BUNDLED = "bundled"
_FAMILIES = {
    "translate": ("dlcc.core.translate", "translator:Translator"),
    "sentiment": ("dlcc.core.sentiment", "classifier:Classifier"),
    "vit": ("dlcc.core.vit", "classifier:PictureClassifier"),
}
Run = Annotated[
    str,
    typer.Argument(help="A run's folder or name, a checkpoint folder, or bundled.", metavar="RUN"),
]
File = Annotated[Path, typer.Argument(help="What to write, ending in .onnx.", metavar="FILE")]


def export_command(kind: str) -> Callable[[str, Path], None]:
    """The command of a family."""

    def export(run: Run, file: File) -> None:
        """Write a trained model as an ONNX graph, its attention among the outputs.

        It is compared with torch before it is written. With --checkpoint FILE it answers here
        without torch; elsewhere any ONNX runtime runs it. Needs pip install 'dlcc[onnx]'.

        Examples:
            dlcc KIND export bundled KIND.onnx
            dlcc KIND export runs/mine mine.onnx
        """
        from importlib import import_module

        import torch

        from dlcc.cli.console import counting, note, put
        from dlcc.core.export import check_place, write_exported
        from dlcc.core.train.checkpoint import load_checkpoint

        check_place(file)
        package, answers = _FAMILIES[kind]
        module, _, name = answers.partition(":")
        loads = getattr(import_module(f"{package}.{module}"), name)
        folder = _folder(run, kind)
        model = loads.load(folder, torch.device("cpu")).model
        family = import_module(f"{package}.graphs")
        known = load_checkpoint(folder, kind)
        with counting("exporting"):
            graphs, uses = family.graphs(model), family.exported(model)
            written = write_exported(file, known, model, graphs, uses)
        for each in written:
            put(str(each.place))
            note(
                f"{each.place.name}: {each.size / 1e6:.1f} MB, opset {each.opset}, {each.says}; "
                f"largest difference from torch {each.difference:.1e}"
            )

    export.__doc__ = str(export.__doc__).replace("KIND", kind)
    return export


def _folder(run: str, kind: str) -> Path:
    from dlcc.core.files.paths import asset
    from dlcc.core.train.runs import find_run

    if run == BUNDLED and not Path(run).exists():
        return asset(kind)
    return Path(run) if Path(run).is_dir() else find_run(run)
