"""The same model twice: from other starts, and along a path."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import sparse
from test_equivalences import TIGHT, T, data, every_model, fitted, missing, same

from mtlreg import L1, L21, BlockSparseRegressor, InfimalConvolution, MultiTaskRegressor, melt


@every_model
def test_warm_start(model):
    X, Y = data(loss=model.loss)
    warm = fitted(model, X, Y, warm_start=True)
    cold = warm.n_iter_
    coef = warm.coef_.copy()
    warm.set_params(tol=1e-10).fit(X, Y)
    assert warm.n_iter_ == 1 <= cold  # nothing left to do
    assert_allclose(warm.coef_, coef, atol=1e-9)
    warm.set_params(tol=TIGHT["tol"], penalty=model.penalty.with_alpha(0.7 * model.penalty.alpha)).fit(X, Y)
    same(warm, fitted(model, X, Y, penalty=model.penalty.with_alpha(0.7 * model.penalty.alpha)))
    warm.fit(X[:, :3], Y)  # another shape: a cold start
    assert warm.coef_.shape == (T, 3)


@pytest.mark.parametrize("loss", ["squared", "huber", "logistic"])
def test_warm_start_from_outside_a_constraint(loss):
    X, Y = data(loss=loss)
    model = BlockSparseRegressor(0.02, loss=loss, warm_start=True, **TIGHT).fit(X, Y)
    assert (model.coef_ < 0).any()
    model.set_params(positive=True).fit(X, Y)
    same(model, BlockSparseRegressor(0.02, loss=loss, positive=True, **TIGHT).fit(X, Y))


def test_sparse_columns_with_intercepts_and_a_rejected_extrapolation():
    X = np.array([[2.0, 1.0], [3.0, 5.0], [2.0, 0.0]])
    y = np.array([1.0, 2.0, 0.5])
    same(*(BlockSparseRegressor(0.01, **TIGHT).fit(container(X), y) for container in (np.asarray, sparse.csr_array)))


@pytest.mark.parametrize("penalty", [L21(0.1), InfimalConvolution([("a", L21()), ("b", L1(0.8))], alpha=0.1)])
@pytest.mark.parametrize("standardize", [False, True, "per_task"])
@pytest.mark.parametrize("loss", ["squared", "logistic"])
def test_warm_start_with_features_of_all_kinds(penalty, standardize, loss):
    X, Y = data(loss=loss)
    f = np.array([1.0, 0, np.inf, 2, 1, 0.5, 1, 1])
    model = MultiTaskRegressor(
        penalty, loss=loss, feature_weights=f, standardize=standardize, warm_start=True, **TIGHT
    ).fit(X, missing(Y))
    coef = model.coef_.copy()
    model.set_params(tol=1e-9).fit(X, missing(Y))
    assert model.n_iter_ == 1
    assert_allclose(model.coef_, coef, atol=1e-9)


@every_model
@pytest.mark.parametrize("door", ["shared", "stacked"])
def test_path_is_separate_fits(model, door):
    X, Y = data(loss=model.loss)
    if door == "stacked":
        X, Y = melt(X, missing(Y))
        model = model.__class__(**{**model.get_params(deep=False), "task_feature": -1})
    path = model.path(X, Y, alphas=4, eps=0.05)
    assert path.alphas[0] == pytest.approx(model.alpha_max(X, Y))
    assert (np.diff(path.alphas) < 0).all()
    assert not path.coefs[0].any()
    assert path.converged.all()
    for i, alpha in enumerate(path.alphas):
        separate = fitted(model, X, Y, penalty=model.penalty.with_alpha(alpha))
        assert path.objectives[i] == pytest.approx(separate.objective_, rel=1e-9)
        assert_allclose(path.coefs[i], separate.coef_, atol=1e-5)
        assert_allclose(path.intercepts[i], separate.intercept_, atol=1e-4)
    if model.penalty.part_names:
        assert_allclose(sum(path.components[-1].values()), path.coefs[-1], atol=1e-12)


def test_path_takes_given_strengths():
    X, Y = data()
    model = BlockSparseRegressor(**TIGHT)
    path = model.path(X, Y, alphas=[0.1, 0.5, 0.3])
    assert path.alphas.tolist() == [0.5, 0.3, 0.1]
    assert_allclose(path.coefs[2], BlockSparseRegressor(0.1, **TIGHT).fit(X, Y).coef_, atol=1e-5)
    assert not hasattr(model, "coef_")


def test_a_path_that_leaves_the_domain_ahead_of_itself():
    """Starts on the line through two solutions are dropped where the penalty does not allow them."""
    X, Y = np.random.default_rng(0).standard_normal((2, 40, 6))
    Y = X @ np.abs(Y[:6]) + Y  # coefficients that shrink to zero along the path
    model = MultiTaskRegressor(L21(positive=True), tol=1e-9)
    path = model.path(X, Y, alphas=[1.0, 0.9, 0.3, 0.29, 0.1, 0.1, 0.001])
    assert path.converged.all()
    for alpha, coef in zip(path.alphas, path.coefs, strict=True):
        np.testing.assert_allclose(
            coef, MultiTaskRegressor(L21(alpha, positive=True), tol=1e-9).fit(X, Y).coef_, atol=1e-3
        )
