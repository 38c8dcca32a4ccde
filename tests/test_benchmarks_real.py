"""The runs on real data: what they compute on tiny arrays, a quick run where the data are, a clear word where not."""

import os
import re
from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression
from sklearn.metrics import r2_score

from benchmarks.real.__main__ import DATA, main
from benchmarks.real.figures import ArgmaxOfTasks, Figure, arrmse, average, gain, verdict
from benchmarks.real.job import few_rows
from mtlreg.compare import Comparison, ModelResult


def result(name, values, share=0.25):
    scores = np.array(values)
    return ModelResult(name, scores, {"macro": scores.mean(axis=1)}, np.nan, np.nan, 0.0, share)


def test_arrmse_is_relative_to_the_training_mean():
    rng = np.random.default_rng(0)
    y, prediction = rng.normal(size=(12, 2)), rng.normal(size=(12, 2))
    splits = [(np.arange(7), np.arange(7, 12)), (np.arange(5, 12), np.arange(5))]
    r2 = [r2_score(y[test], prediction[test], multioutput="raw_values") for _, test in splits]
    expected = [
        np.mean(
            np.sqrt(((y[test] - prediction[test]) ** 2).sum(0) / ((y[test] - y[train].mean(0)) ** 2).sum(0)),
        )
        for train, test in splits
    ]
    np.testing.assert_allclose(arrmse(result("model", r2), SimpleNamespace(y=y, splits=splits)), expected)


def test_argmax_takes_the_task_that_predicts_most():
    X = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [2.0, 1.0, 0.0]])
    y = np.array([3, 5, 9, 3])
    model = ArgmaxOfTasks(LinearRegression()).fit(X, y)
    np.testing.assert_array_equal(model.predict(X), y)
    assert model.score(X, np.array([3, 5, 9, 5])) == 0.75


def test_gains_are_those_of_the_comparison_with_errors_turned_round():
    models = [result("independent", [[0.2, 0.4], [0.5, 0.1]]), result("l21", [[0.6, 0.7], [0.9, 0.4]])]
    found = Comparison("r2", [0, 1], models)
    score, error = average("score", "macro"), Figure("error", lambda r, job: 1 - r.overall["macro"], sign=-1)
    job = SimpleNamespace(few=False)
    expected = found.gain_interval("l21", "independent")
    np.testing.assert_allclose(gain(found, job, score, "l21", "independent"), expected)
    np.testing.assert_allclose(gain(found, job, error, "l21", "independent"), expected)
    mean, low, high = gain(found, SimpleNamespace(few=True), score, "l21", "independent")
    assert mean == pytest.approx(expected[0]) and low > expected[1] and high < expected[2]


@pytest.mark.parametrize(
    ("interval", "word"),
    [((1, 0.5, 1.5), "better"), ((1, -0.5, 2.5), "open"), ((-1, -2, -0.1), "worse"), ((1, np.nan, np.nan), "open")],
)
def test_only_an_interval_without_zero_says_something(interval, word):
    assert verdict(interval) == word


def test_few_rows_of_every_group():
    groups = np.repeat([0, 1, 2], [5, 8, 9])
    for train, test in few_rows(groups, 3, 2):
        np.testing.assert_array_equal(np.bincount(groups[train]), [3, 3, 3])
        np.testing.assert_array_equal(np.sort(np.concatenate([train, test])), np.arange(22))


@pytest.mark.parametrize("folder", [None, "missing"])
def test_without_data_a_word_and_status_2(folder, tmp_path, monkeypatch, capsys):
    if folder is None:
        monkeypatch.delenv("MTLREG_DATA", raising=False)
    else:
        monkeypatch.setenv("MTLREG_DATA", str(tmp_path / folder))
    assert main(["--quick"]) == 2
    assert "MTLREG_DATA" in capsys.readouterr().err


@pytest.mark.skipif("MTLREG_DATA" not in os.environ, reason="the data are not here")
def test_a_quick_run_writes_numbers(tmp_path):
    out = tmp_path / "results.md"
    assert main(["--data", "slump", "--quick", "--out", str(out)]) == 0
    text = out.read_text()
    assert DATA["slump"].title in text and "`python -m benchmarks.real --data slump --quick`" in text
    table = text.partition("### ")[2].partition("\n\n")[2].partition("\n\n")[0]
    rows = {line.split(" | ")[0].strip("| "): line.split(" | ") for line in table.splitlines()}
    macro, error = (float(rows["independent"][k]) for k in (1, 2))
    assert 0 < macro < 100 and 0 < error < 1
    assert re.fullmatch(r"[+-]\d+\.\d\d \[[+-]\d+\.\d\d, [+-]\d+\.\d\d\]", rows["l21"][3])
    assert "nan" not in text
