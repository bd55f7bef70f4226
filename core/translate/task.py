"""The training of a translator: pairs to batches, the loss, validation by BLEU."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from dlcc.core.errors import DataError, UsageError
from dlcc.core.files.rows import Rows
from dlcc.core.files.vectors import look_up
from dlcc.core.nn.batches import BOS, EOS, PAD, batches_by_length, pad, padded_length
from dlcc.core.progress import Progress
from dlcc.core.trace.trace import AttentionTrace
from dlcc.core.train.distributed import team
from dlcc.core.train.parts import train_hash
from dlcc.core.train.recipe import Chosen, Narrator
from dlcc.core.train.runtime import choose_device, moved, seeded_generator
from dlcc.core.train.task import Recordable
from dlcc.core.translate.codec import Codec
from dlcc.core.translate.config import (
    BUNDLED_VECTORS,
    PairsConfig,
    Seq2SeqConfig,
    TranslationConfig,
)
from dlcc.core.translate.data import Pair, Split, find_data, read_pairs, split_pairs
from dlcc.core.translate.model import Seq2Seq
from dlcc.core.translate.score import bleu
from dlcc.core.translate.source import trace_of
from dlcc.core.translate.transformer import Transformer
from dlcc.core.translate.translator import GREEDY, KIND, Translator, new_model


class TranslationTask:
    """Learn to translate; validated by BLEU as `Translator` translates."""

    kind = KIND
    metric = "bleu"
    higher_is_better = True

    def __init__(
        self,
        split: Split,
        codec: Codec,
        config: TranslationConfig,
        model: Seq2Seq | Transformer,
        about: Mapping[str, Any],
        seed: int,
    ) -> None:
        self.settings, self.model, self.seed = config, model, seed
        self.progress: Progress | None = None
        self.validation: Sequence[Pair] = split.validation
        self.examples = _examples(split.train, codec, config.max_tokens, seed)
        """Each source, and the target behind it."""
        lengths = np.array(self.examples.lengths)
        self.source_lengths, self.target_lengths = lengths[::2], lengths[1::2]
        self.device = next(model.parameters()).device
        self.step = 4 if self.device.type == "cuda" else 1
        """Batches are padded to a multiple of so many tokens: a GPU records a step a length."""
        if not self.examples:
            raise DataError(f"no pair to train on has at most {config.max_tokens} tokens")
        longest = int(self.source_lengths.max())
        self.config = {**asdict(model.config), "longest_source": longest}
        self.files = codec.files()
        self.about = {**about, "data": {**about.get("data", {}), **asdict(config)}}
        self.translator = Translator(model, codec, longest, self.about)

    def batches(self, epoch: int) -> list[list[int]]:
        """Numbers of examples of about the same length, in an order that depends on the epoch."""
        generator = seeded_generator(self.seed, epoch)
        sources, targets = self.source_lengths, self.target_lengths
        noise = torch.rand(len(sources), generator=generator).double().numpy()
        longer = np.maximum(sources, targets + 1).tolist()
        order = np.lexsort((targets + 2 * noise, sources)).tolist()
        batches = batches_by_length(longer, self.settings.batch_tokens, self.step, order)
        shuffled = torch.randperm(len(batches), generator=generator).tolist()
        return [batches[place] for place in shuffled]

    def loss(self, batch: list[int], done: float) -> tuple[Tensor, int]:
        """Mean cross-entropy of the target tokens, and how many there are."""
        counts = self._counts(batch)
        source, target = moved(self.device, *map(pad, self._rows(batch)))
        return self._loss(counts, source, target), sum(counts)

    def recordable(self, batch: list[int], done: float) -> Recordable:
        """See `Recordable`: so that the same few shapes come again and again, both sides are as
        long as the longer one, a multiple of some tokens, and rows without a target fill up what a
        batch may hold."""
        counts, (sources, targets) = self._counts(batch), self._rows(batch)
        longest = max(*map(len, sources), *(len(each) - 1 for each in targets))
        length = padded_length(longest, self.step)
        missing = max(0, self.settings.batch_tokens // length - len(batch))
        source = pad([*sources, *[[EOS]] * missing], length)
        target = pad([*targets, *[[]] * missing], length + 1)
        inputs = moved(self.device, source, target)
        learned = partial(self._loss, [*counts, *[0] * missing])
        return Recordable("pairs", learned, inputs, sum(counts))

    def _counts(self, batch: list[int]) -> list[int]:
        """Target tokens of each pair, the end included."""
        counts: list[int] = (self.target_lengths[batch] + 1).tolist()
        return counts

    def _rows(self, batch: list[int]) -> tuple[list[Sequence[int]], list[Sequence[int]]]:
        """The sources of a batch, and the targets between start and end."""
        return (
            [self.examples[2 * number] for number in batch],
            [[BOS, *self.examples[2 * number + 1], EOS] for number in batch],
        )

    def _loss(self, counts: Sequence[int], source: Tensor, target: Tensor) -> Tensor:
        given, wanted = target[:, :-1], target[:, 1:]
        share, shape = self.settings.teacher_forcing, given[:, 1:].shape
        own = torch.rand(shape, device=given.device) >= share if share < 1 else None
        rows, part = team().share(counts)
        source, given, wanted = (x[rows] for x in (source, given, wanted))
        if own is not None:
            given = self._forced(source, given, own[rows])
        if self.settings.r_drop:
            source, given, wanted = (torch.cat([x, x]) for x in (source, given, wanted))
        logits = self.model(source, given)  # [B, T, V]
        loss = F.cross_entropy(
            logits.flatten(0, 1),
            wanted.flatten(),
            ignore_index=PAD,
            label_smoothing=self.settings.label_smoothing,
        )
        if self.settings.r_drop:
            loss = loss + self.settings.r_drop / 2 * divergence(logits, wanted != PAD)
        return loss * part

    def validate(self) -> dict[str, float]:
        """BLEU of greedy translations of the validation part, against the first reference."""
        sources = [s.source for s in self.validation]
        results = self.translator.translate(sources, GREEDY, progress=self.progress)
        references = [s.targets[:1] for s in self.validation]
        return {"bleu": bleu([result.text for result in results], references).value}

    def sample(self) -> str:
        """One validation sentence and its translation."""
        source = self._example()
        return f"{source} → {self.translator.translate([source], GREEDY)[0].text}"

    def traces(self) -> list[AttentionTrace]:
        """Attention on that sentence; none without attention."""
        if self.model.config.attention == "none":
            return []
        source = self._example()
        result = self.translator.translate([source], GREEDY, keep_steps=True)[0]
        return [trace_of(self.translator, result)] if result.tokens else []

    def _example(self) -> str:
        """A validation sentence of middling length, always the same one."""
        sources = [pair.source for pair in self.validation]
        return min(sources, key=lambda s: (abs(len(s.split()) - 9), not s[0].isalpha(), s))

    def _forced(self, source: Tensor, given: Tensor, own: Tensor) -> Tensor:
        """`given` [B, T], with the model's own guesses where teacher forcing is left out: `own`
        [B, T - 1].

        The guesses come from a first pass over the right tokens, so that both passes stay whole
        sequences ("parallel scheduled sampling", Duckworth et al. 2019).
        """
        with torch.no_grad():
            guesses = self.model(source, given).argmax(-1)[:, :-1]
        own = own & (given[:, 1:] != PAD)
        return torch.cat([given[:, :1], torch.where(own, guesses, given[:, 1:])], 1)


def divergence(logits: Tensor, counted: Tensor) -> Tensor:
    """How much two passes over the same tokens disagree: the mean of both Kullback–Leibler
    divergences (Liang et al. 2021, eq. 2).

    Args:
        logits: [2B, T, V]: of the first pass, and behind them of the second.
        counted: boolean [2B, T]: the tokens that the mean is taken over.
    """
    first, second = logits.float().log_softmax(-1).chunk(2)
    each = ((first.exp() - second.exp()) * (first - second)).sum(-1) / 2  # [B, T]
    kept = counted[: len(each)]
    return (each * kept).sum() / kept.sum()


def build(chosen: Chosen, narrator: Narrator) -> TranslationTask:
    """Read, split and cut up the pairs, and build the model for them.

    Raises:
        UsageError: settings that do not go together.
        DataError: pairs or vectors that cannot be read.
    """
    device = choose_device(chosen.device)
    asked: PairsConfig = chosen.make(PairsConfig)
    config: TranslationConfig = chosen.make(TranslationConfig)
    sizes = chosen.part(Seq2SeqConfig)
    if asked.no_attention:
        sizes["attention"] = "none"
    Seq2SeqConfig(vocab_size=config.vocab_size, **sizes)  # complains before the long work
    languages = asked.source_lang, asked.target_lang
    path = asked.source_file or asked.data or find_data(*languages, narrator.transferring)
    is_given = asked.data or asked.source_file
    english_last = not is_given and asked.target_lang == "eng"  # in the archive it is first
    reverse = asked.reverse or english_last
    source_lang, target_lang = languages if english_last or not reverse else languages[::-1]
    with narrator.working(f"reading {path.name}"):
        found = read_pairs(path, reverse, narrator.note, asked.target_file, languages)
    whole = split_pairs(found, chosen.seed)
    split = whole if chosen.keeps_copies else whole.apart()
    left_out = whole.num_pairs - split.num_pairs
    narrator.note(
        f"{path.name}: split by source sentence with seed {chosen.seed}: {len(split.train):,} to "
        f"train on, {len(split.validation):,} to validate, {len(split.test):,} to test; "
        f"{left_out:,} pairs left out of training, since their target validates or tests"
    )
    with narrator.working("learning the tokenizer"):
        if asked.start is None:
            codec = build_codec(split, config)
        else:
            model, codec = from_checkpoint(asked.start, split, sizes, chosen)
    if asked.start is None:
        model = _anew(codec, asked, sizes, chosen, narrator)
    else:
        narrator.note(f"starts from {asked.start}: its vocabulary and sizes")
    model = model.to(device)
    about = {
        "command": chosen.command,
        "seed": chosen.seed,
        "source_lang": source_lang,
        "target_lang": target_lang,
        "reverse": reverse,
        "embeddings": asked.embeddings and Path(asked.embeddings).name,
        "frozen": asked.freeze_embeddings,
        **({} if asked.start is None else {"start": str(asked.start)}),
        "data": {
            "file": path.name,
            "train": len(split.train),
            **({} if chosen.keeps_copies else {"left_out": left_out}),
            "validation": len(split.validation),
            "test": len(split.test),
            "test_hash": split.test_hash,
            "train_hash": train_hash("\t".join((p.source, *p.targets)) for p in split.train),
        },
    }
    with narrator.working("cutting sentences into tokens"):
        return TranslationTask(split, codec, config, model, about, chosen.seed)


def _anew(
    codec: Codec,
    asked: PairsConfig,
    sizes: dict[str, Any],
    chosen: Chosen,
    narrator: Narrator,
) -> Seq2Seq | Transformer:
    """A model with fresh weights, its tokens as word vectors if that was asked."""
    vectors = None
    if asked.embeddings is not None:
        bundled = asked.embeddings == BUNDLED_VECTORS
        vectors = word_vectors(codec, None if bundled else Path(asked.embeddings))
        width = chosen.given.get("embed_dim", vectors.shape[1])  # the vectors bring their own
        sizes = sizes | {"embed_dim": width, "tied": False}
    model = build_model(
        Seq2SeqConfig(vocab_size=codec.size, **sizes), chosen.seed, torch.device("cpu")
    )
    if vectors is not None:
        start_from(model, vectors, asked.freeze_embeddings)
        narrator.note(f"word vectors for {int(vectors.any(1).sum()):,} of {codec.size:,} tokens")
    return model


def from_checkpoint(
    folder: Path, split: Split, sizes: Mapping[str, Any], chosen: Chosen
) -> tuple[Seq2Seq | Transformer, Codec]:
    """A model trained before, of its own sizes but for dropout, and its vocabulary.

    One that copied nothing gets placeholders, whose vectors are drawn.

    Raises:
        UsageError: a size was given that the model does not have.
        DataError: no translator is there.
    """
    before = Translator.load(folder, torch.device("cpu"))
    has = asdict(before.model.config)
    for name in sorted(chosen.given.keys() & has.keys() - {"dropout"}):
        if sizes[name] != has[name]:
            raise UsageError(f"{folder} has {has[name]}", name, sizes[name])
    texts = [(pair.source, target) for pair in split.train for target in pair.targets]
    codec = before.codec.copying(texts)
    config = replace(before.model.config, vocab_size=codec.size, dropout=sizes["dropout"])
    model = build_model(config, chosen.seed, torch.device("cpu"))
    with torch.no_grad():
        for name, old in before.model.state_dict().items():
            new = model.state_dict()[name]
            new[tuple(map(slice, old.shape))] = old  # placeholders come last: rows stay theirs
            if len(new) > len(old):
                _like_names(new[len(old) :], old, before.codec)
    return model, codec


def _like_names(rows: Tensor, table: Tensor, codec: Codec) -> None:
    """Let `rows` of a `table` of tokens begin near the mean of names: those are copied already."""
    names = (codec.token(f"▁{name}") for name in sorted(codec.source.keep & codec.target.keep))
    known = [token for token in names if token is not None]
    if known:
        mean = table[known].mean(0)
        rows.copy_(mean + 0.5 * torch.randn_like(rows) * table[known].std(0))


def build_codec(split: Split, config: TranslationConfig) -> Codec:
    """The vocabulary of the training part."""
    pairs = [(s.source, target) for s in split.train for target in s.targets]
    sources, targets = zip(*pairs, strict=True)
    return Codec.learn(sources, targets, config.vocabulary, config.vocab_size)


def build_model(config: Seq2SeqConfig, seed: int, device: torch.device) -> Seq2Seq | Transformer:
    """A model with fresh weights, the same for the same seed."""
    torch.manual_seed(seed)
    return new_model(config).to(device)


def word_vectors(codec: Codec, path: Path | None) -> Tensor:
    """Vectors [V, E] of the tokens that are words, from a GloVe file; zeros for the others.

    Args:
        codec: whose tokens.
        path: a GloVe or word2vec text file; None takes the bundled GloVe 6B 50d subset.
    """
    words = [codec.piece(token).removeprefix("▁") for token in range(codec.size)]
    return torch.from_numpy(look_up(words, path).vectors)


def start_from(model: Seq2Seq | Transformer, vectors: Tensor, freeze: bool) -> None:
    """Give the source tokens word vectors [V, E], scaled to a mean norm of 1.

    Rows of zeros stay as they are.

    Raises:
        UsageError: vectors of another width, or one table for source and target.
    """
    config = model.config
    if config.tied or vectors.shape[1] != config.embed_dim:
        raise UsageError(
            f"vectors of width {vectors.shape[1]} need tokens of that width and a table of their "
            f"own",
            "embed_dim",
            config.embed_dim,
        )
    table = model.source_embedding.weight
    known = vectors.any(1).to(table.device)
    with torch.no_grad():
        rows = vectors.to(table.device)[known]
        table[known] = rows / rows.norm(dim=1).mean().clamp(min=1e-6)
    table.requires_grad_(not freeze)


def _examples(pairs: Sequence[Pair], codec: Codec, max_tokens: int, seed: int) -> Rows:
    """The tokens of pairs that are not too long: each source, and the target behind it."""
    texts = ((pair.source, target) for pair in pairs for target in pair.targets)
    tokens = codec.encode_pairs(texts, seed)
    return Rows(side for pair in tokens if max(map(len, pair)) <= max_tokens for side in pair)
