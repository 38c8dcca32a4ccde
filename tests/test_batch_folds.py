"""Searches on arrays elsewhere: all strengths in all splits at once give what one fit after the other gives."""

import pickle

import numpy as np
import pytest
from cuda import cupy_or_skip
from sklearn.exceptions import FitFailedWarning
from sklearn.model_selection import ShuffleSplit

from mtlreg import BlockSparseClassifier, BlockSparseRegressor, MultiTaskRegressor, PathSearchCV, SparseGroup, TraceNorm
from mtlreg.model_selection import _batch_folds, _moment_folds
from mtlreg.validation import to_host

N, P, T = 40, 30, 3
MODELS = {
    "plain": BlockSparseRegressor(tol=1e-10),
    "standardised": BlockSparseRegressor(
        standardize=True, feature_weights=[0.5, 2.0, np.inf, *[1.0] * (P - 3)], tol=1e-10
    ),
    "huber": BlockSparseRegressor(loss="huber", task_weight="balanced", tol=1e-10),
    "sparse group": MultiTaskRegressor(SparseGroup(alpha_ridge=0.01), tol=1e-10),
    "classes": BlockSparseClassifier(tol=1e-10, class_weight="balanced"),
}


class ScoredOtherwise(BlockSparseRegressor):
    """A subclass with a score of its own."""

    def score(self, X, y, sample_weight=None):
        return float(np.abs(to_host(self.coef_)).sum())


@pytest.fixture
def called(monkeypatch):
    """The shapes of the batches that were solved."""
    shapes, solve = [], _batch_folds.batch.solve_batches

    def counted(problems, grid, **settings):
        shapes.append((len(problems), len(grid)))
        return solve(problems, grid, **settings)

    monkeypatch.setattr(_batch_folds.batch, "solve_batches", counted)
    return shapes


def data(model, missing=False):
    rng = np.random.default_rng(1)
    X = rng.standard_normal((N, P)) + 0.5
    Y = X[:, :3] @ rng.standard_normal((3, T)) + rng.standard_normal((N, T))
    if isinstance(model, BlockSparseClassifier):
        Y = (np.median(Y, axis=0) < Y).astype(float)
    if missing:
        Y[rng.random(Y.shape) < 0.15] = np.nan
    return X, Y


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("missing", [False, True])
def test_scores_are_those_of_one_fit_after_the_other(xp, called, name, missing):
    model = MODELS[name]
    X, Y = data(model, missing)
    weights = np.random.default_rng(2).uniform(0.5, 2, N)
    search = PathSearchCV(model, alphas=4, eps=0.1, cv=3, return_train_score=True)
    here = search.fit(X, Y, sample_weight=weights).cv_results_
    assert not called
    search.fit(xp.asarray(X), xp.asarray(Y), sample_weight=weights)
    there = search.cv_results_
    assert called == [(3, 4)]
    for column in here:
        if column.startswith(("split", "mean_t", "std_t")):
            np.testing.assert_allclose(there[column], here[column], atol=2e-3 if name == "classes" else 1e-4)
    assert not isinstance(search.predict(xp.asarray(X)), np.ndarray)


def test_rows_that_are_drawn_twice_scorers_and_a_grid(xp, called):
    X, Y = data(None)
    rng = np.random.default_rng(0)
    splits = [(rng.integers(0, 30, 30), np.arange(30, N)) for _ in range(2)]
    settings = {"alphas": [0.5, 0.1], "cv": splits, "param_grid": {"q": [2.0, np.inf]}, "refit": False}

    def spread(model, X, y):
        return float(np.abs(np.asarray(to_numpy(model.predict(X)))).max())

    def to_numpy(a):
        return a.get() if hasattr(a, "get") else np.asarray(a)

    searches = [
        PathSearchCV(BlockSparseRegressor(tol=1e-9), scoring=spread, **settings).fit(A, B)
        for A, B in ((X, Y), (xp.asarray(X), xp.asarray(Y)))
    ]
    np.testing.assert_allclose(*(s.cv_results_["split1_test_score"] for s in searches), rtol=1e-4)
    assert called == [(2, 2), (2, 2)]


