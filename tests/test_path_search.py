"""PathSearchCV against plain computations: GridSearchCV on the same grid, loops over folds, rules by hand."""

import numpy as np
import pytest
from joblib import hash as digest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.exceptions import FitFailedWarning, NotFittedError
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, KFold, ShuffleSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mtlreg import (
    L1,
    L21,
    BlockSparseClassifier,
    BlockSparseRegressor,
    InfimalConvolution,
    KeepTask,
    MultiTaskClassifier,
    MultiTaskRegressor,
    PathSearchCV,
    melt,
)
from mtlreg.metrics import make_task_scorer
from mtlreg.model_selection import StratifiedTaskKFold
from mtlreg.model_selection._moment_folds import MomentFolds

RNG = np.random.default_rng(0)
X = RNG.standard_normal((90, 10)) + 0.5
Y = X[:, :3] @ RNG.standard_normal((3, 4)) + 1.5 * RNG.standard_normal((90, 4)) + [10.0, 0, -3, 1]
CLASSES = (Y > Y.mean(axis=0)).astype(int)
MISSING = np.where(RNG.random(Y.shape) < 0.2, np.nan, Y)
X_LONG, Y_LONG = melt(X, Y)
TIGHT = {"tol": 1e-11, "max_iter": 100_000}


def dirty():
    return InfimalConvolution([("shared", L21(1.2)), ("specific", L1())])


CASES = {
    "regressor": (BlockSparseRegressor(**TIGHT), X, Y),
    "missing": (BlockSparseRegressor(standardize=True, **TIGHT), X, MISSING),
    "column": (BlockSparseRegressor(task_feature=-1, **TIGHT), X_LONG, Y_LONG),
    "classes": (BlockSparseClassifier(**TIGHT), X, CLASSES),
    "dirty": (MultiTaskRegressor(dirty(), loss="huber", **TIGHT), X, Y),
}
every_case = pytest.mark.parametrize("case", CASES)


def plain(estimator, X, y, grid, splits, **parameters):
    """Scores (n_alphas, n_splits) by fits from nothing."""
    scores = np.empty((len(grid), len(splits)))
    for i, alpha in enumerate(grid):
        for k, (train, test) in enumerate(splits):
            model = clone(estimator).set_params(**parameters).with_strength(alpha)
            scores[i, k] = model.fit(X[train], y[train]).score(X[test], y[test])
    return scores


def one_se(grid, scores):
    """The 1-SE rule written out."""
    means = [np.mean(row) for row in scores]
    best = means.index(max(means))
    spread = np.sqrt(sum((s - means[best]) ** 2 for s in scores[best]) / (len(scores[best]) - 1))
    error = spread / np.sqrt(len(scores[best]))
    return max(alpha for alpha, mean in zip(grid, means, strict=True) if mean >= means[best] - error)


@every_case
@pytest.mark.parametrize("rule", ["best", "1se"])
def test_against_plain_fits(case, rule):
    estimator, X, y = CASES[case]
    search = PathSearchCV(estimator, alphas=6, eps=0.01, cv=3, rule=rule).fit(X, y)
    classes = True if case == "classes" else "auto"
    splits = list(StratifiedTaskKFold(3, task_feature=estimator.task_feature, classes=classes).split(X, y))
    grid = estimator.path_alphas(X, y, 6, eps=0.01)
    scores = plain(estimator, X, y, grid, splits)
    found = np.array([search.cv_results_[f"split{k}_test_score"] for k in range(3)]).T
    assert_allclose(found, scores, atol=1e-6)
    strength = search.best_params_[estimator.strength]
    assert strength == (grid[scores.mean(axis=1).argmax()] if rule == "best" else one_se(grid, scores))
    again = clone(estimator).with_strength(strength).fit(X, y)
    assert_allclose(search.best_estimator_.coef_, again.coef_, atol=1e-9)
    assert_array_equal(search.predict(X), search.best_estimator_.predict(X))


def test_one_standard_error_is_the_larger_strength():
    best, one = (PathSearchCV(BlockSparseRegressor(), alphas=20, rule=r).fit(X, Y) for r in ("best", "1se"))
    assert one.best_params_["alpha"] > best.best_params_["alpha"]
    assert one.best_score_ < best.best_score_


