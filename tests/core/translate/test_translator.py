import itertools
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from dlcc.core.errors import DataError, UsageError
from dlcc.core.files.rows import Rows
from dlcc.core.trace.maps import by_word
from dlcc.core.trace.trace import load_traces, save_traces
from dlcc.core.train.checkpoint import save_checkpoint
from dlcc.core.translate.alignment import _is_in_phrase, alignment_errors, read_alignments
from dlcc.core.translate.config import ARCHITECTURES, Seq2SeqConfig, TranslationConfig
from dlcc.core.translate.data import Pair, Split
from dlcc.core.translate.score import differences, score_translations
from dlcc.core.translate.source import TranslateSource, choose, steps_of, trace_of
from dlcc.core.translate.task import (
    TranslationTask,
    build_codec,
    build_model,
    divergence,
    start_from,
    word_vectors,
)
from dlcc.core.translate.translator import GREEDY, KIND, SearchOptions, Translator

ENGLISH = "a dog cat bird sees hears likes the"
SPANISH = "un perro gato ave ve oye quiere el"
WORDS = dict(zip(ENGLISH.split(), SPANISH.split(), strict=True))


def _sentences() -> tuple[Pair, ...]:
    """All of "The dog sees a cat.", word by word the same in the other language."""
    nouns, verbs = ("dog", "cat", "bird"), ("sees", "hears", "likes")
    parts = itertools.product(["the"], nouns, verbs, ["a", "the"], nouns)
    return tuple(
        Pair(_written(words), (_written([WORDS[word] for word in words]),)) for words in parts
    )


def _written(words: Sequence[str]) -> str:
    return " ".join(words).capitalize() + "."


