"""The solver in the eigenvectors of the Gram matrix, and the factors of the trace norm."""

import numpy as np
import pytest

from mtlreg import TraceNormRegressor
from mtlreg.designs import SharedDesign, StackedDesign
from mtlreg.losses import as_loss
from mtlreg.penalties import L21, ClusterNorm, SpectralBoxNorm, SquaredTraceNorm, TraceBall, TraceNorm
from mtlreg.problem import Problem
from mtlreg.solvers import State, solve
from mtlreg.solvers._choose import choose, reduce
from mtlreg.solvers.alternating import alternate
from mtlreg.solvers.factors import FactoredProblem
from mtlreg.solvers.fista import fista
from mtlreg.solvers.gram import weighted_columns
from mtlreg.solvers.majorised import MajorisedProblem
from mtlreg.solvers.spectral import Basis, handles, spectral
from mtlreg.solvers.splitting import splitting
from mtlreg.task_losses import Segment, TaskLosses
from mtlreg.testing import check_solver

ALL = [
    TraceNorm(),
    TraceNorm(alpha_ridge=0.05),
    SquaredTraceNorm(),
    SquaredTraceNorm(alpha_ridge=0.05),
    SpectralBoxNorm(n_clusters=2),
    ClusterNorm(n_clusters=2),
]


def make_data(n, p, n_tasks, seed=0, rank=2, noise=0.3):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p)) @ np.diag(rng.uniform(0.2, 2.0, p)) + 0.5
    W = rng.standard_normal((p, rank)) @ rng.standard_normal((rank, n_tasks))
    return X, X @ W + noise * rng.standard_normal((n, n_tasks))


def make_problem(X, Y, penalty, *, intercept=True, weights=None, inverse_scale=None, loss="squared"):
    n, n_tasks = Y.shape
    every = slice(0, n_tasks)
    losses = TaskLosses([Segment(as_loss(loss), 1, every, every, every)])
    weights = np.full((n, 1), 1 / n) if weights is None else weights
    design = SharedDesign(X, n_tasks, np.ones((n, 1)) if intercept else None, inverse_scale)
    return Problem(design.residualise(losses.expand(weights)), losses, Y, weights, penalty)


def strengths(penalty, problem):
    low, high = penalty.alpha_range(problem, 1e-3)
    return [high, 0.3 * high, (low * high) ** 0.5, low]


def agree(problem, tol=1e-10):
    """Solve by both; the certificate is met, and the fits are the same."""
    found = solve(problem, "spectral", tol=tol)
    truth = solve(problem, "fista", tol=1e-12, max_iter=50_000, warn=False)
    scale = problem.null.value
    assert found.converged
    assert found.gap <= max(tol * scale, found.tolerance)
    assert abs(found.objective - truth.objective) <= 1e-8 * scale
    np.testing.assert_allclose(
        problem.predictors(found.x), problem.predictors(truth.x), atol=1e-4 * max(1.0, np.abs(problem.y).max())
    )
    return found


@pytest.mark.parametrize("penalty", ALL, ids=repr)
@pytest.mark.parametrize(
    "shape", [(60, 12, 7), (20, 45, 6), (30, 8, 40), (30, 2, 40), (15, 15, 1), (25, 1, 4), (30, 1, 1)]
)
def test_agrees_with_fista(penalty, shape):
    problem = make_problem(*make_data(*shape), penalty)
    for alpha in strengths(penalty, problem):
        agree(problem.with_alpha(alpha))


@pytest.mark.parametrize("penalty", ALL, ids=repr)
def test_degenerate_columns(penalty):
    X, Y = make_data(30, 10, 5)
    X[:, 1] = X[:, 0]
    X[:, 2] = 3.0  # constant: nothing is left of it beside an intercept
    X[:, 3] = 0.0
    Y[:, 1] = Y[:, 0]
    Y[:, 2] = 0.0
    for intercept in (True, False):
        problem = make_problem(X, Y, penalty, intercept=intercept)
        for alpha in strengths(penalty, problem):
            agree(problem.with_alpha(alpha))


