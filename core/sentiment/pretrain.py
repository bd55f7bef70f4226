"""Learning from texts without labels, before learning to classify: to guess masked words.

Shapes: B batch, T tokens of a stretch, M masked positions, V tokens in the vocabulary.
"""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from dlcc.core.errors import DataError, UsageError
from dlcc.core.files.rows import Rows
from dlcc.core.nn.batches import EOS, SPECIAL
from dlcc.core.progress import Progress
from dlcc.core.sentiment.codec import MASK, ReviewCodec
from dlcc.core.sentiment.config import (
    ColumnConfig,
    EncoderConfig,
    MaskedWordConfig,
    TextsConfig,
    VocabularyConfig,
)
from dlcc.core.sentiment.data import find_data, untested_texts
from dlcc.core.sentiment.model import MaskedWordModel
from dlcc.core.trace.trace import AttentionTrace
from dlcc.core.train.distributed import team
from dlcc.core.train.parts import train_hash
from dlcc.core.train.recipe import Chosen, Narrator
from dlcc.core.train.runtime import choose_device, moved, resident, seeded_generator
from dlcc.core.train.task import Recordable

KIND = "masked-words"
_EXAMPLE = "the plot was thin, but i could not <mask> smiling"


class MaskedWordTask:
    """Learn to guess masked words of `texts`; validated on others."""

    kind = KIND
    metric = "loss"
    higher_is_better = False

    def __init__(
        self,
        model: MaskedWordModel,
        codec: ReviewCodec,
        texts: Sequence[str],
        validation: Sequence[str],
        config: MaskedWordConfig,
        about: dict[str, Any],
    ) -> None:
        self.model, self.codec, self.settings, self.about = model, codec, config, about
        self.progress: Progress | None = None
        if config.length > model.encoder.config.max_length:
            most = model.encoder.config.max_length
            raise UsageError(f"the model takes {most}", "stretch", config.length)
        self.config = {"encoder": asdict(model.encoder.config)}
        self.files = codec.files()
        self.device = next(model.parameters()).device
        tokens, self.validation = self._join(texts), self._join(validation)
        (self.tokens,) = resident(self.device, tokens)
        for part, tokens in (("train", self.tokens), ("validate", self.validation)):
            if len(tokens) < 2 * config.length:
                raise DataError(
                    f"{len(tokens)} tokens to {part} on: masked words need more text, at least "
                    f"{2 * config.length} tokens"
                )

    def batches(self, epoch: int) -> Sequence[Tensor]:
        """Starts of stretches [B]; where they are cut differs from epoch to epoch."""
        generator = seeded_generator(self.settings.seed, epoch)
        length = self.settings.length
        first = int(torch.randint(length, (1,), generator=generator))
        starts = torch.arange(first, len(self.tokens) - length + 1, length)
        starts = starts[torch.randperm(len(starts), generator=generator)].to(self.tokens.device)
        return starts.split(self.settings.batch_tokens // length)

    def loss(self, batch: Tensor, done: float) -> tuple[Tensor, int]:
        step = self.recordable(batch, done)
        return step.loss(*step.inputs), step.items

    def recordable(self, batch: Tensor, done: float) -> Recordable:
        """See `Recordable`."""
        inputs = self._masked(self.tokens, batch)
        return Recordable("stretches", self._loss, inputs, inputs[0].numel())

    def _loss(self, tokens: Tensor, places: Tensor, targets: Tensor) -> Tensor:
        length, longest = self.settings.length, self.model.encoder.config.max_length
        # So that all positions are practised.
        start = torch.randint(longest - length + 1, (1,), device=self.device)
        rows, part = team().share(len(tokens))
        count = len(targets)
        if team().size > 1:
            here = (places >= rows.start * length) & (places < rows.stop * length)
            places, targets = places[here] - rows.start * length, targets[here]
        logits = self.model(tokens[rows], places, start).float()
        loss = F.cross_entropy(logits, targets, reduction="sum") / count
        return loss * (team().size if part else 0)

    def validate(self) -> dict[str, float]:
        generator = seeded_generator(0)
        length = self.settings.length
        starts = torch.arange(0, len(self.validation) - length + 1, length)
        lost, right, count = 0.0, 0, 0
        for batch in starts.split(self.settings.batch_tokens // length):
            tokens, places, targets = self._masked(self.validation, batch, generator)
            logits = self.model(tokens, places).float()
            lost += F.cross_entropy(logits, targets, reduction="sum").item()
            right += int((logits.argmax(-1) == targets).sum())
            count += len(targets)
            if self.progress:
                self.progress(int(batch[-1]), len(self.validation))
        return {"loss": lost / count, "accuracy": right / count}

    def sample(self) -> str:
        codec, device = self.codec, self.device
        longest = self.model.encoder.config.max_length
        before, after = (codec.encode(part).ids for part in _EXAMPLE.split("<mask>"))
        before = before[-(longest // 2) :]
        tokens = torch.tensor([[*before, MASK, *after][:longest]], device=device)
        logits = self.model(tokens, torch.tensor([len(before)], device=device))
        best = logits[0].float().softmax(-1).topk(3)
        guesses = zip(best.indices.tolist(), best.values.tolist(), strict=True)
        shown = ", ".join(f"{codec.tokenizer.id_to_token(t)} {p:.2f}" for t, p in guesses)
        return f"{_EXAMPLE}: {shown}"

    def traces(self) -> list[AttentionTrace]:
        return []

    def _masked(
        self, source: Tensor, starts: Tensor, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Stretches [B, T] of `source` with some of their tokens masked, at which places [M] of the
        flattened batch, and the tokens [M] that were there."""
        device = source.device  # there all is drawn
        stretch = torch.arange(self.settings.length, device=device)
        tokens = source[starts[:, None] + stretch].long()  # [B, T]
        count = max(1, round(self.settings.masked_share * tokens.numel()))
        # Always as many: tensors of the same sizes find the same memory again.
        places = torch.randperm(tokens.numel(), generator=generator, device=device)[:count]  # [M]
        targets = tokens.flatten()[places]
        fate = torch.rand(len(places), generator=generator, device=device)
        drawn = (len(SPECIAL) + 1, self.codec.size, (len(places),))
        words = torch.randint(*drawn, generator=generator, device=device)
        shown = torch.where(fate < 0.8, MASK, torch.where(fate < 0.9, words, targets))
        tokens = tokens.flatten().scatter(0, places, shown).view_as(tokens)
        tokens, places, targets = moved(self.device, tokens, places, targets)
        return tokens, places, targets

    def _join(self, texts: Sequence[str]) -> Tensor:
        """All texts as one int32 tensor, each ended by EOS."""
        rows = Rows((*ids, EOS) for ids in self.codec.encode_each(texts))
        return torch.from_numpy(rows.numbers)


def build(chosen: Chosen, narrator: Narrator) -> MaskedWordTask:
    """Read the texts and build the model.

    Raises:
        UsageError: settings that do not go together.
        DataError: texts that cannot be read, or too few.
    """
    device = choose_device(chosen.device)
    config: MaskedWordConfig = chosen.make(MaskedWordConfig)
    words: VocabularyConfig = chosen.make(VocabularyConfig)
    sizes = chosen.part(EncoderConfig)
    sizes["embed_dim"] = sizes["width"]
    EncoderConfig(vocab_size=1, **sizes)  # complains before the long work
    path = chosen.make(TextsConfig).data or find_data(narrator.transferring)
    with narrator.working(f"reading {path.name}"):
        texts, validation = held_out(untested_texts(path, chosen.make(ColumnConfig), narrator.note))
    narrator.note(
        f"{path.name}: masked words of {len(texts):,} texts outside the test part, validated "
        f"on {len(validation):,} others"
    )
    about = {
        "command": chosen.command,
        "seed": chosen.seed,
        "data": {
            "file": path.name,
            "texts": len(texts),
            "validation": len(validation),
            "train_hash": train_hash([*texts, *validation]),
        },
    }
    if chosen.resumed:
        codec = ReviewCodec.of_run(chosen.resumed, KIND)
    else:
        with narrator.working("learning the tokenizer"):
            codec = ReviewCodec.learn(texts, words.vocabulary, words.vocab_size)
    torch.manual_seed(chosen.seed)
    model = MaskedWordModel(EncoderConfig(vocab_size=codec.size, **sizes))
    with narrator.working("cutting texts into tokens"):
        return MaskedWordTask(model.to(device), codec, texts, validation, config, about)


def held_out(texts: Sequence[str]) -> tuple[list[str], list[str]]:
    """Texts to practise masked words on, and every 10th, of very many every 100th, to validate."""
    step = 100 if len(texts) >= 10_000 else 10
    validation = list(texts[::step])
    return [text for number, text in enumerate(texts) if number % step], validation
