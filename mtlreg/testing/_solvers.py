"""Checks of one solver."""

from __future__ import annotations

import numpy as np

from mtlreg.designs import SharedDesign, StackedDesign
from mtlreg.losses import as_loss
from mtlreg.penalties import L1, L21, L1Linf, SparseGroup
from mtlreg.problem import Problem
from mtlreg.solvers import solve
from mtlreg.task_losses import Segment, TaskLosses
from mtlreg.testing._common import require

__all__ = ["check_solver", "sample_problem"]


def check_solver(
    solver, problems=None, losses=("squared", "logistic", "poisson"), penalties=None, tol=1e-9, max_iter=100_000
):
    """Check that a solver reaches the tolerance, with certificates that hold at every iterate.

    The truth is found by plain proximal gradient steps: no certified gap may be below the distance to it.

    Parameters
    ----------
    solver : str or callable
        A name `mtlreg.solvers.solve` knows, or ``solver(problem, state, *, max_iter, tolerance)`` yielding
        states.
    problems : list of Problem, default=None
        None: small random ones, shared and stacked, with and without intercepts.
    losses : tuple of str
        Losses of those random problems; leave out what the solver does not take.
    penalties : list of Penalty, default=None
        Theirs; None: several that are sums over rows.
    tol : float
    max_iter : int

    Raises
    ------
    AssertionError
        Saying what does not hold.
    """
    if problems is None:
        if penalties is None:
            penalties = [
                L21(0.3),
                L1(0.05, alpha_ridge=0.1),
                L1Linf(0.2, positive=True),
                SparseGroup(0.1, entry_ratio=0.3),
            ]
        cases = [(i, j) for i in range(len(losses)) for j in range(len(penalties))]
        problems = [
            sample_problem(losses[i], penalties[j], stacked=(i + j) % 2 == 1, intercept=j % 3 < 2) for i, j in cases
        ]
    for problem in problems:
        check_solution(problem, solver, tol, max_iter)


def check_solution(problem, solver, tol, max_iter):
    """Check the states of a solver on one problem, from zero and from a random start."""
    names = "+".join(s.loss.name for s in problem.losses.segments)
    name = f"solver {solver!r} on {type(problem.design).__name__}, {names}, {problem.penalty!r}"
    truth = _plain(problem)
    seen = []
    solution = solve(
        problem, solver, tol=tol, max_iter=max_iter, warn=False, callback=lambda s: seen.append(s.x) and None
    )
    slack = 1e-12 * (1 + problem.null.value)
    require(
        solution.converged,
        f"{name}: gap {solution.gap:.3g} after {solution.n_iter} iterations, not {solution.tolerance:.3g}",
    )
    require(solution.gap <= solution.tolerance, f"{name}: converged, but the gap is {solution.gap:.3g}")
    require(solution.n_iter <= max_iter, f"{name}: {solution.n_iter} iterations, {max_iter} were allowed")
    own = _objective(problem, solution.x)
    require(
        abs(own - solution.objective) <= slack,
        f"{name}: objective {solution.objective!r} is not that of x, {own!r}",
    )
    for _, _, objective, gap in solution.history:
        low = objective - gap
        require(low <= truth + slack, f"{name}: a gap of {gap:.6g} is certified, {objective - truth:.6g} is left")
    require(own <= truth + solution.gap + slack, f"{name}: ends {own - truth:.3g} above the optimum")
    again = solve(problem, solver, solution, tol=10 * tol, max_iter=max_iter, warn=False)
    require(
        again.converged and again.n_iter == 0,
        f"{name}: a start at the solution takes {again.n_iter} iterations",
    )


def _objective(problem, x):
    return problem.smooth(problem.predictors(x)).value + problem.penalty.value(x)


def _plain(problem, max_iter=20_000):
    """Objective of proximal gradient descent without acceleration, where it falls no more."""
    x, lipschitz = problem.zero, max(problem.lipschitz(), 1e-3)
    best, still = _objective(problem, x), 0
    for _ in range(max_iter):
        point = problem.smooth(problem.predictors(x))
        G = problem.spread(problem.gradient(point.u) + problem.pull(problem.total(x)))
        for _ in range(60):
            curvature = lipschitz + problem.stiffness
            new = problem.proximable.prox(x - G / curvature, 1 / curvature)
            value = _objective(problem, new)
            if value <= best or not np.any(new != x):
                break
            lipschitz *= 2
        still = still + 1 if not value < best - 1e-15 * (1 + abs(best)) else 0
        if still == 3 or not value <= best:
            break
        x, best = new, value
    return best


def sample_problem(loss, penalty, *, stacked=False, intercept=True, n_rows=40, n_features=8, n_tasks=3, seed=0):
    """A small random problem.

    Parameters
    ----------
    loss : str or Loss
        Not a multi-class one.
    penalty : Penalty
    stacked : bool
        Whether every task has its own rows.
    intercept : bool
    n_rows, n_features, n_tasks : int
        ``n_rows`` is that of each task.
    seed : int

    Returns
    -------
    Problem
    """
    rng = np.random.default_rng(seed)
    loss, rows = as_loss(loss), n_rows * (n_tasks if stacked else 1)
    X = rng.standard_normal((rows, n_features)) + 0.5
    W = rng.standard_normal((n_features, n_tasks)) * (np.arange(n_features) < 3)[:, None]
    U = np.ones((rows, 1)) if intercept else None
    if stacked:
        design = StackedDesign(X, np.arange(n_tasks + 1) * n_rows, [1] * n_tasks, U)
    else:
        design = SharedDesign(X, n_tasks, U)
    eta = design.matvec(W) + 0.5 * rng.standard_normal(design.matvec(W).shape)
    draw = {
        "regression": lambda: eta,
        "binary": lambda: (eta > 0).astype(float),
        "count": lambda: rng.poisson(np.exp(np.clip(eta, None, 3))).astype(float),
    }
    y = draw[loss.kind]()
    weights = rng.uniform(0.5, 1.5, y.shape) / n_rows
    every = slice(0, y.shape[-1])
    losses = TaskLosses([Segment(loss, 1, slice(0, n_tasks), every, every)])
    return Problem(design.residualise(losses.expand(weights)), losses, y, weights, penalty)