def test_as_grid_search_on_the_same_grid():
    estimator, cv = BlockSparseRegressor(**TIGHT), KFold(3, shuffle=True, random_state=1)
    grid = estimator.path_alphas(X, Y, 5, eps=0.02)
    ours = PathSearchCV(estimator, alphas=grid, cv=cv, return_train_score=True, param_grid={"entry_ratio": [0.0, 0.5]})
    ours.fit(X, Y)
    theirs = GridSearchCV(
        estimator, {"entry_ratio": [0.0, 0.5], "alpha": grid.tolist()}, cv=cv, return_train_score=True
    ).fit(X, Y)
    order = [theirs.cv_results_["params"].index(row) for row in ours.cv_results_["params"]]
    assert set(ours.cv_results_) == set(theirs.cv_results_)
    for key, values in ours.cv_results_.items():
        if "_test_" in key or "_train_" in key:
            assert_allclose(values, np.asarray(theirs.cv_results_[key])[order], atol=1e-7, err_msg=key)
    assert ours.best_params_ == theirs.best_params_
    assert ours.best_score_ == pytest.approx(theirs.best_score_, abs=1e-7)
    assert ours.n_splits_ == theirs.n_splits_
    assert ours.multimetric_ is theirs.multimetric_ is False
    assert ours.alphas_.shape == (2, 5)


@pytest.mark.parametrize("y", [Y, MISSING, Y[:, 0]], ids=["complete", "missing", "one task"])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    "parameters",
    [{}, {"standardize": True}, {"fit_intercept": False}, {"feature_weights": np.linspace(0.5, 2, 10)}],
    ids=["plain", "standardize", "no intercept", "weights"],
)
def test_moments_change_nothing(y, weighted, parameters, monkeypatch):
    w = RNG.uniform(0.2, 2.0, 90) if weighted else None
    search = PathSearchCV(
        BlockSparseRegressor(tol=1e-14, max_iter=100_000, **parameters), alphas=5, cv=4, return_train_score=True
    )
    splits = list(StratifiedTaskKFold(4).split(X, y))
    assert MomentFolds.of([search.estimator], X, y, w, splits, None) is not None
    fast = search.fit(X, y, w).cv_results_
    monkeypatch.setattr(MomentFolds, "of", lambda *args: None)
    slow = clone(search).fit(X, y, w).cv_results_
    for key in fast:
        if "_test_" in key or "_train_" in key:
            assert_allclose(fast[key], slow[key], atol=1e-8, err_msg=key)


@pytest.mark.parametrize(
    ("estimator", "X", "y", "scoring"),
    [
        (BlockSparseRegressor(), X, Y, "r2"),
        (BlockSparseRegressor(loss="huber"), X, Y, None),
        (BlockSparseRegressor(task_feature=-1), X_LONG, Y_LONG, None),
        (BlockSparseRegressor(standardize="per_task"), X, Y, None),
        (BlockSparseRegressor(feature_weights=np.r_[0.0, np.ones(9)]), X, Y, None),
        (BlockSparseRegressor(task_weight=[1.0, 2, 1, 1]), X, Y, None),
        (BlockSparseRegressor(), X, Y, "neg_mean_squared_error"),
        (BlockSparseRegressor(), np.hstack([X] * 6), Y, None),
    ],
)
def test_moments_are_left_alone_where_they_do_not_apply(estimator, X, y, scoring):
    splits = list(KFold(3).split(X))
    assert MomentFolds.of([estimator], X, y, None, splits, scoring) is None


def test_moments_need_complementary_splits():
    splits = list(ShuffleSplit(3, test_size=0.2, random_state=0).split(X))
    assert MomentFolds.of([BlockSparseRegressor()], X, Y, None, splits, None) is None


@every_case
def test_any_number_of_jobs(case):
    estimator, X, y = CASES[case]
    search = PathSearchCV(
        estimator.set_params(tol=1e-6),
        alphas=4,
        cv=2,
        scoring=make_task_scorer("accuracy" if case == "classes" else "mse"),
    )
    one, two = (clone(search).set_params(n_jobs=n).fit(X, y) for n in (1, 2))
    for key, values in one.cv_results_.items():
        if "time" not in key:
            assert list(values) == list(two.cv_results_[key])
    assert_array_equal(one.best_estimator_.coef_, two.best_estimator_.coef_)


