"""Relations as tasks, teaching them, and the trained attention as a file."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file
from safetensors.torch import save_file as torch_file

from dlcc.core.attend.mechanisms import AttendConfig, attend
from dlcc.core.attend.relations import RELATIONS, RelationConfig, RelationTask, hold_out, load_task
from dlcc.core.attend.teaching import Kind, compare, kinds, measure, new_attention, scores, teach
from dlcc.core.attend.trained import TrainedAttention, load_trained, prepare, save_trained
from dlcc.core.errors import DataError, UsageError
from dlcc.core.files.paths import asset
from dlcc.core.files.vectors import look_up


@pytest.fixture(scope="module")
def task():
    """Partners are a fixed rotation of their query words, with some noise."""
    rng = np.random.default_rng(0)
    width, count = 8, 40
    left, _, right = np.linalg.svd(3 * np.eye(width) + rng.normal(size=(width, width)))
    query = rng.normal(size=(count, width))
    key = query @ (left @ right) + 0.1 * rng.normal(size=(count, width))
    return RelationTask(
        queries=tuple(f"q{n}" for n in range(count)),
        keys=tuple(f"k{n}" for n in range(count)),
        target=np.arange(count),
        relation=np.array([0] * 30 + [1] * 10),
        query_vectors=query.astype(np.float32),
        key_vectors=key.astype(np.float32),
        missing=(),
        source="made",
    )


@pytest.fixture(scope="module")
def comparison(task):
    seen = []
    config = RelationConfig(held_out=6, num_seeds=2, steps=40)
    result = compare(task, config, progress=lambda done, total: seen.append((done, total)))
    total = 2 * len(kinds(("fixed", "learned")))
    assert seen == [(done, total) for done in range(1, total + 1)]
    return result


def rows(comparison):
    return {(r.kind.name, r.kind.embeddings, r.kind.start): r for r in comparison.rows}


def mean(figures):
    return sum(item.accuracy for item in figures) / len(figures)


@pytest.mark.parametrize("name", RELATIONS)
def test_a_bundled_relation_is_whole(name):
    task = load_task([name])
    assert len(task.queries) >= (60 if name != "pronoun-object" else 8)
    assert task.missing == ()
    assert len(set(task.queries)) == len(task.queries)
    assert all(task.query_vectors.any(1))
    assert all(task.key_vectors.any(1))


def test_pairs_are_what_the_file_says():
    task = load_task(["country-capital"])
    partner = {q: task.keys[task.target[n]] for n, q in enumerate(task.queries)}
    assert partner["france"] == "paris"
    assert partner["japan"] == "tokyo"
    assert not set(task.queries) & set(task.keys)


def test_a_word_of_several_relations_asks_in_the_first():
    task = load_task(list(RELATIONS))
    assert len(set(task.queries)) == len(task.queries)
    assert len(set(task.keys)) == len(task.keys)
    assert set(task.relation) == set(range(len(RELATIONS)))


def test_pairs_of_ones_own(tmp_path):
    file = tmp_path / "own.tsv"
    lines = [
        "# a\tb",
        "cat\tcats",
        "dog\tdogs",
        "xyzzyq\tcars",
        "car\tcars",
        "man\tmen",
        "",
        "a\tb",
    ]
    file.write_text("\n".join([*lines, "the\tof"]), "utf-8")
    task = load_task([str(file)])
    assert task.queries == ("cat", "dog", "car", "man", "a", "the")
    assert task.missing == ("xyzzyq",)
    file.write_text("cat\tcats\ndog dogs\n", "utf-8")
    with pytest.raises(DataError, match=r"own.tsv, line 2: .*'dog dogs'"):
        load_task([str(file)])
    file.write_text("cat\tcats\n", "utf-8")
    with pytest.raises(DataError, match="1 pairs with word vectors: at least 5"):
        load_task([str(file)])
    with pytest.raises(DataError, match="relation planets: No such file"):
        load_task(["planets"])


def test_held_out_pairs_are_of_every_relation_and_of_the_seed(task):
    config = RelationConfig(held_out=4)
    training, held = hold_out(task, config, run=0)
    assert sorted([*training, *held]) == list(range(40))
    assert [int((task.relation[held] == n).sum()) for n in (0, 1)] == [4, 2]  # a fifth of ten
    assert np.array_equal(held, hold_out(task, config, run=0)[1])
    assert not np.array_equal(held, hold_out(task, config, run=1)[1])
    assert not np.array_equal(held, hold_out(task, replace(config, seed=1), run=0)[1])


@pytest.mark.parametrize("options", [{"held_out": 0}, {"num_seeds": 0}, {"steps": 0}])
def test_a_config_names_the_option(options):
    with pytest.raises(UsageError, match=r"(held_out|seeds|steps) 0: at least 1"):
        RelationConfig(**options)


@pytest.mark.parametrize("name", ["trainable", "additive"])
def test_a_similarity_start_ranks_keys_as_the_cosine_does(name):
    generator = torch.Generator().manual_seed(0)
    query, key = (torch.randn(n, 50, generator=generator) for n in (5, 9))
    query, key = (part / part.norm(dim=1, keepdim=True) for part in (query, key))
    with torch.no_grad():
        found = scores(new_attention(Kind(name, "fixed", "similarity"), 50, 30.0), query, key)
    cosine = query @ key.T
    slope = torch.linalg.lstsq(
        torch.stack([cosine.flatten(), torch.ones(45)], 1), found.flatten()[:, None]
    ).solution[0]
    assert float(slope) == pytest.approx(30.0, rel=0.15)
    both = torch.stack([cosine.flatten(), found.flatten()])
    assert torch.corrcoef(both)[0, 1] > 0.99


def test_figures_by_hand():
    found = measure(torch.tensor([[0.0, math.log(3)], [0.0, 0.0]]), torch.tensor([1, 1]))
    assert found.weight == pytest.approx((0.75 + 0.5) / 2)
    assert found.accuracy == 0.5


def test_projections_carry_over_and_learned_keys_do_not(comparison):
    found = rows(comparison)
    taught = found["trainable", "fixed", "similarity"]
    plain = found["dot-product", "learned", ""]
    assert mean(taught.after) > mean(taught.before)
    assert mean(taught.after) > mean(found["dot-product", "fixed", ""].after)
    assert mean(plain.training) > 0.95
    assert mean(plain.after) < mean(plain.before)
    assert found["cosine × 10", "fixed", ""].before == found["cosine × 10", "fixed", ""].after


def test_learning_moves_the_training_keys_alone(task):
    query, key = torch.from_numpy(task.query_vectors), torch.from_numpy(task.key_vectors)
    target = torch.arange(30)
    kind = Kind("dot-product", "learned")
    changed = teach(None, query[:30], key, target, RelationConfig(steps=5), kind)
    assert torch.equal(changed[30:], key[30:])
    assert (changed[:30] != key[:30]).any(1).all()
    fixed = Kind("trainable", "fixed", "similarity")
    module = new_attention(fixed, 8, 30.0)
    same = teach(module, query[:30], key, target, RelationConfig(steps=5), fixed)
    assert torch.equal(same, key)
    assert torch.equal(module.value_proj.weight, torch.eye(8))


def test_the_same_seed_gives_the_same_figures(task, comparison):
    again = compare(task, RelationConfig(held_out=6, num_seeds=2, steps=40), ("fixed",))
    found = rows(comparison)
    assert all(found[kind] == row for kind, row in rows(again).items())


def test_a_trained_attention_goes_through_a_file(tmp_path, task, comparison):
    path = tmp_path / "own.safetensors"
    save_trained(path, comparison.trained)
    loaded = load_trained(str(path))
    assert list(loaded.mechanisms) == ["trainable", "additive"]
    assert loaded.about == comparison.trained.about
    assert np.array_equal(loaded.centre, comparison.trained.centre)
    held = [n for n, q in enumerate(task.queries) if [q, f"k{n}"] in loaded.about["held_out"]]
    row = rows(comparison)["trainable", "fixed", "similarity"]
    query = prepare(task.query_vectors[held], loaded.centre)
    key = prepare(task.key_vectors, loaded.centre)
    trace = attend(
        ([task.queries[n] for n in held], query),
        (list(task.keys), key),
        AttendConfig("trainable"),
        loaded.mechanisms["trainable"],
    )
    weights = trace.weights[0, 0]
    assert (weights.argmax(1) == held).mean() == pytest.approx(row.after[0].accuracy)
    assert weights[range(len(held)), held].mean() == pytest.approx(row.after[0].weight, abs=1e-4)


def test_the_bundled_attention_knows_its_relations():
    loaded = load_trained("relations")
    words = ["france", "she", "sang", "paris", "her", "sing", "table"]
    vectors = prepare(look_up(words).vectors, loaded.centre)
    for name, weights in loaded.mechanisms.items():
        sides = (words[:2], vectors[:2]), (words[3:], vectors[3:])
        trace = attend(*sides, AttendConfig(name), weights)
        assert trace.weights[0, 0, 0, 0] > 0.9, name
        assert trace.weights[0, 0, 1, 1] > 0.9, name
    assert loaded.about["relations"] == list(RELATIONS)


def test_the_bundled_attention_is_the_one_described():
    import json

    described = json.loads(asset("relations.json").read_text("utf-8"))
    assert load_trained("relations").about == described


def test_prepared_vectors_have_length_one_and_unknown_words_stay_zero():
    vectors = np.array([[3, 0], [0, 0], [1, 1]], np.float32)
    prepared = prepare(vectors, np.array([1, 1], np.float32))
    assert prepared == pytest.approx(np.array([[2 / 5**0.5, -1 / 5**0.5], [0, 0], [0, 0]]))


def test_what_is_no_trained_attention_is_a_data_error(tmp_path):
    path = tmp_path / "x.safetensors"
    for content in (b"", b"not safetensors at all", None):
        path.write_bytes(content) if content is not None else save_file(
            {"centre": np.zeros(3, np.float32)}, path
        )
        with pytest.raises(DataError, match=f"load {path}"):
            load_trained(str(path))
    torch_file({"centre": torch.zeros(3, dtype=torch.bfloat16)}, path)
    with pytest.raises(DataError, match=f"load {path}"):
        load_trained(str(path))
    with pytest.raises(DataError, match="load nowhere: there is no such file"):
        load_trained("nowhere")
    broken = TrainedAttention({"trainable": {"w": np.full(2, np.nan)}}, np.zeros(2), {})
    save_trained(path, broken)
    with pytest.raises(DataError, match="NaN"):
        load_trained(str(path))
    save_trained(path, TrainedAttention({}, np.zeros(2), {}))
    with pytest.raises(DataError, match="holds no attention"):
        load_trained(str(path))
    assert list(Path(tmp_path).iterdir()) == [path]
