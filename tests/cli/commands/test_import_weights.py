import json

import numpy as np

from dlcc.core.trace.trace import load_traces


def test_weights_become_a_trace_that_is_viewed(run_dlcc, tmp_path):
    array = np.array([[[0.25, 0.75], [1, 0]]], np.float16)
    np.savez(tmp_path / "x.npz", w=array)
    (tmp_path / "tokens.txt").write_text("she\nher\n")
    given = (tmp_path / "x.npz", "--tokens", tmp_path / "tokens.txt")
    saved = run_dlcc("import", *given, "--save", tmp_path / "x.trace")
    assert (saved.exit_code, saved.stdout) == (0, "")
    (trace,) = load_traces(tmp_path / "x.trace")
    assert trace.query == trace.key == ("she", "her")
    assert np.array_equal(trace.weights[0], array)
    assert "→ her 0.75" in run_dlcc("view", tmp_path / "x.trace").stdout
    assert "→ her 0.75" in run_dlcc("import", *given).stdout
    (shown,) = json.loads(run_dlcc("import", *given, "--json").stdout)["results"]
    assert shown["query"] == ["she", "her"]


def test_what_does_not_fit_is_one_line(run_dlcc, tmp_path):
    np.save(tmp_path / "x.npy", np.full((2, 2), 0.7))
    result = run_dlcc("import", tmp_path / "x.npy")
    assert result.exit_code == 3
    assert result.stderr == (
        "error: --normalise: x needs it: query 1 of layer 1, head 1 sums to 1.4, not 1\n"
    )
