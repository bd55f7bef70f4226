"""Any model that reads text: what it attends to in one, and writing on from it.

Shapes: T tokens, V words of the vocabulary, N generated tokens.
"""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from dlcc.core.errors import DataError, UsageError
from dlcc.core.trace.trace import AttentionTrace

if TYPE_CHECKING:
    import torch

    from dlcc.core.huggingface.loading import Loaded
    from dlcc.core.huggingface.text import Codec, Encoded

_ALTERNATIVES = 10
MASKS = ("[MASK]", "<mask>")
_MOST = 2**14  # tokens


class TextModel:
    """A model that reads text, with its tokenizer."""

    def __init__(self, loaded: "Loaded") -> None:
        from dlcc.core.huggingface.text import codec_of

        if loaded.kind == "picture":
            raise UsageError(f"{loaded.name} takes pictures: dlcc vit predict reads them")
        self.loaded, self.model, self.config = loaded, loaded.model, loaded.config
        self.codec: Codec = codec_of(loaded.folder)

    def encode(self, text: str, second: str | None = None, chat: bool = False) -> "Encoded":
        """A text as the model reads it; with `chat` in its own template.

        Raises:
            UsageError: no token, too many, or no template.
        """
        encoded = (
            self.codec.encode(self._chat(text), special=False)
            if chat
            else self.codec.encode(text, second)
        )
        most = self.config.get("max_position_embeddings") or self.config.get("n_positions") or _MOST
        if not encoded.ids:
            raise UsageError("the text has no token: give a word")
        if len(encoded.ids) > most:
            raise UsageError(f"{len(encoded.ids):,} tokens, and the model reads {most:,} at most")
        vocabulary = self.model.get_input_embeddings().weight.shape[0]  # type: ignore[operator]
        if max(encoded.ids) >= vocabulary:
            raise DataError(f"{self.loaded.folder}: its tokenizer knows more words than its model")
        return encoded

    def _chat(self, text: str) -> str:
        path = self.loaded.folder / "chat_template.jinja"
        settings = self.loaded.folder / "tokenizer_config.json"
        about: dict[str, Any] = json.loads(settings.read_text()) if settings.is_file() else {}
        template = path.read_text("utf-8") if path.is_file() else about.get("chat_template")
        if not isinstance(template, str):
            raise UsageError(f"{self.loaded.name} has no chat template", "chat")
        from jinja2.sandbox import ImmutableSandboxedEnvironment

        names = {
            key: value["content"] if isinstance(value, dict) else value
            for key, value in about.items()
            if key.endswith("_token")
        }
        made = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
        made.globals["raise_exception"] = _refuse
        messages = [{"role": "user", "content": text}]
        given = {"messages": messages, "add_generation_prompt": True, **names}
        try:
            return made.from_string(template).render(given)
        except Exception as error:  # a stranger's template: whatever it is
            raise DataError(f"the chat template of {self.loaded.name} fails: {error}") from error

    def inputs(self, ids: Sequence[int], types: Sequence[int] = ()) -> "dict[str, torch.Tensor]":
        """What the model's `forward` takes."""
        import inspect

        import torch

        given = {"input_ids": torch.tensor([list(ids)], device=self.loaded.device)}
        given["attention_mask"] = torch.ones_like(given["input_ids"])
        takes = inspect.signature(self.model.forward).parameters
        if any(types) and "token_type_ids" in takes:
            given["token_type_ids"] = torch.tensor([list(types)], device=self.loaded.device)
        return given

    # What is asked of it

    def traces(self, encoded: "Encoded", generate: int = 0) -> list[AttentionTrace]:
        """What is attended to in a text; of a model that writes, also what it writes."""
        if self.config.get("is_encoder_decoder"):
            return self._pair(encoded, self._written(encoded.ids, generate or 128))
        if generate:
            if self.loaded.kind != "text":
                raise UsageError(f"{self.loaded.name} writes no text", "generate", generate)
            return [self._generated(encoded.ids, self._written(encoded.ids, generate))]
        return [self._read(encoded)]

    def _read(self, encoded: "Encoded") -> AttentionTrace:
        import torch

        from dlcc.core.capture import capture

        with torch.inference_mode(), capture(self.model) as seen:
            output = self.model(**self.inputs(encoded.ids, encoded.types))
        details: dict[str, Any] = {"ids": list(encoded.ids), "notes": seen.notes}
        masks = [place for place, token in enumerate(encoded.tokens) if token in MASKS]
        if self.loaded.kind == "guesses" and masks:
            found = self._alternatives(output.logits[0, masks])
            rows = dict(zip(masks, found, strict=True))
            details |= self._weighed([rows.get(n, []) for n in range(len(encoded.ids))])
        return seen.trace(
            encoded.tokens,
            title=_title(self.loaded.name),
            query_words=encoded.words,
            key_words=encoded.words,
            special=encoded.special,
            details=details,
        )

    def _written(self, ids: Sequence[int], count: int, begun: Sequence[int] = ()) -> list[int]:
        """The tokens that the model most probably writes after `ids`, greedily, at most `count`;
        of an encoder and decoder with the start, `begun` in front."""
        import torch

        with torch.inference_mode():
            options: dict[str, Any] = {"max_new_tokens": count, "do_sample": False, "num_beams": 1}
            if self.config.get("is_encoder_decoder"):
                if begun:
                    options["decoder_input_ids"] = torch.tensor([begun], device=self.loaded.device)
                made = self.model.generate(**self.inputs(ids), **options)  # type: ignore[operator]
                return made[0].tolist()
            given = self.inputs([*ids, *begun])
            if count < 1:
                return list(begun)
            if self.model.generation_config.pad_token_id is None:  # type: ignore[union-attr]
                options["pad_token_id"] = 0
            made = self.model.generate(**given, **options)  # type: ignore[operator]
            return made[0, len(ids) :].tolist()

    def _generated(self, ids: Sequence[int], written: Sequence[int]) -> AttentionTrace:
        """A row for each written token: what was looked at as it was written."""
        import torch

        from dlcc.core.capture import capture

        whole, first = [*ids, *written], len(ids) - 1
        places = range(first, len(whole) - 1)
        with torch.inference_mode(), capture(self.model, queries=places) as seen:
            output = self.model(**self.inputs(whole[:-1]))
        read = self.codec.of_ids(whole)
        special = {self.codec.name(n) if n in self.codec.special else "" for n in whole}
        tokens = tuple(
            self.codec.name(n) if n in self.codec.special else token
            for n, token in zip(whole, read.tokens, strict=True)
        )
        words = read.words[first + 1 :]
        return seen.trace(
            tokens[first + 1 :],
            tokens[:-1],
            title=f"{_title(self.loaded.name)}: {self.codec.text(written)}",
            query_words=tuple(word - words[0] for word in words),
            key_words=read.words[:-1],
            special=tuple(sorted(special - {""})),
            details={
                **self._weighed(self._alternatives(output.logits[0, list(places)])),
                "ids": list(written),
                "prompt": list(ids),
                "written": self.codec.text(written),
                "notes": seen.notes,
            },
        )

    def _pair(self, encoded: "Encoded", written: Sequence[int]) -> list[AttentionTrace]:
        """Encoder, decoder and what lies between; a row for each written token and the end."""
        import torch

        from dlcc.core.capture import capture

        given = torch.tensor([list(written[:-1])], device=self.loaded.device)
        with torch.inference_mode(), capture(self.model) as seen:
            output = self.model(**self.inputs(encoded.ids), decoder_input_ids=given)
        after = self.codec.of_ids(written[1:])
        read = self.codec.of_ids(written[:-1])
        text = self.codec.text(written)
        details = {
            **self._weighed(self._alternatives(output.logits[0])),
            "ids": list(written[1:]),
            "start": list(written[:1]),
            "prompt": list(encoded.ids),
            "written": text,
            "notes": seen.notes,
        }
        special = tuple(dict.fromkeys((*encoded.special, *after.special, *read.special)))
        found = []
        for trace in seen.traces():
            crosses = trace.details["attention"] == "cross-attention"
            encodes = not crosses and "encoder" in trace.details["modules"][0]
            query, key = (encoded, encoded) if encodes else (after, encoded if crosses else read)
            # Of a decoder row n is where token n is written, and column n the token before it.
            what = "encoder" if encodes else "cross-attention" if crosses else "decoder"
            found.append(
                replace(
                    trace,
                    query=query.tokens,
                    key=key.tokens,
                    query_words=query.words,
                    key_words=key.words,
                    special=special,
                    title=f"{what}: {text}",
                    details={**trace.details, **({} if encodes else details)},
                )
            )
        return sorted(found, key=lambda trace: "cross" not in trace.title)

    def _alternatives(self, logits: "torch.Tensor") -> list[list[tuple[int, float]]]:
        """The most probable tokens of each row of logits [N, V], best first."""
        top = logits.float().softmax(-1).topk(min(_ALTERNATIVES, logits.shape[-1]))
        return [
            list(zip(ids, shares, strict=True))
            for ids, shares in zip(top.indices.tolist(), top.values.tolist(), strict=True)
        ]

    def _weighed(self, rows: Sequence[Sequence[tuple[int, float]]]) -> dict[str, Any]:
        return {
            "alternatives": [
                [[self.codec.name(n), round(share, 4)] for n, share in row] for row in rows
            ],
            "alternative_ids": [[n for n, _ in row] for row in rows],
        }

    def again(self, trace: AttentionTrace, step: int, word: str) -> list[AttentionTrace]:
        """The trace with another token at one step, and what then follows.

        Raises:
            UsageError: no such step or token.
        """
        details = trace.details
        try:
            names = [name for name, _ in details["alternatives"][step]]
            token = int(details["alternative_ids"][step][names.index(word)])
            ids = [int(number) for number in details["ids"]]
        except (KeyError, IndexError, ValueError, TypeError):
            raise UsageError(f"{word!r} cannot stand at step {step + 1}") from None
        if "prompt" not in details:  # a mask that is filled
            return [self._read(self._with(trace, [*ids[:step], token, *ids[step + 1 :]]))]
        prompt, begun = details["prompt"], [*details.get("start", []), *ids[:step], token]
        left = len(ids) - step - 1
        if "start" in details:
            encoded = self._again_encoded(prompt)
            return self._pair(encoded, self._written(prompt, max(left, 1) + 64, begun))
        written = [*begun, *self._written([*prompt, *begun], left)] if left else begun
        return [self._generated(prompt, written)]

    def _with(self, trace: AttentionTrace, ids: Sequence[int]) -> "Encoded":
        from dlcc.core.huggingface.text import Encoded

        old = trace.details["ids"]
        tokens = tuple(
            token if before == now else self.codec.name(now)
            for token, before, now in zip(trace.query, old, ids, strict=True)
        )
        words = trace.query_words
        return Encoded(tuple(ids), (0,) * len(ids), tokens, words, trace.special, ())

    def _again_encoded(self, ids: Sequence[int]) -> "Encoded":
        return self.codec.of_ids(ids)


def _refuse(message: str) -> None:
    raise ValueError(message)


def _title(name: str) -> str:
    return name.rstrip("/").rpartition("/")[2]
