"""Where sentence pairs come from when no --data is given."""

import re
from pathlib import Path

from dlcc.cli.options import settings

_URL = "https://www.manythings.org/anki/{name}"


def find_data(path: Path | None, source_lang: str, target_lang: str) -> Path:
    """`path`, or the ManyThings archive of two languages, fetched into the cache once.

    Raises:
        UsageError: a language that is no code of three letters.
        DataError: the archive cannot be fetched.
    """
    from dlcc.core.download import fetch_zip
    from dlcc.core.errors import UsageError
    from dlcc.core.paths import cache_dir

    if path is not None:
        return path
    languages = source_lang, target_lang
    if "eng" not in languages or not all(re.fullmatch("[a-z]{3}", code) for code in languages):
        raise UsageError(
            f"--source-lang {source_lang} --target-lang {target_lang}: ManyThings has eng with "
            "another language, by codes such as spa, fra, deu; for others give --data PATH"
        )
    other = target_lang if source_lang == "eng" else source_lang
    name = f"{other}-eng.zip"
    target = cache_dir() / name
    if settings.quiet or target.exists():
        return fetch_zip(_URL.format(name=name), target)
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

    from dlcc.cli.screen import stderr

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), DownloadColumn())
    with Progress(*columns, console=stderr(), transient=True) as bar:
        task = bar.add_task(f"fetching {name}", total=None)
        return fetch_zip(
            _URL.format(name=name),
            target,
            lambda done, total: bar.update(task, completed=done, total=total),
        )
