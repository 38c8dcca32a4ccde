"""Working sets: solve small problems on the rows that matter, certify on all of them.

The working set holds every non-zero row and the worst violators of the dual constraint, twice as many as there are
non-zero rows; it is solved to a fraction of the present gap by another solver.

References
----------
Massias, Gramfort & Salmon (2018), Celer: a fast solver for the lasso with dual extrapolation, ICML, section 4.
"""

from __future__ import annotations

from mtlreg.solvers import descent, gram, newton
from mtlreg.solvers._base import State, solve
from mtlreg.solvers.fista import fista

__all__ = ["working_set"]

SMALLEST = 20
FRACTION = 0.3  # of the present gap, to which a subproblem is solved


def working_set(problem, state, *, max_iter, tolerance):
    """Yield states after each subproblem; ``state.n_iter`` counts the inner solver's iterations."""
    xp = problem.xp
    inner = inner_solver(problem)
    scale = problem.null.value
    rows, fraction, size = None, FRACTION, SMALLEST
    yield state
    while state.n_iter < max_iter:
        before = rows
        rows, size = _choose_rows(problem, state, size)
        unchanged = before is not None and rows.shape == before.shape and bool(xp.all(rows == before))
        fraction = fraction * 0.1 if unchanged else FRACTION
        goal = max(fraction * state.certificate.gap, 0.1 * tolerance if unchanged else 0.5 * tolerance)
        whole = rows.shape[0] == problem.design.n_features
        sub = problem if whole else _restricted(problem, rows)
        solution = solve(
            sub,
            inner,
            State(state.x if whole else xp.take(state.x, rows, axis=-2), state.Z),
            tol=goal / scale,
            max_iter=max_iter - state.n_iter,
            warn=False,
            scale=scale,
        )
        state.x, state.Z = _scatter(problem, rows, solution.x), solution.Z
        state.n_iter += max(solution.n_iter, 1)
        state.stalled = unchanged and goal <= 0.2 * tolerance and not solution.converged
        yield state


def inner_solver(problem):
    """What solves the subproblems: sweeps for squared loss, proximal Newton for other losses, FISTA for the rest."""
    if descent.handles(problem):
        return descent.coordinate_descent
    return newton.prox_newton if newton.handles(problem) else fista


def _restricted(problem, rows):
    """The problem of a working set, with what is known of its Gram matrix."""
    sub = problem.restrict(rows)
    if descent.handles(sub) and gram.handles(sub):
        gram.share(problem, sub, rows)
    return sub


def _choose_rows(problem, state, size):
    """The working set, sorted, and the size to start from next time."""
    xp = problem.xp
    active = xp.any(xp.reshape(state.x != 0, (-1, *problem.design.shape_w)), axis=(0, 2))  # in any part
    violations = problem.penalty.row_violations(-state.certificate.gradient)
    score = xp.where(active, xp.asarray(xp.inf, dtype=violations.dtype), violations)
    n_active = int(xp.sum(xp.astype(active, xp.int64)))
    size = min(max(size, 2 * n_active), score.shape[0])
    if 2 * size > score.shape[0]:
        return xp.arange(score.shape[0]), size
    order = xp.argsort(-score)[:size]
    rows = xp.sort(order[xp.take(score, order) > 0])
    return (rows if rows.shape[0] else xp.arange(score.shape[0])), size


def _scatter(problem, rows, x):
    """The rows of a working set put back into all rows."""
    if x.shape == problem.zero.shape:
        return x
    xp = problem.xp
    position = xp.searchsorted(rows, xp.arange(problem.design.n_features))
    position = xp.clip(position, max=rows.shape[0] - 1)
    inside = xp.take(rows, position) == xp.arange(problem.design.n_features)
    return xp.where(inside[:, None], xp.take(x, position, axis=-2), xp.zeros_like(x[..., :1, :]))