def _task(architecture: str = "gru", **config: object) -> TranslationTask:
    sentences = _sentences()
    split = Split(sentences[6:], sentences[3:6], sentences[:3])
    data = TranslationConfig(vocab_size=60, batch_tokens=120, **config)  # type: ignore[arg-type]
    codec = build_codec(split, data)
    sizes = Seq2SeqConfig(codec.size, 16, 32, 1, 2, dropout=0.0, architecture=architecture)
    model = build_model(sizes, 0, torch.device("cpu"))
    return TranslationTask(split, codec, data, model, {"seed": 0}, 0)


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    """Threads wait for each other at every small step, for long when the machine is busy."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module", params=ARCHITECTURES)
def task(request: pytest.FixtureRequest) -> TranslationTask:
    """A task whose model has learned the toy language."""
    task = _task(request.param)
    optimizer = torch.optim.AdamW(task.model.parameters(), 1e-2)
    steps = [batch for epoch in range(30) for batch in task.batches(epoch)]
    for number, batch in enumerate(steps):
        optimizer.param_groups[0]["lr"] = 1e-2 * (1 - number / len(steps))
        optimizer.zero_grad()
        task.loss(batch, 0.0)[0].backward()
        optimizer.step()
    task.model.eval()
    return task


def test_it_learns_a_toy_language(task: TranslationTask) -> None:
    assert task.validate()["bleu"] > 95
    assert "→ El " in task.sample()


def test_pairs_that_are_all_too_long_are_an_error() -> None:
    with pytest.raises(DataError, match="at most 3 tokens"):
        _task(max_tokens=3)


def test_batches_hold_each_example_once_and_keep_to_the_limit(task: TranslationTask) -> None:
    batches = task.batches(0)
    assert sorted(n for batch in batches for n in batch) == list(range(len(task.source_lengths)))
    longer = [
        max(map(len, task.examples[2 * n : 2 * n + 2])) for n in range(len(task.examples) // 2)
    ]
    longest = [max(longer[n] for n in batch) for batch in batches]
    assert all(len(b) * n <= 120 for b, n in zip(batches, longest, strict=True))
    assert task.batches(0) == batches != task.batches(1)


def test_the_loss_of_a_batch_does_not_see_padding() -> None:
    task = _task(label_smoothing=0.0)
    task.examples, task.target_lengths = Rows([(5, 6), (7,), (5, 6), (8, 9, 10)]), np.array([1, 3])
    both, items = task.loss([0, 1], 0.0)
    one, other = (task.loss([n], 0.0)[0] for n in (0, 1))
    assert items == 2 + 4
    assert both.item() == pytest.approx((2 * one.item() + 4 * other.item()) / 6, rel=1e-5)


def test_two_passes_are_held_together_by_both_divergences() -> None:
    torch.manual_seed(0)
    logits, counted = torch.randn(4, 3, 5), torch.tensor([[True, True, False], [True] * 3] * 2)
    first, second = (part[counted[:2]].log_softmax(-1) for part in logits.chunk(2))
    both = [F.kl_div(a, b, log_target=True, reduction="sum") / 5 for a, b in
            ((first, second), (second, first))]  # fmt: skip
    assert divergence(logits, counted).item() == pytest.approx(sum(both).item() / 2)
    plain, held = (_task(r_drop=weight).loss([0, 1, 2], 0.0)[0] for weight in (0.0, 5.0))
    assert held.item() == pytest.approx(plain.item())  # without dropout both passes agree
    task = _task(r_drop=5.0)
    task.model.config = replace(task.model.config, dropout=0.5)
    assert task.loss([0, 1, 2], 0.0)[0] > plain + 0.1


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_what_a_gpu_records_has_few_shapes_and_the_same_loss(architecture: str) -> None:
    task, shapes = _task(architecture), set()
    task.step = 4
    for batch in task.batches(0):
        plain, items = task.loss(batch, 0.0)
        step = task.recordable(batch, 0.0)
        shapes.add(tuple(each.shape for each in step.inputs))
        assert step.items == items
        assert step.loss(*step.inputs).item() == pytest.approx(plain.item(), rel=1e-5)
    assert len(shapes) < len(task.batches(0)) / 2
    assert all(s[0] * s[1] <= 120 and s[1] % 4 == 0 and t[1] == s[1] + 1 for s, t in shapes)


def test_without_teacher_forcing_the_decoder_is_given_its_own_guesses(
    task: TranslationTask,
) -> None:
    own = _task(teacher_forcing=0.0)
    torch.manual_seed(0)
    assert own.loss([0, 1], 0.0)[0].item() != pytest.approx(
        _task().loss([0, 1], 0.0)[0].item(), rel=1e-6
    )


def test_translations_keep_their_order_and_say_what_is_wrong(task: TranslationTask) -> None:
    texts = [
        "The dog sees a cat.",
        "",
        "中文",
        "The cat hears the bird.",
        "The wolf sees a cat " * 9,
    ]
    results = task.translator.translate(texts)
    assert results[0].text == "El perro ve un gato."
    assert results[3].text == "El gato oye el ave."
    assert results[1].problem == "an empty line"
    assert "no character of it" in results[2].problem
    assert (results[1].text, results[2].text) == ("", "")
    assert "the longest trained on had" in results[4].problem
    assert results[4].unknown == ("wolf",)
    beams = task.translator.translate(texts[:1], SearchOptions(beam=4))[0]
    assert beams.text == results[0].text
    assert len({text for text, _ in beams.others}) == len(beams.others) > 1


def test_a_translation_does_not_depend_on_the_lines_beside_it(
    task: TranslationTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dlcc.core.train.runtime.has_fast_bfloat16", lambda device: True)
    lines = [sentence.source for sentence in _sentences()]
    for options in (GREEDY, SearchOptions(beam=3)):
        for line, beside in zip(lines, task.translator.translate(lines, options), strict=True):
            alone = task.translator.translate([line], options)[0]
            assert alone.text == beside.text
            assert alone.score == pytest.approx(beside.score, abs=1e-5)


def test_a_missing_full_stop_is_set(task: TranslationTask) -> None:
    result = task.translator.translate(["The dog sees a cat"])[0]
    assert result.text == "El perro ve un gato."
    assert result.source == "The dog sees a cat"
    assert result.source_tokens.texts[-1] == "."


def test_a_list_keeps_its_marks(task: TranslationTask) -> None:
    translator = task.translator
    plain, listed, bare = translator.translate(
        ["The dog sees a cat.", "- The dog sees a cat.", "-"]
    )
    assert listed.text == f"- {plain.text}"
    assert listed.source == "- The dog sees a cat."
    assert listed.tokens == plain.tokens
    assert listed.others[0] == (listed.text, plain.others[0][1])
    assert not bare.text.startswith("- ")


def test_a_long_line_is_translated_sentence_by_sentence(task: TranslationTask) -> None:
    sentences = ["The dog sees a cat.", "The wolf sees a cat.", "The cat hears the bird."]
    alone = task.translator.translate(sentences)
    line = task.translator.translate([" ".join(sentences)])[0]
    assert line.text == " ".join(result.text for result in alone)
    assert [part.tokens for part in line.parts] == [result.tokens for result in alone]
    assert line.unknown == ("wolf",)
    assert line.score == pytest.approx(sum(result.score for result in alone), abs=1e-3)


def test_a_trace_holds_the_steps_and_recomputes_from_its_tensors(
    task: TranslationTask, tmp_path: Path
) -> None:
    result = task.translator.translate(["The dog sees a cat."], keep_steps=True)[0]
    trace = trace_of(task.translator, result, {"source": "test"})
    assert trace.key == result.source_tokens.texts
    assert trace.query[-1] == "</s>"
    assert len(trace.query) == len(result.tokens) + 1
    scores = trace.tensors["query"] @ trace.tensors["key"].swapaxes(-1, -2) * trace.scale
    weights = np.exp(scores) / np.exp(scores).sum(-1, keepdims=True)
    np.testing.assert_allclose(weights, trace.weights, atol=1e-5)
    for row, token in zip(trace.details["alternatives"], trace.query, strict=True):
        assert row[0][0] == token
        assert [p for _, p in row] == sorted((p for _, p in row), reverse=True)
    save_traces(tmp_path / "a.trace", [trace])
    assert load_traces(tmp_path / "a.trace")[0].details["ids"] == trace.details["ids"]


@pytest.mark.parametrize("options", [GREEDY, SearchOptions()])
def test_a_trace_shows_the_search_s_own_steps(
    task: TranslationTask, options: SearchOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is decoded to be shown, and it is what decoding the translation would give."""
    texts = ["The dog sees a cat.", "The bird likes the very dog that hears a cat."]  # padded
    results = task.translator.translate(texts, options, keep_steps=True)
    source = TranslateSource(options=options)
    source.translator = task.translator
    decode, calls = task.model.decode, []
    monkeypatch.setattr(task.model, "decode", lambda *given: calls.append(given))
    traces = source.traces_of(results)
    assert not calls
    monkeypatch.setattr(task.model, "decode", decode)
    for result, trace in zip(results, traces, strict=True):
        memory, decoded = task.translator.decode(result.source_tokens.ids, result.tokens)
        count = trace.weights.shape[2]
        assert count == len(result.tokens) + 1
        assert decoded.weights is not None
        close = partial(np.testing.assert_allclose, atol=1e-5)
        if task.model.config.architecture == "gru":
            close(trace.weights[0, 0], decoded.weights[0].numpy())
            close(trace.tensors["query"][0, 0], decoded.query[0].numpy())
            close(trace.tensors["key"][0, 0], memory.states[0].numpy())
        else:
            close(trace.weights, decoded.weights[0].permute(1, 2, 0, 3).numpy())
            close(trace.tensors["query"], decoded.query[0].permute(1, 2, 0, 3).numpy())
            close(trace.tensors["key"], memory.projected[0, :, 0].numpy())
        shares = decoded.logits[0].softmax(-1)
        for row, share in zip(trace.details["alternatives"], shares, strict=True):
            close([probability for _, probability in row], share.topk(8).values, atol=1e-4)


