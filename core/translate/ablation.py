"""A translator without some of its heads, or that cannot look at some source tokens.

Shapes: L layers, H heads, S source length, T target length, N ways to switch heads off.
"""

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np

from dlcc.core.ablation import Effect, Head, WithoutHeads, kept_but, ranked
from dlcc.core.nn.batches import BOS, EOS
from dlcc.core.progress import Progress
from dlcc.core.runner import Runner
from dlcc.core.translate.translator import SearchOptions, Translator


class HiddenTokens:
    """A translator's functions where the decoder cannot look at some source tokens. The encoder has
    read them: their neighbours still know of them."""

    def __init__(self, runner: Runner, places: "Sequence[int] | slice") -> None:
        self.runner, self.places = runner, places

    def run(self, name: str, **inputs: Any) -> dict[str, Any]:
        if "mask" in inputs:
            mask = inputs["mask"].copy()
            mask[:, self.places] = False
            inputs["mask"] = mask
        return self.runner.run(name, **inputs)


def shape_of(translator: Translator) -> tuple[int, int]:
    """Layers and heads of what looks at the source; one of GRUs."""
    config = translator.config
    gru = config.architecture == "gru"
    return (1, 1) if gru else (config.decoder_layers, config.num_heads)


def without(
    translator: Translator, heads: Collection[Head] = (), tokens: Collection[int] = ()
) -> Translator:
    """The translator without some heads of the attention to the source, and which cannot look at
    some source tokens. To switch heads off it needs its weights: a recorded graph may count on it
    that there is something to look at.

    Raises:
        UsageError: a head that there is not.
    """
    kept, runner = kept_but(shape_of(translator), heads), translator.runner
    places: Sequence[int] | slice = sorted(tokens)
    if heads and translator.config.architecture != "gru":
        from dlcc.core.translate.graphs import graphs

        model = translator.model
        runner = WithoutHeads(model, graphs(model), crosses(translator), kept)
    elif heads:
        places = slice(None)  # a head that can look at nothing adds nothing
    return Translator(
        None,
        translator.codec,
        translator.longest_source,
        translator.about,
        HiddenTokens(runner, places),
        translator.config,
    )


def crosses(translator: Translator) -> list[Any]:
    """The attentions of a Transformer's decoder to the source."""
    return [block.get_submodule("cross") for block in translator.model.decoder]


def log_probabilities(
    translator: Translator, source: Sequence[int], target: Sequence[int], kept: np.ndarray
) -> np.ndarray:
    """Log probabilities [N] of a translation and its end, while heads are off; by torch.

    Args:
        source: tokens, S.
        target: tokens, T, without the end.
        kept: boolean [N, L, H].
    """
    import torch

    from dlcc.core.nn.ablation import heads_off

    model, count = translator.model, len(kept)
    device = next(model.parameters()).device
    given = torch.tensor([[BOS, *target]], device=device).expand(count, -1)
    follows = torch.tensor([*target, EOS], device=device).expand(count, -1)
    with torch.no_grad():
        memory = model.encode(torch.tensor([list(source)], device=device)).repeat(count)
        if translator.config.architecture == "gru":
            memory.mask.logical_and_(torch.from_numpy(kept[:, :, 0]).to(device))
            logits = model.decode(memory, given).logits
        else:
            with heads_off(crosses(translator), torch.from_numpy(kept)):
                logits = model.decode(memory, given).logits
        shares = logits.float().log_softmax(-1).gather(2, follows[..., None])[..., 0]
    found: np.ndarray = shares.sum(1).cpu().numpy()
    return found


def effects(
    translator: Translator,
    text: str,
    options: SearchOptions | None = None,
    progress: Progress | None = None,
) -> list[Effect]:
    """What becomes of the translation of a sentence without each head: how much less probable it
    is, and what is written instead; the largest change first. The translator has its weights."""
    translation = translator.translate([text], options)[0]
    layers, heads = shape_of(translator)
    kept = np.concatenate(
        [
            np.ones((1, layers, heads), bool),
            *(kept_but((layers, heads), [divmod(n, heads)]) for n in range(layers * heads)),
        ]
    )
    given = translation.source_tokens.ids, translation.tokens
    values = log_probabilities(translator, *given, kept)
    found = []
    for number, value in enumerate(values[1:]):
        head = divmod(number, heads)
        (written,) = without(translator, [head]).translate([text], options)
        found.append(Effect(*head, float(value - values[0]), written.text))
        if progress:
            progress(number + 1, layers * heads)
    return ranked(found)
