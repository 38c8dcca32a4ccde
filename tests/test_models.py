"""Proximal Newton by models of squared loss for tasks with rows of their own, against proximal steps."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from mtlreg import (
    L1,
    L21,
    Coupled,
    InfimalConvolution,
    MultiTaskClassifier,
    MultiTaskRegressor,
    SpectralBoxNorm,
    TemporalSmooth,
    TotalVariation,
    TraceNorm,
    Transposed,
)
from mtlreg.solvers import models
from mtlreg.solvers._choose import choose
from mtlreg.testing import sample_problem

PENALTIES = [
    TraceNorm(),
    TraceNorm(alpha_ridge=0.1),
    SpectralBoxNorm(n_clusters=2),
    InfimalConvolution([("low", TraceNorm(0.6)), ("outlier", Transposed(L21(0.4)))]),
    TotalVariation(alpha_ridge=0.1),
    Coupled(L21(), TemporalSmooth(0.5)),
]


def data(seed=0, n_each=(60, 90, 75, 60), p=6):
    """A constant column, two equal ones, and rows of weight zero."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((sum(n_each), p)) + 0.5
    X[:, 1], X[:, 3] = 2.0, X[:, 2]
    task = np.repeat(np.arange(len(n_each)), n_each)
    eta = (X * rng.standard_normal((len(n_each), p))[task]).sum(axis=1)
    weights = rng.integers(0, 3, len(X)).astype(float)
    return np.column_stack([X, task]), eta, weights, rng


@pytest.mark.parametrize("share", [0.5, 0.05, 0.005])
@pytest.mark.parametrize("penalty", PENALTIES, ids=str)
@pytest.mark.parametrize("loss", ["logistic", "squared_hinge", "poisson"])
def test_same_as_proximal_steps(loss, penalty, share):
    X, eta, weights, rng = data()
    settings = {"loss": loss, "task_feature": -1, "tol": 1e-9, "max_iter": 200_000}
    if loss == "poisson":
        make, y = MultiTaskRegressor, rng.poisson(np.exp(np.clip(0.3 * eta, -3, 3)))
    else:
        make, y = MultiTaskClassifier, eta + rng.logistic(size=len(eta)) > 0
    model = make(penalty, **settings)
    top = model.path_alphas(X, y, 2, sample_weight=weights)[0]
    model.set_params(penalty=penalty.with_alpha(share * top)).fit(X, y, weights)
    other = make(model.penalty, **settings, solver="fista").fit(X, y, weights)
    assert model.converged_ and other.converged_
    assert_allclose(model.objective_, other.objective_, rtol=1e-8)
    scale = np.abs(other.coef_).max()
    assert_allclose(model.coef_, other.coef_, atol=2e-3 * max(scale, 1e-3))


def test_warm_start():
    X, eta, weights, rng = data()
    y = eta + rng.logistic(size=len(eta)) > 0
    model = MultiTaskClassifier(TraceNorm(0.01), task_feature=-1, tol=1e-8, warm_start=True).fit(X, y)
    before = model.n_iter_
    assert model.fit(X, y).n_iter_ < before


@pytest.mark.parametrize(
    ("loss", "stacked", "expected"), [("logistic", True, True), ("logistic", False, False), ("squared", True, False)]
)
def test_where_it_is_used(loss, stacked, expected):
    problem = sample_problem(loss, TraceNorm(), n_features=2, n_tasks=2, stacked=stacked)
    assert models.handles(problem) == expected
    assert (choose("auto", problem) is models.newton_models) == expected


def test_sums_over_rows_have_their_own():
    problem = sample_problem("logistic", L1(), n_features=2, n_tasks=2, stacked=True)
    assert choose("auto", problem) is not models.newton_models
