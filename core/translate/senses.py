"""Words whose translation the context decides, and how often a translator decides as a person did.

The sense of such a word is read off a Spanish sentence by the words that only one rendering has. A
sentence counts if it has the English word once and its first reference shows one sense alone. What
is measured is agreement with that reference: another rendering may be right too.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from dlcc.core.translate.data import Pair

_Z = 1.96  # of a 95 % interval
# word and its forms: sense: what shows it (regular expressions of whole words)
_SENSES: Mapping[str, Mapping[str, str]] = {
    "know|knows|knew|known|knowing": {
        "saber": r"sé|sab\w+|sup[eioa]\w*",
        "conocer": r"conoc\w+|conozc\w+",
    },
    "be|am|is|are|was|were|been|'m|'re": {
        "ser": r"soy|eres|es|somos|sois|son|era[ns]?|éramos|sido|ser|será\w*|sería\w*|sea[ns]?",
        "estar": r"estoy|estás?|están|estamos|estáis|estaba\w*|estábamos|estuv\w+|estado|estar\w*",
    },
    "time|times": {"vez": "vez|veces", "tiempo": "tiempo", "hora": "horas?"},
    "ask|asks|asked|asking": {"preguntar": r"pregunt\w+", "pedir": r"pid\w+|ped\w+"},
    "leave|leaves|left|leaving": {
        "salir": r"sal\w+|ir\w*|va[sn]?|vay\w+|fue\w*|fui\w*|march\w+|part\w+",
        "dejar": r"dej\w+",
        "izquierda": r"izquierd\w+",
        "quedar": r"qued\w+",
    },
    "miss|misses|missed|missing": {
        "echar de menos": r"extrañ\w+|menos|añor\w+",
        "perder": r"p[ei]+rd\w+",
        "faltar": r"falt\w+|desapare\w+",
    },
    "play|plays|played|playing": {"jugar": r"jueg\w+|jug\w+", "tocar": r"to[cq]\w+"},
    "right": {
        "razón": r"raz[oó]n\w*|correct\w+|ciert\w+|bien",
        "derecho": r"derech\w+",
        "ahora": "ahora|ya|enseguida|inmediatamente",
    },
    "light|lights": {"luz": "luz|luces", "ligero": r"liger\w+", "claro": r"clar\w+"},
    "bank|banks": {"banco": "bancos?", "orilla": "orillas?|ribera"},
    "for": {"para": "para", "por": "por", "durante": "durante|desde|hace|hacía"},
    "look|looks|looked|looking": {
        "parecer": r"pare[cz]\w+",
        "mirar": r"mir\w+",
        "buscar": r"bus[cq]\w+",
        "ver": "ves?|ven|ver|se ve",
    },
    "old|older|oldest": {"edad": "años|edad", "viejo": r"viej\w+|antigu\w+", "mayor": r"mayor\w*"},
    "how": {"cómo": "cómo", "cuánto": r"cuánt\w+", "qué": "qué"},
    "try|tries|tried|trying": {"intentar": r"intent\w+|trat\w+", "probar": r"pr[ou]e?b\w+"},
    "save|saves|saved|saving": {
        "salvar": r"salv\w+",
        "ahorrar": r"ahorr\w+",
        "guardar": r"guard\w+",
    },
    "turn|turns|turned|turning": {
        "encender": r"enc[ei]+nd\w+|prend\w+|pus\w+",
        "apagar": r"apag\w+",
        "girar": r"gir\w+|dobl\w+|volv\w+|v[ou]+elt\w+",
    },
    "meet|meets|met|meeting": {
        "conocer": r"conoc\w+|conozc\w+",
        "encontrar": r"enc[ou]e?ntr\w+|reun\w+",
        "ver": "ver|veo|vemos|vi|vimos",
    },
    "work|works|worked|working": {"trabajar": r"trabaj\w+", "funcionar": r"funcion\w+"},
    "like|likes|liked": {"gustar": r"gust\w+|encant\w+", "como": "como"},
    "hard": {"difícil": r"dif[ií]cil\w*", "duro": r"dur\w+", "mucho": r"much\w+|fuerte\w*"},
    "free": {"libre": r"libre\w*", "gratis": r"gratis|gratuit\w+"},
    "cold|colds": {"frío": r"fr[ií]\w+", "resfriado": r"resfri\w+|catarro|constipad\w+"},
    "glass|glasses": {"vaso": "vasos?|copas?", "gafas": r"gafas|lentes|anteojos", "vidrio":
        r"vidrios?|cristal\w*"},
    "back": {"espalda": "espaldas?", "volver": r"v[ou]+e?l[vt]\w+|regres\w+|devolv\w+|devuelv\w+"},
    "last": {"último": r"últim\w+", "pasado": r"pasad\w+|anoche", "durar": r"dur\w+"},
    "mean|means|meant": {"significar": r"signific\w+|decir", "malo": r"mal\w+|cruel\w*|mezquin\w+"},
    "short": {"bajo": r"baj[oa]s?", "corto": r"cort[oa]s?|breve\w*"},
    "watch|watches|watched|watching": {"reloj": r"reloj\w*", "mirar": r"mir\w+|ve\w*|observ\w+"},
    "kind|kinds": {"tipo": "tipos?|clases?|especies?", "amable": r"amab\w+|bondados\w+|gentil"},
    "spend|spends|spent|spending": {"gastar": r"gast\w+", "pasar": r"pas\w+"},
    "take|takes|took|taken|taking": {
        "tomar": r"tom\w+",
        "llevar": r"llev\w+",
        "tardar": r"tard\w+|demor\w+",
        "sacar": r"sa[cq]\w+",
    },
}  # fmt: skip


@dataclass(frozen=True)
class SenseScore:
    """How a word was rendered where a reference shows which sense it has."""

    word: str
    total: int
    """Sentences that count."""
    right: int
    """Translations that show the reference's sense."""
    wrong: int
    """Those that show another and not that one; the rest show none that is listed."""
    commonest: int
    """Right ones if the commonest sense of these references were always taken."""

    @property
    def interval(self) -> tuple[float, float]:
        """95 % confidence interval of the share that is right (Wilson 1927)."""
        return wilson(self.right, self.total)