def test_words_gather_the_weights_of_their_tokens(task: TranslationTask) -> None:
    result = task.translator.translate(["The dog sees a cat."], keep_steps=True)[0]
    words = by_word(trace_of(task.translator, result))
    assert words.key == ("The", "dog", "sees", "a", "cat", ".")
    assert words.query == ("el", "perro", "ve", "un", "gato", ".")
    np.testing.assert_allclose(words.weights.sum(-1), 1, atol=1e-5)


def test_another_word_is_kept_and_the_rest_translated_again(task: TranslationTask) -> None:
    result = task.translator.translate(["The dog sees a cat."], keep_steps=True)[0]
    trace = trace_of(task.translator, result)
    other = trace.details["alternatives"][2][1][0]
    again = choose(task.translator, trace, 2, other)
    assert again.tokens[:2] == result.tokens[:2]
    assert task.translator.codec.piece(again.tokens[2]) == other
    with pytest.raises(UsageError, match="'nowhere' cannot stand at step 3"):
        choose(task.translator, trace, 2, "nowhere")


def test_a_saved_translator_translates_the_same(task: TranslationTask, tmp_path: Path) -> None:
    for half in (False, True):
        folder = tmp_path / str(half)
        save_checkpoint(
            folder,
            kind=KIND,
            weights=task.model.state_dict(),
            config=task.config,
            about={},
            files=task.files,
            half=half,
        )
        again = Translator.load(folder, torch.device("cpu"))
        texts = [sentence.source for sentence in task.validation]
        wanted = [r.text for r in task.translator.translate(texts)]
        assert [r.text for r in again.translate(texts)] == wanted
    data = bytearray((folder / "model.safetensors").read_bytes())
    data[-1] ^= 1
    (folder / "model.safetensors").write_bytes(data)
    with pytest.raises(DataError, match=r"model.safetensors is damaged: its checksum differs"):
        Translator.load(folder, torch.device("cpu"))