def test_ridge_alone():
    agree(make_problem(*make_data(40, 9, 6), TraceNorm(0.0, alpha_ridge=0.1)))


def test_nothing_to_fit():
    X, Y = make_data(20, 6, 3)
    assert not solve(make_problem(X, 0 * Y, TraceNorm(0.1)), "spectral").x.any()
    assert not solve(make_problem(0 * X, Y, TraceNorm(0.1)), "spectral").x.any()
    problem = make_problem(0 * X, Y, TraceNorm(0.1))
    assert not solve(problem, "spectral", State(problem.zero + 1.0)).x.any()


def test_zero_from_alpha_max_on():
    problem = make_problem(*make_data(40, 9, 6), TraceNorm())
    top = problem.alpha_max
    assert not solve(problem.with_alpha(top), "spectral").x.any()
    assert not solve(problem.with_alpha(2 * top), "spectral", State(problem.zero + 1.0)).x.any()
    assert np.linalg.matrix_rank(solve(problem.with_alpha(0.999 * top), "spectral", tol=1e-12).x) == 1


@pytest.mark.parametrize("share", [1e-4, 1e-6, 1e-9])
@pytest.mark.parametrize("shape", [(40, 9, 6), (12, 30, 20)])
@pytest.mark.parametrize("penalty", [TraceNorm(), SquaredTraceNorm()], ids=repr)
def test_tiny_strength(penalty, shape, share):
    problem = make_problem(*make_data(*shape), penalty)
    solution = solve(problem.with_alpha(share * penalty.alpha_range(problem, 0.1)[1]), "spectral", tol=1e-9)
    assert solution.converged


def test_ill_conditioned():
    rng = np.random.default_rng(0)
    X, _ = make_data(60, 25, 8)
    X = X @ np.diag(10.0 ** -np.linspace(0, 5, 25)) @ rng.standard_normal((25, 25))
    Y = X @ rng.standard_normal((25, 3)) @ rng.standard_normal((3, 8)) + 0.1 * rng.standard_normal((60, 8))
    problem = make_problem(X, Y, TraceNorm())
    for share in (0.3, 1e-2, 1e-4):
        assert solve(problem.with_alpha(share * problem.alpha_max), "spectral", tol=1e-9).converged


@pytest.mark.parametrize("penalty", ALL, ids=repr)
@pytest.mark.parametrize("shape", [(50, 8, 5), (20, 30, 5)])
def test_weights_scales_and_free_directions(penalty, shape):
    X, Y = make_data(*shape)
    rng = np.random.default_rng(1)
    weights = rng.uniform(0, 1, (len(X), 1)) * (rng.uniform(size=(len(X), 1)) > 0.2) / len(X)
    scale = rng.uniform(0.3, 3, (X.shape[1], 1))
    problem = make_problem(X, Y, penalty, weights=weights, inverse_scale=scale)
    for alpha in strengths(penalty, problem)[1:3]:
        agree(problem.with_alpha(alpha))


@pytest.mark.parametrize("shape", [(40, 8, 5), (10, 25, 5)])
def test_basis(shape):
    X, Y = make_data(*shape)
    rng = np.random.default_rng(1)
    problem = make_problem(X, Y, TraceNorm(), weights=rng.uniform(0, 1, (len(X), 1)), inverse_scale=X[:1].T)
    basis = Basis(problem)
    W = rng.standard_normal((X.shape[1], 3))
    E = basis.backward(np.eye(basis.rank))
    D = weighted_columns(problem, np.arange(X.shape[1])).T
    np.testing.assert_allclose(E.T @ E, np.eye(basis.rank), atol=1e-10)
    np.testing.assert_allclose(D.T @ D, E @ (basis.curvature[:, None] * E.T), atol=1e-10)
    np.testing.assert_allclose(E @ basis.B, -problem.null_gradient, atol=1e-10)
    np.testing.assert_allclose(basis.forward(problem.zero + 1.0), E.T @ (problem.zero + 1.0), atol=1e-9)
    np.testing.assert_allclose(basis.backward(E.T @ W), E @ (E.T @ W), atol=1e-10)


