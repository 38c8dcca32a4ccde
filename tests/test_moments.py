"""Moments: additive over rows, and standing in for the rows."""

import numpy as np
import pytest

from mtlreg import L21, BlockSparseRegressor, L1Linf, MultiTaskRegressor
from mtlreg.moments import Moments
from mtlreg.penalties import MeanRegularized
from mtlreg.solvers import solve

N, P, T = 150, 8, 4


@pytest.fixture(params=[0.0, 0.3], ids=["complete", "missing"])
def data(request):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((N, P)) + 1e3  # far from the origin: sums of squares as they stand would cancel
    Y = X @ rng.standard_normal((P, T)) + rng.standard_normal((N, T))
    Y[rng.random(Y.shape) < request.param] = np.nan
    return X, Y


def assert_same_fit(fast, plain):
    """Fits of a tolerance of 1e-10 to moments and to rows agree."""
    scale = plain.history_["objective"][0]
    assert fast.history_["objective"][0] == pytest.approx(scale, rel=1e-12)
    assert abs(fast.objective_ - plain.objective_) <= 2e-10 * scale
    np.testing.assert_allclose(fast.coef_, plain.coef_, atol=1e-4)


@pytest.mark.parametrize("intercept", [True, False])
def test_the_problem_of_moments_is_the_problem_of_the_rows(data, intercept):
    X, Y = data
    X = X if intercept else X - 1e3
    solution = solve(Moments.from_data(X, Y).problem(L21(0.1), fit_intercept=intercept), tol=1e-10)
    model = BlockSparseRegressor(alpha=0.1, fit_intercept=intercept, tol=1e-10, solver="fista").fit(X, Y)
    assert abs(solution.objective - model.objective_) <= 1e-9 * model.history_["objective"][0]
    np.testing.assert_allclose(solution.x.T, model.coef_, atol=1e-5)
    if intercept:
        mean_x, mean_y = Moments.from_data(X, Y).means()
        np.testing.assert_allclose(mean_y - (mean_x * solution.x.T).sum(axis=1), model.intercept_, rtol=1e-5)


def test_parts_add_up_and_come_off_again(data):
    X, Y = data
    whole, first, rest = (Moments.from_data(X[rows], Y[rows]) for rows in (slice(None), slice(60), slice(60, None)))
    for found, wanted in ((first + rest, whole.shifted(first.shift)), (whole - first, rest.shifted(whole.shift))):
        for one, other in zip(found.centred(), wanted.centred(), strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-8, atol=1e-6)


def test_weights_are_repeated_rows(data):
    X, Y = data
    weights = np.arange(N) % 3
    rows = np.repeat(np.arange(N), weights)
    for one, other in zip(
        Moments.from_data(X, Y, weights).centred(), Moments.from_data(X[rows], Y[rows]).centred(), strict=True
    ):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-6)


@pytest.mark.parametrize(
    ("penalty", "solver"),
    [(L21(0.2), "working_set"), (L1Linf(0.2, alpha_ridge=0.1), "working_set"), (MeanRegularized(0.2), "newton_cg")],
    ids=["L21", "L1Linf", "MeanRegularized"],
)
@pytest.mark.parametrize("standardize", [False, True])
def test_many_rows_are_replaced_by_moments_without_a_trace(penalty, solver, standardize):
    rng = np.random.default_rng(1)
    X = rng.standard_normal((400, 20)) * np.geomspace(0.1, 10, 20) + 5
    Y = X[:, :4] @ rng.standard_normal((4, 6)) + rng.standard_normal((400, 6))
    weights = rng.uniform(0.5, 2, 400)
    settings = {"tol": 1e-10, "standardize": standardize}
    fast = MultiTaskRegressor(penalty, **settings).fit(X, Y, weights)
    plain = MultiTaskRegressor(penalty, solver=solver, **settings).fit(X, Y, weights)
    assert_same_fit(fast, plain)
    np.testing.assert_allclose(fast.intercept_, plain.intercept_, atol=1e-3)


def test_collinear_columns():
    rng = np.random.default_rng(2)
    X = rng.standard_normal((100, 3))
    X = np.hstack([X, X[:, :1], np.ones((100, 1))])
    Y = X[:, :2] @ rng.standard_normal((2, 3))
    model = BlockSparseRegressor(alpha=0.01, tol=1e-10).fit(X, Y)
    plain = BlockSparseRegressor(alpha=0.01, tol=1e-10, solver="fista").fit(X, Y)
    assert abs(model.objective_ - plain.objective_) <= 2e-10 * plain.history_["objective"][0]


def test_moments_that_do_not_match():
    rng = np.random.default_rng(0)
    one = Moments.from_data(rng.standard_normal((9, 3)), rng.standard_normal((9, 2)))
    with pytest.raises(ValueError, match="different numbers of features"):
        one + Moments.from_data(rng.standard_normal((9, 4)), rng.standard_normal((9, 2)))
    with pytest.raises(ValueError, match="Y must have shape"):
        Moments.from_data(np.ones((9, 3)), np.ones(9))
