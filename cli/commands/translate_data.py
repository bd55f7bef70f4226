"""Where sentence pairs come from when no --data is given."""

import re
from pathlib import Path

_URL = "https://www.manythings.org/anki/{name}"


def find_data(path: Path | None, source_lang: str, target_lang: str) -> Path:
    """`path`, or the ManyThings archive of two languages, fetched into the cache once.

    Raises:
        UsageError: a language that is no code of three letters.
        DataError: the archive cannot be fetched.
    """
    from dlcc.cli.progress import transferring
    from dlcc.core.errors import UsageError
    from dlcc.core.files.download import fetch_zip
    from dlcc.core.files.paths import cache_dir

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
    with transferring(f"downloading {name}") as progress:
        return fetch_zip(_URL.format(name=name), cache_dir() / name, progress)
