"""Sweeps over rows: singly, block by block, by the Gram matrix, by blocks of it. The iterates are the same."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from mtlreg import BlockSparseRegressor, MultiTaskRegressor
from mtlreg.designs import SharedDesign
from mtlreg.losses import Squared
from mtlreg.penalties import L1, L21, InfimalConvolution, L1Linf, SparseGroup
from mtlreg.problem import Problem
from mtlreg.solvers import gram
from mtlreg.solvers.columns import Blocks, Columns
from mtlreg.task_losses import Segment, TaskLosses

PENALTIES = [
    L1(0.05),
    L21(0.1, alpha_ridge=0.2),
    L1Linf(0.1, positive=True),
    SparseGroup(0.1, entry_ratio=0.4, q=3.0),
    InfimalConvolution([("a", L21(0.1)), ("b", L1(0.07))]),
]


def make(penalty, n=60, p=40, n_tasks=5):
    """With an intercept, scaled columns, weighted rows, a constant column and a duplicate one."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, p)) + 3.0
    X[:, 1], X[:, 3] = 2.0, X[:, 2]
    y = X[:, :4] @ rng.standard_normal((4, n_tasks)) + rng.standard_normal((n, n_tasks))
    weights = rng.uniform(0.5, 2.0, (n, 1)) / n
    every = slice(0, n_tasks)
    design = SharedDesign(X, n_tasks, np.ones((n, 1)), rng.uniform(0.5, 2.0, (p, 1))).residualise(weights)
    return Problem(design, TaskLosses([Segment(Squared(), 1, every, every, every)]), y, weights, penalty)


@pytest.mark.parametrize("kind", [Blocks, gram.Gram, gram.GramBlocks])
@pytest.mark.parametrize("penalty", PENALTIES, ids=str)
def test_iterates_are_those_of_single_rows(penalty, kind):
    problem = make(penalty)
    kernels, Z = np.array(penalty.row_kernels(), dtype=float), problem.null.Z
    shape, found, changes, losses = (len(kernels), *problem.design.shape_w), [], [], []
    for columns in (Columns(problem), kind(problem)):
        x = np.zeros(shape)
        residual = columns.residual(x.reshape(problem.zero.shape), Z)
        start = columns.loss(residual, x.reshape(problem.zero.shape))
        for _ in range(4):
            change = columns.sweep(residual, x, kernels)
        found.append(x)
        changes.append(change)
        losses.append(columns.loss(residual, x.reshape(problem.zero.shape)) - start)
        assert_allclose(residual, columns.residual(x.reshape(problem.zero.shape), Z), atol=1e-12)
    assert found[0].any()
    assert_allclose(found[1], found[0], atol=1e-10)
    assert_allclose(changes[1], changes[0], rtol=1e-6)
    assert_allclose(losses[1], losses[0], rtol=1e-9)


def test_rows_of_a_gram_matrix_are_kept(monkeypatch):
    problem = make(L21())
    whole = gram.GramRows(problem).take(np.arange(40))
    rows = gram.GramRows(problem)
    for features in ([3, 1], [0, 3, 7], [7], [5, 39, 0]):
        assert_allclose(rows.take(np.array(features)), whole[np.ix_(features, features)], atol=1e-14)
    assert sorted(rows.features) == [0, 1, 3, 5, 7, 39]
    monkeypatch.setattr(gram, "LARGEST", 7)
    assert_allclose(rows.take(np.array([8, 9])), whole[np.ix_([8, 9], [8, 9])], atol=1e-14)
    assert sorted(rows.features) == [8, 9]


@pytest.mark.parametrize("n", [30, 80])
def test_a_fit_with_sets_larger_and_smaller_than_the_rows(n):
    rng = np.random.default_rng(n)
    X = rng.standard_normal((n, 120))
    Y = X[:, :30] @ rng.standard_normal((30, 6)) + rng.standard_normal((n, 6))
    model = BlockSparseRegressor(1.0, tol=1e-9)
    for share in (0.3, 0.05, 0.005):
        alpha = share * model.alpha_max(X, Y)
        fit = BlockSparseRegressor(alpha, tol=1e-9).fit(X, Y)
        slow = BlockSparseRegressor(alpha, tol=1e-9, solver="fista", max_iter=10**6).fit(X, Y)
        assert fit.converged_ and slow.converged_
        assert_allclose(fit.objective_, slow.objective_, rtol=1e-8)


@pytest.mark.parametrize("penalty", PENALTIES, ids=str)
def test_blocks_in_single_precision(penalty):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((40, 150)).astype(np.float32)
    Y = (X[:, :5] @ rng.standard_normal((5, 6)) + rng.standard_normal((40, 6))).astype(np.float32)
    model = MultiTaskRegressor(penalty, tol=1e-5).fit(X, Y)
    double = MultiTaskRegressor(penalty, tol=1e-9).fit(X.astype(float), Y.astype(float))
    assert model.coef_.dtype == np.float32
    assert model.converged_
    assert_allclose(model.objective_, double.objective_, rtol=1e-4)