def test_without_attention_there_is_no_trace() -> None:
    task = _task()
    sizes = Seq2SeqConfig(task.translator.codec.size, 16, 32, 1, 2, attention="none")
    translator = Translator(
        build_model(sizes, 0, torch.device("cpu")).eval(), task.translator.codec, 9, {}
    )
    result = translator.translate(["The dog sees a cat."], keep_steps=True)[0]
    assert result.steps is not None
    assert list(steps_of(translator, result.steps)) == ["alternatives"]
    with pytest.raises(UsageError, match="no attention"):
        trace_of(translator, result)


def test_scores_by_length_and_sentences_that_differ(task: TranslationTask) -> None:
    sentences = [*task.validation, Pair("Dog", ("Perro",))]
    found = score_translations(task.translator, sentences, SearchOptions())
    assert [(each.lengths, each.sentences) for each in found.by_length] == [("1–5", 4)]
    assert found.by_length[0].bleu == pytest.approx(found.bleu.value)
    assert found.bleu_all.value == pytest.approx(found.bleu.value)
    assert differences(sentences, found, found, 3) == []


def test_alignment_errors_of_a_word_by_word_language(task: TranslationTask, tmp_path: Path) -> None:
    file = tmp_path / "pairs.tsv"
    lines = ["# a remark"]
    for sentence in task.validation:
        links = " ".join(f"{n}-{n}" for n in range(6))
        lines.append(f"{sentence.source}\t{sentence.targets[0]}\t{links}")
    file.write_text("\n".join(lines))
    errors = alignment_errors(task.translator, read_alignments(file))
    assert (errors.pairs, errors.links, errors.diagonal) == (3, 18, 0.0)
    assert 0 <= errors.emission <= 1
    assert errors.emission != errors.fed_back


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("one\tuno", "line 1: source<TAB>target<TAB>i-j"),
        ("one\tuno\t0-x", "line 1: source<TAB>target<TAB>i-j"),
        ("one\tuno\t0-1", "line 1: a link to a word that is not there"),
        ("# nothing", "holds no aligned pair"),
        ("one\tuno\t", "holds no aligned pair"),
        ("\tuno\t", "line 1: a side without a word"),
        ("one\t \t", "line 1: a side without a word"),
    ],
)
def test_bad_alignment_files_are_refused(tmp_path: Path, line: str, message: str) -> None:
    (tmp_path / "a.tsv").write_text(line)
    with pytest.raises(DataError, match=message):
        read_alignments(tmp_path / "a.tsv")


@pytest.mark.parametrize("freeze", [False, True])
def test_word_vectors_begin_the_source_table(freeze: bool, tmp_path: Path) -> None:
    (tmp_path / "glove.txt").write_text("dog 3 4\ncat 0 5\nzebra 1 1\n")
    sentences = _sentences()
    split = Split(sentences[6:], sentences[3:6], sentences[:3])
    codec = build_codec(split, TranslationConfig(vocabulary="words", vocab_size=60))
    vectors = word_vectors(codec, tmp_path / "glove.txt")
    dog = codec.tokenizer.token_to_id("▁dog")
    assert vectors[dog].tolist() == [3, 4]
    assert vectors.any(1).sum() == 2
    model = build_model(Seq2SeqConfig(codec.size, 2, 8, tied=False), 0, torch.device("cpu"))
    fresh = model.source_embedding.weight.detach().clone()
    start_from(model, vectors, freeze)
    table = model.source_embedding.weight
    torch.testing.assert_close(table[dog], torch.tensor([0.6, 0.8]))
    torch.testing.assert_close(table[~vectors.any(1)], fresh[~vectors.any(1)])
    assert table.requires_grad is not freeze
    with pytest.raises(UsageError, match="embed_dim 16: vectors of width 2"):
        start_from(_task().model, vectors, freeze)


def test_words_of_phrases_are_told_from_single_ones() -> None:
    links = frozenset({(0, 0), (1, 1), (2, 1), (3, 2), (3, 3)})  # 1 2: one word; 3: two words
    assert [_is_in_phrase(word, links) for word in range(4)] == [False, True, True, True]
