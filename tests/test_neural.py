"""Nets with shared hidden layers: what they compute, through both doors, next to other models."""

import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPRegressor

from mtlreg import (
    L21,
    MeanRegularized,
    MultiTaskRegressor,
    SharedLayerClassifier,
    SharedLayerRegressor,
    TraceNorm,
)
from mtlreg.data import melt
from tests.nets import net, numbers

pytestmark = pytest.mark.filterwarnings(
    "ignore:SharedLayer.* was still improving:sklearn.exceptions.ConvergenceWarning"
)


# -- against other models ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("solver", ["adam", "sgd"])
@pytest.mark.parametrize("penalty", [L21(0.2), TraceNorm(0.2), MeanRegularized(0.5, alpha_ridge=0.1)], ids=str)
def test_without_hidden_layers_it_is_the_linear_model(solver, penalty):
    X, Y = numbers()
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    linear = MultiTaskRegressor(penalty, tol=1e-12).fit(X, Y)
    model = net(hidden_layer_sizes=(), head_penalty=penalty, alpha=0.0, batch_size=len(X), solver=solver, tol=0.0)
    model.set_params(learning_rate_init=0.02, max_iter=3000, learning_rate="cosine").fit(X, Y)
    assert_allclose(model.weights_["head0.weight"].T, linear.coef_, atol=2e-5)
    assert_allclose(model.predict(X), linear.predict(X), atol=2e-4)
    assert_allclose(model.loss_, linear.objective_, rtol=1e-6)


def test_weight_decay_without_hidden_layers_is_ridge():
    X, Y = numbers()
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    linear = MultiTaskRegressor(L21(0.0, alpha_ridge=0.3), tol=1e-12).fit(X, Y)
    model = net(hidden_layer_sizes=(), alpha=0.3, batch_size=len(X), tol=0.0, max_iter=2000, learning_rate="cosine")
    assert_allclose(model.set_params(learning_rate_init=0.05).fit(X, Y).loss_, linear.objective_, rtol=1e-6)


@pytest.mark.parametrize("solver", ["adam", "sgd"])
@pytest.mark.parametrize("activation", ["relu", "tanh", "logistic"])
def test_one_step_after_another_as_scikit_learn(solver, activation):
    """From the same weights, with the same batches, the weights stay the same."""
    X, Y = numbers()
    Y /= Y.std(axis=0)  # the heads' weights are then counted in units of one
    common = {"activation": activation, "solver": solver, "batch_size": 25, "shuffle": False, "alpha": 0.0}
    ours = net(hidden_layer_sizes=(8, 6), standardize=False, tol=0.0, learning_rate_init=0.01, **common)
    ours.set_params(max_iter=1).fit(X, Y)
    start = SharedLayerRegressor(**ours.get_params()).set_params(learning_rate_init=1e-300).fit(X, Y).weights_
    theirs = MLPRegressor(hidden_layer_sizes=(8, 6), random_state=0, max_iter=1, warm_start=True, **common)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        theirs.set_params(learning_rate_init=1e-300).fit(X, Y)
        names = ["hidden1", "hidden2", "head2"]
        theirs.coefs_ = [start[f"{name}.weight"].copy() for name in names]
        theirs.intercepts_ = [start[f"{name}.bias"].ravel().copy() for name in names]
        theirs.set_params(learning_rate_init=0.01).fit(X, Y)
    for name, coef, intercept in zip(names, theirs.coefs_, theirs.intercepts_, strict=True):
        assert_allclose(ours.weights_[f"{name}.weight"], coef, rtol=1e-8, atol=1e-10)
        assert_allclose(ours.weights_[f"{name}.bias"].ravel(), intercept, rtol=1e-8, atol=1e-10)
    assert_allclose(ours.predict(X), theirs.predict(X), rtol=1e-8)


