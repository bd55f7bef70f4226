"""Numbers, names and unknown words, which are copied and not translated.

In the source each is replaced by a placeholder, a character of Unicode's private use area; the
model writes the placeholder where its word belongs, and the word is put back. The model learns it
from pairs in which the same word stands on both sides ("positional unknown words", Luong et al.
2015). A name that differs in the target (London, Londres) is translated as any other word.
"""

import json
import random
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from tokenizers import Tokenizer

MARKS = "\ue000\ue001\ue002\ue003\ue004\ue005"
"""The placeholders; a sentence has at most so many copied words."""
_SPAN = re.compile(
    r"(?:\w+://|\bwww\.)\S*[\w/]"  # an address
    r"|(?:[\U0001f000-\U0001faff\u2600-\u27bf][\ufe0f\u200d]*)+"  # emoji
    r"|(?:\b(?:[A-HJ-Z]|Mrs?|Ms|Dr)\. ?){1,5}(?=[A-ZÀ-Þ][a-zà-ÿ])\w+"  # initials or a title, a name
    r"|(?:(?<!\S)[-+](?=\d)|[$€£](?=\d)|(?<!\S)[@#])?"
    r"\w+(?:(?:[-.,@_&+]|/+|:(?=\d)|'(?=[A-ZÀ-Þ][a-zà-ÿ]))\w+)*(?:(?<=\d) ?°[CF]?(?!\w))?"
)
_NUMBER = re.compile(r"[-+$€£]?\d+(?:[.,:/-]\d+)*(?: ?°[CF]?)?(?=(?:st|nd|rd|th|s|am|pm)?$|-[a-z])")
_ODD = re.compile(r"[\d@#]|://|^www\.|^[^\w]+$")
_WORD = re.compile(r"\w+")
_NAMES = 50  # a name that occurs oftener is learned as a word
_SAME = 0.8  # share of the pairs with a name in which the target has the same
_FREQUENT = 0.3  # share of frequent names replaced in training, so that there are examples
# A word of a known stem is spelled in subwords: their endings are translated.
_ENDINGS = ("s", "es", "d", "ed", "ing", "ly", "est", "ness", "less", "ful", "y")
_Place = tuple[int, int]


def with_marks(tokenizer: Tokenizer, space: str) -> Tokenizer:
    """`tokenizer` with two tokens for each placeholder, with a space before it and without."""
    state = json.loads(tokenizer.to_str())
    vocabulary = state["model"]["vocab"]
    for mark in MARKS:
        for piece in (*([space] if "merges" in state["model"] else []), mark, space + mark):
            vocabulary.setdefault(piece, len(vocabulary))
        if "merges" in state["model"]:
            state["model"]["merges"].append([space, mark])
    return Tokenizer.from_str(json.dumps(state))


def copied_names(pairs: Iterable[tuple[str, str]]) -> frozenset[str]:
    """Rare words in capitals that mostly stand the same in the target."""
    seen: Counter[str] = Counter()
    same: Counter[str] = Counter()
    for source, target in pairs:
        words = set(_WORD.findall(target))
        for word in set(_WORD.findall(source)):
            if word[0].isupper():
                seen[word] += 1
                same[word] += word in words
    return frozenset(w for w, n in seen.items() if n <= _NAMES and same[w] >= _SAME * n)


def places(text: str, is_strange: Callable[[str], bool]) -> list[_Place]:
    """Where the words of `text` stand that are copied, at most as many as there are placeholders.

    Args:
        text: cleaned.
        is_strange: whether a word without a digit is to be copied.
    """
    found: list[_Place] = []
    for match in _SPAN.finditer(text):
        span, at = match.group(), match.start()
        number = _NUMBER.match(span)
        words = [(m.group(), m.start()) for m in _WORD.finditer(span)]
        whole = span[0].isupper() or re.search(r"[._/&+]", span)
        if number:
            found.append((at, at + number.end()))
        elif _ODD.search(span) or (whole and any(is_strange(word) for word, _ in words)):
            found.append((at, match.end()))
        else:
            found += [(at + a, at + a + len(word)) for word, a in words if is_strange(word)]
    return _joined(text, found)[: len(MARKS)]


def _joined(text: str, spans: Iterable[_Place]) -> list[_Place]:
    """`spans` of `text`, in which a name is one with the names and numbers behind it: of Zhang Wei
    or Windows 11 a model would have to know which words go together."""
    found: list[_Place] = []
    for start, end in spans:
        before, last = found[-1] if found else (0, 0)
        behind = text[last:start] == " " and (text[start].isupper() or text[start].isdigit())
        if found and behind and any(map(str.isupper, text[before:last])):
            found[-1] = (before, end)
        else:
            found.append((start, end))
    return found


def is_strange(word: str, known: frozenset[str], names: frozenset[str]) -> bool:
    """Whether a word of a source is copied: a rare name, a word with a capital inside, or an
    unknown one of no known stem."""
    lower = word.lower()
    if word[1:] != lower[1:] and not word.isupper():
        return True
    if lower in known:
        return word in names
    stems = [
        lower.removesuffix(e) for e in _ENDINGS if lower.endswith(e) and len(lower) > len(e) + 2
    ]
    stems += [stem[:-1] for stem in stems if stem[-2] == stem[-1]]  # stopped, stop
    return not any(stem in known for stem in stems)


def marked(text: str, spans: Sequence[_Place]) -> tuple[str, tuple[str, ...]]:
    """`text` with placeholders, and what they stand for."""
    words = tuple(text[start:end] for start, end in spans)
    for mark, (start, end) in reversed([*zip(MARKS, spans, strict=False)]):
        text = text[:start] + mark + text[end:]
    return text, words


def unmarked(text: str, copies: Sequence[str]) -> str:
    """`text` with the words that its placeholders stand for."""
    return text.translate({ord(m): word for m, word in zip(MARKS, copies, strict=False)})


def marked_pair(
    source: str, target: str, names: frozenset[str], frequent: frozenset[str], draw: random.Random
) -> tuple[str, str]:
    """A pair to train on, with drawn placeholders for the words that both sides have once."""

    def wanted(word: str) -> bool:
        return word in names or (word in frequent and draw.random() < _FREQUENT)

    marks = draw.sample(MARKS, len(MARKS))
    for start, end in reversed(places(source, wanted)):
        word = source[start:end]
        same = [*re.finditer(rf"(?<![\w-]){re.escape(word)}(?!\w)", target)]
        if len(same) == 1 and len(re.findall(rf"(?<!\w){re.escape(word)}(?!\w)", source)) == 1:
            mark = marks.pop()
            source = source[:start] + mark + source[end:]
            target = target[: same[0].start()] + mark + target[same[0].end() :]
    return source, target


def can_be_learned(pairs: Iterable[tuple[str, str]], names: frozenset[str]) -> bool:
    """Whether any pair has a number or a name to copy."""
    draw = random.Random(0)
    return any(marked_pair(*pair, names, frozenset(), draw) != pair for pair in pairs)
