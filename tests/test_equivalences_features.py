"""The same model twice: weights of features and their scales."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import sparse
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from test_equivalences import TIGHT, N, P, data, every_model, fitted, missing, same

from mtlreg import L1, L21, BlockSparseRegressor, Chain, InfimalConvolution, KeepTask, L1Linf, MultiTaskRegressor, melt


@every_model
def test_feature_weights_are_scaled_columns(model):
    X, Y = data(loss=model.loss)
    f = np.linspace(0.5, 3.0, P)
    one = fitted(model, X, Y, feature_weights=f, standardize=False)
    other = fitted(model, X / f, Y, standardize=False)
    assert one.objective_ == pytest.approx(other.objective_, rel=1e-9)
    assert_allclose(one.coef_ * f, other.coef_, atol=1e-5)


@every_model
def test_infinite_feature_weights_exclude(model):
    X, Y = data(loss=model.loss)
    f = np.where(np.arange(P) % 3 == 0, np.inf, 1.0)
    one, other = fitted(model, X, Y, feature_weights=f), fitted(model, X[:, f == 1], Y)
    assert not one.coef_[:, f > 1].any()
    assert one.objective_ == pytest.approx(other.objective_, rel=1e-9)
    assert_allclose(one.coef_[:, f == 1], other.coef_, atol=1e-5)


def test_feature_weights_zero_is_partialled_out():
    """Under squared loss an unpenalised feature can be regressed out of everything first."""
    X, Y = data()
    f = np.where(np.arange(P) == 1, 0.0, 1.0)
    one = BlockSparseRegressor(0.3, feature_weights=f, **TIGHT).fit(X, Y)
    others = LinearRegression().fit(X[:, [1]], np.column_stack([X, Y]))
    X_rest, Y_rest = np.split(np.column_stack([X, Y]) - others.predict(X[:, [1]]), [P], axis=1)
    other = BlockSparseRegressor(0.3, **TIGHT).fit(X_rest[:, f > 0], Y_rest)
    assert one.objective_ == pytest.approx(other.objective_, rel=1e-9)
    assert_allclose(one.coef_[:, f > 0], other.coef_, atol=1e-6)


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize(
    "penalty", [L21(0.3), Chain([L1(), L1Linf()]), InfimalConvolution([("a", L1()), ("b", L21())])]
)
def test_all_feature_weights_zero_is_no_penalty(penalty, fit_intercept):
    X, Y = data()
    one = MultiTaskRegressor(penalty, feature_weights=np.zeros(P), fit_intercept=fit_intercept).fit(X, Y)
    assert_allclose(one.coef_, LinearRegression(fit_intercept=fit_intercept).fit(X, Y).coef_, atol=1e-9)


@every_model
@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array])
def test_standardize_is_a_scaler_in_front(model, container):
    X, Y = data(loss=model.loss)
    parameters = {"fit_intercept": True, "standardize": True}
    one = fitted(model, container(X), Y, **parameters)
    scaler = StandardScaler().fit(X)
    other = fitted(model, scaler.transform(X), Y, fit_intercept=True, standardize=False)
    assert one.objective_ == pytest.approx(other.objective_, rel=1e-9)
    assert_allclose(one.coef_ * scaler.scale_, other.coef_, atol=1e-5)
    assert_allclose(one.predict(X), other.predict(scaler.transform(X)), atol=1e-4)


def test_standardize_per_task_is_a_scaler_for_each_task():
    X, Y = data()
    X_long, y_long = melt(X, missing(Y))
    one = MultiTaskRegressor(L21(0.1), standardize="per_task", task_feature=-1, **TIGHT).fit(X_long, y_long)
    scale = KeepTask(StandardScaler(), task_feature=-1, per_task=True)
    pipeline = make_pipeline(scale, MultiTaskRegressor(L21(0.1), task_feature=-1, **TIGHT)).fit(X_long, y_long)
    assert one.objective_ == pytest.approx(pipeline[-1].objective_, rel=1e-9)
    assert_allclose(one.predict(X_long), pipeline.predict(X_long), atol=1e-5)


def test_standardize_takes_weighted_moments():
    X, Y = data()
    w = np.random.default_rng(3).integers(1, 4, N)
    twice = np.repeat(np.arange(N), w)
    for standardize in (True, "per_task"):
        model = MultiTaskRegressor(L21(0.1), standardize=standardize, **TIGHT)
        same(fitted(model, X, Y, w), fitted(model, X[twice], Y[twice]))
