"""Models side by side: the same splits, the same table for the same seed, both ways of giving tasks."""

import numpy as np
import pytest

from mtlreg import melt
from mtlreg.__main__ import digits_tasks, few_per_digit, main
from mtlreg.compare import FAMILIES, compare
from mtlreg.datasets import make_block_sparse

FAST = ["independent", "pooled", "l21"]


@pytest.fixture(scope="module")
def data():
    bunch = make_block_sparse(36, 40, 5, 3, missing=0.1, random_state=0)
    return bunch.X, bunch.y


@pytest.fixture(scope="module")
def comparison(data):
    return compare(*data, families=FAST, cv=3, n_alphas=3)


def test_sharing_features_beats_learning_alone(comparison):
    frame = comparison.to_frame()
    assert list(frame.index) == FAST
    assert comparison.metric == "r2"
    assert frame.loc["l21", "r2"] > frame.loc["independent", "r2"] > frame.loc["pooled", "r2"]
    assert (frame[["helped", "unchanged", "hurt"]].sum(axis=1) == 5).all()
    assert frame.loc["independent", "gain"] == 0
    assert (frame["gap"] <= 1e-4).all()


def test_the_table_says_it_all(comparison):
    text = str(comparison)
    assert text.splitlines()[0].split() == list(comparison.to_frame().reset_index().columns)
    assert "mean over 5 tasks and 3 splits" in text


def test_same_seed_same_table_whatever_the_number_of_jobs(data, comparison):
    again = compare(*data, families=FAST, cv=3, n_alphas=3, n_jobs=2)
    for one, other in zip(comparison.results, again.results, strict=True):
        np.testing.assert_array_equal(one.scores, other.scores)


def test_a_task_column(data):
    X, Y = data
    X, y = melt(X, Y)
    found = compare(X, y, task_feature=-1, families=["independent", "pooled", "l21", "mlp"], cv=2, n_alphas=2)
    assert found.tasks == [0, 1, 2, 3, 4]
    assert all(np.isfinite(r.scores).all() for r in found.results)


def test_classes():
    X, Y, digit = digits_tasks()
    splits = few_per_digit(digit, 10, 1)
    found = compare(X, Y[:, :3], families=["independent", "l21"], cv=splits, n_alphas=2)
    assert found.metric == "roc_auc"
    assert found.to_frame()["roc_auc"].min() > 0.9


def test_plot(comparison):
    figure = pytest.importorskip("matplotlib.figure").Figure()
    ax = comparison.plot(figure.subplots())
    assert [label.get_text() for label in ax.get_yticklabels()] == FAST


def test_splits_have_few_images_of_every_digit():
    _, _, digit = digits_tasks()
    ((train, test),) = few_per_digit(digit, 20, 1)
    assert (np.bincount(digit[train]) == 20).all()
    assert len(np.intersect1d(train, test)) == 0 and len(train) + len(test) == len(digit)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"families": ["l22"]}, "families has 'l22'"),
        ({"metric": "rmse"}, "greater is better"),
        ({"metric": "r3"}, "Unknown metric 'r3'"),
    ],
)
def test_bad_input(data, parameters, message):
    with pytest.raises(ValueError, match=message):
        compare(*data, **parameters)


def test_the_command_prints_a_table_and_saves_a_picture(tmp_path, capsys, monkeypatch):
    import mtlreg.__main__ as command

    monkeypatch.setattr(command, "SIZES", (10,))
    monkeypatch.setattr(
        command, "compare", lambda X, Y, **kw: compare(X, Y, families=["pooled", "l21"], n_alphas=1, **kw)
    )
    picture = tmp_path / "digits.png"
    assert main(["--splits", "1", "--jobs", "1", "--plot", str(picture)]) == 0
    out = capsys.readouterr().out
    assert all(name in out for name in FAMILIES) and "10 training images" in out
    assert picture.stat().st_size > 1000
