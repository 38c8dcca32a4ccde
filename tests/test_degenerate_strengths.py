"""Degenerate data and strengths: none, those from which all is zero, and where there is no minimum."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from reference import Reference
from sklearn.exceptions import ConvergenceWarning
from test_degenerate import at, data, every_door, every_loss, every_penalty, fit, through

from mtlreg import L1, L21, Chain, MultiTaskRegressor, Transposed

# the structures of the test cases are those of more tasks
pytestmark = pytest.mark.filterwarnings("ignore:.* names tasks that are not in the data")


@every_penalty
@every_loss
@every_door
def test_zero_from_alpha_max_on(penalty, loss, door):
    X, Y, parameters = through(door, *data(loss=loss))
    model = MultiTaskRegressor(penalty, loss=loss, tol=1e-12, max_iter=50_000, **parameters)
    alpha = model.alpha_max(X, Y)
    for strength in (alpha, 1e6, 1e6 * alpha):
        model.set_params(penalty=penalty.with_alpha(strength)).fit(X, Y)
        assert not model.coef_.any()
        assert model.converged_
    for share in (1 - 1e-3, 1 - 1e-5):
        model.set_params(penalty=penalty.with_alpha(share * alpha)).fit(X, Y)
        assert model.coef_.any()


@every_loss
@every_door
def test_no_penalty(loss, door):
    """At alpha = 0 the gradient is zero."""
    X, Y, parameters = through(door, *data(60, 3, 2, loss, seed=3))
    for penalty in (L21(0.0), Chain([L1()], alpha=0.0), Transposed(L1(), 0.0)):
        fit(MultiTaskRegressor(penalty, loss=loss, tol=1e-12, **parameters), X, Y)


@every_door
def test_small_signals_on_large_labels_are_no_rounding(door):
    X, Y = data()
    model = MultiTaskRegressor(L21(0.05), tol=1e-7)
    plain = model.fit(X, Y).coef_.copy()
    X, Y, parameters = through(door, X, Y + 1e7)
    assert_allclose(model.set_params(**parameters).fit(X, Y).coef_, plain, atol=1e-4)


@every_door
def test_no_penalty_where_every_label_can_be_met(door):
    X, Y, parameters = through(door, *data(5, 12, 2))
    model = MultiTaskRegressor(L21(0.0), tol=1e-12, **parameters).fit(X, Y)
    assert model.converged_
    assert_allclose(model.predict(X).ravel(), Y.ravel(), atol=1e-9)
    assert model.objective_ <= 1e-20


@pytest.mark.parametrize("loss", ["logistic", "poisson"])
def test_no_minimum_is_an_error_that_names_the_task(loss):
    X, Y = data(loss=loss)
    if loss == "poisson":
        Y[:, 1] = 0.0
        with pytest.raises(ValueError, match="Task 1 has no minimum: its counts are all zero"):
            MultiTaskRegressor(L21(0.1), loss=loss).fit(X, Y)
        MultiTaskRegressor(L21(0.1), loss=loss, fit_intercept=False).fit(X, Y)
    X[:, 0] = X[:, 0] > 0.2
    Y[:, 1] = X[:, 0] if loss == "logistic" else 3.0 * (X[:, 0] == 0)
    free = np.where(np.arange(X.shape[1]) == 0, 0.0, 1.0)
    for parameters in ({"penalty": L21(0.0)}, {"penalty": L21(0.1), "feature_weights": free}):
        with pytest.raises(ValueError, match="Task 1 has no minimum"):
            MultiTaskRegressor(loss=loss, **parameters).fit(X, Y)


def test_one_class_has_no_minimum_with_an_intercept():
    X, Y = data(loss="logistic")
    Y[:, 1] = 0.0
    with pytest.raises(ValueError, match="Task 1 has no minimum"):
        MultiTaskRegressor(L21(0.1), loss="logistic").fit(X, Y)
    fit(MultiTaskRegressor(L21(0.1), loss="logistic", fit_intercept=False, tol=1e-9), X, Y)
    fit(MultiTaskRegressor(L21(0.1), loss="squared_hinge", tol=1e-9), X, Y)


@pytest.mark.parametrize("loss", ["logistic", "squared_hinge", "poisson"])
def test_rare_unpenalised_column(loss):
    """Few labels whose loss can be made as small as one likes: not refused, and the certificate holds."""
    X, Y = data(100, 6, 2, loss)
    X[:, 0] = np.arange(100) < 4
    Y[:4, 0] = 0.0
    f = np.array([0.0, 1, 1, 1, 1, 1])
    fit(at(MultiTaskRegressor(L21(), loss=loss, feature_weights=f, tol=1e-9), X, Y, 0.1), X, Y)


def test_separable_classes_with_a_penalty():
    X, Y = data()
    Y = (X[:, :2] > 0.2).astype(float)
    for loss in ("logistic", "squared_hinge"):
        fit(at(MultiTaskRegressor(L21(), loss=loss, tol=1e-9, max_iter=50_000), X, Y, 1e-3), X, Y)


@pytest.mark.parametrize("loss", ["logistic", "squared_hinge"])
def test_labels_on_the_margin(loss):
    """Few values of X, so that many labels share a predictor, some of them exactly at a kink of the loss."""
    rng = np.random.default_rng(0)
    X = rng.integers(0, 2, (40, 5)).astype(float)
    Y = np.column_stack([X[:, 0], X[:, 0] * X[:, 1], rng.integers(0, 2, 40)])
    for free in (1.0, 0.0):
        weights = np.array([1.0, 1.0, 1.0, 1.0, free])
        model = MultiTaskRegressor(L21(), loss=loss, feature_weights=weights, tol=1e-9, max_iter=50_000)
        for share in (0.5, 0.1, 0.01, 1e-3):
            fit(at(model, X, Y, share), X, Y)


def test_iterations_run_out():
    X, Y = data(50, 20, 3)
    model = MultiTaskRegressor(L21(1e-3), solver="fista", max_iter=3, tol=1e-10)
    with pytest.warns(ConvergenceWarning, match="The duality gap reached"):
        model.fit(X, Y)
    assert not model.converged_
    assert model.n_iter_ == 3
    assert model.objective_ <= Reference(model, X, Y).optimum() + model.dual_gap_