def test_several_metrics():
    scoring = {"r2": make_task_scorer("r2"), "rmse": make_task_scorer("rmse"), "ev": "explained_variance"}
    search = PathSearchCV(BlockSparseRegressor(), alphas=6, scoring=scoring, refit="rmse", cv=3).fit(X, Y)
    assert search.multimetric_
    assert set(search.scorer_._scorers) == set(scoring)
    assert search.best_index_ == search.cv_results_["mean_test_rmse"].argmax()
    assert search.score(X, Y) == make_task_scorer("rmse")(search.best_estimator_, X, Y)
    only = PathSearchCV(BlockSparseRegressor(), alphas=6, scoring=["r2"], refit=False, cv=3).fit(X, Y)
    assert not hasattr(only, "best_index_")
    with pytest.raises(ValueError, match="refit must name"):
        PathSearchCV(BlockSparseRegressor(), scoring=scoring).fit(X, Y)


def test_without_refit():
    search = PathSearchCV(BlockSparseRegressor(), alphas=5, refit=False, cv=3).fit(X, Y)
    assert search.best_params_["alpha"] > 0
    assert not hasattr(search, "predict")
    assert not hasattr(search, "best_estimator_")


def test_missing_classes_and_an_integer_cv():
    labels = np.where(RNG.random(Y.shape) < 0.2, np.nan, CLASSES)
    search = PathSearchCV(MultiTaskClassifier(L21()), alphas=5, cv=4).fit(X, labels)
    assert search.best_score_ > 0.6
    assert set(search.best_params_) == {"penalty__alpha"}
    assert [c.tolist() for c in search.classes_] == [[0, 1]] * 4
    assert len(search.predict_proba(X)) == 4


def test_penalties_on_a_grid():
    search = PathSearchCV(MultiTaskRegressor(), alphas=5, cv=3, param_grid={"penalty": [L1(), L21(), dirty()]})
    search.fit(X, Y)
    assert len(search.cv_results_["params"]) == 15
    assert type(search.best_estimator_.penalty) is type(search.best_params_["penalty"])
    assert search.best_estimator_.penalty.alpha == search.best_params_["penalty__alpha"]
    nested = PathSearchCV(MultiTaskRegressor(L21()), alphas=5, cv=3, param_grid={"penalty__alpha_ridge": [0.0, 0.1]})
    assert nested.fit(X, Y).best_estimator_.penalty.alpha_ridge == nested.best_params_["penalty__alpha_ridge"]


def test_sample_weights_of_two_are_rows_twice():
    w = RNG.integers(1, 3, 90)
    twice = np.repeat(np.arange(90), w)
    splits = list(KFold(3).split(X))
    doubled = [tuple(np.flatnonzero(np.isin(twice, rows)) for rows in split) for split in splits]
    one = PathSearchCV(BlockSparseRegressor(**TIGHT), alphas=5, cv=splits).fit(X, Y, sample_weight=w)
    two = PathSearchCV(BlockSparseRegressor(**TIGHT), alphas=5, cv=doubled).fit(X[twice], Y[twice])
    assert_allclose(one.cv_results_["mean_test_score"], two.cv_results_["mean_test_score"], atol=1e-7)
    assert_allclose(one.best_estimator_.coef_, two.best_estimator_.coef_, atol=1e-5)


def test_at_the_end_of_a_pipeline():
    search = PathSearchCV(BlockSparseRegressor(task_feature=-1), alphas=5, cv=3)
    pipeline = make_pipeline(KeepTask(StandardScaler(), -1), search).fit(X_LONG, Y_LONG)
    scaled = KeepTask(StandardScaler(), -1).fit_transform(X_LONG)
    assert_array_equal(pipeline.predict(X_LONG), clone(search).fit(scaled, Y_LONG).predict(scaled))
    with pytest.raises(TypeError, match="pipeline's end"):
        PathSearchCV(make_pipeline(StandardScaler(), BlockSparseRegressor())).fit(X, Y)


