"""More tasks than rows: the problem in the span of the labels has the same solutions and the same certificates."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from mtlreg import (
    L1,
    L21,
    InfimalConvolution,
    L1Linf,
    L1Lq,
    MultiTaskRegressor,
    RowWeighted,
    SparseGroup,
    SquaredTraceNorm,
    TraceNorm,
)
from mtlreg.penalties import TraceBall
from mtlreg.solvers import compression, solve
from mtlreg.solvers._base import State
from mtlreg.testing import check_penalty
from tests.test_sweeps import make

INVARIANT = [
    L21(0.1),
    L21(0.1, alpha_ridge=0.3),
    L1Lq(0.1, q=2.0),
    RowWeighted(L21(0.1), weights=np.linspace(0.5, 2.0, 12)),
    TraceNorm(0.2),
    SquaredTraceNorm(0.01),
    InfimalConvolution([("low", TraceNorm(0.3)), ("few", L21(0.1))]),
    InfimalConvolution([("ball", TraceBall(0.5)), ("few", L21(0.1))]),
]
OTHERS = [
    L1(),
    L21(positive=True),
    L1Linf(),
    L1Lq(q=3.0),
    SparseGroup(),
    InfimalConvolution([("a", L1()), ("b", L21())]),
]


@pytest.mark.parametrize("penalty", INVARIANT, ids=str)
@pytest.mark.parametrize("n", [8, 30])
def test_same_solution(penalty, n):
    """With 8 rows the labels are compressed, with 30 the moments, which have as many rows as there are features."""
    problem = make(penalty, n=n, p=12, n_tasks=20)
    found = solve(problem, tol=1e-10, max_iter=100_000)
    plain = solve(problem, "fista", tol=1e-10, max_iter=100_000)
    assert found.x.shape == problem.zero.shape
    assert found.Z is None or found.Z.shape == problem.null.Z.shape
    assert found.converged and plain.converged
    assert_allclose(found.objective, plain.objective, rtol=1e-9)
    assert_allclose(problem.total(found.x), problem.total(plain.x), atol=2e-3)
    certificate = problem.certify(found.x, found.Z)
    assert_allclose(certificate.objective, found.objective, rtol=1e-12)
    assert certificate.gap <= 2 * found.tolerance


@pytest.mark.parametrize("penalty", INVARIANT, ids=str)
def test_is_used(penalty):
    assert compression.applies(make(penalty, n=8, p=12, n_tasks=20))
    assert not compression.applies(make(penalty, n=20, p=12, n_tasks=20))


@pytest.mark.parametrize("penalty", OTHERS, ids=str)
def test_is_not_used(penalty):
    assert not compression.applies(make(penalty, n=8, p=12, n_tasks=20))


def test_is_not_used_where_tasks_differ():
    X, Y, _ = data()
    for change in ({"sample_weight": np.linspace(1, 2, Y.size).reshape(Y.shape)}, {"missing": True}):
        y = Y.copy()
        if change.pop("missing", False):
            y[0, 0] = np.nan
        model = MultiTaskRegressor(L21(0.1), tol=1e-10).fit(X, y, **change)
        other = MultiTaskRegressor(L21(0.1), tol=1e-10, solver="fista").fit(X, y, **change)
        assert_allclose(model.coef_, other.coef_, atol=1e-4)


def data(n=10, p=15, n_tasks=25):
    rng = np.random.default_rng(1)
    X = rng.standard_normal((n, p)) + 2
    W = np.zeros((p, n_tasks))
    W[:3] = rng.standard_normal((3, n_tasks))
    return X, X @ W + 0.3 * rng.standard_normal((n, n_tasks)), W


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_estimator(dtype):
    X, Y, _ = data()
    weights = np.linspace(0, 2, len(X))
    settings = {"feature_weights": np.r_[0, np.ones(14)], "tol": 1e-9 if dtype is np.float64 else 1e-5}
    X, Y = X.astype(dtype), Y.astype(dtype)
    model = MultiTaskRegressor(L21(0.1), **settings).fit(X, Y, weights)
    other = MultiTaskRegressor(L21(0.1), **settings, solver="working_set").fit(X, Y, weights)
    assert model.coef_.dtype == dtype
    atol = 1e-4 if dtype is np.float64 else 3e-2
    assert_allclose(model.coef_, other.coef_, atol=atol)
    assert_allclose(model.intercept_, other.intercept_, atol=10 * atol)


def test_warm_starts_along_a_path():
    X, Y, _ = data()
    model = MultiTaskRegressor(L21(), tol=1e-9)
    path = model.path(X, Y, alphas=8)
    assert path.converged.all()
    assert (path.n_iters[1:] > 0).any()
    for alpha, coef, objective in zip(path.alphas, path.coefs, path.objectives, strict=True):
        other = MultiTaskRegressor(L21(alpha), tol=1e-9, solver="working_set").fit(X, Y)
        assert_allclose(coef, other.coef_, atol=1e-3)
        assert_allclose(objective, other.objective_, rtol=1e-8)


def test_callback_sees_the_problem_that_was_given():
    problem = make(L21(0.1), n=8, p=12, n_tasks=20)
    shapes = []
    solve(problem, tol=1e-8, callback=lambda state: shapes.append((state.x.shape, state.Z.shape)))
    assert len(shapes) > 1
    assert set(shapes) == {((12, 20), (1, 20))}


def test_starts_of_another_shape_are_worth_nothing():
    problem = make(L21(0.1), n=8, p=12, n_tasks=20)
    other = State(np.ones((12, 19)), None)
    assert_allclose(solve(problem, tol=1e-8, start=other).x, solve(problem, tol=1e-8).x, rtol=0, atol=0)


def test_labels_of_one_constant_column():
    X, Y, _ = data()
    Y[:, 1:] = 0
    model = MultiTaskRegressor(L21(0.05), tol=1e-10).fit(X, Y)
    assert_allclose(model.coef_[1:], 0, atol=1e-12)
    assert model.coef_[0].any()


def test_claim_is_checked():
    class Claiming(L1):
        rotation_invariant = True

    with pytest.raises(AssertionError, match="rotation"):
        check_penalty(Claiming())
