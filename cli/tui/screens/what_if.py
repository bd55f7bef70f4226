"""What becomes of a trace without a head, a layer or a token, or with its knobs turned: made anew
beside the old one."""

from collections.abc import Callable
from functools import partial

from dlcc.cli.tui.messages import Compute
from dlcc.cli.tui.screens.reading import Reading
from dlcc.core.trace.trace import AttentionTrace

Heads = frozenset[tuple[int, int]]
Tokens = frozenset[int]


class WhatIf(Reading):
    """Switches parts of what is shown off and on."""

    def action_head_off(self) -> None:
        choice = self.state.choice
        assert isinstance(choice.head, int)  # else there is no such key
        place = (choice.layer, choice.head)
        self._switch(lambda heads, tokens: (heads ^ {place}, tokens))

    def action_layer_off(self) -> None:
        layer, count = self.state.choice.layer, self.state.trace.num_heads
        every = {(layer, head) for head in range(count)}
        self._switch(
            lambda heads, tokens: (heads - every if every <= heads else heads | every, tokens)
        )

    def action_token_off(self) -> None:
        state = self.state
        group = frozenset(state.shown.keys[state.column])
        self._switch(
            lambda heads, tokens: (heads, tokens - group if group <= tokens else tokens | group)
        )

    def action_knobs(self) -> None:
        """Turn what the trace was made with; the map follows, and the old one stays beside it."""
        from dlcc.cli.tui.screens.knobs import KnobsScreen

        state = self.state
        base = state.origin if state.made and not state.by_hand else state.trace

        def show(traces: list[AttentionTrace]) -> None:
            state.add_by_hand(traces, base, told=True)
            self.redraw()

        self.app.push_screen(KnobsScreen(state, show))

    def _switch(self, switched: Callable[[Heads, Tokens], tuple[Heads, Tokens]]) -> None:
        """Make the trace anew with what `switched` makes of the heads and tokens that are off."""
        state, without = self.state, self.state.without
        assert without is not None  # else there is no such key
        trace = state.trace
        heads, tokens = switched(*_off(trace))
        if "off" in trace.details and state.made:
            trace = state.origin
        if not heads and not tokens:
            state.drop_by_hand()
            self.redraw()
            return
        work = partial(without, trace, heads=heads, tokens=tokens)
        self.post_message(Compute("Answering without", work, partial(self.add_by_hand, trace)))


def _off(trace: AttentionTrace) -> tuple[Heads, Tokens]:
    """The heads and tokens that were off when it was made."""
    off = trace.details.get("off")
    if not isinstance(off, dict):
        return frozenset(), frozenset()
    return frozenset((layer, head) for layer, head in off["heads"]), frozenset(off["tokens"])