@pytest.mark.parametrize("penalty", ALL, ids=repr)
@pytest.mark.parametrize("shape", [(60, 12, 7), (20, 45, 6)])
def test_path_keeps_the_basis(penalty, shape):
    problem = make_problem(*make_data(*shape), penalty)
    low, high = penalty.alpha_range(problem, 1e-2)
    solution, bases = None, set()
    for alpha in np.geomspace(high, low, 8):
        at = problem.with_alpha(alpha)
        solution = solve(at, "spectral", solution, tol=1e-9)
        assert solution.converged
        assert abs(solution.objective - solve(at, "fista", tol=1e-10).objective) <= 1e-8 * problem.null.value
        bases.add(id(at.known("eigenbasis", lambda at=at: Basis(at))))
    assert len(bases) == 1


def test_starts_anywhere():
    problem = make_problem(*make_data(50, 10, 6), TraceNorm()).with_alpha(0.1)
    cold = solve(problem, "spectral", tol=1e-10)
    start = np.random.default_rng(0).standard_normal(problem.zero.shape) * 100
    warm = solve(problem, "spectral", State(start), tol=1e-10)
    assert warm.converged
    np.testing.assert_allclose(warm.x, cold.x, atol=1e-4)


@pytest.mark.parametrize("penalty", [TraceNorm(), SquaredTraceNorm(0.01), SpectralBoxNorm(0.1)], ids=repr)
def test_certificates_hold_at_every_state(penalty):
    problems = []
    for shape, intercept in (((40, 8, 3), True), ((10, 15, 4), False)):
        problem = make_problem(*make_data(*shape), penalty, intercept=intercept)
        problems.append(problem.with_alpha(0.1 * problem.alpha_max) if penalty.trace_power == 1 else problem)
    check_solver("spectral", problems)


def test_rank_is_exact():
    problem = make_problem(*make_data(100, 20, 15), TraceNorm())
    x = solve(problem.with_alpha(0.1 * problem.alpha_max), tol=1e-8).x
    s = np.linalg.svd(x, compute_uv=False)
    assert (s > 1e-12 * s[0]).sum() == (s > 1e-3 * s[0]).sum() < 15


@pytest.mark.parametrize("power", [1, 2])
def test_sweeps_never_ascend(power):
    rng = np.random.default_rng(0)
    model = FactoredProblem(rng.uniform(0.01, 3, 12), rng.standard_normal((12, 9)), 0.2, power)
    C, before = rng.standard_normal((9, 4)), np.inf
    for _ in range(20):
        A, C, value = model.sweeps(C, 1)
        assert value <= before + 1e-12
        V = A @ C.T
        own = 0.5 * np.sum(model.curvature * V * V) - np.sum(model.B * V)
        a, c = np.sum(A * A), np.sum(C * C)
        own += 0.1 * (a + c) if power == 1 else 0.1 * a * c
        assert value == pytest.approx(own, rel=1e-10)
        before = value


@pytest.mark.parametrize("penalty", [TraceNorm(0.2), SquaredTraceNorm(0.2)], ids=repr)
@pytest.mark.parametrize("shape", [(12, 9), (9, 12)])
@pytest.mark.parametrize("size", [1.0, 1e-8, 1e8])
def test_steps_are_proximal(penalty, shape, size):
    rng = np.random.default_rng(0)
    curvature, B = rng.uniform(0.01, 3, shape[0]), size * rng.standard_normal(shape)
    model = FactoredProblem(curvature, B, penalty.alpha, penalty.trace_power)
    V = size * rng.standard_normal(shape)
    top = curvature.max()
    expected = penalty.prox(V - (curvature[:, None] * V - B) / top, 1 / top)
    for rank in (0, 9):
        (A, C), _ = model.step(V, rank)
        np.testing.assert_allclose(A @ C.T, expected, atol=1e-11 * size)
        np.testing.assert_allclose(A.T @ A, C.T @ C, atol=1e-9 * size)


