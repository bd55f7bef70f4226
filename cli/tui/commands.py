"""The command line that brings a view back."""

import shlex
from dataclasses import replace

from dlcc.cli.draw.labels import display
from dlcc.cli.options import command_of
from dlcc.cli.tui.state import Choice, ViewState


def reproducing(state: ViewState) -> str:
    """The `dlcc` command, or two, that show what `state` shows."""
    if state.path is not None:
        return " ".join(["dlcc view", shlex.quote(str(state.path)), *view_options(state)])
    choice, minus = state.choice, state.minus
    made = command_of(state.trace.made_by)
    one_trace = minus is None or minus.trace == choice.trace
    if made is None or state.by_hand or not one_trace:
        return f"{' '.join(['dlcc view SAVED.trace', *view_options(state)])}\n(S saves the traces)"
    alone = replace(  # the command makes one trace: the first of its file
        state,
        choice=replace(choice, trace=0),
        minus=None if minus is None else replace(minus, trace=0),
    )
    view = " ".join(["dlcc view view.trace", *view_options(alone)])
    return f"{display(made)} --save view.trace && {view}"


def view_options(state: ViewState) -> list[str]:
    """The options of `dlcc view` that differ from its own choice."""
    options = [] if state.choice == Choice() else ["--map", choice_text(state.choice)]
    if state.frame:
        options += ["--epoch", str(state.frame + 1)]
    if state.minus is not None:
        options += ["--minus", choice_text(state.minus)]
    if state.words:
        options.append("--words")
    if state.hide_special:
        options.append("--hide-special")
    if state.scale != "map":
        options += ["--scale", state.scale]
    if state.palette != "viridis":
        options += ["--palette", state.palette]
    return options


def choice_text(choice: Choice) -> str:
    """TRACE.LAYER.HEAD, counted from 1, the head possibly mean, sum, max or rollout."""
    head = choice.head + 1 if isinstance(choice.head, int) else choice.head
    return f"{choice.trace + 1}.{choice.layer + 1}.{head}"
