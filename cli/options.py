"""Options that mean the same in every command, and the settings that outlive parsing.

Imported by every command before anything heavy: typer only.
"""

import inspect
import shlex
import types
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import Field, dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

import typer

from dlcc.core.errors import DlccError, UsageError, setting_with
from dlcc.core.settings import help_of, name_of, settings_of


@dataclass
class Settings:
    """What holds for the whole run."""

    debug: bool = False
    quiet: bool = False
    arguments: Sequence[str] = ()
    """The command line, without the program's name."""


settings = Settings()


def _set_debug(value: bool) -> bool:
    settings.debug = settings.debug or value
    return value


def _set_quiet(value: bool) -> bool:
    settings.quiet = settings.quiet or value
    return value


def at_most_one(**flags: bool) -> None:
    """Raise UsageError where several of the flags, by name, were given."""
    given = [f"--{name}" for name, value in flags.items() if value]
    if len(given) > 1:
        raise UsageError(f"{' and '.join(given)}: give one of them")


def check_map(shape: Sequence[int], layer: int | None, head: int | None) -> None:
    """Raise UsageError unless weights [layers, heads, ...] have such ones, counted from 1."""
    for name, value, most in zip(("layer", "head"), (layer, head), shape, strict=False):
        if value is not None and not 1 <= value <= most:
            raise UsageError(f"from 1 to {most}", name, value)


_COMMANDS = {
    "attend": ("attend",),
    "hf": ("look",),
    "sentiment": ("sentiment",),
    "translate": ("translate",),
    "vit": ("vit", "predict"),
}
"""The sources that have a command of their own, which takes their options."""


def command_of(made_by: Mapping[str, Any]) -> str | None:
    """The command line that makes a trace again; None where the trace does not say how.

    Args:
        made_by: the trace's, as `core.sources.made_by` has it; older ones hold the command itself.
    """
    name, asked, options = (made_by.get(part) for part in ("source", "asked", "options"))
    if isinstance(made_by.get("command"), str):
        return str(made_by["command"])
    if not isinstance(name, str) or not isinstance(asked, list):
        return None
    answers, flags = [str(answer) for answer in asked], []
    if name in _COMMANDS and isinstance(options, dict):
        for option, value in options.items():
            flag = f"--{'no-' if value is False else ''}{option}"
            flags += [flag] if isinstance(value, bool) else [flag, str(value)]
    dashed = any(answer.startswith("-") for answer in answers)
    rest = [*flags, "--", *answers] if dashed else [*answers, *flags]
    return shlex.join(["dlcc", *_COMMANDS.get(name, ("look", name)), *rest])


def _check_part(value: str | None) -> str | None:
    from dlcc.core.train.parts import check_part

    check_part(value)
    return value


def _parameter(name: str, *flags: str, **more: Any) -> inspect.Parameter:
    hint = Annotated[bool, typer.Option(*flags, **more)]
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=False, annotation=hint)


GENERAL = "General"
PANELS = (
    "",  # what it does
    "Data",
    "Start",
    "Data and start",
    "Model",
    "Batches and loss",
    "Training",
    "Output",
    "Device",
    GENERAL,
)
"""The panels of a help, in their order."""
_PANEL_OF = {
    flag: panel
    for panel, flags in {
        "Data": "data file column label-column format encoding skip-bad-rows classes-at labels "
        "part limit embeddings",
        "Model": "checkpoint model load",
        "Output": "json csv tui save export theme title force numbers palette attention layer head "
        "top worst examples tensorboard resume-output as word",
        "Device": "device runner",
        GENERAL: "quiet debug",
    }.items()
    for flag in flags.split()
}


def panel_of(option: Any) -> str:
    """The panel of a help that an option or argument stands in; nothing for the first."""
    named = getattr(option, "rich_help_panel", None)
    flag = option.opts[0]
    return named or (_PANEL_OF.get(flag[2:], "") if flag.startswith("--") else "")


def place_of(option: Any) -> int:
    """Where its panel stands among the others."""
    panel = panel_of(option)
    return PANELS.index(panel if panel in PANELS else "Training")


