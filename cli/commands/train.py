"""The train commands, one for every recipe: its settings are the options; and `dlcc resume`."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dlcc.cli import console
from dlcc.cli.commands.together import alone_in, built, together
from dlcc.cli.commands.training import Shown, new_run_folder, resume_line, train_here
from dlcc.cli.groups import LazyGroup, command_of
from dlcc.cli.options import Device, Seed, in_words, options_of, with_parameters
from dlcc.core.errors import DlccError, UsageError
from dlcc.core.files.paths import being_read
from dlcc.core.train import runs
from dlcc.core.train.config import FitConfig
from dlcc.core.train.distributed import may_restart, was_restarted
from dlcc.core.train.folders import read_about
from dlcc.core.train.recipe import Recipe, names, recipe, without_folder

if TYPE_CHECKING:
    pass

Run = Annotated[
    Path | None, typer.Option(help="Folder of the run; made anew when left out.", metavar="FOLDER")
]
Resumed = Annotated[
    bool, typer.Option("--resume", help="Go on with the run in --run, as it was begun.")
]

Tui = Annotated[
    bool,
    typer.Option("--tui", help="Watch it on the whole screen: curves, and the sample's attention."),
]

Board = Annotated[
    bool, typer.Option("--tensorboard", help="Write the figures for TensorBoard too.")
]

_SILENT = (
    "tui",
    "tensorboard",
    "run",
    "resume",
    "quiet",
    "debug",
)  # these do not change the result


_EXAMPLES = {
    "masked-words": (
        "dlcc sentiment pretrain --run runs/words",
        "dlcc sentiment pretrain --data texts.csv --column text --minutes 30",
    ),
    "sentiment": (
        "dlcc sentiment train --data reviews.csv --run runs/reviews",
        "dlcc sentiment train --data aclImdb_v1.tar.gz --data tweets.csv=3 --epochs 2",
        "dlcc sentiment train --from runs/words --also answers.csv",
        "dlcc sentiment train --model gru --run runs/gru --tui",
    ),
    "translate": (
        "dlcc translate train --data spa-eng.zip --run runs/mine",
        "dlcc translate train --data spa-eng.zip --model transformer --run runs/heads",
        "dlcc translate train --data pairs.tsv --reverse --minutes 10",
        "dlcc translate train --data spa-eng.zip --from runs/mine --run runs/more",
    ),
    "vit": (
        "dlcc vit train --data pictures --minutes 10",
        "dlcc vit train --cutmix --run runs/cifar",
        "dlcc vit train --preset book --seed 1 --tui",
        "dlcc vit train --backbone vit_b_16 --size 224 --run runs/tuned",
    ),
}


def train_command(name: str) -> Callable[..., None]:
    """The function behind `dlcc ... train` for the recipe of that name, for Typer to read."""
    found = recipe(name)

    def train(
        context: typer.Context,
        run: Run = None,
        resume: Resumed = False,
        preset: Annotated[str, preset_option(found)] = next(iter(found.presets)),
        seed: Seed = 0,
        device: Device = "auto",
        tui: Tui = False,
        tensorboard: Board = False,
        **given: Any,
    ) -> None:
        if resume and run is None:
            raise UsageError("--resume needs --run FOLDER: the run to go on with")
        if may_restart() and run is None:
            raise UsageError("--max-restarts needs --run FOLDER: there a restart finds it")
        if resume or (run and was_restarted() and runs.is_trained(run)):
            others = {"preset": preset, "seed": seed, "device": device}
            go_on(context, name, runs.find_run(str(run)), given, others, Shown(tui, tensorboard))
            return
        if run and runs.is_trained(run):
            raise UsageError(
                f"holds a training: resume it by {resume_line(run)}, or choose another", "run", run
            )
        options = {"seed": seed, "device": device, "command": command_line(context)}
        chosen = found.choose(given, preset, **options)
        chosen.make(FitConfig)  # complains before the long work
        with together() as team:
            chosen = found.on_device(chosen, console)
            task = built(found, chosen)
            run = team.agreed(run or (new_run_folder(name) if team.leads else None))
            assert run is not None  # the first process has one
            with alone_in(run):
                train_here(name, chosen, task, run, Shown(tui, tensorboard))

    train.__doc__ = "\n".join(
        [found.help, "", "Examples:", *_EXAMPLES.get(name, [f"dlcc train {name}"])]
    )
    return with_parameters(train, options_of(found.configs, {**found.presets, **found.instead}))


def go_on(
    context: typer.Context,
    name: str,
    run: Path,
    given: dict[str, Any],
    others: dict[str, Any],
    shown: Shown,
) -> None:
    """Train on from where a run was stopped or killed, with what it was begun with."""
    found = recipe(name)
    asked = {each: value for each, value in others.items() if is_given(context, each)}
    if (kind := runs.kind_of(run)) != name:
        raise UsageError(f"holds a training of {kind}, not of {name}", "run", run)
    with together(), alone_in(run):
        record = runs.read_record(run)
        if record is None:
            about = read_about(run / "last")
            preset, before = asked.pop("preset", None), about.get("settings", {})
            asked = {"seed": 0, **asked, "command": command_line(context), "resumed": run}
            chosen = found.choose(given, preset, **asked)
            found.check_resumable(chosen, before)
        else:
            with being_read(run / runs.RECORD):
                options = " ".join(_options_given(context))
                command = _resumed_by(str(record["command"]), options)
                asked["resumed"] = run if runs.is_trained(run) else None
                chosen = found.again(record, given, **asked, command=command)
                before = found.settings_before(record)
        chosen.make(FitConfig)  # complains before the long work
        for effect in found.effects(chosen, before):
            console.warn(in_words(effect))
        train_here(name, chosen, built(found, chosen), run, shown)


def _resumed_by(command: str, options: str) -> str:
    """How a run was started, with the options that it is gone on with."""
    return command if not options or command.endswith(options) else f"{command}; then {options}"


class Recipes(LazyGroup):
    """The recipes that are installed, a stranger's like our own: `dlcc train NAME`."""

    def list_commands(self, ctx: Any) -> list[str]:
        return names()

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in self.commands and cmd_name in names():
            self.commands[cmd_name] = command_of(_or_why_not(cmd_name), cmd_name)
        return self.commands.get(cmd_name)


