"""Newton's step on the rows that are not zero, against the derivatives written down in full."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from mtlreg import L1, L21, BlockSparseRegressor, InfimalConvolution, L1Linf, SparseGroup
from mtlreg.solvers import solve, support
from tests.test_sweeps import make


def objective(G, B, W, row, ridge):
    squares = 0.5 * np.vdot(W, G @ W) - np.vdot(W, B) + 0.5 * ridge * np.vdot(W, W)
    return squares + row * np.linalg.norm(W, axis=1).sum()


def hessian(G, W, row, ridge):
    """By rows of W one after the other."""
    m, n_columns = W.shape
    H = np.kron(G + ridge * np.eye(m), np.eye(n_columns))
    for j, w in enumerate(W):
        size = np.linalg.norm(w)
        block = slice(j * n_columns, (j + 1) * n_columns)
        H[block, block] += row / size * (np.eye(n_columns) - np.outer(w, w) / size**2)
    return H


@pytest.mark.parametrize("ridge", [0.0, 0.4])
@pytest.mark.parametrize(("m", "n_columns"), [(6, 3), (1, 4), (5, 1), (8, 8)])
def test_is_the_newton_step(m, n_columns, ridge, monkeypatch):
    rng = np.random.default_rng(m + n_columns)
    X = rng.standard_normal((20, m))
    G, W, row = X.T @ X, 3.0 + rng.standard_normal((m, n_columns)), 0.7
    B = G @ (W + 0.05 * rng.standard_normal(W.shape))
    gradient = G @ W - B + ridge * W + row * W / np.linalg.norm(W, axis=1, keepdims=True)
    whole = -np.linalg.solve(hessian(G, W, row, ridge), gradient.ravel()).reshape(W.shape)
    step = support.newton_step(lambda S: G @ S, B - G @ W, W, row, ridge)
    assert_allclose(step, whole, atol=1e-9)
    monkeypatch.setattr(support, "REDUCTION", 1e-12)
    monkeypatch.setattr(support, "MAX_CG", 1000)
    assert_allclose(support.newton_step(lambda S: G @ S, B - G @ W, W, row, ridge, np.diag(G)), whole, atol=1e-8)
    assert objective(G, B, W + step, row, ridge) < objective(G, B, W, row, ridge)


def test_a_step_too_long_is_halved():
    """The whole step jumps over zero, where the norm has its kink."""
    G, W = np.array([[1.0]]), np.array([[1e-3, 0.0]])
    B = np.array([[-2.0, 0.1]])
    step = support.newton_step(lambda S: G @ S, B - G @ W, W, 0.5, 0.0)
    assert step is not None
    assert objective(G, B, W + step, 0.5, 0.0) < objective(G, B, W, 0.5, 0.0)


def test_none_at_the_minimum_of_singular_rows():
    """Two equal columns: no direction but rounding is left, and none is proposed that goes up."""
    G, W = np.ones((2, 2)), np.ones((2, 3))
    Q = 0.3 * W / np.linalg.norm(W, axis=1, keepdims=True)
    step = support.newton_step(lambda S: G @ S, Q, W, 0.3, 0.0)
    assert step is None or np.abs(step).max() < 1e-6


@pytest.mark.parametrize(
    ("penalty", "expected"),
    [
        (L21(), True),
        (L21(alpha_ridge=1.0), True),
        (L21(alpha=0.0, alpha_ridge=1.0), False),
        (L21(positive=True), False),
        (L1(), False),
        (L1Linf(), False),
        (SparseGroup(), False),
        (InfimalConvolution([("a", L21()), ("b", L1())]), False),
    ],
    ids=str,
)
def test_handles(penalty, expected):
    assert support.handles(np.array(penalty.row_kernels(), dtype=float)) == expected


@pytest.mark.parametrize("share", [0.5, 0.1, 0.01])
@pytest.mark.parametrize(("n", "p"), [(200, 40), (30, 90)])
def test_saves_sweeps_and_changes_nothing_else(n, p, share, monkeypatch):
    problem = make(L21(), n=n, p=p)
    problem = problem.with_alpha(share * problem.alpha_max)
    fast = solve(problem, "working_set", tol=1e-11)
    monkeypatch.setattr(support, "handles", lambda kernels: False)
    slow = solve(problem, "working_set", tol=1e-11)
    assert fast.converged and slow.converged
    assert fast.n_iter <= slow.n_iter
    assert_allclose(fast.x, slow.x, atol=2e-4)
    assert_allclose(fast.objective, slow.objective, rtol=1e-10)


def test_correlated_features_take_few_sweeps():
    rng = np.random.default_rng(0)
    X = np.cumsum(0.2 * rng.standard_normal((100, 300)), axis=1)
    Y = X[:, ::30] @ rng.standard_normal((10, 8)) + rng.standard_normal((100, 8))
    model = BlockSparseRegressor(1.0, fit_intercept=True)
    alpha = model.alpha_max(X, Y) / 20
    fit = BlockSparseRegressor(alpha, tol=1e-9).fit(X, Y)
    plain = BlockSparseRegressor(alpha, tol=1e-9, solver="fista", max_iter=10**6).fit(X, Y)
    assert fit.converged_
    assert_allclose(fit.objective_, plain.objective_, rtol=1e-7)