def test_scorers_that_fail(xp, called):
    X, Y = (xp.asarray(a) for a in data(None))

    def fails(model, X, y):
        raise RuntimeError("no score")

    search = PathSearchCV(BlockSparseRegressor(), alphas=3, cv=ShuffleSplit(2, random_state=0), scoring=fails)
    with pytest.raises(ValueError, match="All the 2 fits failed:\nRuntimeError: no score"):
        search.fit(X, Y)
    with pytest.raises(RuntimeError, match="no score"):
        search.set_params(error_score="raise").fit(X, Y)
    assert len(called) == 2


def test_what_is_left_to_one_fit_after_the_other(xp, called):
    X, Y = data(None)
    tall = np.tile(X[:, :5], (4, 1)), np.tile(Y, (4, 1))  # their moments are fewer
    for model, A, B in (
        (MultiTaskRegressor(TraceNorm()), X, Y),
        (BlockSparseRegressor(solver="fista"), X, Y),
        (BlockSparseRegressor(feature_weights=[0.0, *[1.0] * (P - 1)]), X, Y),  # which a split may have constant
        (ScoredOtherwise(), X, Y),
        (BlockSparseRegressor(), *tall),
    ):
        PathSearchCV(model, alphas=2, eps=0.5, cv=2).fit(xp.asarray(A), xp.asarray(B))
    assert all(n_splits == 1 for n_splits, _ in called)  # paths, each in a split of its own
    Y[:20, 0] = np.nan
    settings = {"alphas": 2, "cv": [(np.arange(20), np.arange(20, N))], "error_score": "raise"}
    with pytest.raises(ValueError, match="Task 0"):
        PathSearchCV(BlockSparseRegressor(), **settings).fit(xp.asarray(X), xp.asarray(Y))
    assert all(n_splits == 1 for n_splits, _ in called)  # paths, each in a split of its own


def test_scorers_that_predict_other_rows(xp, called):
    X, Y = data(None)

    def moved(model, X, y):
        return float(np.abs(to_host(model.predict(X + 1.0)) - to_host(model.predict(X))).max())

    def few(model, X, y):
        predicted = to_host(model.predict(X[:4, :]))
        assert predicted.shape == (4, T) and pickle.loads(pickle.dumps(model)) is not None
        return float(predicted.sum())

    for scoring in (moved, few):
        search = PathSearchCV(BlockSparseRegressor(tol=1e-10), alphas=3, eps=0.1, cv=2, scoring=scoring)
        here, there = (
            search.fit(A, B).cv_results_["mean_test_score"] for A, B in ((X, Y), (xp.asarray(X), xp.asarray(Y)))
        )
        np.testing.assert_allclose(there, here, rtol=1e-3)
    assert called == [(2, 3), (2, 3)]


def test_a_split_that_fails_is_one_split(xp, called):
    X, Y = (xp.asarray(a) for a in data(None))

    def fails_once(model, part, y):
        if part.shape[0] == 10:
            raise RuntimeError("no score")
        return 1.0

    splits = [(np.arange(n), np.arange(n, N)) for n in (25, 30)]
    search = PathSearchCV(BlockSparseRegressor(), alphas=2, cv=splits, scoring=fails_once, error_score=0.0)
    with pytest.warns(FitFailedWarning, match="1 of 2 fits failed"):
        search.fit(X, Y)
    assert called[0] == (2, 2) and (search.cv_results_["split1_test_score"] == 0.0).all()
    assert (search.cv_results_["split0_test_score"] == 1.0).all()