def _or_why_not(name: str) -> Callable[..., None]:
    """The train command of a recipe; of one that cannot be loaded, a command that says so."""
    try:
        return train_command(name)
    except DlccError as error:
        broken = error

    def fail() -> None:
        raise broken

    fail.__doc__ = broken.why
    return fail


def preset_option(found: Recipe) -> Any:
    *some, last = found.presets
    said = f"{', '.join(some)} or {last}" if some else last
    return typer.Option(
        help=f"Where other settings come from: {said}.",
        metavar="NAME",
        autocompletion=lambda: list(found.presets),
    )


def command_line(context: typer.Context) -> str:
    """The command as it was given, without folders and what does not change the result."""
    return " ".join([f"dlcc {context.command_path.partition(' ')[2]}", *_options_given(context)])


def _options_given(context: typer.Context) -> Iterator[str]:
    options = {option.name: option for option in context.command.params}
    for name, value in context.params.items():
        if name in _SILENT or not is_given(context, name):
            continue
        flag = (options[name].secondary_opts if value is False else options[name].opts)[0]
        several = [*value] if options[name].multiple else [value]
        for shown in without_folder(name, several):
            if isinstance(shown, tuple):
                shown = ",".join(map(str, shown)) or "none"
            yield flag if isinstance(shown, bool) else f"{flag} {shown}"


def is_given(context: typer.Context, name: str) -> bool:
    """Whether an option or argument was given on the command line."""
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"
