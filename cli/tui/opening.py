"""From a path and the options of `dlcc view` to a state, and back to the command that shows it."""

import re
import shlex
from contextlib import suppress
from dataclasses import replace
from functools import cache
from pathlib import Path

from dlcc.cli.draw.labels import display
from dlcc.cli.options import command_of
from dlcc.cli.tui.frames import first_choice
from dlcc.cli.tui.state import (
    PICTURE,
    ROLLOUT,
    USUAL_PALETTE,
    VIEWS,
    Choice,
    Frame,
    ViewState,
)
from dlcc.cli.tui.widgets.ink import PALETTE_NAMES
from dlcc.core.errors import DataError, DlccError, UsageError
from dlcc.core.files.paths import asset
from dlcc.core.files.remembered import recall, remember
from dlcc.core.trace import maps
from dlcc.core.trace.scales import SCALES
from dlcc.core.trace.trace import load_traces
from dlcc.core.train.metrics import METRICS, read_metrics
from dlcc.core.train.runs import all_runs, is_run

_EPOCH = re.compile(r"(epoch|step)-(\d+)\.trace")
_COMBINED = "|".join((*maps.REDUCTIONS, ROLLOUT))
_MAP = re.compile(rf"0*([1-9]\d*)\.0*([1-9]\d*)\.(0*[1-9]\d*|{_COMBINED})")
_NEAR = 20  # traces of the current folder that are offered


def frames_of(path: Path) -> list[Frame]:
    """A frame of the file, or one an epoch or step of a folder; the first is read at once.

    Raises:
        DataError: nothing there, or nothing that can be shown.
    """
    frames = _epochs(path) if path.is_dir() else [Frame(path.name, path)]
    _ = frames[0].traces
    return frames


def _epochs(folder: Path) -> list[Frame]:
    files = [*folder.glob("traces/*"), *folder.glob("*.trace")]
    matches = ((_EPOCH.fullmatch(file.name), file) for file in files)
    found = [(match[1], int(match[2]), file) for match, file in matches if match]
    if not found:
        raise DataError(
            f"{folder} keeps no attention: it has no traces/epoch-NNN.trace or step-NNN.trace"
        )
    return [Frame(f"{unit} {number}", file) for unit, number, file in sorted(found)]


def demos() -> list[Path]:
    """The traces that were installed with the program."""
    try:
        return sorted(asset("demos").glob("*.trace"))
    except DataError:
        return []


@cache
def demo_of(kind: str) -> Path | None:
    """The first demo of a kind of trace."""
    for path in demos():
        with suppress(DlccError):
            if load_traces(path)[0].kind == kind:
                return path
    return None


def recent() -> list[Path]:
    """What was opened lately and is still there, the latest first."""
    paths = [Path(each) for each in recall("recent", list) if isinstance(each, str)]
    return [path for path in paths if path.exists()]


def remember_opened(path: Path) -> None:
    """Keep a trace or a run among what was opened lately; demos are offered anyway."""
    whole = path.absolute()
    if whole not in demos():
        others = [each for each in recall("recent", list) if each != str(whole)]
        remember(recent=[str(whole), *others][:_NEAR])


def near() -> list[Path]:
    """Traces in the current folder."""
    try:
        return sorted(Path().glob("*.trace"))[:_NEAR]
    except OSError:  # a folder that may not be read
        return []


def has_curves(path: Path) -> bool:
    """Whether it is a run of which an epoch has ended.

    Raises:
        DataError: its metrics are damaged.
    """
    return path.is_dir() and is_run(path) and bool(read_metrics(path))


def best_frame(path: Path) -> int:
    """Of a run the number of its best epoch's frame, from 1; else the first."""
    from dlcc.core.train.summary import summary_of  # nothing else here needs it

    best = summary_of(path).best_epoch if path.is_dir() and is_run(path) else None
    labels = [frame.label for frame in frames_of(path)] if best else []
    return labels.index(f"epoch {best}") + 1 if f"epoch {best}" in labels else 1


def runs_near() -> list[Path]:
    """Training runs of which an epoch has ended, the latest first."""
    try:
        found = [run for run in all_runs() if (run / METRICS).is_file()]
        return sorted(found, key=lambda run: (run / METRICS).stat().st_mtime, reverse=True)[:_NEAR]
    except OSError:
        return []