def test_splits_with_other_classes(xp, called):
    """A task with more classes in one split than in another has other columns there."""
    X, _ = data(None)
    y = np.arange(N) % 2
    y[:3] = 2
    splits = [(np.arange(3, N), np.arange(3)), (np.arange(20), np.arange(20, N))]
    search = PathSearchCV(BlockSparseClassifier(multi_class="ovr"), alphas=2, eps=0.5, cv=splits, error_score="raise")
    here, there = (search.fit(A, y).cv_results_["mean_test_score"] for A in (X, xp.asarray(X)))
    np.testing.assert_allclose(there, here)
    assert all(n_splits == 1 for n_splits, _ in called)


def test_memory_that_does_not_suffice_for_all_splits(xp, monkeypatch):
    X, Y = data(None)
    search = PathSearchCV(BlockSparseRegressor(tol=1e-10), alphas=3, eps=0.1, cv=2)
    here = search.fit(X, Y).cv_results_["mean_test_score"]

    def full(*_):
        raise MemoryError

    monkeypatch.setattr(_batch_folds, "_predictors", full)
    with pytest.warns(UserWarning, match="fitted one after the other"):
        there = search.fit(xp.asarray(X), xp.asarray(Y)).cv_results_["mean_test_score"]
    np.testing.assert_allclose(there, here, rtol=1e-3)


def test_rows_are_on_the_device_once(xp, called, monkeypatch):
    seen, handles = [], _batch_folds.batch.handles_one
    monkeypatch.setattr(
        _batch_folds.batch,
        "handles_one",
        lambda problem, solver: seen.append(problem.design.X) or handles(problem, solver),
    )
    X, Y = data(None)
    grid = {"q": [2.0, np.inf]}
    PathSearchCV(BlockSparseRegressor(), alphas=2, cv=3, param_grid=grid, refit=False).fit(xp.asarray(X), xp.asarray(Y))
    assert len(seen) == 6 and all(A is seen[0] for A in seen) and len(called) == 2


def test_masks_and_lists(called):
    X, Y = data(None)
    masks = [(np.arange(N) >= 10, np.arange(N) < 10), (np.arange(N) < 30, np.arange(N) >= 30)]
    numbers = [tuple(np.flatnonzero(m) for m in pair) for pair in masks]
    results = [
        PathSearchCV(BlockSparseRegressor(), alphas=3, cv=cv).fit(X.tolist(), Y).cv_results_["mean_test_score"]
        for cv in (masks, numbers)
    ]
    np.testing.assert_array_equal(*results)


@pytest.mark.gpu
def test_data_on_the_host(called):
    cupy_or_skip()
    X, Y = data(None)
    settings = {"alphas": 5, "cv": 3, "scoring": "neg_mean_squared_error"}
    searches = [PathSearchCV(BlockSparseRegressor(device=d), **settings).fit(X, Y) for d in ("cpu", "cuda")]
    assert called == [(3, 5)]
    columns = [search.cv_results_["mean_test_score"] for search in searches]
    np.testing.assert_allclose(*columns, rtol=1e-3)
    assert isinstance(searches[1].predict(X), np.ndarray)


@pytest.mark.parametrize("missing", [False, True])
def test_many_rows_are_searched_by_moments(xp, called, monkeypatch, missing):
    X, Y = data(None, missing)
    X, Y = np.tile(X[:, :6], (4, 1)), np.tile(Y, (4, 1)) + np.random.default_rng(3).standard_normal((4 * N, T))
    scored, score = [], _moment_folds.MomentFolds.score_path
    monkeypatch.setattr(_moment_folds.MomentFolds, "score_path", lambda *a: scored.append(1) or score(*a))
    here, there = (
        PathSearchCV(BlockSparseRegressor(tol=1e-10, standardize=True), alphas=5, cv=3).fit(A, B).cv_results_
        for A, B in ((X, Y), (xp.asarray(X), xp.asarray(Y)))
    )
    assert len(scored) == 6 and not called
    np.testing.assert_allclose(there["mean_test_score"], here["mean_test_score"], rtol=1e-9)
