"""What the viewer remembers between two starts: one small JSON file.

It is a convenience: a file that is missing is empty, a damaged one is begun anew, and one that
cannot be written is let go.
"""

import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from dlcc.core.errors import DataError
from dlcc.core.files.paths import read_bytes, remembered_file, write_atomically


def damage() -> str:
    """Why nothing is remembered although there is a file; empty where all is well."""
    with suppress(FileNotFoundError):
        try:
            _read()
        except DataError as error:
            return f"{error}: what was remembered is begun anew"
    return ""


def recall(name: str, kind: Callable[[], Any]) -> Any:
    """What is remembered by a name.

    Args:
        name: of the value.
        kind: the value's type, such as str or list; called, it gives what stands for no value.
    """
    try:
        value = _read().get(name)
    except (DataError, FileNotFoundError):
        return kind()
    return value if type(value) is kind else kind()


def remember(**values: Any) -> None:
    """Keep JSON values by name, beside those that are kept already."""
    try:
        kept = _read()
    except (DataError, FileNotFoundError):
        kept = {}
    if kept | values == kept:
        return
    text = json.dumps(kept | values, indent=2, ensure_ascii=False)
    with suppress(DataError):
        write_atomically(remembered_file(), lambda path: path.write_text(text, encoding="utf-8"))


def _read() -> dict[str, Any]:
    path = remembered_file()
    if not path.exists():
        raise FileNotFoundError(path)
    try:
        kept = json.loads(read_bytes(path))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path} is damaged ({type(error).__name__})") from error
    if not isinstance(kept, dict):
        raise DataError(f"{path} is damaged (no JSON object)")
    return kept
