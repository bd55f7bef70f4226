"""What the viewer shows, apart from any screen: which map, changed how, and where the cursor is."""

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from dlcc.cli.draw.labels import display
from dlcc.cli.draw.pictures import FULL_COLOR, LIT, PLAIN
from dlcc.cli.tui.frames import Choice, Frame, ShownMap, first_choice
from dlcc.cli.tui.offers import Offers
from dlcc.core.sources import Source
from dlcc.core.trace import maps
from dlcc.core.trace.scales import Scale, scale_of
from dlcc.core.trace.trace import AttentionTrace

ROLLOUT = "rollout"
_MOST_ON_A_MAP = 12  # tokens; more are read better as a text
HIGHLIGHTS = ("row", "column", "cross", "cell")
VIEWS = MAP, TEXT, PICTURE = ("map", "text", "picture")
GLYPHS = "glyphs"  # no colour; stands beside the names of the palettes
USUAL_PALETTE = "viridis"


@dataclass
class ViewState(Offers):
    """Everything a screen needs to draw, and what the keys change."""

    frames: list[Frame]
    frame: int = 0
    choice: Choice = field(default_factory=Choice)
    minus: Choice | None = None
    """A map that is subtracted from the chosen one."""
    words: bool | None = None
    """Whether pieces are merged to words; left out, where there are any."""
    hide_special: bool = False
    scale: str = "shared"
    """One of SCALES."""
    palette: str = USUAL_PALETTE
    palette_asked: bool = False
    """Whether somebody named it; else the viewer takes the one that it was left with."""
    highlight: str = "row"
    row: int = 0
    column: int = 0
    rows: set[int] = field(default_factory=set)
    """Selected rows."""
    columns: set[int] = field(default_factory=set)
    path: Path | None = None
    """Where the traces came from, if they came from a file or a run folder."""
    system: str | None = None
    """The terminal's colours, by Rich's name; None for none."""
    view: str = ""
    """One of VIEWS: as what the map is shown; before it is drawn first it may be left open."""
    blend: str = LIT
    """How the picture and the attention are mixed."""
    follow: bool = False
    """In the picture: whether the patch under the cursor is the one that asks."""
    projector: bool = False
    """Whether the map has the whole screen."""
    searched: str = ""
    """The word searched for, in lower case."""
    source: Source | None = None
    """Where the traces come from, if not from the installed source of that name."""
    _cache: dict[tuple[object, ...], ShownMap] = field(default_factory=dict)
    _tops: dict[tuple[object, ...], float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.words is None:
            self.words = self.has_pieces
        if self.choice == Choice():
            self.choice = self.nearest(first_choice(self.trace))

    @property
    def has_pieces(self) -> bool:
        """Whether the traces have words of more than one token, or tokens with a tokeniser's
        marks."""
        return any(map(maps.has_pieces, self.traces))

    @property
    def num_merged(self) -> int:
        """The words of the map that stand for several tokens."""
        alone = self.shown.queries if self.trace.query == self.trace.key else ()
        groups = alone or (*self.shown.queries, *self.shown.keys)
        return sum(len(group) > 1 for group in groups)

    @property
    def traces(self) -> list[AttentionTrace]:
        return self.frames[self.frame].traces

    @property
    def trace(self) -> AttentionTrace:
        return self.traces[self.choice.trace]

    @property
    def by_hand(self) -> bool:
        """Whether the trace was made by hand, which no command does again."""
        return self.made and not self.frames[self.frame].told

    @property
    def made(self) -> bool:
        """Whether the trace was made in the viewer, from the one that `origin` is."""
        return self.choice.trace >= self.frames[self.frame].own

    @property
    def origin(self) -> AttentionTrace:
        """What the last traces were made from in the viewer."""
        return self.traces[self.frames[self.frame].origin]

    @property
    def explanations(self) -> dict[str, np.ndarray]:
        """What other methods than attention say of every key, [K] by the method's name."""
        prefix = "explanation."
        return {
            name.removeprefix(prefix): values
            for name, values in self.trace.tensors.items()
            if name.startswith(prefix)
        }

    @property
    def palette_seen(self) -> str:
        """The palette in use; without colours there is but one."""
        return GLYPHS if self.system is None else self.palette

    @property
    def views(self) -> tuple[str, ...]:
        """As what the map can be shown; the one that is taken by itself is the first."""
        if self.trace.image is not None:
            return PICTURE, MAP, TEXT
        long = max(len(self.trace.query), len(self.trace.key)) > _MOST_ON_A_MAP
        return (TEXT, MAP) if long else (MAP, TEXT)

    @property
    def uses_palette(self) -> bool:
        """Whether the palette makes a difference to what is seen."""
        own_colours = self.view == PICTURE and self.blend in (LIT, PLAIN)
        needs_palette = self.blend == LIT and self.system not in FULL_COLOR
        return self.system is not None and (not own_colours or needs_palette)

    @property
    def matches(self) -> list[tuple[str, int]]:
        """Where the word searched for stands: ("row" or "column", number); in a text that asks
        itself once."""
        sides = {"row": self.shown.row_labels, "column": self.shown.column_labels}
        if self.view == TEXT and self.trace.query == self.trace.key:
            del sides["column"]
        return [
            (side, place)
            for side, labels in sides.items()
            for place, label in enumerate(labels)
            if self.searched and self.searched in label.casefold()
        ]

    @property
    def shown(self) -> ShownMap:
        """The map under the cursor."""
        shown = self.map_of(self.choice)
        if self.minus is None:
            return shown
        other = self.map_of(self.minus)
        values = maps.difference(shown.values, other.values)
        title = f"{shown.title} minus {other.title}"
        return replace(shown, values=values, title=title, signed=True)

    def map_of(self, choice: Choice) -> ShownMap:
        """A map of the current frame, words and special tokens treated as asked."""
        key = (self.frame, choice, self.words, self.hide_special)
        if key not in self._cache:
            if len(self._cache) > 32:
                self._cache.clear()
            self._cache[key] = self._make(self.traces[choice.trace], choice)
        return self._cache[key]

    def scale_for(self, choice: Choice | None = None, name: str | None = None) -> Scale:
        """How a map is coloured, the one under the cursor when None, by the chosen scale or by
        another one called `name`. A difference has a scale of its own."""
        name = name or self.scale
        if choice is None and self.minus is not None:
            return scale_of("own" if name == "shared" else name, self.shown.values, signed=True)
        choice = choice or self.choice
        shared = self._shared_top(choice) if name in ("shared", "log") else 0.0
        return scale_of(name, self.map_of(choice).values, shared)

    def _shared_top(self, choice: Choice) -> float:
        """The largest weight of all the frame's maps of one kind: of single heads, or of the same
        way to combine them."""
        single = isinstance(choice.head, int)
        key = (self.frame, "" if single else choice.head, self.words, self.hide_special)
        if key not in self._tops:
            if single:
                tops = [self._top_of_heads(trace) for trace in self.traces]
            else:
                alike = [c for c in self.choices() if c.head == choice.head]
                tops = [self.map_of(c).values.max() for c in alike]
            self._tops[key] = float(max(tops))
        return self._tops[key]

    def _top_of_heads(self, trace: AttentionTrace) -> float:
        groups = self._groups(trace)
        if all(map(_is_whole, groups, trace.weights.shape[2:])):
            return float(trace.weights.max())
        heads = (head for layer in trace.weights for head in layer)
        return float(max(self._regrouped(head, *groups).max() for head in heads))

    def _regrouped(self, head: np.ndarray, queries: maps.Groups, keys: maps.Groups) -> np.ndarray:
        """A map with words merged and special tokens hidden, as asked."""
        if not all(map(_is_whole, (queries, keys), head.shape)):
            head = maps.merge(head, queries, keys)
        return maps.renormalised(head) if self.hide_special else head

    def _make(self, trace: AttentionTrace, choice: Choice) -> ShownMap:
        queries, keys = self._groups(trace)
        if choice.head == ROLLOUT:
            heads = [maps.rollout(trace.weights)]
        elif isinstance(choice.head, int):
            heads = [trace.map(choice.layer, choice.head)]
        else:
            heads = [trace.map(choice.layer, head) for head in range(trace.num_heads)]
        heads = [self._regrouped(head, queries, keys) for head in heads]
        combined = choice.head in maps.REDUCTIONS
        values = maps.reduce_heads(np.stack(heads), str(choice.head)) if combined else heads[0]
        labels = self._labels(trace.query, queries), self._labels(trace.key, keys)
        return ShownMap(values, *labels, queries, keys, self.title_of(choice))

    def _groups(self, trace: AttentionTrace) -> tuple[maps.Groups, maps.Groups]:
        special = trace.special if self.hide_special else ()
        words = (trace.query_words, trace.key_words) if self.words else ((), ())
        queries = maps.token_groups(trace.query, words[0], special)
        return queries, maps.token_groups(trace.key, words[1], special)

    def _labels(self, tokens: tuple[str, ...], groups: maps.Groups) -> tuple[str, ...]:
        whole = maps.joined(tokens, groups) if self.words else (tokens[g[0]] for g in groups)
        return tuple(map(display, whole))

    def title_of(self, choice: Choice) -> str:
        """Trace, layer and head in words, leaving out what there is only one of."""
        trace = self.traces[choice.trace]
        place, name = self.place_of(choice), trace_name(trace, choice.trace)
        return f"{name}, {place}" if len(self.traces) > 1 and place else place or name

    def place_of(self, choice: Choice) -> str:
        """Layer and head in words; nothing where there is only one of each."""
        trace = self.traces[choice.trace]
        if choice.head == ROLLOUT:
            return f"rollout over {trace.num_layers} layers"
        parts = []
        if trace.num_layers > 1:
            parts.append(display(trace.layer_names[choice.layer]))
        if isinstance(choice.head, str):
            parts.append(f"{choice.head} of {trace.num_heads} heads")
        elif trace.num_heads > 1:
            parts.append(f"head {choice.head + 1} of {trace.num_heads}")
        return ", ".join(parts)

    def choices(self) -> list[Choice]:
        """Every map of the frame: each head, and the combinations that exist."""
        found = []
        for number, trace in enumerate(self.traces):
            combined = maps.REDUCTIONS if trace.num_heads > 1 else ()
            for layer in range(trace.num_layers):
                found += [Choice(number, layer, h) for h in (*range(trace.num_heads), *combined)]
            if maps.can_roll_out(trace.weights.shape):
                found.append(Choice(number, 0, ROLLOUT))
        return found

    def comparable(self) -> list[Choice]:
        """The maps that can be subtracted from the chosen one: the others of its shape."""
        shapes = [tuple(map(len, self._groups(trace))) for trace in self.traces]
        shape = shapes[self.choice.trace]
        return [c for c in self.choices() if shapes[c.trace] == shape and c != self.choice]

    def nearest(self, choice: Choice) -> Choice:
        """`choice`, or the map most like it that the frame has."""
        number = min(choice.trace, len(self.traces) - 1)
        trace, head = self.traces[number], choice.head
        if isinstance(head, int):
            head = min(head, trace.num_heads - 1)
        elif (head == ROLLOUT and not maps.can_roll_out(trace.weights.shape)) or (
            head in maps.REDUCTIONS and trace.num_heads == 1
        ):
            head = 0
        return Choice(number, min(choice.layer, trace.num_layers - 1), head)

    def choose(self, choice: Choice) -> None:
        """Show another map, or the nearest that there is; the cursor stays where it still fits."""
        self.choice = self.nearest(choice)
        if self.minus is not None and self.minus not in self.comparable():
            self.minus = None
        rows, columns = self.shown.values.shape
        self.row, self.column = min(self.row, rows - 1), min(self.column, columns - 1)
        self.rows = {row for row in self.rows if row < rows}
        self.columns = {column for column in self.columns if column < columns}

    def add_by_hand(
        self, traces: list[AttentionTrace], base: AttentionTrace, told: bool = False
    ) -> None:
        """Show traces that were made by hand from the trace `base`, which stays beside them; what
        else was made by hand goes. `told`: whether they say how they were made."""
        self._put(*self.frames[self.frame].with_by_hand(traces, base, told))

    def drop_by_hand(self) -> None:
        """Show the trace again that the last was made from by hand."""
        self._put(*self.frames[self.frame].without_by_hand())

    def _put(self, frame: Frame, trace: int) -> None:
        """Have a frame in place of the current one, and show one of its traces."""
        self.frames[self.frame] = frame
        self._cache.clear()
        self._tops.clear()
        self.minus = None
        self.choose(replace(self.choice, trace=trace))

    def go_to_frame(self, frame: int) -> None:
        """Show another epoch, the same map of it if it has one.

        Raises:
            DataError: its file cannot be read; nothing has changed then.
        """
        _ = self.frames[frame].traces  # may fail: before anything is changed
        self.frame = frame
        self.choose(self.choice)

    def regroup(self, words: bool | None, hide_special: bool) -> None:
        """Merge or split, hide or show, and keep the cursor on the token it was on."""
        shown = self.shown
        query, key = shown.queries[self.row][0], shown.keys[self.column][0]
        self.words, self.hide_special = words, hide_special
        self.rows, self.columns = set(), set()
        self.choose(self.choice)
        self.row, self.column = place_in(self.shown.queries, query), place_in(self.shown.keys, key)


def trace_name(trace: AttentionTrace, number: int) -> str:
    """A trace's title, or its kind and number."""
    return display(trace.title) if trace.title else f"{display(trace.kind)} {number + 1}"


def _is_whole(groups: maps.Groups, length: int) -> bool:
    """Whether each of so many positions is a group of its own."""
    return len(groups) == length


def place_in(groups: maps.Groups, position: int) -> int:
    """The group that holds `position`, or the nearest before it."""
    return max((n for n, group in enumerate(groups) if group[0] <= position), default=0)
