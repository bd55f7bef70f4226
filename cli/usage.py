"""What was typed wrong, in the program's own words: Typer's errors are written for programmers."""

from typing import Any

from dlcc.core.errors import setting_with

_RENAMED = {"--frozen": "--freeze-embeddings"}
"""Options of earlier versions, and what does their work."""
_WANTED = {
    "int_parsing": "give a whole number",
    "int_from_float": "give a whole number",
    "float_parsing": "give a number",
    "greater_than_equal": "at least {ge}",
    "less_than_equal": "at most {le}",
}
"""By the kind of a wrong value what to give."""


def in_words(error: Any) -> str:
    """One line that says what is wrong with the command line, and what to look at.

    Args:
        error: a `ClickException` of Typer's.
    """
    context = getattr(error, "ctx", None)
    where = f" (see {context.command_path.strip()} -h)" if context else ""
    return _what(error) + where


def _what(error: Any) -> str:
    kind, parameter = type(error).__name__, getattr(error, "param", None)
    if kind == "MissingParameter" and parameter is not None:
        return f"give {parameter.metavar or parameter.opts[0]}"
    if kind == "BadParameter" and parameter is not None:
        return _wrong_value(error, _called(parameter))
    if kind == "NoSuchOption":
        meant = _RENAMED.get(error.option_name) or " or ".join(error.possibilities or ())
        return f"no option {error.option_name}" + (f": did you mean {meant}?" if meant else "")
    if kind == "BadOptionUsage" and "requires" in error.message:
        return f"{error.option_name}: give a value"
    said = str(error.format_message()).rstrip(".").replace("'", "")
    said = said.replace("No such command ", "no command ").replace(". Did you", ": did you")
    return said.replace("Got unexpected extra argument(s) ", "too many arguments: ")


def _called(parameter: Any) -> str:
    """What people call an option or argument."""
    if parameter.param_type_name == "argument":
        return str(parameter.metavar or parameter.name)
    return str(max(parameter.opts, key=len))


def _wrong_value(error: Any, name: str) -> str:
    cause = error.__cause__
    found = cause.errors()[0] if hasattr(cause, "errors") else {}
    wanted = _WANTED.get(found.get("type", ""))
    if wanted is None:
        return f"{name}: {error.message}"
    value = setting_with(name, found["input"])
    return f"{value}: {wanted.format(**found.get('ctx', {}))}"