def wilson(right: int, total: int) -> tuple[float, float]:
    """The 95 % confidence interval of a share, which stays within 0 and 1."""
    if not total:
        return 0.0, 1.0
    share, weight = right / total, _Z**2 / total
    middle = (share + weight / 2) / (1 + weight)
    half = _Z / (1 + weight) * (share * (1 - share) / total + weight / (4 * total)) ** 0.5
    return max(0.0, middle - half), min(1.0, middle + half)


def senses_in(senses: Mapping[str, str], text: str) -> set[str]:
    """Which of a word's senses a Spanish sentence shows."""
    return {name for name, shown in senses.items() if _has(shown, text)}


def sense_scores(pairs: Sequence[Pair], hypotheses: Sequence[str]) -> list[SenseScore]:
    """The agreement on each word that occurs, most frequent first, and on all of them at last."""
    scores = []
    for forms, senses in _SENSES.items():
        right = wrong = 0
        meant: Counter[str] = Counter()
        for pair, text in zip(pairs, hypotheses, strict=True):
            if len(re.findall(rf"(?<!\w)(?:{forms})(?!\w)", pair.source, re.IGNORECASE)) != 1:
                continue
            wanted = senses_in(senses, pair.targets[0])
            if len(wanted) == 1:
                found = senses_in(senses, text)
                meant.update(wanted)
                right += wanted <= found
                wrong += bool(found) and not wanted <= found
        if meant:
            best = max(meant.values())
            scores.append(SenseScore(forms.split("|")[0], meant.total(), right, wrong, best))
    scores.sort(key=lambda score: -score.total)
    sums = (sum(getattr(s, n) for s in scores) for n in ("total", "right", "wrong", "commonest"))
    return [*scores, SenseScore("all", *sums)] if scores else []


def senses_as_json(scores: Sequence[SenseScore]) -> list[dict[str, Any]]:
    """JSON values of sense scores."""
    return [{**asdict(each), "interval": list(each.interval)} for each in scores]


def _has(words: str, text: str) -> bool:
    return re.search(rf"(?<!\w)(?:{words})(?!\w)", text, re.IGNORECASE) is not None