@pytest.mark.parametrize("penalty", [SpectralBoxNorm(0.3, 2, 0.2), ClusterNorm(0.3, 3)], ids=repr)
@pytest.mark.parametrize("shape", [(12, 9), (9, 12)])
@pytest.mark.parametrize("rank", [1, 2, 9])
def test_majorants(penalty, shape, rank):
    rng = np.random.default_rng(0)

    def draw():
        return rng.standard_normal((shape[0], rank)) @ rng.standard_normal((rank, shape[1]))

    W = draw()
    prices, vectors = penalty.majorant(W)
    np.testing.assert_allclose(vectors.T @ vectors, np.eye(shape[1]), atol=1e-12)
    assert (prices > 0).all()
    S = (vectors * prices) @ vectors.T
    assert 0.5 * np.vdot(W @ S, W) == pytest.approx(penalty.norm_value(W), rel=1e-12)
    for size in (1e-3, 1.0, 1e3):
        for Z in (draw(), W + size * draw(), size * rng.standard_normal(shape)):
            assert 0.5 * np.vdot(Z @ S, Z) >= penalty.norm_value(Z) * (1 - 1e-12)


def models(seed=0):
    rng = np.random.default_rng(seed)
    curvature, B = rng.uniform(0.01, 3, 12), rng.standard_normal((12, 9))
    return [
        FactoredProblem(curvature, B, 0.2, 1),
        FactoredProblem(curvature, B, 0.2, 2),
        MajorisedProblem(curvature, B, SpectralBoxNorm(0.2)),
        MajorisedProblem(curvature, B, ClusterNorm(0.2)),
    ]


@pytest.mark.parametrize("model", models(), ids=["trace", "squared", "box", "cluster"])
def test_alternation_says_when_it_stalls(model):
    states, start = [], model.start(np.zeros((12, 9)))
    for _, n_iter, stalled in alternate(model, start, max_iter=10**6, tolerance=0.0):
        states.append(n_iter)
        if stalled:
            break
    assert states[-1] < 1000
    _, n_iter, stalled = next(alternate(model, start, max_iter=3, tolerance=0.0))
    assert n_iter == 3 and not stalled


def test_who_is_handled():
    X, Y = make_data(40, 8, 5)
    plain = make_problem(X, Y, TraceNorm(0.1))
    assert choose("auto", plain) is spectral and choose("auto", reduce(plain)) is spectral
    every = slice(0, 5)
    each = TaskLosses([Segment(as_loss("squared"), 1, every, slice(0, 40), slice(0, 40))])
    others = [
        make_problem(X, Y, TraceNorm(0.1), weights=np.where(np.arange(200).reshape(40, 5) % 7, 1.0, 0.0)),
        make_problem(X.astype(np.float32), Y.astype(np.float32), TraceNorm(0.1)),
        make_problem(X, (Y > 0).astype(float), TraceNorm(0.1), loss="logistic"),
        make_problem(X, Y, TraceBall(1.0)),
        make_problem(X, Y, TraceNorm(0.1), inverse_scale=np.ones((8, 5))),
        Problem(StackedDesign(X, np.arange(6) * 8, [1] * 5), each, Y[:, 0], np.ones(40), TraceNorm(0.1)),
    ]
    for problem in others:
        assert not handles(problem)
        assert choose("auto", problem) is (splitting if isinstance(problem.design, StackedDesign) else fista)
        with pytest.raises(ValueError, match="solver='spectral' needs"):
            choose("spectral", problem)
    assert not handles(make_problem(X, Y, L21(0.1)))


def test_from_an_estimator():
    X, Y = make_data(60, 12, 7)
    own = TraceNormRegressor(0.3, solver="spectral", tol=1e-10).fit(X, Y)
    auto = TraceNormRegressor(0.3, tol=1e-10).fit(X, Y)
    old = TraceNormRegressor(0.3, solver="fista", tol=1e-10).fit(X, Y)
    assert own.converged_ and auto.converged_
    for model in (own, auto):
        np.testing.assert_allclose(model.coef_, old.coef_, atol=1e-5)
        np.testing.assert_allclose(model.intercept_, old.intercept_, atol=1e-5)
    narrow = TraceNormRegressor(0.3).fit(X.astype(np.float32), Y.astype(np.float32))
    np.testing.assert_allclose(narrow.coef_, old.coef_, atol=1e-2)
