"""What people type, as a model knows it: one apostrophe, nothing invisible, no stray markup."""

import html
import re
import unicodedata

_APOSTROPHES = dict.fromkeys(map(ord, "’‘‛`´′ʼʹˈ＇"), "'")
_QUOTES = dict.fromkeys(map(ord, "“”„‟"), '"')
_WIDE = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)} | {0x3000: " "}
_LIGATURES = {code: unicodedata.normalize("NFKC", chr(code)) for code in range(0xFB00, 0xFB07)}
_ONE_FOR_ONE = {**_WIDE, **_APOSTROPHES}
_LETTERS = {**_ONE_FOR_ONE, **_LIGATURES}
# Soft hyphens, marks of direction and of byte order; joiners too, but for those between emoji.
_INVISIBLE = re.compile(
    "[\u00ad\u200b\u2060\ufeff\u200e\u200f\u202a-\u202e\u2066-\u2069\u180e]"
    r"|(?<=\w)[\u200c\u200d]|[\u200c\u200d](?=\w)"
)
_TAG = re.compile(r"</?[A-Za-z!][^<>]*>")
_ENTITY = re.compile(r"&(?:#\d{1,7}|#x[0-9a-fA-F]{1,6}|[A-Za-z]{2,8});")


def typed_letters(text: str) -> str:
    """`text` with letters and signs that mean the same written in one way, and none invisible."""
    return _INVISIBLE.sub("", text.translate(_LETTERS))


def places_of(text: str) -> list[int]:
    """Where in `text` each character of `typed_letters(text)` stands."""
    hidden = {match.start() for match in _INVISIBLE.finditer(text.translate(_ONE_FOR_ONE))}
    seen = (place for place in range(len(text)) if place not in hidden)
    return [place for place in seen for _ in text[place].translate(_LETTERS)]


def typed(text: str) -> str:
    """As `typed_letters`, in straight quotes and without HTML's tags and entities."""
    plain = _ENTITY.sub(lambda match: html.unescape(match.group()), _TAG.sub(" ", text))
    letters = typed_letters(unicodedata.normalize("NFC", plain))
    return " ".join(letters.translate(_QUOTES).split())
