"""A model from elsewhere without some of its heads, or of the tokens that it reads.

Shapes: N ways to switch heads off, L layers, H heads, T tokens, D width of a head, V answers.
"""

from collections.abc import Collection
from typing import Any

import numpy as np
import torch
from torch.nn.functional import scaled_dot_product_attention
from torch.overrides import TorchFunctionMode

from dlcc.core.ablation import Effect, Head, change, kept_but, off, ranked
from dlcc.core.capture import capture
from dlcc.core.errors import UsageError
from dlcc.core.huggingface.model import MASKS, TextModel
from dlcc.core.progress import Progress
from dlcc.core.trace.trace import AttentionTrace

_ROWS = 8  # of a batch


class HeadsOff(TorchFunctionMode):
    """Within it heads that are not kept add nothing, in whatever model: what attention gives for
    them is zero (Michel et al. 2019, eq. 2).

    Args:
        kept: boolean [N, L, H], of each row of a batch; N may be 1, for all.

    Raises:
        UsageError: on leaving, where the model attends otherwise or another number of times.
    """

    def __init__(self, kept: np.ndarray) -> None:
        super().__init__()
        self.kept, self.layer = torch.from_numpy(kept), 0

    def __torch_function__(
        self, function: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        output = function(*args, **(kwargs or {}))
        if function is not scaled_dot_product_attention:
            return output
        _, layers, heads = self.kept.shape
        if self.layer < layers and output.shape[1] == heads:  # [B, H, T, D]
            output = output * self.kept[:, self.layer, :, None, None].to(output)
        self.layer += 1
        return output

    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)
        if error[0] is None and self.layer != self.kept.shape[1]:
            raise UsageError("heads of this model cannot be switched off: it attends otherwise")


class Asked:
    """A text that a model has answered, to be answered again.

    Args:
        model: that answered.
        trace: of the text; it is not of written tokens.
        chat: whether the text was put into the model's template.

    Raises:
        UsageError: there is no answer.
    """

    def __init__(self, model: TextModel, trace: AttentionTrace, chat: bool | None = False) -> None:
        self.model, self.trace = model, trace
        kind, details = model.loaded.kind, trace.details
        if "written" in details:
            raise UsageError("of a text that is written only the reading can be asked again")
        text, *second = trace.made_by["asked"][1:]
        encoded = model.encode(text, second[0] if second else None, bool(chat))
        self.inputs = model.inputs(details.get("ids", encoded.ids), encoded.types)
        if self.inputs["input_ids"].shape[1] != len(trace.key):
            raise UsageError("that is no longer the text that the model read")
        masks = [place for place, token in enumerate(trace.query) if token in MASKS]
        if kind not in ("labels", "text") and not masks:
            raise UsageError(f"{model.loaded.name} answers nothing without a mask in the text")
        self.place = masks[0] if masks and kind != "text" else -1
        """Of the token whose logits are the answer, unless the model has labels."""

    def probabilities(self, kept: np.ndarray | None, tokens: Collection[int] = ()) -> np.ndarray:
        """[N, V] of the answers, without the heads that are not kept [N, L, H] and some tokens."""
        given = {
            name: part.repeat(1 if kept is None else len(kept), 1)
            for name, part in self.inputs.items()
        }
        given["attention_mask"][:, [*tokens]] = 0
        with torch.inference_mode():
            if kept is None:
                logits = self.model.model(**given).logits
            else:
                with HeadsOff(kept):
                    logits = self.model.model(**given).logits
        if self.model.loaded.kind != "labels":
            logits = logits[:, self.place]
        found: np.ndarray = logits.float().softmax(-1).cpu().numpy()
        return found

    def name(self, answer: int) -> str:
        if self.model.loaded.kind != "labels":
            return self.model.codec.name(answer)
        names = self.model.config.get("id2label") or {}
        return str(names.get(str(answer), f"LABEL_{answer}"))

    def without(self, heads: Collection[Head], tokens: Collection[int]) -> AttentionTrace:
        """The trace once more, without some heads and tokens."""
        trace = self.trace
        for token in tokens:
            if not 0 <= token < len(trace.key):
                raise UsageError(f"no token {token + 1}: the trace has {len(trace.key)}")
        kept = kept_but(trace.weights.shape[:2], heads)
        before, after = self.probabilities(None)[0], self.probabilities(kept, tokens)[0]
        both = sorted({int(before.argmax()), int(after.argmax())})
        said = change(before[both], after[both], [self.name(answer) for answer in both])
        given = dict(self.inputs)
        given["attention_mask"] = given["attention_mask"].clone()
        given["attention_mask"][:, [*tokens]] = 0
        with torch.inference_mode(), HeadsOff(kept), capture(self.model.model) as seen:
            self.model.model(**given)
        made = seen.trace(
            trace.query,
            trace.key,
            query_words=trace.query_words,
            key_words=trace.key_words,
            special=trace.special,
            details={"ids": trace.details["ids"]} if "ids" in trace.details else {},
        )
        return off(made, trace, heads, tokens, said)

    def effects(self, progress: Progress | None = None) -> list[Effect]:
        """What becomes of the answer without each head, the largest change first."""
        shape = self.trace.weights.shape[:2]
        places = [(layer, head) for layer in range(shape[0]) for head in range(shape[1])]
        whole = self.probabilities(None)[0]
        answer, found = int(whole.argmax()), []
        for start in range(0, len(places), _ROWS):
            part = places[start : start + _ROWS]
            kept = np.concatenate([kept_but(shape, [place]) for place in part])
            for place, row in zip(part, self.probabilities(kept), strict=True):
                best = int(row.argmax())
                said = f"{self.name(best)} {row[best]:.2f}"
                found.append(Effect(*place, float(row[answer] - whole[answer]), said))
            if progress:
                progress(len(found), len(places))
        return ranked(found)
