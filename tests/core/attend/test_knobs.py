import numpy as np
import pytest

from dlcc.core.attend.mechanisms import AttendConfig
from dlcc.core.attend.source import SOURCE, read_sentences, traces_of
from dlcc.core.attend.trained import load_trained
from dlcc.core.errors import UsageError

SENTENCES = ("the cat sat", "a dog saw the cat")


def trace_of(*config: object, **more: object):
    (trace,) = traces_of(read_sentences(SENTENCES), [AttendConfig(*config)], **more)
    return trace


def values(trace) -> dict[str, str]:
    return {knob.name: knob.value for knob in SOURCE.knobs(trace)}


def test_knobs_are_what_the_trace_was_made_with():
    assert values(trace_of("multihead", 5, True, 0.5, "causal", 3)) == {
        "query": SENTENCES[0],
        "key": SENTENCES[1],
        "mechanism": "multihead",
        "temperature": "0.5",
        "mask": "causal",
        "scaled": "yes",
        "heads": "5",
        "seed": "3",
    }
    assert "scaled" not in values(trace_of("additive"))
    assert "seed" not in values(trace_of())


@pytest.mark.parametrize(
    ("turned", "config"),
    [
        ({"temperature": "2"}, {"temperature": 2.0}),
        ({"mask": "causal"}, {"mask": "causal"}),
        ({"scaled": "no"}, {"scaled": False}),
        ({"mechanism": "multihead", "heads": "5"}, {"mechanism": "multihead", "num_heads": 5}),
        ({"mechanism": "additive", "seed": "4"}, {"mechanism": "additive", "seed": 4}),
    ],
)
def test_what_is_turned_is_what_would_have_been_made(turned, config):
    (found,) = SOURCE.turned(trace_of(), **turned)
    (expected,) = traces_of(read_sentences(SENTENCES), [AttendConfig(**config)])
    assert np.array_equal(found.weights, expected.weights)
    assert found.made_by == expected.made_by
    assert {**values(found), **turned} == values(found)
    if "mechanism" not in turned:
        assert not np.allclose(found.weights, trace_of().weights)


def test_words_are_edited():
    (found,) = SOURCE.turned(trace_of(), query="her book", key="")
    assert found.query == found.key == ("her", "book")
    assert values(found)["key"] == ""
    with pytest.raises(UsageError, match="without a word"):
        SOURCE.turned(found, query=" ")
    with pytest.raises(UsageError, match="temperature"):
        SOURCE.turned(found, temperature="0")


def test_learned_attention_stays_learned():
    trace = trace_of("trainable", trained=load_trained("relations"), name="relations")
    assert "seed" not in values(trace)
    (found,) = SOURCE.turned(trace, temperature="2")
    assert found.made_by["options"]["load"] == "relations"
    assert np.allclose(found.scores * 2, trace.scores, atol=1e-5)


def test_traces_that_do_not_say_how_they_were_made_have_no_knobs():
    from dataclasses import replace

    assert SOURCE.knobs(replace(trace_of(), made_by={})) == []
    assert SOURCE.knobs(replace(trace_of(), made_by={"command": "dlcc attend"})) == []


def test_traces_without_tensors_can_be_turned_too():
    from dataclasses import replace

    bare = replace(trace_of("multihead"), tensors={}, scores=None)
    (found,) = SOURCE.turned(bare, mask="causal")
    assert found.made_by["mask"] == "causal"
    assert "heads" not in values(bare)
