"""Splitters that know the tasks."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, cross_val_score

from mtlreg import BlockSparseClassifier, BlockSparseRegressor, melt
from mtlreg.model_selection import LeaveOneTaskOut, StratifiedTaskKFold

RNG = np.random.default_rng(0)


def table(sizes, classes=3, seed=0):
    """A table sorted by task, as usual: X with a task column, classes as labels."""
    rng = np.random.default_rng(seed)
    tasks = np.repeat(np.arange(len(sizes)), sizes)
    return np.column_stack([rng.standard_normal((len(tasks), 2)), tasks]), rng.integers(0, classes, len(tasks))


@pytest.mark.parametrize("n_splits", [2, 3, 5])
@pytest.mark.parametrize("shuffle", [True, False])
def test_pairs_of_task_and_class_are_even(n_splits, shuffle):
    X, y = table([40, 25, 100])
    folds = StratifiedTaskKFold(n_splits, task_feature=-1, classes=True, shuffle=shuffle).assign(X, y)
    assert (folds >= 0).all()
    for task in range(3):
        for label in range(3):
            counts = np.bincount(folds[(X[:, -1] == task) & (y == label)], minlength=n_splits)
            assert np.ptp(counts) <= 1
    assert np.ptp(np.bincount(folds)) <= 1


def test_tests_are_a_partition_and_trainings_their_complements():
    X, y = table([20, 30])
    splits = list(StratifiedTaskKFold(4, task_feature=2).split(X, y))
    assert len(splits) == 4
    assert sorted(np.concatenate([test for _, test in splits])) == list(range(50))
    for train, test in splits:
        assert sorted([*train, *test]) == list(range(50))


def test_numbers_are_stratified_by_task_only():
    X, _ = table([12, 24])
    folds = StratifiedTaskKFold(3, task_feature=-1).assign(X, RNG.standard_normal(36))
    assert [np.bincount(folds[X[:, -1] == t]).tolist() for t in range(2)] == [[4, 4, 4], [8, 8, 8]]


def test_shared_rows_with_missing_labels():
    Y = RNG.integers(0, 2, (120, 4)).astype(float)
    Y[RNG.random(Y.shape) < 0.4] = np.nan
    Y[20:, 3] = np.nan
    folds = StratifiedTaskKFold(4, classes=True).assign(np.zeros((120, 1)), Y)
    for t in range(4):
        for label in range(2):
            counts = np.bincount(folds[Y[:, t] == label], minlength=4)
            # a row serves four strata at once, so that they cannot all be exact
            assert np.ptp(counts) <= 4
    rare = np.bincount(folds[np.isfinite(Y[:, 3])], minlength=4)
    assert np.ptp(rare) <= 2


def test_rows_without_labels_are_dealt_out_too():
    Y = np.full((20, 1), np.nan)
    Y[:10] = RNG.standard_normal((10, 1))
    folds = StratifiedTaskKFold(2).assign(np.zeros((20, 1)), Y)
    assert np.bincount(folds).tolist() == [10, 10]


def test_small_tasks_and_only_members_are_always_trained_on():
    X, y = table([3, 30], classes=2)
    y[5] = 9
    folds = StratifiedTaskKFold(5, task_feature=-1, classes=True).assign(X, y)
    assert (folds[:3] == -1).all()
    assert folds[5] == -1
    assert (np.delete(folds, [0, 1, 2, 5]) >= 0).all()


def test_labels_of_a_task_never_come_to_one_fold():
    Y = np.full((60, 6), np.nan)
    for t in range(6):
        Y[10 * t : 10 * t + 10, t] = 1.0
    Y[[0, 10, 20], 5] = 1.0
    for seed in range(20):
        folds = StratifiedTaskKFold(3, classes=False, random_state=seed).assign(np.zeros((60, 1)), Y)
        for t in range(6):
            for k in range(3):
                assert np.isfinite(Y[folds != k, t]).any()


def test_same_seed_same_folds():
    X, y = table([20, 30])
    one, other = (StratifiedTaskKFold(3, task_feature=-1, random_state=s).assign(X, y) for s in (1, 1))
    assert (one == other).all()
    assert (one != StratifiedTaskKFold(3, task_feature=-1, random_state=2).assign(X, y)).any()


@pytest.mark.parametrize(
    ("splitter", "error", "message"),
    [
        (StratifiedTaskKFold(1), ValueError, "n_splits=1"),
        (StratifiedTaskKFold(2.0), TypeError, "n_splits"),
        (StratifiedTaskKFold(2, classes="yes"), ValueError, "classes="),
        (StratifiedTaskKFold(11), ValueError, "n_samples=10"),
        (StratifiedTaskKFold(2, task_feature=7), ValueError, "7"),
        (StratifiedTaskKFold(6, task_feature=-1), ValueError, "smaller n_splits"),
    ],
)
def test_bad_input(splitter, error, message):
    X = np.column_stack([np.ones((10, 2)), np.repeat([0, 1], 5)])
    with pytest.raises(error, match=message):
        list(splitter.split(X, np.arange(10.0)))


def test_integer_folds_in_scikit_learn_with_missing_classes():
    """What an integer cv of GridSearchCV refuses."""
    X = RNG.standard_normal((60, 4))
    Y = (X[:, :2] + 0.5 * RNG.standard_normal((60, 2)) > 0).astype(float)
    Y[RNG.random(Y.shape) < 0.2] = np.nan
    search = GridSearchCV(BlockSparseClassifier(), {"alpha": [0.1, 0.01]}, cv=StratifiedTaskKFold(3)).fit(X, Y)
    assert search.best_score_ > 0.6


def test_one_task_out():
    X = RNG.standard_normal((60, 3))
    Y = X @ np.ones((3, 4)) + 0.1 * RNG.standard_normal((60, 4))
    X_long, y_long = melt(X, Y)
    splitter = LeaveOneTaskOut(-1)
    assert splitter.get_n_splits(X_long) == 4
    for train, test in splitter.split(X_long):
        assert len(set(X_long[test, -1])) == 1
        assert not set(X_long[test, -1]) & set(X_long[train, -1])
    model = BlockSparseRegressor(0.01, task_feature=-1, unseen_task="mean")
    assert cross_val_score(model, X_long, y_long, cv=splitter).min() > 0.9
    assert cross_val_score(Ridge(), X_long, y_long, cv=splitter).shape == (4,)


def test_one_task_cannot_be_left_out():
    with pytest.raises(ValueError, match="one task only"):
        list(LeaveOneTaskOut(-1).split(np.zeros((5, 2))))
    with pytest.raises(ValueError, match="needs X"):
        LeaveOneTaskOut(-1).get_n_splits()
