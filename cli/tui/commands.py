"""The command line that brings a view back."""

import shlex

from dlcc.cli.tui.labels import display
from dlcc.cli.tui.state import Choice, ViewState


def reproducing(state: ViewState) -> str:
    """The `dlcc` command, or two, that show what `state` shows."""
    if state.path is not None:
        return " ".join(["dlcc view", shlex.quote(str(state.path)), *view_options(state)])
    made = state.trace.made_by.get("command")
    options = " ".join(view_options(state))
    if not isinstance(made, str):
        return f"dlcc view SAVED.trace {options}\n(S saves the trace: it does not say what made it)"
    return f"{display(made)} --save view.trace && dlcc view view.trace {options}".rstrip()


def view_options(state: ViewState) -> list[str]:
    """The options of `dlcc view` that differ from its own choice."""
    options = _choice_options(state.choice)
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
        options += ["--palette", shlex.quote(state.palette)]
    return options


def choice_text(choice: Choice) -> str:
    """TRACE.LAYER.HEAD, counted from 1, the head possibly mean, sum, max or rollout."""
    head = choice.head + 1 if isinstance(choice.head, int) else choice.head
    return f"{choice.trace + 1}.{choice.layer + 1}.{head}"


def _choice_options(choice: Choice) -> list[str]:
    return [] if choice == Choice() else ["--map", choice_text(choice)]
