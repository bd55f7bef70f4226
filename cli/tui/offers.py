"""What the source of a trace may do with it besides."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from dlcc.core import sources
from dlcc.core.errors import DlccError
from dlcc.core.sources import Knob, Source
from dlcc.core.trace.trace import AttentionTrace

if TYPE_CHECKING:
    from dlcc.core.ablation import Effect


class Offers:
    """Of the trace that is shown; None where its source does not have it."""

    source: Source | None
    """Where the traces come from, if not from the installed source of that name."""
    waits = False
    """Whether sources, which take a while to load, are not asked yet: the map is drawn first."""

    @property
    def trace(self) -> AttentionTrace:
        raise NotImplementedError

    @property
    def again(self) -> Callable[[AttentionTrace, int, str], list[AttentionTrace]] | None:
        """What makes the trace once more with another word in one row, if anything does."""
        return self._offered("again")

    @property
    def without(self) -> Callable[..., list[AttentionTrace]] | None:
        """What makes the trace once more without some heads and tokens, if anything does."""
        return self._offered("without")

    @property
    def ablated(self) -> "Callable[..., list[Effect]] | None":
        """What says what becomes of the answer without each head, if anything does."""
        return self._offered("ablated")

    @property
    def turned(self) -> Callable[..., list[AttentionTrace]] | None:
        """What makes the trace with other values of its knobs, if anything does."""
        return self._offered("turned") if self.knobs else None

    @property
    def knobs(self) -> list[Knob]:
        """What can be turned in the trace."""
        offered = self._offered("knobs")
        return offered(self.trace) if offered else []

    def _offered(self, method: str) -> Callable[..., Any] | None:
        """What the trace's source may have."""
        if self.waits:
            return None
        name = self.trace.made_by.get("source", self.trace.kind)
        try:
            return getattr(sources.source(str(name), self.source), method, None)
        except DlccError:  # none of that name, or one that does not load
            return None
