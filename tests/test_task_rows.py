"""Rows of each task's own: triangles in place of rows, a curvature for every task, splitting, against plain FISTA."""

import math
from itertools import islice

import numpy as np
import pytest
from numpy.testing import assert_allclose

from mtlreg import MultiTaskRegressor, stack_tasks
from mtlreg.designs import StackedDesign
from mtlreg.kernels.cpu.rows import shrink_rows
from mtlreg.kernels.cpu.task_rows import minimise_row
from mtlreg.losses import Squared
from mtlreg.penalties import (
    L1,
    L21,
    Chain,
    Coupled,
    InfimalConvolution,
    L1Linf,
    L1Lq,
    MeanRegularized,
    RowWeighted,
    SparseGroup,
    TemporalSmooth,
    TotalVariation,
    TraceBall,
    TraceNorm,
    Transposed,
    TreeGroups,
)
from mtlreg.problem import Problem
from mtlreg.solvers import State, solve, splitting, task_gram
from mtlreg.solvers._choose import reduce
from mtlreg.task_losses import Segment, TaskLosses
from mtlreg.testing import check_design

SIZES = [60, 1, 3, 40, 7, 25, 80]
ROWS = [
    L1(0.02),
    L21(0.05),
    L21(0.05, alpha_ridge=0.1, positive=True),
    L1Linf(0.1),
    L1Linf(0.1, alpha_ridge=0.2, positive=True),
    L1Lq(0.05, q=1.3),
    L1Lq(0.05, q=4.0, alpha_ridge=0.1),
    SparseGroup(0.05, entry_ratio=0.4),
    SparseGroup(0.05, entry_ratio=0.3, q=math.inf),
    InfimalConvolution([("a", L21(0.05)), ("b", L1(0.03))]),
]
OTHERS = [
    TraceNorm(0.05),
    InfimalConvolution([("low", TraceNorm(0.05)), ("out", Transposed(L21(0.05)))]),
    InfimalConvolution([("sparse", L1(0.02)), ("low", TraceBall(1.0))]),
    Chain([TotalVariation(0.03), L1(0.02)]),
    TotalVariation(0.03),
    RowWeighted(L21(0.03), np.linspace(0.5, 2, 6)),
    TreeGroups(0.03, tree=[[0, 1, 2], [3, 4, 5, 6]]),
    Coupled(L21(0.03), TemporalSmooth(0.5)),
    MeanRegularized(0.1),
]


def data(seed=0, sizes=SIZES, p=6):
    """Tasks of one row, of fewer rows than features, and with columns that are constant, double or far from zero."""
    rng = np.random.default_rng(seed)
    Xs = [rng.standard_normal((n, p)) + 3.0 for n in sizes]
    for X in Xs[::2]:
        X[:, 1], X[:, 3] = 7.0, X[:, 2]
    W = rng.standard_normal((p, len(sizes))) * (rng.random(p) < 0.6)[:, None]
    ys = [X @ W[:, t] + rng.standard_normal(len(X)) for t, X in enumerate(Xs)]
    X, y = stack_tasks(Xs, ys)
    weights = rng.integers(0, 3, len(y)).astype(float)
    weights[np.cumsum(sizes) - 1] = 1.0  # a label for every task
    return X, y, weights


def problem_of(penalty, X, y, weights=None, **parameters):
    return MultiTaskRegressor(penalty, task_feature=-1, **parameters)._encode(X, y, weights)[0].problem


@pytest.mark.sampled(2)
@pytest.mark.parametrize("parameters", [{}, {"fit_intercept": False}, {"standardize": "per_task"}], ids=str)
@pytest.mark.parametrize("penalty", ROWS + OTHERS, ids=str)
def test_fast_ways_reach_what_fista_reaches(penalty, parameters):
    X, y, weights = data()
    fast, slow = (problem_of(penalty, X, y, weights, **parameters) for _ in range(2))
    assert reduce(fast) is not fast
    found = solve(fast, tol=1e-9, max_iter=100_000)
    plain = solve(slow, "fista", tol=1e-9, max_iter=300_000, warn=False)
    scale = slow.null.value
    assert found.converged
    assert found.objective == pytest.approx(slow.certify(found.x, found.Z).objective, abs=1e-12 * scale)
    assert abs(found.objective - plain.objective) <= found.gap + plain.gap + 1e-12 * scale
    assert found.objective - found.gap <= plain.objective + 1e-12 * scale


@pytest.mark.parametrize("penalty", [L21(0.05), TraceNorm(0.05), OTHERS[1]], ids=str)
def test_feature_weights_and_a_warm_start(penalty):
    X, y, weights = data(1)
    settings = {"feature_weights": [1, 2, 0, 0.5, math.inf, 1], "tol": 1e-9, "max_iter": 10**6, "warm_start": True}
    fast = MultiTaskRegressor(penalty, task_feature=-1, **settings).fit(X, y, weights)
    slow = MultiTaskRegressor(penalty, task_feature=-1, solver="fista", **settings).fit(X, y, weights)
    scale = slow.history_["objective"][0]
    assert abs(fast.objective_ - slow.objective_) <= 2e-9 * scale
    assert fast.coef_[:, 2].any() and not fast.coef_[:, 4].any()
    before = fast.objective_
    again = fast.fit(X, y, weights)
    assert again.n_iter_ <= 20 and abs(again.objective_ - before) <= 1e-9 * scale
    changed = again.set_params(penalty=penalty.with_alpha(2 * penalty.alpha)).fit(X, y, weights)
    fresh = MultiTaskRegressor(changed.penalty, task_feature=-1, **settings).fit(X, y, weights)
    assert abs(changed.objective_ - fresh.objective_) <= 2e-9 * scale


