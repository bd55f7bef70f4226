"""Scales: from weights to places on a colour bar, and which weight stands at a place of it.

Shapes: Q queries, K keys. A place runs from 0, nothing, to 1, the bar's end; where values have
signs, from -1 through 0 to 1.
"""

from dataclasses import dataclass, field

import numpy as np

SCALES = ("shared", "own", "row", "log", "rank")
"""shared: linear, one end for all maps that are compared; own: to the map's largest magnitude; row:
to that of each row; log: the last three decades of `shared`; rank: by the order of magnitudes."""
_DECADES = 3
_STEP = 0.25  # between ticks


@dataclass(frozen=True, eq=False)
class Scale:
    """One way to place weights; `scale_of` fits it to a map."""

    name: str
    top: float
    """The magnitude at the bar's end; 1 where it is another in each row."""
    signed: bool = False
    ends: tuple[float, float] = (0.0, 0.0)
    """Of `row`: the smallest and the greatest end of a row."""
    ranked: np.ndarray = field(default_factory=lambda: np.zeros(0))
    """Of `rank`: all magnitudes above 0 in rising order."""

    def places(self, values: np.ndarray) -> np.ndarray:
        """Where values [..., K] stand, same shape; what lies beyond the end is put there."""
        sizes = np.abs(values)
        if self.name == "rank":
            sides = (np.searchsorted(self.ranked, sizes, side=s) for s in ("left", "right"))
            places = (sum(sides) + 1) / 2 / max(len(self.ranked), 1)  # equals share their mean
            return np.where(sizes > 0, np.sign(values) * np.minimum(places, 1), 0)
        if self.name == "log":
            with np.errstate(divide="ignore"):
                places = 1 + np.log10(sizes / (self.top or 1)) / _DECADES
            return np.sign(values) * places.clip(0, 1)
        top = sizes.max(-1, keepdims=True) if self.name == "row" else self.top
        return np.clip(values / np.where(top > 0, top, 1), -1, 1)

    def value(self, place: float) -> float:
        """The weight that stands at a place: with `row` as a share of the row's largest."""
        size = abs(place)
        if self.name == "rank":
            number = round(size * len(self.ranked)) - 1
            found = float(self.ranked[number]) if number >= 0 else 0.0
        elif self.name == "log":
            found = self.top * 10 ** (_DECADES * (size - 1))
        else:
            found = self.top * size
        return float(np.copysign(found, place)) if found else 0.0

    def ticks(self) -> list[tuple[float, float]]:
        """(place, weight) from the low end of the bar to the high one, evenly apart."""
        step = 1 / _DECADES if self.name == "log" else _STEP
        count = round(1 / step)
        return [(n * step, self.value(n * step)) for n in range(-count * self.signed, count + 1)]

    @property
    def meaning(self) -> str:
        """In a few words what the bar's end is."""
        low, high = self.ends
        rows = f"{low:.2g}" if low == high else f"{low:.2g} to {high:.2g}"
        return {
            "shared": "one scale for all maps",
            "own": "this map's own scale",
            "row": f"× each row's largest ({rows})",
            "log": "logarithmic, one scale for all maps",
            "rank": "by rank in this map",
        }[self.name]


def scale_of(
    name: str, values: np.ndarray, shared: float = 0.0, signed: bool | None = None
) -> Scale:
    """The scale called `name` for one map.

    Args:
        values: [Q, K], finite.
        shared: the largest magnitude of all maps that are compared with it; the map's own counts
            as well.
        signed: whether the bar has a negative half; None: where the map has negatives.
    """
    sizes = np.abs(values)
    signed = bool(values.min(initial=0) < 0) if signed is None else signed
    if name == "row":
        tops = sizes.max(-1)
        return Scale(name, 1.0, signed, (float(tops.min()), float(tops.max())))
    top = float(sizes.max(initial=0))
    if name == "rank":
        return Scale(name, top, signed, ranked=np.sort(sizes[sizes > 0]))
    return Scale(name, top if name == "own" else max(top, shared), signed)