SHARED = (
    _parameter("quiet", "--quiet", "-q", help="No progress and no notes.", callback=_set_quiet),
    _parameter("debug", "--debug", help="Show the traceback of an error.", callback=_set_debug),
)
"""What every command takes."""

Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON: see dlcc help json.")]
Seed = Annotated[int, typer.Option("--seed", help="Seed of everything random.", min=0)]
Device = Annotated[str, typer.Option("--device", help="auto, cpu, cuda or mps.", metavar="NAME")]
Runner = Annotated[
    str,
    typer.Option(
        "--runner",
        help="What computes: onnx, torch, or auto, which is onnx where the model has it.",
        metavar="NAME",
    ),
]
ClassesAt = Annotated[
    int | None,
    typer.Option(
        "--classes-at",
        min=1,
        help="Which level of folders the classes are, from 1, where that is not plain.",
        metavar="LEVEL",
    ),
]
Part = Annotated[
    str | None,
    typer.Option(
        "--part",
        help="test, validation or train, as in the model's training; all, of data that it was not "
        "trained on. Left out: test; validation of data without; all of other data.",
        metavar="NAME",
        show_default=False,
        callback=_check_part,
    ),
]
Limit = Annotated[
    int | None,
    typer.Option("--limit", help="Only so many of them, drawn with --seed.", min=1, metavar="N"),
]
Palette = Annotated[
    str, typer.Option("--palette", help="viridis, cividis or grey.", metavar="NAME")
]
Words = Annotated[
    bool | None,
    typer.Option(
        "--words/--tokens",
        help="Pieces of words merged, or as the tokeniser cut them; left out, merged where seen.",
        show_default=False,
    ),
]
Numbers = Annotated[bool, typer.Option("--numbers", help="Print the weights.")]
Worst = Annotated[int, typer.Option("--worst", help="Mistakes to show.", min=0, metavar="N")]
Save = Annotated[
    Path | None,
    typer.Option("--save", help="Write the attention trace, for dlcc view.", metavar="FILE"),
]
Export = Annotated[
    Path | None,
    typer.Option(
        "--export",
        help="Write a figure (.svg, .pdf, .png, .html), text (.txt) or numbers (.csv, .json).",
        metavar="FILE",
    ),
]
Theme = Annotated[
    str, typer.Option("--theme", help="Of --export: paper, slide or terminal.", metavar="NAME")
]
FigureTitle = Annotated[
    str, typer.Option("--title", help="Above the figure of --export.", metavar="TEXT")
]
Tui = Annotated[bool, typer.Option("--tui", help="Open the viewer.")]
Force = Annotated[
    bool, typer.Option("--force", help="Replace files that --save and --export find there.")
]
Ablate = Annotated[
    str | None,
    typer.Option(
        "--ablate",
        help="heads: switch each off in turn, and print what becomes of the answer.",
        metavar="WHAT",
    ),
]
Checkpoint = Annotated[
    Path | None,
    typer.Option(
        "--checkpoint",
        help="A run or checkpoint folder, or an exported .onnx file; the bundled model when left "
        "out.",
        metavar="FOLDER",
    ),
]
Model = Annotated[
    str | None,
    typer.Option(
        "--model",
        help="A Hugging Face model's folder or name on the hub, in place of ours; needs "
        "pip install 'dlcc[models]'.",
        metavar="MODEL",
    ),
]
Embeddings = Annotated[
    Path | None,
    typer.Option(
        "--embeddings",
        help="A GloVe or word2vec text file, plain, .gz or .zip, for the bundled vectors.",
        metavar="FILE",
    ),
]


Format = Annotated[
    str | None,
    typer.Option(
        help="What --file or stdin is: csv, tsv, json, jsonl, parquet or lines; by the name's "
        "ending when left out.",
        metavar="FORMAT",
    ),
]
Encoding = Annotated[
    str | None,
    typer.Option(help="Of text: utf-8, utf-16, cp1252, ...; found when left out.", metavar="NAME"),
]
ResumeOutput = Annotated[
    Path | None,
    typer.Option(
        "--resume-output",
        help="Write the answers to FILE, after those that it holds: the same command again goes on "
        "where one was stopped or killed.",
        metavar="FILE",
    ),
]
SkipBadRows = Annotated[
    bool,
    typer.Option(
        "--skip-bad-rows", help="Leave rows out that do not fit the table, and count them."
    ),
]


class OptionGroup:
    """Options that a command takes as one parameter; its subclasses are dataclasses of them."""


@dataclass(frozen=True)
class FigureOptions(OptionGroup):
    """Where a figure goes, and how it looks."""

    export: Export = None
    theme: Theme = "paper"
    title: FigureTitle = ""
    force: Force = False


@dataclass(frozen=True)
class FileOptions(FigureOptions):
    """The same with a trace for the viewer."""

    save: Save = None


def flag_of(each: Field[Any]) -> str:
    """The option of a setting, such as --learning-rate."""
    return flag(name_of(each))


def flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def in_words(error: DlccError) -> str:
    """An error's message, with the option that it is about."""
    if not error.field:
        return error.why
    return f"{setting_with(flag(error.field), error.value)}: {error.why}"


def options_of(
    configs: Iterable[type], presets: Mapping[str, Mapping[str, Any]]
) -> list[inspect.Parameter]:
    """An option for each setting of some dataclasses, None where it is not given.

    Args:
        configs: the dataclasses.
        presets: by name what differs from their defaults; their helps say so.
    """
    return [
        inspect.Parameter(
            each.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=None,
            annotation=Annotated[_given(hint) | None, _option(each, hint, words, config, presets)],
        )
        for config in configs
        for hints, words in [(get_type_hints(config), help_of(config))]
        for each in settings_of(config)
        for hint in [_plain(hints[each.name])]
    ]


def _option(
    each: Field[Any],
    hint: Any,
    words: dict[str, str],
    config: type,
    presets: Mapping[str, Mapping[str, Any]],
) -> Any:
    flags = flag_of(each)
    if each.type in ("bool | None", bool | None) or each.default is True:
        flags += f"/--no-{flags[2:]}"
    names = {Path: "PATH", str: "NAME", tuple[int, ...]: "N,N", list[str]: "TEXT"}
    return typer.Option(
        flags,
        help=words[each.name].replace("`", "") + _defaults(each, presets),
        metavar=names.get(hint),
        autocompletion=_offered(each),
        parser=partial(_numbers, name_of(each)) if get_origin(hint) is tuple else None,
        show_default=False,
        rich_help_panel=getattr(config, "title", None),
    )


def _offered(each: Field[Any]) -> Callable[[], list[str]] | None:
    """What a shell offers for a setting."""
    names = getattr(each.metadata.get("bound"), "names", ())
    return (lambda: list(names)) if names else None


def _defaults(each: Field[Any], presets: Mapping[str, Mapping[str, Any]]) -> str:
    """What a setting is where it is not given, preset by preset where they differ."""
    names: dict[str, list[str]] = {}  # by value
    for name, preset in presets.items():
        names.setdefault(_typed(preset.get(each.name, each.default)), []).append(name)
    if len(names) > 1:
        said = [f"{', '.join(those)}: {value or 'none'}" for value, those in names.items()]
        return f" [{'; '.join(said)}]"
    (value,) = names or [_typed(each.default)]
    return f" [default: {value}]" if value not in ("", "no") else ""


def _typed(value: Any) -> str:
    """A setting's value as it is typed; nothing where it has none."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return ",".join(map(str, value)) or "none"
    return "" if value is None else str(value)


def _plain(hint: Any) -> Any:
    """A type without None."""
    if get_origin(hint) in (Union, types.UnionType):
        (hint,) = [part for part in get_args(hint) if part is not type(None)]
    return hint


def _given(hint: Any) -> Any:
    """What Typer is told of a type."""
    return tuple if get_origin(hint) is tuple else hint


def _numbers(name: str, text: str) -> tuple[int, ...]:
    """ "64,128" as numbers; "none" as none."""
    try:
        return () if text == "none" else tuple(int(part) for part in text.split(","))
    except ValueError:
        raise UsageError("give whole numbers such as 64,128, or none", name, text) from None


def _is_group(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, OptionGroup)


def _options_in(group: type) -> list[inspect.Parameter]:
    return [*inspect.signature(group).parameters.values()]


def with_parameters(
    command: Callable[..., Any], parameters: Sequence[inspect.Parameter]
) -> Callable[..., Any]:
    """`command` with parameters for Typer to read, beside its own; it is given those it takes. One
    that is a group of options stands for all of them."""
    own = inspect.signature(command, eval_str=True)
    named = {each.name: each for each in own.parameters.values() if each.kind != each.VAR_KEYWORD}
    takes_all = len(named) < len(own.parameters)
    groups = {name: each.annotation for name, each in named.items() if _is_group(each.annotation)}

    def run(**given: Any) -> Any:
        for name, group in groups.items():
            given[name] = group(**{each.name: given.pop(each.name) for each in _options_in(group)})
        return command(**{n: value for n, value in given.items() if takes_all or n in named})

    everything: list[inspect.Parameter] = []
    for name, each in named.items():
        taken = _options_in(groups[name]) if name in groups else [each]
        everything += [option.replace(kind=option.KEYWORD_ONLY) for option in taken]
    everything += parameters
    run.__signature__ = own.replace(parameters=everything)  # type: ignore[attr-defined]
    run.__annotations__ = {each.name: each.annotation for each in everything}
    run.__doc__ = command.__doc__
    return run