def test_degenerate_rows():
    X, y, _ = data(2)
    for labels in (0 * y, np.full_like(y, 3.0)):
        model = MultiTaskRegressor(TraceNorm(0.1), task_feature=-1).fit(X, labels)
        assert not model.coef_.any() and model.converged_
    X[:, :-1] = 2.0  # nothing but intercepts
    assert not MultiTaskRegressor(L21(0.1), task_feature=-1).fit(X, y).coef_.any()
    assert not MultiTaskRegressor(TraceNorm(0.1), task_feature=-1).fit(X, y).coef_.any()


@pytest.mark.parametrize("sizes", [SIZES, [8] * 5], ids=["unequal", "equal"])
@pytest.mark.parametrize("penalty", ROWS, ids=str)
def test_sweeps_by_gram_matrices_are_those_by_rows(penalty, sizes):
    problem = problem_of(penalty, *data(3, sizes), standardize="per_task")
    kernels, found = np.array(penalty.row_kernels(), dtype=float), []
    for columns in (task_gram.TaskColumns(problem), task_gram.TaskGram(problem)):
        x = np.zeros((len(kernels), *problem.design.shape_w))
        residual = columns.residual(x.reshape(problem.zero.shape), problem.null.Z)
        losses = [columns.loss(residual, x.reshape(problem.zero.shape))]
        for _ in range(4):
            change = columns.sweep(residual, x, kernels)
            losses.append(columns.loss(residual, x.reshape(problem.zero.shape)))
        assert_allclose(residual, columns.residual(x.reshape(problem.zero.shape), problem.null.Z), atol=1e-12)
        found.append((x, change, np.diff(losses)))
    assert found[0][0].any()
    for one, other in zip(*found, strict=True):
        assert_allclose(one, other, atol=1e-10)


def test_gram_matrices_of_tasks_are_kept(monkeypatch):
    problem = problem_of(L21(), *data(4), standardize="per_task")
    whole, rows = (task_gram.TaskGramRows(problem) for _ in range(2))
    every = whole.take(np.arange(6))
    formed = task_gram.formed(problem)
    own = formed[slice(*problem.design.starts[3:5])]
    assert_allclose(every[:, :, 3], own.T @ own, atol=1e-12)
    for features in ([3, 1], [0, 3, 5], [5], [4, 0]):
        assert_allclose(rows.take(np.array(features)), every[np.ix_(features, features)], atol=1e-12)
    monkeypatch.setattr(task_gram, "LARGEST", 7)
    assert_allclose(rows.take(np.array([2, 1])), every[np.ix_([2, 1], [2, 1])], atol=1e-12)
    assert sorted(rows.features) == [1, 2]


@pytest.mark.parametrize("q", [1.0, 1.2, 1.5, 2.0, 3.0, 10.0, math.inf])
@pytest.mark.parametrize("positive", [False, True])
def test_row_minima(q, positive):
    rng = np.random.default_rng(5)
    for _ in range(30):
        n = rng.integers(1, 8)
        c, L = rng.standard_normal(n) * 3, 10 ** rng.uniform(-3, 2, n)
        entry, row = rng.uniform(0, 0.5), rng.uniform(0, 4)
        even = c.copy()
        minimise_row(even, np.full(n, 2.0), entry, row, q, positive)
        assert_allclose(even, shrink_rows(c[None] / 2, entry / 2, row / 2, q, positive)[0], atol=1e-12)
        w = c.copy()
        minimise_row(w, L, entry, row, q, positive)
        # w is the prox at its own gradient step, of whatever length
        step = 0.1
        assert_allclose(
            shrink_rows((w - step * (L * w - c))[None], entry * step, row * step, q, positive)[0],
            w,
            atol=1e-9 * (1 + np.abs(w).max()),
        )
        L[0] = 0.0
        minimise_row(c, L, entry, row, q, positive)
        assert c[0] == 0 and np.isfinite(c).all()


@pytest.mark.parametrize("widths", [[1, 1, 1], [2, 2, 2]])
def test_tasks_of_one_height(widths):
    rng = np.random.default_rng(6)
    design = StackedDesign(rng.standard_normal((12, 5)), [0, 4, 8, 12], widths, np.ones((12, 1)))
    check_design(design)


def test_a_bound_by_splitting_is_below_the_optimum():
    X, y, weights = data(7)
    for penalty in (TraceNorm(0.05), Coupled(L21(0.03), TemporalSmooth(0.5)), OTHERS[1]):
        problem = reduce(problem_of(penalty, X, y, weights))
        assert splitting.handles(problem)
        best = solve(problem, "fista", tol=1e-9, max_iter=10**6).objective
        states = splitting.splitting(problem, State(problem.zero), max_iter=60, tolerance=0.0)
        bounds = [state.bound for state in islice(states, 7)]
        assert max(bounds) <= best * (1 + 1e-12)
        assert max(bounds) >= best - 1e-4 * problem.null.value


def test_two_columns_a_task_are_left_alone():
    every = slice(0, 12)
    design = StackedDesign(np.ones((6, 1)), [0, 3, 6], [2, 2])
    problem = Problem(
        design, TaskLosses([Segment(Squared(), 1, slice(0, 4), every, every)]), np.ones(12), np.ones(12), L1()
    )
    assert reduce(problem) is problem