def test_a_fold_that_fails():
    y = np.zeros(40, dtype=int)
    y[:4] = 1
    X_few = RNG.standard_normal((40, 3))
    splits = [(np.arange(10, 40), np.arange(10)), (np.arange(30), np.arange(30, 40))]
    search = PathSearchCV(BlockSparseClassifier(), alphas=3, cv=splits, error_score=0.0)
    with pytest.warns(FitFailedWarning, match="1 of 2 fits failed.*\n.*only one class"):
        search.fit(X_few, y)
    assert (search.cv_results_["split0_test_score"] == 0).all()
    with pytest.raises(ValueError, match="only one class"):
        clone(search).set_params(error_score="raise").fit(X_few, y)
    with pytest.raises(ValueError, match="All the 1 fits failed"):
        clone(search).set_params(cv=splits[:1]).fit(X_few, y)


def test_an_interrupt_leaves_a_fitted_search_as_it_was(monkeypatch):
    search = PathSearchCV(BlockSparseRegressor(), alphas=4, cv=3).fit(X, Y)
    before = dict(search.__dict__)

    def stop(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(BlockSparseRegressor, "fit", stop)
    with pytest.raises(KeyboardInterrupt):
        search.fit(X[:60], Y[:60])
    assert all(search.__dict__[name] is value for name, value in before.items())
    assert search.__dict__.keys() == before.keys()


def test_fit_changes_no_parameter():
    search = PathSearchCV(MultiTaskRegressor(L21()), alphas=4, cv=3, param_grid={"penalty": [L1(), L21()]})
    before = digest(search.get_params())
    assert digest(search.fit(X, Y).get_params()) == before


@pytest.mark.parametrize(
    ("parameters", "error", "message"),
    [
        ({"rule": "2se"}, ValueError, "rule='2se'"),
        ({"alphas": 0}, ValueError, "alphas=0"),
        ({"alphas": [1.0, -1.0]}, ValueError, "alphas"),
        ({"eps": 2.0}, ValueError, "eps"),
        ({"error_score": "ignore"}, ValueError, "error_score"),
        ({"param_grid": {"alpha": [1.0]}}, ValueError, "alphas and eps are for"),
        ({"param_grid": {"lam": [1.0]}}, ValueError, "lam"),
        ({"cv": 1}, ValueError, "n_splits=1"),
        ({"cv": [(np.arange(50), np.arange(50, 90))], "rule": "1se"}, ValueError, "two splits"),
        ({"scoring": "no such"}, ValueError, "no such"),
        ({"estimator": Ridge()}, TypeError, "not Ridge"),
    ],
)
def test_bad_input(parameters, error, message):
    with pytest.raises(error, match=message):
        PathSearchCV(BlockSparseRegressor()).set_params(**parameters).fit(X, Y)


def test_before_fit():
    search = PathSearchCV(BlockSparseRegressor())
    with pytest.raises(NotFittedError):
        search.predict(X)
    assert not hasattr(search, "predict_proba")
    assert hasattr(PathSearchCV(BlockSparseClassifier()), "predict_proba")


@pytest.mark.parametrize("kind", ["rows drawn twice", "a score of its own"])
def test_moments_leave_to_others_what_they_do_not_know(kind):
    rng = np.random.default_rng(0)
    X, Y = rng.standard_normal((60, 4)), rng.standard_normal((60, 3))
    splits, model = [(np.arange(20, 60), np.arange(20))], BlockSparseRegressor(0.1)
    if kind == "rows drawn twice":
        splits = [(rng.integers(0, 40, 40), np.arange(40, 60))]
    else:
        model = Negated(0.1)
    found = PathSearchCV(model, alphas=[0.1, 0.05], cv=splits, refit=False).fit(X, Y).cv_results_["mean_test_score"]
    ((train, test),) = splits
    for score, alpha in zip(found, (0.1, 0.05), strict=True):
        fitted = clone(model).set_params(alpha=alpha).fit(X[train], Y[train])
        assert score == pytest.approx(fitted.score(X[test], Y[test]), abs=1e-6)


class Negated(BlockSparseRegressor):
    def score(self, X, y, sample_weight=None):
        return -super().score(X, y, sample_weight)