# -- both doors, missing labels, weights --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "settings", [{}, {"sharing": "l2"}, {"sharing": "cross_stitch"}, {"head_sizes": (4,)}], ids=str
)
def test_both_doors_and_missing_labels(settings):
    X, Y = numbers()
    Y[::7, 0] = np.nan
    Y[3:9, 2] = np.nan
    long, labels = melt(X, Y)
    # all rows in one batch, so that the order does not matter; features are scaled over other rows
    shared = net(batch_size=10**6, standardize=False, **settings).fit(X, Y)
    tasks = net(batch_size=10**6, standardize=False, task_feature=-1, **settings).fit(long, labels)
    assert_allclose(tasks.loss_, shared.loss_, rtol=1e-10)
    predicted = tasks.predict(long)
    assert_allclose(predicted, shared.predict(X).T.ravel()[~np.isnan(Y.T.ravel())], rtol=1e-7)


def test_weights():
    X, Y = numbers()
    rng = np.random.default_rng(1)
    counts = rng.integers(0, 3, len(X))
    weighted = net(batch_size=10**6).fit(X, Y, sample_weight=counts)
    twice = net(batch_size=10**6).fit(np.repeat(X, counts, axis=0), np.repeat(Y, counts, axis=0))
    assert_allclose(weighted.predict(X), twice.predict(X), rtol=1e-6)


def test_sparse_features_and_float32():
    X, Y = numbers()
    X[np.abs(X) < 0.7] = 0
    dense = net().fit(X, Y)
    assert_allclose(net().fit(sparse.csc_matrix(X), Y).predict(sparse.csr_matrix(X)), dense.predict(X), rtol=1e-10)
    single = net().fit(X.astype(np.float32), Y)
    assert single.predict(X.astype(np.float32)).dtype == np.float32
    assert all(a.dtype == np.float32 for a in single.weights_.values())
    assert_allclose(single.predict(X.astype(np.float32)), dense.predict(X), atol=1e-3)


def test_mixed_losses_predict_means():
    X, Y = numbers(n_tasks=3)
    Y = np.column_stack([Y[:, 0], np.random.default_rng(0).poisson(np.exp(X[:, 0])), Y[:, 2] > 0])
    model = net(loss=["squared", "poisson", "logistic"], max_iter=200, learning_rate_init=0.01).fit(X, Y)
    predicted = model.predict(X)
    assert (predicted[:, 1] > 0).all()
    assert ((predicted[:, 2] > 0) & (predicted[:, 2] < 1)).all()
    assert np.mean((predicted[:, 2] > 0.5) == Y[:, 2]) > 0.9


# -- classes -------------------------------------------------------------------------------------------------------


def test_classes_of_both_doors():
    X, Y = numbers(n=200)
    labels = np.column_stack([np.where(Y[:, 0] > 0, "yes", "no"), np.digitize(Y[:, 1], [-0.5, 0.5]).astype(str)])
    model = SharedLayerClassifier((20,), max_iter=300, learning_rate_init=0.01, random_state=0).fit(X, labels)
    assert model.score(X, labels) > 0.9
    assert [list(c) for c in model.classes_] == [["no", "yes"], ["0", "1", "2"]]
    first, second = model.predict_proba(X)
    assert first.shape == (200, 2)
    assert_allclose(second.sum(axis=1), 1)
    long, y = melt(X, labels)
    tasks = SharedLayerClassifier((20,), max_iter=100, learning_rate_init=0.01, random_state=0, task_feature=-1)
    tasks.fit(long, y)
    assert tasks.score(long, y) > 0.9
    assert tasks.predict_proba(long).shape == (400, 5)


@pytest.mark.parametrize("multi_class", ["softmax", "ovr"])
def test_one_task_of_many_classes(multi_class):
    X, Y = numbers(n=200)
    y = np.digitize(Y[:, 0], [-1, 0, 1])
    model = SharedLayerClassifier(
        (20,), max_iter=300, learning_rate_init=0.01, random_state=0, multi_class=multi_class
    ).fit(X, y)
    assert model.score(X, y) > 0.8
    assert model.decision_function(X).shape == (200, 4)


def test_exclusive_or():
    X = np.random.default_rng(0).uniform(-1, 1, (400, 2))
    y = (X[:, 0] * X[:, 1] > 0).astype(int)
    model = SharedLayerClassifier((20,), max_iter=300, learning_rate_init=0.01, random_state=0).fit(X, y)
    assert model.score(X, y) > 0.95
