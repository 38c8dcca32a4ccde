"""Proximal Newton: sweeps with label weights, curvatures, and Newton's method on the support."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import sparse

from mtlreg.designs import SharedDesign, StackedDesign
from mtlreg.losses import Squared, as_loss
from mtlreg.penalties import L1, L21, InfimalConvolution, L1Linf, L1Lq, SparseGroup
from mtlreg.problem import Problem
from mtlreg.solvers import solve, weighted
from mtlreg.solvers.columns import Columns
from mtlreg.solvers.curvature import Curvature
from mtlreg.solvers.newton import handles
from mtlreg.solvers.pieces import Piece, support_direction
from mtlreg.task_losses import Segment, TaskLosses
from mtlreg.testing import sample_problem

KERNELS = {  # entry, row, q, ridge, positive
    "l1": (0.3, 0.0, 1.0, 0.0, False),
    "l21": (0.0, 0.3, 2.0, 0.1, False),
    "sparse group": (0.2, 0.3, 2.0, 0.0, False),
    "inf": (0.0, 0.3, np.inf, 0.0, False),
    "sparse inf": (0.1, 0.3, np.inf, 0.2, False),
    "q small": (0.0, 0.3, 1.5, 0.0, False),
    "q large": (0.1, 0.3, 3.0, 0.0, False),
    "positive": (0.0, 0.3, 2.0, 0.0, True),
}
PENALTIES = {
    "l21": L21(),
    "l1": L1(alpha_ridge=0.01),
    "inf": L1Linf(),
    "sparse group": SparseGroup(entry_ratio=0.3),
    "q": L1Lq(q=3.0),
    "positive": L21(positive=True),
    "split": InfimalConvolution([("a", L21()), ("b", L1(0.8))]),
}


def make(loss, penalty, *, n=50, p=30, n_tasks=4, intercept=True, missing=0.0, stacked=False, **kw):
    """A problem of few informative rows; for softmax two tasks of ``n_tasks / 2`` classes."""
    rng = np.random.default_rng(kw.get("seed", 0))
    dtype = kw.get("dtype", float)
    rows = n * n_tasks if stacked else n
    X = rng.standard_normal((rows, p)) + 0.5
    W = rng.standard_normal((p, n_tasks)) * (np.arange(p) < 5)[:, None]
    X[:, 7] = X[:, 2] if kw.get("degenerate") else X[:, 7]
    X[:, 8] = 1.0 if kw.get("degenerate") else X[:, 8]
    U = np.ones((rows, 1), dtype) if intercept else None
    X = kw.get("container", np.asarray)(X.astype(dtype))
    if stacked:
        design = StackedDesign(X, np.arange(n_tasks + 1) * n, [1] * n_tasks, U)
    else:
        design = SharedDesign(X, n_tasks, U, kw.get("inverse_scale"))
    eta = design.matvec(W.astype(dtype))
    eta = eta - eta.mean()
    n_classes = n_tasks // 2 if loss == "softmax" else 1
    if loss == "softmax":
        gumbel = eta.reshape(n, 2, n_classes) + rng.gumbel(size=(n, 2, n_classes))
        y = gumbel.argmax(axis=-1).astype(dtype)
    elif loss == "poisson":
        y = rng.poisson(np.exp(np.clip(0.5 * eta, None, 3))).astype(dtype)
    elif as_loss(loss).kind == "binary":
        y = (eta + rng.standard_normal(eta.shape) > 0).astype(dtype)
    else:
        y = (eta + rng.standard_normal(eta.shape)).astype(dtype)
    common = not missing and not stacked and loss != "softmax"
    weights = np.ones((n, 1) if common else y.shape) / n
    if missing:
        weights = weights * rng.uniform(0.5, 2, y.shape) * (rng.random(y.shape) >= missing)
    labels = slice(0, y.shape[-1])
    columns = labels if stacked else slice(0, n_tasks)
    tasks = slice(0, 2 if loss == "softmax" else n_tasks)
    losses = TaskLosses([Segment(as_loss(loss), n_classes, tasks, labels, columns)])
    weights = np.ascontiguousarray(weights.astype(dtype))
    design.residualise(losses.expand(weights * np.ones_like(y)))
    return Problem(design, losses, y, weights, penalty)


# -- sweeps --


@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("penalty", PENALTIES)
def test_sweeps_by_column_are_those_of_single_rows(penalty, intercept):
    scale = np.random.default_rng(1).uniform(0.5, 2, (30, 1))
    penalty = PENALTIES[penalty].with_alpha(0.05)
    problem = make("squared", penalty, missing=0.2, intercept=intercept, inverse_scale=scale, degenerate=True)
    assert weighted.handles(problem)
    Z, kernels = problem.null.Z, np.array(penalty.row_kernels(), dtype=float)
    found = []
    for columns in (Columns(problem), weighted.Weighted(problem)):
        x = np.zeros((len(kernels), *problem.design.shape_w))
        shaped = x.reshape(problem.zero.shape)
        residual = columns.residual(shaped, Z)
        losses = [columns.loss(residual, shaped)]
        changes = [columns.sweep(residual, x, kernels) for _ in range(4)]
        losses.append(columns.loss(residual, shaped))
        found.append((x, changes, losses, columns.curvature))
    assert found[0][0].any()
    for slow, fast in zip(*found, strict=True):
        assert_allclose(fast, slow, rtol=1e-7, atol=1e-11)


def test_columns_are_copied_once_for_all_models():
    problem = make("logistic", L21(0.02), missing=0.2)
    solve(problem, "prox_newton", tol=1e-8)
    assert "shifted" in problem._known
    losses = TaskLosses([Segment(Squared(), 1, *[slice(0, 4)] * 3)])
    plain = Problem(problem.design, losses, problem.y, problem.weights, L21())
    weighted.share(problem, plain)
    assert plain.known("shifted", None) is problem.known("shifted", None)


# -- curvature --


@pytest.mark.parametrize("missing", [0.0, 0.3])
def test_softmax_curvature(missing):
    problem = make("softmax", L21(0.01), n_tasks=6, missing=missing, intercept=False)
    rng = np.random.default_rng(0)
    eta, a = rng.standard_normal((2, 50, 6))
    curvature = Curvature(problem, eta)
    step = 1e-5
    along = (problem.derivative(eta + step * a) - problem.derivative(eta - step * a)) / (2 * step)
    assert_allclose(curvature.product(a), along, atol=1e-9)
    assert np.sum(a * curvature.product(a)) <= np.sum(curvature.majorant * a**2)
    unit = np.zeros_like(eta)
    unit[:, 1] = 1.0
    assert_allclose(curvature.product(unit)[:, 1], curvature.diagonal[:, 1])


def test_free_directions_are_minimised_out():
    problem = make("softmax", L21(0.01), missing=0.2)
    rng = np.random.default_rng(0)
    W, V = 0.3 * rng.standard_normal((2, *problem.design.shape_w))
    point = problem.smooth(problem.predictors(W))
    product = problem.gradient(Curvature(problem, point.eta).product(problem.predictors(V)))
    step = 1e-4
    ends = [problem.gradient(problem.smooth(problem.predictors(W + s * V), point.Z).u) for s in (step, -step)]
    assert_allclose(product, (ends[0] - ends[1]) / (2 * step), atol=1e-6)


# -- the piece --


@pytest.mark.parametrize("kernel", KERNELS)
def test_derivatives_of_a_piece(kernel):
    rng = np.random.default_rng(0)
    entry, row, q, ridge, positive = KERNELS[kernel]
    W = np.abs(rng.standard_normal((6, 4))) if positive else rng.standard_normal((6, 4))
    W[0, 1:], W[1, 2] = 0, 0
    if q == np.inf:
        W[2:4] = np.clip(W[2:4], -0.4, 0.4)
    piece = Piece(W, *KERNELS[kernel])
    penalty = SparseGroup(entry + row, entry / (entry + row), q=q, alpha_ridge=ridge)
    step = 1e-5
    for _ in range(3):
        V = piece.inside(rng.standard_normal(W.shape))
        assert_allclose(piece.inside(V), V, atol=1e-15)
        ends = [penalty.value(W + s * V) for s in (step, 0, -step)]
        assert np.sum(piece.gradient * V) == pytest.approx((ends[0] - ends[2]) / (2 * step), rel=1e-6)
        curved = [np.sum(Piece(W + s * V, *KERNELS[kernel]).gradient * V) for s in (step, -step)]
        assert np.sum(V * piece.product(V)) == pytest.approx((curved[0] - curved[1]) / (2 * step), rel=1e-5, abs=1e-7)


@pytest.mark.parametrize("kernel", ["l1", "l21", "sparse group", "q small", "q large", "positive"])
def test_preconditioner_inverts_a_diagonal_system(kernel):
    rng = np.random.default_rng(0)
    W, R = np.abs(rng.standard_normal((2, 6, 4)))
    piece, least = Piece(W, *KERNELS[kernel]), rng.uniform(0.5, 2, W.shape)
    piece.prepare(least)
    V = piece.precondition(R)
    assert_allclose(least * V + piece.product(V), R, atol=1e-12)


def test_a_step_on_the_support_is_newtons():
    problem = make("logistic", L21(0.01), intercept=True)
    x = solve(problem, "fista", tol=1e-4).x
    point = problem.smooth(problem.predictors(x))
    direction, slope = support_direction(problem, x, point, Curvature(problem, point.eta))
    assert slope < 0
    assert not direction[~x.any(axis=1)].any()
    assert support_direction(problem, problem.zero, point, Curvature(problem, point.eta)) is None


# -- the same optimum as FISTA's --

LAYOUTS = {
    "plain": {},
    "no intercept": {"intercept": False},
    "missing, weights": {"missing": 0.3},
    "sparse": {"container": sparse.csc_array, "missing": 0.2},
    "stacked": {"stacked": True},
    "one task": {"n_tasks": 1},
    "wide": {"n": 20, "p": 60},
    "degenerate": {"degenerate": True},
    "degenerate, missing": {"degenerate": True, "missing": 0.2, "intercept": False},
}


def cases():
    losses = ["logistic", "poisson", "squared_hinge", "huber", "softmax"]
    for i, layout in enumerate(LAYOUTS):
        for j, loss in enumerate(losses):
            if not (loss == "softmax" and layout in ("stacked", "one task")):
                yield pytest.param(loss, list(PENALTIES)[(i + 2 * j) % len(PENALTIES)], layout, id=f"{loss}-{layout}")


@pytest.mark.sampled(2)
@pytest.mark.parametrize(("loss", "penalty", "layout"), list(cases()))
def test_same_optimum_as_fista(loss, penalty, layout):
    problem = make(loss, PENALTIES[penalty], **LAYOUTS[layout])
    assert handles(problem)
    top, start = problem.alpha_max, None
    for share in (0.3, 0.02):
        at = problem.with_alpha(share * top)
        slow = solve(at, "fista", tol=1e-10, max_iter=200_000, warn=False)
        for method in ("prox_newton", "working_set"):
            for begin in (None, start):  # cold, and from a larger strength
                fast = solve(at, method, begin, tol=1e-10)
                assert fast.converged
                assert fast.objective - slow.objective <= fast.tolerance + 1e-13 * problem.null.value
                assert slow.objective - fast.objective <= slow.gap + 1e-13 * problem.null.value
        start = fast


@pytest.mark.parametrize("loss", ["logistic", "poisson", "softmax"])
def test_float32(loss):
    problem = make(loss, L21(), dtype=np.float32, missing=0.2)
    problem = problem.with_alpha(0.1 * problem.alpha_max)
    fast = solve(problem, tol=1e-5)
    assert fast.converged
    assert fast.x.dtype == np.float32
    same = make(loss, L21(problem.penalty.alpha), missing=0.2)
    assert fast.objective == pytest.approx(solve(same, tol=1e-9).objective, rel=1e-4)


def test_losses_side_by_side():
    problem = make("softmax", L21(), n_tasks=4)
    rng = np.random.default_rng(0)
    y = np.concatenate([problem.y[:, :1], rng.integers(0, 2, (50, 1)), rng.standard_normal((50, 1))], axis=1)
    segments = [
        Segment(as_loss("softmax"), 2, slice(0, 1), slice(0, 1), slice(0, 2)),
        Segment(as_loss("logistic"), 1, slice(1, 2), slice(1, 2), slice(2, 3)),
        Segment(as_loss("squared"), 1, slice(2, 3), slice(2, 3), slice(3, 4)),
    ]
    mixed = Problem(problem.design, TaskLosses(segments), y, np.full(y.shape, 1 / 50), L21())
    mixed = mixed.with_alpha(0.1 * mixed.alpha_max)
    fast, slow = (solve(mixed, solver, tol=1e-9, max_iter=100_000) for solver in ("auto", "fista"))
    assert fast.converged and slow.converged
    assert fast.objective == pytest.approx(slow.objective, rel=1e-8)


def test_few_sweeps_where_sweeps_alone_crawl():
    problem = make("squared_hinge", L21(), n=40, p=80, seed=3)
    problem = problem.with_alpha(problem.alpha_max / 50)
    assert solve(problem, "prox_newton", tol=1e-8).n_iter < 200


def test_sample_problem_from_its_solution():
    problem = sample_problem("logistic", L1Linf(0.02))
    first = solve(problem, "prox_newton", tol=1e-9)
    assert solve(problem, "prox_newton", first, tol=1e-8).n_iter == 0
