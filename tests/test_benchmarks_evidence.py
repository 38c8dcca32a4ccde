"""The studies on synthetic data: their statistics on small arrays, and that every one of them runs."""

import os

import numpy as np
import pytest

from benchmarks.evidence import graph, phase, temporal
from benchmarks.evidence.__main__ import STUDIES, main
from benchmarks.evidence.clusters import NINE
from benchmarks.evidence.stats import bootstrap_crossings, crossing, paired_interval, percentiles, verdict
from benchmarks.evidence.study import Outcome, Study, write


@pytest.mark.parametrize(
    ("share", "expected"),
    [
        ([0.0, 0.25, 0.75, 1.0], 2.5),
        ([0.0, 0.6, 0.4, 1.0], 2.0),  # made increasing: 0, 0.5, 0.5, 1
        ([0.0, 0.1, 0.2, 0.3], np.inf),
        ([0.6, 0.7, 0.8, 0.9], -np.inf),
    ],
)
def test_crossing_of_one_half(share, expected):
    assert crossing(np.array([1.0, 2.0, 3.0, 4.0]), share) == pytest.approx(expected)


def test_bootstrap_resamples_the_draws_of_all_methods_together():
    rng = np.random.default_rng(0)
    x = np.arange(5.0)
    one = rng.random((5, 40)) < (x / 4)[:, None]
    drawn = bootstrap_crossings(x, {"one": one, "same": one, "never": np.zeros_like(one)}, n_draws=200)
    np.testing.assert_array_equal(drawn["one"], drawn["same"])
    low, high = percentiles(drawn["one"])
    assert 1 < low < crossing(x, one.mean(axis=1)) < high < 3
    assert percentiles(drawn["never"]) == (np.inf, np.inf)


def test_verdicts_follow_from_paired_intervals():
    noise = np.random.default_rng(0).normal(size=20)
    mean, low, high = paired_interval(noise + 0.01 * noise[::-1] - 1, noise)
    assert low < mean < high < 0 and verdict(low, high) == "holds"
    assert verdict(*paired_interval(noise, noise[::-1])[1:]) == "open"
    assert verdict(0.1, 0.2) == "does not hold"


def test_readings_of_the_support():
    W = np.array([[1.0, 1.0, 0.0], [-1.0, 0.0, 0.0]])
    tied = np.array([[0.8, 0.9, 0.0], [-0.8, 0.3, 0.0]])  # a free entry below half of its row
    exact = np.array([[0.8, 0.9, 0.0], [-0.7, 0.0, 0.0]])
    wrong = np.array([[0.8, 0.9, 0.1], [-0.8, 0.0, 0.0]])
    found = phase.recovered(np.stack([tied, exact, wrong]), W)
    expected = {"half": [True, True, False], "ties": [True, False, False], "plain": [False, True, False]}
    np.testing.assert_array_equal(found, [expected[name] for name in phase.READINGS])


def test_draws_have_the_structure_that_is_claimed():
    panel = phase.Panel(0.3, (1.0,))
    W = phase.draw(panel, 5, 0)[2]
    assert (np.count_nonzero(W, axis=1) == 13).all() and np.all(W != 0, axis=0).sum() == 4
    W, k = NINE.draw(4, 0)[2], NINE.labels
    distance = np.linalg.norm(W[:, None] - W, axis=2)
    assert distance[k[:, None] == k].max() < distance[k[:, None] != k].min() and NINE.rand(W, W) == 1
    W = graph.draw(4, 0)[2]
    assert all(np.array_equal(W[s] != 0, W[t] != 0) for s, t, _ in graph.RIGHT)
    assert not any(s // graph.SIZE == t // graph.SIZE for s, t, _ in graph.WRONG)
    (X, y, right), (Z, z, wrong) = temporal.draw(4, 0), temporal.draw_shuffled(4, 0)
    tasks = X[:, -1].astype(int), Z[:, -1].astype(int)
    np.testing.assert_array_equal(right[tasks[0]], wrong[tasks[1]])
    np.testing.assert_array_equal(y, z)


def test_a_section_replaces_itself_only(tmp_path):
    studies = [Study(title, "c", "s", None) for title in ("One", "Two")]
    for number, study in enumerate((*studies, studies[0])):
        write(tmp_path, "name", study, Outcome(["| a |", f"number {number}", "### Part"]), "command")
    text = (tmp_path / "RESULTS.md").read_text()
    assert text.count("## One") == text.count("## Two") == 1 and text.index("## One") < text.index("## Two")
    assert "number 0" not in text and "number 1" in text and "number 2" in text


@pytest.mark.parametrize("name", list(STUDIES))
def test_a_quick_run_writes_a_section_and_a_figure(name, tmp_path):
    if name == "masked" and "MTLREG_DATA" not in os.environ:
        pytest.skip("real data: set MTLREG_DATA")
    assert main([name, "--quick", "--out", str(tmp_path)]) == 0
    text = (tmp_path / "RESULTS.md").read_text()
    assert f"`python -m benchmarks.evidence {name} --quick" in text and STUDIES[name].STUDY.title in text
    assert (tmp_path / f"{name}.png").stat().st_size > 1000