def state_of(
    path: Path, map_name: str, minus: str | None, epoch: int, scale: str, palette: str | None
) -> ViewState:
    """The state that the options of `dlcc view` ask for.

    Raises:
        DataError: the file or folder cannot be shown.
        UsageError: an option names something that is not there.
    """
    drawn = palette or USUAL_PALETTE
    named = {"--scale": (scale, SCALES), "--palette": (drawn, PALETTE_NAMES)}
    for option, (value, known) in named.items():
        if value not in known:
            raise UsageError(f"{option} {value}: choose one of {', '.join(known)}")
    frames = frames_of(path)
    if epoch > len(frames):
        raise UsageError(f"--epoch {epoch}: {path} holds {len(frames)}")
    state = ViewState(frames, epoch - 1, path=path, scale=scale, palette=drawn)
    state.palette_asked = palette is not None
    state.choice = _choice(state, "--map", map_name)
    if minus is not None:
        state.minus = _choice(state, "--minus", minus)
        if state.minus not in state.comparable():
            raise UsageError(f"--minus {minus}: no other map of the same shape as {map_name}")
    return state


def choose_view(state: ViewState, as_what: str | None, word: str | None) -> None:
    """As what a state is drawn, and whose row is looked at.

    Args:
        state: is changed.
        as_what: map, text or picture; None leaves it as it is.
        word: a row's label, or its number from 1; the first where there are several.

    Raises:
        UsageError: another name, no picture, or no such row.
    """
    if as_what not in (None, *VIEWS):
        raise UsageError(f"--as {as_what}: choose one of {', '.join(VIEWS)}")
    if as_what == PICTURE and state.trace.image is None:
        raise UsageError("--as picture: this trace has none")
    state.view = as_what or state.view
    if word is None:
        return
    rows = [label.casefold().lstrip("▁Ġ") for label in state.shown.row_labels]
    if word.casefold() in rows:
        state.row = rows.index(word.casefold())
    elif word.isdecimal() and 0 < int(word) <= len(rows):
        state.row = int(word) - 1
    else:
        raise UsageError(f"--word {word}: no row is called so; the rows are {', '.join(rows[:30])}")


def _choice(state: ViewState, option: str, text: str) -> Choice:
    match = _MAP.fullmatch(text)
    if match is None:
        raise UsageError(f"{option} {text}: write trace.layer.head, as in 1.2.3 or 1.2.mean")
    head = int(match[3]) - 1 if match[3].isdecimal() else match[3]
    choice = Choice(int(match[1]) - 1, int(match[2]) - 1, head)
    if state.nearest(choice) != choice:
        if head == ROLLOUT:
            raise UsageError(f"{option} {text}: rollout needs several layers of self-attention")
        sizes = ", ".join(
            f"trace {n} has {trace.num_layers} layers of {trace.num_heads} heads"
            for n, trace in enumerate(state.traces, 1)
        )
        raise UsageError(f"{option} {text}: no such map; {sizes}")
    return choice


def reproducing(state: ViewState) -> str:
    """The `dlcc` command, or two, that show what `state` shows."""
    if state.path is not None and not state.made:
        return " ".join(["dlcc view", shlex.quote(str(state.path)), *_view_options(state)])
    choice, minus = state.choice, state.minus
    made = command_of(state.trace.made_by)
    one_trace = minus is None or minus.trace == choice.trace
    if made is None or state.by_hand or not one_trace:
        return f"{' '.join(['dlcc view SAVED.trace', *_view_options(state)])}\n(S saves the traces)"
    alone = replace(  # the command makes one trace: the first of its file
        state,
        choice=replace(choice, trace=0),
        minus=None if minus is None else replace(minus, trace=0),
    )
    view = " ".join(["dlcc view view.trace", *_view_options(alone)])
    return f"{display(made)} --save view.trace && {view}"


def _view_options(state: ViewState) -> list[str]:
    """The options of `dlcc view` that differ from its own choice."""
    differing: list[tuple[bool, list[str]]] = [
        (state.choice != first_choice(state.traces[0]), ["--map", _named(state.choice)]),
        (state.frame > 0, ["--epoch", str(state.frame + 1)]),
        (state.minus is not None, ["--minus", _named(state.minus or Choice())]),
        (state.words != state.has_pieces, ["--words" if state.words else "--tokens"]),
        (state.hide_special, ["--hide-special"]),
        (state.scale != "shared", ["--scale", state.scale]),
        (state.palette != USUAL_PALETTE, ["--palette", state.palette]),
        (state.view not in ("", state.views[0]), ["--as", state.view]),
    ]
    return [word for differs, option in differing if differs for word in option]


def _named(choice: Choice) -> str:
    """TRACE.LAYER.HEAD, counted from 1, the head possibly mean, sum, max or rollout."""
    head = choice.head + 1 if isinstance(choice.head, int) else choice.head
    return f"{choice.trace + 1}.{choice.layer + 1}.{head}"
