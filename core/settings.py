"""Settings say their bounds, their name and their help once, where they stand in a dataclass."""

import ast
import inspect
import math
import textwrap
from collections.abc import Callable, Iterable
from dataclasses import Field, field, fields
from typing import Any, NamedTuple

from dlcc.core.errors import UsageError


class Bound(NamedTuple):
    """What a value has to be."""

    says: str
    holds: Callable[[Any], bool]
    names: tuple[str, ...] = ()
    """All values there are, where they have names."""

    def ask(self, value: Any, name: str) -> None:
        """Raise UsageError where a setting of that name cannot have this value."""
        if not self.holds(value):
            raise UsageError(self.says, name, value)


def at_least(least: float) -> Bound:
    return Bound(f"at least {least}", lambda value: least <= value < math.inf)


def one_of(names: Iterable[str]) -> Bound:
    known = tuple(names)
    return Bound(f"choose one of {', '.join(known)}", lambda value: value in known, known)


POSITIVE = Bound("above 0", lambda value: 0 < value < math.inf)
SHARE = Bound("a share from 0 to 1", lambda value: 0 <= value <= 1)
PROPER_SHARE = Bound("a share from 0 to less than 1", lambda value: 0 <= value < 1)
PART = Bound("a share between 0 and 1", lambda value: 0 < value < 1)


def setting(default: Any, bound: Bound | None = None, name: str = "") -> Any:
    """A field that people set: it becomes an option of the commands that take its dataclass.

    Args:
        default: its value where nothing is set.
        bound: what `Settings` asks of it; None is always let through.
        name: what people call it, where that is not the field's name.
    """
    return field(default=default, metadata={"setting": True, "bound": bound, "name": name})


def given(bound: Bound) -> Any:
    """A field that the data give, and what `Settings` asks of it."""
    return field(metadata={"bound": bound})


class Settings:
    """A dataclass's base: as it is made, its fields are asked for what they say of themselves.

    Raises:
        UsageError: a value that is out of its bound.
    """

    def __post_init__(self) -> None:
        for each in fields(self):  # type: ignore[arg-type]  # who inherits is a dataclass
            bound, value = each.metadata.get("bound"), getattr(self, each.name)
            if bound is not None and value is not None:
                bound.ask(value, name_of(each))


def settings_of(config: type) -> list[Field[Any]]:
    """The fields of a dataclass that people set."""
    return [each for each in fields(config) if each.metadata.get("setting")]


def name_of(each: Field[Any]) -> str:
    """What people call a setting."""
    return each.metadata.get("name") or each.name


def help_of(config: type) -> dict[str, str]:
    """The docstring under each field of a dataclass, in one line."""
    texts: dict[str, str] = {}
    for each in reversed(config.__mro__[:-1]):
        (body,) = ast.parse(textwrap.dedent(inspect.getsource(each))).body
        assert isinstance(body, ast.ClassDef)
        texts |= _docstrings(body.body)
    return texts


def _docstrings(body: list[ast.stmt]) -> dict[str, str]:
    texts, name = {}, ""
    for statement in body:
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            name = statement.target.id
        elif isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant) and name:
            texts[name] = " ".join(str(statement.value.value).split())
            name = ""
    return texts
