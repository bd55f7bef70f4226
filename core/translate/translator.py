"""A trained translator: sentences in, translations out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dlcc.core.files.paths import being_read
from dlcc.core.nn.batches import BOS, PAD, batches_by_length, padded
from dlcc.core.progress import Progress
from dlcc.core.runner import Runner, TorchRunner, opened
from dlcc.core.settings import Bound, Settings, setting
from dlcc.core.translate.codec import Codec, Tokens, clean, split_lead, split_sentences, titled
from dlcc.core.translate.config import Seq2SeqConfig
from dlcc.core.translate.search import Hypothesis, Steps, beam_search, greedy_search
from dlcc.core.typed import typed

if TYPE_CHECKING:
    import torch

    from dlcc.core.translate.model import Decoded, Memory, Seq2Seq
    from dlcc.core.translate.transformer import Transformer

KIND = "translate"
_BATCH_TOKENS = 2048  # in a batch to translate, times the beam
_LONG_LINE = 12  # words


@dataclass(frozen=True)
class SearchOptions(Settings):
    """How a translation is chosen."""

    beam: int = setting(5, Bound("from 1 (greedy) to 100", lambda value: 1 <= value <= 100))
    """Hypotheses kept at each step; 1 is greedy search."""
    length_penalty: float = setting(1.4, Bound("from 0 to 5", lambda value: 0 <= value <= 5))
    """Exponent of the length penalty of beam search (Wu et al. 2016, eq. 14)."""


GREEDY = SearchOptions(beam=1)


@dataclass(frozen=True)
class Translation:
    """What became of one line of text."""

    source: str
    source_tokens: Tokens
    text: str
    """The best translation; empty where there is nothing the model can read."""
    tokens: tuple[int, ...]
    """Its tokens, without the start and the end."""
    score: float
    """Sum of log probabilities, by the length penalty in beam search."""
    others: tuple[tuple[str, float], ...]
    """All translations that the search found with their scores, best first."""
    unknown: tuple[str, ...]
    """Words of the source that were not in the training data."""
    problem: str = ""
    """What the user should know: why there is no translation, or why it may be bad."""
    parts: tuple["Translation", ...] = ()
    """The sentences of a line that was translated sentence by sentence; the tokens stand there."""
    steps: Steps | None = field(default=None, compare=False, repr=False)
    """What the search looked at and weighed, where that was to be kept."""

    def behind(self, lead: str) -> "Translation":
        """This with what stood before the line, which no token has."""
        if not lead:
            return self
        others = tuple((lead + text, score) for text, score in self.others)
        return replace(self, source=lead + self.source, text=lead + self.text, others=others)


class Translator:
    """A model with its vocabulary.

    Args:
        model: in eval mode while it translates; None where `runner` is not torch's.
        codec: its vocabulary.
        longest_source: tokens of the longest source it was trained on.
        about: how it was made.
        runner: its functions, where there is no model.
        config: its sizes, where there is no model.
    """

    def __init__(
        self,
        model: "Seq2Seq | Transformer | None",
        codec: Codec,
        longest_source: int,
        about: Mapping[str, Any],
        runner: Runner | None = None,
        config: Seq2SeqConfig | None = None,
    ) -> None:
        self.codec, self.longest_source, self.about = codec, longest_source, about
        self._model = model
        if model is not None:
            from dlcc.core.translate.graphs import graphs

            runner, config = TorchRunner(model, graphs(model)), model.config
        assert runner is not None  # else there is a model
        assert config is not None
        self.runner, self.config = runner, config

    @property
    def model(self) -> "Seq2Seq | Transformer":
        assert self._model is not None  # who asks has loaded it for torch
        return self._model

    @property
    def has_weights(self) -> bool:
        """Whether there is a model, for torch."""
        return self._model is not None

    @property
    def _most_tokens(self) -> int:
        """Tokens of a source beyond which nothing is read: the work grows with their square."""
        return 4 * self.longest_source

    @classmethod
    def open(cls, place: Path, device: str = "auto", runner: str = "auto") -> "Translator":
        """What answers fastest: a checkpoint's graphs where it has them, else its model.

        Args:
            place: a checkpoint, a run or an exported graph.
            device: auto, or torch's name.
            runner: one of `runner.RUNNERS`.

        Raises:
            DataError: none there, damaged, or not a translator.
            UsageError: as of `runner.opened`.
        """
        found = opened(place, KIND, runner, device)
        if found is None:
            from dlcc.core.train.runtime import choose_device

            return cls.load(place, choose_device(device))
        with being_read(found.place):
            codec, longest = Codec.from_files(found.files), int(found.config["longest_source"])
            return cls(None, codec, longest, found.about, found.runner, model_config(found.config))

    @classmethod
    def load(cls, folder: Path, device: "torch.device") -> "Translator":
        """Read a checkpoint, or the best one of a run, for torch.

        Raises:
            DataError: none there, damaged, or not a translator.
        """
        from dlcc.core.train.checkpoint import load_checkpoint

        checkpoint = load_checkpoint(folder, KIND)
        with checkpoint.being_read():
            return cls(
                checkpoint.trained(lambda: new_model(model_config(checkpoint.config)), device),
                Codec.from_files(checkpoint.files),
                int(checkpoint.config["longest_source"]),
                checkpoint.about,
            )

    def translate(
        self,
        texts: Sequence[str],
        options: SearchOptions | None = None,
        keep_steps: bool = False,
        progress: Progress | None = None,
    ) -> list[Translation]:
        """Translate lines of text, in their order, batched by length: what becomes of one does not
        depend on the others.

        Hardly any training example has many words, so a long line of several sentences is
        translated sentence by sentence. What stands before a line, such as a list's number, stays.

        Args:
            texts: the lines.
            options: how to search.
            keep_steps: whether the translations say what the search looked at and weighed.
            progress: told how many sentences are done.
        """
        leads = [split_lead(self.read_as(text)) for text in texts]
        lines = [line for _, line in leads]
        cut = [split_sentences(x) if len(x.split()) > _LONG_LINE else [x] for x in lines]
        sentences = [sentence for parts in cut for sentence in parts]
        options = options or SearchOptions()
        done = iter(self._translate(sentences, options, keep_steps, progress))
        return [
            _joined(line, [next(done) for _ in parts], options.beam).behind(lead)
            for (lead, line), parts in zip(leads, cut, strict=True)
        ]

    def read_as(self, text: str) -> str:
        """What a line is read as: without markup, invisible letters and words in capitals; titles
        with their full stops."""
        return self.codec.plain_case(titled(clean(typed(text))))

    def continue_from(self, source: str, prefix: Sequence[int]) -> Translation:
        """Translate `source` with a translation that begins with the tokens `prefix`; its steps are
        kept."""
        lead, source = split_lead(self.read_as(source))
        tokens = self._encode([source])[0]
        hypotheses = greedy_search(
            self.runner,
            self.config.vocab_size,
            padded([tokens.ids]),
            prefix,
            keep_steps=True,
            marks=self.codec.marks,
        )
        return self._translation(source, tokens, hypotheses).behind(lead)

    def compared(self, steps: Steps) -> tuple[dict[str, np.ndarray], float, str]:
        """What the weights of `steps` were computed from, of L layers and H heads (one of GRUs).

        Returns:
            `query` [L, H, T, D], `key` and `value` [L, H, S, D] and, of additive attention, `score`
            [1, 1, D]; what scores are multiplied by; dot-product or additive.
        """
        query, there = steps.query, steps.compared
        scale, mechanism = query.shape[-1] ** -0.5, "dot-product"
        if "projected" in there:
            key, value = there["projected"].swapaxes(0, 1)
            return (
                {"query": query.transpose(1, 2, 0, 3), "key": key, "value": value},
                scale,
                mechanism,
            )
        parts = {
            "query": query[None, None],
            "key": there.get("key", there["states"])[None, None],
            "value": there.get("value", there["states"])[None, None],
        }
        if "score" in there:
            parts["score"], scale, mechanism = there["score"][None], 1.0, "additive"
        return parts, scale, mechanism

    def decode(self, source: Sequence[int], target: Sequence[int]) -> "tuple[Memory, Decoded]":
        """Run the decoder over a given target: row t is the step that emits token t or the end."""
        import torch

        device = next(self.model.parameters()).device
        with torch.no_grad():
            memory = self.model.encode(torch.from_numpy(padded([source])).to(device))
            return memory, self.model.decode(memory, torch.tensor([[BOS, *target]], device=device))

    def _translate(
        self,
        sources: Sequence[str],
        options: SearchOptions,
        keep_steps: bool,
        progress: Progress | None = None,
    ) -> list[Translation]:
        cut_up = self._encode(sources)
        readable = [n for n, tokens in enumerate(cut_up) if self.codec.can_read(tokens)]
        lengths = [len(tokens.ids) for tokens in cut_up]
        readable.sort(key=lengths.__getitem__)
        results: dict[int, list[Hypothesis]] = {}
        for batch in batches_by_length(lengths, _BATCH_TOKENS // options.beam, order=readable):
            source = padded([cut_up[n].ids for n in batch])
            hypotheses = self._search(source, options, keep_steps)
            results.update(zip(batch, hypotheses, strict=True))
            if progress:
                progress(len(results), len(readable))
        for n in readable:
            if cut_up[n].copies and not results[n][0].finished:  # rather without one of them
                source = padded([cut_up[n].ids])
                found = self._search(source, options, keep_steps, insist=False)[0]
                results[n] = found if found[0].finished else results[n]
        return [
            self._translation(source, tokens, results.get(n, []))
            for n, (source, tokens) in enumerate(zip(sources, cut_up, strict=True))
        ]

    def _encode(self, sources: Sequence[str]) -> list[Tokens]:
        """Cut up sentences, ended by a full stop where a model that knows it is given no mark."""
        stop = "." if self.codec.tokenizer.token_to_id(".") is not None else ""
        cut_up = self.codec.encode_source(
            [source + stop if source[-1:].isalnum() else source for source in sources]
        )
        most = self._most_tokens
        return [
            Tokens(each.ids[:most], each.texts[:most], each.words[:most], each.copies)
            for each in cut_up
        ]

    def _search(
        self, source: np.ndarray, options: SearchOptions, keep_steps: bool, insist: bool = True
    ) -> list[list[Hypothesis]]:
        model = self.runner, self.config.vocab_size, source
        how: Any = {"keep_steps": keep_steps, "marks": self.codec.marks, "insist": insist}
        if options.beam == 1:
            return [[hypothesis] for hypothesis in greedy_search(*model, **how)]
        return beam_search(*model, options.beam, options.length_penalty, **how)

    def _left_out(self, tokens: Tokens, hypothesis: Hypothesis) -> list[str]:
        """The words to copy that a translation is without."""
        marks = zip(tokens.copies, self.codec.marks, strict=False)
        return [word for word, both in marks if not set(both) & set(hypothesis.tokens)]

    def _translation(
        self, source: str, tokens: Tokens, hypotheses: Sequence[Hypothesis]
    ) -> Translation:
        problem = ""
        if not source:
            problem = "an empty line"
        elif not hypotheses:
            problem = "no character of it was in the training data"
        elif len(tokens.ids) == self._most_tokens:
            problem = (
                f"only its first {self._most_tokens} tokens were read, and the longest trained on "
                f"had {self.longest_source}: translate it in parts"
            )
        elif len(tokens.ids) > self.longest_source:
            problem = (
                f"{len(tokens.ids)} tokens, the longest trained on had {self.longest_source}: "
                "the translation may be cut short or wrong"
            )
        elif not hypotheses[0].finished:
            problem = "the translation did not come to an end and was cut off"
        elif left := self._left_out(tokens, hypotheses[0]):
            problem = f"the translation leaves out {', '.join(left)}"
        found: dict[str, float] = {}
        for hypothesis in hypotheses:  # one text may be spelled with different tokens
            text = self.codec.decode(hypothesis.tokens, tokens.copies)
            found.setdefault(text, hypothesis.score)
        others = tuple(found.items())
        best = hypotheses[0] if hypotheses else Hypothesis((), 0.0, True)
        return Translation(
            source,
            tokens,
            others[0][0] if others else "",
            best.tokens,
            best.score,
            others,
            self.codec.unknown(source),
            problem,
            steps=best.steps,
        )


def model_config(config: Mapping[str, Any]) -> Seq2SeqConfig:
    """The sizes among a checkpoint's configuration; older ones know GRUs alone."""
    new = "architecture", "num_heads"
    names = [each.name for each in fields(Seq2SeqConfig)]
    return Seq2SeqConfig(**{n: config[n] for n in names if n in config or n not in new})


def new_model(config: Seq2SeqConfig) -> "Seq2Seq | Transformer":
    """A model of these sizes with fresh weights."""
    from dlcc.core.translate.model import Seq2Seq
    from dlcc.core.translate.transformer import Transformer

    return (Transformer if config.architecture == "transformer" else Seq2Seq)(config, PAD)


def _joined(line: str, parts: Sequence[Translation], count: int) -> Translation:
    """The translation of a line that was cut into sentences, with at most `count` others."""
    if len(parts) == 1:
        return parts[0]
    score = sum(part.score for part in parts)
    others: list[tuple[str, float]] = [("", 0.0)]
    for part in parts:  # the best ways to choose one translation of each
        found = part.others or ((part.text, part.score),)
        joined = [(f"{a} {b}".strip(), x + y) for a, x in others for b, y in found]
        others = sorted(joined, key=lambda pair: -pair[1])[:count]
    text = others[0][0]
    return Translation(
        source=line,
        source_tokens=Tokens((), (), ()),
        text=text,
        tokens=(),
        score=score,
        others=tuple(others),
        unknown=tuple(dict.fromkeys(word for part in parts for word in part.unknown)),
        problem="; ".join(part.problem for part in parts if part.problem),
        parts=tuple(parts),
    )
