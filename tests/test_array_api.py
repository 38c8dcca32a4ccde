"""The whole of a fit on arrays that allow the array API standard and nothing else, as CuPy's stand-in."""

import array_api_strict as xp
import numpy as np
import pytest

from mtlreg.designs import SharedDesign, StackedDesign
from mtlreg.losses import Huber, Logistic, Poisson, Softmax, Squared, SquaredHinge
from mtlreg.penalties import (
    L1,
    L21,
    Chain,
    ClusterNorm,
    GraphFused,
    InfimalConvolution,
    L1Linf,
    L1Lq,
    SparseGroup,
    SpectralBoxNorm,
    SquaredTraceNorm,
    TotalVariation,
    TraceBall,
    TraceNorm,
    Transposed,
    TreeGroups,
)
from mtlreg.problem import Problem
from mtlreg.solvers import solve
from mtlreg.task_losses import Segment, TaskLosses

N, P, T = 24, 6, 3
LOSSES = [Squared(), Huber(0.5), Logistic(), SquaredHinge(), Poisson(), Softmax()]
PENALTIES = [
    L1(0.05),
    L21(0.05, alpha_ridge=0.01),
    L1Linf(0.1),
    L1Lq(0.05, q=3.0),
    SparseGroup(0.05, positive=True),
    InfimalConvolution([("shared", L21(0.06)), ("specific", L1(0.05))]),
    Chain([L1(0.02), L21(0.03)]),
    Transposed(L21(0.05)),
    TraceNorm(0.05, alpha_ridge=0.01),
    SquaredTraceNorm(0.05),
    SpectralBoxNorm(0.05),
    ClusterNorm(0.05),
    InfimalConvolution([("sparse", L1(0.05)), ("low_rank", TraceBall(0.5))]),
    TotalVariation(0.05, order=[2, 0, 1]),
    Chain([TotalVariation(0.05), L1(0.02), L21(0.03)]),
    GraphFused(0.05, [(0, 1, 1.0), (1, 2, -2.0), (0, 2, 0.5)]),
    TreeGroups(0.05, [[0, 1], 2]),
]


def labels(loss, rng, shape):
    if loss.kind == "binary":
        return rng.integers(0, 2, shape).astype(float)
    if loss.kind == "multiclass":
        # every class in every task: without one its intercept has no minimum
        return sum(np.indices(shape)) % 3.0
    return rng.poisson(1.5, shape).astype(float)


def problem(namespace, loss, penalty, stacked=False, standardize=False):
    """A small problem in the arrays of a namespace."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((N, P)) + 1
    U = np.ones((N, 1))
    columns = 3 if loss.kind == "multiclass" else 1
    scale = None if not standardize else namespace.asarray((1 / X.std(axis=0))[:, None])
    if stacked:
        starts = [0, 6, 15, N]
        y, w = labels(loss, rng, (N,)), np.full(N, T / N)
        design = StackedDesign(namespace.asarray(X), starts, [columns] * T, namespace.asarray(U), scale)
        n_labels = N
    else:
        y, w = labels(loss, rng, (N, T)), np.full((N, T), 1 / N)
        w[rng.random(w.shape) < 0.2] = 0.0
        design = SharedDesign(namespace.asarray(X), T * columns, namespace.asarray(U), scale)
        n_labels = T
    segment = Segment(loss, columns, slice(0, T), slice(0, n_labels), slice(0, n_labels * columns))
    losses = TaskLosses([segment])
    weights = namespace.asarray(w)
    design.residualise(losses.expand(weights))
    return Problem(design, losses, namespace.asarray(y), weights, penalty)


def check_equal(loss, penalty, **layout):
    reference = solve(problem(np, loss, penalty, **layout), "fista", tol=1e-4)
    strict = solve(problem(xp, loss, penalty, **layout), "fista", tol=1e-4)
    assert reference.converged and strict.converged
    assert type(strict.x).__module__.startswith("array_api_strict")
    assert strict.n_iter == reference.n_iter
    assert abs(strict.objective - reference.objective) <= 1e-10
    np.testing.assert_allclose(np.asarray(strict.x), reference.x, atol=1e-8)


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.name)
@pytest.mark.parametrize("stacked", [False, True], ids=["shared", "stacked"])
def test_every_loss(loss, stacked):
    check_equal(loss, L21(0.15), stacked=stacked)


@pytest.mark.parametrize("penalty", PENALTIES, ids=lambda penalty: type(penalty).__name__)
def test_every_penalty(penalty):
    check_equal(Squared(), penalty, standardize=True)
