"""The same models in scikit-learn: objectives to 1e-8, coefficients as far as that makes them equal."""

import numpy as np
import pytest
import sklearn
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.linear_model import (
    ElasticNet,
    Lasso,
    LinearRegression,
    LogisticRegression,
    MultiTaskElasticNet,
    MultiTaskLasso,
    PoissonRegressor,
    Ridge,
)
from sklearn.svm import LinearSVC
from sklearn.utils.fixes import parse_version
from test_equivalences import TIGHT, N, T, data, weights

from mtlreg import (
    L1,
    BlockSparseClassifier,
    BlockSparseRegressor,
    MultiTaskClassifier,
    MultiTaskRegressor,
)


def squared_objective(X, Y, coef, intercept, penalty, w=None):
    w = np.ones(len(X)) if w is None else w
    return np.sum(w[:, None] * (Y - X @ np.atleast_2d(coef).T - intercept) ** 2) / (2 * w.sum()) + penalty


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array, sparse.csc_array])
def test_multi_task_lasso(fit_intercept, container):
    X, Y = data()
    alpha = 0.3
    ours = BlockSparseRegressor(alpha, fit_intercept=fit_intercept, **TIGHT).fit(container(X), Y)
    theirs = MultiTaskLasso(alpha, fit_intercept=fit_intercept, tol=1e-12, max_iter=100_000).fit(X, Y)
    penalty = alpha * np.linalg.norm(theirs.coef_, axis=0).sum()
    objective = squared_objective(X, Y, theirs.coef_, theirs.intercept_, penalty)
    assert ours.objective_ == pytest.approx(objective, rel=1e-8)
    assert_allclose(ours.coef_, theirs.coef_, atol=1e-6)
    assert_allclose(ours.intercept_, theirs.intercept_, atol=1e-5)


def test_multi_task_lasso_with_sample_weights():
    X, Y = data()
    w, alpha = weights(N), 0.3
    ours = BlockSparseRegressor(alpha, **TIGHT).fit(X, Y, sample_weight=w)
    root = np.sqrt(w * N / w.sum())[:, None]
    centred = [root * (A - np.average(A, axis=0, weights=w)) for A in (X, Y)]
    theirs = MultiTaskLasso(alpha, fit_intercept=False, tol=1e-12, max_iter=100_000).fit(*centred)
    penalty = alpha * np.linalg.norm(theirs.coef_, axis=0).sum()
    assert ours.objective_ == pytest.approx(squared_objective(*centred, theirs.coef_, 0.0, penalty), rel=1e-8)
    assert_allclose(ours.coef_, theirs.coef_, atol=1e-6)


def test_multi_task_elastic_net():
    X, Y = data()
    ours = BlockSparseRegressor(0.3 * 0.6, alpha_ridge=0.3 * 0.4, **TIGHT).fit(X, Y)
    theirs = MultiTaskElasticNet(0.3, l1_ratio=0.6, tol=1e-12, max_iter=100_000).fit(X, Y)
    assert_allclose(ours.coef_, theirs.coef_, atol=1e-6)


@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("container", [np.asarray, sparse.csc_array])
@pytest.mark.parametrize("weighted", [False, True])
def test_lasso_and_elastic_net_per_task(positive, container, weighted):
    X, Y = data()
    w = weights(N) if weighted else None
    settings = {"positive": positive, "tol": 1e-13, "max_iter": 100_000}
    for penalty, theirs in [
        (L1(0.2, positive=positive), Lasso(0.2, **settings)),
        (L1(0.3 * 0.6, alpha_ridge=0.3 * 0.4, positive=positive), ElasticNet(0.3, l1_ratio=0.6, **settings)),
    ]:
        ours = MultiTaskRegressor(penalty, **TIGHT).fit(container(X), Y, sample_weight=w)
        for t in range(T):
            theirs.fit(container(X), Y[:, t], sample_weight=w)
            assert_allclose(ours.coef_[t], theirs.coef_, atol=1e-6)
            assert ours.intercept_[t] == pytest.approx(theirs.intercept_, abs=1e-5)


def test_ridge_and_least_squares():
    X, Y = data()
    w = weights(N)
    ours = BlockSparseRegressor(0.0, alpha_ridge=0.1, **TIGHT).fit(X, Y, sample_weight=w)
    theirs = Ridge(0.1 * w.sum()).fit(X, Y, sample_weight=w)
    assert_allclose(ours.coef_, theirs.coef_, atol=1e-6)
    ours = BlockSparseRegressor(0.0).fit(X, Y, sample_weight=w)
    theirs = LinearRegression().fit(X, Y, sample_weight=w)
    assert_allclose(ours.coef_, theirs.coef_, atol=1e-10)
    assert_allclose(ours.intercept_, theirs.intercept_, atol=1e-10)


def test_lasso_logistic_regression():
    X, Y = data(loss="logistic")
    ours = MultiTaskClassifier(L1(0.02), fit_intercept=False, **TIGHT).fit(X, Y)
    l1 = {"l1_ratio": 1.0} if parse_version(sklearn.__version__) >= parse_version("1.8") else {"penalty": "l1"}
    for t in range(T):
        theirs = LogisticRegression(
            C=1 / (0.02 * N), **l1, solver="liblinear", fit_intercept=False, tol=1e-10, max_iter=10_000
        ).fit(X, Y[:, t])
        assert_allclose(ours.coef_[t], theirs.coef_[0], atol=1e-5)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_ridge_logistic_regression(n_classes):
    X, Y = data()
    y = np.digitize(Y[:, 0], np.quantile(Y[:, 0], np.arange(1, n_classes) / n_classes))
    w = weights(N)
    ours = BlockSparseClassifier(0.0, alpha_ridge=0.05, **TIGHT).fit(X, y, sample_weight=w)
    theirs = LogisticRegression(C=1 / (0.05 * w.sum()), tol=1e-12, max_iter=10_000).fit(X, y, sample_weight=w)
    assert_allclose(ours.coef_, theirs.coef_, atol=1e-5)
    assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), atol=1e-5)
    assert_array_equal(ours.predict(X), theirs.predict(X))


def test_ridge_poisson_regression():
    X, Y = data(loss="poisson")
    w = weights(N)
    ours = BlockSparseRegressor(0.0, alpha_ridge=0.1, loss="poisson", **TIGHT).fit(X, Y, sample_weight=w)
    for t in range(T):
        theirs = PoissonRegressor(alpha=0.1, tol=1e-10, max_iter=10_000).fit(X, Y[:, t], sample_weight=w)
        assert_allclose(ours.coef_[t], theirs.coef_, atol=1e-5)
        assert_allclose(ours.predict(X)[:, t], theirs.predict(X), rtol=1e-4)


def test_linear_support_vectors():
    X, Y = data(loss="squared_hinge")
    ours = BlockSparseClassifier(0.0, alpha_ridge=0.1, loss="squared_hinge", fit_intercept=False, **TIGHT).fit(X, Y)
    for t in range(T):
        theirs = LinearSVC(C=1 / (2 * N * 0.1), fit_intercept=False, dual=False, tol=1e-12, max_iter=100_000)
        assert_allclose(ours.coef_[t], theirs.fit(X, Y[:, t]).coef_[0], atol=1e-5)
